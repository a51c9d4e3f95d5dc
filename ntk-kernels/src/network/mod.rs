//! Describes an architecture: what is computed, layer by layer.
//!
//! One [`Network`] value gives the infinite-width kernels here and the finite network in
//! `ntk-train`. It is built by plain functions
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
//! let table = network.resolve([32, 32, 3])?.table();
//! assert!(table.contains("global_avg_pool"));
//! # Ok::<(), NetworkError>(())
//! ```
//!
//! or read from JSON by [`Network::from_json`], as `{"parameterization": "ntk", "layers": ["dense",
//! "relu", {"dense": {"width": 10}}]}`, where a layer is a name (which leaves all options at their
//! defaults) or `{name: {options}}`.

mod action;
mod error;
mod graph;
mod hyperparameters;
mod json;
mod layers;
pub(crate) mod masks;
mod matrices;
mod names;
mod padding;
mod parameters;
mod positions;
mod shape;

pub use action::{
    Action, Decay, Embedded, Logits, Mechanism, Merge, PositionCovariance, Recurrence, States,
    Weights,
};
pub use error::{NetworkError, inside, top};
pub use graph::{Graph, Node, Order, Signal};
pub use hyperparameters::{Hyperparameter, HyperparameterError, Hyperparameters};
pub use layers::*;
pub use padding::Padding;
pub use parameters::{Parameter, Role, Start};
pub use positions::{AxisMap, AxisTaps, PositionMap, Windows};
pub(crate) use positions::{axes_of, displacements};
pub use shape::Shape;
pub(crate) use shape::{AXES, count_positions, kept, padded, places};

pub use crate::dual::functions::*;

use serde::{Deserialize, Serialize};
use std::fmt;

/// A `Parameterization` says how weights are scaled, and so how much their gradients count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parameterization {
    /// The NTK parameterisation: `z = w_std / sqrt(fan_in) * W x + b_std * b` with all entries of
    /// `W` and `b` standard normal (Jacot et al. 2018, arXiv:1806.07572).
    #[default]
    Ntk,
    /// The standard parameterisation: `z = W x + b` with `W ~ N(0, w_std^2 / fan_in)` and `b ~ N(0,
    /// b_std^2)` (Sohl-Dickstein et al. 2020, arXiv:2001.07301).
    Standard,
}

/// A `Network` describes a feed-forward architecture.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "json::Unique", into = "serde_json::Value")]
pub struct Network {
    /// The scaling of the weights.
    pub parameterization: Parameterization,
    /// The layers, from input to output.
    pub layers: Vec<Layer>,
}

impl Network {
    /// Makes a network without layers, in NTK parameterisation.
    ///
    /// ```
    /// use ntk_kernels::network::{Network, Shape, dense, relu};
    ///
    /// let network = Network::new().then(dense().w_std(1.4)).then(relu()).then(dense().width(1));
    /// assert_eq!(network.layers.len(), 3);
    /// assert_eq!(network.output(784)?, Shape::features(1));
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a layer: one of those that functions such as [`dense`], [`conv`] and [`relu`] make.
    #[must_use]
    pub fn then(mut self, layer: impl Into<Layer>) -> Self {
        self.layers.push(layer.into());
        self
    }

    /// Appends all layers of `next`.
    ///
    /// ```
    /// use ntk_kernels::network::{Network, dense, relu};
    ///
    /// let block = || Network::new().then(dense()).then(relu());
    /// let deep = block().join(block()).then(dense());
    /// assert_eq!(deep.layers.len(), 5);
    /// ```
    #[must_use]
    pub fn join(mut self, next: Self) -> Self {
        self.layers.extend(next.layers);
        self
    }

    /// Sets the parameterisation.
    #[must_use]
    pub fn parameterization(mut self, parameterization: Parameterization) -> Self {
        self.parameterization = parameterization;
        self
    }

    /// Checks the options of every layer, as reading from JSON does.
    ///
    /// # Errors
    /// Returns [`NetworkError::Options`] for the first layer at fault.
    pub fn validate(&self) -> Result<(), NetworkError> {
        validate(&self.layers, &top, MOST_NESTED)
    }

    /// Infers the shape of one output for samples of shape `input`, such as `784` or `[32, 32, 3]`.
    ///
    /// # Errors
    /// Fails as [`Network::resolve`] does.
    pub fn output(&self, input: impl Into<Shape>) -> Result<Shape, NetworkError> {
        Ok(self.resolve(input)?.output().clone())
    }
}

/// How deep branches may be nested: as deep as [`Network::from_json`] reads them.
const MOST_NESTED: usize = 30;

fn validate(
    layers: &[Layer],
    path: &dyn Fn(usize) -> String,
    nested: usize,
) -> Result<(), NetworkError> {
    for (i, layer) in layers.iter().enumerate() {
        let paths = layer.kind().paths();
        let too_deep = (nested == 0 && !paths.is_empty())
            .then(|| format!("branches may be nested {MOST_NESTED} deep; nest fewer"));
        if let Some(reason) = too_deep.or_else(|| layer.kind().fault()) {
            return Err(NetworkError::Options {
                path: path(i),
                name: layer.name().into(),
                reason,
            });
        }
        for (number, layers) in paths.iter().enumerate() {
            validate(layers, &|j| inside(&path(i), number, j), nested - 1)?;
        }
    }
    Ok(())
}

/// Writes one line for each layer: its path and what it is.
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
