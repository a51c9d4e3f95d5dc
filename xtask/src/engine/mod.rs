//! The commands that compute.

mod aligned;
mod data;
mod environment;
mod interrupt;
mod page;
mod places;
mod progress;
mod reproduce;
pub(crate) mod results;

pub(crate) use progress::Progress;

use crate::Failure;
use crate::cli::{Cli, Command};
use std::process::ExitCode;

pub(crate) fn run(cli: &Cli) -> Result<ExitCode, Failure> {
    interrupt::install()?;
    if let Some(threads) = cli.common.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.into())
            .build_global()?;
    }
    match &cli.command {
        Command::Reproduce(args) => reproduce::run(&cli.common, args)?,
        Command::Data(args) => data::run(&cli.common, args)?,
        Command::Test(_) => unreachable!("the launcher's own command"),
    }
    Ok(ExitCode::SUCCESS)
}
