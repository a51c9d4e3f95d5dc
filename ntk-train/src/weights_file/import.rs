//! Models from the weights of other libraries, and what was not read of them.

use super::error::{is_statistic, module};
use super::keras::in_order as keras_order;
use super::layout::FileLayout;
use super::pytorch::{in_order as pytorch_order, paddings};
use super::tensors::Tensors;
use super::torch_layouts;
use super::{NamedShape, ParameterSource, WeightsError, check_shapes};
use crate::compiled::Scalar;
use crate::model::Model;
use ntk_kernels::Network;
use ntk_kernels::network::{Action, Graph, Layer, Node, Order, Parameterization, Shape, Weights};
use ntk_kernels::text::escaped;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// An `Import` reads the weights that another library wrote, for a network in the standard
/// parameterisation, which is that of their layers.
///
/// ```
/// use ntk_kernels::network::{Network, Parameterization, dense};
/// use ntk_train::Import;
///
/// let network = Network::new()
///     .then(dense().width(2).b_std(0.0))
///     .parameterization(Parameterization::Standard);
/// let read = Import::keras(&network, 3).read::<f64>(b"no safetensors file");
/// assert!(read.is_err());
/// ```
#[derive(Debug, Clone)]
pub struct Import<'a> {
    network: &'a Network,
    input: Shape,
    library: Library,
    names: Option<&'a BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Library {
    PyTorch,
    Keras,
}

impl Library {
    fn name(self) -> &'static str {
        match self {
            Self::PyTorch => "PyTorch",
            Self::Keras => "Keras, flax and jax.stax",
        }
    }
}

/// An `Imported` is a model, and what its file held besides.
#[derive(Debug, Clone)]
#[must_use]
pub struct Imported<T: Scalar> {
    /// The model with the file's weights.
    pub model: Model<T>,
    /// The tensors of the file that no parameter was read from, by name.
    pub unused: Vec<UnusedTensor>,
    /// The layers whose padding is perhaps not that of the layer in PyTorch.
    pub paddings: Vec<PaddingDifference>,
}

/// An `UnusedTensor` is a tensor that no parameter was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedTensor {
    /// The tensor.
    pub tensor: NamedShape,
    /// Whether it belongs to a batch normalisation, so that the model computes something else than
    /// the network.
    pub batch_norm: bool,
}

/// Writes name, axes and, in brackets, that it is of a batch normalisation.
impl fmt::Display for UnusedTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.tensor)?;
        match self.batch_norm {
            true => f.write_str(" (of a batch normalisation)"),
            false => Ok(()),
        }
    }
}

/// A `PaddingDifference` describes a layer with padding by name and strides above 1, where a number
/// in PyTorch gives as many outputs of other windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaddingDifference {
    /// The layer, such as `layers[0].conv`.
    pub layer: String,
    /// The name of its padding, `same` or `circular`.
    pub padding: String,
    /// The positions padded before and after, along each axis.
    pub amounts: Vec<[usize; 2]>,
    /// PyTorch's padding that gives as many outputs, along each axis.
    pub numbers: Vec<usize>,
}

/// Writes a sentence with both paddings.
impl fmt::Display for PaddingDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            layer,
            padding,
            amounts,
            numbers,
        } = self;
        write!(
            f,
            "{layer}: \"{padding}\" pads {amounts:?} (before, after), and padding={numbers:?} of PyTorch both ends by that, which gives other outputs, as many; write \"padding\": "
        )?;
        match &padding[..] {
            "circular" => write!(f, "{{\"circular\": {numbers:?}}} if it is that"),
            _ => write!(f, "{numbers:?} if it is that"),
        }
    }
}

impl<'a> Import<'a> {
    /// Reads PyTorch's weights for samples of shape `input`: `Linear` (out, in), `Conv2d` (out, in,
    /// height, width), and features of a flatten with the channels first; see
    /// [`Model::from_pytorch`].
    pub fn pytorch(network: &'a Network, input: impl Into<Shape>) -> Self {
        Self::of(network, input.into(), Library::PyTorch)
    }

