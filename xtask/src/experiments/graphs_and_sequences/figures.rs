//! How fast kernels approach the limit, what layers add, and what networks learn beside it.

use super::architecture::Kind;
use super::limit::Limit;
use super::networks::Widened;
use crate::experiments::study::{AllSeries, BLACK, Captioned, captioned, level, points, row};
use ntk_plots::{LineChart, Scale, Series};

pub(super) fn all(limits: &[Limit], widened: &[Widened<'_>]) -> Vec<Captioned> {
    vec![
        captioned(
            "distance",
            "How far the tangent kernel of a network is from that of its infinitely wide limit before training: \
             root mean square over networks, with its standard error, in units of the limit. Lines are power laws.",
            row([distances(widened)]),
        ),
        captioned(
            "layers",
            "What regression with the kernel of the infinitely wide network makes of test samples, by the number \
             of its layers. Guessing is right in one of three graphs and one of two sequences.",
            row([
                layers("Graphs", limits, &[Kind::Aggregate]),
                layers(
                    "Sequences",
                    limits,
                    &[Kind::Conv, Kind::Recurrent, Kind::Attention],
                ),
            ]),
        ),
        captioned(
            "accuracy",
            "What trained networks make of test samples, mean over networks and its standard error, beside \
             regression with the kernel of their limit (dashed).",
            row(widened.iter().map(accuracy)).columns(2),
        ),
    ]
}

fn against_width(title: impl Into<String>, widths: Vec<f64>) -> LineChart {
    LineChart::new(title)
        .x_label("width")
        .x_scale(Scale::Log)
        .x_ticks(widths)
}

fn distances(widened: &[Widened<'_>]) -> LineChart {
    let of = |(color, of_kind): (usize, &Widened<'_>)| {
        let found = of_kind.distances();
        let error =
            |sign: f64| -> Vec<f64> { found.iter().map(|(_, y, e)| y + sign * e).collect() };
        let law = of_kind.law()?;
        let name = of_kind.limit.architecture.kind.name();
        let line = points("", found.iter().map(|&(width, ..)| (width, law.at(width))));
        let found = points(
            format!("{name}: width^{:.2}", law.exponent),
            found.iter().map(|&(width, distance, _)| (width, distance)),
        );
        let found = found.error_bars(error(-1.0), error(1.0));
        Some([line.color(color), found.color(color).points_only()])
    };
    let widths = widened.first().map(Widened::distances).unwrap_or_default();
    against_width(
        "Kernel before training",
        widths.into_iter().map(|(width, ..)| width).collect(),
    )
    .y_label("relative distance from the limit")
    .y_scale(Scale::Log)
    .all(widened.iter().enumerate().filter_map(of).flatten())
}

fn layers(title: &str, limits: &[Limit], kinds: &[Kind]) -> LineChart {
    let of = |&kind: &Kind| -> Series {
        let own = limits
            .iter()
            .filter(|limit| limit.architecture.kind == kind);
        let own = own.map(|limit| (limit.architecture.depth as f64, limit.test_accuracy));
        points(kind.name(), own).color(color(kind)).markers()
    };
    let depths = limits
        .iter()
        .filter(|limit| kinds.contains(&limit.architecture.kind));
    let mut depths: Vec<f64> = depths
        .map(|limit| limit.architecture.depth as f64)
        .collect();
    depths.sort_by(f64::total_cmp);
    depths.dedup();
    LineChart::new(title)
        .x_label("layers")
        .y_label("test accuracy")
        .x_ticks(depths)
        .all(kinds.iter().map(of))
}

fn accuracy(of_kind: &Widened<'_>) -> LineChart {
    let limit = of_kind.limit;
    let (kind, depth) = (limit.architecture.kind, limit.architecture.depth);
    let widths: Vec<f64> = of_kind.trained.iter().map(|&width| width as f64).collect();
    let infinite = level("infinite", &widths, limit.test_accuracy);
    let layers = if depth == 1 { "layer" } else { "layers" };
    against_width(format!("{}, {depth} {layers}", kind.name()), widths)
        .y_label("test accuracy")
        .series(infinite.dashed().color(BLACK))
        .series(
            of_kind
                .accuracy(1)
                .series("networks")
                .color(color(kind))
                .markers(),
        )
}

/// Returns the place of the kind's colour, which is the same in all figures.
fn color(kind: Kind) -> usize {
    Kind::ALL
        .iter()
        .position(|&other| other == kind)
        .unwrap_or(BLACK)
}
