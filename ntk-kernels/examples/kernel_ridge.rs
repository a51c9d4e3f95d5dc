//! Classifies images of clothes with the tangent kernel of an infinitely wide network.
#![allow(clippy::print_stdout, reason = "examples print")]

use ntk_data::{PixelScaling, targets};
use ntk_kernels::KernelRidge;
use ntk_kernels::network::{Network, dense, relu};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let fashion = ntk_data::sample::load()?; // some 3500 training and 2800 test images
    let x = fashion.train.vectors::<f32>(PixelScaling::Unit);
    let z = fashion.test.vectors::<f32>(PixelScaling::Unit);
    let y = targets::one_hot(&fashion.train.labels, 10)?;
    let network = Network::new().then(dense()).then(relu()).then(dense());
    let model = KernelRidge::new(&network).alpha(1e-3).fit(&x, &y)?;
    let right = model.accuracy(&z, &targets::one_hot(&fashion.test.labels, 10)?)?;
    println!("{:.1} % of the test images", 100.0 * right); // 86.3 %
    Ok(())
}
