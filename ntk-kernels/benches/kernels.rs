//! Whole kernels: networks of vectors, images and sequences, in f32 and f64.
//!
//! `cargo bench -p ntk-kernels --bench kernels`

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array2, ArrayD, IxDyn};
use ntk_kernels::network::*;
use ntk_kernels::{Kernel, Network};
use ntk_linalg::Real;
use std::hint::black_box;

fn convolutions(layers: usize) -> Network {
    (0..layers).fold(Network::new(), |n, _| {
        n.then(conv([3, 3]).same()).then(relu())
    })
}

/// Name, network, and the shape of the inputs.
fn cases() -> Vec<(&'static str, Network, Vec<usize>)> {
    let dense3 = || {
        (0..3)
            .fold(Network::new(), |n, _| n.then(dense()).then(relu()))
            .then(dense())
    };
    vec![
        ("dense_relu_3", dense3(), vec![1024, 784]),
        (
            "dense_erf_3",
            (0..3)
                .fold(Network::new(), |n, _| {
                    n.then(dense()).then(erf(1.0, 1.0, 0.0))
                })
                .then(dense()),
            vec![1024, 784],
        ),
        (
            "conv7_flatten",
            convolutions(7).then(flatten()).then(dense()),
            vec![32, 28, 28, 1],
        ),
        (
            "pooled",
            convolutions(1)
                .then(avg_pool([2, 2]))
                .then(conv([3, 3]))
                .then(relu())
                .then(avg_pool([2, 2]))
                .then(flatten())
                .then(dense()),
            vec![16, 28, 28, 1],
        ),
        (
            "global_pool",
            convolutions(5).then(global_avg_pool()).then(dense()),
            vec![8, 16, 16, 3],
        ),
        (
            "sequence",
            Network::new()
                .then(conv([3]).same())
                .then(relu())
                .then(attention())
                .then(global_avg_pool())
                .then(dense()),
            vec![16, 32, 4],
        ),
    ]
}

fn of<T: Real>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(T::NAME);
    group.sample_size(10);
    for (name, network, shape) in cases() {
        let mut state = 1_u32;
        let x = ArrayD::<T>::from_shape_simple_fn(IxDyn(&shape), || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            T::of(f64::from(state) / f64::from(u32::MAX) - 0.3)
        });
        let n = shape[0] as u64;
        group.throughput(Throughput::Elements(n * (n + 1) / 2));
        group.bench_function(name, |bench| {
            bench.iter(|| black_box(network.ntk(&x).expect("valid inputs")));
        });
    }
}

/// Derivatives beside the kernel that they are of: by 7 hyperparameters, as matrices and contracted, and
/// by inputs.
fn gradients<T: Real>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("gradients_{}", T::NAME));
    group.sample_size(10);
    let hidden = || dense().b_std(0.1);
    let vectors = (0..3)
        .fold(Network::new(), |n, _| n.then(hidden()).then(relu()))
        .then(dense());
    let pooled = convolutions(2)
        .then(global_avg_pool())
        .then(dense().b_std(0.1));
    let cases = [
        ("dense", vectors, vec![1024, 784]),
        ("pooled", pooled, vec![8, 16, 16, 3]),
    ];
    for (name, network, shape) in cases {
        let mut state = 1_u32;
        let x = ArrayD::<T>::from_shape_simple_fn(IxDyn(&shape), || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            T::of(f64::from(state) / f64::from(u32::MAX) - 0.3)
        });
        let weights = Array2::from_elem((shape[0], shape[0]), T::one());
        let chosen = Hyperparameters::all(&network);
        group.bench_function(format!("{name}/kernel"), |bench| {
            bench.iter(|| black_box(network.ntk(&x).expect("valid inputs")));
        });
        group.bench_function(format!("{name}/matrices"), |bench| {
            bench.iter(|| black_box(network.kernels_with_gradients(&chosen, &x).expect("valid")));
        });
        group.bench_function(format!("{name}/contracted"), |bench| {
            let by = || network.hyperparameter_gradient(Kernel::Ntk, &chosen, &x, &weights);
            bench.iter(|| black_box(by().expect("valid inputs")));
        });
        group.bench_function(format!("{name}/inputs"), |bench| {
            let by = || network.input_gradient(Kernel::Ntk, &x, &weights);
            bench.iter(|| black_box(by().expect("valid inputs")));
        });
    }
}

fn all(criterion: &mut Criterion) {
    gradients::<f32>(criterion);
    gradients::<f64>(criterion);
    of::<f32>(criterion);
    of::<f64>(criterion);
}

criterion_group!(whole, all);
criterion_main!(whole);
