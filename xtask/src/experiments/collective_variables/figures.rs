//! Curves along training, the approach to the closed form, and one point a subset.

use super::PROBE;
use super::limit::{Deviation, WidthLimit};
use super::subsets::{Correlation, Draw, Subset};
use super::training::{FollowedNetworks, Sizes};
use super::variables::{Architecture, MIDDLE, TRACE, VARIABLES, Variable};
use crate::experiments::study::{
    AllSeries, BLACK, Captioned, captioned, family, level, of_two, points, row,
};
use ntk_plots::{Figure, LineChart, Scale};

pub(super) fn all(
    sizes: &Sizes,
    trained: &[FollowedNetworks],
    limit: &WidthLimit,
    subsets: &[Subset],
    correlations: &[Correlation],
) -> Vec<Captioned> {
    let Architecture { width, layers } = MIDDLE;
    vec![
        captioned(
            "widths",
            format!(
                "Entropy and trace of the empirical kernel of {PROBE} training images along training, for \
                 networks of {layers} hidden layers by width: mean over seeds, and its standard error."
            ),
            along(trained, "width", &sizes.widths, Architecture::wide),
        ),
        captioned(
            "depths",
            format!(
                "The same for networks of width {width} by number of hidden layers. The trace begins \
                 in proportion to the number of layers."
            ),
            along(trained, "depth", &sizes.layers, Architecture::deep),
        ),
        captioned(
            "initial",
            "Before training: mean over networks with its standard error against the width, and the \
             closed form of the infinitely wide network (dashed).",
            each(|v, chart| {
                let widths = widths(limit);
                let infinite = level("infinite", &widths, limit.infinite[v]);
                against_width(chart, widths)
                    .y_label(VARIABLES[v].label)
                    .series(infinite.dashed().color(BLACK))
                    .series(limit.means(v).series("finite").color(0).markers())
            }),
        ),
        captioned(
            "deviations",
            "How far finite networks are from the closed form: root mean square over networks, and \
             the mean over networks in absolute value, where it can be told from zero (by two \
             standard errors) at three widths at least. Lines are power laws.",
            each(|v, chart| deviations(limit, v, chart)),
        ),
        captioned(
            "subsets",
            "One network for each random subset, from the same initial weights: test loss after \
             training against what the kernel of the subset was before. Above: any images of the \
             pool. Below: as many of each class. Titles: Spearman's rank correlation and its 95 % \
             bootstrap interval; one interval in twenty leaves zero out by chance.",
            of_subsets(subsets, correlations).columns(VARIABLES.len()),
        ),
    ]
}

/// Makes a panel for each variable.
fn each(panel: impl Fn(usize, LineChart) -> LineChart) -> Figure {
    let of = |(v, variable): (usize, &Variable)| panel(v, LineChart::new(variable.title));
    row(VARIABLES.iter().enumerate().map(of))
}

fn along(
    trained: &[FollowedNetworks],
    what: &str,
    sizes: &[usize],
    architecture: fn(usize) -> Architecture,
) -> Figure {
    each(|v, chart| {
        let series = sizes.iter().enumerate().filter_map(|(i, &size)| {
            let mut all = trained.iter();
            let one = all.find(|one| one.architecture == architecture(size))?;
            let series = one.along(v).series(format!("{what} {size}"));
            Some(family(series, i, sizes.len()))
        });
        let scale = if v == TRACE {
            Scale::Log
        } else {
            Scale::Linear
        };
        chart
            .x_label("epoch")
            .y_label(VARIABLES[v].label)
            .y_scale(scale)
            .all(series)
    })
}

fn widths(limit: &WidthLimit) -> Vec<f64> {
    limit.widths.iter().map(|&width| width as f64).collect()
}

fn against_width(chart: LineChart, widths: Vec<f64>) -> LineChart {
    chart.x_label("width").x_scale(Scale::Log).x_ticks(widths)
}

fn deviations(limit: &WidthLimit, v: usize, chart: LineChart) -> LineChart {
    let of = |(color, kind): (usize, Deviation)| {
        let law = limit.law(v, kind)?;
        let told = limit.told(v, kind).into_iter();
        let told = points(kind.name(), told.map(|(x, y, _)| (x, y)));
        let line = widths(limit)
            .into_iter()
            .map(|width| (width, law.at(width)));
        let line = points(format!("width^{:.2}", law.exponent), line);
        Some([told.color(color).points_only(), line.color(color)])
    };
    let kinds = Deviation::BOTH.into_iter().enumerate();
    against_width(chart, widths(limit))
        .y_label(VARIABLES[v].deviation)
        .y_scale(Scale::Log)
        .all(kinds.filter_map(of).flatten())
}

fn of_subsets(subsets: &[Subset], correlations: &[Correlation]) -> Figure {
    let panel = |(draw, v): (Draw, usize)| {
        let subsets = subsets.iter().filter(|subset| subset.draw == draw);
        let cloud = points("", subsets.map(|s| (s.before[v], s.after.loss)));
        let mut found = correlations.iter();
        let found = found.find(|c| c.draw == draw && c.variable == v && c.outcome == "test_loss");
        let title = match found {
            Some(found) => format!("{}: ρ = {}", draw.name(), found.text()),
            None => draw.name().into(),
        };
        LineChart::new(title)
            .x_label(format!("initial {}", VARIABLES[v].label))
            .y_label("test loss")
            .series(cloud.color(0).points_only())
    };
    row(of_two(Draw::BOTH, 0..VARIABLES.len())
        .into_iter()
        .map(panel))
}
