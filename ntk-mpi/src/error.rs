//! Why a distributed computation failed.

use crate::communicate::first_failure;
use mpi::traits::Communicator;
use ntk_linalg::LinalgError;
use thiserror::Error;

use ntk_kernels::KernelError;
use ntk_kernels::predict::PredictError;
use ntk_store::StoreError;

/// Why a distributed computation failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DistributedError {
    /// Both kernels were asked for.
    #[error(
        "both kernels were asked for, but ranks hold one matrix at a time; ask for Get::Ntk or for Get::Nngp"
    )]
    Both,
    /// The kernel has no closed form for these samples, or was stopped.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// Targets, coefficients or test samples do not fit.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// Rank 0's store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Linear algebra failed.
    #[error(transparent)]
    Linalg(#[from] LinalgError),
    /// A rank's part of a matrix is too large for ScaLAPACK.
    #[error(
        "a rank's part of the {rows} x {columns} matrix needs {needed} numbers, but ScaLAPACK's 32-bit integers \
         count to {most}; start more than {ranks} ranks"
    )]
    RankTooLarge {
        /// Rows of the matrix.
        rows: usize,
        /// Its columns.
        columns: usize,
        /// Numbers that the rank with most of it would hold.
        needed: u128,
        /// The most that it may hold.
        most: u128,
        /// Ranks of the grid.
        ranks: usize,
    },
    /// Another rank failed.
    #[error("rank {rank} failed: {message}")]
    Rank {
        /// The first rank that did.
        rank: usize,
        /// Its error.
        message: String,
    },
}

/// Makes what one rank could not do an error of all of them. Collective.
pub(crate) fn agree<T, E>(
    communicator: &impl Communicator,
    result: Result<T, E>,
) -> Result<T, DistributedError>
where
    DistributedError: From<E>,
{
    let result = result.map_err(DistributedError::from);
    let error = result.as_ref().err();
    let failure = first_failure(communicator, error.map(|error| error as _));
    match (result, failure) {
        (Ok(_), Some((rank, message))) => Err(DistributedError::Rank { rank, message }),
        (result, _) => result,
    }
}
