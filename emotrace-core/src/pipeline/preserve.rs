//! Copies files out of the evidence, byte for byte, with their streams and a manifest of SHA-256 values.
//!
//! The copies lie under `DIR/<volume>%3A/…`, the layout that triage collectors use, so that the folder can be read as
//! evidence again. Names come from the evidence and may be hostile: whatever could lead out of the folder, or has a
//! meaning of its own on some system, is written as `%XX`; names that differ by case only get numbers, so that the folder can
//! be carried to any system; paths that no system takes lie under `%long/`. The manifest has every path as it was.
//!
//! Nothing is followed: a link that somebody puts into the folder while it is filled ends the run.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::address::{Address, Target};
use super::evidence::{Evidence, Mounted};
use super::plan::Plan;
use super::progress::Progress;
use super::run::{Options, Selection};
use super::{RunError, hives};
use crate::bytes::SeekReader;
use crate::bytes::text::to_utf16;
use crate::export::OutputFile;
use crate::filesystem::glob::{Pattern, folded};
use crate::model::{FileEntry, FileReference, Timestamp};

/// Most bytes of a name on the examiner's file system.
const MAX_NAME: usize = 200;
/// Most bytes of a path below the output folder. Linux takes 4,096 for a whole path, macOS 1,024.
const MAX_PATH: usize = 800;
/// The folder of what has a longer one. No name of the evidence is written so: a `%` of its own would be `%25`.
const LONG: &str = "%long";

/// One copied stream, as the manifest lists it.
#[derive(Clone, Debug, Serialize)]
pub struct Copied {
    /// Path in the evidence.
    pub path: String,
    /// Named stream.
    pub stream: Option<String>,
    /// Volume in the evidence.
    pub volume: Option<String>,
    /// Number of the shadow copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<u32>,
    /// MFT record.
    pub record: Option<String>,
    /// The record was not in use: other files may have written over the content.
    pub deleted: bool,
    /// Of a deleted record, what may still be there of the content: `resident`, `free`, `partly_reused`, `reused`, `unknown`.
    pub recoverable: Option<&'static str>,
    /// Clusters of a partly reused stream that are free now.
    pub clusters_free: Option<u64>,
    /// All clusters of a partly reused stream.
    pub clusters: Option<u64>,
    /// Length in bytes.
    pub size: u64,
    /// SHA-256 of the copy; absent if it could not be made.
    pub sha256: Option<String>,
    /// Where the copy lies, from the output folder.
    pub copy: Option<String>,
    /// `$SI` times in the evidence.
    pub modified: Option<String>,
    /// `$SI` creation time.
    pub created: Option<String>,
    /// Why there is no copy.
    pub error: Option<String>,
}

/// Which files to copy.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Patterns of paths, or streams (`**:Zone.Identifier`), or records (`#42-3`), each with a volume in front or without
    /// (`p1/vss2/Users/**`, see [`Address`]); empty means every file that an artifact reads, and the hives with their logs.
    pub patterns: Vec<String>,
    /// Also copy from deleted records.
    pub deleted: bool,
}

