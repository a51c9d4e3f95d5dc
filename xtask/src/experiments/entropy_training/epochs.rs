//! One network on 1000 images, epoch by epoch: its score, and the entropies of its kernel on the
//! first images.

use super::network::{NORMALIZATIONS, Recorded, Training, entropies, network};
use super::{ERROR, Failure, Pictures, Spread, Value, at, clipped_value};
use crate::experiments::study::sweep;
use ndarray::{Array2, Array3, Axis, s};
use ntk_linalg::Observer;
use ntk_linalg::observer::Inside;
use ntk_train::Schedule;
use serde_json::{Value as Json, json};

/// The numbers of first images whose kernel's entropy is followed.
pub(super) const SUBSETS: [usize; 10] = [5, 10, 15, 20, 25, 30, 35, 40, 50, 100];
/// The largest of them.
pub(super) const LARGEST: usize = SUBSETS[SUBSETS.len() - 1];
const BATCH: usize = 32;
/// The test accuracy and loss after epochs 1, 2, ...; of the tenth loss the output is cut off.
const PRINTED_ACCURACY: [f64; 10] = [
    0.178, 0.424, 0.627, 0.73, 0.78, 0.813, 0.841, 0.851, 0.862, 0.868,
];
const PRINTED_LOSS: [f64; 9] = [2.24, 2.12, 1.91, 1.59, 1.22, 0.925, 0.739, 0.627, 0.557];

pub(super) fn describe(epochs: usize) -> Json {
    json!({
        "subsets": SUBSETS,
        "batch": BATCH,
        "epochs": epochs,
        "epochs_of_the_notebook": 100,
        "measured": "before the first epoch and after each; the kernel of 100 images once, of \
                     which the smaller subsets are leading blocks",
        "infinite_kernel": "closed form, f64, once: training does not change it",
    })
}

/// What the networks did.
pub(super) struct ByEpoch {
    /// A record before the first epoch and after each, with the entropies of [`SUBSETS`].
    pub(super) recorded: Recorded,
    /// What the entropies have lost at the end, (seed, subset, normalisation).
    pub(super) transfer: Array3<f64>,
    /// The integral of the entropies over the epochs, in nats times epochs.
    pub(super) area: Array3<f64>,
    /// The entropies of the closed-form kernel, (subset, normalisation).
    pub(super) infinite: Array2<f64>,
    /// The number of epochs.
    pub(super) last: usize,
}

pub(super) fn run(
    epochs: usize,
    seeds: &[u64],
    train: &Pictures,
    test: &Pictures,
    observer: &dyn Observer,
) -> Result<ByEpoch, Failure> {
    let first = train.x.slice(s![..LARGEST, .., .., ..]).mapv(f64::from);
    let kernel = network()
        .kernel_fn()
        .observer(&Inside(observer))
        .ntk(&first)?;
    let trainings = sweep(
        "epochs",
        seeds,
        |_| epochs,
        observer,
        |&seed, inside| {
            let training = Training {
                seed,
                batch: BATCH,
                epochs,
                schedule: Schedule::Every(1),
                subsets: &SUBSETS,
            };
            training.run(train, test, inside)
        },
    )?;
    let recorded = Recorded::new(&trainings)?;
    let along = recorded
        .entropies
        .slice(s![.., .., .., ..NORMALIZATIONS.len()]);
    let at = |epoch: usize| along.index_axis(Axis(1), epoch);
    Ok(ByEpoch {
        transfer: &at(0) - &at(epochs),
        area: along.map_axis(Axis(1), |along| trapezoid(&along.to_vec())),
        infinite: entropies(&kernel, &SUBSETS)?,
        last: epochs,
        recorded,
    })
}

impl ByEpoch {
    /// Estimates an entropy after `epoch` epochs, of a subset and a normalisation.
    fn entropy(&self, epoch: usize, subset: usize, by: usize) -> Spread {
        Spread::of(self.recorded.entropies.slice(s![.., epoch, subset, by]))
    }

