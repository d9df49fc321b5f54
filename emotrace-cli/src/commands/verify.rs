//! `emotrace verify`: the image's hashes, compared with the stored ones.

use std::fmt::Write;
use std::ops::ControlFlow;

use emotrace_core::pipeline::{Evidence, Options, Progress, RunError};
use emotrace_core::source::{self, Algorithm, HashError, Outcome, Source, Verification};

use super::{print, print_json};
use crate::args::Verify;
use crate::exit::{Exit, Failure};
use crate::progress::display;

pub(crate) fn run(arguments: &Verify) -> Result<Exit, Failure> {
    let source = Source::open(&arguments.evidence.paths).map_err(|e| Failure::Message(e.to_string()))?;
    let progress = display(arguments.progress);
    let result = verify(&source, &*progress)?;
    drop(progress);
    if arguments.json {
        print_json(&result)?;
    } else {
        print(&text(&result))?;
    }
    Ok(match result.outcome {
        Outcome::Matches => Exit::Done,
        Outcome::Differs => Exit::Differs,
        Outcome::NotStored => Exit::NotStored,
        Outcome::Incomplete => Exit::Incomplete,
    })
}

fn verify(source: &Source, progress: &dyn Progress) -> Result<Verification, Failure> {
    let mut told = 0;
    progress.phase("hashing", source.facts().size);
    hashed(source::verify(source, &mut |done, _| {
        progress.advance(done - told);
        told = done;
        ControlFlow::Continue(())
    }))
}

/// Runs something and, if that is wanted and the evidence is an image, computes its hashes at the same time: both read
/// the same bytes, so the disk is read once.
pub(crate) fn beside<T>(
    evidence: &Evidence,
    wanted: bool,
    options: &Options,
    run: impl FnOnce() -> T,
) -> (T, Option<Result<Verification, Failure>>) {
    let Some(source) = evidence.source.as_ref().filter(|_| wanted) else { return (run(), None) };
    std::thread::scope(|scope| {
        let hashing = scope.spawn(|| source::verify(source, &mut |_, _| options.go_on()));
        let result = run();
        let hashes = hashing.join().unwrap_or(Err(HashError::Stopped));
        (result, Some(hashed(hashes)))
    })
}

fn hashed(result: Result<Verification, HashError>) -> Result<Verification, Failure> {
    result.map_err(|error| match error {
        HashError::Stopped => Failure::Run(RunError::Cancelled),
        error => Failure::Message(error.to_string()),
    })
}

/// The result in words.
pub(crate) fn text(result: &Verification) -> String {
    let mut text = String::new();
    for algorithm in [Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256] {
        let computed = result.computed.get(algorithm);
        let mut compared = result.compared.iter().filter(|c| c.stored.algorithm == algorithm).peekable();
        if compared.peek().is_none() {
            let _ = writeln!(text, "{:7} {computed}  not stored", algorithm.name());
        }
        for comparison in compared {
            let stored = &comparison.stored;
            let verdict = if comparison.equal { "matches" } else { "DIFFERS from" };
            let (name, section) = (algorithm.name(), stored.section);
            let _ = writeln!(text, "{name:7} {computed}  {verdict} {} stored in the {section} section", stored.value);
        }
    }
    if result.unreadable > 0 {
        let _ = writeln!(text, "{} of {} bytes could not be read", result.unreadable, result.size);
    }
    let outcome = match result.outcome {
        Outcome::Matches => "The content matches every stored hash.",
        Outcome::Differs => "The content DIFFERS from a stored hash.",
        Outcome::NotStored => "The image stores no hash; there is nothing to compare with.",
        Outcome::Incomplete => {
            "INCOMPLETE: part of the image can't be read; the hashes are of what is left, gaps as zeros."
        }
    };
    let _ = writeln!(text, "{outcome}");
    text
}
