//! How far training moves the tangent kernel from its start, in the Frobenius norm.
#![allow(clippy::print_stdout, reason = "examples print")]

use ndarray::Array2;
use ntk_kernels::network::{Network, Shape, dense, relu};
use ntk_train::{Init, Loss, Model, Optimizer, Order, Trace, TrainConfig, train};

fn norm(a: &Array2<f64>) -> f64 {
    a.iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Two classes: half circles that face each other.
    let x = Array2::from_shape_fn((40, 2), |(i, axis)| {
        let angle = (i / 2) as f64 * 0.16 + if i % 2 == 0 { 0.0 } else { 3.3 };
        if axis == 0 { angle.cos() } else { angle.sin() }
    });
    let y = Array2::from_shape_fn((40, 1), |(i, _)| if i % 2 == 0 { 1.0 } else { -1.0 });
    let hidden = dense().width(64).w_std(1.4).b_std(0.1);
    let network = Network::new().then(hidden).then(relu());
    let network = network.then(dense().width(1));
    let mut model = Model::new(&network, &Shape::features(2), Init::default(), 0)?;
    let config = TrainConfig {
        loss: Loss::HalfMeanSquare,
        optimizer: Optimizer::sgd(0.5),
        batch: 40,
        epochs: 50,
        order: Order::File,
        seed: 0,
    };
    let start = model.ntk(x.view(), None, Trace::Traced, &())?;
    for round in 1..=4 {
        let losses = train(&mut model, x.view(), y.view(), &config, &())?;
        let change = model.ntk(x.view(), None, Trace::Traced, &())? - &start;
        let (epoch, loss, moved) = (50 * round, losses[49], norm(&change) / norm(&start));
        println!("epoch {epoch:3}: loss {loss:.4}, NTK moved by {moved:.4} of itself");
    }
    Ok(())
}