    /// Reads weights in the layout of Keras, flax and `jax.stax` for samples of shape `input`:
    /// `Dense` (in, out), `Conv` (height, width, in, out), called `kernel` and `bias`.
    ///
    /// Layers are in the order of the numbers in their names: `Dense_0` and `Dense_1` of flax,
    /// `dense` and `dense_1` of Keras, `layers_0` and `layers_2`, each kind of layer by itself where
    /// kinds have different names; or all tensors are numbered, `0`, `1`, ..., as
    /// `model.get_weights()` returns them. Other names need [`Import::names`].
    pub fn keras(network: &'a Network, input: impl Into<Shape>) -> Self {
        Self::of(network, input.into(), Library::Keras)
    }

    fn of(network: &'a Network, input: Shape, library: Library) -> Self {
        Self {
            network,
            input,
            library,
            names: None,
        }
    }

    /// Sets a map from [`Model::parameter_names`] to the file's names, in place of their order.
    /// Tensors that it does not name are not used, and are told in [`Imported::unused`].
    #[must_use]
    pub fn names(mut self, names: &'a BTreeMap<String, String>) -> Self {
        self.names = Some(names);
        self
    }

    /// Checks that names and shapes fit, without reading a number.
    ///
    /// # Errors
    /// Fails as [`Import::read`] does, but for numbers that are not finite.
    pub fn check(&self, bytes: &[u8]) -> Result<(), WeightsError> {
        let resolved = self.network.resolve(&self.input);
        let graph = resolved.map_err(|e| WeightsError::Model(e.into()))?;
        let tensors = Tensors::read(bytes)?;
        check_shapes(&self.sources(&graph, &tensors)?, &tensors)
    }

    /// Makes the model with the weights of a safetensors file.
    ///
    /// # Errors
    /// [`WeightsError`]: those of [`Model::new`], [`WeightsError::Parameterization`] for a network
    /// in NTK parameterisation, and names and shapes as expected and found, shapes as the library
    /// has them.
    pub fn read<T: Scalar>(&self, bytes: &[u8]) -> Result<Imported<T>, WeightsError> {
        T::import(self, bytes)
    }

    /// Returns where each parameter is read from.
    fn sources(
        &self,
        graph: &Graph,
        tensors: &Tensors<'_>,
    ) -> Result<Vec<ParameterSource>, WeightsError> {
        let library = self.library.name();
        if self.network.parameterization == Parameterization::Ntk {
            return Err(WeightsError::Parameterization { library });
        }
        let mut sources = self.layouts(graph)?;
        let names = match (self.names, self.library) {
            (Some(names), _) => mapped(&sources, names)?,
            (None, Library::PyTorch) => pytorch_order(&sources, tensors)?,
            (None, Library::Keras) => keras_order(&sources, tensors)?,
        };
        for (source, name) in sources.iter_mut().zip(names) {
            source.name = name;
        }
        let absent = sources
            .iter()
            .filter(|source| tensors.axes(&source.name).is_none());
        let expected: Vec<_> = absent.map(ParameterSource::named).collect();
        match expected.is_empty() {
            true => Ok(sources),
            false => Err(WeightsError::Names {
                expected,
                found: tensors.listed(),
            }),
        }
    }

