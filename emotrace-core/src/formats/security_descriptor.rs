//! Security descriptors, and the stream `$SDS` of `$Secure` that holds each of a volume's once.
//!
//! A self-relative descriptor, little-endian:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 1 | revision, 1 |
//! | 2 | 2 | control; 0x8000 = self-relative |
//! | 4 | 4 | offset of the owner's SID, 0 = none |
//! | 8 | 4 | offset of the group's SID, 0 = none |
//! | 12 | 4+4 | offsets of the system and the discretionary access control list |
//!
//! A SID: revision (0), number of sub-authorities (1), authority (2, 6 bytes, big-endian), sub-authorities (8, 4 bytes each).
//!
//! An entry of `$SDS`, at multiples of 16 bytes:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | hash of the descriptor |
//! | 4 | 4 | security id, as `$STANDARD_INFORMATION` names it |
//! | 8 | 8 | offset of the entry in the stream |
//! | 16 | 4 | length of the entry with this head |
//! | 20 | … | descriptor |
//!
//! Entries do not cross blocks of 256 KiB. Each block is followed by a copy of itself, in which the offsets are still those of
//! the first. The hash is made of the descriptor's 32-bit words: turn left by 3, add the word.
//!
//! Source: Microsoft, `SECURITY_DESCRIPTOR_RELATIVE` and `SID` (winnt.h); the linux-ntfs project's documentation of `$Secure`.

use std::fmt::Write;

use crate::bytes::{Cursor, FormatError};

/// Bytes of a block of `$SDS`.
pub const SDS_BLOCK: u64 = 256 << 10;
const HEAD: usize = 20;
/// No SID has more sub-authorities (`SID_MAX_SUB_AUTHORITIES`).
const MAX_SUB_AUTHORITIES: u8 = 15;

/// Who a thing belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityDescriptor {
    /// SID of the owner.
    pub owner: Option<String>,
    /// SID of the owner's primary group.
    pub group: Option<String>,
}

impl SecurityDescriptor {
    /// Reads a self-relative descriptor; `offset` is its place.
    ///
    /// # Errors
    /// When it is cut, of an unknown revision, or a SID does not lie in it.
    pub fn parse(data: &[u8], offset: u64) -> Result<Self, FormatError> {
        let mut cursor = Cursor::new(data, "security descriptor", offset);
        let revision = cursor.u8()?;
        if revision != 1 {
            let (what, value, problem) = ("revision of a security descriptor", revision.into(), "1 is known");
            return Err(FormatError::Value { what, offset, value, problem });
        }
        cursor.seek(4);
        let mut sid_at = || {
            let place = usize::try_from(cursor.u32()?).unwrap_or(usize::MAX);
            let at = offset.saturating_add(place as u64);
            if place == 0 { Ok(None) } else { sid(data.get(place..).unwrap_or_default(), at).map(Some) }
        };
        Ok(Self { owner: sid_at()?, group: sid_at()? })
    }
}

/// A SID as text, `S-1-5-21-…`; `offset` is its place.
///
/// # Errors
/// When it is cut, or of an unknown revision.
pub fn sid(data: &[u8], offset: u64) -> Result<String, FormatError> {
    let mut cursor = Cursor::new(data, "SID", offset);
    let (revision, count) = (cursor.u8()?, cursor.u8()?);
    if revision != 1 || count > MAX_SUB_AUTHORITIES {
        let value = u64::from(count) << 8 | u64::from(revision);
        let problem = "revision 1 and at most 15 sub-authorities are known";
        return Err(FormatError::Value { what: "head of a SID", offset, value, problem });
    }
    let authority = cursor.take(6)?.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    let mut text = format!("S-1-{authority}");
    for _ in 0..count {
        // Writing to a String can't fail.
        let _ = write!(text, "-{}", cursor.u32()?);
    }
    Ok(text)
}

/// One entry of `$SDS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SdsEntry<'a> {
    /// The key that `$STANDARD_INFORMATION` holds.
    pub id: u32,
    /// The descriptor.
    pub descriptor: &'a [u8],
    /// Place of the descriptor in the stream.
    pub offset: u64,
}

/// The entries of one block of `$SDS`, of which `offset` is the place. Only those whose hash fits are given: what is damaged in
/// one block may be whole in its copy.
pub fn sds_entries(block: &[u8], offset: u64) -> Vec<SdsEntry<'_>> {
    let mut entries = Vec::new();
    let mut at = 0usize;
    while let Some(rest) = block.get(at..).filter(|rest| rest.len() >= HEAD) {
        match sds_entry(rest, offset.saturating_add(at as u64)) {
            Some(entry) => {
                at = at.saturating_add(HEAD).saturating_add(entry.descriptor.len()).next_multiple_of(16);
                entries.push(entry);
            }
            None => at = at.saturating_add(16),
        }
    }
    entries
}

fn sds_entry(data: &[u8], place: u64) -> Option<SdsEntry<'_>> {
    let mut cursor = Cursor::new(data, "entry of $SDS", place);
    let (hash, id) = (cursor.u32().ok()?, cursor.u32().ok()?);
    let (own, length) = (cursor.u64().ok()?, usize::try_from(cursor.u32().ok()?).ok()?);
    // Most places are tried in vain: the offset settles them.
    if id == 0 || (own != place && own.checked_add(SDS_BLOCK) != Some(place)) {
        return None;
    }
    let descriptor = data.get(HEAD..length)?;
    (hash_of(descriptor) == hash).then(|| SdsEntry { id, descriptor, offset: place.saturating_add(HEAD as u64) })
}

