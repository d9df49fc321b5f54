//! The report in a real browser, without a window: its script runs, and text of the evidence does not.

use std::path::Path;
use std::process::Command;

use emotrace_core::detect::RuleSet;
use emotrace_core::export::report::{self, ReportInput};
use emotrace_core::pipeline::{Evidence, Judging, NoProgress, Options, assess, extract};
use libtest_mimic::{Arguments, Trial};
use serde_json::json;

const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome"];

fn browser() -> Option<&'static str> {
    let works = |name: &&&str| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success());
    BROWSERS.iter().find(works).copied()
}

fn page() -> String {
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/case/case.E01");
    let rules = RuleSet::builtin().unwrap_or_else(|errors| panic!("{}", errors[0]));
    let evidence = Evidence::open(&[image]).unwrap();
    let options = Options::default();
    let extraction = extract(&evidence, &options, &NoProgress).unwrap();
    let judging = Judging::default();
    let mut assessment = assess(&evidence, &extraction, &rules, &judging, &options, &NoProgress).unwrap();
    // A finding whose text would take over a careless page.
    let evil = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">";
    for evidence in assessment.findings.iter_mut().flat_map(|f| &mut f.evidence) {
        evidence.message.push_str(evil);
    }
    for step in assessment.story.chains.iter_mut().flat_map(|c| &mut c.steps) {
        step.text.push_str(evil);
    }
    let input = ReportInput {
        assessment: &assessment,
        hosts: &extraction.hosts,
        coverage: &extraction.coverage,
        issues: extraction.issues().collect(),
        evidence: json!({"evidence": evil}),
        hashes: None,
        version: "test",
    };
    report::html(&input).unwrap()
}

/// The page as the browser holds it after its script ran.
fn shown(browser: &str, file: &Path, language: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=3000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}#{language}", file.display()))
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn the_page_works(browser: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    std::fs::write(&file, page()).unwrap();
    for language in ["en", "ja"] {
        let dom = shown(browser, &file, language);
        assert!(dom.contains(&format!("class=\"show-{language}\"")), "the language follows the address");
        assert!(dom.matches("<circle").count() > 10, "the picture is drawn");
        assert!(!dom.contains("<title>taken"), "text of the evidence ran");
        assert!(!dom.contains("<img"), "text of the evidence became an element");
        assert_eq!(dom.matches("<script").count(), 2);
    }
}

fn main() {
    let arguments = Arguments::from_args();
    let browser = browser();
    if browser.is_none() {
        eprintln!("no browser here ({}): the report's test is ignored, not passed", BROWSERS.join(", "));
    }
    let trial = Trial::test("the page works in a browser", move || {
        the_page_works(browser.unwrap_or_default());
        Ok(())
    });
    libtest_mimic::run(&arguments, vec![trial.with_ignored_flag(browser.is_none())]).exit();
}