/// Copies what is wanted into a folder. The list is in the order of the evidence.
///
/// # Errors
/// When the output can't be written, or the run was cancelled. A file that can't be read is an entry with an error.
pub fn preserve(
    evidence: &Evidence,
    wanted: &Wanted,
    folder: &Path,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Vec<Copied>, RunError> {
    let mut copied = Vec::new();
    let mut places = Places::new(folder);
    let labels: Vec<&str> = evidence.volumes.iter().filter_map(|v| v.label.as_deref()).collect();
    let asked: Vec<Asked> = wanted.patterns.iter().map(|pattern| Asked::new(pattern, &labels, evidence)).collect();
    let plan = Plan::new(&Selection::default());
    progress.phase("copying", evidence.volumes.iter().map(|v| v.files.parts() as u64).sum());
    for (volume, mounted) in evidence.volumes.iter().enumerate() {
        for part in 0..mounted.files.parts() {
            options.check()?;
            let mut entries = Vec::new();
            mounted.files.walk(part, &mut |entry| entries.push(entry), &mut |_| {});
            let asked: Vec<&Asked> = asked.iter().filter(|asked| asked.is_on(mounted)).collect();
            if asked.is_empty() && !wanted.patterns.is_empty() {
                progress.advance(1);
                continue;
            }
            // A record that is asked for by its number is meant, deleted or not.
            let by_record = |entry: &FileEntry| asked.iter().any(|asked| asked.is_record(entry));
            for entry in entries.iter().filter(|e| wanted.deleted || !e.deleted || by_record(e)) {
                for (path, stream) in wanted_of(&plan, &asked, volume, mounted, entry, wanted.deleted) {
                    options.check()?;
                    copied.push(copy(mounted, entry, &path, &stream, &mut places)?);
                }
            }
            progress.advance(1);
        }
    }
    Ok(copied)
}

/// What is asked for, and where.
struct Asked {
    volume: Option<String>,
    letter: Option<char>,
    snapshot: Option<u32>,
    what: What,
}

enum What {
    Paths(Pattern),
    Record(FileReference, String),
}

impl Asked {
    fn new(text: &str, labels: &[&str], evidence: &Evidence) -> Self {
        // A record's number that can't be read was refused before; as a name it fits nothing.
        let Ok(Address { volume, snapshot, target, stream }) = Address::parse(text, labels) else {
            return Self { volume: None, letter: None, snapshot: None, what: What::Paths(Pattern::new(text)) };
        };
        let letter = volume.as_ref().and_then(|v| v.strip_suffix(':')?.chars().next()).map(|c| c.to_ascii_uppercase());
        // A drive that the evidence does not name is for the eye.
        let known = letter.is_some() && evidence.volumes.iter().any(|mounted| mounted.letter == letter);
        let what = match target {
            Target::Path(path) if stream.is_empty() => What::Paths(Pattern::new(&path)),
            Target::Path(path) => What::Paths(Pattern::new(&format!("{path}:{stream}"))),
            Target::Record(reference) => What::Record(reference, stream),
        };
        Self { volume: volume.filter(|_| letter.is_none()), letter: letter.filter(|_| known), snapshot, what }
    }

    fn is_on(&self, mounted: &Mounted) -> bool {
        self.volume.as_ref().is_none_or(|label| mounted.label.as_ref() == Some(label))
            && self.letter.is_none_or(|letter| mounted.letter == Some(letter))
            && self.snapshot.is_none_or(|number| mounted.snapshot == Some(number))
    }

    /// True if it is this record, by its number.
    fn is_record(&self, entry: &FileEntry) -> bool {
        let fits = |asked: &FileReference, has: FileReference| {
            // A freed record is also meant by the number that the file had.
            let freed = entry.deleted && asked.sequence.wrapping_add(1) == has.sequence;
            asked.record == has.record && (asked.sequence == 0 || asked.sequence == has.sequence || freed)
        };
        matches!(&self.what, What::Record(asked, _) if entry.reference.is_some_and(|has| fits(asked, has)))
    }

    /// True if it is this stream of the entry, by this path.
    fn is(&self, entry: &FileEntry, path: &str, stream: &str) -> bool {
        match &self.what {
            // A pattern for a file means all its streams.
            What::Paths(pattern) => {
                pattern.matches(path, stream) || pattern.stream().is_empty() && pattern.matches(path, "")
            }
            What::Record(_, asked) => self.is_record(entry) && (asked.is_empty() || folded(asked) == stream),
        }
    }
}

/// Paths and streams of an entry that are to be copied, each once.
fn wanted_of(
    plan: &Plan,
    asked: &[&Asked],
    volume: usize,
    mounted: &Mounted,
    entry: &FileEntry,
    deleted: bool,
) -> Vec<(String, String)> {
    let mut places: Vec<(String, String)> = Vec::new();
    if asked.is_empty() {
        let mut found = Vec::new();
        plan.find(volume, mounted, entry, &mut found);
        places.extend(found.into_iter().map(|f| (f.path, f.stream)));
        let is_log = |path: &str| {
            let lower = folded(path);
            hives::LOG_SUFFIXES.iter().any(|s| lower.strip_suffix(&folded(s)).is_some_and(hives::is_hive_path))
        };
        places.extend(entry.links().filter(|l| is_log(&l.path)).map(|l| (l.path.clone(), String::new())));
    } else {
        for stream in &entry.streams {
            let name = folded(&stream.name);
            // A deleted file is meant by a pattern only where such are asked for.
            let counts = |asked: &&&Asked| deleted || !entry.deleted || asked.is_record(entry);
            let hit = |path: &str| asked.iter().filter(counts).any(|asked| asked.is(entry, path, &name));
            let link = entry.links().find(|link| hit(&folded(&link.path)));
            places.extend(link.map(|l| (l.path.clone(), stream.name.clone())));
            // What has no name can still be asked for by its number.
            if entry.names.is_empty() && hit("") {
                let record = entry.reference.map(|r| format!("\\#{r}")).unwrap_or_default();
                places.push((record, stream.name.clone()));
            }
        }
    }
    places.sort();
    places.dedup();
    places
}

fn copy(
    mounted: &Mounted,
    entry: &FileEntry,
    path: &str,
    stream: &str,
    places: &mut Places<'_>,
) -> Result<Copied, RunError> {
    let time = |t: Option<Timestamp>| t.map(|t| t.to_string());
    let times = entry.standard_information.map(|s| s.times).unwrap_or_default();
    let grade = entry.stream(stream).and_then(|facts| facts.recoverable);
    let mut copied = Copied {
        path: mounted.display_path(path),
        stream: (!stream.is_empty()).then(|| stream.to_owned()),
        volume: mounted.label.clone(),
        snapshot: mounted.snapshot,
        record: entry.reference.map(|r: FileReference| r.to_string()),
        deleted: entry.deleted,
        recoverable: grade.map(|grade| grade.name()),
        clusters_free: grade.and_then(|grade| grade.clusters()).map(|(free, _)| free),
        clusters: grade.and_then(|grade| grade.clusters()).map(|(_, total)| total),
        size: entry.stream(stream).map_or(0, |s| s.size),
        sha256: None,
        copy: None,
        modified: time(times.modified),
        created: time(times.created),
        error: None,
    };
    let data = match mounted.files.open(entry, stream) {
        Ok(data) => data,
        Err(error) => {
            copied.error = Some(error.to_string());
            return Ok(copied);
        }
    };
    let place = match places.make(&safe_path(mounted, path, stream, entry)) {
        Ok(place) => place,
        // The examiner's file system does not take the name; the next one may be an easier one.
        Err(error) if error.kind() == io::ErrorKind::InvalidFilename => {
            copied.error = Some(format!("no copy can be made under this name: {error}"));
            return Ok(copied);
        }
        Err(error) => return Err(error.into()),
    };
    let mut out = OutputFile::create_new(&places.folder.join(&place))?;
    let mut reader = SeekReader::new(data);
    let mut buffer = vec![0; 1 << 20];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => out.write_all(&buffer[..n])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                copied.error = Some(error.to_string());
                return Ok(copied);
            }
        }
    }
    let finished = out.finish()?;
    copied.size = finished.bytes;
    copied.sha256 = Some(finished.sha256);
    copied.copy = Some(place.to_string_lossy().into_owned());
    Ok(copied)
}

