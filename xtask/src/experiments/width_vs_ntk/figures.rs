//! The notebook's two panels, by both kernels, and what they do not show side by side.

use super::kernels::{Curve, Kernel, TIMES, time_name};
use super::networks::Trained;
use super::{Captioned, SIZES, TRAIN, captioned};
use ntk_plots::{Figure, LineChart, Panel, Scale, Series};

/// Number of the palette's black.
const BLACK: usize = 6;

/// On which images an accuracy was measured.
#[derive(Clone, Copy)]
enum On {
    Train,
    Test,
}

impl On {
    fn label(self) -> &'static str {
        match self {
            Self::Train => "training accuracy",
            Self::Test => "test accuracy",
        }
    }
}

pub(super) fn all(curves: &[Curve], networks: &[Trained]) -> Vec<Captioned> {
    let found = Found { curves, networks };
    vec![
        captioned(
            "nngp",
            "The notebook's figure. Its left panel was titled NTK, but shows the kernel of the \
             network whose last layer alone is trained, the NNGP.",
            found.pair(Kernel::Nngp),
        ),
        captioned(
            "ntk",
            "The same by the NTK, which is what training all layers of the infinitely wide \
             network does.",
            found.pair(Kernel::Ntk),
        ),
        captioned(
            "training",
            "Accuracy on the training images: both kernels come to fit all of them, the networks \
             are stopped after 20 epochs.",
            Figure::new(vec![
                found.kernel(Kernel::Nngp, On::Train),
                found.kernel(Kernel::Ntk, On::Train),
                found.widths(Kernel::Ntk, On::Train),
            ]),
        ),
        captioned(
            "comparison",
            "Networks and kernels in the same axes: against the number of training images, and \
             against the width for all of them. Networks are trained for 20 epochs, the kernels for \
             ever.",
            Figure::new(vec![found.against_size(), found.against_width()]),
        ),
    ]
}

/// What was found.
struct Found<'a> {
    curves: &'a [Curve],
    networks: &'a [Trained],
}

impl Found<'_> {
    /// The notebook's two panels.
    fn pair(&self, kernel: Kernel) -> Figure {
        Figure::new(vec![
            self.kernel(kernel, On::Test),
            self.widths(kernel, On::Test),
        ])
    }

    /// One kernel at all times.
    fn kernel(&self, kernel: Kernel, on: On) -> Panel {
        let title = format!("{} after time t", kernel.name());
        let chart = against_images(&title, on);
        let last = TIMES.len() - 1;
        let chart = (0..last).fold(chart, |chart, i| {
            let series = self.at_time(kernel, on, i, &time_name(TIMES[i]));
            chart.series(series.ordered(share(i, last)).markers())
        });
        chart
            .series(self.limit(kernel, on, &time_name(TIMES[last])))
            .into()
    }

    /// Networks of all widths, and where the kernel ends.
    fn widths(&self, kernel: Kernel, on: On) -> Panel {
        let widths = self.all_widths();
        let chart = against_images("Networks by width", on);
        let chart = widths.iter().enumerate().fold(chart, |chart, (i, &width)| {
            let series = self.network(width, on).ordered(share(i, widths.len()));
            chart.series(series.markers())
        });
        let name = format!("{}, t = ∞", kernel.name());
        chart.series(self.limit(kernel, on, &name)).into()
    }

    /// Both kernels' ends and three networks.
    fn against_size(&self) -> Panel {
        let widths = self.all_widths();
        let mut chart = against_images("Kernels and networks", On::Test);
        for kernel in Kernel::BOTH {
            let name = format!("{}, t = ∞", kernel.name());
            let series = self.limit(kernel, On::Test, &name);
            chart = chart.series(style(kernel, series));
        }
        let mut shown = vec![0, widths.len() / 2, widths.len().saturating_sub(1)];
        shown.dedup();
        for i in shown {
            let Some(&width) = widths.get(i) else {
                continue;
            };
            let series = self.network(width, On::Test);
            chart = chart.series(series.ordered(share(i, widths.len())).markers());
        }
        chart.into()
    }

    /// Networks of all widths at the largest size, and both kernels' ends as levels.
    fn against_width(&self) -> Panel {
        let widths: Vec<f64> = self.all_widths().iter().map(|&w| w as f64).collect();
        let ends = [widths[0], widths[widths.len() - 1]];
        let mut chart = LineChart::new(format!("{TRAIN} training images"))
            .x_label("width")
            .y_label(On::Test.label())
            .x_scale(Scale::Log)
            .x_ticks(widths.clone());
        let largest: Vec<&Trained> = self.networks.iter().filter(|t| t.n == TRAIN).collect();
        let accuracy: Vec<f64> = largest.iter().map(|t| t.test.mean()).collect();
        let mut series = Series::new("network", widths, accuracy).color(0).markers();
        let spread: Option<Vec<_>> = largest.iter().map(|t| t.test.spread()).collect();
        if let Some(spread) = spread {
            let (low, high): (Vec<_>, Vec<_>) = spread.into_iter().unzip();
            series = series.band(low, high);
        }
        for kernel in Kernel::BOTH {
            let level = |curve: &Curve| curve.test[TIMES.len() - 1];
            let mut here = self.curves.iter();
            if let Some(curve) = here.find(|c| c.kernel == kernel && c.n == TRAIN) {
                let name = format!("{}, t = ∞", kernel.name());
                let series = Series::new(name, ends, [level(curve); 2]);
                chart = chart.series(style(kernel, series));
            }
        }
        chart.series(series).into()
    }

    /// Widths in the order in which they were trained.
    fn all_widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.networks.iter().map(|t| t.width).collect();
        widths.dedup();
        widths
    }

    /// A kernel after all of time: dashed black.
    fn limit(&self, kernel: Kernel, on: On, name: &str) -> Series {
        let end = TIMES.len() - 1;
        self.at_time(kernel, on, end, name).dashed().color(BLACK)
    }

    /// A kernel's accuracy at one of the times, against the number of images.
    fn at_time(&self, kernel: Kernel, on: On, time: usize, name: &str) -> Series {
        let curves = self.curves.iter().filter(|c| c.kernel == kernel);
        let accuracy = |c: &Curve| match on {
            On::Train => c.train[time],
            On::Test => c.test[time],
        };
        let points = curves.map(|c| (c.n as f64, accuracy(c)));
        let (x, y): (Vec<_>, Vec<_>) = points.unzip();
        Series::new(name, x, y)
    }

    /// One width's mean accuracy against the number of images, with the spread over the seeds.
    fn network(&self, width: usize, on: On) -> Series {
        let networks = self.networks.iter().filter(|t| t.width == width);
        let accuracies = |t: &'_ Trained| match on {
            On::Train => (t.train.mean(), t.train.spread()),
            On::Test => (t.test.mean(), t.test.spread()),
        };
        let (mut x, mut y, mut low, mut high) = (vec![], vec![], vec![], vec![]);
        for network in networks {
            let (mean, spread) = accuracies(network);
            x.push(network.n as f64);
            y.push(mean);
            if let Some((a, b)) = spread {
                low.push(a);
                high.push(b);
            }
        }
        let banded = !low.is_empty();
        let series = Series::new(format!("width {width}"), x, y);
        if banded {
            series.band(low, high)
        } else {
            series
        }
    }
}

