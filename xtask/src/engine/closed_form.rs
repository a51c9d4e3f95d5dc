//! The one door of the commands to closed-form kernels.

use crate::Failure;
use ndarray::ArrayViewD;
use ntk_kernels::network::Shape;
use ntk_kernels::{Get, Kernels, Network};
use ntk_linalg::{Observer, Real};

/// The kernels of `x1` against `x2`, or against itself, for samples of any shape.
pub(crate) fn kernels<T: Real>(
    network: &Network,
    x1: ArrayViewD<'_, T>,
    x2: Option<ArrayViewD<'_, T>>,
    get: Get,
    observer: &dyn Observer,
) -> Result<Kernels<T>, Failure> {
    Ok(ntk_kernels::kernels(network, x1, x2, get, observer)?)
}

/// The shape of one of the samples `x`, which has 2 to 4 axes.
pub(crate) fn sample_shape<T>(x: &ArrayViewD<'_, T>) -> Shape {
    match x.shape() {
        [_, positions @ .., channels] => Shape::new(positions.to_vec(), *channels),
        _ => Shape::features(1),
    }
}
