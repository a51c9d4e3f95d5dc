//! collective-variables: entropy and trace of the empirical tangent kernel along training, beside
//! the infinitely wide network's, and as forecasts of how well a network will do.
//!
//! After Tovey, Krippendorf, Nikolaou & Holm 2023, "Towards a phenomenological understanding of
//! neural networks: data" (arXiv:2305.00995), and arXiv:2410.07451: entropy falls in small
//! networks and rises in deep ones; what both are before training goes with generalisation.

mod figures;
mod limit;
mod statistics;
mod subsets;
mod training;
mod variables;

use super::common::{settings, timed};
use super::{Context, Experiment, Scale, Tolerance};
use crate::Failure;
use ndarray::{Array2, ArrayView2, s};
use ntk_cli::results::{Outcome, Value};
use ntk_data::{DataSet, PixelScaling, targets};
use ntk_train::{Loss, Optimizer, Order, TrainConfig};
use serde_json::{Map, json};
use training::Stage;
use variables::{Architecture, CLASSES, Variable};

/// Training images that subsets are drawn from, the first of the file.
const POOL: usize = 2048;
/// Test images, the first of the file.
const TEST: usize = 1000;
/// Images of the kernels along training and of the closed form, the first of the pool.
const PROBE: usize = 50;
const LEARNING_RATE: f64 = 0.1;
const MOMENTUM: f64 = 0.9;
const BATCH: usize = 10;

pub(super) static EXPERIMENT: Experiment = Experiment {
    name: "collective-variables",
    question: "What do entropy and trace of the tangent kernel do while networks of several widths and \
     depths are trained, how do they begin, and do they tell beforehand how well a network \
     will do?",
    data: "mnist",
    seconds: [4.0, 21.0, 600.0],
    tolerance,
    run,
};

fn tolerance(value: &Value) -> Tolerance {
    match value.name.as_str() {
        // Of ranks that change places where two losses are equal to rounding.
        "spearman" | "spearman_low" | "spearman_high" | "kendall" => Tolerance::absolute(0.05),
        "test_accuracy" => Tolerance::absolute(0.01),
        "subsets_not_fitted" => Tolerance::absolute(1.0),
        name if name.starts_with("initial") || name.contains("exponent") => {
            Tolerance::relative(1e-4)
        }
        // Networks that are trained in f32 go apart by rounding. Over the matrix products of 13
        // kinds of processors, of networks of width 64 with 6 layers: losses by 8 %, standard
        // errors by 12 %, other means by 2.4 % of their value.
        name if name.ends_with("standard_error") => Tolerance {
            absolute: 0.01,
            relative: 0.2,
        },
        "train_loss" | "test_loss" => Tolerance::relative(0.1),
        _ => Tolerance {
            absolute: 0.01,
            relative: 0.04,
        },
    }
}

fn run(context: &Context<'_>) -> Result<Outcome, Failure> {
    let mut seconds = Map::new();
    let set = context.set;
    let images = Images::new(set)?;
    let plan = training::Plan::new(context);
    let limit_plan = limit::Plan::new(context);
    let subsets_plan = subsets::Plan::new(context);
    let progress = context.progress;

    let trained = timed(&mut seconds, "training", || {
        training::run(&plan, &images, progress)
    })?;
    let limit = timed(&mut seconds, "limit", || {
        limit::run(&limit_plan, &images, progress)
    })?;
    let subsets = timed(&mut seconds, "subsets", || {
        subsets::run(&subsets_plan, &images, progress)
    })?;
    let correlations = timed(&mut seconds, "correlations", || {
        subsets::correlations(&subsets_plan, &subsets)
    });
    progress.end();
    say(&trained, &limit, &correlations, context);

    let mut values: Vec<Value> = trained.iter().flat_map(training::Trained::values).collect();
    values.extend(limit.values());
    values.extend(subsets::values(&subsets, &correlations));
    Ok(Outcome {
        settings: settings(json!({
            "pixels": "x/255",
            "pool": POOL,
            "test_images": TEST,
            "kernel_images": PROBE,
            "network": "dense(width), relu, as often as there are layers, dense(10); NTK parameterisation, w_std sqrt(2) before relu and 1 at the end, no biases",
            "kernel": "mean over outputs of the empirical NTK",
            "loss": "cross-entropy",
            "optimizer": "SGD with momentum",
            "momentum": MOMENTUM,
            "learning_rate": LEARNING_RATE,
            "batch": BATCH,
            "order": "a new permutation every epoch",
            "precision": "f32",
            "training": plan.describe(),
            "limit": limit_plan.describe(),
            "subsets": subsets_plan.describe(),
        })),
        seconds,
        values,
        figures: figures::all(&figures::Found {
            plan: &plan,
            trained: &trained,
            limit: &limit,
            subsets: &subsets,
            correlations: &correlations,
        }),
    })
}

/// How every network is trained; whoever trains counts the epochs.
fn config(seed: u64) -> TrainConfig {
    TrainConfig {
        loss: Loss::CrossEntropy,
        optimizer: Optimizer::momentum(LEARNING_RATE, MOMENTUM),
        batch: BATCH,
        epochs: 0,
        order: Order::Shuffled,
        seed,
    }
}

/// The pool and the test images, as inputs and one-hot targets.
struct Images {
    x: Array2<f32>,
    y: Array2<f32>,
    labels: Vec<u8>,
    x_test: Array2<f32>,
    y_test: Array2<f32>,
    test_labels: Vec<u8>,
}

impl Images {
    fn new(set: &DataSet) -> Result<Self, Failure> {
        let (pool, test) = (set.train.first(POOL)?, set.test.first(TEST)?);
        Ok(Self {
            x: pool.inputs(PixelScaling::Unit),
            y: targets::one_hot(pool.labels.view(), CLASSES)?,
            labels: pool.labels.to_vec(),
            x_test: test.inputs(PixelScaling::Unit),
            y_test: targets::one_hot(test.labels.view(), CLASSES)?,
            test_labels: test.labels.to_vec(),
        })
    }

    /// The images of which kernels are made along training, ([`PROBE`], pixels).
    fn probe(&self) -> ArrayView2<'_, f32> {
        self.x.slice(s![..PROBE, ..])
    }
}

fn say(
    trained: &[training::Trained],
    limit: &limit::Limit,
    correlations: &[subsets::Correlation],
    context: &Context<'_>,
) {
    let say = |line: String| context.progress.say(&format!("  {line}"));
    for one in trained {
        let Architecture { width, layers } = one.architecture;
        let changes = Stage::ALL.map(|stage| {
            let change = one.change(Variable::Entropy, stage);
            let (first, last) = one.epochs(stage);
            let (mean, error, verdict) = (change.mean, change.error, change.verdict);
            format!("epochs {first} to {last} {mean:+.2} +- {error:.2} ({verdict})")
        });
        let changes = changes.join(", ");
        let (epoch, lowest) = one.lowest(Variable::Entropy);
        say(format!(
            "width {width}, depth {layers}: change of entropy {changes}; lowest {lowest:.2} after {epoch}"
        ));
    }
    limit.sentences().into_iter().for_each(say);
    correlations
        .iter()
        .map(subsets::Correlation::sentence)
        .for_each(say);
}
