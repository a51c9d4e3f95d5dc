//! `ntk distributed`.

#[cfg(feature = "mpi")]
mod job;
mod model;
mod plan;
#[cfg(feature = "mpi")]
mod start;

use crate::Failure;
use crate::cli::{Common, Distributed};
use crate::commands::large::check;
use crate::commands::large::landmarks::{self, Job};
use crate::commands::large::problems;
use crate::data_sets;
use crate::places;
use crate::progress::Progress;
use std::num::NonZero;

pub(crate) fn run(common: &Common, args: &Distributed) -> Result<(), Failure> {
    check(&args.of)?;
    let problem = problems::find(&args.of.problem)?;
    let over_landmarks = landmarks::check(&args.of, &args.over, problem)?;
    if over_landmarks && args.spectrum {
        return Err(landmarks::keep_no_kernel("--spectrum"));
    }
    if !over_landmarks {
        args.of.one_train()?;
    }
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let ranks = match args.ranks {
        Some(ranks) => ranks,
        None => u32::try_from(cores)?,
    };
    if args.of.dry_run {
        let progress = Progress::new(common.quiet || common.json);
        let data = data_sets::one(problem.data, &places::places(&args.of.places), &progress)?;
        if over_landmarks {
            let ranks = usize::try_from(ranks)?;
            let job = Job {
                ranks: &(),
                count: ranks,
                here: ranks,
            };
            let asked = (&args.of, &args.over);
            return landmarks::run(common, asked, (problem, data), &progress, &job);
        }
        return plan::show(common, problem.name, &plan::job(&data.set, args, ranks));
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
    Err("this program was built without MPI; in a checkout, `cargo install --path ntk-cli --features \
         mpi,openblas` builds it with MPI"
        .into())
}
