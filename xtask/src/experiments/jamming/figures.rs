//! The notebook's figures, the flow in time, and the crossover.

use super::crossover::Crossover;
use super::flow::Seen;
use super::linearized::JammingNetwork;
use super::{Images, LAST, Spread, TIMES, TRAIN, WIDEST};
use crate::experiments::study::{
    AllSeries, BLACK, Captioned, captioned, level, points, row, share,
};
use ntk_plots::{Histogram, LineChart, Scale, Series};

/// The number of bins of a spectrum, and of the largest eigenvalues that its histogram leaves out.
const BINS: usize = 100;
const OUTLIERS: usize = 4;
/// The largest count that is shown.
const MOST_COUNTS: f64 = 100.0;
/// The number of networks that the last scatter plot leaves out: the smallest.
const SMALLEST: usize = 5;

/// Returns the times at which the infinite network is looked at: [`TIMES`], and thirty a decade from
/// where something happens.
pub(super) fn times() -> Vec<f64> {
    let curve = (0..).map(|i| 10.0_f64.powf(f64::from(i) / 30.0));
    let mut all: Vec<f64> = curve.take_while(|&t| t < LAST).chain(TIMES).collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    all
}

pub(super) fn all(
    images: &[Images; 2],
    along: &[Seen],
    spectrum: &[f64],
    seeds: &[u64],
    trained: &[Vec<JammingNetwork>],
    crossover: &Crossover,
) -> Vec<Captioned> {
    let end = &along[along.len() - 1];
    let logarithms = spectrum.iter().filter(|&&v| v > 0.0).map(|v| v.ln());
    let eigenvalues = Histogram::new("Eigenvalues", BINS)
        .x_label("λ")
        .y_label("eigenvalues")
        .y_range(0.0, MOST_COUNTS)
        .values("", &spectrum[..spectrum.len().saturating_sub(OUTLIERS)])
        .vertical_line("", 0.0);
    let their_logarithms = Histogram::new("Their logarithms", BINS)
        .x_label("ln λ")
        .y_label("eigenvalues")
        .values("", logarithms.collect::<Vec<_>>());

    let outputs = |i: usize, title: &str| {
        let pairs = images[i]
            .y
            .iter()
            .copied()
            .zip(end.outputs[i].iter().copied());
        LineChart::new(title)
            .x_label("target y")
            .y_label("output f")
            .x_range(-1.5, 1.5)
            .series(points("", pairs).points_only())
    };

    let against_time = |title: &str, label: &str| {
        LineChart::new(title)
            .x_label("time t")
            .y_label(label)
            .x_scale(Scale::Log)
    };
    let in_time =
        |name: &str, of: fn(&Seen) -> f64| points(name, along.iter().map(|s| (s.t, of(s))));
    let losses_in_time = against_time("Loss", "loss")
        .y_scale(Scale::Log)
        .series(in_time("train", |s| s.train_loss))
        .series(in_time("test", |s| s.test_loss));
    let constraints_in_time = against_time("Unsatisfied constraints", "training images")
        .y_from_zero()
        .series(in_time("", |s| s.unsatisfied as f64));

    let own = &trained[0];
    let ratios: Vec<f64> = own.iter().map(|t| t.ratio).collect();
    let losses = |title: &str, scale: Scale| {
        let pair = |name: &str, color: usize, of: fn(&Seen) -> f64| {
            let infinite = level(format!("{name}, infinite network"), &ratios, of(end));
            let finite = points(name, own.iter().map(|t| (t.ratio, of(&t.end))));
            [finite.color(color), infinite.dotted().color(color)]
        };
        against_ratio(title, "loss", scale)
            .all(pair("train", 0, |s| s.train_loss))
            .all(pair("test", 1, |s| s.test_loss))
    };

    let density = |t: &JammingNetwork| t.end.unsatisfied as f64 / t.n() as f64;
    let cloud = |label: &str, pairs: Vec<(f64, f64)>| {
        LineChart::new("")
            .x_label(label)
            .y_label("unsatisfied / N")
            .series(points("", pairs).points_only())
    };
    let mut constraints = [
        (Scale::Linear, Scale::Linear),
        (Scale::Log, Scale::Log),
        (Scale::Linear, Scale::Log),
        (Scale::Log, Scale::Linear),
    ]
    .map(|(x, y)| {
        let shown = |value: f64, scale| scale == Scale::Linear || value > 0.0;
        let pairs = own.iter().map(|t| (t.end.train_loss, density(t)));
        let pairs = pairs.filter(|pair| shown(pair.0, x) && shown(pair.1, y));
        cloud("training loss", pairs.collect())
            .x_scale(x)
            .y_scale(y)
    })
    .to_vec();
    let larger = own[SMALLEST.min(own.len() - 1)..].iter();
    let larger = larger.map(|t| (TRAIN as f64 / t.n() as f64, density(t)));
    constraints.push(cloud("P/N", larger.collect()));

    vec![
        captioned(
            "spectrum",
            format!(
                "Eigenvalues of the empirical kernel of the network of width {WIDEST}: all but the \
                 four largest, and the logarithms of those above zero."
            ),
            row([eigenvalues, their_logarithms]),
        ),
        captioned(
            "infinite",
            "Outputs of the infinite network at the end of the flow against the targets; the margin \
             is at one half.",
            row([outputs(0, "Training images"), outputs(1, "Test images")]),
        ),
        captioned(
            "flow",
            "The infinite network in time: losses, and constraints that are not satisfied.",
            row([losses_in_time, constraints_in_time]),
        ),
        captioned(
            "losses",
            "Losses of linearised networks at the end of the flow against the number of parameters \
             N over the number of training images P; dotted: the infinite network.",
            row([
                losses("Against N/P", Scale::Linear),
                losses("Against N/P, logarithmic", Scale::Log),
            ]),
        ),
        captioned(
            "constraints",
            "Unsatisfied constraints a parameter against the training loss, on all four pairs of \
             axes, and against P/N without the five smallest networks. Networks without loss or \
             without unsatisfied constraints have no logarithm.",
            row(constraints).columns(3),
        ),
        captioned(
            "crossover",
            "Where the loss leaves zero, for five seeds. Left: the training loss at the end of the \
             flow, and the line whose knee is N*. Right: the share of networks that can satisfy all \
             constraints if they are trained for ever. The band is the mean with its standard error.",
            row(of_crossover(seeds, trained, crossover)),
        ),
    ]
}

