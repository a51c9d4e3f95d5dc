//! The notebook's figures, each by both normalisations.

use super::Spread;
use super::choice::Choice;
use super::epochs::{ByEpoch, SUBSETS};
use super::network::NORMALIZATIONS;
use super::sizes::{AFTER, BEFORE, BySize, WHEN};
use crate::experiments::study::{
    AllSeries, BLACK, Captioned, Curve, captioned, family, points, row,
};
use ndarray::{Array3, s};
use ntk_plots::{LineChart, Scale, Series};

/// The subsets of the scatter plot, as in the notebook.
const SCATTERED: [usize; 3] = [10, 50, 100];
/// What panels call the normalisations.
const TITLES: [&str; 2] = ["Kernel divided by its trace", "Cosines of the kernel"];
const ENTROPY: &str = "entropy / nats";
const IMAGES: &str = "images n";

pub(super) fn all(by_epoch: &ByEpoch, by_size: &[BySize]) -> Vec<Captioned> {
    let both = |panel: &dyn Fn(usize) -> LineChart| row([panel(0), panel(1)]);
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
            row([
                by_subset(
                    "Information transfer",
                    "S(0) − S(end) / nats",
                    &by_epoch.transfer,
                ),
                by_subset(
                    "Area under the curve",
                    "area / (nats × epochs)",
                    &by_epoch.area,
                ),
            ]),
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
            row([
                score_by_size(by_size, "Test accuracy", "accuracy", BySize::accuracy),
                score_by_size(by_size, "Test loss", "cross-entropy", BySize::loss),
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

fn against_epoch(ByEpoch { recorded, .. }: &ByEpoch, by: usize) -> LineChart {
    let entropies = SUBSETS.iter().enumerate().map(|(i, n)| {
        let along = Curve::of(0.., recorded.entropies.slice(s![.., .., i, by]));
        family(along.series(format!("n = {n}")), i, SUBSETS.len())
    });
    let accuracy = Curve::of(0.., recorded.accuracy.view()).series("accuracy");
    LineChart::new(TITLES[by])
        .x_label("epochs done")
        .y_label(ENTROPY)
        .right_label("test accuracy")
        .right_range(0.0, 1.0)
        .all(entropies)
        .series(accuracy.color(BLACK).dotted().right())
}

fn against_subset(found: &ByEpoch, by: usize) -> LineChart {
    let after = |epoch: usize, name: &str| {
        let entropies = found.recorded.entropies.slice(s![.., epoch, .., by]);
        Curve::of(SUBSETS, entropies).series(name).markers()
    };
    let infinite = found.infinite.column(by);
    let infinite = SUBSETS.iter().zip(infinite).map(|(&n, &s)| (n as f64, s));
    LineChart::new(TITLES[by])
        .x_label(IMAGES)
        .y_label(ENTROPY)
        .series(after(0, "untrained"))
        .series(after(found.last, &format!("after {} epochs", found.last)))
        .series(points("infinite width", infinite).markers().dashed())
}

fn against_accuracy(ByEpoch { recorded, .. }: &ByEpoch, by: usize) -> LineChart {
    let accuracy = Curve::of(0.., recorded.accuracy.view()).means();
    let shown = SUBSETS
        .iter()
        .enumerate()
        .filter(|(_, n)| SCATTERED.contains(n));
    let clouds = shown.map(|(i, n)| {
        let entropy = Curve::of(0.., recorded.entropies.slice(s![.., .., i, by])).means();
        Series::new(format!("n = {n}"), accuracy.clone(), entropy).points_only()
    });
    LineChart::new(TITLES[by])
        .x_label("test accuracy")
        .y_label(ENTROPY)
        .all(clouds)
}

/// Draws a curve for each normalisation over the subsets.
fn by_subset(title: &str, label: &str, all: &Array3<f64>) -> LineChart {
    let curves = NORMALIZATIONS.iter().enumerate().map(|(by, (_, name))| {
        let curve = Curve::of(SUBSETS, all.slice(s![.., .., by]));
        curve.series(*name).markers()
    });
    LineChart::new(title)
        .x_label(IMAGES)
        .y_label(label)
        .all(curves)
}

/// Makes the curve of a number over all sizes of a choice.
fn over_sizes(found: &[BySize], choice: Choice, of: impl Fn(&BySize) -> Spread) -> Curve {
    let chosen = found.iter().filter(|one| one.choice == choice);
    chosen.map(|one| (one.n, of(one))).collect()
}

/// Makes an empty chart against the sizes.
fn against_size(title: &str, label: &str, found: &[BySize]) -> LineChart {
    let first = found.iter().filter(|one| one.choice == Choice::First);
    LineChart::new(title)
        .x_label(IMAGES)
        .y_label(label)
        .x_scale(Scale::Log)
        .x_ticks(first.map(|one| one.n as f64).collect::<Vec<_>>())
}

fn entropy_by_size(found: &[BySize], by: usize) -> LineChart {
    let of = |(color, choice): (usize, Choice)| {
        [BEFORE, AFTER].map(|when| {
            let curve = over_sizes(found, choice, |one| one.entropy(when, by));
            let name = format!("{}, {} training", choice.name(), WHEN[when]);
            let series = curve.series(name).color(color).markers();
            if when == BEFORE {
                series.dashed()
            } else {
                series
            }
        })
    };
    against_size(TITLES[by], ENTROPY, found).all(Choice::BOTH.into_iter().enumerate().flat_map(of))
}

fn score_by_size(
    found: &[BySize],
    title: &str,
    label: &str,
    of: fn(&BySize) -> Spread,
) -> LineChart {
    let curve = |choice: Choice| {
        over_sizes(found, choice, of)
            .series(choice.name())
            .markers()
    };
    against_size(title, label, found).all(Choice::BOTH.map(curve))
}

fn accuracy_by_entropy(found: &[BySize], by: usize) -> LineChart {
    let cloud = |choice: Choice| {
        let entropy = over_sizes(found, choice, |one| one.entropy(AFTER, by)).means();
        let accuracy = over_sizes(found, choice, BySize::accuracy).means();
        Series::new(choice.name(), entropy, accuracy).points_only()
    };
    LineChart::new(TITLES[by])
        .x_label(ENTROPY)
        .y_label("test accuracy")
        .all(Choice::BOTH.map(cloud))
}