    /// Returns each parameter by its name in the model, as the library lays it out.
    fn layouts(&self, graph: &Graph) -> Result<Vec<ParameterSource>, WeightsError> {
        let source = |name: &str, layout| ParameterSource {
            name: name.into(),
            layout,
        };
        let refused = |node: &Node, reason: String| WeightsError::Layer {
            path: node.path.clone(),
            reason,
        };
        if self.library == Library::Keras {
            let unlike = |node: &&Node| {
                let local = |weights: &Weights| !weights.shared;
                matches!(node.layer, Layer::ConvTranspose(_) | Layer::Attention(_))
                    || matches!(&node.action, Action::Weights(weights) if local(weights))
            };
            if let Some(node) = graph.nodes.iter().find(unlike) {
                let (library, layer) = (self.library.name(), node.layer.name());
                let reason = format!("{library} lay the weights of {layer} out in other ways");
                return Err(refused(node, reason));
            }
            let layouts = graph.parameters();
            let layouts = layouts.map(|p| source(&p.name, FileLayout::unchanged(&p.axes)));
            return Ok(layouts.collect());
        }
        let mut mixed = graph.nodes.iter();
        if let Some(node) = mixed.find(|node| node.signal.order == Order::Mixed) {
            let path = node.path.clone();
            return Err(WeightsError::Merge { path });
        }
        let mut sources = Vec::new();
        for node in &graph.nodes {
            let layouts = torch_layouts::layouts(node, graph.order_before(node));
            let layouts = layouts.map_err(|reason| refused(node, reason))?;
            let parameters = node.parameters.iter().zip(layouts);
            sources.extend(parameters.map(|(parameter, layout)| source(&parameter.name, layout)));
        }
        Ok(sources)
    }
}

/// Returns the file's name for each parameter.
fn mapped(
    sources: &[ParameterSource],
    names: &BTreeMap<String, String>,
) -> Result<Vec<String>, WeightsError> {
    let ours: BTreeSet<&str> = sources.iter().map(|source| &source.name[..]).collect();
    let missing = ours.iter().filter(|name| !names.contains_key(**name));
    let unknown = names.keys().filter(|name| !ours.contains(&name[..]));
    let missing: Vec<_> = missing.map(ToString::to_string).collect();
    let unknown: Vec<_> = unknown.cloned().collect();
    if !missing.is_empty() || !unknown.is_empty() {
        return Err(WeightsError::NameMap { missing, unknown });
    }
    let mut owners = BTreeMap::<&str, Vec<String>>::new();
    for (ours, theirs) in names {
        owners.entry(theirs).or_default().push(escaped(ours));
    }
    if let Some((tensor, parameters)) = owners.into_iter().find(|(_, owners)| owners.len() > 1) {
        let tensor = tensor.into();
        return Err(WeightsError::Shared { tensor, parameters });
    }
    Ok(sources
        .iter()
        .map(|source| names[&source.name].clone())
        .collect())
}

/// [`Import::read`].
pub(crate) fn import<T: Scalar>(
    import: &Import<'_>,
    bytes: &[u8],
) -> Result<Imported<T>, WeightsError> {
    let mut model: Model<T> = T::blank(import.network, &import.input)?;
    let tensors = Tensors::read(bytes)?;
    let sources = import.sources(model.graph(), &tensors)?;
    model.fill(&tensors, &sources)?;
    let used: BTreeSet<&str> = sources.iter().map(|source| &source.name[..]).collect();
    let listed = tensors.listed();
    let modules: BTreeSet<&str> = used.iter().map(|name| module(name)).collect();
    let normalizations: BTreeSet<&str> = listed
        .iter()
        .filter(|tensor| is_statistic(&tensor.name))
        .map(|tensor| module(&tensor.name))
        .collect();
    // The number of batches that a batch normalisation has seen is no part of its map.
    let count =
        |name: &str| name.ends_with("num_batches_tracked") && modules.contains(module(name));
    let unused = listed
        .iter()
        .filter(|tensor| !used.contains(&tensor.name[..]) && !count(&tensor.name));
    let unused = unused.map(|tensor| UnusedTensor {
        tensor: tensor.clone(),
        batch_norm: normalizations.contains(module(&tensor.name)),
    });
    let paddings = match import.library {
        Library::PyTorch => paddings(model.graph()),
        // Their padding by name is the same.
        Library::Keras => Vec::new(),
    };
    Ok(Imported {
        unused: unused.collect(),
        paddings,
        model,
    })
}