fn against_ratio(title: &str, label: &str, scale: Scale) -> LineChart {
    LineChart::new(title)
        .x_label("N/P")
        .y_label(label)
        .x_scale(scale)
        .y_from_zero()
}

fn of_crossover(
    seeds: &[u64],
    trained: &[Vec<JammingNetwork>],
    crossover: &Crossover,
) -> [LineChart; 2] {
    let losses = seeds
        .iter()
        .zip(trained)
        .enumerate()
        .map(|(i, (seed, one))| {
            let losses = one.iter().map(|t| (t.ratio, t.end.train_loss));
            points(format!("seed {seed}"), losses).color(i)
        });
    let losses =
        against_ratio("Training loss at the end of the flow", "loss", Scale::Log).all(losses);
    let all = || trained.iter().flatten();
    let top = all().map(|t| t.end.train_loss).fold(0.0, f64::max);
    let mut ratios: Vec<f64> = all().map(|t| t.ratio).collect();
    ratios.sort_by(f64::total_cmp);
    ratios.dedup();
    let satisfiable = |ratio: f64| {
        let same = all().filter(|t| t.ratio == ratio);
        (ratio, share(same.map(|t| t.satisfiable)))
    };
    let shares = points("networks", ratios.into_iter().map(satisfiable));
    let title = "Networks that can satisfy all constraints";
    let shares = against_ratio(title, "share", Scale::Log).series(shares.color(0).markers());
    [
        losses.all(marked("knee", crossover.knee, top)),
        shares.all(marked("N*/P", crossover.satisfiable, 1.0)),
    ]
}

/// Draws a vertical line at the mean of `at` and dotted ones a standard error away.
fn marked(name: &str, Spread { mean, error }: Spread, top: f64) -> [Series; 3] {
    let line = |name: String, x: f64| Series::new(name, [x, x], [0.0, top]).color(BLACK);
    [
        line(format!("{name} {mean:.2} ± {error:.2}"), mean).dashed(),
        line(String::new(), mean - error).dotted(),
        line(String::new(), mean + error).dotted(),
    ]
}
