//! Transaction logs.

use std::ops::Range;

/// What the transaction logs of a hive gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// The hive was not written to its end: its sequence numbers differ, or its base block is damaged.
    pub dirty: bool,
    /// Primary and secondary sequence number of the file.
    pub sequence_before: (u32, u32),
    /// Sequence number of the hive after the replay; absent if nothing was replayed.
    pub sequence_after: Option<u32>,
    /// Log entries that were applied, in order.
    pub entries: Vec<AppliedEntry>,
    /// Ranges of the hive that differ from the file, in order.
    pub(super) changed: Vec<Range<u64>>,
}

/// One log entry that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppliedEntry {
    /// Which of the logs, counted from 0 in the order in which they were given.
    pub log: usize,
    /// Offset of the entry in that log.
    pub offset: u64,
    /// Its sequence number.
    pub sequence: u32,
    /// Pages in it.
    pub pages: u32,
}

impl Replay {
    /// Pages that were written over the hive, counted as often as they were written.
    pub fn pages(&self) -> u64 {
        self.entries.iter().map(|entry| u64::from(entry.pages)).sum()
    }

    /// True if any of those bytes differ from the hive file's own.
    pub fn covers(&self, offset: u64, len: u64) -> bool {
        let after = self.changed.partition_point(|range| range.end <= offset);
        self.changed.get(after).is_some_and(|range| range.start < offset.saturating_add(len))
    }
}
