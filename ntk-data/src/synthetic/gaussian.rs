use chacha20::ChaCha8Rng;
use ndarray::Array2;
use num_traits::Float;
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use crate::scalar::of;

/// `(n, d)` independent standard normals.
#[must_use]
pub fn gaussian<T: Float>(n: usize, d: usize, seed: u64) -> Array2<T> {
    normals(n, d, 1.0, &mut ChaCha8Rng::seed_from_u64(seed))
}

/// `(n, d)` normals of mean 0 and standard deviation `deviation`, drawn row by row.
pub(super) fn normals<T: Float>(
    n: usize,
    d: usize,
    deviation: f64,
    rng: &mut ChaCha8Rng,
) -> Array2<T> {
    Array2::from_shape_simple_fn((n, d), || {
        let z: f64 = StandardNormal.sample(rng);
        of(deviation * z)
    })
}
