//! The errors of files of weights.

use crate::model_error::ModelError;
use std::fmt;
use thiserror::Error;

/// A `NamedShape` describes a tensor of a file, or one that is expected there; it prints as
/// `layers.0.weight [784, 512]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedShape {
    /// The name, as in the file.
    pub name: String,
    /// The lengths of the axes.
    pub axes: Vec<usize>,
}

impl fmt::Display for NamedShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name, self.axes)
    }
}

/// A `WrongShape` describes a tensor whose axes are not those of the model's parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongShape {
    /// The name, as in the file.
    pub name: String,
    /// The axes of the model's parameter, in the file's layout.
    pub expected: Vec<usize>,
    /// The axes in the file.
    pub found: Vec<usize>,
}

impl fmt::Display for WrongShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} expected {:?}, found {:?}",
            self.name, self.expected, self.found
        )
    }
}

/// A `WeightsError` says why weights cannot be written, or made a model of.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The model cannot be built.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The bytes are not in the format, or the file is not complete.
    #[error(
        "not a safetensors file ({reason}); write one by Model::to_safetensors, or in PyTorch by safetensors.torch.save_file"
    )]
    Format {
        /// The reason.
        reason: String,
    },
    /// Tensors are missing from the file, or are more than the model's parameters.
    #[error(
        "these are not the model's parameters: expected {}, found {}; a layer has a bias where its b_std is above 0",
        list(expected),
        list(found)
    )]
    Names {
        /// The parameters that the file lacks; for a PyTorch file or for arrays all of them, in the
        /// order of layers.
        expected: Vec<NamedShape>,
        /// The tensors that the model lacks; for a PyTorch file or for arrays all of them.
        found: Vec<NamedShape>,
    },
    /// The axes of tensors differ from those of the parameters.
    #[error(
        "shapes do not fit the model: {}; change the widths of its layers or the shape of its inputs",
        list(.0)
    )]
    Shapes(Vec<WrongShape>),
    /// A tensor holds no floating-point numbers.
    #[error(
        "{name} has elements of type {found}, expected F64, F32, F16 or BF16; convert it before it is saved"
    )]
    ElementType {
        /// The name of the tensor.
        name: String,
        /// The type, as safetensors names it.
        found: String,
    },
    /// A number is infinite or NaN in the model's precision.
    #[error(
        "{name}: entry {place:?} is {value} in {precision}; take weights from before training diverged, or a model in f64"
    )]
    NotFinite {
        /// The name of the tensor.
        name: String,
        /// The index along each axis, as in the file.
        place: Vec<usize>,
        /// The entry after conversion.
        value: f64,
        /// The model's precision.
        precision: &'static str,
    },
    /// The file says that it belongs to another network.
    #[error(
        "the weights are of another network: {path} expected {expected}, found {found}; build the model from the network in the file"
    )]
    Network {
        /// The place where they differ first, as `layers[2].dense.width`.
        path: String,
        /// The value in the model.
        expected: String,
        /// The value in the file.
        found: String,
    },
    /// The names of a PyTorch file do not say which layer is first.
    #[error(
        "expected names of an nn.Sequential, as 0.weight and 2.weight, found {}; give a map from the model's names to these",
        list(found)
    )]
    Order {
        /// All tensors of the file.
        found: Vec<NamedShape>,
    },
    /// A map of names does not name the model's parameters.
    #[error(
        "the map of names must hold every parameter of the model: expected also {}, found also {}",
        list(missing),
        list(unknown)
    )]
    NameMap {
        /// The parameters that it lacks.
        missing: Vec<String>,
        /// The names in it that no parameter has.
        unknown: Vec<String>,
    },
    /// Weights cannot be divided by a scale of zero.
    #[error(
        "{name} is multiplied by w_std = 0 in NTK parameterisation, which no weights undo; set w_std above 0 or use the standard parameterisation"
    )]
    ZeroScale {
        /// The name of the parameter.
        name: String,
    },
    /// Paths of a branch order their features differently in PyTorch.
    #[error(
        "{path}: some of its paths end in the features of a flatten and others do not, and PyTorch orders those differently; flatten after the branch"
    )]
    Merge {
        /// The place of the branch.
        path: String,
    },
}

fn list(items: &[impl fmt::Display]) -> String {
    match items {
        [] => "none".into(),
        items => {
            let items: Vec<_> = items.iter().map(ToString::to_string).collect();
            items.join(", ")
        }
    }
}
