//! Evidence is read and nothing else: its content, its times of modification and of access are the same before and after
//! every command, whether it is an image, a folder or a device, on a file system that is mounted read-only or not.
//!
//! What needs a mount or a loop device of its own is listed as ignored where the machine does not let us.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use libtest_mimic::{Arguments, Trial};
use sha2::{Digest, Sha256};

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

/// Path, SHA-256, and the two times in nanoseconds.
type Facts = (PathBuf, String, (i64, i64), (i64, i64));

/// What must not change. The content is read last, and through a door of its own, as reading sets the time of access.
fn facts(place: &Path) -> Vec<Facts> {
    let mut found = Vec::new();
    let facts = fs::symlink_metadata(place).unwrap();
    let times = ((facts.mtime(), facts.mtime_nsec()), (facts.atime(), facts.atime_nsec()));
    if facts.is_dir() {
        let children: Vec<_> = fs::read_dir(place).unwrap().map(|e| e.unwrap().path()).collect();
        children.iter().for_each(|child| found.extend(self::facts(child)));
        found.push((place.to_owned(), children.len().to_string(), times.0, times.1));
        set_accessed(place, times.1);
    } else {
        let hash = Sha256::digest(fs::read(place).unwrap()).iter().map(|b| format!("{b:02x}")).collect();
        found.push((place.to_owned(), hash, times.0, times.1));
        set_accessed(place, times.1);
    }
    found.sort();
    found
}

/// Puts the time of access back; on a file system that is read-only it never changed.
#[expect(clippy::disallowed_methods, reason = "a test's own file")]
fn set_accessed(place: &Path, (seconds, nanos): (i64, i64)) {
    let time = SystemTime::UNIX_EPOCH + Duration::new(u64::try_from(seconds).unwrap(), u32::try_from(nanos).unwrap());
    let times = fs::FileTimes::new().set_accessed(time);
    let _ = File::open(place).unwrap().set_times(times);
}

/// Gives everything in a place old times: a system that notes accesses only now and then notes the next one of these.
#[expect(clippy::disallowed_methods, reason = "a test's own file")]
fn make_old(place: &Path) {
    if place.is_dir() {
        fs::read_dir(place).unwrap().for_each(|e| make_old(&e.unwrap().path()));
    }
    let day = Duration::from_secs(86_400);
    let now = SystemTime::now();
    let times = fs::FileTimes::new().set_accessed(now - 30 * day).set_modified(now - 10 * day);
    File::open(place).unwrap().set_times(times).unwrap();
}

