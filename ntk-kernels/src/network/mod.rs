//! The description of an architecture: what is computed, layer by layer.
//!
//! One [`Network`] value gives the infinite-width kernels here and the finite
//! network in `ntk-train`. It is built by plain functions,
//!
//! ```
//! use ntk_kernels::network::{Network, dense, relu};
//! let network = Network::new()
//!     .then(dense().width(1000).w_std(1.4))
//!     .then(relu())
//!     .then(dense().width(1));
//! ```
//!
//! or read from JSON ([`Network::from_json`]): `{"parameterization": "ntk",
//! "layers": ["dense", "relu", {"dense": {"width": 10}}]}`, where a layer is a
//! name (all options at their defaults) or `{name: {options}}`.

mod json;
mod layer;

pub use json::NetworkError;
pub use layer::{Dense, Layer, dense};

pub use crate::dual::{abrelu, abs, leaky_relu, relu};

use serde::{Deserialize, Serialize};
use std::fmt;

/// How weights are scaled, and so what their gradients weigh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parameterization {
    /// `z = w_std / sqrt(fan_in) * W x + b_std * b`, all of `W`, `b` standard normal
    /// (Jacot et al. 2018, arXiv:1806.07572).
    #[default]
    Ntk,
    /// `z = W x + b`, `W ~ N(0, w_std^2 / fan_in)`, `b ~ N(0, b_std^2)`
    /// (Sohl-Dickstein et al. 2020, arXiv:2001.07301).
    Standard,
}

/// A feed-forward architecture.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
pub struct Network {
    /// How weights are scaled.
    pub parameterization: Parameterization,
    /// The layers, from input to output.
    pub layers: Vec<Layer>,
}

impl Network {
    /// A network without layers, in NTK parameterisation.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same network with `layer` after its last one.
    #[must_use]
    pub fn then(mut self, layer: impl Into<Layer>) -> Self {
        self.layers.push(layer.into());
        self
    }

    /// The same layers in another parameterisation.
    #[must_use]
    pub fn parameterization(mut self, parameterization: Parameterization) -> Self {
        self.parameterization = parameterization;
        self
    }

    /// Number of outputs for inputs of `inputs` features: the width of the last dense layer.
    #[must_use]
    pub fn outputs(&self, inputs: usize) -> usize {
        self.layers
            .iter()
            .fold(inputs, |width, layer| layer.outputs(width))
    }
}

/// One line per layer: its path and what it is.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, layer) in self.layers.iter().enumerate() {
            writeln!(f, "layers[{i}]  {layer}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_one_line_per_layer() {
        let network = Network::new().then(dense().width(3)).then(relu());
        assert_eq!(
            network.to_string(),
            "layers[0]  dense(width 3, w_std 1, b_std 0)\nlayers[1]  relu\n"
        );
        assert_eq!(network.outputs(7), 3);
    }
}
