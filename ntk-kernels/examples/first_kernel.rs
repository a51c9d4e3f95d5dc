//! The tangent kernel of a network with two hidden layers, and what it predicts.
#![allow(clippy::print_stdout, reason = "examples print")]

use ndarray::array;
use ntk_kernels::network::*;
use ntk_kernels::predict::KernelRegression;
use ntk_kernels::{Get, kernels};
use ntk_linalg::Jitter;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let network = Network::new()
        .then(dense().w_std(1.4).b_std(0.1))
        .then(relu())
        .then(dense().w_std(1.4))
        .then(relu())
        .then(dense().width(1));
    println!("{}", network.resolve(&Shape::features(2))?.table());

    let train = array![[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.1]];
    let labels = array![[1.0], [1.0], [-1.0], [-1.0]];
    let test = array![[0.1, 0.9], [0.9, 0.8]];
    let k_dd = kernels(&network, train.view(), None, Get::Ntk, &())?;
    let k_td = kernels(&network, test.view(), Some(train.view()), Get::Ntk, &())?;
    let (k_dd, k_td) = (k_dd.ntk.expect("asked for"), k_td.ntk.expect("asked for"));
    let regression = KernelRegression::fit(k_dd, labels.view(), Jitter::None)?;
    println!("predictions:\n{:.3}", regression.predict(k_td.view())?);
    Ok(())
}
