//! Networks on a growing number of images: what training does to the entropy of the kernel on the
//! images trained on, and how the test score depends on it.

use super::choice::{self, Choice};
use super::estimate::Estimate;
use super::network::{
    self, Entropies, NORMALIZATIONS, Score, clipped_value, leading_entropies, score,
};
use super::{Context, Failure, Images, Scale, other_images};
use ndarray::Axis;
use ntk_cli::results::Value;
use ntk_linalg::Observer;
use ntk_linalg::observer::Inside;
use ntk_train::train;
use rayon::prelude::*;
use serde_json::{Value as Json, json};

const BATCH: usize = 10;
/// Passes of the notebook over its images.
const EPOCHS: usize = 200;
/// Images, entropy before training of the kernel as it is, entropy after training of its cosines,
/// test accuracy and loss.
const PRINTED: [(usize, [f64; 4]); 6] = [
    (10, [1.4299815, 1.0649279, 0.438, 2.549513816833496]),
    (20, [1.6265097, 1.2852912, 0.528, 2.0837535858154297]),
    (30, [1.7681414, 1.2330437, 0.574, 2.213181972503662]),
    (50, [1.9276254, 1.2277381, 0.735, 2.4009249210357666]),
    (100, [2.2563639, 1.3267068, 0.801, 1.0252071619033813]),
    (200, [2.3037105, 1.3987174, 0.858, 0.953]),
];

/// Which networks are trained, for how long.
pub(super) struct Plan {
    /// Numbers of first images, ascending.
    sizes: Vec<usize>,
    /// Largest number of images that are chosen by distillation.
    most_distilled: usize,
    /// Optimiser steps after which training ends with the epoch.
    most_steps: Option<usize>,
    seeds: Vec<u64>,
}

impl Plan {
    pub(super) fn new(context: &Context<'_>, seeds: &[u64]) -> Self {
        let all = [10, 20, 30, 50, 100, 200, 500, 800];
        // 600 steps are the notebook's of 30 images.
        let (count, most_distilled, most_steps) = match context.scale {
            Scale::Quick => (5, 100, Some(100)),
            Scale::Standard => (8, 500, Some(600)),
            Scale::Full => (8, 800, None),
        };
        Self {
            sizes: all[..count].to_vec(),
            most_distilled,
            most_steps,
            seeds: seeds.to_vec(),
        }
    }

    /// Passes over `n` images.
    fn epochs(&self, n: usize) -> usize {
        let steps = n.div_ceil(BATCH).max(1);
        let most = |most: usize| most.div_ceil(steps);
        self.most_steps
            .map_or(EPOCHS, |steps| most(steps).min(EPOCHS))
    }

