//! The errors of files of weights.

use crate::model_error::ModelError;
use ntk_kernels::text::{escaped, listed};
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
        write!(f, "{} {:?}", escaped(&self.name), self.axes)
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
            escaped(&self.name),
            self.expected,
            self.found
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
        "not a safetensors file ({}); write one by Model::to_safetensors, or in PyTorch by safetensors.torch.save_file",
        escaped(reason)
    )]
    Format {
        /// The reason.
        reason: String,
    },
    /// A layer is not the same function, or has not the same tangent kernel, in the library that wrote
    /// the file.
    #[error(
        "{path}: {reason}; where the layers are the same all the same, put the weights into a model's parameters by Model::set_parameters"
    )]
    Layer {
        /// The path of the layer.
        path: String,
        /// The reason, in a sentence.
        reason: String,
    },
    /// Tensors are missing from the file, or are more than the model's parameters.
    #[error(
        "these are not the model's parameters: expected {}, found {}; {}",
        listed(expected),
        listed(found),
        cause(expected, found)
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
        listed(.0)
    )]
    Shapes(Vec<WrongShape>),
    /// A tensor holds no floating-point numbers.
    #[error(
        "{} has elements of type {found}, expected F64, F32, F16 or BF16; convert it before it is saved",
        escaped(name)
    )]
    ElementType {
        /// The name of the tensor.
        name: String,
        /// The type, as safetensors names it.
        found: String,
    },
    /// A number is infinite or NaN in the model's precision.
    #[error(
        "{}: entry {place:?} is {value} in {precision}; take weights from before training diverged, or a model in f64",
        escaped(name)
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
        "the weights are of another network: {} expected {}, found {}; build the model from the network in the file",
        escaped(path),
        escaped(expected),
        escaped(found)
    )]
    Network {
        /// The place where they differ first, as `layers[2].dense.width`.
        path: String,
        /// The value in the model.
        expected: String,
        /// The value in the file.
        found: String,
    },
    /// The names in a file of another library do not say which layer is first.
    #[error(
        "expected names of {expected}, found {}; give a map from the model's names to these",
        listed(found)
    )]
    Order {
        /// The names that are understood.
        expected: &'static str,
        /// All tensors of the file.
        found: Vec<NamedShape>,
    },
    /// Two parameters are to be read from one tensor.
    #[error(
        "{} all name the tensor {}: layers that share their weights have another tangent kernel than layers of their own, and there are no such layers here; give each parameter a tensor of its own",
        listed(parameters),
        escaped(tensor)
    )]
    Shared {
        /// The name of the tensor.
        tensor: String,
        /// The parameters that name it.
        parameters: Vec<String>,
    },
    /// The network is not in the parameterisation of the library whose weights are read.
    #[error(
        "layers of {library} multiply by the weights that they store, which is the standard parameterisation, and the network is in NTK parameterisation: its kernel would not be the model's; set \"parameterization\": \"standard\" (Parameterization::Standard)"
    )]
    Parameterization {
        /// The library whose weights are read.
        library: &'static str,
    },
    /// A map of names does not name the model's parameters.
    #[error("{}", of_map(missing, unknown))]
    NameMap {
        /// The parameters that it lacks.
        missing: Vec<String>,
        /// The names in it that no parameter has.
        unknown: Vec<String>,
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

/// Says what is wrong with a map of names.
fn of_map(missing: &[String], unknown: &[String]) -> String {
    let escape = |names: &[String]| names.iter().map(|name| escaped(name)).collect::<Vec<_>>();
    let mut faults = Vec::new();
    if !unknown.is_empty() {
        let (names, are) = (listed(&escape(unknown)), verb(unknown.len()));
        faults.push(format!(
            "{names} {are} no parameter of the network, leave it out of the map of names"
        ));
    }
    if !missing.is_empty() {
        let (names, are) = (listed(&escape(missing)), verb(missing.len()));
        faults.push(format!("{names} {are} not in the map of names, add it"));
    }
    faults.join("; ")
}

fn verb(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// Says what may be the cause of names that do not fit.
fn cause(expected: &[NamedShape], found: &[NamedShape]) -> String {
    let statistics = found.iter().find(|tensor| is_statistic(&tensor.name));
    if let Some(tensor) = statistics {
        return format!(
            "{} is of a batch normalisation, which networks here do not have",
            escaped(&tensor.name)
        );
    }
    let biases = |all: &[NamedShape]| {
        let names = all.iter().map(|tensor| leaf(&tensor.name));
        names.filter(|leaf| *leaf == "bias").count()
    };
    match biases(expected) == biases(found) {
        true => "give each layer that has weights its tensors, and no others".into(),
        false => {
            "a layer has a bias where its b_std is given: 0 for one that starts at zero".into()
        }
    }
}

/// Returns what a tensor is in its layer: the last part of its name, `weight` or `bias`.
pub(super) fn leaf(name: &str) -> &str {
    let name = name.strip_suffix(":0").unwrap_or(name);
    name.rsplit(['.', '/']).next().unwrap_or(name)
}

/// Returns the name of the layer that a tensor belongs to: all before its last part.
pub(super) fn module(name: &str) -> &str {
    name.rfind(['.', '/']).map_or("", |end| &name[..end])
}

/// Says whether a tensor is one of the statistics of a batch normalisation.
pub(super) fn is_statistic(name: &str) -> bool {
    [
        "running_mean",
        "running_var",
        "num_batches_tracked",
        "moving_mean",
        "moving_variance",
    ]
    .contains(&leaf(name))
        || name.split(['.', '/']).any(|part| part == "batch_stats")
}
