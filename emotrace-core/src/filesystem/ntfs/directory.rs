//! Directories: the `$I30` index, and names compared as the volume compares them.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::io;

use super::reader::AttributeReader;
use super::{FileSystemIssue, NtfsVolume};
use crate::bytes::{FormatError, ReadAt, read_exact_at, read_up_to, text};
use crate::formats::index::{IndexEntry, IndexRoot, Node};
use crate::formats::mft::{FileNameAttribute, attribute_type};
use crate::model::{FileEntry, FileReference, Loss, Namespace, Timestamp};

/// Name of a directory's index.
const I30: &str = "$I30";
/// `$UpCase`.
const UPCASE: FileReference = FileReference { record: 10, sequence: 0 };
const UPCASE_LEN: usize = 65_536;
/// Deeper than any tree that the largest directory needs.
const MAX_DEPTH: usize = 64;
/// Largest index block that is believed. Windows makes blocks of 4096 bytes, or of a cluster.
const MAX_BLOCK: u32 = 2 << 20;

/// Upper case as the volume sees it: one UTF-16 unit for each.
pub(super) struct Upcase(Vec<u16>);

impl Upcase {
    /// The volume's table; where it can't be read, Unicode's simple mapping, which is nearly the same.
    pub(super) fn read(volume: &NtfsVolume) -> Self {
        let mut bytes = vec![0; UPCASE_LEN.saturating_mul(2)];
        let table = volume.attribute(UPCASE, attribute_type::DATA, "");
        if table.is_ok_and(|table| read_exact_at(&table, 0, &mut bytes).is_ok()) {
            return Self(bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect());
        }
        let upper = |unit: u16| {
            let mut upper = char::from_u32(unit.into())?.to_uppercase();
            let one = upper.next().filter(|_| upper.next().is_none())?;
            u16::try_from(u32::from(one)).ok()
        };
        Self((0..=u16::MAX).map(|unit| upper(unit).unwrap_or(unit)).collect())
    }

    pub(super) fn upper(&self, unit: u16) -> u16 {
        self.0.get(usize::from(unit)).copied().unwrap_or(unit)
    }

    /// Compares as the index of a directory is ordered.
    fn compare(&self, a: impl Iterator<Item = u16>, b: impl Iterator<Item = u16>) -> Ordering {
        a.map(|unit| self.upper(unit)).cmp(b.map(|unit| self.upper(unit)))
    }

    /// The order of two names in the index of a directory.
    pub(super) fn order(&self, a: &str, b: &str) -> Ordering {
        let (a, b) = (text::to_utf16(a), text::to_utf16(b));
        self.compare(a.iter().copied(), b.iter().copied()).then_with(|| a.cmp(&b))
    }

    /// True if the names differ in case only.
    pub(super) fn equal(&self, a: &str, b: &str) -> bool {
        self.compare(text::to_utf16(a).into_iter(), text::to_utf16(b).into_iter()).is_eq()
    }
}

/// The index of one directory.
pub(super) struct Index {
    record: u64,
    root: Vec<u8>,
    pub(super) block_size: usize,
    /// Bytes that a child's place counts.
    pub(super) unit: u64,
    pub(super) blocks: Option<AttributeReader>,
}

impl Index {
    pub(super) fn open(volume: &NtfsVolume, directory: FileReference) -> io::Result<Self> {
        Self::open_named(volume, directory, I30)
    }

