//! The networks: what is recorded of them at every epoch, and their kernels before and after.

use super::blocks::{ClassEntropies, combinations, name};
use super::digits::{self, Digits};
use super::{CLASSES, DigitSets, Failure, network};
use crate::experiments::study::{over_seeds, sweep};
use ndarray::Array2;
use ntk_linalg::Observer;
use ntk_train::{
    BiasInit, Init, Loss, Measure, Model, Optimizer, Probe, Recorder, Records, Schedule,
    TrainConfig, Trainer, WeightInit,
};
use serde_json::{Value as Json, json};

pub(super) const EPOCHS: usize = 100;
const BATCH: usize = 10;
const LEARNING_RATE: f64 = 0.005;
const MOMENTUM: f64 = 0.9;

/// What was recorded of every epoch, the first before any step.
pub(super) struct Networks {
    /// The columns of [`SCORES`], each (seeds, epochs).
    pub(super) scores: Vec<Array2<f64>>,
    pub(super) blocks: ClassEntropies,
    /// The pairs of digits of every seed, before and after training.
    pub(super) digits: Vec<[Digits; 2]>,
}

/// Where what is measured of the outputs.
pub(super) const SCORES: [&str; 4] = ["train.loss", "train.accuracy", "test.loss", "test.accuracy"];

pub(super) fn describe(seeds: &[u64]) -> Json {
    json!({
        "layers": "dense(32), relu, dense(32), relu, dense(10), with biases, standard parameterisation",
        "initialisation": "LeCun normal (not truncated), biases zero",
        "loss": "cross-entropy",
        "optimizer": "SGD with momentum",
        "learning_rate": LEARNING_RATE,
        "momentum": MOMENTUM,
        "batch": BATCH,
        "order": "a new permutation every epoch",
        "epochs": EPOCHS,
        "seeds": seeds,
        "precision": "f64",
    })
}

/// Trains one network a seed.
pub(super) fn run(
    seeds: &[u64],
    sets: &DigitSets,
    observer: &dyn Observer,
) -> Result<Networks, Failure> {
    let found = sweep(
        "networks",
        seeds,
        |_| 1,
        observer,
        |&seed, inside| train(seed, sets, inside),
    )?;
    let (trainings, digits): (Vec<Records>, _) = found.into_iter().unzip();
    let of = |measure: &str| -> Result<Vec<Array2<f64>>, Failure> {
        let names = combinations().into_iter().map(|classes| name(&classes));
        let columns = names.map(|classes| format!("ntk.{measure}{classes}"));
        columns
            .map(|column| over_seeds(&trainings, &column))
            .collect()
    };
    let scores = SCORES.iter().map(|column| over_seeds(&trainings, column));
    Ok(Networks {
        scores: scores.collect::<Result<_, _>>()?,
        blocks: ClassEntropies::new(of("entropy")?, &of("trace")?),
        digits,
    })
}

fn train(
    seed: u64,
    sets: &DigitSets,
    observer: &dyn Observer,
) -> Result<(Records, [Digits; 2]), Failure> {
    let init = Init {
        weights: WeightInit::LecunNormal,
        biases: BiasInit::Zeros,
    };
    let (train, test, classes) = (&sets.train, &sets.test, &sets.classes);
    let mut model = Model::<f64>::new(&network(), train.x.ncols(), init, seed)?;
    let digits = |model: &Model<f64>| -> Result<Digits, Failure> {
        let kernel = model
            .kernel_fn()
            .full()
            .observer(observer)
            .ntk(&sets.digits.x)?;
        digits::pairs(&kernel, &sets.digits.labels())
    };
    let before = digits(&model)?;
    let outputs = [Measure::Loss, Measure::Accuracy];
    let kernel = [Measure::Entropy, Measure::Trace];
    let kernel = Probe::new("ntk", &classes.x, &classes.y, kernel).full();
    let mut recorder = Recorder::new(Schedule::Every(1))
        .probe(Probe::new("train", &train.x, &train.y, outputs))
        .probe(Probe::new("test", &test.x, &test.y, outputs))
        .probe(kernel.classes(&CLASSES.map(usize::from), CLASSES.len()));
    let config = TrainConfig::default()
        .loss(Loss::CrossEntropy)
        .optimizer(Optimizer::momentum(LEARNING_RATE, MOMENTUM))
        .batch_size(BATCH)
        .epochs(EPOCHS)
        .seed(seed);
    Trainer::new(&mut model, &train.x, &train.y, config)?
        .observer(observer)
        .record(&mut recorder)?;
    let records = recorder.into_records();
    Ok((records, [before, digits(&model)?]))
}
