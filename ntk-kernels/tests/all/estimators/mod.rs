//! Estimators against plain formulas.

mod features;
mod files;
mod gaussian_process;
mod gradient_flow;
mod hostile;
mod kernel_ridge;
mod landmarks;
mod passes;
mod ranks;
mod structured;

use ndarray::{Array, Array2, ArrayRef, ArrayRef2, Dimension, IntoDimension};
use ntk_kernels::Network;
use ntk_kernels::network::*;
use ntk_linalg::Real;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn dense_network() -> Network {
    Network::new()
        .then(dense().b_std(0.3))
        .then(relu())
        .then(dense().b_std(0.1))
        .then(erf(1.0, 1.0, 0.0))
        .then(dense())
}

fn image_network() -> Network {
    Network::new()
        .then(conv([3, 3]).same().b_std(0.2))
        .then(relu())
        .then(avg_pool([2, 2]))
        .then(flatten())
        .then(dense())
}

/// Numbers uniform in [-1, 1).
fn numbers<T: Real, S: IntoDimension>(seed: u64, shape: S) -> Array<T, S::Dim> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array::from_shape_simple_fn(shape, || T::of(rng.random_range(-1.0..1.0)))
}

fn one_hot<T: Real>(n: usize, classes: usize) -> Array2<T> {
    Array2::from_shape_fn((n, classes), |(i, class)| match i % classes == class {
        true => T::one(),
        false => T::zero(),
    })
}

/// NNGP and NTK of `a` with `b`.
fn both<T: Real, D: Dimension>(
    network: &Network,
    a: &ArrayRef<T, D>,
    b: &ArrayRef<T, D>,
) -> [Array2<T>; 2] {
    let found = network.kernels_between(a, b).unwrap();
    [found.nngp, found.ntk]
}

fn lifted(k: &Array2<f64>, by: f64) -> Array2<f64> {
    k + &(by * Array2::<f64>::eye(k.nrows()))
}

/// The inverse, and the logarithm of the determinant, of a positive definite matrix, by
/// elimination.
fn inverse(a: &Array2<f64>) -> (Array2<f64>, f64) {
    let n = a.nrows();
    let (mut a, mut inverse, mut log_det) = (a.clone(), Array2::eye(n), 0.0);
    for k in 0..n {
        let pivot: f64 = a[[k, k]];
        log_det += pivot.ln();
        for j in 0..n {
            a[[k, j]] /= pivot;
            inverse[[k, j]] /= pivot;
        }
        for i in (0..n).filter(|&i| i != k) {
            let factor = a[[i, k]];
            for j in 0..n {
                a[[i, j]] -= factor * a[[k, j]];
                inverse[[i, j]] -= factor * inverse[[k, j]];
            }
        }
    }
    (inverse, log_det)
}

fn distance<T: Real>(a: &ArrayRef2<T>, b: &ArrayRef2<T>) -> f64 {
    assert_eq!(a.dim(), b.dim());
    let pairs = a.iter().zip(b);
    let gaps = pairs.map(|(a, b)| (Real::to_f64(*a) - Real::to_f64(*b)).abs());
    gaps.fold(0.0, |most, gap| {
        if gap > most || gap.is_nan() {
            gap
        } else {
            most
        }
    })
}
