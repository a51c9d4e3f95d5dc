//! Vectors as contiguous rows, and their products in f64: sums of n terms in f32 would lose the
//! small eigenvalues.

use ndarray::{ArrayView1, ArrayViewMut1};
use ntk_linalg::Real;

/// Computes `a . b`.
pub(super) fn dot<T: Real>(a: ArrayView1<'_, T>, b: ArrayView1<'_, T>) -> f64 {
    let product = |(&a, &b): (&T, &T)| Real::to_f64(a) * Real::to_f64(b);
    let (Some(a), Some(b)) = (a.as_slice(), b.as_slice()) else {
        return a.iter().zip(b).map(product).sum();
    };
    // Independent sums, so that the loop vectorises.
    let mut lanes = [0.0; 8];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += product((a, b));
        }
    }
    lanes.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(product).sum::<f64>()
}

/// Subtracts: `a -= factor b`.
pub(super) fn subtract<T: Real>(mut a: ArrayViewMut1<'_, T>, factor: f64, b: ArrayView1<'_, T>) {
    let factor = T::of(factor);
    a.zip_mut_with(&b, |a, &b| *a -= factor * b);
}

/// Divides `a` by its length, which it returns; a zero vector stays.
pub(super) fn normalize<T: Real>(mut a: ArrayViewMut1<'_, T>) -> f64 {
    let length = dot(a.view(), a.view()).sqrt();
    if length > 0.0 {
        a.mapv_inplace(|v| T::of(Real::to_f64(v) / length));
    }
    length
}
