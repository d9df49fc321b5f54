//! EmoCheck's candidates as findings of the catalogue's rules, so that they are weighed with all others.

use std::sync::Arc;

use crate::detect::rule_set::RuleSet;
use crate::model::{EmoCheck, EmoCheckHit, Evidence, Finding, RuleInfo, Shows, Stage, State};

/// A candidate that is less sure than this of its kind, whatever became of its file, is shown in the EmoCheck section and not
/// weighed: names that vendors and Windows itself choose too.
const WEIGHED: f64 = 0.45;

/// The rules that a candidate stands for. A program that fits the fourth generation and that something starts is both: the
/// file that was put in place, and what keeps it there.
fn rules_of(hit: &EmoCheckHit) -> &'static [&'static str] {
    match hit.method {
        "v1" => &["EMO-INS-001"],
        "v2" => &["EMO-INS-002"],
        "v3" => &["EMO-INS-003"],
        "v4" if hit.registry_key.is_empty() => &["EMO-INS-004"],
        "v4" => &["EMO-INS-004", "EMO-INS-005"],
        _ => &["EMO-INS-006"],
    }
}

/// The stage that a trace shows: a name in an autorun place is persistence, one in a record of runs is execution.
fn stage_of(evidence: &Evidence) -> Option<Stage> {
    match evidence.event {
        "windows:run_keys:program" | "windows:services:service" | "windows:scheduled_task:definition" => {
            Some(Stage::Persistence)
        }
        "windows:prefetch:execution" | "windows:registry:bam" | "windows:user_assist:program" => Some(Stage::Execution),
        // Windows writes a prefetch file some seconds after a program began.
        "windows:file:name_times" | "windows:file:times" | "windows:usn_journal:change"
            if evidence.message.to_ascii_lowercase().contains(r"\windows\prefetch\") =>
        {
            Some(Stage::Execution)
        }
        _ => None,
    }
}

/// True if the evidence is the program's own file, in use.
fn is_file(evidence: &Evidence, program: &str) -> bool {
    let name = evidence.locator.path.rsplit('\\').next().unwrap_or_default();
    evidence.event.starts_with("windows:file:")
        && evidence.state == State::Live
        && evidence.locator.snapshot.is_none()
        && name.eq_ignore_ascii_case(program)
}

/// The findings that follow from EmoCheck's candidates.
pub fn findings(result: &EmoCheck, rules: &RuleSet) -> Vec<Finding> {
    let mut findings = Vec::new();
    for hit in result.hits.iter().filter(|h| sure(h) >= WEIGHED && !h.evidence.is_empty()) {
        for name in rules_of(hit) {
            let Some(info) = rules.infos().find(|i| i.name.as_deref() == Some(name)) else { continue };
            findings.push(finding(hit, info));
            // The fourth generation's runs belong to the file, not to what starts it.
            if *name != "EMO-INS-005" {
                findings.extend(hit.runs.iter().map(|run| run_of(hit, info, run)));
            }
        }
    }
    findings
}

/// How sure a candidate is of its kind. The state of the evidence is the judge's to weigh.
fn sure(hit: &EmoCheckHit) -> f64 {
    let state = if hit.state == State::Deleted.name() { 0.8 } else { 1.0 };
    (hit.confidence / state).min(1.0)
}

fn finding(hit: &EmoCheckHit, info: &RuleInfo) -> Finding {
    let first = hit.evidence.first();
    let stage = first.and_then(stage_of).or(info.stage);
    let live = |e: &&Evidence| e.state == State::Live && e.locator.snapshot.is_none();
    let starts = hit.evidence.iter().filter(live).any(|e| stage_of(e) == Some(Stage::Persistence));
    let shows = if starts {
        Some(Shows::Autorun)
    } else {
        info.shows.filter(|_| first.is_some_and(|e| is_file(e, &hit.process_name)))
    };
    let weight = (f64::from(info.weight) * sure(hit)).round() as u32;
    let mut evidence = hit.evidence.clone();
    if let Some(first) = evidence.first_mut() {
        first.fields.push(("emocheck".to_owned(), format!("{}: {}", hit.method, hit.why)));
    }
    for e in &mut evidence {
        e.user = e.user.take().or_else(|| hit.user.clone());
    }
    Finding {
        rule: Arc::new(RuleInfo { shows, stage, ..info.clone() }),
        weight,
        outcome: None,
        time: hit.time,
        evidence,
        count: 1,
    }
}

/// A run of a candidate: the same fact at another stage.
fn run_of(hit: &EmoCheckHit, info: &RuleInfo, run: &Evidence) -> Finding {
    let weight = (f64::from(info.weight) * hit.confidence).round() as u32;
    let mut evidence = run.clone();
    evidence.fields.push(("emocheck".to_owned(), format!("{}: a run of {}", hit.method, hit.image_path)));
    evidence.user = evidence.user.take().or_else(|| hit.user.clone());
    Finding {
        rule: Arc::new(RuleInfo { shows: None, stage: Some(Stage::Execution), ..info.clone() }),
        weight,
        outcome: None,
        time: run.time,
        evidence: vec![evidence],
        count: 1,
    }
}

/// Files with times that were set back, as findings of EMO-AF-002.
pub fn forged_times(scanner: &super::Scanner, rules: &RuleSet) -> Vec<Finding> {
    let Some(info) = rules.infos().find(|i| i.name.as_deref() == Some("EMO-AF-002")) else { return Vec::new() };
    let rule = Arc::new(info.clone());
    let finding = |(time, evidence)| Finding {
        rule: Arc::clone(&rule),
        weight: rule.weight,
        outcome: None,
        time: Some(time),
        evidence,
        count: 1,
    };
    scanner.forged().into_iter().map(finding).collect()
}
