//! The entropy of the tangent kernel while a network is trained, and how far the kernel moves.
#![allow(clippy::print_stdout, reason = "examples print")]

use ndarray::Array2;
use ntk_kernels::network::{Network, dense, relu};
use ntk_train::{Init, Measure, Model, Optimizer, Probe, Recorder, Schedule, TrainConfig, Trainer};

fn main() -> Result<(), ntk_train::Error> {
    // A circle, whose halves are the two classes.
    let angle = |i: usize| i as f64 * std::f64::consts::TAU / 40.0;
    let x = Array2::from_shape_fn((40, 2), |(i, axis)| [angle(i).cos(), angle(i).sin()][axis]);
    let y = Array2::from_shape_fn((40, 1), |(i, _)| if i < 20 { 1.0 } else { -1.0 });
    let network = Network::new()
        .then(dense().width(64).b_std(0.1))
        .then(relu())
        .then(dense().width(1));
    let mut model = Model::new(&network, 2, Init::default(), 0)?;

    let start = model.ntk(&x)?;
    let norm = |a: &Array2<f64>| a.iter().map(|v| v * v).sum::<f64>().sqrt();
    let probe = Probe::new("train", &x, &y, [Measure::Loss, Measure::Entropy]);
    let mut recorder = Recorder::new(Schedule::Every(50))
        .probe(probe)
        .measure("moved", |model| Ok(norm(&(model.ntk(&x)? - &start))));
    let config = TrainConfig::default().optimizer(Optimizer::sgd(0.5));
    Trainer::new(&mut model, &x, &y, config)?.record(&mut recorder)?;

    let records = recorder.records();
    for column in ["epoch", "train.loss", "train.entropy", "moved"] {
        println!("{column:14}{:.4}", records.array(column)?);
    }
    Ok(())
}
