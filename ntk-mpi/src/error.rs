//! The error of the crate.

use crate::communicate::first_failure;
use mpi::traits::Communicator;
use ntk_linalg::LinalgError;

use ntk_kernels::KernelError;
use ntk_kernels::predict::PredictError;

/// An `Error` says why a computation over the ranks of a job failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel has no closed form for these samples, or was stopped.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// Targets, coefficients or test samples do not fit.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// Rank 0's store failed.
    #[error(transparent)]
    Store(#[from] ntk_store::Error),
    /// Linear algebra failed.
    #[error(transparent)]
    Linalg(#[from] LinalgError),
    /// The equations of landmarks are not positive definite to working precision.
    #[error(
        "the equations have a direction of curvature {curvature:e}, which must be positive; add a larger ridge, or \
         leave out landmarks that repeat"
    )]
    Indefinite {
        /// The curvature.
        curvature: f64,
    },
    /// A rank's part of a matrix is too large for ScaLAPACK.
    #[error(
        "a rank's part of the {rows} x {columns} matrix needs {needed} numbers, but ScaLAPACK's 32-bit integers \
         count to {most}; start more than {ranks} ranks"
    )]
    RankTooLarge {
        /// The number of rows of the matrix.
        rows: usize,
        /// The number of columns of the matrix.
        columns: usize,
        /// The numbers that the rank with most of it would hold.
        needed: u128,
        /// The most numbers that a rank may hold.
        most: u128,
        /// The number of ranks of the grid.
        ranks: usize,
    },
    /// Another rank failed.
    #[error("rank {rank} failed: {message}")]
    Rank {
        /// The first rank that failed.
        rank: usize,
        /// The error of that rank.
        message: String,
    },
}

/// Makes what one rank could not do an error of all of them. The call is collective.
pub(crate) fn agree<T, E>(
    communicator: &impl Communicator,
    result: Result<T, E>,
) -> Result<T, Error>
where
    Error: From<E>,
{
    let result = result.map_err(Error::from);
    let error = result.as_ref().err();
    let failure = first_failure(communicator, error.map(|error| error as _));
    match (result, failure) {
        (Ok(_), Some((rank, message))) => Err(Error::Rank { rank, message }),
        (result, _) => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_can_share_the_error() {
        fn shared<E: std::error::Error + Send + Sync + 'static>() {}
        shared::<Error>();
    }
}