/// Every command that opens evidence; for a second name of the same evidence, two of them.
fn every_command(evidence: &Path, kind: Kind, out: &Path) {
    let evidence = text(evidence);
    let (cased, files, rows) = (out.join("case"), out.join("files"), out.join("t.jsonl"));
    let mut commands: Vec<Vec<&str>> = vec![vec!["timeline", evidence, "-o", text(&rows)], vec!["info", evidence]];
    if kind != Kind::OtherName {
        commands.extend([
            vec!["analyze", evidence, "-o", text(&cased)],
            vec!["ls", evidence, "/", "--recursive"],
            vec!["cat", evidence, "/Users/tanaka.yuki/NTUSER.DAT"],
            vec!["extract", evidence, "-o", text(&files)],
        ]);
    }
    if kind == Kind::Image {
        commands.extend([vec!["verify", evidence], vec!["ls", evidence, "--deleted"], vec!["emocheck", evidence]]);
    }
    for command in &commands {
        let run = emotrace(command);
        // emocheck: 1 is infected; verify of a raw image: 5, no hash stored.
        let code = run.status.code();
        let fine = matches!((command[0], code), (_, Some(0 | 3)) | ("emocheck", Some(1)) | ("verify", Some(5)));
        assert!(fine, "{command:?}: {}", said(&run));
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Image,
    Folder,
    OtherName,
}

/// What lies in it.
const PLACES: [&str; 4] = ["case.E01", "raw.001", "raw.002", "triage"];

/// A folder with evidence of each kind: an image, a split raw image, a triage folder, and links to them.
fn evidence_in(folder: &Path) -> [(PathBuf, Kind); 4] {
    let image = folder.join("case.E01");
    fs::copy(case(), &image).unwrap();
    let source = emotrace_core::source::Source::open(&[case()]).unwrap();
    let mut media = vec![0; usize::try_from(emotrace_core::bytes::ReadAt::len(&source)).unwrap()];
    emotrace_core::bytes::read_exact_at(&source, 0, &mut media).unwrap();
    let (first, second) = media.split_at(media.len() / 2);
    fs::write(folder.join("raw.001"), first).unwrap();
    fs::write(folder.join("raw.002"), second).unwrap();
    let triage = folder.join("triage");
    let run = emotrace(&["extract", text(&image), "-o", text(&triage)]);
    assert!(run.status.success(), "{}", said(&run));
    fs::create_dir(folder.join("links")).unwrap();
    let link = folder.join("links/link");
    std::os::unix::fs::symlink(&image, &link).unwrap();
    let raw = folder.join("raw.001");
    [(image, Kind::Image), (raw, Kind::OtherName), (triage, Kind::Folder), (link, Kind::OtherName)]
}

/// True if this file system notes accesses at all, and lets old ones be set: else nothing could be seen here.
fn notes_accesses(folder: &Path) -> bool {
    let file = folder.join("probe");
    fs::write(&file, "x").unwrap();
    make_old(&file);
    let before = fs::metadata(&file).unwrap().atime();
    fs::read(&file).unwrap();
    let noted = fs::metadata(&file).unwrap().atime() != before;
    fs::remove_file(file).unwrap();
    noted
}

/// On a file system that is writable, where a careless program would leave its traces.
fn nothing_changes_on_a_writable_disk() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (n, (evidence, kind)) in evidence_in(dir.path()).into_iter().enumerate() {
        let places = PLACES.map(|name| dir.path().join(name));
        places.iter().for_each(|place| make_old(place));
        let all = || places.iter().flat_map(|place| facts(place)).collect::<Vec<_>>();
        let before = all();
        let place = out.path().join(n.to_string());
        fs::create_dir(&place).unwrap();
        every_command(&evidence, kind, &place);
        let after = all();
        assert_eq!(before.len(), after.len());
        for (was, is) in before.iter().zip(&after) {
            assert_eq!(was, is, "{}", evidence.display());
        }
    }
}

/// On a file system that is mounted read-only, as evidence should be.
fn everything_works_on_a_read_only_mount() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mount = Mount::new(dir.path(), "size=256m,strictatime").unwrap();
    let evidence = evidence_in(dir.path());
    mount.remount_read_only();
    assert!(fs::write(dir.path().join("x"), "").is_err(), "the mount is read-only");
    let all = || PLACES.iter().flat_map(|name| facts(&dir.path().join(name))).collect::<Vec<_>>();
    let before = all();
    for (n, (evidence, kind)) in evidence.into_iter().enumerate() {
        let place = out.path().join(n.to_string());
        fs::create_dir(&place).unwrap();
        every_command(&evidence, kind, &place);
    }
    assert!(before == all());
}

/// A link is followed and named; so is a device.
fn links_are_named() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let image = dir.path().join("case.E01");
    fs::copy(case(), &image).unwrap();
    let link = dir.path().join("to-the-image");
    std::os::unix::fs::symlink("case.E01", &link).unwrap();
    let words = format!("symbolic link to {}, a file", image.canonicalize().unwrap().display());
    assert_named(&link, &words, out.path());
    let plain = emotrace(&["info", text(&image), "--json"]);
    let info: serde_json::Value = serde_json::from_slice(&plain.stdout).unwrap();
    assert_eq!(info["given"][0]["is"], "file");
}

