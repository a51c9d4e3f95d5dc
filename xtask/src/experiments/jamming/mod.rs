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
mod split;

use super::study::{Images, Spread, at};
use super::{Context, Experiment, Findings, Tolerance};
use crate::Failure;
use crossover::Crossover;
use linearized::JammingNetwork;
use ndarray::Array2;
use ntk_cli::results::Value;
use ntk_data::{Pca, PixelScaling, Split, sphere, targets};
use ntk_linalg::eigenvalues;
use serde_json::json;

/// The number of principal components, and so of inputs.
const COMPONENTS: usize = 20;
/// The width of the widest network, which has about 20 000 parameters.
const WIDEST: usize = 130;
/// The number of training images, P.
const TRAIN: usize = split::IMAGES - split::TEST.len();
/// What `f y` must reach.
const MARGIN: f64 = 0.5;
/// When the infinite network is looked at; the notebook looks at the last.
const TIMES: [f64; 4] = [1e2, 1e3, 1e4, 5e4];
/// When the flow of linearised networks ends.
const LAST: f64 = TIMES[TIMES.len() - 1];
/// What each step of the flow may err by: the infinite network's, and each of the sweep's.
const TOLERANCES: [f64; 2] = [1e-6, 1e-5];
/// The number of seeds of the crossover's error bar.
const SEEDS: u64 = 5;

pub(super) static EXPERIMENT: Experiment = Experiment {
    name: "jamming",
    question: "Do linearised neural networks jam: is there a number of parameters below which training \
     leaves constraints unsatisfied, and how does the infinite network compare?",
    data: "mnist",
    seconds: [22.0, 75.0, 90.0],
    tolerance: |value| match value.name.as_str() {
        // The solvers err by more than rounding; see their tolerances in the settings.
        "train_loss" | "test_loss" => Tolerance::relative(0.01),
        // Two images on the margin, and one on the boundary.
        "unsatisfied" => Tolerance::absolute(2.0),
        "test_accuracy" => Tolerance::absolute(0.004),
        name if name.starts_with("crossover") => Tolerance::relative(1e-3),
        _ => Tolerance::ROUNDING,
    },
    said: |value| {
        let infinite = value.place.get("model").is_some_and(|m| m == "infinite");
        infinite || value.name.starts_with("crossover")
    },
    run,
};

fn run(context: &Context<'_>) -> Result<Findings, Failure> {
    let (seed, seeds, progress) = (context.seed, context.seeds(SEEDS), context.progress);
    let images = images(context)?;
    let all: Vec<usize> = (1..=WIDEST).rev().collect();
    let most = vec![
        130, 90, 60, 40, 30, 24, 20, 16, 14, 12, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1,
    ];
    let few = vec![130, 30, 20, 16, 12, 10, 8, 6, 3];
    let widths = context.by_scale(&most, &all, &all);
    let coarse = context.by_scale(&few, &most, &all);

    let (along, of_infinite) = context.timed("infinite", || -> Result<_, Failure> {
        let start = linearized::infinite(&images, progress)?;
        let along = start.run(&figures::times(), TOLERANCES[0], &images, progress)?;
        Ok((along, eigenvalues(&start.k_dd)?.to_vec()))
    })?;
    let spectrum = context.timed("spectrum", || -> Result<_, Failure> {
        let start = linearized::start(WIDEST, seed, &images)?;
        Ok(eigenvalues(&start.k_dd)?.to_vec())
    })?;
    let trained = context.timed("linearised_networks", || {
        linearized::sweep(&seeds, widths, coarse, &images, progress)
    })?;
    let crossover = Crossover::new(&trained);

    let infinite = at(json!({"model": "infinite"}));
    let widest = at(json!({"model": "linearised", "width": WIDEST}));
    let ends = |spectrum: &[f64], here: &super::study::At| {
        let largest = spectrum[spectrum.len() - 1];
        let smallest = here.value("smallest_eigenvalue", spectrum[0]);
        [smallest, here.value("largest_eigenvalue", largest)]
    };
    let mut values = Vec::from(ends(&of_infinite, &infinite));
    for seen in along.iter().filter(|seen| TIMES.contains(&seen.t)) {
        let here = infinite.and(json!({"t": seen.t}));
        let drawn = |value: Value| value.note("drawn in the notebook and not printed");
        values.extend(seen.values(&here).map(drawn));
    }
    values.extend(ends(&spectrum, &widest));
    let negative = spectrum.iter().filter(|&&v| v <= 0.0).count();
    values.push(
        widest
            .value("eigenvalues_not_positive", negative as f64)
            .note("the notebook takes the logarithm of all, which is NaN of these"),
    );
    values.extend(trained[0].iter().flat_map(JammingNetwork::values));
    values.extend(crossover.values());
    Ok(Findings {
        settings: json!({
            "images": "the first 1250, 1000 for training and 250 for testing as in the notebook",
            "targets": "odd +1, even -1",
            "inputs": "20 principal components of the training images, on the sphere of radius sqrt(20)",
            "network": "dense(h), erf, dense(h), erf, dense(1), no biases, NTK parameterisation",
            "loss": "mean over images of 1/2 max(0, 1/2 - f y)^2",
            "times": TIMES,
            "tolerances": {"infinite": TOLERANCES[0], "linearised": TOLERANCES[1]},
            "widths": widths,
            "crossover": {"seeds": seeds, "widths": coarse},
        }),
        values,
        figures: figures::all(&images, &along, &spectrum, &seeds, &trained, &crossover),
    })
}

/// Makes the training and the test images.
fn images(context: &Context<'_>) -> Result<[Images; 2], Failure> {
    let train = context.set.train.select(&split::train())?;
    let test = context.set.train.select(&split::TEST)?;
    let pixels = |split: &Split| -> Array2<f64> { split.vectors(PixelScaling::Unit) };
    let pca = Pca::fit(&pixels(&train), COMPONENTS)?;
    let both = [train, test].map(|split| -> Result<Images, Failure> {
        let components = pca.transform(&pixels(&split))?;
        Ok(Images {
            x: sphere::project(&components, sphere::radius(COMPONENTS))?,
            y: targets::parity(&split.labels),
            split,
        })
    });
    let [train, test] = both;
    Ok([train?, test?])
}
