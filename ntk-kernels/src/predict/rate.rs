//! Computes the largest stable learning rate.

use ndarray::ArrayRef2;
use ntk_linalg::{Real, eigenvalues};

use super::{PredictError, check};

/// Computes the largest learning rate at which full-batch steps with momentum m converge on the
/// squared loss, 1/2 of the mean over all n*o entries: `2 (1 + m) n o / lambda_max`.
///
/// `largest_eigenvalue` is that of the kernel, traced or full, and `entries` is n*o (Goh 2017, "Why
/// Momentum Really Works", doi:10.23915/distill.00006). The result is infinite where the eigenvalue
/// or `entries` is zero, because nothing moves.
///
/// ```
/// use ntk_kernels::predict::max_learning_rate;
///
/// // 100 samples, one output, largest eigenvalue 50.
/// assert_eq!(max_learning_rate(50.0, 100, 0.0)?, 4.0);
/// assert_eq!(max_learning_rate(50.0, 100, 0.5)?, 6.0);
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
///
/// # Errors
/// Returns [`PredictError::Argument`] unless `0 <= m < 1` and the eigenvalue is zero or more and
/// finite.
pub fn max_learning_rate(
    largest_eigenvalue: f64,
    entries: usize,
    momentum: f64,
) -> Result<f64, PredictError> {
    check::momentum(momentum)?;
    if !largest_eigenvalue.is_finite() || largest_eigenvalue < 0.0 {
        return Err(PredictError::Argument {
            name: "the largest eigenvalue",
            value: largest_eigenvalue,
            condition: "zero or more and finite",
        });
    }
    if largest_eigenvalue == 0.0 || entries == 0 {
        return Ok(f64::INFINITY);
    }
    Ok(2.0 * (1.0 + momentum) * entries as f64 / largest_eigenvalue)
}

/// Computes the [`max_learning_rate`] for a kernel matrix (n, n), or full (n*o, n*o).
///
/// Cost: that of all eigenvalues, about `4/3 n^3`; [`super::MseFlow`] has them already.
///
/// # Errors
/// Fails as [`max_learning_rate`] does; returns [`PredictError::Shape`],
/// [`PredictError::NonFinite`] or [`PredictError::Linalg`] for a matrix that is not a kernel of
/// `entries` outputs.
pub fn max_learning_rate_of<T: Real>(
    k_dd: &ArrayRef2<T>,
    entries: usize,
    momentum: f64,
) -> Result<f64, PredictError> {
    let n = k_dd.nrows();
    if k_dd.ncols() != n || !entries.is_multiple_of(n) {
        return Err(PredictError::Shape {
            what: "the training kernel",
            found: k_dd.dim(),
            expected: format!("(rows, rows), rows a divisor of {entries}"),
            why: "there are so many entries, samples times outputs",
        });
    }
    check::finite("the training kernel", k_dd)?;
    check::symmetric(k_dd)?;
    let values = eigenvalues(k_dd)?;
    let largest = values.last().map_or(0.0, |&v| v.to_f64());
    max_learning_rate(largest, entries, momentum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::MseFlow;
    use crate::predict::testing::Linear;
    use approx::assert_relative_eq;
    use ndarray::{Array2, array};

    #[test]
    fn degenerate_kernels() {
        assert_eq!(max_learning_rate(0.0, 4, 0.0), Ok(f64::INFINITY));
        let none = Array2::<f64>::zeros((0, 0));
        assert_eq!(max_learning_rate_of(&none, 0, 0.0), Ok(f64::INFINITY));
        assert!(max_learning_rate_of(&none, 3, 0.0).is_err());
        assert_eq!(max_learning_rate_of(&array![[4.0]], 3, 0.5), Ok(2.25));
        for (largest, m) in [(-1.0, 0.0), (f64::NAN, 0.0), (1.0, 1.0), (1.0, -0.1)] {
            let error = max_learning_rate(largest, 1, m).unwrap_err();
            assert!(matches!(error, PredictError::Argument { .. }), "{error}");
        }
        let error = max_learning_rate_of(&Array2::<f64>::eye(2), 3, 0.0).unwrap_err();
        assert!(matches!(error, PredictError::Shape { .. }), "{error}");
        let asymmetric = array![[1.0, 0.0], [1.0, 1.0]];
        assert!(max_learning_rate_of(&asymmetric, 2, 0.0).is_err());
    }

    #[test]
    fn steps_converge_below_and_diverge_above() {
        let p = Linear::<f64>::new(5, 4, 1, 6, 2);
        let entries = p.y.len();
        for m in [0.0, 0.5, 0.9] {
            let largest = max_learning_rate_of(&p.k_dd(), entries, m).unwrap();
            let flow = MseFlow::new(&p.k_dd(), &p.y, 1.0, 0.0);
            let flow = flow.unwrap().momentum(m).unwrap();
            let of_flow = flow.max_learning_rate().unwrap();
            assert_relative_eq!(of_flow, largest, max_relative = 1e-14);
            let growth = |eta: f64| {
                let mut theta = Array2::<f64>::zeros((6, 2));
                let mut velocity = theta.clone();
                let mut residual = p.y.clone();
                for _ in 0..3000 {
                    let gradient = p.x.t().dot(&residual) / -(entries as f64);
                    velocity = velocity * m - gradient;
                    theta.scaled_add(eta, &velocity);
                    residual = &p.y - &p.x.dot(&theta);
                }
                residual.iter().map(|v| v * v).sum::<f64>() / p.y.iter().map(|v| v * v).sum::<f64>()
            };
            // Beyond the edge by 1 %, the fastest mode grows by some 1 % (1-m)/(1+m) a step.
            assert!(growth(0.99 * largest) < 1.0, "{m}");
            assert!(growth(1.01 * largest) > 1e2, "{m}");
        }
    }
}
