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
mod progress;
mod reproduce;
pub(crate) mod results;
mod space;
mod store;

pub(crate) use progress::Progress;

use crate::Failure;
use crate::bench;
use crate::cli::{Cli, Command};
use std::process::ExitCode;

pub(crate) fn run(cli: &Cli) -> Result<ExitCode, Failure> {
    interrupt::install()?;
    let threads = match &cli.command {
        Command::Bench(_) => cli.common.threads.or(Some(bench::THREADS)),
        _ => cli.common.threads,
    };
    if let Some(threads) = threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.into())
            .build_global()?;
    }
    match &cli.command {
        Command::Reproduce(args) => reproduce::run(&cli.common, args)?,
        Command::Kernel(args) => kernel::run(&cli.common, args)?,
        Command::Ntk(args) => empirical::run(&cli.common, args)?,
        Command::Predict(args) => predict::run(&cli.common, args)?,
        Command::Entropy(args) => entropy::run(&cli.common, args)?,
        Command::Large(args) => large::run(&cli.common, args)?,
        Command::Distributed(args) => distributed::run(&cli.common, args)?,
        Command::Data(args) => data::run(&cli.common, args)?,
        Command::Bench(args) => bench::run(&cli.common, args)?,
        Command::Test(_) => unreachable!("the launcher's own command"),
    }
    Ok(ExitCode::SUCCESS)
}
