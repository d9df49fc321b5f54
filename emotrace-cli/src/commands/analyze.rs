//! `emotrace analyze`: everything into a case folder.

use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use emotrace_core::detect::RuleSet;
use emotrace_core::export::report::{self, ReportInput};
use emotrace_core::export::{Context, Finished, Format, json as json_text};
use emotrace_core::model::{Loss, ParseIssue, Timestamp};
use emotrace_core::pipeline::{
    Evidence, Extraction, Kept, Options, Progress, RunError, catalogue_digest, extract, fingerprint, write_timeline,
};
use emotrace_core::source::Verification;
use serde::Serialize;
use serde_json::{Value, json};

use super::{check_output, check_segments, check_temporary, options, summary, tell_issues};
use crate::args::Analyze;
use crate::case_folder::{CaseFolder, Identity, Opened};
use crate::commands::{info, judgement, timeline, verify};
use crate::exit::{Exit, Failure};
use crate::progress::display;

pub(crate) fn run(arguments: &Analyze) -> Result<Exit, Failure> {
    let started = now();
    let folder = &arguments.output;
    check_output(folder, &arguments.evidence.paths)?;
    if arguments.running.temp.is_some() {
        check_temporary(&arguments.running, &arguments.evidence.paths)?;
    }
    let mut options = options(&arguments.running, Some(&arguments.selecting));
    // Malformed rules end a run before it begins.
    let rules = if arguments.no_detect { None } else { Some(judgement::rules(&arguments.detecting.rules)?) };
    let mut evidence = Evidence::open(&arguments.evidence.paths)?;
    evidence.mount_snapshots(&arguments.selecting.vss)?;
    check_segments(folder, &evidence)?;
    let identity = identity(arguments, &evidence, rules.as_ref());
    let begun = started.map(|t| t.to_string());
    let mut case = match CaseFolder::open(folder, identity, begun, arguments.resume)? {
        Opened::Begun(case) => case,
        Opened::Finished(exit) => return Ok(exit),
    };
    options.keep = arguments.running.temp.is_none().then(|| case.timeline());
    let progress = display(arguments.running.progress);
    let (mut extraction, hashes) = match read(arguments, &evidence, &case, &options, &*progress) {
        Ok(read) => read,
        Err(failure) => {
            // What was not sorted to its end is of no use, and may be what filled the disk. If it can't be removed, the next
            // run does it.
            let _ = case.clear_timeline();
            return Err(failure);
        }
    };

    let mut outputs = Vec::new();
    for format in &arguments.format {
        let context = Context { hosts: extraction.hosts.clone(), zone: arguments.tz, from: arguments.selecting.from };
        outputs.push(case.output(file_name(*format), |out| {
            let written = write_timeline(&extraction, *format, context, &options, &*progress, out)?;
            Ok(timeline::left_out(written))
        })?);
    }
    let assessment = match arguments.no_detect {
        true => None,
        false => {
            let (serial, rules) = (arguments.detecting.serial, rules.as_ref());
            let judge = |rules| judgement::judge(&evidence, &extraction, rules, serial, &options, &*progress);
            rules.map(judge).transpose()?
        }
    };
    // Judging reads files of the image once more.
    extraction.note_gaps(&evidence);
    outputs.push(case.output("issues.jsonl", |out| lines(extraction.issues().map(issue_row), out))?);
    if let Some(assessment) = &assessment {
        outputs.push(case.output("findings.jsonl", |out| lines(assessment.findings.iter(), out))?);
        outputs.push(case.output("verdict.json", |out| {
            let verdict = json!({
                "verdict": assessment.verdict,
                "emocheck": assessment.emocheck,
                "exposure": assessment.exposure,
                "rules": assessment.rules,
                "findings_left_out": assessment.left_out,
            });
            pretty(&verdict, out)
        })?);
        let input = ReportInput {
            assessment,
            hosts: &extraction.hosts,
            coverage: &extraction.coverage,
            issues: extraction.issues().collect(),
            evidence: info::facts(&evidence),
            // Whether they are those that the image carries depends on the container; the manifest says it.
            hashes: hashes.as_ref().map(|h| json!(h.computed)),
            version: env!("CARGO_PKG_VERSION"),
        };
        outputs.push(case.output("report.html", |out| {
            out.write_all(report::html(&input).map_err(|e| Failure::Message(e.to_string()))?.as_bytes())?;
            Ok(None)
        })?);
        outputs.push(case.output("report.json", |out| pretty(&report::json(&input), out))?);
        outputs.push(case.output("indicators.csv", |out| {
            report::indicators_csv(&assessment.indicators, out)?;
            Ok(None)
        })?);
        outputs.push(case.output("indicators.stix.json", |out| pretty(&report::bundle(assessment), out))?);
    }
    outputs.push(case.output("coverage.json", |out| pretty(&json!(extraction.coverage), out))?);
    outputs.push(case.output("evidence.json", |out| pretty(&info::facts(&evidence), out))?);
    // What depends on the run, on this machine and on how the disk was packed stands here alone.
    let manifest = json!({
        "tool": "emotrace",
        "version": env!("CARGO_PKG_VERSION"),
        "arguments": std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect::<Vec<_>>(),
        "started": case.started(),
        "finished": now().map(|t| t.to_string()),
        "resumed": case.resumed,
        "identity": case.identity(),
        "evidence": {
            "label": evidence.label,
            "paths": evidence.paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>(),
            "given": info::given(&evidence),
            "image": info::image(&evidence),
            "hashes": hashes.as_ref().map(|h| json!(h)),
        },
        "events": extraction.timeline.len(),
        "issues": extraction.issues().count(),
        "issues_with_loss": extraction.issues().filter(|issue| issue.loss != Loss::None).count(),
        "outputs": outputs.iter().map(|o| output_row(folder, o)).collect::<Vec<_>>(),
    });
    let notes: Vec<String> = case.notes().collect();
    case.finish(&manifest)?;
    drop(progress);
    if let Some(hashes) = &hashes {
        eprint!("{}", verify::text(hashes));
    }
    eprintln!("{}; written to {}", summary(&evidence, &extraction), folder.display());
    notes.iter().for_each(|note| eprintln!("{note}"));
    let exit = tell_issues(extraction.issues(), "; see issues.jsonl");
    // Last, so that it is what the screen shows.
    if let Some(assessment) = &assessment {
        let report = folder.join("report.html");
        eprintln!("\n{}", judgement::screen(assessment, &extraction.hosts, &report, arguments.detecting.lang));
    }
    Ok(exit)
}

