//! Describes layers that keep some positions of an axis.

use super::{Layer, LayerKind, NetworkError, Resolved, Shape, json, to_json};
use crate::network::positions::{AxisMap, check_reads};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A `Slice` keeps the positions of one axis that Python's `start:stop:step` selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Slice {
    /// The axis, counted as in a batch: 1 is the first axis of positions.
    pub axis: isize,
    /// The first position, counted from the end where it is negative; `None` means an end.
    pub start: Option<isize>,
    /// The position before which the slice ends.
    pub stop: Option<isize>,
    /// The distance from one position to the next, backwards where it is negative; `None` means 1.
    pub step: Option<isize>,
}

impl Default for Slice {
    fn default() -> Self {
        Self {
            axis: 1,
            start: None,
            stop: None,
            step: None,
        }
    }
}

/// Makes a layer that keeps all positions of an axis, counted as in a batch, until
/// [`Slice::range`] or [`Slice::step`] selects some.
///
/// ```
/// use ntk_kernels::network::{Network, Shape, slice};
///
/// let network = Network::new().then(slice(1).range(1, -1).step(2));
/// assert_eq!(network.output([9, 4, 3])?, Shape::new([4, 4], 3));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[must_use]
pub fn slice(axis: isize) -> Slice {
    Slice {
        axis,
        ..Slice::default()
    }
}

impl Slice {
    /// Sets the first position and the one before which the slice ends, counted from the end where
    /// they are negative.
    #[must_use]
    pub fn range(
        mut self,
        start: impl Into<Option<isize>>,
        stop: impl Into<Option<isize>>,
    ) -> Self {
        (self.start, self.stop) = (start.into(), stop.into());
        self
    }

    /// Sets the distance from one position to the next.
    #[must_use]
    pub fn step(mut self, step: isize) -> Self {
        self.step = Some(step);
        self
    }

    /// Lists the positions that Python's slice selects of `size`.
    fn selected(&self, size: usize) -> Vec<usize> {
        let (size, step) = (size.cast_signed(), self.step.unwrap_or(1));
        let (least, most) = if step > 0 { (0, size) } else { (-1, size - 1) };
        let end = |at: Option<isize>, otherwise: isize| match at {
            None => otherwise,
            Some(at) if at < 0 => at.saturating_add(size).clamp(least, most),
            Some(at) => at.clamp(least, most),
        };
        let (first, last) = if step > 0 {
            (least, most)
        } else {
            (most, least)
        };
        let (start, stop) = (end(self.start, first), end(self.stop, last));
        let next = |&at: &isize| at.checked_add(step);
        let inside = |at: &isize| if step > 0 { *at < stop } else { *at > stop };
        let all = std::iter::successors(Some(start), next).take_while(inside);
        all.map(isize::cast_unsigned).collect()
    }
}

impl LayerKind for Slice {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn options(&self) -> Value {
        to_json(self)
    }

    fn fault(&self) -> Option<String> {
        (self.step == Some(0)).then(|| "step must not be 0".into())
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        let axis = input.position_axis(self.axis, "sliced")?;
        let size = input.positions()[axis];
        check_reads(&format!("a slice of {size} positions"), size)?;
        let rows: Vec<_> = self
            .selected(size)
            .into_iter()
            .map(|at| vec![(at, 1.0)])
            .collect();
        if rows.is_empty() {
            return Err(format!(
                "it selects none of the {size} positions of axis {}; give it other ends",
                self.axis
            ));
        }
        Resolved::along_axis(input, axis, AxisMap::new(size, rows)?)
    }
}

pub(super) const NAMES: &[&str] = &["slice"];

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    json::options::<Slice>(at, name, options).map(Layer::Slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_those_of_python() {
        for (start, stop, step, expected) in [
            (None, None, None, &[0, 1, 2, 3, 4][..]),
            (Some(1), Some(-1), Some(2), &[1, 3]),
            (None, None, Some(-2), &[4, 2, 0]),
            (Some(-2), None, None, &[3, 4]),
            (Some(9), Some(-9), Some(-3), &[4, 1]),
            (Some(3), Some(1), None, &[]),
            (Some(isize::MIN), Some(isize::MAX), Some(isize::MAX), &[0]),
        ] {
            let (axis, start, stop) = (1, start, stop);
            let slice = Slice {
                axis,
                start,
                stop,
                step,
            };
            assert_eq!(slice.selected(5), expected, "{slice:?}");
        }
    }
}
