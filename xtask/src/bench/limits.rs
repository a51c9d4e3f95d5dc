//! What the machine can do at most, measured in the same run as the cases.

use crate::Failure;
use ndarray::Array2;
use ntk_kernels::network::relu;
use ntk_linalg::{Real, matmul};
use rayon::prelude::*;
use serde::Serialize;
use std::hint::black_box;
use std::time::Instant;

/// The order of the matrix products: large enough for the full rate, 0.2 s on a small machine.
const ORDER: usize = 2048;
/// The number of bytes that are copied, more than any cache holds.
const COPY: usize = 256 << 20;
/// The number of bytes that one thread copies in one go.
const CHUNK: usize = 1 << 20;
/// The number of runs of which the best counts.
const RUNS: usize = 5;

/// One limit of the machine.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Limit {
    pub(super) name: &'static str,
    pub(super) value: f64,
    pub(super) unit: &'static str,
}

/// Measures all of them on rayon's current threads, in a few seconds.
pub(super) fn limits() -> Result<Vec<Limit>, Failure> {
    let limit = |name, value, unit| Limit { name, value, unit };
    Ok(vec![
        limit("matrix product, f32", product_rate::<f32>()?, "GFLOP/s"),
        limit("matrix product, f64", product_rate::<f64>()?, "GFLOP/s"),
        limit("memory copy, read and written", copy_rate(), "GB/s"),
        limit(
            "relu with derivative, f32, one thread",
            relu_pair::<f32>(),
            "ns a pair",
        ),
        limit(
            "relu with derivative, f64, one thread",
            relu_pair::<f64>(),
            "ns a pair",
        ),
    ])
}

/// Returns the seconds of the fastest of some runs.
fn best(mut run: impl FnMut()) -> f64 {
    let seconds = (0..RUNS).map(|_| {
        let begun = Instant::now();
        run();
        begun.elapsed().as_secs_f64()
    });
    seconds.fold(f64::INFINITY, f64::min)
}

/// Returns 10^9 operations a second: `2 n^3` of them in a product.
fn product_rate<T: Real>() -> Result<f64, Failure> {
    let a = Array2::<T>::from_shape_fn((ORDER, ORDER), |(i, j)| {
        T::of(((7 * i + 13 * j) % 17) as f64 - 8.0)
    });
    matmul(&a, &a)?;
    let seconds = best(|| {
        let _ = black_box(matmul(&a, &a));
    });
    Ok(2.0 * (ORDER as f64).powi(3) / seconds / 1e9)
}

/// Returns 10^9 bytes a second, those read and those written.
fn copy_rate() -> f64 {
    let from = vec![1_u8; COPY];
    let mut to = vec![2_u8; COPY];
    let seconds = best(|| {
        to.par_chunks_mut(CHUNK)
            .zip(from.par_chunks(CHUNK))
            .for_each(|(to, from)| to.copy_from_slice(from));
        black_box(&mut to);
    });
    2.0 * COPY as f64 / seconds / 1e9
}

/// Returns the nanoseconds for the kernel and derivative of relu at one pair of samples, in the cache.
fn relu_pair<T: Real>() -> f64 {
    const PAIRS: usize = 1024;
    const ROWS: usize = 4096;
    let samples = relu().samples(&[T::one(); PAIRS]);
    let mut ntk = vec![T::one(); PAIRS];
    let mut nngp: Vec<T> = (0..PAIRS)
        .map(|i| T::of(2.0 * i as f64 / PAIRS as f64 - 1.0))
        .collect();
    let seconds = best(|| {
        for _ in 0..ROWS {
            let mapped = relu().map_row(T::one(), &samples, &mut nngp, &mut ntk);
            mapped.expect("rows of the samples' length");
        }
        black_box((&mut nngp, &mut ntk));
    });
    seconds * 1e9 / (PAIRS * ROWS) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_this_world() {
        // From a slow core of the 2000s to the largest machines.
        assert!((0.1..1e6).contains(&copy_rate()));
    }
}
