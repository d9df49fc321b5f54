//! Registry hives as a run finds them: where they lie, under which names, with which logs, and what coverage says of them.
//!
//! Each test lays fixtures of `testdata` in a folder like a copy of a Windows tree, and reads that as evidence.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use emotrace_core::artifacts;
use emotrace_core::detect::{Detector, RuleSet, judge};
use emotrace_core::model::{Collect, Coverage, Event, State, Value};
use emotrace_core::pipeline::{Evidence, NoProgress, OneHive, Options, Selection, extract, stream};
use tempfile::TempDir;

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(name)
}

/// Files of `testdata` by their places below the drive.
fn lay(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (place, from) in files {
        let target = folder.path().join("C").join(place);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(testdata(from), target).unwrap();
    }
    folder
}

fn options(artifacts: &[&str]) -> Options {
    let artifacts = artifacts.iter().map(|name| (*name).to_owned()).collect();
    Options { selection: Selection { artifacts, ..Selection::default() }, threads: Some(1), ..Options::default() }
}

fn read(path: &Path, artifacts: &[&str]) -> (Vec<Event>, Coverage, Vec<String>) {
    let evidence = Evidence::open(&[path.to_owned()]).unwrap();
    let mut found = Collect::default();
    let extraction = stream(&evidence, &options(artifacts), &NoProgress, &mut found).unwrap();
    let issues = found.issues.iter().map(|issue| issue.error.clone()).collect();
    (found.events, extraction.coverage, issues)
}

fn text(event: &Event, name: &str) -> Option<String> {
    event.values.get(name).map(Value::to_string)
}

const SOFTWARE: &str = "Windows/System32/config/SOFTWARE";
const SYSTEM: &str = "Windows/System32/config/SYSTEM";

#[test]
fn what_is_switched_off_is_not_missing() {
    let folder = lay(&[
        (SYSTEM, "artifacts/recording_state/system.hve"),
        ("Windows/System32/config/RegBack/SYSTEM", "artifacts/recording_state/system.hve"),
        (SOFTWARE, "artifacts/recording_state/software.hve"),
    ]);
    let evidence = Evidence::open(&[folder.path().to_owned()]).unwrap();
    let extraction = extract(&evidence, &options(&[]), &NoProgress).unwrap();
    let off = |name: &str| extraction.coverage.artifacts[name].switched_off.iter().cloned().collect::<Vec<_>>();
    // EnablePrefetcher is 2: boot alone. The copy in RegBack says nothing of the machine as it is.
    assert_eq!(off("prefetch"), ["prefetch of programs: PrefetchParameters, EnablePrefetcher is 2"]);
    assert_eq!(
        off("event_log"),
        [
            "channel Microsoft-Windows-PowerShell/Operational: Enabled is 0",
            r"channel Security: the key Control\MiniNt is there"
        ]
    );
    assert_eq!(off("bam"), [""; 0]);
    let verdict = judge(&[], &extraction.coverage, RuleSet::builtin().unwrap().policy());
    let why = |source: &str| {
        let line = verdict.coverage_lines.iter().find(|line| line.source.starts_with(source)).unwrap();
        line.why.clone().unwrap_or_default()
    };
    assert_eq!(
        why("prefetch"),
        "switched off on this machine, so it is not missing: prefetch of programs: PrefetchParameters, EnablePrefetcher is 2"
    );
    assert!(why("event logs").starts_with("switched off on this machine"), "{}", why("event logs"));
    assert_eq!(why("change journal"), "not found on this evidence");
    let json = serde_json::to_value(&extraction.coverage).unwrap();
    assert_eq!(json["artifacts"]["prefetch"]["switched_off"].as_array().unwrap().len(), 1);
    assert!(json["artifacts"]["usn_journal"].get("switched_off").is_none());
}

