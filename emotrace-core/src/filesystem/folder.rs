//! A folder that stands for a volume: a triage collection or any copy of a Windows tree.
//!
//! Only content and paths are evidence here. The times, owners and attributes of the copies belong to the examiner's own
//! file system and are not read.
//!
//! Layouts that are known: KAPE (`C\Windows\…`), Velociraptor (`uploads/auto/C%3A/…`, `uploads/ntfs/%5C%5C.%5CC%3A/…`,
//! names percent-encoded), and a plain copy whose root holds `Windows`, `Users` and the like.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{FileSystem, FileSystemFacts, FileSystemIssue};
use crate::bytes::{ReadAt, text};
use crate::model::{FileEntry, FileName, FileReference, Loss, MacbTimes, Namespace, StreamFacts};
use crate::source::{EvidenceFile, SourceError, folder_names};

/// How deep a drive root may lie in a collection, and how deep a tree is followed.
const MAX_ROOT_DEPTH: usize = 6;
const MAX_DEPTH: usize = 256;

/// Names that lie in the root of a Windows drive. One of them makes a folder a drive root.
const ROOT_NAMES: &[&str] = &[
    "windows",
    "winnt",
    "users",
    "programdata",
    "program files",
    "documents and settings",
    "$recycle.bin",
    "recycler",
    "$extend",
    "$mft",
];

/// One drive of a collection.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    letter: Option<char>,
    percent_encoded: bool,
}

impl Folder {
    /// Finds the drive roots in a collection, in the order of their paths. Without any, the folder itself is taken.
    ///
    /// # Errors
    /// When the folder can't be listed.
    pub fn find(folder: &Path) -> io::Result<Vec<Self>> {
        let mut found = Vec::new();
        find_roots(folder, folder, 0, &mut found)?;
        if found.is_empty() {
            found.push(Self { root: folder.to_owned(), letter: None, percent_encoded: false });
        }
        Ok(found)
    }

    /// Drive letter, where the collection names it.
    pub const fn letter(&self) -> Option<char> {
        self.letter
    }

    /// The folder on the examiner's machine.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A name as it was on the evidence.
    fn name_of(&self, name: &OsStr) -> String {
        let bytes = name.as_encoded_bytes();
        if self.percent_encoded { percent_decoded(bytes) } else { text::from_utf8(bytes) }
    }

    /// Entries of a directory, sorted by name so that every run sees the same order.
    fn children(&self, directory: &Path) -> io::Result<Vec<(String, PathBuf)>> {
        let names = folder_names(directory)?;
        let mut children: Vec<_> = names.iter().map(|name| (self.name_of(name), directory.join(name))).collect();
        children.sort();
        Ok(children)
    }

    /// The place on the examiner's machine of a path of the evidence.
    fn resolve(&self, path: &str) -> io::Result<PathBuf> {
        let mut place = self.root.clone();
        for part in path.split(['\\', '/']).filter(|p| !p.is_empty()) {
            if part == "." || part == ".." {
                return Err(io::ErrorKind::NotFound.into());
            }
            let direct = place.join(part);
            // A name that is written in another way here is looked for among its neighbours.
            place = if self.name_of(part.as_ref()) == part && fs::symlink_metadata(&direct).is_ok() {
                direct
            } else {
                let children = self.children(&place)?;
                let folded = part.to_lowercase();
                let exact = children.iter().position(|(name, _)| name == part);
                // Of names that differ by case only, the very one that was asked for.
                let found = exact.or_else(|| children.iter().position(|(name, _)| name.to_lowercase() == folded));
                found.and_then(|at| children.into_iter().nth(at)).ok_or(io::ErrorKind::NotFound)?.1
            };
        }
        Ok(place)
    }

    fn entry_at(&self, path: &str, place: &Path) -> io::Result<FileEntry> {
        let facts = fs::symlink_metadata(place)?;
        let name = path.rsplit('\\').next().unwrap_or_default().to_owned();
        Ok(entry(path.to_owned(), name, facts.is_dir(), facts.len()))
    }

