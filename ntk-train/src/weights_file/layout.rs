//! The layouts that parameters have in files.

use ndarray::{ArrayD, Axis, IxDyn};

/// The layout of a parameter in a file.
#[derive(Debug, Clone)]
pub(crate) struct FileLayout {
    /// The axes in the file.
    pub(crate) file: Vec<usize>,
    /// The same numbers on axes of their own.
    pub(crate) split: Vec<usize>,
    /// Those axes in the order of the model's.
    pub(crate) order: Vec<usize>,
    /// Those of them along which the model counts backwards.
    pub(crate) backwards: Vec<usize>,
}

impl FileLayout {
    /// Returns the layout of the model itself.
    pub(crate) fn unchanged(axes: &[usize]) -> Self {
        Self {
            file: axes.to_vec(),
            split: axes.to_vec(),
            order: (0..axes.len()).collect(),
            backwards: Vec::new(),
        }
    }

    /// Brings numbers from the file's axes to the order of the model's.
    pub(super) fn ours(&self, values: ArrayD<f64>) -> ArrayD<f64> {
        let values = values.into_shape_with_order(IxDyn(&self.split));
        let mut values = values.expect("as many numbers");
        for &axis in &self.backwards {
            values.invert_axis(Axis(axis));
        }
        values.permuted_axes(IxDyn(&self.order))
    }
}
