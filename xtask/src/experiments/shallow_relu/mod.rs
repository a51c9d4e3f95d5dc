//! shallow-relu: a wide network with one hidden layer, and the kernel it should behave like.
//!
//! Fashion-MNIST, dresses against shirts. Targets are `label / 9`; an output over half-way
//! between the two classes' targets says shirt.

mod closed_form;
mod descent;
mod figures;
mod network;
mod random_inputs;

use super::common::{Captioned, captioned, settings, share, timed};
use super::{Context, Experiment, Scale, Tolerance};
use crate::Failure;
use ndarray::{Array2, ArrayView2};
use ntk_cli::results::{Outcome, Value};
use ntk_data::{DataSet, PixelScaling, Split, targets};
use serde_json::{Map, Value as Json, json};

/// Dress and shirt.
const CLASSES: [u8; 2] = [3, 6];
/// Labels run from 0 to 9; targets are the label divided by this.
const LARGEST_LABEL: f64 = 9.0;
/// Training images of the network and of the kernel that it is compared to.
const NETWORK_IMAGES: usize = 200;

pub(super) static EXPERIMENT: Experiment = Experiment {
    name: "shallow-relu",
    question: "Does a wide network with one hidden layer predict what its neural tangent kernel does, \
     and how does the kernel's smallest eigenvalue fall with the number of images?",
    data: "fashion-mnist",
    seconds: [5.0, 8.0, 40.0],
    tolerance,
    run,
};

fn tolerance(value: &Value) -> Tolerance {
    match value.name.as_str() {
        // The network's losses are sums in f32, in an order that machines choose.
        "last_loss" => Tolerance::relative(0.05),
        "agreement" => Tolerance::absolute(0.005),
        "train_accuracy" | "test_accuracy" => Tolerance::absolute(0.005),
        _ => Tolerance::ROUNDING,
    }
}

fn run(context: &Context<'_>) -> Result<Outcome, Failure> {
    let mut seconds = Map::new();
    let set = context.set;
    let test = Images::new(set.test.with_classes(&CLASSES));

    let closed = closed_form::run(set, &test, context, &mut seconds)?;
    let train = Images::new(set.train.first_per_class(NETWORK_IMAGES / 2, &CLASSES)?);
    let network = network::Settings::new(context);
    let trained = timed(&mut seconds, "network", || {
        network::run(&network, &train, &test, context)
    })?;
    let random = timed(&mut seconds, "random_inputs", || {
        random_inputs::run(context.seed)
    })?;
    let descent = timed(&mut seconds, "linear_regression", || {
        descent::run(context.seed)
    })?;

    let mut values = closed.values();
    values.extend(trained.values(&closed, &train, &test)?);
    values.extend(random.values());
    values.extend(descent.values());
    let figures = figures::all(set, &train, &test, &closed, &trained, &random, descent)?;
    Ok(Outcome {
        settings: all_settings(&network),
        seconds,
        values,
        figures,
    })
}

fn all_settings(network: &network::Settings) -> Map<String, Json> {
    settings(json!({
        "classes": CLASSES,
        "pixels": "(x/255 - 0.5)/0.5",
        "targets": "label/9",
        "network": network.describe(),
        "kernel": closed_form::NETWORK,
        "sizes": closed_form::SIZES,
        "random_inputs": {"n": random_inputs::SAMPLES, "d": random_inputs::FEATURES},
        "linear_regression": {"p": descent::WEIGHTS, "n": descent::SAMPLES, "learning_rate": descent::RATE, "steps": descent::STEPS},
    }))
}

/// Images of the two classes as inputs and targets.
struct Images {
    split: Split,
    x: Array2<f64>,
    y: Array2<f64>,
}

impl Images {
    fn new(split: Split) -> Self {
        let x = split.inputs(PixelScaling::Symmetric);
        let y = targets::scaled(split.labels.view(), LARGEST_LABEL);
        Self { split, x, y }
    }

    /// Share of the images whose class `outputs` (n, 1) says.
    fn accuracy(&self, outputs: ArrayView2<'_, f64>) -> f64 {
        share(
            classes(outputs)
                .iter()
                .zip(&self.split.labels)
                .map(|(a, b)| a == b),
        )
    }
}

/// The class that each output says.
fn classes(outputs: ArrayView2<'_, f64>) -> Vec<u8> {
    let half_way = f64::from(CLASSES[0] + CLASSES[1]) / 2.0;
    let class = |&f: &f64| CLASSES[usize::from(LARGEST_LABEL * f > half_way)];
    outputs.iter().map(class).collect()
}
