//! Describes layers that keep one position of an axis.

use super::{Layer, LayerKind, NetworkError, Resolved, Shape, json, to_json};
use crate::network::positions::AxisMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An `Index` keeps one position of an axis, and leaves out the axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// The axis, counted as in a batch: 1 is the first axis of positions.
    #[serde(default = "first")]
    pub axis: isize,
    /// The position, counted from the end where it is negative.
    pub at: isize,
}

fn first() -> isize {
    1
}

/// Makes a layer that keeps position `at` of an axis, counted as in a batch, and leaves out the axis.
///
/// ```
/// use ntk_kernels::network::{Network, Shape, index};
///
/// assert_eq!(Network::new().then(index(1, -1)).output([9, 3])?, Shape::features(3));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[must_use]
pub fn index(axis: isize, at: isize) -> Index {
    Index { axis, at }
}

impl LayerKind for Index {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn options(&self) -> Value {
        to_json(self)
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        let axis = input.position_axis(self.axis, "indexed")?;
        let size = input.positions()[axis];
        let at = match self.at < 0 {
            true => size.checked_sub(self.at.unsigned_abs()),
            false => Some(self.at.unsigned_abs()).filter(|&at| at < size),
        };
        let at = at.ok_or_else(|| {
            format!(
                "position {} of axis {} does not exist, there are {size}; count from 0, or from the end from -1",
                self.at, self.axis
            )
        })?;
        let map = AxisMap::new(size, [vec![(at, 1.0)]])?;
        let Resolved { action, .. } = Resolved::along_axis(input, axis, map)?;
        let mut marked = vec![false; input.positions().len()];
        marked[axis] = true;
        let shape = input.without(&marked);
        Ok(Resolved { shape, action })
    }
}

pub(super) const NAMES: &[&str] = &["index"];

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    json::options::<Index>(at, name, options).map(Layer::Index)
}
