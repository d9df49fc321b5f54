//! The report: one HTML file that needs no network, the same as JSON, and the indicators as CSV and STIX 2.1.
//!
//! The text stands in templates; they escape everything that comes from evidence (minijinja's HTML escaping is on, data
//! for the script goes through its JSON filter, and the script only ever sets text). A policy in the page's head forbids
//! it to load anything. Japanese and English stand side by side, a switch shows one.

mod stix;
mod view;

use std::io::{self, Write};

use minijinja::{Environment, context};
use serde_json::{Value, json};

pub use stix::bundle;

use super::escape;
use crate::model::{Assessment, Coverage, Host, Indicator, ParseIssue, Timestamp};

/// What a report is made of.
pub struct ReportInput<'a> {
    /// The judgement.
    pub assessment: &'a Assessment,
    /// The installed systems.
    pub hosts: &'a [Host],
    /// What was read.
    pub coverage: &'a Coverage,
    /// What could not be read.
    pub issues: Vec<&'a ParseIssue>,
    /// Facts of the disk, its volumes and installed systems, as `evidence.json` holds them.
    pub evidence: Value,
    /// Hashes of the disk's content; absent if they were not computed.
    pub hashes: Option<Value>,
    /// Version of the tool.
    pub version: &'a str,
}

const PAGE: &str = include_str!("report.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("timeline.js");

/// Findings beyond this are in `findings.jsonl` alone.
const MAX_FINDINGS: usize = 2_000;
/// Issues beyond this are in `issues.jsonl` alone.
const MAX_ISSUES: usize = 200;

/// The report as one HTML file.
///
/// # Errors
/// When the template fails, which a test excludes.
pub fn html(input: &ReportInput<'_>) -> io::Result<String> {
    let failed = |error: minijinja::Error| io::Error::other(format!("the report's template: {error:#}"));
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.add_filter("visible", |value: minijinja::Value| match value.as_str() {
        Some(text) => escape::visible(text).into_owned(),
        None if value.is_none() || value.is_undefined() => String::new(),
        None => escape::visible(&value.to_string()).into_owned(),
    });
    environment.add_filter("waits", |text: String| view::waits(&text));
    environment.add_filter("utc", |value: minijinja::Value| second(&value, 0));
    environment.add_filter("jst", |value: minijinja::Value| second(&value, 9));
    // The name's ending turns HTML escaping on.
    environment.add_template("report.html", PAGE).map_err(failed)?;
    let page = environment.get_template("report.html").map_err(failed)?;
    let issues: Vec<Value> = input.issues.iter().take(MAX_ISSUES).map(|i| view::issue(i)).collect();
    page.render(context! {
        v => view::verdict(input.assessment),
        findings => view::findings(input.assessment, MAX_FINDINGS),
        timeline => view::timeline(input.assessment),
        story => view::story(&input.assessment.story),
        emocheck => input.assessment.emocheck,
        indicators => input.assessment.indicators,
        exposure => input.assessment.exposure,
        rules => input.assessment.rules,
        left_out => input.assessment.left_out,
        hosts => input.hosts,
        coverage => input.coverage.artifacts,
        issues => issues,
        issue_count => input.issues.len(),
        evidence => input.evidence,
        hashes => input.hashes,
        kinds => json!({
            "address": "通信先", "file": "ファイル", "registry": "レジストリ", "service": "サービス", "url": "URL",
        }),
        version => input.version,
        style => STYLE,
        script => SCRIPT,
    })
    .map_err(failed)
}

/// A time to the second, in UTC or so many hours east of it; other text as it is.
fn second(value: &minijinja::Value, hours: u64) -> String {
    let text = value.as_str().unwrap_or_default();
    let time =
        Timestamp::parse(text).map(|t| Timestamp::from_filetime(t.filetime().saturating_add(hours * 36_000_000_000)));
    time.and_then(|t| Some(t.to_string().get(..19)?.replace('T', " "))).unwrap_or_else(|| text.to_owned())
}

/// The report as JSON: everything that the page shows. Keys keep their meaning; later versions only add some.
///
/// | key | holds |
/// |---|---|
/// | `tool`, `version` | `emotrace` and its version |
/// | `evidence` | facts of the image, its volumes and its acquisition, as in `evidence.json` |
/// | `hashes` | hashes of the image, or null if they were not computed |
/// | `hosts` | installed systems: [`Host`] |
/// | `verdict` | [`Verdict`](crate::model::Verdict): `conclusion` (`confirmed`, `likely`, `suspicious`, `not_detected`, `inconclusive`), `because`, `score`, `state`, `reached` (pairs of step and place in `findings`), `window` (`from`, `until`, `first`, `last`), `users`, `points` (one for each weighed finding, with `why`), `stages`, `bonuses`, `unweighed`, `coverage`, `coverage_lines` |
/// | `emocheck` | for each installed system an [`EmoCheck`](crate::model::EmoCheck), its `hits` with EmoCheck's own keys |
/// | `story` | [`Story`](crate::model::Story): `chains` by account, `elsewhere`, `gaps` |
/// | `findings` | each [`Finding`](crate::model::Finding) with its `rule`, `weight`, `time` and `evidence`; places in other lists count in this one, from 0 |
/// | `findings_left_out` | findings that were counted but not kept |
/// | `indicators` | [`Indicator`]s, also in `indicators.csv` and `indicators.stix.json` |
/// | `exposure` | [`Exposure`](crate::model::Exposure): `stores` by kind and account, `not_counted` |
/// | `rules` | how many rules were evaluated, which were not and why, and the rule set's SHA-256 |
/// | `coverage`, `issues` | what was read by artifact, and what could not be read |
///
/// Times are RFC 3339, UTC, with seven digits; null means that there is none. Keys that end in `_ja` say in Japanese what the
/// key without it says in English.
pub fn json(input: &ReportInput<'_>) -> Value {
    json!({
        "tool": "emotrace",
        "version": input.version,
        "evidence": input.evidence,
        "hashes": input.hashes,
        "hosts": input.hosts,
        "verdict": input.assessment.verdict,
        "emocheck": input.assessment.emocheck,
        "story": input.assessment.story,
        "findings": input.assessment.findings,
        "findings_left_out": input.assessment.left_out,
        "indicators": input.assessment.indicators,
        "exposure": input.assessment.exposure,
        "rules": input.assessment.rules,
        "coverage": input.coverage,
        "issues": input.issues.iter().map(|i| view::issue(i)).collect::<Vec<_>>(),
    })
}

/// The indicators as CSV.
///
/// # Errors
/// When the output can't be written.
pub fn indicators_csv(indicators: &[Indicator], out: &mut dyn Write) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(["type", "value", "port", "sha256", "md5", "size", "first_seen", "rules"])?;
    for i in indicators {
        let text = |t: Option<String>| t.unwrap_or_default();
        csv.write_record([
            i.kind,
            &escape::cell(&i.value),
            &text(i.port.map(|p| p.to_string())),
            &text(i.sha256.clone()),
            &text(i.md5.clone()),
            &text(i.size.map(|s| s.to_string())),
            &text(i.first_seen.map(|t| t.to_string())),
            &i.rules.join(" "),
        ])?;
    }
    csv.flush()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{
        Conclusion, Evidence, EvidenceClass, Finding, HostState, Level, Locator, Meaning, Point, RuleCounts, RuleInfo,
        Stage, State, Story, Verdict,
    };

    const EVIL: &str = r#"C:\Users\a\<script>alert(1)</script>"' onload=x {{ 7*7 }} {% raw %}.dll"#;

    fn assessment() -> Assessment {
        let rule = RuleInfo {
            id: "1".to_owned(),
            name: Some("EMO-TST-001".to_owned()),
            title: "A rule".to_owned(),
            title_ja: Some("規則".to_owned()),
            description: String::new(),
            status: "test".to_owned(),
            level: Level::High,
            tags: vec!["attack.t1218.010".to_owned()],
            false_positives: vec!["none".to_owned()],
            false_positives_ja: Vec::new(),
            references: Vec::new(),
            stage: Some(Stage::Install),
            weight: 40,
            class: Some(EvidenceClass::S),
            group: None,
            periods: Vec::new(),
            time_meaning: None,
            reached: None,
            shows: None,
            near: None,
            file: "t.yml".to_owned(),
        };
        let time = Timestamp::parse("2022-11-02T08:57:35Z");
        let evidence = Evidence {
            time,
            meaning: Meaning::CREATED,
            event: "windows:file:name_times",
            artifact: "file_times",
            state: State::Live,
            user: Some("<b>user</b>".to_owned()),
            locator: Arc::new(Locator { path: EVIL.to_owned(), ..Locator::default() }),
            offset: Some(1),
            message: format!("{EVIL}\u{202e}"),
            fields: vec![("path".to_owned(), EVIL.to_owned())],
        };
        let finding =
            Finding { rule: Arc::new(rule), weight: 40, outcome: None, time, evidence: vec![evidence], count: 1 };
        let point = Point {
            finding: 0,
            rule: "EMO-TST-001".to_owned(),
            stage: Stage::Install,
            class: EvidenceClass::S,
            weight: 40.0,
            confidence: 1.0,
            period: 1.0,
            points: 40.0,
            counted: true,
            why: "because".to_owned(),
            why_ja: "理由".to_owned(),
        };
        let indicator = Indicator {
            kind: "file",
            value: EVIL.to_owned(),
            port: None,
            sha256: Some("00".repeat(32)),
            md5: None,
            size: Some(3),
            first_seen: time,
            rules: vec!["EMO-TST-001".to_owned()],
            finding: 0,
        };
        Assessment {
            verdict: Verdict {
                conclusion: Conclusion::Suspicious,
                because: "Score 40 of at least 25.".to_owned(),
                because_ja: "評価点40(基準25以上)。".to_owned(),
                score: 40.0,
                stages: Vec::new(),
                bonuses: Vec::new(),
                points: vec![point],
                unweighed: Vec::new(),
                reached: vec![("installed".to_owned(), 0)],
                state: HostState::Dormant,
                window: None,
                users: vec!["<b>user</b>".to_owned()],
                coverage: 0.9,
                coverage_lines: Vec::new(),
            },
            findings: vec![finding],
            left_out: 0,
            emocheck: Vec::new(),
            story: Story::default(),
            indicators: vec![indicator],
            exposure: crate::model::Exposure::default(),
            rules: RuleCounts::default(),
        }
    }

    fn input<'a>(assessment: &'a Assessment, coverage: &'a Coverage) -> ReportInput<'a> {
        ReportInput {
            assessment,
            hosts: &[],
            coverage,
            issues: Vec::new(),
            evidence: json!({"evidence": EVIL}),
            hashes: None,
            version: "0",
        }
    }

    /// Text of the evidence is shown, never run: no tag of it is in the page, in the text or in the data for the script.
    #[test]
    fn evidence_is_escaped() {
        let (assessment, coverage) = (assessment(), Coverage::default());
        let page = html(&input(&assessment, &coverage)).unwrap();
        assert!(page.contains("EMO-TST-001") && page.contains("規則"));
        assert!(!page.contains("<script>alert"), "a tag from the evidence");
        assert!(!page.contains("<b>user</b>"));
        assert!(!page.contains('\u{202e}'), "text that turns the reading direction is written out");
        assert!(page.contains("&lt;script&gt;alert(1)"));
        assert!(page.contains("{{ 7*7 }}"), "evidence is never a template");
        assert_eq!(page.matches("<script").count(), 2, "the data and the page's own script");
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        let (assessment, coverage) = (assessment(), Coverage::default());
        let page = html(&input(&assessment, &coverage)).unwrap();
        assert!(page.contains("default-src 'none'"));
        for outside in ["src=\"http", "href=\"http", "url(http", "@import", "fetch(", "innerHTML"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn csv_and_stix() {
        let mut assessment = assessment();
        let mut csv = Vec::new();
        indicators_csv(&assessment.indicators, &mut csv).unwrap();
        let csv = String::from_utf8(csv).unwrap();
        assert_eq!(csv.lines().count(), 2);
        let copy = Indicator { value: "C:\\copy.dll".to_owned(), ..assessment.indicators[0].clone() };
        assessment.indicators.push(copy);
        let bundle = bundle(&assessment);
        assert_eq!(bundle["type"], "bundle");
        let objects = bundle["objects"].as_array().unwrap();
        let kinds: Vec<_> = objects.iter().map(|o| o["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["malware", "indicator", "relationship"]);
        let pattern = objects[1]["pattern"].as_str().unwrap();
        assert!(pattern.starts_with("[file:hashes.'SHA-256' = '0000"), "{pattern}");
        let name = stix::quoted(r"a'b\c");
        assert_eq!(name, r"'a\'b\\c'");
        assert_eq!(bundle, super::bundle(&assessment), "the same evidence gives the same identifiers");
    }
}
