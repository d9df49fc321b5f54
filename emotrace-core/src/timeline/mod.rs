//! One ordered timeline out of many workers, in bounded memory: sorted runs on disk, then a merge.
//!
//! The order is total: by time (undated events last), then by the artifact's place in the catalogue, then by input, then
//! by the record's place in its input. It does not depend on which worker met an event when.

mod fold;
mod merge;
mod spill;

pub use merge::Merge;
pub use spill::{Job, Timeline, TimelineBuilder, Worker};
