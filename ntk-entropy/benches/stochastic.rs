//! The entropy of a large kernel to one per cent, and where eigenvalues are still affordable the
//! exact one beside it.
//!
//! `cargo bench -p ntk-entropy --features ntk-linalg/openblas --bench stochastic`

use std::f32::consts::PI;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ndarray::Array2;
use ntk_entropy::stochastic::Estimator;
use ntk_entropy::{Normalization, Spectrum, von_neumann};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// The NTK of a hidden layer of relu (Cho & Saul 2009, arc-cosines of degree 0 and 1) over n
/// samples of 200 features, the i-th of scale 1/i: a spectrum that decays like those of images.
fn kernel(n: usize) -> Array2<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut x = Array2::from_shape_fn((n, 200), |(_, j)| {
        (rng.next_u32() as f32 / u32::MAX as f32 - 0.5) / (j + 1) as f32
    });
    for mut row in x.rows_mut() {
        let length = row.dot(&row).sqrt();
        row /= length;
    }
    let mut k = ntk_linalg::symmetric_product(&x).expect("fits LAPACK's integers");
    let entries = k.as_slice_mut().expect("in the order of rows");
    entries.par_iter_mut().for_each(|c| {
        let cosine = c.clamp(-1.0, 1.0);
        let angle = PI - cosine.acos();
        *c = (2.0 * cosine * angle + (1.0 - cosine * cosine).sqrt()) / PI;
    });
    k
}

fn entropies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("entropy/f32");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500));
    for n in [2_000, 20_000] {
        let k = kernel(n);
        let estimate = || {
            Estimator::default()
                .entropy_of_kernel(&k, Normalization::Trace)
                .expect("a kernel")
        };
        let found = estimate();
        let relative = 100.0 * found.error() / found.value;
        // What was estimated is part of what was measured.
        let name = format!("estimate of {:.4} to {relative:.2} %", found.value);
        group.bench_function(BenchmarkId::new(name, n), |bencher| {
            bencher.iter(|| black_box(estimate()));
        });
        if n <= 2_000 {
            group.bench_function(BenchmarkId::new("exact", n), |bencher| {
                bencher.iter(|| {
                    let spectrum = Spectrum::of_kernel(&k, Normalization::Trace);
                    black_box(von_neumann::entropy(&spectrum.expect("a kernel")))
                });
            });
        }
    }
}

criterion_group!(benches, entropies);
criterion_main!(benches);
