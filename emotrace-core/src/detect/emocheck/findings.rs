//! EmoCheck's candidates as findings of the catalogue's rules, so that they are weighed with all others.

use std::sync::Arc;

use crate::detect::rule_set::RuleSet;
use crate::model::{EmoCheck, EmoCheckHit, Finding, RuleInfo, State};

/// A candidate below this is shown in the EmoCheck section and not weighed: names in the system folders that vendors and
/// Windows itself choose too.
const WEIGHED: f64 = 0.45;

/// The rule that a candidate stands for.
fn rule_of(hit: &EmoCheckHit) -> &'static str {
    match hit.method {
        "v1" => "EMO-INS-001",
        "v2" => "EMO-INS-002",
        "v3" => "EMO-INS-003",
        "v4" if hit.registry_key.is_empty() => "EMO-INS-004",
        "v4" => "EMO-INS-005",
        _ => "EMO-INS-006",
    }
}

/// The findings that follow from EmoCheck's candidates.
pub fn findings(result: &EmoCheck, rules: &RuleSet) -> Vec<Finding> {
    let hits = result.hits.iter().filter(|h| h.confidence >= WEIGHED && !h.evidence.is_empty());
    hits.filter_map(|hit| {
        let name = rule_of(hit);
        let info = rules.infos().find(|i| i.name.as_deref() == Some(name))?;
        // Only the file itself, in use, shows that the file is there: a trace in a cache does not.
        let file = hit.evidence.first().is_some_and(|e| e.event.starts_with("windows:file:") && e.state == State::Live);
        let shows = info.shows.filter(|_| file);
        // The state of the evidence is the judge's to weigh; what is left is how sure the candidate is of its kind.
        let state = if hit.state == State::Deleted.name() { 0.8 } else { 1.0 };
        let weight = (f64::from(info.weight) * (hit.confidence / state).min(1.0)).round() as u32;
        let mut evidence = hit.evidence.clone();
        if let Some(first) = evidence.first_mut() {
            first.fields.push(("emocheck".to_owned(), format!("{}: {}", hit.method, hit.why)));
        }
        for e in &mut evidence {
            e.user = e.user.take().or_else(|| hit.user.clone());
        }
        Some(Finding {
            rule: Arc::new(RuleInfo { shows, ..info.clone() }),
            weight,
            outcome: None,
            time: hit.time,
            evidence,
            count: 1,
        })
    })
    .collect()
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
