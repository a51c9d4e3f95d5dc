//! Errors, each of which tells the violated condition and both values.

use std::error::Error as StdError;

use thiserror::Error;

use crate::tiled::{ProductError, TilingError};
use crate::{Cancelled, SolveError};

/// Any error of this crate, which `?` makes of each of them.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A factorisation, a solve or a product failed.
    #[error(transparent)]
    Linalg(#[from] LinalgError),
    /// A matrix cannot be cut into such tiles, or has no such tile.
    #[error(transparent)]
    Tiling(#[from] TilingError),
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// An iterative solver failed: a [`SolveError`].
    #[error(transparent)]
    Solve(Box<dyn StdError + Send + Sync>),
    /// A matrix in tiles failed: a [`ProductError`].
    #[error(transparent)]
    Product(Box<dyn StdError + Send + Sync>),
}

impl<E: StdError + Send + Sync + 'static> From<SolveError<E>> for Error {
    fn from(error: SolveError<E>) -> Self {
        match error {
            SolveError::Linalg(error) => Self::Linalg(error),
            error => Self::Solve(Box::new(error)),
        }
    }
}

impl<E: StdError + Send + Sync + 'static> From<ProductError<E>> for Error {
    fn from(error: ProductError<E>) -> Self {
        match error {
            ProductError::Linalg(error) => Self::Linalg(error),
            ProductError::Cancelled(error) => Self::Cancelled(error),
            error => Self::Product(Box::new(error)),
        }
    }
}

/// A `LinalgError` says what was wrong with a matrix or a system.
///
/// Values are carried as f64 whatever the matrix held: the conversion is exact.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum LinalgError {
    /// A matrix is not square, and the operation needs one that is.
    #[error(
        "the matrix is {rows} x {columns}, but {operation} needs a square one; pass the whole symmetric matrix"
    )]
    NotSquare {
        /// The operation that was asked for.
        operation: &'static str,
        /// The number of rows given.
        rows: usize,
        /// The number of columns given.
        columns: usize,
    },
    /// Two operands do not fit together.
    #[error(
        "{operation} cannot combine shapes {left:?} and {right:?}; transpose or slice one so that they agree"
    )]
    ShapeMismatch {
        /// The operation that was asked for.
        operation: &'static str,
        /// The shape of the first operand.
        left: (usize, usize),
        /// The shape of the second operand.
        right: (usize, usize),
    },
    /// An entry is NaN or infinite.
    #[error(
        "entry ({row}, {column}) is {value}; find where it came from, or drop that sample, before factoring"
    )]
    NonFinite {
        /// The row of the first such entry.
        row: usize,
        /// The column of the first such entry.
        column: usize,
        /// The entry: NaN or an infinity.
        value: f64,
    },
    /// The two halves of the matrix differ.
    #[error(
        "entries ({row}, {column}) and ({column}, {row}) differ by {difference:e}, more than the {tolerance:e} allowed; \
         symmetrise the matrix as (A + A^T)/2, or look for the cause"
    )]
    NotSymmetric {
        /// The row of the largest difference, below the diagonal.
        row: usize,
        /// The column of the largest difference.
        column: usize,
        /// The largest difference `|a_ij - a_ji|`.
        difference: f64,
        /// The largest difference that was allowed.
        tolerance: f64,
    },
    /// A Cholesky factorisation met a pivot that is not positive.
    #[error(
        "the matrix of order {n} is not positive definite: pivot {pivot} is {value:e} (with {ridge:e} added to the \
         diagonal); add a larger ridge, or look for repeated samples"
    )]
    NotPositiveDefinite {
        /// The order of the matrix.
        n: usize,
        /// The index, from 0, of the pivot that failed in the last attempt.
        pivot: usize,
        /// The value of that pivot: what was left of the diagonal entry.
        value: f64,
        /// The ridge that the last attempt had added to the diagonal.
        ridge: f64,
    },
    /// An adaptive ridge was given where nothing is factored.
    #[error(
        "how much a ridge of at most {max_relative:e} times the mean diagonal adds is known after a factorisation \
         alone; give an absolute or a relative ridge"
    )]
    AdaptiveRidge {
        /// The most that the ridge may add, relative to the mean of the diagonal.
        max_relative: f64,
    },
    /// A triangular or symmetric matrix has no inverse.
    #[error(
        "the matrix is singular: pivot {pivot} is zero; solve a regularised system, or use eigenvectors and drop the null space"
    )]
    Singular {
        /// The index, from 0, of the zero pivot.
        pivot: usize,
    },
    /// The eigenvalue iteration did not converge.
    #[error(
        "the {backend} eigenvalue iteration of order {n} did not converge (code {code}); try the other backend, or rescale the matrix"
    )]
    NoConvergence {
        /// The backend that gave up.
        backend: &'static str,
        /// The order of the matrix.
        n: usize,
        /// The `info` of LAPACK, or 0 where there is none.
        code: i64,
    },
    /// A matrix does not fit into memory.
    #[error(
        "memory has no room for a matrix of {rows} x {columns}; work in tiles (`ntk_linalg::tiled`), or with fewer samples"
    )]
    OutOfMemory {
        /// The number of rows of the matrix.
        rows: usize,
        /// The number of columns of the matrix.
        columns: usize,
    },
    /// The matrix is too large for 32-bit LAPACK.
    #[error(
        "order {n} needs a LAPACK workspace of {needed} numbers, more than its 32-bit integers can say; use the faer backend"
    )]
    TooLarge {
        /// The largest dimension of the problem.
        n: usize,
        /// The size of the workspace, which does not fit.
        needed: u128,
    },
    /// ndarray-linalg failed, in code that uses both.
    #[cfg(feature = "openblas")]
    #[error(transparent)]
    NdarrayLinalg(crate::interop::NdarrayLinalgError),
    /// An argument is out of its domain.
    #[error("{name} is {value}, but must be {condition}")]
    Argument {
        /// The name of the argument.
        name: &'static str,
        /// The value given.
        value: f64,
        /// The condition that the argument must meet.
        condition: &'static str,
    },
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_can_be_sent_and_say_what_their_parts_say() {
        fn check<E: Into<Error> + StdError + Clone + Send + Sync + 'static>(error: &E) {
            assert_eq!(error.clone().into().to_string(), error.to_string());
        }
        fn is_portable<T: Send + Sync + 'static>() {}
        is_portable::<Error>();
        check(&LinalgError::Singular { pivot: 3 });
        check(&TilingError::Tile { tile: 0 });
        check(&Cancelled);
        check(&ProductError::<TilingError>::Cancelled(Cancelled));
        check(&ProductError::<TilingError>::Linalg(
            LinalgError::Singular { pivot: 3 },
        ));
        check(&ProductError::Tile(TilingError::Tile { tile: 0 }));
        let said = "a direction p has";
        let error = Error::from(SolveError::<LinalgError>::Indefinite { curvature: -1.0 });
        assert!(error.to_string().starts_with(said), "{error}");
        let error = SolveError::Product(LinalgError::Singular { pivot: 3 });
        assert!(Error::from(error).to_string().contains("singular"));
    }
}
