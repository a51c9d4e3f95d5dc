//! graphs-and-sequences: networks on graphs and on sequences of tokens beside their infinitely wide limits.
//!
//! Graphs of three families and sequences of tokens, drawn at random; kernels of graph networks after
//! Du et al. 2019, arXiv:1905.13192, of recurrent ones after Alemohammad et al. 2020, arXiv:2006.10246, of
//! attention after Hron et al. 2020, arXiv:2006.10540.

mod architecture;
mod figures;
mod limit;
mod networks;
mod task;

use super::study::{At, at};
use super::{Context, Experiment, Findings, SYNTHETIC, Tolerance};
use crate::Failure;
use architecture::Kind;
use ntk_cli::results::Value;
use serde_json::json;
use task::Task;

pub(super) static EXPERIMENT: Experiment = Experiment {
    name: "graphs-and-sequences",
    question: "Do networks on graphs and on sequences classify as their infinitely wide limits do, how fast \
     do their kernels approach the limit, and how many layers does it take?",
    data: SYNTHETIC,
    seconds: [4.0, 30.0, 1800.0],
    tolerance,
    said: |value| value.name == "exponent",
    run,
};

fn tolerance(value: &Value) -> Tolerance {
    match value.name.as_str() {
        // Two samples whose largest outputs are close; of networks, which are trained in f32, more.
        "train_accuracy" | "test_accuracy" if value.place["model"] == "infinite" => {
            Tolerance::absolute(0.025)
        }
        "train_accuracy" | "test_accuracy" => Tolerance::absolute(0.1),
        _ => Tolerance::relative(1e-4),
    }
}

/// The names of accuracies, on the training and on the test samples.
const ACCURACIES: [&str; 2] = ["train_accuracy", "test_accuracy"];

/// The task of each kind of network.
struct Tasks {
    graphs: Task,
    sequences: Task,
}

impl Tasks {
    /// Returns the task that networks of a kind learn.
    fn of(&self, kind: Kind) -> &Task {
        match kind {
            Kind::Aggregate => &self.graphs,
            Kind::Conv | Kind::Recurrent | Kind::Attention => &self.sequences,
        }
    }
}

/// The numbers of training and of test samples.
struct Counts {
    graphs: [usize; 2],
    sequences: [usize; 2],
}

fn run(context: &Context<'_>) -> Result<Findings, Failure> {
    let counts = |graphs, sequences| Counts { graphs, sequences };
    let Counts { graphs, sequences } = context.by_scale(
        counts([45, 45], [100, 100]),
        counts([75, 90], [200, 200]),
        counts([300, 300], [600, 600]),
    );
    let tasks = Tasks {
        graphs: Task::graphs(graphs, context.seed)?,
        sequences: Task::sequences(sequences, context.seed)?,
    };
    let sizes = networks::Sizes::new(context);
    let architectures = limit::architectures(context);
    let limits = context.timed("limits", || limit::run(&architectures, &tasks, context))?;
    let widened = networks::run(&sizes, &limits, &tasks, context)?;
    let mut values: Vec<Value> = limits.iter().flat_map(limit::Limit::values).collect();
    values.extend(widened.iter().flat_map(networks::Widened::values));
    Ok(Findings {
        settings: json!({
            "train_and_test_graphs": graphs,
            "train_and_test_sequences": sequences,
            "data": task::describe(),
            "network": architecture::describe(),
            "kernel": format!("NTK in closed form, f64; ridge {:e} of its mean diagonal", limit::RIDGE),
            "finite": sizes.describe(),
        }),
        values,
        figures: figures::all(&limits, &widened),
    })
}
