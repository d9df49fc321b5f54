//! The whole way, from evidence to timeline. The only room that sees all others, and the only one with threads.

mod address;
mod checkpoint;
mod detect;
mod evidence;
mod extract;
mod hives;
mod hosts;
mod plan;
mod preserve;
mod progress;
mod run;

pub use address::{Address, Target};
pub use checkpoint::{Kept, catalogue_digest, fingerprint};
pub use detect::{AssessError, Judging, assess};
pub use evidence::{Evidence, EvidenceError, Mounted, Vss};
pub use extract::{Extraction, RunError, extract};
pub use hives::OneHive;
pub use preserve::{Copied, Wanted, preserve};
pub use progress::{NoProgress, Progress};
pub use run::{Options, PathPattern, Selection, Written, stream, write_timeline};
