//! Computes the infinite-width kernels of a [`Network`].
//!
//! With `K`, `D` of [`crate::dual`], `A` the mean over a filter (the identity for dense layers),
//! and `p` and `p'` positions of the first and second sample, layers do this:
//!
//! | layer | NNGP | NTK |
//! |---|---|---|
//! | dense, conv, NTK parameterisation | `w_std^2 A(nngp) + b_std^2` | `nngp' + w_std^2 A(ntk)` |
//! | dense, conv, standard | `w_std^2 A(nngp) + b_std^2` | `fan_in A(nngp) + w_std^2 A(ntk)` (+ 1 with a bias, also where its `b_std` is 0) |
//! | activation | `K(nngp)` | `D(nngp) ntk` |
//! | pool | sum or mean over both windows, of `p` and of `p'` | the same |
//! | global pool, flatten | mean or sum over all `p`, `p'`; mean over `p = p'` | the same |
//! | layer_norm | divided by both standard deviations, `eps` added to the variances | the same |
//! | its scale and shift, before weights | the same | `nngp + 1` more |
//! | its scale and shift, before an activation | the same | `E[u f'(u) v f'(v)] + D(nngp)` more |
//! | dropout | `p = p'` of a sample with itself divided by `keep` | the same |
//! | branch | sum of the paths'; product | sum; product rule |
//! | concatenation of channels; of positions | mean by the paths' shares; blocks, 0 between the paths | the same |
//! | conv with groups | that of one group | the same, by the fan-in of a group |
//! | conv_transpose | as conv, over all taps, also those that meet no input | the same |
//! | conv_local | as conv where `p = p'`, else 0, the bias included | the same |
//! | position_map, resize, slice, index, scale | `M nngp M^T` | `M ntk M^T` |
//! | aggregate | `A1^T nngp A2` | `A1^T ntk A2` |
//! | attention, linear scaling | `v G1 nngp G2^T + b_std^2` | `v G1 (2 nngp + ntk) G2^T + b_std^2` |
//! | attention, square-root scaling | `v sum_rs K(Q) nngp[r, s] + b_std^2` | with `D(Q)` too, for keys and queries |
//! | recurrent | `K(S)`, `S[p, p'] = u_std^2 nngp + b_std^2 + w_std^2 K(S)[p-1, p'-1]` | likewise, by `D(S)` |
//! | embedding | `w_std^2` where tokens are the same, else 0 | the same; 1 in place of `w_std^2` in the standard parameterisation |
//!
//! (Jacot et al. 2018, arXiv:1806.07572, theorem 1; Novak et al. 2019, arXiv:1810.05148, and
//! Arora et al. 2019, arXiv:1904.11955, section 4, for convolutions; Sohl-Dickstein et al. 2020,
//! arXiv:2001.07301, section 4, for the standard parameterisation; Hron et al. 2020,
//! arXiv:2006.10540, for attention; Du et al. 2019, arXiv:1905.13192, for graphs; Alemohammad et al.
//! 2020, arXiv:2006.10246, theorem 1, for recurrence.) In attention `G` is the mechanism of the
//! logits' mean `k K`, `Q[p, p', r, s] = k^2 nngp[p, p'] nngp[r, s]` their covariance, k the product
//! of the keys' and queries' standard deviations, and v that of values and output, squared. The input
//! kernel is `x . x' / d`, its NTK zero. Kernels with a masked position are 0. Layers are refused where these formulas do not hold: an
//! activation where its input is not Gaussian, a sum of paths that depend on each other.

mod compiled;
mod dense;
mod elementwise;
mod finite;
mod gradient;
mod kernel_fn;
pub(crate) mod memory;
mod program;
mod spatial;

pub use gradient::{GradientError, KernelGradients};
pub use kernel_fn::{In, KernelFn, Native, Precision};

