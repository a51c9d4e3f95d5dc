//! `ntk large`.

pub(crate) mod landmarks;
pub(crate) mod plan;
pub(crate) mod problems;
pub(crate) mod report;
pub(crate) mod solve;

use crate::Failure;
use crate::cli::{Common, Large, Products, Regression, SolverName};
use crate::commands::store;
use crate::data_sets;
use crate::environment::{self, Environment};
use crate::places;
use crate::progress::Progress;
use crate::results::Value;
use landmarks::Job;
use ndarray::{Array1, Array2, ArrayD, Axis, concatenate};
use ntk_kernels::Kernel;
use ntk_kernels::tiles::ComputedTiles;
use ntk_linalg::tiled::{ProductError, TileSource, TiledMatrix, TiledOperator, Widened};
use ntk_linalg::{Operator, Real, Ridge};
use ntk_store::TileStore;
use plan::RegressionPlan;
use problems::LoadedProblem;
use report::About;
use serde_json::json;
use solve::{Solved, System, preconditioner};
use std::path::Path;
use std::time::Instant;

/// Rows and columns of the tiles that are computed anew in f64.
const RECOMPUTED: usize = 1024;

pub(crate) fn run(common: &Common, args: &Large) -> Result<(), Failure> {
    check(&args.of)?;
    let problem = problems::find(&args.of.problem)?;
    let over_landmarks = landmarks::check(&args.of, &args.over, problem)?;
    if over_landmarks && args.products.is_some() {
        return Err(landmarks::keep_no_kernel("--products"));
    }
    let progress = Progress::new(common.quiet || common.json);
    let data = data_sets::one(problem.data, &places::places(&args.of.places), &progress)?;
    if over_landmarks {
        let asked = (&args.of, &args.over);
        return landmarks::run(common, asked, (problem, data), &progress, &Job::alone());
    }
    let net = args.of.net.as_deref();
    let train = args.of.one_train()?;
    let loaded = LoadedProblem::new(problem, net, &data.set, train, args.of.test)?;
    let plan = RegressionPlan::new(&loaded, args)?;
    if args.of.dry_run {
        return plan.show(common);
    }
    progress.say(&plan.to_string());
    plan.check()?;
    let _alone = report::prepare(&args.of)?;
    let environment = Environment::here();
    let begun = Instant::now();
    let run = Run::new(&loaded, args, &plan, &progress)?;
    let mut found = run.solve()?;
    progress.end();
    found.peak_memory = environment::peak_memory();
    let about = About {
        common,
        of: &args.of,
        loaded: &loaded,
        data: data.info,
        environment,
        begun,
        progress: &progress,
    };
    let own = json!({"tile": args.tile, "products": plan::name(plan.products)});
    report::show(about, &found, own)
}

/// Checks that a run can do what is asked.
pub(crate) fn check(of: &Regression) -> Result<(), Failure> {
    if !(of.tolerance.is_finite() && of.tolerance > 0.0) {
        let found = of.tolerance;
        return Err(format!("--tolerance is {found}, and must be positive and finite").into());
    }
    if let Some(found) = of.diag_reg.filter(|r| !(r.is_finite() && *r >= 0.0)) {
        return Err(format!("--diag-reg is {found}, and must be zero or more and finite").into());
    }
    Ok(())
}

/// The solutions of a run, and what they predict.
pub(crate) struct Solutions {
    pub(crate) solutions: Vec<Solved>,
    /// The predictions for the test images, (images, classes), by each solution.
    pub(crate) predictions: Vec<Array2<f64>>,
    pub(crate) seconds: Vec<(&'static str, f64)>,
    /// The number that was added to the diagonal.
    pub(crate) shift: f64,
    /// The kernel that residuals were computed with, in words.
    pub(crate) residuals_of: &'static str,
    /// The values that the command alone has.
    pub(crate) more: Vec<Value>,
    pub(crate) peak_memory: Option<u64>,
}

/// The inputs of one run, in both precisions.
struct Run<'a> {
    loaded: &'a LoadedProblem,
    args: &'a Large,
    products: Products,
    progress: &'a Progress,
    x: ArrayD<f64>,
    x_single: ArrayD<f32>,
    y: Array2<f64>,
    /// The diagonal of the kernel.
    diagonal: Array1<f64>,
    shift: f64,
}

