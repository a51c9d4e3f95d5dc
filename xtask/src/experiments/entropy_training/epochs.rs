//! One network on 1000 images, epoch by epoch: its score, and the entropies of its kernel on the
//! first images.

use super::estimate::Estimate;
use super::network::{
    self, Entropies, NORMALIZATIONS, Score, clipped_value, entropies_of_blocks, leading_entropies,
    score,
};
use super::{Context, Failure, Images, Scale, other_images};
use ndarray::s;
use ntk_cli::results::Value;
use ntk_kernels::Get;
use ntk_linalg::Observer;
use ntk_linalg::observer::Inside;
use ntk_train::Trainer;
use rayon::prelude::*;
use serde_json::{Value as Json, json};

/// Numbers of first images whose kernel's entropy is followed.
pub(super) const SUBSETS: [usize; 10] = [5, 10, 15, 20, 25, 30, 35, 40, 50, 100];
/// The largest of them.
const LARGEST: usize = SUBSETS[SUBSETS.len() - 1];
const BATCH: usize = 32;
/// Test accuracy and loss after epochs 1, 2, ...; of the tenth loss the output is cut off.
const PRINTED_ACCURACY: [f64; 10] = [
    0.178, 0.424, 0.627, 0.73, 0.78, 0.813, 0.841, 0.851, 0.862, 0.868,
];
const PRINTED_LOSS: [f64; 9] = [2.24, 2.12, 1.91, 1.59, 1.22, 0.925, 0.739, 0.627, 0.557];

/// Which networks are trained, for how long.
pub(super) struct Plan {
    epochs: usize,
    seeds: Vec<u64>,
}

impl Plan {
    pub(super) fn new(context: &Context<'_>, seeds: &[u64]) -> Self {
        let epochs = match context.scale {
            Scale::Quick => 5,
            Scale::Standard => 30,
            Scale::Full => 100,
        };
        Self {
            epochs,
            seeds: seeds.to_vec(),
        }
    }

    pub(super) fn describe(&self) -> Json {
        json!({
            "subsets": SUBSETS,
            "batch": BATCH,
            "epochs": self.epochs,
            "epochs_of_the_notebook": 100,
            "measured": "before the first epoch and after each; the kernel of 100 images once, of \
                         which the smaller subsets are leading blocks",
            "infinite_kernel": "closed form, f64, once: training does not change it",
        })
    }
}

/// One seed's network.
struct Run {
    /// Before the first epoch and after each: one for each of [`SUBSETS`].
    entropies: Vec<Vec<Entropies>>,
    scores: Vec<Score>,
}

/// What the networks did.
pub(super) struct Found {
    runs: Vec<Run>,
    /// Of the closed-form kernel, one for each of [`SUBSETS`].
    pub(super) infinite: Vec<Entropies>,
}

pub(super) fn run(
    plan: &Plan,
    train: &Images,
    test: &Images,
    observer: &dyn Observer,
) -> Result<Found, Failure> {
    let first = train.x.slice(s![..LARGEST, .., .., ..]);
    let exact = first.mapv(f64::from).into_dyn();
    let kernel = ntk_kernels::kernels(
        &network::network(),
        exact.view(),
        None,
        Get::Ntk,
        &Inside(observer),
    )?;
    let kernel = kernel.ntk.ok_or("the NTK was asked for and not given")?;
    let infinite = entropies_of_blocks(kernel.view(), &SUBSETS)?;

    observer.begin("epochs", (plan.seeds.len() * plan.epochs) as u64);
    let one = |&seed: &u64| -> Result<Run, Failure> {
        let mut model = network::model(seed)?;
        let config = network::config(BATCH, plan.epochs, seed);
        let mut trainer = Trainer::new(&mut model, train.x.view(), train.y.view(), config)?;
        let (mut entropies, mut scores) = (Vec::new(), Vec::new());
        loop {
            let model = trainer.model();
            entropies.push(leading_entropies(
                model,
                first,
                &SUBSETS,
                &Inside(observer),
            )?);
            scores.push(score(model, test)?);
            if trainer.epochs() == plan.epochs {
                return Ok(Run { entropies, scores });
            }
            trainer.epoch(&Inside(observer))?;
            observer.advance(1);
        }
    };
    // An error is told as text, which can change threads.
    let runs: Vec<Result<Run, String>> = (plan.seeds.par_iter())
        .map(|seed| one(seed).map_err(|e| e.to_string()))
        .collect();
    Ok(Found {
        runs: runs.into_iter().collect::<Result<_, _>>()?,
        infinite,
    })
}

impl Found {
    /// Epochs after which something was measured, from 0.
    pub(super) fn epochs(&self) -> Vec<f64> {
        let count = self.runs.first().map_or(0, |run| run.scores.len());
        (0..count).map(|epoch| epoch as f64).collect()
    }

    fn last(&self) -> usize {
        self.epochs().len().saturating_sub(1)
    }

    fn over_seeds(&self, of: impl Fn(&Run) -> f64) -> Estimate {
        Estimate::of(self.runs.iter().map(of))
    }

    pub(super) fn accuracy(&self, epoch: usize) -> Estimate {
        self.over_seeds(|run| run.scores[epoch].accuracy)
    }

    pub(super) fn loss(&self, epoch: usize) -> Estimate {
        self.over_seeds(|run| run.scores[epoch].loss)
    }

    /// Of the subset and the normalisation of these numbers.
    pub(super) fn entropy(&self, epoch: usize, subset: usize, by: usize) -> Estimate {
        self.over_seeds(|run| run.entropies[epoch][subset].by[by])
    }

    /// What the entropy has lost at the end.
    pub(super) fn transfer(&self, subset: usize, by: usize) -> Estimate {
        let last = self.last();
        self.over_seeds(|run| run.entropies[0][subset].by[by] - run.entropies[last][subset].by[by])
    }

