//! entropy-training: what does training do to the entropy of the neural tangent kernel?
//!
//! MNIST, pixels divided by 255, the first 1000 training and test images; a convolutional network
//! (Tovey et al. 2023, arXiv:2305.00995, for the entropy and the choice of images).

mod choice;
mod epochs;
mod figures;
mod network;
mod sizes;

pub(crate) use network::network as entropy_cnn;

use super::study::{Images, Spread, at};
use super::{Context, Experiment, Findings, Tolerance};
use crate::Failure;
use ndarray::Ix4;
use ntk_cli::results::Value;
use serde_json::json;

/// The number of images for training, and as many for testing.
const IMAGES: usize = 1000;
/// The number of seeds of every mean.
const SEEDS: u64 = 3;
/// What the standard errors of all values are of.
const ERROR: &str = "of the mean over seeds";

/// Inputs (n, 28, 28, 1) and one-hot targets.
type Pictures = Images<f32, Ix4>;

pub(super) static EXPERIMENT: Experiment = Experiment {
    name: "entropy-training",
    question: "Does training lower the entropy of the neural tangent kernel, and does the entropy tell \
     how well a network will do?",
    data: "mnist",
    seconds: [32.0, 210.0, 6000.0],
    // Networks that are trained in f32 go apart by rounding, more so with every step.
    tolerance: |value| match value.name.as_str() {
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
    },
    said: |value| value.name == "entropy" && value.place["n"] == epochs::LARGEST,
    run,
};

fn run(context: &Context<'_>) -> Result<Findings, Failure> {
    let (set, seeds, progress) = (context.set, context.seeds(SEEDS), context.progress);
    let train = Images::pictures(set.train.first(IMAGES)?)?;
    let test = Images::pictures(set.test.first(IMAGES)?)?;
    let epochs = context.by_scale(5, 30, 100);
    let budget = sizes::Budget::new(context);
    let by_epoch = context.timed("epochs", || {
        epochs::run(epochs, &seeds, &train, &test, progress)
    })?;
    let by_size = context.timed("sizes", || {
        sizes::run(&budget, &seeds, &train, &test, progress)
    })?;

    // The beginning of a note.
    let other_images = match &context.data.instead_of {
        Some(asked) => format!("other images, in place of {asked}; "),
        None => "other images, as the notebook's come in another order; ".into(),
    };
    let mut values = by_epoch.values(&other_images);
    values.extend(sizes::values(&by_size, &other_images));
    Ok(Findings {
        settings: json!({
            "seeds": seeds,
            "train_images": train.split.len(),
            "test_images": test.split.len(),
            "images": "the first of the published files; the notebook's come in the order of \
                       tensorflow_datasets",
            "pixels": "x/255, which the notebook does not show",
            "targets": "one-hot",
            "normalizations": {"trace": "K / tr K", "cosine": "K_ij / sqrt(K_ii K_jj), divided by its trace"},
            "network": network::describe(),
            "epochs": epochs::describe(epochs),
            "sizes": budget.describe(),
        }),
        values,
        figures: figures::all(&by_epoch, &by_size),
    })
}

/// Says how much of the trace the entropies of a part leave out at most.
fn clipped_value(part: &str, largest: f64) -> Value {
    at(json!({"part": part}))
        .value("largest_clipped_mass", largest)
        .note("share of the trace in eigenvalues of the kernel that count as zero")
}
