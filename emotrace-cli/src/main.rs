//! The command line of emotrace.
//!
//! stdout is data, stderr is talk. Exit codes stand in [`exit`].

mod args;
mod case_folder;
mod commands;
mod exit;
mod progress;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Analyze(options) => commands::analyze::run(&options),
        Command::Timeline(options) => commands::timeline::run(&options),
        Command::Info(options) => commands::info::run(&options),
        Command::Verify(options) => commands::verify::run(&options),
        Command::Ls(options) => commands::ls::run(&options),
        Command::Cat(options) => commands::cat::run(&options),
        Command::Hive(options) => commands::hive::run(&options),
        Command::Extract(options) => commands::extract::run(&options),
        Command::Emocheck(options) => return commands::emocheck::run(&options),
        Command::Rules(options) => commands::rules::run(&options),
        Command::Explain(options) => commands::explain::run(&options),
        Command::Completions(options) => commands::completions::run(&options),
    };
    match result {
        Ok(code) => code.into(),
        Err(failure) => {
            if !failure.is_broken_pipe() {
                eprintln!("emotrace: {failure}");
            }
            failure.code().into()
        }
    }
}
