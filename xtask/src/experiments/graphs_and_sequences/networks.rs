//! Networks of finite width: their kernels before training, and what they have learned after it.

use super::architecture::{Architecture, Kind};
use super::limit::Limit;
use super::task::{Samples, Task};
use super::{ACCURACIES, Context, Failure, Tasks, Value};
use crate::experiments::study::{Curve, PowerLaw, Spread, of_two, sweep};
use ndarray::{Array2, s};
use ntk_kernels::network::Parameterization;
use ntk_linalg::observer::Observer;
use ntk_train::{Init, Loss, Model, Optimizer, TrainConfig, Trainer};
use serde_json::{Value as Json, json};
use std::ops::RangeInclusive;

/// The number of samples whose kernels are compared, the first of the training samples.
const PROBE: usize = 8;
const BATCH: usize = 20;
const LEARNING_RATE: f64 = 0.003;
/// Which networks are drawn and trained.
pub(super) struct Sizes {
    widths: Vec<usize>,
    /// The widths of networks that are trained.
    trained: Vec<usize>,
    epochs: usize,
    /// The number of networks that are trained.
    seeds: u64,
    /// Widths times the number of networks whose kernels are computed: narrow networks are cheap, and vary more.
    units: u64,
    first_seed: u64,
}

impl Sizes {
    pub(super) fn new(context: &Context<'_>) -> Self {
        // Widths are powers of two.
        let (widths, trained, epochs, seeds, units) = context.by_scale(
            (4..=6, 4..=5, 20, 1, 256),
            (5..=8, 4..=6, 40, 2, 4096),
            (5..=10, 4..=8, 200, 5, 16384),
        );
        let powers = |range: RangeInclusive<usize>| range.map(|power| 1 << power).collect();
        Self {
            widths: powers(widths),
            trained: powers(trained),
            epochs,
            seeds,
            units,
            first_seed: context.seed,
        }
    }

    /// Returns the number of networks of a width whose kernels are computed.
    fn draws(&self, width: usize) -> u64 {
        self.units / width as u64
    }

    /// Returns the seed of a network whose kernel is computed: each width and each run draws its own, as they
    /// are compared with each other.
    fn draw(&self, width: usize, i: u64) -> u64 {
        let run = self.first_seed.wrapping_mul(0xD1B5_4A32_D192_ED03);
        i.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ ((width as u64) << 32) ^ run
    }

    /// Says which networks are drawn and how they are trained.
    pub(super) fn describe(&self) -> Json {
        json!({
            "parameterisation": "standard",
            "loss": "cross-entropy",
            "optimizer": "Adam",
            "learning_rate": LEARNING_RATE,
            "batch": BATCH,
            "epochs": self.epochs,
            "widths": self.trained,
            "networks": self.seeds,
            "kernel_samples": PROBE,
            "kernel_widths": self.widths,
            "kernel_networks": self.widths.iter().map(|&w| self.draws(w)).collect::<Vec<_>>(),
            "precision": "f32 in training, f64 of kernels",
        })
    }
}

/// What was found of the networks of one architecture, by width.
pub(super) struct Widened<'l> {
    pub(super) limit: &'l Limit,
    widths: Vec<usize>,
    pub(super) trained: Vec<usize>,
    /// The distance of the kernel before training from the limit, in units of the limit, one a network, by
    /// width.
    distances: Vec<Vec<f64>>,
    /// On the training and on the test samples, one a seed, by width.
    accuracies: Vec<Vec<[f64; 2]>>,
}

impl Widened<'_> {
    pub(super) fn values(&self) -> Vec<Value> {
        let place = self.limit.architecture.place();
        let mut values = Vec::new();
        for (width, distance, error) in self.distances() {
            // Widths are whole.
            let here = place.and(json!({"width": width as u64}));
            let distance = Spread {
                mean: distance,
                error,
            };
            let note = "of the NTK before training from the limit, in Frobenius' norm and units of the limit; \
                        root mean square over networks";
            values.extend(here.estimate("distance", distance, None, note, ""));
        }
        if let Some(law) = self.law() {
            let exponent = Spread {
                mean: law.exponent,
                error: law.error,
            };
            let note = "of the width, in the distance from the limit; -1/2 is expected";
            values.extend(place.estimate("exponent", exponent, None, note, ""));
        }
        for (on, name) in ACCURACIES.into_iter().enumerate() {
            for (&width, &Spread { mean, .. }) in self.trained.iter().zip(&self.accuracy(on).y) {
                let here = place.and(json!({"width": width, "model": "network"}));
                values.push(here.value(name, mean).note("mean over networks"));
            }
        }
        values
    }

    /// Returns each width with the root mean square distance over networks, and the standard error of that.
    pub(super) fn distances(&self) -> Vec<(f64, f64, f64)> {
        let of = |(&width, networks): (&usize, &Vec<f64>)| {
            let Spread { mean, error } = Spread::of(networks.iter().map(|d| d * d));
            let root = mean.sqrt();
            (width as f64, root, error / (2.0 * root))
        };
        self.widths.iter().zip(&self.distances).map(of).collect()
    }

    /// Fits how the distance falls with the width.
    pub(super) fn law(&self) -> Option<PowerLaw> {
        PowerLaw::fit(&self.distances())
    }

    /// Returns the accuracy against the width, on the training samples (0) or on the test samples (1).
    pub(super) fn accuracy(&self, on: usize) -> Curve {
        let of = |(&width, seeds): (&usize, &Vec<[f64; 2]>)| {
            (width, Spread::of(seeds.iter().map(|a| a[on])))
        };
        self.trained.iter().zip(&self.accuracies).map(of).collect()
    }
}