/// An empty chart of accuracies against the number of training images.
fn against_images(title: &str, on: On) -> LineChart {
    LineChart::new(title)
        .x_label("training images n")
        .y_label(on.label())
        .x_scale(Scale::Log)
        .x_ticks(SIZES.map(|n| n as f64))
        .y_from_zero()
}

/// The kernels apart from each other, and both from networks.
fn style(kernel: Kernel, series: Series) -> Series {
    match kernel {
        Kernel::Nngp => series.dotted().color(1),
        Kernel::Ntk => series.dashed().color(BLACK),
    }
}

/// Place of the `i`-th of `n` colours in the sequence.
fn share(i: usize, n: usize) -> f64 {
    i as f64 / (n.max(2) - 1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::networks::Accuracies;
    use super::*;

    fn comparison(seeds: &[f64]) -> String {
        let curve = |kernel| {
            SIZES.map(|n| Curve {
                kernel,
                n,
                train: vec![1.0; TIMES.len()],
                test: vec![0.5; TIMES.len()],
            })
        };
        let network = |width| {
            SIZES.map(|n| Trained {
                width,
                n,
                train: Accuracies(seeds.to_vec()),
                test: Accuracies(seeds.to_vec()),
            })
        };
        let curves: Vec<Curve> = Kernel::BOTH.into_iter().flat_map(curve).collect();
        let networks: Vec<Trained> = [64, 128].into_iter().flat_map(network).collect();
        let figures = all(&curves, &networks);
        for (info, figure) in &figures {
            assert!(figure.svg().is_ok(), "{}", info.stem);
        }
        let (_, figure) = figures.last().expect("the comparison");
        figure.csv()[0].text.clone()
    }

    #[test]
    fn several_seeds_have_a_band_around_their_mean() {
        let csv = comparison(&[0.25, 0.75, 0.5]);
        for line in [
            "2048 training images,network,64,0.5",
            "2048 training images,network (low),128,0.25",
            "Kernels and networks,width 128 (high),2048,0.75",
        ] {
            assert!(csv.contains(&format!("{line}\n")), "{line}: {csv}");
        }
        assert!(!comparison(&[0.25]).contains("(low)"));
    }
}
