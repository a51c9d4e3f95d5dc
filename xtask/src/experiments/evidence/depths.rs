//! Networks of all depths and activations, each with the hyperparameters of the largest evidence.

use super::model::{Fitted, Kind, SMALL, learn, starts};
use super::problem::Problem;
use super::{Context, Failure, Value, at};
use crate::experiments::study::{At, of_two, sweep};
use ntk_kernels::evidence::Optimiser;
use ntk_linalg::Observer;
use serde_json::{Value as Json, json};

/// What is learned, in the order of [`Fitted::at`].
const NAMES: [&str; 4] = ["w_std", "b_std", "noise", "output_scale"];
/// Where learning starts.
const START: (f64, f64) = (1.4, 0.3);
/// The samples that learning begins with, where there are more, and the most evaluations of all of them.
const FEW: usize = 250;
const MORE: usize = 12;

pub(super) struct Sizes {
    /// The numbers of hidden layers.
    depths: Vec<usize>,
    /// How often learning starts again, for small problems.
    restarts: usize,
    seed: u64,
}

impl Sizes {
    pub(super) fn new(context: &Context<'_>) -> Self {
        Self {
            depths: context.by_scale(vec![1, 3], (1..=6).collect(), (1..=6).collect()),
            restarts: context.by_scale(0, 1, 10),
            seed: context.seed,
        }
    }

    pub(super) fn describe(&self) -> Json {
        json!({
            "depths": self.depths,
            "activations": Kind::ALL.map(Kind::name),
            "learned": NAMES,
            "start": {"w_std": START.0, "b_std": START.1},
            "begins_with_samples": FEW,
            "most_evaluations_of_more_samples": MORE,
            "restarts": format!("{} of up to {SMALL} samples, else none", self.restarts),
        })
    }

    fn optimiser(&self, samples: usize) -> Optimiser {
        let optimiser = Optimiser::default().seed(self.seed);
        match samples <= SMALL {
            true => optimiser.restarts(self.restarts),
            false => optimiser.tolerance(1e-3).most_evaluations(40),
        }
    }

    /// Learns all hyperparameters of one network.
    pub(super) fn learn(
        &self,
        problem: &Problem,
        kind: Kind,
        depth: usize,
        observer: &dyn Observer,
    ) -> Result<Learned, Failure> {
        let network = kind.network(depth, START.0, START.1);
        let optimiser = self.optimiser(problem.x.nrows());
        let few = problem.first(FEW);
        let from = starts(&network, &few)?;
        let mut fitted = learn(&network, &NAMES, &from, &optimiser, &few, observer)?;
        if few.x.nrows() < problem.x.nrows() {
            // Each evaluation of all costs 64 of the few: on from there.
            let &[w_std, b_std, noise, scale] = &fitted.at[..] else {
                return Err("another number of hyperparameters was learned".into());
            };
            let network = kind.network(depth, w_std, b_std);
            let optimiser = optimiser.most_evaluations(MORE);
            let from = [(noise, scale)];
            fitted = learn(&network, &NAMES, &from, &optimiser, problem, observer)?;
        }
        Ok(Learned {
            problem: problem.name,
            kind,
            depth,
            fitted,
        })
    }
}

/// A network of some depth and activation with what it has learned.
pub(super) struct Learned {
    pub(super) problem: &'static str,
    pub(super) kind: Kind,
    pub(super) depth: usize,
    pub(super) fitted: Fitted,
}

impl Learned {
    /// Returns the w_std and the b_std that were learned.
    pub(super) fn weights_and_biases(&self) -> (f64, f64) {
        (self.fitted.at[0], self.fitted.at[1])
    }

    fn place(&self) -> At {
        at(json!({"data": self.problem, "activation": self.kind.name(), "depth": self.depth}))
    }

    pub(super) fn values(&self) -> Vec<Value> {
        self.values_at(&self.place())
    }

    /// Returns the scores and the noise, as of this place. What else was learned is in flat directions of the
    /// evidence, such as a large w_std with a small scale of outputs, and differs from machine to machine.
    pub(super) fn values_at(&self, here: &At) -> Vec<Value> {
        let mut values = self.fitted.scores.values(here).to_vec();
        values.push(here.value("noise", self.fitted.noise));
        values
    }
}

/// Learns hyperparameters of all networks for all problems.
pub(super) fn run(
    sizes: &Sizes,
    problems: &[Problem],
    context: &Context<'_>,
) -> Result<Vec<Learned>, Failure> {
    let networks = of_two(Kind::ALL, sizes.depths.iter().copied());
    let jobs = of_two(problems, networks.iter().copied());
    let cost = |(problem, (_, depth)): &(&Problem, (Kind, usize))| problem.x.nrows() + depth;
    sweep(
        "depths",
        &jobs,
        cost,
        context.progress,
        |&(problem, (kind, depth)), inside| sizes.learn(problem, kind, depth, inside),
    )
}
