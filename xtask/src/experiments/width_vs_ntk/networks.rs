//! The finite networks: two hidden layers of one width, trained by momentum on cross-entropy.

use super::{ACCURACIES, Context, Failure, Images, SIZES, TEST, Value, at};
use crate::experiments::study::{CLASSES, of_two, sweep};
use ndarray::{Array4, ArrayView1};
use ntk_kernels::network::{Network, Parameterization, dense, relu};
use ntk_train::{BiasInit, Init, Loss, Model, Optimizer, TrainConfig, Trainer, WeightInit};
use serde_json::{Value as Json, json};

const EPOCHS: usize = 20;
const BATCH: usize = 64;
const LEARNING_RATE: f64 = 0.001;
const MOMENTUM: f64 = 0.9;
/// The standard deviation of the biases at the start.
const B_STD: f64 = 0.01;

pub(super) fn describe(widths: &[usize], seeds: &[u64]) -> Json {
    json!({
        "layers": "dense(width), relu, dense(width), relu, dense(10), with biases",
        "widths": widths,
        "initialisation": "Glorot normal, biases normal of standard deviation 0.01",
        "loss": "cross-entropy",
        "optimizer": "SGD with momentum",
        "momentum": MOMENTUM,
        "learning_rate": LEARNING_RATE,
        "batch": BATCH,
        "order": "a new permutation every epoch",
        "epochs": EPOCHS,
        "seeds": seeds,
        "precision": "f32",
    })
}

/// The accuracies of networks trained on the first images: (width, size, train or test, seed).
pub(super) type Accuracies = Array4<f64>;

/// Returns the mean over seeds, and the smallest and the largest where there are several.
pub(super) fn spread(seeds: ArrayView1<'_, f64>) -> (f64, Option<(f64, f64)>) {
    let low = seeds.fold(f64::INFINITY, |a, &b| a.min(b));
    let high = seeds.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let mean = seeds.iter().sum::<f64>() / seeds.len() as f64;
    (mean, (seeds.len() > 1).then_some((low, high)))
}

pub(super) fn values(accuracies: &Accuracies, widths: &[usize]) -> Vec<Value> {
    let mut values = Vec::new();
    for (width, sizes) in widths.iter().zip(accuracies.outer_iter()) {
        for (n, both) in SIZES.iter().zip(sizes.outer_iter()) {
            for (name, seeds) in ACCURACIES.iter().zip(both.outer_iter()) {
                let (mean, ends) = spread(seeds);
                let mut note = "drawn in the notebook and not printed".to_string();
                if let Some((low, high)) = ends {
                    note += &format!("; mean over {} seeds, {low:.4} to {high:.4}", seeds.len());
                }
                let here = at(json!({"n": n, "width": width, "model": "network"}));
                values.push(here.value(name, mean).note(&note));
            }
        }
    }
    values
}

/// Trains all widths at all sizes.
pub(super) fn run(
    widths: &[usize],
    seeds: &[u64],
    context: &Context<'_>,
) -> Result<Accuracies, Failure> {
    let set = context.set;
    let mut images = Vec::new();
    for n in SIZES {
        images.push(Images::<f32>::vectors(set.train.first(n)?)?);
    }
    let test = Images::vectors(set.test.first(TEST)?)?;
    let jobs = of_two(
        of_two(widths.iter().copied(), &images),
        seeds.iter().copied(),
    );
    let cost = |((width, train), _): &((usize, &Images<f32>), u64)| {
        let (n, pixels) = train.x.dim();
        n * width * (pixels + width + CLASSES)
    };
    let found = sweep(
        "networks",
        &jobs,
        cost,
        context.progress,
        |&((width, train), seed), _| accuracies(width, seed, train, &test),
    )?;
    let all = found.into_iter().flatten().collect();
    let shape = (widths.len(), SIZES.len(), seeds.len(), 2);
    Ok(Array4::from_shape_vec(shape, all)?.permuted_axes([0, 1, 3, 2]))
}

/// Trains one network; returns its accuracies on the training and on the test images.
fn accuracies(
    width: usize,
    seed: u64,
    train: &Images<f32>,
    test: &Images<f32>,
) -> Result<[f64; 2], Failure> {
    let layer = |width| dense().width(width).b_std(B_STD);
    let network = Network::new()
        .then(layer(width))
        .then(relu())
        .then(layer(width))
        .then(relu())
        .then(layer(CLASSES))
        .parameterization(Parameterization::Standard);
    let init = Init {
        weights: WeightInit::XavierNormal,
        biases: BiasInit::Network,
    };
    let mut model = Model::<f32>::new(&network, train.x.ncols(), init, seed)?;
    let config = TrainConfig::default()
        .loss(Loss::CrossEntropy)
        .optimizer(Optimizer::momentum(LEARNING_RATE, MOMENTUM))
        .batch_size(BATCH)
        .epochs(EPOCHS)
        .seed(seed);
    Trainer::new(&mut model, &train.x, &train.y, config)?.run()?;
    Ok([train.score(&model)?.accuracy, test.score(&model)?.accuracy])
}
