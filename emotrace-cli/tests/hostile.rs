//! Hostile text in every output: what `docs/hostile-text.md` promises, class by class and output by output.
//!
//! One event and one finding bear each text in every place that text can have; all formats, the report and its indicators
//! are made of them in the library, the terminal and the names of copies by the built program.

use std::fs;
use std::path::{Component, Path};
use std::process::Command;
use std::sync::Arc;

use emotrace_core::bytes::text::{from_utf16, to_utf16};
use emotrace_core::export::report::{self, ReportInput};
use emotrace_core::export::{Context, Format, exporter, json};
use emotrace_core::model::{
    Assessment, Conclusion, Coverage, Descriptor, Event, Evidence, EvidenceClass, Exposure, Field, Finding, Host,
    HostState, Indicator, Kind, Level, Locator, Meaning, Origin, Point, RuleCounts, RuleInfo, Stage, State, Story,
    Timestamp, Value, Values, Verdict,
};
use serde_json::Value as Json;

static DESCRIPTOR: Descriptor = Descriptor {
    name: "windows:test:text",
    doc: "",
    message: "{text}",
    data_type: None,
    fields: &[Field::new("text", Kind::Text, ""), Field::new("list", Kind::List, ""), Field::new("map", Kind::Map, "")],
};

/// Name of the class, and text as Windows holds it.
fn classes() -> Vec<(&'static str, Vec<u16>)> {
    let plain = [
        ("control characters", "a\u{1}\u{7}\u{8}\u{b}\u{c}\u{7f}\u{80}\u{85}\u{9b}31m\u{9f}b"),
        ("NUL", "a\0b"),
        ("escape sequences", "\u{1b}[31mred\u{1b}]0;title\u{7}\u{1b}[2J"),
        ("line breaks", "a\r\nb\tc\u{2028}d\u{2029}e\nf"),
        ("bidi overrides", "請求書\u{202e}slx.exe \u{2066}x\u{2069}\u{200f}\u{61c}"),
        ("invisible characters", "zero\u{200b}width\u{feff}\u{ad}\u{2060}\u{3164}\u{e0041}\u{fff9}"),
        ("formula =", "=cmd|' /C calc'!A0"),
        ("formula +", "+SUM(1+1)*cmd|' /C calc'!A0"),
        ("formula -", "-2+3"),
        ("formula @", "@SUM(1+1)"),
        ("formula behind a tab", "\t=1+1"),
        ("formula behind a line break", "\r=1+1"),
        ("formula behind blanks", "  \u{3000}=1+1"),
        ("full-width formula", "＝1+1"),
        ("script", "<script>alert(1)</script><img src=x onerror=alert(1)>"),
        ("attribute", "\" onmouseover=\"alert(1)\" x='</script>"),
        ("template", "{{ 7*7 }}{% raw %}{# x #}"),
        ("separators", "a|b,c;d\"e'f\\g/h"),
        ("parent folders", r"..\..\..\evil.txt"),
        ("parent folders, slashes", "../../../evil.txt"),
        ("device name", "CON"),
        ("device name with an ending", "nul.tar.gz"),
        ("numbered device", "COM1"),
        ("superscript device", "LPT¹.txt"),
        ("dot at the end", "name.."),
        ("blank at the end", "name "),
        ("percent", "50%2e%2E%00"),
        ("not in any normal form", "e\u{301} \u{e9} ｶﾞ"),
    ];
    let mut classes: Vec<(&str, Vec<u16>)> =
        plain.into_iter().map(|(name, text)| (name, text.encode_utf16().collect())).collect();
    classes.push(("unpaired surrogates", vec![0x61, 0xd83d, 0x62, 0xdc00, 0xdfff, 0xd800]));
    classes.push(("what stands for surrogates", vec![0x61, 0xdbfe, 0xdc3d, 0xd83d, 0xdbff, 0xdfff]));
    classes.push(("the longest path", r"\長い名前".encode_utf16().cycle().take(32_767).collect()));
    classes
}

/// True for characters that no output may hold as they are.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
            | '\u{3164}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' | '\u{10f800}'..)
}

fn event(text: &str) -> Event {
    let mut values = Values::new();
    values.set("text", text);
    values.set("list", vec![text.to_owned(), text.to_owned()]);
    values.set("map", Value::Map(vec![("a".into(), text.into())]));
    let locator = Locator {
        image: "disk".to_owned(),
        volume: Some("p1".to_owned()),
        path: text.to_owned(),
        stream: Some(text.to_owned()),
        ..Locator::default()
    };
    Event {
        time: Timestamp::parse("2022-11-02T08:57:35Z"),
        meaning: Meaning::CREATED,
        artifact: "prefetch",
        descriptor: &DESCRIPTOR,
        values,
        user: Some(text.to_owned()),
        state: State::Live,
        origin: Origin { locator: Arc::new(locator), offset: Some(1), also_in: Vec::new() },
    }
}

