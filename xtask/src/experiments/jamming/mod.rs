//! jamming: does the loss of linearised networks vanish at a critical number of parameters?
//!
//! MNIST, odd against even digits, 20 principal components on a sphere; networks with two hidden
//! layers of erf, linear in their parameters, under gradient flow of a quadratic hinge (Geiger et
//! al. 2019, arXiv:1809.09349; Spigler et al. 2019, arXiv:1810.09665).

mod crossover;
mod figures;
mod flow;
mod linearized;
mod satisfiable;
mod size;
mod split;

use super::common::{settings, timed};
use super::{Context, Experiment, Scale, Tolerance};
use crate::Failure;
use crossover::Crossover;
use flow::Seen;
use linearized::Trained;
use ndarray::Array2;
use ntk_cli::results::{Outcome, Value};
use ntk_data::{DataSet, Pca, PixelScaling, sphere, targets};
use serde_json::{Map, json};

/// Hidden layers.
const LAYERS: usize = 2;
/// Principal components, and so inputs.
const COMPONENTS: usize = 20;
/// Parameters of the widest network, about.
const PARAMETERS: usize = 20_000;
/// Training images, P.
const TRAIN: usize = split::IMAGES - split::TEST.len();
/// What `f y` must reach.
const MARGIN: f64 = 0.5;
/// When the infinite network is looked at; the notebook looks at the last.
const TIMES: [f64; 4] = [1e2, 1e3, 1e4, 5e4];
/// What each step of the flow may err by: the infinite network's, and each of the sweep's.
const TOLERANCES: [f64; 2] = [1e-6, 1e-5];
/// Seeds of the crossover's error bar.
const SEEDS: u64 = 5;

pub(super) static EXPERIMENT: Experiment = Experiment {
    name: "jamming",
    question: "Do linearised neural networks jam: is there a number of parameters below which training \
     leaves constraints unsatisfied, and how does the infinite network compare?",
    data: "mnist",
    seconds: [22.0, 75.0, 90.0],
    tolerance,
    run,
};

fn tolerance(value: &Value) -> Tolerance {
    match value.name.as_str() {
        // Of the solvers; see their tolerances in the settings.
        "train_loss" | "test_loss" => Tolerance::relative(0.01),
        // Two images on the margin, and one on the boundary.
        "unsatisfied" => Tolerance::absolute(2.0),
        "test_accuracy" => Tolerance::absolute(0.004),
        name if name.starts_with("crossover") => Tolerance::relative(1e-3),
        _ => Tolerance::ROUNDING,
    }
}

