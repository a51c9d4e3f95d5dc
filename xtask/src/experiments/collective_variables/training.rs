//! Entropy and trace along the training of networks of several widths and depths.

use super::variables::{Architecture, MIDDLE, VARIABLES, of_model};
use super::{Context, Failure, Images, NOTHING, PoolSets, Value, at, config};
use crate::experiments::study::{Curve, Spread, differs_from_zero, of_two, over_seeds, sweep};
use ndarray::{Array3, s};
use ntk_linalg::observer::Observer;
use ntk_train::{Recorder, Records, Schedule, Trainer};
use serde_json::{Value as Json, json};

/// The number of training images, the first of the pool.
const TRAIN: usize = 500;

/// Which networks are trained.
pub(super) struct Sizes {
    pub(super) widths: Vec<usize>,
    pub(super) layers: Vec<usize>,
    epochs: usize,
    seeds: Vec<u64>,
}

impl Sizes {
    pub(super) fn new(context: &Context<'_>) -> Self {
        let (widths, layers, epochs, seeds): (&[usize], &[usize], _, _) = context.by_scale(
            (&[16, 64], &[2, 6], 15, 3),
            (&[16, 64, 256], &[1, 2, 4, 8], 40, 5),
            (
                &[16, 32, 64, 128, 256, 512],
                &[1, 2, 3, 4, 6, 8, 12],
                100,
                10,
            ),
        );
        Self {
            widths: widths.into(),
            layers: layers.into(),
            epochs,
            seeds: context.seeds(seeds),
        }
    }

