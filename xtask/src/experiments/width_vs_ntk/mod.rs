//! width-vs-ntk: networks of growing width, and the kernels that they should approach, at six
//! numbers of training images.
//!
//! MNIST, pixels divided by 255, the first images of the published files.

mod figures;
mod kernels;
mod networks;

use super::study::{Images, at};
use super::{Context, Experiment, Findings, Tolerance};
use crate::Failure;
use ntk_cli::results::Value;
use serde_json::{Value as Json, json};

/// The numbers of training images.
const SIZES: [usize; 6] = [64, 128, 256, 512, 1024, 2048];
/// The largest of them.
const TRAIN: usize = SIZES[SIZES.len() - 1];
/// The number of test images.
const TEST: usize = 1000;

/// On which images an accuracy was measured: an index of arrays of accuracies.
const ON_TRAIN: usize = 0;
const ON_TEST: usize = 1;
/// The names of the values.
const ACCURACIES: [&str; 2] = ["train_accuracy", "test_accuracy"];

pub(super) static EXPERIMENT: Experiment = Experiment {
    name: "width-vs-ntk",
    question: "Does a network with two hidden layers classify as its infinitely wide limit does once it \
     is wide, and how long must the limit be trained?",
    data: "mnist",
    seconds: [6.0, 50.0, 1800.0],
    tolerance,
    // The end of every model's curve: all images, after infinite time or of any width.
    said: |value| {
        let network = value.place.contains_key("width");
        value.place["n"] == TRAIN && (network || value.place["t"] == "inf")
    },
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

fn run(context: &Context<'_>) -> Result<Findings, Failure> {
    let set = context.set;
    let (train, test) = (set.train.first(TRAIN)?, set.test.first(TEST)?);
    let all = [64, 128, 256, 512, 1024, 2048].as_slice();
    let widths = context.by_scale(&[64, 256][..], all, all);
    let seeds = context.seeds(context.by_scale(1, 1, 3));

    let kernels = kernels::run(Images::vectors(train)?, Images::vectors(test)?, context)?;
    let networks = context.timed("networks", || networks::run(widths, &seeds, context))?;
    let mut values = kernels::values(&kernels);
    values.extend(networks::values(&networks, widths));
    Ok(Findings {
        settings: json!({
            "pixels": "x/255",
            "targets": "one-hot",
            "sizes": SIZES,
            "test_images": TEST,
            "kernel": kernels::describe(),
            "network": networks::describe(widths, &seeds),
        }),
        values,
        figures: figures::all(&kernels, widths, &networks),
    })
}
