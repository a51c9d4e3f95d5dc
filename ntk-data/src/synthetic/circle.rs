use std::f64::consts::TAU;

use ndarray::Array2;
use num_traits::Float;

use crate::scalar::of;

/// `(n, 2)` points on the unit circle at angles `2 pi i / n`, beginning at `(1, 0)`.
#[must_use]
pub fn circle<T: Float>(n: usize) -> Array2<T> {
    Array2::from_shape_fn((n, 2), |(i, axis)| {
        let angle = TAU * i as f64 / n as f64;
        of(if axis == 0 { angle.cos() } else { angle.sin() })
    })
}
