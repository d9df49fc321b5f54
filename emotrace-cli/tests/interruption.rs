//! Killed at any moment, `analyze` leaves no file under its final name that is not whole, and `analyze --resume` ends with
//! the bytes of a run that nobody disturbed. What can't be written is a clear error, and nothing that was there is lost.
//!
//! Moments are random but seeded; how far a run gets until then is up to the machine. What needs a mount of its own is
//! listed as ignored where the machine does not let us.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};

/// Runs that are killed.
const KILLS: usize = 50;
/// Most of them that meet one folder, one behind the other.
const IN_A_ROW: usize = 5;

/// Files whose making is worth a kill of its own.
const MARKS: &[&str] = &[
    ".emotrace/lock",
    ".emotrace/run.json",
    ".emotrace/timeline/run-0",
    ".emotrace/timeline/extraction.json.partial",
    ".emotrace/timeline/extraction.json",
    "timeline.jsonl.partial",
    "timeline.jsonl",
    "timeline.csv.partial",
    "findings.jsonl",
    "report.html.partial",
    "indicators.csv",
    "evidence.json",
    "manifest.json.partial",
    "manifest.json",
];

fn case() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/case/case.E01")
}

fn emotrace(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_emotrace")).args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn arguments(out: &Path) -> Vec<String> {
    ["analyze", text(&case()), "-o", text(out), "-f", "jsonl,csv"].map(str::to_owned).to_vec()
}

