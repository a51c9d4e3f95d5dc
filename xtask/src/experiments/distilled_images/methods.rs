//! How a few images come about, and what regression from them is worth.

use super::data::{Data, KERNEL, RIDGE, Support, network};
use super::k_means::centroids;
use super::{Context, Failure, SIZES, Value, at};
use crate::experiments::study::{At, CLASSES, Spread};
use ndarray::s;
use ntk_kernels::metrics::accuracy;
use ntk_train::Optimizer;
use ntk_train::distil::{Distilled, KernelInducingPoints};
use ntk_train::selection::{maximum_entropy, per_class};
use serde_json::{Value as Json, json};

/// The most images that the selection by entropy chooses from.
const POOL: usize = 2048;
/// The rate of Adam, for pixels of standard deviation 1.
const LEARNING_RATE: f64 = 0.04;

/// How images come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Learned,
    LearnedWithLabels,
    LabelSolve,
    Centroids,
    Random,
    Entropy,
}

impl Method {
    pub(super) const ALL: [Self; 6] = [
        Self::LearnedWithLabels,
        Self::Learned,
        Self::LabelSolve,
        Self::Centroids,
        Self::Random,
        Self::Entropy,
    ];

    /// Returns what results and figures call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Learned => "learned images",
            Self::LearnedWithLabels => "learned images and labels",
            Self::LabelSolve => "random images, solved labels",
            Self::Centroids => "k-means of each class",
            Self::Random => "random images",
            Self::Entropy => "largest entropy",
        }
    }

    /// Says whether the images are learned, by steps.
    pub(super) fn steps(self) -> bool {
        matches!(self, Self::Learned | Self::LearnedWithLabels)
    }
}

/// How long and how often images are learned.
pub(super) struct Budget {
    /// The number of steps for each of [`SIZES`].
    steps: [usize; SIZES.len()],
    batch: usize,
    /// The seeds of the images that learning begins with.
    seeds: Vec<u64>,
    /// The seeds of all else, the same and more.
    more: Vec<u64>,
}

impl Budget {
    pub(super) fn new(context: &Context<'_>) -> Self {
        Self {
            steps: context.by_scale([60, 30, 10], [1500, 1500, 500], [10_000, 10_000, 4000]),
            // Of which the embedded sample has a whole number.
            batch: context.by_scale(512, 1024, 2048),
            seeds: context.seeds(context.by_scale(1, 1, 3)),
            more: context.seeds(3),
        }
    }

    /// Returns the number of steps and the seeds of a method.
    fn of(&self, method: Method, size: usize) -> (usize, &[u64]) {
        match method.steps() {
            true => (self.steps[size], &self.seeds),
            false => (0, &self.more),
        }
    }

    pub(super) fn describe(&self) -> Json {
        json!({
            "images": SIZES,
            "steps": self.steps,
            "batch": self.batch,
            "seeds": self.seeds,
            "seeds_of_methods_without_steps": self.more,
            "optimizer": "Adam",
            "learning_rate": LEARNING_RATE,
            "start": "as many random images of every class",
            "loss": "1/2 |y_t - K_ts (K_ss + r)^-1 y_s|^2, over the images of the batch",
            "ridge": "1e-6 of the mean diagonal of K_ss",
            "kernel": "NTK in closed form; learned in f32 with linear algebra in f64, predicted in f64",
            "network": "dense, relu, dense(10); NTK parameterisation, w_std sqrt(2), b_std 0.1",
            "largest_entropy": format!("of the NTK's cosines, from the first {POOL} training images; classes as they come"),
        })
    }
}

/// What a number of images of one origin is worth.
pub(super) struct Found {
    pub(super) method: Method,
    pub(super) n: usize,
    /// The test accuracies of regression, one a seed.
    accuracies: Vec<f64>,
    /// The images and labels of the first seed.
    pub(super) support: Support,
    /// The images that these began with.
    pub(super) start: Support,
    /// The loss of every step of the first seed, on its batch.
    pub(super) losses: Vec<f64>,
    seconds: f64,
}

impl Found {
    pub(super) fn accuracy(&self) -> Spread {
        Spread::of(&self.accuracies)
    }

    pub(super) fn place(&self) -> At {
        at(json!({"images": self.n, "method": self.method.name()}))
    }

