//! The notebook's two figures, the Holevo quantity beside its measure, and all pairs of digits.

use super::blocks::{combinations, name, pairs};
use super::digits::{KINDS, KernelKind, two};
use super::infinite::{Brightened, Infinite};
use super::training::{EPOCHS, Networks};
use super::{DIGITS, HOLEVO, INFORMATION, PER_DIGIT, Pair, RATIOS};
use crate::experiments::study::{
    AllSeries, BLACK, Captioned, Curve, Spread, captioned, level, points, row,
};
use ndarray::Array2;
use ntk_plots::{HeatMap, LineChart, Scale, Series};
use ntk_train::Trace;
use std::ops::Range;

pub(super) fn all(networks: &Networks, infinite: &Infinite) -> Vec<Captioned> {
    let seeds = match networks.digits.len() {
        1 => "of one network".to_string(),
        n => format!("mean over {n} networks with its standard error"),
    };
    let score = |title: &str, train: usize, test: usize| {
        let curve = |name: &str, i: usize, color: usize| {
            Curve::of(0.., networks.scores[i].view())
                .series(name)
                .color(color)
        };
        LineChart::new(title)
            .x_label("epoch")
            .series(curve("train", train, 0))
            .series(curve("test", test, 1))
    };
    let against_epoch =
        |title: &str, label: &str| LineChart::new(title).x_label("epoch").y_label(label);
    // The mean over seeds, and the level of the infinite kernel.
    let curve = |name: String, color: usize, numbers: Array2<f64>, infinite: f64| {
        let infinite = level("", &[0.0, EPOCHS as f64], infinite);
        let finite = Curve::of(0.., numbers.view()).series(name);
        [finite.color(color), infinite.dotted().color(color)]
    };
    let entropies = |title: &str, shown: Range<usize>| {
        let curves = shown.clone().flat_map(|i| {
            let numbers = networks.blocks.alone[i].clone();
            let name = format!("S{}", name(&combinations()[i]));
            curve(
                name,
                i - shown.start,
                numbers,
                infinite.blocks.alone[i][[0, 0]],
            )
        });
        against_epoch(title, "S in nats").all(curves)
    };
    let of_pairs = |title: &str, label: &str, of: fn(&Pair) -> f64| {
        let curves = pairs().enumerate().flat_map(|(i, classes)| {
            let numbers = networks.blocks.pairs[i].map(of);
            curve(
                name(&classes),
                i,
                numbers,
                of(&infinite.blocks.pairs[i][[0, 0]]),
            )
        });
        against_epoch(title, label).all(curves)
    };
    vec![
        captioned(
            "learning",
            format!("Loss and accuracy at every epoch: {seeds}."),
            row([
                score("Loss", 0, 2)
                    .y_label("cross-entropy")
                    .y_scale(Scale::Log),
                score("Accuracy", 1, 3).y_label("accuracy").y_from_zero(),
            ]),
        ),
        captioned(
            "notebook",
            format!(
                "The notebook's figure: entropies of three classes' blocks of the full kernel, two \
                 images each, and its normalised mutual information of every pair; {seeds}. Dotted: \
                 the kernel of infinite width, which training does not change."
            ),
            row([
                entropies("Entropies of the classes", 0..3),
                of_pairs(INFORMATION.title, INFORMATION.formula, |pair| {
                    INFORMATION.get(pair)
                }),
            ]),
        ),
        captioned(
            "holevo",
            "The same pairs by I = S(X) + S(Y) - S(X,Y) and by χ = S(X,Y) - p S(X) - (1-p) S(Y) in \
             nats, and by χ over H₂(p), which is 0 for classes that are alike and 1 for orthogonal \
             ones. Dotted: the kernel of infinite width.",
            row([
                of_pairs("Mutual information", "I in nats", Pair::information),
                of_pairs("Holevo quantity", "χ in nats", Pair::chi),
                of_pairs("Over its largest value", HOLEVO.formula, |pair| {
                    HOLEVO.get(pair)
                }),
            ]),
        ),
        captioned(
            "joint",
            "What these are made of beside the entropies of single classes: those of classes taken \
             together, and p, the first class' share of the pair's trace. Dotted: the kernel of \
             infinite width.",
            row([
                entropies("Entropies of classes together", 3..combinations().len()),
                of_pairs("Share of the trace", "p", |pair| pair.p),
            ]),
        ),
        captioned(
            "digits",
            format!(
                "All pairs of digits, {PER_DIGIT} images each, in the full kernel before and after \
                 training: the notebook's measure and χ over H₂(p), means over seeds. On the diagonal \
                 a digit is paired with its own copy, which is 1 by the one and 0 by the other, beyond \
                 the bar's ends. Before and after share their colours."
            ),
            row(of_digits(networks)).columns(2),
        ),
        captioned(
            "claim",
            "Whether the notebook's measure lies between 0 and 1 (dashed). Left: all pairs of digits \
             after training, of the run's first network. By the traced kernel many are negative, and \
             with one image a digit all divide by zero; the full kernel has some ln 10 of its ten \
             outputs in every entropy, and so in I, which keeps them up. Right: the kernel of \
             infinite width, two images a class, where the pixels of one class are multiplied by a \
             factor: where one class has most of the trace, values exceed 1.",
            row([
                against_holevo(&networks.digits[0][1]),
                against_brightness(&infinite.brightened),
            ]),
        ),
    ]
}

