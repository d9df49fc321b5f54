//! What could not be read.

use std::sync::Arc;

use serde::Serialize;

use super::Locator;

/// How much was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// Nothing is missing, but something is not as it should be (a bad checksum over data that could be read).
    None,
    /// A part of a record or one record.
    Record,
    /// Everything from the offset to the end.
    Rest,
    /// The whole input.
    Whole,
}

impl Loss {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Record => "record",
            Self::Rest => "rest",
            Self::Whole => "whole",
        }
    }
}

/// A thing that could not be read as it should be: where, how much was lost, and why. Damage is a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseIssue {
    /// The byte stream.
    pub locator: Arc<Locator>,
    /// Name of the artifact or of the room (`image`, `volume`, `ntfs`) that met it.
    pub artifact: &'static str,
    /// Byte offset in the stream, if known.
    pub offset: Option<u64>,
    /// How much was lost.
    pub loss: Loss,
    /// What was wrong, as a full sentence.
    pub error: String,
}
