//! The infinitely wide network under gradient flow: its NTK, and its NNGP kernel, by which the
//! notebook's curves evolve although their panels say NTK.

use super::{ACCURACIES, Context, Failure, Images, SIZES, Value, at};
use ndarray::{Array4, s};
use ntk_kernels::metrics::accuracy;
use ntk_kernels::network::{Network, dense, relu};
use ntk_kernels::predict::MseFlow;
use ntk_linalg::Observer;
use serde_json::{Value as Json, json};

/// When predictions are made, in units of the learning rate.
pub(super) const TIMES: [f64; 8] = [1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, f64::INFINITY];
const LEARNING_RATE: f64 = 1.0;

/// The kernels that outputs evolve by, an index of [`Accuracies`]: training of the top layer alone,
/// and training of all layers.
pub(super) const NNGP: usize = 0;
pub(super) const NTK: usize = 1;
/// Their names in results, and the notes of their values.
const KERNELS: [(&str, &str); 2] = [
    (
        "nngp",
        "drawn in the notebook and not printed, in panels titled NTK",
    ),
    ("ntk", "what the titles of the notebook's panels name"),
];

/// The accuracies of kernels fitted to the first images: (kernel, size, train or test, time).
pub(super) type Accuracies = Array4<f64>;

pub(super) fn values(accuracies: &Accuracies) -> Vec<Value> {
    let value = |((kernel, size, on, time), &accuracy): ((usize, usize, usize, usize), &f64)| {
        let (name, note) = KERNELS[kernel];
        at(json!({"n": SIZES[size], "kernel": name, "t": as_json(TIMES[time])}))
            .value(ACCURACIES[on], accuracy)
            .note(note)
    };
    accuracies.indexed_iter().map(value).collect()
}

/// Writes a time as a whole number, or as `"inf"`: JSON has no infinity.
fn as_json(t: f64) -> Json {
    match t.is_finite() {
        true => json!(t as u64),
        false => json!("inf"),
    }
}

pub(super) fn describe() -> Json {
    json!({
        "layers": "dense, relu, dense, relu, dense; w_std = 1, b_std = 0",
        "prediction": "gradient flow on half the mean squared error, from outputs of zero",
        "learning_rate": LEARNING_RATE,
        "times": TIMES.map(as_json),
        "precision": "f64",
    })
}

/// Fits both kernels to all sizes, from one kernel matrix of all training images.
pub(super) fn run(
    train: Images,
    test: Images,
    context: &Context<'_>,
) -> Result<Accuracies, Failure> {
    let hidden = |network: Network| network.then(dense()).then(relu());
    let network = hidden(hidden(Network::new())).then(dense());
    let kernel_fn = network.kernel_fn().observer(context.progress);
    let (k_dd, k_td) = context.timed("kernels", || -> Result<_, Failure> {
        let k_td = kernel_fn.kernels_between(&test.x, &train.x)?;
        Ok((kernel_fn.kernels(&train.x)?, k_td))
    })?;
    let work = |n: usize| n.pow(3) as u64;
    let total = 2 * SIZES.map(work).iter().sum::<u64>();
    context.progress.begin("gradient flow", total);
    let mut all = Array4::zeros((2, SIZES.len(), 2, TIMES.len()));
    for (kernel, k_dd, k_td) in [(NNGP, k_dd.nngp, k_td.nngp), (NTK, k_dd.ntk, k_td.ntk)] {
        let name = format!("{}_flow", KERNELS[kernel].0);
        context.timed(&name, || -> Result<(), Failure> {
            for (size, n) in SIZES.into_iter().enumerate() {
                let y = train.y.slice(s![..n, ..]);
                let flow = MseFlow::new(&k_dd.slice(s![..n, ..n]), &y, LEARNING_RATE, 0.0)?;
                let on_train = flow.train(&TIMES)?;
                let on_test = flow.test(&TIMES, &k_td.slice(s![.., ..n]))?;
                for (on, outputs) in [on_train, on_test].iter().enumerate() {
                    let targets = [y, test.y.view()][on];
                    for (time, outputs) in outputs.outer_iter().enumerate() {
                        all[[kernel, size, on, time]] = accuracy(&outputs, &targets)?;
                    }
                }
                context.progress.advance(work(n));
            }
            Ok(())
        })?;
    }
    Ok(all)
}