/// Draws networks of all kinds and widths; compares their kernels with the limits, and trains them.
pub(super) fn run<'l>(
    sizes: &Sizes,
    limits: &'l [Limit],
    tasks: &Tasks,
    context: &Context<'_>,
) -> Result<Vec<Widened<'l>>, Failure> {
    let find = |kind| {
        let architecture = Architecture::widened(kind);
        let mut limits = limits.iter();
        limits.find(|limit| limit.architecture == architecture)
    };
    let limits: Vec<&Limit> = Kind::ALL.into_iter().filter_map(find).collect();
    let jobs = |widths: &[usize], count: &dyn Fn(usize) -> u64| -> Vec<((&'l Limit, usize), u64)> {
        let of_width = |&(limit, width): &(&'l Limit, usize)| {
            (0..count(width)).map(move |i| ((limit, width), i))
        };
        of_two(limits.iter().copied(), widths.iter().copied())
            .iter()
            .flat_map(of_width)
            .collect()
    };
    let cost = |&((limit, width), _): &((&Limit, usize), u64)| limit.architecture.cost(width);
    let progress = context.progress;
    let distances = context.timed("initial_kernels", || {
        let jobs = jobs(&sizes.widths, &|width| sizes.draws(width));
        sweep(
            "initial kernels",
            &jobs,
            cost,
            progress,
            |&((limit, width), i), _| {
                distance(
                    limit,
                    tasks.of(limit.architecture.kind),
                    width,
                    sizes.draw(width, i),
                )
            },
        )
    })?;
    let accuracies = context.timed("training", || {
        let jobs = jobs(&sizes.trained, &|_| sizes.seeds);
        sweep(
            "training",
            &jobs,
            cost,
            progress,
            |&((limit, width), i), inside| {
                trained(
                    limit.architecture,
                    tasks.of(limit.architecture.kind),
                    (width, sizes.epochs),
                    sizes.first_seed.wrapping_add(i),
                    inside,
                )
            },
        )
    })?;
    let (mut distances, mut accuracies) = (distances.into_iter(), accuracies.into_iter());
    let found = limits.iter().map(|&limit| Widened {
        limit,
        widths: sizes.widths.clone(),
        trained: sizes.trained.clone(),
        distances: take(&mut distances, &sizes.widths, |width| sizes.draws(width)),
        accuracies: take(&mut accuracies, &sizes.trained, |_| sizes.seeds),
    });
    Ok(found.collect())
}

/// Takes what belongs to each width.
fn take<R>(
    found: &mut impl Iterator<Item = R>,
    widths: &[usize],
    count: impl Fn(usize) -> u64,
) -> Vec<Vec<R>> {
    let of = |&width: &usize| found.take(count(width) as usize).collect();
    widths.iter().map(of).collect()
}

/// Computes the distance of the kernel of a network before training from the limit, in Frobenius' norm and
/// in units of the limit's.
fn distance(limit: &Limit, task: &Task, width: usize, seed: u64) -> Result<f64, Failure> {
    let network = limit.architecture.network(width, task.classes());
    let model = Model::<f64>::new(&network, task.shape.clone(), Init::default(), seed)?;
    let count = PROBE.min(limit.ntk.nrows());
    let probe = task.train.range(0..count);
    let found = model
        .kernel_fn()
        .structure(&probe.structure)
        .ntk(&probe.x)?;
    let limit = limit.ntk.slice(s![..count, ..count]);
    let norm = |a: &Array2<f64>| a.iter().map(|v| v * v).sum::<f64>().sqrt();
    Ok(norm(&(found - limit)) / norm(&limit.to_owned()))
}

/// Trains one network; returns its accuracies on the training and on the test samples.
fn trained(
    architecture: Architecture,
    task: &Task,
    (width, epochs): (usize, usize),
    seed: u64,
    observer: &dyn Observer,
) -> Result<[f64; 2], Failure> {
    let network = architecture.network(width, task.classes());
    let network = network.parameterization(Parameterization::Standard);
    let mut model = Model::<f32>::new(&network, task.shape.clone(), Init::default(), seed)?;
    let [train, test]: [Samples<f32>; 2] = [&task.train, &task.test].map(Samples::cast);
    let config = TrainConfig::default()
        .loss(Loss::CrossEntropy)
        .optimizer(Optimizer::adam(LEARNING_RATE))
        .batch_size(BATCH)
        .epochs(epochs)
        .seed(seed);
    Trainer::new(&mut model, train.inputs(), &train.y, config)?
        .observer(observer)
        .run()?;
    Ok([
        train.accuracy(&model.forward(train.inputs())?)?,
        test.accuracy(&model.forward(test.inputs())?)?,
    ])
}
