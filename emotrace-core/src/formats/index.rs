//! Index B-trees of NTFS: directories (`$I30`), `$Secure`, `$ObjId` and others.
//!
//! The tree's root lies in `$INDEX_ROOT`, its other nodes are blocks in `$INDEX_ALLOCATION`.
//!
//! | place | size | field |
//! |---|---|---|
//! | root 0 | 4 | type of the attribute that is the key: 0x30 in a directory, else 0 |
//! | root 4 | 4 | how keys are ordered |
//! | root 8 | 4 | bytes of a block |
//! | root 16 | 16 | node head |
//! | block 0 | 4 | `INDX` |
//! | block 4 | 2+2 | update sequence, see [`super::fixup`] |
//! | block 8 | 8 | LSN of the last change |
//! | block 16 | 8 | place of the block, in clusters, or in units of 512 bytes if a block is smaller than a cluster |
//! | block 24 | 16 | node head |
//! | node 0 | 4 | offset of the first entry, from the node head |
//! | node 4 | 4 | end of the entries |
//! | node 8 | 4 | end of the space for entries |
//! | node 12 | 1 | 1 = has children |
//! | entry 0 | 8 | MFT reference in a directory, else offset and length of the data |
//! | entry 8 | 2 | length of the entry |
//! | entry 10 | 2 | length of the key |
//! | entry 12 | 2 | flags: 1 = a child node stands before this entry, 2 = last entry, without key |
//! | entry 16 | … | key |
//! | entry end - 8 | 8 | place of the child |
//!
//! Source: Microsoft, "Master File Table" (DevIO); the linux-ntfs project's documentation of `$INDEX_ROOT` and `$INDEX_ALLOCATION`.

use super::fixup;
use crate::bytes::{Cursor, FormatError};
use crate::model::FileReference;

const ROOT_HEADER: usize = 16;
const BLOCK_HEADER: usize = 24;
const ENTRY_HEADER: usize = 16;
const HAS_CHILD: u16 = 1;
const LAST: u16 = 2;

/// The head of `$INDEX_ROOT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexRoot {
    /// Type of the attribute that is the key; 0 in an index of something else.
    pub key_type: u32,
    /// How keys are ordered: 1 = file names.
    pub collation: u32,
    /// Bytes of a block.
    pub block_size: u32,
}

/// A node: the root or a block.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    /// The update sequence does not fit.
    pub bad_fixup: bool,
    /// Place of a block as it says itself; absent in the root.
    pub vcn: Option<u64>,
    data: &'a [u8],
    first: usize,
    end: usize,
    offset: u64,
}

/// One entry of a node.
#[derive(Clone, Copy, Debug)]
pub struct IndexEntry<'a> {
    /// The file, in a directory.
    pub reference: FileReference,
    /// The key: a `$FILE_NAME` in a directory. Empty in the last entry of a node.
    pub key: &'a [u8],
    /// The entry as a whole.
    pub data: &'a [u8],
    /// Place of the node whose keys come before this entry's.
    pub child: Option<u64>,
    /// Place of the entry in its attribute.
    pub offset: u64,
}

impl IndexRoot {
    /// Reads `$INDEX_ROOT`; `offset` is the place of the value in its stream.
    ///
    /// # Errors
    /// If it is shorter than its heads, or they hold what can't be.
    pub fn parse(value: &[u8], offset: u64) -> Result<(Self, Node<'_>), FormatError> {
        let mut cursor = Cursor::new(value, "$INDEX_ROOT", offset);
        let root = Self { key_type: cursor.u32()?, collation: cursor.u32()?, block_size: cursor.u32()? };
        Ok((root, Node::parse(value, ROOT_HEADER, None, false, offset)?))
    }
}

