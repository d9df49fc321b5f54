//! Where events and issues go.

use super::{Event, Meaning, ParseIssue, Timestamp};

/// Takes what a parser finds.
pub trait Sink {
    /// One row.
    fn event(&mut self, event: Event);
    /// One record with several instants: a row for each of them, in their order, that says the same but for the time. The
    /// event's own time and meaning are not looked at.
    fn events(&mut self, mut event: Event, instants: &[(Timestamp, Meaning)]) {
        let Some((last, before)) = instants.split_last() else { return };
        for (time, meaning) in before {
            (event.time, event.meaning) = (Some(*time), *meaning);
            self.event(event.clone());
        }
        (event.time, event.meaning) = (Some(last.0), last.1);
        self.event(event);
    }
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
