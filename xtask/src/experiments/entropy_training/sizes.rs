//! Networks on a growing number of images: what training does to the entropy of the kernel on the
//! images trained on, and how the test score depends on it.

use super::choice::{self, Choice};
use super::network::{NORMALIZATIONS, Recorded, Training};
use super::{Context, ERROR, Failure, Pictures, Spread, Value, at, clipped_value};
use crate::experiments::study::{of_two, sweep};
use ndarray::s;
use ntk_linalg::Observer;
use ntk_train::Schedule;
use serde_json::{Value as Json, json};

const BATCH: usize = 10;
/// The number of passes of the notebook over its images.
const EPOCHS: usize = 200;
/// The number of images, the entropy before training of the kernel as it is, the entropy after
/// training of its cosines, the test accuracy and the test loss.
const PRINTED: [(usize, [f64; 4]); 6] = [
    (10, [1.4299815, 1.0649279, 0.438, 2.549513816833496]),
    (20, [1.6265097, 1.2852912, 0.528, 2.0837535858154297]),
    (30, [1.7681414, 1.2330437, 0.574, 2.213181972503662]),
    (50, [1.9276254, 1.2277381, 0.735, 2.4009249210357666]),
    (100, [2.2563639, 1.3267068, 0.801, 1.0252071619033813]),
    (200, [2.3037105, 1.3987174, 0.858, 0.953]),
];

/// Which networks are trained, for how long.
pub(super) struct Budget {
    /// The numbers of first images, ascending.
    sizes: Vec<usize>,
    /// The largest number of images that are chosen by distillation.
    most_distilled: usize,
    /// The number of optimiser steps after which training ends with the epoch.
    most_steps: Option<usize>,
}

impl Budget {
    pub(super) fn new(context: &Context<'_>) -> Self {
        let all = [10, 20, 30, 50, 100, 200, 500, 800];
        // 600 steps are the notebook's of 30 images.
        let (count, most_distilled, most_steps) =
            context.by_scale((5, 100, Some(100)), (8, 500, Some(600)), (8, 800, None));
        Self {
            sizes: all[..count].to_vec(),
            most_distilled,
            most_steps,
        }
    }

    /// Returns the number of passes over `n` images.
    fn epochs(&self, n: usize) -> usize {
        let steps = n.div_ceil(BATCH).max(1);
        let most = |most: usize| most.div_ceil(steps).min(EPOCHS);
        self.most_steps.map_or(EPOCHS, most)
    }

    /// Says whether so many images are also chosen so.
    fn has(&self, n: usize, choice: Choice) -> bool {
        choice == Choice::First || n <= self.most_distilled
    }

    /// Returns the numbers of images chosen so.
    fn sizes(&self, choice: Choice) -> Vec<usize> {
        let sizes = self.sizes.iter().copied();
        sizes.filter(|&n| self.has(n, choice)).collect()
    }

    pub(super) fn describe(&self) -> Json {
        let epochs: Vec<usize> = self.sizes.iter().map(|&n| self.epochs(n)).collect();
        json!({
            "sizes": self.sizes,
            "sizes_distilled": self.sizes(Choice::Distilled),
            "batch": BATCH,
            "epochs": epochs,
            "epochs_of_the_notebook": EPOCHS,
            "most_steps": self.most_steps,
            "why_most_steps": "the same number of steps whatever n, where all passes over many \
                               images would take too long; null where they are done",
            "choices": choice::describe(),
            "measured": "the kernel of the images trained on, before and after",
        })
    }
}

/// What the networks did on so many images.
pub(super) struct BySize {
    pub(super) n: usize,
    pub(super) choice: Choice,
    epochs: usize,
    /// A record before training and one after, with the entropies of all images.
    recorded: Recorded,
}

/// When a kernel was looked at, an index of records.
pub(super) const BEFORE: usize = 0;
pub(super) const AFTER: usize = 1;
pub(super) const WHEN: [&str; 2] = ["before", "after"];

impl BySize {
    pub(super) fn entropy(&self, when: usize, by: usize) -> Spread {
        Spread::of(self.recorded.entropies.slice(s![.., when, 0, by]))
    }

    pub(super) fn accuracy(&self) -> Spread {
        Spread::of(self.recorded.accuracy.column(AFTER))
    }

    pub(super) fn loss(&self) -> Spread {
        Spread::of(self.recorded.loss.column(AFTER))
    }

