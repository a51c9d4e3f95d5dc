//! One network trained on each of many subsets: does what its kernel was before training tell how
//! well it will do?

use super::statistics::{interval, kendall, spearman};
use super::training::MIDDLE;
use super::variables::{CLASSES, Variable, Variables, each};
use super::{Context, Failure, Images, Scale, Value, config};
use ndarray::Axis;
use ntk_cli::results::accuracy;
use ntk_linalg::observer::{Inside, Observer};
use ntk_train::{Loss, Trainer, selection};
use serde_json::{Value as Json, json};

/// Images of a subset.
const SIZE: usize = 50;
/// Training ends at the first epoch after which the loss on the subset is no larger.
const STOP: f64 = 0.1;
/// It ends after so many epochs in any case.
const MOST_EPOCHS: usize = 400;
/// Draws of subsets for an interval.
const RESAMPLES: usize = 2000;

/// How a subset is drawn from the pool, without replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Draw {
    /// Any images.
    Uniform,
    /// As many of each class.
    Balanced,
}

impl Draw {
    pub(super) const BOTH: [Self; 2] = [Self::Uniform, Self::Balanced];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Balanced => "balanced",
        }
    }

    fn rows(self, labels: &[u8], seed: u64) -> Result<Vec<usize>, Failure> {
        Ok(match self {
            Self::Uniform => selection::random(labels.len(), SIZE, seed)?,
            Self::Balanced => selection::per_class(labels, SIZE / CLASSES, seed)?,
        })
    }
}

/// What is measured on the test images after training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Loss,
    Accuracy,
}

impl Outcome {
    pub(super) const BOTH: [Self; 2] = [Self::Loss, Self::Accuracy];

    fn as_str(self) -> &'static str {
        match self {
            Self::Loss => "test_loss",
            Self::Accuracy => "test_accuracy",
        }
    }
}

pub(super) struct Plan {
    subsets: u64,
    seed: u64,
}

impl Plan {
    pub(super) fn new(context: &Context<'_>) -> Self {
        let subsets = match context.scale {
            Scale::Quick => 20,
            Scale::Standard => 100,
            Scale::Full => 400,
        };
        Self {
            subsets,
            seed: context.seed,
        }
    }

    pub(super) fn describe(&self) -> Json {
        json!({
            "subsets": self.subsets,
            "draws": Draw::BOTH.map(Draw::as_str),
            "images": SIZE,
            "network": {"width": MIDDLE.width, "layers": MIDDLE.layers},
            "initialisation": "the same weights for all subsets",
            "until": {"train_loss": STOP, "or_epochs": MOST_EPOCHS},
            "interval": format!("95 %, percentiles of {RESAMPLES} bootstrap resamples of the subsets"),
        })
    }
}

/// A subset, before and after training on it.
pub(super) struct Trained {
    pub(super) draw: Draw,
    pub(super) before: Variables,
    pub(super) test_loss: f64,
    test_accuracy: f64,
    /// Whether [`STOP`] was reached.
    fitted: bool,
}

impl Trained {
    fn outcome(&self, outcome: Outcome) -> f64 {
        match outcome {
            Outcome::Loss => self.test_loss,
            Outcome::Accuracy => self.test_accuracy,
        }
    }
}

/// A variable before training against what came of it, over subsets of one kind.
pub(super) struct Correlation {
    pub(super) draw: Draw,
    pub(super) variable: Variable,
    pub(super) outcome: Outcome,
    pub(super) spearman: f64,
    /// 95 %.
    pub(super) interval: (f64, f64),
    kendall: f64,
}

impl Correlation {
    /// In words: whether the interval leaves zero out.
    pub(super) fn verdict(&self) -> &'static str {
        let (low, high) = self.interval;
        if low > 0.0 || high < 0.0 {
            "correlated"
        } else {
            "not distinguishable from zero"
        }
    }

    /// As `-0.12 (-0.32 to 0.09)`.
    pub(super) fn text(&self) -> String {
        // Adding zero turns -0 into 0.
        let rounded = |value: f64| (100.0 * value).round() / 100.0 + 0.0;
        let (low, high) = self.interval;
        let [middle, low, high] = [self.spearman, low, high].map(rounded);
        format!("{middle:.2} ({low:.2} to {high:.2})")
    }

    pub(super) fn sentence(&self) -> String {
        format!(
            "{} subsets, initial {} and {}: Spearman's rho {}: {}",
            self.draw.as_str(),
            self.variable.as_str().replace('_', " "),
            self.outcome.as_str().replace('_', " "),
            self.text(),
            self.verdict(),
        )
    }

    fn values(&self) -> [Value; 4] {
        let (low, high) = self.interval;
        let place = || {
            [
                ("draw", json!(self.draw.as_str())),
                ("initial", json!(self.variable.as_str())),
                ("after", json!(self.outcome.as_str())),
            ]
        };
        let end = "of the 95 % bootstrap interval";
        [
            Value::new("spearman", place(), self.spearman).note(self.verdict()),
            Value::new("spearman_low", place(), low).note(end),
            Value::new("spearman_high", place(), high).note(end),
            Value::new("kendall", place(), self.kendall).note("tau-b"),
        ]
    }
}

