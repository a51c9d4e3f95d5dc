//! The kernels of a residual network on images.
#![allow(clippy::print_stdout, reason = "examples print")]

use ndarray::Array4;
use ntk_kernels::network::*;

/// Two convolutions beside one that halves the image.
fn block() -> Branch {
    let long = Network::new()
        .then(relu())
        .then(conv([3, 3]).same().strides([2, 2]))
        .then(relu())
        .then(conv([3, 3]).same());
    let short = Network::new().then(conv([3, 3]).same().strides([2, 2]));
    branch([long, short])
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let network = Network::new()
        .then(conv([3, 3]).same().w_std(1.4))
        .then(block())
        .then(block())
        .then(relu())
        .then(global_avg_pool())
        .then(dense().width(10));
    println!("{}", network.resolve([16, 16, 3])?.table());

    let x = Array4::from_shape_fn((4, 16, 16, 3), |(i, y, x, c)| {
        ((i + y * x + c) as f64).sin()
    });
    let found = network.kernels(&x)?;
    println!("NNGP:\n{:.4}", found.nngp);
    println!("NTK:\n{:.4}", found.ntk);
    Ok(())
}
