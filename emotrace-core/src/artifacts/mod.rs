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
mod amcache;
mod app_compat_flags;
mod artifact;
mod bam;
mod boot_execute;
mod com_servers;
mod defender_quarantine;
mod defender_settings;
mod emocheck_reports;
mod emotet_files;
mod event_log;
mod explorer_values;
mod feature_usage;
mod file_times;
mod firewall_rules;
mod host;
mod image_options;
mod index_slack;
mod injected_dlls;
mod interfaces;
mod jump_lists;
mod key_values;
mod lnk_files;
mod logon_persistence;
mod mount_points;
mod mounted_devices;
mod mru;
mod mui_cache;
mod network_profiles;
mod ntfs_log;
mod office_addins;
mod office_mru;
mod office_security;
mod onenote_files;
mod open_save_mru;
mod pe_files;
mod prefetch;
mod proxy_settings;
mod rdp_client;
mod recent_apps;
mod recent_docs;
mod recording_state;
mod recycle_bin;
mod registry_keys;
mod run_keys;
mod run_mru;
mod scheduled_tasks;
mod services;
mod shadow_copies;
mod shares;
mod shell_extensions;
mod shell_link;
mod shellbags;
mod shimcache;
mod task_cache;
mod tracing_keys;
mod trust_records;
mod typed_paths;
mod typed_urls;
mod usb_devices;
mod user_assist;
mod usn_journal;
mod wmi_pointers;
mod word_wheel_query;
mod zip_files;
mod zone_identifier;

pub use artifact::{
    Artifact, ArtifactError, Beside, Completion, EntryInput, FileInput, KeyInput, Limits, Neighbour, Out, Reads,
    Record, VolumeInput, VolumeView,
};
pub use host::read_host;

use crate::model::Schema;

/// Every artifact, in the order in which equal instants are listed.
#[rustfmt::skip]
pub static ARTIFACTS: &[&Artifact] = &[
    &file_times::ARTIFACT,
    &index_slack::ARTIFACT,
    &usn_journal::ARTIFACT,
    &recycle_bin::ARTIFACT,
    &zone_identifier::ARTIFACT,
    &event_log::ARTIFACT,
    &prefetch::ARTIFACT,
    &lnk_files::ARTIFACT,
    &jump_lists::ARTIFACT,
    &run_keys::ARTIFACT,
    &services::ARTIFACT,
    &scheduled_tasks::ARTIFACT,
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
    &trust_records::ARTIFACT,
    &office_mru::ARTIFACT,
    &office_security::ARTIFACT,
    &task_cache::ARTIFACT,
    &defender_settings::ARTIFACT,
    &defender_quarantine::ARTIFACT,
    &logon_persistence::ARTIFACT,
    &injected_dlls::ARTIFACT,
    &image_options::ARTIFACT,
    &boot_execute::ARTIFACT,
    &active_setup::ARTIFACT,
    &com_servers::ARTIFACT,
    &shell_extensions::ARTIFACT,
    &office_addins::ARTIFACT,
    &wmi_pointers::ARTIFACT,
    &shadow_copies::ARTIFACT,
    &explorer_values::ARTIFACT,
    &pe_files::ARTIFACT,
    &emotet_files::ARTIFACT,
    &zip_files::ARTIFACT,
    &onenote_files::ARTIFACT,
    &emocheck_reports::ARTIFACT,
    &recent_docs::ARTIFACT,
    &open_save_mru::ARTIFACT,
    &run_mru::ARTIFACT,
    &typed_paths::ARTIFACT,
    &typed_urls::ARTIFACT,
    &word_wheel_query::ARTIFACT,
    &mount_points::ARTIFACT,
    &rdp_client::ARTIFACT,
    &shellbags::ARTIFACT,
    &usb_devices::ARTIFACT,
    &mounted_devices::ARTIFACT,
    &network_profiles::ARTIFACT,
    &interfaces::ARTIFACT,
    &shares::ARTIFACT,
    &firewall_rules::ARTIFACT,
    &proxy_settings::ARTIFACT,
    &recording_state::ARTIFACT,
    &ntfs_log::ARTIFACT,
];

/// Artifacts of the registry whose rows each speak of one value. They are given the deleted values of live keys as well;
/// a row that speaks of a whole key would say that the key was deleted. Deleted keys are given to every artifact.
pub const ROW_PER_VALUE: &[&str] =
    &["run_keys", "user_assist", "shimcache", "bam", "app_compat_flags", "mui_cache", "feature_usage"];

/// Artifacts that are read only when they are asked for by name: they cost more than they tell on most evidence.
pub const OPTIONAL: &[&str] = &["index_slack", "ntfs_log", "registry_keys"];

/// True if an artifact may ask for the file or folder of that name beside one of its inputs ([`FileInput::beside`]).
pub fn is_asked_for(name: &str) -> bool {
    crate::formats::recycle_bin::is_content_name(name)
}

/// Artifacts that do so.
pub const ASKS_BESIDE: &[&str] = &["recycle_bin"];

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
