//! A volume shadow copy, as the volume's own catalogue names it.

use serde::Serialize;

use super::Timestamp;

/// Facts of one volume shadow copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ShadowCopy {
    /// Number by age, from 1 for the oldest that is left. The numbers of `vshadowinfo` are the same; Windows' own
    /// (`HarddiskVolumeShadowCopyN`) are not, they count on.
    pub number: u32,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Identifier of the store, a part of the name of its file in `System Volume Information`.
    pub store_id: String,
    /// Identifier that Windows shows (`vssadmin list shadows`). Absent if the store's header is unreadable.
    pub copy_id: Option<String>,
    /// Identifier of the set: copies of several volumes that were made at once share it.
    pub set_id: Option<String>,
    /// Machine that the copy was made on.
    pub operating_machine: Option<String>,
    /// Machine that the service ran on.
    pub service_machine: Option<String>,
    /// `_VSS_VOLUME_SNAPSHOT_ATTRIBUTES`.
    pub attributes: Option<u32>,
    /// Sequence number in the catalogue.
    pub sequence: u64,
    /// Length of the volume when the copy was made, in bytes, as the catalogue states it.
    pub size: u64,
    /// Where its entry lies, in bytes from the start of the volume.
    pub offset: u64,
}