impl<'a> Node<'a> {
    /// Puts the update sequence of a block back, in place, and reads its heads; `offset` is the block's place in its stream.
    ///
    /// # Errors
    /// If it does not begin with `INDX`, is shorter than its heads, or they hold what can't be. An update sequence that does
    /// not fit is no error, see [`Node::bad_fixup`].
    pub fn block(data: &'a mut [u8], offset: u64) -> Result<Self, FormatError> {
        if !data.starts_with(b"INDX") {
            return Err(FormatError::Signature {
                what: "index block",
                offset,
                expected: b"INDX".to_vec(),
                actual: data.get(..4.min(data.len())).unwrap_or_default().to_vec(),
            });
        }
        let good = fixup::apply(data);
        let data: &'a [u8] = data;
        let mut cursor = Cursor::new(data, "index block", offset);
        cursor.seek(16);
        let vcn = cursor.u64()?;
        Self::parse(data, BLOCK_HEADER, Some(vcn), !good, offset)
    }

    fn parse(data: &'a [u8], head: usize, vcn: Option<u64>, bad_fixup: bool, offset: u64) -> Result<Self, FormatError> {
        let mut cursor = Cursor::new(data, "node of an index", offset);
        cursor.seek(head);
        let place = |field: u32| head.saturating_add(usize::try_from(field).unwrap_or(usize::MAX));
        let (first, end) = (place(cursor.u32()?), place(cursor.u32()?));
        if first > end || end > data.len() {
            return Err(FormatError::Value {
                what: "end of the entries of an index node",
                offset: offset.saturating_add(head as u64).saturating_add(4),
                value: end as u64,
                problem: "not between the first entry and the end of the node",
            });
        }
        Ok(Self { bad_fixup, vcn, data, first, end, offset })
    }

    /// Its entries in their order, the last one (without a key) too.
    pub const fn entries(&self) -> Entries<'a> {
        Entries { node: *self, at: self.first, done: false }
    }

    /// Copies of `$FILE_NAME` that lie behind the entries of a directory's node: names that were taken out of it, or moved.
    pub fn remains(&self) -> Vec<Remains<'a>> {
        // The last entry wrote its head over that of an older one; one with a child also over the parent in its key.
        let has_child = self.entries().flatten().last().is_some_and(|entry| entry.child.is_some());
        let cut = has_child.then(|| self.end.saturating_sub(8));
        let cut = cut.and_then(|start| remains_at(self.data, start, self.end, self.offset));
        let mut found: Vec<_> = cut.map(|name| Remains { parent_lost: true, ..name }).into_iter().collect();
        found.extend(remains(self.data, self.end, self.offset));
        found
    }

    /// All copies of `$FILE_NAME` in a block that the tree does not use any more.
    pub fn all_remains(&self) -> Vec<Remains<'a>> {
        remains(self.data, self.first, self.offset)
    }

    /// What lies behind the entries: the remains of older ones. With its place in the stream.
    pub fn slack(&self) -> (u64, &'a [u8]) {
        (self.offset.saturating_add(self.end as u64), self.data.get(self.end..).unwrap_or_default())
    }
}

/// A copy of `$FILE_NAME` in the slack of an index.
#[derive(Clone, Copy, Debug)]
pub struct Remains<'a> {
    /// The file, if the head of the entry was not written over.
    pub reference: Option<FileReference>,
    /// The `$FILE_NAME`, no longer than it says.
    pub key: &'a [u8],
    /// The parent in it was written over: its sequence number is 0, which no directory has.
    pub parent_lost: bool,
    /// Place of the key in its stream.
    pub offset: u64,
}

/// The copies of `$FILE_NAME` at or behind byte `from`; `offset` is the place of `data` in its stream. Entries lie at multiples of
/// 8. What is taken for one must have four times between 1829 and 2285, sizes that can be, and a name that Windows allows.
pub fn remains(data: &[u8], from: usize, offset: u64) -> Vec<Remains<'_>> {
    let mut found = Vec::new();
    let mut at = from.next_multiple_of(8);
    while at < data.len() {
        at = match remains_at(data, at, from, offset) {
            Some(name) => {
                found.push(name);
                at.saturating_add(name.key.len()).next_multiple_of(8)
            }
            None => at.saturating_add(8),
        };
    }
    found
}