fn of_digits(networks: &Networks) -> Vec<HeatMap> {
    let maps = RATIOS.iter().flat_map(|ratio| {
        let both = [0, 1].map(|when| {
            Array2::from_shape_fn((DIGITS, DIGITS), |at| {
                let pairs = networks.digits.iter().map(|digits| &digits[when][0][at]);
                Spread::of(pairs.map(|pair| ratio.get(pair))).mean
            })
        });
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for ((i, j), &value) in both.iter().flat_map(|map| map.indexed_iter()) {
            if i != j {
                (low, high) = (low.min(value), high.max(value));
            }
        }
        both.into_iter()
            .zip(["before", "after"])
            .map(move |(map, when)| {
                HeatMap::new(format!("{}, {when}", ratio.title), map)
                    .x_label("digit")
                    .y_label("digit")
                    .bar_label(ratio.formula)
                    .color_range(low, high)
            })
    });
    maps.collect()
}

fn against_holevo(digits: &[Array2<Pair>]) -> LineChart {
    let cloud = |(kind, pairs): (&KernelKind, &Array2<Pair>)| {
        let ratios = two(pairs).map(|pair| (HOLEVO.get(pair), INFORMATION.get(pair)));
        let name = format!("{}, {} images", kind.name(), kind.per_digit);
        points(name, ratios).points_only()
    };
    let defined = |kind: &KernelKind| kind.trace == Trace::Full || kind.per_digit > 1;
    let kinds = KINDS.iter().zip(digits).filter(|(kind, _)| defined(kind));
    LineChart::new("All pairs of digits")
        .x_label(HOLEVO.formula)
        .y_label(INFORMATION.formula)
        .x_range(0.0, 1.0)
        .all(kinds.map(cloud))
        .all(bounds(&[0.0, 1.0]))
}

fn against_brightness(all: &[Brightened]) -> LineChart {
    let factors: Vec<f64> = all.iter().map(|found| found.factor).collect();
    let curve = |name: &str, of: &dyn Fn(&Brightened) -> f64| {
        points(name, all.iter().map(|found| (found.factor, of(found))))
    };
    let information = |kernel: &str| format!("{}, {kernel}", INFORMATION.formula);
    LineChart::new("Classes 0 and 1, infinite width")
        .x_label("factor of the pixels of 0")
        .y_label("measure")
        .x_scale(Scale::Log)
        .series(curve(&information("full"), &|b| INFORMATION.get(&b.full)))
        .series(curve(&information("traced"), &|b| {
            INFORMATION.get(&b.traced)
        }))
        .series(curve("χ / H₂(p), both", &|b| HOLEVO.get(&b.full)))
        .all(bounds(&factors))
}

/// Draws dashed lines at 0 and at 1.
fn bounds(x: &[f64]) -> [Series; 2] {
    [0.0, 1.0].map(|y| level("", x, y).dashed().color(BLACK))
}
