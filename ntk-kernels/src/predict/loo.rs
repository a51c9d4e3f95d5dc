//! Errors of leaving each sample out, without fitting n times.
//!
//! Trained on all samples but i, regression with `K + r` misses `y_i` by
//! `((K + r)^-1 y)_i / ((K + r)^-1)_ii` (Rasmussen and Williams 2006, "Gaussian Processes for
//! Machine Learning", equations 5.10 to 5.12).

use ndarray::{Array1, Array2, ArrayView2, Axis, Zip, s};
use ntk_linalg::{Real, eigh, matmul};

use super::spectral::{regularise, unresolved};
use super::{DiagReg, KernelRegression, PredictError, check};

/// Rows of the eigenvectors squared, and columns of the inverse solved, at a time.
const BLOCK: usize = 256;

impl<T: Real> KernelRegression<T> {
    /// `y_i - f_(-i)(x_i)`, (n, outputs): how far from its target each sample is predicted by
    /// the others, with whatever was added to the diagonal.
    ///
    /// Cost: `n^3`, for the diagonal of the inverse; `256 n` numbers of working memory.
    ///
    /// # Errors
    /// [`PredictError::Linalg`].
    pub fn leave_one_out(&self) -> Result<Array2<T>, PredictError> {
        let (cholesky, coefficients) = (self.cholesky(), self.coefficients());
        let n = cholesky.order();
        let mut inverse_diagonal = Array1::<T>::zeros(n);
        for start in (0..n).step_by(BLOCK) {
            let width = BLOCK.min(n - start);
            let mut block = Array2::zeros((n, width));
            block.slice_mut(s![start.., ..]).diag_mut().fill(T::one());
            // Columns of L^-1: K^-1 = L^-T L^-1.
            cholesky.solve_l_in_place(block.view_mut())?;
            for (column, value) in block.columns().into_iter().zip(start..) {
                inverse_diagonal[value] = column.iter().map(|&v| v * v).sum();
            }
        }
        Ok(coefficients / &inverse_diagonal.insert_axis(Axis(1)))
    }
}

/// The mean squared leave-one-out error of every candidate, and which is the least.
#[derive(Debug, Clone, PartialEq)]
pub struct LeaveOneOut {
    /// One a candidate: the mean over all n*o entries of `(y_i - f_(-i)(x_i))^2`; infinity
    /// where the regularised kernel is singular to working precision.
    pub scores: Vec<f64>,
    /// Index of the smallest score, the first of equal ones.
    pub best: usize,
}

