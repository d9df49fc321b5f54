//! The whole way in ten lines: open evidence, list its volumes, stream events into a sink.
//!
//! `cargo run --example timeline -- testdata/case/case.E01`

use emotrace_core::model::{Event, ParseIssue, Sink};
use emotrace_core::pipeline::{Evidence, NoProgress, Options, stream};

/// A sink of your own: here it prints.
struct Print;

impl Sink for Print {
    fn event(&mut self, event: Event) {
        let time = event.time.map(|t| t.to_string()).unwrap_or_default();
        println!("{time} {} {}", event.descriptor.name, event.message());
    }
    fn issue(&mut self, issue: ParseIssue) {
        eprintln!("{}: {}", issue.locator, issue.error);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let paths: Vec<_> = std::env::args_os().skip(1).map(Into::into).collect();
    let evidence = Evidence::open(&paths)?;
    for volume in &evidence.volumes {
        eprintln!("{:?}: {}", volume.label, volume.files.facts().kind);
    }
    stream(&evidence, &Options::default(), &NoProgress, &mut Print)?;
    Ok(())
}
