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

mod amcache;
mod app_compat_flags;
mod artifact;
mod bam;
mod event_log;
mod feature_usage;
mod file_times;
mod host;
mod jump_lists;
mod lnk_files;
mod mui_cache;
mod prefetch;
mod recent_apps;
mod recycle_bin;
mod registry_keys;
mod run_keys;
mod services;
mod shell_link;
mod shimcache;
mod tracing_keys;
mod user_assist;
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
    &usn_journal::ARTIFACT,
    &recycle_bin::ARTIFACT,
    &zone_identifier::ARTIFACT,
    &event_log::ARTIFACT,
    &prefetch::ARTIFACT,
    &lnk_files::ARTIFACT,
    &jump_lists::ARTIFACT,
    &run_keys::ARTIFACT,
    &services::ARTIFACT,
    &user_assist::ARTIFACT,
    &shimcache::ARTIFACT,
    &amcache::ARTIFACT,
    &bam::ARTIFACT,
    &app_compat_flags::ARTIFACT,
    &mui_cache::ARTIFACT,
    &recent_apps::ARTIFACT,
    &feature_usage::ARTIFACT,
    &tracing_keys::ARTIFACT,
    &registry_keys::ARTIFACT,
];

/// Artifacts of the registry whose rows each speak of one value. They are given the deleted values of live keys as well;
/// a row that speaks of a whole key would say that the key was deleted. Deleted keys are given to every artifact.
pub const ROW_PER_VALUE: &[&str] =
    &["run_keys", "user_assist", "shimcache", "bam", "app_compat_flags", "mui_cache", "feature_usage"];

/// Artifacts that are read only when they are named: they would drown all others.
pub const OPTIONAL: &[&str] = &["registry_keys"];

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
