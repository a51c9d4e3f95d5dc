//! Weights to and from safetensors.

mod arrays;
mod error;
mod import;
mod keras;
pub(crate) mod layout;
mod pytorch;
mod tensors;
mod torch_layouts;

pub(crate) use arrays::from_arrays;
pub use error::{NamedShape, WeightsError, WrongShape};
pub(crate) use import::import;
pub use import::{Import, Imported, PaddingDifference, UnusedTensor};

use crate::compiled::Scalar;
use crate::model::Model;
use layout::FileLayout;
use ndarray::{Array2, ArrayD, Dimension};
use ntk_kernels::Network;
use ntk_kernels::network::Shape;
use ntk_linalg::Real;
use serde_json::Value;
use tensors::{NETWORK, Tensors, Written};

impl<T: Scalar> Model<T> {
    /// Writes the parameters as the bytes of a safetensors file; [`Model::from_safetensors`] reads
    /// them back to the last bit.
    ///
    /// Names are [`Model::parameter_names`]. Axes are (fan_in, width) for a dense layer's
    /// weights, (height, width, in, out) or (length, in, out) for a convolution's, (width) for
    /// a bias; elements are F32 or F64 as the model's. The metadata's `network` is the network's
    /// JSON, its parameterisation included.
    ///
    /// # Errors
    /// [`WeightsError::Format`] where the header is above the format's 100 MB: with hundreds of
    /// thousands of layers.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, WeightsError> {
        T::to_safetensors(self)
    }

    /// Makes the model of `network`, for samples of shape `input`, with the parameters of a file
    /// of [`Model::to_safetensors`].
    ///
    /// Elements may be F64, F32, F16 or BF16 and are rounded to the model's type. Where the
    /// file's metadata hold a network, it must be this one.
    ///
    /// # Errors
    /// [`WeightsError`]: those of [`Model::new`], and all names and shapes that differ, as
    /// expected and found.
    pub fn from_safetensors(
        network: &Network,
        input: impl Into<Shape>,
        bytes: &[u8],
    ) -> Result<Self, WeightsError> {
        T::from_safetensors(network, &input.into(), bytes)
    }

    /// Sets all parameters to those of `sources`, one for each.
    fn fill(
        &mut self,
        tensors: &Tensors<'_>,
        sources: &[ParameterSource],
    ) -> Result<(), WeightsError> {
        check_shapes(sources, tensors)?;
        let mut parameters = Vec::with_capacity(sources.len());
        for (parameter, source) in self.graph().parameters().zip(sources) {
            let values = tensors.values(&source.name)?;
            parameters.push(source.matrix(values, parameter.shape)?);
        }
        Ok(self.set_parameters(parameters)?)
    }
}

/// [`Model::to_safetensors`].
pub(crate) fn to_safetensors<T: Scalar>(model: &Model<T>) -> Result<Vec<u8>, WeightsError> {
    let both = model.graph().parameters().zip(model.theta());
    let written = both.map(|(parameter, values)| {
        let axes = &parameter.axes[..];
        (&parameter.name[..], Written { axes, values })
    });
    // One entry alone: the order of several is not the same on every run.
    let network = (NETWORK.to_string(), model.network().to_json());
    let metadata = std::iter::once(network).collect();
    Ok(safetensors::serialize(written, Some(metadata))?)
}

/// [`Model::from_safetensors`].
pub(crate) fn from_safetensors<T: Scalar>(
    network: &Network,
    input: &Shape,
    bytes: &[u8],
) -> Result<Model<T>, WeightsError> {
    let mut model: Model<T> = T::blank(network, input)?;
    let tensors = Tensors::read(bytes)?;
    if let Some(json) = &tensors.network {
        check_network(model.network(), json)?;
    }
    let sources = model.graph().parameters().map(|parameter| ParameterSource {
        name: parameter.name.clone(),
        layout: FileLayout::unchanged(&parameter.axes),
    });
    let sources: Vec<_> = sources.collect();
    check_names(&sources, &tensors.listed())?;
    model.fill(&tensors, &sources)?;
    Ok(model)
}

/// The array that a parameter is read from.
struct ParameterSource {
    /// Its name in the file.
    name: String,
    layout: FileLayout,
}