    /// The index of that name of a file.
    pub(super) fn open_named(volume: &NtfsVolume, directory: FileReference, name: &str) -> io::Result<Self> {
        let reader =
            volume.attribute(directory, attribute_type::INDEX_ROOT, name).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    io::Error::new(io::ErrorKind::NotADirectory, format!("record {directory} has no index of names"))
                }
                _ => error,
            })?;
        let mut root = vec![0; usize::try_from(reader.len().min(volume.record_size())).unwrap_or_default()];
        let got = read_up_to(&reader, 0, &mut root)?;
        root.truncate(got);
        let (head, _) = IndexRoot::parse(&root, 0).map_err(invalid)?;
        let cluster = volume.boot.cluster_size;
        if head.block_size < 256 || head.block_size > MAX_BLOCK {
            let problem = "no size of an index block";
            let value = head.block_size.into();
            return Err(invalid(FormatError::Value { what: "bytes of an index block", offset: 8, value, problem }));
        }
        let blocks = match volume.attribute(directory, attribute_type::INDEX_ALLOCATION, name) {
            Ok(blocks) => Some(blocks),
            Err(error) if error.kind() == io::ErrorKind::NotFound || volume.is_table() => None,
            Err(error) => return Err(error),
        };
        let unit = if head.block_size < cluster { 512 } else { cluster.into() };
        let block_size = usize::try_from(head.block_size).unwrap_or_default();
        Ok(Self { record: directory.record, root, block_size, unit, blocks })
    }

    fn root(&self) -> Result<Node<'_>, FormatError> {
        IndexRoot::parse(&self.root, 0).map(|(_, node)| node)
    }

    /// Reads the block of a child into `buf`.
    fn block<'b>(&self, vcn: u64, buf: &'b mut Vec<u8>) -> Result<Node<'b>, FormatError> {
        let offset = vcn.saturating_mul(self.unit);
        let other = |problem: String| FormatError::Other { what: "index block", offset, problem };
        let blocks = self.blocks.as_ref().ok_or_else(|| other("the directory has no index blocks".into()))?;
        buf.resize(self.block_size, 0);
        read_exact_at(blocks, offset, buf).map_err(|error| other(error.to_string()))?;
        let node = Node::block(buf, offset)?;
        if node.vcn != Some(vcn) {
            return Err(other(format!("it says that its place is {}", node.vcn.unwrap_or_default())));
        }
        if node.bad_fixup {
            return Err(other("its update sequence does not fit".into()));
        }
        Ok(node)
    }

    /// Goes down the tree to one name. The answer is the reference, or whether damage was met on the way.
    fn find(&self, upcase: &Upcase, name: &[u16]) -> Result<Option<FileReference>, FormatError> {
        let mut buf = Vec::new();
        let mut node = self.root()?;
        // Names of the POSIX namespace may differ by case alone; the one written alike goes before.
        let mut alike = None;
        for _ in 0..MAX_DEPTH {
            let mut child = None;
            for entry in node.entries() {
                let entry = entry?;
                child = entry.child;
                if entry.key.is_empty() {
                    break;
                }
                let key = FileNameAttribute::parse(entry.key, entry.offset)?;
                let order = upcase.compare(name.iter().copied(), key.units());
                if order.is_eq() {
                    alike.get_or_insert(entry.reference);
                }
                match order.then_with(|| name.iter().copied().cmp(key.units())) {
                    Ordering::Equal => return Ok(Some(entry.reference)),
                    Ordering::Less => break,
                    // Behind the last entry nothing follows, should the one without a key be lost.
                    Ordering::Greater => child = None,
                }
            }
            match child {
                Some(vcn) => node = self.block(vcn, &mut buf)?,
                None => return Ok(alike),
            }
        }
        Err(FormatError::Other { what: "directory index", offset: 0, problem: "its tree has a circle".into() })
    }

    /// Gives every entry in the order of the tree. Where the tree is damaged, the blocks that it does not lead to are read one
    /// by one behind it. The answer is the places of the blocks that were read.
    pub(super) fn each(
        &self,
        give: &mut dyn FnMut(&IndexEntry<'_>),
        issue: &mut dyn FnMut(FileSystemIssue),
    ) -> HashSet<u64> {
        let mut seen = HashSet::new();
        let mut whole = true;
        let mut fault = |error: FormatError| {
            whole = false;
            issue(FileSystemIssue {
                record: Some(self.record),
                offset: None,
                loss: Loss::Record,
                error: format!("in the index of the directory: {error}"),
            });
        };
        match self.root() {
            Ok(node) => self.each_of(&node, 0, &mut seen, give, &mut fault),
            Err(error) => fault(error),
        }
        if whole {
            return seen;
        }
        let len = self.blocks.as_ref().map_or(0, ReadAt::len);
        let blocks = len.checked_div(self.block_size as u64).unwrap_or(0);
        let mut buf = Vec::new();
        for number in 0..blocks {
            let vcn = number.saturating_mul(self.block_size as u64).checked_div(self.unit).unwrap_or(0);
            if seen.contains(&vcn) {
                continue;
            }
            if let Ok(node) = self.block(vcn, &mut buf) {
                node.entries().map_while(Result::ok).filter(|entry| !entry.key.is_empty()).for_each(|e| give(&e));
                seen.insert(vcn);
            }
        }
        seen
    }

    fn each_of(
        &self,
        node: &Node<'_>,
        depth: usize,
        seen: &mut HashSet<u64>,
        give: &mut dyn FnMut(&IndexEntry<'_>),
        fault: &mut dyn FnMut(FormatError),
    ) {
        for entry in node.entries() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return fault(error),
            };
            if let Some(vcn) = entry.child {
                let mut buf = Vec::new();
                if depth >= MAX_DEPTH || !seen.insert(vcn) {
                    let problem = "its tree has a circle".into();
                    return fault(FormatError::Other { what: "directory index", offset: entry.offset, problem });
                }
                match self.block(vcn, &mut buf) {
                    Ok(child) => self.each_of(&child, depth.saturating_add(1), seen, give, fault),
                    Err(error) => fault(error),
                }
            }
            if !entry.key.is_empty() {
                give(&entry);
            }
        }
    }
}

