//! shallow-relu: a wide network with one hidden layer, and the kernel it should behave like.
//!
//! Fashion-MNIST, dresses against shirts. Targets are `label / 9`; an output over half-way
//! between the two classes' targets says shirt.

mod closed_form;
mod descent;
mod figures;
mod network;

use super::study::{Images, at, share};
use super::{Context, Experiment, Findings, Tolerance};
use crate::Failure;
use ndarray::Array2;
use ntk_cli::results::Value;
use ntk_data::{PixelScaling, Split, targets};
use serde_json::json;

/// Dress and shirt.
const CLASSES: [u8; 2] = [3, 6];
/// What labels, from 0 to 9, are divided by to make targets.
const LARGEST_LABEL: f64 = 9.0;
/// The training images of the network, and of the kernel that it is compared to.
const NETWORK_IMAGES: usize = 200;

pub(super) static EXPERIMENT: Experiment = Experiment {
    name: "shallow-relu",
    question: "Does a wide network with one hidden layer predict what its neural tangent kernel does, \
     and how does the kernel's smallest eigenvalue fall with the number of images?",
    data: "fashion-mnist",
    seconds: [5.0, 8.0, 40.0],
    tolerance: |value| match value.name.as_str() {
        // The network's losses are sums in f32, in an order that machines choose.
        "last_loss" => Tolerance::relative(0.05),
        "agreement" | "train_accuracy" | "test_accuracy" => Tolerance::absolute(0.005),
        _ => Tolerance::ROUNDING,
    },
    said: |_| false,
    run,
};

fn run(context: &Context<'_>) -> Result<Findings, Failure> {
    let set = context.set;
    let epochs = context.by_scale(40, 200, 200);
    let train = images(set.train.first_per_class(NETWORK_IMAGES / 2, &CLASSES)?);
    let test = images(set.test.with_classes(&CLASSES));

    let fits = context.timed("closed_form", || closed_form::run(&test, context))?;
    let network = context.timed("network", || network::run(epochs, &train, &test, context))?;
    let random = context.timed("random_inputs", || closed_form::random(context.seed))?;
    let descent = context.timed("linear_regression", || descent::run(context.seed))?;

    let mut values = closed_form::values(&fits);
    values.extend(network.values(&fits)?);
    values.extend(closed_form::values_of_random(&random));
    values.extend(descent.values());
    Ok(Findings {
        settings: json!({
            "classes": CLASSES,
            "pixels": "(x/255 - 0.5)/0.5",
            "targets": "label/9",
            "network": network::describe(epochs),
            "kernel": closed_form::NETWORK,
            "sizes": closed_form::SIZES,
            "random_inputs": {"n": closed_form::RANDOM[0], "d": closed_form::RANDOM[1]},
            "linear_regression": descent::describe(),
        }),
        values,
        figures: figures::all(set, [&train, &test], &fits, &network, &random, descent)?,
    })
}

/// Makes inputs and targets of images of the two classes.
fn images(split: Split) -> Images {
    Images {
        x: split.vectors(PixelScaling::Symmetric),
        y: targets::scaled(&split.labels, LARGEST_LABEL),
        split,
    }
}

/// Returns the share of the images whose class `outputs` (n, 1) says.
fn accuracy(images: &Images, outputs: &Array2<f64>) -> f64 {
    agreement(&classes(outputs), &images.split.labels.to_vec())
}

/// Returns the share of equal classes.
fn agreement(a: &[u8], b: &[u8]) -> f64 {
    share(a.iter().zip(b).map(|(a, b)| a == b))
}

/// Returns the class that each output says.
fn classes(outputs: &Array2<f64>) -> Vec<u8> {
    let half_way = f64::from(CLASSES[0] + CLASSES[1]) / 2.0;
    let class = |&f: &f64| CLASSES[usize::from(LARGEST_LABEL * f > half_way)];
    outputs.iter().map(class).collect()
}