    /// The integral of the entropy over the epochs, in nats times epochs.
    pub(super) fn area(&self, subset: usize, by: usize) -> Estimate {
        self.over_seeds(|run| trapezoid(run.entropies.iter().map(|at| at[subset].by[by])))
    }

    pub(super) fn say(&self, context: &Context<'_>) {
        let (last, largest) = (self.last(), SUBSETS.len() - 1);
        for (by, (_, normalization)) in NORMALIZATIONS.iter().enumerate() {
            context.progress.say(&format!(
                "  entropy of {LARGEST} images by {normalization}: {:.3} at first, {:.3} after {last} \
                 epochs, {:.3} of the infinite network",
                self.entropy(0, largest, by).mean,
                self.entropy(last, largest, by).mean,
                self.infinite[largest].by[by],
            ));
        }
    }

    pub(super) fn values(&self, instead_of: Option<&str>) -> Vec<Value> {
        let other = other_images(instead_of);
        let random = format!("{other}other random weights and order of the images");
        let kernels = self
            .runs
            .iter()
            .flat_map(|run| run.entropies.iter().flatten());
        let mut values = vec![clipped_value("epochs", kernels.map(|e| e.clipped))];
        for epoch in 0..=self.last() {
            let place = || [("part", json!("epochs")), ("epoch", json!(epoch))];
            let printed = |all: &[f64]| epoch.checked_sub(1).and_then(|i| all.get(i).copied());
            let both = [
                (
                    "test_accuracy",
                    self.accuracy(epoch),
                    printed(&PRINTED_ACCURACY),
                ),
                ("test_loss", self.loss(epoch), printed(&PRINTED_LOSS)),
            ];
            for (name, estimate, printed) in both {
                let note = if printed.is_some() { &random } else { "" };
                values.extend(estimate.values(name, place(), printed, note));
            }
        }
        for (subset, n) in SUBSETS.iter().enumerate() {
            for (by, (_, normalization)) in NORMALIZATIONS.iter().enumerate() {
                values.extend(self.subset_values(subset, *n, by, normalization));
            }
        }
        values
    }

    fn subset_values(&self, subset: usize, n: usize, by: usize, normalization: &str) -> Vec<Value> {
        let place = || {
            [
                ("part", json!("epochs")),
                ("n", json!(n)),
                ("normalization", json!(normalization)),
            ]
        };
        let at = |kernel: &str, epoch: Json| {
            let [part, n, normalization] = place();
            [
                part,
                n,
                normalization,
                ("kernel", json!(kernel)),
                ("epoch", epoch),
            ]
        };
        let drawn = "drawn in the notebook and not printed";
        let last = self.last();
        let mut values = vec![
            Value::new(
                "entropy",
                at("infinite", json!("any")),
                self.infinite[subset].by[by],
            )
            .note("training cannot change it; the notebook computes it again every epoch"),
        ];
        for epoch in [0, last] {
            let estimate = self.entropy(epoch, subset, by);
            values.extend(estimate.values("entropy", at("empirical", json!(epoch)), None, drawn));
        }
        let transfer = "S(0) - S(end); the notebook's end is before its last epoch, ours after it";
        values.extend((self.transfer(subset, by)).values("transfer", place(), None, transfer));
        let area = format!("trapezoidal rule over {last} epochs");
        values.extend((self.area(subset, by)).values("area", place(), None, &area));
        values
    }
}

/// The integral over unit steps; 0 of fewer than two values.
fn trapezoid(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    values
        .windows(2)
        .map(|pair| (pair[0] + pair[1]) / 2.0)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trapezoids_of_nothing_of_one_and_of_a_line() {
        assert_eq!(trapezoid([].into_iter()), 0.0);
        assert_eq!(trapezoid([7.0].into_iter()), 0.0);
        assert_eq!(trapezoid([0.0, 1.0, 2.0, 3.0].into_iter()), 4.5);
    }

    fn found() -> Found {
        let of = |entropy: f64| Entropies {
            by: [entropy, 1.0],
            clipped: 0.0,
        };
        let run = |by: f64| Run {
            entropies: (0..3)
                .map(|epoch| vec![of(by + 2.0 * f64::from(epoch)); SUBSETS.len()])
                .collect(),
            scores: vec![
                Score {
                    accuracy: by / 10.0,
                    loss: by
                };
                3
            ],
        };
        Found {
            runs: vec![run(1.0), run(3.0)],
            infinite: vec![of(0.5); SUBSETS.len()],
        }
    }

    #[test]
    fn transfer_and_area_are_means_over_seeds() {
        let found = found();
        assert_eq!(found.epochs(), [0.0, 1.0, 2.0]);
        assert_eq!(found.entropy(1, 0, 0).mean, 4.0);
        assert_eq!(
            (found.transfer(3, 0).mean, found.transfer(3, 0).error),
            (-4.0, 0.0)
        );
        // 1, 3, 5 and 3, 5, 7 over two steps.
        assert_eq!((found.area(9, 0).mean, found.area(9, 0).error), (8.0, 2.0));
    }

    #[test]
    fn values_carry_what_was_printed_after_each_epoch() {
        let values = found().values(Some("mnist"));
        let printed = |name: &str, epoch: usize| {
            let mut all = values.iter();
            let value = all
                .find(|v| v.name == name && v.place["epoch"] == epoch)
                .unwrap();
            (value.printed, value.note.contains("in place of mnist"))
        };
        assert_eq!(printed("test_accuracy", 0), (None, false));
        assert_eq!(printed("test_accuracy", 1), (Some(0.178), true));
        assert_eq!(printed("test_loss", 2), (Some(2.12), true));
    }
}
