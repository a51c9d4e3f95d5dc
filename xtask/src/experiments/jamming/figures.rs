//! The notebook's figures, the flow in time, and the crossover.

use super::TRAIN;
use super::crossover::Crossover;
use super::flow::Seen;
use super::linearized::Trained;
use super::{Images, TIMES};
use crate::experiments::common::{Captioned, captioned};
use ntk_plots::{Figure, Histogram, LineChart, Panel, Scale, Series};

/// Bins of a spectrum, and the largest eigenvalues that its histogram leaves out.
const BINS: usize = 100;
const OUTLIERS: usize = 4;
/// Counts shown at most.
const MOST_COUNTS: f64 = 100.0;
/// Networks that the last scatter plot leaves out: the smallest.
const SMALLEST: usize = 5;
/// Number of the palette's black.
const BLACK: usize = 6;

/// What was found.
pub(super) struct Found<'a> {
    pub(super) images: &'a Images,
    /// The infinite network along its flow.
    pub(super) along: &'a [Seen],
    /// The same at [`TIMES`].
    pub(super) infinite: &'a [Seen],
    pub(super) spectrum: &'a [f64],
    pub(super) widest: usize,
    pub(super) trained: &'a [Trained],
    pub(super) seed: u64,
    pub(super) crossover: &'a Crossover,
}

/// Times of the curve in time: thirty a decade, from where something happens.
pub(super) fn curve_times() -> Vec<f64> {
    let last = TIMES[TIMES.len() - 1];
    (0..)
        .map(|i| 10.0_f64.powf(f64::from(i) / 30.0))
        .take_while(|&t| t < last)
        .collect()
}

pub(super) fn all(found: &Found<'_>) -> Vec<Captioned> {
    let width = found.widest;
    vec![
        captioned(
            "spectrum",
            &format!(
                "Eigenvalues of the empirical kernel of the network of width {width}: all but the \
                 four largest, and the logarithms of those above zero."
            ),
            found.spectrum(),
        ),
        captioned(
            "infinite",
            "Outputs of the infinite network at the end of the flow against the targets; the margin \
             is at one half.",
            found.outputs(),
        ),
        captioned(
            "flow",
            "The infinite network in time: losses, and constraints that are not satisfied.",
            found.in_time(),
        ),
        captioned(
            "losses",
            "Losses of linearised networks at the end of the flow against the number of parameters \
             N over the number of training images P; dotted: the infinite network.",
            found.losses(),
        ),
        captioned(
            "constraints",
            "Unsatisfied constraints a parameter against the training loss, on all four pairs of \
             axes, and against P/N without the five smallest networks. Networks without loss or \
             without unsatisfied constraints have no logarithm.",
            found.constraints(),
        ),
        captioned(
            "crossover",
            "Where the loss leaves zero, for five seeds. Left: the training loss at the end of the \
             flow, and the line whose knee is N*. Right: the share of networks that can satisfy all \
             constraints if they are trained for ever. The band is the mean with its standard error.",
            found.crossover(),
        ),
    ]
}

