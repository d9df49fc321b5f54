//! The command line as typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use emotrace_core::export::{Format, Zone};
use emotrace_core::model::Timestamp;
use emotrace_core::pipeline::Vss;

/// Forensic timelines of Windows disk images, offline and read-only
///
/// EVIDENCE is a disk image (raw, split raw or E01; one segment or all of them in any order), a folder that holds a copy of
/// a Windows tree (KAPE, Velociraptor or plain), or single artifact files (an event log, a registry hive, a prefetch or LNK
/// file). It is told apart by content. Nothing is ever written to it or beside it.
#[derive(Debug, Parser)]
#[command(name = "emotrace", version, after_help = EXIT_CODES, after_long_help = LONG_HELP)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done · 1 failed · 2 wrong usage · 3 done, but part of the evidence could not be read · \
4 verify: a hash differs · 5 verify: no hash stored · 130 stopped. `emocheck` answers like EmoCheck: \
0 not infected · 1 infected · 2 no answer";

const LONG_HELP: &str = "\
Examples:
  emotrace analyze case.E01 -o case-out        everything, into a case folder
  emotrace analyze case.E01 -o case-out --resume
                                               the same, on from where a stopped run left it
  emotrace timeline case.E01 > timeline.jsonl  one ordered timeline on stdout
  emotrace timeline System.evtx -f csv         a single event log as CSV
  emotrace info case.E01                       what the image holds, and the host
  emotrace verify case.E01                     hashes, compared with the stored ones
  emotrace ls case.E01 'C:/Users'              a folder of the image
  emotrace cat case.E01 'C:/Users/a/x.exe:Zone.Identifier' > zone.txt
                                               one stream of one file
  emotrace hive case.E01 C:/Users/a/NTUSER.DAT --at 0x1a2b8
                                               the registry key or value that a row names, with its raw bytes
  emotrace extract case.E01 -o files           all artifact files, with a SHA-256 manifest
  emotrace emocheck case.E01                   EmoCheck's five scanners, offline
  emotrace rules list                          what is looked for
  emotrace explain prefetch                    what an artifact proves and what it does not

Exit codes:
  0    done (verify: all stored hashes match)
  1    failed; the message on stderr says why (also: disk full, a folder that can't be written to, an output that lies
       in the evidence); what was finished before stays
  2    wrong usage
  3    done, but part of the evidence could not be read; the issues say which (verify: incomplete)
  4    verify: a stored hash differs from the content
  5    verify: the image stores no hash
  130  stopped by Ctrl-C or SIGTERM; no output is left that looks whole; `analyze --resume` goes on

`emotrace emocheck` answers with the exit codes of EmoCheck instead:
  0    not infected, as far as its five scanners tell
  1    infected
  2    no answer: wrong usage, or the evidence could not be read";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read and judge everything into a case folder: timeline, findings, verdict, report, and a manifest with hashes
    Analyze(Analyze),
    /// Write one ordered timeline to stdout or a file
    Timeline(Timeline),
    /// Show what the evidence is: container, partitions, file systems, the installed system
    Info(Info),
    /// Compute MD5, SHA-1 and SHA-256 of the image and compare with the stored hashes
    Verify(Verify),
    /// List files of the evidence, live and deleted
    Ls(Ls),
    /// Write one file, or one of its streams, to stdout, byte for byte
    Cat(Cat),
    /// Look into one registry hive: a key, the cell that a row names, the raw bytes, or what its transaction logs changed
    Hive(Hive),
    /// Copy files out of the evidence, byte for byte, with a SHA-256 manifest
    Extract(Extract),
    /// EmoCheck's five scanners on a dead disk; exit code 1 means infected, 0 not, 2 no answer
    Emocheck(Emocheck),
    /// List, check, explain or test detection rules
    #[command(subcommand)]
    Rules(Rules),
    /// Say what an artifact is, what it proves and what it does not
    Explain(Explain),
    /// Write a completion script for a shell to stdout
    Completions(Completions),
}

