//! One artifact from bytes, without an image around it.
//!
//! `cargo run --example one_artifact -- prefetch X.EXE-12345678.pf`

use std::sync::Arc;

use emotrace_core::artifacts::{FileInput, Out, Reads, by_name};
use emotrace_core::model::{Collect, Host, Locator, State};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err("usage: one_artifact ARTIFACT FILE".into());
    };
    let artifact = by_name(&name).ok_or("no such artifact")?;
    let bytes = std::fs::read(&path)?;
    let locator = Arc::new(Locator { path, ..Locator::default() });
    let input = FileInput::alone(Arc::clone(&locator), &bytes);
    let mut found = Collect::default();
    let mut out = Out::new(&mut found, artifact.name, locator, State::Live);
    let completion = match artifact.reads {
        Reads::Files { parse, .. } => parse(&input, &Host::default(), &mut out)?,
        Reads::Parts { parse, .. } => parse(&input, 0..u64::MAX, &Host::default(), &mut out)?,
        _ => return Err("this artifact does not read files".into()),
    };
    for event in &found.events {
        println!("{:?} {}", event.time.map(|t| t.to_string()), event.message());
    }
    println!("{completion:?}, {} issues", found.issues.len());
    Ok(())
}
