//! `ntk ntk`.

use crate::Failure;
use crate::cli::{Common, Ntk, Precision};
use crate::environment;
use crate::files;
use crate::inputs::{self, SamplePair};
use crate::memory;
use crate::npy;
use crate::progress::Progress;
use ndarray_npy::WritableElement;
use ntk_kernels::Network;
use ntk_kernels::network::Shape;
use ntk_train::{Init, Model, Scalar, Trace, WeightsError};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

pub(crate) fn run(common: &Common, args: &Ntk) -> Result<(), Failure> {
    match args.precision {
        Precision::F64 => run_in::<f64>(common, args),
        Precision::F32 => run_in::<f32>(common, args),
    }
}

fn run_in<T: Scalar + WritableElement>(common: &Common, args: &Ntk) -> Result<(), Failure> {
    let network = inputs::network(&args.net)?;
    let samples = SamplePair::<T>::read(&args.x1, args.x2.as_deref())?;
    let shape = &samples.shape;
    let of_net = |e: &dyn std::error::Error| format!("{}: {e}", args.net.display());
    let graph = network.resolve(shape).map_err(|e| of_net(&e))?;
    let drawn = || Model::<T>::new(&network, shape, Init::default(), args.seed);
    let model = match &args.weights {
        None => drawn().map_err(|e| of_net(&e))?,
        Some(weights) => load(&network, shape, weights, args)?,
    };
    let (n1, n2) = samples.counts();
    let (trace, o) = match args.full {
        true => (Trace::Full, model.outputs()),
        false => (Trace::Traced, 1),
    };
    let remedy = "ask for --precision f32, for the mean over outputs without --full, or for parts \
                  of the samples by --x1 and --x2";
    let side = |n: usize| n.saturating_mul(o);
    let result = memory::matrices::<T>(1, (side(n1), side(n2)));
    memory::check(result, 0, remedy)?;

    let progress = Progress::new(common.quiet || common.json);
    let begun = Instant::now();
    let kernel_fn = model.kernel_fn().trace(trace).observer(&progress);
    let found = match &samples.x2 {
        None => kernel_fn.ntk(&samples.x1),
        Some(x2) => kernel_fn.ntk_between(&samples.x1, x2),
    };
    progress.end();
    let ntk = found?;
    let outputs = model.forward(&samples.x1)?;
    let seconds = begun.elapsed().as_secs_f64();

    // Both or none: neither is in its place before both are written.
    let unwritable = |e| files::unwritable(&args.out, "--out", &e);
    let npz = npy::prepare_npz(&args.out, &[("ntk", &ntk), ("outputs", &outputs)]);
    let npz = npz.map_err(unwritable)?;
    let weights = match &args.save_weights {
        None => None,
        Some(path) => {
            let of_weights = move |e| files::unwritable(path, SAVE_WEIGHTS, &e);
            let file = files::prepare(path, &model.to_safetensors()?).map_err(of_weights)?;
            Some((file, of_weights))
        }
    };
    npz.commit().map_err(unwritable)?;
    if let Some((file, of_weights)) = weights {
        file.commit().map_err(of_weights)?;
    }

    let answer = json!({
        "n1": n1,
        "n2": n2,
        "outputs": model.outputs(),
        "parameters": model.parameter_count(),
        "weights": args.weights.as_ref().map(|path| path.display().to_string()),
        "seed": args.weights.is_none().then_some(args.seed),
        "trace": trace,
        "shape": ntk.shape(),
        "precision": T::NAME,
        "seconds": seconds,
        "out": args.out.display().to_string(),
        "network": inputs::table(&graph),
        "peak_memory": environment::peak_memory(),
    });
    let line = format!(
        "ntk {:?} of samples {shape}, {} parameters, {}: {seconds:.3} s, in {}",
        ntk.dim(),
        model.parameter_count(),
        T::NAME,
        args.out.display()
    );
    files::show(common, &answer, &line)
}

const SAVE_WEIGHTS: &str = "--save-weights";

/// Makes the model with the weights of a file.
fn load<T: Scalar>(
    network: &Network,
    shape: &Shape,
    path: &Path,
    args: &Ntk,
) -> Result<Model<T>, Failure> {
    let name = path.display();
    let bytes = files::read(path, "give a safetensors file by --weights")?;
    let names = args.names.as_deref().map(names).transpose()?;
    let loaded = match (args.pytorch, &names) {
        (false, _) => Model::from_safetensors(network, shape, &bytes),
        (true, None) => Model::from_pytorch(network, shape, &bytes),
        (true, Some(names)) => Model::from_pytorch_named(network, shape, &bytes, names),
    };
    let of = |e: WeightsError| match e {
        WeightsError::Model(e) => format!("{}: {e}", args.net.display()),
        e => format!("{name}: {e}"),
    };
    Ok(loaded.map_err(of)?)
}

fn names(path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let name = path.display();
    let text = files::read(path, "give a JSON object by --names")?;
    Ok(serde_json::from_slice(&text).map_err(|e| {
        format!(
            "{name} is no map of names: {e}; expected {{\"layers.0.weight\": \"fc1.weight\", ...}}"
        )
    })?)
}
