//! What can go wrong with a model.

use ntk_kernels::StructureError;
use ntk_kernels::network::{NetworkError, Shape};
use ntk_linalg::Real;
use ntk_linalg::observer::Cancelled;
use ntk_linalg::tiled::TilingError;
use thiserror::Error;

/// A `ModelError` says why a model cannot be built or evaluated.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A layer's options are out of range.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A layer has no finite form.
    #[error("{path}.{layer}: {reason}")]
    Layer {
        /// The layer's place, as `layers[i]`.
        path: String,
        /// The layer's name.
        layer: String,
        /// The reason, in a sentence.
        reason: String,
    },
    /// The network ends with positions, where outputs must be vectors.
    #[error("the network's output has shape {shape}; end it with flatten or a global pool")]
    Positions {
        /// The shape of one output.
        shape: Shape,
    },
    /// Samples hold no numbers.
    #[error("samples of shape {shape} hold no numbers; give every axis at least one entry")]
    Empty {
        /// The shape of one sample.
        shape: Shape,
    },
    /// Samples or parameters hold more numbers than memory does.
    #[error(
        "the network for samples of shape {shape} needs more memory than there is; make its layers narrower, or the samples smaller"
    )]
    TooLarge {
        /// The shape of one sample.
        shape: Shape,
    },
    /// What is to be computed of so many samples needs more memory than there is.
    #[error(
        "the result takes {:.1} GB of memory while it is computed, more than there is; use f32, fewer samples or threads, or a network with fewer outputs",
        *bytes as f64 / 1e9
    )]
    Memory {
        /// The bytes that it takes.
        bytes: u64,
    },
    /// A result is beyond the numbers of its element type.
    #[error(
        "{what} is {value}: beyond {precision} from {place} on; {}",
        remedy(precision)
    )]
    NotFinite {
        /// The result, such as `the empirical ntk of x1[3] with x1[0]`.
        what: String,
        /// The value, NaN or infinite.
        value: f64,
        /// The first layer whose output is not finite, such as `layers[3].dense`, or what else is
        /// not.
        place: String,
        /// The element type, `"f32"` or `"f64"`.
        precision: &'static str,
    },
    /// The inputs have another shape than the model was built for.
    #[error(
        "the model takes inputs of shape (n, {}), found {found:?}; reshape them, or build the model for their shape",
        list(expected)
    )]
    Input {
        /// The axes of one sample.
        expected: Vec<usize>,
        /// The axes found, samples first.
        found: Vec<usize>,
    },
    /// Masks or graphs do not fit the samples or the network.
    #[error(transparent)]
    Structure(#[from] StructureError),
    /// An input of an embedding is no token id.
    #[error(
        "x{index:?} is {value}, and the network's embedding takes the token ids 0 to {}; give whole numbers, or a larger vocabulary",
        vocabulary - 1
    )]
    Token {
        /// The index of the first such entry.
        index: Vec<usize>,
        /// The value of the entry.
        value: f64,
        /// The number of tokens.
        vocabulary: usize,
    },
    /// Targets, or the like of them, do not match the outputs.
    #[error(
        "the model's outputs have shape {expected:?}, the targets {found:?}; both must be (samples, outputs)"
    )]
    Targets {
        /// The shape of the outputs.
        expected: (usize, usize),
        /// The shape of the targets.
        found: (usize, usize),
    },
    /// Parameters, or directions of them, do not match the model's.
    #[error(
        "parameter {name} has shape {expected:?}, found {found:?}; give an array for each parameter, in the model's order"
    )]
    Parameter {
        /// The name of the parameter.
        name: String,
        /// The shape of the parameter as a matrix.
        expected: (usize, usize),
        /// The shape found; (0, 0) where it is missing.
        found: (usize, usize),
    },
    /// There is no such tile of a kernel, or tiles of this size are none.
    #[error(transparent)]
    Tiling(#[from] TilingError),
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

fn remedy(precision: &str) -> &'static str {
    match precision == <f32 as Real>::NAME {
        true => "compute in f64, scale the samples or the weights down, or look for NaN among them",
        false => "scale the samples or the weights down, or look for NaN among them",
    }
}

fn list(axes: &[usize]) -> String {
    let axes: Vec<_> = axes.iter().map(ToString::to_string).collect();
    axes.join(", ")
}
