//! NTFS's own files as collecting tools copy them out of a volume: what they are called, and how their content is known.
//!
//! Names: KAPE writes `$MFT`, `$LogFile`, `$Boot`, `$Secure_$SDS` and `$Extend\$J`; Velociraptor writes
//! `$Extend/$UsnJrnl%3A$J` and `$Secure%3A$SDS`; other tools and people name them as they like, then the content tells.

use crate::bytes::{ReadAt, read_up_to};
use crate::formats::mft::Record;
use crate::formats::security_descriptor::sds_entries;
use crate::formats::usn::Records;

/// Bytes at the beginning, and at the end, of a file that are looked at.
const LOOKED_AT: u64 = 64 << 10;
/// Smallest step between MFT records.
const SMALLEST_RECORD: usize = 512;

/// One of NTFS's own files, or of their streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metafile {
    /// `$MFT`.
    Table,
    /// `$Extend\$UsnJrnl:$J`.
    Journal,
    /// `$LogFile`.
    Log,
    /// `$Secure:$SDS`.
    Security,
    /// `$Boot`.
    Boot,
    /// `$Bitmap`.
    Bitmap,
}

/// Names that tools write, lower case, the surer ones first.
const NAMES: &[(&str, Metafile)] = &[
    ("$mft", Metafile::Table),
    ("$j", Metafile::Journal),
    ("$usnjrnl_$j", Metafile::Journal),
    ("$usnjrnl:$j", Metafile::Journal),
    ("$usnjrnl%3a$j", Metafile::Journal),
    ("$usnjrnl", Metafile::Journal),
    ("$logfile", Metafile::Log),
    ("$secure_$sds", Metafile::Security),
    ("$secure:$sds", Metafile::Security),
    ("$secure%3a$sds", Metafile::Security),
    ("$sds", Metafile::Security),
    ("$boot", Metafile::Boot),
    ("$bitmap", Metafile::Bitmap),
];

impl Metafile {
    /// Its path from the root of the volume, and its stream.
    pub const fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Table => (r"\$MFT", ""),
            Self::Journal => (r"\$Extend\$UsnJrnl", "$J"),
            Self::Log => (r"\$LogFile", ""),
            Self::Security => (r"\$Secure", "$SDS"),
            Self::Boot => (r"\$Boot", ""),
            Self::Bitmap => (r"\$Bitmap", ""),
        }
    }

    /// The MFT record that it has on every volume.
    pub(super) const fn record(self) -> Option<u64> {
        match self {
            Self::Table => Some(0),
            Self::Journal => None,
            Self::Log => Some(2),
            Self::Bitmap => Some(6),
            Self::Boot => Some(7),
            Self::Security => Some(9),
        }
    }

    /// What a copy of that name is, and how sure the name is: 0 is the surest.
    pub fn by_name(name: &str) -> Option<(usize, Self)> {
        let name = name.to_lowercase();
        NAMES.iter().enumerate().find(|(_, (known, _))| *known == name).map(|(rank, (_, kind))| (rank, *kind))
    }

    /// What a file is, by its content alone. `$Boot` and `$Bitmap` can't be told from other files.
    pub fn by_content(file: &dyn ReadAt) -> Option<Self> {
        let head = read(file, 0);
        if head.starts_with(b"RSTR") {
            return Some(Self::Log);
        }
        // A record further behind proves nothing: on many volumes `$MFT` lies near the beginning.
        if record_size(&head).is_some_and(|(at, _)| at == 0) {
            return Some(Self::Table);
        }
        if begins_with_journal(&head, 0) {
            return Some(Self::Journal);
        }
        if head.iter().any(|byte| *byte != 0) {
            let first = sds_entries(&head, 0).first().map(|entry| entry.offset);
            return first.is_some_and(|offset| offset < 64).then_some(Self::Security);
        }
        // The beginning of a journal is a hole, as long as everything that Windows has dropped. What stands at its end names its
        // own place.
        let start = file.len().saturating_sub(LOOKED_AT).next_multiple_of(4096);
        let tail = read(file, start);
        let placed = Records::new(&tail, start, true).flatten().any(|record| record.usn == record.offset);
        placed.then_some(Self::Journal)
    }
}

