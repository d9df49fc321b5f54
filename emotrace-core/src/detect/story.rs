//! Findings and the facts beside them as a chain of steps, by account, with what is missing said.

use std::collections::BTreeMap;

use crate::model::{Chain, Evidence, EvidenceClass, Finding, Gap, Meaning, Step, Story, Timestamp, Verdict};

/// Hits of one rule this close to one another are one step.
const SAME_STEP: u64 = 30 * 60 * 10_000_000;
/// A pause longer than this is said.
const LONG: u64 = 6 * 3600 * 10_000_000;
/// Most steps of a chain.
const MAX_STEPS: usize = 400;

/// Steps that an infection goes through, as `verdict.yaml` names them, in both languages.
pub const STEPS: &[(&str, &str, &str)] = &[
    ("delivered", "delivered", "配信"),
    ("opened", "opened", "開封"),
    ("executed", "executed", "実行"),
    ("installed", "installed", "設置"),
    ("persistent", "persistent", "永続化"),
    ("communicated", "communicated", "通信"),
    ("data_access", "data access", "情報参照"),
    ("spread", "spread", "拡散"),
];

/// Makes the story of a verdict. `beside` are facts near the findings that no rule speaks of.
pub fn tell(verdict: &Verdict, findings: &[Finding], beside: &[Evidence]) -> Story {
    let inside = |time: Timestamp| verdict.window.as_ref().is_some_and(|w| time >= w.from && time <= w.until);
    let mut chains: BTreeMap<Option<String>, Vec<Step>> = BTreeMap::new();
    let mut elsewhere = Vec::new();
    let weighed = verdict.points.iter().filter(|p| p.points > 0.0 && p.class >= EvidenceClass::M);
    // Outside the rule's period a key's last write is not when it happened: leftovers stand apart.
    let leftover = |at: usize| {
        verdict.points.iter().any(|p| p.finding == at && p.period < 1.0)
            && findings[at].evidence.iter().all(|e| e.meaning.contains(Meaning::KEY_WRITTEN))
    };
    let mut order: Vec<usize> = weighed.map(|p| p.finding).collect();
    order.sort_by_key(|i| (findings[*i].time.is_none(), findings[*i].time, *i));
    order.dedup();
    for at in order {
        let finding = &findings[at];
        let Some(first) = finding.evidence.first() else { continue };
        let step = Step {
            time: finding.time,
            stage: finding.rule.stage,
            title: finding.rule.title.clone(),
            title_ja: finding.rule.title_ja.clone(),
            text: first.message.clone(),
            artifact: first.artifact,
            finding: Some(at),
            also: Vec::new(),
            after_gap: None,
        };
        let chain = match finding.time {
            Some(time) if inside(time) && !leftover(at) => chains.entry(user_of(finding)).or_default(),
            _ => &mut elsewhere,
        };
        let near = |s: &&mut Step| {
            s.title == step.title
                && match (s.time, step.time) {
                    (Some(a), Some(b)) => b.filetime().saturating_sub(a.filetime()) <= SAME_STEP,
                    (a, b) => a == b,
                }
        };
        let full = chain.len() >= MAX_STEPS;
        match chain.iter_mut().rev().find(near) {
            Some(same) => same.also.push(at),
            None if !full => chain.push(step),
            None => {}
        }
    }
    for evidence in beside {
        let Some(chain) = evidence.time.filter(|t| inside(*t)).and_then(|_| chains.get_mut(&evidence.user)) else {
            continue;
        };
        if chain.len() < MAX_STEPS {
            chain.push(fact(evidence));
        }
    }
    let mut chains: Vec<Chain> = chains.into_iter().map(|(user, steps)| Chain { user, steps }).collect();
    for chain in &mut chains {
        chain.steps.sort_by_key(|s| (s.time, s.finding.is_none()));
        let times: Vec<_> = chain.steps.iter().map(|s| s.time).collect();
        for (step, before) in chain.steps.iter_mut().skip(1).zip(times) {
            let pause = step.time.zip(before).map(|(now, before)| now.filetime().saturating_sub(before.filetime()));
            step.after_gap = pause.filter(|p| *p > LONG).map(|p| p / 10_000_000);
        }
    }
    chains.sort_by_key(|c| std::cmp::Reverse(c.steps.iter().filter(|s| s.finding.is_some()).count()));
    Story { chains, elsewhere, gaps: gaps(verdict) }
}

fn user_of(finding: &Finding) -> Option<String> {
    finding.evidence.iter().find_map(|e| e.user.clone())
}

/// What a fact beside the findings is called.
const FACTS: &[(&str, &str, &str)] = &[
    ("windows:prefetch:execution", "Program run", "プログラムの実行"),
    ("windows:zone_identifier:mark", "File from the internet", "インターネットから取得したファイル"),
    ("windows:recycle_bin:deletion", "File moved to the Recycle Bin", "ごみ箱への移動"),
    ("windows:jump_list:entry", "Item used", "項目の使用"),
    ("windows:user_assist:program", "Program started by the user", "ユーザーによるプログラム起動"),
    ("windows:office:recent_file", "Document opened", "文書を開いた記録"),
    ("windows:office:trust_record", "Document trusted", "文書の信頼(コンテンツの有効化)"),
];

fn fact(evidence: &Evidence) -> Step {
    let name = FACTS.iter().find(|(event, ..)| *event == evidence.event);
    Step {
        time: evidence.time,
        stage: None,
        title: name.map_or(evidence.event, |(_, english, _)| english).to_owned(),
        title_ja: name.map(|(_, _, japanese)| (*japanese).to_owned()),
        text: evidence.message.clone(),
        artifact: evidence.artifact,
        finding: None,
        also: Vec::new(),
        after_gap: None,
    }
}

/// What a reader would ask for and the evidence does not give.
fn gaps(verdict: &Verdict) -> Vec<Gap> {
    let mut gaps = Vec::new();
    if verdict.points.iter().any(|p| p.points > 0.0) {
        for (step, english, japanese) in STEPS.iter().take(6) {
            if !verdict.reached.iter().any(|(reached, _)| reached == step) {
                gaps.push(Gap {
                    text: format!(
                        "No evidence of the step \"{english}\" was found. It may not have happened, or left no trace."
                    ),
                    text_ja: format!(
                        "「{japanese}」の段階を示す証拠は見つかりませんでした。発生しなかったか、痕跡が残っていない可能性があります。"
                    ),
                });
            }
        }
    }
    for line in verdict.coverage_lines.iter().filter(|l| l.read < 1.0) {
        let why = line.why.as_deref().unwrap_or("not read in full");
        let why_ja = line.why_ja.as_deref().unwrap_or("一部のみ読み取り");
        gaps.push(Gap {
            text: format!("{} could not be used in full: {why}.", line.source),
            text_ja: format!("「{}」は完全には利用できませんでした({why_ja})。", line.source_ja),
        });
    }
    gaps
}
