#![doc = include_str!("../README.md")]
//!
//! # As a library
//! Its public items serve the program, and the experiments of its workspace, which show progress,
//! end on Ctrl-C and write results as it does. It is no interface for others: those are the crates
//! that it stands on.

mod cli;
mod commands;
pub mod data_sets;
pub mod environment;
pub mod files;
pub mod fitted;
pub mod inputs;
pub mod interrupt;
mod memory;
mod narrow;
pub mod npy;
pub mod out_folder;
mod places;
pub mod progress;
pub mod results;
mod space;
mod structures;
mod words;

use clap::Parser;
use std::io::{self, Write};
use std::process::ExitCode;

/// `Failure` is any error that a command fails with, shown as one line.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The exit code of a wrong command line, by convention.
const WRONG_COMMAND_LINE: u8 = 2;

/// Does what the command line says.
pub fn main() -> ExitCode {
    // Help, the version and a wrong command line end here, before anything is started anew.
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(help) => return end_with(&help),
    };
    environment::name_processor_to_openblas();
    match commands::run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            progress::tell_failure(&failure);
            ExitCode::FAILURE
        }
    }
}

/// Shows the help or the version, or what is wrong with the command line.
fn end_with(help: &clap::Error) -> ExitCode {
    let shown = help.print().and_then(|()| io::stdout().flush());
    if help.use_stderr() {
        return ExitCode::from(WRONG_COMMAND_LINE);
    }
    match files::told(shown) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            progress::tell_failure(&failure);
            ExitCode::FAILURE
        }
    }
}

/// Begins a command that computes: on Ctrl-C nothing is left half-written, and work goes to `threads`
/// threads, or to one for each core.
///
/// # Errors
/// It fails where the system takes no handler of signals, or starts no threads.
pub fn prepare(threads: Option<u16>) -> Result<(), Failure> {
    interrupt::install()?;
    if let Some(threads) = threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.into())
            .build_global()?;
    }
    Ok(())
}
