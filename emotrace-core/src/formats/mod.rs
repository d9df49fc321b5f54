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

pub mod evtx;
pub mod job;
pub mod regf;
pub mod xml;
