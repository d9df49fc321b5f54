//! Reads disk images of Windows hosts, offline and read-only, and turns what they hold into one ordered timeline.
//!
//! Evidence flows one way, once: image → volume → files → artifacts → events → timeline. See `ARCHITECTURE.md`.

pub mod artifacts;
pub mod bytes;
pub mod detect;
pub mod export;
pub mod filesystem;
pub mod formats;
pub mod model;
pub mod pipeline;
pub mod source;
pub mod timeline;
pub mod volume;