use crate::gram::{GramError, first_non_finite};
use crate::network::{AXES, Network, NetworkError, Shape};
use crate::structure::{Structure, StructureError};
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
        "inputs must have shape (n, features), (n, length, channels), (n, height, width, channels) or (n, depth, height, width, channels), found {found:?}; reshape them"
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
    /// Masks or graphs do not fit the samples or the network.
    #[error(transparent)]
    Structure(#[from] StructureError),
    /// An input of an embedding is no token id.
    #[error(
        "{input}{index:?} is {value}, and the network's embedding takes the token ids 0 to {}; give whole numbers, or a larger vocabulary",
        vocabulary - 1
    )]
    Token {
        /// The input: `x1`, `x2`, or `x` where there is only one.
        input: &'static str,
        /// The index of the first such entry.
        index: Vec<usize>,
        /// The value of the entry.
        value: f64,
        /// The number of tokens.
        vocabulary: usize,
    },
    /// A kernel is beyond the numbers of its element type.
    #[error(
        "the {kernel} of {one} with {other} is {value}: beyond {precision} from {layer} on; {}",
        remedy(precision)
    )]
    NotFinite {
        /// The kernel.
        kernel: Kernel,
        /// The sample of the row, such as `x1[7]`.
        one: Box<str>,
        /// The sample of the column.
        other: Box<str>,
        /// The value of the entry, the first that is NaN or infinite.
        value: f64,
        /// The path and name of the first layer after which the kernel of these samples is not
        /// finite, such as `layers[3].dense`.
        layer: Box<str>,
        /// The element type, `"f32"` or `"f64"`.
        precision: &'static str,
    },
    /// The kernel needs more memory than there is.
    #[error(
        "the kernel takes {:.1} GB of memory while it is computed, more than there is; use f32, fewer threads, fewer samples or smaller ones, or a larger stride before the pool",
        gigabytes(*bytes)
    )]
    Memory {
        /// The bytes that it takes.
        bytes: u64,
    },
    /// The observer stopped the work, or a product failed.
    #[error(transparent)]
    Gram(#[from] GramError),
}

#[allow(clippy::cast_precision_loss, reason = "a number to be read")]
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

/// Says what to change. What is not finite may be too large, or a zero that an earlier layer rounded
/// to, times an infinity.
fn remedy(precision: &str) -> &'static str {
    match precision == <f32 as Real>::NAME {
        true => {
            "compute in f64, or bring the samples, and w_std and b_std up to there, nearer to 1"
        }
        false => "bring the samples, and w_std and b_std up to there, nearer to 1",
    }
}

/// One input: samples, and what belongs to them beside their numbers.
struct Input<'a, T> {
    x: ArrayViewD<'a, T>,
    structure: &'a Structure,
}

impl<T> Input<'_, T> {
    fn view(&self) -> Input<'_, T> {
        let (x, structure) = (self.x.view(), self.structure);
        Input { x, structure }
    }

    fn samples(&self) -> usize {
        // Before its axes are checked it may have none.
        self.x.shape().first().copied().unwrap_or(0)
    }

    fn masked(&self) -> bool {
        self.structure.masked().is_some()
    }
}

/// Both inputs; no second one means that the first is taken with itself.
struct Inputs<'a, T>(Input<'a, T>, Option<Input<'a, T>>);

impl<T> Inputs<'_, T> {
    fn view(&self) -> Inputs<'_, T> {
        Inputs(self.0.view(), self.1.as_ref().map(Input::view))
    }
}

/// Computes the kernels of both inputs; refuses those that are not finite.
fn compute<T: Real>(
    network: &Network,
    inputs: Inputs<'_, T>,
    wanted: Wanted,
    observer: &dyn Observer,
    tile: usize,
) -> Result<Matrices<T>, KernelError> {
    let matrices = compute_unchecked(network, inputs.view(), wanted, observer, tile)?;
    finite::check_matrices(network, &inputs, &matrices)?;
    Ok(matrices)
}

