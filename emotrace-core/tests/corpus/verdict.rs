//! The verdict on real artifacts of a host that never had Emotet.

use std::fs;
use std::path::Path;

use emotrace_core::detect::RuleSet;
use emotrace_core::model::Conclusion;
use emotrace_core::pipeline::{Evidence, Judging, NoProgress, Options, assess, extract};

pub(crate) const CASES: &[super::Case] =
    &[("verdict::a_real_host_without_emotet_is_not_infected", a_real_host_without_emotet_is_not_infected)];

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

/// Logs, prefetch and a user's hive of a Windows 10 on which attacks of other kinds were played through.
fn a_real_host_without_emotet_is_not_infected(corpus: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let windows = folder.path().join("host/C/Windows");
    copy_all(&corpus.join("evtx/win10-aptsim"), &windows.join("System32/winevt/Logs"));
    copy_all(&corpus.join("prefetch/win10-aptsim"), &windows.join("Prefetch"));
    let user = folder.path().join("host/C/Users/taro");
    fs::create_dir_all(&user).unwrap();
    fs::copy(corpus.join("hives/plaso/NTUSER-WIN7.DAT"), user.join("NTUSER.DAT")).unwrap();
    let rules = RuleSet::builtin().unwrap_or_else(|errors| panic!("{}", errors[0]));
    let evidence = Evidence::open(&[folder.path().join("host")]).unwrap();
    let options = Options::default();
    let extraction = extract(&evidence, &options, &NoProgress).unwrap();
    assert!(extraction.timeline.len() > 30_000, "{}", extraction.timeline.len());
    let assessment = assess(&evidence, &extraction, &rules, &Judging::default(), &options, &NoProgress).unwrap();
    let verdict = &assessment.verdict;
    assert!(verdict.conclusion < Conclusion::Suspicious, "{} {:#?}", verdict.because, verdict.points);
    assert!(assessment.emocheck.iter().all(|e| !e.infected));
}
