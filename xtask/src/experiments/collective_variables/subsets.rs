//! One network trained on each of many subsets: does what its kernel was before training tell how
//! well it will do?

use super::variables::{COUNT, MIDDLE, VARIABLES, of_model};
use super::{Failure, NOTHING, PoolSets, Value, at, config};
use crate::experiments::study::{CLASSES, Score, interval, kendall, of_two, spearman, sweep};
use ntk_linalg::observer::Observer;
use ntk_train::{Loss, Trainer, selection};
use serde_json::{Value as Json, json};

/// The number of images of a subset.
const SIZE: usize = 50;
/// Training ends at the first epoch after which the loss on the subset is no larger.
const STOP: f64 = 0.1;
/// It ends after so many epochs in any case.
const MOST_EPOCHS: usize = 400;
/// The number of draws of subsets for an interval.
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

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Balanced => "balanced",
        }
    }

    fn rows(self, labels: &[usize], seed: u64) -> Result<Vec<usize>, Failure> {
        Ok(match self {
            Self::Uniform => selection::random(labels.len(), SIZE, seed)?,
            Self::Balanced => selection::per_class(labels, SIZE / CLASSES, seed)?,
        })
    }
}

pub(super) fn describe(count: u64) -> Json {
    json!({
        "subsets": count,
        "draws": Draw::BOTH.map(Draw::name),
        "images": SIZE,
        "network": {"width": MIDDLE.width, "layers": MIDDLE.layers},
        "initialisation": "the same weights for all subsets",
        "until": {"train_loss": STOP, "or_epochs": MOST_EPOCHS},
        "interval": format!("95 %, percentiles of {RESAMPLES} bootstrap resamples of the subsets"),
    })
}

/// A subset, before and after training on it.
pub(super) struct Subset {
    pub(super) draw: Draw,
    /// The variables before.
    pub(super) before: [f64; COUNT],
    /// The score on the test images after.
    pub(super) after: Score,
    /// Whether [`STOP`] was reached.
    fitted: bool,
}

/// An outcome of training, by name.
type TestOutcome = (&'static str, fn(&Score) -> f64);

/// The outcomes that variables are compared with.
const OUTCOMES: [TestOutcome; 2] = [
    ("test_loss", |score| score.loss),
    ("test_accuracy", |score| score.accuracy),
];

/// A variable before training against what came of it, over subsets of one kind.
pub(super) struct Correlation {
    pub(super) draw: Draw,
    /// The index of the variable.
    pub(super) variable: usize,
    pub(super) outcome: &'static str,
    spearman: f64,
    /// Of 95 %.
    interval: (f64, f64),
    kendall: f64,
}

impl Correlation {
    /// Says whether the interval leaves zero out.
    fn verdict(&self) -> &'static str {
        let (low, high) = self.interval;
        match low > 0.0 || high < 0.0 {
            true => "correlated",
            false => NOTHING,
        }
    }

    /// Writes the correlation as `-0.12 (-0.32 to 0.09)`.
    pub(super) fn text(&self) -> String {
        // Adding zero turns -0 into 0.
        let rounded = |value: f64| (100.0 * value).round() / 100.0 + 0.0;
        let (low, high) = self.interval;
        let [middle, low, high] = [self.spearman, low, high].map(rounded);
        format!("{middle:.2} ({low:.2} to {high:.2})")
    }

    fn values(&self) -> [Value; 4] {
        let (low, high) = self.interval;
        let initial = VARIABLES[self.variable].name;
        let here = at(json!({"draw": self.draw.name(), "initial": initial, "after": self.outcome}));
        let end = "of the 95 % bootstrap interval";
        [
            here.value("spearman", self.spearman).note(self.verdict()),
            here.value("spearman_low", low).note(end),
            here.value("spearman_high", high).note(end),
            here.value("kendall", self.kendall).note("tau-b"),
        ]
    }
}

