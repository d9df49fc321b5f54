//! The verdict on whole images, held against their truth files.

use std::path::{Path, PathBuf};

use emotrace_core::detect::RuleSet;
use emotrace_core::export::report::{self, ReportInput};
use emotrace_core::model::{Assessment, Conclusion, Finding, HostState};
use emotrace_core::pipeline::{Evidence, Extraction, Judging, NoProgress, Options, assess, extract};
use serde_json::{Value, json};

fn judge(image: &Path, judging: &Judging) -> (Assessment, Extraction) {
    let rules = RuleSet::builtin().unwrap_or_else(|errors| panic!("{}", errors[0]));
    let evidence = Evidence::open(&[image.to_owned()]).unwrap();
    let options = Options::default();
    let extraction = extract(&evidence, &options, &NoProgress).unwrap();
    let assessment = assess(&evidence, &extraction, &rules, judging, &options, &NoProgress).unwrap();
    (assessment, extraction)
}

fn case() -> (Assessment, Extraction, Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/case");
    let truth = std::fs::read_to_string(folder.join("case.truth.json")).unwrap();
    let (assessment, extraction) = judge(&folder.join("case.E01"), &Judging::default());
    (assessment, extraction, serde_json::from_str(&truth).unwrap())
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// Everything here is from the truth file, none of it from our own output.
#[test]
fn the_case_is_confirmed_with_its_window_steps_and_state() {
    let (assessment, _, truth) = case();
    let (verdict, expected) = (&assessment.verdict, &truth["verdict"]);
    assert_eq!(verdict.conclusion.name(), text(expected, "verdict"));
    assert_eq!(verdict.state, HostState::Active);
    assert_eq!(text(expected, "state"), "active");
    let window = verdict.window.as_ref().unwrap();
    assert_eq!(window.from.to_string(), text(expected, "window_begins"));
    // Two logs write the last connection 0.4 ms apart.
    assert_eq!(window.until.to_string()[..19], text(expected, "window_ends")[..19]);
    let reached: Vec<&str> = verdict.reached.iter().map(|(step, _)| step.as_str()).collect();
    for stage in expected["stages"].as_array().unwrap() {
        assert!(reached.contains(&stage.as_str().unwrap()), "{stage} in {reached:?}");
    }
    let users: Vec<&str> = expected["affected_users"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(verdict.users, users);
    let addresses: Vec<String> = assessment
        .indicators
        .iter()
        .filter(|i| i.kind == "address")
        .map(|i| format!("{}:{}", i.value, i.port.unwrap()))
        .collect();
    // Text of log records around a path is no path.
    assert!(assessment.indicators.iter().all(|i| i.kind != "file" || !i.value.contains("started by")));
    for c2 in expected["c2"].as_array().unwrap() {
        assert!(addresses.contains(&c2.as_str().unwrap().to_owned()), "{c2} in {addresses:?}");
    }
}

/// The indicators' hashes are those that the image's maker wrote down.
#[test]
fn the_cases_files_bear_the_hashes_of_its_truth_file() {
    let (assessment, _, truth) = case();
    let files = truth["files"].as_array().unwrap();
    let mut compared = 0;
    for indicator in assessment.indicators.iter().filter(|i| i.sha256.is_some()) {
        let path = indicator.value[3..].replace('\\', "/");
        let same = |f: &&Value| text(f, "path").eq_ignore_ascii_case(&path);
        if let Some(file) = files.iter().find(same) {
            assert_eq!(indicator.sha256.as_deref(), file["sha256"].as_str(), "{path}");
            compared += 1;
        }
    }
    assert!(compared >= 4, "{compared}");
}

#[test]
fn the_five_scanners_say_what_the_truth_file_says() {
    let (assessment, _, truth) = case();
    let [emocheck] = assessment.emocheck.as_slice() else { panic!("one installed system") };
    let expected = &truth["emocheck"];
    assert!(emocheck.infected);
    assert_eq!(emocheck.serial.as_deref(), expected["serial"].as_str());
    assert_eq!(emocheck.v1_name.as_deref(), expected["v1"]["name"].as_str());
    assert_eq!(emocheck.v2_value.as_deref(), expected["v2"]["value_name"].as_str());
    assert_eq!(emocheck.scanners.iter().filter(|s| s.limits.is_some()).count(), 0, "indexes were read, too");
    let paths = |method: &str| -> Vec<&str> {
        emocheck.hits.iter().filter(|h| h.method == method).map(|h| h.image_path.as_str()).collect()
    };
    assert!(paths("v1").contains(&text(&expected["v1"]["traces"][0], "path")), "{:?}", paths("v1"));
    let v2: Vec<_> = emocheck.hits.iter().filter(|h| h.method == "v2" && !h.registry_key.is_empty()).collect();
    assert_eq!(v2.len(), 1, "the vaccine is none");
    assert_eq!(v2[0].process_name, text(&expected["v2"], "name"));
    assert_eq!(v2[0].user.as_deref(), expected["v2"]["user"].as_str());
    for method in ["v3", "v4", "v5"] {
        let mut wanted: Vec<&str> = expected[method].as_array().unwrap().iter().map(|e| text(e, "path")).collect();
        let mut found = paths(method);
        wanted.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, wanted, "{method}");
    }
    for hit in expected["v5"].as_array().unwrap() {
        let found = emocheck.hits.iter().find(|h| h.method == "v5" && h.image_path == text(hit, "path")).unwrap();
        assert!(found.why.contains(&hit["difference_ticks"].to_string()), "{}", found.why);
        assert_eq!(Some(found.as_emocheck), hit["found_by_emocheck"].as_bool(), "{}", found.image_path);
    }
    assert!(emocheck.notes.iter().any(|n| n.contains("vaccine") && n.contains("832")));
}

/// What the truth file says must not count is in no finding that is weighed.
#[test]
fn what_must_not_count_does_not() {
    let (assessment, ..) = case();
    let weighed = assessment.verdict.points.iter().filter(|p| p.points > 0.0).map(|p| &assessment.findings[p.finding]);
    let said =
        |f: &Finding| f.evidence.iter().any(|e| e.message.contains("Zoomlike") || e.message.contains("(832 bytes)"));
    assert_eq!(weighed.filter(|f| said(f)).count(), 0);
}

#[test]
fn an_examiners_serial_overrides_the_boot_sectors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/case");
    let (assessment, _) = judge(&folder.join("case.E01"), &Judging { serial: Some(0x1234_5678) });
    let emocheck = &assessment.emocheck[0];
    assert_eq!(emocheck.v1_name.as_deref(), Some("ptrthunk.exe"));
    assert!(emocheck.hits.iter().all(|h| h.method != "v1" && h.method != "v2"));
}