    pub(super) fn values(&self) -> Vec<Value> {
        let here = self.place().and(json!({"model": "infinite"}));
        let of = format!("of the mean over {} seeds", self.accuracies.len());
        let mut values = here
            .estimate("test_accuracy", self.accuracy(), None, "", &of)
            .to_vec();
        if self.method.steps() {
            // Batches differ; the mean of the last tenth.
            let last = self.losses.len().div_ceil(10);
            let end = Spread::of(&self.losses[self.losses.len() - last..]);
            values.push(here.value(
                "first_loss",
                self.losses.first().copied().unwrap_or(f64::NAN),
            ));
            values.push(here.value("last_loss", end.mean));
        }
        values
    }

    /// Notes the seconds of a step beside those of the parts.
    pub(super) fn note_seconds(&self, context: &Context<'_>) {
        let steps = self.losses.len();
        if steps > 0 {
            let name = format!("a step of {} {}", self.n, self.method.name());
            let seconds = json!(self.seconds / steps as f64);
            context.seconds.borrow_mut().insert(name, seconds);
        }
    }
}

/// Makes images by all methods, of all sizes.
pub(super) fn run(
    budget: &Budget,
    data: &Data,
    context: &Context<'_>,
) -> Result<Vec<Found>, Failure> {
    let mut found = Vec::new();
    for method in Method::ALL {
        for (size, n) in SIZES.into_iter().enumerate() {
            let (steps, seeds) = budget.of(method, size);
            let mut all = Vec::new();
            let begun = std::time::Instant::now();
            for &seed in seeds {
                all.push(make(method, n, (steps, budget.batch), seed, data, context)?);
            }
            let seconds = begun.elapsed().as_secs_f64() / seeds.len() as f64;
            let scores = all.iter().map(|made| data.accuracy(&made.0));
            let accuracies = scores.collect::<Result<_, _>>()?;
            let (support, start, losses) = all.swap_remove(0);
            found.push(Found {
                method,
                n,
                accuracies,
                support,
                start,
                losses,
                seconds,
            });
        }
    }
    Ok(found)
}

/// Makes images of one seed; returns what they began with and the losses too.
fn make(
    method: Method,
    n: usize,
    (steps, batch): (usize, usize),
    seed: u64,
    data: &Data,
    context: &Context<'_>,
) -> Result<(Support, Support, Vec<f64>), Failure> {
    let (x, y) = (&data.train.x, &data.train.y);
    let labels = data.train.labels();
    let start = data.support(&per_class(&labels, n / CLASSES, seed)?)?;
    let points = KernelInducingPoints::new(&network(1))
        .kernel(KERNEL)
        .ridge(RIDGE)
        .optimizer(Optimizer::adam(LEARNING_RATE))
        .batch_size(batch)
        .steps(steps)
        .seed(seed)
        .observer(context.progress);
    let mut losses = Vec::new();
    let support = match method {
        Method::Learned | Method::LearnedWithLabels => {
            let points = points.learn_labels(method == Method::LearnedWithLabels);
            let made = points.fit(x, y, &start.x, &start.y)?;
            let Distilled { x, y, losses: all } = made;
            losses = all;
            Support { x, y }
        }
        Method::LabelSolve => Support {
            y: points.solve_labels(x, y, &start.x)?,
            x: start.x.clone(),
        },
        Method::Centroids => centroids(data, n / CLASSES, seed)?,
        Method::Random => start.clone(),
        Method::Entropy => data.support(&entropy(data, n)?)?,
    };
    Ok((support, start, losses))
}

/// Chooses training images so that the entropy of the kernel's cosines is large.
fn entropy(data: &Data, n: usize) -> Result<Vec<usize>, Failure> {
    let pool = POOL.min(data.train.x.nrows());
    let x = data.train.x.slice(s![..pool, ..]).mapv(f64::from);
    let kernel = network(1).kernel_fn().kernel(KERNEL, &x)?;
    let roots = kernel.diag().mapv(f64::sqrt);
    let cosines = ndarray::Array2::from_shape_fn(kernel.dim(), |(i, j)| {
        kernel[[i, j]] / (roots[i] * roots[j])
    });
    Ok(maximum_entropy(&cosines, n)?)
}

/// Returns the share of images whose largest label is where it was in the beginning.
pub(super) fn kept(found: &Found) -> Result<f64, Failure> {
    Ok(accuracy(&found.support.y, &found.start.y)?)
}
