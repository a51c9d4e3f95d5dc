//! The operations under measurement, and a matrix for them.

// Each benchmark compiles this file for itself.
#![allow(unreachable_pub)]

use ndarray::Array2;
use ntk_linalg::{Backend, Real};

/// Name and work of an operation on a symmetric positive definite matrix.
pub type Operation<T> = (&'static str, fn(Backend, &Array2<T>));

/// What is measured. Cholesky copies its input, as numpy's does.
pub fn operations<T: Real>() -> [Operation<T>; 3] {
    [
        ("eigenvalues", |backend, a| {
            backend.eigenvalues(a).expect("finite and square");
        }),
        ("eigh", |backend, a| {
            backend.eigh(a).expect("finite and square");
        }),
        ("cholesky", |backend, a| {
            backend.cholesky(a.clone(), 0.0).expect("positive definite");
        }),
    ]
}

/// `X X^T / n` with X (n, 2n) of zero mean and unit variance, from a small generator.
pub fn matrix<T: Real>(n: usize) -> Array2<T> {
    let mut state = 1_u64;
    let mut uniform = || {
        // Knuth's MMIX generator; its high bits are good enough to time with.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    };
    let x = Array2::from_shape_simple_fn((n, 2 * n), || T::of(12.0_f64.sqrt() * uniform()));
    let product = ntk_linalg::symmetric_product(&x).expect("fits LAPACK's integers");
    product / T::of(n as f64)
}
