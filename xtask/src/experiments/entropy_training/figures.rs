//! The notebook's figures, each by both normalisations.

use super::choice::Choice;
use super::epochs::{self, SUBSETS};
use super::estimate::Estimate;
use super::network::NORMALIZATIONS;
use super::sizes::{self, When};
use super::{Captioned, captioned};
use ntk_plots::{Figure, LineChart, Panel, Scale, Series};

/// Number of the palette's black.
const BLACK: usize = 6;
/// Subsets of the scatter plot, as in the notebook.
const SCATTERED: [usize; 3] = [10, 50, 100];

pub(super) fn all(by_epoch: &epochs::Found, by_size: &sizes::Found) -> Vec<Captioned> {
    let both = |panel: &dyn Fn(usize) -> Panel| Figure::new(vec![panel(0), panel(1)]);
    vec![
        captioned(
            "epochs",
            "Entropy of the empirical kernel on the first n images, and test accuracy of the \
             network, epoch by epoch: mean and standard error over seeds. Left the kernel itself, \
             right its cosines, which forget how long gradients are.",
            both(&|by| against_epoch(by_epoch, by)),
        ),
        captioned(
            "subsets",
            "Entropy against the number of images: of the untrained and the trained network, and \
             of the infinitely wide one, which training does not change.",
            both(&|by| against_subset(by_epoch, by)),
        ),
        captioned(
            "accuracy",
            "Entropy against test accuracy, one point an epoch, both of the same parameters. The \
             notebook sets the entropy before an epoch against the accuracy after it.",
            both(&|by| against_accuracy(by_epoch, by)),
        ),
        captioned(
            "transfer",
            "What the notebook calls information transfer, the entropy lost from the first epoch \
             to the end, and the area under the curve of the entropy over the epochs.",
            Figure::new(vec![transfer(by_epoch), area(by_epoch)]),
        ),
        captioned(
            "sizes",
            "Entropy of the kernel on the images trained on, before and after training, of the \
             first n images and of n chosen by random network distillation.",
            both(&|by| entropy_by_size(by_size, by)),
        ),
        captioned(
            "scores",
            "Test accuracy and loss of the networks trained on the first n images and on n chosen \
             by random network distillation.",
            Figure::new(vec![
                score_by_size(by_size, "Test accuracy", "accuracy", sizes::Found::accuracy),
                score_by_size(by_size, "Test loss", "cross-entropy", sizes::Found::loss),
            ]),
        ),
        captioned(
            "accuracy-sizes",
            "Test accuracy of the trained networks against the entropy of the kernel on the images \
             trained on, after training; one point for each number of images.",
            both(&|by| accuracy_by_entropy(by_size, by)),
        ),
    ]
}

/// What a panel calls a normalisation.
fn title(by: usize) -> &'static str {
    ["Kernel divided by its trace", "Cosines of the kernel"][by]
}

const ENTROPY: &str = "entropy / nats";
const IMAGES: &str = "images n";

/// Means, in a band of one standard error to both sides.
fn series(name: &str, x: Vec<f64>, estimates: &[Estimate]) -> Series {
    let of = |f: &dyn Fn(&Estimate) -> f64| estimates.iter().map(f).collect::<Vec<f64>>();
    Series::new(name, x, of(&|e| e.mean)).band(of(&|e| e.mean - e.error), of(&|e| e.mean + e.error))
}

fn subsets() -> Vec<f64> {
    SUBSETS.map(|n| n as f64).to_vec()
}

/// Of every subset.
fn over_subsets(of: impl Fn(usize) -> Estimate) -> Vec<Estimate> {
    (0..SUBSETS.len()).map(of).collect()
}

fn against_epoch(found: &epochs::Found, by: usize) -> Panel {
    let epochs = found.epochs();
    let along = |of: &dyn Fn(usize) -> Estimate| (0..epochs.len()).map(of).collect::<Vec<_>>();
    let chart = LineChart::new(title(by))
        .x_label("epochs done")
        .y_label(ENTROPY)
        .right_label("test accuracy")
        .right_range(0.0, 1.0);
    let last = SUBSETS.len() - 1;
    let chart = SUBSETS.iter().enumerate().fold(chart, |chart, (i, n)| {
        let entropies = along(&|epoch| found.entropy(epoch, i, by));
        let one = series(&format!("n = {n}"), epochs.clone(), &entropies);
        chart.series(one.ordered(i as f64 / last as f64))
    });
    let accuracy = along(&|epoch| found.accuracy(epoch));
    let accuracy = series("accuracy", epochs.clone(), &accuracy);
    chart.series(accuracy.color(BLACK).dotted().right()).into()
}