    /// Numbers of images chosen so.
    fn sizes(&self, choice: Choice) -> Vec<usize> {
        let chosen = |n: &usize| choice == Choice::First || *n <= self.most_distilled;
        self.sizes.iter().copied().filter(chosen).collect()
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

/// One seed's network on some images.
struct Run {
    choice: Choice,
    n: usize,
    before: Entropies,
    after: Entropies,
    score: Score,
}

/// What the networks did.
pub(super) struct Found {
    /// Numbers of images, ascending, and passes over them.
    sizes: Vec<(usize, usize)>,
    runs: Vec<Run>,
}

pub(super) fn run(
    plan: &Plan,
    pool: &Images,
    test: &Images,
    observer: &dyn Observer,
) -> Result<Found, Failure> {
    let pairs = || {
        let seeds = plan.seeds.iter();
        seeds.flat_map(|&seed| Choice::BOTH.map(|choice| (seed, choice)))
    };
    observer.begin("choices", pairs().count() as u64);
    // Rows for the largest size, and the entropies before training at every size: the untrained
    // network is the same at all of them.
    let start = |(seed, choice): (u64, Choice)| -> Result<_, Failure> {
        let sizes = plan.sizes(choice);
        let largest = sizes.last().copied().unwrap_or(0);
        let rows = choice.rows(largest, pool, seed, &Inside(observer))?;
        let x = pool.x.select(Axis(0), &rows);
        let model = network::model(seed)?;
        let before = leading_entropies(&model, x.view(), &sizes, &Inside(observer))?;
        observer.advance(1);
        Ok((seed, choice, rows, before))
    };
    let starts = in_parallel(pairs().collect(), start)?;

    // The longest first.
    let mut jobs = Vec::new();
    for (seed, choice, rows, before) in &starts {
        for (n, before) in plan.sizes(*choice).into_iter().zip(before) {
            jobs.push((*seed, *choice, &rows[..n], *before));
        }
    }
    jobs.sort_by_key(|(_, _, rows, _)| std::cmp::Reverse(rows.len()));
    let work = |n: usize| (n * plan.epochs(n)) as u64;
    let total = jobs.iter().map(|(_, _, rows, _)| work(rows.len())).sum();
    observer.begin("sizes", total);
    let one = |(seed, choice, rows, before): (u64, Choice, &[usize], Entropies)| {
        let n = rows.len();
        let (x, y) = (pool.x.select(Axis(0), rows), pool.y.select(Axis(0), rows));
        let mut model = network::model(seed)?;
        let config = network::config(BATCH, plan.epochs(n), seed);
        train(&mut model, x.view(), y.view(), &config, &Inside(observer))?;
        let after = leading_entropies(&model, x.view(), &[n], &Inside(observer))?;
        observer.advance(work(n));
        Ok(Run {
            choice,
            n,
            before,
            after: after[0],
            score: score(&model, test)?,
        })
    };
    Ok(Found {
        sizes: plan.sizes.iter().map(|&n| (n, plan.epochs(n))).collect(),
        runs: in_parallel(jobs, one)?,
    })
}

/// The results of all jobs, in order. An error is told as text, which can change threads.
fn in_parallel<J: Send, R: Send>(
    jobs: Vec<J>,
    work: impl Fn(J) -> Result<R, Failure> + Sync,
) -> Result<Vec<R>, Failure> {
    let results: Vec<Result<R, String>> = (jobs.into_par_iter())
        .map(|job| work(job).map_err(|e| e.to_string()))
        .collect();
    Ok(results.into_iter().collect::<Result<_, _>>()?)
}

/// When a kernel was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
}

impl When {
    pub(super) const BOTH: [Self; 2] = [Self::Before, Self::After];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

impl Found {
    /// Numbers of images chosen so, ascending.
    pub(super) fn sizes(&self, choice: Choice) -> impl Iterator<Item = usize> {
        let run = move |n: usize| self.runs.iter().any(|r| r.choice == choice && r.n == n);
        self.sizes.iter().map(|(n, _)| *n).filter(move |n| run(*n))
    }

    fn over_seeds(&self, choice: Choice, n: usize, of: impl Fn(&Run) -> f64) -> Estimate {
        let runs = self.runs.iter();
        Estimate::of(runs.filter(|r| r.choice == choice && r.n == n).map(of))
    }

    /// By the normalisation of this number.
    pub(super) fn entropy(&self, choice: Choice, n: usize, when: When, by: usize) -> Estimate {
        self.over_seeds(choice, n, |run| match when {
            When::Before => run.before.by[by],
            When::After => run.after.by[by],
        })
    }

    pub(super) fn accuracy(&self, choice: Choice, n: usize) -> Estimate {
        self.over_seeds(choice, n, |run| run.score.accuracy)
    }

    pub(super) fn loss(&self, choice: Choice, n: usize) -> Estimate {
        self.over_seeds(choice, n, |run| run.score.loss)
    }

    pub(super) fn say(&self, context: &Context<'_>) {
        for choice in Choice::BOTH {
            let Some(n) = self.sizes(choice).last() else {
                continue;
            };
            let name = choice.as_str();
            for (by, (_, normalization)) in NORMALIZATIONS.iter().enumerate() {
                let [before, after] = When::BOTH.map(|when| self.entropy(choice, n, when, by).mean);
                context.progress.say(&format!(
                    "  {n} images, {name}: entropy by {normalization} {before:.3} before training, \
                     {after:.3} after"
                ));
            }
            let accuracy = self.accuracy(choice, n).mean;
            context.progress.say(&format!(
                "  {n} images, {name}: test accuracy {accuracy:.3}"
            ));
        }
    }

    pub(super) fn values(&self, instead_of: Option<&str>) -> Vec<Value> {
        let kernels = self.runs.iter().flat_map(|run| [run.before, run.after]);
        let mut values = vec![clipped_value("sizes", kernels.map(|e| e.clipped))];
        for &(n, epochs) in &self.sizes {
            let chosen = |choice: &Choice| self.sizes(*choice).any(|size| size == n);
            for choice in Choice::BOTH.into_iter().filter(chosen) {
                values.extend(self.values_at(n, epochs, choice, instead_of));
            }
        }
        values
    }

