//! Weights from PyTorch.

use super::tensors::Tensors;
use super::{ParameterSource, WeightsError};
use crate::compiled::Scalar;
use crate::layers::pytorch;
use crate::model::Model;
use ntk_kernels::Network;
use ntk_kernels::network::{Graph, Order, Shape};
use std::collections::BTreeMap;

impl<T: Scalar> Model<T> {
    /// Makes the model of `network`, for samples of shape `input`, with the weights of a PyTorch
    /// `nn.Sequential`, nested or not, from the bytes that
    /// `safetensors.torch.save_file(model.state_dict(), path)` writes. Both give the same outputs
    /// but for rounding.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::network::{Network, Parameterization, dense, relu};
    /// use ntk_train::Model;
    /// # use safetensors::tensor::{Dtype, TensorView};
    /// # let numbers: Vec<u8> = [1.0, 2.0, -1.0, 0.5, 0.0, 1.0, 1.0, 1.0, 0.25]
    /// #     .iter().flat_map(|v: &f32| v.to_le_bytes()).collect();
    /// # let tensor = |axes: &[usize], first: usize| {
    /// #     let end = first + axes.iter().product::<usize>();
    /// #     TensorView::new(Dtype::F32, axes.to_vec(), &numbers[4 * first..4 * end]).unwrap()
    /// # };
    /// # let bytes = safetensors::serialize([
    /// #     ("0.weight", tensor(&[2, 2], 0)), ("0.bias", tensor(&[2], 4)),
    /// #     ("2.weight", tensor(&[1, 2], 6)), ("2.bias", tensor(&[1], 8)),
    /// # ], None).unwrap();
    ///
    /// // nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)); b_std > 0 asks for a bias.
    /// let network = Network::new()
    ///     .then(dense().width(2).b_std(1.0))
    ///     .then(relu())
    ///     .then(dense().width(1).b_std(1.0))
    ///     .parameterization(Parameterization::Standard);
    /// // let bytes = std::fs::read("model.safetensors")?;
    /// let model = Model::<f32>::from_pytorch(&network, 2, &bytes)?;
    /// assert_eq!(model.forward(&array![[1.0, 1.0]])?, array![[3.75]]);
    /// # Ok::<(), ntk_train::Error>(())
    /// ```
    ///
    /// - Tensors `0.weight`, `0.bias`, `2.weight`, ..., perhaps after a common prefix, belong to
    ///   the layers with parameters in their order. Tensors left over are an error.
    /// - `Linear` weights (out, in) are transposed, those of `Conv2d` (out, in, height, width)
    ///   and `Conv1d` (out, in, length) brought to (height, width, in, out) and (length, in, out).
    /// - PyTorch flattens (channels, height, width), this crate (height, width, channels): the
    ///   inputs of a dense layer that sees flattened positions, perhaps through activations,
    ///   dropout or normalisation, are reordered, by the shape that `input` has before that
    ///   flatten. Outputs that are themselves a flatten stay in this crate's order, and inputs
    ///   have to be given as (n, height, width, channels).
    /// - PyTorch's `z = W x + b` is the standard parameterisation. In NTK parameterisation
    ///   weights are divided by `w_std / sqrt(fan_in)` and biases by `b_std`.
    ///
    /// Layers must be the same in both: PyTorch's padding is this crate's where its mode `same` or
    /// none is asked for, and not always where it is a number with strides above 1.
    ///
    /// # Errors
    /// [`WeightsError`]: those of [`Model::new`], and names and shapes as expected and found,
    /// shapes as PyTorch has them.
    pub fn from_pytorch(
        network: &Network,
        input: impl Into<Shape>,
        bytes: &[u8],
    ) -> Result<Self, WeightsError> {
        T::from_pytorch(network, &input.into(), bytes, None)
    }

    /// Makes a model with the weights of any PyTorch model, as [`Model::from_pytorch`], by a map
    /// from [`Model::parameter_names`] to the file's names. Other tensors of the file are left
    /// alone.
    ///
    /// # Errors
    /// As [`Model::from_pytorch`], and [`WeightsError::NameMap`].
    pub fn from_pytorch_named(
        network: &Network,
        input: impl Into<Shape>,
        bytes: &[u8],
        names: &BTreeMap<String, String>,
    ) -> Result<Self, WeightsError> {
        T::from_pytorch(network, &input.into(), bytes, Some(names))
    }

