//! Finite networks of the same description, trained on a few images.

use super::data::{Data, Support, network};
use super::methods::{Found, Method};
use super::{Context, Failure, SIZES, Value};
use crate::experiments::study::{Spread, of_two, sweep};
use ndarray::Array2;
use ntk_linalg::Observer;
use ntk_train::{Init, Loss, Model, Optimizer, TrainConfig, Trainer};
use serde_json::{Value as Json, json};

const WIDTH: usize = 512;
const LEARNING_RATE: f64 = 0.01;
const BATCH: usize = 100;
/// The images that networks are trained on.
const METHODS: [Method; 4] = [
    Method::LearnedWithLabels,
    Method::Learned,
    Method::Centroids,
    Method::Random,
];

/// How long, and how many networks are trained.
pub(super) struct Budget {
    steps: usize,
    seeds: Vec<u64>,
}

impl Budget {
    pub(super) fn new(context: &Context<'_>) -> Self {
        Self {
            steps: context.by_scale(100, 500, 2000),
            seeds: context.seeds(context.by_scale(1, 3, 5)),
        }
    }

    pub(super) fn describe(&self) -> Json {
        json!({
            "width": WIDTH,
            "steps": self.steps,
            "batch": BATCH,
            "seeds": self.seeds,
            "loss": "mean square",
            "outputs": "minus those before training",
            "optimizer": "Adam",
            "learning_rate": LEARNING_RATE,
            "precision": "f32",
        })
    }
}

/// Networks that were trained on some images.
pub(super) struct Trained<'f> {
    pub(super) on: &'f Found,
    accuracies: Vec<f64>,
}

impl Trained<'_> {
    pub(super) fn accuracy(&self) -> Spread {
        Spread::of(&self.accuracies)
    }

    pub(super) fn values(&self) -> [Value; 2] {
        let here = self.on.place().and(json!({"model": "network"}));
        let of = format!("of the mean over {} networks", self.accuracies.len());
        here.estimate("test_accuracy", self.accuracy(), None, "", &of)
    }
}

/// Trains networks on images of some methods, of all sizes.
pub(super) fn run<'f>(
    budget: &Budget,
    found: &'f [Found],
    data: &Data,
    observer: &dyn Observer,
) -> Result<Vec<Trained<'f>>, Failure> {
    let of = |(method, n)| found.iter().find(|one| (one.method, one.n) == (method, n));
    let on: Vec<&Found> = of_two(METHODS, SIZES).into_iter().filter_map(of).collect();
    let jobs = of_two(on.iter().copied(), budget.seeds.iter().copied());
    let cost = |&(on, _): &(&Found, u64)| on.n.min(BATCH);
    let accuracies = sweep("networks", &jobs, cost, observer, |&(on, seed), inside| {
        let outputs = trained(&on.support, budget.steps, seed, &data.test.x, inside)?;
        data.share_told(&outputs)
    })?;
    let each = on.into_iter().zip(accuracies.chunks(budget.seeds.len()));
    let each = each.map(|(on, accuracies)| Trained {
        on,
        accuracies: accuracies.to_vec(),
    });
    Ok(each.collect())
}

/// Trains a network, and returns what it has learned about `test`: its outputs minus those before training,
/// which are random, as large as the targets, and not there in regression with the kernel.
fn trained(
    support: &Support,
    steps: usize,
    seed: u64,
    test: &Array2<f32>,
    observer: &dyn Observer,
) -> Result<Array2<f32>, Failure> {
    let (images, pixels) = support.x.dim();
    let mut model = Model::<f32>::new(&network(WIDTH), pixels, Init::default(), seed)?;
    let before = model.forward(test)?;
    let y = &support.y + &model.forward(&support.x)?;
    let config = TrainConfig::default()
        .loss(Loss::MeanSquare)
        .optimizer(Optimizer::adam(LEARNING_RATE))
        .batch_size(BATCH)
        .epochs(steps.div_ceil(images.div_ceil(BATCH)))
        .seed(seed);
    Trainer::new(&mut model, &support.x, &y, config)?
        .observer(observer)
        .run()?;
    Ok(model.forward(test)? - before)
}
