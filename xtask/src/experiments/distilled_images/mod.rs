//! distilled-images: how few images can regression with the kernel of a wide network predict from, if the
//! images are learned?
//!
//! Kernel inducing points (Nguyen, Chen & Lee 2021, arXiv:2011.00050) for one hidden layer.

mod data;
mod figures;
mod k_means;
mod methods;
mod networks;

use super::study::at;
use super::{Context, Experiment, Findings, Tolerance};
use crate::Failure;
use data::Data;
use methods::Method;
use ntk_cli::results::Value;
use serde_json::json;

/// The numbers of images: 1, 10 and 50 of each class.
const SIZES: [usize; 3] = [10, 100, 500];

pub(super) static EXPERIMENT: Experiment = Experiment {
    name: "distilled-images",
    question: "From how few images does regression with the kernel of a wide network predict, if these images \
     are learned and not chosen? Do finite networks learn from them too?",
    data: "mnist",
    seconds: [9.0, 160.0, 4500.0],
    tolerance,
    said: |value| {
        value.name == "test_accuracy" && {
            let method = &value.place["method"];
            [Method::Learned, Method::LearnedWithLabels, Method::Random]
                .iter()
                .any(|one| method == one.name())
        }
    },
    run,
};

fn tolerance(value: &Value) -> Tolerance {
    match value.name.as_str() {
        // Steps in f32 go apart by rounding, and those of networks more.
        "test_accuracy" if value.place["model"] == "network" => Tolerance::absolute(0.05),
        "test_accuracy" => Tolerance::absolute(0.02),
        // One of ten images.
        "labels_kept" => Tolerance::absolute(0.1 + 1e-9),
        name if name.ends_with("standard_error") => Tolerance::absolute(0.02),
        _ => Tolerance::relative(0.1),
    }
}

fn run(context: &Context<'_>) -> Result<Findings, Failure> {
    let data = Data::new(context)?;
    let budget = methods::Budget::new(context);
    let of_networks = networks::Budget::new(context);
    let found = context.timed("images", || methods::run(&budget, &data, context))?;
    for one in &found {
        one.note_seconds(context);
    }
    let trained = context.timed("networks", || {
        networks::run(&of_networks, &found, &data, context.progress)
    })?;
    let mut values: Vec<Value> = found.iter().flat_map(methods::Found::values).collect();
    for one in &found {
        if one.method == Method::LearnedWithLabels {
            values.push(one.place().value("labels_kept", methods::kept(one)?));
        }
    }
    values.extend(trained.iter().flat_map(networks::Trained::values));
    values.push(at(json!({})).value("training_images", data.train.split.len() as f64));
    Ok(Findings {
        settings: json!({
            "data": data.describe(),
            "learned": budget.describe(),
            "networks": of_networks.describe(),
        }),
        values,
        figures: figures::all(&found, &trained, context.set.classes)?,
    })
}
