//! Principal component analysis.
//!
//! I. T. Jolliffe, "Principal component analysis" (2nd edition, 2002),
//! chapters 1 and 3, doi:10.1007/b98835.

use ndarray::{Array1, Array2, ArrayRef2, Axis, s};
use ntk_linalg::{LinalgError, Real, eigh, matmul, symmetric_product};
use thiserror::Error;

/// `Pca` holds the directions of largest variance of some samples.
///
/// With the samples as rows of X, their mean m and C = (X - m)^T (X - m) / (n - 1),
/// the components are the unit eigenvectors of C with the k largest
/// eigenvalues, which are the explained variances. The sign of a component,
/// which C leaves open, makes its entry of largest magnitude positive (the
/// first of them if several are equal).
///
/// ```
/// use ndarray::array;
/// use ntk_data::Pca;
///
/// let x = array![[1.0, 2.0], [3.0, 2.0], [8.0, 2.0]];
/// let pca = Pca::fit(&x, 1)?;
/// assert_eq!(pca.components, array![[1.0, 0.0]]);
/// assert_eq!(pca.transform(&x)?, array![[-3.0], [-1.0], [4.0]]);
/// # Ok::<(), ntk_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Pca<T> {
    /// The mean of the samples, `(d)`.
    pub mean: Array1<T>,
    /// The components, one a row, `(k, d)`, variances descending.
    pub components: Array2<T>,
    /// The variance along each component, `(k)`; divides by n - 1.
    pub explained_variance: Array1<T>,
    /// The explained variances over the variance in all directions, `(k)`.
    pub explained_variance_ratio: Array1<T>,
}

/// A `PcaError` says why components cannot be had, or not be applied.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum PcaError {
    /// There are fewer than the two samples that a variance takes.
    #[error("a variance needs at least 2 samples, and there are {found}; give more")]
    TooFewSamples {
        /// The number of samples.
        found: usize,
    },
    /// The samples do not vary in so many directions.
    #[error(
        "asked for {asked} components, and the samples vary in {rank} directions only; ask for at most that many"
    )]
    Rank {
        /// The number of components asked for.
        asked: usize,
        /// The number of directions in which the samples vary.
        rank: usize,
    },
    /// An entry is infinite or not a number.
    #[error("entry ({row}, {column}) of the samples is not finite; drop that sample")]
    NotFinite {
        /// The row of the first such entry.
        row: usize,
        /// The column of the entry.
        column: usize,
    },
    /// The samples have another number of columns than the components.
    #[error(
        "the samples have {found} columns, and these components need {expected}; give samples like those fitted on"
    )]
    Width {
        /// The number of columns needed.
        expected: usize,
        /// The number of columns given.
        found: usize,
    },
    /// A product or an eigendecomposition failed.
    #[error(transparent)]
    Linalg(#[from] LinalgError),
}

