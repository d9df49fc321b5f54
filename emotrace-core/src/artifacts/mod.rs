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
mod event_log;
mod file_times;
mod host;
mod index_slack;
mod jump_lists;
mod lnk_files;
mod ntfs_log;
mod prefetch;
mod recycle_bin;
mod run_keys;
mod services;
mod shell_link;
mod usn_journal;
mod zone_identifier;

pub use artifact::{
    Artifact, ArtifactError, Completion, EntryInput, FileInput, KeyInput, Limits, Out, Reads, Record, VolumeInput,
    VolumeView,
};
pub use host::read_host;

use crate::model::Schema;

/// Every artifact, in the order in which equal instants are listed.
#[rustfmt::skip]
pub static ARTIFACTS: &[&Artifact] = &[
    &file_times::ARTIFACT,
    &index_slack::ARTIFACT,
    &usn_journal::ARTIFACT,
    &ntfs_log::ARTIFACT,
    &recycle_bin::ARTIFACT,
    &zone_identifier::ARTIFACT,
    &event_log::ARTIFACT,
    &prefetch::ARTIFACT,
    &lnk_files::ARTIFACT,
    &jump_lists::ARTIFACT,
    &run_keys::ARTIFACT,
    &services::ARTIFACT,
];

/// Artifacts that are read only when they are asked for by name: they cost more than they tell on most evidence.
pub const OPTIONAL: &[&str] = &["index_slack", "ntfs_log"];

/// The artifact of that name.
pub fn by_name(name: &str) -> Option<&'static Artifact> {
    ARTIFACTS.iter().find(|a| a.name == name).copied()
}

/// All names and descriptors that a run may use.
pub fn schema() -> Schema {
    let mut schema = Schema { artifacts: ARTIFACTS.iter().map(|a| a.name).collect(), descriptors: Vec::new() };
    for descriptor in ARTIFACTS.iter().flat_map(|a| a.emits) {
        // Two artifacts may share a kind of event: a link is a link in a jump list too.
        if !schema.descriptors.contains(descriptor) {
            schema.descriptors.push(descriptor);
        }
    }
    schema
}
