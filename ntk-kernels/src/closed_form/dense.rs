//! Kernels of networks on vectors: every layer is a map of one covariance.

use super::{Get, KernelError, Kernels};
use crate::dual::Activation;
use crate::gram::{self, TILE, TileRow, gram};
use crate::network::{Layer, Network, Parameterization};
use ndarray::{Array1, ArrayView2};
use ntk_linalg::{Real, observer::Observer};
use std::ops::Range;

/// A layer reduced to what it does to a covariance and its NTK.
enum Step<T> {
    /// `nngp' = scale nngp + shift`, `ntk' = before nngp + after nngp' + scale ntk + constant`.
    Affine {
        scale: T,
        shift: T,
        before: T,
        after: T,
        constant: T,
    },
    /// The variances of both inputs' samples on entry.
    Activation {
        activation: Activation,
        q1: Array1<T>,
        q2: Option<Array1<T>>,
    },
}

pub(super) fn kernels<T: Real>(
    network: &Network,
    x1: ArrayView2<'_, T>,
    x2: Option<ArrayView2<'_, T>>,
    get: Get,
    observer: &dyn Observer,
) -> Result<Kernels<T>, KernelError> {
    let features = T::of(x1.ncols() as f64);
    let steps = steps(network, x1, x2);
    let fill = |row: &mut TileRow<'_, T>, ntk: Option<&mut [T]>| {
        row.inner.iter_mut().for_each(|v| *v /= features);
        run(&steps, row.row, row.columns.clone(), row.inner, ntk);
    };
    let none = Kernels {
        nngp: None,
        ntk: None,
    };
    Ok(match get {
        Get::Nngp => {
            let [nngp] = gram(x1, x2, TILE, observer, |mut row, [nngp]: [&mut [T]; 1]| {
                fill(&mut row, None);
                nngp.copy_from_slice(row.inner);
            })?;
            Kernels {
                nngp: Some(nngp),
                ..none
            }
        }
        Get::Ntk => {
            let [ntk] = gram(x1, x2, TILE, observer, |mut row, [ntk]: [&mut [T]; 1]| {
                fill(&mut row, Some(ntk));
            })?;
            Kernels {
                ntk: Some(ntk),
                ..none
            }
        }
        Get::Both => {
            let [nngp, ntk] = gram(x1, x2, TILE, observer, |mut row, [nngp, ntk]| {
                fill(&mut row, Some(ntk));
                nngp.copy_from_slice(row.inner);
            })?;
            Kernels {
                nngp: Some(nngp),
                ntk: Some(ntk),
            }
        }
    })
}

fn steps<T: Real>(
    network: &Network,
    x1: ArrayView2<'_, T>,
    x2: Option<ArrayView2<'_, T>>,
) -> Vec<Step<T>> {
    let features = T::of(x1.ncols() as f64);
    let mut q1 = gram::squared_norms(x1) / features;
    let mut q2 = x2.map(|x2| gram::squared_norms(x2) / features);
    let mut fan_in = x1.ncols();
    let mut steps = Vec::with_capacity(network.layers.len());
    for layer in &network.layers {
        match layer {
            Layer::Dense(dense) => {
                let scale = T::of(dense.w_std * dense.w_std);
                let shift = T::of(dense.b_std * dense.b_std);
                let (before, after, constant) = match network.parameterization {
                    Parameterization::Ntk => (0.0, 1.0, 0.0),
                    Parameterization::Standard => (
                        fan_in as f64,
                        0.0,
                        if dense.b_std > 0.0 { 1.0 } else { 0.0 },
                    ),
                };
                let (before, after, constant) = (T::of(before), T::of(after), T::of(constant));
                steps.push(Step::Affine {
                    scale,
                    shift,
                    before,
                    after,
                    constant,
                });
                for q in [Some(&mut q1), q2.as_mut()].into_iter().flatten() {
                    q.mapv_inplace(|v| scale * v + shift);
                }
            }
            Layer::Activation(activation) => {
                let activation = *activation;
                steps.push(Step::Activation {
                    activation,
                    q1: q1.clone(),
                    q2: q2.clone(),
                });
                for q in [Some(&mut q1), q2.as_mut()].into_iter().flatten() {
                    q.mapv_inplace(|v| activation.diagonal(v));
                }
            }
        }
        fan_in = layer.outputs(fan_in);
    }
    steps
}

/// Takes one row of covariances through all layers; `ntk` is overwritten.
fn run<T: Real>(
    steps: &[Step<T>],
    row: usize,
    columns: Range<usize>,
    nngp: &mut [T],
    mut ntk: Option<&mut [T]>,
) {
    if let Some(ntk) = ntk.as_deref_mut() {
        ntk.fill(T::zero());
    }
    for step in steps {
        match step {
            &Step::Affine {
                scale,
                shift,
                before,
                after,
                constant,
            } => {
                if let Some(ntk) = ntk.as_deref_mut() {
                    for (k, t) in nngp.iter_mut().zip(ntk) {
                        let next = scale * *k + shift;
                        *t = before * *k + after * next + scale * *t + constant;
                        *k = next;
                    }
                } else {
                    nngp.iter_mut().for_each(|k| *k = scale * *k + shift);
                }
            }
            Step::Activation { activation, q1, q2 } => {
                let q2 = q2.as_ref().unwrap_or(q1);
                let q2 = &q2.as_slice().expect("contiguous variances")[columns.clone()];
                activation.map_row(q1[row], q2, nngp, ntk.as_deref_mut());
            }
        }
    }
}
