//! Curves along training, the approach to the closed form, and one point a subset.

use super::PROBE;
use super::limit::{Deviation, Limit};
use super::subsets::{Correlation, Draw, Outcome, Trained as Subset};
use super::training::{MIDDLE, Plan, Trained};
use super::variables::{Architecture, Variable};
use crate::experiments::common::{Captioned, captioned};
use ntk_plots::{Figure, LineChart, Panel, Scale, Series};

/// Number of the palette's black.
const BLACK: usize = 6;

/// What was found.
pub(super) struct Found<'a> {
    pub(super) plan: &'a Plan,
    pub(super) trained: &'a [Trained],
    pub(super) limit: &'a Limit,
    pub(super) subsets: &'a [Subset],
    pub(super) correlations: &'a [Correlation],
}

pub(super) fn all(found: &Found<'_>) -> Vec<Captioned> {
    let Architecture { width, layers } = MIDDLE;
    vec![
        captioned(
            "widths",
            &format!(
                "Entropy and trace of the empirical kernel of {PROBE} training images along training, for \
                 networks of {layers} hidden layers by width: mean over seeds, and its standard error."
            ),
            found.along(
                &found.plan.widths,
                |width| Architecture { width, ..MIDDLE },
                "width",
            ),
        ),
        captioned(
            "depths",
            &format!(
                "The same for networks of width {width} by number of hidden layers. The trace begins \
                 in proportion to the number of layers."
            ),
            found.along(
                &found.plan.layers,
                |layers| Architecture { layers, ..MIDDLE },
                "depth",
            ),
        ),
        captioned(
            "initial",
            "Before training: mean over networks with its standard error against the width, and the \
             closed form of the infinitely wide network (dashed).",
            found.initial(),
        ),
        captioned(
            "deviations",
            "How far finite networks are from the closed form: root mean square over networks, and \
             the mean over networks in absolute value, where it can be told from zero (by two \
             standard errors) at three widths at least. Lines are power laws.",
            found.deviations(),
        ),
        captioned(
            "subsets",
            "One network for each random subset, from the same initial weights: test loss after \
             training against what the kernel of the subset was before. Above: any images of the \
             pool. Below: as many of each class. Titles: Spearman's rank correlation and its 95 % \
             bootstrap interval; one interval in twenty leaves zero out by chance.",
            found.subsets(),
        ),
    ]
}

