//! One rank of a job.

use super::start;
use crate::Failure;
use crate::cli::{Common, Distributed, Regression, SolverName};
use crate::commands::large::Solutions;
use crate::commands::large::landmarks::{self, Job};
use crate::commands::large::problems::{self, CLASSES, LoadedProblem, Problem};
use crate::commands::large::report::{self, About};
use crate::commands::large::solve::{Solved, System, preconditioner};
use crate::commands::store;
use crate::data_sets;
use crate::environment::{self, Environment};
use crate::interrupt;
use crate::out_folder::OutFolder;
use crate::places;
use crate::progress::{Progress, tell_failure};
use crate::results::{DataInfo, Value};
use ndarray::{Array2, ArrayD, Axis, concatenate};
use ntk_entropy::{Normalization, Spectrum, von_neumann};
use ntk_kernels::Kernel;
use ntk_kernels::Network;
use ntk_linalg::{Refined, Ridge};
use ntk_mpi::DistributedKernel;
use ntk_mpi::communicate::{broadcast, first_failure};
use ntk_mpi::mpi::collective::SystemOperation;
use ntk_mpi::mpi::topology::SimpleCommunicator;
use ntk_mpi::mpi::traits::{Communicator, CommunicatorCollectives};
use ntk_mpi::mpi::{self, Threading};
use ntk_mpi::{BlockCyclic, DistributedCholesky, DistributedOperator, Grid, eigenvalues};
use ntk_store::TileStore;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a rank lets rank 0 speak first: an error that all have is one line.
const PATIENCE: Duration = Duration::from_secs(5);

/// The exit code of a program that panics.
const PANICKED: i32 = 101;

/// Runs this rank, and ends the whole job where it fails.
pub(crate) fn run(common: &Common, args: &Distributed) -> Result<(), Failure> {
    let (universe, _) =
        mpi::initialize_with_threading(Threading::Funneled).ok_or("MPI is started already")?;
    let world = universe.world();
    if let Some(announced) = start::announced().filter(|size| *size != world.size()) {
        return Err(format!(
            "this process was started as one of {announced}, but MPI knows of {}; start it by the mpirun of \
             the MPI that it was built with, or by srun --mpi=pmix",
            world.size()
        )
        .into());
    }
    if world.rank() != 0 {
        interrupt::silence();
    }
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        SimpleCommunicator::world().abort(PANICKED);
    }));
    if let Err(failure) = job(&world, common, args) {
        fail(&world, &failure);
    }
    Ok(())
}

/// Ends all ranks, with the error of one.
fn fail(world: &SimpleCommunicator, failure: &Failure) -> ! {
    let own = world.rank();
    if own != 0 {
        std::thread::sleep(PATIENCE);
    }
    let (rank, message) = match failure.downcast_ref() {
        Some(ntk_mpi::Error::Rank { rank, message }) => (*rank, message.clone()),
        _ => (
            usize::try_from(own).unwrap_or_default(),
            failure.to_string(),
        ),
    };
    tell_failure(&format!("rank {rank}: {message}"));
    world.abort(1)
}

/// Makes rank 0's error one of all. Collective.
fn together<T>(world: &SimpleCommunicator, result: Result<T, Failure>) -> Result<T, Failure> {
    let failure = first_failure(world, result.as_ref().err().map(|error| error as _));
    match (result, failure) {
        (Ok(_), Some((rank, message))) => Err(ntk_mpi::Error::Rank { rank, message }.into()),
        (result, _) => result,
    }
}

/// Seconds of each part, between barriers.
struct Clock<'a> {
    world: &'a SimpleCommunicator,
    begun: Instant,
    seconds: Vec<(&'static str, f64)>,
}

impl<'a> Clock<'a> {
    fn new(world: &'a SimpleCommunicator) -> Self {
        world.barrier();
        Self {
            world,
            begun: Instant::now(),
            seconds: Vec::new(),
        }
    }

    /// Ends a part. Collective.
    fn lap(&mut self, name: &'static str) {
        self.world.barrier();
        self.seconds
            .push((name, self.begun.elapsed().as_secs_f64()));
        self.begun = Instant::now();
    }
}

/// What rank 0 alone has.
struct Root {
    loaded: LoadedProblem,
    data: DataInfo,
    _alone: Option<OutFolder>,
}

fn load(of: &Regression, problem: &'static Problem, progress: &Progress) -> Result<Root, Failure> {
    let _alone = report::prepare(of)?;
    let data = data_sets::one(problem.data, &places::places(&of.places), progress)?;
    let loaded = LoadedProblem::new(
        problem,
        of.net.as_deref(),
        &data.set,
        of.one_train()?,
        of.test,
    )?;
    Ok(Root {
        loaded,
        data: data.info,
        _alone,
    })
}

