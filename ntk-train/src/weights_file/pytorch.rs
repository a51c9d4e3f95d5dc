//! Weights from PyTorch.

use super::tensors::Tensors;
use super::{Source, WeightsError};
use crate::compiled::Scalar;
use crate::layers::pytorch;
use crate::model::Model;
use ntk_kernels::network::{Graph, Order};
use std::collections::BTreeMap;

impl<T: Scalar> Model<T> {
    /// Replaces all parameters by those of a PyTorch model, saved as safetensors
    /// (`safetensors.torch.save_file(model.state_dict(), ...)`), so that both give the same
    /// outputs, but for rounding.
    ///
    /// - Without `names` the file is that of an `nn.Sequential`, nested or not: tensors `0.weight`,
    ///   `0.bias`, `2.weight`, ..., perhaps after a common prefix, belong to the model's layers
    ///   with parameters in their order. Tensors left over are an error. With `names`, a map
    ///   from [`Model::parameter_names`] to the file's names, others in the file are left alone.
    /// - `Linear` weights (out, in) are transposed, those of `Conv2d` (out, in, height, width)
    ///   and `Conv1d` (out, in, length) brought to (height, width, in, out) and (length, in, out).
    /// - PyTorch flattens (channels, height, width), we (height, width, channels): the inputs of a
    ///   dense layer that sees flattened positions, perhaps through activations, dropout or
    ///   normalisation, are reordered, by the shape that the model's inputs have before that
    ///   flatten. Outputs that are themselves a flatten stay in our order.
    /// - PyTorch's `z = W x + b` is the standard parameterisation. In NTK parameterisation
    ///   weights are divided by `w_std / sqrt(fan_in)` and biases by `b_std`.
    ///
    /// Layers must be the same in both: PyTorch's padding is ours where its mode `same` or none
    /// is asked for, and not always where it is a number with strides above 1.
    ///
    /// # Errors
    /// [`WeightsError`]: names and shapes as expected and found, shapes as PyTorch has them. The
    /// model is then as before.
    pub fn load_pytorch(
        &mut self,
        bytes: &[u8],
        names: Option<&BTreeMap<String, String>>,
    ) -> Result<(), WeightsError> {
        T::load_pytorch(self, bytes, names)
    }

    /// The file's name for each parameter.
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

/// [`Model::load_pytorch`].
pub(crate) fn load<T: Scalar>(
    model: &mut Model<T>,
    bytes: &[u8],
    names: Option<&BTreeMap<String, String>>,
) -> Result<(), WeightsError> {
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
            expected: sources.iter().map(Source::named).collect(),
            found: tensors.listed(),
        });
    }
    model.load(&tensors, &sources)
}

/// Each parameter by its name in the model, as PyTorch has it.
fn places(graph: &Graph) -> Result<Vec<Source>, WeightsError> {
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
            places.push(Source {
                name,
                layout,
                scale,
            });
        }
    }
    Ok(places)
}

/// Names of the layers' parameters in a `nn.Sequential`, in their order.
fn in_order(places: &[Source], tensors: &Tensors<'_>) -> Result<Vec<String>, WeightsError> {
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
            expected: places.iter().map(Source::named).collect(),
            found,
        });
    }
    Ok(ordered.into_iter().map(|(.., name)| name.clone()).collect())
}