    fn values(&self, other_images: &str) -> Vec<Value> {
        let mut rows = PRINTED.iter();
        let row = rows.find(|(n, _)| *n == self.n && self.choice == Choice::First);
        let printed = |i: usize| row.map(|(_, numbers)| numbers[i]);
        let mut why = format!("{other_images}other random weights");
        if self.epochs < EPOCHS {
            why += &format!(", {} passes and not {EPOCHS}", self.epochs);
        }
        let here = at(json!({"part": "sizes", "n": self.n, "choice": self.choice.name()}));
        let mut values = Vec::new();
        let mut push = |here: &super::super::study::At,
                        name: &str,
                        found,
                        printed: Option<f64>,
                        what: &str| {
            let note = printed.map_or(String::new(), |_| format!("{what}{why}"));
            values.extend(here.estimate(name, found, printed, &note, ERROR));
        };
        for (when, by) in of_two([BEFORE, AFTER], [0, 1]) {
            let (printed, beside) = match (when, by) {
                (BEFORE, 0) => (printed(0), "that of the cosines after training"),
                (AFTER, 1) => (printed(1), "that of the kernel itself before training"),
                _ => (None, ""),
            };
            let what = format!("printed beside {beside}, so that the two are no drop; ");
            let (_, normalization) = NORMALIZATIONS[by];
            let here = here.and(json!({"when": WHEN[when], "normalization": normalization}));
            push(&here, "entropy", self.entropy(when, by), printed, &what);
        }
        push(&here, "test_accuracy", self.accuracy(), printed(2), "");
        push(&here, "test_loss", self.loss(), printed(3), "");
        values
    }
}

pub(super) fn values(found: &[BySize], other_images: &str) -> Vec<Value> {
    let clipped = found.iter().map(|one| one.recorded.clipped());
    let mut values = vec![clipped_value("sizes", clipped.fold(0.0, f64::max))];
    values.extend(found.iter().flat_map(|one| one.values(other_images)));
    values
}

pub(super) fn run(
    budget: &Budget,
    seeds: &[u64],
    pool: &Pictures,
    test: &Pictures,
    observer: &dyn Observer,
) -> Result<Vec<BySize>, Failure> {
    let starts = of_two(seeds.iter().copied(), Choice::BOTH);
    let rows = sweep(
        "choices",
        &starts,
        |_| 1,
        observer,
        |&(seed, choice), inside| {
            let largest = budget.sizes(choice).last().copied().unwrap_or(0);
            choice.rows(largest, pool, seed, inside)
        },
    )?;
    let settings = of_two(budget.sizes.iter().copied(), Choice::BOTH).into_iter();
    let settings: Vec<_> = settings
        .filter(|&(n, choice)| budget.has(n, choice))
        .collect();
    let jobs = of_two(settings.iter().copied(), 0..seeds.len());
    let cost = |&((n, _), _): &((usize, Choice), usize)| n * budget.epochs(n);
    let found = sweep(
        "sizes",
        &jobs,
        cost,
        observer,
        |&((n, choice), i), inside| {
            let training = Training {
                seed: seeds[i],
                batch: BATCH,
                epochs: budget.epochs(n),
                // Before and after.
                schedule: Schedule::Every(0),
                subsets: &[n],
            };
            let rows = starts
                .iter()
                .zip(&rows)
                .find(|(start, _)| **start == (seeds[i], choice));
            let (_, rows) = rows.ok_or("no images were chosen")?;
            training.run(&pool.select(&rows[..n])?, test, inside)
        },
    )?;
    let each = settings.into_iter().zip(found.chunks(seeds.len()));
    each.map(|((n, choice), trainings)| {
        Ok(BySize {
            n,
            choice,
            epochs: budget.epochs(n),
            recorded: Recorded::new(trainings)?,
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Array4};

    #[test]
    fn steps_cut_epochs_and_never_add_any() {
        let budget = |most_steps| Budget {
            sizes: vec![10, 800],
            most_distilled: 500,
            most_steps,
        };
        let all = budget(None);
        assert_eq!([all.epochs(10), all.epochs(800)], [200, 200]);
        // One step an epoch, and 80, of which 12 are 960 steps.
        let cut = budget(Some(1000));
        assert_eq!([0, 10, 800].map(|n| cut.epochs(n)), [200, 200, 13]);
        assert_eq!(budget(Some(0)).epochs(10), 0);
        assert_eq!(all.sizes(Choice::First), [10, 800]);
        assert_eq!(all.sizes(Choice::Distilled), [10]);
    }

    #[test]
    fn printed_numbers_stand_beside_the_same_normalisation() {
        let numbers = vec![1.0, 2.0, 0.0, 3.0, 4.0, 0.5];
        let of = |choice| BySize {
            n: 10,
            choice,
            epochs: 7,
            recorded: Recorded {
                entropies: Array4::from_shape_vec((1, 2, 1, 3), numbers.clone()).unwrap(),
                accuracy: Array2::from_elem((1, 2), 0.5),
                loss: Array2::from_elem((1, 2), 0.25),
            },
        };
        let values = values(&Choice::BOTH.map(of), "");
        assert_eq!(values[0].value, 0.5);
        let printed = values.iter().filter(|v| v.printed.is_some());
        let printed: Vec<_> = printed
            .map(|v| (v.name.as_str(), v.value, v.printed))
            .collect();
        let expected = [
            ("entropy", 1.0, Some(1.4299815)),
            ("entropy", 4.0, Some(1.0649279)),
            ("test_accuracy", 0.5, Some(0.438)),
            ("test_loss", 0.25, Some(2.549513816833496)),
        ];
        assert_eq!(printed, expected);
        for value in values.iter().filter(|v| v.printed.is_some()) {
            assert_eq!(value.place["choice"], "first");
            assert!(value.note.contains("7 passes"), "{}", value.note);
        }
    }
}
