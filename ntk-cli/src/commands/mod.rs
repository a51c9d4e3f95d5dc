//! The commands: one file or folder each, and one line in [`run`].

mod complete;
mod data;
mod distributed;
mod entropy;
mod fit;
mod kernel;
mod large;
mod ntk;
mod predict;
mod store;
mod targets;

use crate::cli::{Cli, Command};
use crate::{Failure, files, prepare};

pub(crate) fn run(cli: &Cli) -> Result<(), Failure> {
    let common = &cli.common;
    files::check(&cli.command.files(), common.force)?;
    prepare(common.threads)?;
    match &cli.command {
        Command::Kernel(args) => kernel::run(common, args),
        Command::Ntk(args) => ntk::run(common, args),
        Command::Predict(args) => predict::run(common, args),
        Command::Fit(args) => fit::run(common, args),
        Command::Entropy(args) => entropy::run(common, args),
        Command::Large(args) => large::run(common, args),
        Command::Distributed(args) => distributed::run(common, args),
        Command::Data(args) => data::run(common, args),
        Command::Completions { shell } => complete::script(*shell),
        Command::Man { out } => complete::manual(common, out),
    }
}
