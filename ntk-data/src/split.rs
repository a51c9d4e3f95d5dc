//! Images with their labels, and what becomes of them as numbers.

use ndarray::{Array1, Array2, Array4, Axis};
use num_traits::Float;

use crate::scalar::of;
use crate::scaling::PixelScaling;

/// A `Split` is images, their labels, and the rows they have in the published file.
///
/// The three have the same length; every subset keeps it so. Of a split whose parts a caller made of
/// different lengths only the common beginning counts.
///
/// ```
/// # #[cfg(feature = "embedded")] {
/// use ntk_data::{PixelScaling, sample, targets};
///
/// let train = sample::load()?.train.first_per_class(50, &[3, 6])?; // dresses and shirts
/// let x = train.vectors::<f32>(PixelScaling::Unit); // (100, 784), from 0 to 1
/// let images = train.images::<f32>(PixelScaling::Unit); // (100, 28, 28, 1)
/// let y = targets::one_hot::<f32>(&train.labels, 10)?; // (100, 10)
/// # assert_eq!((x.dim(), images.dim(), y.dim()), ((100, 784), (100, 28, 28, 1), (100, 10)));
/// # }
/// # Ok::<(), ntk_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The pixels, `(n, height, width, channels)`, row-major.
    pub images: Array4<u8>,
    /// The class of each image, `(n)`.
    pub labels: Array1<u8>,
    /// The row of each image in the published file, counted from 0.
    pub rows: Vec<usize>,
}

impl Split {
    /// Returns the number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        let images = self.images.len_of(Axis(0));
        self.rows.len().min(self.labels.len()).min(images)
    }

    /// Tells whether there are no images.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the images as numbers, `(n, height, width, channels)`.
    ///
    /// Each of the 256 values is computed in double precision and rounded once to `T`.
    #[must_use]
    pub fn images<T: Float>(&self, scaling: PixelScaling) -> Array4<T> {
        let table = table(scaling);
        self.images.mapv(|pixel| table[usize::from(pixel)])
    }

    /// Returns each image as a vector of numbers, `(n, height * width * channels)`: those of
    /// [`Split::images`], flattened row-major.
    #[must_use]
    pub fn vectors<T: Float>(&self, scaling: PixelScaling) -> Array2<T> {
        let (n, height, width, channels) = self.images.dim();
        let table = table(scaling);
        let mut vectors = Array2::zeros((n, height * width * channels));
        for (number, &pixel) in vectors.iter_mut().zip(&self.images) {
            *number = table[usize::from(pixel)];
        }
        vectors
    }

    /// Selects the images at these positions, all below [`Split::len`], in this order.
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