fn analyze(out: &Path, more: &[&str]) -> Output {
    let mut arguments = arguments(out);
    arguments.extend(more.iter().map(|s| (*s).to_owned()));
    emotrace(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Every file of a case folder but the manifest, which tells of the run.
fn outputs(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_file() && name != "manifest.json" && !name.ends_with(".partial") {
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    files
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A run that nobody disturbs, and how long it takes.
struct Reference {
    outputs: BTreeMap<String, Vec<u8>>,
    names: Vec<String>,
    took: Duration,
}

impl Reference {
    /// Made once for all tests.
    fn get() -> &'static Self {
        static REFERENCE: OnceLock<Reference> = OnceLock::new();
        REFERENCE.get_or_init(Self::new)
    }

    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("case");
        let start = Instant::now();
        let run = analyze(&out, &[]);
        assert!(run.status.success(), "{}", said(&run));
        let took = start.elapsed();
        let outputs = outputs(&out);
        assert_eq!(outputs.len(), 11, "{:?}", outputs.keys());
        Self { names: names(&out), outputs, took }
    }

    /// Everything that has a final name is as it should be.
    fn assert_nothing_is_half_written(&self, folder: &Path, when: &str) {
        for (name, bytes) in outputs(folder) {
            let whole = self.outputs.get(&name).unwrap_or_else(|| panic!("{when}: {name} is no output"));
            assert!(*whole == bytes, "{when}: {name} has {} of {} bytes, or others", bytes.len(), whole.len());
        }
        if let Ok(manifest) = fs::read(folder.join("manifest.json")) {
            serde_json::from_slice::<serde_json::Value>(&manifest).unwrap();
        }
    }

    fn assert_finished(&self, folder: &Path, when: &str) {
        self.assert_nothing_is_half_written(folder, when);
        assert_eq!(names(folder), self.names, "{when}: nothing is missing, and nothing temporary is left");
    }
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }
}

fn signal(child: &Child, name: &str) {
    // The process may have ended by itself. The shell has `kill` built in; a program of that name is not everywhere.
    let command = format!("kill {name} {}", child.id());
    Command::new("sh").args(["-c", &command]).stderr(Stdio::null()).status().unwrap();
}

/// Starts a run and kills it: at a moment, or when a file appears. Gives true if it was at its end before that.
fn killed(folder: &Path, resume: bool, reference: &Reference, dice: &mut Dice) -> (bool, String) {
    let mut arguments = arguments(folder);
    if resume {
        arguments.push("--resume".to_owned());
    }
    let start = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_emotrace"))
        .args(&arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let when = if dice.below(2) == 0 {
        let share = u32::try_from(dice.below(1_000)).unwrap();
        let moment = reference.took * share / 1_000;
        while start.elapsed() < moment && child.try_wait().unwrap().is_none() {
            sleep(Duration::from_millis(1));
        }
        format!("after {share} ‰ of the time")
    } else {
        let mark = MARKS[dice.below(MARKS.len())];
        while !folder.join(mark).exists() && child.try_wait().unwrap().is_none() {
            sleep(Duration::from_micros(200));
        }
        sleep(Duration::from_micros(u64::try_from(dice.below(3_000)).unwrap()));
        format!("at {mark}")
    };
    let name = ["-KILL", "-KILL", "-KILL", "-TERM", "-INT"][dice.below(5)];
    signal(&child, name);
    let ended = child.wait().unwrap();
    let ok = matches!(ended.code(), None | Some(0 | 130));
    assert!(ok, "{when}, {name}: {ended}");
    (ended.success(), format!("{when}, {name}"))
}

fn fifty_kills() {
    let reference = Reference::get();
    let mut dice = Dice(20_261_128);
    let dir = tempfile::tempdir().unwrap();
    let (mut kills, mut runs) = (0, 0);
    while kills < KILLS {
        // A folder is killed several times in a row; then it is let be. Runs that were at their end do not count.
        let out = dir.path().join(runs.to_string());
        let mut history = Vec::new();
        while history.len() < IN_A_ROW && kills < KILLS {
            runs += 1;
            assert!(runs < 4 * KILLS, "runs are at their end before they can be killed");
            let (ended, when) = killed(&out, !history.is_empty(), reference, &mut dice);
            history.push(when);
            kills += usize::from(!ended);
            reference.assert_nothing_is_half_written(&out, &format!("{history:?}"));
            if ended {
                break;
            }
        }
        let run = analyze(&out, &["--resume"]);
        assert!(run.status.success(), "{history:?}: {}", said(&run));
        reference.assert_finished(&out, &format!("{history:?}"));
        fs::remove_dir_all(out).unwrap();
    }
}

/// Runs until a file is there, then kills.
fn kill_at(folder: &Path, mark: &str) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_emotrace"))
        .args(arguments(folder))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !folder.join(mark).exists() {
        assert!(child.try_wait().unwrap().is_none(), "the run was at its end before {mark} was there");
        sleep(Duration::from_micros(200));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What was read is not read again, what was finished is kept, and what was changed since is written anew.
fn resume_uses_what_is_there() {
    let reference = Reference::get();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("case");
    kill_at(&out, "timeline.csv.partial");
    let jsonl = out.join("timeline.jsonl");
    let before = fs::metadata(&jsonl).unwrap().modified().unwrap();
    let run = analyze(&out, &["--resume"]);
    assert!(run.status.success(), "{}", said(&run));
    assert!(said(&run).contains("an earlier run has read"), "{}", said(&run));
    reference.assert_finished(&out, "resumed");
    assert_eq!(fs::metadata(&jsonl).unwrap().modified().unwrap(), before, "a finished timeline is not written again");

    let out = dir.path().join("changed");
    kill_at(&out, "timeline.csv.partial");
    let mut bytes = fs::read(out.join("timeline.jsonl")).unwrap();
    bytes[1000] ^= 1;
    fs::write(out.join("timeline.jsonl"), bytes).unwrap();
    // A kept run with one bit changed is not used either.
    let run_file = out.join(".emotrace/timeline/run-0");
    let mut bytes = fs::read(&run_file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&run_file, bytes).unwrap();
    let run = analyze(&out, &["--resume"]);
    assert!(run.status.success(), "{}", said(&run));
    assert!(!said(&run).contains("an earlier run has read"), "{}", said(&run));
    reference.assert_finished(&out, "changed and resumed");
}

/// A folder that holds something else than this run's work is refused, and nothing in it changes.
fn what_is_not_ours_is_refused() {
    let reference = Reference::get();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("case");
    kill_at(&out, "timeline.csv.partial");
    let refused = |arguments: &[&str], words: &str| {
        let before = (names(&out), outputs(&out));
        let run = emotrace(arguments);
        assert_eq!(run.status.code(), Some(1), "{}", said(&run));
        assert!(said(&run).contains(words) && said(&run).contains(text(&out)), "{words}: {}", said(&run));
        assert!(before == (names(&out), outputs(&out)));
    };
    let case = case();
    let (image, folder) = (text(&case), text(&out));
    refused(&["analyze", image, "-o", folder, "-f", "jsonl,csv"], "--resume");
    refused(&["analyze", image, "-o", folder, "-f", "jsonl", "--resume"], "--format");
    refused(&["analyze", image, "-o", folder, "-f", "jsonl,csv", "--hash", "--resume"], "--hash");
    refused(&["analyze", image, "-o", folder, "-f", "jsonl,csv", "--from", "2022-11-01", "--resume"], "--from");
    let other = dir.path().join("other.E01");
    fs::copy(image, &other).unwrap();
    refused(&["analyze", text(&other), "-o", folder, "-f", "jsonl,csv", "--resume"], "other evidence");

    // A finished case: refused as it is, checked with --resume.
    let out = dir.path().join("finished");
    let run = analyze(&out, &[]);
    assert!(run.status.success());
    assert_eq!(analyze(&out, &[]).status.code(), Some(1));
    let again = analyze(&out, &["--resume"]);
    assert!(again.status.success() && said(&again).contains("is finished"), "{}", said(&again));
    reference.assert_finished(&out, "finished");
    fs::write(out.join("verdict.json"), "{}").unwrap();
    let again = analyze(&out, &["--resume"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again).contains("verdict.json is not as it was written"), "{}", said(&again));
    assert_eq!(fs::read(out.join("verdict.json")).unwrap(), b"{}");

    // Somebody else's files.
    let out = dir.path().join("mine");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("mine.txt"), "x").unwrap();
    for more in [&[][..], &["--resume"]] {
        assert_eq!(analyze(&out, more).status.code(), Some(1));
        assert_eq!(names(&out), ["mine.txt"]);
    }

    // With --resume on a place where nothing is, a case begins.
    let out = dir.path().join("new");
    assert!(analyze(&out, &["--resume"]).status.success());
    reference.assert_finished(&out, "new");
}

/// A run that was stopped in the right way, and one that is at work, are told apart.
fn two_runs_do_not_share_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("case");
    let mut first = Command::new(env!("CARGO_BIN_EXE_emotrace"))
        .args(arguments(&out))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !out.join(".emotrace/run.json").exists() {
        assert!(first.try_wait().unwrap().is_none());
        sleep(Duration::from_micros(200));
    }
    signal(&first, "-STOP");
    let second = analyze(&out, &["--resume"]);
    signal(&first, "-CONT");
    assert_eq!(second.status.code(), Some(1));
    assert!(said(&second).contains("another run"), "{}", said(&second));
    assert!(first.wait().unwrap().success());
}

/// What a killed `timeline` leaves among the temporary files goes with the next run in the same place.
fn temporary_files_of_the_killed_go() {
    let dir = tempfile::tempdir().unwrap();
    let case = case();
    let arguments = ["timeline", text(&case), "--temp", text(dir.path())];
    let mut child = Command::new(env!("CARGO_BIN_EXE_emotrace"))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while names(dir.path()).is_empty() {
        assert!(child.try_wait().unwrap().is_none());
        sleep(Duration::from_micros(200));
    }
    // The folder is there; its lock may not be yet.
    let lock = dir.path().join(&names(dir.path())[0]).join("lock");
    while !lock.exists() {
        sleep(Duration::from_micros(200));
    }
    sleep(Duration::from_millis(5));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(names(dir.path()).len(), 1, "a killed process leaves its folder");
    assert!(emotrace(&arguments).status.success());
    assert_eq!(names(dir.path()), [""; 0], "the next one takes it away");
}

/// Evidence is never written to, by whatever name it is called.
fn outputs_never_lie_in_the_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let image = at("evidence.E01");
    fs::copy(case(), &image).unwrap();
    let content = fs::read(&image).unwrap();
    let split = [at("parts.001"), at("parts.002")];
    fs::write(&split[0], vec![1; 4096]).unwrap();
    fs::write(&split[1], vec![2; 4096]).unwrap();
    fs::create_dir_all(at("triage/C/Windows/System32")).unwrap();
    std::os::unix::fs::symlink(&image, at("link.E01")).unwrap();
    std::os::unix::fs::symlink(at("triage"), at("link")).unwrap();
    fs::hard_link(&image, at("hard.jsonl")).unwrap();
    let refused = |arguments: &[&str]| {
        let run = emotrace(arguments);
        assert_eq!(run.status.code(), Some(1), "{arguments:?}: {}", said(&run));
        assert!(said(&run).contains("lies in the evidence"), "{arguments:?}: {}", said(&run));
    };
    let (image, triage) = (text(&image), at("triage"));
    for output in ["evidence.E01", "link.E01", "hard.jsonl"] {
        refused(&["timeline", image, "-o", text(&at(output))]);
        refused(&["timeline", text(&at("link.E01")), "-o", text(&at(output))]);
    }
    for output in ["triage", "triage/out", "triage/C/Windows/x/y", "link/out", "triage/C/../out"] {
        refused(&["analyze", text(&triage), "-o", text(&at(output))]);
        refused(&["extract", text(&triage), "-o", text(&at(output))]);
        refused(&["timeline", text(&at("link")), "-o", text(&at(output))]);
    }
    let out = at("out");
    refused(&["analyze", text(&triage), "-o", text(&out), "--temp", text(&triage)]);
    refused(&["timeline", text(&triage), "--temp", text(&at("link/C"))]);
    assert!(!out.exists());
    assert_eq!(names(&triage), ["C"]);
    assert_eq!(fs::read(image).unwrap(), content);
    // A segment that was found beside the given one. The image holds nothing, so the test is made on a whole one.
    let media = {
        let source = emotrace_core::source::Source::open(&[case()]).unwrap();
        let mut media = vec![0; usize::try_from(emotrace_core::bytes::ReadAt::len(&source)).unwrap()];
        emotrace_core::bytes::read_exact_at(&source, 0, &mut media).unwrap();
        media
    };
    let half = media.len() / 2;
    fs::write(&split[0], &media[..half]).unwrap();
    fs::write(&split[1], &media[half..]).unwrap();
    refused(&["timeline", text(&split[0]), "-o", text(&split[1])]);
    assert!(fs::read(&split[1]).unwrap() == media[half..]);
}