/// The place of a copy below the output folder.
fn safe_path(mounted: &Mounted, path: &str, stream: &str, entry: &FileEntry) -> PathBuf {
    let label =
        mounted.letter.map(String::from).or_else(|| mounted.label.clone()).unwrap_or_else(|| "files".to_owned());
    // A shadow copy lies beside the drives, not among them: read as evidence again, the folder shows the live volume.
    let label = mounted.snapshot.map_or_else(|| format!("{label}:"), |number| format!("{label}-vss{number}"));
    let mut place = PathBuf::from(safe_name(&label));
    let mut parts: Vec<&str> = path.split('\\').filter(|p| !p.is_empty()).collect();
    let last = parts.pop().unwrap_or("root");
    place.extend(parts.into_iter().map(safe_name));
    let name = if stream.is_empty() { last.to_owned() } else { format!("{last}:{stream}") };
    let mut name = safe_name(&name);
    if entry.deleted {
        // A live file may lie at the same path.
        let record = entry.reference.map(|r| r.to_string()).unwrap_or_default();
        name = format!("{name}%23{record}");
    }
    place.push(&name);
    if place.as_os_str().len() > MAX_PATH {
        let hash: String = sha256_hex(format!("{path}:{stream}").as_bytes()).chars().take(16).collect();
        return PathBuf::from(safe_name(&label)).join(LONG).join(format!("{hash}~{name}"));
    }
    place
}

