//! entropy-training: what does training do to the entropy of the neural tangent kernel?
//!
//! MNIST, pixels divided by 255, the first 1000 training and test images; a convolutional network
//! (Tovey et al. 2023, arXiv:2305.00995, for the entropy and the choice of images).

mod choice;
mod epochs;
mod estimate;
mod figures;
mod network;
mod sizes;

pub(crate) use network::network as entropy_cnn;

use super::common::{Captioned, captioned, settings, timed};
use super::{Context, Experiment, Scale, Tolerance};
use crate::Failure;
use ndarray::{Array2, Array4};
use ntk_cli::results::accuracy;
use ntk_cli::results::{Outcome, Value};
use ntk_data::{PixelScaling, Split, targets};
use serde_json::{Map, json};

/// Images for training, and as many for testing.
const IMAGES: usize = 1000;
/// Classes, and so outputs.
const CLASSES: usize = 10;
/// Seeds of every mean.
const SEEDS: u64 = 3;

pub(super) static EXPERIMENT: Experiment = Experiment {
    name: "entropy-training",
    question: "Does training lower the entropy of the neural tangent kernel, and does the entropy tell \
     how well a network will do?",
    data: "mnist",
    seconds: [32.0, 210.0, 6000.0],
    tolerance,
    run,
};

fn tolerance(value: &Value) -> Tolerance {
    // Networks that are trained in f32 go apart by rounding, more so with every step.
    match value.name.as_str() {
        _ if value.place.get("kernel").is_some_and(|k| k == "infinite") => Tolerance::ROUNDING,
        "test_accuracy" => Tolerance::absolute(0.01),
        "largest_clipped_mass" => Tolerance::absolute(1e-3),
        name if name.ends_with("standard_error") => Tolerance {
            absolute: 0.01,
            relative: 0.2,
        },
        _ => Tolerance {
            absolute: 0.01,
            relative: 0.02,
        },
    }
}

fn run(context: &Context<'_>) -> Result<Outcome, Failure> {
    let mut seconds = Map::new();
    let set = context.set;
    let train = Images::new(&set.train.first(IMAGES)?)?;
    let test = Images::new(&set.test.first(IMAGES)?)?;
    let seeds: Vec<u64> = (0..SEEDS).map(|i| context.seed.wrapping_add(i)).collect();

    let plan = epochs::Plan::new(context, &seeds);
    let by_epoch = timed(&mut seconds, "epochs", || {
        epochs::run(&plan, &train, &test, context.progress)
    })?;
    context.progress.end();
    by_epoch.say(context);
    let sizes_plan = sizes::Plan::new(context, &seeds);
    let by_size = timed(&mut seconds, "sizes", || {
        sizes::run(&sizes_plan, &train, &test, context.progress)
    })?;
    context.progress.end();
    by_size.say(context);

    let mut values = by_epoch.values(context.data.instead_of.as_deref());
    values.extend(by_size.values(context.data.instead_of.as_deref()));
    Ok(Outcome {
        settings: settings(json!({
            "seeds": seeds,
            "train_images": train.labels.len(),
            "test_images": test.labels.len(),
            "images": "the first of the published files; the notebook's come in the order of \
                       tensorflow_datasets",
            "pixels": "x/255, which the notebook does not show",
            "targets": "one-hot",
            "normalizations": {"trace": "K / tr K", "cosine": "K_ij / sqrt(K_ii K_jj), divided by its trace"},
            "network": network::describe(),
            "epochs": plan.describe(),
            "sizes": sizes_plan.describe(),
        })),
        seconds,
        values,
        figures: figures::all(&by_epoch, &by_size),
    })
}

/// Images as inputs and targets.
struct Images {
    /// (n, 28, 28, 1)
    x: Array4<f32>,
    /// (n, classes)
    y: Array2<f32>,
    labels: Vec<u8>,
}

impl Images {
    fn new(split: &Split) -> Result<Self, Failure> {
        Ok(Self {
            x: split.images(PixelScaling::Unit),
            y: targets::one_hot(split.labels.view(), CLASSES)?,
            labels: split.labels.to_vec(),
        })
    }
}

/// The beginning of a note: the images are not the notebook's.
fn other_images(asked: Option<&str>) -> String {
    match asked {
        Some(asked) => format!("other images, in place of {asked}; "),
        None => "other images, as the notebook's come in another order; ".into(),
    }
}