fn against_subset(found: &epochs::Found, by: usize) -> Panel {
    let last = found.epochs().len().saturating_sub(1);
    let at = |epoch: usize| over_subsets(|i| found.entropy(epoch, i, by));
    let infinite: Vec<f64> = found.infinite.iter().map(|e| e.by[by]).collect();
    LineChart::new(title(by))
        .x_label(IMAGES)
        .y_label(ENTROPY)
        .series(series("untrained", subsets(), &at(0)).markers())
        .series(series(&format!("after {last} epochs"), subsets(), &at(last)).markers())
        .series(
            Series::new("infinite width", subsets(), infinite)
                .markers()
                .dashed(),
        )
        .into()
}

fn against_accuracy(found: &epochs::Found, by: usize) -> Panel {
    let epochs = found.epochs().len();
    let accuracy: Vec<f64> = (0..epochs).map(|e| found.accuracy(e).mean).collect();
    let chart = LineChart::new(title(by))
        .x_label("test accuracy")
        .y_label(ENTROPY);
    let shown = SUBSETS
        .iter()
        .enumerate()
        .filter(|(_, n)| SCATTERED.contains(n));
    shown
        .fold(chart, |chart, (i, n)| {
            let entropy: Vec<f64> = (0..epochs).map(|e| found.entropy(e, i, by).mean).collect();
            let points = Series::new(format!("n = {n}"), accuracy.clone(), entropy);
            chart.series(points.points_only())
        })
        .into()
}

/// A curve for each normalisation over the subsets.
fn by_normalization(chart: LineChart, of: impl Fn(usize, usize) -> Estimate) -> Panel {
    let all = NORMALIZATIONS.iter().enumerate();
    all.fold(chart.x_label(IMAGES), |chart, (by, (_, name))| {
        let estimates = over_subsets(|i| of(i, by));
        chart.series(series(name, subsets(), &estimates).markers())
    })
    .into()
}

fn transfer(found: &epochs::Found) -> Panel {
    let chart = LineChart::new("Information transfer").y_label("S(0) − S(end) / nats");
    by_normalization(chart, |i, by| found.transfer(i, by))
}

fn area(found: &epochs::Found) -> Panel {
    let chart = LineChart::new("Area under the curve").y_label("area / (nats × epochs)");
    by_normalization(chart, |i, by| found.area(i, by))
}

fn sizes(found: &sizes::Found, choice: Choice) -> Vec<f64> {
    found.sizes(choice).map(|n| n as f64).collect()
}

/// Of every size of the choice.
fn over_sizes(
    found: &sizes::Found,
    choice: Choice,
    of: impl Fn(usize) -> Estimate,
) -> Vec<Estimate> {
    found.sizes(choice).map(of).collect()
}

/// Axes over the sizes.
fn against_size(title: &str, label: &str, found: &sizes::Found) -> LineChart {
    LineChart::new(title)
        .x_label(IMAGES)
        .y_label(label)
        .x_scale(Scale::Log)
        .x_ticks(sizes(found, Choice::First))
}

fn entropy_by_size(found: &sizes::Found, by: usize) -> Panel {
    let mut chart = against_size(title(by), ENTROPY, found);
    for (color, choice) in Choice::BOTH.into_iter().enumerate() {
        for when in When::BOTH {
            let name = format!("{}, {} training", choice.as_str(), when.as_str());
            let estimates = over_sizes(found, choice, |n| found.entropy(choice, n, when, by));
            let one = series(&name, sizes(found, choice), &estimates)
                .color(color)
                .markers();
            chart = chart.series(if when == When::Before {
                one.dashed()
            } else {
                one
            });
        }
    }
    chart.into()
}

fn score_by_size(
    found: &sizes::Found,
    title: &str,
    label: &str,
    of: impl Fn(&sizes::Found, Choice, usize) -> Estimate,
) -> Panel {
    let chart = against_size(title, label, found);
    let all = Choice::BOTH.into_iter();
    all.fold(chart, |chart, choice| {
        let estimates = over_sizes(found, choice, |n| of(found, choice, n));
        chart.series(series(choice.as_str(), sizes(found, choice), &estimates).markers())
    })
    .into()
}

fn accuracy_by_entropy(found: &sizes::Found, by: usize) -> Panel {
    let chart = LineChart::new(title(by))
        .x_label(ENTROPY)
        .y_label("test accuracy");
    let all = Choice::BOTH.into_iter();
    all.fold(chart, |chart, choice| {
        let entropies = over_sizes(found, choice, |n| found.entropy(choice, n, When::After, by));
        let x: Vec<f64> = entropies.iter().map(|e| e.mean).collect();
        let accuracy = over_sizes(found, choice, |n| found.accuracy(choice, n));
        let y: Vec<f64> = accuracy.iter().map(|e| e.mean).collect();
        chart.series(Series::new(choice.as_str(), x, y).points_only())
    })
    .into()
}