fn job(world: &SimpleCommunicator, common: &Common, args: &Distributed) -> Result<(), Failure> {
    let of = &args.of;
    let first = world.rank() == 0;
    let progress = Progress::new(common.quiet || common.json || !first);
    let begun = Instant::now();
    let problem = problems::find(&of.problem)?;
    if landmarks::check(of, &args.over, problem)? {
        return over_landmarks(world, common, args, problem, &progress);
    }
    let root = first.then(|| load(of, problem, &progress)).transpose();
    let root = together(world, root)?;
    let network = network(world, root.as_ref())?;
    let grid = Grid::new(world);
    let mut clock = Clock::new(world);

    let block = usize::try_from(args.block)?;
    let x = root.as_ref().map_or_else(
        || ArrayD::zeros(vec![0]),
        |root| root.loaded.inputs(&root.loaded.train),
    );
    let kernel =
        DistributedKernel::new(&grid, &network, problem.kernel, &x, block)?.observer(&progress);
    clock.lap("data");

    let (rows, columns) = grid.shape();
    if let Some(root) = &root {
        let (problem, loaded) = (problem.name, &root.loaded);
        progress.say(&format!(
            "{problem}: {} training and {} test images on {} ranks, {rows} x {columns}, of {} threads",
            loaded.train.len(),
            loaded.test.len(),
            grid.ranks(),
            rayon::current_num_threads()
        ));
    }
    let opened = match (&root, &of.store) {
        (Some(_), Some(folder)) => open(&network, &x, problem.kernel, block, folder, &progress),
        _ => Ok(None),
    };
    let opened = together(world, opened)?;
    drop(x);
    let found = opened.as_ref().map(|(_, found)| *found);
    let mut matrix = kernel.matrix_through(opened.as_ref().map(|(store, _)| store))?;
    drop(opened);
    progress.end();
    clock.lap("kernel");

    let mut more = Vec::new();
    if let Some(found) = found {
        more.push(Value::new("tiles_found", [], found as f64).note("in the store, not computed"));
    }
    if args.spectrum {
        progress.say("  spectrum");
        let spectrum = eigenvalues(matrix.clone())?;
        more.extend(of_spectrum(&spectrum.to_vec())?);
        clock.lap("spectrum");
    }

    let mean = kernel.diagonal().mean().unwrap_or_default();
    let mean = Array2::from_elem((1, 1), mean);
    let shift = Ridge::Relative(of.diag_reg.unwrap_or_default()).added(&mean)?;
    matrix.add_to_diagonal(shift);
    let targets = root.as_ref().map(|root| root.loaded.targets()).transpose();
    let y = replicated(world, together(world, targets)?, kernel.samples());
    let solutions = solve(of, &kernel, matrix, &y, shift, &progress, &mut clock)?;

    let all: Vec<_> = solutions.iter().map(|s| s.refined.x.view()).collect();
    let c = concatenate(Axis(1), &all)?;
    let test = root.as_ref().map_or_else(
        || ArrayD::zeros(vec![0]),
        |root| root.loaded.inputs(&root.loaded.test),
    );
    let outputs = kernel.predict(&c, &test)?;
    progress.end();
    clock.lap("test");

    let peak_memory = largest(world, environment::peak_memory().unwrap_or_default());
    let seconds = clock.seconds;
    let told = match (root, outputs) {
        (
            Some(Root {
                loaded,
                data,
                _alone,
            }),
            Some(outputs),
        ) => {
            let found = Solutions {
                predictions: outputs
                    .axis_chunks_iter(Axis(1), CLASSES)
                    .map(|outputs| outputs.to_owned())
                    .collect(),
                solutions,
                seconds,
                shift,
                residuals_of: "the kernel in f64",
                more,
                peak_memory: (peak_memory > 0).then_some(peak_memory),
            };
            let about = About {
                common,
                of,
                loaded: &loaded,
                data,
                environment: Environment::here(),
                begun,
                progress: &progress,
            };
            let own = json!({
                "ranks": grid.ranks(),
                "grid": grid.shape(),
                "block": args.block,
                "spectrum": args.spectrum,
            });
            report::show(about, &found, own)
        }
        _ => Ok(()),
    };
    together(world, told)
}