fn remains_at(data: &[u8], start: usize, from: usize, offset: u64) -> Option<Remains<'_>> {
    let key = file_name(data.get(start..)?)?;
    let head = start.checked_sub(ENTRY_HEADER).filter(|head| *head >= from);
    let head = head.and_then(|head| data.get(head..start)).filter(|head| is_head_of(head, key.len()));
    let reference = head.and_then(|head| head.first_chunk::<8>()).map(|raw| u64::from_le_bytes(*raw));
    let offset = offset.saturating_add(start as u64);
    let parent_lost = key.get(6..8).is_none_or(|sequence| sequence == [0; 2]);
    Some(Remains { reference: reference.map(FileReference::from_u64), key, parent_lost, offset })
}

/// True if that is the head of an entry with a key of that length.
fn is_head_of(head: &[u8], key_len: usize) -> bool {
    let half = |at: usize| head.get(at..)?.first_chunk::<2>().map(|raw| usize::from(u16::from_le_bytes(*raw)));
    let room = ENTRY_HEADER.saturating_add(key_len);
    // No file has the sequence number 0; where it stands, a part of another head was written.
    head.get(6..8).is_some_and(|sequence| sequence != [0; 2])
        && half(10) == Some(key_len)
        && half(8).is_some_and(|length| length >= room && length <= room.saturating_add(16))
        && half(12).is_some_and(|flags| flags <= usize::from(HAS_CHILD))
}

/// The `$FILE_NAME` at the beginning of `data`, if there is one.
fn file_name(data: &[u8]) -> Option<&[u8]> {
    // The upper byte of a FILETIME of our age is 1; asked first, as it settles most places.
    const LATEST: u64 = 0x03 << 56;
    const SIZES: u64 = 1 << 48;
    let units = usize::from(*data.get(64)?);
    let key = data.get(..66usize.checked_add(units.checked_mul(2)?)?)?;
    let name = key.get(66..).filter(|name| !name.is_empty())?;
    let field = |at: usize| key.get(at..at.checked_add(8)?)?.first_chunk::<8>().map(|raw| u64::from_le_bytes(*raw));
    let times = [8, 16, 24, 32].into_iter().all(|at| field(at).is_some_and(|time| (1 << 56..LATEST).contains(&time)));
    let sizes = [40, 48].into_iter().all(|at| field(at).is_some_and(|size| size < SIZES));
    let namespace = key.get(65).copied().filter(|namespace| *namespace <= 3)?;
    let forbidden = |unit: &[u8; 2]| match u16::from_le_bytes(*unit) {
        0 | 0x2f => true,
        _ if namespace == 0 => false,
        unit => unit < 0x20 || char::from_u32(unit.into()).is_some_and(|c| r#""*:<>?\|"#.contains(c)),
    };
    (times && sizes && !name.as_chunks::<2>().0.iter().any(forbidden)).then_some(key)
}

/// The entries of a node. After a damaged one nothing follows.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    node: Node<'a>,
    at: usize,
    done: bool,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<IndexEntry<'a>, FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let offset = self.node.offset.saturating_add(self.at as u64);
        let entry = entry(self.node.data.get(self.at..self.node.end).unwrap_or_default(), offset);
        match &entry {
            Ok((entry, last)) => {
                self.done = *last;
                self.at = self.at.saturating_add(entry.data.len());
            }
            Err(_) => self.done = true,
        }
        Some(entry.map(|(entry, _)| entry))
    }
}

