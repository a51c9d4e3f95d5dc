//! Figures as PNG, SVG and CSV, and a report as one self-contained HTML page.
//!
//! Inputs are plain series and matrices; the crate knows nothing of networks or kernels.
//!
//! ```
//! use ntk_plots::{Figure, LineChart, Scale, Series};
//!
//! let epochs: Vec<f64> = (1..=100).map(f64::from).collect();
//! let loss: Vec<f64> = epochs.iter().map(|t| (-t / 20.0).exp()).collect();
//! let chart = LineChart::new("Training loss")
//!     .x_label("epoch")
//!     .y_label("loss")
//!     .y_scale(Scale::Log)
//!     .series(Series::new("network", epochs, loss));
//! let svg = Figure::new(vec![chart.into()]).note("synthetic data").svg()?;
//! assert!(svg.starts_with("<svg"));
//! # Ok::<(), ntk_plots::PlotError>(())
//! ```
//!
//! # How a figure is made
//!
//! A chart lays itself out into a display list of lines, polygons, texts and images, in nominal
//! pixels with fractions. The list is drawn twice: as SVG with a `viewBox`, and by plotters'
//! rasteriser at six times the nominal size, then averaged over 3 x 3 boxes, so that the PNG has
//! twice the nominal size and none of the wobble of whole-pixel coordinates. Text is DejaVu
//! Sans, which is compiled in: no system font or library is needed.
//!
//! Every kind of chart is one file under `chart/` and one line in [`Panel`].
//!
//! # When not to use it
//!
//! There is no interaction, no animation and no three-dimensional chart, and data with NaN or
//! infinity is refused instead of drawn with gaps.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod axis;
mod chart;
mod color_map;
mod csv;
mod error;
mod figure;
mod files;
#[cfg(test)]
mod layout_tests;
mod legend;
mod raster;
pub mod report;
mod scene;
mod series;
mod svg;
mod text;
mod theme;

pub use axis::Scale;
pub use chart::Panel;
pub use chart::heat_map::HeatMap;
pub use chart::histogram::Histogram;
pub use chart::image_grid::ImageGrid;
pub use chart::line::LineChart;
pub use color_map::ColorMap;
pub use csv::CsvFile;
pub use error::PlotError;
pub use figure::Figure;
pub use series::Series;