#[test]
fn tasks_by_file_and_by_cache_are_joined() {
    let folder = lay(&[
        (SOFTWARE, "artifacts/task_cache/software.hve"),
        ("Windows/System32/Tasks/Run", "artifacts/scheduled_tasks/definition.xml"),
        ("Windows/System32/Tasks/Folder/Alien", "artifacts/scheduled_tasks/definition.xml"),
        ("Windows/System32/Tasks_Migrated/Old", "artifacts/scheduled_tasks/definition.xml"),
    ]);
    let (events, ..) = read(folder.path(), &["task_cache", "scheduled_tasks"]);
    let facts = |event: &str, name: &str, fact: &str| {
        let mut facts: Vec<_> = events
            .iter()
            .filter(|e| e.descriptor.name == event)
            .map(|e| (text(e, name).unwrap(), text(e, fact).unwrap_or_default()))
            .collect();
        facts.sort();
        facts.dedup();
        facts
    };
    let pairs =
        |list: &[(&str, &str)]| list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>();
    assert_eq!(
        facts("windows:registry:task_cache_task", "path", "has_file"),
        pairs(&[(r"\Cut", "false"), (r"\Folder\NoSD", "false"), (r"\Gone", "false"), (r"\Run", "true")])
    );
    assert_eq!(
        facts("windows:registry:task_cache_tree", "path", "has_file"),
        pairs(&[(r"\Cut", "false"), (r"\Folder\NoSD", "false"), (r"\Run", "true")])
    );
    // What lies elsewhere is not the scheduler's own: nothing is said of it.
    assert_eq!(
        facts("windows:scheduled_task:definition", "task", "in_cache"),
        pairs(&[(r"\Folder\Alien", "false"), (r"\Old", ""), (r"\Run", "true")])
    );
    assert_eq!(facts("windows:scheduled_task:definition", "task", "id")[2].1, "{11111111-1111-1111-1111-111111111111}");
    // A rule can ask for them.
    let rules = tempfile::tempdir().unwrap();
    let rule = "title: Task without a file\nid: 11111111-2222-4333-8444-555555555555\nstatus: test\nlevel: high\n\
                logsource: {product: windows, category: scheduled_task}\n\
                detection:\n  lost: {HasFile: false}\n  hidden: {InCache: false}\n  condition: lost or hidden\n";
    fs::write(rules.path().join("hidden.yml"), rule).unwrap();
    let mut set = RuleSet::empty().unwrap();
    set.add_folder(rules.path());
    assert!(set.rejected().is_empty());
    let mut detector = Detector::new(&set, &artifacts::schema()).unwrap();
    let hits: BTreeSet<String> = events
        .iter()
        .flat_map(|event| detector.event(event))
        .flat_map(|finding| finding.evidence)
        .map(|evidence| evidence.message.split([':', ' ']).nth(2).unwrap_or_default().to_owned())
        .collect();
    assert_eq!(hits, [r"\Cut", r"\Folder\Alien", r"\Folder\NoSD", r"\Gone"].map(str::to_owned).into());
    // Without one of the two, nothing is said.
    let alone = lay(&[("Windows/System32/Tasks/Run", "artifacts/scheduled_tasks/definition.xml")]);
    let (events, ..) = read(alone.path(), &["scheduled_tasks"]);
    assert!(!events.is_empty() && events.iter().all(|event| text(event, "in_cache").is_none()));
    let alone = lay(&[(SOFTWARE, "artifacts/task_cache/software.hve")]);
    let (events, ..) = read(alone.path(), &["task_cache"]);
    assert!(!events.is_empty() && events.iter().all(|event| text(event, "has_file").is_none()));
}

