//! Predicts a curve and how sure the prediction is: the posterior of an infinitely wide network.
#![allow(clippy::print_stdout, reason = "examples print")]

use ndarray::{Array2, array};
use ntk_kernels::GaussianProcess;
use ntk_kernels::network::{Network, dense, erf};

fn main() -> Result<(), ntk_kernels::Error> {
    let x = array![[-2.0], [-1.2], [-0.3], [0.4], [1.9]];
    let y = x.mapv(f64::sin);
    let hidden = || dense().w_std(1.5).b_std(0.5);
    let network = Network::new()
        .then(hidden())
        .then(erf(1.0, 1.0, 0.0))
        .then(hidden());
    let process = GaussianProcess::nngp(&network).noise(1e-4).fit(&x, &y)?;
    let z = Array2::from_shape_fn((9, 1), |(i, _)| i as f64 - 4.0);
    let (mean, variance) = process.predict_with_variance(&z)?;
    for ((z, mean), variance) in z.iter().zip(&mean).zip(&variance) {
        println!("f({z:2}) = {mean:6.3} +- {:.3}", variance.sqrt());
    }
    Ok(())
}
