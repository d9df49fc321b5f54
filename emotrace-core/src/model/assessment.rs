//! Everything that a run of the detection gives: what was found, what follows from it, and how it hangs together.

use serde::{Serialize, Serializer};

use super::{Evidence, Finding, Stage, Timestamp, Verdict};

/// The result of the detection.
#[derive(Clone, Debug, Serialize)]
pub struct Assessment {
    /// The judgement.
    pub verdict: Verdict,
    /// What the rules and the EmoCheck scanners found, in the order of time, undated ones last.
    pub findings: Vec<Finding>,
    /// Findings that were counted but not kept, because one rule hit more often than a list can use.
    pub left_out: u64,
    /// The five scanners of EmoCheck, for each installed system.
    pub emocheck: Vec<EmoCheck>,
    /// The chain of what happened.
    pub story: Story,
    /// What to look for elsewhere.
    pub indicators: Vec<Indicator>,
    /// What lay open to be taken.
    pub exposure: Exposure,
    /// What was looked for.
    pub rules: RuleCounts,
}

/// Mail stores, address books and saved passwords on the evidence.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Exposure {
    /// False if no file of the evidence could be looked at.
    pub looked: bool,
    /// By kind and account.
    pub stores: Vec<StoreGroup>,
    /// What is not counted, English.
    pub not_counted: Vec<String>,
    /// The same in Japanese.
    pub not_counted_ja: Vec<String>,
}

/// Stores of one kind that belong to one account.
#[derive(Clone, Debug, Serialize)]
pub struct StoreGroup {
    /// Name of the kind: `outlook_store`, `browser_passwords` …
    pub kind: &'static str,
    /// The kind in English.
    pub title: &'static str,
    /// The kind in Japanese.
    pub title_ja: &'static str,
    /// The account whose profile they lie in.
    pub user: Option<String>,
    /// How many files.
    pub files: u64,
    /// Their length in bytes, all together.
    pub bytes: u64,
    /// When the newest of them was last written.
    #[serde(serialize_with = "instant")]
    pub newest: Option<Timestamp>,
    /// The first of them.
    pub paths: Vec<String>,
}

/// One thing to look for on other machines and in other logs.
#[derive(Clone, Debug, Serialize)]
pub struct Indicator {
    /// `file`, `registry`, `service`, `address` or `url`.
    pub kind: &'static str,
    /// The path, key, name, address or URL as the evidence writes it.
    pub value: String,
    /// Port of an address.
    pub port: Option<u16>,
    /// SHA-256 of the file's content, if it could be read.
    pub sha256: Option<String>,
    /// MD5 of the file's content.
    pub md5: Option<String>,
    /// Length of the file in bytes.
    pub size: Option<u64>,
    /// The first finding that names it.
    #[serde(serialize_with = "instant")]
    pub first_seen: Option<Timestamp>,
    /// Rules whose findings name it.
    pub rules: Vec<String>,
    /// The finding that names it first, by place in the list.
    pub finding: usize,
}

/// The rules of a run in numbers.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RuleCounts {
    /// Rules that were held against the evidence.
    pub evaluated: usize,
    /// Rules of the catalogue that wait for an artifact.
    pub unsupported: usize,
    /// Rules that could not be evaluated on this evidence, each with the reason.
    pub not_evaluated: Vec<(String, String)>,
    /// SHA-256 over all rules, the mapping and the policy: two runs with the same value used the same rules.
    pub digest: String,
}

/// What EmoCheck's scanners say of one installed system.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EmoCheck {
    /// Label of the volume.
    pub volume: Option<String>,
    /// Computer name.
    pub hostname: Option<String>,
    /// The volume's serial number, low 32 bits, as 8 hex digits; absent if it is not known.
    pub serial: Option<String>,
    /// Where the serial comes from.
    pub serial_source: String,
    /// The same in Japanese.
    pub serial_source_ja: String,
    /// Another serial number that most prefetch files name: the first two generations went by that one.
    pub other_serial: Option<String>,
    /// The name that the first generation makes from the serial.
    pub v1_name: Option<String>,
    /// The name of the registry value that the second generation uses.
    pub v2_value: Option<String>,
    /// True if a hit is sure enough to call the host infected.
    pub infected: bool,
    /// One line for each of the five.
    pub scanners: Vec<ScannerResult>,
    /// Candidates, the surest first.
    pub hits: Vec<EmoCheckHit>,
    /// What looked like a hit and is none, and what could not be looked at.
    pub notes: Vec<String>,
    /// The same in Japanese.
    pub notes_ja: Vec<String>,
}

