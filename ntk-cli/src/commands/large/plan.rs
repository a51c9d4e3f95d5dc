//! What would be computed, how large it is, and how long it takes.

use super::problems::{CLASSES, LoadedProblem};
use crate::Failure;
use crate::cli::{Common, Large, Products, SolverName};
use crate::environment::available_memory;
use crate::files;
use crate::progress::duration;
use crate::space::{free_space, size};
use crate::words;
use ndarray::Array2;
use ntk_linalg::tiled::{self, TILE, TiledMatrix, Tiling};
use ntk_linalg::{Operator, Real, gemm};
use ntk_store::TileStore;
use rayon::prelude::*;
use serde_json::json;
use std::fmt;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Work that takes this long tells how long all will take.
const LONG_ENOUGH: Duration = Duration::from_millis(200);

/// The longest wait for entries that are measured.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Steps of refinement and products of conjugate gradients, as on all of MNIST.
const STEPS: f64 = 3.0;
pub(crate) const PRODUCTS: f64 = 200.0;

/// Steps with their seconds.
type Steps = Vec<(&'static str, f64)>;

/// The plan of a run: what it takes, and where its products come from.
pub(crate) struct RegressionPlan {
    /// The origin of products.
    pub(crate) products: Products,
    line: String,
    /// The bytes of the kernel's lower half in f32.
    half: u64,
    /// The most bytes in memory at a time.
    memory: u64,
    available: Option<u64>,
    /// The bytes on disk, and what is free there; 0 without a store.
    disk: u64,
    free: Option<u64>,
    /// The bytes of tiles that the store has already.
    there: u64,
    steps: Steps,
    /// This is true where the kernel's first entries took too long to wait for: the work takes longer.
    longer: bool,
}

impl RegressionPlan {
    pub(crate) fn new(loaded: &LoadedProblem, args: &Large) -> Result<Self, Failure> {
        let (n, m) = (loaded.train.len() as u64, loaded.test.len() as u64);
        let pixels = loaded.train.images.len() as u64 / n.max(1);
        let half = 2 * n * (n + u64::from(args.tile));
        // Images in both precisions; vectors of the solvers, and 16 sums of a product, each as wide
        // as a register.
        let images = (n + m) * pixels * 12;
        let vectors = n * (16 * 16 + 20 * CLASSES as u64) * 8;
        let factor = match args.of.solver {
            SolverName::Cholesky => 0,
            // Twice while it is made.
            _ => 2 * n * 8 * (args.of.rank as u64).min(n),
        };
        let available = available_memory();
        let fits = available.is_none_or(|a| half + images + vectors + factor <= a);
        let products = match (args.products, &args.of.store) {
            (Some(Products::Store), None) => {
                return Err("--products store needs a --store; name a folder for it".into());
            }
            (Some(Products::Recompute), Some(_)) => {
                return Err(
                    "with --store nothing is computed twice; leave out --store, or \
                            --products recompute"
                        .into(),
                );
            }
            (Some(products), _) => products,
            (None, _) if fits => Products::Memory,
            (None, Some(_)) => Products::Store,
            (None, None) => Products::Recompute,
        };
        let held = products == Products::Memory || args.of.solver != SolverName::Cg;
        let memory = images + vectors + factor + if held { half } else { 0 };
        let disk = match &args.of.store {
            Some(_) => half + 4 * n * m,
            None => 0,
        };
        let free = args.of.store.as_deref().and_then(free_space);
        let line = format!(
            "{}: {n} training and {m} test images of {pixels} pixels, network {}",
            loaded.problem.name,
            serde_json::to_string(&loaded.network)?
        );
        let mut plan = Self {
            products,
            line,
            half,
            memory,
            available,
            disk,
            free,
            there: args.of.store.as_deref().map_or(0, bytes_there),
            steps: Vec::new(),
            longer: false,
        };
        (plan.steps, plan.longer) = plan.seconds(loaded, args)?;
        Ok(plan)
    }

    /// Estimates the seconds of each step, from the rates of this machine at this moment, and tells
    /// whether it takes longer.
    fn seconds(&self, loaded: &LoadedProblem, args: &Large) -> Result<(Steps, bool), Failure> {
        let (n, m) = (loaded.train.len() as f64, loaded.test.len() as f64);
        let half = n * n / 2.0;
        // Before kernels, which may go on where they take too long.
        let from_memory = half * seconds_per_product()?;
        let cholesky = match args.of.solver {
            SolverName::Cg => 0.0,
            _ => n * n * n / 3.0 * seconds_per_operation::<f32>()?,
        };
        let (single, longer) = seconds_per_entry::<f32>(loaded)?;
        let (double, longer) = match longer {
            true => (2.0 * single, true),
            false => seconds_per_entry::<f64>(loaded)?,
        };
        let anew = half * double;
        let exact = match loaded.images && args.of.store.is_some() {
            true => 4.0 * from_memory,
            false => anew,
        };
        let mut steps = vec![("kernel", half * single)];
        if args.of.solver != SolverName::Cholesky {
            let columns = 1.5 * n * n.min(args.of.rank as f64);
            let product = match self.products {
                Products::Memory => from_memory,
                // Read from disk, or from what the system keeps of it.
                Products::Store => 4.0 * from_memory,
                Products::Recompute => anew,
            };
            steps.push(("preconditioner", columns * double));
            steps.push(("cg", PRODUCTS * product + STEPS * exact));
        }
        if args.of.solver != SolverName::Cg {
            steps.push(("cholesky", cholesky));
            steps.push(("refinement", STEPS * exact));
        }
        let test = if args.of.store.is_some() {
            single
        } else {
            double
        };
        steps.push(("test", n * m * test));
        Ok((steps, longer))
    }

    /// Checks that all can be held.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if let Some(available) = self.available.filter(|a| *a < self.memory) {
            return Err(format!(
                "this takes {} of memory, and {} are available; give --solver cg with --products \
                 recompute, or with a --store and --products store, or fewer images by --train",
                size(self.memory),
                size(available)
            )
            .into());
        }
        let left = self.disk.saturating_sub(self.there);
        if let Some(free) = self.free.filter(|free| *free < left) {
            return Err(format!(
                "the tiles that are missing in the store take {}, and {} are free there; make room, \
                 name another folder by --store, or give fewer images by --train",
                size(left),
                size(free)
            )
            .into());
        }
        Ok(())
    }

    pub(crate) fn show(&self, common: &Common) -> Result<(), Failure> {
        let steps: serde_json::Map<_, _> = self
            .steps
            .iter()
            .map(|(name, seconds)| ((*name).to_string(), json!(seconds)))
            .collect();
        let refusal = self.check().err();
        let answer = json!({
            "what": self.line,
            "fits": refusal.is_none(),
            "longer": self.longer,
            "products": name(self.products),
            "kernel_bytes": self.half,
            "memory_bytes": self.memory,
            "memory_available": self.available,
            "disk_bytes": self.disk,
            "disk_free": self.free,
            "expected_seconds": steps,
        });
        let refusal = refusal.map_or_else(String::new, |why| format!("\n  refused: {why}"));
        files::show(common, &answer, &format!("{self}{refusal}"))
    }
}

