//! How a run ends.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use emotrace_core::pipeline::{EvidenceError, RunError};

/// Exit codes. They are documented in `emotrace --help` and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything asked for was done; `verify`: all stored hashes match.
    Done = 0,
    /// It could not be done; the message says why.
    Failed = 1,
    /// Done, but part of the evidence could not be read; the issues say which. `verify`: incomplete.
    Incomplete = 3,
    /// `verify`: a stored hash differs from the content.
    Differs = 4,
    /// `verify`: the image stores no hash to compare with.
    NotStored = 5,
    /// Stopped by the user.
    Stopped = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    Evidence(EvidenceError),
    Run(RunError),
    Output(String, io::Error),
    Message(String),
}

impl Failure {
    pub(crate) const fn code(&self) -> Exit {
        match self {
            Self::Run(RunError::Cancelled) => Exit::Stopped,
            _ => Exit::Failed,
        }
    }

    /// The same about an output, where it does not say so itself.
    pub(crate) fn at(self, path: &Path) -> Self {
        match self {
            Self::Run(RunError::Output(error)) => Self::Output(path.display().to_string(), error),
            other => other,
        }
    }

    /// The reader of stdout went away: there is nobody to tell.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let error = match self {
            Self::Run(RunError::Output(error)) | Self::Output(_, error) => error,
            _ => return false,
        };
        error.kind() == io::ErrorKind::BrokenPipe
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Evidence(error) => write!(f, "{error}"),
            Self::Run(RunError::Cancelled) => f.write_str(
                "stopped before the end; what was finished is kept (analyze --resume goes on with a case folder)",
            ),
            Self::Run(RunError::Temporary(error)) => {
                let advice = match error.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        "; make room there, or name a folder with more room with --temp"
                    }
                    _ => "; name another folder with --temp",
                };
                write!(f, "temporary files can't be written or read back: {error}{advice}")
            }
            Self::Run(error) => write!(f, "{error}"),
            Self::Output(place, error) => write!(f, "{place}: {error}{}", advice(error)),
            Self::Message(text) => f.write_str(text),
        }
    }
}

/// What can be done about an output that can't be written.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room there and go on (analyze: with --resume), or name another place with -o"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; name a place that you may write to with -o"
        }
        _ => "",
    }
}

impl From<EvidenceError> for Failure {
    fn from(error: EvidenceError) -> Self {
        Self::Evidence(error)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::Run(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Run(RunError::Output(error))
    }
}