    fn values_at(
        &self,
        n: usize,
        epochs: usize,
        choice: Choice,
        instead_of: Option<&str>,
    ) -> Vec<Value> {
        let row = PRINTED
            .iter()
            .find(|(size, _)| *size == n && choice == Choice::First);
        let printed = |i: usize| row.map(|(_, numbers)| numbers[i]);
        let mut why = format!("{}other random weights", other_images(instead_of));
        if epochs < EPOCHS {
            why += &format!(", {epochs} passes and not {EPOCHS}");
        }
        let noted = |printed: Option<f64>, note: String| {
            if printed.is_some() {
                note
            } else {
                String::new()
            }
        };
        let place = || {
            [
                ("part", json!("sizes")),
                ("n", json!(n)),
                ("choice", json!(choice.as_str())),
            ]
        };
        let mut values = Vec::new();
        for when in When::BOTH {
            for (by, (_, normalization)) in NORMALIZATIONS.iter().enumerate() {
                let (printed, what) = match (when, by) {
                    (When::Before, 0) => (
                        printed(0),
                        "printed beside that of the cosines after training",
                    ),
                    (When::After, 1) => (
                        printed(1),
                        "printed beside that of the kernel itself before training",
                    ),
                    _ => (None, ""),
                };
                let [part, size, chosen] = place();
                let place = [
                    part,
                    size,
                    chosen,
                    ("when", json!(when.as_str())),
                    ("normalization", json!(normalization)),
                ];
                let estimate = self.entropy(choice, n, when, by);
                let note = noted(
                    printed,
                    format!("{what}, so that the two are no drop; {why}"),
                );
                values.extend(estimate.values("entropy", place, printed, &note));
            }
        }
        let scores = [
            ("test_accuracy", self.accuracy(choice, n), printed(2)),
            ("test_loss", self.loss(choice, n), printed(3)),
        ];
        for (name, estimate, printed) in scores {
            let note = noted(printed, why.clone());
            values.extend(estimate.values(name, place(), printed, &note));
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(most_steps: Option<usize>) -> Plan {
        Plan {
            sizes: vec![10, 800],
            most_distilled: 500,
            most_steps,
            seeds: vec![0],
        }
    }

    #[test]
    fn steps_cut_epochs_and_never_add_any() {
        let all = plan(None);
        assert_eq!([all.epochs(10), all.epochs(800)], [200, 200]);
        let cut = plan(Some(1000));
        // One step an epoch, and 80, of which 12 are 960 steps.
        assert_eq!(
            [cut.epochs(0), cut.epochs(10), cut.epochs(800)],
            [200, 200, 13]
        );
        assert_eq!(plan(Some(0)).epochs(10), 0);
        assert_eq!(plan(None).sizes(Choice::First), [10, 800]);
        assert_eq!(plan(None).sizes(Choice::Distilled), [10]);
    }

    #[test]
    fn printed_numbers_stand_beside_the_same_normalisation() {
        let run = |choice| Run {
            choice,
            n: 10,
            before: Entropies {
                by: [1.0, 2.0],
                clipped: 0.0,
            },
            after: Entropies {
                by: [3.0, 4.0],
                clipped: 0.5,
            },
            score: Score {
                accuracy: 0.5,
                loss: 0.25,
            },
        };
        let found = Found {
            sizes: vec![(10, 7), (20, 7)],
            runs: Choice::BOTH.into_iter().map(run).collect(),
        };
        assert_eq!(found.sizes(Choice::First).collect::<Vec<_>>(), [10]);
        let values = found.values(None);
        assert_eq!(values[0].value, 0.5);
        let printed: Vec<_> = (values.iter())
            .filter_map(|v| v.printed.map(|p| (v.name.as_str(), v.value, p)))
            .collect();
        let expected = [
            ("entropy", 1.0, 1.4299815),
            ("entropy", 4.0, 1.0649279),
            ("test_accuracy", 0.5, 0.438),
            ("test_loss", 0.25, 2.549513816833496),
        ];
        assert_eq!(printed, expected);
        for value in values.iter().filter(|v| v.printed.is_some()) {
            assert_eq!(value.place["choice"], "first");
            assert!(value.note.contains("7 passes"), "{}", value.note);
        }
    }
}
