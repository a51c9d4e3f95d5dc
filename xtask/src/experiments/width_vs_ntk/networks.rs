//! The finite networks: two hidden layers of one width, trained by momentum on cross-entropy.

use super::{CLASSES, Context, Failure, Images, SIZES, Scale, Value, accuracy};
use ndarray::s;
use ntk_kernels::network::{Network, Parameterization, Shape, dense, relu};
use ntk_linalg::Observer;
use ntk_train::{BiasInit, Init, Loss, Model, Optimizer, Order, TrainConfig, Trainer, WeightInit};
use serde_json::{Value as Json, json};

const EPOCHS: usize = 20;
const BATCH: usize = 64;
const LEARNING_RATE: f64 = 0.001;
const MOMENTUM: f64 = 0.9;
/// Standard deviation of the biases at the start.
const B_STD: f64 = 0.01;

/// Which networks are trained.
pub(super) struct Plan {
    widths: Vec<usize>,
    seeds: Vec<u64>,
}

impl Plan {
    pub(super) fn new(context: &Context<'_>) -> Self {
        let all = [64, 128, 256, 512, 1024, 2048];
        let (widths, seeds) = match context.scale {
            Scale::Quick => (vec![64, 256], 1),
            Scale::Standard => (all.to_vec(), 1),
            Scale::Full => (all.to_vec(), 3),
        };
        let seeds = (0..seeds).map(|i| context.seed.wrapping_add(i)).collect();
        Self { widths, seeds }
    }

    pub(super) fn describe(&self) -> Json {
        json!({
            "layers": "dense(width), relu, dense(width), relu, dense(10), with biases",
            "widths": self.widths,
            "initialisation": "Glorot normal, biases normal of standard deviation 0.01",
            "loss": "cross-entropy",
            "optimizer": "SGD with momentum",
            "momentum": MOMENTUM,
            "learning_rate": LEARNING_RATE,
            "batch": BATCH,
            "order": "a new permutation every epoch",
            "epochs": EPOCHS,
            "seeds": self.seeds,
            "precision": "f32",
        })
    }
}

/// One accuracy a seed.
pub(super) struct Accuracies(pub(super) Vec<f64>);

impl Accuracies {
    pub(super) fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }

    /// Smallest and largest, where there are several.
    pub(super) fn spread(&self) -> Option<(f64, f64)> {
        let low = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let high = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (self.0.len() > 1).then_some((low, high))
    }
}

/// The networks of one width on the first `n` images.
pub(super) struct Trained {
    pub(super) width: usize,
    pub(super) n: usize,
    pub(super) train: Accuracies,
    pub(super) test: Accuracies,
}

impl Trained {
    pub(super) fn values(&self) -> [Value; 2] {
        let all = [
            ("train_accuracy", &self.train),
            ("test_accuracy", &self.test),
        ];
        all.map(|(name, accuracies)| {
            let place = [
                ("n", json!(self.n)),
                ("width", json!(self.width)),
                ("model", json!("network")),
            ];
            let note = match accuracies.spread() {
                Some((low, high)) => format!(
                    "drawn in the notebook and not printed; mean over {} seeds, {low:.4} to {high:.4}",
                    accuracies.0.len()
                ),
                None => "drawn in the notebook and not printed".into(),
            };
            Value::new(name, place, accuracies.mean()).note(&note)
        })
    }
}

/// All widths at all sizes.
pub(super) fn run(
    plan: &Plan,
    train: &Images,
    test: &Images,
    context: &Context<'_>,
) -> Result<Vec<Trained>, Failure> {
    let cost = |width: usize, n: usize| (n * width * (train.x.ncols() + width + CLASSES)) as u64;
    let each = || {
        let widths = plan.widths.iter();
        widths.flat_map(|&width| SIZES.map(|n| (width, n)))
    };
    let total = each().map(|(width, n)| cost(width, n)).sum::<u64>();
    context
        .progress
        .begin("networks", total * plan.seeds.len() as u64);
    let mut all = Vec::new();
    for (width, n) in each() {
        let (mut on_train, mut on_test) = (Vec::new(), Vec::new());
        for &seed in &plan.seeds {
            let [a, b] = accuracies(width, n, seed, train, test)?;
            on_train.push(a);
            on_test.push(b);
            context.progress.advance(cost(width, n));
        }
        all.push(Trained {
            width,
            n,
            train: Accuracies(on_train),
            test: Accuracies(on_test),
        });
    }
    context.progress.end();
    Ok(all)
}

/// On the training and on the test images, of one network trained on the first `n` images.
fn accuracies(
    width: usize,
    n: usize,
    seed: u64,
    train: &Images,
    test: &Images,
) -> Result<[f64; 2], Failure> {
    let network = Network::new()
        .then(dense().width(width).b_std(B_STD))
        .then(relu())
        .then(dense().width(width).b_std(B_STD))
        .then(relu())
        .then(dense().width(CLASSES).b_std(B_STD))
        .parameterization(Parameterization::Standard);
    let init = Init {
        weights: WeightInit::XavierNormal,
        biases: BiasInit::Network,
    };
    let single = |a: ndarray::ArrayView2<'_, f64>| a.mapv(|v| v as f32);
    let x = single(train.x.slice(s![..n, ..]));
    let y = single(train.y.slice(s![..n, ..]));
    let x_test = single(test.x.view());
    let mut model = Model::<f32>::new(&network, &Shape::features(x.ncols()), init, seed)?;
    let config = TrainConfig {
        loss: Loss::CrossEntropy,
        optimizer: Optimizer::momentum(LEARNING_RATE, MOMENTUM),
        batch: BATCH,
        epochs: EPOCHS,
        order: Order::Shuffled,
        seed,
    };
    // Epoch by epoch, as progress is shown for all networks together.
    let mut trainer = Trainer::new(&mut model, x.view(), y.view(), config)?;
    for _ in 0..EPOCHS {
        trainer.epoch(&())?;
    }
    Ok([
        accuracy(model.forward(x.view())?.view(), &train.labels[..n]),
        accuracy(model.forward(x_test.view())?.view(), &test.labels),
    ])
}