fn written(format: Format, text: &str) -> String {
    let hosts = vec![Host { computer_name: Some(text.to_owned()), ..Host::default() }];
    let mut exporter = exporter(format, Context { hosts, ..Context::default() });
    let mut out = Vec::new();
    exporter.begin(&mut out).unwrap();
    assert!(exporter.event(&event(text), &mut out).unwrap());
    String::from_utf8(out).unwrap()
}

/// Nothing in it changes how it is shown, but for these.
fn assert_shown(text: &str, but: &[char], what: &str) {
    let hidden = text.chars().find(|c| is_hidden(*c) && !but.contains(c));
    assert_eq!(hidden, None, "{what}");
}

/// The cells of a CSV file (RFC 4180).
fn cells(csv: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = csv.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                cell.push('"');
                chars.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !quoted => {}
            c => cell.push(c),
        }
    }
    assert!(cell.is_empty() && row.is_empty() && !quoted);
    rows
}

fn assert_cells(csv: &str, columns: usize, longest: usize, what: &str) {
    let rows = cells(csv);
    assert_eq!(rows.len(), 2, "{what}: a header and one row");
    for row in &rows {
        assert_eq!(row.len(), columns, "{what}");
        for cell in row {
            assert!(cell.chars().count() <= longest, "{what}: a cell of {} characters", cell.chars().count());
            let first = cell.trim_start().chars().next();
            let formula = first.is_some_and(|c| "=+-@＝＋－＠".contains(c)) && cell != "-";
            assert!(!formula, "{what}: {}", cell.chars().take(40).collect::<String>());
        }
    }
}

/// JSON holds the very units that Windows holds.
fn assert_lossless(json: &Json, units: &[u16], what: &str) {
    let text = json.as_str().unwrap_or_else(|| panic!("{what}: {json}"));
    assert!(to_utf16(text) == units, "{what}");
}

#[test]
fn every_class_in_every_format() {
    for (class, units) in classes() {
        let text = from_utf16(units.iter().copied());
        let what = |output: &str| format!("{class} in {output}");

        let jsonl = written(Format::Jsonl, &text);
        assert_eq!(jsonl.lines().count(), 1, "{class}");
        assert_shown(&jsonl, &['\n'], &what("jsonl"));
        let row: Json = serde_json::from_str(&jsonl).unwrap();
        for place in ["/message", "/host", "/user", "/values/text", "/values/list/1", "/values/map/a", "/origin/path"] {
            assert_lossless(row.pointer(place).unwrap(), &units, &what(place));
        }
        assert_lossless(&row["origin"]["stream"], &units, &what("origin.stream"));

        let timesketch = written(Format::Timesketch, &text);
        assert_eq!(timesketch.lines().count(), 1, "{class}");
        assert_shown(&timesketch, &['\n'], &what("timesketch"));
        let row: Json = serde_json::from_str(&timesketch).unwrap();
        if text.len() <= 32_766 {
            for place in ["/message", "/hostname", "/username", "/text", "/filename"] {
                assert_lossless(row.pointer(place).unwrap(), &units, &what(place));
            }
        } else {
            assert!(row["message"].as_str().unwrap().ends_with("[cut]"), "{class}");
        }

        let csv = written(Format::Csv, &text);
        assert_shown(csv.trim_start_matches('\u{feff}'), &['\r', '\n'], &what("csv"));
        assert_cells(csv.trim_start_matches('\u{feff}'), 19, 32_767, &what("csv"));
        let l2t = written(Format::L2tCsv, &text);
        assert_shown(&l2t, &['\n'], &what("l2tcsv"));
        assert_cells(&l2t, 17, usize::MAX, &what("l2tcsv"));

        let body = written(Format::Bodyfile, &text);
        assert_shown(&body, &['\n'], &what("bodyfile"));
        assert_eq!(body.lines().map(|l| l.split('|').count()).collect::<Vec<_>>(), [11], "{class}");
    }
}

