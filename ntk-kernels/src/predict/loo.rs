//! Errors of leaving each sample out, without fitting n times.
//!
//! Trained on all samples but i, regression with `K + r` misses `y_i` by
//! `((K + r)^-1 y)_i / ((K + r)^-1)_ii` (Rasmussen and Williams 2006, "Gaussian Processes for
//! Machine Learning", equations 5.10 to 5.12).

use ndarray::{Array1, Array2, Axis, s};
use ntk_linalg::{Cholesky, Real};

use super::{KernelRegression, PredictError, check};

/// Columns of the inverse that are solved for at a time.
const BLOCK: usize = 256;

impl<T: Real> KernelRegression<T> {
    /// Computes `y_i - f_(-i)(x_i)`, (n, outputs): how far from its target each sample is
    /// predicted by the others, with whatever was added to the diagonal.
    ///
    /// Cost: `n^3`, for the diagonal of the inverse; `256 n` numbers of working memory.
    ///
    /// # Errors
    /// Returns [`PredictError::Linalg`].
    pub fn leave_one_out(&self) -> Result<Array2<T>, PredictError> {
        leave_one_out(self.cholesky(), self.coefficients())
    }
}

/// Does what [`KernelRegression::leave_one_out`] does, for a factor and its coefficients.
pub(crate) fn leave_one_out<T: Real>(
    cholesky: &Cholesky<T>,
    coefficients: &Array2<T>,
) -> Result<Array2<T>, PredictError> {
    let n = cholesky.order();
    let mut inverse_diagonal = Array1::<T>::zeros(n);
    for start in (0..n).step_by(BLOCK) {
        let width = BLOCK.min(n - start);
        let mut block = Array2::zeros((n, width));
        block.slice_mut(s![start.., ..]).diag_mut().fill(T::one());
        // Columns of L^-1: K^-1 = L^-T L^-1.
        cholesky.solve_l_in_place(&mut block)?;
        for (column, value) in block.columns().into_iter().zip(start..) {
            inverse_diagonal[value] = column.iter().map(|&v| v * v).sum();
        }
    }
    let residuals = coefficients / &inverse_diagonal.insert_axis(Axis(1));
    check::result("the residuals (sample, output)", residuals)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::predict::testing::{Linear, distance};

    /// Residuals of regressions that have each lost one sample.
    pub(in crate::predict) fn one_by_one(
        k: &Array2<f64>,
        y: &Array2<f64>,
        added: f64,
    ) -> Array2<f64> {
        let n = y.nrows();
        let mut residuals = y.clone();
        for i in 0..n {
            let others: Vec<usize> = (0..n).filter(|&j| j != i).collect();
            let mut sub = k.select(Axis(0), &others).select(Axis(1), &others);
            sub.diag_mut().mapv_inplace(|v| v + added);
            let rest = y.select(Axis(0), &others);
            let fit = KernelRegression::fit(sub, &rest, 0.0).unwrap();
            let row = k.select(Axis(0), &[i]).select(Axis(1), &others);
            let predicted = fit.predict(&row).unwrap();
            let mut residual = residuals.row_mut(i);
            residual -= &predicted.row(0);
        }
        residuals
    }

    #[test]
    fn residuals_are_those_of_leaving_each_out() {
        // 300 is more than a block; a ridge keeps the condition near 1e3.
        for n in [1, 2, 9, 300] {
            let p = Linear::<f64>::new(n as u64, n, 1, n + 5, 2);
            let mut k = p.k_dd();
            k.diag_mut().mapv_inplace(|v| v + 0.5);
            let fit = KernelRegression::fit(k, &p.y, 0.0).unwrap();
            let found = fit.leave_one_out().unwrap();
            assert!(
                distance(&found, &one_by_one(&p.k_dd(), &p.y, 0.5)) < 1e-10,
                "{n}"
            );
        }
    }

    #[test]
    fn of_no_samples() {
        let none = Array2::<f64>::zeros((0, 0));
        let fit = KernelRegression::fit(none, &Array2::zeros((0, 1)), 0.0).unwrap();
        assert_eq!(fit.leave_one_out(), Ok(Array2::zeros((0, 1))));
    }
}
