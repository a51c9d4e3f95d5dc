use ndarray::Array2;
use num_traits::Float;

use super::gaussian;
use crate::scalar::of;
use crate::sphere::{project, radius};

/// `(n, d)` points, uniform on the sphere of radius sqrt(d).
///
/// Standard normals scaled to norm sqrt(d). A row of normals that are all zero,
/// which has no direction, has probability zero; were it drawn, the next seed
/// would be taken.
#[must_use]
pub fn sphere<T: Float>(n: usize, d: usize, seed: u64) -> Array2<T> {
    if d == 0 {
        return Array2::zeros((n, 0));
    }
    let mut seed = seed;
    loop {
        let x = gaussian::<f64>(n, d, seed);
        if let Ok(projected) = project(x.view(), radius(d)) {
            return projected.mapv(of);
        }
        seed = seed.wrapping_add(1);
    }
}
