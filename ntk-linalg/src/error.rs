//! What can go wrong, with the violated condition and both values.

use crate::Cancelled;
use thiserror::Error;

/// An error of linear algebra.
///
/// Values are carried as f64 whatever the matrix held: the conversion is exact.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum LinalgError {
    /// A square matrix was expected.
    #[error(
        "the matrix is {rows} x {columns}, but {operation} needs a square one; pass the whole symmetric matrix"
    )]
    NotSquare {
        /// What was asked for.
        operation: &'static str,
        /// Rows given.
        rows: usize,
        /// Columns given.
        columns: usize,
    },
    /// Two operands do not fit together.
    #[error(
        "{operation} cannot combine shapes {left:?} and {right:?}; transpose or slice one so that they agree"
    )]
    ShapeMismatch {
        /// What was asked for.
        operation: &'static str,
        /// Shape of the first operand.
        left: (usize, usize),
        /// Shape of the second operand.
        right: (usize, usize),
    },
    /// An entry is NaN or infinite.
    #[error(
        "entry ({row}, {column}) is {value}; find where it came from, or drop that sample, before factoring"
    )]
    NonFinite {
        /// Row of the first such entry.
        row: usize,
        /// Column of the first such entry.
        column: usize,
        /// NaN or an infinity.
        value: f64,
    },
    /// The two halves of the matrix differ.
    #[error(
        "entries ({row}, {column}) and ({column}, {row}) differ by {difference:e}, more than the {tolerance:e} allowed; \
         symmetrise the matrix as (A + A^T)/2, or look for the cause"
    )]
    NotSymmetric {
        /// Row of the largest difference, below the diagonal.
        row: usize,
        /// Column of the largest difference.
        column: usize,
        /// The largest difference `|a_ij - a_ji|`.
        difference: f64,
        /// What was allowed.
        tolerance: f64,
    },
    /// Cholesky met a pivot that is not positive.
    #[error(
        "the matrix of order {n} is not positive definite: pivot {pivot} is {value:e} (with {jitter:e} added to the \
         diagonal); add a larger diagonal regulariser, or look for repeated samples"
    )]
    NotPositiveDefinite {
        /// Order of the matrix.
        n: usize,
        /// Index, from 0, of the pivot that failed in the last attempt.
        pivot: usize,
        /// Its value: what was left of the diagonal entry.
        value: f64,
        /// What the last attempt had added to the diagonal.
        jitter: f64,
    },
    /// A triangular or symmetric matrix has no inverse.
    #[error(
        "the matrix is singular: pivot {pivot} is zero; solve a regularised system, or use eigenvectors and drop the null space"
    )]
    Singular {
        /// Index, from 0, of the zero pivot.
        pivot: usize,
    },
    /// The eigenvalue iteration did not converge.
    #[error(
        "the {backend} eigenvalue iteration of order {n} did not converge (code {code}); try the other backend, or rescale the matrix"
    )]
    NoConvergence {
        /// The backend that gave up.
        backend: &'static str,
        /// Order of the matrix.
        n: usize,
        /// LAPACK's `info`, or 0 where there is none.
        code: i64,
    },
    /// The matrix is too large for 32-bit LAPACK.
    #[error(
        "order {n} needs a LAPACK workspace of {needed} numbers, more than its 32-bit integers can say; use the faer backend"
    )]
    TooLarge {
        /// The largest dimension of the problem.
        n: usize,
        /// The number that does not fit.
        needed: u128,
    },
    /// An error of ndarray-linalg, in code that uses both.
    #[cfg(feature = "openblas")]
    #[error(transparent)]
    NdarrayLinalg(crate::interop::NdarrayLinalgError),
    /// An argument is out of its domain.
    #[error("{name} is {value}, but must be {condition}")]
    Argument {
        /// Name of the argument.
        name: &'static str,
        /// Value given.
        value: f64,
        /// What it must be.
        condition: &'static str,
    },
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}