/// Scores every regulariser by the errors of leaving each sample out, from one
/// eigendecomposition of a traced kernel `k_dd` (n, n), for targets `y` (n, o).
///
/// What a relative candidate adds comes from the diagonal of all n samples. Cost: the
/// eigendecomposition, and `2 n^2 (1 + o)` operations a candidate.
///
/// # Errors
/// [`PredictError::Argument`] for no candidate, a negative one, or none that makes the kernel
/// positive definite; [`PredictError::Shape`], [`PredictError::NonFinite`],
/// [`PredictError::Indefinite`], [`PredictError::Linalg`] as in [`super::MseFlow::new`].
pub fn choose_diag_reg<T: Real>(
    k_dd: ArrayView2<'_, T>,
    y: ArrayView2<'_, T>,
    candidates: &[DiagReg],
) -> Result<LeaveOneOut, PredictError> {
    let (n, o) = y.dim();
    check::shape(
        "the training kernel",
        &k_dd,
        (n, n),
        "one row a sample; a full kernel has no diagonal entry that stands for one",
    )?;
    check::finite("the targets", &y)?;
    check::symmetric(&k_dd)?;
    let added = candidates
        .iter()
        .map(|c| c.added(k_dd))
        .collect::<Result<Vec<_>, _>>()?;
    let count = added.len();
    if count == 0 {
        return Err(PredictError::Argument {
            name: "the number of candidates",
            value: 0.0,
            condition: "one or more",
        });
    }
    let mut eigen = eigh(k_dd)?;
    regularise(&mut eigen, 0.0)?;
    let largest = eigen.values.last().map_or(0.0, |&v| v.to_f64());
    let resolved: Vec<bool> = added
        .iter()
        .map(|r| {
            let smallest = eigen.values.first().map_or(f64::INFINITY, |&v| v.to_f64());
            smallest + r > unresolved::<T>(n, largest + r)
        })
        .collect();
    if !resolved.contains(&true) {
        return Err(PredictError::Argument {
            name: "the largest diag_reg",
            value: added.iter().fold(0.0, |m, r| r.max(m)),
            condition: "enough to make the kernel positive definite to working precision",
        });
    }

    let start = matmul(eigen.vectors.t(), y)?;
    let weight = |i: usize, c: usize| {
        if resolved[c] {
            T::of((eigen.values[i].to_f64() + added[c]).recip())
        } else {
            T::zero()
        }
    };
    let weights = Array2::from_shape_fn((n, count), |(i, c)| weight(i, c));
    let scaled = Array2::from_shape_fn((n, count * o), |(i, column)| {
        weights[[i, column / o]] * start[[i, column % o]]
    });
    let mut sums = vec![0.0; count];
    for first in (0..n).step_by(BLOCK) {
        let rows = eigen.vectors.slice(s![first..n.min(first + BLOCK), ..]);
        let solutions = matmul(rows, scaled.view())?;
        let diagonals = matmul(rows.mapv(|v| v * v).view(), weights.view())?;
        Zip::from(solutions.rows())
            .and(diagonals.rows())
            .for_each(|solutions, diagonals| {
                for (column, solution) in solutions.iter().enumerate() {
                    let error = (*solution).to_f64() / diagonals[column / o].to_f64();
                    sums[column / o] += error * error;
                }
            });
    }
    let scores: Vec<f64> = sums
        .iter()
        .zip(&resolved)
        .map(|(sum, &resolved)| {
            if resolved {
                sum / (n * o).max(1) as f64
            } else {
                f64::INFINITY
            }
        })
        .collect();
    let best = (0..count)
        .min_by(|&a, &b| scores[a].total_cmp(&scores[b]))
        .unwrap_or(0);
    Ok(LeaveOneOut { scores, best })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::testing::{Linear, distance};
    use ndarray::array;
    use ntk_linalg::Jitter;

    /// Residuals of regressions that have each lost one sample.
    fn one_by_one(k: &Array2<f64>, y: &Array2<f64>, added: f64) -> Array2<f64> {
        let n = y.nrows();
        let mut residuals = y.clone();
        for i in 0..n {
            let others: Vec<usize> = (0..n).filter(|&j| j != i).collect();
            let mut sub = k.select(Axis(0), &others).select(Axis(1), &others);
            sub.diag_mut().mapv_inplace(|v| v + added);
            let rest = y.select(Axis(0), &others);
            let fit = KernelRegression::fit(sub, rest.view(), Jitter::None).unwrap();
            let row = k.select(Axis(0), &[i]).select(Axis(1), &others);
            let predicted = fit.predict(row.view()).unwrap();
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
            let fit = KernelRegression::fit(k, p.y.view(), Jitter::None).unwrap();
            let found = fit.leave_one_out().unwrap();
            assert!(
                distance(&found, &one_by_one(&p.k_dd(), &p.y, 0.5)) < 1e-10,
                "{n}"
            );
        }
    }

    #[test]
    fn scores_are_mean_squares_and_the_least_is_chosen() {
        for n in [2, 8, 40] {
            let p = Linear::<f64>::new(n as u64, n, 1, 3, 2);
            let candidates = [
                DiagReg::Absolute(0.0),
                DiagReg::Absolute(0.01),
                DiagReg::Absolute(1.0),
                DiagReg::Relative(100.0),
            ];
            let k = p.k_dd();
            let found = choose_diag_reg(k.view(), p.y.view(), &candidates).unwrap();
            let mut least = (f64::INFINITY, 0);
            for (i, candidate) in candidates.iter().enumerate() {
                if i == 0 && n > 3 {
                    // Three features leave the kernel singular.
                    assert_eq!(found.scores[i], f64::INFINITY);
                    continue;
                }
                let residuals = one_by_one(&k, &p.y, candidate.added(k.view()).unwrap());
                let score = residuals.mapv(|v| v * v).mean().unwrap();
                assert!((found.scores[i] / score - 1.0).abs() < 1e-9, "{n} {i}");
                if score < least.0 {
                    least = (score, i);
                }
            }
            assert_eq!(found.best, least.1);
        }
    }

    #[test]
    fn degenerate_choices() {
        let k = array![[2.0_f32]];
        let y = array![[3.0]];
        let found = choose_diag_reg(k.view(), y.view(), &[DiagReg::default()]).unwrap();
        assert_eq!((found.scores, found.best), (vec![9.0], 0));
        let none = Array2::<f64>::zeros((0, 0));
        let found = choose_diag_reg(
            none.view(),
            Array2::zeros((0, 1)).view(),
            &[DiagReg::default(); 2],
        );
        assert_eq!(found.map(|f| (f.scores, f.best)), Ok((vec![0.0, 0.0], 0)));
        let fit = KernelRegression::fit(none, Array2::zeros((0, 1)).view(), Jitter::None).unwrap();
        assert_eq!(fit.leave_one_out(), Ok(Array2::zeros((0, 1))));

        let argument = |k: Array2<f32>, candidates: &[DiagReg]| {
            let error = choose_diag_reg(k.view(), y.view(), candidates).unwrap_err();
            assert!(matches!(error, PredictError::Argument { .. }), "{error}");
        };
        argument(k.clone(), &[]);
        argument(k.clone(), &[DiagReg::Relative(-1.0)]);
        argument(array![[0.0]], &[DiagReg::default(), DiagReg::Relative(1.0)]);
        let error = choose_diag_reg(Array2::eye(2).view(), y.view(), &[DiagReg::default()]);
        assert!(matches!(error, Err(PredictError::Shape { .. })));
    }
}
