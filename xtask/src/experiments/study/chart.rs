//! What figures of several experiments are drawn with.

use ntk_cli::results::FigureInfo;
use ntk_plots::{Figure, LineChart, Panel, Series};

/// The number of the palette's black.
pub(crate) const BLACK: usize = 6;

/// A figure with its file name and caption.
pub(crate) type Captioned = (FigureInfo, Figure);

/// Makes a figure with its file name and caption.
pub(crate) fn captioned(stem: &str, caption: impl Into<String>, figure: Figure) -> Captioned {
    let (stem, caption) = (stem.into(), caption.into());
    (FigureInfo { stem, caption }, figure)
}

/// Makes a figure of panels side by side.
pub(crate) fn row<P: Into<Panel>>(panels: impl IntoIterator<Item = P>) -> Figure {
    Figure::new(panels.into_iter().map(Into::into).collect())
}

/// `AllSeries` is for charts that several series are added to.
pub(crate) trait AllSeries {
    /// Adds all series, in their order.
    fn all(self, series: impl IntoIterator<Item = Series>) -> Self;
}

impl AllSeries for LineChart {
    fn all(self, series: impl IntoIterator<Item = Series>) -> Self {
        series.into_iter().fold(self, Self::series)
    }
}

/// Makes a series through points.
pub(crate) fn points(
    name: impl Into<String>,
    points: impl IntoIterator<Item = (f64, f64)>,
) -> Series {
    let (x, y): (Vec<f64>, Vec<f64>) = points.into_iter().unzip();
    Series::new(name, x, y)
}

/// Makes a horizontal line at `y` over all of `x`, which is ascending.
pub(crate) fn level(name: impl Into<String>, x: &[f64], y: f64) -> Series {
    let ends = x.first().into_iter().chain(x.last());
    points(name, ends.map(|&x| (x, y)))
}

/// Gives the `i`-th of `n` series of a family its place in the sequence of colours.
pub(crate) fn family(series: Series, i: usize, n: usize) -> Series {
    series.ordered(i as f64 / (n.max(2) - 1) as f64)
}
