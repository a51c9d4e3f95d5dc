//! Entropy and trace along the training of networks of several widths and depths.

use super::statistics::differs_from_zero;
use super::variables::{Architecture, Variable, Variables, each};
use super::{Context, Failure, Images, Scale, Value, config};
use crate::experiments::common::mean_and_error;
use ndarray::s;
use ntk_cli::results::accuracy;
use ntk_linalg::observer::{Inside, Observer};
use ntk_train::{Loss, Trainer};
use serde_json::{Value as Json, json};

/// Training images, the first of the pool.
pub(super) const TRAIN: usize = 500;
/// Hidden layers where the width changes, and width where their number does.
pub(super) const MIDDLE: Architecture = Architecture {
    width: 64,
    layers: 2,
};

/// Which networks are trained.
pub(super) struct Plan {
    pub(super) widths: Vec<usize>,
    pub(super) layers: Vec<usize>,
    epochs: usize,
    seeds: Vec<u64>,
}

impl Plan {
    pub(super) fn new(context: &Context<'_>) -> Self {
        let (widths, layers, epochs, seeds) = match context.scale {
            Scale::Quick => (vec![16, 64], vec![2, 6], 15, 3),
            Scale::Standard => (vec![16, 64, 256], vec![1, 2, 4, 8], 40, 5),
            Scale::Full => (
                vec![16, 32, 64, 128, 256, 512],
                vec![1, 2, 3, 4, 6, 8, 12],
                100,
                10,
            ),
        };
        let seeds = (0..seeds).map(|i| context.seed.wrapping_add(i)).collect();
        Self {
            widths,
            layers,
            epochs,
            seeds,
        }
    }

    /// Every network once.
    fn architectures(&self) -> Vec<Architecture> {
        let wide = self
            .widths
            .iter()
            .map(|&width| Architecture { width, ..MIDDLE });
        let deep = self
            .layers
            .iter()
            .map(|&layers| Architecture { layers, ..MIDDLE });
        let mut all: Vec<Architecture> = wide.collect();
        all.extend(deep.filter(|a| *a != MIDDLE || !self.widths.contains(&MIDDLE.width)));
        all
    }

    pub(super) fn describe(&self) -> Json {
        json!({
            "images": TRAIN,
            "widths": {"layers": MIDDLE.layers, "widths": self.widths},
            "depths": {"width": MIDDLE.width, "layers": self.layers},
            "epochs": self.epochs,
            "seeds": self.seeds,
        })
    }
}

/// One training.
struct Run {
    /// Before the first epoch and after each.
    along: Vec<Variables>,
    train_loss: f64,
    test_accuracy: f64,
}

/// The trainings of one network, one a seed.
pub(super) struct Trained {
    pub(super) architecture: Architecture,
    runs: Vec<Run>,
}

/// A part of the training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The first quarter of the epochs.
    Early,
    /// The others.
    Late,
    Whole,
}

impl Stage {
    pub(super) const ALL: [Self; 3] = [Self::Early, Self::Late, Self::Whole];
}

/// What a stage of training does to a variable.
pub(super) struct Change {
    pub(super) mean: f64,
    pub(super) error: f64,
    /// In words.
    pub(super) verdict: &'static str,
}

impl Trained {
    /// Mean and standard error over seeds, before the first epoch and after each.
    pub(super) fn along(&self, variable: Variable) -> Vec<(f64, f64)> {
        let (_, last) = self.epochs(Stage::Whole);
        let at = |epoch: usize| -> Vec<f64> {
            let runs = self.runs.iter();
            runs.map(|r| r.along[epoch].get(variable)).collect()
        };
        (0..=last).map(|epoch| mean_and_error(&at(epoch))).collect()
    }

    /// The epoch after which the mean over seeds is lowest, the first of equal ones, and that mean.
    pub(super) fn lowest(&self, variable: Variable) -> (usize, f64) {
        let means = self.along(variable).into_iter().map(|(mean, _)| mean);
        let lower = |least: (usize, f64), next: (usize, f64)| match next.1 < least.1 {
            true => next,
            false => least,
        };
        means.enumerate().fold((0, f64::INFINITY), lower)
    }

    /// Epochs done when a stage begins and when it ends.
    pub(super) fn epochs(&self, stage: Stage) -> (usize, usize) {
        let recorded = self.runs.iter().map(|r| r.along.len()).min();
        let last = recorded.unwrap_or(0).saturating_sub(1);
        match stage {
            Stage::Early => (0, last / 4),
            Stage::Late => (last / 4, last),
            Stage::Whole => (0, last),
        }
    }

    /// From the beginning to the end of a stage, run by run.
    pub(super) fn change(&self, variable: Variable, stage: Stage) -> Change {
        let (first, last) = self.epochs(stage);
        let of = |run: &Run| run.along[last].get(variable) - run.along[first].get(variable);
        let changes: Vec<f64> = self.runs.iter().map(of).collect();
        let (mean, error) = mean_and_error(&changes);
        let verdict = match differs_from_zero(&changes) {
            true if mean < 0.0 => "falls",
            true => "rises",
            false => "not distinguishable from zero",
        };
        Change {
            mean,
            error,
            verdict,
        }
    }

    fn mean(&self, of: impl Fn(&Run) -> f64) -> f64 {
        mean_and_error(&self.runs.iter().map(of).collect::<Vec<_>>()).0
    }

