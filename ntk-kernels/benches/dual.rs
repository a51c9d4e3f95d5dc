//! Nanoseconds per pair of each activation's map, kernel and derivative together.
//!
//! `cargo bench -p ntk-kernels --bench dual`; the time shown is that of 1000 pairs.

use criterion::{Criterion, criterion_group, criterion_main};
use ntk_kernels::dual::*;
use ntk_linalg::Real;
use std::hint::black_box;

const PAIRS: usize = 1000;

fn activations() -> Vec<(&'static str, Activation)> {
    vec![
        ("relu", relu()),
        ("erf", erf(1.0, 1.0, 0.0)),
        ("sin", sin(1.0, 1.0, 0.2)),
        ("gelu", gelu()),
        ("exp", exp(1.0, 0.5)),
        ("gaussian", gaussian(1.0, -1.0)),
        ("exp_normalized", exp_normalized(1.0, -1.0)),
        ("rbf", rbf(1.0)),
        ("gabor", gabor()),
        ("sign", sign()),
        ("hermite_3", hermite(3)),
        ("monomial_3", monomial(3)),
        ("rectified_monomial_2", rectified_monomial(2)),
        ("polynomial_3", polynomial([0.3, 0.5, -0.2, 0.1])),
        ("quadrature_tanh_64", quadrature(Function::Tanh, 64)),
        ("numerical_16", numerical("cube", |x| x * x * x, 16)),
        (
            "closed_form",
            closed_form("square", |a, b, q| (a * b + 2.0 * q * q, 4.0 * q)),
        ),
    ]
}

fn of<T: Real>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(T::NAME);
    // Variances near 1, which Hermite polynomials need.
    let q2 = vec![T::one(); PAIRS];
    let cosine = |i: usize| T::of(1.9 * (i as f64 + 0.5) / PAIRS as f64 - 0.95);
    let q: Vec<T> = (0..PAIRS).map(cosine).collect();
    for (name, f) in activations() {
        let samples = f.samples(&q2);
        let (mut k, mut t) = (q.clone(), q.clone());
        group.bench_function(name, |bench| {
            bench.iter(|| {
                k.copy_from_slice(&q);
                t.copy_from_slice(&q);
                f.map_row(black_box(T::one()), &samples, &mut k, &mut t)
                    .expect("rows of the samples' length");
                black_box((&k, &t));
            });
        });
    }
}

fn all(criterion: &mut Criterion) {
    of::<f64>(criterion);
    of::<f32>(criterion);
}

criterion_group!(dual, all);
criterion_main!(dual);
