//! The kinds of charts.

mod error_bars;
pub(crate) mod heat_map;
pub(crate) mod histogram;
pub(crate) mod image_grid;
pub(crate) mod line;
mod options;

use crate::axis::frame::Insets;
use crate::csv::CsvFile;
use crate::error::Error;
use crate::scene::{Rect, Scene};
use heat_map::HeatMap;
use histogram::Histogram;
use image_grid::ImageGrid;
use line::LineChart;

/// Charts whose plots line up when they stand in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Curves,
    Maps,
    Pictures,
}

/// A kind of chart. A new kind is a file with this trait, and a line in [`Panel`].
pub(crate) trait Chart {
    fn title(&self) -> &str;

    fn family(&self) -> Family;

    /// Checks that it can be drawn; everything after may rely on it.
    fn check(&self) -> Result<(), Error>;

    /// Computes the height it would like at this width, with at least the space `least` around its
    /// plot.
    fn height(&self, width: f64, least: Insets) -> f64;

    /// Computes the space that it keeps free around its plot when drawn so; none without a plot.
    /// Panels of one family in a row are given the largest, so that their plots line up, and those
    /// of all families the largest at the top.
    fn insets(&self, _outer: Rect, _least: Insets) -> Insets {
        Insets::default()
    }

    /// Draws itself inside the rectangle, with at least the space `least` around its plot.
    fn draw(&self, outer: Rect, least: Insets, scene: &mut Scene);

    /// Returns its numbers.
    fn csv(&self) -> ChartCsv;
}

/// The numbers behind a chart.
pub(crate) enum ChartCsv {
    /// Lines of the figure's common table: series, x, y.
    Points(Vec<(String, f64, f64)>),
    /// A file of its own, with a comment line for its head if there is something to say.
    Matrix(String),
    None,
}

/// Defines [`Panel`], the conversions into it, and the way to its chart.
macro_rules! panels {
    ($($(#[$doc:meta])* $name:ident($chart:ty),)+) => {
        /// A `Panel` is one chart of a figure.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum Panel {
            $($(#[$doc])* $name($chart),)+
        }

        impl Panel {
            pub(crate) fn chart(&self) -> &dyn Chart {
                match self {
                    $(Self::$name(chart) => chart,)+
                }
            }
        }

        $(impl From<$chart> for Panel {
            fn from(chart: $chart) -> Self {
                Self::$name(chart)
            }
        })+
    };
}

panels! {
    /// A chart of curves and points.
    Line(LineChart),
    /// A chart of counts of values.
    Histogram(Histogram),
    /// A matrix as colours.
    HeatMap(HeatMap),
    /// A grid of small pictures.
    Images(ImageGrid),
}

/// Makes the CSV files of a figure with these panels, which have been checked.
pub(crate) fn csv(panels: &[Panel]) -> Vec<CsvFile> {
    let (mut points, mut files) = (String::new(), Vec::new());
    let numbers: Vec<ChartCsv> = panels.iter().map(|p| p.chart().csv()).collect();
    let written = |n: &&ChartCsv| !matches!(n, ChartCsv::None);
    // A matrix that is all the figure has needs no name of its own.
    let alone = numbers.iter().filter(written).count() == 1;
    for (i, (panel, numbers)) in panels.iter().zip(numbers).enumerate() {
        let chart = panel.chart();
        match numbers {
            ChartCsv::Points(rows) => {
                let title = crate::csv::field(chart.title());
                for (series, x, y) in rows {
                    let series = crate::csv::field(&series);
                    let (x, y) = (crate::csv::exact(x), crate::csv::exact(y));
                    points.push_str(&format!("{title},{series},{x},{y}\n"));
                }
            }
            ChartCsv::Matrix(text) => {
                let mut suffix = if alone {
                    String::new()
                } else {
                    format!("-{}", crate::csv::slug(chart.title()))
                };
                if suffix == "-" || files.iter().any(|f: &CsvFile| f.suffix == suffix) {
                    suffix = format!("{}-{}", suffix.trim_end_matches('-'), i + 1);
                }
                files.push(CsvFile { suffix, text });
            }
            ChartCsv::None => {}
        }
    }
    if !points.is_empty() {
        let text = format!("panel,series,x,y\n{points}");
        files.insert(
            0,
            CsvFile {
                suffix: String::new(),
                text,
            },
        );
    }
    files
}
