//! From a [`Network`] to its infinite-width kernels.
//!
//! With `K`, `D` of [`crate::dual`], `A` the mean over a filter (nothing for dense layers), `p` and
//! `p'` positions of the first and second sample:
//!
//! | layer | NNGP | NTK |
//! |---|---|---|
//! | dense, conv, NTK parameterisation | `w_std^2 A(nngp) + b_std^2` | `nngp' + w_std^2 A(ntk)` |
//! | dense, conv, standard | `w_std^2 A(nngp) + b_std^2` | `fan_in A(nngp) + w_std^2 A(ntk)` (+ 1 with a bias) |
//! | activation | `K(nngp)` | `D(nngp) ntk` |
//! | pool | sum or mean over both windows, of `p` and of `p'` | the same |
//! | global pool, flatten | mean or sum over all `p`, `p'`; mean over `p = p'` | the same |
//! | layer_norm | divided by both standard deviations, `eps` added to the variances | the same |
//! | dropout | `p = p'` of a sample with itself divided by `keep` | the same |
//! | branch | sum of the paths'; product | sum; product rule |
//!
//! (Jacot et al. 2018, arXiv:1806.07572, theorem 1; Novak et al. 2019, arXiv:1810.05148, and
//! Arora et al. 2019, arXiv:1904.11955, section 4, for convolutions; Sohl-Dickstein et al. 2020,
//! arXiv:2001.07301, section 4, for the standard parameterisation.) The input kernel is
//! `x . x' / d`, its NTK zero. Layers are refused where these formulas do not hold: an
//! activation where its input is not Gaussian, a sum of paths that depend on each other.

mod compiled;
mod dense;
mod elementwise;
mod program;
mod spatial;

use crate::gram::{GramError, TILE, first_non_finite};
use crate::network::{Network, NetworkError, Shape, flatten};
use ndarray::{Array1, Array2, ArrayView, ArrayView2, ArrayViewD, Dimension, Ix2, RemoveAxis};
use ntk_linalg::{Real, observer::Observer};
use program::Program;
use thiserror::Error;

/// Which kernels to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Get {
    /// The Gaussian-process kernel alone.
    Nngp,
    /// The neural tangent kernel alone.
    Ntk,
    /// Both; the second costs little.
    Both,
}

/// Kernel matrices of shape `(n1, n2)`; those not asked for are `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernels<T> {
    /// Covariance of the outputs at initialisation.
    pub nngp: Option<Array2<T>>,
    /// Inner product of the outputs' gradients.
    pub ntk: Option<Array2<T>>,
}

/// The kernels of each sample with itself, `n` numbers each.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors<T> {
    /// Variance of the output at initialisation.
    pub nngp: Array1<T>,
    /// Squared norm of the output's gradient.
    pub ntk: Array1<T>,
}

/// Why a network has no kernel for these inputs.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum KernelError {
    /// A layer's options are out of range, or do not fit the layers before it.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A layer has no kernel in closed form where it stands.
    #[error("{path}.{name}: {reason}")]
    NoClosedForm {
        /// Where, as `layers[i]`.
        path: String,
        /// The layer's name.
        name: String,
        /// Why, and what to do.
        reason: String,
    },
    /// An activation has no kernel at the variance that a sample has there.
    #[error("{path}, for {input}: {reason}")]
    Domain {
        /// Where, as `layers[i].name`.
        path: String,
        /// Which sample, as `x1[i]`.
        input: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The output still has positions.
    #[error("{last} leaves each sample an output of shape {shape}; add flatten or a global pool")]
    Positions {
        /// Path and name of the last layer.
        last: String,
        /// The output's shape.
        shape: Shape,
    },
    /// Inputs have an unusable number of axes.
    #[error(
        "inputs must have shape (n, features), (n, length, channels) or (n, height, width, channels), found {found:?}; reshape them"
    )]
    Axes {
        /// The input's shape.
        found: Vec<usize>,
    },
    /// The two inputs' samples differ in shape.
    #[error("x1 has samples of shape {x1} and x2 of shape {x2}; both must have the same")]
    Shapes {
        /// One sample of `x1`.
        x1: Shape,
        /// One sample of `x2`.
        x2: Shape,
    },
    /// Samples without numbers have no input kernel `x . x' / d`.
    #[error("samples of shape {shape} are empty; give every axis at least one entry")]
    Empty {
        /// The samples' shape.
        shape: Shape,
    },
    /// An input is NaN or infinite.
    #[error("{input}{index:?} is {value}; remove or replace non-finite inputs first")]
    NonFinite {
        /// `x1` or `x2`.
        input: &'static str,
        /// Index of the first such entry.
        index: Vec<usize>,
        /// The entry.
        value: f64,
    },
    /// The observer stopped the work, or a product failed.
    #[error(transparent)]
    Gram(#[from] GramError),
}

/// The kernels of `x1` against `x2`, or against itself where `x2` is `None`.
///
/// Inputs have shape (n, features), (n, length, channels) or (n, height, width, channels).
/// Symmetric results are symmetric to the last bit. Cost for vectors: `2 n1 n2 d` flops and
/// one dual map per entry and activation, half of both for `x1` with itself.
///
/// # Errors
/// [`KernelError`] before any work for invalid layers, shapes that do not fit, layers
/// without a kernel where they stand, or non-finite inputs; later only when `observer` cancels.
pub fn kernels<T: Real, D: RemoveAxis>(
    network: &Network,
    x1: ArrayView<'_, T, D>,
    x2: Option<ArrayView<'_, T, D>>,
    get: Get,
    observer: &dyn Observer,
) -> Result<Kernels<T>, KernelError> {
    // The same samples once more: half the work, and the diagonal is that of one sample.
    let x2 = x2.filter(|x2| *x2 != x1);
    let (x1, x2) = (x1.into_dyn(), x2.map(ArrayView::into_dyn));
    compiled::kernels(network, (x1, x2), get, observer)
}

