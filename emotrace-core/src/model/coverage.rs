//! What was looked for, what was there, and how well it could be read.

use std::collections::BTreeMap;

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
    /// Issues met.
    pub issues: u64,
    /// Why this artifact can't be had from this evidence, if that is known ("a folder holds no $FILE_NAME times").
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_available: Option<String>,
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
                (&mut ours.issues, theirs.issues),
            ] {
                *sum = sum.saturating_add(more);
            }
            if ours.not_available.is_none() {
                ours.not_available.clone_from(&theirs.not_available);
            }
        }
    }
}
