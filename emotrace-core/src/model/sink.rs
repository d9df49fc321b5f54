//! Where events and issues go.

use super::{Event, ParseIssue};

/// Takes what a parser finds.
pub trait Sink {
    /// One row.
    fn event(&mut self, event: Event);
    /// One thing that could not be read.
    fn issue(&mut self, issue: ParseIssue);
}

/// Keeps everything in memory. For tests and for small inputs.
#[derive(Debug, Default)]
pub struct Collect {
    /// The events in the order in which they came.
    pub events: Vec<Event>,
    /// The issues in the order in which they came.
    pub issues: Vec<ParseIssue>,
}

impl Sink for Collect {
    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
    fn issue(&mut self, issue: ParseIssue) {
        self.issues.push(issue);
    }
}
