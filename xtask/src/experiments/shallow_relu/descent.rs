//! Over-parameterised linear regression: gradient descent moves the weights in the image of
//! X alone, so in the eigenbasis of `X X^T` most coordinates stay where they were.
//!
//! `w <- w - eta (X X^T w - X y)`, loss `|X^T w - y|^2 / n`, with X of shape (p, n).

use super::{Failure, Value};
use ndarray::{Array1, Array2};
use ntk_data::synthetic;
use ntk_linalg::{eigh, matmul, symmetric_product};
use serde_json::json;

/// p.
pub(super) const WEIGHTS: usize = 1000;
/// n.
pub(super) const SAMPLES: usize = 100;
/// eta.
pub(super) const RATE: f64 = 0.001;
/// Steps.
pub(super) const STEPS: usize = 1000;

/// One run of gradient descent.
pub(super) struct Descent {
    /// `X X^T`, (p, p).
    pub(super) gram: Array2<f64>,
    /// The same in its own eigenbasis, ascending.
    pub(super) diagonalized: Array2<f64>,
    /// Before every step, and after the last.
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
        let place = || [("p", json!(WEIGHTS)), ("n", json!(SAMPLES))];
        // A coordinate has moved if it did so by more than rounding of its own size, 1.
        let still = 1e-10;
        let last = self.moved.column(self.moved.ncols() - 1);
        let moving = last.iter().filter(|&&m| m > still).count();
        let end = |series: &[f64]| series.last().copied().unwrap_or(f64::NAN);
        vec![
            Value::new(
                "largest_eigenvalue_of_xxt",
                place(),
                self.largest_eigenvalue,
            )
            .printed(16.963_392_764_546_683)
            .note("another random X; (1 + sqrt(p/n))^2 = 17.32 for large p and n"),
            Value::new("rank_of_x", place(), self.rank as f64).printed(100.0),
            Value::new("loss_at_the_end", place(), end(&self.losses)),
            Value::new(
                "relative_distance_at_the_end",
                place(),
                end(&self.distances),
            ),
            Value::new("coordinates_that_move", place(), moving as f64)
                .note("in the eigenbasis, by more than 1e-10; the image of X has dimension n"),
        ]
    }
}

pub(super) fn run(seed: u64) -> Result<Descent, Failure> {
    let (p, n) = (WEIGHTS, SAMPLES);
    let x = synthetic::gaussian::<f64>(p, n, seed) / (n as f64).sqrt();
    let y = synthetic::gaussian::<f64>(n, 1, seed.wrapping_add(1)).remove_axis(ndarray::Axis(1));
    let start = synthetic::gaussian::<f64>(p, 1, seed.wrapping_add(2))
        .column(0)
        .to_owned()
        / (p as f64).sqrt();

    let gram = symmetric_product(x.view())?;
    let spectrum = eigh(gram.view())?;
    let basis = spectrum.vectors;
    let diagonalized = matmul(matmul(basis.t(), gram.view())?.view(), basis.view())?;
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
    let moved = matmul(basis.t(), shifts.t())?.mapv(f64::abs);
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
