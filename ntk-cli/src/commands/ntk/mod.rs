//! `ntk ntk`.

mod stored;
mod weights;

use crate::Failure;
use crate::cli::{Common, Ntk, Precision};
use crate::commands::store::Stored;
use crate::environment;
use crate::files;
use crate::inputs::{self, SamplePair};
use crate::memory;
use crate::narrow;
use crate::npy;
use crate::progress::Progress;
use crate::structures;
use crate::words;
use ndarray::Array2;
use ndarray_npy::WritableElement;
use ntk_kernels::network::{Graph, Parameterization, Role};
use ntk_kernels::text;
use ntk_train::{EmpiricalKernelFn, Init, Inputs, Model, Scalar, Trace};
use serde_json::json;
use std::time::Instant;
use weights::{Loaded, Weights};

pub(crate) fn run(common: &Common, args: &Ntk) -> Result<(), Failure> {
    match args.precision {
        Precision::F64 => run_in::<f64>(common, args),
        Precision::F32 => run_in::<f32>(common, args),
    }
}

fn run_in<T: Scalar + WritableElement>(common: &Common, args: &Ntk) -> Result<(), Failure> {
    let weights = Weights::of(args)?;
    let network = inputs::network_or(&args.net, weights.parameterization())?;
    let (x1, x2) = (&args.x1, args.x2.as_deref());
    let samples = SamplePair::<T>::of_network(&network, x1, x2, args.beside.mask_value)?;
    let order = weights.order(&network, &samples.shape)?;
    let mut samples = order.oriented(samples, args.beside.mask_value)?;
    let shape = &samples.shape.clone();
    let of_net = |e: &dyn std::error::Error| format!("{}: {e}", args.net.display());
    let graph = network.resolve(shape).map_err(|e| of_net(&e))?;
    // Weights of a file are compared with what they are in f64.
    let parameters = match args.weights {
        Some(_) => Model::<f64>::memory(&network, shape),
        None => Model::<T>::memory(&network, shape),
    };
    let parameters = parameters.map_err(|e| of_net(&e))?;
    memory::check(
        Some(0),
        parameters,
        "make the layers narrower, or ask for --precision f32",
    )?;
    let Loaded {
        model,
        unused,
        warnings,
    } = match weights.load::<T>(&network, shape)? {
        Some(loaded) => loaded,
        None => {
            let drawn = Model::<T>::new(&network, shape, Init::default(), args.seed);
            Loaded::alone(drawn.map_err(|e| of_net(&e))?)
        }
    };
    let (n1, n2) = samples.counts();
    let (trace, o) = match args.full {
        true => (Trace::Full, model.outputs()),
        false => (Trace::Traced, 1),
    };
    structures::read(&args.beside, &graph, &mut samples)?;
    let [one, two] = &samples.structures;
    let kernel_fn = model.kernel_fn().trace(trace).structures(one, two);
    let progress = Progress::new(common.quiet || common.json);
    let side = |n: usize| n.saturating_mul(o);
    let dim = (side(n1), side(n2));
    let left = unused.iter().map(|unused| {
        let tensor = &unused.tensor;
        json!({"name": tensor.name, "shape": tensor.axes, "batch_norm": unused.batch_norm})
    });
    let mut answer = json!({
        "n1": n1,
        "n2": n2,
        "outputs": model.outputs(),
        "parameters": model.parameter_count(),
        "weights": args.weights.as_ref().map(|path| path.display().to_string()),
        "seed": args.weights.is_none().then_some(args.seed),
        "parameterization": graph.parameterization,
        "bias_scales": bias_scales(&graph),
        "samples": order.name(shape),
        "unused": left.collect::<Vec<_>>(),
        "warnings": &warnings,
        "trace": trace,
        "shape": [dim.0, dim.1],
        "precision": T::NAME,
        "out": args.out.as_ref().map(|out| out.display().to_string()),
        "network": inputs::table(&graph),
    });
    let read = order.name(shape).map(|name| format!(" ({name})"));
    let what = format!(
        "ntk {dim:?} of samples {shape}{}, {}, {}, {}",
        read.unwrap_or_default(),
        words::count(model.parameter_count(), "parameter"),
        scaling(&graph),
        T::NAME,
    );
    let outputs = || model.forward(Inputs::new(&samples.x1).structure(one));
    let (mut line, ntk, outputs) = if let Some(folder) = &args.tiles.store {
        let stored = Stored {
            folder,
            args: &args.tiles,
            progress: &progress,
        };
        let mut line =
            stored::fill_or_plan(&stored, (&model, trace), &samples, &what, &mut answer)?;
        let mut found = None;
        if let (Some(out), false) = (&args.out, args.tiles.dry_run) {
            found = Some(outputs()?);
            line += &format!(", outputs in {}", out.display());
        }
        (line, None, found)
    } else {
        let begun = Instant::now();
        let ntk = in_memory(kernel_fn, &samples, dim, &progress)?;
        let outputs = outputs()?;
        let seconds = begun.elapsed().as_secs_f64();
        if samples.x2.is_none() {
            narrow::warn_of_zero("ntk", &ntk, &samples.x1, &progress);
        }
        answer["seconds"] = seconds.into();
        let out = args.out.as_ref().ok_or("name a file by --out")?.display();
        let line = format!("{what}: {seconds:.3} s, in {out}");
        (line, Some(ntk), Some(outputs))
    };
    if !args.tiles.dry_run {
        write(args, &model, ntk.as_ref(), outputs.as_ref())?;
    }
    answer["peak_memory"] = json!(environment::peak_memory());
    if !unused.is_empty() {
        let (count, listed) = (unused.len(), text::listed(&unused));
        let tensors = words::count(count, "tensor");
        let were = if count == 1 { "was" } else { "were" };
        line += &format!("\n{tensors} of the file {were} not used: {listed}");
    }
    for warning in &warnings {
        progress.say(&format!("warning: {warning}"));
    }
    files::show(common, &answer, &line)
}