    pub(super) fn values(&self) -> Vec<Value> {
        let seeds = self.runs.len();
        let value = |name: &str, number: f64| {
            let [width, layers] = self.architecture.place();
            Value::new(name, [width, layers], number)
        };
        let mut values = Vec::new();
        for variable in Variable::ALL {
            let name = variable.as_str();
            if let [(first, _), .., (last, _)] = self.along(variable)[..] {
                let note = format!("mean over {seeds} seeds");
                values.push(value(&format!("{name}_before"), first).note(&note));
                values.push(value(&format!("{name}_after"), last).note(&note));
            }
            let (epoch, lowest) = self.lowest(variable);
            let note = format!("mean over {seeds} seeds, after {epoch} epochs");
            values.push(value(&format!("{name}_lowest"), lowest).note(&note));
            for stage in Stage::ALL {
                let change = self.change(variable, stage);
                let (first, last) = self.epochs(stage);
                let value = |name: &str, number: f64| {
                    let [width, layers] = self.architecture.place();
                    let epochs = ("epochs", json!(format!("{first} to {last}")));
                    Value::new(name, [width, layers, epochs], number)
                };
                values.push(value(&format!("{name}_change"), change.mean).note(change.verdict));
                values.push(
                    value(&format!("{name}_change_standard_error"), change.error)
                        .note(&format!("of the mean over {seeds} seeds")),
                );
            }
        }
        values.push(value("train_loss", self.mean(|r| r.train_loss)).note("after the last epoch"));
        values.push(
            value("test_accuracy", self.mean(|r| r.test_accuracy)).note("after the last epoch"),
        );
        values
    }
}

/// Trains all networks of the plan.
pub(super) fn run(
    plan: &Plan,
    images: &Images,
    observer: &dyn Observer,
) -> Result<Vec<Trained>, Failure> {
    let architectures = plan.architectures();
    let mut jobs: Vec<(Architecture, u64)> = architectures
        .iter()
        .flat_map(|&a| plan.seeds.iter().map(move |&seed| (a, seed)))
        .collect();
    let cost = |(a, _): &(Architecture, u64)| a.cost(images.x.ncols());
    // The longest first, so that no thread is left alone with one at the end.
    jobs.sort_by_key(|job| std::cmp::Reverse(cost(job)));
    let found = each("training", &jobs, cost, observer, |&(a, seed)| {
        train(a, seed, plan.epochs, images, observer)
    })?;
    let mut found: Vec<_> = jobs.into_iter().zip(found).collect();
    let trained = architectures.into_iter().map(|architecture| Trained {
        architecture,
        runs: found
            .extract_if(.., |((a, _), _)| *a == architecture)
            .map(|(_, run)| run)
            .collect(),
    });
    Ok(trained.collect())
}

fn train(
    architecture: Architecture,
    seed: u64,
    epochs: usize,
    images: &Images,
    observer: &dyn Observer,
) -> Result<Run, Failure> {
    let inside = Inside(observer);
    let (x, y) = (
        images.x.slice(s![..TRAIN, ..]),
        images.y.slice(s![..TRAIN, ..]),
    );
    let mut model = architecture.model::<f32>(x.ncols(), seed)?;
    let measure = |model: &_| Variables::of_model(model, images.probe(), &inside);
    let mut along = vec![measure(&model)?];
    let mut trainer = Trainer::new(&mut model, x, y, config(seed))?;
    for _ in 0..epochs {
        trainer.epoch(&inside)?;
        along.push(measure(trainer.model())?);
    }
    Ok(Run {
        along,
        train_loss: Loss::CrossEntropy
            .with_gradient(model.forward(x)?.view(), y)
            .0,
        test_accuracy: accuracy(
            model.forward(images.x_test.view())?.view(),
            &images.test_labels,
        ),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use approx::assert_relative_eq;

    /// Entropies 3, 3, 1, ..., 1, 2 of nine records, and a little of each run's own; traces that are
    /// it plus one.
    pub(in super::super) fn trained(own: [f64; 3]) -> Trained {
        let run = |own: f64| {
            let entropies = [3.0, 3.0, 1.0 + own, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0];
            Run {
                along: entropies.map(|s| Variables([s, s, 1.0 + own])).into(),
                train_loss: own,
                test_accuracy: 0.5,
            }
        };
        Trained {
            architecture: MIDDLE,
            runs: own.map(run).into(),
        }
    }

    #[test]
    fn stages_fall_rise_and_do_neither() {
        let trained = trained([-0.1, 0.0, 0.1]);
        let verdict = |variable, stage| trained.change(variable, stage).verdict;
        assert_eq!(trained.epochs(Stage::Early), (0, 2));
        assert_eq!(trained.epochs(Stage::Late), (2, 8));
        let early = trained.change(Variable::Entropy, Stage::Early);
        assert_relative_eq!(early.mean, -2.0);
        assert_relative_eq!(early.error, 0.1 / 3.0_f64.sqrt(), max_relative = 1e-12);
        assert_eq!(verdict(Variable::Entropy, Stage::Early), "falls");
        assert_eq!(verdict(Variable::Entropy, Stage::Late), "rises");
        assert_eq!(verdict(Variable::Entropy, Stage::Whole), "falls");
        let nothing = "not distinguishable from zero";
        assert_eq!(verdict(Variable::Trace, Stage::Whole), nothing);
        assert_eq!(trained.along(Variable::Trace).len(), 9);
        assert_eq!(trained.lowest(Variable::Entropy), (2, 1.0));
    }

    impl Plan {
        pub(in super::super) fn few() -> Self {
            Self {
                widths: vec![16, MIDDLE.width],
                layers: vec![1, MIDDLE.layers, 8],
                epochs: 1,
                seeds: vec![0],
            }
        }
    }

    #[test]
    fn the_network_in_the_middle_is_trained_once() {
        let plan = Plan::few();
        let all = plan.architectures();
        assert_eq!(all.len(), 4);
        assert_eq!(all.iter().filter(|a| **a == MIDDLE).count(), 1);
        let deep = Plan {
            widths: vec![16],
            ..plan
        };
        assert!(deep.architectures().contains(&MIDDLE));
    }
}