/// Computes kernels, which may overflow.
fn compute_unchecked<T: Real>(
    network: &Network,
    inputs: Inputs<'_, T>,
    wanted: Wanted,
    observer: &dyn Observer,
    tile: usize,
) -> Result<Matrices<T>, KernelError> {
    let (program, shape) = program_of(network, &inputs)?;
    let Inputs(one, two) = &inputs;
    let samples = [Some(one), two.as_ref()].map(|input| input.map(Input::samples));
    let masked = one.masked() || two.as_ref().is_some_and(Input::masked);
    memory::check(memory::needed::<T>(
        &program, &shape, masked, wanted, samples,
    ))?;
    check_inputs(&inputs, &program, &shape)?;
    let Inputs(one, two) = inputs;
    if program.on_vectors(&shape) {
        return dense::kernels(
            &program,
            vectors(one.x),
            two.map(|two| vectors(two.x)),
            wanted,
            tile,
            observer,
        );
    }
    spatial::kernels(&program, one, two, wanted, observer)
}

/// Resolves the network for the samples of both inputs; refuses them where it has no kernel.
fn program_of<T>(
    network: &Network,
    Inputs(one, two): &Inputs<'_, T>,
) -> Result<(Program, Shape), KernelError> {
    let x1 = sample_shape(&one.x)?;
    let x2 = two.as_ref().map(|two| sample_shape(&two.x)).transpose()?;
    match x2 {
        Some(x2) if x2 != x1 => Err(KernelError::Shapes { x1, x2 }),
        _ => Ok((resolve(network, &x1)?, x1)),
    }
}

/// Checks both inputs with [`check_input`].
fn check_inputs<T: Real>(
    Inputs(one, two): &Inputs<'_, T>,
    program: &Program,
    shape: &Shape,
) -> Result<(), KernelError> {
    check_input("x1", one, program, shape)?;
    match two {
        Some(two) => check_input("x2", two, program, shape),
        None => Ok(()),
    }
}

/// Computes the kernels of every sample of an input with itself.
fn compute_diagonal<T: Real>(
    network: &Network,
    input: Input<'_, T>,
) -> Result<Diagonal<T>, KernelError> {
    let shape = sample_shape(&input.x)?;
    let program = resolve(network, &shape)?;
    let (n, masked) = (input.samples(), input.masked());
    memory::check(memory::of_diagonal::<T>(&program, &shape, masked, n))?;
    check_input("x", &input, &program, &shape)?;
    let diagonal = match program.on_vectors(&shape) {
        true => dense::diagonal(&program, vectors(input.x.view()))?,
        false => spatial::diagonal(&program, input.view())?,
    };
    finite::check_diagonal(network, &input, &diagonal)?;
    Ok(diagonal)
}

/// Refuses an input with numbers that are not finite or no token ids, or with masks or graphs of other
/// samples.
fn check_input<T: Real>(
    name: &'static str,
    input: &Input<'_, T>,
    program: &Program,
    shape: &Shape,
) -> Result<(), KernelError> {
    let nodes = program.nodes.as_deref();
    let (n, positions) = (input.samples(), shape.positions());
    input.structure.check(name, n, positions, nodes)?;
    check_finite(name, &input.x)?;
    let Some(vocabulary) = program.tokens else {
        return Ok(());
    };
    let limit = vocabulary as f64;
    let token = |v: f64| v >= 0.0 && v < limit && v.fract() == 0.0;
    let mut all = input.x.indexed_iter();
    match all.find(|(_, value)| !token(Real::to_f64(**value))) {
        None => Ok(()),
        Some((index, value)) => Err(KernelError::Token {
            input: name,
            // Ids have no channels.
            index: index.slice()[..index.ndim() - 1].to_vec(),
            value: Real::to_f64(*value),
            vocabulary,
        }),
    }
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
    memory::check_positions(&program)?;
    match &program.end {
        end if end.positions().is_empty() => Ok(program),
        end => Err(KernelError::Positions {
            last: program.last,
            shape: end.clone(),
        }),
    }
}

/// Refuses networks without a kernel for samples of a shape.
pub(crate) fn check_network(network: &Network, shape: &Shape) -> Result<(), KernelError> {
    resolve(network, shape).map(|_| ())
}

/// Returns the shape of one sample.
pub(crate) fn sample_shape<T, D: Dimension>(x: &ArrayView<'_, T, D>) -> Result<Shape, KernelError> {
    let shape = match x.shape() {
        [_, positions @ .., channels] if positions.len() <= AXES => {
            Shape::new(positions, *channels)
        }
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