/// The case holds files with tags and scripts for names; none of it is markup in the page.
#[test]
fn the_cases_report_shows_hostile_names_and_runs_none() {
    let (assessment, extraction, _) = case();
    let input = ReportInput {
        assessment: &assessment,
        hosts: &extraction.hosts,
        coverage: &extraction.coverage,
        issues: extraction.issues().collect(),
        evidence: json!({}),
        hashes: None,
        version: "test",
    };
    let page = report::html(&input).unwrap();
    assert_eq!(page.matches("<script").count(), 2, "the data and the page's own");
    assert!(!page.contains("<img"));
    assert!(page.contains("感染確認") && page.contains("Infection confirmed"));
    assert_eq!(page, report::html(&input).unwrap(), "the same evidence gives the same page");
}

/// Lays fixtures of artifacts at their Windows paths.
fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (windows, from) in files {
        let target = folder.path().join("tree").join(windows);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        let source: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/artifacts").join(from);
        std::fs::copy(source, target).unwrap();
    }
    folder
}

/// What other rules than those of logs and hives see: the content of files in a triage folder.
#[test]
fn the_content_of_files_tells() {
    let folder = tree(&[
        ("C/Users/taro/AppData/Local/Aibevs/jbcss.nfg", "emotet_files/servers.nfg"),
        ("C/Users/taro/AppData/Local/Temp/UDP1A2B.tmp", "emotet_files/put_aside.tmp"),
        ("C/Users/taro/Downloads/INV 2023-03-07.zip", "zip_files/inflated.zip"),
        ("C/Users/taro/Downloads/form.zip", "zip_files/locked.zip"),
        ("C/Users/taro/Documents/Bericht.zip", "zip_files/plain.zip"),
        ("C/Users/taro/Downloads/Payment.one", "onenote_files/script.one"),
        ("C/Users/taro/Desktop/PC_20201026110000_emocheck.json", "emocheck_reports/infected.json"),
        ("C/Users/taro/Desktop/PC_20210120100000_emocheck.txt", "emocheck_reports/clear.txt"),
        (
            "C/ProgramData/Microsoft/Windows Defender/Quarantine/Entries/{9C1E0B7A-55D3-4F8E-A2C6-70B1D94E3F12}",
            "defender_quarantine/emotet.bin",
        ),
        ("C/Users/taro/AppData/Local/Microsoft/Outlook/taro@example.test.ost", "emotet_files/put_aside.tmp"),
    ]);
    let (assessment, _) = judge(&folder.path().join("tree"), &Judging::default());
    let mut found: Vec<&str> =
        assessment.findings.iter().filter(|f| f.weight > 0).filter_map(|f| f.rule.name.as_deref()).collect();
    found.sort_unstable();
    found.dedup();
    for rule in [
        "EMO-AV-002",
        "EMO-AV-007",
        "EMO-BIN-001",
        "EMO-BIN-002",
        "EMO-DEL-005",
        "EMO-DEL-006",
        "EMO-DEL-010",
        "EMO-INS-012",
    ] {
        assert!(found.contains(&rule), "{rule} in {found:?}");
    }
    let of = |rule: &str| assessment.findings.iter().filter(|f| f.rule.name.as_deref() == Some(rule)).count();
    assert_eq!((of("EMO-DEL-005"), of("EMO-DEL-006")), (1, 1), "the plain archive is neither");
    assert_eq!(assessment.verdict.conclusion, Conclusion::Confirmed);
    let server =
        |i: &&emotrace_core::model::Indicator| i.kind == "address" && i.value == "203.0.113.99" && i.port == Some(7080);
    assert!(assessment.indicators.iter().any(|i| server(&i)), "servers in a program are indicators");
    let [store] = assessment.exposure.stores.as_slice() else { panic!("{:?}", assessment.exposure) };
    assert_eq!((store.kind, store.user.as_deref(), store.files), ("outlook_store", Some("taro"), 1));
    assert_eq!(of("EMO-COL-004"), 1);
    assert!(!assessment.exposure.not_counted.is_empty());
}

