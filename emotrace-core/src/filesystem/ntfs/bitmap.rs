//! `$Bitmap`: which clusters are in use. It says what of a deleted file may still be there. And the bitmap of `$MFT`: which
//! records are in use. It says what was lost where a record is zeros.

use super::NtfsVolume;
use crate::bytes::{ReadAt, read_up_to};
use crate::formats::mft::attribute_type;
use crate::model::{FileReference, Recoverability};

/// `$Bitmap`.
const BITMAP: FileReference = FileReference { record: 6, sequence: 0 };
/// Largest bitmap that is kept in memory: 16 TiB of clusters of 4 KiB.
const MAX_BITMAP: u64 = 512 << 20;
/// The bitmap of `$MFT`, in record 0.
const MFT: FileReference = FileReference { record: 0, sequence: 0 };
/// Bytes of the bitmap that are counted together.
const STEP: usize = 512;
const BITS: u64 = STEP as u64 * 8;

/// The bitmap, and how many clusters are in use before each step of it: runs are counted without reading all their bits.
pub(super) struct Bitmap {
    bytes: Vec<u8>,
    before: Vec<u64>,
}

impl Bitmap {
    /// Reads the bitmap of the volume.
    pub(super) fn read(volume: &NtfsVolume) -> Option<Self> {
        let stream = volume.attribute(BITMAP, attribute_type::DATA, "").ok()?;
        if stream.len() > MAX_BITMAP {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(stream.len()).ok()?];
        let got = read_up_to(&stream, 0, &mut bytes).ok()?;
        bytes.truncate(got);
        Some(Self::new(bytes))
    }

    fn new(bytes: Vec<u8>) -> Self {
        let mut before = Vec::with_capacity(bytes.len() / STEP);
        let mut total = 0u64;
        for step in bytes.chunks(STEP) {
            before.push(total);
            total = total.saturating_add(ones(step));
        }
        Self { bytes, before }
    }

    /// Clusters in use of those before `cluster`; `None` behind the bitmap's end.
    fn used_before(&self, cluster: u64) -> Option<u64> {
        let step = usize::try_from(cluster / BITS).ok()?;
        let (byte, bit) = (usize::try_from(cluster / 8).ok()?, u32::try_from(cluster % 8).ok()?);
        let start = step.checked_mul(STEP)?;
        if start == self.bytes.len() && bit == 0 {
            let last = self.before.last().copied().unwrap_or(0);
            return Some(last.saturating_add(ones(self.bytes.get(start.saturating_sub(STEP)..)?)));
        }
        let partial = match bit {
            0 => 0,
            bit => (self.bytes.get(byte)? & !(0xffu8.checked_shl(bit)?)).count_ones(),
        };
        let whole = ones(self.bytes.get(start..byte)?);
        Some(self.before.get(step)?.saturating_add(whole).saturating_add(partial.into()))
    }

    /// Clusters of a run that are not in use.
    fn free_of(&self, first: u64, count: u64) -> Option<u64> {
        let used = self.used_before(first.checked_add(count)?)?.checked_sub(self.used_before(first)?)?;
        count.checked_sub(used)
    }
}

/// Which records of `$MFT` are in use.
#[derive(Default)]
pub(super) struct RecordsInUse(Vec<u8>);

impl RecordsInUse {
    /// Reads the bitmap of `$MFT`; without one, nothing is known to be in use.
    pub(super) fn read(volume: &NtfsVolume) -> Self {
        let Ok(stream) = volume.attribute(MFT, attribute_type::BITMAP, "") else { return Self::default() };
        let len = stream.len().min(volume.records.div_ceil(8));
        let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
        let got = read_up_to(&stream, 0, &mut bytes).unwrap_or(0);
        bytes.truncate(got);
        Self(bytes)
    }

    /// True if the bitmap says so.
    pub(super) fn has(&self, record: u64) -> bool {
        let byte = usize::try_from(record / 8).ok().and_then(|at| self.0.get(at));
        byte.is_some_and(|byte| byte.checked_shr((record % 8) as u32).is_some_and(|byte| byte & 1 == 1))
    }
}

fn ones(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let whole = words.iter().fold(0u64, |sum, word| sum.saturating_add(u64::from_le_bytes(*word).count_ones().into()));
    rest.iter().fold(whole, |sum, byte| sum.saturating_add(byte.count_ones().into()))
}

impl NtfsVolume {
    /// What has become of the clusters of a deleted stream; `runs` are first cluster and number.
    pub(super) fn recoverability(&self, runs: &[(u64, u64)]) -> Recoverability {
        let Some(bitmap) = self.bitmap.get_or_init(|| Bitmap::read(self)) else { return Recoverability::Unknown };
        let (mut free, mut total) = (0u64, 0u64);
        for (first, count) in runs {
            let Some(unused) = bitmap.free_of(*first, *count) else { return Recoverability::Unknown };
            free = free.saturating_add(unused);
            total = total.saturating_add(*count);
        }
        match free {
            free if free == total => Recoverability::Free,
            0 => Recoverability::Reused,
            free => Recoverability::PartlyReused { free, total },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counted bit by bit.
    #[test]
    fn runs_are_counted_as_bit_by_bit() {
        let bytes: Vec<u8> = (0..1536u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let clusters = bytes.len() as u64 * 8;
        let free = |at: u64| bytes[at as usize / 8] >> (at % 8) & 1 == 0;
        let bitmap = Bitmap::new(bytes.clone());
        for (first, count) in [(0, 1), (0, 12_288), (5, 0), (7, 9), (4095, 2), (4096, 4096), (1, 8191), (12_287, 1)] {
            let wanted = (first..first + count).filter(|at| free(*at)).count() as u64;
            assert_eq!(bitmap.free_of(first, count), Some(wanted), "{first} {count}");
        }
        assert_eq!(bitmap.free_of(clusters, 1), None);
        assert_eq!(bitmap.free_of(clusters - 1, 2), None);
        assert_eq!(bitmap.free_of(u64::MAX, 1), None);
        // The last step is not whole.
        let short = Bitmap::new(vec![0x0f; 700]);
        assert_eq!((short.free_of(0, 5600), short.free_of(5590, 10)), (Some(2800), Some(6)));
        assert_eq!(short.free_of(5601, 1), None);
        assert_eq!(Bitmap::new(Vec::new()).free_of(0, 1), None);
    }
}
