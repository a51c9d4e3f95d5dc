//! Fits over the processes of a job.

use crate::estimators::EstimatorError;
use ndarray::Array2;
use std::fmt::Display;

/// `Ranks` are the processes of a job that fit together, each to its own blocks of the samples, whose
/// sums they add up: those of MPI, as `ntk_mpi::Grid` is, or any others that can.
///
/// Every process makes the same calls in the same order, from one thread, and waits in them for the
/// others. One process alone is `()`.
pub trait Ranks {
    /// Returns which of the processes this is, from 0.
    fn rank(&self) -> usize;

    /// Returns how many there are.
    fn count(&self) -> usize;

    /// Adds up the `numbers` of all processes, entry by entry: the same to the last bit on each.
    fn sum(&self, numbers: &mut [f64]);

    /// Finds the first process that has an `error`, and what it says, on each; `None` where none has.
    fn first_failure(&self, error: Option<&dyn Display>) -> Option<(usize, String)>;
}

impl Ranks for () {
    fn rank(&self) -> usize {
        0
    }

    fn count(&self) -> usize {
        1
    }

    fn sum(&self, _: &mut [f64]) {}

    fn first_failure(&self, error: Option<&dyn Display>) -> Option<(usize, String)> {
        error.map(|error| (0, error.to_string()))
    }
}

/// Makes what one process could not do an error of all of them.
pub(crate) fn agree<T, E: From<EstimatorError> + Display>(
    ranks: &dyn Ranks,
    result: Result<T, E>,
) -> Result<T, E> {
    let error = result.as_ref().err();
    match (ranks.first_failure(error.map(|error| error as _)), result) {
        (Some((rank, message)), Ok(_)) => Err(EstimatorError::Rank { rank, message }.into()),
        (_, result) => result,
    }
}

/// Returns the `number` of every process.
pub(super) fn gather(ranks: &dyn Ranks, number: usize) -> Vec<usize> {
    // Sums of zeros and one number below 2^53 are exact.
    let mut numbers = vec![0.0; ranks.count()];
    numbers[ranks.rank()] = number as f64;
    ranks.sum(&mut numbers);
    numbers.into_iter().map(|number| number as usize).collect()
}

/// Adds up the matrices of all processes, which have the same memory layout.
pub(super) fn sum(ranks: &dyn Ranks, matrix: &mut Array2<f64>) {
    let numbers = matrix.as_slice_memory_order_mut();
    ranks.sum(numbers.expect("owned matrices are contiguous"));
}

/// Returns the number of outputs, which processes without samples do not know.
pub(super) fn outputs(ranks: &dyn Ranks, own: usize) -> Result<usize, EstimatorError> {
    let mut all = gather(ranks, own)
        .into_iter()
        .filter(|&outputs| outputs > 0);
    let expected = all.next().unwrap_or(0);
    match all.find(|&found| found != expected) {
        Some(found) => Err(EstimatorError::Outputs { expected, found }),
        None => Ok(expected),
    }
}
