//! The commands that compute.

pub(crate) mod closed_form;
mod data;
mod distributed;
mod empirical;
mod entropy;
pub(crate) mod environment;
pub(crate) mod files;
pub(crate) mod interrupt;
mod kernel;
mod large;
pub(crate) mod npy;
mod out_folder;
mod page;
pub(crate) mod places;
mod predict;
pub(crate) mod progress;
mod reproduce;
pub(crate) mod results;
mod space;
mod store;

pub(crate) use progress::Progress;

use crate::Failure;
use crate::cli::{Cli, Command};
use std::process::ExitCode;

pub(crate) fn run(cli: &Cli) -> Result<ExitCode, Failure> {
    prepare(cli.common.threads)?;
    match &cli.command {
        Command::Reproduce(args) => reproduce::run(&cli.common, args)?,
        Command::Kernel(args) => kernel::run(&cli.common, args)?,
        Command::Ntk(args) => empirical::run(&cli.common, args)?,
        Command::Predict(args) => predict::run(&cli.common, args)?,
        Command::Entropy(args) => entropy::run(&cli.common, args)?,
        Command::Large(args) => large::run(&cli.common, args)?,
        Command::Distributed(args) => distributed::run(&cli.common, args)?,
        Command::Data(args) => data::run(&cli.common, args)?,
        Command::Bench(_) | Command::Test(_) => unreachable!("no command of the engine"),
    }
    Ok(ExitCode::SUCCESS)
}

/// What every command that computes begins with.
pub(crate) fn prepare(threads: Option<u16>) -> Result<(), Failure> {
    interrupt::install()?;
    if let Some(threads) = threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.into())
            .build_global()?;
    }
    Ok(())
}
