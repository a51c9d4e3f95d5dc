//! The layers a network is made of.

use crate::dual::Activation;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One layer.
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// Fully connected.
    Dense(Dense),
    /// Elementwise nonlinearity.
    Activation(Activation),
}

impl Layer {
    /// Features after this layer, given `inputs` before it.
    #[must_use]
    pub fn outputs(&self, inputs: usize) -> usize {
        match self {
            Self::Dense(dense) => dense.width,
            Self::Activation(_) => inputs,
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dense(d) => {
                write!(
                    f,
                    "dense(width {}, w_std {}, b_std {})",
                    d.width, d.w_std, d.b_std
                )
            }
            Self::Activation(activation) => activation.fmt(f),
        }
    }
}

/// A fully connected layer; see the crate's conventions for how its weights are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dense {
    /// Output units; of no effect on NTK-parameterised infinite-width kernels.
    pub width: usize,
    /// Standard deviation of the weights, times `sqrt(fan_in)`.
    pub w_std: f64,
    /// Standard deviation of the biases; 0 is a layer without bias.
    pub b_std: f64,
}

impl Default for Dense {
    fn default() -> Self {
        Self {
            width: 512,
            w_std: 1.0,
            b_std: 0.0,
        }
    }
}

/// A fully connected layer of 512 units, `w_std = 1`, without bias.
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

    /// Sets the weights' standard deviation, times `sqrt(fan_in)`.
    #[must_use]
    pub fn w_std(mut self, w_std: f64) -> Self {
        self.w_std = w_std;
        self
    }

    /// Sets the biases' standard deviation.
    #[must_use]
    pub fn b_std(mut self, b_std: f64) -> Self {
        self.b_std = b_std;
        self
    }

    /// What is wrong with the options, if anything.
    pub(super) fn fault(&self) -> Option<String> {
        if self.width == 0 {
            return Some("width must be at least 1".into());
        }
        for (name, value) in [("w_std", self.w_std), ("b_std", self.b_std)] {
            if !(value.is_finite() && value >= 0.0) {
                return Some(format!(
                    "{name} must be finite and not negative, found {value}"
                ));
            }
        }
        None
    }
}

impl From<Dense> for Layer {
    fn from(dense: Dense) -> Self {
        Self::Dense(dense)
    }
}

impl From<Activation> for Layer {
    fn from(activation: Activation) -> Self {
        Self::Activation(activation)
    }
}
