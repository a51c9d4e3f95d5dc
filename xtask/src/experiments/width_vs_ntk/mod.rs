//! width-vs-ntk: networks of growing width, and the kernels that they should approach, at six
//! numbers of training images.
//!
//! MNIST, pixels divided by 255, the first images of the published files.

mod figures;
mod kernels;
mod networks;

use super::common::{Captioned, captioned, settings, timed};
use super::{Context, Experiment, Scale, Tolerance};
use crate::Failure;
use ndarray::Array2;
use ntk_cli::results::accuracy;
use ntk_cli::results::{Outcome, Value};
use ntk_data::{PixelScaling, Split, targets};
use serde_json::{Map, Value as Json, json};

/// Numbers of training images.
const SIZES: [usize; 6] = [64, 128, 256, 512, 1024, 2048];
/// The largest of them.
const TRAIN: usize = SIZES[SIZES.len() - 1];
/// Test images.
const TEST: usize = 1000;
/// Classes, and so outputs.
const CLASSES: usize = 10;

pub(super) static EXPERIMENT: Experiment = Experiment {
    name: "width-vs-ntk",
    question: "Does a network with two hidden layers classify as its infinitely wide limit does once it \
     is wide, and how long must the limit be trained?",
    data: "mnist",
    seconds: [6.0, 50.0, 1800.0],
    tolerance,
    run,
};

fn tolerance(value: &Value) -> Tolerance {
    let n = value.place.get("n").and_then(Json::as_f64);
    let images = match value.name.as_str() {
        "train_accuracy" => n.unwrap_or(1.0),
        _ => TEST as f64,
    };
    // Two images whose largest outputs are close; of networks, which are trained in f32, more.
    match value.place.contains_key("kernel") {
        true => Tolerance::absolute(2.0 / images),
        false => Tolerance::absolute(0.01 + 2.0 / images),
    }
}

fn run(context: &Context<'_>) -> Result<Outcome, Failure> {
    let mut seconds = Map::new();
    let set = context.set;
    let train = Images::new(set.train.first(TRAIN)?)?;
    let test = Images::new(set.test.first(TEST)?)?;

    let curves = kernels::run(&train, &test, context, &mut seconds)?;
    let plan = networks::Plan::new(context);
    let networks = timed(&mut seconds, "networks", || {
        networks::run(&plan, &train, &test, context)
    })?;
    say(&curves, &networks, context);

    let values = curves.iter().flat_map(kernels::Curve::values);
    let values = values.chain(networks.iter().flat_map(networks::Trained::values));
    Ok(Outcome {
        settings: all_settings(&plan),
        seconds,
        values: values.collect(),
        figures: figures::all(&curves, &networks),
    })
}

/// The end of every model's curve: at all images, after infinite time or with the widest network.
fn say(curves: &[kernels::Curve], networks: &[networks::Trained], context: &Context<'_>) {
    let line = |model: &str, train: f64, test: f64| {
        let line = format!("  {model:<26} n {TRAIN}: train accuracy {train:.4}, test {test:.4}");
        context.progress.say(&line);
    };
    for curve in curves.iter().filter(|c| c.n == TRAIN) {
        let name = format!("{}, t infinite", curve.kernel.name());
        let end = kernels::TIMES.len() - 1;
        line(&name, curve.train[end], curve.test[end]);
    }
    for network in networks.iter().filter(|t| t.n == TRAIN) {
        let name = format!("network, width {}", network.width);
        line(&name, network.train.mean(), network.test.mean());
    }
}

fn all_settings(plan: &networks::Plan) -> Map<String, Json> {
    settings(json!({
        "pixels": "x/255",
        "targets": "one-hot",
        "sizes": SIZES,
        "test_images": TEST,
        "kernel": kernels::describe(),
        "network": plan.describe(),
    }))
}

/// Images as inputs and targets, in file order.
struct Images {
    labels: Vec<u8>,
    x: Array2<f64>,
    y: Array2<f64>,
}

impl Images {
    fn new(split: Split) -> Result<Self, Failure> {
        Ok(Self {
            x: split.inputs(PixelScaling::Unit),
            y: targets::one_hot(split.labels.view(), CLASSES)?,
            labels: split.labels.to_vec(),
        })
    }
}
