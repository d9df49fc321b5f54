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
mod jump_lists;
mod lnk_files;
mod mount_points;
mod mru;
mod office_mru;
mod office_security;
mod open_save_mru;
mod prefetch;
mod rdp_client;
mod recent_docs;
mod recycle_bin;
mod run_keys;
mod run_mru;
mod services;
mod shell_link;
mod shellbags;
mod trust_records;
mod typed_paths;
mod typed_urls;
mod usn_journal;
mod word_wheel_query;
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
    &usn_journal::ARTIFACT,
    &recycle_bin::ARTIFACT,
    &zone_identifier::ARTIFACT,
    &event_log::ARTIFACT,
    &prefetch::ARTIFACT,
    &lnk_files::ARTIFACT,
    &jump_lists::ARTIFACT,
    &run_keys::ARTIFACT,
    &services::ARTIFACT,
    &trust_records::ARTIFACT,
    &office_mru::ARTIFACT,
    &office_security::ARTIFACT,
    &recent_docs::ARTIFACT,
    &open_save_mru::ARTIFACT,
    &run_mru::ARTIFACT,
    &typed_paths::ARTIFACT,
    &typed_urls::ARTIFACT,
    &word_wheel_query::ARTIFACT,
    &mount_points::ARTIFACT,
    &rdp_client::ARTIFACT,
    &shellbags::ARTIFACT,
];

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
