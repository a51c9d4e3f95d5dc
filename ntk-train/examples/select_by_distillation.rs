//! 50 images chosen by random network distillation, and what their kernel's entropy gains.
#![allow(clippy::print_stdout, reason = "examples print")]

use ndarray::{Array2, Axis};
use ntk_data::{PixelScaling, sample};
use ntk_entropy::{Normalization, Spectrum, von_neumann};
use ntk_kernels::network::{Network, Shape, dense, relu};
use ntk_train::selection::{Distance, Distillation, random};
use ntk_train::{Init, Loss, Model, Optimizer, Trace};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let images = sample::load()?.train.first(500)?;
    let x: Array2<f32> = images.inputs(PixelScaling::Unit);
    let network = Network::new().then(dense().width(64)).then(relu());
    let network = network.then(dense().width(10));
    let model = |seed| Model::new(&network, &Shape::features(x.ncols()), Init::default(), seed);
    let mut distillation = Distillation {
        target: model(0)?,
        predictor: model(1)?,
        distance: Distance::PNorm(2.0),
        optimizer: Optimizer::adam(0.01),
        loss: Loss::MeanSquare,
        threshold: 1e-3,
        max_epochs: 100,
        batch: 50,
    };
    let chosen = distillation.select(x.view(), 50, &())?;
    // Judged by a network that had no part in the choice.
    let judge = model(2)?;
    for (name, rows) in [
        ("distilled", chosen.indices),
        ("random", random(500, 50, 0)?),
    ] {
        let ntk = judge.ntk(x.select(Axis(0), &rows).view(), None, Trace::Traced, &())?;
        let entropy = von_neumann::entropy(&Spectrum::of_kernel(ntk.view(), Normalization::Trace)?);
        println!("entropy, {name}: {entropy:.3}");
    }
    Ok(())
}