pub(crate) fn name(products: Products) -> &'static str {
    match products {
        Products::Memory => "memory",
        Products::Store => "store",
        Products::Recompute => "recompute",
    }
}

impl fmt::Display for RegressionPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.line)?;
        let (half, memory) = (size(self.half), size(self.memory));
        write!(
            f,
            "  half of the kernel in f32: {half}; in memory at most: {memory}"
        )?;
        if let Some(available) = self.available {
            write!(f, " of {} available", size(available))?;
        }
        if self.disk > 0 {
            write!(f, "; on disk: {}", size(self.disk))?;
            if let Some(free) = self.free {
                write!(f, ", {} free there", size(free))?;
            }
        }
        let total: f64 = self.steps.iter().map(|(_, seconds)| seconds).sum();
        let threads = rayon::current_num_threads();
        let about = if self.longer { "more than" } else { "about" };
        let threads = words::count(threads, "thread");
        write!(f, "\n  on {threads} {about} {}:", duration(total))?;
        for (name, seconds) in &self.steps {
            write!(f, " {name} {},", duration(*seconds))?;
        }
        write!(f, " products from {}", name(self.products))
    }
}

/// Counts the bytes of the tiles that are in a store of kernels.
fn bytes_there(folder: &Path) -> u64 {
    let of = |part| {
        let store = TileStore::<f32>::open(folder.join(part)).ok()?;
        let present = store.survey().ok()?.present as u64;
        Some(store.tile_bytes().saturating_mul(present))
    };
    ["train", "test"].into_iter().filter_map(of).sum()
}

