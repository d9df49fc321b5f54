//! NTFS volumes on a disk whose partition table is gone.
//!
//! Partitions begin at a whole MiB (Windows Vista and later), at sector 63 or at the start of a cylinder of 255 × 63
//! sectors (Windows XP and earlier). Those places are looked at for a boot sector, and the sectors before each whole MiB
//! for the backup boot sector of a volume that ends there.

use super::content::NtfsBootSector;
use super::{Extent, LayoutIssue, bytes_at};
use crate::bytes::ReadAt;

const MIB: u64 = 1 << 20;
/// Sectors of 512 bytes in a cylinder, in bytes.
const CYLINDER: u64 = 255 * 63 * 512;
/// The gap before the first partition of an older disk, and before logical ones.
const TRACK: u64 = 63 * 512;
/// Places that are looked at: 1 TiB in steps of a MiB, and the cylinders of it.
const MOST_PLACES: u64 = 2 << 20;

/// The NTFS volumes on a disk, by place.
pub(super) fn find_ntfs(source: &dyn ReadAt, issues: &mut Vec<LayoutIssue>) -> Vec<Extent> {
    let mut found: Vec<Extent> = Vec::new();
    let mut place = 0;
    let mut looked = 0u64;
    while let Some(next) = next_place(place).filter(|next| *next < source.len()) {
        looked = looked.saturating_add(1);
        if looked > MOST_PLACES {
            issues.push(LayoutIssue::note(next, "scanning for volumes ended here"));
            break;
        }
        place = next;
        let end = found.last().map_or(0, |v| v.start.saturating_add(v.len));
        // Boot sectors inside a volume are those of images that are stored in it.
        if place < end {
            place = place.max(end.saturating_sub(1));
            continue;
        }
        if let Some(extent) = first_at(source, place).or_else(|| ending_at(source, place, end)) {
            found.push(extent);
        }
    }
    found
}

/// The next place behind this one where a partition may begin.
fn next_place(place: u64) -> Option<u64> {
    let after = |base: u64, step: u64| {
        let steps = place.checked_sub(base).map_or(0, |far| far.checked_div(step).unwrap_or(0).saturating_add(1));
        steps.checked_mul(step)?.checked_add(base)
    };
    [
        after(MIB, MIB),
        after(CYLINDER, CYLINDER),
        after(CYLINDER.saturating_add(TRACK), CYLINDER),
        after(TRACK, u64::MAX),
    ]
    .into_iter()
    .flatten()
    .filter(|next| *next > place)
    .min()
}

/// A volume that begins here.
fn first_at(source: &dyn ReadAt, start: u64) -> Option<Extent> {
    let boot = NtfsBootSector::parse(&bytes_at(source, start, 512))?;
    // A backup boot sector looks the same; only the `$MFT` tells which one this is.
    let own = has_mft(source, start, &boot);
    let earlier = start.checked_sub(boot.size).is_some_and(|start| has_mft(source, start, &boot));
    (own || !earlier).then(|| extent(start, &boot))
}

/// A volume whose backup boot sector lies right before this place, and not before `from`.
fn ending_at(source: &dyn ReadAt, place: u64, from: u64) -> Option<Extent> {
    for sector in [512, 4096] {
        let offset = place.checked_sub(sector)?;
        let Some(boot) = NtfsBootSector::parse(&bytes_at(source, offset, 512)) else { continue };
        if let Some(start) = offset.checked_sub(boot.size).filter(|start| *start >= from)
            && has_mft(source, start, &boot)
        {
            return Some(extent(start, &boot));
        }
    }
    None
}

fn has_mft(source: &dyn ReadAt, start: u64, boot: &NtfsBootSector) -> bool {
    let record = bytes_at(source, start.saturating_add(boot.mft), 4);
    record == b"FILE" || record == b"BAAD"
}

fn extent(start: u64, boot: &NtfsBootSector) -> Extent {
    Extent { start, len: boot.size.saturating_add(boot.sector_size) }
}