/// What to read.
#[derive(Debug, Args)]
pub(crate) struct Evidence {
    /// Image, folder or artifact files
    #[arg(id = "evidence", required = true, value_name = "EVIDENCE")]
    pub(crate) paths: Vec<PathBuf>,
}

/// How to run.
#[derive(Debug, Args)]
pub(crate) struct Running {
    /// Threads (default: one for each core); the output does not depend on it
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// How to show progress on stderr
    #[arg(long, value_enum, default_value_t = ProgressStyle::Auto)]
    pub(crate) progress: ProgressStyle,
    /// Folder for temporary files (default: the case folder for analyze, else the system's); needs room for the timeline
    #[arg(long, value_name = "DIR")]
    pub(crate) temp: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressStyle {
    /// A bar if stderr is a terminal, else nothing
    Auto,
    /// A bar
    Bar,
    /// One JSON object a line
    Ndjson,
    /// Nothing
    None,
}

/// Which events.
#[derive(Debug, Args)]
pub(crate) struct Selecting {
    /// Only events at or after this time (2020-08-26, 2020-08-26T05:09:33Z); undated ones are left out then
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) from: Option<Timestamp>,
    /// Only events before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) to: Option<Timestamp>,
    /// Only these artifacts (repeatable; `emotrace explain` lists them); `all` means every one, also those that are read
    /// only when they are asked for
    #[arg(long = "artifact", short, value_name = "NAME", value_delimiter = ',', value_parser = artifact)]
    pub(crate) artifacts: Vec<String>,
    /// Only evidence at these paths (repeatable): `*` within a name, `**` for any folders, as in 'C:\Users\**'
    #[arg(id = "path", long, value_name = "PATTERN")]
    pub(crate) paths: Vec<String>,
    /// Volume shadow copies to read: all, none, or their numbers (`emotrace info` lists them); what is the same as on the
    /// live volume is not given twice
    #[arg(long, value_name = "WHICH", default_value = "all")]
    pub(crate) vss: Vss,
    /// Read registry hives without their transaction logs
    #[arg(long)]
    pub(crate) no_replay: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Analyze {
    #[command(flatten)]
    pub(crate) evidence: Evidence,
    /// Case folder; it must not exist or be empty, but for --resume
    #[arg(long, short, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Go on with a run into this case folder that was stopped or killed
    ///
    /// Kept are the sorted timeline, once the reading (with --hash also the hashing) was done, and the timeline files that
    /// were finished: the image is not read again for them. Not kept are a reading that was not at its end, and the
    /// judgement: both are done anew. With --temp the sorted timeline lies there and is not kept either. The end is the same
    /// bytes as without a stop. Evidence, choices or a version other than those of the stopped run are refused. A folder
    /// without a run begins one; that of a finished case is checked against its manifest and left as it is.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Timeline formats (repeatable)
    #[arg(long, short, value_name = "FORMAT", value_delimiter = ',', value_parser = format, default_value = "jsonl")]
    pub(crate) format: Vec<Format>,
    /// Time zone of the formats for people: UTC, +09:00, Asia/Tokyo (JSON lines are always UTC)
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub(crate) tz: Zone,
    /// Also compute the image's MD5, SHA-1 and SHA-256 in the same run
    #[arg(long)]
    pub(crate) hash: bool,
    /// Only read, without rules, verdict and report
    #[arg(long)]
    pub(crate) no_detect: bool,
    #[command(flatten)]
    pub(crate) detecting: Detecting,
    #[command(flatten)]
    pub(crate) selecting: Selecting,
    #[command(flatten)]
    pub(crate) running: Running,
}

/// How to judge.
#[derive(Debug, Args)]
pub(crate) struct Detecting {
    /// Also use the Sigma rules (*.yml) of this folder or file (repeatable)
    #[arg(id = "rules", long = "rules", value_name = "DIR")]
    pub(crate) rules: Vec<PathBuf>,
    /// Serial number of the system volume, 8 hex digits as `vol` shows it, instead of the boot sector's
    #[arg(long, value_name = "SERIAL", value_parser = serial)]
    pub(crate) serial: Option<u32>,
    /// Language of the summary on the screen; the report speaks both
    #[arg(long, value_enum, default_value_t = Language::En)]
    pub(crate) lang: Language,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// English
    En,
    /// Japanese
    Ja,
}

#[derive(Debug, Args)]
pub(crate) struct Emocheck {
    #[command(flatten)]
    pub(crate) evidence: Evidence,
    /// As JSON, with EmoCheck's own keys and more
    #[arg(long)]
    pub(crate) json: bool,
    /// Language of the text
    #[arg(long, value_enum, default_value_t = Language::En)]
    pub(crate) lang: Language,
    /// Serial number of the system volume, 8 hex digits as `vol` shows it, instead of the boot sector's
    #[arg(long, value_name = "SERIAL", value_parser = serial)]
    pub(crate) serial: Option<u32>,
    #[command(flatten)]
    pub(crate) running: Running,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// Every rule: name, level, stage, status, title
    List(RuleSources),
    /// Read rules and say what is wrong with them
    Check(RuleSources),
    /// One rule in full
    Explain {
        /// Short name (EMO-PER-001), identifier, or a part of the title
        name: String,
        #[command(flatten)]
        sources: RuleSources,
    },
    /// Run the examples that rules bring along
    Test(RuleSources),
}

#[derive(Debug, Args)]
pub(crate) struct RuleSources {
    /// Also the rules of this folder or file (repeatable)
    #[arg(id = "rules", long = "rules", value_name = "DIR")]
    pub(crate) rules: Vec<PathBuf>,
    /// As JSON lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Timeline {
    #[command(flatten)]
    pub(crate) evidence: Evidence,
    /// Write to this file instead of stdout
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Timeline format
    #[arg(long, short, value_name = "FORMAT", value_parser = format, default_value = "jsonl")]
    pub(crate) format: Format,
    /// Time zone of the formats for people: UTC, +09:00, Asia/Tokyo (JSON lines are always UTC)
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub(crate) tz: Zone,
    /// Also compute the image's hashes in the same run and show them on stderr
    #[arg(long)]
    pub(crate) hash: bool,
    #[command(flatten)]
    pub(crate) selecting: Selecting,
    #[command(flatten)]
    pub(crate) running: Running,
}

#[derive(Debug, Args)]
pub(crate) struct Info {
    #[command(flatten)]
    pub(crate) evidence: Evidence,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) evidence: Evidence,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// How to show progress on stderr
    #[arg(long, value_enum, default_value_t = ProgressStyle::Auto)]
    pub(crate) progress: ProgressStyle,
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Image or folder
    #[arg(value_name = "EVIDENCE")]
    pub(crate) evidence: PathBuf,
    /// Place: [VOLUME/]PATH or [VOLUME/]#RECORD-SEQUENCE; VOLUME is p1, p2 … or C: (default: the system volume's root), and
    /// p1/vss2/PATH lies in its shadow copy 2
    #[arg(value_name = "PLACE", default_value = "/")]
    pub(crate) place: String,
    /// More segments of the image
    #[arg(long = "segment", value_name = "FILE")]
    pub(crate) segments: Vec<PathBuf>,
    /// Also what lies below
    #[arg(long, short)]
    pub(crate) recursive: bool,
    /// Every record of the volume that is not in use, wherever it lay
    #[arg(long, short, conflicts_with = "recursive")]
    pub(crate) deleted: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Cat {
    /// Image or folder
    #[arg(value_name = "EVIDENCE")]
    pub(crate) evidence: PathBuf,
    /// Place: VOLUME/PATH:STREAM or VOLUME/#RECORD-SEQUENCE:STREAM, which also reads deleted records; VOLUME is
    /// p1, p2 … or C:
    #[arg(value_name = "PLACE")]
    pub(crate) place: String,
    /// More segments of the image
    #[arg(long = "segment", value_name = "FILE")]
    pub(crate) segments: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Hive {
    /// Image, folder, or a single hive
    #[arg(value_name = "EVIDENCE")]
    pub(crate) evidence: PathBuf,
    /// Place of the hive, as for `cat`; left out for a single hive
    #[arg(value_name = "PLACE")]
    pub(crate) place: Option<String>,
    /// The key to show, from the hive's root or as rows write it (HKEY_LOCAL_MACHINE\SOFTWARE\…); the default is the root
    #[arg(long, short, value_name = "PATH")]
    pub(crate) key: Option<String>,
    /// Show this value of the key alone; the empty name is the default value
    #[arg(long, value_name = "NAME", requires = "key")]
    pub(crate) value: Option<String>,
    /// Show the key or value, live or deleted, whose cell lies at this offset of the hive: `origin.offset` of a row, decimal
    /// or 0x…
    #[arg(long, value_name = "OFFSET", conflicts_with = "key", value_parser = parse_offset)]
    pub(crate) at: Option<u64>,
    /// Write raw bytes to stdout: the data of the one value that is meant, or else the key's cell
    #[arg(long, conflicts_with = "changes")]
    pub(crate) raw: bool,
    /// List what the transaction logs changed: keys gained (+), lost (-), and changed (~)
    #[arg(long, conflicts_with_all = ["key", "at"])]
    pub(crate) changes: bool,
    /// Show the hive as its file alone gives it, without its transaction logs
    #[arg(long, conflicts_with = "changes")]
    pub(crate) no_replay: bool,
    /// More segments of the image
    #[arg(long = "segment", value_name = "FILE")]
    pub(crate) segments: Vec<PathBuf>,
}

fn parse_offset(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.map_err(|error| error.to_string())
}

#[derive(Debug, Args)]
pub(crate) struct Extract {
    #[command(flatten)]
    pub(crate) evidence: Evidence,
    /// Output folder; it must not exist or be empty
    #[arg(long, short, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// What to copy (repeatable): paths with `*` and `**`, streams as **:Zone.Identifier, records as #42-3, each also on one volume
    /// or shadow copy as p1/vss2/Users/** (default: every file that an artifact reads, and the registry hives with their logs)
    #[arg(id = "path", long, short, value_name = "PATTERN")]
    pub(crate) paths: Vec<String>,
    /// Volume shadow copies to copy from, too: all, none, or their numbers
    #[arg(long, value_name = "WHICH", default_value = "none")]
    pub(crate) vss: Vss,
    /// Also from deleted records; their content may have been written over
    #[arg(long)]
    pub(crate) deleted: bool,
    #[command(flatten)]
    pub(crate) running: Running,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Artifact; without one, all are listed
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text)
        .ok_or_else(|| "write 2020-08-26, 2020-08-26T05:09:33Z or 2020-08-26T14:09:33+09:00".to_owned())
}

fn serial(text: &str) -> Result<u32, String> {
    let digits = text.trim_start_matches("0x").replace('-', "");
    u32::from_str_radix(&digits, 16).map_err(|_| "write 8 hex digits, 0C5D-7F3A or 0C5D7F3A".to_owned())
}

fn format(text: &str) -> Result<Format, String> {
    text.parse().map_err(|_| {
        let names: Vec<&str> = Format::ALL.iter().map(|(_, name)| *name).collect();
        format!("formats are {}", names.join(", "))
    })
}

fn artifact(text: &str) -> Result<String, String> {
    match emotrace_core::artifacts::by_name(text) {
        None if text == "all" => Ok(text.to_owned()),
        Some(artifact) => Ok(artifact.name.to_owned()),
        None => {
            let names: Vec<&str> = emotrace_core::artifacts::ARTIFACTS.iter().map(|a| a.name).collect();
            Err(format!("artifacts are {}", names.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    /// clap's own check of the whole definition.
    #[test]
    fn the_definition_is_sound() {
        super::Arguments::command().debug_assert();
    }
}
