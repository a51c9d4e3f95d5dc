//! The network, how it is trained, and what is measured of it.

use super::{CLASSES, Failure, Images, accuracy};
use ndarray::{ArrayView2, ArrayView4, s};
use ntk_cli::results::Value;
use ntk_entropy::{Normalization, Spectrum, von_neumann};
use ntk_kernels::network::{Network, Shape, avg_pool, conv, dense, flatten, relu};
use ntk_linalg::{Observer, Real};
use ntk_train::{Init, Loss, Model, Optimizer, Order, Trace, TrainConfig};
use serde_json::{Value as Json, json};

const LEARNING_RATE: f64 = 0.001;
/// How a kernel becomes a density matrix, and what the results call it.
pub(super) const NORMALIZATIONS: [(Normalization, &str); 2] = [
    (Normalization::Trace, "trace"),
    (Normalization::Cosine, "cosine"),
];

/// Of one kernel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entropies {
    /// In nats, one for each of [`NORMALIZATIONS`].
    pub(super) by: [f64; 2],
    /// The larger share of the trace in eigenvalues that count as zero.
    pub(super) clipped: f64,
}

pub(crate) fn network() -> Network {
    Network::new()
        .then(conv([3, 3]).channels(32))
        .then(relu())
        .then(avg_pool([2, 2]))
        .then(conv([3, 3]).channels(64))
        .then(relu())
        .then(avg_pool([2, 2]))
        .then(flatten())
        .then(dense().width(256))
        .then(relu())
        .then(dense().width(CLASSES))
}

pub(super) fn describe() -> Json {
    json!({
        "layers": "conv(32, 3x3), relu, avg_pool(2x2), conv(64, 3x3), relu, avg_pool(2x2), flatten, \
                   dense(256), relu, dense(10); valid padding, no biases",
        "parameterization": "NTK, weights standard normal",
        "loss": "cross-entropy",
        "optimizer": "Adam",
        "learning_rate": LEARNING_RATE,
        "order": "a new permutation every epoch",
        "precision": "f32",
        "kernel": "traced empirical NTK, f64, of the f32 parameters",
    })
}

/// Untrained.
pub(super) fn model(seed: u64) -> Result<Model<f32>, Failure> {
    let input = Shape::new([28, 28], 1);
    Ok(Model::new(&network(), &input, Init::default(), seed)?)
}

pub(super) fn config(batch: usize, epochs: usize, seed: u64) -> TrainConfig {
    TrainConfig {
        loss: Loss::CrossEntropy,
        optimizer: Optimizer::adam(LEARNING_RATE),
        batch,
        epochs,
        order: Order::Shuffled,
        seed,
    }
}

/// What a network makes of the test images.
#[derive(Clone, Copy, Debug)]
pub(super) struct Score {
    pub(super) accuracy: f64,
    pub(super) loss: f64,
}

pub(super) fn score(model: &Model<f32>, test: &Images) -> Result<Score, Failure> {
    let outputs = model.forward(test.x.view())?;
    let (loss, _) = Loss::CrossEntropy.with_gradient(outputs.view(), test.y.view());
    Ok(Score {
        accuracy: accuracy(outputs.view(), &test.labels),
        loss,
    })
}

/// How much of the trace the entropies of a part leave out at most.
pub(super) fn clipped_value(part: &str, all: impl Iterator<Item = f64>) -> Value {
    let note = "share of the trace in eigenvalues of the kernel that count as zero";
    let largest = all.fold(0.0, f64::max);
    Value::new("largest_clipped_mass", [("part", json!(part))], largest).note(note)
}

/// The entropies of the model's kernel on the first images of `x`, for each number of
/// them: of the leading blocks of one kernel.
pub(super) fn leading_entropies(
    model: &Model<f32>,
    x: ArrayView4<'_, f32>,
    sizes: &[usize],
    observer: &dyn Observer,
) -> Result<Vec<Entropies>, Failure> {
    let mut double = Model::<f64>::new(&model.network(), model.input(), Init::default(), 0)?;
    let parameters = model
        .parameters()
        .iter()
        .map(|p| p.mapv(f64::from))
        .collect();
    double.set_parameters(parameters)?;
    let x = x.mapv(f64::from);
    let kernel = double.ntk(x.view(), None, Trace::Traced, observer)?;
    entropies_of_blocks(kernel.view(), sizes)
}

/// The entropies of leading blocks of these orders.
pub(super) fn entropies_of_blocks<T: Real>(
    kernel: ArrayView2<'_, T>,
    sizes: &[usize],
) -> Result<Vec<Entropies>, Failure> {
    let block = |&n: &usize| -> Result<Entropies, Failure> {
        let (mut by, mut clipped) = ([0.0; 2], 0.0_f64);
        for (entropy, (normalization, _)) in by.iter_mut().zip(NORMALIZATIONS) {
            let spectrum = Spectrum::of_kernel(kernel.slice(s![..n, ..n]), normalization)?;
            *entropy = von_neumann::entropy(&spectrum);
            clipped = clipped.max(spectrum.clipped_mass);
        }
        Ok(Entropies { by, clipped })
    };
    sizes.iter().map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn blocks_of_a_diagonal_kernel() {
        // Weights 1, 1, 2: over two samples alike, over three 1/4, 1/4, 1/2; as cosines alike.
        let kernel = Array2::from_diag(&ndarray::array![1.0, 1.0, 2.0]);
        let found = entropies_of_blocks(kernel.view(), &[1, 2, 3]).unwrap();
        let ln2 = 2.0_f64.ln();
        let expected = [[0.0, 0.0], [ln2, ln2], [1.5 * ln2, 3.0_f64.ln()]];
        for (found, expected) in found.iter().zip(expected) {
            for (found, expected) in found.by.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-15, "{found} {expected}");
            }
        }
        assert!(entropies_of_blocks(kernel.view(), &[0]).is_err());
        assert!(entropies_of_blocks(Array2::<f64>::zeros((2, 2)).view(), &[2]).is_err());
    }
}
