//! Fully connected.

use super::{Layer, deviations_fault};
use serde::{Deserialize, Serialize};

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

    pub(super) fn fault(&self) -> Option<String> {
        if self.width == 0 {
            return Some("width must be at least 1, found 0".into());
        }
        deviations_fault(&[("w_std", self.w_std), ("b_std", self.b_std)])
    }
}

impl From<Dense> for Layer {
    fn from(dense: Dense) -> Self {
        Self::Dense(dense)
    }
}
