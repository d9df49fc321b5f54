//! Meaning: what each artifact is, where it lies, and what it says. One file each.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod artifact;
pub mod event_log;
pub mod scheduled_tasks;

pub use artifact::{
    Artifact, ArtifactError, Completion, EntryInput, FileInput, KeyInput, Limits, Out, Reads, Record, VolumeInput,
    VolumeView,
};

use crate::model::Schema;

/// Every artifact, in the order in which equal instants are listed.
pub static ARTIFACTS: &[&Artifact] = &[&event_log::EVENT_LOG, &scheduled_tasks::SCHEDULED_TASKS];

/// The artifact of that name.
pub fn by_name(name: &str) -> Option<&'static Artifact> {
    ARTIFACTS.iter().find(|a| a.name == name).copied()
}

/// All names and descriptors that a run may use.
pub fn schema() -> Schema {
    Schema {
        artifacts: ARTIFACTS.iter().map(|a| a.name).collect(),
        descriptors: ARTIFACTS.iter().flat_map(|a| a.emits).copied().collect(),
    }
}