fn entry(data: &[u8], offset: u64) -> Result<(IndexEntry<'_>, bool), FormatError> {
    let mut cursor = Cursor::new(data, "index entry", offset);
    let reference = FileReference::from_u64(cursor.u64()?);
    let (length, key_length, flags) = (usize::from(cursor.u16()?), usize::from(cursor.u16()?), cursor.u16()?);
    let bad = |what, value: usize, problem| FormatError::Value { what, offset, value: value as u64, problem };
    let Some(data) = data.get(..length).filter(|d| d.len() >= ENTRY_HEADER) else {
        return Err(bad("length of an index entry", length, "not within the node"));
    };
    let last = flags & LAST != 0;
    let child = if flags & HAS_CHILD == 0 {
        None
    } else {
        let child = data.last_chunk::<8>().filter(|_| length >= ENTRY_HEADER.saturating_add(8));
        Some(child.map(|c| u64::from_le_bytes(*c)).ok_or_else(|| bad("index entry", length, "no room for its child"))?)
    };
    let key =
        if last { Some(Default::default()) } else { data.get(ENTRY_HEADER..ENTRY_HEADER.saturating_add(key_length)) };
    let key = key.ok_or_else(|| bad("length of an index key", key_length, "not within the entry"))?;
    Ok((IndexEntry { reference, key, data, child, offset }, last))
}

#[cfg(test)]
mod tests {
    use super::super::ntfs_samples::{self as samples, Random, index_entry, reference};
    use super::*;

