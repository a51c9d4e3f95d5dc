//! How files lay parameters out.

use crate::compiled::Scalar;
use ndarray::{ArrayD, IxDyn};

/// How a file lays a parameter out.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Its axes in the file.
    pub(crate) file: Vec<usize>,
    /// The same numbers on axes of their own.
    pub(crate) split: Vec<usize>,
    /// Those axes in the order of the model's.
    pub(crate) order: Vec<usize>,
}

impl Layout {
    /// As the model's.
    pub(crate) fn unchanged(axes: &[usize]) -> Self {
        Self {
            file: axes.to_vec(),
            split: axes.to_vec(),
            order: (0..axes.len()).collect(),
        }
    }

    pub(super) fn ours<T: Scalar>(&self, values: ArrayD<T>) -> ArrayD<T> {
        let values = values.into_shape_with_order(IxDyn(&self.split));
        values
            .expect("as many numbers")
            .permuted_axes(IxDyn(&self.order))
    }
}
