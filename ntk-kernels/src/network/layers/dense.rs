//! Describes fully connected layers.

use super::{
    Action, Layer, LayerKind, NetworkError, Resolved, Shape, count_fault, deviations_fault, json,
    to_json, weights_and_biases,
};
use crate::network::action::Weights;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A `Dense` is a fully connected layer, applied at each position by itself; see [the crate's
/// conventions](crate#conventions) for how its weights are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dense {
    /// The number of output units, which has no effect on infinite-width kernels in NTK
    /// parameterisation.
    pub width: usize,
    /// The standard deviation of the weights, times `sqrt(fan_in)`.
    pub w_std: f64,
    /// The standard deviation of the biases at first; `None` means that the layer has none, and 0
    /// that they are trained and start at zero.
    pub b_std: Option<f64>,
    /// The number of output channels for which the scaling of the standard parameterisation is meant
    /// (Sohl-Dickstein et al. 2020, arXiv:2001.07301, section 3); `None` means as many as there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_width: Option<usize>,
}

impl Default for Dense {
    fn default() -> Self {
        Self {
            width: 512,
            w_std: 1.0,
            b_std: None,
            base_width: None,
        }
    }
}

/// Makes a fully connected layer with 512 output units, `w_std = 1` and no bias.
#[must_use]
pub fn dense() -> Dense {
    Dense::default()
}

impl Dense {
    /// Sets the number of output units.
    #[must_use]
    pub fn width(mut self, width: usize) -> Self {
        self.width = width;
        self
    }

    /// Sets the number of output channels for which the scaling of the standard parameterisation is
    /// meant.
    #[must_use]
    pub fn base_width(mut self, base_width: usize) -> Self {
        self.base_width = Some(base_width);
        self
    }

    /// Sets the standard deviation of the weights, times `sqrt(fan_in)`.
    #[must_use]
    pub fn w_std(mut self, w_std: f64) -> Self {
        self.w_std = w_std;
        self
    }

    /// Gives the layer biases of this standard deviation, or by `None` takes them away.
    ///
    /// Of standard deviation 0 they start at zero, as those of Keras, flax and scikit-ntk do, and are
    /// trained: in the standard parameterisation they add 1 to the layer's NTK, in NTK
    /// parameterisation nothing.
    #[must_use]
    pub fn b_std(mut self, b_std: impl Into<Option<f64>>) -> Self {
        self.b_std = b_std.into();
        self
    }
}

impl LayerKind for Dense {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn options(&self) -> Value {
        to_json(self)
    }

    fn fault(&self) -> Option<String> {
        count_fault("width", self.width)
            .or_else(|| {
                self.base_width
                    .and_then(|count| count_fault("base_width", count))
            })
            .or_else(|| deviations_fault(&[("w_std", Some(self.w_std)), ("b_std", self.b_std)]))
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        Ok(Resolved {
            shape: input.with_channels(self.width),
            action: Action::Weights(
                Weights::new(None, input, self.width, (self.w_std, self.b_std))
                    .base(self.base_width),
            ),
        })
    }

    fn deviations(&mut self) -> Vec<(&'static str, &mut f64)> {
        weights_and_biases(&mut self.w_std, &mut self.b_std)
    }
}

pub(super) const NAMES: &[&str] = &["dense"];

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    json::options::<Dense>(at, name, options).map(Layer::Dense)
}
