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

mod active_setup;
mod artifact;
mod boot_execute;
mod com_servers;
mod defender_settings;
mod event_log;
mod file_times;
mod firewall_rules;
mod host;
mod image_options;
mod injected_dlls;
mod interfaces;
mod jump_lists;
mod key_values;
mod lnk_files;
mod logon_persistence;
mod mounted_devices;
mod network_profiles;
mod office_addins;
mod prefetch;
mod proxy_settings;
mod recording_state;
mod recycle_bin;
mod run_keys;
mod services;
mod shares;
mod shell_extensions;
mod shell_link;
mod task_cache;
mod usb_devices;
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
    &task_cache::ARTIFACT,
    &defender_settings::ARTIFACT,
    &logon_persistence::ARTIFACT,
    &injected_dlls::ARTIFACT,
    &image_options::ARTIFACT,
    &boot_execute::ARTIFACT,
    &active_setup::ARTIFACT,
    &com_servers::ARTIFACT,
    &shell_extensions::ARTIFACT,
    &office_addins::ARTIFACT,
    &usb_devices::ARTIFACT,
    &mounted_devices::ARTIFACT,
    &network_profiles::ARTIFACT,
    &interfaces::ARTIFACT,
    &shares::ARTIFACT,
    &firewall_rules::ARTIFACT,
    &proxy_settings::ARTIFACT,
    &recording_state::ARTIFACT,
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