fn read(file: &dyn ReadAt, at: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(LOOKED_AT.min(file.len())).unwrap_or_default()];
    let got = read_up_to(file, at, &mut bytes).unwrap_or(0);
    bytes.truncate(got);
    bytes
}

fn is_record(bytes: &[u8], size: usize) -> bool {
    let mut record = bytes.get(..size).unwrap_or(bytes).to_vec();
    Record::parse(&mut record, 0).is_ok_and(|record| record.attributes().any(|attribute| attribute.is_ok()))
}

/// Place of the first record in a stretch of `$MFT`, and the size that it says records have.
pub(super) fn record_size(head: &[u8]) -> Option<(usize, usize)> {
    (0..head.len()).step_by(SMALLEST_RECORD).find_map(|at| {
        let record = head.get(at..)?;
        let size = usize::try_from(u32::from_le_bytes(*record.get(28..)?.first_chunk()?)).ok()?;
        let fits = size.is_power_of_two() && (SMALLEST_RECORD..=usize::from(u16::MAX)).contains(&size);
        (fits && is_record(record, size)).then_some((at, size))
    })
}

/// True if the first thing behind zeros is a record of the change journal.
fn begins_with_journal(bytes: &[u8], at: u64) -> bool {
    matches!(Records::new(bytes, at, true).next(), Some(Ok(record)) if record.time.is_some() || record.version == 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::ntfs_samples as samples;

    fn record(number: u32) -> Vec<u8> {
        let head = samples::Head { number, sequence: 1, flags: 1, base: 0 };
        samples::record(head, &[samples::standard_information(0x20), samples::file_name(5, "a", 3)])
    }

    fn change(place: u64) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..4].copy_from_slice(&64u32.to_le_bytes());
        bytes[4] = 2;
        bytes[24..32].copy_from_slice(&place.to_le_bytes());
        bytes[32..40].copy_from_slice(&132_000_000_000_000_000u64.to_le_bytes());
        bytes[56..64].copy_from_slice(&[4, 0, 60, 0, b'a', 0, b'b', 0]);
        bytes
    }

    #[test]
    fn by_content() {
        assert_eq!(Metafile::by_content(&[record(0), record(1)].concat()), Some(Metafile::Table));
        assert_eq!(Metafile::by_content(&record(7)), Some(Metafile::Table));
        // A volume with `$MFT` near its beginning is no table.
        assert_eq!(Metafile::by_content(&[vec![0xaa; 1024], record(1), record(2)].concat()), None);
        assert_eq!(Metafile::by_content(&change(0)), Some(Metafile::Journal));
        assert_eq!(Metafile::by_content(&[vec![0; 4096], change(77)].concat()), Some(Metafile::Journal));
        let mut hole = vec![0; 1 << 20];
        assert_eq!(Metafile::by_content(&hole), None);
        hole.extend(change(1 << 20));
        assert_eq!(Metafile::by_content(&hole), Some(Metafile::Journal));
        // Something that looks like a record by chance, far behind the beginning, does not name its own place.
        hole.truncate(1 << 20);
        hole.extend(change(5));
        assert_eq!(Metafile::by_content(&hole), None);
        assert_eq!(Metafile::by_content(&b"RSTR\0\0".to_vec()), Some(Metafile::Log));
        for other in [&b"regf"[..], b"ElfFile\0", b"", b"FILE", b"FILE is a word"] {
            assert_eq!(Metafile::by_content(&other.to_vec()), None);
        }
    }

    #[test]
    fn by_name() {
        let kind = |name| Metafile::by_name(name).map(|(_, kind)| kind);
        assert_eq!(kind("$J"), Some(Metafile::Journal));
        assert_eq!(kind("$Secure_$SDS"), Some(Metafile::Security));
        assert_eq!(kind("MFT"), None);
        let rank = |name| Metafile::by_name(name).unwrap().0;
        assert!(rank("$J") < rank("$UsnJrnl"), "the main stream of $UsnJrnl is empty");
    }
}
