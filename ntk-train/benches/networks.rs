//! Finite networks at small sizes: forward pass, gradient, traced and full empirical NTK, in f32
//! and f64.
//!
//! `cargo bench -p ntk-train --bench networks`

use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::{Array2, ArrayD, IxDyn};
use ntk_kernels::Network;
use ntk_kernels::network::{Shape, avg_pool, conv, dense, flatten, relu};
use ntk_train::{Init, Loss, Model, Scalar, Trace};
use std::hint::black_box;

const SAMPLES: usize = 32;
const OUTPUTS: usize = 10;

/// Name, network, and the shape of one sample.
fn cases() -> [(&'static str, Network, Shape); 2] {
    let mlp = (0..2)
        .fold(Network::new(), |n, _| {
            n.then(dense().width(256)).then(relu())
        })
        .then(dense().width(OUTPUTS));
    let cnn = Network::new()
        .then(conv([3, 3]).channels(16))
        .then(relu())
        .then(avg_pool([2, 2]))
        .then(conv([3, 3]).channels(32))
        .then(relu())
        .then(avg_pool([2, 2]))
        .then(flatten())
        .then(dense().width(OUTPUTS));
    [
        ("mlp", mlp, Shape::features(196)),
        ("cnn", cnn, Shape::new([14, 14], 1)),
    ]
}

fn of<T: Scalar>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(T::NAME);
    group.sample_size(10);
    for (name, network, shape) in cases() {
        let model = Model::<T>::new(&network, &shape, Init::default(), 0).expect("a valid network");
        let mut axes = vec![SAMPLES];
        axes.extend(shape.positions());
        axes.push(shape.channels());
        let mut state = 1_u32;
        let x = ArrayD::<T>::from_shape_simple_fn(IxDyn(&axes), || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            T::of(f64::from(state) / f64::from(u32::MAX))
        });
        let y = Array2::from_shape_fn((SAMPLES, OUTPUTS), |(i, a)| {
            T::of(if i % OUTPUTS == a { 1.0 } else { 0.0 })
        });
        group.bench_function(format!("{name}/forward"), |bench| {
            bench.iter(|| black_box(model.forward(&x).expect("samples that fit")));
        });
        group.bench_function(format!("{name}/gradient"), |bench| {
            bench.iter(|| {
                let gradient = model.gradient(&x, &y, Loss::CrossEntropy);
                black_box(gradient.expect("samples that fit"))
            });
        });
        for (trace, of) in [(Trace::Traced, "traced"), (Trace::Full, "full")] {
            group.bench_function(format!("{name}/{of}"), |bench| {
                bench.iter(|| {
                    let ntk = model.kernel_fn().trace(trace).ntk(&x);
                    black_box(ntk.expect("samples that fit"))
                });
            });
        }
    }
}

fn all(criterion: &mut Criterion) {
    of::<f32>(criterion);
    of::<f64>(criterion);
}

criterion_group!(networks, all);
criterion_main!(networks);
