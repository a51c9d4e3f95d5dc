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
//! let table = network.table(&Shape::new([32, 32], 3))?;
//! assert!(table.contains("global_avg_pool"));
//! # Ok::<(), NetworkError>(())
//! ```
//!
//! or read from JSON ([`Network::from_json`]): `{"parameterization": "ntk",
//! "layers": ["dense", "relu", {"dense": {"width": 10}}]}`, where a layer is a
//! name (all options at their defaults) or `{name: {options}}`.

mod json;
mod layers;
mod shape;
mod windows;

pub use json::NetworkError;
pub use layers::*;
pub use shape::Shape;
pub use windows::Windows;

pub use crate::dual::{
    Function, abrelu, abs, closed_form, cos, erf, exp, exp_normalized, gabor, gaussian, gelu,
    hermite, leaky_relu, monomial, numerical, polynomial, quadrature, rbf, rectified_monomial,
    relu, sigmoid_like, sign, sin,
};

use crate::dual::Activation;
pub use json::{inside, top};
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

/// One layer with its path and the shape after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// As `layers[3].branch.paths[1][0]`.
    pub path: String,
    /// The layer.
    pub layer: Layer,
    /// One sample's shape after it.
    pub shape: Shape,
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

    /// Every layer, those of branches' paths before their branch, with the shape after it.
    ///
    /// # Errors
    /// [`NetworkError`] of the first layer whose options are out of range, or that does not
    /// take what the layers before it give.
    pub fn rows(&self, input: &Shape) -> Result<Vec<Row>, NetworkError> {
        self.validate()?;
        let mut rows = Vec::new();
        walk(&self.layers, &top, input, &mut rows)?;
        Ok(rows)
    }

    /// The shape of one output for inputs of shape `input`.
    ///
    /// # Errors
    /// As [`Network::rows`].
    pub fn output(&self, input: &Shape) -> Result<Shape, NetworkError> {
        Ok(self
            .rows(input)?
            .pop()
            .map_or_else(|| input.clone(), |row| row.shape))
    }

    /// A printable table: path, layer and shape after it.
    ///
    /// # Errors
    /// As [`Network::rows`].
    pub fn table(&self, input: &Shape) -> Result<String, NetworkError> {
        let mut lines = vec![["".into(), "input".into(), input.to_string()]];
        lines.extend(
            self.rows(input)?
                .into_iter()
                .map(|row| [row.path, row.layer.to_string(), row.shape.to_string()]),
        );
        let width = |column: usize| lines.iter().map(|l| l[column].len()).max().unwrap_or(0);
        let (paths, layers) = (width(0), width(1));
        Ok(lines
            .iter()
            .map(|[path, layer, shape]| format!("{path:paths$}  {layer:layers$}  {shape}\n"))
            .collect())
    }
}

fn validate(layers: &[Layer], path: &dyn Fn(usize) -> String) -> Result<(), NetworkError> {
    for (i, layer) in layers.iter().enumerate() {
        if let Some(reason) = layer.fault() {
            return Err(NetworkError::Options {
                path: path(i),
                name: layer.name().into(),
                reason,
            });
        }
        if let Layer::Branch(branch) = layer {
            for (number, layers) in branch.paths.iter().enumerate() {
                validate(layers, &|j| inside(&path(i), number, j))?;
            }
        }
    }
    Ok(())
}

/// Adds a row for each layer, and gives the shape after the last.
fn walk(
    layers: &[Layer],
    path: &dyn Fn(usize) -> String,
    input: &Shape,
    rows: &mut Vec<Row>,
) -> Result<Shape, NetworkError> {
    let mut shape = input.clone();
    for (i, layer) in layers.iter().enumerate() {
        let fail = |reason| NetworkError::Shape {
            path: path(i),
            name: layer.name().into(),
            reason,
        };
        shape = match layer {
            Layer::Branch(branch) => {
                let mut ends = Vec::new();
                for (number, layers) in branch.paths.iter().enumerate() {
                    let path = |j| inside(&path(i), number, j);
                    ends.push(walk(layers, &path, &shape, rows)?);
                }
                // Widths are the finite network's affair: its kernels need equal positions only.
                let first = ends[0].clone();
                if let Some(other) = ends.iter().find(|s| **s != first) {
                    return Err(fail(format!(
                        "its paths must end in one shape, found {first} and {other}; give them the same widths, strides and padding"
                    )));
                }
                first
            }
            layer => layer.shape(&shape).map_err(fail)?,
        };
        rows.push(Row {
            path: path(i),
            layer: layer.clone(),
            shape: shape.clone(),
        });
    }
    Ok(shape)
}

impl From<Activation> for Layer {
    fn from(activation: Activation) -> Self {
        Self::Activation(activation)
    }
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
                if let Layer::Branch(branch) = layer {
                    for (number, layers) in branch.paths.iter().enumerate() {
                        lines(layers, &|j| inside(&path(i), number, j), f)?;
                    }
                }
                writeln!(f, "{}  {layer}", path(i))?;
            }
            Ok(())
        }
        lines(&self.layers, &top, f)
    }
}
