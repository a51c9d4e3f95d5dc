//! The outputs and the tangent kernel of a PyTorch model, from the file that it was saved in.
#![allow(clippy::print_stdout, reason = "examples print")]

use ndarray::array;
use ntk_kernels::network::{Network, Parameterization, dense, relu};
use ntk_train::Model;

/// `safetensors.torch.save_file(net.state_dict(), path)` of
/// `net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))`.
const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/examples/sequential.safetensors"
);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let network = Network::new()
        .then(dense().width(3).b_std(0.0)) // with a bias, as PyTorch's layers
        .then(relu())
        .then(dense().width(1).b_std(0.0))
        .parameterization(Parameterization::Standard);
    let model = Model::<f64>::from_pytorch(&network, 2, &std::fs::read(FILE)?)?.model;
    let x = array![[1.0, 0.0], [0.6, 0.8], [-1.0, 0.5]];
    println!("outputs:\n{:.4}", model.forward(&x)?);
    println!("NTK:\n{:.4}", model.ntk(&x)?);
    Ok(())
}