#[test]
fn hives_are_found_under_other_names_and_in_other_places() {
    let folder = lay(&[
        (SOFTWARE, "artifacts/run_keys/software.hve"),
        ("Windows/System32/config/SOFTWARE.sav", "artifacts/run_keys/software.hve"),
        ("Windows/System32/config/OLDSOFT", "artifacts/run_keys/software.hve"),
        ("Windows/System32/config/DEFAULT", "artifacts/run_keys/ntuser.hve"),
        ("Windows/System32/config/SOFTWARE.LOG1", "hives/dirty.hve.LOG1"),
        ("Windows/System32/config/notes.txt", "README.md"),
        ("Windows/ServiceProfiles/LocalService/NTUSER.DAT", "artifacts/run_keys/ntuser.hve"),
        ("Users/Orphan/NTUSER.DAT", "artifacts/run_keys/ntuser.hve"),
        ("Users/Orphan/Desktop/export.hiv", "artifacts/run_keys/ntuser.hve"),
        ("Users/Orphan/Desktop/text.hve", "README.md"),
        ("Users/Orphan/AppData/Local/Packages/App/Settings/settings.dat", "hives/every-kind.hve"),
    ]);
    let (events, coverage, _) = read(folder.path(), &["run_keys", "registry_keys"]);
    let hives: Vec<(String, &str)> = coverage
        .hives
        .iter()
        .map(|hive| (hive.place.rsplit("C:").next().unwrap().to_owned(), hive.kind.as_str()))
        .collect();
    let expected = [
        (r"\Users\Orphan\AppData\Local\Packages\App\Settings\settings.dat", "SETTINGS"),
        (r"\Users\Orphan\Desktop\export.hiv", "NTUSER"),
        (r"\Users\Orphan\NTUSER.DAT", "NTUSER"),
        (r"\Windows\ServiceProfiles\LocalService\NTUSER.DAT", "NTUSER"),
        (r"\Windows\System32\config\DEFAULT", "DEFAULT"),
        (r"\Windows\System32\config\OLDSOFT", "SOFTWARE"),
        (r"\Windows\System32\config\SOFTWARE", "SOFTWARE"),
        (r"\Windows\System32\config\SOFTWARE.sav", "SOFTWARE"),
    ];
    assert_eq!(hives, expected.map(|(place, kind)| (place.to_owned(), kind)));
    // Files that only might have been hives are neither counted nor told of.
    assert_eq!(coverage.artifacts["registry"].found, 8);
    // Each of them gives its Run values.
    for (place, kind) in expected.iter().filter(|(_, kind)| *kind != "SETTINGS") {
        let own = |event: &&Event| event.artifact == "run_keys" && event.origin.locator.path.ends_with(place);
        assert!(events.iter().any(|event| own(&event)), "{place} {kind}");
    }
    let default = |event: &&Event| event.origin.locator.path.ends_with("DEFAULT") && event.artifact == "run_keys";
    let first = events.iter().find(default).unwrap();
    assert!(text(first, "key_path").unwrap().starts_with(r"HKEY_USERS\.DEFAULT\"), "{first:?}");
    // A profile that ProfileList does not know is named by its folder.
    let orphan = events.iter().find(|event| event.origin.locator.path.ends_with(r"Orphan\NTUSER.DAT")).unwrap();
    assert_eq!(orphan.user.as_deref(), Some("Orphan"));
    // Every row names the key and the cell.
    assert!(events.iter().all(|event| text(event, "key_path").is_some() && event.origin.offset.is_some()));
}

#[test]
fn coverage_tells_what_the_logs_gave() {
    let folder = tempfile::tempdir().unwrap();
    for (name, from) in [("x.dat", "dirty.hve"), ("X.DAT.log1", "dirty.hve.LOG1"), ("X.DAT.log2", "dirty.hve.LOG2")] {
        fs::copy(testdata("hives").join(from), folder.path().join(name)).unwrap();
    }
    let hive = folder.path().join("x.dat");
    let (events, coverage, issues) = read(&hive, &["registry_keys"]);
    let [covered] = coverage.hives.iter().collect::<Vec<_>>().try_into().unwrap();
    let replayed = covered.replayed.as_ref().unwrap();
    assert!(covered.dirty);
    assert_eq!((replayed.entries, replayed.first_sequence, replayed.last_sequence), (2, 5, 6));
    let from_logs = events.iter().filter(|event| event.state == State::LogReplayed).count() as u64;
    assert!(from_logs > 60, "{from_logs}");
    assert_eq!(coverage.artifacts["registry_keys"].from_logs, from_logs);
    assert_eq!(issues, [""; 0]);
    // Without its logs the same file says that something is missing.
    fs::remove_file(folder.path().join("X.DAT.log1")).unwrap();
    fs::remove_file(folder.path().join("X.DAT.log2")).unwrap();
    let (_, coverage, issues) = read(&hive, &["registry_keys"]);
    assert!(coverage.hives.iter().all(|hive| hive.dirty && hive.replayed.is_none()));
    assert!(issues.iter().any(|issue| issue.contains("not written to its end")), "{issues:?}");
}

/// A row's offset leads back to the bytes.
#[test]
fn raw_bytes_are_one_step_from_a_row() {
    let folder = lay(&[(SOFTWARE, "artifacts/run_keys/software.hve")]);
    let (events, ..) = read(folder.path(), &["run_keys"]);
    let evidence = Evidence::open(&[folder.path().to_owned()]).unwrap();
    let place = emotrace_core::pipeline::Address::parse("C:/Windows/System32/config/SOFTWARE", &[]).unwrap();
    let one = OneHive::open(&evidence, Some(&place), true).unwrap();
    assert_eq!((one.root.as_str(), one.account.as_deref()), (r"HKEY_LOCAL_MACHINE\SOFTWARE", None));
    let file = fs::read(testdata("artifacts/run_keys/software.hve")).unwrap();
    for event in events.iter().filter(|event| event.state == State::Live) {
        let offset = event.origin.offset.unwrap();
        let cell = one.hive.cell_bytes(offset).unwrap();
        assert_eq!(&cell[4..6], b"vk", "a row of one value names the value's cell");
        let at = usize::try_from(offset).unwrap();
        assert_eq!(cell, &file[at..at + cell.len()]);
    }
    assert!(one.hive.cell_bytes(0).is_none() && one.hive.cell_bytes(u64::MAX).is_none());
}
