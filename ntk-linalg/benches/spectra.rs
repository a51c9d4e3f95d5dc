//! Eigenvalues, eigenvectors and Cholesky on every backend.
//!
//! `cargo bench -p ntk-linalg --features openblas --bench spectra`

mod common;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ntk_linalg::{Backend, Real};

fn measure<T: Real>(criterion: &mut Criterion, sizes: &[usize]) {
    for (name, work) in common::operations::<T>() {
        let mut group = criterion.benchmark_group(format!("{name}/{}", T::NAME));
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(500));
        group.measurement_time(Duration::from_secs(2));
        for &n in sizes {
            let a = common::matrix::<T>(n);
            for &backend in Backend::available() {
                group.bench_with_input(BenchmarkId::new(backend.name(), n), &a, |bencher, a| {
                    bencher.iter(|| work(backend, a));
                });
            }
        }
    }
}

fn spectra(criterion: &mut Criterion) {
    measure::<f64>(criterion, &[500, 1000, 2000, 4000]);
    measure::<f32>(criterion, &[2000]);
}

criterion_group!(benches, spectra);
criterion_main!(benches);
