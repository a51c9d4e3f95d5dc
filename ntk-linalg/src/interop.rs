//! Conversions to and from the types of [ndarray-linalg](https://docs.rs/ndarray-linalg).
//!
//! Arrays are ndarray's on both sides, and an [`Eigh`] is the pair that `ndarray_linalg::Eigh`
//! gives. The rest is under the feature `openblas`:
//!
//! | here | there | by |
//! |---|---|---|
//! | [`Eigh`] | `(values, vectors)` of `eigh` | `From` |
//! | [`Cholesky`](crate::Cholesky) | `CholeskyFactorized`, of the lower half | `From`, there; `TryFrom`, here |
//! | [`LinalgError`](crate::LinalgError) | `error::LinalgError` | `From`, here: what it says is kept |
//!
#![cfg_attr(feature = "openblas", doc = "```")]
#![cfg_attr(not(feature = "openblas"), doc = "```ignore")]
//! use ndarray::{Array1, array};
//! use ndarray_linalg::{CholeskyFactorized, DeterminantC, Inverse, SolveC};
//! use ntk_linalg::{Cholesky, LinalgError};
//!
//! fn main() -> Result<(), LinalgError> {
//!     let kernel = array![[2.0, 1.0], [1.0, 2.0]];
//!     let b = array![3.0, 0.0];
//!     let inverse = kernel.inv()?; // ndarray-linalg's, and its error
//!     let ours = Cholesky::new(kernel, 0.0)?;
//!     let weights = ours.solve_vec(&b)?;
//!     let same = |x: &Array1<f64>| x.iter().zip(&weights).all(|(x, y)| (x - y).abs() < 1e-14);
//!     let theirs = CholeskyFactorized::from(ours);
//!     assert!(same(&theirs.solvec(&b)?));
//!     assert!(same(&inverse.dot(&b)));
//!     assert!((theirs.detc() - 3.0_f64).abs() < 1e-14);
//!     let back = Cholesky::try_from(theirs)?;
//!     assert!(same(&back.solve_vec(&b)?));
//!     Ok(())
//! }
//! ```

use ndarray::{Array1, Array2};

use crate::Eigh;

impl<T> From<Eigh<T>> for (Array1<T>, Array2<T>) {
    /// Returns the eigenvalues and the eigenvectors.
    fn from(eigh: Eigh<T>) -> Self {
        (eigh.values, eigh.vectors)
    }
}

#[cfg(feature = "openblas")]
pub use with_ndarray_linalg::NdarrayLinalgError;

#[cfg(feature = "openblas")]
mod with_ndarray_linalg {
    use std::ops::Deref;
    use std::sync::Arc;

    use ndarray::OwnedRepr;
    use ndarray_linalg::error::LinalgError as Theirs;
    use ndarray_linalg::{CholeskyFactorized, UPLO};
    use thiserror::Error;

    use crate::{Cholesky, LinalgError, Real};

    /// An error of ndarray-linalg, to which it dereferences. Two errors are equal where they say the
    /// same.
    #[derive(Debug, Clone, Error)]
    #[error(transparent)]
    pub struct NdarrayLinalgError(Arc<Theirs>);

    impl Deref for NdarrayLinalgError {
        type Target = Theirs;

        fn deref(&self) -> &Theirs {
            &self.0
        }
    }

    impl PartialEq for NdarrayLinalgError {
        fn eq(&self, other: &Self) -> bool {
            self.to_string() == other.to_string()
        }
    }

    impl From<Theirs> for LinalgError {
        fn from(error: Theirs) -> Self {
            Self::NdarrayLinalg(NdarrayLinalgError(Arc::new(error)))
        }
    }

    impl<T: Real> From<Cholesky<T>> for CholeskyFactorized<OwnedRepr<T>> {
        /// Returns L in the memory that it was computed in. Cost: `n^2 / 2` writes.
        ///
        /// L is the factor of what was factored: A with its ridge.
        fn from(cholesky: Cholesky<T>) -> Self {
            Self {
                factor: cholesky.into_factor(),
                uplo: UPLO::Lower,
            }
        }
    }

    impl<T: Real> TryFrom<CholeskyFactorized<OwnedRepr<T>>> for Cholesky<T> {
        type Error = LinalgError;

        /// Returns the same factor on the OpenBLAS backend, without a ridge. It is copied where it is
        /// L by rows, or U by columns.
        ///
        /// # Errors
        /// [`LinalgError::NotSquare`]; [`LinalgError::NonFinite`] in its triangle;
        /// [`LinalgError::NotPositiveDefinite`] where its diagonal is not positive.
        fn try_from(factorized: CholeskyFactorized<OwnedRepr<T>>) -> Result<Self, LinalgError> {
            Self::from_factor(match factorized.uplo {
                UPLO::Lower => factorized.factor,
                UPLO::Upper => factorized.factor.reversed_axes(),
            })
        }
    }
}

