//! What `analyze` and `emocheck` share: loading rules, judging, and telling the verdict on one screen.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use emotrace_core::detect::RuleSet;
use emotrace_core::detect::story::STEPS;
use emotrace_core::export::escape::visible;
use emotrace_core::model::{Assessment, Conclusion, Host, HostState, Timestamp};
use emotrace_core::pipeline::{AssessError, Evidence, Extraction, Judging, Options, Progress, assess};

use crate::args::Language;
use crate::exit::Failure;

/// How many reasons the summary names: the whole of it shall fit on a screen of 80 columns and 24 lines.
const REASONS: usize = 4;
/// Columns of the summary.
const COLUMNS: usize = 80;

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

/// The words of the summary in one language.
struct Words {
    verdict: &'static str,
    why: &'static str,
    host: &'static str,
    unknown: &'static str,
    state: &'static str,
    reached: &'static str,
    window: &'static str,
    users: &'static str,
    score: &'static str,
    coverage: &'static str,
    missing: &'static str,
    reasons: &'static str,
    undated: &'static str,
    infected: &'static str,
    not_infected: &'static str,
    report: &'static str,
}

const ENGLISH: Words = Words {
    verdict: "VERDICT",
    why: "why",
    host: "host",
    unknown: "not known",
    state: "state",
    reached: "reached",
    window: "window",
    users: "users",
    score: "score",
    coverage: "coverage",
    missing: "not in full",
    reasons: "Top reasons",
    undated: "undated",
    infected: "infected",
    not_infected: "not infected",
    report: "report",
};

const JAPANESE: Words = Words {
    verdict: "判定",
    why: "判定根拠",
    host: "端末",
    unknown: "不明",
    state: "状態",
    reached: "到達段階",
    window: "感染期間",
    users: "アカウント",
    score: "評価点",
    coverage: "調査範囲",
    missing: "不完全",
    reasons: "主な根拠",
    undated: "時刻なし",
    infected: "検知あり",
    not_infected: "検知なし",
    report: "報告書",
};

/// The verdict in words.
const fn conclusion(conclusion: Conclusion, language: Language) -> &'static str {
    match (conclusion, language) {
        (Conclusion::Confirmed, Language::En) => "CONFIRMED: the host was infected with Emotet",
        (Conclusion::Likely, Language::En) => "LIKELY: the host was probably infected with Emotet",
        (Conclusion::Suspicious, Language::En) => "SUSPICIOUS: some evidence fits Emotet, but not enough",
        (Conclusion::NotDetected, Language::En) => "NOT DETECTED: nothing of weight, and enough was read to say so",
        (Conclusion::Inconclusive, Language::En) => "INCONCLUSIVE: too little of the evidence could be read",
        (Conclusion::Confirmed, Language::Ja) => "感染確認(Emotetに感染していた)",
        (Conclusion::Likely, Language::Ja) => "感染の可能性が高い",
        (Conclusion::Suspicious, Language::Ja) => "疑いあり(証拠は不十分)",
        (Conclusion::NotDetected, Language::Ja) => "検出されず(判断に足る範囲を調査)",
        (Conclusion::Inconclusive, Language::Ja) => "判定不能(調査できた証拠が少ない)",
    }
}

const fn state(state: HostState, language: Language) -> &'static str {
    match (state, language) {
        (HostState::None, Language::En) => "no sign of an infection",
        (HostState::Blocked, Language::En) => "blocked: a security product stopped it",
        (HostState::Removed, Language::En) => "removed: only traces are left",
        (HostState::Dormant, Language::En) => "dormant: the file is there, nothing that starts it was found",
        (HostState::Active, Language::En) => "active: what starts the program is still there",
        (HostState::None, Language::Ja) => "感染の痕跡なし",
        (HostState::Blocked, Language::Ja) => "検知製品により阻止",
        (HostState::Removed, Language::Ja) => "除去済み(痕跡のみ)",
        (HostState::Dormant, Language::Ja) => "ファイルは残存、起動設定なし",
        (HostState::Active, Language::Ja) => "活動可能(起動設定が残存)",
    }
}

