//! `emotrace analyze`: everything into a case folder.

use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use emotrace_core::export::report::{self, ReportInput};
use emotrace_core::export::{Context, Finished, Format, OutputFile};
use emotrace_core::model::{ParseIssue, Timestamp};
use emotrace_core::pipeline::{Evidence, extract, write_timeline};
use serde_json::{Value, json};

use super::{check_output, new_folder, options, summary, tell_issues};
use crate::args::Analyze;
use crate::commands::{info, judgement, timeline, verify};
use crate::exit::{Exit, Failure};
use crate::progress::display;

pub(crate) fn run(arguments: &Analyze) -> Result<Exit, Failure> {
    let started = now();
    let folder = &arguments.output;
    check_output(folder, &arguments.evidence.paths)?;
    let options = options(&arguments.running, Some(&arguments.selecting));
    // Malformed rules end a run before it begins.
    let rules = if arguments.no_detect { None } else { Some(judgement::rules(&arguments.detecting.rules)?) };
    let mut evidence = Evidence::open(&arguments.evidence.paths)?;
    evidence.mount_snapshots(&arguments.selecting.vss)?;
    new_folder(folder)?;
    let progress = display(arguments.running.progress);
    let (extraction, hashes) =
        verify::beside(&evidence, arguments.hash, &options, || extract(&evidence, &options, &*progress));
    let extraction = extraction?;
    let hashes = hashes.transpose()?;

    let mut outputs = Vec::new();
    let mut notes: Vec<String> = Vec::new();
    for format in &arguments.format {
        let context = Context { hosts: extraction.hosts.clone(), zone: arguments.tz, from: arguments.selecting.from };
        let mut written = Default::default();
        outputs.push(write_file(folder, file_name(*format), |out| {
            written = write_timeline(&extraction, *format, context, &options, &*progress, out)?;
            Ok(())
        })?);
        notes.extend(timeline::left_out(written).map(|note| format!("{}: {note}\n", file_name(*format))));
    }
    outputs.push(write_file(folder, "issues.jsonl", |out| {
        for issue in extraction.issues() {
            serde_json::to_writer(&mut *out, &issue_row(issue)).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })?);
    let assessment = match arguments.no_detect {
        true => None,
        false => {
            let (serial, rules) = (arguments.detecting.serial, rules.as_ref());
            let judge = |rules| judgement::judge(&evidence, &extraction, rules, serial, &options, &*progress);
            rules.map(judge).transpose()?
        }
    };
    if let Some(assessment) = &assessment {
        outputs.push(write_file(folder, "findings.jsonl", |out| {
            for finding in &assessment.findings {
                serde_json::to_writer(&mut *out, finding).map_err(io::Error::from)?;
                out.write_all(b"\n")?;
            }
            Ok(())
        })?);
        outputs.push(write_file(folder, "verdict.json", |out| {
            let verdict = json!({
                "verdict": assessment.verdict,
                "emocheck": assessment.emocheck,
                "exposure": assessment.exposure,
                "rules": assessment.rules,
                "findings_left_out": assessment.left_out,
            });
            write_json(&verdict, out)
        })?);
        let input = ReportInput {
            assessment,
            hosts: &extraction.hosts,
            coverage: &extraction.coverage,
            issues: extraction.issues().collect(),
            evidence: info::facts(&evidence),
            hashes: hashes.as_ref().map(|h| json!(h)),
            version: env!("CARGO_PKG_VERSION"),
        };
        outputs.push(write_file(folder, "report.html", |out| {
            Ok(out.write_all(report::html(&input).map_err(|e| Failure::Message(e.to_string()))?.as_bytes())?)
        })?);
        outputs.push(write_file(folder, "report.json", |out| write_json(&report::json(&input), out))?);
        outputs.push(write_file(folder, "indicators.csv", |out| {
            Ok(report::indicators_csv(&assessment.indicators, out)?)
        })?);
        outputs.push(write_file(folder, "indicators.stix.json", |out| write_json(&report::bundle(assessment), out))?);
    }
    outputs.push(write_file(folder, "coverage.json", |out| write_json(&json!(extraction.coverage), out))?);
    outputs.push(write_file(folder, "evidence.json", |out| write_json(&info::facts(&evidence), out))?);
    // What depends on the run and not on the evidence stands here alone.
    let manifest = json!({
        "tool": "emotrace",
        "version": env!("CARGO_PKG_VERSION"),
        "arguments": std::env::args().collect::<Vec<_>>(),
        "started": started.map(|t| t.to_string()),
        "finished": now().map(|t| t.to_string()),
        "evidence": {
            "label": evidence.label,
            "paths": evidence.paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>(),
            "hashes": hashes.as_ref().map(|h| json!(h)),
        },
        "events": extraction.timeline.len(),
        "issues": extraction.issues().count(),
        "outputs": outputs.iter().map(|o| output_row(folder, o)).collect::<Vec<_>>(),
    });
    write_file(folder, "manifest.json", |out| write_json(&manifest, out))?;
    drop(progress);
    if let Some(hashes) = &hashes {
        eprint!("{}", verify::text(hashes));
    }
    eprintln!("{}; written to {}", summary(&evidence, &extraction), folder.display());
    eprint!("{}", notes.concat());
    let exit = tell_issues(extraction.issues(), "; see issues.jsonl");
    // Last, so that it is what the screen shows.
    if let Some(assessment) = &assessment {
        let report = folder.join("report.html");
        eprintln!("\n{}", judgement::screen(assessment, &extraction.hosts, &report, arguments.detecting.lang));
    }
    Ok(exit)
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

fn write_file(
    folder: &Path,
    name: &str,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
) -> Result<Finished, Failure> {
    let path = folder.join(name);
    let failed = |error| Failure::Output(path.display().to_string(), error);
    let mut file = OutputFile::create(&path).map_err(failed)?;
    write(&mut file)?;
    file.finish().map_err(failed)
}

fn write_json(value: &Value, out: &mut dyn Write) -> Result<(), Failure> {
    serde_json::to_writer_pretty(&mut *out, value).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(())
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