impl<'a> Run<'a> {
    fn new(
        loaded: &'a LoadedProblem,
        args: &'a Large,
        plan: &RegressionPlan,
        progress: &'a Progress,
    ) -> Result<Self, Failure> {
        let x = loaded.inputs::<f64>(&loaded.train);
        let own = loaded.network.kernel_diagonal(&x)?;
        let own = match loaded.problem.kernel {
            Kernel::Nngp => own.nngp,
            Kernel::Ntk => own.ntk,
        };
        let ridge = Ridge::Relative(args.of.diag_reg.unwrap_or_default());
        let mean = Array2::from_elem((1, 1), own.mean().unwrap_or_default());
        let shift = ridge.added(&mean)?;
        Ok(Self {
            loaded,
            args,
            products: plan.products,
            progress,
            x_single: loaded.inputs(&loaded.train),
            y: loaded.targets()?,
            diagonal: own,
            shift,
            x,
        })
    }

    fn solve(&self) -> Result<Solutions, Failure> {
        let (network, kernel) = (&self.loaded.network, self.loaded.problem.kernel);
        let tile = usize::try_from(self.args.tile)?;
        let computed = network
            .kernel_fn()
            .tile(tile)
            .tiles(kernel, &self.x_single)?;
        let anew = network.kernel_fn().tile(RECOMPUTED);
        let anew = anew.tiles(kernel, &self.x)?;
        let mut seconds = Vec::new();
        let Some(folder) = &self.args.of.store else {
            let exact = self.shifted(&anew)?;
            return self.solve_with(
                &computed,
                &exact,
                &exact,
                "the kernel computed anew in f64",
                seconds,
            );
        };
        let begun = Instant::now();
        let store = self.filled(&computed, &folder.join("train"))?;
        seconds.push(("store", begun.elapsed().as_secs_f64()));
        let stored = self.shifted(&store)?;
        if self.loaded.images {
            // To compute it once more would take as long as all the rest.
            self.solve_with(
                &store,
                &stored,
                &stored,
                "the kernel stored in f32",
                seconds,
            )
        } else {
            let exact = self.shifted(&anew)?;
            self.solve_with(
                &store,
                &stored,
                &exact,
                "the kernel computed anew in f64",
                seconds,
            )
        }
    }

