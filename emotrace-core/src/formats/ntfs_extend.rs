//! Entries of the indexes in `$Extend`: object ids (`$ObjId:$O`) and disk quotas (`$Quota:$Q`).
//!
//! The head of an entry (see [`super::index`]) holds offset and length of its data instead of a reference.
//!
//! | entry | part | size | field |
//! |---|---|---|---|
//! | `$O` | key | 16 | object id |
//! | | data 0 | 8 | MFT reference of the file |
//! | | data 8 | 16+16+16 | volume, object and domain id when the object id was given |
//! | `$Q` | key | 4 | owner's number; 1 holds the volume's defaults |
//! | | data 0 | 4+4 | version, flags |
//! | | data 8 | 8 | bytes charged |
//! | | data 16 | 8 | last change, FILETIME |
//! | | data 24 | 8+8 | bytes from which on Windows warns, and refuses; -1 = none |
//! | | data 40 | 8 | since when the warning level is exceeded, FILETIME |
//! | | data 48 | … | SID of the owner; not in the defaults |
//!
//! Source: the linux-ntfs project's documentation of `$ObjId` and `$Quota`; Microsoft, `FILE_OBJECTID_BUFFER` and `FILE_QUOTA_INFORMATION`.

use super::index::IndexEntry;
use super::security_descriptor::sid;
use crate::bytes::text;
use crate::model::{FileReference, Timestamp};

/// The object id of one file: links to it are followed by it, also where it was moved.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ObjectId {
    /// The id, as a GUID. Of the kind that holds a time and the address of a network card, if its version says 1.
    pub object_id: String,
    /// The file.
    #[serde(serialize_with = "as_text")]
    pub file: FileReference,
    /// The volume that it lay on when it was given its id.
    pub birth_volume_id: Option<String>,
    /// The id that it was given first.
    pub birth_object_id: Option<String>,
}

/// The disk quota of one owner.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Quota {
    /// SID of the owner; absent in the volume's defaults.
    pub sid: Option<String>,
    /// `QUOTA_FLAG_*`: 1 = defaults, 2 = limit reached, 0x10 tracking, 0x20 enforced.
    pub flags: u32,
    /// Bytes charged to the owner.
    pub used: u64,
    /// Last change.
    pub changed: Option<Timestamp>,
    /// Bytes from which on Windows warns.
    pub warning: Option<u64>,
    /// Bytes that Windows allows.
    pub limit: Option<u64>,
    /// Since when the warning level is exceeded.
    pub exceeded: Option<Timestamp>,
}

fn as_text<S: serde::Serializer>(reference: &FileReference, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reference)
}

impl ObjectId {
    /// Reads an entry of `$ObjId:$O`. `None` if it is too short to be one.
    pub fn parse(entry: &IndexEntry<'_>) -> Option<Self> {
        let data = data_of(entry)?;
        let guid = |at: usize| {
            let raw = data.get(at..)?.first_chunk::<16>()?;
            (*raw != [0; 16]).then(|| text::guid(raw))
        };
        Some(Self {
            object_id: text::guid(entry.key.first_chunk()?),
            file: FileReference::from_u64(u64_at(data, 0)?),
            birth_volume_id: guid(8),
            birth_object_id: guid(24),
        })
    }
}

impl Quota {
    /// Reads an entry of `$Quota:$Q`. `None` if it is too short to be one.
    pub fn parse(entry: &IndexEntry<'_>) -> Option<Self> {
        let data = data_of(entry)?;
        let bound = |at: usize| u64_at(data, at).filter(|bytes| *bytes != u64::MAX);
        let time = |at: usize| u64_at(data, at).and_then(Timestamp::from_filetime_field);
        Some(Self {
            sid: data.get(48..).and_then(|raw| sid(raw, 0).ok()),
            flags: data.get(4..).and_then(|rest| rest.first_chunk()).map(|raw| u32::from_le_bytes(*raw))?,
            used: u64_at(data, 8)?,
            changed: time(16),
            warning: bound(24),
            limit: bound(32),
            exceeded: time(40),
        })
    }
}

/// The data of an entry, of which the head tells the place.
fn data_of<'a>(entry: &IndexEntry<'a>) -> Option<&'a [u8]> {
    let [o0, o1, l0, l1] = *entry.data.first_chunk::<4>()?;
    let (offset, len) = (usize::from(u16::from_le_bytes([o0, o1])), usize::from(u16::from_le_bytes([l0, l1])));
    entry.data.get(offset..offset.checked_add(len)?)
}

fn u64_at(data: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry with its data behind the key.
    fn entry<'a>(bytes: &'a mut Vec<u8>, key: &[u8], data: &[u8]) -> IndexEntry<'a> {
        let start = 16 + key.len();
        bytes.extend((start as u16).to_le_bytes());
        bytes.extend((data.len() as u16).to_le_bytes());
        bytes.resize(16, 0);
        bytes.extend(key);
        bytes.extend(data);
        let key = &bytes[16..start];
        IndexEntry { reference: FileReference::default(), key, data: bytes, child: None, offset: 0 }
    }

    #[test]
    fn an_object_id() {
        let mut data = (42u64 | 3 << 48).to_le_bytes().to_vec();
        data.extend([7; 16]);
        data.extend([9; 16]);
        data.extend([0; 16]);
        let mut bytes = Vec::new();
        let found = ObjectId::parse(&entry(&mut bytes, &[9; 16], &data)).unwrap();
        assert_eq!(found.file, FileReference { record: 42, sequence: 3 });
        assert_eq!(found.birth_volume_id.as_deref(), Some("07070707-0707-0707-0707-070707070707"));
        assert_eq!(found.birth_object_id.as_deref(), Some(&*found.object_id));
        assert_eq!(ObjectId::parse(&entry(&mut Vec::new(), &[9; 8], &data)), None);
        assert_eq!(ObjectId::parse(&entry(&mut Vec::new(), &[9; 16], &data[..4])), None);
    }

    #[test]
    fn a_quota() {
        let mut data = vec![2, 0, 0, 0, 0x11, 0, 0, 0];
        for field in [4096u64, 132_000_000_000_000_000, 1000, u64::MAX, 0] {
            data.extend(field.to_le_bytes());
        }
        let mut bytes = Vec::new();
        let defaults = Quota::parse(&entry(&mut bytes, &[1, 0, 0, 0], &data)).unwrap();
        assert_eq!((defaults.sid, defaults.used, defaults.flags), (None, 4096, 0x11));
        assert_eq!((defaults.warning, defaults.limit, defaults.exceeded), (Some(1000), None, None));
        assert!(defaults.changed.is_some());
        data.extend([1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0]);
        let mut bytes = Vec::new();
        let owner = Quota::parse(&entry(&mut bytes, &[0, 1, 0, 0], &data)).unwrap();
        assert_eq!(owner.sid.as_deref(), Some("S-1-5-32-544"));
        assert_eq!(Quota::parse(&entry(&mut Vec::new(), &[0; 4], &data[..12])), None);
    }
}