/// Computes a kernel of this shape.
fn in_memory<T: Scalar>(
    kernel_fn: EmpiricalKernelFn<'_, T>,
    samples: &SamplePair<T>,
    dim: (usize, usize),
    progress: &Progress,
) -> Result<Array2<T>, Failure> {
    let (n1, n2) = samples.counts();
    let result = memory::matrices::<T>(1, dim);
    let needed = kernel_fn.working_memory(n1, samples.x2.as_ref().map(|_| n2));
    let remedy = "ask for --precision f32, for the mean over outputs without --full, for parts of the samples \
                  by --x1 and --x2, or for a kernel on disk by --store";
    memory::check(result, needed.saturating_sub(result.unwrap_or(0)), remedy)?;
    let kernel_fn = kernel_fn.observer(progress);
    let found = match &samples.x2 {
        None => kernel_fn.ntk(&samples.x1),
        Some(x2) => kernel_fn.ntk_between(&samples.x1, x2),
    };
    progress.end();
    Ok(found?)
}

/// Writes what the flags ask for: all of it or nothing.
fn write<T: Scalar + WritableElement>(
    args: &Ntk,
    model: &Model<T>,
    ntk: Option<&Array2<T>>,
    outputs: Option<&Array2<T>>,
) -> Result<(), Failure> {
    let arrays = [("ntk", ntk), ("outputs", outputs)].into_iter();
    let arrays = arrays.filter_map(|(name, array)| Some((name, array? as &dyn npy::Entry)));
    let arrays: Vec<_> = arrays.collect();
    // Neither is in its place before both are written.
    let npz = args.out.as_ref().map(|out| {
        let unwritable = move |e| files::unwritable(out, "--out", &e);
        let npz = npy::prepare_npz(out, &arrays).map_err(unwritable)?;
        Ok::<_, Failure>((npz, unwritable))
    });
    let npz = npz.transpose()?;
    let weights = match &args.save_weights {
        None => None,
        Some(path) => {
            let of_weights = move |e| files::unwritable(path, SAVE_WEIGHTS, &e);
            let file = files::prepare(path, &model.to_safetensors()?).map_err(of_weights)?;
            Some((file, of_weights))
        }
    };
    if let Some((npz, unwritable)) = npz {
        npz.commit().map_err(unwritable)?;
    }
    if let Some((file, of_weights)) = weights {
        file.commit().map_err(of_weights)?;
    }
    Ok(())
}

const SAVE_WEIGHTS: &str = "--save-weights";

/// Says how the network is scaled, and by what its biases are multiplied.
fn scaling(graph: &Graph) -> String {
    let name = match graph.parameterization {
        Parameterization::Ntk => "NTK",
        Parameterization::Standard => "standard",
    };
    let biases: Vec<_> = bias_scales(graph).into_iter().map(words::number).collect();
    let scales = match biases.len() {
        0 => "no bias".into(),
        1 => format!("bias scale {}", biases[0]),
        _ => format!("bias scales {}", text::listed(&biases)),
    };
    format!("{name} parameterisation, {scales}")
}

/// Lists the factors that biases are multiplied by, each once.
fn bias_scales(graph: &Graph) -> Vec<f64> {
    let biases = graph.parameters().filter(|p| p.role == Role::Bias);
    let mut scales: Vec<f64> = biases.map(|p| p.scale).collect();
    scales.sort_by(f64::total_cmp);
    scales.dedup();
    scales
}
