use chacha20::ChaCha8Rng;
use ndarray::Array2;
use num_traits::Float;
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use super::{TooLarge, check};
use crate::scalar::of;

/// Draws `(n, d)` independent standard normals.
///
/// # Errors
/// [`TooLarge`].
pub fn gaussian<T: Float>(n: usize, d: usize, seed: u64) -> Result<Array2<T>, TooLarge> {
    normals(n, d, 1.0, &mut ChaCha8Rng::seed_from_u64(seed))
}

/// Draws `(n, d)` normals of mean 0 and standard deviation `deviation`, row by row.
pub(super) fn normals<T: Float>(
    n: usize,
    d: usize,
    deviation: f64,
    rng: &mut ChaCha8Rng,
) -> Result<Array2<T>, TooLarge> {
    check::<T>(n, d)?;
    Ok(Array2::from_shape_simple_fn((n, d), || {
        let z: f64 = StandardNormal.sample(rng);
        of(deviation * z)
    }))
}