    #[test]
    fn a_root_with_a_child() {
        let value =
            samples::index_root(&[index_entry(reference(30, 2), Some(b"key"), Some(4)), index_entry(0, None, Some(8))]);
        let (root, node) = IndexRoot::parse(&value, 0).unwrap();
        assert_eq!(root, IndexRoot { key_type: 0x30, collation: 1, block_size: 1024 });
        let entries: Vec<_> = node.entries().map(Result::unwrap).collect();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].reference, FileReference { record: 30, sequence: 2 });
        assert_eq!((entries[0].key, entries[0].child, entries[0].offset), (&b"key"[..], Some(4), 32));
        assert_eq!((entries[1].key, entries[1].child), (&b""[..], Some(8)));
    }

    #[test]
    fn a_block_its_fixups_and_its_slack() {
        let whole = samples::index_block(6, &[index_entry(1, Some(&[7; 500]), None), index_entry(0, None, None)]);
        let mut bytes = whole.clone();
        let node = Node::block(&mut bytes, 0x1000).unwrap();
        assert_eq!((node.vcn, node.bad_fixup), (Some(6), false));
        let entries: Vec<_> = node.entries().map(Result::unwrap).collect();
        assert_eq!(entries[0].key, [7; 500], "the word at the stride's end is put back");
        let (at, slack) = node.slack();
        assert_eq!((at, slack.len()), (0x1000 + 48 + 520 + 16, 1024 - 584));

        let mut torn = whole.clone();
        torn[510] ^= 1;
        assert!(Node::block(&mut torn, 0).unwrap().bad_fixup);
        let mut strange = whole;
        strange[0] = 0;
        assert!(Node::block(&mut strange, 0).is_err());
    }

    /// A key with times of our age, as `remains` asks for.
    fn name(name: &str, namespace: u8) -> Vec<u8> {
        let mut key = samples::file_name_value(reference(5, 5), name, namespace);
        for at in [15, 23, 31, 39] {
            key[at] = 1;
        }
        key
    }

    fn found(remains: &[Remains<'_>]) -> Vec<(Option<u64>, String)> {
        let name = |key: &[u8]| super::super::mft::FileNameAttribute::parse(key, 0).unwrap().name();
        remains.iter().map(|r| (r.reference.map(|r| r.record), name(r.key))).collect()
    }

    /// Three names; then the node ends before the second, which loses its head to the last entry.
    #[test]
    fn names_in_the_slack_of_a_node() {
        let live = index_entry(reference(30, 1), Some(&name("a.txt", 3)), None);
        let gone = [("b.txt", 3), ("c<d", 0), ("LONGNA~1.EXE", 2)];
        let gone = gone.map(|(n, space)| index_entry(reference(31, 1), Some(&name(n, space)), None));
        let whole = [vec![live.clone()], gone.to_vec(), vec![index_entry(0, None, None)]].concat();
        let shrink = |child: Option<u64>| {
            let mut bytes = samples::index_block(0, &whole);
            fixup::apply(&mut bytes);
            let end = 48 + live.len();
            let last = index_entry(0, None, child);
            bytes[end..end + last.len()].copy_from_slice(&last);
            bytes[28..32].copy_from_slice(&((end + last.len() - 24) as u32).to_le_bytes());
            samples::protect(&mut bytes, 40);
            bytes
        };
        let mut bytes = shrink(None);
        let node = Node::block(&mut bytes, 0x1000).unwrap();
        let remains = node.remains();
        let names = [(None, "b.txt"), (Some(31), "c<d"), (Some(31), "LONGNA~1.EXE")];
        assert_eq!(found(&remains), names.map(|(n, name)| (n, name.to_owned())));
        assert_eq!(remains[0].offset, 0x1000 + node.end as u64);
        assert!(remains.iter().all(|r| !r.parent_lost));
        let all = found(&node.all_remains());
        assert_eq!((all.len(), &all[0]), (4, &(Some(30), "a.txt".to_owned())));

        let mut bytes = shrink(Some(7));
        let node = Node::block(&mut bytes, 0).unwrap();
        let remains = node.remains();
        assert_eq!(found(&remains), names.map(|(n, name)| (n, name.to_owned())));
        assert_eq!((remains[0].parent_lost, remains[1].parent_lost), (true, false));
    }

    #[test]
    fn what_is_no_name_is_not_taken_for_one() {
        let good = name("b.txt", 3);
        assert_eq!(remains(&good, 0, 0).len(), 1);
        for (at, byte) in
            [(15, 0), (39, 9), (65, 4), (64, 0), (64, 200), (47, 1), (55, 1), (66, 0), (66, b':'), (66, 9)]
        {
            let mut bad = good.clone();
            bad[at] = byte;
            assert_eq!(remains(&bad, 0, 0).len(), 0, "byte {at} = {byte}");
        }
        assert_eq!(remains(&[0xff; 4096], 0, 0).len(), 0);
        assert_eq!(remains(&[1; 4096], 0, 0).len(), 0);
    }

    #[test]
    fn a_lying_entry_ends_the_node_with_its_place() {
        for (at, value) in [(8, 0xff), (8, 3), (10, 0xff)] {
            let mut bytes = samples::index_root(&[index_entry(1, Some(b"key"), None), index_entry(0, None, None)]);
            bytes[32 + at] = value;
            let (_, node) = IndexRoot::parse(&bytes, 0x100).unwrap();
            let results: Vec<_> = node.entries().collect();
            assert_eq!(results.len(), 1);
            assert_eq!(results[0].as_ref().unwrap_err().offset(), 0x120);
        }
    }

    #[test]
    fn any_damage_ends_in_bounded_work() {
        let entries: Vec<_> = (0..6).map(|n| index_entry(n, Some(&[n as u8; 70]), Some(n))).collect();
        let whole = samples::index_block(0, &entries);
        let mut random = Random(0x0dd0_b055);
        for _ in 0..5000 {
            let mut bytes = whole.clone();
            for _ in 0..=random.below(5) {
                let at = random.below(700);
                bytes[at] = random.below(256) as u8;
            }
            bytes.truncate(random.below(2048).clamp(4, 1024));
            if let Ok(node) = Node::block(&mut bytes, 0) {
                assert!(node.entries().count() <= 64);
                assert!(node.slack().1.len() <= 1024);
                assert!(node.remains().len() + node.all_remains().len() <= 32);
            }
            if let Ok((_, node)) = IndexRoot::parse(&bytes, 0) {
                assert!(node.entries().count() <= 64);
            }
        }
    }
}
