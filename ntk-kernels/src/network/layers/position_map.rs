//! Describes fixed linear maps of positions.

use super::{Action, Layer, LayerKind, NetworkError, Resolved, Shape, json, to_json};
use crate::network::positions::{AxisMap, PositionMap as Map};
use crate::network::shape::saturating_product;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A `PositionMatrix` multiplies positions by a fixed matrix, channel by channel: sums, differences,
/// permutations, Fourier coefficients, weighted readouts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PositionMatrix {
    /// The axes whose positions are mapped, counted as in a batch: 1 is the first axis of positions.
    pub axes: Vec<isize>,
    /// The matrix: a row for each output position, a column for each position of the axes, the last
    /// axis fastest.
    pub matrix: Vec<Vec<f64>>,
    /// The sizes of the axes that stand for those mapped, their product the number of rows; `None`
    /// means one axis. Without any the axes are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Vec<usize>>,
}

/// Makes a layer that multiplies the positions of axes, counted as in a batch, by a matrix: a row for
/// each output position, a column for each position of the axes, the last axis fastest.
///
/// ```
/// use ntk_kernels::network::{Network, Shape, position_map};
///
/// let differences = vec![vec![1.0, -1.0, 0.0], vec![0.0, 1.0, -1.0]];
/// let network = Network::new().then(position_map([1], differences));
/// assert_eq!(network.output([3, 5, 2])?, Shape::new([2, 5], 2));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[must_use]
pub fn position_map(axes: impl Into<Vec<isize>>, matrix: Vec<Vec<f64>>) -> PositionMatrix {
    PositionMatrix {
        axes: axes.into(),
        matrix,
        to: None,
    }
}

impl PositionMatrix {
    /// Sets the sizes of the axes that stand for those mapped; without any the axes are left out.
    #[must_use]
    pub fn to(mut self, to: impl Into<Vec<usize>>) -> Self {
        self.to = Some(to.into());
        self
    }
}

impl LayerKind for PositionMatrix {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn options(&self) -> Value {
        to_json(self)
    }

    fn fault(&self) -> Option<String> {
        let columns = self.matrix.first().map_or(0, Vec::len);
        if columns == 0 {
            return Some("matrix must have a row for each output position".into());
        }
        if let Some((row, found)) =
            (self.matrix.iter().enumerate()).find(|(_, row)| row.len() != columns)
        {
            return Some(format!(
                "matrix must have rows of one length, found {columns} and, in row {row}, {}",
                found.len()
            ));
        }
        if self
            .matrix
            .iter()
            .flatten()
            .any(|weight| !weight.is_finite())
        {
            return Some("every number of matrix must be finite".into());
        }
        let to = self.to.as_ref()?;
        let (rows, sizes) = (self.matrix.len(), saturating_product(to.iter().copied()));
        (sizes != rows).then(|| {
            format!("to {to:?} has {sizes} positions, and matrix has {rows} rows; give as many")
        })
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        let marked = input.marked_positions(Some(&self.axes), "mapped")?;
        let sizes = input.positions();
        let mapped: Vec<usize> = (0..sizes.len()).filter(|&axis| marked[axis]).collect();
        let count = saturating_product(mapped.iter().map(|&axis| sizes[axis]));
        let columns = self.matrix.first().map_or(0, Vec::len);
        let Some(&first) = mapped.first() else {
            return Err("axes must name an axis of positions, such as 1".into());
        };
        if columns != count {
            return Err(format!(
                "matrix has {columns} columns, and axes {:?} of an input {input} have {count} positions; give one for each",
                self.axes
            ));
        }
        let to = self.to.clone().unwrap_or_else(|| vec![self.matrix.len()]);
        // Those that are mapped stand where the first of them stood.
        let rest: Vec<usize> = (0..sizes.len()).filter(|&axis| !marked[axis]).collect();
        let (before, after): (Vec<_>, Vec<_>) = rest.iter().partition(|&&axis| axis < first);
        let size =
            |axes: &[usize]| -> Vec<usize> { axes.iter().map(|&axis| sizes[axis]).collect() };
        let positions = [size(&before), to.clone(), size(&after)].concat();
        let shape = Shape::new(positions, input.channels());
        if shape.positions().len() > crate::network::shape::AXES {
            return shape
                .check("its output")
                .map(|()| unreachable!("too many axes"));
        }
        let total = saturating_product(sizes.iter().copied());
        let outputs = saturating_product(shape.positions().iter().copied());
        let nonzero = self
            .matrix
            .iter()
            .flatten()
            .filter(|&&weight| weight != 0.0);
        let terms = nonzero.count().saturating_mul(total / count.max(1));
        if terms.max(outputs) > 1 << 26 {
            return Err("it has more terms than memory can hold; use fewer positions".into());
        }
        let place = |out: usize| -> Vec<usize> {
            let mut rest = out;
            let mut at: Vec<usize> = (shape.positions().iter().rev())
                .map(|&size| {
                    let index = rest % size;
                    rest /= size;
                    index
                })
                .collect();
            at.reverse();
            at
        };
        let rows = (0..outputs).map(|out| {
            let at = place(out);
            let (front, end) = (before.len(), before.len() + to.len());
            let row = (to.iter().zip(&at[front..end])).fold(0, |row, (&size, &at)| row * size + at);
            // The input that column `column` of this row reads.
            let input = |column: usize| {
                let mut index = vec![0; sizes.len()];
                for (&axis, &at) in before.iter().zip(&at) {
                    index[axis] = at;
                }
                for (&axis, &at) in after.iter().zip(&at[end..]) {
                    index[axis] = at;
                }
                let mut rest = column;
                for &axis in mapped.iter().rev() {
                    index[axis] = rest % sizes[axis];
                    rest /= sizes[axis];
                }
                (index.iter().zip(sizes)).fold(0, |place, (&at, &size)| place * size + at)
            };
            let weights = self.matrix[row].iter().enumerate();
            let weights = weights.filter(|(_, weight)| **weight != 0.0);
            weights
                .map(|(column, &weight)| (input(column), weight))
                .collect()
        });
        let map = Map::joint(input, &shape, AxisMap::new(total, rows)?)?;
        let action = Action::Positions(map);
        Ok(Resolved { shape, action })
    }
}

pub(super) const NAMES: &[&str] = &["position_map"];

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    json::options::<PositionMatrix>(at, name, options).map(Layer::PositionMatrix)
}
