//! What can be wrong with a figure, and what to do about it.

use std::path::PathBuf;

use crate::csv::exact;

/// Why a figure could not be drawn or saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlotError {
    /// The figure has no panels.
    #[error("the figure has no panels: give Figure::new at least one")]
    NoPanels,
    /// A panel has nothing to draw.
    #[error("panel '{panel}' has no data: give it at least one {needs}")]
    NoData {
        /// Title of the panel.
        panel: String,
        /// What it needs one of.
        needs: &'static str,
    },
    /// Two arrays that belong together differ in length.
    #[error(
        "panel '{panel}', series '{series}': {expected} x values but {found} {what} values: give as many of each"
    )]
    Lengths {
        /// Title of the panel.
        panel: String,
        /// Name of the series.
        series: String,
        /// Which array differs: `y`, `low` or `high` of a band, `bar low` or `bar high`.
        what: &'static str,
        /// Number of x values.
        expected: usize,
        /// Number of values in the array that differs.
        found: usize,
    },
    /// NaN or infinity among the values.
    #[error(
        "panel '{panel}', {what}: {count} of {total} values are NaN or infinite, the first at index {first}: drop them or find where they come from"
    )]
    NotFinite {
        /// Title of the panel.
        panel: String,
        /// Which values.
        what: String,
        /// How many are not finite.
        count: usize,
        /// How many there are.
        total: usize,
        /// Index of the first (row-major for a matrix).
        first: usize,
    },
    /// Values beyond 1e300, where sums and differences overflow.
    #[error(
        "panel '{panel}', {what}: the value {value:e} at index {first} is beyond 1e300: divide by a unit first"
    )]
    TooLarge {
        /// Title of the panel.
        panel: String,
        /// Which values.
        what: String,
        /// Index of the first (row-major for a matrix).
        first: usize,
        /// The value.
        value: f64,
    },
    /// Zero or negative values on a logarithmic scale.
    #[error(
        "panel '{panel}', {what}: {count} of {total} values are not positive ({}), which a logarithmic scale cannot show: drop or clip them, or use Scale::Linear",
        listed(first, *count)
    )]
    NotPositive {
        /// Title of the panel.
        panel: String,
        /// Which values.
        what: String,
        /// How many are not positive.
        count: usize,
        /// How many there are.
        total: usize,
        /// Index (row-major for a matrix) and value of the first five.
        first: Vec<(usize, f64)>,
    },
    /// A range given for an axis is empty, not finite, or not positive on a logarithmic axis.
    #[error(
        "panel '{panel}': the {axis} range {low} to {high} cannot be drawn: give two finite numbers, the smaller first (both positive on a logarithmic axis)"
    )]
    Range {
        /// Title of the panel.
        panel: String,
        /// `x`, `y`, `right y` or `colour`.
        axis: &'static str,
        /// Lower end given.
        low: f64,
        /// Upper end given.
        high: f64,
    },
    /// A histogram without bins, or with more than can be told apart.
    #[error("panel '{panel}': a histogram of {bins} bins cannot be drawn: ask for 1 to {limit}")]
    Bins {
        /// Title of the panel.
        panel: String,
        /// Number of bins asked for.
        bins: usize,
        /// Largest number of bins.
        limit: usize,
    },
    /// A heat map has names for some of its rows or columns, but not one for each.
    #[error(
        "panel '{panel}' has {expected} {side} but {found} names of {side}: give one for each, or none"
    )]
    Names {
        /// Title of the panel.
        panel: String,
        /// `rows` or `columns`.
        side: &'static str,
        /// Number of rows or columns.
        expected: usize,
        /// Number of names.
        found: usize,
    },
    /// A pixel outside 0 to 1.
    #[error(
        "panel '{panel}', image {image}: the pixel value {value} is outside 0 (black) to 1 (white): scale the images first"
    )]
    Pixel {
        /// Title of the panel.
        panel: String,
        /// Index of the image.
        image: usize,
        /// The value.
        value: f64,
    },
    /// An image grid has some captions, but not one for every image.
    #[error(
        "panel '{panel}' has {images} images but {captions} captions: give one for each image, or none"
    )]
    Captions {
        /// Title of the panel.
        panel: String,
        /// Number of images.
        images: usize,
        /// Number of captions.
        captions: usize,
    },
    /// The figure would be larger than can be drawn in reasonable memory.
    #[error(
        "the figure would be {width} x {height} pixels, more than {limit} in all: split it into several figures"
    )]
    Canvas {
        /// Nominal width in pixels.
        width: u64,
        /// Nominal height in pixels.
        height: u64,
        /// Largest number of nominal pixels.
        limit: u64,
    },
    /// The stem is not a plain file name.
    #[error(
        "'{stem}' cannot be the stem of a file name: use letters, digits, '-', '_' and '.', not first"
    )]
    Stem {
        /// The stem given.
        stem: String,
    },
    /// Writing a file failed.
    #[error("cannot write {}: {source}: check that the folder may be written to and the disk has room", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The rasteriser failed; this is a defect of this crate.
    #[error("drawing the bitmap failed ({0}): please report this with the figure's data")]
    Raster(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Encoding the PNG failed; this is a defect of this crate.
    #[error("encoding the PNG failed ({0}): please report this with the figure's data")]
    Png(#[from] png::EncodingError),
}

/// The first of `count` values, and how many more there are.
fn listed(first: &[(usize, f64)], count: usize) -> String {
    let each = first
        .iter()
        .map(|(i, v)| format!("{} at index {i}", exact(*v)));
    let all = each.collect::<Vec<_>>().join(", ");
    match count.saturating_sub(first.len()) {
        0 => all,
        more => format!("{all} and {more} more"),
    }
}
