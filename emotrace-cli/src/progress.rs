//! Progress on stderr: a bar for people, JSON lines for programs.

use std::io::{IsTerminal, Write, stderr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use emotrace_core::pipeline::{NoProgress, Progress};
use indicatif::{ProgressBar, ProgressStyle as BarStyle};

use crate::args::ProgressStyle;

/// The progress display that was asked for.
pub(crate) fn display(style: ProgressStyle) -> Box<dyn Progress> {
    match style {
        ProgressStyle::Auto if stderr().is_terminal() => Box::new(Bar::new()),
        ProgressStyle::Bar => Box::new(Bar::new()),
        ProgressStyle::Ndjson => Box::new(Ndjson::new()),
        ProgressStyle::Auto | ProgressStyle::None => Box::new(NoProgress),
    }
}

struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::new(0);
        let style = BarStyle::with_template("{msg:>24} [{bar:40}] {percent:>3} % {elapsed_precise} ETA {eta_precise}");
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        Self(bar)
    }
}

impl Progress for Bar {
    fn phase(&self, name: &'static str, total: u64) {
        self.0.reset();
        self.0.set_message(name);
        self.0.set_length(total);
        // Before the first phase there is nothing to show.
        self.0.enable_steady_tick(Duration::from_millis(200));
    }
    fn advance(&self, steps: u64) {
        self.0.inc(steps);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// One object a line: phase, done, total and seconds since the start. At most ten a second.
struct Ndjson {
    start: Instant,
    state: Mutex<(&'static str, u64, Option<Instant>)>,
    done: AtomicU64,
}

impl Ndjson {
    fn new() -> Self {
        Self { start: Instant::now(), state: Mutex::new(("", 0, None)), done: AtomicU64::new(0) }
    }

    fn say(&self, now: bool) {
        const PAUSE: Duration = Duration::from_millis(100);
        let Ok(mut state) = self.state.lock() else { return };
        let (phase, total, last) = &mut *state;
        if now || last.is_none_or(|last| last.elapsed() >= PAUSE) {
            *last = Some(Instant::now());
            let seconds = self.start.elapsed().as_secs_f64();
            let done = self.done.load(Ordering::Relaxed);
            let line = serde_json::json!({"phase": *phase, "done": done, "total": *total, "seconds": seconds});
            // A reader that went away is no reason to stop the run.
            let _ = writeln!(stderr(), "{line}");
        }
    }
}

impl Progress for Ndjson {
    fn phase(&self, name: &'static str, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        if let Ok(mut state) = self.state.lock() {
            *state = (name, total, None);
        }
        self.say(true);
    }
    fn advance(&self, steps: u64) {
        self.done.fetch_add(steps, Ordering::Relaxed);
        self.say(false);
    }
}
