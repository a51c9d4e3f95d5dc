//! What can go wrong with a model.

use ntk_kernels::network::{NetworkError, Shape};
use thiserror::Error;

/// Why a model cannot be built or evaluated.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ModelError {
    /// A layer's options are out of range.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A layer that has no finite form here.
    #[error("{path}.{layer}: {reason}")]
    Layer {
        /// Where, as `layers[i]`.
        path: String,
        /// The layer's name.
        layer: String,
        /// Why, in a sentence.
        reason: String,
    },
    /// The network ends with positions, where outputs must be vectors.
    #[error("the network's output has shape {shape}; end it with flatten or a global pool")]
    Positions {
        /// Of one output.
        shape: Shape,
    },
    /// Samples without a single number.
    #[error("samples of shape {shape} hold no numbers; give every axis at least one entry")]
    Empty {
        /// Of one sample.
        shape: Shape,
    },
    /// The inputs have another shape than the model was built for.
    #[error(
        "the model takes inputs of shape (n, {}), found {found:?}; reshape them, or build the model for their shape",
        list(expected)
    )]
    Input {
        /// Axes of one sample.
        expected: Vec<usize>,
        /// Axes found, samples first.
        found: Vec<usize>,
    },
    /// Targets do not match the outputs.
    #[error(
        "the model's outputs have shape {expected:?}, the targets {found:?}; both must be (samples, outputs)"
    )]
    Targets {
        /// Shape of the outputs.
        expected: (usize, usize),
        /// Shape of the targets.
        found: (usize, usize),
    },
    /// Parameters, or directions of them, do not match the model's.
    #[error(
        "parameter {name} has shape {expected:?}, found {found:?}; give an array for each parameter, in the model's order"
    )]
    Parameter {
        /// Name of the parameter.
        name: String,
        /// As a matrix.
        expected: (usize, usize),
        /// Found; (0, 0) where it is missing.
        found: (usize, usize),
    },
}

fn list(axes: &[usize]) -> String {
    let axes: Vec<_> = axes.iter().map(ToString::to_string).collect();
    axes.join(", ")
}
