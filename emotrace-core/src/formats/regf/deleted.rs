//! Keys and values that are no longer part of the live tree.

use super::KeyValue;
use crate::model::{State, Timestamp};

/// How sure a find is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// The structure is whole, and what it names is where it says.
    Whole,
    /// The structure is whole, but what it names (its parent, its data) is gone or used again: a reading, not a fact.
    Partial,
}

/// A key that is no longer part of the tree.
#[derive(Clone, Debug)]
pub struct DeletedKey<'h> {
    /// Its name.
    pub name: String,
    /// Path from the root, where every key above it is known; else as much of its end as is known.
    pub path: String,
    /// The path begins at the root.
    pub path_known: bool,
    /// When it was last written.
    pub last_write: Option<Timestamp>,
    /// Offset of its cell in the hive file.
    pub offset: u64,
    /// Deleted (a free cell, or one that nothing names) or slack (the unused end of a cell in use).
    pub state: State,
    /// How sure this is.
    pub certainty: Certainty,
    /// Its values, as far as its list of values still names them.
    pub values: Vec<DeletedValue<'h>>,
}

/// A value that is no longer part of the tree.
#[derive(Clone, Debug)]
pub struct DeletedValue<'h> {
    /// Path of the key that it belonged to, where that is known.
    pub key_path: Option<String>,
    /// Name, type, data.
    pub value: KeyValue<'h>,
    /// Deleted or slack.
    pub state: State,
    /// How sure this is.
    pub certainty: Certainty,
}

/// What is left of deleted keys and values, by offset.
#[derive(Clone, Debug, Default)]
pub struct Deleted<'h> {
    /// Keys with the values that they still name.
    pub keys: Vec<DeletedKey<'h>>,
    /// Values that belong to a live key, or to no key that is known.
    pub values: Vec<DeletedValue<'h>>,
}