fn run(context: &Context<'_>) -> Result<Outcome, Failure> {
    let mut seconds = Map::new();
    let set = context.set;
    let images = Images::new(set)?;
    let plan = Plan::new(context);

    let curve = figures::curve_times();
    let (infinite, along) = timed(&mut seconds, "infinite", || -> Result<_, Failure> {
        let start = linearized::infinite(&images, context.progress)?;
        let times: Vec<f64> = merged(&TIMES, &curve);
        let along = start.run(&times, TOLERANCES[0], &images, context.progress)?;
        context.progress.end();
        let at = |t: &f64| along.iter().find(|seen| seen.t == *t).cloned();
        let infinite: Option<Vec<Seen>> = TIMES.iter().map(at).collect();
        let infinite = infinite.ok_or("the flow gave nothing at a time asked for")?;
        let spectrum = linearized::spectrum(&start)?;
        Ok(((infinite, spectrum), along))
    })?;
    let (infinite, infinite_spectrum) = infinite;
    let widest = plan.widest();
    let spectrum = timed(&mut seconds, "spectrum", || {
        linearized::spectrum(&linearized::start(widest, context.seed, &images)?)
    })?;
    let last = TIMES[TIMES.len() - 1];
    let trained = timed(&mut seconds, "linearised_networks", || {
        linearized::sweep(&plan.all(), last, TOLERANCES[1], &images, context.progress)
    })?;
    context.progress.end();
    let crossover = Crossover::new(&trained, &plan.seeds);
    say(&infinite, &crossover, context);

    let mut values = infinite_values(&infinite, &infinite_spectrum);
    values.extend(spectrum_values(&spectrum, widest));
    values.extend(
        trained
            .iter()
            .filter(|t| t.seed == context.seed)
            .flat_map(Trained::values),
    );
    values.extend(crossover_values(&crossover));
    Ok(Outcome {
        settings: settings(json!({
            "images": "the first 1250, 1000 for training and 250 for testing as in the notebook",
            "targets": "odd +1, even -1",
            "inputs": "20 principal components of the training images, on the sphere of radius sqrt(20)",
            "network": "dense(h), erf, dense(h), erf, dense(1), no biases, NTK parameterisation",
            "loss": "mean over images of 1/2 max(0, 1/2 - f y)^2",
            "times": TIMES,
            "tolerances": {"infinite": TOLERANCES[0], "linearised": TOLERANCES[1]},
            "widths": plan.widths,
            "crossover": {"seeds": plan.seeds, "widths": plan.coarse},
        })),
        seconds,
        values,
        figures: figures::all(&figures::Found {
            images: &images,
            along: &along,
            infinite: &infinite,
            spectrum: &spectrum,
            widest,
            trained: &trained,
            seed: context.seed,
            crossover: &crossover,
        }),
    })
}

/// Which networks are trained.
struct Plan {
    /// With the run's own seed, descending.
    widths: Vec<usize>,
    /// With every seed, descending.
    coarse: Vec<usize>,
    seeds: Vec<u64>,
}

impl Plan {
    fn new(context: &Context<'_>) -> Self {
        let widest = size::find_h(PARAMETERS, LAYERS, COMPONENTS, 1);
        let all: Vec<usize> = (1..=widest).rev().collect();
        let small = [
            130, 90, 60, 40, 30, 24, 20, 16, 14, 12, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1,
        ];
        let (widths, coarse) = match context.scale {
            Scale::Quick => (small.to_vec(), vec![130, 30, 20, 16, 12, 10, 8, 6, 3]),
            Scale::Standard => (all, small.to_vec()),
            Scale::Full => (all.clone(), all),
        };
        Self {
            widths,
            coarse,
            seeds: (0..SEEDS).map(|i| context.seed.wrapping_add(i)).collect(),
        }
    }

    fn widest(&self) -> usize {
        self.widths.iter().copied().max().unwrap_or(1)
    }

    /// Widths and seeds, the longest computations first.
    fn all(&self) -> Vec<(usize, u64)> {
        let mut all: Vec<(usize, u64)> = self.widths.iter().map(|&w| (w, self.seeds[0])).collect();
        for &seed in &self.seeds[1..] {
            all.extend(self.coarse.iter().map(|&w| (w, seed)));
        }
        all.sort_by_key(|&(width, _)| width);
        all
    }
}

/// Inputs and targets.
struct Images {
    x_train: Array2<f64>,
    x_test: Array2<f64>,
    y_train: Array2<f64>,
    y_test: Array2<f64>,
}

impl Images {
    fn new(set: &DataSet) -> Result<Self, Failure> {
        let train = set.train.select(&split::train())?;
        let test = set.train.select(&split::TEST)?;
        let pixels = train.inputs::<f64>(PixelScaling::Unit);
        let pca = Pca::fit(pixels.view(), COMPONENTS)?;
        let inputs = |pixels: Array2<f64>| -> Result<Array2<f64>, Failure> {
            let components = pca.transform(pixels.view())?;
            Ok(sphere::project(
                components.view(),
                sphere::radius(COMPONENTS),
            )?)
        };
        Ok(Self {
            x_train: inputs(pixels)?,
            x_test: inputs(test.inputs(PixelScaling::Unit))?,
            y_train: targets::parity(train.labels.view()),
            y_test: targets::parity(test.labels.view()),
        })
    }
}

