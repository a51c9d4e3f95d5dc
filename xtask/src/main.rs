//! What a checkout of ntk is for; `cargo xtask --help` is the manual.
//!
//! One binary, built twice: as a launcher without features, in seconds, and with the
//! `engine` feature, in release mode, for the commands that compute.

#[cfg(feature = "engine")]
mod bench;
#[cfg_attr(
    not(feature = "engine"),
    allow(dead_code, reason = "the launcher hands most flags on")
)]
mod cli;
#[cfg(feature = "engine")]
mod engine;
#[cfg(feature = "engine")]
mod experiments;
mod launch;

use clap::Parser;
use cli::{Cli, Command};
#[cfg(not(feature = "engine"))]
use std::io::Write;
use std::process::ExitCode;

/// What a command fails with: any error, shown as one line.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        Command::Test(args) => launch::test(&cli.common, args),
        Command::Bench(args) if !args.peers => launch::bench(&cli.common, args),
        Command::Reproduce(_) | Command::Bench(_) | Command::Sample(_) => compute(&cli),
        Command::Kernel(_)
        | Command::Ntk(_)
        | Command::Predict(_)
        | Command::Entropy(_)
        | Command::Large(_)
        | Command::Data(_) => launch::ntk(cli.common.backend, false),
        Command::Distributed(_) => launch::ntk(cli.common.backend, true),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            tell(&failure);
            ExitCode::FAILURE
        }
    }
}

/// Writes the line of an error to standard error, be there a reader or not.
#[cfg(feature = "engine")]
fn tell(failure: &Failure) {
    ntk_cli::progress::tell_failure(failure);
}

#[cfg(not(feature = "engine"))]
fn tell(failure: &Failure) {
    let _ = writeln!(std::io::stderr(), "error: {failure}");
}

#[cfg(feature = "engine")]
fn compute(cli: &Cli) -> Result<ExitCode, Failure> {
    let done = match &cli.command {
        Command::Bench(args) => {
            ntk_cli::prepare(cli.common.threads.or(Some(bench::THREADS)))?;
            bench::run(&cli.common, args)
        }
        _ => engine::run(cli),
    };
    done.map(|()| ExitCode::SUCCESS)
}

#[cfg(not(feature = "engine"))]
fn compute(cli: &Cli) -> Result<ExitCode, Failure> {
    launch::engine(&cli.common)
}