impl<T: Real> Pca<T> {
    /// Finds the `k` components of largest variance of the rows of `x`, `(n, d)`.
    ///
    /// It uses the covariance, `(d, d)`, or the Gram matrix, `(n, n)`, whichever
    /// is smaller: O(n d m + m^3) with m = min(n, d). A direction whose variance
    /// is below `max(n, d) * eps` times the largest counts as none. With n < d
    /// components are orthogonal to about `eps` times the ratio of the largest
    /// variance to theirs, with n >= d to `eps`.
    ///
    /// # Errors
    /// [`PcaError::TooFewSamples`], [`PcaError::NotFinite`], [`PcaError::Rank`].
    pub fn fit(x: &ArrayRef2<T>, k: usize) -> Result<Self, PcaError> {
        let (n, d) = x.dim();
        if n < 2 {
            return Err(PcaError::TooFewSamples { found: n });
        }
        if let Some(((row, column), _)) = x.indexed_iter().find(|(_, v)| !v.is_finite()) {
            return Err(PcaError::NotFinite { row, column });
        }
        let mean = x.sum_axis(Axis(0)) / T::of(n as f64);
        let centred = &x.view() - &mean;
        let divisor = T::of((n - 1) as f64);
        let of_samples = n < d;
        let side = if of_samples {
            centred.view()
        } else {
            centred.t()
        };
        let spectrum = eigh(&(symmetric_product(&side)? / divisor))?;

        let largest = spectrum
            .values
            .last()
            .map_or(T::zero(), |&v| v.max(T::zero()));
        let floor = largest * T::epsilon() * T::of(n.max(d) as f64);
        let rank = spectrum.values.iter().filter(|&&v| v > floor).count();
        if k > rank {
            return Err(PcaError::Rank { asked: k, rank });
        }
        let kept = spectrum.values.len() - k;
        let explained_variance = spectrum.values.slice(s![kept..; -1]).to_owned();
        let vectors = spectrum.vectors.slice(s![.., kept..; -1]);
        let mut components = if of_samples {
            matmul(&vectors.t(), &centred)?
        } else {
            vectors.t().to_owned()
        };
        components.rows_mut().into_iter().for_each(|mut component| {
            let norm = component.iter().map(|&v| v * v).sum::<T>().sqrt();
            let peak = component
                .iter()
                .fold(T::zero(), |a, &v| if v.abs() > a.abs() { v } else { a });
            let scale = if peak < T::zero() { -norm } else { norm };
            component.mapv_inplace(|v| v / scale);
        });
        let total = centred.iter().map(|&v| v * v).sum::<T>() / divisor;
        let explained_variance_ratio = explained_variance.mapv(|v| v / total);
        Ok(Self {
            mean,
            components,
            explained_variance,
            explained_variance_ratio,
        })
    }

    /// Computes the coordinates of the rows of `x`, `(m, d)`, along the components, `(m, k)`.
    ///
    /// # Errors
    /// [`PcaError::Width`].
    pub fn transform(&self, x: &ArrayRef2<T>) -> Result<Array2<T>, PcaError> {
        let (expected, found) = (self.mean.len(), x.ncols());
        if found != expected {
            return Err(PcaError::Width { expected, found });
        }
        Ok(matmul(&(&x.view() - &self.mean), &self.components.t())?)
    }

    /// Computes the points with coordinates `z`, `(m, k)`, in the original space, `(m, d)`.
    ///
    /// # Errors
    /// [`PcaError::Width`].
    pub fn inverse_transform(&self, z: &ArrayRef2<T>) -> Result<Array2<T>, PcaError> {
        let (expected, found) = (self.components.nrows(), z.ncols());
        if found != expected {
            return Err(PcaError::Width { expected, found });
        }
        Ok(matmul(z, &self.components)? + &self.mean)
    }
}

// The samples are drawn.
#[cfg(test)]
#[cfg(feature = "synthetic")]
mod tests {
    use super::*;
    use crate::synthetic::gaussian;
    use approx::{assert_abs_diff_eq, assert_relative_eq};
    use ndarray::array;

    /// Standard normals with columns of falling scale, off centre.
    fn samples(n: usize, d: usize) -> Array2<f64> {
        let scale = Array1::from_shape_fn(d, |j| 1.0 / (1.0 + j as f64));
        gaussian::<f64>(n, d, 17).unwrap() * &scale + 3.0
    }

    /// Rounding of sums of max(n, d) products of size one, with room for the
    /// ratio of variances, which `samples` keeps below 10^3.
    fn tolerance(n: usize, d: usize) -> f64 {
        1e3 * f64::EPSILON * n.max(d) as f64
    }

    fn check(n: usize, d: usize) {
        let x = samples(n, d);
        let rank = d.min(n - 1);
        let pca = Pca::fit(&x, rank).unwrap();
        let tol = tolerance(n, d);
        // Orthonormal components, descending variances that add up to all there is.
        assert_abs_diff_eq!(
            pca.components.dot(&pca.components.t()),
            Array2::eye(rank),
            epsilon = tol
        );
        assert!(pca.explained_variance.iter().is_sorted_by(|a, b| a >= b));
        assert_relative_eq!(pca.explained_variance_ratio.sum(), 1.0, max_relative = tol);
        // Coordinates are uncorrelated, with the variances promised.
        let z = pca.transform(&x).unwrap();
        let covariance = z.t().dot(&z) / (n - 1) as f64;
        assert_abs_diff_eq!(
            covariance,
            Array2::from_diag(&pca.explained_variance),
            epsilon = tol
        );
        // All components give the samples back.
        assert_abs_diff_eq!(pca.inverse_transform(&z).unwrap(), x, epsilon = 10.0 * tol);
        for component in pca.components.rows() {
            let peak = component.iter().fold(0.0_f64, |a, v| a.max(v.abs()));
            assert!(
                component.iter().any(|&v| v == peak),
                "the largest entry is positive"
            );
        }
        // Fewer components are the first of more. Two runs of a BLAS may round differently, and a
        // direction turns by that over the gap to the next variance, some per cent of it here.
        let fewer = Pca::fit(&x, rank / 2).unwrap();
        assert_abs_diff_eq!(
            fewer.components,
            pca.components.slice(s![..rank / 2, ..]),
            epsilon = 1e4 * tol
        );
    }

