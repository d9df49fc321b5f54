//! A folder that stands for a volume: a triage collection or any copy of a Windows tree.
//!
//! Only content and paths are evidence here. The times, owners and attributes of the copies belong to the examiner's own
//! file system and are not read.
//!
//! Layouts that are known: KAPE (`C\Windows\…`), Velociraptor (`uploads/auto/C%3A/…`, `uploads/ntfs/%5C%5C.%5CC%3A/…`,
//! names percent-encoded), and a plain copy whose root holds `Windows`, `Users` and the like. NTFS's own files (`$MFT`, the change
//! journal …) are known in the root and in `$Extend`, by name or by content, and stand at the places that they have on a volume.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{FileSystem, FileSystemFacts, FileSystemIssue, Metafile};
use crate::bytes::{ReadAt, text};
use crate::model::{FileEntry, FileName, FileReference, Loss, MacbTimes, Namespace, StreamFacts};
use crate::source::{EvidenceFile, SourceError, folder_names};

/// How deep a drive root may lie in a collection, and how deep a tree is followed.
const MAX_ROOT_DEPTH: usize = 6;
const MAX_DEPTH: usize = 256;
/// Files in a root whose content is looked at.
const MAX_LOOKED_AT: usize = 256;

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
    /// `None` for single files that are no tree.
    root: Option<PathBuf>,
    letter: Option<char>,
    percent_encoded: bool,
    metafiles: Vec<(Metafile, PathBuf)>,
    /// Files that could be the same metafile as one that was taken.
    doubles: Vec<PathBuf>,
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
            found.push(Self::at(folder, None, false));
        }
        Ok(found)
    }

    fn at(root: &Path, letter: Option<char>, percent_encoded: bool) -> Self {
        let root = Some(root.to_owned());
        let mut folder = Self { root, letter, percent_encoded, metafiles: Vec::new(), doubles: Vec::new() };
        folder.find_metafiles();
        folder
    }

    /// Copies of NTFS's own files that lie anywhere, without a tree around them. Of two of one kind the first is taken.
    pub fn of_metafiles(files: Vec<(Metafile, PathBuf)>) -> Self {
        let (letter, percent_encoded) = (None, false);
        let mut folder = Self { root: None, letter, percent_encoded, metafiles: Vec::new(), doubles: Vec::new() };
        files.into_iter().for_each(|(kind, path)| folder.add_metafile(kind, path));
        folder
    }

    /// Looks for copies of NTFS's own files in the root and in `$Extend`: by name in both, by content in the root alone.
    fn find_metafiles(&mut self) {
        let Some(root) = &self.root else { return };
        let children = self.children(root).unwrap_or_default();
        let is = |place: &Path, kind: fn(&fs::Metadata) -> bool| fs::symlink_metadata(place).is_ok_and(|f| kind(&f));
        let is_folder = |place: &Path| is(place, fs::Metadata::is_dir);
        let extend = children.iter().find(|(name, place)| name.eq_ignore_ascii_case("$Extend") && is_folder(place));
        let extend = extend.and_then(|(_, place)| self.children(place).ok()).unwrap_or_default();
        let files = |children: Vec<(String, PathBuf)>| {
            children.into_iter().filter(|(_, place)| is(place, fs::Metadata::is_file))
        };
        let (mut named, mut others) = (Vec::new(), Vec::new());
        for (name, place) in files(extend).chain(files(children)) {
            match Metafile::by_name(&name) {
                Some((rank, kind)) => named.push((rank, kind, place)),
                None => others.push(place),
            }
        }
        // The main stream of `$UsnJrnl` is empty; what is empty is not what is looked for.
        named.retain(|(_, _, place)| fs::metadata(place).is_ok_and(|facts| facts.len() > 0));
        named.sort_by_key(|(rank, ..)| *rank);
        named.into_iter().for_each(|(_, kind, place)| self.add_metafile(kind, place));
        others.retain(|place: &PathBuf| place.parent() == self.root.as_deref());
        for place in others.into_iter().take(MAX_LOOKED_AT) {
            let kind = EvidenceFile::open(&place).ok().and_then(|file| Metafile::by_content(&file));
            if let Some(kind) = kind {
                self.add_metafile(kind, place);
            }
        }
    }

    fn add_metafile(&mut self, kind: Metafile, place: PathBuf) {
        if self.metafiles.iter().any(|(known, _)| *known == kind) {
            self.doubles.push(place);
        } else {
            self.metafiles.push((kind, place));
        }
    }

    /// The place of the copy of one of NTFS's own files.
    pub fn metafile(&self, kind: Metafile) -> Option<&Path> {
        self.metafiles.iter().find(|(known, _)| *known == kind).map(|(_, place)| place.as_path())
    }

    /// The copies of NTFS's own files, opened.
    ///
    /// # Errors
    /// When one can't be opened.
    pub fn open_metafiles(&self) -> io::Result<Vec<(Metafile, Arc<dyn ReadAt>)>> {
        let open = |(kind, place): &(Metafile, PathBuf)| {
            let file = EvidenceFile::open(place).map_err(io::Error::other)?;
            Ok((*kind, Arc::new(file) as Arc<dyn ReadAt>))
        };
        self.metafiles.iter().map(open).collect()
    }

    /// Drive letter, where the collection names it.
    pub const fn letter(&self) -> Option<char> {
        self.letter
    }

    /// The folder on the examiner's machine; `None` for single files.
    pub fn root(&self) -> Option<&Path> {
        self.root.as_deref()
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
        let mut place = self.root.clone().ok_or(io::ErrorKind::NotFound)?;
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
        Ok(self.entry_of(path.to_owned(), place, facts.is_dir(), facts.len()))
    }

    /// A file as the evidence has it. Copies of NTFS's own files stand at the places that those have on a volume.
    fn entry_of(&self, path: String, place: &Path, directory: bool, size: u64) -> FileEntry {
        let (path, stream) = match self.metafiles.iter().find(|(_, copy)| copy == place) {
            Some((kind, _)) => {
                let (path, stream) = kind.place();
                (path.to_owned(), stream.to_owned())
            }
            None => split_stream(path),
        };
        entry(path, stream, directory, size)
    }

    /// The entry of a file of which the collection holds nothing but a stream.
    fn stream_alone(&self, path: &str) -> Option<FileEntry> {
        let (folder, name) = path.rsplit_once('\\')?;
        let parent = self.resolve(folder).ok()?;
        self.children(&parent).ok()?.into_iter().find_map(|(child, place)| {
            let size = fs::symlink_metadata(&place).ok()?.len();
            let found = self.entry_of(format!("{folder}\\{child}"), &place, false, size);
            let is_it = found.primary_name().is_some_and(|n| n.name.eq_ignore_ascii_case(name));
            is_it.then_some(found)
        })
    }

    fn metafile_at(&self, path: &str) -> Option<&(Metafile, PathBuf)> {
        self.metafiles.iter().find(|(kind, _)| kind.place().0.eq_ignore_ascii_case(path))
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
                    visit(self.entry_of(path.clone(), &place, facts.is_dir(), facts.len()));
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
        let not_taken = |place: &PathBuf| {
            let name = place.file_name().unwrap_or(place.as_os_str()).to_string_lossy();
            not_read(&name, "one of NTFS's own files, of which another copy was taken")
        };
        self.doubles.iter().map(not_taken).collect()
    }

    fn parts(&self) -> usize {
        1
    }

    fn walk(&self, _part: usize, visit: &mut dyn FnMut(FileEntry), issue: &mut dyn FnMut(FileSystemIssue)) {
        if let Some(root) = &self.root {
            self.walk_below(root, "", 0, visit, issue);
        }
    }

    fn open(&self, entry: &FileEntry, stream: &str) -> io::Result<Arc<dyn ReadAt>> {
        let path = entry.primary_name().map(|n| n.path.as_str()).ok_or(io::ErrorKind::NotFound)?;
        let own = self.metafile_at(path).filter(|(kind, _)| kind.place().1.eq_ignore_ascii_case(stream));
        let place = match (own, stream) {
            (Some((_, place)), _) => place.clone(),
            (None, "") => self.resolve(path)?,
            // Collections that keep streams write them beside the file.
            (None, stream) => self.resolve(&format!("{path}:{stream}"))?,
        };
        // The place on the examiner's machine is no part of what is said of the evidence.
        let file = EvidenceFile::open(&place).map_err(|error| match error {
            SourceError::Open { error, .. } => error,
            other => io::Error::other(other.reason()),
        })?;
        Ok(Arc::new(file))
    }

    fn lookup(&self, path: &str) -> io::Result<FileEntry> {
        let path = path.split(['\\', '/']).filter(|p| !p.is_empty()).fold(String::new(), |all, part| all + "\\" + part);
        if let Some((_, place)) = self.metafile_at(&path) {
            return self.entry_at(&path, place);
        }
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

/// A named stream stands beside its file, as `name:stream`.
fn split_stream(path: String) -> (String, String) {
    let name = path.rsplit('\\').next().unwrap_or_default();
    match name.split_once(':').map(|(_, stream)| stream.to_owned()) {
        Some(stream) => {
            let end = path.len().saturating_sub(stream.len()).saturating_sub(1);
            (path.get(..end).unwrap_or_default().to_owned(), stream)
        }
        None => (path, String::new()),
    }
}

/// What a folder knows of a file: that it is there, and how long it is.
fn entry(path: String, stream: String, directory: bool, size: u64) -> FileEntry {
    let name = path.rsplit('\\').next().unwrap_or_default().to_owned();
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
        found.push(Folder::at(at, letter, percent_encoded));
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
