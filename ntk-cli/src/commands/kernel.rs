//! `ntk kernel`.

use crate::Failure;
use crate::cli::{Common, Kernel, KernelName, Precision};
use crate::commands::store;
use crate::environment;
use crate::files;
use crate::inputs::{self, Samples};
use crate::npy;
use crate::progress::Progress;
use ndarray_npy::WritableElement;
use ntk_kernels::{Get, kernels};
use ntk_linalg::Real;
use serde_json::json;
use std::time::Instant;

pub(crate) fn run(common: &Common, args: &Kernel) -> Result<(), Failure> {
    match args.precision {
        Precision::F64 => run_in::<f64>(common, args),
        Precision::F32 => run_in::<f32>(common, args),
    }
}

fn run_in<T: Real + WritableElement>(common: &Common, args: &Kernel) -> Result<(), Failure> {
    if let Some(folder) = &args.store {
        return store::run::<T>(common, args, folder);
    }
    let out = args.out.as_ref().ok_or("name a file by --out")?;
    let network = inputs::network(&args.net)?;
    let samples = Samples::<T>::read(&args.x1, args.x2.as_deref())?;
    let shape = &samples.shape;
    let graph = network
        .resolve(shape)
        .map_err(|e| format!("{}: {e}", args.net.display()))?;
    let get = get(&args.get);
    let (n1, n2) = samples.counts();
    let matrices = if get == Get::Both { 2 } else { 1 };
    let remedy = "ask for one kernel by --get ntk, for --precision f32, or for parts of the \
                  samples by --x1 and --x2";
    inputs::check_memory::<T>((n1, n2), matrices, remedy)?;
    files::check_writable(out, "--out")?;

    let progress = Progress::new(common.quiet || common.json);
    let begun = Instant::now();
    let found = kernels(
        &network,
        samples.x1.view(),
        samples.x2.as_ref().map(|x2| x2.view()),
        get,
        &progress,
    );
    progress.end();
    let found = found?;
    let seconds = begun.elapsed().as_secs_f64();
    let named = [("nngp", &found.nngp), ("ntk", &found.ntk)];
    let arrays: Vec<_> = named
        .into_iter()
        .filter_map(|(name, array)| Some((name, array.as_ref()? as &dyn npy::Entry)))
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

fn get(names: &[KernelName]) -> Get {
    let has = |name| names.contains(&name);
    match (has(KernelName::Nngp), has(KernelName::Ntk)) {
        (true, false) => Get::Nngp,
        (false, true) => Get::Ntk,
        _ => Get::Both,
    }
}