/// A name that has no meaning to any file system: `%XX` for separators, control and invisible characters, for the first
/// character of `.`, `..` and the names of DOS devices, and for a dot or blank at the end. Names that are too long are cut
/// and marked with their own hash.
fn safe_name(name: &str) -> String {
    const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "com", "lpt", "conin$", "conout$", "clock$"];
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let is_device = DEVICES.iter().any(|device| {
        stem.strip_prefix(device)
            .is_some_and(|rest| rest.is_empty() || rest.chars().all(|c| c.is_ascii_digit() || "¹²³".contains(c)))
    });
    let mut safe = String::with_capacity(name.len());
    let last = name.chars().count().saturating_sub(1);
    for (i, c) in name.chars().enumerate() {
        let forbidden = c.is_control()
            || "\\/:*?\"<>|%".contains(c)
            || crate::export::escape::visible(&c.to_string()) != c.to_string();
        let at_edge = (i == 0 && (is_device || name == "." || name == "..")) || (i == last && (c == '.' || c == ' '));
        if forbidden || at_edge {
            for byte in bytes_of(c) {
                safe.push_str(&format!("%{byte:02X}"));
            }
        } else {
            safe.push(c);
        }
    }
    if safe.len() > MAX_NAME {
        let hash: String = sha256_hex(name.as_bytes()).chars().take(16).collect();
        let end = (0..=MAX_NAME).rev().find(|at| safe.is_char_boundary(*at)).unwrap_or(0);
        safe.truncate(end);
        safe = format!("{safe}~{hash}");
    }
    if safe.is_empty() { "%00".to_owned() } else { safe }
}

/// A character in UTF-8; one that stands for a lone surrogate as the surrogate itself (WTF-8), so that the name is the same
/// when the folder is read as evidence.
fn bytes_of(c: char) -> Vec<u8> {
    let text = c.to_string();
    match to_utf16(&text).as_slice() {
        [unit @ 0xd800..=0xdfff] => {
            let low = |shift: u16| (unit >> shift & 0x3f) as u8 | 0x80;
            vec![0xed, low(6), low(0)]
        }
        _ => text.into_bytes(),
    }
}

fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The places of the copies below the output folder. Names that differ by case only are one name on many systems.
struct Places<'f> {
    folder: &'f Path,
    /// Folded paths of files, and of folders.
    files: HashSet<String>,
    folders: HashSet<String>,
    /// The last number that was given behind each folded path.
    numbers: HashMap<String, u32>,
}

impl<'f> Places<'f> {
    fn new(folder: &'f Path) -> Self {
        Self { folder, files: HashSet::new(), folders: HashSet::new(), numbers: HashMap::new() }
    }

    /// Makes the folders of a place. Gives the place itself, or one with a number behind it if something lies there already.
    fn make(&mut self, wanted: &Path) -> io::Result<PathBuf> {
        let mut place = PathBuf::new();
        for name in wanted.parent().into_iter().flat_map(Path::components) {
            let mut name = name.as_os_str().to_owned();
            while self.files.contains(&key(&place.join(&name))) {
                name.push("~folder");
            }
            place.push(name);
            self.make_folder(&place)?;
        }
        let name = wanted.file_name().unwrap_or_default();
        let wanted = key(&place.join(name));
        let mut number = self.numbers.get(&wanted).copied().unwrap_or(0);
        loop {
            number = number.saturating_add(1);
            let mut numbered = name.to_owned();
            if number > 1 {
                numbered.push(format!("~{number}"));
            }
            let candidate = place.join(numbered);
            let own = key(&candidate);
            let known = self.files.contains(&own) || self.folders.contains(&own);
            if !known && fs::symlink_metadata(self.folder.join(&candidate)).is_err() {
                self.files.insert(own);
                self.numbers.insert(wanted, number);
                return Ok(candidate);
            }
        }
    }

