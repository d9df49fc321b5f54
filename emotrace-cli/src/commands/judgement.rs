//! What `analyze` and `emocheck` share: loading rules, judging, and telling the verdict on one screen.

use std::fmt::Write;
use std::path::PathBuf;

use emotrace_core::detect::RuleSet;
use emotrace_core::export::escape::visible;
use emotrace_core::model::{Assessment, Conclusion, EmoCheck, Host, HostState};
use emotrace_core::pipeline::{AssessError, Evidence, Extraction, Judging, Options, Progress, assess};

use crate::exit::Failure;

/// How many reasons the summary names.
const REASONS: usize = 8;

/// The project's rules and those of the folders. What can't be read of the latter is told, the rest is used.
pub(crate) fn rules(folders: &[PathBuf]) -> Result<RuleSet, Failure> {
    if let Some(missing) = folders.iter().find(|f| !f.exists()) {
        return Err(Failure::Message(format!("{}: there is no such folder or file", missing.display())));
    }
    let rules = RuleSet::load(folders)
        .map_err(|errors| Failure::Message(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
    for error in rules.rejected() {
        eprintln!("{}", visible(&error.to_string()));
    }
    Ok(rules)
}

/// The judgement on an extraction.
pub(crate) fn judge(
    evidence: &Evidence,
    extraction: &Extraction,
    rules: &RuleSet,
    serial: Option<u32>,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Assessment, Failure> {
    assess(evidence, extraction, rules, &Judging { serial }, options, progress).map_err(|error| match error {
        AssessError::Run(error) => Failure::Run(error),
        other => Failure::Message(other.to_string()),
    })
}

/// The verdict in words.
pub(crate) const fn conclusion(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Confirmed => "CONFIRMED: the host was infected with Emotet",
        Conclusion::Likely => "LIKELY: the host was probably infected with Emotet",
        Conclusion::Suspicious => "SUSPICIOUS: some evidence fits Emotet, but not enough",
        Conclusion::NotDetected => "NOT DETECTED: nothing of weight was found, and enough was read to say so",
        Conclusion::Inconclusive => "INCONCLUSIVE: too little of the evidence could be read",
    }
}

const fn state(state: HostState) -> &'static str {
    match state {
        HostState::None => "no sign of an infection",
        HostState::Blocked => "blocked: a security product stopped it",
        HostState::Removed => "removed: only traces are left",
        HostState::Dormant => "dormant: the file is there, nothing that starts it was found",
        HostState::Active => "active: the file and what starts it are there",
    }
}

/// The one-screen summary.
pub(crate) fn screen(assessment: &Assessment, hosts: &[Host]) -> String {
    let verdict = &assessment.verdict;
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:>10}  {}", visible(value));
    };
    line("VERDICT", conclusion(verdict.conclusion));
    line("why", &verdict.because);
    let names: Vec<&str> = hosts.iter().filter_map(|h| h.computer_name.as_deref()).collect();
    line("host", &if names.is_empty() { "not known".to_owned() } else { names.join(", ") });
    line("state", state(verdict.state));
    let steps: Vec<&str> = verdict.reached.iter().map(|(step, _)| step.as_str()).collect();
    if !steps.is_empty() {
        line("reached", &steps.join(" → "));
    }
    if let Some(window) = &verdict.window {
        let second = |t: emotrace_core::model::Timestamp| t.to_string().replace('T', " ")[..19].to_owned();
        line("window", &format!("{} … {} UTC", second(window.from), second(window.until)));
    }
    if !verdict.users.is_empty() {
        line("users", &verdict.users.join(", "));
    }
    line(
        "score",
        &format!(
            "{} points, {} findings, coverage {:.0} % ({} rules looked, {} wait for artifacts)",
            verdict.score,
            assessment.findings.len(),
            verdict.coverage * 100.0,
            assessment.rules.evaluated,
            assessment.rules.unsupported
        ),
    );
    let counted: Vec<_> = verdict.points.iter().filter(|p| p.counted).collect();
    if !counted.is_empty() {
        let _ = writeln!(text, "\n  Top reasons (of {})", counted.len());
    }
    for point in counted.iter().take(REASONS) {
        let Some(finding) = assessment.findings.get(point.finding) else { continue };
        let time = finding.time.map_or("undated".to_owned(), |t| t.to_string().replace('T', " ")[..19].to_owned());
        let message = finding.evidence.first().map(|e| e.message.as_str()).unwrap_or_default();
        let short: String = message.chars().take(110).collect();
        let _ = writeln!(
            text,
            "  {:>5} {time:19}  {} {}\n{:28} {}",
            point.points,
            point.rule,
            visible(&finding.rule.title),
            "",
            visible(&short)
        );
    }
    for result in &assessment.emocheck {
        let _ = write!(text, "\n{}", table(result));
    }
    text
}

/// EmoCheck's five scanners as a table.
fn table(result: &EmoCheck) -> String {
    let serial = result.serial.as_deref().unwrap_or("not known");
    let answer = if result.infected { "infected" } else { "not infected" };
    let mut text = format!("  EmoCheck, offline: {answer} (volume serial {serial})\n");
    for scanner in &result.scanners {
        let first = result.hits.iter().find(|h| h.method == scanner.method);
        let shown = first.map(|h| if h.image_path.is_empty() { &h.registry_key } else { &h.image_path });
        let shown = shown.map_or("–", |s| s.as_str());
        let _ = writeln!(
            text,
            "  {}  {:>3} hits  {:>4}  {}",
            scanner.method,
            scanner.hits,
            if scanner.hits > 0 { format!("{:.2}", scanner.confidence) } else { "–".to_owned() },
            visible(shown)
        );
    }
    text
}