    /// The entry of a file of which the collection holds nothing but a stream.
    fn stream_alone(&self, path: &str) -> Option<FileEntry> {
        let (folder, name) = path.rsplit_once('\\')?;
        let parent = self.resolve(folder).ok()?;
        self.children(&parent).ok()?.into_iter().find_map(|(child, place)| {
            let found = entry(format!("{folder}\\{child}"), child, false, fs::symlink_metadata(&place).ok()?.len());
            let is_it = found.primary_name().is_some_and(|n| n.name.eq_ignore_ascii_case(name));
            is_it.then_some(found)
        })
    }

    fn walk_below(
        &self,
        directory: &Path,
        path: &str,
        depth: usize,
        visit: &mut dyn FnMut(FileEntry),
        issue: &mut dyn FnMut(FileSystemIssue),
    ) {
        if depth > MAX_DEPTH {
            return issue(not_read(path, format!("more than {MAX_DEPTH} folders deep, not followed")));
        }
        let children = match self.children(directory) {
            Ok(children) => children,
            Err(error) => return issue(not_read(path, error)),
        };
        for (name, place) in children {
            let path = format!("{path}\\{name}");
            match fs::symlink_metadata(&place) {
                Err(error) => issue(not_read(&path, error)),
                Ok(facts) if facts.is_symlink() => {
                    issue(not_read(&path, "a symbolic link on the examiner's machine, not followed"));
                }
                Ok(facts) => {
                    visit(entry(path.clone(), name, facts.is_dir(), facts.len()));
                    if facts.is_dir() {
                        self.walk_below(&place, &path, depth.saturating_add(1), visit, issue);
                    }
                }
            }
        }
    }
}

impl FileSystem for Folder {
    fn facts(&self) -> FileSystemFacts {
        FileSystemFacts { kind: "folder".to_owned(), ..FileSystemFacts::default() }
    }

    fn issues(&self) -> Vec<FileSystemIssue> {
        Vec::new()
    }

    fn parts(&self) -> usize {
        1
    }

    fn walk(&self, _part: usize, visit: &mut dyn FnMut(FileEntry), issue: &mut dyn FnMut(FileSystemIssue)) {
        self.walk_below(&self.root, "", 0, visit, issue);
    }

    fn open(&self, entry: &FileEntry, stream: &str) -> io::Result<Arc<dyn ReadAt>> {
        let path = entry.primary_name().map(|n| n.path.as_str()).ok_or(io::ErrorKind::NotFound)?;
        // Collections that keep streams write them beside the file, under `name:stream`; KAPE writes the journal so.
        let path = match stream {
            "" => path.to_owned(),
            "$J" if self.resolve(r"\$Extend\$J").is_ok() => r"\$Extend\$J".to_owned(),
            stream => format!("{path}:{stream}"),
        };
        // The place on the examiner's machine is no part of what is said of the evidence.
        let file = EvidenceFile::open(&self.resolve(&path)?).map_err(|error| match error {
            SourceError::Open { error, .. } => error,
            other => io::Error::other(other.reason()),
        })?;
        Ok(Arc::new(file))
    }

    fn lookup(&self, path: &str) -> io::Result<FileEntry> {
        let path = path.split(['\\', '/']).filter(|p| !p.is_empty()).fold(String::new(), |all, part| all + "\\" + part);
        match self.resolve(&path) {
            Ok(place) => self.entry_at(&path, &place),
            // A collection may hold a stream of a file without the file itself.
            Err(error) => self.stream_alone(&path).ok_or(error),
        }
    }

    fn entry(&self, _reference: FileReference) -> io::Result<FileEntry> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "a folder has no MFT records"))
    }

    fn list(&self, directory: &FileEntry) -> io::Result<Vec<FileEntry>> {
        let path = directory.primary_name().map(|n| n.path.as_str()).unwrap_or_default();
        self.children(&self.resolve(path)?)?
            .into_iter()
            .map(|(name, place)| self.entry_at(&format!("{path}\\{name}"), &place))
            .collect()
    }
}

