//! Follows what an infinitely wide network predicts while gradient descent trains it.
#![allow(clippy::print_stdout, reason = "examples print")]

use ndarray::array;
use ntk_kernels::GradientFlow;
use ntk_kernels::network::{Network, dense, relu};

fn main() -> Result<(), ntk_kernels::Error> {
    let (x, y) = (
        array![[1.0, 0.0], [0.6, 0.8], [-1.0, 0.5]],
        array![1.0, 0.5, -1.0],
    );
    let network = Network::new().then(dense()).then(relu()).then(dense());
    let flow = GradientFlow::new(&network).learning_rate(0.1).fit(&x, &y)?;
    let times = [0.0, 10.0, 100.0, 1000.0, f64::INFINITY]; // steps of gradient descent
    let outputs = flow.predict_at(&array![[0.0, 1.0], [0.8, -0.6]], &times)?;
    for (time, outputs) in times.iter().zip(outputs.outer_iter()) {
        println!(
            "after {time:4}: {:6.3} and {:6.3}",
            outputs[[0, 0]],
            outputs[[1, 0]]
        );
    }
    Ok(())
}
