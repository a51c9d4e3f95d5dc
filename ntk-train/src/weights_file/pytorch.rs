//! Weights from PyTorch.

use super::tensors::Tensors;
use super::torch_layouts::{leaf, rank};
use super::{Import, Imported, PaddingDifference, ParameterSource, WeightsError};
use crate::compiled::Scalar;
use crate::model::Model;
use ntk_kernels::Network;
use ntk_kernels::network::{Graph, Layer, Padding, Shape};
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
    /// // nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)); with a b_std there is a bias.
    /// let network = Network::new()
    ///     .then(dense().width(2).b_std(0.0))
    ///     .then(relu())
    ///     .then(dense().width(1).b_std(0.0))
    ///     .parameterization(Parameterization::Standard);
    /// // let bytes = std::fs::read("model.safetensors")?;
    /// let model = Model::<f32>::from_pytorch(&network, 2, &bytes)?.model;
    /// assert_eq!(model.forward(&array![[1.0, 1.0]])?, array![[3.75]]);
    /// # Ok::<(), ntk_train::Error>(())
    /// ```
    ///
    /// - Tensors `0.weight`, `0.bias`, `2.weight`, ..., perhaps after a common prefix, belong to
    ///   the layers with parameters in their order. Tensors left over are an error.
    /// - `Linear` weights (out, in) are transposed, those of `Conv2d` (out, in, height, width),
    ///   `Conv1d` (out, in, length) and `Conv3d` brought to (height, width, in, out), (length, in, out)
    ///   and so on, of groups too; those of `ConvTranspose` (in, out, height, width) likewise, with
    ///   the taps counted the other way, where PyTorch has such a padding.
    /// - `Embedding`, `LayerNorm` and `BatchNorm` with or without scale and shift, the latter with its stored
    ///   statistics, and `RNN`, whose biases are two (`recurrent(..).biases(2)`), are read as they are.
    /// - PyTorch flattens (channels, height, width), this crate (height, width, channels): the
    ///   inputs of a dense layer that sees flattened positions, perhaps through activations,
    ///   dropout or normalisation, are reordered, by the shape that `input` has before that
    ///   flatten. Outputs that are themselves a flatten stay in this crate's order, and inputs
    ///   have to be given as (n, height, width, channels).
    /// - PyTorch's `z = W x + b` is the standard parameterisation, and the network must be in it:
    ///   the tangent kernel depends on it. Any `b_std` is a bias, 0 included; its value counts at
    ///   random initialisation alone.
    ///
    /// Layers must be the same in both. Padding by a number, as PyTorch's `padding=1`, is
    /// `.padding([1, 1])`. [`Imported::paddings`] names the layers with padding by name where a
    /// number of PyTorch gives as many outputs of other windows.
    ///
    /// # Errors
    /// Fails as [`Import::read`] does.
    pub fn from_pytorch(
        network: &Network,
        input: impl Into<Shape>,
        bytes: &[u8],
    ) -> Result<Imported<T>, WeightsError> {
        Import::pytorch(network, input).read(bytes)
    }

    /// Makes a model with the weights of any PyTorch model, as [`Model::from_pytorch`], by a map
    /// from [`Model::parameter_names`] to the file's names. Other tensors of the file are listed in
    /// [`Imported::unused`].
    ///
    /// # Errors
    /// As [`Model::from_pytorch`], [`WeightsError::NameMap`], and [`WeightsError::Shared`] where two
    /// parameters name one tensor.
    pub fn from_pytorch_named(
        network: &Network,
        input: impl Into<Shape>,
        bytes: &[u8],
        names: &BTreeMap<String, String>,
    ) -> Result<Imported<T>, WeightsError> {
        Import::pytorch(network, input).names(names).read(bytes)
    }
}

/// Lists the layers whose padding by name may not be PyTorch's number.
pub(super) fn paddings(graph: &Graph) -> Vec<PaddingDifference> {
    let nodes = graph.nodes.iter();
    let found = nodes.filter_map(|node| {
        let (window, strides, padding) = match &node.layer {
            Layer::Conv(conv) => (&conv.filter, conv.strides.clone(), &conv.padding),
            Layer::Pool(pool) => {
                let strides = pool.strides.as_ref().unwrap_or(&pool.window);
                (&pool.window, Some(strides.clone()), &pool.padding)
            }
            Layer::Dense(_)
            | Layer::ConvTranspose(_)
            | Layer::ConvLocal(_)
            | Layer::PositionMatrix(_)
            | Layer::Scale(_)
            | Layer::Resize(_)
            | Layer::Slice(_)
            | Layer::Index(_)
            | Layer::GlobalPool(_)
            | Layer::Flatten(_)
            | Layer::Identity(_)
            | Layer::LayerNorm(_)
            | Layer::BatchNorm(_)
            | Layer::Dropout(_)
            | Layer::Branch(_)
            | Layer::Attention(_)
            | Layer::Aggregate(_)
            | Layer::Recurrent(_)
            | Layer::TokenEmbedding(_)
            | Layer::Activation(_)
            | Layer::Own(_) => return None,
        };
        if !matches!(padding, Padding::Same | Padding::Circular) {
            return None;
        }
        let strides = strides.unwrap_or_else(|| vec![1; window.len()]);
        let (mut amounts, mut numbers) = (Vec::new(), Vec::new());
        for (axis, &size) in node.before.positions().iter().enumerate() {
            let (window, stride) = (*window.get(axis)?, *strides.get(axis)?);
            let ours = padding.amounts(axis, size, window, stride)?;
            let outputs = *node.after.positions().get(axis)?;
            amounts.push(ours);
            numbers.push(number(ours, outputs, (size, window, stride))?);
        }
        let unlike = amounts.iter().zip(&numbers);
        let unlike = unlike.filter(|&(ours, &number)| *ours != [number; 2]);
        (unlike.count() > 0).then(|| PaddingDifference {
            layer: format!("{}.{}", node.path, node.layer.name()),
            padding: padding.to_string(),
            amounts,
            numbers,
        })
    });
    found.collect()
}

/// Returns the number of PyTorch that gives so many outputs, of several the usual one, half of the
/// window. `None` where none does: an even window with strides of 1 can only be PyTorch's `same`,
/// which pads as ours.
fn number(
    ours: [usize; 2],
    outputs: usize,
    (size, window, stride): (usize, usize, usize),
) -> Option<usize> {
    let gives = |number: &usize| {
        let padded = (size + 2 * number).checked_sub(window);
        padded.is_some_and(|rest| rest / stride + 1 == outputs)
    };
    [window / 2, ours[1]].into_iter().find(gives)
}

/// Returns the names of the layers' parameters in a `nn.Sequential`, in their order.
pub(super) fn in_order(
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
            // The number of batches that a batch normalisation has seen is no part of its map.
            Some(_) if *leaf == "num_batches_tracked" => {}
            Some(numbers) => ordered.push((numbers, rank(leaf), *leaf, &tensor.name)),
            None => {
                return Err(WeightsError::Order {
                    expected: "an nn.Sequential, as 0.weight and 2.weight",
                    found,
                });
            }
        }
    }
    ordered.sort();
    let leaves = ordered.iter().map(|(_, _, leaf, _)| Some(*leaf));
    if !leaves.eq(places.iter().map(|place| Some(leaf(&place.name)))) {
        return Err(WeightsError::Names {
            expected: places.iter().map(ParameterSource::named).collect(),
            found,
        });
    }
    Ok(ordered.into_iter().map(|(.., name)| name.clone()).collect())
}