/// A file of the evidence as a folder shows it. `name:stream` becomes a named stream, and KAPE's `$Extend\$J` the journal.
fn entry(path: String, name: String, directory: bool, size: u64) -> FileEntry {
    let kape_journal = path.eq_ignore_ascii_case(r"\$Extend\$J");
    let (path, name, stream) = if kape_journal {
        (r"\$Extend\$UsnJrnl".to_owned(), "$UsnJrnl".to_owned(), "$J".to_owned())
    } else if let Some((file, stream)) = name.split_once(':') {
        let path = path.get(..path.len().saturating_sub(stream.len()).saturating_sub(1)).unwrap_or_default();
        (path.to_owned(), file.to_owned(), stream.to_owned())
    } else {
        (path, name, String::new())
    };
    let streams =
        if directory { Vec::new() } else { vec![StreamFacts { name: stream, size, ..StreamFacts::default() }] };
    FileEntry {
        directory,
        streams,
        names: vec![FileName {
            name,
            path,
            parent: FileReference::default(),
            namespace: Namespace::Win32,
            times: MacbTimes::default(),
            orphan: false,
        }],
        ..FileEntry::default()
    }
}

fn not_read(place: &str, error: impl ToString) -> FileSystemIssue {
    FileSystemIssue { record: None, offset: None, loss: Loss::Whole, error: format!("{place}: {}", error.to_string()) }
}

fn find_roots(folder: &Path, at: &Path, depth: usize, found: &mut Vec<Folder>) -> io::Result<()> {
    let names = folder_names(at)?;
    let is_root = names.iter().any(|n| ROOT_NAMES.iter().any(|root| n.eq_ignore_ascii_case(root)));
    if is_root {
        let inside = at.strip_prefix(folder).unwrap_or(at);
        // Velociraptor encodes names in its uploads; the drive's own folder shows it.
        let percent_encoded = inside.components().any(|c| c.as_os_str().to_string_lossy().contains("%3A"));
        let letter = at.file_name().and_then(|name| drive_letter(&percent_decoded(name.as_encoded_bytes())));
        found.push(Folder { root: at.to_owned(), letter, percent_encoded });
    } else if depth < MAX_ROOT_DEPTH {
        for child in names {
            let child = at.join(child);
            if fs::symlink_metadata(&child).is_ok_and(|facts| facts.is_dir()) {
                // A folder that can't be listed is reported by the walk, if it lies in a root at all.
                let _ = find_roots(folder, &child, depth.saturating_add(1), found);
            }
        }
    }
    Ok(())
}