/// What can't be written is named, with what to do about it.
fn errors_say_what_and_where() {
    let dir = tempfile::tempdir().unwrap();
    let case = case();
    let image = text(&case);
    let file = dir.path().join("file");
    fs::write(&file, "precious").unwrap();
    let below = file.join("out");
    let check = |arguments: &[&str], words: &[&str]| {
        let run = emotrace(arguments);
        assert_eq!(run.status.code(), Some(1), "{arguments:?}: {}", said(&run));
        assert!(words.iter().all(|word| said(&run).contains(word)), "{words:?}: {}", said(&run));
        assert!(!said(&run).contains("panicked"));
    };
    check(&["timeline", image, "-o", "/dev/full"], &["/dev/full", "No space left", "make room"]);
    check(&["timeline", image, "-o", text(&below)], &[text(&below)]);
    check(&["analyze", image, "-o", text(&below)], &[text(&below)]);
    check(&["analyze", image, "-o", text(&file)], &[text(&file)]);
    check(&["extract", image, "-o", text(&below)], &[text(&below)]);
    check(&["timeline", image, "--temp", text(&below)], &[text(&below), "--temp"]);
    let gone = dir.path().join("gone/x.jsonl");
    check(&["timeline", image, "-o", text(&gone)], &[text(&gone), "No such file"]);
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    // An output that was there stays until the new one is whole.
    let old = dir.path().join("old.jsonl");
    fs::write(&old, "old").unwrap();
    check(&["timeline", image, "-o", text(&old), "--temp", text(&below)], &["--temp"]);
    assert_eq!(fs::read(&old).unwrap(), b"old");
}

