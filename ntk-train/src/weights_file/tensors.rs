//! Tensors in the safetensors format.

use super::{NamedShape, WeightsError};
use crate::compiled::Scalar;
use ndarray::{ArrayD, ArrayView2, IxDyn};
use ntk_linalg::Real;
use safetensors::tensor::Dtype;
use safetensors::{SafeTensorError, SafeTensors, View};
use std::borrow::Cow;

/// A parameter on its way into a file.
pub(super) struct Written<'a, T> {
    pub(super) axes: &'a [usize],
    pub(super) values: ArrayView2<'a, T>,
}

impl<T: Scalar> View for Written<'_, T> {
    fn dtype(&self) -> Dtype {
        match size_of::<T>() {
            4 => Dtype::F32,
            _ => Dtype::F64,
        }
    }

    fn shape(&self) -> &[usize] {
        self.axes
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let values = self.values.iter().map(|v| Real::to_f64(*v));
        match self.dtype() {
            // Exact: it was an f32.
            Dtype::F32 => values.flat_map(|v| (v as f32).to_le_bytes()).collect(),
            _ => values.flat_map(f64::to_le_bytes).collect(),
        }
    }

    fn data_len(&self) -> usize {
        size_of::<T>() * self.values.len()
    }
}

/// The tensors of a file.
pub(super) struct Tensors<'a> {
    tensors: SafeTensors<'a>,
    /// The network that the file says it belongs to.
    pub(super) network: Option<String>,
}

/// The key of the network's JSON among the file's metadata.
pub(super) const NETWORK: &str = "network";

impl<'a> Tensors<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, WeightsError> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let network = header.metadata().as_ref().and_then(|m| m.get(NETWORK));
        Ok(Self {
            tensors: SafeTensors::deserialize(bytes)?,
            network: network.cloned(),
        })
    }

    /// Returns every tensor's name and axes, sorted by name.
    pub(super) fn listed(&self) -> Vec<NamedShape> {
        let named = self.tensors.iter().map(|(name, tensor)| NamedShape {
            name: name.into(),
            axes: tensor.shape().to_vec(),
        });
        let mut listed: Vec<_> = named.collect();
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        listed
    }

    /// Returns the axes of the tensor `name`, where it is there.
    pub(super) fn axes(&self, name: &str) -> Option<Vec<usize>> {
        Some(self.tensors.tensor(name).ok()?.shape().to_vec())
    }

    /// Returns the numbers of the tensor `name`.
    pub(super) fn values(&self, name: &str) -> Result<ArrayD<f64>, WeightsError> {
        let tensor = self.tensors.tensor(name)?;
        let (data, axes) = (tensor.data(), IxDyn(tensor.shape()));
        let numbers: Vec<f64> = match tensor.dtype() {
            Dtype::F64 => decode(data, f64::from_le_bytes),
            Dtype::F32 => decode(data, |b| f32::from_le_bytes(b).into()),
            Dtype::F16 => decode(data, |b| half(u16::from_le_bytes(b))),
            // The upper half of an f32.
            Dtype::BF16 => decode(data, |[low, high]| {
                f32::from_le_bytes([0, 0, low, high]).into()
            }),
            other => {
                return Err(WeightsError::ElementType {
                    name: name.into(),
                    found: other.to_string(),
                });
            }
        };
        Ok(ArrayD::from_shape_vec(axes, numbers).expect("as many as the axes say"))
    }
}

fn decode<const N: usize>(data: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    data.as_chunks()
        .0
        .iter()
        .map(|&bytes| number(bytes))
        .collect()
}

/// Reads a number of IEEE 754's binary16.
fn half(bits: u16) -> f64 {
    let fraction = f64::from(bits & 0x3ff);
    let magnitude = match (bits >> 10) & 0x1f {
        0 => fraction * 2.0_f64.powi(-24),
        0x1f if fraction == 0.0 => f64::INFINITY,
        0x1f => f64::NAN,
        exponent => (1024.0 + fraction) * 2.0_f64.powi(i32::from(exponent) - 25),
    };
    match bits >> 15 {
        0 => magnitude,
        _ => -magnitude,
    }
}

impl From<SafeTensorError> for WeightsError {
    fn from(error: SafeTensorError) -> Self {
        Self::Format {
            reason: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_by_hand() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 1365.0 / 4096.0),
            (0x7bff, 65504.0),
            (0x0400, 2.0_f64.powi(-14)),
            (0x8001, -(2.0_f64.powi(-24))),
            (0x7c00, f64::INFINITY),
        ] {
            assert_eq!(half(bits), value, "{bits:x}");
        }
        assert!(half(0x7e00).is_nan());
        assert!(half(0x8000).is_sign_negative());
    }
}
