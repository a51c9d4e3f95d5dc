//! Which images are trained on: the first, or those that random network distillation chooses.

use super::{Failure, Pictures};
use crate::experiments::study::CLASSES;
use ntk_kernels::network::{Network, dense, relu};
use ntk_linalg::Observer;
use ntk_train::selection::Distillation;
use ntk_train::{Init, Model, Optimizer};
use serde_json::{Value as Json, json};

/// The number of hidden units of target and predictor.
const WIDTH: usize = 64;
const LEARNING_RATE: f64 = 0.01;
const THRESHOLD: f64 = 1e-3;
const MAX_EPOCHS: usize = 10;

/// How images are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    First,
    Distilled,
}

impl Choice {
    pub(super) const BOTH: [Self; 2] = [Self::First, Self::Distilled];

    /// Returns what results and figures call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Distilled => "distilled",
        }
    }

    /// Returns the rows of the `n` images chosen, in the order of choice: fewer images are the first
    /// of them.
    pub(super) fn rows(
        self,
        n: usize,
        pool: &Pictures,
        seed: u64,
        observer: &dyn Observer,
    ) -> Result<Vec<usize>, Failure> {
        match self {
            Self::First => Ok((0..n).collect()),
            Self::Distilled => distilled(n, pool, seed, observer),
        }
    }
}

pub(super) fn describe() -> Json {
    json!({
        "first": "in file order",
        "distilled": {
            "method": "random network distillation from the 1000 training images",
            "target_and_predictor": format!(
                "dense({WIDTH}), relu, dense({CLASSES}), no biases, NTK parameterisation, of two seeds"
            ),
            "distance": "Euclidean",
            "loss": "mean square",
            "optimizer": "Adam",
            "learning_rate": LEARNING_RATE,
            "threshold": THRESHOLD,
            "most_steps_after_a_choice": MAX_EPOCHS,
        },
    })
}

fn distilled(
    n: usize,
    pool: &Pictures,
    seed: u64,
    observer: &dyn Observer,
) -> Result<Vec<usize>, Failure> {
    let images = pool.split.len();
    let x = pool.x.to_shape((images, pool.x.len() / images.max(1)))?;
    let network = Network::new()
        .then(dense().width(WIDTH))
        .then(relu())
        .then(dense().width(CLASSES));
    let model = |seed: u64| Model::<f32>::new(&network, x.ncols(), Init::default(), seed);
    // The predictor has another stream of the run's seed, apart from those of its neighbours. A step
    // is one gradient on all chosen images.
    let distillation = Distillation::new(model(seed)?, model(!seed)?)
        .optimizer(Optimizer::adam(LEARNING_RATE))
        .threshold(THRESHOLD)
        .max_epochs(MAX_EPOCHS);
    Ok(distillation.observer(observer).select(&x, n)?.indices)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2, Array4};

    #[test]
    fn both_choose_distinct_images_and_the_seed_decides_the_second() {
        let pool = Pictures {
            split: ntk_data::Split {
                images: Array4::zeros((12, 28, 28, 1)),
                labels: Array1::zeros(12),
                rows: (0..12).collect(),
            },
            x: Array4::from_shape_fn((12, 28, 28, 1), |(i, j, k, _)| {
                ((5 * i * i + 3 * j + 7 * k) as f32).sin()
            }),
            y: Array2::zeros((12, CLASSES)),
        };
        let rows = |choice: Choice, n, seed| choice.rows(n, &pool, seed, &()).unwrap();
        assert_eq!(rows(Choice::First, 3, 1), [0, 1, 2]);
        assert!(rows(Choice::Distilled, 0, 1).is_empty());
        let all = rows(Choice::Distilled, 12, 1);
        let mut sorted = all.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..12).collect::<Vec<_>>());
        assert_eq!(rows(Choice::Distilled, 5, 1), all[..5]);
        assert!((2..9).any(|seed| rows(Choice::Distilled, 12, seed) != all));
        assert!(Choice::Distilled.rows(13, &pool, 1, &()).is_err());
    }
}
