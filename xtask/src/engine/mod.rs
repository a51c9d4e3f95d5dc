//! The commands that compute.

mod page;
mod places;
mod reproduce;
mod sample;

use crate::Failure;
use crate::cli::{Cli, Command};
use crate::launch::workspace_root;
use ntk_cli::environment::Environment;
use ntk_cli::prepare;
use std::process;

pub(crate) use places::places;

pub(crate) fn run(cli: &Cli) -> Result<(), Failure> {
    prepare(cli.common.threads)?;
    match &cli.command {
        Command::Reproduce(args) => reproduce::run(&cli.common, args),
        Command::Sample(args) => sample::run(&cli.common, args),
        _ => unreachable!("no command of the engine"),
    }
}

/// Returns what a result says of this checkout: its revision now, with `-dirty` where files differ from it.
pub(crate) fn environment() -> Environment {
    let described = process::Command::new("git")
        .args([
            "describe",
            "--always",
            "--dirty",
            "--abbrev=12",
            "--exclude=*",
        ])
        .current_dir(workspace_root())
        .output();
    let revision = described.ok().filter(|output| output.status.success());
    let revision = revision.and_then(|output| String::from_utf8(output.stdout).ok());
    let here = Environment::here();
    Environment {
        revision: revision.map_or(here.revision, |text| text.trim().to_string()),
        ..here
    }
}
