#![doc = include_str!("../README.md")]
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

// Not `forbid`: the macro `s!` of ndarray allows it inside.
#![deny(unsafe_code)]

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
mod mark;
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
pub use error::Error;
pub use figure::Figure;
pub use series::Series;
