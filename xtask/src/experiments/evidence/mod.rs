//! evidence: does the evidence choose depths, activations and weight variances that predict well?
//!
//! The log marginal likelihood of the process of an infinitely wide network, and the leave-one-out log
//! predictive probability (Rasmussen & Williams 2006, chapter 5), beside errors on test samples; the line
//! between order and chaos after Schoenholz et al. 2017, arXiv:1611.01232.

mod choice;
mod depths;
mod figures;
mod grid;
mod model;
mod problem;

use super::study::at;
use super::{Context, Experiment, Findings, Tolerance};
use crate::Failure;
use ntk_cli::results::Value;
use problem::Problem;
use serde_json::json;

pub(super) static EXPERIMENT: Experiment = Experiment {
    name: "evidence",
    question: "Does the evidence, and does leaving samples out, choose depths, activations and variances of \
     weights and biases that predict well? Do they lie at the edge of chaos?",
    data: "fashion-mnist",
    seconds: [3.0, 50.0, 3000.0],
    tolerance,
    said: |value| value.name == "spearman",
    run,
};

fn tolerance(value: &Value) -> Tolerance {
    match value.name.as_str() {
        // Maxima are flat: what is learned moves far more than what it is worth.
        "w_std" | "b_std" | "chi" => Tolerance {
            absolute: 0.5,
            relative: 0.3,
        },
        "noise" => Tolerance {
            absolute: 0.005,
            relative: 0.1,
        },
        // Models of nearly the same evidence may change places.
        "spearman" => Tolerance::absolute(0.1),
        "noise_floor" => Tolerance::ROUNDING,
        _ => Tolerance {
            absolute: 0.005,
            relative: 0.02,
        },
    }
}

fn run(context: &Context<'_>) -> Result<Findings, Failure> {
    let problems = problem::all(context)?;
    let depths = depths::Sizes::new(context);
    let learned = context.timed("depths_and_activations", || {
        depths::run(&depths, &problems, context)
    })?;
    let sizes = grid::Sizes::new(context);
    let maps = context.timed("weights_and_biases", || {
        grid::run(&sizes, &problems, context)
    })?;
    let choices = choice::all(&problems, &learned, &maps);
    let mut values: Vec<Value> = choices.iter().flat_map(choice::Choice::values).collect();
    values.extend(maps.iter().flat_map(grid::Map::values));
    values.extend(learned.iter().flat_map(depths::Learned::values));
    for problem in &problems {
        if let Some(floor) = problem.floor() {
            let here = at(json!({"data": problem.name}));
            let note = "the share of the test targets' variance that is noise";
            values.push(here.value("noise_floor", floor).note(note));
        }
    }
    let figures = figures::all(&problems, &learned, &maps, &choices)?;
    Ok(Findings {
        settings: json!({
            "data": problems.iter().map(Problem::describe).collect::<Vec<_>>(),
            "network": "dense, then hidden layers of activation and dense; all of one w_std and one b_std; NNGP in f64",
            "depths_and_activations": depths.describe(),
            "weights_and_biases": sizes.describe(),
            "evidence": "log marginal likelihood, in nats a target",
            "leave_one_out": "log predictive probability of each target given all others, in nats a target",
            "test_error": "mean squared error over the variance of the test targets",
        }),
        values,
        figures,
    })
}