/// Columns that a character takes on a terminal; those of Chinese and Japanese writing take two.
const fn columns(c: char) -> usize {
    match c as u32 {
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// As much of the text as fits, with a mark where it was cut.
fn fit(text: &str, most: usize) -> String {
    let text = visible(text);
    if width(&text) <= most {
        return text.into_owned();
    }
    let mut used = 1;
    let kept = text.chars().take_while(|c| {
        used += columns(*c);
        used <= most
    });
    let mut short: String = kept.collect();
    short.push('…');
    short
}

/// Lines of at most `most` columns, broken at spaces, or anywhere in writing without them.
fn wrap(text: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in visible(text).split_inclusive(' ') {
        for piece in pieces(word, most) {
            if let Some(last) = lines.last_mut() {
                if width(last) + width(piece.trim_end()) > most && !last.is_empty() {
                    lines.push(piece.to_owned());
                } else {
                    last.push_str(piece);
                }
            }
        }
    }
    lines.iter().map(|l| l.trim_end().to_owned()).collect()
}

/// A word as it is, or its characters one by one where it is too wide or writes without spaces.
fn pieces(word: &str, most: usize) -> Vec<&str> {
    if word.chars().all(|c| columns(c) == 1) && width(word) <= most {
        return vec![word];
    }
    word.split_inclusive(|_: char| true).collect()
}

fn second(time: Timestamp) -> String {
    time.to_string().replace('T', " ").get(..19).unwrap_or_default().to_owned()
}

/// The one-screen summary: the infection first.
pub(crate) fn screen(assessment: &Assessment, hosts: &[Host], report: &Path, language: Language) -> String {
    let verdict = &assessment.verdict;
    let ja = language == Language::Ja;
    let words = if ja { &JAPANESE } else { &ENGLISH };
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let pad = " ".repeat(10usize.saturating_sub(width(name)));
        for (i, part) in wrap(value, COLUMNS - 12).iter().enumerate() {
            let _ = if i == 0 { writeln!(text, "{pad}{name}  {part}") } else { writeln!(text, "{:12}{part}", "") };
        }
    };
    line(words.verdict, conclusion(verdict.conclusion, language));
    line(words.why, if ja { &verdict.because_ja } else { &verdict.because });
    let names: Vec<&str> = hosts.iter().filter_map(|h| h.computer_name.as_deref()).collect();
    line(words.host, &if names.is_empty() { words.unknown.to_owned() } else { names.join(", ") });
    line(words.state, state(verdict.state, language));
    let steps = verdict.reached.iter().map(|(step, _)| match STEPS.iter().find(|(name, ..)| *name == step.as_str()) {
        Some((_, english, japanese)) => (if ja { japanese } else { english }).to_string(),
        None => step.clone(),
    });
    let steps: Vec<String> = steps.collect();
    if !steps.is_empty() {
        line(words.reached, &steps.join(" → "));
    }
    if let Some(window) = &verdict.window {
        line(words.window, &format!("{} … {} UTC", second(window.from), second(window.until)));
    }
    if !verdict.users.is_empty() {
        line(words.users, &verdict.users.join(", "));
    }
    let (found, evaluated, waiting) =
        (assessment.findings.len(), assessment.rules.evaluated, assessment.rules.unsupported);
    line(
        words.score,
        &if ja {
            format!("{}点、検出{found}件({evaluated}ルールを評価、{waiting}件は未対応)", verdict.score)
        } else {
            format!(
                "{} points, {found} findings ({evaluated} rules looked, {waiting} wait for artifacts)",
                verdict.score
            )
        },
    );
    let lacking = verdict.coverage_lines.iter().filter(|l| l.read < 1.0);
    let lacking: Vec<&str> = lacking.map(|l| if ja { l.source_ja.as_str() } else { l.source.as_str() }).collect();
    let share = format!("{:.0} %", (verdict.coverage * 100.0).floor());
    let gaps = if lacking.is_empty() { share } else { format!("{share}; {}: {}", words.missing, lacking.join(", ")) };
    line(words.coverage, &gaps);
    let counted: Vec<_> = verdict.points.iter().filter(|p| p.counted).collect();
    if !counted.is_empty() {
        let _ = writeln!(text, "\n{} ({}/{})", words.reasons, counted.len().min(REASONS), counted.len());
    }
    for point in counted.iter().take(REASONS) {
        let Some(finding) = assessment.findings.get(point.finding) else { continue };
        let time = finding.time.map_or(words.undated.to_owned(), second);
        let title = finding.rule.title_ja.as_deref().filter(|_| ja).unwrap_or(&finding.rule.title);
        let message = finding.evidence.first().map(|e| e.message.as_str()).unwrap_or_default();
        let head = format!("{:>5} {time:19} {} {title}", point.points, point.rule);
        let _ = writeln!(text, "{}\n      {}", fit(&head, COLUMNS), fit(message, COLUMNS - 6));
    }
    for result in &assessment.emocheck {
        let answer = if result.infected { words.infected } else { words.not_infected };
        let serial = result.serial.as_deref().unwrap_or(words.unknown);
        let hits: Vec<String> = result.scanners.iter().map(|s| format!("{} {}", s.method, s.hits)).collect();
        let _ = writeln!(text, "\n  EmoCheck  {answer} ({serial}): {}", hits.join(", "));
        // Whoever reads "not infected" must know that it was asked with a number that may not be the one of that time.
        let notes = if ja { &result.notes_ja } else { &result.notes };
        let other = result.other_serial.as_deref().and_then(|other| notes.iter().find(|n| n.contains(other)));
        for part in other.iter().flat_map(|note| wrap(note, COLUMNS - 12)) {
            let _ = writeln!(text, "{:12}{part}", "");
        }
    }
    let pad = " ".repeat(10usize.saturating_sub(width(words.report)));
    let _ = write!(text, "{pad}{}  {}", words.report, report.display());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_the_columns() {
        assert_eq!(fit("abcdef", 6), "abcdef");
        assert_eq!(fit("abcdefg", 6), "abcde…");
        assert_eq!(fit("感染確認です", 7), "感染確…");
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("感染確認", 4), ["感染", "確認"]);
        assert_eq!(wrap(&"x".repeat(10), 4), ["xxxx", "xxxx", "xx"]);
        assert!(wrap("a b c d e f g h", 3).iter().all(|l| width(l) <= 3));
    }
}
