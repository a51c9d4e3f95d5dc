//! The network, how it is trained, and what is recorded of it.

use super::{Failure, Pictures};
use crate::experiments::study::{CLASSES, over_seeds};
use ndarray::{Array2, Array4, aview2, s};
use ntk_entropy::{Normalization, Spectrum, von_neumann};
use ntk_kernels::network::{Network, avg_pool, conv, dense, flatten, relu};
use ntk_linalg::Observer;
use ntk_train::{
    Init, Loss, Measure, Model, Optimizer, Probe, Recorder, Records, Schedule, TrainConfig, Trainer,
};
use serde_json::{Value as Json, json};

const LEARNING_RATE: f64 = 0.001;
/// How a kernel becomes a density matrix, and what the results call it.
pub(super) const NORMALIZATIONS: [(Normalization, &str); 2] = [
    (Normalization::Trace, "trace"),
    (Normalization::Cosine, "cosine"),
];
/// The numbers that a kernel gives: its entropies in nats, one for each of [`NORMALIZATIONS`], and
/// the larger share of the trace in eigenvalues that count as zero.
const NUMBERS: usize = NORMALIZATIONS.len() + 1;
const CLIPPED: usize = NORMALIZATIONS.len();

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

/// How a network is trained, and what is recorded of it.
pub(super) struct Training<'a> {
    pub(super) seed: u64,
    pub(super) batch: usize,
    pub(super) epochs: usize,
    pub(super) schedule: Schedule,
    /// The numbers of first images of the training set whose kernel's entropy is recorded.
    pub(super) subsets: &'a [usize],
}

impl Training<'_> {
    pub(super) fn run(
        self,
        train: &Pictures,
        test: &Pictures,
        observer: &dyn Observer,
    ) -> Result<Records, Failure> {
        let seed = self.seed;
        let mut model = Model::<f32>::new(&network(), [28, 28, 1], Init::default(), seed)?;
        let config = TrainConfig::default()
            .loss(Loss::CrossEntropy)
            .optimizer(Optimizer::adam(LEARNING_RATE))
            .batch_size(self.batch)
            .epochs(self.epochs)
            .seed(seed);
        let subsets = self.subsets;
        let largest = subsets.iter().copied().max().unwrap_or(0);
        let first = train.x.slice(s![..largest, .., .., ..]).mapv(f64::from);
        let scores = [Measure::Accuracy, Measure::Loss];
        let mut recorder = Recorder::new(self.schedule)
            .probe(Probe::new("test", &test.x, &test.y, scores))
            .measure("entropies", |model| {
                let model = model.cast::<f64>();
                let kernel = model.kernel_fn().observer(observer).ntk(&first)?;
                entropies(&kernel, subsets)
            });
        Trainer::new(&mut model, &train.x, &train.y, config)?
            .observer(observer)
            .record(&mut recorder)?;
        Ok(recorder.into_records())
    }
}

/// What was recorded of networks trained alike, one a seed.
pub(super) struct Recorded {
    /// Of subsets at every record: (seed, record, subset, number), the numbers by
    /// [`NORMALIZATIONS`] and then the share of the trace that is left out.
    pub(super) entropies: Array4<f64>,
    /// On the test images, (seed, record).
    pub(super) accuracy: Array2<f64>,
    pub(super) loss: Array2<f64>,
}

impl Recorded {
    pub(super) fn new(trainings: &[Records]) -> Result<Self, Failure> {
        Ok(Self {
            entropies: over_seeds(trainings, "entropies")?,
            accuracy: over_seeds(trainings, "test.accuracy")?,
            loss: over_seeds(trainings, "test.loss")?,
        })
    }

    /// Returns the largest share of a trace that entropies leave out.
    pub(super) fn clipped(&self) -> f64 {
        let all = self.entropies.slice(s![.., .., .., CLIPPED]);
        all.fold(0.0, |a, &b| a.max(b))
    }
}

/// Computes the numbers of the leading blocks of these orders, (blocks, numbers).
pub(super) fn entropies(kernel: &Array2<f64>, orders: &[usize]) -> Result<Array2<f64>, Failure> {
    let block = |&n: &usize| -> Result<[f64; NUMBERS], Failure> {
        let mut numbers = [0.0_f64; NUMBERS];
        for (by, (normalization, _)) in NORMALIZATIONS.into_iter().enumerate() {
            let spectrum = Spectrum::of_kernel(&kernel.slice(s![..n, ..n]), normalization)?;
            numbers[by] = von_neumann::entropy(&spectrum);
            numbers[CLIPPED] = numbers[CLIPPED].max(spectrum.clipped_mass);
        }
        Ok(numbers)
    };
    let blocks: Vec<_> = orders.iter().map(block).collect::<Result<_, _>>()?;
    Ok(aview2(&blocks).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_a_diagonal_kernel() {
        // Weights 1, 1, 2: over two samples alike, over three 1/4, 1/4, 1/2; as cosines alike.
        let kernel = Array2::from_diag(&ndarray::array![1.0, 1.0, 2.0]);
        let found = entropies(&kernel, &[1, 2, 3]).unwrap();
        let ln2 = 2.0_f64.ln();
        let expected = ndarray::array![
            [0.0, 0.0, 0.0],
            [ln2, ln2, 0.0],
            [1.5 * ln2, 3.0_f64.ln(), 0.0]
        ];
        approx::assert_abs_diff_eq!(found, expected, epsilon = 1e-15);
        assert!(entropies(&kernel, &[0]).is_err());
        assert!(entropies(&Array2::zeros((2, 2)), &[2]).is_err());
    }
}
