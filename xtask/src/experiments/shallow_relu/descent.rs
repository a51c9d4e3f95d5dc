//! Over-parameterised linear regression: gradient descent moves the weights in the image of
//! X alone, so in the eigenbasis of `X X^T` most coordinates stay where they were.
//!
//! `w <- w - eta (X X^T w - X y)`, loss `|X^T w - y|^2 / n`, with X of shape (p, n).

use super::{Failure, Value, at};
use ndarray::{Array1, Array2};
use ntk_data::synthetic;
use ntk_linalg::{eigh, matmul, symmetric_product};
use serde_json::{Value as Json, json};

/// The number of weights, p.
pub(super) const WEIGHTS: usize = 1000;
/// The number of samples, n.
pub(super) const SAMPLES: usize = 100;
/// The learning rate, eta.
const RATE: f64 = 0.001;
/// The number of steps.
const STEPS: usize = 1000;

pub(super) fn describe() -> Json {
    json!({"p": WEIGHTS, "n": SAMPLES, "learning_rate": RATE, "steps": STEPS})
}

/// One run of gradient descent.
pub(super) struct Descent {
    /// `X X^T`, (p, p).
    pub(super) gram: Array2<f64>,
    /// `X X^T` in its own eigenbasis, ascending.
    pub(super) diagonalized: Array2<f64>,
    /// The losses before every step, and after the last.
    pub(super) losses: Vec<f64>,
    /// `|w_t - w_0| / |w_0|` at the same times.
    pub(super) distances: Vec<f64>,
    /// `|w_t - w_0|` coordinate by coordinate in the eigenbasis, (p, times).
    pub(super) moved: Array2<f64>,
    largest_eigenvalue: f64,
    rank: usize,
}

impl Descent {
    pub(super) fn values(&self) -> Vec<Value> {
        let here = at(json!({"p": WEIGHTS, "n": SAMPLES}));
        // A coordinate has moved if it did so by more than rounding of its own size, 1.
        let last = self.moved.column(STEPS);
        let moving = last.iter().filter(|&&m| m > 1e-10).count();
        let limit = "another random X; (1 + sqrt(p/n))^2 = 17.32 for large p and n";
        let largest = here.value("largest_eigenvalue_of_xxt", self.largest_eigenvalue);
        vec![
            largest.printed(16.963_392_764_546_683).note(limit),
            here.value("rank_of_x", self.rank as f64).printed(100.0),
            here.value("loss_at_the_end", self.losses[STEPS]),
            here.value("relative_distance_at_the_end", self.distances[STEPS]),
            here.value("coordinates_that_move", moving as f64)
                .note("in the eigenbasis, by more than 1e-10; the image of X has dimension n"),
        ]
    }
}

pub(super) fn run(seed: u64) -> Result<Descent, Failure> {
    let (p, n) = (WEIGHTS, SAMPLES);
    let normal = |rows, columns, i| synthetic::gaussian(rows, columns, seed.wrapping_add(i));
    let x: Array2<f64> = normal(p, n, 0)? / (n as f64).sqrt();
    let y = normal(n, 1, 1)?.column(0).to_owned();
    let start = normal(p, 1, 2)?.column(0).to_owned() / (p as f64).sqrt();

    let gram = symmetric_product(&x)?;
    let spectrum = eigh(&gram)?;
    let basis = spectrum.vectors;
    let diagonalized = matmul(&matmul(&basis.t(), &gram)?, &basis)?;
    let largest_eigenvalue = spectrum.values.last().copied().unwrap_or_default();
    let rounding = p as f64 * f64::EPSILON * largest_eigenvalue;
    let rank = spectrum.values.iter().filter(|&&v| v > rounding).count();

    let mut w: Array1<f64> = start.clone();
    let mut shifts = Array2::zeros((STEPS + 1, p));
    let (mut losses, mut distances) = (Vec::new(), Vec::new());
    let norm = start.dot(&start).sqrt();
    for step in 0..=STEPS {
        let gap = x.t().dot(&w) - &y;
        losses.push(gap.dot(&gap) / n as f64);
        let shift = &w - &start;
        distances.push(shift.dot(&shift).sqrt() / norm);
        shifts.row_mut(step).assign(&shift);
        w.scaled_add(-RATE, &x.dot(&gap));
    }
    let moved = matmul(&basis.t(), &shifts.t())?.mapv(f64::abs);
    Ok(Descent {
        gram,
        diagonalized,
        losses,
        distances,
        moved,
        largest_eigenvalue,
        rank,
    })
}
