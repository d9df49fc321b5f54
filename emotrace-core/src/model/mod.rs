//! Plain values that every room may name. Nothing here does I/O.

mod assessment;
mod coverage;
mod decimal;
mod descriptor;
mod event;
mod file_entry;
mod finding;
mod host;
mod issue;
mod locator;
mod shadow_copy;
mod sink;
mod timestamp;
mod verdict;

pub use assessment::{
    Assessment, Chain, EmoCheck, EmoCheckHit, Exposure, Gap, Indicator, RuleCounts, ScannerResult, Step, StoreGroup,
    Story,
};
pub use coverage::{ArtifactCoverage, Coverage, HiveCoverage, Replayed};
pub(crate) use decimal::Decimal;
pub use descriptor::{Descriptor, Field, Kind, Schema};
pub use event::{Event, Meaning, Origin, State, Value, Values};
pub use file_entry::{
    FileEntry, FileName, FileReference, MacbTimes, Namespace, RecordState, Recoverability, SlackName, SlackPlace,
    StandardInformation, StreamFacts,
};
pub use finding::{Evidence, EvidenceClass, Finding, Level, Near, Period, RuleInfo, Shows, Stage};
pub use host::{Host, Interface, Network, User};
pub use issue::{Loss, ParseIssue};
pub use locator::Locator;
pub use shadow_copy::ShadowCopy;
pub use sink::{Collect, Sink};
/// Text in a [`Value`]: short text lies in place, longer text is shared by its clones.
pub use smol_str::SmolStr;
pub use timestamp::Timestamp;
pub use verdict::{Bonus, Conclusion, CoverageLine, HostState, Point, StageScore, Verdict, Window};