    #[test]
    fn properties_on_either_side() {
        for (n, d) in [(2, 1), (2, 7), (5, 5), (40, 9), (9, 40), (64, 63), (63, 64)] {
            check(n, d);
        }
    }

    #[test]
    fn both_sides_agree() {
        // Rows of zeros leave the mean of a centred sample where it is, and
        // carry it from the Gram side to the covariance side.
        let x = &samples(9, 12) - &samples(9, 12).mean_axis(Axis(0)).unwrap();
        let mut padded = Array2::zeros((20, 12));
        padded.slice_mut(s![..9, ..]).assign(&x);
        let (gram, covariance) = (Pca::fit(&x, 8).unwrap(), Pca::fit(&padded, 8).unwrap());
        let tol = tolerance(20, 12);
        assert_abs_diff_eq!(gram.components, covariance.components, epsilon = tol);
        let rescaled = covariance.explained_variance * (19.0 / 8.0);
        assert_abs_diff_eq!(gram.explained_variance, rescaled, epsilon = tol);
    }

    #[test]
    fn more_components_than_directions_are_refused() {
        let plane = gaussian::<f64>(30, 2, 1)
            .unwrap()
            .dot(&gaussian::<f64>(2, 10, 2).unwrap());
        assert!(Pca::fit(&plane, 2).is_ok());
        assert_eq!(
            Pca::fit(&plane, 3),
            Err(PcaError::Rank { asked: 3, rank: 2 })
        );
        let constant = Array2::<f64>::ones((4, 3));
        assert_eq!(
            Pca::fit(&constant, 1),
            Err(PcaError::Rank { asked: 1, rank: 0 })
        );
        assert_eq!(Pca::fit(&constant, 0).unwrap().components.dim(), (0, 3));
        assert_eq!(
            Pca::fit(&gaussian::<f64>(3, 8, 1).unwrap(), 3),
            Err(PcaError::Rank { asked: 3, rank: 2 })
        );
    }

    #[test]
    fn samples_that_cannot_be_used_are_refused() {
        let one = array![[1.0, 2.0]];
        assert_eq!(Pca::fit(&one, 1), Err(PcaError::TooFewSamples { found: 1 }));
        let nan = array![[1.0, 2.0], [f64::NAN, 0.0]];
        assert_eq!(
            Pca::fit(&nan, 1),
            Err(PcaError::NotFinite { row: 1, column: 0 })
        );
        let pca = Pca::fit(&array![[1.0, 2.0], [3.0, 5.0]], 1).unwrap();
        let width = Err(PcaError::Width {
            expected: 2,
            found: 3,
        });
        assert_eq!(pca.transform(&Array2::zeros((1, 3))), width);
        let width = Err(PcaError::Width {
            expected: 1,
            found: 3,
        });
        assert_eq!(pca.inverse_transform(&Array2::zeros((1, 3))), width);
    }

    #[test]
    fn single_precision_agrees_to_its_rounding() {
        let x = samples(50, 6);
        let double = Pca::fit(&x, 3).unwrap();
        let single = Pca::fit(&x.mapv(|v| v as f32), 3).unwrap();
        let tol = 1e2 * f64::from(f32::EPSILON) * 50.0;
        assert_abs_diff_eq!(
            single.components.mapv(f64::from),
            double.components,
            epsilon = tol
        );
    }
}
