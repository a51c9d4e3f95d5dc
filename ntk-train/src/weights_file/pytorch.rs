//! Weights from PyTorch.

use super::tensors::Tensors;
use super::{NamedShape, Source, WeightsError};
use crate::build::Slot;
use crate::model::Model;
use crate::tensor::Scalar;
use ndarray::{ArrayD, IxDyn};
use ntk_kernels::network::{Layer, Network, Parameterization, Shape, inside, top};
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
        let tensors = Tensors::read(bytes)?;
        let places = self.places()?;
        let names = match names {
            Some(names) => self.mapped(names)?,
            None => in_order(self.slots(), &places, &tensors)?,
        };
        let sources = names.into_iter().zip(&places).map(|(name, place)| Source {
            name,
            axes: place.theirs.clone(),
            scale: place.scale,
        });
        let sources: Vec<_> = sources.collect();
        if !sources
            .iter()
            .all(|source| tensors.axes(&source.name).is_some())
        {
            return Err(WeightsError::Names {
                expected: sources.iter().map(Source::named).collect(),
                found: tensors.listed(),
            });
        }
        self.load(&tensors, &sources, |i, values| places[i].arrange(values))
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

    /// What PyTorch makes of each parameter.
    fn places(&self) -> Result<Vec<Place>, WeightsError> {
        let network = self.network();
        let mut walk = Walk {
            ntk: network.parameterization == Parameterization::Ntk,
            slots: self.slots().iter(),
            places: Vec::new(),
        };
        let input = Features {
            shape: self.input().clone(),
            flattened: None,
        };
        walk.sequence(&network.layers, &top, input)?;
        Ok(walk.places)
    }
}

/// Names of the layers' parameters in a `nn.Sequential`, in their order.
fn in_order(
    slots: &[Slot],
    places: &[Place],
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
    if !leaves.eq(slots.iter().map(|slot| slot.name.rsplit('.').next())) {
        let pairs = slots.iter().zip(places);
        let expected = pairs.map(|(slot, place)| NamedShape {
            name: slot.name.clone(),
            axes: place.theirs.clone(),
        });
        return Err(WeightsError::Names {
            expected: expected.collect(),
            found,
        });
    }
    Ok(ordered.into_iter().map(|(.., name)| name.clone()).collect())
}

/// A parameter as PyTorch has it.
struct Place {
    /// Axes in the file.
    theirs: Vec<usize>,
    /// Positions that the weights see, as (height, width) of a filter or of flattened images.
    positions: Vec<usize>,
    /// Numbers are divided by it.
    scale: f64,
}

impl Place {
    /// (out, in * positions) or (out, in, positions...) to (positions..., in, out); a bias stays.
    fn arrange<T: Scalar>(&self, values: ArrayD<T>) -> ArrayD<T> {
        let &[width, inputs, ..] = &self.theirs[..] else {
            return values;
        };
        // A linear layer's inputs count the positions too.
        let channels = match self.theirs.len() {
            2 => inputs / self.positions.iter().product::<usize>(),
            _ => inputs,
        };
        let mut axes = vec![width, channels];
        axes.extend(&self.positions);
        let values = values.into_shape_with_order(IxDyn(&axes));
        let mut order: Vec<_> = (2..axes.len()).collect();
        order.extend([1, 0]);
        values
            .expect("as many numbers")
            .permuted_axes(IxDyn(&order))
    }
}

/// One sample between two layers.
#[derive(Clone)]
struct Features {
    shape: Shape,
    /// The shape with positions whose flatten orders the features.
    flattened: Option<Shape>,
}

struct Walk<'a> {
    ntk: bool,
    slots: std::slice::Iter<'a, Slot>,
    places: Vec<Place>,
}

impl Walk<'_> {
    fn sequence(
        &mut self,
        layers: &[Layer],
        path: &dyn Fn(usize) -> String,
        mut features: Features,
    ) -> Result<Features, WeightsError> {
        for (i, layer) in layers.iter().enumerate() {
            features = self.layer(layer, &path(i), features)?;
        }
        Ok(features)
    }

    fn layer(
        &mut self,
        layer: &Layer,
        path: &str,
        before: Features,
    ) -> Result<Features, WeightsError> {
        let after = |shape: &Shape| {
            let output = Network::new().then(layer.clone()).output(shape);
            output.expect("the model was built for this shape")
        };
        let flattened = match layer {
            Layer::Branch(branch) => return self.branch(&branch.paths, path, before),
            Layer::Dense(dense) => {
                let flat = before.flattened.as_ref();
                let positions = flat.map_or(vec![], |shape| shape.positions().to_vec());
                self.weights(positions, false, dense.w_std, dense.b_std)?;
                None
            }
            Layer::Conv(conv) => {
                self.weights(conv.filter.clone(), true, conv.w_std, conv.b_std)?;
                None
            }
            Layer::Flatten if !before.shape.positions().is_empty() => Some(before.shape.clone()),
            _ => before.flattened,
        };
        Ok(Features {
            shape: after(&before.shape),
            flattened,
        })
    }

    fn branch(
        &mut self,
        paths: &[Vec<Layer>],
        path: &str,
        before: Features,
    ) -> Result<Features, WeightsError> {
        let mut merged: Option<Features> = None;
        for (number, layers) in paths.iter().enumerate() {
            let inner = |j| inside(path, number, j);
            let after = self.sequence(layers, &inner, before.clone())?;
            if merged.is_some_and(|merged| merged.flattened != after.flattened) {
                return Err(WeightsError::Merge { path: path.into() });
            }
            merged = Some(after);
        }
        Ok(merged.unwrap_or(before))
    }

    /// The weights and, where there is one, the bias of the next layer with parameters.
    fn weights(
        &mut self,
        positions: Vec<usize>,
        conv: bool,
        w_std: f64,
        b_std: f64,
    ) -> Result<(), WeightsError> {
        let slot = self.slots.next().expect("weights for every such layer");
        let (fan_in, width) = slot.shape;
        let scale = match self.ntk {
            true => w_std / (fan_in as f64).sqrt(),
            false => 1.0,
        };
        if scale == 0.0 {
            return Err(WeightsError::ZeroScale {
                name: slot.name.clone(),
            });
        }
        let theirs = match conv {
            false => vec![width, fan_in],
            true => {
                let channels = slot.axes[slot.axes.len() - 2];
                [&[width, channels], &positions[..]].concat()
            }
        };
        self.places.push(Place {
            theirs,
            positions,
            scale,
        });
        if b_std > 0.0 {
            self.slots.next().expect("a bias where b_std is above 0");
            self.places.push(Place {
                theirs: vec![width],
                positions: vec![],
                scale: if self.ntk { b_std } else { 1.0 },
            });
        }
        Ok(())
    }
}
