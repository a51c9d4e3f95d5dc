//! Regression with a kernel at any ridge, from one eigendecomposition.

use ndarray::{Array2, ArrayRef2, ArrayView1, Zip, s};
use ntk_linalg::{Eigh, Real, eigenvalue_resolution, eigh, matmul};

use super::check::unresolved;
use super::spectral::regularise;
use super::{PredictError, Ridge, check};

/// Rows of the eigenvectors that are squared at a time.
const BLOCK: usize = 256;

/// A `SpectralRegression` is regression with a traced kernel (n, n) at any ridge: one
/// eigendecomposition gives coefficients, and errors of leaving each sample out, for as many
/// ridges as are asked for.
///
/// For a single ridge [`KernelRegression`](super::KernelRegression) is some twenty times cheaper.
/// A relative ridge is relative to the mean diagonal of all n samples.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::predict::SpectralRegression;
///
/// let k = array![[2.0, 1.0, 0.5], [1.0, 2.0, 1.0], [0.5, 1.0, 2.0]];
/// let y = array![[1.0], [0.9], [1.1]];
/// let regression = SpectralRegression::new(&k, &y)?;
/// let ridges = [0.01, 0.1, 1.0];
/// let errors = regression.errors(&ridges)?;
/// let best = regression.best(&ridges)?;
/// assert!(errors.iter().all(|error| *error > 0.0));
/// assert_eq!(regression.coefficients(best)?.dim(), (3, 1));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SpectralRegression<T: Real> {
    /// Eigenvalues below zero by no more than rounding are zero.
    eigen: Eigh<T>,
    /// `U^T y`, (n, o).
    start: Array2<T>,
    mean_diagonal: T,
}

impl<T: Real> SpectralRegression<T> {
    /// Computes the eigenvectors of a kernel (n, n), which is only read, for targets `y` (n, o).
    ///
    /// Cost: that of [`ntk_linalg::eigh`], up to about `7 n^3`.
    ///
    /// # Errors
    /// Returns [`PredictError::Shape`], [`PredictError::NonFinite`], [`PredictError::Indefinite`];
    /// [`PredictError::Linalg`] where the kernel is not symmetric.
    pub fn new(k_dd: &ArrayRef2<T>, y: &ArrayRef2<T>) -> Result<Self, PredictError> {
        let n = y.nrows();
        check::shape(
            "the training kernel",
            k_dd,
            (n, n),
            "one row a sample; a full kernel has no diagonal entry that stands for one",
        )?;
        check::finite("the targets", y)?;
        check::symmetric(k_dd)?;
        let mut eigen = eigh(k_dd)?;
        regularise(&mut eigen, 0.0, T::epsilon().to_f64())?;
        let divisor = n.max(1) as f64;
        let mean_diagonal = k_dd.diag().iter().map(|&v| v.to_f64() / divisor).sum();
        Ok(Self {
            start: matmul(&eigen.vectors.t(), y)?,
            mean_diagonal: T::of(mean_diagonal),
            eigen,
        })
    }

