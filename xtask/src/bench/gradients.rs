//! Derivatives of kernels beside neural_tangents under `jax.grad`: the cases.

use super::case::{
    BenchCase, Contender, ContenderName, Prepared, Quantity, Suite, Supplies, Target,
    neural_tangents,
};
use super::inputs::{Input, Pixels};
use super::probes::{probes, read};
use crate::Failure;
use ndarray::{Array2, Ix2, s};
use ntk_kernels::network::{dense, relu};
use ntk_kernels::{Evidence, Kernel, Network};
use ntk_linalg::Real;
use serde_json::json;

/// The cases of derivatives.
pub(super) static SUITE: Suite = Suite {
    name: "gradients",
    title: "Derivatives of kernels beside neural_tangents under jax.grad",
    peer: neural_tangents("ntk-kernels/benches/peers/neural_tangents_gradients.py"),
    notes: "Both are compiled before the clock starts, and the peer computes in f32. Our evidence is in f64\n\
         throughout. Compared are the derivatives themselves: of the evidence all of them, by inputs some.",
    cases: CASES,
};

/// The cases in the order of the record.
static CASES: &[BenchCase] = &[
    BenchCase::new(
        "evidence-2000",
        "the evidence of 2000 images and ten outputs, and its derivatives by each w_std and b_std of three hidden relu layers and the noise",
        &[Target::new(Quantity::PeerOverOurs, 8.0)],
        evidence,
    ),
    BenchCase::new(
        "inputs-1000",
        "the derivatives of a weighted sum of the NTK of 1000 with 500 images by both, three hidden relu layers",
        &[Target::new(Quantity::PeerOverOurs, 5.0)],
        inputs,
    ),
];

/// The variance of the noise.
const NOISE: f64 = 0.1;

fn network() -> Network {
    let hidden = || dense().w_std(1.4).b_std(0.1);
    (0..3)
        .fold(Network::new(), |n, _| n.then(hidden()).then(relu()))
        .then(dense())
}

fn vectors<T: Real>(input: &Input) -> Result<Array2<T>, Failure> {
    Ok(input.numbers::<T>().into_dimensionality::<Ix2>()?)
}

fn evidence(case: &BenchCase, setting: &Supplies<'_>) -> Result<Prepared, Failure> {
    let n = setting.limit(2000);
    let input = setting.inputs.take(Pixels::Vectors, n)?;
    let y = input.targets()?;
    let request = json!({
        "case": case.name,
        "network": serde_json::to_value(network())?,
        "x1": setting.write(case, "x1", &vectors::<f32>(&input)?)?,
        "y": setting.write(case, "y", &y)?,
        "noise": NOISE,
    });
    let network = network();
    let mut names: Vec<String> = network
        .hyperparameters()
        .into_iter()
        .map(|of| of.name)
        .collect();
    names.push("noise".into());
    let evidence = Evidence::nngp(&network).noise(NOISE).learn(&names)?;
    let (x, y) = (vectors::<f64>(&input)?, y.mapv(f64::from));
    let part = Contender::new(
        ContenderName::F64,
        move || Ok(evidence.compute(&x, &y)?),
        |at| at.gradient.clone(),
    );
    let size = format!("{n} x {n}");
    Ok(Prepared::new(size, input.note, vec![part], request))
}

fn inputs(case: &BenchCase, setting: &Supplies<'_>) -> Result<Prepared, Failure> {
    let (n, m) = (setting.limit(1000), setting.limit(500));
    let input = setting.inputs.take(Pixels::Vectors, n + m)?;
    let x = vectors::<f32>(&input)?;
    let weights = Array2::from_shape_fn((n, m), |(i, j)| ((i * 7 + j * 3) % 11) as f32 / 5.0 - 1.0);
    let entries = probes(m.min(x.ncols()));
    let request = json!({
        "case": case.name,
        "network": serde_json::to_value(network())?,
        "x1": setting.write(case, "x1", &x.slice(s![..n, ..]).to_owned())?,
        "x2": setting.write(case, "x2", &x.slice(s![n.., ..]).to_owned())?,
        "weights": setting.write(case, "weights", &weights)?,
        "entries": entries,
    });
    let parts = vec![
        by_inputs(ContenderName::F32, x, n, weights.clone(), entries.clone()),
        by_inputs(
            ContenderName::F64,
            vectors::<f64>(&input)?,
            n,
            weights.mapv(f64::from),
            entries,
        ),
    ];
    let size = format!("{n} x {m}");
    Ok(Prepared::new(size, input.note, parts, request))
}

fn by_inputs<T: Real>(
    name: ContenderName,
    x: Array2<T>,
    n: usize,
    weights: Array2<T>,
    entries: Vec<[usize; 2]>,
) -> Contender {
    let (x1, x2) = (
        x.slice(s![..n, ..]).to_owned(),
        x.slice(s![n.., ..]).to_owned(),
    );
    let network = network();
    let work = move || {
        let (by1, by2) = network.input_gradient_between(Kernel::Ntk, &x1, &x2, &weights)?;
        let vectors = |by: ndarray::ArrayD<T>| by.into_dimensionality::<Ix2>();
        Ok([vectors(by1)?, vectors(by2)?])
    };
    let look = move |both: &[Array2<T>; 2]| {
        let each = both.iter().map(|by| read(by, &entries));
        each.collect::<Vec<_>>().concat()
    };
    Contender::new(name, work, look)
}