/// One scanner in a line.
#[derive(Clone, Debug, Serialize)]
pub struct ScannerResult {
    /// `v1` to `v5`.
    pub method: &'static str,
    /// The time of Emotet that it knows.
    pub period: &'static str,
    /// What it looks for, English.
    pub what: &'static str,
    /// What it looks for, Japanese.
    pub what_ja: &'static str,
    /// Hits.
    pub hits: usize,
    /// The highest confidence of a hit.
    pub confidence: f64,
    /// Why it could not look, or not everywhere.
    pub limits: Option<String>,
    /// The same in Japanese.
    pub limits_ja: Option<String>,
}

/// One candidate.
#[derive(Clone, Debug, Serialize)]
pub struct EmoCheckHit {
    /// EmoCheck's key: the file name of the program.
    pub process_name: String,
    /// EmoCheck's key: always empty, there are no processes on a dead disk.
    pub process_id: String,
    /// EmoCheck's key: the program's path, or where its trace lies.
    pub image_path: String,
    /// EmoCheck's key: what starts it, if that was found.
    pub registry_key: String,
    /// `v1` to `v5`.
    pub method: &'static str,
    /// The artifact that shows it.
    pub artifact: &'static str,
    /// Byte offset of the record.
    pub offset: Option<u64>,
    /// The instant.
    #[serde(serialize_with = "instant")]
    pub time: Option<Timestamp>,
    /// What the instant means.
    pub time_meaning: String,
    /// The same in Japanese.
    pub time_meaning_ja: String,
    /// `live`, `deleted` …
    pub state: &'static str,
    /// The account.
    pub user: Option<String>,
    /// 0 to 1.
    pub confidence: f64,
    /// EmoCheck itself would have this candidate on its list.
    pub as_emocheck: bool,
    /// Why it is a candidate, with the numbers.
    pub why: String,
    /// The same in Japanese.
    pub why_ja: String,
    /// Where it was found.
    #[serde(skip)]
    pub evidence: Vec<Evidence>,
    /// Runs of the program that other artifacts show.
    #[serde(skip)]
    pub runs: Vec<Evidence>,
}

/// The chain of what happened.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Story {
    /// One chain for each account in the infection window, the one with the most steps first.
    pub chains: Vec<Chain>,
    /// Findings of other times: older infections, leftovers.
    pub elsewhere: Vec<Step>,
    /// What one would expect and what is not there, as sentences.
    pub gaps: Vec<Gap>,
}

/// What happened under one account.
#[derive(Clone, Debug, Serialize)]
pub struct Chain {
    /// The account; absent for what no account is known of.
    pub user: Option<String>,
    /// The steps in the order of time.
    pub steps: Vec<Step>,
}

/// One step: a finding, or a fact beside findings.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// The instant.
    #[serde(serialize_with = "instant")]
    pub time: Option<Timestamp>,
    /// The part of an infection; absent for a fact beside the findings.
    pub stage: Option<Stage>,
    /// Rule or kind of event.
    pub title: String,
    /// The same in Japanese, where there is one.
    pub title_ja: Option<String>,
    /// What the evidence says.
    pub text: String,
    /// The artifact.
    pub artifact: &'static str,
    /// Place of the finding in the list.
    pub finding: Option<usize>,
    /// Further findings of the same fact.
    pub also: Vec<usize>,
    /// Time since the step before, in seconds, where that is long.
    pub after_gap: Option<u64>,
}

/// Something that is missing.
#[derive(Clone, Debug, Serialize)]
pub struct Gap {
    /// English.
    pub text: String,
    /// Japanese.
    pub text_ja: String,
}

fn instant<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(time),
        None => serializer.serialize_none(),
    }
}
