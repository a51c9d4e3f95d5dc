//! 50 images chosen by random network distillation, and what their kernel's entropy gains.
#![allow(clippy::print_stdout, reason = "examples print")]

use ndarray::{Array2, Axis};
use ntk_data::{PixelScaling, sample};
use ntk_entropy::{Spectrum, von_neumann};
use ntk_kernels::network::{Network, dense, relu};
use ntk_train::selection::{Distillation, random};
use ntk_train::{Init, Model};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let images = sample::load()?.train.first(500)?;
    let x: Array2<f32> = images.vectors(PixelScaling::Unit);
    let network = Network::new().then(dense().width(64)).then(relu());
    let network = network.then(dense().width(10));
    let model = |seed| Model::new(&network, x.ncols(), Init::default(), seed);
    let chosen = Distillation::new(model(0)?, model(1)?).select(&x, 50)?;
    // Judged by a network that had no part in the choice.
    let judge = model(2)?;
    for (name, rows) in [
        ("distilled", chosen.indices),
        ("random", random(500, 50, 0)?),
    ] {
        let ntk = judge.ntk(&x.select(Axis(0), &rows))?;
        let entropy = von_neumann::entropy(&Spectrum::of(&ntk)?);
        println!("entropy, {name}: {entropy:.3}");
    }
    Ok(())
}
