use std::f64::consts::TAU;

use ndarray::Array2;
use num_traits::Float;

use super::{TooLarge, check};
use crate::scalar::of;

/// Computes `(n, 2)` points on the unit circle at angles `2 pi i / n`, beginning at `(1, 0)`.
///
/// # Errors
/// [`TooLarge`].
pub fn circle<T: Float>(n: usize) -> Result<Array2<T>, TooLarge> {
    check::<T>(n, 2)?;
    Ok(Array2::from_shape_fn((n, 2), |(i, axis)| {
        let angle = TAU * i as f64 / n as f64;
        of(if axis == 0 { angle.cos() } else { angle.sin() })
    }))
}
