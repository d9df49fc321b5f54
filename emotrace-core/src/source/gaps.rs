//! What of the media could not be read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// Why a range of the media can't be read. Such a range reads as zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// A file of the set is not there.
    MissingSegment,
    /// A file of the set ends before its data does.
    FileCut,
    /// A chunk does not inflate, is shorter than it should be, or its Adler-32 differs.
    BadChunk,
    /// No table says where these chunks lie, and they could not be found without one.
    NoTable,
    /// The operating system could not read the evidence file here.
    ReadError,
}

impl GapReason {
    /// The reason in words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::MissingSegment => "a segment file is missing",
            Self::FileCut => "a segment file ends too early",
            Self::BadChunk => "a chunk is damaged",
            Self::NoTable => "no table tells where the data lies",
            Self::ReadError => "the evidence file could not be read",
        }
    }
}

/// A range of the media that can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// First byte, counted from the start of the media.
    pub start: u64,
    /// Length in bytes.
    pub len: u64,
    /// Why.
    pub reason: GapReason,
}

/// `65536 bytes at 0x10000: why`.
impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes at {:#x}: {}", self.len, self.start, self.reason.text())
    }
}

/// Gaps as they are met, from any thread. Neighbours with one reason are one gap, so the list does not depend on the
/// order in which they were met.
#[derive(Debug, Default)]
pub(super) struct GapList {
    /// Start → (end, reason).
    gaps: Mutex<BTreeMap<u64, (u64, GapReason)>>,
}

impl GapList {
    /// Adds a range. One that begins inside a known gap is known already.
    pub(super) fn add(&self, start: u64, len: u64, reason: GapReason) {
        let end = start.saturating_add(len);
        let mut gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
        let before = gaps.range(..=start).next_back().map(|(s, v)| (*s, *v));
        if len == 0 || before.is_some_and(|(_, (e, _))| start < e) {
            return;
        }
        let mut first = start;
        let mut last = end;
        if let Some((s, (e, r))) = before
            && e == start
            && r == reason
        {
            first = s;
        }
        if let Some(&(e, r)) = gaps.get(&end)
            && r == reason
        {
            gaps.remove(&end);
            last = e;
        }
        gaps.insert(first, (last, reason));
    }

    /// True if the byte lies in a known gap.
    pub(super) fn contains(&self, offset: u64) -> bool {
        let gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
        gaps.range(..=offset).next_back().is_some_and(|(_, (end, _))| offset < *end)
    }

    /// All gaps, by place.
    pub(super) fn list(&self) -> Vec<Gap> {
        let gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
        gaps.iter().map(|(&start, &(end, reason))| Gap { start, len: end.saturating_sub(start), reason }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_finding_does_not_matter() {
        let ranges = [(0, 10), (10, 10), (30, 10), (20, 10), (50, 5)];
        let lists: Vec<_> = [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 3, 4, 1]]
            .iter()
            .map(|order| {
                let list = GapList::default();
                for i in order {
                    let (start, len) = ranges[*i];
                    list.add(start, len, GapReason::BadChunk);
                    list.add(start, len, GapReason::BadChunk);
                }
                list.list()
            })
            .collect();
        let expected = [(0, 40), (50, 5)].map(|(start, len)| Gap { start, len, reason: GapReason::BadChunk });
        for list in lists {
            assert_eq!(list, expected);
        }
    }

    #[test]
    fn reasons_stay_apart() {
        let list = GapList::default();
        list.add(0, 10, GapReason::BadChunk);
        list.add(10, 10, GapReason::FileCut);
        assert_eq!(list.list().len(), 2);
        assert!(list.contains(19) && !list.contains(20));
    }
}