    /// Returns the eigenvalues of the kernel, ascending, those below zero set to zero.
    pub fn eigenvalues(&self) -> ArrayView1<'_, T> {
        self.eigen.values.view()
    }

    /// Returns what a ridge adds to the diagonal of the kernel.
    ///
    /// # Errors
    /// Returns [`PredictError::Linalg`] for a ridge that is negative, not finite or adaptive: an adaptive one
    /// lifts the smallest eigenvalue to zero at most, where errors have no bound.
    pub fn ridge_added(&self, ridge: impl Into<Ridge>) -> Result<f64, PredictError> {
        // A matrix of the same mean diagonal.
        let mean = Array2::from_elem((1, 1), self.mean_diagonal);
        Ok(ridge.into().added(&mean)?)
    }

    /// Computes the coefficients `(K + r)^-1 y`, (n, o), with ridge r; a prediction is
    /// `K_td (K + r)^-1 y`. Cost: `2 n^2 o`.
    ///
    /// # Errors
    /// Returns [`PredictError::Singular`] where r does not make the kernel positive definite to working
    /// precision; those of [`SpectralRegression::ridge_added`].
    pub fn coefficients(&self, ridge: impl Into<Ridge>) -> Result<Array2<T>, PredictError> {
        let added = self.ridge_added(ridge)?;
        self.resolved(added)?;
        let mut scaled = self.start.clone();
        for (mut row, value) in scaled.rows_mut().into_iter().zip(&self.eigen.values) {
            let weight = T::of((Real::to_f64(*value) + added).recip());
            row.mapv_inplace(|v| v * weight);
        }
        check::result(
            "the coefficients (row, output)",
            matmul(&self.eigen.vectors, &scaled)?,
        )
    }

    /// Computes `y_i - f_(-i)(x_i)`, (n, o): how far from its target each sample is predicted by
    /// the others, with ridge r. Cost: `2 n^2 (1 + o)`.
    ///
    /// # Errors
    /// Fails as [`SpectralRegression::coefficients`] does.
    pub fn leave_one_out(&self, ridge: impl Into<Ridge>) -> Result<Array2<T>, PredictError> {
        let added = self.ridge_added(ridge)?;
        self.resolved(added)?;
        let mut residuals = Array2::zeros(self.start.raw_dim());
        self.each_residual(&[added], |sample, _, output, error| {
            residuals[[sample, output]] = T::of(error);
        })?;
        check::result("the residuals (sample, output)", residuals)
    }

    /// Computes the mean squared error of leaving each sample out, one for every ridge: the mean
    /// over all n*o entries of [`SpectralRegression::leave_one_out`] squared.
    ///
    /// It is infinity where the ridge leaves the kernel singular to working precision. Cost:
    /// `2 n^2 (1 + o)` for each ridge.
    ///
    /// # Errors
    /// Those of [`SpectralRegression::ridge_added`].
    pub fn errors<R: Into<Ridge> + Copy>(&self, ridges: &[R]) -> Result<Vec<f64>, PredictError> {
        let added = ridges.iter().map(|&ridge| self.ridge_added(ridge));
        let added = added.collect::<Result<Vec<_>, _>>()?;
        let mut sums: Vec<f64> = added
            .iter()
            .map(|&added| self.resolved(added).map_or(f64::INFINITY, |()| 0.0))
            .collect();
        let places: Vec<usize> = (0..sums.len()).filter(|&c| sums[c] == 0.0).collect();
        let solved: Vec<f64> = places.iter().map(|&c| added[c]).collect();
        self.each_residual(&solved, |_, c, _, error| sums[places[c]] += error * error)?;
        let entries = self.start.len().max(1) as f64;
        Ok(sums.into_iter().map(|sum| sum / entries).collect())
    }

    /// Returns the ridge with the smallest of [`SpectralRegression::errors`], the first of equal
    /// ones.
    ///
    /// # Errors
    /// Returns [`PredictError::Argument`] where there is none to choose from; [`PredictError::Singular`]
    /// where none makes the kernel positive definite; those of [`SpectralRegression::ridge_added`].
    pub fn best<R: Into<Ridge> + Copy>(&self, ridges: &[R]) -> Result<R, PredictError> {
        let errors = self.errors(ridges)?;
        let best = (0..errors.len()).min_by(|&a, &b| errors[a].total_cmp(&errors[b]));
        let Some(best) = best else {
            return Err(PredictError::Argument {
                name: "the number of ridges",
                value: 0.0,
                condition: "one or more",
            });
        };
        if errors[best] == f64::INFINITY {
            let largest = ridges.iter().map(|&ridge| self.ridge_added(ridge));
            let largest = largest.filter_map(Result::ok).fold(0.0, f64::max);
            self.resolved(largest)?;
        }
        Ok(ridges[best])
    }

    /// Refuses an `added` that leaves the kernel singular to working precision.
    fn resolved(&self, added: f64) -> Result<(), PredictError> {
        let n = self.eigen.values.len();
        let (Some(smallest), Some(largest)) = (self.eigen.values.first(), self.eigen.values.last())
        else {
            return Ok(());
        };
        let (smallest, largest) = (Real::to_f64(*smallest), Real::to_f64(*largest));
        if smallest + added > unresolved::<T>(n, largest + added) {
            return Ok(());
        }
        let share = eigenvalue_resolution(n, T::epsilon().to_f64());
        let needed = (share * largest - smallest) / (1.0 - share);
        Err(PredictError::Singular {
            added,
            row: None,
            smallest: smallest + added,
            remedy: (2.0 * needed).max(T::min_positive_value().to_f64()),
        })
    }

    /// Calls `each` with sample, place in `added`, output, and the residual of leaving the sample
    /// out with so much added.
    ///
    /// That is `((K + r)^-1 y)_i / ((K + r)^-1)_ii`; see [`super::KernelRegression::leave_one_out`].
    fn each_residual(
        &self,
        added: &[f64],
        mut each: impl FnMut(usize, usize, usize, f64),
    ) -> Result<(), PredictError> {
        let (n, o) = self.start.dim();
        let weights = Array2::from_shape_fn((n, added.len()), |(i, c)| {
            T::of((self.eigen.values[i].to_f64() + added[c]).recip())
        });
        let scaled = Array2::from_shape_fn((n, added.len() * o), |(i, column)| {
            weights[[i, column / o]] * self.start[[i, column % o]]
        });
        for first in (0..n).step_by(BLOCK) {
            let rows = self
                .eigen
                .vectors
                .slice(s![first..n.min(first + BLOCK), ..]);
            let solutions = matmul(&rows, &scaled)?;
            let diagonals = matmul(&rows.mapv(|v| v * v), &weights)?;
            Zip::indexed(solutions.rows())
                .and(diagonals.rows())
                .for_each(|i, solutions, diagonals| {
                    for (column, solution) in solutions.iter().enumerate() {
                        let c = column / o;
                        let error = Real::to_f64(*solution) / diagonals[c].to_f64();
                        each(first + i, c, column % o, error);
                    }
                });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::KernelRegression;
    use crate::predict::loo::tests::one_by_one;
    use crate::predict::testing::{Linear, distance};
    use ndarray::array;

    #[test]
    fn errors_are_mean_squares_and_the_least_is_chosen() {
        for n in [2, 8, 40, 300] {
            let p = Linear::<f64>::new(n as u64, n, 1, 3, 2);
            let ridges = [
                Ridge::Absolute(0.0),
                Ridge::Absolute(0.01),
                Ridge::Absolute(1.0),
                Ridge::Relative(100.0),
            ];
            let k = p.k_dd();
            let regression = SpectralRegression::new(&k, &p.y).unwrap();
            let errors = regression.errors(&ridges).unwrap();
            let mut least = (f64::INFINITY, 0);
            for (i, &ridge) in ridges.iter().enumerate() {
                if i == 0 && n > 3 {
                    // Three features leave the kernel singular.
                    assert_eq!(errors[i], f64::INFINITY);
                    let told = regression.coefficients(ridge).unwrap_err();
                    let PredictError::Singular { remedy, .. } = told else {
                        panic!("{told}")
                    };
                    assert!(remedy < 1e-10);
                    assert!(regression.leave_one_out(ridge).is_err());
                    assert!(regression.coefficients(remedy).is_ok());
                    continue;
                }
                let added = regression.ridge_added(ridge).unwrap();
                let found = regression.leave_one_out(ridge).unwrap();
                let expected = one_by_one(&k, &p.y, added);
                assert!(distance(&found, &expected) < 1e-9, "{n} {i}");
                let score = expected.mapv(|v| v * v).mean().unwrap();
                assert!((errors[i] / score - 1.0).abs() < 1e-9, "{n} {i}");
                if score < least.0 {
                    least = (score, i);
                }
                let mut lifted = k.clone();
                lifted.diag_mut().mapv_inplace(|v| v + added);
                let direct = KernelRegression::fit(lifted, &p.y, 0.0).unwrap();
                let found = regression.coefficients(ridge).unwrap();
                assert!(distance(&found, direct.coefficients()) < 1e-8);
            }
            assert_eq!(regression.best(&ridges), Ok(ridges[least.1]));
        }
    }

    #[test]
    fn degenerate_regressions() {
        let (k, y) = (array![[2.0_f32]], array![[3.0]]);
        let one = SpectralRegression::new(&k, &y).unwrap();
        assert_eq!(one.errors(&[0.0]), Ok(vec![9.0]));
        assert_eq!(one.best(&[0.5]), Ok(0.5));
        let none = Array2::<f64>::zeros((0, 0));
        let none = SpectralRegression::new(&none, &Array2::zeros((0, 1))).unwrap();
        assert_eq!(none.errors(&[0.0, 0.0]), Ok(vec![0.0, 0.0]));
        assert_eq!(none.coefficients(0.0), Ok(Array2::zeros((0, 1))));
        let no_output = SpectralRegression::new(&k, &Array2::zeros((1, 0))).unwrap();
        assert_eq!(no_output.errors(&[1.0]), Ok(vec![0.0]));

        assert_eq!(one.errors::<f64>(&[]), Ok(vec![]));
        let told = one.best::<f64>(&[]).unwrap_err();
        assert!(matches!(told, PredictError::Argument { .. }), "{told}");
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(one.errors(&[1.0, bad]).is_err());
            assert!(one.coefficients(Ridge::Relative(bad)).is_err());
        }
        let zero = SpectralRegression::new(&array![[0.0_f32]], &y).unwrap();
        let told = zero.best(&[Ridge::default(), Ridge::Relative(1.0)]);
        assert!(matches!(told, Err(PredictError::Singular { .. })));
        let told = SpectralRegression::new(&Array2::eye(2), &y);
        assert!(matches!(told, Err(PredictError::Shape { .. })));
    }
}
