//! Pure decoders: bytes in, plain values out. They know no file system and no event, and each external decoder crate is
//! named in one file here only.
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

pub mod cfb;
pub mod defender_quarantine;
pub mod emocheck_report;
pub mod emotet_config;
pub mod evtx;
pub mod fixup;
pub(crate) mod guard;
mod huffman;
pub mod index;
pub mod job;
pub mod jump_list;
pub mod lnk;
pub mod log_file;
pub mod lznt1;
pub mod lzx;
pub mod mam;
pub mod mft;
pub mod ntfs_boot;
pub mod ntfs_crate;
pub mod ntfs_extend;
pub mod prefetch;
pub mod property_store;
pub mod recycle_bin;
pub mod regf;
pub mod security_descriptor;
pub mod shell_item;
pub mod shell_names;
pub mod shimcache;
pub mod task_actions;
pub mod usn;
pub mod wof;
pub mod xml;
pub mod xpress;
pub mod zone_identifier;

#[cfg(test)]
pub(crate) mod ntfs_samples;
