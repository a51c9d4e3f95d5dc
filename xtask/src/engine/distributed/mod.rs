//! `cargo xtask distributed`.

#[cfg(feature = "mpi")]
mod job;
mod model;
mod plan;
#[cfg(feature = "mpi")]
mod start;

use super::large::check;
use super::large::problems::{self, Loaded};
use super::reproduce::data_sets;
use super::{Progress, places};
use crate::Failure;
use crate::cli::{Common, Distributed};
use std::num::NonZero;

/// Images that a plan is measured with, at most.
const MEASURED: u64 = 1024;

pub(super) fn run(common: &Common, args: &Distributed) -> Result<(), Failure> {
    check(&args.of)?;
    let problem = problems::find(&args.of.problem)?;
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let ranks = match args.ranks {
        Some(ranks) => ranks,
        None => u32::try_from(cores)?,
    };
    if args.of.dry_run {
        let progress = Progress::new(common.quiet || common.json);
        let data = data_sets::one(problem.data, &places::places(&args.of.places), &progress)?;
        let count = |asked: Option<u32>, there: usize| asked.map_or(there as u64, u64::from);
        let sizes = (
            count(args.of.train, data.set.train.len()),
            count(args.of.test, data.set.test.len()),
        );
        // As many as its measurements take, and not more than there are.
        let some = u32::try_from(sizes.0.min(MEASURED))?;
        let net = args.of.net.as_deref();
        let loaded = Loaded::new(problem, net, &data.set, Some(some), Some(1))?;
        return plan::show(common, &loaded, &plan::job(&loaded, args, sizes, ranks));
    }
    begin(common, args, ranks, cores)
}

#[cfg(feature = "mpi")]
fn begin(common: &Common, args: &Distributed, ranks: u32, cores: usize) -> Result<(), Failure> {
    if start::is_rank() {
        return job::run(common, args);
    }
    start::mpirun(common, usize::try_from(ranks)?, cores)
}

#[cfg(not(feature = "mpi"))]
fn begin(_: &Common, _: &Distributed, _: u32, _: usize) -> Result<(), Failure> {
    Err("this program was built without MPI; start `cargo xtask distributed`, which builds it with \
         MPI, or do so by `cargo build --release --package xtask --features mpi,openblas`"
        .into())
}
