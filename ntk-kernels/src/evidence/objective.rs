//! Computes the evidence of targets under a Gaussian process, and its derivatives by the covariance.
//!
//! With A the covariance of the targets (the kernel times the output scale, and the noise on the
//! diagonal), `C = A^-1`, `a = C y` and `o` outputs, each a process of its own:
//!
//! ```text
//! marginal likelihood:  L = -1/2 sum y a - o/2 log det A - n o/2 log 2 pi,
//!                       dL/dA = 1/2 (a a^T - o C)
//! leave one out:        L = sum_i o/2 log C_ii - a_i^2/(2 C_ii) - o/2 log 2 pi,
//!                       dL/dA = -C diag(w) C + 1/2 (b a^T + a b^T),
//!                       w_i = o/(2 C_ii) + a_i^2/(2 C_ii^2),  b = C diag(1/C_ii) a
//! ```
//!
//! Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", equations 5.8 and 5.9, and
//! 5.10 to 5.13 with all derivatives contracted.

use crate::predict::PredictError;
use ndarray::{Array1, Array2, Axis};
use ntk_linalg::{Cholesky, LinalgError, Ridge, gemm, matmul};

/// An `Objective` is what hyperparameters are chosen by: both are larger where the process fits the
/// targets better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Objective {
    /// The logarithm of the probability density of all targets (Rasmussen and Williams 2006, equation
    /// 5.8), the evidence.
    #[default]
    MarginalLikelihood,
    /// The sum of the logarithms of the probability density of each target, where the process has seen
    /// all others (equation 5.11): less sensitive to a kernel that is wrong.
    LeaveOneOut,
}

/// An objective's value, its derivatives by the covariance, and what was added to its diagonal.
pub(super) struct Derived {
    pub(super) value: f64,
    /// `dL/dA`, (n, n), symmetric.
    pub(super) by_covariance: Array2<f64>,
    pub(super) jitter: f64,
}

/// The most that is added to the diagonal of a covariance that is singular to working precision,
/// relative to its mean.
const MOST_JITTER: f64 = 1e-6;

impl Objective {
    /// Computes it for a covariance and targets (n, outputs).
    pub(super) fn derived(
        self,
        covariance: Array2<f64>,
        y: &Array2<f64>,
    ) -> Result<Derived, PredictError> {
        let ridge = Ridge::Adaptive {
            max_relative: MOST_JITTER,
        };
        let cholesky = Cholesky::new(covariance, ridge)?;
        let jitter = cholesky.ridge_added();
        let (n, outputs) = (y.nrows() as f64, y.ncols() as f64);
        let a = cholesky.solve(y)?;
        let log_det = cholesky.log_det();
        let inverse = cholesky.inverse()?;
        let constant = -0.5 * n * outputs * std::f64::consts::TAU.ln();
        let (value, by_covariance) = match self {
            Self::MarginalLikelihood => {
                let fit = (y * &a).sum();
                let mut by = inverse;
                gemm(0.5, &a, &a.t(), -0.5 * outputs, &mut by)?;
                (-0.5 * (fit + outputs * log_det), by)
            }
            Self::LeaveOneOut => leave_one_out(&a, &inverse)?,
        };
        Ok(Derived {
            value: value + constant,
            by_covariance,
            jitter,
        })
    }
}

/// Computes the leave-one-out objective without its constant, and its derivatives.
fn leave_one_out(
    a: &Array2<f64>,
    inverse: &Array2<f64>,
) -> Result<(f64, Array2<f64>), LinalgError> {
    let outputs = a.ncols() as f64;
    let precisions: Array1<f64> = inverse.diag().to_owned();
    let squares = (a * a).sum_axis(Axis(1));
    let mut value = 0.0;
    let mut weights = Array1::zeros(precisions.len());
    for ((&c, &square), weight) in precisions.iter().zip(&squares).zip(&mut weights) {
        value += 0.5 * (outputs * c.ln() - square / c);
        *weight = 0.5 * (outputs / c + square / (c * c));
    }
    let scaled = a / &precisions.insert_axis(Axis(1));
    let b = matmul(inverse, &scaled)?;
    let weighted = inverse * &weights.insert_axis(Axis(0));
    let mut by = matmul(&weighted, inverse)?;
    gemm(0.5, &b, &a.t(), -1.0, &mut by)?;
    gemm(0.5, a, &b.t(), 1.0, &mut by)?;
    Ok((value, by))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn covariance() -> (Array2<f64>, Array2<f64>) {
        let a = array![
            [2.0, 0.3, -0.4, 0.1],
            [0.3, 1.5, 0.2, 0.5],
            [-0.4, 0.2, 1.2, -0.3],
            [0.1, 0.5, -0.3, 1.7]
        ];
        (a, array![[0.5, -1.0], [0.2, 0.7], [-0.9, 0.1], [1.1, 0.4]])
    }

    /// `log N(y; mean, variance)`.
    fn log_density(y: f64, mean: f64, variance: f64) -> f64 {
        -0.5 * ((y - mean).powi(2) / variance + (std::f64::consts::TAU * variance).ln())
    }

    #[test]
    fn leaving_one_out_is_what_it_says() {
        // Every sample predicted from all others, plainly.
        let (a, y) = covariance();
        let mut expected = 0.0;
        for left in 0..4 {
            let others: Vec<_> = (0..4).filter(|&i| i != left).collect();
            let pick = a.select(Axis(0), &others).select(Axis(1), &others);
            let cross = a.row(left).select(Axis(0), &others).insert_axis(Axis(1));
            let cholesky = Cholesky::new(pick, 0.0).unwrap();
            let weights = cholesky.solve(&cross).unwrap();
            let variance = a[[left, left]] - (&weights * &cross).sum();
            for output in 0..2 {
                let seen = y.column(output).select(Axis(0), &others);
                let mean = seen.dot(&weights.column(0));
                expected += log_density(y[[left, output]], mean, variance);
            }
        }
        let found = Objective::LeaveOneOut.derived(a, &y).unwrap();
        assert!(
            (found.value - expected).abs() < 1e-13,
            "{} {expected}",
            found.value
        );
    }

    #[test]
    fn derivatives_are_differences() {
        let (a, y) = covariance();
        for objective in [Objective::MarginalLikelihood, Objective::LeaveOneOut] {
            let by = objective.derived(a.clone(), &y).unwrap().by_covariance;
            for i in 0..4 {
                for j in 0..=i {
                    let at = |step: f64| {
                        let mut a = a.clone();
                        a[[i, j]] += step;
                        if i != j {
                            a[[j, i]] += step;
                        }
                        objective.derived(a, &y).unwrap().value
                    };
                    let step = 1e-4;
                    let expected = (at(step) - at(-step)) / (2.0 * step);
                    let found = if i == j {
                        by[[i, i]]
                    } else {
                        by[[i, j]] + by[[j, i]]
                    };
                    assert!(
                        (found - expected).abs() < 1e-7,
                        "{objective:?} {found} {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_singular_is_lifted_and_said() {
        let a = array![[1.0, 1.0], [1.0, 1.0]];
        let found = Objective::MarginalLikelihood
            .derived(a, &array![[0.3], [0.3]])
            .unwrap();
        assert!(found.jitter > 0.0 && found.jitter <= MOST_JITTER);
        let indefinite = array![[1.0, 2.0], [2.0, 1.0]];
        let error = Objective::MarginalLikelihood.derived(indefinite, &array![[0.3], [0.3]]);
        assert!(matches!(error, Err(PredictError::Linalg(_))));
    }
}
