//! The commands of the ntk workspace; `cargo xtask --help` is their manual.
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
use std::process::ExitCode;

/// What a command fails with: any error, shown as one line.
type Failure = Box<dyn std::error::Error>;

#[expect(clippy::print_stderr, reason = "errors go to standard error, one line")]
fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let result = match &cli.command {
        cli::Command::Test(args) => launch::test(&cli.common, args),
        cli::Command::Bench(args) if !args.peers => launch::bench(&cli.common, args),
        _ => compute(&cli),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(feature = "engine")]
fn compute(cli: &cli::Cli) -> Result<ExitCode, Failure> {
    let cli::Command::Bench(args) = &cli.command else {
        return engine::run(cli);
    };
    engine::prepare(cli.common.threads.or(Some(bench::THREADS)))?;
    bench::run(&cli.common, args)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(not(feature = "engine"))]
fn compute(cli: &cli::Cli) -> Result<ExitCode, Failure> {
    launch::engine(cli)
}
