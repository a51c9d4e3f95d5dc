//! The images, the network, and what few images with labels are worth.

use super::{Context, Failure};
use crate::experiments::study::{CLASSES, Images};
use ndarray::{Array2, ArrayRef2};
use ntk_data::Split;
use ntk_kernels::metrics::accuracy;
use ntk_kernels::network::{Network, dense, relu};
use ntk_kernels::{Kernel, KernelRidge};
use ntk_linalg::Ridge;
use serde_json::{Value as Json, json};

/// The standard deviations of weights and biases.
const W_STD: f64 = std::f64::consts::SQRT_2;
const B_STD: f64 = 0.1;
/// What is added to the kernel's diagonal, in units of its mean.
pub(super) const RIDGE: Ridge = Ridge::Relative(1e-6);
/// The kernel that images are learned for and predict by.
pub(super) const KERNEL: Kernel = Kernel::Ntk;

/// Makes the network, of one hidden layer; the infinitely wide one has a kernel, whatever the width.
pub(super) fn network(width: usize) -> Network {
    let layer = |width| dense().width(width).w_std(W_STD).b_std(B_STD);
    Network::new()
        .then(layer(width))
        .then(relu())
        .then(layer(CLASSES))
}

/// Images to learn from and to predict, standardised.
pub(super) struct Data {
    pub(super) train: Images<f32>,
    pub(super) test: Images<f32>,
    /// The test images and targets in the precision of predictions.
    exact: [Array2<f64>; 2],
    /// The mean and the standard deviation of the pixels of the training images.
    pub(super) mean: f64,
    pub(super) deviation: f64,
}

/// A few images, and the labels that are predicted from.
#[derive(Clone)]
pub(super) struct Support {
    pub(super) x: Array2<f32>,
    pub(super) y: Array2<f32>,
}

impl Data {
    pub(super) fn new(context: &Context<'_>) -> Result<Self, Failure> {
        let most = context.by_scale([2048, 1000], [60_000, 10_000], [60_000, 10_000]);
        let images = |split: &Split, most: usize| Images::<f32>::vectors(first(split, most)?);
        let mut train = images(&context.set.train, most[0])?;
        let mut test = images(&context.set.test, most[1])?;
        let numbers = || train.x.iter().map(|&v| f64::from(v));
        let count = train.x.len() as f64;
        let mean = numbers().sum::<f64>() / count;
        let variance = numbers().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
        let deviation = variance.sqrt();
        for images in [&mut train, &mut test] {
            images
                .x
                .mapv_inplace(|v| ((f64::from(v) - mean) / deviation) as f32);
            images.y -= (CLASSES as f32).recip();
        }
        let exact = [&test.x, &test.y].map(|a| a.mapv(f64::from));
        Ok(Self {
            train,
            test,
            exact,
            mean,
            deviation,
        })
    }

    pub(super) fn describe(&self) -> Json {
        json!({
            "train_images": self.train.split.len(),
            "test_images": self.test.split.len(),
            "pixels": "minus the mean, over the standard deviation of all pixels of the training images",
            "mean": self.mean,
            "standard_deviation": self.deviation,
            "targets": "one-hot minus 1/10",
        })
    }

    /// Takes training images with their targets.
    pub(super) fn support(&self, positions: &[usize]) -> Result<Support, Failure> {
        let Images { x, y, .. } = self.train.select(positions)?;
        Ok(Support { x, y })
    }

    /// Returns the share of test images that regression from the support tells.
    pub(super) fn accuracy(&self, support: &Support) -> Result<f64, Failure> {
        let [x, y] = [&support.x, &support.y].map(|a| a.mapv(f64::from));
        let fitted = KernelRidge::new(&network(1))
            .kernel(KERNEL)
            .alpha(RIDGE)
            .fit(&x, &y)?;
        Ok(accuracy(&fitted.predict(&self.exact[0])?, &self.exact[1])?)
    }

    /// Returns the share of test images that outputs (n, 10) tell.
    pub(super) fn share_told(&self, outputs: &ArrayRef2<f32>) -> Result<f64, Failure> {
        Ok(accuracy(outputs, &self.test.y)?)
    }
}

/// Takes the first images, no more than there are without a gap.
fn first(split: &Split, most: usize) -> Result<Split, Failure> {
    let rows = split.rows.iter().zip(0..most);
    Ok(split.first(rows.take_while(|&(&row, i)| row == i).count())?)
}