impl Found<'_> {
    /// The networks of the run's own seed, by growing size.
    fn own(&self) -> Vec<&Trained> {
        let mut own: Vec<_> = self
            .trained
            .iter()
            .filter(|t| t.seed == self.seed)
            .collect();
        own.sort_by_key(|t| t.n);
        own
    }

    fn end(&self) -> &Seen {
        &self.infinite[self.infinite.len() - 1]
    }

    fn spectrum(&self) -> Figure {
        let shown = self.spectrum.len().saturating_sub(OUTLIERS);
        let logarithms: Vec<f64> = self
            .spectrum
            .iter()
            .filter(|&&v| v > 0.0)
            .map(|v| v.ln())
            .collect();
        let left = Histogram::new("Eigenvalues", BINS)
            .x_label("λ")
            .y_label("eigenvalues")
            .y_range(0.0, MOST_COUNTS)
            .values("", &self.spectrum[..shown])
            .vertical_line("", 0.0);
        let right = Histogram::new("Their logarithms", BINS)
            .x_label("ln λ")
            .y_label("eigenvalues")
            .values("", logarithms);
        Figure::new(vec![left.into(), right.into()])
    }

    fn outputs(&self) -> Figure {
        let panel = |title: &str, y: &[f64], f: &[f64]| -> Panel {
            let series = Series::new("", y, f).points_only();
            LineChart::new(title)
                .x_label("target y")
                .y_label("output f")
                .x_range(-1.5, 1.5)
                .series(series)
                .into()
        };
        let flat = |a: &ndarray::Array2<f64>| a.iter().copied().collect::<Vec<_>>();
        let (end, images) = (self.end(), self.images);
        Figure::new(vec![
            panel("Training images", &flat(&images.y_train), &flat(&end.train)),
            panel("Test images", &flat(&images.y_test), &flat(&end.test)),
        ])
    }

    fn in_time(&self) -> Figure {
        let t: Vec<f64> = self.along.iter().map(|s| s.t).collect();
        let curve = |name: &str, of: &dyn Fn(&Seen) -> f64| {
            Series::new(
                name,
                t.clone(),
                self.along.iter().map(of).collect::<Vec<_>>(),
            )
        };
        let losses = LineChart::new("Loss")
            .x_label("time t")
            .y_label("loss")
            .x_scale(Scale::Log)
            .y_scale(Scale::Log)
            .series(curve("train", &|s| s.train_loss))
            .series(curve("test", &|s| s.test_loss));
        let constraints = LineChart::new("Unsatisfied constraints")
            .x_label("time t")
            .y_label("training images")
            .x_scale(Scale::Log)
            .y_from_zero()
            .series(curve("", &|s| s.n_delta as f64));
        Figure::new(vec![losses.into(), constraints.into()])
    }

    fn losses(&self) -> Figure {
        let own = self.own();
        let ratio: Vec<f64> = own.iter().map(|t| t.n as f64 / TRAIN as f64).collect();
        let train: Vec<f64> = own.iter().map(|t| t.end.train_loss).collect();
        let test: Vec<f64> = own.iter().map(|t| t.end.test_loss).collect();
        let ends = [ratio[0], ratio[ratio.len() - 1]];
        let panel = |title: &str, scale: Scale| -> Panel {
            let level = |name: &str, at: f64, color: usize| {
                Series::new(name, ends, [at, at]).dotted().color(color)
            };
            LineChart::new(title)
                .x_label("N/P")
                .y_label("loss")
                .x_scale(scale)
                .y_from_zero()
                .series(Series::new("train", ratio.clone(), train.clone()).color(0))
                .series(level("train, infinite network", self.end().train_loss, 0))
                .series(Series::new("test", ratio.clone(), test.clone()).color(1))
                .series(level("test, infinite network", self.end().test_loss, 1))
                .into()
        };
        Figure::new(vec![
            panel("Against N/P", Scale::Linear),
            panel("Against N/P, logarithmic", Scale::Log),
        ])
    }

    fn constraints(&self) -> Figure {
        let own = self.own();
        let loss = |t: &Trained| t.end.train_loss;
        let density = |t: &Trained| t.end.n_delta as f64 / t.n as f64;
        let panel = |x_scale: Scale, y_scale: Scale| -> Panel {
            let kept = own.iter().filter(|t| {
                (x_scale == Scale::Linear || loss(t) > 0.0)
                    && (y_scale == Scale::Linear || t.end.n_delta > 0)
            });
            let (x, y): (Vec<f64>, Vec<f64>) = kept.map(|t| (loss(t), density(t))).unzip();
            LineChart::new("")
                .x_label("training loss")
                .y_label("unsatisfied / N")
                .x_scale(x_scale)
                .y_scale(y_scale)
                .series(Series::new("", x, y).points_only())
                .into()
        };
        let scale = |log: bool| if log { Scale::Log } else { Scale::Linear };
        let larger = &own[SMALLEST.min(own.len() - 1)..];
        let (x, y): (Vec<f64>, Vec<f64>) = larger
            .iter()
            .map(|t| (TRAIN as f64 / t.n as f64, density(t)))
            .unzip();
        let last = LineChart::new("")
            .x_label("P/N")
            .y_label("unsatisfied / N")
            .series(Series::new("", x, y).points_only());
        let mut panels: Vec<Panel> = [(false, false), (true, true), (false, true), (true, false)]
            .map(|(x, y)| panel(scale(x), scale(y)))
            .into();
        panels.push(last.into());
        Figure::new(panels).columns(3)
    }

    fn crossover(&self) -> Figure {
        let mut seeds: Vec<u64> = self.trained.iter().map(|t| t.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        let mut losses = LineChart::new("Training loss at the end of the flow")
            .x_label("N/P")
            .y_label("loss")
            .x_scale(Scale::Log)
            .y_from_zero();
        for (i, &seed) in seeds.iter().enumerate() {
            let mut one: Vec<_> = self.trained.iter().filter(|t| t.seed == seed).collect();
            one.sort_by_key(|t| t.n);
            let (x, y): (Vec<f64>, Vec<f64>) = one
                .iter()
                .map(|t| (t.n as f64 / TRAIN as f64, t.end.train_loss))
                .unzip();
            losses = losses.series(Series::new(format!("seed {seed}"), x, y).color(i));
        }
        let mut sizes: Vec<usize> = self.trained.iter().map(|t| t.n).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let (x, y): (Vec<f64>, Vec<f64>) = sizes
            .iter()
            .map(|&n| {
                let all: Vec<_> = self.trained.iter().filter(|t| t.n == n).collect();
                let can = all.iter().filter(|t| t.satisfiable).count();
                (n as f64 / TRAIN as f64, can as f64 / all.len() as f64)
            })
            .unzip();
        let share = LineChart::new("Networks that can satisfy all constraints")
            .x_label("N/P")
            .y_label("share")
            .x_scale(Scale::Log)
            .y_from_zero()
            .series(Series::new("networks", x, y).color(0).markers());
        Figure::new(vec![
            marked(losses, "knee", self.crossover.at_knee(), self.top()).into(),
            marked(share, "N*/P", self.crossover.at_satisfiable(), 1.0).into(),
        ])
    }

    /// The largest training loss.
    fn top(&self) -> f64 {
        self.trained
            .iter()
            .map(|t| t.end.train_loss)
            .fold(0.0, f64::max)
    }
}

/// The chart with a vertical line at the mean of `at` and dotted ones a standard error away.
fn marked(chart: LineChart, name: &str, (mean, error): (f64, f64), top: f64) -> LineChart {
    let line = |name: String, x: f64| Series::new(name, [x, x], [0.0, top]).color(BLACK);
    chart
        .series(line(format!("{name} {mean:.2} ± {error:.2}"), mean).dashed())
        .series(line(String::new(), mean - error).dotted())
        .series(line(String::new(), mean + error).dotted())
}