/// Computes [`kernels`] of samples that are different ones even where they are equal.
///
/// It matters to dropout, where a sample's kernel with itself is not that with its equal.
///
/// # Errors
/// As [`kernels`].
pub fn kernels_of_others<T: Real>(
    network: &Network,
    x1: ArrayViewD<'_, T>,
    x2: ArrayViewD<'_, T>,
    get: Get,
    observer: &dyn Observer,
) -> Result<Kernels<T>, KernelError> {
    compiled::kernels(network, (x1, Some(x2)), get, observer)
}

/// [`kernels`], generic.
fn compute<T: Real>(
    network: &Network,
    (x1, x2): (ArrayViewD<'_, T>, Option<ArrayViewD<'_, T>>),
    get: Get,
    observer: &dyn Observer,
) -> Result<Kernels<T>, KernelError> {
    let shape = sample_shape(&x1)?;
    if let Some(x2) = &x2 {
        let other = sample_shape(x2)?;
        if other != shape {
            return Err(KernelError::Shapes {
                x1: shape,
                x2: other,
            });
        }
    }
    let program = resolve(network, &shape)?;
    check_finite("x1", &x1)?;
    if let Some(x2) = &x2 {
        check_finite("x2", x2)?;
    }
    if shape.positions().is_empty() && !program.mixes {
        return dense::kernels(&program, vectors(x1), x2.map(vectors), get, TILE, observer);
    }
    spatial::kernels(&program, x1, x2, get, observer)
}

/// The kernels after each layer of `network`, for studies of depth: item `i` is that of its
/// layers up to `layers[i]`, where positions remain as if `flatten` came next.
///
/// Cost: that of [`kernels`] for each of these networks.
///
/// # Errors
/// As [`kernels`].
pub fn kernels_by_layer<T: Real, D: RemoveAxis>(
    network: &Network,
    x1: ArrayView<'_, T, D>,
    x2: Option<ArrayView<'_, T, D>>,
    get: Get,
    observer: &dyn Observer,
) -> Result<Vec<Kernels<T>>, KernelError> {
    // All at once: what is wrong with the last layer is no surprise after the work on the first.
    let graph = network.resolve(&sample_shape(&x1)?)?;
    Program::new(&graph)?;
    (1..=network.layers.len())
        .map(|depth| {
            let mut start = network.clone();
            start.layers.truncate(depth);
            if !graph.nodes[graph.layers[depth - 1]]
                .after
                .positions()
                .is_empty()
            {
                start = start.then(flatten());
            }
            kernels(
                &start,
                x1.view(),
                x2.as_ref().map(|x2| x2.view()),
                get,
                observer,
            )
        })
        .collect()
}

/// The kernels of every sample of `x` with itself, in time proportional to their number.
///
/// # Errors
/// As [`kernels`].
pub fn diagonal<T: Real, D: RemoveAxis>(
    network: &Network,
    x: ArrayView<'_, T, D>,
) -> Result<Vectors<T>, KernelError> {
    compiled::diagonal(network, x.into_dyn())
}

/// [`diagonal`], generic.
fn compute_diagonal<T: Real>(
    network: &Network,
    x: ArrayViewD<'_, T>,
) -> Result<Vectors<T>, KernelError> {
    let shape = sample_shape(&x)?;
    let program = resolve(network, &shape)?;
    check_finite("x", &x)?;
    if shape.positions().is_empty() && !program.mixes {
        return dense::diagonal(&program, vectors(x));
    }
    spatial::diagonal(&program, x)
}

pub(crate) fn check_finite<T: Real, D: Dimension>(
    input: &'static str,
    x: &ArrayView<'_, T, D>,
) -> Result<(), KernelError> {
    first_non_finite(x).map_or(Ok(()), |(index, value)| {
        Err(KernelError::NonFinite {
            input,
            index,
            value,
        })
    })
}

fn resolve(network: &Network, shape: &Shape) -> Result<Program, KernelError> {
    let program = Program::new(&network.resolve(shape)?)?;
    match &program.end {
        end if end.positions().is_empty() => Ok(program),
        end => Err(KernelError::Positions {
            last: program.last,
            shape: end.clone(),
        }),
    }
}

/// The shape of one sample.
fn sample_shape<T, D: Dimension>(x: &ArrayView<'_, T, D>) -> Result<Shape, KernelError> {
    let shape = match x.shape() {
        [_, positions @ .., channels] if positions.len() <= 2 => Shape::new(positions, *channels),
        found => {
            return Err(KernelError::Axes {
                found: found.to_vec(),
            });
        }
    };
    if shape.size() == 0 {
        return Err(KernelError::Empty { shape });
    }
    Ok(shape)
}

fn vectors<T, D: Dimension>(x: ArrayView<'_, T, D>) -> ArrayView2<'_, T> {
    x.into_dimensionality::<Ix2>()
        .expect("the shape was checked to have two axes")
}
