//! `emotrace completions`: a completion script for a shell.

use clap::CommandFactory;

use super::print;
use crate::args::{Arguments, Completions};
use crate::exit::{Exit, Failure};

pub(crate) fn run(arguments: &Completions) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "emotrace", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