impl Found<'_> {
    fn along(
        &self,
        sizes: &[usize],
        architecture: impl Fn(usize) -> Architecture,
        what: &str,
    ) -> Figure {
        let panel = |variable: Variable| -> Panel {
            let mut chart = LineChart::new(variable.title())
                .x_label("epoch")
                .y_label(variable.label());
            if variable == Variable::Trace {
                chart = chart.y_scale(Scale::Log);
            }
            for (i, &size) in sizes.iter().enumerate() {
                let wanted = architecture(size);
                let Some(trained) = self.trained.iter().find(|t| t.architecture == wanted) else {
                    continue;
                };
                let points = trained.along(variable);
                let epochs: Vec<f64> = (0..points.len()).map(|e| e as f64).collect();
                let series = banded(&format!("{what} {size}"), epochs, &points);
                chart = chart.series(series.ordered(i as f64 / (sizes.len().max(2) - 1) as f64));
            }
            chart.into()
        };
        Figure::new(Variable::ALL.map(panel).into())
    }

    fn initial(&self) -> Figure {
        let panel = |variable: Variable| -> Panel {
            let widths = self.widths();
            let ends = [widths[0], widths[widths.len() - 1]];
            let level = [self.limit.infinite.get(variable); 2];
            against_width(variable, &widths)
                .y_label(variable.label())
                .series(Series::new("infinite", ends, level).dashed().color(BLACK))
                .series(
                    banded("finite", widths, &self.limit.means(variable))
                        .color(0)
                        .markers(),
                )
                .into()
        };
        Figure::new(Variable::ALL.map(panel).into())
    }

    fn deviations(&self) -> Figure {
        let panel = |variable: Variable| -> Panel {
            let widths = self.widths();
            let unit = match variable {
                Variable::Trace => "deviation",
                _ => "deviation [nats]",
            };
            let mut chart = against_width(variable, &widths)
                .y_label(unit)
                .y_scale(Scale::Log);
            for (color, kind) in Deviation::BOTH.into_iter().enumerate() {
                let Some(law) = self.limit.law(variable, kind) else {
                    continue;
                };
                let points = self.limit.told(variable, kind).into_iter();
                let (x, y): (Vec<f64>, Vec<f64>) = points.map(|(x, y, _)| (x, y)).unzip();
                let name = format!("width^{:.2}", law.exponent);
                let line: Vec<f64> = widths.iter().map(|&width| law.at(width)).collect();
                chart = chart
                    .series(Series::new(kind.name(), x, y).color(color).points_only())
                    .series(Series::new(name, widths.clone(), line).color(color));
            }
            chart.into()
        };
        Figure::new(Variable::ALL.map(panel).into())
    }

    fn subsets(&self) -> Figure {
        let mut panels: Vec<Panel> = Vec::new();
        for draw in Draw::BOTH {
            for variable in Variable::ALL {
                let points = self.subsets.iter().filter(|t| t.draw == draw);
                let (x, y): (Vec<f64>, Vec<f64>) = points
                    .map(|t| (t.before.get(variable), t.test_loss))
                    .unzip();
                let of = self.correlations.iter().find(|c| {
                    c.draw == draw && c.variable == variable && c.outcome == Outcome::Loss
                });
                let name = draw.as_str();
                let title = match of {
                    Some(found) => format!("{name}: ρ = {}", found.text()),
                    None => name.into(),
                };
                panels.push(
                    LineChart::new(title)
                        .x_label(format!("initial {}", variable.label()))
                        .y_label("test loss")
                        .series(Series::new("", x, y).color(0).points_only())
                        .into(),
                );
            }
        }
        Figure::new(panels).columns(Variable::ALL.len())
    }

    fn widths(&self) -> Vec<f64> {
        self.limit
            .finite
            .iter()
            .map(|(width, _)| *width as f64)
            .collect()
    }
}

/// An empty chart of something against these widths.
fn against_width(variable: Variable, widths: &[f64]) -> LineChart {
    LineChart::new(variable.title())
        .x_label("width")
        .x_scale(Scale::Log)
        .x_ticks(widths)
}

/// Means with a band of their standard errors.
fn banded(name: &str, x: Vec<f64>, points: &[(f64, f64)]) -> Series {
    let of = |sign: f64| points.iter().map(move |(mean, error)| mean + sign * error);
    let mean: Vec<f64> = of(0.0).collect();
    let series = Series::new(name, x, mean);
    series.band(of(-1.0).collect::<Vec<_>>(), of(1.0).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::super::training::tests::trained;
    use super::super::variables::Variables;
    use super::*;

    /// No mean deviation, no correlation, and one network of all.
    #[test]
    fn figures_are_drawn_of_little() {
        let plan = Plan::few();
        let limit = Limit {
            finite: [8, 16, 32]
                .map(|w| (w, [1.0, 2.0, 1.0, 2.0].map(|v| Variables([v; 3])).into()))
                .into(),
            infinite: Variables([1.5; 3]),
        };
        let found = Found {
            plan: &plan,
            trained: &[trained([-0.1, 0.0, 0.1])],
            limit: &limit,
            subsets: &super::super::subsets::tests::trained(),
            correlations: &[],
        };
        for (info, figure) in all(&found) {
            assert!(
                figure.svg().is_ok(),
                "{}: {:?}",
                info.stem,
                figure.svg().err()
            );
        }
    }
}
