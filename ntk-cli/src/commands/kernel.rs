//! `ntk kernel`.

use crate::Failure;
use crate::cli::{Common, Kernel as Args, KernelName, Precision};
use crate::commands::store;
use crate::environment;
use crate::files;
use crate::inputs::{self, SamplePair};
use crate::memory;
use crate::narrow;
use crate::npy;
use crate::progress::Progress;
use crate::structures;
use ndarray::Array2;
use ndarray_npy::WritableElement;
use ntk_kernels::{Kernel, Kernels};
use ntk_linalg::Real;
use serde_json::json;
use std::time::Instant;

pub(crate) fn run(common: &Common, args: &Args) -> Result<(), Failure> {
    match args.precision {
        Precision::F64 => run_in::<f64>(common, args),
        Precision::F32 => run_in::<f32>(common, args),
    }
}

fn run_in<T: Real + WritableElement>(common: &Common, args: &Args) -> Result<(), Failure> {
    if let Some(folder) = &args.tiles.store {
        return store::run::<T>(common, args, folder);
    }
    let out = args.out.as_ref().ok_or("name a file by --out")?;
    let network = inputs::network(&args.net)?;
    let (x1, x2) = (&args.x1, args.x2.as_deref());
    let mut samples = SamplePair::<T>::of_network(&network, x1, x2, args.beside.mask_value)?;
    let shape = &samples.shape.clone();
    let graph = network
        .resolve(shape)
        .map_err(|e| format!("{}: {e}", args.net.display()))?;
    let wanted = wanted(&args.get);
    let (n1, n2) = samples.counts();
    structures::read(&args.beside, &graph, &mut samples)?;
    let [one, two] = &samples.structures;
    let kernel_fn = network.kernel_fn().structures(one, two);
    let m = samples.x2.as_ref().map(|_| n2);
    let needed = kernel_fn.working_memory::<T>(shape, n1, m)?;
    let result = memory::matrices::<T>(wanted.len(), (n1, n2));
    // What is needed counts both kernels.
    let both = memory::matrices::<T>(2, (n1, n2)).unwrap_or(0);
    let working = needed.saturating_sub(both);
    let remedy = match result.is_some_and(|result| result < working) {
        true => "ask for --precision f32, for fewer --threads, or give smaller samples",
        false => {
            "ask for one kernel by --get ntk, for --precision f32, for parts of the samples by --x1 \
             and --x2, or for a kernel on disk by --store"
        }
    };
    memory::check(result, working, remedy)?;

    let progress = Progress::new(common.quiet || common.json);
    let begun = Instant::now();
    let kernel_fn = kernel_fn.observer(&progress);
    let (x1, x2) = (&samples.x1, samples.x2.as_ref());
    let found = match (wanted, x2) {
        ([which], None) => kernel_fn.kernel(*which, x1).map(|k| vec![k]),
        ([which], Some(x2)) => kernel_fn.kernel_between(*which, x1, x2).map(|k| vec![k]),
        (_, None) => kernel_fn.kernels(x1).map(listed),
        (_, Some(x2)) => kernel_fn.kernels_between(x1, x2).map(listed),
    };
    progress.end();
    let found = found.map_err(|e| format!("{}: {e}", args.net.display()))?;
    let seconds = begun.elapsed().as_secs_f64();
    if x2.is_none() {
        wanted
            .iter()
            .zip(&found)
            .for_each(|(which, k)| narrow::warn_of_zero(which.name(), k, x1, &progress));
    }
    let arrays: Vec<_> = wanted
        .iter()
        .zip(&found)
        .map(|(which, array)| (which.name(), array as &dyn npy::Entry))
        .collect();
    npy::write_npz(out, &arrays).map_err(|e| files::unwritable(out, "--out", &e))?;

    let names: Vec<_> = arrays.iter().map(|(name, _)| *name).collect();
    let answer = json!({
        "n1": n1,
        "n2": n2,
        "get": names,
        "precision": T::NAME,
        "seconds": seconds,
        "out": out.display().to_string(),
        "network": inputs::table(&graph),
        "peak_memory": environment::peak_memory(),
    });
    let line = format!(
        "{} ({n1}, {n2}) of samples {shape}, {}: {seconds:.3} s, in {}",
        names.join(" and "),
        T::NAME,
        out.display()
    );
    files::show(common, &answer, &line)
}

/// Returns the kernels to be computed, in the order of [`listed`].
fn wanted(names: &[KernelName]) -> &'static [Kernel] {
    let has = |name| names.contains(&name);
    match (has(KernelName::Nngp), has(KernelName::Ntk)) {
        (true, false) => &[Kernel::Nngp],
        (false, true) => &[Kernel::Ntk],
        _ => &[Kernel::Nngp, Kernel::Ntk],
    }
}

fn listed<T>(both: Kernels<T>) -> Vec<Array2<T>> {
    vec![both.nngp, both.ntk]
}
