//! Images as networks and kernels take them.

use crate::Failure;
use ndarray::{Array, Array2, Axis, Dimension, Ix2, Ix4, RemoveAxis};
use ntk_data::{PixelScaling, Split, targets};
use ntk_kernels::metrics::accuracy;
use ntk_train::{Loss, Model, Scalar};

/// The number of classes of every data set here, and so of outputs.
pub(crate) const CLASSES: usize = 10;

/// Inputs and targets that are made of images.
pub(crate) struct Images<T = f64, D: Dimension = Ix2> {
    /// The images themselves, with their labels.
    pub(crate) split: Split,
    /// The inputs, (n, ...).
    pub(crate) x: Array<T, D>,
    /// The targets, (n, outputs).
    pub(crate) y: Array2<T>,
}

/// What a network makes of images.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Score {
    /// The cross-entropy.
    pub(crate) loss: f64,
    /// The share of images whose largest output is at their label.
    pub(crate) accuracy: f64,
}

impl<T: Scalar> Images<T> {
    /// Makes vectors of the pixels over 255, and one-hot targets of ten classes.
    pub(crate) fn vectors(split: Split) -> Result<Self, Failure> {
        Self::of(split.vectors(PixelScaling::Unit), split)
    }
}

impl<T: Scalar> Images<T, Ix4> {
    /// Makes arrays (n, height, width, 1) of the pixels over 255, and one-hot targets of ten classes.
    pub(crate) fn pictures(split: Split) -> Result<Self, Failure> {
        Self::of(split.images(PixelScaling::Unit), split)
    }
}

impl<T: Scalar, D: RemoveAxis> Images<T, D> {
    fn of(x: Array<T, D>, split: Split) -> Result<Self, Failure> {
        let y = targets::one_hot(&split.labels, CLASSES)?;
        Ok(Self { split, x, y })
    }

    /// Takes the images at these positions, in this order.
    pub(crate) fn select(&self, positions: &[usize]) -> Result<Self, Failure> {
        let rows: Vec<usize> = positions.iter().map(|&i| self.split.rows[i]).collect();
        Ok(Self {
            split: self.split.select(&rows)?,
            x: self.x.select(Axis(0), positions),
            y: self.y.select(Axis(0), positions),
        })
    }

    /// Returns the classes as indices.
    pub(crate) fn labels(&self) -> Vec<usize> {
        self.split.labels.iter().map(|&l| l.into()).collect()
    }

    /// Scores the network as it is now.
    pub(crate) fn score(&self, model: &Model<T>) -> Result<Score, Failure> {
        let outputs = model.forward(&self.x)?;
        let (loss, _) = Loss::CrossEntropy.with_gradient(&outputs, &self.y)?;
        let accuracy = accuracy(&outputs, &self.y)?;
        Ok(Score { loss, accuracy })
    }
}