/// Computes all correlations; those of a constant variable, or of fewer than two subsets, do not
/// exist.
pub(super) fn correlations(subsets: &[Subset], seed: u64) -> Vec<Correlation> {
    let of = |((draw, variable), (outcome, number)): ((Draw, usize), TestOutcome)| {
        let subsets = subsets.iter().filter(|subset| subset.draw == draw);
        let pairs = subsets.map(|subset| (subset.before[variable], number(&subset.after)));
        let pairs: Vec<(f64, f64)> = pairs.collect();
        Some(Correlation {
            draw,
            variable,
            outcome,
            spearman: spearman(&pairs)?,
            interval: interval(&pairs, RESAMPLES, seed)?,
            kendall: kendall(&pairs)?,
        })
    };
    let all = of_two(of_two(Draw::BOTH, 0..COUNT), OUTCOMES);
    all.into_iter().filter_map(of).collect()
}

pub(super) fn values(subsets: &[Subset], correlations: &[Correlation]) -> Vec<Value> {
    let unfitted = Draw::BOTH.map(|draw| {
        let unfitted = subsets.iter().filter(|s| s.draw == draw && !s.fitted);
        let note = format!("whose train loss was still above {STOP} at the last epoch");
        at(json!({"draw": draw.name()}))
            .value("subsets_not_fitted", unfitted.count() as f64)
            .note(&note)
    });
    correlations
        .iter()
        .flat_map(Correlation::values)
        .chain(unfitted)
        .collect()
}

/// Trains a network on every subset of both kinds, from the weights of `seed`: what differs is the
/// subset's doing.
pub(super) fn run(
    count: u64,
    seed: u64,
    sets: &PoolSets,
    observer: &dyn Observer,
) -> Result<Vec<Subset>, Failure> {
    let labels = sets.pool.labels();
    let jobs = of_two(Draw::BOTH, 0..count);
    sweep(
        "subsets",
        &jobs,
        |_| 1,
        observer,
        |&(draw, i), inside| {
            let rows = draw.rows(&labels, seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ i)?;
            let images = sets.pool.select(&rows)?;
            let (x, y) = (&images.x, &images.y);
            let mut model = MIDDLE.model::<f32>(x.ncols(), seed)?;
            let before = of_model(&model, x, inside)?;
            let trainer = Trainer::new(&mut model, x, y, config(MOST_EPOCHS, seed))?;
            let fitted = trainer.observer(inside).run_until(|model| {
                let outputs = model.forward(x)?;
                let found = Loss::CrossEntropy.with_gradient(&outputs, y);
                Ok(found.expect("a target for every output").0 <= STOP)
            })?;
            let after = sets.test.score(&model)?;
            Ok(Subset {
                draw,
                before,
                after,
                fitted,
            })
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test losses that fall with the entropy on uniform subsets, and that have nothing to do with
    /// it on balanced ones; one trace for all.
    fn subsets() -> Vec<Subset> {
        let noise = ntk_data::synthetic::gaussian::<f64>(60, 2, 1).unwrap();
        let of = |(draw, i): (Draw, usize)| {
            let entropy = noise[[i, 0]];
            let loss = match draw {
                Draw::Uniform => (-entropy).exp(),
                Draw::Balanced => noise[[i, 1]],
            };
            Subset {
                draw,
                before: [entropy, -entropy, 2.0],
                after: Score {
                    loss,
                    accuracy: 1.0 - loss,
                },
                fitted: i > 0,
            }
        };
        of_two(Draw::BOTH, 0..60).into_iter().map(of).collect()
    }

    #[test]
    fn correlations_are_told_from_none() {
        let all = correlations(&subsets(), 0);
        // None of the trace, which is constant.
        assert_eq!(all.len(), 2 * 2 * 2);
        let first = &all[0];
        assert_eq!((first.draw, first.variable), (Draw::Uniform, 0));
        assert_eq!((first.spearman, first.kendall), (-1.0, -1.0));
        assert_eq!(first.text(), "-1.00 (-1.00 to -1.00)");
        assert_eq!(
            (first.interval, first.verdict()),
            ((-1.0, -1.0), "correlated")
        );
        for none in &all[4..] {
            assert_eq!((none.draw, none.verdict()), (Draw::Balanced, NOTHING));
            let (low, high) = none.interval;
            assert!(low < none.spearman && none.spearman < high);
        }
        let values = values(&subsets(), &all);
        assert_eq!(values.len(), 8 * 4 + 2);
        assert_eq!(values[32].value, 1.0);
    }

    #[test]
    fn balanced_draws_have_as_many_of_each_class() {
        let labels: Vec<usize> = (0..200).map(|i| i % 10).collect();
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
