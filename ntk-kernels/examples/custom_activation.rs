//! An activation of one's own: from its kernel in closed form, or from the function alone.
#![allow(clippy::print_stdout, reason = "examples print")]

use ndarray::array;
use ntk_kernels::dual::{Activation, closed_form, numerical};
use ntk_kernels::network::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // f(x) = x^2: E[u^2 v^2] = q1 q2 + 2 q^2 and E[2u 2v] = 4 q for covariance q.
    let square = closed_form("square", |q1, q2, q| (q1 * q2 + 2.0 * q * q, 4.0 * q));
    // The same by Gauss-Hermite quadrature; eight nodes are exact for polynomials this low.
    let by_quadrature = numerical("square", |x| x * x, 8);

    let x = array![[1.0, 0.5, -0.3], [0.2, -1.0, 0.7]];
    let ntk = |activation: Activation| {
        let network = Network::new().then(dense()).then(activation).then(dense());
        network.ntk(&x)
    };
    println!("closed form:\n{:.6}", ntk(square)?);
    println!("quadrature:\n{:.6}", ntk(by_quadrature)?);
    Ok(())
}
