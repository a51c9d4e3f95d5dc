//! Images with their labels.

use ndarray::{Array1, Array2, Array4, Axis};
use num_traits::Float;

use crate::scalar::of;
use crate::scaling::PixelScaling;

/// Images, their labels, and the rows they have in the published file.
///
/// The three have the same length; every constructor and subset of this crate keeps it so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Pixels, `(n, height, width, channels)`, row-major.
    pub images: Array4<u8>,
    /// Class of each image, `(n)`.
    pub labels: Array1<u8>,
    /// Row of each image in the published file, counted from 0.
    pub rows: Vec<usize>,
}

impl Split {
    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The images as numbers, `(n, height, width, channels)`.
    ///
    /// Each of the 256 values is computed in double precision and rounded once to `T`.
    #[must_use]
    pub fn images<T: Float>(&self, scaling: PixelScaling) -> Array4<T> {
        let table = table(scaling);
        self.images.mapv(|pixel| table[usize::from(pixel)])
    }

    /// The images as rows of numbers, `(n, height * width * channels)`.
    ///
    /// As [`Split::images`], flattened row-major.
    #[must_use]
    pub fn inputs<T: Float>(&self, scaling: PixelScaling) -> Array2<T> {
        let (n, height, width, channels) = self.images.dim();
        let table = table(scaling);
        let mut inputs = Array2::zeros((n, height * width * channels));
        for (input, &pixel) in inputs.iter_mut().zip(&self.images) {
            *input = table[usize::from(pixel)];
        }
        inputs
    }

    /// The images at these positions, in this order.
    pub(crate) fn at(&self, positions: &[usize]) -> Self {
        Self {
            images: self.images.select(Axis(0), positions),
            labels: self.labels.select(Axis(0), positions),
            rows: positions.iter().map(|&i| self.rows[i]).collect(),
        }
    }
}

fn table<T: Float>(scaling: PixelScaling) -> Vec<T> {
    (0..=u8::MAX).map(|x| of(scaling.apply(x))).collect()
}
