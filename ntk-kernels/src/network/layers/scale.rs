//! Describes layers that multiply by fixed numbers.

use super::{Action, Layer, LayerKind, NetworkError, Resolved, Shape, json, to_json};
use crate::network::positions::{AxisMap, PositionMap, check_reads};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A `Scale` multiplies all numbers by one, or the positions of an axis by one each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// The number, or the numbers of the positions of [`Scale::axis`](struct@Scale#structfield.axis).
    pub by: Factors,
    /// The axis, counted as in a batch: 1 is the first axis of positions. `None` where there is one
    /// number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub axis: Option<isize>,
}

/// The `Factors` of a [`Scale`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Factors {
    /// One number.
    One(f64),
    /// One for each position of an axis.
    Each(Vec<f64>),
}

/// Makes a layer that multiplies by a number.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::network::{Network, dense, scale};
///
/// let x = array![[1.0, 2.0]];
/// let k = |network: Network| network.nngp(&x).map(|k| k[[0, 0]]);
/// let plain = k(Network::new().then(dense()))?;
/// assert_eq!(k(Network::new().then(dense()).then(scale(3.0)))?, 9.0 * plain);
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[must_use]
pub fn scale(by: f64) -> Scale {
    let (by, axis) = (Factors::One(by), None);
    Scale { by, axis }
}

/// Makes a layer that multiplies each position of an axis, counted as in a batch, by a number of its
/// own.
#[must_use]
pub fn scale_positions(axis: isize, by: impl Into<Vec<f64>>) -> Scale {
    let (by, axis) = (Factors::Each(by.into()), Some(axis));
    Scale { by, axis }
}

impl LayerKind for Scale {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn options(&self) -> Value {
        to_json(self)
    }

    fn fault(&self) -> Option<String> {
        match (&self.by, self.axis) {
            (Factors::One(by), _) if !by.is_finite() => {
                Some(format!("by must be finite, found {by}"))
            }
            (Factors::Each(by), _) if by.iter().any(|by| !by.is_finite()) => {
                Some("every number of by must be finite".into())
            }
            (Factors::One(_), Some(axis)) => Some(format!(
                "axis {axis} needs a list of numbers in by, one for each of its positions"
            )),
            (Factors::Each(_), None) => {
                Some("a list of numbers in by needs axis, whose positions they are for".into())
            }
            (Factors::One(_), None) | (Factors::Each(_), Some(_)) => None,
        }
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        let diagonal = |by: &dyn Fn(usize) -> f64, size: usize| {
            check_reads(&format!("a scale of {size} positions"), size)?;
            AxisMap::new(size, (0..size).map(|at| vec![(at, by(at))]))
        };
        match (&self.by, self.axis) {
            (Factors::Each(by), Some(axis)) => {
                let axis = input.position_axis(axis, "scaled")?;
                let size = input.positions()[axis];
                if by.len() != size {
                    return Err(format!(
                        "by has {} numbers, and its axis has {size} positions; give one for each",
                        by.len()
                    ));
                }
                Resolved::along_axis(input, axis, diagonal(&|at| by[at], size)?)
            }
            (Factors::One(_) | Factors::Each(_), _) => {
                let by = match &self.by {
                    Factors::One(by) => *by,
                    Factors::Each(_) => 1.0,
                };
                // Of vectors and images alike the first axis is multiplied.
                let mut axes = Vec::new();
                for (axis, &size) in input.positions().iter().chain([&1]).enumerate() {
                    axes.push(match axis {
                        0 => diagonal(&|_| by, size)?,
                        _ => AxisMap::identity(size)?,
                    });
                }
                Ok(Resolved {
                    shape: input.clone(),
                    action: Action::Positions(PositionMap::new(axes)),
                })
            }
        }
    }
}

pub(super) const NAMES: &[&str] = &["scale"];

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    json::options::<Scale>(at, name, options).map(Layer::Scale)
}