fn assessment(text: &str) -> Assessment {
    let rule = RuleInfo {
        id: "1".to_owned(),
        name: Some("EMO-TST-001".to_owned()),
        title: "A rule".to_owned(),
        title_ja: None,
        description: String::new(),
        status: "test".to_owned(),
        level: Level::High,
        tags: Vec::new(),
        false_positives: Vec::new(),
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
    let event = event(text);
    let evidence = Evidence {
        time: event.time,
        meaning: event.meaning,
        event: DESCRIPTOR.name,
        artifact: "prefetch",
        state: State::Live,
        user: event.user.clone(),
        locator: Arc::clone(&event.origin.locator),
        offset: Some(1),
        message: text.to_owned(),
        fields: vec![("text".to_owned(), text.to_owned())],
    };
    let time = event.time;
    let finding = Finding { rule: Arc::new(rule), weight: 40, outcome: None, time, evidence: vec![evidence], count: 1 };
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
        value: text.to_owned(),
        port: None,
        sha256: None,
        md5: None,
        size: None,
        first_seen: time,
        rules: vec!["EMO-TST-001".to_owned()],
        finding: 0,
    };
    Assessment {
        verdict: Verdict {
            conclusion: Conclusion::Suspicious,
            because: "Score 40 of at least 25.".to_owned(),
            because_ja: "40点".to_owned(),
            score: 40.0,
            stages: Vec::new(),
            bonuses: Vec::new(),
            points: vec![point],
            unweighed: Vec::new(),
            reached: vec![("installed".to_owned(), 0)],
            state: HostState::Dormant,
            window: None,
            users: vec![text.to_owned()],
            coverage: 0.9,
            coverage_lines: Vec::new(),
        },
        findings: vec![finding],
        left_out: 0,
        emocheck: Vec::new(),
        story: Story::default(),
        indicators: vec![indicator],
        exposure: Exposure::default(),
        rules: RuleCounts::default(),
    }
}

#[test]
fn every_class_in_the_report() {
    for (class, units) in classes() {
        let text = from_utf16(units.iter().copied());
        let what = |output: &str| format!("{class} in {output}");
        let (assessment, coverage) = (assessment(&text), Coverage::default());
        let hosts = [Host { computer_name: Some(text.clone()), ..Host::default() }];
        let input = ReportInput {
            assessment: &assessment,
            hosts: &hosts,
            coverage: &coverage,
            issues: Vec::new(),
            evidence: serde_json::json!({"evidence": text}),
            hashes: None,
            version: "0",
        };
        let page = report::html(&input).unwrap();
        assert_shown(&page, &['\n'], &what("report.html"));
        for live in ["<script>alert", "<img", "\" onmouseover=\"", "x='</script>"] {
            assert!(!page.contains(live), "{}: {live}", what("report.html"));
        }
        assert_eq!(page.matches("<script").count(), 2, "{class}");
        assert_eq!(page.matches("</script").count(), 2, "{class}");
        assert_eq!(page.contains("{{ 7*7 }}"), class == "template");

        let pretty = |value: &Json| {
            let mut out = Vec::new();
            json::pretty(value, &mut out).unwrap();
            let shown = String::from_utf8(out).unwrap();
            assert_shown(&shown, &['\n'], &what("JSON"));
            serde_json::from_str::<Json>(&shown).unwrap()
        };
        let json = pretty(&report::json(&input));
        for place in ["/findings/0/evidence/0/message", "/hosts/0/computer_name", "/indicators/0/value"] {
            assert_lossless(json.pointer(place).unwrap_or(&Json::Null), &units, &what(place));
        }
        let bundle = pretty(&report::bundle(&assessment));
        let indicator = bundle["objects"].as_array().unwrap().iter().find(|o| o["type"] == "indicator").unwrap();
        assert_lossless(&indicator["name"], &units, &what("STIX"));

        let mut csv = Vec::new();
        report::indicators_csv(&assessment.indicators, &mut csv).unwrap();
        let csv = String::from_utf8(csv).unwrap();
        assert_shown(&csv, &['\n'], &what("indicators.csv"));
        assert_cells(&csv, 8, usize::MAX, &what("indicators.csv"));
    }
}