impl ParameterSource {
    fn named(&self) -> NamedShape {
        NamedShape {
            name: self.name.clone(),
            axes: self.layout.file.clone(),
        }
    }

    /// Turns the file's numbers, of the axes that it expects, into the model's matrix.
    fn matrix<T: Scalar>(
        &self,
        values: ArrayD<f64>,
        shape: (usize, usize),
    ) -> Result<Array2<T>, WeightsError> {
        let bad = values.indexed_iter().find(|(_, v)| !T::of(**v).is_finite());
        if let Some((place, value)) = bad {
            return Err(WeightsError::NotFinite {
                name: self.name.clone(),
                place: place.slice().to_vec(),
                value: Real::to_f64(T::of(*value)),
                precision: T::NAME,
            });
        }
        let values = self.layout.ours(values);
        // The layout is not the standard one where axes were exchanged.
        let values = values.iter().map(|&v| T::of(v)).collect();
        let matrix = Array2::from_shape_vec(shape, values);
        Ok(matrix.expect("the shape was checked"))
    }
}

/// Checks that every source is there, and nothing else.
fn check_names(sources: &[ParameterSource], listed: &[NamedShape]) -> Result<(), WeightsError> {
    let expected: Vec<_> = sources
        .iter()
        .filter(|source| listed.iter().all(|there| there.name != source.name))
        .map(ParameterSource::named)
        .collect();
    let found: Vec<_> = listed
        .iter()
        .filter(|there| sources.iter().all(|source| source.name != there.name))
        .cloned()
        .collect();
    match expected.is_empty() && found.is_empty() {
        true => Ok(()),
        false => Err(WeightsError::Names { expected, found }),
    }
}

fn check_shapes(sources: &[ParameterSource], tensors: &Tensors<'_>) -> Result<(), WeightsError> {
    let wrong: Vec<_> = sources
        .iter()
        .filter_map(|source| {
            let found = tensors.axes(&source.name)?;
            (found != source.layout.file).then(|| WrongShape {
                name: source.name.clone(),
                expected: source.layout.file.clone(),
                found,
            })
        })
        .collect();
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(WeightsError::Shapes(wrong)),
    }
}

fn check_network(ours: Network, json: &str) -> Result<(), WeightsError> {
    let found = match Network::from_json(json) {
        Ok(network) => Value::from(network),
        // With layers that are not known here; where they differ is told all the same.
        Err(_) => serde_json::from_str(json).map_err(|e| WeightsError::Format {
            reason: format!("its metadata's network is no JSON: {e}"),
        })?,
    };
    match difference("", &Value::from(ours), &found) {
        None => Ok(()),
        Some((path, expected, found)) => Err(WeightsError::Network {
            path,
            expected,
            found,
        }),
    }
}

/// Returns where two values differ first, and the two there.
fn difference(path: &str, expected: &Value, found: &Value) -> Option<(String, String, String)> {
    match (expected, found) {
        (Value::Object(one), Value::Object(two)) if one.keys().eq(two.keys()) => {
            one.iter().zip(two.values()).find_map(|((key, one), two)| {
                let path = match path {
                    "" => key.clone(),
                    path => format!("{path}.{key}"),
                };
                difference(&path, one, two)
            })
        }
        (Value::Array(one), Value::Array(two)) if one.len() == two.len() => {
            let pairs = one.iter().zip(two).enumerate();
            pairs
                .into_iter()
                .find_map(|(i, (one, two))| difference(&format!("{path}[{i}]"), one, two))
        }
        (Value::Array(one), Value::Array(two)) if path == "layers" => Some((
            path.into(),
            format!("{} layers", one.len()),
            format!("{} layers", two.len()),
        )),
        (one, two) if one == two => None,
        // Files of earlier versions have a zero where there is no bias, and no tensor for it.
        (Value::Null, zero) if path.ends_with(".b_std") && zero.as_f64() == Some(0.0) => None,
        (one, two) => Some((path.into(), one.to_string(), two.to_string())),
    }
}

#[cfg(test)]
mod import_tests;
#[cfg(test)]
mod tests;
