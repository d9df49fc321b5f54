//! Plain values that every room may name. Nothing here does I/O.

mod coverage;
mod descriptor;
mod event;
mod file_entry;
mod host;
mod issue;
mod locator;
mod sink;
mod timestamp;

pub use coverage::{ArtifactCoverage, Coverage};
pub use descriptor::{Descriptor, Field, Kind, Schema};
pub use event::{Event, Meaning, Origin, State, Value, Values};
pub use file_entry::{FileEntry, FileName, FileReference, MacbTimes, Namespace, StandardInformation, StreamFacts};
pub use host::{Host, Interface, Network, User};
pub use issue::{Loss, ParseIssue};
pub use locator::Locator;
pub use sink::{Collect, Sink};
pub use timestamp::Timestamp;
