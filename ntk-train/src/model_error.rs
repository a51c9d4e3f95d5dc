//! What can go wrong with a model.

use ntk_kernels::network::{NetworkError, Shape};
use ntk_linalg::observer::Cancelled;
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
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

fn list(axes: &[usize]) -> String {
    let axes: Vec<_> = axes.iter().map(ToString::to_string).collect();
    axes.join(", ")
}