/// A tree with system folders and a profile as Windows makes them, and nothing of Emotet.
#[test]
fn a_clean_tree_is_never_more_than_suspicious() {
    // Program files under names that the fourth generation's pattern fits, where Windows and vendors have such.
    let folder = tree(&[
        ("C/Windows/System32/drivers/bam.sys", "pe_files/dll.czi"),
        ("C/Windows/System32/spool/winprint.dll", "pe_files/dll.czi"),
        ("C/Windows/System32/InputMethod/chsime.ime", "pe_files/dll.czi"),
        ("C/Users/taro/AppData/Local/Discord/ffmpeg.dll", "pe_files/dll.czi"),
        ("C/Users/taro/AppData/Local/slack/slack.exe", "pe_files/dll.czi"),
        ("C/Users/taro/AppData/Local/Logitech/setpoint.cpl", "pe_files/dll.czi"),
        ("C/Users/taro/AppData/Local/Temp/nsfabcd.tmp", "pe_files/dll.czi"),
        ("C/Users/taro/Documents/Bericht.zip", "zip_files/plain.zip"),
        ("C/Users/taro/Desktop/PC_20210120100000_emocheck.txt", "emocheck_reports/clear.txt"),
    ]);
    let root = folder.path().join("tree");
    let (assessment, _) = judge(&root, &Judging::default());
    assert!(assessment.verdict.conclusion <= Conclusion::Suspicious, "{:?}", assessment.verdict);
    let points: Vec<_> = assessment.verdict.points.iter().filter(|p| p.points > 0.0).map(|p| &p.rule).collect();
    assert_eq!(points, Vec::<&String>::new());
    assert!(!assessment.emocheck[0].infected);
    assert_eq!(assessment.verdict.conclusion, Conclusion::Inconclusive, "too little is there to say more");
}
