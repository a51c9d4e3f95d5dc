//! Computes the infinite-width kernels of a [`Network`].
//!
//! With `K`, `D` of [`crate::dual`], `A` the mean over a filter (the identity for dense layers),
//! and `p` and `p'` positions of the first and second sample, layers do this:
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
mod kernel_fn;
mod program;
mod spatial;

pub use kernel_fn::{In, KernelFn, Native, Precision};

use crate::gram::{GramError, first_non_finite};
use crate::network::{Network, NetworkError, Shape};
use ndarray::{Array1, Array2, ArrayView, ArrayView2, ArrayViewD, Dimension, Ix2};
use ntk_linalg::{Real, observer::Observer};
use program::Program;
use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// A `Kernel` is one of a network's two kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kernel {
    /// The Gaussian-process kernel: the covariance of the outputs at initialisation.
    Nngp,
    /// The neural tangent kernel: the inner product of the outputs' gradients by all parameters.
    Ntk,
}

impl Kernel {
    /// Returns the kernel's name, `"nngp"` or `"ntk"`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nngp => "nngp",
            Self::Ntk => "ntk",
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `Kernels` holds both kernel matrices of the same samples, each of shape `(n1, n2)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernels<T> {
    /// The covariance of the outputs at initialisation.
    pub nngp: Array2<T>,
    /// The inner products of the outputs' gradients.
    pub ntk: Array2<T>,
}

/// A `Diagonal` holds the kernels of each sample with itself, `n` numbers each.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagonal<T> {
    /// The variance of the output at initialisation.
    pub nngp: Array1<T>,
    /// The squared norm of the output's gradient.
    pub ntk: Array1<T>,
}

/// Says what is to be computed; a kernel that is not wanted costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    One(Kernel),
    Both,
}

impl Wanted {
    fn has(self, kernel: Kernel) -> bool {
        matches!(self, Self::Both) || self == Self::One(kernel)
    }
}

/// Holds the matrices that were wanted; the other is `None`.
struct Matrices<T> {
    nngp: Option<Array2<T>>,
    ntk: Option<Array2<T>>,
}

/// A `KernelError` says why a network has no kernel for these inputs.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum KernelError {
    /// A layer's options are out of range, or do not fit the layers before it.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A layer has no kernel in closed form where it stands.
    #[error("{path}.{name}: {reason}")]
    NoClosedForm {
        /// The path of the layer, such as `layers[3]`.
        path: String,
        /// The name of the layer.
        name: String,
        /// The reason, and what to do.
        reason: String,
    },
    /// An activation has no kernel at the variance that a sample has there.
    #[error("{path}, for {input}: {reason}")]
    Domain {
        /// The path and name of the layer, such as `layers[3].exp`.
        path: String,
        /// The sample, such as `x1[7]`.
        input: String,
        /// The reason, and what to do.
        reason: String,
    },
    /// The output still has positions.
    #[error("{last} leaves each sample an output of shape {shape}; add flatten or a global pool")]
    Positions {
        /// The path and name of the last layer.
        last: String,
        /// The shape of the output.
        shape: Shape,
    },
    /// Inputs have an unusable number of axes.
    #[error(
        "inputs must have shape (n, features), (n, length, channels) or (n, height, width, channels), found {found:?}; reshape them"
    )]
    Axes {
        /// The shape of the input.
        found: Vec<usize>,
    },
    /// The two inputs' samples differ in shape.
    #[error("x1 has samples of shape {x1} and x2 of shape {x2}; both must have the same")]
    Shapes {
        /// The shape of a sample of `x1`.
        x1: Shape,
        /// The shape of a sample of `x2`.
        x2: Shape,
    },
    /// Samples without numbers have no input kernel `x . x' / d`.
    #[error("samples of shape {shape} are empty; give every axis at least one entry")]
    Empty {
        /// The shape of a sample.
        shape: Shape,
    },
    /// An input is NaN or infinite.
    #[error("{input}{index:?} is {value}; remove or replace non-finite inputs first")]
    NonFinite {
        /// The input: `x1`, `x2`, or `x` where there is only one.
        input: &'static str,
        /// The index of the first such entry.
        index: Vec<usize>,
        /// The value of the entry.
        value: f64,
    },
    /// The observer stopped the work, or a product failed.
    #[error(transparent)]
    Gram(#[from] GramError),
}

/// Computes the kernels of `x1` against `x2`, or against itself where `x2` is `None`.
fn compute<T: Real>(
    network: &Network,
    (x1, x2): (ArrayViewD<'_, T>, Option<ArrayViewD<'_, T>>),
    wanted: Wanted,
    observer: &dyn Observer,
    tile: usize,
) -> Result<Matrices<T>, KernelError> {
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
        return dense::kernels(
            &program,
            vectors(x1),
            x2.map(vectors),
            wanted,
            tile,
            observer,
        );
    }
    spatial::kernels(&program, x1, x2, wanted, observer)
}

/// Bounds the bytes that [`compute`] holds beside its result.
fn working_bytes<T: Real>(
    network: &Network,
    shape: &Shape,
    samples: usize,
    tile: usize,
    threads: usize,
) -> Result<usize, KernelError> {
    let program = resolve(network, shape)?;
    if shape.positions().is_empty() && !program.mixes {
        return Ok(dense::working_bytes::<T>(&program, samples, tile, threads));
    }
    let numbers = shape.size();
    Ok(spatial::working_bytes::<T>(
        &program, numbers, samples, threads,
    ))
}

/// Computes the kernels of every sample of `x` with itself.
fn compute_diagonal<T: Real>(
    network: &Network,
    x: ArrayViewD<'_, T>,
) -> Result<Diagonal<T>, KernelError> {
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

/// Returns the shape of one sample.
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
