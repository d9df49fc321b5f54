//! Measurements of emotrace, one file per question under `benches/`, and the damage campaign.

use std::hint::black_box;

use emotrace_core::model::{Event, ParseIssue, Sink};

pub mod damage;

/// Counts the events that it is given, and keeps nothing.
#[derive(Default)]
pub struct Count(pub u64);

impl Sink for Count {
    fn event(&mut self, event: Event) {
        black_box(event);
        self.0 += 1;
    }
    fn issue(&mut self, issue: ParseIssue) {
        black_box(issue);
    }
}
