//! A whole run in one call.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::evidence::Evidence;
use super::extract::{Extraction, RunError, extract};
use super::progress::Progress;
use crate::artifacts::{Limits, OPTIONAL};
use crate::export::{Context, Format, exporter};
use crate::filesystem::glob::{Pattern, folded};
use crate::model::{Event, Sink, Timestamp, Value};

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Names of artifacts; empty means all but those in [`OPTIONAL`], `all` means those too.
    pub artifacts: Vec<String>,
    /// Patterns of paths (`C:\Users\**`, `**\*.evtx`) of the evidence or of the file that an event is about; empty means
    /// all. A pattern without a drive fits every drive.
    pub paths: Vec<PathPattern>,
    /// Earliest instant, inclusive. With a bound, undated events are left out.
    pub from: Option<Timestamp>,
    /// Latest instant, exclusive.
    pub to: Option<Timestamp>,
}

/// A pattern of paths, compiled once for the whole run.
#[derive(Clone, Debug)]
pub struct PathPattern(Pattern);

impl PathPattern {
    /// Reads a pattern as a user writes it. A drive is a component like any other; a stream can't be asked for.
    pub fn new(pattern: &str) -> Self {
        Self(Pattern::new(&pattern.replace(':', "")))
    }
}

impl Selection {
    pub(super) fn wants(&self, artifact: &str) -> bool {
        let named = self.artifacts.iter().any(|a| a == artifact || a == "all");
        named || (self.artifacts.is_empty() && !OPTIONAL.contains(&artifact))
    }

    pub(super) fn wants_path(&self, path: &str) -> bool {
        if self.paths.is_empty() {
            return true;
        }
        let path = folded(path);
        let bare = path.split_once(':').filter(|(drive, _)| drive.len() == 1).map(|(_, rest)| rest);
        let plain = path.replace(':', "");
        let fits = |PathPattern(pattern): &PathPattern| {
            pattern.matches(&plain, "") || bare.is_some_and(|bare| pattern.matches(bare, ""))
        };
        self.paths.iter().any(fits)
    }

    /// True if the event lies between the bounds, and its evidence, or the file that it is about, at one of the paths.
    pub fn wants_event(&self, event: &Event) -> bool {
        let in_time = match event.time {
            None => self.from.is_none() && self.to.is_none(),
            Some(time) => self.from.is_none_or(|from| time >= from) && self.to.is_none_or(|to| time < to),
        };
        let about = || event.values.get("path").and_then(Value::as_text).is_some_and(|path| self.wants_path(path));
        in_time && (self.paths.is_empty() || self.wants_path(&event.origin.locator.path) || about())
    }
}

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads; `None` means one for each core. The output does not depend on it.
    pub threads: Option<usize>,
    /// Which events are wanted.
    pub selection: Selection,
    /// Replay registry transaction logs in memory.
    pub replay: bool,
    /// Folder for temporary files; `None` means the system's own. Needs room for the timeline.
    pub temporary: Option<std::path::PathBuf>,
    /// Folder in which the sorted timeline is built and stays, for [`Extraction::save`]. `None`: among the temporary files.
    pub keep: Option<std::path::PathBuf>,
    /// Bounds on single inputs.
    pub limits: Limits,
    /// Set to true from another thread to end the run early with [`RunError::Cancelled`].
    pub cancel: Arc<AtomicBool>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: None,
            selection: Selection::default(),
            replay: true,
            temporary: None,
            keep: None,
            limits: Limits::default(),
            cancel: Arc::default(),
        }
    }
}

impl Options {
    /// For work beside the run: goes on until the caller asks to stop.
    pub fn go_on(&self) -> ControlFlow<()> {
        if self.cancel.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    pub(super) fn check(&self) -> Result<(), RunError> {
        if self.cancel.load(Ordering::Relaxed) { Err(RunError::Cancelled) } else { Ok(()) }
    }
}

/// Reads the evidence and gives every event, in the order of the timeline, to a sink; then every issue.
///
/// # Errors
/// When temporary files can't be written, or the run was cancelled.
pub fn stream(
    evidence: &Evidence,
    options: &Options,
    progress: &dyn Progress,
    sink: &mut dyn Sink,
) -> Result<Extraction, RunError> {
    let extraction = extract(evidence, options, progress)?;
    for event in extraction.timeline.events().map_err(RunError::Temporary)? {
        options.check()?;
        let event = event.map_err(RunError::Temporary)?;
        if options.selection.wants_event(&event) {
            sink.event(event);
        }
    }
    for issue in extraction.issues() {
        sink.issue(issue.clone());
    }
    Ok(extraction)
}

/// What was written of a timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows.
    pub rows: u64,
    /// Events that the format has no place for: undated, or dated outside its range.
    pub left_out: u64,
}

/// Writes an extraction's timeline in one format.
///
/// # Errors
/// When the output can't be written, or the run was cancelled.
pub fn write_timeline(
    extraction: &Extraction,
    format: Format,
    context: Context,
    options: &Options,
    progress: &dyn Progress,
    out: &mut dyn Write,
) -> Result<Written, RunError> {
    const STEP: u64 = 4096;
    progress.phase("writing", extraction.timeline.len());
    let mut exporter = exporter(format, context);
    let mut written = Written::default();
    exporter.begin(out)?;
    for (n, event) in (1u64..).zip(extraction.timeline.events().map_err(RunError::Temporary)?) {
        let event = event.map_err(RunError::Temporary)?;
        if n % STEP == 0 {
            options.check()?;
            progress.advance(STEP);
        }
        if options.selection.wants_event(&event) {
            let counter = if exporter.event(&event, out)? { &mut written.rows } else { &mut written.left_out };
            *counter = counter.saturating_add(1);
        }
    }
    out.flush()?;
    Ok(written)
}

impl From<io::Error> for RunError {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optional_artifacts_are_read_when_named_alone() {
        let all = Selection::default();
        assert!(all.wants("run_keys") && !all.wants("registry_keys"));
        let named = Selection { artifacts: vec!["registry_keys".to_owned()], ..Selection::default() };
        assert!(named.wants("registry_keys") && !named.wants("run_keys"));
    }
}
