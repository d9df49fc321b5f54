//! Detection: Sigma rules over events of every kind, and the judgement that follows from what they find.
//!
//! What is looked for is data: `emotrace-core/rules/` holds one Sigma file per rule, `mapping.yaml` (which event a Sigma
//! logsource means and what its fields are called there) and `verdict.yaml` (how findings are weighed). The code here knows
//! Descriptors and Events, never an artifact's file.
//!
//! 1. [`RuleSet`] reads rules; a mistake in them is a [`RuleError`] with file, line and column.
//! 2. [`Detector`] takes events in the order of the timeline and gives [`Finding`](crate::model::Finding)s.
//! 3. [`judge`] weighs findings and coverage and gives a [`Verdict`](crate::model::Verdict), every point explained.

pub mod emocheck;
mod engine;
mod error;
mod example;
pub mod exposure;
pub mod indicators;
mod judge;
mod mapping;
mod rule_set;
mod said;
mod sigma;
pub mod story;
mod yaml;

pub use engine::{Detector, NotEvaluated};
pub use error::{Place, RuleError};
pub use example::ExampleReport;
pub use judge::{VerdictPolicy, judge};
pub use mapping::Mapping;
pub use rule_set::RuleSet;

use sigma::each_text as sigma_each;