/// Runs regression over landmarks, for which every rank makes its own images. Collective.
fn over_landmarks(
    world: &SimpleCommunicator,
    common: &Common,
    args: &Distributed,
    problem: &'static Problem,
    progress: &Progress,
) -> Result<(), Failure> {
    let of = &args.of;
    let places = places::places(&of.places);
    let grid = Grid::new(world);
    // Rank 0 fetches what is not there yet.
    let fetched = match world.rank() {
        0 => data_sets::one(problem.data, &places, progress).map(Some),
        _ => Ok(None),
    };
    let data = match together(world, fetched)? {
        Some(data) => data,
        None => data_sets::one(problem.data, &places, progress)?,
    };
    let job = Job {
        ranks: &grid,
        count: grid.ranks(),
        here: start::ranks_here().unwrap_or(1),
    };
    landmarks::run(common, (of, &args.over), (problem, data), progress, &job)
}

/// Rank 0's on every rank. Collective.
fn network(world: &SimpleCommunicator, root: Option<&Root>) -> Result<Network, Failure> {
    let mut text = root.map_or_else(Vec::new, |root| root.loaded.network.to_json().into_bytes());
    let mut length = [text.len()];
    broadcast(world, 0, &mut length);
    text.resize(length[0], 0);
    broadcast(world, 0, &mut text);
    Ok(Network::from_json(&String::from_utf8(text)?)?)
}

/// Rank 0's targets (n, classes) on every rank. Collective.
fn replicated(world: &SimpleCommunicator, targets: Option<Array2<f64>>, n: usize) -> Array2<f64> {
    let targets = targets.unwrap_or_else(|| Array2::zeros((n, CLASSES)));
    let (mut numbers, _) = targets.into_raw_vec_and_offset();
    broadcast(world, 0, &mut numbers);
    Array2::from_shape_vec((n, CLASSES), numbers).expect("as many on every rank")
}

/// The largest of all ranks' numbers, on every rank.
fn largest(world: &SimpleCommunicator, number: u64) -> u64 {
    let mut largest = 0;
    world.all_reduce_into(&number, &mut largest, SystemOperation::max());
    largest
}

/// Rank 0's store, and how many tiles it has.
fn open(
    network: &Network,
    x: &ArrayD<f64>,
    kernel: Kernel,
    block: usize,
    folder: &Path,
    progress: &Progress,
) -> Result<Option<(TileStore<f64>, usize)>, Failure> {
    let tiles = network.kernel_fn().tile(block).tiles(kernel, x)?;
    let store = store::open(&folder.join("train"), &tiles)?;
    let survey = store.survey()?;
    store::announce(&store, &survey, progress)?;
    Ok(Some((store, survey.present)))
}

/// What is told of eigenvalues.
fn of_spectrum(values: &[f64]) -> Result<Vec<Value>, Failure> {
    let spectrum = Spectrum::of_eigenvalues(&ndarray::aview1(values), Normalization::Trace)?;
    let told = [
        ("smallest_eigenvalue", values.first().copied()),
        ("largest_eigenvalue", values.last().copied()),
        ("trace", Some(spectrum.trace)),
        ("von_neumann", Some(von_neumann::entropy(&spectrum))),
    ];
    let told = told.into_iter();
    Ok(told
        .map(|(name, value)| Value::new(name, [], value.unwrap_or(f64::NAN)))
        .collect())
}

/// Solves `matrix c = y` in the ways asked for, on every rank. Collective.
fn solve(
    of: &Regression,
    kernel: &DistributedKernel<'_>,
    matrix: BlockCyclic,
    y: &Array2<f64>,
    shift: f64,
    progress: &Progress,
    clock: &mut Clock<'_>,
) -> Result<Vec<Solved>, Failure> {
    let mut solutions = Vec::new();
    if of.solver != SolverName::Cholesky {
        let diagonal = kernel.diagonal().to_owned();
        let preconditioner = preconditioner(
            diagonal,
            (of.rank, of.drawn.seed),
            shift,
            progress,
            |which| Ok(kernel.columns(which)?),
        )?;
        progress.end();
        clock.lap("preconditioner");
        let operator = DistributedOperator::new(&matrix)?;
        let system = System {
            operator: &operator,
            y: y.view(),
            tolerance: of.tolerance,
            progress,
        };
        solutions.push(system.by_conjugate_gradients(&operator, true, &preconditioner)?);
        clock.lap("cg");
    }
    if of.solver != SolverName::Cg {
        progress.say("  cholesky");
        let x = DistributedCholesky::new(matrix)?.solve(y)?;
        solutions.push(Solved {
            solver: "cholesky",
            refined: Refined {
                x,
                // The matrix is gone, and to compute it again would take as long.
                residuals: Vec::new(),
                converged: true,
            },
            curve: Vec::new(),
            seconds: Vec::new(),
        });
        clock.lap("cholesky");
    }
    Ok(solutions)
}