fn invalid(error: FormatError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl NtfsVolume {
    /// Finds one name in a live directory.
    pub(super) fn find(&self, directory: FileReference, name: &str) -> io::Result<FileReference> {
        if self.is_table() {
            return self.find_in_table(directory, name);
        }
        let index = Index::open(self, directory)?;
        let wanted = text::to_utf16(name);
        let upcase = self.upcase();
        let found = match index.find(upcase, &wanted) {
            Ok(found) => found,
            // The way through the tree is damaged; the name may stand in a block that can be read.
            Err(_) => {
                let mut found = None;
                let mut look = |entry: &IndexEntry<'_>| {
                    let name = FileNameAttribute::parse(entry.key, entry.offset);
                    if name.is_ok_and(|name| upcase.compare(wanted.iter().copied(), name.units()).is_eq()) {
                        found.get_or_insert(entry.reference);
                    }
                };
                index.each(&mut look, &mut |_| ());
                found
            }
        };
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("there is no `{name}`")))
    }

    /// The names in a directory's index with their modification times; what can't be read is left out.
    pub(super) fn directory_times(&self, directory: &FileEntry) -> Vec<(String, Timestamp)> {
        let Some(index) = directory.reference.and_then(|reference| Index::open(self, reference).ok()) else {
            return Vec::new();
        };
        let mut times = Vec::new();
        let mut give = |entry: &IndexEntry<'_>| {
            if let Ok(name) = FileNameAttribute::parse(entry.key, entry.offset)
                && name.namespace != Namespace::Dos
                && let Some(modified) = name.times.modified
            {
                times.push((name.name(), modified));
            }
        };
        index.each(&mut give, &mut |_| ());
        times
    }

    /// The entries of a live directory in the order of its index, each once for each of its long names. What could not be read
    /// goes to `issue`.
    ///
    /// # Errors
    /// `NotADirectory`, or a read error of the directory as a whole.
    pub fn read_directory(
        &self,
        directory: &FileEntry,
        issue: &mut dyn FnMut(FileSystemIssue),
    ) -> io::Result<Vec<FileEntry>> {
        let reference = directory.reference.ok_or(io::ErrorKind::InvalidInput)?;
        if self.is_table() {
            return self.children_in_table(reference, None);
        }
        let index = Index::open(self, reference)?;
        let mut references = Vec::new();
        let mut broken = Vec::new();
        let mut give = |entry: &IndexEntry<'_>| match FileNameAttribute::parse(entry.key, entry.offset) {
            Ok(name) if name.namespace == Namespace::Dos => {}
            // The root lists itself.
            Ok(_) if entry.reference.record == reference.record => {}
            Ok(_) => references.push(entry.reference),
            Err(error) => broken.push(error),
        };
        index.each(&mut give, issue);
        let lost = |record: u64, error: String| FileSystemIssue {
            record: Some(record),
            offset: None,
            loss: Loss::Record,
            error: format!("in the index of the directory: {error}"),
        };
        broken.iter().for_each(|error| issue(lost(reference.record, error.to_string())));
        let mut entries = Vec::with_capacity(references.len());
        for child in references {
            match self.entry_of(child) {
                Ok(entry) if !entry.deleted => entries.push(entry),
                Ok(_) => issue(lost(reference.record, format!("{child}: the record is not in use"))),
                Err(error) => issue(lost(reference.record, format!("{child}: {error}"))),
            }
        }
        Ok(entries)
    }
}
