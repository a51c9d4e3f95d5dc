//! The description of an architecture: what is computed, layer by layer.
//!
//! One [`Network`] value gives the infinite-width kernels here and the finite
//! network in `ntk-train`. It is built by plain functions,
//!
//! ```
//! use ntk_kernels::network::*;
//! let block = Network::new().then(relu()).then(conv([3, 3]).same());
//! let network = Network::new()
//!     .then(conv([3, 3]).same().w_std(1.4))
//!     .then(residual(block))
//!     .then(relu())
//!     .then(global_avg_pool())
//!     .then(dense().width(10));
//! let table = network.resolve(&Shape::new([32, 32], 3))?.table();
//! assert!(table.contains("global_avg_pool"));
//! # Ok::<(), NetworkError>(())
//! ```
//!
//! or read from JSON ([`Network::from_json`]): `{"parameterization": "ntk",
//! "layers": ["dense", "relu", {"dense": {"width": 10}}]}`, where a layer is a
//! name (all options at their defaults) or `{name: {options}}`.

mod action;
mod error;
mod graph;
mod json;
mod layers;
mod positions;
mod shape;

pub use action::{Action, Logits, Merge, Weights};
pub use error::{NetworkError, inside, top};
pub use graph::{Graph, Node, Order, Parameter, Role, Signal};
pub use layers::*;
pub(crate) use positions::{AXES, axes_of};
pub use positions::{AxisMap, AxisTaps, Padding, PositionMap, Windows};
pub use shape::Shape;

pub use crate::dual::functions::*;

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

    /// The same network with all layers of `next` after its last one.
    #[must_use]
    pub fn join(mut self, next: Self) -> Self {
        self.layers.extend(next.layers);
        self
    }

    /// The same layers in another parameterisation.
    #[must_use]
    pub fn parameterization(mut self, parameterization: Parameterization) -> Self {
        self.parameterization = parameterization;
        self
    }

    /// Checks every layer's options, as reading from JSON does.
    ///
    /// # Errors
    /// [`NetworkError::Options`] of the first layer at fault.
    pub fn validate(&self) -> Result<(), NetworkError> {
        validate(&self.layers, &top)
    }

    /// The shape of one output for inputs of shape `input`.
    ///
    /// # Errors
    /// As [`Network::resolve`].
    pub fn output(&self, input: &Shape) -> Result<Shape, NetworkError> {
        Ok(self.resolve(input)?.output().clone())
    }
}

fn validate(layers: &[Layer], path: &dyn Fn(usize) -> String) -> Result<(), NetworkError> {
    for (i, layer) in layers.iter().enumerate() {
        if let Some(reason) = layer.kind().fault() {
            return Err(NetworkError::Options {
                path: path(i),
                name: layer.name().into(),
                reason,
            });
        }
        for (number, layers) in layer.kind().paths().iter().enumerate() {
            validate(layers, &|j| inside(&path(i), number, j))?;
        }
    }
    Ok(())
}

/// One line per layer: its path and what it is.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn lines(
            layers: &[Layer],
            path: &dyn Fn(usize) -> String,
            f: &mut fmt::Formatter<'_>,
        ) -> fmt::Result {
            for (i, layer) in layers.iter().enumerate() {
                for (number, layers) in layer.kind().paths().iter().enumerate() {
                    lines(layers, &|j| inside(&path(i), number, j), f)?;
                }
                writeln!(f, "{}  {layer}", path(i))?;
            }
            Ok(())
        }
        lines(&self.layers, &top, f)
    }
}
