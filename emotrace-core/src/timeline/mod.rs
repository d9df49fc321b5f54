//! One ordered timeline out of many workers, in bounded memory: sorted runs on disk, then a merge.
//!
//! The order is total: by time (undated events last), then by the artifact's place in the catalogue, then by input, then
//! by the record's place in its input. It does not depend on which worker met an event when.

mod fold;
mod merge;
mod scratch;
mod sorted_run;
mod spill;

pub use merge::Merge;
pub use scratch::Lock;
pub use spill::{Job, SavedTimeline, Timeline, TimelineBuilder, Worker};