fn assert_named(evidence: &Path, words: &str, out: &Path) {
    let info = emotrace(&["info", text(evidence)]);
    assert!(info.status.success(), "{}", said(&info));
    assert!(String::from_utf8_lossy(&info.stdout).contains(words), "{}", String::from_utf8_lossy(&info.stdout));
    let out = out.join(evidence.file_name().unwrap());
    let run = emotrace(&["analyze", text(evidence), "-o", text(&out), "--no-detect"]);
    assert!(run.status.success(), "{}", said(&run));
    let manifest = fs::read(out.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["evidence"]["given"][0]["is"], words);
}

/// A block device over a raw image gives what the image gives, and is not written to. Its length is in no metadata.
fn devices_are_read_like_images() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    evidence_in(dir.path());
    let raw = dir.path().join("whole.dd");
    let parts = ["raw.001", "raw.002"].map(|n| fs::read(dir.path().join(n)).unwrap());
    fs::write(&raw, parts.concat()).unwrap();
    let device = Loop::new(&raw).unwrap();
    let before = facts(&raw)[0].1.clone();
    assert_named(&device.0, "block device", out.path());
    let link = dir.path().join("disk-by-id");
    std::os::unix::fs::symlink(&device.0, &link).unwrap();
    assert_named(&link, &format!("symbolic link to {}, a block device", device.0.display()), out.path());
    every_command(&device.0, Kind::Image, out.path());
    let rows = |evidence: &Path| emotrace(&["timeline", text(evidence)]).stdout;
    assert!(rows(&device.0) == rows(&case()), "the device gives the rows of the image");
    assert_eq!(facts(&raw)[0].1, before);
    // A second node of the same device is the same evidence.
    let refused = emotrace(&["timeline", text(&device.0), "-o", text(&link)]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("lies in the evidence"), "{}", said(&refused));
}

/// A file system of its own, in memory. Unmounted when dropped.
struct Mount(PathBuf);

impl Mount {
    fn new(at: &Path, options: &str) -> Option<Self> {
        let run = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs", text(at)]).output().ok()?;
        run.status.success().then(|| Self(at.to_owned()))
    }

    fn remount_read_only(&self) {
        assert!(Command::new("mount").args(["-o", "remount,ro", text(&self.0)]).status().unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// A loop device over a file, writable as far as the device goes. Let go when dropped.
struct Loop(PathBuf);

impl Loop {
    fn new(file: &Path) -> Option<Self> {
        let run = Command::new("losetup").args(["--find", "--show", text(file)]).output().ok()?;
        let name = String::from_utf8(run.stdout).ok()?;
        run.status.success().then(|| Self(PathBuf::from(name.trim())))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.0).status();
    }
}

fn main() {
    let arguments = Arguments::from_args();
    let dir = tempfile::tempdir().unwrap();
    let mountable = Mount::new(dir.path(), "size=1m").is_some();
    let file = dir.path().join("file");
    fs::write(&file, vec![0; 4096]).unwrap();
    let loops = Loop::new(&file).is_some();
    let noted = notes_accesses(dir.path());
    if !mountable {
        eprintln!("no right to mount here: the test on a read-only mount is ignored, not passed");
    }
    if !loops {
        eprintln!("no loop devices here: the test of devices is ignored, not passed");
    }
    if !noted {
        eprintln!("this file system notes no accesses: the test of what changes is ignored, not passed");
    }
    let trial = |name: &str, run: fn(), runs: bool| {
        let trial = Trial::test(name, move || {
            run();
            Ok(())
        });
        trial.with_ignored_flag(!runs)
    };
    let trials = vec![
        trial("nothing_changes_on_a_writable_disk", nothing_changes_on_a_writable_disk, noted),
        trial("everything_works_on_a_read_only_mount", everything_works_on_a_read_only_mount, mountable),
        trial("links_are_named", links_are_named, true),
        trial("devices_are_read_like_images", devices_are_read_like_images, loops),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}