fn hash_of(descriptor: &[u8]) -> u32 {
    let words = descriptor.as_chunks::<4>().0.iter();
    words.fold(0u32, |hash, word| hash.rotate_left(3).wrapping_add(u32::from_le_bytes(*word)))
}

#[cfg(test)]
mod tests {
    use super::super::ntfs_samples::Random;
    use super::*;

    /// Owner S-1-5-21-1-2-3-1001, group S-1-5-32-544, no lists.
    fn descriptor() -> Vec<u8> {
        let mut data = vec![1, 0, 0, 0x80, 20, 0, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        data.extend([1, 5, 0, 0, 0, 0, 0, 5]);
        [21u32, 1, 2, 3, 1001].iter().for_each(|n| data.extend(n.to_le_bytes()));
        data.extend([1, 2, 0, 0, 0, 0, 0, 5]);
        [32u32, 544].iter().for_each(|n| data.extend(n.to_le_bytes()));
        data
    }

    fn entry(id: u32, at: u64, descriptor: &[u8]) -> Vec<u8> {
        let mut data = hash_of(descriptor).to_le_bytes().to_vec();
        data.extend(id.to_le_bytes());
        data.extend(at.to_le_bytes());
        data.extend((descriptor.len() as u32 + 20).to_le_bytes());
        data.extend(descriptor);
        data.resize(data.len().next_multiple_of(16), 0);
        data
    }

    #[test]
    fn owner_and_group() {
        let data = descriptor();
        let found = SecurityDescriptor::parse(&data, 0).unwrap();
        assert_eq!(found.owner.as_deref(), Some("S-1-5-21-1-2-3-1001"));
        assert_eq!(found.group.as_deref(), Some("S-1-5-32-544"));
        let mut none = data.clone();
        none[4] = 0;
        assert_eq!(SecurityDescriptor::parse(&none, 0).unwrap().owner, None);
        let error = SecurityDescriptor::parse(&data[..60], 0x100).unwrap_err();
        assert_eq!(error.offset(), 0x100 + 48 + 8 + 4, "the group is cut: {error}");
        let mut strange = data;
        strange[0] = 2;
        assert!(SecurityDescriptor::parse(&strange, 0).is_err());
        // An authority beyond 32 bits, and no sub-authority.
        assert_eq!(sid(&[1, 0, 1, 0, 0, 0, 0, 0], 0).unwrap(), "S-1-1099511627776");
        assert!(sid(&[1, 16, 0, 0, 0, 0, 0, 5], 0).is_err());
    }

    /// The first entry that mkntfs writes: its hash was made by another program.
    #[test]
    fn the_hash_is_that_of_windows() {
        let mut data = vec![1, 0, 4, 0x80, 0x48, 0, 0, 0, 0x58, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0];
        data.extend([
            2, 0, 0x34, 0, 2, 0, 0, 0, 0, 0, 0x14, 0, 0x89, 0, 0x12, 0, 1, 1, 0, 0, 0, 0, 0, 5, 0x12, 0, 0, 0,
        ]);
        data.extend([0, 0, 0x18, 0, 0x89, 0, 0x12, 0, 1, 2, 0, 0, 0, 0, 0, 5, 0x20, 0, 0, 0, 0x20, 2, 0, 0]);
        for _ in 0..2 {
            data.extend([1, 2, 0, 0, 0, 0, 0, 5, 0x20, 0, 0, 0, 0x20, 2, 0, 0]);
        }
        assert_eq!(hash_of(&data), 0xf803_12f0);
        assert_eq!(SecurityDescriptor::parse(&data, 0).unwrap().owner.as_deref(), Some("S-1-5-32-544"));
    }

    #[test]
    fn entries_and_their_copies() {
        let first = entry(0x100, 0, &descriptor());
        let second = entry(0x101, first.len() as u64, &descriptor());
        let block = [first.clone(), second].concat();
        let ids = |block: &[u8], at: u64| sds_entries(block, at).iter().map(|e| e.id).collect::<Vec<_>>();
        assert_eq!(ids(&block, 0), [0x100, 0x101]);
        assert_eq!(ids(&block, SDS_BLOCK), [0x100, 0x101], "the copy");
        assert_eq!(ids(&block, 2 * SDS_BLOCK), [0; 0], "no entry of another block");
        let mut damaged = block.clone();
        damaged[30] ^= 1;
        assert_eq!(ids(&damaged, 0), [0x101], "what is damaged is left out, and the next is found");
        assert_eq!(ids(&block[..block.len() - 20], 0), [0x100]);
        assert_eq!(sds_entries(&block, 0)[1].offset, first.len() as u64 + 20);
    }

    #[test]
    fn any_damage_ends_in_bounded_work() {
        let whole: Vec<u8> = (0..8).flat_map(|n| entry(n + 1, u64::from(n) * 96, &descriptor())).collect();
        let mut random = Random(0x5ec0_11ed);
        for _ in 0..4000 {
            let mut bytes = whole.clone();
            for _ in 0..=random.below(4) {
                let at = random.below(bytes.len());
                bytes[at] = random.below(256) as u8;
            }
            bytes.truncate(random.below(1000));
            for found in sds_entries(&bytes, 0) {
                let _ = SecurityDescriptor::parse(found.descriptor, found.offset);
            }
            let _ = SecurityDescriptor::parse(bytes.get(20..).unwrap_or_default(), 0);
        }
    }
}