    pub(super) fn values(&self, other_images: &str) -> Vec<Value> {
        let random = format!("{other_images}other random weights and order of the images");
        let mut values = vec![clipped_value("epochs", self.recorded.clipped())];
        for epoch in 0..=self.last {
            let here = at(json!({"part": "epochs", "epoch": epoch}));
            for (name, all, printed) in [
                (
                    "test_accuracy",
                    &self.recorded.accuracy,
                    &PRINTED_ACCURACY[..],
                ),
                ("test_loss", &self.recorded.loss, &PRINTED_LOSS),
            ] {
                let printed = epoch.checked_sub(1).and_then(|i| printed.get(i).copied());
                let note = if printed.is_some() { &random } else { "" };
                let estimate = Spread::of(all.column(epoch));
                values.extend(here.estimate(name, estimate, printed, note, ERROR));
            }
        }
        for (subset, by) in (0..SUBSETS.len()).flat_map(|i| [(i, 0), (i, 1)]) {
            values.extend(self.values_of(subset, by));
        }
        values
    }

    fn values_of(&self, subset: usize, by: usize) -> Vec<Value> {
        let (n, (_, normalization)) = (SUBSETS[subset], NORMALIZATIONS[by]);
        let here = at(json!({"part": "epochs", "n": n, "normalization": normalization}));
        let infinite = here.and(json!({"kernel": "infinite", "epoch": "any"}));
        let infinite = infinite.value("entropy", self.infinite[[subset, by]]);
        let constant = "training cannot change it; the notebook computes it again every epoch";
        let mut values = vec![infinite.note(constant)];
        let drawn = "drawn in the notebook and not printed";
        for epoch in [0, self.last] {
            let here = here.and(json!({"kernel": "empirical", "epoch": epoch}));
            let found = self.entropy(epoch, subset, by);
            values.extend(here.estimate("entropy", found, None, drawn, ERROR));
        }
        let lost = "S(0) - S(end); the notebook's end is before its last epoch, ours after it";
        let rule = format!("trapezoidal rule over {} epochs", self.last);
        for (name, all, note) in [
            ("transfer", &self.transfer, lost),
            ("area", &self.area, &rule),
        ] {
            let found = Spread::of(all.slice(s![.., subset, by]));
            values.extend(here.estimate(name, found, None, note, ERROR));
        }
        values
    }
}

/// Integrates over unit steps; 0 of fewer than two values.
fn trapezoid(values: &[f64]) -> f64 {
    let pairs = values.windows(2);
    pairs.map(|pair| (pair[0] + pair[1]) / 2.0).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array4;

    #[test]
    fn trapezoids_of_nothing_of_one_and_of_a_line() {
        assert_eq!(trapezoid(&[]), 0.0);
        assert_eq!(trapezoid(&[7.0]), 0.0);
        assert_eq!(trapezoid(&[0.0, 1.0, 2.0, 3.0]), 4.5);
    }

    #[test]
    fn values_carry_what_was_printed_after_each_epoch() {
        let found = ByEpoch {
            recorded: Recorded {
                entropies: Array4::ones((2, 3, SUBSETS.len(), 3)),
                accuracy: Array2::ones((2, 3)),
                loss: Array2::ones((2, 3)),
            },
            transfer: Array3::ones((2, SUBSETS.len(), 2)),
            area: Array3::ones((2, SUBSETS.len(), 2)),
            infinite: Array2::ones((SUBSETS.len(), 2)),
            last: 2,
        };
        let values = found.values("other images; ");
        let printed = |name: &str, epoch: usize| {
            let mut all = values.iter();
            let value = all.find(|v| v.name == name && v.place["epoch"] == epoch);
            let value = value.unwrap();
            (value.printed, value.note.contains("other images"))
        };
        assert_eq!(printed("test_accuracy", 0), (None, false));
        assert_eq!(printed("test_accuracy", 1), (Some(0.178), true));
        assert_eq!(printed("test_loss", 2), (Some(2.12), true));
    }
}
