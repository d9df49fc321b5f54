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

    /// What lies behind the entries: the remains of older ones. With its place in the stream.
    pub fn slack(&self) -> (u64, &'a [u8]) {
        (self.offset.saturating_add(self.end as u64), self.data.get(self.end..).unwrap_or_default())
    }
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
            }
            if let Ok((_, node)) = IndexRoot::parse(&bytes, 0) {
                assert!(node.entries().count() <= 64);
            }
        }
    }
}