    /// Makes the operator `K + r` of its products in f64.
    fn shifted<'s, T: Real, S: TileSource<T>>(
        &'s self,
        source: &'s S,
    ) -> Result<TiledOperator<'s, T, S>, ProductError<S::Error>> {
        let matrix = TiledMatrix::new(source).observer(self.progress);
        Ok(matrix.operator()?.shift(self.shift))
    }

    /// Computes columns of the kernel, (n, which.len()).
    fn columns(&self, which: &[usize]) -> Result<Array2<f64>, Failure> {
        let LoadedProblem {
            network, problem, ..
        } = self.loaded;
        let chosen = self.x.select(Axis(0), which);
        let kernel_fn = network.kernel_fn();
        Ok(kernel_fn.kernel_between(problem.kernel, &self.x, &chosen)?)
    }

    /// Opens the store in `folder`, and completes it.
    fn filled<T: Real>(
        &self,
        tiles: &ComputedTiles<'_, T>,
        folder: &Path,
    ) -> Result<TileStore<T>, Failure> {
        let store = store::open(folder, tiles)?;
        store::complete(&store, tiles, self.args.repair, self.progress)?;
        Ok(store)
    }

    /// `tiles` are K in f32, `beyond` is `K + r` for products beyond memory, and `exact` is what
    /// residuals are computed with.
    fn solve_with<S: TileSource<f32>, B: Operator<f64>, O: Operator<f64>>(
        &self,
        tiles: &S,
        beyond: &B,
        exact: &O,
        residuals_of: &'static str,
        mut seconds: Vec<(&'static str, f64)>,
    ) -> Result<Solutions, Failure> {
        let system = System {
            operator: exact,
            y: self.y.view(),
            tolerance: self.args.of.tolerance,
            progress: self.progress,
        };
        let mut solutions = Vec::new();
        let mut held = None;
        if self.products == Products::Memory || self.args.of.solver != SolverName::Cg {
            let begun = Instant::now();
            let mut memory = TiledMatrix::new(tiles)
                .observer(self.progress)
                .in_memory()?;
            #[expect(clippy::cast_possible_truncation, reason = "the tiles' precision")]
            memory.add_to_diagonal(self.shift as f32);
            held = Some(memory);
            self.progress.end();
            seconds.push(("kernel", begun.elapsed().as_secs_f64()));
        }
        if self.args.of.solver != SolverName::Cholesky {
            let begun = Instant::now();
            let preconditioner = preconditioner(
                self.diagonal.clone(),
                (self.args.of.rank, self.args.of.drawn.seed),
                self.shift,
                self.progress,
                |which| self.columns(which),
            )?;
            self.progress.end();
            seconds.push(("preconditioner", begun.elapsed().as_secs_f64()));
            solutions.push(match &held {
                Some(held) if self.products == Products::Memory => {
                    system.by_conjugate_gradients(held, false, &preconditioner)?
                }
                _ => {
                    let exact = self.products == Products::Recompute;
                    system.by_conjugate_gradients(beyond, exact, &preconditioner)?
                }
            });
        }
        if let Some(held) = held.filter(|_| self.args.of.solver != SolverName::Cg) {
            solutions.push(system.by_cholesky(held)?);
        }
        for solved in &solutions {
            seconds.extend(&solved.seconds);
        }
        let begun = Instant::now();
        let predictions = self.predict(&solutions)?;
        seconds.push(("test", begun.elapsed().as_secs_f64()));
        Ok(Solutions {
            solutions,
            predictions,
            seconds,
            shift: self.shift,
            residuals_of,
            more: Vec::new(),
            peak_memory: None,
        })
    }

    /// Computes `K(test, train) c` of every solution.
    fn predict(&self, solutions: &[Solved]) -> Result<Vec<Array2<f64>>, Failure> {
        let (network, kernel) = (&self.loaded.network, self.loaded.problem.kernel);
        let all: Vec<_> = solutions.iter().map(|s| s.refined.x.view()).collect();
        let c = concatenate(Axis(1), &all)?;
        let outputs = match &self.args.of.store {
            None => {
                let test = self.loaded.inputs::<f64>(&self.loaded.test);
                let kernel_fn = network.kernel_fn().tile(RECOMPUTED);
                let tiles = kernel_fn.tiles_between(kernel, &test, &self.x)?;
                TiledMatrix::new(&tiles)
                    .observer(self.progress)
                    .product(&c)?
            }
            Some(folder) => {
                let test = self.loaded.inputs::<f32>(&self.loaded.test);
                let kernel_fn = network.kernel_fn().tile(usize::try_from(self.args.tile)?);
                let tiles = kernel_fn.tiles_between(kernel, &test, &self.x_single)?;
                let store = self.filled(&tiles, &folder.join("test"))?;
                TiledMatrix::new(&Widened::new(&store))
                    .observer(self.progress)
                    .product(&c)?
            }
        };
        let each = outputs.axis_chunks_iter(Axis(1), self.y.ncols());
        Ok(each.map(|outputs| outputs.to_owned()).collect())
    }
}

#[cfg(test)]
mod tests;