    /// Returns every network once.
    fn architectures(&self) -> Vec<Architecture> {
        let wide = self.widths.iter().map(|&width| Architecture::wide(width));
        let deep = self.layers.iter().map(|&layers| Architecture::deep(layers));
        let twice = self.widths.contains(&MIDDLE.width);
        wide.chain(deep.filter(|a| !twice || *a != MIDDLE))
            .collect()
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

/// The trainings of one network, one a seed.
pub(super) struct FollowedNetworks {
    pub(super) architecture: Architecture,
    /// Before the first epoch and after each: (seed, epoch, variable).
    pub(super) along: Array3<f64>,
    /// After the last epoch, one a seed.
    pub(super) train_loss: Vec<f64>,
    pub(super) test_accuracy: Vec<f64>,
}

impl FollowedNetworks {
    pub(super) fn along(&self, variable: usize) -> Curve {
        Curve::of(0.., self.along.slice(s![.., .., variable]))
    }

    /// Returns the epoch after which the mean over seeds is lowest, the first of equal ones, and
    /// that mean.
    fn lowest(&self, variable: usize) -> (usize, f64) {
        let means = self.along(variable).means().into_iter().enumerate();
        means.fold((0, f64::INFINITY), |least, next| match next.1 < least.1 {
            true => next,
            false => least,
        })
    }

    /// Returns the epochs done at the beginning and at the end of the first quarter of the epochs, of
    /// the others, and of all.
    fn stages(&self) -> [(usize, usize); 3] {
        let last = self.along.dim().1 - 1;
        [(0, last / 4), (last / 4, last), (0, last)]
    }

    /// Estimates the change of a variable over a stage, run by run, and says in words what it is.
    fn change(&self, variable: usize, (first, last): (usize, usize)) -> (Spread, &'static str) {
        let at = |epoch: usize| self.along.slice(s![.., epoch, variable]);
        let changes = (&at(last) - &at(first)).to_vec();
        let estimate = Spread::of(&changes);
        let verdict = match differs_from_zero(&changes) {
            true if estimate.mean < 0.0 => "falls",
            true => "rises",
            false => NOTHING,
        };
        (estimate, verdict)
    }

    pub(super) fn values(&self) -> Vec<Value> {
        let here = at(self.architecture.place());
        let over_seeds = format!("mean over {} seeds", self.train_loss.len());
        let error = format!("of the {over_seeds}");
        let mut values = Vec::new();
        for (v, variable) in VARIABLES.iter().enumerate() {
            let name = variable.name;
            let means = self.along(v).means();
            let (epoch, lowest) = self.lowest(v);
            let after = format!("{over_seeds}, after {epoch} epochs");
            for (when, mean, note) in [
                ("before", means[0], &over_seeds),
                ("after", means[means.len() - 1], &over_seeds),
                ("lowest", lowest, &after),
            ] {
                values.push(here.value(format!("{name}_{when}"), mean).note(note));
            }
            for stage in self.stages() {
                let (change, verdict) = self.change(v, stage);
                let here = here.and(json!({"epochs": format!("{} to {}", stage.0, stage.1)}));
                let name = format!("{name}_change");
                values.extend(here.estimate(name, change, None, verdict, &error));
            }
        }
        let ends = [
            ("train_loss", &self.train_loss),
            ("test_accuracy", &self.test_accuracy),
        ];
        values.extend(ends.map(|(name, all)| {
            let value = here.value(name, Spread::of(all).mean);
            value.note("after the last epoch")
        }));
        values
    }
}

/// Trains all networks.
pub(super) fn run(
    sizes: &Sizes,
    sets: &PoolSets,
    observer: &dyn Observer,
) -> Result<Vec<FollowedNetworks>, Failure> {
    let first: Vec<usize> = (0..TRAIN).collect();
    let images = sets.pool.select(&first)?;
    let architectures = sizes.architectures();
    let jobs = of_two(architectures.iter().copied(), sizes.seeds.iter().copied());
    let cost = |(a, _): &(Architecture, u64)| a.cost(images.x.ncols());
    let found = sweep("training", &jobs, cost, observer, |&(a, seed), inside| {
        train(a, seed, sizes.epochs, &images, sets, inside)
    })?;
    let each = architectures
        .into_iter()
        .zip(found.chunks(sizes.seeds.len()));
    each.map(|(architecture, runs)| {
        let records: Vec<Records> = runs.iter().map(|(records, _)| records.clone()).collect();
        Ok(FollowedNetworks {
            architecture,
            along: over_seeds(&records, "variables")?,
            train_loss: runs.iter().map(|(_, [loss, _])| *loss).collect(),
            test_accuracy: runs.iter().map(|(_, [_, accuracy])| *accuracy).collect(),
        })
    })
    .collect()
}

/// Trains one network; returns what was recorded, and at the end training loss and test accuracy.
fn train(
    architecture: Architecture,
    seed: u64,
    epochs: usize,
    images: &Images<f32>,
    sets: &PoolSets,
    observer: &dyn Observer,
) -> Result<(Records, [f64; 2]), Failure> {
    let mut model = architecture.model::<f32>(images.x.ncols(), seed)?;
    let mut recorder = Recorder::new(Schedule::Every(1))
        .measure("variables", |model| of_model(model, &sets.probe, observer));
    Trainer::new(&mut model, &images.x, &images.y, config(epochs, seed))?
        .observer(observer)
        .record(&mut recorder)?;
    let (train, test) = (images.score(&model)?, sets.test.score(&model)?);
    Ok((recorder.into_records(), [train.loss, test.accuracy]))
}

#[cfg(test)]
mod tests {
    use super::super::variables::TRACE;
    use super::*;
    use approx::assert_relative_eq;

    const ENTROPY: usize = 0;

    /// Entropies 3, 3, 1, ..., 1, 2 of nine records, and a little of each run's own; traces that are
    /// it plus one.
    fn trained(own: [f64; 3]) -> FollowedNetworks {
        let along = |(seed, epoch, variable): (usize, usize, usize)| match (variable, epoch) {
            (TRACE, _) => 1.0 + own[seed],
            (_, 2) => 1.0 + own[seed],
            _ => [3.0, 3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0][epoch],
        };
        FollowedNetworks {
            architecture: MIDDLE,
            along: Array3::from_shape_fn((3, 9, 3), along),
            train_loss: own.into(),
            test_accuracy: vec![0.5; 3],
        }
    }

    #[test]
    fn stages_fall_rise_and_do_neither() {
        let trained = trained([-0.1, 0.0, 0.1]);
        let [early, late, whole] = trained.stages();
        assert_eq!((early, late, whole), ((0, 2), (2, 8), (0, 8)));
        let (change, verdict) = trained.change(ENTROPY, early);
        assert_relative_eq!(change.mean, -2.0);
        assert_relative_eq!(change.error, 0.1 / 3.0_f64.sqrt(), max_relative = 1e-12);
        assert_eq!(verdict, "falls");
        assert_eq!(trained.change(ENTROPY, late).1, "rises");
        assert_eq!(trained.change(ENTROPY, whole).1, "falls");
        assert_eq!(trained.change(TRACE, whole).1, NOTHING);
        assert_eq!(trained.lowest(ENTROPY), (2, 1.0));
    }

    #[test]
    fn the_network_in_the_middle_is_trained_once() {
        let sizes = |widths: &[usize]| Sizes {
            widths: widths.into(),
            layers: vec![1, MIDDLE.layers, 8],
            epochs: 1,
            seeds: vec![0],
        };
        let all = sizes(&[16, MIDDLE.width]).architectures();
        assert_eq!(all.len(), 4);
        assert_eq!(all.iter().filter(|a| **a == MIDDLE).count(), 1);
        assert!(sizes(&[16]).architectures().contains(&MIDDLE));
    }
}
