//! Why the forward pass does not use dfdx's operations: its matrix product beside
//! `ntk_linalg::gemm`, its elementwise operations beside loops in place as the layers have them,
//! in f32 at the shapes of training.
//!
//! `cargo bench -p ntk-train --bench dfdx_ops`

use criterion::{Criterion, criterion_group, criterion_main};
use dfdx::prelude::*;
use ndarray::Array2;
use ntk_linalg::gemm;
use std::hint::black_box;

/// Rows, inner and columns: a batch of 64 through dense layers, and patches of 32 images through
/// the two convolutions of the entropy experiments.
const PRODUCTS: [(&str, [usize; 3]); 4] = [
    ("dense_784", [64, 784, 512]),
    ("dense_512", [64, 512, 512]),
    ("conv_9", [32 * 26 * 26, 9, 32]),
    ("conv_288", [32 * 11 * 11, 288, 64]),
];

/// Numbers between -1/2 and 1/2.
fn numbers(rows: usize, columns: usize) -> Array2<f32> {
    let mut state = 1_u32;
    Array2::from_shape_simple_fn((rows, columns), || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(state) / f64::from(u32::MAX) - 0.5) as f32
    })
}

fn tensor(device: &Cpu, values: &Array2<f32>) -> Tensor<(usize, usize), f32, Cpu> {
    device.tensor_from_vec(values.iter().copied().collect(), values.dim())
}

fn products(criterion: &mut Criterion) {
    let device = Cpu::default();
    let mut group = criterion.benchmark_group("product");
    group.sample_size(20);
    for (name, [m, k, n]) in PRODUCTS {
        let (a, b) = (numbers(m, k), numbers(k, n));
        group.bench_function(format!("{name}/gemm"), |bench| {
            bench.iter(|| {
                let mut c = Array2::zeros((m, n));
                gemm(1.0, &a, &b, 0.0, &mut c).expect("shapes that fit");
                black_box(c)
            });
        });
        let (a, b) = (tensor(&device, &a), tensor(&device, &b));
        group.bench_function(format!("{name}/dfdx"), |bench| {
            bench.iter(|| black_box(a.clone().matmul(b.clone())));
        });
    }
}

fn elementwise(criterion: &mut Criterion) {
    let device = Cpu::default();
    let mut group = criterion.benchmark_group("elementwise");
    for (name, [rows, _, columns]) in PRODUCTS {
        let values = numbers(rows, columns);
        let slopes = values.mapv(|z| if z > 0.0 { 1.0 } else { 0.0 });
        let mut z = values.clone();
        group.bench_function(format!("{name}/relu/loop"), |bench| {
            bench.iter(|| {
                for z in black_box(&mut z) {
                    *z *= if *z > 0.0 { 1.0 } else { 0.0 };
                }
            });
        });
        let mut signal = values.clone();
        group.bench_function(format!("{name}/times/loop"), |bench| {
            bench.iter(|| {
                for (signal, &slope) in black_box(&mut signal).iter_mut().zip(&slopes) {
                    *signal *= slope;
                }
            });
        });
        let (z, slopes) = (tensor(&device, &values), tensor(&device, &slopes));
        group.bench_function(format!("{name}/relu/dfdx"), |bench| {
            bench.iter(|| black_box(z.clone().relu()));
        });
        group.bench_function(format!("{name}/times/dfdx"), |bench| {
            bench.iter(|| black_box(z.clone() * slopes.clone()));
        });
    }
}

criterion_group!(operations, products, elementwise);
criterion_main!(operations);
