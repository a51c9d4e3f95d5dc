//! Describes layers that interpolate images to another size.

use super::{Action, Layer, LayerKind, NetworkError, Resolved, Shape, json, to_json};
use crate::network::positions::{AxisMap, PositionMap, check_reads};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An `Interpolation` says how a [`Resize`] weighs input positions. Corners are not aligned: output o
/// of m lies at `(o + 1/2) n/m - 1/2` among n inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// Weights fall linearly with the distance.
    #[default]
    Linear,
    /// The nearest position counts alone.
    Nearest,
}

/// A `Resize` interpolates the positions of each axis to another number, as `jax.image.resize` does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// The sizes of the axes of positions after the layer.
    pub shape: Vec<usize>,
    /// The weights of the interpolation.
    #[serde(default)]
    pub method: Interpolation,
    /// Whether weights are spread over all positions that an output stands for where there are fewer
    /// outputs than inputs.
    #[serde(default = "yes")]
    pub antialias: bool,
}

fn yes() -> bool {
    true
}

/// Makes a layer that interpolates linearly to these sizes of the axes of positions.
///
/// ```
/// use ntk_kernels::network::{Network, Shape, resize};
///
/// assert_eq!(Network::new().then(resize([14, 14])).output([28, 28, 1])?, Shape::new([14, 14], 1));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[must_use]
pub fn resize(shape: impl Into<Vec<usize>>) -> Resize {
    Resize {
        shape: shape.into(),
        method: Interpolation::Linear,
        antialias: true,
    }
}

impl Resize {
    /// Sets the weights of the interpolation.
    #[must_use]
    pub fn method(mut self, method: Interpolation) -> Self {
        self.method = method;
        self
    }

    /// Sets whether weights are spread where positions become fewer.
    #[must_use]
    pub fn antialias(mut self, antialias: bool) -> Self {
        self.antialias = antialias;
        self
    }

    fn along(&self, inputs: usize, outputs: usize) -> Result<AxisMap, String> {
        if inputs == outputs {
            return AxisMap::identity(inputs);
        }
        check_reads(&format!("a resize of {inputs} positions"), inputs)?;
        let (n, m) = (inputs as f64, outputs as f64);
        let rows = (0..outputs).map(|out| match self.method {
            Interpolation::Nearest => vec![((2 * out + 1) * inputs / (2 * outputs), 1.0)],
            Interpolation::Linear => {
                let center = (out as f64 + 0.5) * n / m - 0.5;
                let reach = if self.antialias {
                    (n / m).max(1.0)
                } else {
                    1.0
                };
                let [first, last] =
                    [center - reach, center + reach].map(|at| at.clamp(0.0, n - 1.0));
                let weight = |at: usize| 1.0 - (center - at as f64).abs() / reach;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "clamped to positions"
                )]
                let near = first.floor() as usize..=last.ceil() as usize;
                let near = near
                    .map(|at| (at, weight(at)))
                    .filter(|&(_, weight)| weight > 0.0);
                let sum: f64 = near.clone().map(|(_, weight)| weight).sum();
                near.map(|(at, weight)| (at, weight / sum)).collect()
            }
        });
        AxisMap::new(inputs, rows)
    }
}

impl LayerKind for Resize {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn options(&self) -> Value {
        to_json(self)
    }

    fn fault(&self) -> Option<String> {
        let reads = self.shape.iter().any(|&size| size == 0 || size > 1 << 20);
        reads.then(|| {
            format!(
                "every size in shape must be from 1 to {}, found {:?}",
                1 << 20,
                self.shape
            )
        })
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        input.needs_axes("shape", &self.shape)?;
        let sizes = input.positions().iter().zip(&self.shape);
        let axes = sizes.map(|(&inputs, &outputs)| self.along(inputs, outputs));
        let map = PositionMap::new(axes.collect::<Result<Vec<_>, _>>()?);
        Ok(Resolved {
            shape: Shape::new(&self.shape[..], input.channels()),
            action: Action::Positions(map),
        })
    }
}

pub(super) const NAMES: &[&str] = &["resize"];

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    json::options::<Resize>(at, name, options).map(Layer::Resize)
}
