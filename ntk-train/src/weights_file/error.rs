//! What can be wrong with a file of weights.

use std::fmt;
use thiserror::Error;

/// A tensor of a file, or one that is expected there; prints as `layers.0.weight [784, 512]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedShape {
    /// As in the file.
    pub name: String,
    /// Its axes.
    pub axes: Vec<usize>,
}

impl fmt::Display for NamedShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name, self.axes)
    }
}

/// A tensor whose axes are not those of the model's parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongShape {
    /// As in the file.
    pub name: String,
    /// What the model has, in the file's layout.
    pub expected: Vec<usize>,
    /// What the file has.
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

/// Why weights cannot be written, or read into a model; the model is then as before.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum WeightsError {
    /// The bytes are not in the format, or the file is not complete.
    #[error(
        "not a safetensors file ({reason}); write one by Model::to_safetensors, or in PyTorch by safetensors.torch.save_file"
    )]
    Format {
        /// What the format lacks.
        reason: String,
    },
    /// Tensors are missing from the file, or are more than the model's parameters.
    #[error(
        "the file's tensors are not the model's parameters: expected {}, found {}; a layer has a bias where its b_std is above 0",
        list(expected),
        list(found)
    )]
    Names {
        /// Parameters that the file lacks; of a PyTorch file in the order of layers all.
        expected: Vec<NamedShape>,
        /// Tensors that the model lacks; of a PyTorch file all.
        found: Vec<NamedShape>,
    },
    /// Axes differ.
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
        /// Of the tensor.
        name: String,
        /// As safetensors names it.
        found: String,
    },
    /// A number is infinite or NaN in the model's precision.
    #[error(
        "{name}: entry {place:?} is {value} in {precision}; take weights from before training diverged, or a model in f64"
    )]
    NotFinite {
        /// Of the tensor.
        name: String,
        /// Index along each axis, as in the file.
        place: Vec<usize>,
        /// The entry after conversion.
        value: f64,
        /// Of the model.
        precision: &'static str,
    },
    /// The file says that it belongs to another network.
    #[error(
        "the weights are of another network: {path} expected {expected}, found {found}; build the model from the network in the file"
    )]
    Network {
        /// Where they differ first, as `layers[2].dense.width`.
        path: String,
        /// In the model.
        expected: String,
        /// In the file.
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
        /// Parameters that it lacks.
        missing: Vec<String>,
        /// Its names that no parameter has.
        unknown: Vec<String>,
    },
    /// Weights cannot be divided by a scale of zero.
    #[error(
        "{name} is multiplied by w_std = 0 in NTK parameterisation, which no weights undo; set w_std above 0 or use the standard parameterisation"
    )]
    ZeroScale {
        /// Of the parameter.
        name: String,
    },
    /// Paths of a branch order their features differently in PyTorch.
    #[error(
        "{path}: some of its paths end in the features of a flatten and others do not, and PyTorch orders those differently; flatten after the branch"
    )]
    Merge {
        /// Of the branch.
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
