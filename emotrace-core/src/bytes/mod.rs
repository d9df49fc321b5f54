//! Bytes: positional reading, checked little-endian fields, text, and the error that every decoder gives.
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

mod cursor;
mod error;
pub mod fields;
mod read_at;
pub mod text;

pub use cursor::Cursor;
pub use error::FormatError;
pub use read_at::{ReadAt, SeekReader, Window, read_exact_at, read_up_to};