/// The name of a file in a collection that writes all but letters and digits as `%XX`, as Velociraptor may.
fn encoded(units: &[u16]) -> String {
    let mut bytes = Vec::new();
    for unit in char::decode_utf16(units.iter().copied()) {
        match unit {
            Ok(c) => bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(lone) => {
                let unit = lone.unpaired_surrogate();
                let low = |shift: u16| u8::try_from(unit >> shift & 0x3f).unwrap() | 0x80;
                bytes.extend([0xed, low(6), low(0)]);
            }
        }
    }
    bytes
        .iter()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(*b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

fn emotrace(arguments: &[&str]) -> (String, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_emotrace")).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, said) = (text(run.stdout), text(run.stderr));
    assert!(!said.contains("panicked"), "{said}");
    (out, said)
}

/// On the terminal each name is one line that shows all of itself, and copies bear names that mean nothing anywhere.
#[test]
fn every_class_on_the_terminal_and_as_a_copy() {
    let dir = tempfile::tempdir().unwrap();
    let evidence = dir.path().join("evidence");
    let drive = evidence.join("C%3A/Windows");
    fs::create_dir_all(&drive).unwrap();
    let (mut names, mut readable) = (0, 2);
    for (_, units) in classes() {
        let name = encoded(&units);
        if name.len() <= 255 {
            fs::write(drive.join(name), "x").unwrap();
            names += 1;
            // No folder can be asked for a name with separators in it.
            let separators = [u16::from(b'/'), u16::from(b'\\')];
            readable += usize::from(!units.iter().any(|unit| separators.contains(unit)));
        }
    }
    // Two names that are one on many systems.
    fs::write(drive.join("Same"), "upper").unwrap();
    fs::write(drive.join("sAME"), "lower").unwrap();
    let (evidence, out) = (evidence.to_str().unwrap(), dir.path().join("out/files"));
    let (listed, _) = emotrace(&["ls", evidence, "/Windows"]);
    assert_shown(&listed, &['\n'], "ls");
    assert!(listed.lines().count() >= names + 2, "{listed}");
    assert!(listed.contains(r"\u{d83d}") && listed.contains(r"\u{202e}"), "{listed}");
    let (_, said) = emotrace(&["extract", evidence, "-o", out.to_str().unwrap(), "--path", "**"]);
    assert_shown(&said, &['\n'], "what extract says");
    let manifest = fs::read_to_string(out.join("manifest.json")).unwrap();
    assert_shown(&manifest, &['\n'], "the manifest of copies");
    let manifest: Json = serde_json::from_str(&manifest).unwrap();
    let files = manifest["files"].as_array().unwrap();
    assert!(files.len() >= names + 2);
    let mut seen = std::collections::BTreeSet::new();
    let mut copies = 0;
    for file in files {
        let Some(copy) = file["copy"].as_str() else {
            // What can't be read is listed with the reason.
            assert!(file["error"].is_string(), "{file}");
            continue;
        };
        copies += 1;
        assert_shown(copy, &[], "a copy's name");
        assert!(seen.insert(copy.to_lowercase()), "{copy} is there twice, but for case");
        for part in Path::new(copy).components() {
            let Component::Normal(name) = part else { panic!("{copy} leads elsewhere") };
            let name = name.to_str().unwrap();
            let stem = name.split('.').next().unwrap().to_ascii_lowercase();
            assert!(!name.ends_with(['.', ' ']), "{copy}");
            assert!(!["con", "nul", "com1", "lpt¹"].contains(&stem.as_str()), "{copy}");
            assert!(!name.contains(['\\', ':', '*', '?', '"', '<', '>', '|']), "{copy}");
        }
        assert!(out.join(copy).is_file(), "{copy}");
    }
    assert_eq!(copies, readable);
    let content = |name: &str| {
        let file = files.iter().find(|f| f["path"].as_str().is_some_and(|p| p.ends_with(name))).unwrap();
        fs::read_to_string(out.join(file["copy"].as_str().unwrap())).unwrap()
    };
    // Read as evidence again, the copies have the names that the files had.
    let again = emotrace(&["ls", out.to_str().unwrap(), "/Windows"]).0;
    let shown =
        |text: &str| text.lines().filter_map(|l| Some(l.split_once(r"\Windows\")?.1.to_owned())).collect::<Vec<_>>();
    let names_again = shown(&again);
    for class in ["unpaired surrogates", "what stands for surrogates", "NUL", "bidi overrides", "device name"] {
        let units = classes().into_iter().find(|(name, _)| *name == class).unwrap().1;
        let name = emotrace_core::export::escape::visible(&from_utf16(units)).into_owned();
        assert!(names_again.contains(&name), "{class}: {name} in {names_again:?}");
    }
    assert_eq!((content(r"\Same"), content(r"\sAME")), ("upper".to_owned(), "lower".to_owned()));
    // Nothing lies beside the output folder.
    assert_eq!(fs::read_dir(dir.path().join("out")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

/// The case image holds such names for true, lone surrogates among them; its rows give back the very units.
#[test]
fn names_of_the_case_come_back() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/case/case.E01");
    let truth: Json = serde_json::from_slice(&fs::read(case.with_file_name("case.truth.json")).unwrap()).unwrap();
    let (rows, _) = emotrace(&["timeline", case.to_str().unwrap(), "-a", "file_times"]);
    assert_shown(&rows, &['\n'], "rows of the case");
    let hex = truth["surrogate"]["name_utf16le"].as_str().unwrap();
    let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
    let units: Vec<u16> = bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let record = truth["surrogate"]["record"].to_string();
    let row = rows
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap())
        .find(|row| row["origin"]["record"].as_str().is_some_and(|r| r.starts_with(&format!("{record}-"))));
    let path = to_utf16(row.unwrap()["origin"]["path"].as_str().unwrap());
    assert!(path.ends_with(&units), "{path:04x?}");
}