    /// Makes one folder, or makes sure that it is one: nothing is written through a link.
    fn make_folder(&mut self, place: &Path) -> io::Result<()> {
        let full = self.folder.join(place);
        match fs::create_dir(&full) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        if !fs::symlink_metadata(&full)?.is_dir() {
            let why = format!("{} is no folder that was made here, and nothing is written through it", full.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        self.folders.insert(key(place));
        Ok(())
    }
}

/// What two paths have in common that are one on a system that folds case.
fn key(place: &Path) -> String {
    place.to_string_lossy().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out() {
        for (hostile, safe) in [
            ("..", "%2E%2E"),
            (".", "%2E"),
            ("a/b", "a%2Fb"),
            ("a\\b", "a%5Cb"),
            ("x:y", "x%3Ay"),
            ("NUL", "%4EUL"),
            ("com1.txt", "%63om1.txt"),
            ("com1x.txt", "com1x.txt"),
            ("trail. ", "trail.%20"),
            ("50%", "50%25"),
            ("a\0b", "a%00b"),
            ("evil\u{202e}txt", "evil%E2%80%AEtxt"),
            ("請求書.doc", "請求書.doc"),
            ("lone\u{10f83d}", "lone%ED%A0%BD"),
            ("", "%00"),
        ] {
            assert_eq!(safe_name(hostile), safe, "{hostile:?}");
        }
        let long = safe_name(&"長".repeat(255));
        assert!(long.len() < 255 && long != safe_name(&"長".repeat(254)));
    }

    #[test]
    fn places_that_are_asked_for() {
        let mounted = |label: &str, snapshot| Mounted {
            snapshot,
            ..Mounted::folder(
                Some(label.to_owned()),
                Some('C'),
                std::sync::Arc::new(crate::filesystem::Folder::of_metafiles(vec![])),
            )
        };
        let volumes = vec![mounted("p1", None), mounted("p1", Some(2)), mounted("p2", None)];
        let evidence = Evidence { volumes, ..Evidence::empty(String::new(), &[]) };
        let on = |text: &str| -> Vec<bool> {
            let asked = Asked::new(text, &["p1", "p2"], &evidence);
            evidence.volumes.iter().map(|mounted| asked.is_on(mounted)).collect()
        };
        assert_eq!(on("p1/Users/**"), [true, true, false]);
        assert_eq!(on("p1/vss2/Users/**"), [false, true, false]);
        assert_eq!(on("C:/Users/**"), [true, true, true]);
        // No volume has that letter: it is for the eye.
        assert_eq!(on("D:/Users/**"), [true, true, true]);
        assert_eq!(on("#42-3"), [true, true, true]);
        let entry = FileEntry { reference: Some(FileReference { record: 42, sequence: 3 }), ..FileEntry::default() };
        let is = |text: &str, path: &str, stream: &str| Asked::new(text, &["p1"], &evidence).is(&entry, path, stream);
        assert!(is("#42-3", "", "") && is("#42", "", "ads") && is("p1/#42-3:ADS", "", "ads"));
        assert!(!is("#42-4", "", "") && !is("#42-3:ads", "", "") && !is("#42-2", "", ""));
        let deleted = FileEntry { deleted: true, ..entry.clone() };
        assert!(Asked::new("#42-2", &["p1"], &evidence).is_record(&deleted), "the number that it had");
        assert!(is("**:Zone.Identifier", r"\a\b", "zone.identifier") && !is("**:Zone.Identifier", r"\a\b", ""));
        assert!(is(r"C:\a\*", r"\a\b", "ads"), "all streams");
    }

    #[test]
    fn names_that_are_taken_get_a_number() {
        let dir = tempfile::tempdir().unwrap();
        let mut places = Places::new(dir.path());
        let mut made = |wanted: &str| {
            let place = places.make(Path::new(wanted)).unwrap();
            fs::write(dir.path().join(&place), wanted).unwrap();
            place.to_str().unwrap().to_owned()
        };
        assert_eq!(made("d/a.txt"), "d/a.txt");
        assert_eq!(made("d/A.TXT"), "d/A.TXT~2");
        assert_eq!(made("D/a.txt"), "D/a.txt~3");
        assert_eq!(made("d/a.txt~4"), "d/a.txt~4");
        assert_eq!(made("d/a.txt"), "d/a.txt~5");
        // A folder where a file lies, and a file where a folder lies.
        assert_eq!(made("d/A.txt/b"), "d/A.txt~folder/b");
        assert_eq!(made("d"), "d~2");
        assert_eq!(made("d/c"), "d/c");
        fs::write(dir.path().join("there"), "").unwrap();
        assert_eq!(made("there"), "there~2");
    }

    /// A link that was planted where a folder or a file will be made leads nowhere.
    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut places = Places::new(dir.path());
        std::os::unix::fs::symlink(outside.path(), dir.path().join("C%3A")).unwrap();
        let error = places.make(Path::new("C%3A/Users/a.txt")).unwrap_err();
        assert!(error.to_string().contains("C%3A"), "{error}");
        let victim = outside.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, dir.path().join("b.txt")).unwrap();
        std::os::unix::fs::symlink(&victim, dir.path().join("b.txt~2.partial")).unwrap();
        let place = places.make(Path::new("b.txt")).unwrap();
        assert_eq!(place, Path::new("b.txt~2"));
        let mut out = OutputFile::create_new(&dir.path().join(place)).unwrap();
        out.write_all(b"copy").unwrap();
        out.finish().unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    }
}
