use ndarray::Array2;
use num_traits::Float;

use super::{TooLarge, check, gaussian};
use crate::scalar::of;
use crate::sphere::{project, radius};

/// Draws `(n, d)` points, uniform on the sphere of radius sqrt(d).
///
/// They are standard normals scaled to norm sqrt(d). A row of normals that are all zero,
/// which has no direction, has probability zero; were it drawn, the next seed
/// would be taken.
///
/// # Errors
/// [`TooLarge`].
pub fn sphere<T: Float>(n: usize, d: usize, seed: u64) -> Result<Array2<T>, TooLarge> {
    check::<T>(n, d)?;
    if d == 0 {
        return Ok(Array2::zeros((n, 0)));
    }
    let mut seed = seed;
    loop {
        let x = gaussian::<f64>(n, d, seed)?;
        if let Ok(projected) = project(&x, radius(d)) {
            return Ok(projected.mapv(of));
        }
        seed = seed.wrapping_add(1);
    }
}