/// A file system of its own, in memory. Unmounted when dropped.
struct Mount(PathBuf);

impl Mount {
    fn new(at: &Path, options: &str) -> Option<Self> {
        fs::create_dir_all(at).ok()?;
        let run = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs", text(at)]).output().ok()?;
        run.status.success().then(|| Self(at.to_owned()))
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        assert!(Command::new("mount").args(["-o", &options, text(&self.0)]).status().unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn can_mount() -> bool {
    let dir = tempfile::tempdir().unwrap();
    Mount::new(&dir.path().join("m"), "size=1m").is_some()
}

/// The disk is full in the midst of the work: a clear error, and with more room the run goes on.
fn full_disks() {
    let reference = Reference::get();
    let dir = tempfile::tempdir().unwrap();
    let total: usize = reference.outputs.values().map(Vec::len).sum();
    let kept = total / 3;
    for size in [64 << 10, kept, total] {
        let mount = Mount::new(&dir.path().join(size.to_string()), &format!("size={size}")).unwrap();
        let out = mount.0.join("case");
        let run = analyze(&out, &[]);
        assert_eq!(run.status.code(), Some(1), "{size}: {}", said(&run));
        for words in [text(&mount.0), "No space left", "make room"] {
            assert!(said(&run).contains(words), "{size}: {}", said(&run));
        }
        reference.assert_nothing_is_half_written(&out, "full");
        mount.remount(&format!("size={}", 8 * total));
        let run = analyze(&out, &["--resume"]);
        assert!(run.status.success(), "{size}: {}", said(&run));
        reference.assert_finished(&out, "room made");
    }
    // Room for the outputs, none for temporary files.
    let mount = Mount::new(&dir.path().join("temp"), "size=64k").unwrap();
    let out = dir.path().join("case");
    let run = analyze(&out, &["--temp", text(&mount.0)]);
    assert_eq!(run.status.code(), Some(1), "{}", said(&run));
    for words in [text(&mount.0), "No space left", "--temp"] {
        assert!(said(&run).contains(words), "{}", said(&run));
    }
    assert_eq!(names(&mount.0), [""; 0]);
    let run = analyze(&out, &["--resume"]);
    assert!(run.status.success(), "{}", said(&run));
    reference.assert_finished(&out, "another place for temporary files");
}

/// A folder that can't be written to is named, and what lies there stays.
fn folders_without_the_right_to_write() {
    let reference = Reference::get();
    let dir = tempfile::tempdir().unwrap();
    let mount = Mount::new(&dir.path().join("m"), "size=64m").unwrap();
    let out = mount.0.join("case");
    kill_at(&out, "timeline.csv.partial");
    mount.remount("ro");
    let before = (names(&out), outputs(&out));
    for folder in [&out, &mount.0.join("other")] {
        let run = analyze(folder, &["--resume"]);
        assert_eq!(run.status.code(), Some(1));
        for words in [text(&mount.0), "Read-only file system", "-o"] {
            assert!(said(&run).contains(words), "{}", said(&run));
        }
    }
    assert!(before == (names(&out), outputs(&out)));
    mount.remount("rw");
    assert!(analyze(&out, &["--resume"]).status.success());
    reference.assert_finished(&out, "writable again");
}

fn main() {
    let arguments = Arguments::from_args();
    let mountable = can_mount();
    if !mountable {
        eprintln!("no right to mount here: the tests of full and read-only disks are ignored, not passed");
    }
    let trial = |name: &str, run: fn()| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
    };
    let trials = vec![
        trial("fifty_kills", fifty_kills),
        trial("resume_uses_what_is_there", resume_uses_what_is_there),
        trial("what_is_not_ours_is_refused", what_is_not_ours_is_refused),
        trial("two_runs_do_not_share_a_folder", two_runs_do_not_share_a_folder),
        trial("temporary_files_of_the_killed_go", temporary_files_of_the_killed_go),
        trial("outputs_never_lie_in_the_evidence", outputs_never_lie_in_the_evidence),
        trial("errors_say_what_and_where", errors_say_what_and_where),
        trial("full_disks", full_disks).with_ignored_flag(!mountable),
        trial("folders_without_the_right_to_write", folders_without_the_right_to_write).with_ignored_flag(!mountable),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}