    /// Returns the file's name for each parameter.
    fn mapped(&self, names: &BTreeMap<String, String>) -> Result<Vec<String>, WeightsError> {
        let ours = self.parameter_names();
        let missing = ours.iter().filter(|name| !names.contains_key(**name));
        let unknown = names.keys().filter(|name| !ours.contains(&&name[..]));
        let missing: Vec<_> = missing.map(ToString::to_string).collect();
        let unknown: Vec<_> = unknown.cloned().collect();
        match missing.is_empty() && unknown.is_empty() {
            true => Ok(ours.iter().map(|name| names[*name].clone()).collect()),
            false => Err(WeightsError::NameMap { missing, unknown }),
        }
    }
}

/// [`Model::from_pytorch`].
pub(crate) fn from_pytorch<T: Scalar>(
    network: &Network,
    input: &Shape,
    bytes: &[u8],
    names: Option<&BTreeMap<String, String>>,
) -> Result<Model<T>, WeightsError> {
    let mut model: Model<T> = T::blank(network, input)?;
    let tensors = Tensors::read(bytes)?;
    let mut sources = places(model.graph())?;
    let names = match names {
        Some(names) => model.mapped(names)?,
        None => in_order(&sources, &tensors)?,
    };
    for (source, name) in sources.iter_mut().zip(names) {
        source.name = name;
    }
    if !sources
        .iter()
        .all(|source| tensors.axes(&source.name).is_some())
    {
        return Err(WeightsError::Names {
            expected: sources.iter().map(ParameterSource::named).collect(),
            found: tensors.listed(),
        });
    }
    model.fill(&tensors, &sources)?;
    Ok(model)
}

/// Returns each parameter by its name in the model, as PyTorch lays it out.
fn places(graph: &Graph) -> Result<Vec<ParameterSource>, WeightsError> {
    let mut mixed = graph.nodes.iter();
    if let Some(node) = mixed.find(|node| node.signal.order == Order::Mixed) {
        let path = node.path.clone();
        return Err(WeightsError::Merge { path });
    }
    let mut places = Vec::new();
    for node in &graph.nodes {
        let layouts = pytorch(node, graph.order_before(node));
        for (parameter, layout) in node.parameters.iter().zip(layouts) {
            let (name, scale) = (parameter.name.clone(), parameter.scale);
            if scale == 0.0 {
                return Err(WeightsError::ZeroScale { name });
            }
            places.push(ParameterSource {
                name,
                layout,
                scale,
            });
        }
    }
    Ok(places)
}

/// Returns the names of the layers' parameters in a `nn.Sequential`, in their order.
fn in_order(
    places: &[ParameterSource],
    tensors: &Tensors<'_>,
) -> Result<Vec<String>, WeightsError> {
    let found = tensors.listed();
    let split: Vec<(Vec<&str>, &str)> = found
        .iter()
        .map(|tensor| match tensor.name.rsplit_once('.') {
            Some((module, leaf)) => (module.split('.').collect(), leaf),
            None => (Vec::new(), &tensor.name[..]),
        })
        .collect();
    let first = split.first().map_or(&[][..], |(module, _)| module);
    let same = |depth: usize| split.iter().all(|(m, _)| m.get(depth) == first.get(depth));
    let common = (0..first.len()).take_while(|&depth| same(depth)).count();
    let mut ordered = Vec::with_capacity(found.len());
    for ((module, leaf), tensor) in split.iter().zip(&found) {
        let numbers = module[common..].iter().map(|part| part.parse::<u64>().ok());
        match numbers.collect::<Option<Vec<_>>>() {
            Some(numbers) => ordered.push((numbers, *leaf != "weight", *leaf, &tensor.name)),
            None => return Err(WeightsError::Order { found }),
        }
    }
    ordered.sort();
    let leaves = ordered.iter().map(|(_, _, leaf, _)| Some(*leaf));
    if !leaves.eq(places.iter().map(|place| place.name.rsplit('.').next())) {
        return Err(WeightsError::Names {
            expected: places.iter().map(ParameterSource::named).collect(),
            found,
        });
    }
    Ok(ordered.into_iter().map(|(.., name)| name.clone()).collect())
}