/// Both, ascending, without repetition.
fn merged(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut all = [a, b].concat();
    all.sort_by(f64::total_cmp);
    all.dedup();
    all
}

fn say(infinite: &[Seen], crossover: &Crossover, context: &Context<'_>) {
    for seen in infinite {
        context.progress.say(&format!(
            "  infinite network, t = {:e}: train loss {:.4e}, test loss {:.4e}, test accuracy {:.3}, unsatisfied {}",
            seen.t, seen.train_loss, seen.test_loss, seen.test_accuracy, seen.n_delta
        ));
    }
    let both = [
        ("knee", crossover.at_knee()),
        ("satisfiable", crossover.at_satisfiable()),
    ];
    for (name, (mean, error)) in both {
        context.progress.say(&format!(
            "  crossover N*/P by {name}: {mean:.3} +- {error:.3}"
        ));
    }
}

/// The infinite network; nothing of it was printed, so that notes carry an independent solution.
fn infinite_values(infinite: &[Seen], spectrum: &[f64]) -> Vec<Value> {
    let mut values = vec![
        Value::new(
            "smallest_eigenvalue",
            [("model", json!("infinite"))],
            spectrum[0],
        ),
        Value::new(
            "largest_eigenvalue",
            [("model", json!("infinite"))],
            spectrum[spectrum.len() - 1],
        ),
    ];
    for seen in infinite {
        let numbers = [
            ("train_loss", seen.train_loss),
            ("test_loss", seen.test_loss),
            ("test_accuracy", seen.test_accuracy),
            ("unsatisfied", seen.n_delta as f64),
        ];
        for (name, value) in numbers {
            let place = [("model", json!("infinite")), ("t", json!(seen.t))];
            values
                .push(Value::new(name, place, value).note("drawn in the notebook and not printed"));
        }
    }
    values
}

fn spectrum_values(spectrum: &[f64], width: usize) -> Vec<Value> {
    let place = || [("model", json!("linearised")), ("width", json!(width))];
    let negative = spectrum.iter().filter(|&&v| v <= 0.0).count() as f64;
    vec![
        Value::new("smallest_eigenvalue", place(), spectrum[0]),
        Value::new("largest_eigenvalue", place(), spectrum[spectrum.len() - 1]),
        Value::new("eigenvalues_not_positive", place(), negative)
            .note("the notebook takes the logarithm of all, which is NaN of these"),
    ]
}

impl Trained {
    fn values(&self) -> [Value; 4] {
        let numbers = [
            ("train_loss", self.end.train_loss),
            ("test_loss", self.end.test_loss),
            ("test_accuracy", self.end.test_accuracy),
            ("unsatisfied", self.end.n_delta as f64),
        ];
        numbers.map(|(name, value)| {
            let place = [
                ("model", json!("linearised")),
                ("width", json!(self.width)),
                ("N", json!(self.n)),
                ("t", json!(self.end.t)),
            ];
            Value::new(name, place, value)
        })
    }
}

fn crossover_values(crossover: &Crossover) -> Vec<Value> {
    let both = [
        (
            "knee",
            crossover.at_knee(),
            "where the line through the train losses of small networks against ln N meets zero",
        ),
        (
            "satisfiable",
            crossover.at_satisfiable(),
            "between the largest network whose constraints cannot all be satisfied and the next larger one: training for ever",
        ),
    ];
    let values = both.into_iter().flat_map(|(by, (mean, error), note)| {
        let place = || [("by", json!(by)), ("seeds", json!(crossover.knee.len()))];
        [
            Value::new("crossover_N/P", place(), mean)
                .note(&format!("left to the eye in the notebook; {note}")),
            Value::new("crossover_N/P_standard_error", place(), error)
                .note("of the mean over seeds, and of N* between two whole widths"),
        ]
    });
    values.collect()
}