#[cfg(test)]
#[cfg(feature = "openblas")]
mod tests {
    use ndarray::{Array1, Array2, array, s};
    use ndarray_linalg::{CholeskyFactorized, Eigh as _, FactorizeC, InverseC, SolveC, UPLO};

    use crate::{Backend, Cholesky, LinalgError, Real, eigh};

    /// Positive definite, its eigenvalues between 2 and 4.
    fn definite<T: Real>(n: usize) -> Array2<T> {
        let mut a = Array2::from_shape_fn((n, n), |(i, j)| {
            T::of(1.0 / (3.0 * (1.0 + i.abs_diff(j) as f64).powi(2)))
        });
        a.diag_mut().fill(T::of(3.0));
        a
    }

    fn largest<T: Real>(x: &Array1<T>, y: &Array1<T>) -> f64 {
        let apart = x.iter().zip(y).map(|(&x, &y)| (x - y).to_f64().abs());
        apart.fold(0.0, f64::max)
    }

    fn check<T: Real + ndarray_linalg::Lapack<Real = T>>() {
        for n in [1, 2, 5, 40, 130] {
            let a = definite::<T>(n);
            let b = Array1::from_shape_fn(n, |i| T::of(1.0 / (1.0 + i as f64)));
            // Of a condition number of 2 and solutions below 1, rounding takes a few eps.
            let tolerance = 20.0 * T::epsilon().to_f64();
            for &backend in Backend::available() {
                let ours = backend.cholesky(a.clone(), 0.0).unwrap();
                let x = ours.solve_vec(&b).unwrap();
                let theirs = CholeskyFactorized::from(ours);
                assert!(largest(&x, &theirs.solvec(&b).unwrap()) <= tolerance);
                let back = Cholesky::try_from(theirs).unwrap();
                assert!(largest(&x, &back.solve_vec(&b).unwrap()) <= tolerance);
            }
            for uplo in [UPLO::Lower, UPLO::Upper] {
                for a in [a.view(), a.t()] {
                    let theirs = a.factorizec(uplo).unwrap();
                    let (x, inverse) = (theirs.solvec(&b).unwrap(), theirs.invc().unwrap());
                    let ours = Cholesky::try_from(theirs).unwrap();
                    assert!(largest(&x, &ours.solve_vec(&b).unwrap()) <= tolerance);
                    assert!(largest(&x, &inverse.dot(&b)) <= tolerance);
                }
            }
            let (values, vectors) = eigh(&a).unwrap().into();
            let (theirs, _) = a.eigh(UPLO::Lower).unwrap();
            // Of eigenvalues below 4, a small multiple of `n eps`.
            assert!(largest(&values, &theirs) <= n as f64 * tolerance);
            let vectors: Array2<T> = vectors;
            assert_eq!(vectors.dim(), (n, n));
        }
    }

    #[test]
    fn both_solve_with_the_factor_of_the_other() {
        check::<f64>();
        check::<f32>();
    }

    #[test]
    fn what_is_no_factor_is_refused() {
        let refused = |factor: Array2<f64>| {
            let uplo = UPLO::Lower;
            Cholesky::try_from(CholeskyFactorized { factor, uplo }).unwrap_err()
        };
        let a = definite::<f64>(4);
        assert!(matches!(
            refused(a.slice(s![.., ..3]).to_owned()),
            LinalgError::NotSquare {
                rows: 4,
                columns: 3,
                ..
            }
        ));
        let mut zero = a.clone();
        zero[[2, 2]] = 0.0;
        assert!(matches!(
            refused(zero),
            LinalgError::NotPositiveDefinite { pivot: 2, .. }
        ));
        let mut nan = a;
        nan[[2, 1]] = f64::NAN;
        assert!(matches!(
            refused(nan),
            LinalgError::NonFinite {
                row: 2,
                column: 1,
                ..
            }
        ));
    }

    #[test]
    fn an_error_keeps_what_it_says() {
        let error = array![[1.0, 2.0], [2.0, 1.0]]
            .factorizec(UPLO::Lower)
            .err()
            .unwrap();
        let said = error.to_string();
        let ours = LinalgError::from(error);
        assert_eq!(ours.to_string(), said);
        assert_eq!(ours, ours.clone());
        let LinalgError::NdarrayLinalg(error) = ours else {
            panic!("{ours}")
        };
        assert!(matches!(
            *error,
            ndarray_linalg::error::LinalgError::Lapack(_)
        ));
    }
}