/// All correlations; those of a constant variable, or of fewer than two subsets, do not exist.
pub(super) fn correlations(plan: &Plan, trained: &[Trained]) -> Vec<Correlation> {
    let mut all = Vec::new();
    for draw in Draw::BOTH {
        let of = trained.iter().filter(|t| t.draw == draw);
        for variable in Variable::ALL {
            let x: Vec<f64> = of.clone().map(|t| t.before.get(variable)).collect();
            for outcome in Outcome::BOTH {
                let y: Vec<f64> = of.clone().map(|t| t.outcome(outcome)).collect();
                let found = spearman(&x, &y).zip(kendall(&x, &y));
                let interval = interval(&x, &y, RESAMPLES, plan.seed);
                if let Some(((spearman, kendall), interval)) = found.zip(interval) {
                    all.push(Correlation {
                        draw,
                        variable,
                        outcome,
                        spearman,
                        interval,
                        kendall,
                    });
                }
            }
        }
    }
    all
}

pub(super) fn values(trained: &[Trained], correlations: &[Correlation]) -> Vec<Value> {
    let mut values: Vec<Value> = correlations.iter().flat_map(Correlation::values).collect();
    for draw in Draw::BOTH {
        let unfitted = trained.iter().filter(|t| t.draw == draw && !t.fitted);
        let place = [("draw", json!(draw.as_str()))];
        let number = unfitted.count() as f64;
        values.push(
            Value::new("subsets_not_fitted", place, number).note(&format!(
                "whose train loss was still above {STOP} at the last epoch"
            )),
        );
    }
    values
}

/// A network for every subset of both kinds.
pub(super) fn run(
    plan: &Plan,
    images: &Images,
    observer: &dyn Observer,
) -> Result<Vec<Trained>, Failure> {
    let of = |draw| (0..plan.subsets).map(move |i| (draw, i));
    let jobs: Vec<(Draw, u64)> = Draw::BOTH.into_iter().flat_map(of).collect();
    each(
        "subsets",
        &jobs,
        |_| 1,
        observer,
        |&(draw, i)| {
            let seed = plan.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ i;
            let rows = draw.rows(&images.labels, seed)?;
            train(draw, &rows, plan.seed, images, observer)
        },
    )
}

/// From the weights of this seed, the same for every subset: what differs is the subset's doing.
fn train(
    draw: Draw,
    rows: &[usize],
    seed: u64,
    images: &Images,
    observer: &dyn Observer,
) -> Result<Trained, Failure> {
    let inside = Inside(observer);
    let (x, y) = (
        images.x.select(Axis(0), rows),
        images.y.select(Axis(0), rows),
    );
    let mut model = MIDDLE.model::<f32>(x.ncols(), seed)?;
    let before = Variables::of_model(&model, x.view(), &inside)?;
    let mut trainer = Trainer::new(&mut model, x.view(), y.view(), config(seed))?;
    let mut fitted = false;
    while !fitted && trainer.epochs() < MOST_EPOCHS {
        trainer.epoch(&inside)?;
        let outputs = trainer.model().forward(x.view())?;
        fitted = Loss::CrossEntropy.with_gradient(outputs.view(), y.view()).0 <= STOP;
    }
    let outputs = model.forward(images.x_test.view())?;
    Ok(Trained {
        draw,
        before,
        test_loss: Loss::CrossEntropy
            .with_gradient(outputs.view(), images.y_test.view())
            .0,
        test_accuracy: accuracy(outputs.view(), &images.test_labels),
        fitted,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Test losses that fall with the entropy on uniform subsets, and that have nothing to do with
    /// it on balanced ones; one trace for all.
    pub(in super::super) fn trained() -> Vec<Trained> {
        let of = |draw: Draw| {
            let noise = ntk_data::synthetic::gaussian::<f64>(60, 2, 1);
            (0..60).map(move |i| {
                let (entropy, other) = (noise[[i, 0]], noise[[i, 1]]);
                let test_loss = match draw {
                    Draw::Uniform => (-entropy).exp(),
                    Draw::Balanced => other,
                };
                Trained {
                    draw,
                    before: Variables([entropy, -entropy, 2.0]),
                    test_loss,
                    test_accuracy: 1.0 - test_loss,
                    fitted: i > 0,
                }
            })
        };
        Draw::BOTH.into_iter().flat_map(of).collect()
    }

    #[test]
    fn correlations_are_told_from_none() {
        let plan = Plan {
            subsets: 60,
            seed: 0,
        };
        let all = correlations(&plan, &trained());
        // None of the trace, which is constant.
        assert_eq!(all.len(), 2 * 2 * 2);
        let first = &all[0];
        assert_eq!(
            (first.draw, first.variable),
            (Draw::Uniform, Variable::Entropy)
        );
        assert_eq!((first.spearman, first.kendall), (-1.0, -1.0));
        assert_eq!(first.text(), "-1.00 (-1.00 to -1.00)");
        assert_eq!(
            (first.interval, first.verdict()),
            ((-1.0, -1.0), "correlated")
        );
        for none in &all[4..] {
            assert_eq!(none.draw, Draw::Balanced);
            assert_eq!(none.verdict(), "not distinguishable from zero");
            let (low, high) = none.interval;
            assert!(low < none.spearman && none.spearman < high);
        }
        let values = values(&trained(), &all);
        assert_eq!(values.len(), 8 * 4 + 2);
        assert_eq!(values[32].value, 1.0);
    }

    #[test]
    fn balanced_draws_have_as_many_of_each_class() {
        let labels: Vec<u8> = (0..200).map(|i| i % 10).collect();
        let rows = Draw::Balanced.rows(&labels, 3).unwrap();
        assert_eq!(rows.len(), SIZE);
        for class in 0..10 {
            let of = rows.iter().filter(|&&row| labels[row] == class);
            assert_eq!(of.count(), SIZE / CLASSES);
        }
        assert_eq!(Draw::Uniform.rows(&labels, 3).unwrap().len(), SIZE);
        assert!(Draw::Uniform.rows(&labels[..SIZE - 1], 3).is_err());
    }
}