/// Reads the evidence, or takes what a stopped run has read of it.
fn read(
    arguments: &Analyze,
    evidence: &Evidence,
    case: &CaseFolder,
    options: &Options,
    progress: &dyn Progress,
) -> Result<(Extraction, Option<Verification>), Failure> {
    if let Some(folder) = options.keep.as_ref().filter(|_| case.resumed)
        && let Some(kept) = Kept::load(evidence, folder).map_err(RunError::Temporary)?
    {
        eprintln!("going on with the timeline that an earlier run has read");
        let hashes = kept.digests.zip(evidence.source.as_ref());
        return Ok((kept.extraction, hashes.map(|(digests, source)| Verification::new(source, digests))));
    }
    case.clear_timeline()?;
    let (extraction, hashes) =
        verify::beside(evidence, arguments.hash, options, || extract(evidence, options, progress));
    let mut extraction = extraction?;
    let hashes = hashes.transpose()?;
    extraction.note_gaps(evidence);
    if let Some(folder) = &options.keep {
        let digests = hashes.as_ref().map(|h| &h.computed);
        extraction.save(evidence, digests, folder).map_err(RunError::Temporary)?;
    }
    Ok((extraction, hashes))
}

/// Everything that the outputs depend on. Threads, progress and places of the examiner's machine are not among it.
fn identity(arguments: &Analyze, evidence: &Evidence, rules: Option<&RuleSet>) -> Identity {
    let selecting = &arguments.selecting;
    let formats: Vec<&str> = arguments.format.iter().map(|format| file_name(*format)).collect();
    let choices = [
        ("--format", json!(formats)),
        ("--tz", json!(arguments.tz.name())),
        ("--hash", json!(arguments.hash)),
        ("--no-detect", json!(arguments.no_detect)),
        ("--rules", json!(rules.map(RuleSet::digest))),
        ("--serial", json!(arguments.detecting.serial)),
        ("--from", json!(selecting.from.map(|t| t.to_string()))),
        ("--to", json!(selecting.to.map(|t| t.to_string()))),
        ("--artifact", json!(selecting.artifacts)),
        ("--path", json!(selecting.paths)),
        ("--vss", json!(format!("{:?}", selecting.vss))),
        ("--no-replay", json!(selecting.no_replay)),
    ];
    Identity {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        catalogue: catalogue_digest(),
        evidence: fingerprint(evidence),
        choices: choices.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    }
}

/// The name of a timeline in the case folder.
const fn file_name(format: Format) -> &'static str {
    match format {
        Format::Jsonl => "timeline.jsonl",
        Format::Csv => "timeline.csv",
        Format::Bodyfile => "timeline.body",
        Format::L2tCsv => "timeline.l2t.csv",
        Format::Timesketch => "timesketch.jsonl",
    }
}

/// Values as JSON lines.
fn lines<T: Serialize>(values: impl Iterator<Item = T>, out: &mut dyn Write) -> Result<Option<String>, Failure> {
    for value in values {
        json_text::line(&value, out)?;
        out.write_all(b"\n")?;
    }
    Ok(None)
}

fn pretty(value: &Value, out: &mut dyn Write) -> Result<Option<String>, Failure> {
    json_text::pretty(value, out)?;
    Ok(None)
}

fn output_row(folder: &Path, output: &Finished) -> Value {
    let name = output.path.strip_prefix(folder).unwrap_or(&output.path);
    json!({"file": name.display().to_string(), "bytes": output.bytes, "sha256": output.sha256})
}

fn issue_row(issue: &ParseIssue) -> Value {
    let at = &issue.locator;
    json!({
        "artifact": issue.artifact,
        "loss": issue.loss.name(),
        "error": issue.error,
        "image": at.image,
        "volume": at.volume,
        "snapshot": at.snapshot,
        "path": at.path,
        "stream": at.stream,
        "record": at.record.map(|r| r.to_string()),
        "offset": issue.offset,
    })
}

fn now() -> Option<Timestamp> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Timestamp::from_unix_nanos(i64::try_from(since.as_secs()).ok()?, since.subsec_nanos())
}