/// `C`, `C:`, `C_` (some collectors) and `\\.\C:` name a drive.
fn drive_letter(name: &str) -> Option<char> {
    let name = name.trim_start_matches(r"\\.\").trim_end_matches([':', '_']);
    let mut chars = name.chars();
    match (chars.next(), chars.next()) {
        (Some(letter), None) if letter.is_ascii_alphabetic() => Some(letter.to_ascii_uppercase()),
        _ => None,
    }
}

fn percent_decoded(name: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&first, after)) = rest.split_first() {
        let decoded = (first == b'%')
            .then(|| after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok()))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match decoded {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    text::from_utf8(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let place = dir.path().join(file);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, file).unwrap();
        }
        dir
    }

    fn paths(folder: &Folder) -> Vec<String> {
        let mut paths = Vec::new();
        let mut visit = |e: FileEntry| {
            let stream = e.streams.first().map(|s| s.name.clone()).unwrap_or_default();
            paths.push(e.names[0].path.clone() + if stream.is_empty() { "" } else { ":" } + &stream);
        };
        folder.walk(0, &mut visit, &mut |i| panic!("{i:?}"));
        paths
    }

    #[test]
    fn kape_layout() {
        let dir = tree(&["C/Windows/System32/config/SYSTEM", "C/$Extend/$J", "ConsoleLog.txt", "D/Users/x/a.lnk"]);
        let roots = Folder::find(dir.path()).unwrap();
        assert_eq!(roots.iter().map(Folder::letter).collect::<Vec<_>>(), [Some('C'), Some('D')]);
        assert!(paths(&roots[0]).contains(&r"\$Extend\$UsnJrnl:$J".to_owned()));
        let journal = roots[0].lookup(r"\$Extend\$UsnJrnl").unwrap();
        assert_eq!(roots[0].open(&journal, "$J").unwrap().len(), "C/$Extend/$J".len() as u64);
        let entry = roots[0].lookup(r"\windows\SYSTEM32\Config\system").unwrap();
        assert_eq!(entry.main_stream().unwrap().size, 32);
    }

    #[test]
    fn velociraptor_layout() {
        let log = "uploads/auto/C%3A/Windows/System32/winevt/Logs/A%254Operational.evtx";
        let dir = tree(&[log, "uploads/auto/C%3A/Users/u/b.doc%3AZone.Identifier", "results/x.json"]);
        let roots = Folder::find(dir.path()).unwrap();
        assert_eq!(roots.len(), 1);
        assert_eq!(roots[0].letter(), Some('C'));
        let paths = paths(&roots[0]);
        assert!(paths.contains(&r"\Windows\System32\winevt\Logs\A%4Operational.evtx".to_owned()), "{paths:?}");
        assert!(paths.contains(&r"\Users\u\b.doc:Zone.Identifier".to_owned()), "{paths:?}");
        let entry = roots[0].lookup(r"\Windows\System32\winevt\Logs\A%4Operational.evtx").unwrap();
        assert_eq!(roots[0].open(&entry, "").unwrap().len(), log.len() as u64);
    }

    /// The examiner's own file system gives no times.
    #[test]
    fn no_times_are_invented() {
        let dir = tree(&["Windows/notepad.exe"]);
        let entry = Folder::find(dir.path()).unwrap()[0].lookup(r"\Windows\notepad.exe").unwrap();
        assert_eq!(entry.standard_information, None);
        assert_eq!(entry.names[0].times, MacbTimes::default());
    }

    /// Names that differ by case only are two files here, and a name is read as it was, however it is written.
    #[cfg(target_os = "linux")]
    #[test]
    fn each_name_is_its_own_file() {
        use std::os::unix::ffi::OsStrExt;
        let dir = tree(&["C%3A/Windows/A.txt", "C%3A/Windows/a.txt", "C%3A/Windows/B%2541.txt"]);
        let lone = OsStr::from_bytes(b"\xed\xa0\xbd");
        fs::write(dir.path().join("C%3A/Windows").join(lone), "lone").unwrap();
        fs::write(dir.path().join("C%3A/Windows/\u{10f83d}"), "whole").unwrap();
        let root = &Folder::find(dir.path()).unwrap()[0];
        let content = |path: &str| {
            let data = root.open(&root.lookup(path).unwrap(), "").unwrap();
            let mut bytes = vec![0; usize::try_from(data.len()).unwrap()];
            crate::bytes::read_exact_at(&*data, 0, &mut bytes).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        for path in [r"\Windows\A.txt", r"\Windows\a.txt"] {
            assert_eq!(content(path), format!("C%3A{}", path.replace('\\', "/")));
        }
        assert_eq!(content(r"\Windows\b%41.TXT"), "C%3A/Windows/B%2541.txt");
        assert_eq!(content("\\Windows\\\u{10f83d}"), "lone");
        assert_eq!(content("\\Windows\\\u{10fbfe}\u{10fc3d}"), "whole");
    }

    #[test]
    fn a_path_never_leads_out() {
        let dir = tree(&["C/Windows/a", "secret"]);
        let root = &Folder::find(dir.path()).unwrap()[0];
        assert!(root.lookup(r"\..\secret").is_err());
    }
}
