//! Describes layer normalisation.

use super::batch_norm::eps_fault;
use super::{Action, Layer, LayerKind, NetworkError, Resolved, Shape, json, to_json};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A `LayerNorm` computes `(z - mean) / sqrt(variance + eps)`, with mean and variance over chosen
/// axes, and where it is affine `scale * that + shift`, with a trained scale and shift of each channel
/// (Ba et al. 2016, arXiv:1607.06450).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LayerNorm {
    /// The axes of a batch `(n, ..., channels)` to normalise over; negative ones count from the
    /// end. The channels must be among them, and the samples must not.
    pub axes: Vec<isize>,
    /// The number added to the variance.
    pub eps: f64,
    /// Whether a trained scale and shift of each channel follow, shared by positions, which start at
    /// 1 and 0.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub affine: bool,
}

impl Default for LayerNorm {
    fn default() -> Self {
        Self {
            axes: vec![-1],
            eps: 1e-12,
            affine: false,
        }
    }
}

/// Makes a layer that normalises over the channels, with `eps = 1e-12` and without trained scale and
/// shift.
#[must_use]
pub fn layer_norm() -> LayerNorm {
    LayerNorm::default()
}

impl LayerNorm {
    /// Sets the axes to normalise over: axis 0 is that of the samples, negative ones count from the
    /// end.
    #[must_use]
    pub fn axes(mut self, axes: impl Into<Vec<isize>>) -> Self {
        self.axes = axes.into();
        self
    }

    /// Sets the number added to the variance.
    #[must_use]
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Sets whether a trained scale and shift of each channel follow.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::network::{Network, dense, layer_norm};
    ///
    /// let x = array![[1.0, 2.0], [0.5, -1.0]];
    /// let ntk = |norm| Network::new().then(dense()).then(norm).then(dense()).ntk::<f64, _>(&x);
    /// let (plain, affine) = (ntk(layer_norm())?, ntk(layer_norm().affine(true))?);
    /// // The gradient by the scale adds the normalised kernel, 1 here, and that by the shift adds 1.
    /// assert!((affine[[0, 0]] - plain[[0, 0]] - 2.0).abs() < 1e-9);
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    #[must_use]
    pub fn affine(mut self, affine: bool) -> Self {
        self.affine = affine;
        self
    }

    /// Says for each axis of positions whether it is normalised over.
    fn over_positions(&self, shape: &Shape) -> Result<Vec<bool>, String> {
        let (over, channels) = shape.marked(&self.axes, "normalised over")?;
        if !channels {
            return Err(format!(
                "axes {:?} must hold the channels, -1: without them the infinite-width limit is not normalised; add -1",
                self.axes
            ));
        }
        Ok(over)
    }
}

impl LayerKind for LayerNorm {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn options(&self) -> Value {
        to_json(self)
    }

    fn fault(&self) -> Option<String> {
        eps_fault(self.eps)
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        Ok(Resolved {
            shape: input.clone(),
            action: Action::Normalize {
                eps: self.eps,
                over: self.over_positions(input)?,
                affine: self.affine,
            },
        })
    }
}

pub(super) const NAMES: &[&str] = &["layer_norm"];

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    json::options::<LayerNorm>(at, name, options).map(Layer::LayerNorm)
}
