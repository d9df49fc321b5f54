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
mod lnk_files;
mod prefetch;
mod shell_link;
mod host;
mod run_keys;
mod services;
mod usn_journal;
pub mod jump_lists;
pub mod lnk_files;
pub mod recycle_bin;
mod shell_link;
pub mod zone_identifier;

pub use artifact::{
    Artifact, ArtifactError, Completion, EntryInput, FileInput, KeyInput, Limits, Out, Reads, Record, VolumeInput,
    VolumeView,
};

pub use host::read_host;

use crate::model::Schema;

/// Every artifact, in the order in which equal instants are listed.
#[rustfmt::skip]
pub static ARTIFACTS: &[&Artifact] = &[
    &prefetch::PREFETCH,
    &lnk_files::ARTIFACT,
];
pub static ARTIFACTS: &[&Artifact] = &[&run_keys::RUN_KEYS, &services::SERVICES];
pub static ARTIFACTS: &[&Artifact] = &[&prefetch::PREFETCH, &usn_journal::USN_JOURNAL];
pub static ARTIFACTS: &[&Artifact] =
    &[&lnk_files::ARTIFACT, &jump_lists::ARTIFACT, &recycle_bin::ARTIFACT, &zone_identifier::ARTIFACT];

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
