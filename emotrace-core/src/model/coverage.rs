//! What was looked for, what was there, and how well it could be read.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// How one artifact fared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactCoverage {
    /// Inputs found.
    pub found: u64,
    /// Inputs read to their end.
    pub complete: u64,
    /// Inputs read in part.
    pub truncated: u64,
    /// Inputs of which nothing could be read.
    pub failed: u64,
    /// Inputs that lie where the artifact lies but hold something else.
    pub other_format: u64,
    /// Inputs of shadow copies that were not read because they are the same as on the live volume; they are not counted as
    /// found.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub same_in_snapshots: u64,
    /// Events made, before equal ones of several shadow copies are folded into one.
    pub events: u64,
    /// Of these events those whose record comes from a registry transaction log: the hive's file alone does not have it so.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub from_logs: u64,
    /// Issues met.
    pub issues: u64,
    /// Why this artifact can't be had from this evidence, if that is known ("a folder holds no $FILE_NAME times").
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_available: Option<String>,
    /// What the machine was told not to record of this, as its registry says. What was never recorded is not missing, and
    /// its absence says nothing.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub switched_off: BTreeSet<String>,
}

/// One registry hive that was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HiveCoverage {
    /// Its place in the evidence.
    pub place: String,
    /// What it is by content and place: `SOFTWARE`, `NTUSER` …
    pub kind: String,
    /// The account that it belongs to, or the profile's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Keys in use.
    pub keys: u64,
    /// Deleted keys of which something is left.
    pub deleted_keys: u64,
    /// The file was not written to its end: its last changes lie in the transaction logs, if anywhere.
    pub dirty: bool,
    /// What the transaction logs gave; absent if nothing was replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replayed: Option<Replayed>,
}

/// What the transaction logs of one hive gave.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Replayed {
    /// Log entries that were applied.
    pub entries: u64,
    /// Sequence number of the first.
    pub first_sequence: u32,
    /// Sequence number of the last.
    pub last_sequence: u32,
    /// Pages in them (in the old format sectors of 512 bytes), counted as often as they were written.
    pub pages: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Coverage of a whole run, by artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// By name of the artifact. An artifact of which nothing was found stands here with zeros.
    pub artifacts: BTreeMap<&'static str, ArtifactCoverage>,
    /// The registry hives that were read, by place.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub hives: BTreeSet<HiveCoverage>,
}

impl Coverage {
    /// The entry of an artifact.
    pub fn of(&mut self, artifact: &'static str) -> &mut ArtifactCoverage {
        self.artifacts.entry(artifact).or_default()
    }

    /// Adds another run's or another worker's counts to these.
    pub fn merge(&mut self, other: &Coverage) {
        for (name, theirs) in &other.artifacts {
            let ours = self.of(name);
            for (sum, more) in [
                (&mut ours.found, theirs.found),
                (&mut ours.complete, theirs.complete),
                (&mut ours.truncated, theirs.truncated),
                (&mut ours.failed, theirs.failed),
                (&mut ours.other_format, theirs.other_format),
                (&mut ours.same_in_snapshots, theirs.same_in_snapshots),
                (&mut ours.events, theirs.events),
                (&mut ours.from_logs, theirs.from_logs),
                (&mut ours.issues, theirs.issues),
            ] {
                *sum = sum.saturating_add(more);
            }
            if ours.not_available.is_none() {
                ours.not_available.clone_from(&theirs.not_available);
            }
            ours.switched_off.extend(theirs.switched_off.iter().cloned());
        }
        self.hives.extend(other.hives.iter().cloned());
    }
}
