//! Samples of a Gaussian.

use chacha20::ChaCha8Rng;
use ndarray::{Array2, Array3};
use ntk_linalg::{Real, eigh, matmul, symmetric_product};
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use super::EstimatorError;
use crate::closed_form::memory;
use crate::predict::PredictError;

/// Draws (count, m, o): each output with its mean, a column of `mean` (m, o), and the same
/// `covariance` (m, m).
///
/// The root of the covariance is the symmetric one, which depends smoothly on it where the factor
/// of Cholesky, of a nearly singular matrix, or single eigenvectors do not: the same seed gives
/// nearly the same samples on every machine. What rounding leaves below zero counts as zero. The
/// normals of a draw do not depend on how many draws there are.
pub(super) fn draw<T: Real>(
    mean: &Array2<T>,
    covariance: &Array2<T>,
    count: usize,
    seed: u64,
) -> Result<Array3<T>, EstimatorError> {
    let (m, o) = mean.dim();
    let too_many = || EstimatorError::TooManySamples {
        count,
        points: m,
        outputs: o,
    };
    let columns = count.checked_mul(o).ok_or_else(too_many)?;
    if m == 0 {
        // No numbers, whose other axes an array counts nevertheless.
        isize::try_from(columns).map_err(|_| too_many())?;
        return Ok(Array3::zeros((count, 0, o)));
    }
    let numbers = columns.checked_mul(m).ok_or_else(too_many)?;
    // The normals, these times the root, and the same in order.
    memory::check(memory::product([numbers, 3, size_of::<T>()])).map_err(|_| too_many())?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let normals = Array2::from_shape_simple_fn((columns, m), || {
        let normal: f64 = StandardNormal.sample(&mut rng);
        T::of(normal)
    });

    let mut half = eigh(covariance).map_err(PredictError::from)?;
    for (mut column, &value) in half.vectors.columns_mut().into_iter().zip(&half.values) {
        let weight = value.max(T::zero()).sqrt().sqrt();
        column.mapv_inplace(|v| v * weight);
    }
    let root = symmetric_product(&half.vectors).map_err(PredictError::from)?;
    let moved = matmul(&normals, &root).map_err(PredictError::from)?;
    let by_output = moved.into_shape_with_order((count, o, m));
    let mut samples = by_output.expect("as many numbers").permuted_axes([0, 2, 1]);
    samples += mean;
    Ok(samples.as_standard_layout().into_owned())
}