/// Measures the seconds of an entry of the kernel of different samples, on all threads. Where those
/// of one take too long to wait for, it returns what was waited, and true.
pub(super) fn seconds_per_entry<T: Real>(loaded: &LoadedProblem) -> Result<(f64, bool), Failure> {
    let mut side = 1;
    loop {
        // Of fewer each takes longer.
        let first = side.min(loaded.train.len());
        // The first of a sample are not those of the data set.
        let rows = &loaded.train.rows[..first];
        let rows = loaded.inputs::<T>(&loaded.train.select(rows)?);
        let (measured, answer) = mpsc::channel();
        let (network, kernel) = (loaded.network.clone(), loaded.problem.kernel);
        // Given up where it takes too long: it ends with the process.
        std::thread::spawn(move || {
            // Others, even where there is one sample alone.
            let others = rows.mapv(|v| v * T::of(0.5));
            let begun = Instant::now();
            let found = network.kernel_fn().kernel_between(kernel, &rows, &others);
            // Nobody waits any more where it took too long.
            let _ = measured.send(found.map(|_| begun.elapsed()));
        });
        let entries = (first * first).max(1) as f64;
        let Ok(measured) = answer.recv_timeout(PATIENCE) else {
            return Ok((PATIENCE.as_secs_f64() / entries, true));
        };
        let elapsed = measured?;
        if elapsed >= LONG_ENOUGH || first < side {
            return Ok((elapsed.as_secs_f64() / entries, false));
        }
        side *= 2;
    }
}

/// Measures the seconds of an operation in products of tiles, as Cholesky factorisation has them, on
/// all threads.
pub(super) fn seconds_per_operation<T: Real>() -> Result<f64, Failure> {
    const SIDE: usize = 1024;
    let a = Array2::<T>::ones((SIDE, SIDE));
    let count = 2 * rayon::current_num_threads();
    let begun = Instant::now();
    (0..count).into_par_iter().try_for_each(|_| {
        let mut c = Array2::zeros((SIDE, SIDE));
        gemm(T::one(), &a, &a.t(), T::zero(), &mut c)
    })?;
    let operations = 2.0 * (SIDE * SIDE * SIDE * count) as f64;
    Ok(begun.elapsed().as_secs_f64() / operations)
}

/// Measures the seconds of a product of the lower half in memory with ten vectors, for each of its
/// entries.
fn seconds_per_product() -> Result<f64, Failure> {
    const ORDER: usize = 4096;
    let tiling = Tiling::symmetric(ORDER, TILE)?;
    let ones = tiled::from_fn(tiling, |tile| Array2::<f32>::ones(tiling.shape(tile)));
    let tiles = TiledMatrix::new(&ones).in_memory()?;
    let v = Array2::ones((ORDER, 10));
    let begun = Instant::now();
    tiles.product(&v)?;
    Ok(begun.elapsed().as_secs_f64() / (ORDER * ORDER / 2) as f64)
}
