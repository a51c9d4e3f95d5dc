//! The operations of all backends, compiled once for each scalar.

use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2};

#[cfg(feature = "openblas")]
use super::openblas;
use super::{Backend, Eigh, faer};
use crate::LinalgError;
use crate::triangle::Triangle;
use crate::tridiagonal::{self, Tridiagonal};

/// `Compiled` has the operations, which are compiled here for each of the two scalars.
///
/// The functions behind them are generic, and would else be compiled, with all that they take of
/// faer, in every crate that calls them, at that crate's level of optimisation. Their bounds, which
/// are the libraries' own traits, end here: this trait speaks of ndarray and of this crate alone.
///
/// It is a bound of [`crate::Real`] that nobody outside can name, and so implement. Its names end in
/// `_on`, so that they do not get in the way of those of ndarray-linalg's traits.
pub trait Compiled: Sized {
    /// Eigenvalues of the lower half of a column-major matrix.
    fn eigenvalues_on(backend: Backend, a: Array2<Self>) -> Result<Array1<Self>, LinalgError>;
    /// Eigenvalues, ascending, of a tridiagonal matrix by its diagonal and the numbers beside it.
    fn tridiagonal_eigenvalues_on(
        diagonal: &[Self],
        off_diagonal: &[Self],
    ) -> Result<Vec<Self>, LinalgError>;
    /// The reduction of the lower half of a column-major matrix.
    fn tridiagonal_on(backend: Backend, a: Array2<Self>) -> Result<Tridiagonal<Self>, LinalgError>;
    /// `Q b`, or `Q^T b`, of a column-major `b` with as many rows as Q.
    fn apply_on(
        reduced: &Tridiagonal<Self>,
        b: Array2<Self>,
        transposed: bool,
    ) -> Result<Array2<Self>, LinalgError>;
    /// Eigenvalues and eigenvectors of the lower half of a column-major matrix.
    fn eigh_on(backend: Backend, a: Array2<Self>) -> Result<Eigh<Self>, LinalgError>;
    /// Factors the lower half of a column-major matrix in place; the failing pivot, if any.
    ///
    /// Entries 64 (`BAND` of a Cholesky factorisation) or more above the diagonal stay as they are,
    /// success or not.
    fn cholesky_on(backend: Backend, a: &mut Array2<Self>) -> Result<Option<usize>, LinalgError>;
    /// Solves in the memory of `b`.
    fn solve_triangular_on(
        backend: Backend,
        a: ArrayView2<'_, Self>,
        triangle: Triangle,
        b: ArrayViewMut2<'_, Self>,
    ) -> Result<(), LinalgError>;
    /// Solves with the lower half of a column-major matrix.
    fn solve_symmetric_on(
        backend: Backend,
        a: Array2<Self>,
        b: ArrayView2<'_, Self>,
    ) -> Result<Array2<Self>, LinalgError>;
    /// `c = alpha a b + beta c`.
    fn gemm_on(
        backend: Backend,
        alpha: Self,
        a: ArrayView2<'_, Self>,
        b: ArrayView2<'_, Self>,
        beta: Self,
        c: ArrayViewMut2<'_, Self>,
    ) -> Result<(), LinalgError>;
    /// The lower half of `c = alpha a a^T + beta c`.
    fn syrk_on(
        backend: Backend,
        alpha: Self,
        a: ArrayView2<'_, Self>,
        beta: Self,
        c: ArrayViewMut2<'_, Self>,
    ) -> Result<(), LinalgError>;
}

macro_rules! compiled_for {
    ($($scalar:ty),+) => {$(
        impl Compiled for $scalar {
            fn eigenvalues_on(
                backend: Backend,
                a: Array2<Self>,
            ) -> Result<Array1<Self>, LinalgError> {
                match backend {
                    _ if tridiagonal::pays(backend, a.nrows()) => tridiagonal::eigenvalues(backend, a),
                    Backend::Faer => faer::eigenvalues(a),
                    #[cfg(feature = "openblas")]
                    Backend::OpenBlas => openblas::eigenvalues(a),
                }
            }

            fn tridiagonal_eigenvalues_on(
                diagonal: &[Self],
                off_diagonal: &[Self],
            ) -> Result<Vec<Self>, LinalgError> {
                tridiagonal::tridiagonal_eigenvalues(diagonal, off_diagonal)
            }

            fn tridiagonal_on(
                backend: Backend,
                a: Array2<Self>,
            ) -> Result<Tridiagonal<Self>, LinalgError> {
                tridiagonal::reduce(backend, a, true)
            }

            fn apply_on(
                reduced: &Tridiagonal<Self>,
                b: Array2<Self>,
                transposed: bool,
            ) -> Result<Array2<Self>, LinalgError> {
                tridiagonal::apply(reduced, b, transposed)
            }

            fn eigh_on(backend: Backend, a: Array2<Self>) -> Result<Eigh<Self>, LinalgError> {
                match backend {
                    Backend::Faer => faer::eigh(a),
                    #[cfg(feature = "openblas")]
                    Backend::OpenBlas => openblas::eigh(a),
                }
            }

            fn cholesky_on(
                backend: Backend,
                a: &mut Array2<Self>,
            ) -> Result<Option<usize>, LinalgError> {
                match backend {
                    Backend::Faer => Ok(faer::cholesky(a)),
                    #[cfg(feature = "openblas")]
                    Backend::OpenBlas => openblas::cholesky(a),
                }
            }

            fn solve_triangular_on(
                backend: Backend,
                a: ArrayView2<'_, Self>,
                triangle: Triangle,
                b: ArrayViewMut2<'_, Self>,
            ) -> Result<(), LinalgError> {
                match backend {
                    Backend::Faer => {
                        faer::solve_triangular(a, triangle, b);
                        Ok(())
                    }
                    #[cfg(feature = "openblas")]
                    Backend::OpenBlas => openblas::solve_triangular(a, triangle, b),
                }
            }

            fn solve_symmetric_on(
                backend: Backend,
                a: Array2<Self>,
                b: ArrayView2<'_, Self>,
            ) -> Result<Array2<Self>, LinalgError> {
                match backend {
                    Backend::Faer => faer::solve_symmetric(a, b),
                    #[cfg(feature = "openblas")]
                    Backend::OpenBlas => openblas::solve_symmetric(a, b),
                }
            }

            fn gemm_on(
                backend: Backend,
                alpha: Self,
                a: ArrayView2<'_, Self>,
                b: ArrayView2<'_, Self>,
                beta: Self,
                c: ArrayViewMut2<'_, Self>,
            ) -> Result<(), LinalgError> {
                match backend {
                    #[cfg(feature = "openblas")]
                    Backend::OpenBlas if openblas::knows_processor() => {
                        openblas::gemm(alpha, a, b, beta, c)
                    }
                    _ => {
                        faer::gemm(alpha, a, b, beta, c);
                        Ok(())
                    }
                }
            }

            fn syrk_on(
                backend: Backend,
                alpha: Self,
                a: ArrayView2<'_, Self>,
                beta: Self,
                c: ArrayViewMut2<'_, Self>,
            ) -> Result<(), LinalgError> {
                match backend {
                    #[cfg(feature = "openblas")]
                    Backend::OpenBlas if openblas::knows_processor() => {
                        openblas::syrk(alpha, a, beta, c)
                    }
                    _ => {
                        faer::syrk(alpha, a, beta, c);
                        Ok(())
                    }
                }
            }
        }
    )+};
}

compiled_for!(f32, f64);
