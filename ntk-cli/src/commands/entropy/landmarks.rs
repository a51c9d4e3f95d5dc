//! `ntk entropy --net`: intervals of the entropies of a kernel that is too large.

use crate::Failure;
use crate::cli::{Common, Entropy, KernelName, Landmarks as Args, Precision};
use crate::environment;
use crate::files;
use crate::inputs::{self, SamplePair};
use crate::memory;
use crate::progress::Progress;
use ntk_entropy::{Interval, SpectrumBounds};
use ntk_kernels::{EstimatorError, Kernel, Landmarks};
use ntk_linalg::Real;
use serde_json::{Value as Json, json};
use std::path::Path;
use std::time::Instant;

/// The most columns of the kernel that a factorisation asks for at once.
const COLUMNS: usize = 128;

/// What is told, in this order.
const INTERVALS: [&str; 5] = [
    "von_neumann",
    "effective",
    "effective_rank",
    "participation_ratio",
    "intrinsic_dimension",
];

pub(super) fn run(common: &Common, args: &Entropy, net: &Path) -> Result<(), Failure> {
    match args.precision {
        None | Some(Precision::F64) => run_in::<f64>(common, args, net),
        Some(Precision::F32) => run_in::<f32>(common, args, net),
    }
}

fn run_in<T: Real>(common: &Common, args: &Entropy, net: &Path) -> Result<(), Failure> {
    let Args {
        x,
        landmarks,
        get,
        drawn,
        ..
    } = &args.landmarks;
    let (x, count) = x
        .as_deref()
        .zip(*landmarks)
        .ok_or("name the samples by --x, and say how many --landmarks")?;
    let of_network = |e: &dyn std::fmt::Display| format!("{}: {e}", net.display());
    let network = inputs::network(net)?;
    let samples = SamplePair::<T>::of_network(&network, x, None, None)?;
    let (n, _) = samples.counts();
    let kernel_fn = network.kernel_fn();
    let columns = kernel_fn.working_memory::<T>(&samples.shape, n, Some(COLUMNS.min(n)));
    let working = [
        Some(columns.map_err(|e| of_network(&e))?),
        // Columns that are compared and added, grams with their decompositions, and spectra.
        memory::matrices::<T>(2, (n, COLUMNS)),
        memory::matrices::<f64>(6, (count.min(n), count.min(n))),
        memory::matrices::<f64>(6, (n, 1)),
    ];
    let working = working.into_iter().map(|bytes| bytes.unwrap_or(u64::MAX));
    let factor = memory::matrices::<T>(1, (n, count.min(n)));
    let remedy = "ask for fewer --landmarks, or give fewer samples";
    memory::check(factor, working.fold(0, u64::saturating_add), remedy)?;

    let progress = Progress::new(common.quiet || common.json);
    let begun = Instant::now();
    let kernel = match get {
        KernelName::Nngp => Kernel::Nngp,
        KernelName::Ntk => Kernel::Ntk,
    };
    let partial = Landmarks::new(&network)
        .kernel(kernel)
        .count(count)
        .seed(drawn.seed)
        .observer(&progress)
        .partial_cholesky(&samples.x1);
    progress.end();
    let partial = partial.map_err(|e| match e {
        EstimatorError::LandmarkCount { .. } => format!("--landmarks: {e}"),
        e => of_network(&e),
    })?;
    let diagonal = kernel_fn
        .kernel_diagonal(&samples.x1)
        .map_err(|e| of_network(&e))?;
    let diagonal = match get {
        KernelName::Nngp => diagonal.nngp,
        KernelName::Ntk => diagonal.ntk,
    };
    let normalization = super::normalization(args.normalization);
    let bounds = SpectrumBounds::of_partial_cholesky(&partial, &diagonal, normalization)
        .map_err(super::in_file(x))?;
    let seconds = begun.elapsed().as_secs_f64();

    let mut answer = json!({
        "n": n,
        "landmarks": partial.pivots().len(),
        "get": kernel.name(),
        "normalization": args.normalization.name(),
        "trace": bounds.spread().trace,
        "residual": bounds.residual(),
        "seed": drawn.seed,
        "precision": T::NAME,
        "seconds": seconds,
        "peak_memory": environment::peak_memory(),
    });
    let intervals = [
        bounds.von_neumann(),
        bounds.effective(),
        bounds.effective_rank(),
        bounds.participation_ratio(),
        bounds.intrinsic_dimension(),
    ];
    for (
        name,
        Interval {
            lower,
            estimate,
            upper,
        },
    ) in INTERVALS.into_iter().zip(intervals)
    {
        answer[name] = json!({"lower": lower, "estimate": estimate, "upper": upper});
    }
    files::show(common, &answer, &lines(&answer))
}

/// The answer for people: two numbers, then one interval a line.
fn lines(answer: &Json) -> String {
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    let mut lines = vec![format!(
        "n {}, {} landmarks, {}, normalised by {}, {}",
        answer["n"],
        answer["landmarks"],
        text("get"),
        text("normalization"),
        text("precision"),
    )];
    let number = |of: &Json| of.as_f64().unwrap_or(f64::NAN);
    for name in ["trace", "residual"] {
        lines.push(format!("{name:<20} {:.8e}", number(&answer[name])));
    }
    let titles = ["lower", "estimate", "upper"];
    let columns = titles.map(|title| format!(" {title:>16}")).concat();
    lines.push(format!("\n{:<20}{columns}", ""));
    for name in INTERVALS {
        let columns = titles.map(|title| format!(" {:>16.8e}", number(&answer[name][title])));
        lines.push(format!("{name:<20}{}", columns.concat()));
    }
    lines.join("\n")
}
