//! `$Secure`: who owns a file, by the security id in its `$STANDARD_INFORMATION`.

use std::collections::HashMap;

use super::NtfsVolume;
use crate::bytes::{ReadAt, read_up_to};
use crate::formats::mft::attribute_type;
use crate::formats::security_descriptor::{SDS_BLOCK, SecurityDescriptor, sds_entries};
use crate::model::FileReference;

/// `$Secure`.
const SECURE: FileReference = FileReference { record: 9, sequence: 0 };
/// Longest `$SDS` that is read; the largest of a file server are some hundred MiB.
const MAX_SDS: u64 = 512 << 20;

/// Owner's SID of each security id.
pub(super) struct Owners(HashMap<u32, Box<str>>);

impl Owners {
    /// Reads `$SDS` once. What can't be read in a block is taken from its copy; ids of which both are damaged are unknown.
    pub(super) fn read(volume: &NtfsVolume) -> Self {
        let mut owners = HashMap::new();
        let Ok(stream) = volume.attribute(SECURE, attribute_type::DATA, "$SDS") else { return Self(owners) };
        let mut block = vec![0; usize::try_from(SDS_BLOCK).unwrap_or_default()];
        let mut at = 0u64;
        while at < stream.len().min(MAX_SDS) {
            let got = read_up_to(&stream, at, &mut block).unwrap_or(0);
            for entry in sds_entries(block.get(..got).unwrap_or_default(), at) {
                // The first of two is the one that Windows reads; both have a hash that fits.
                if let Ok(SecurityDescriptor { owner: Some(owner), .. }) =
                    SecurityDescriptor::parse(entry.descriptor, entry.offset)
                {
                    owners.entry(entry.id).or_insert_with(|| owner.into());
                }
            }
            at = at.saturating_add(SDS_BLOCK);
        }
        Self(owners)
    }

    pub(super) fn of(&self, id: u32) -> Option<&str> {
        self.0.get(&id).map(|owner| &**owner)
    }
}
