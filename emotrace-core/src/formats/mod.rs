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

mod huffman;
pub mod lzx;
pub mod mam;
pub mod prefetch;
pub mod regf;
pub mod usn;
pub mod wof;
pub mod xpress;
