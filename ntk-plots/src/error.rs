//! The error of the crate: what is wrong with a figure, and what to do about it.

use std::path::PathBuf;

use crate::csv::exact;

/// An `Error` says why a figure could not be drawn or saved, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The figure has no panels.
    #[error("the figure has no panels: give Figure::new at least one")]
    NoPanels,
    /// A panel has nothing to draw.
    #[error("panel '{panel}' has no data: give it at least one {needs}")]
    NoData {
        /// The title of the panel.
        panel: String,
        /// The data that it needs one of.
        needs: &'static str,
    },
    /// Two arrays that belong together differ in length.
    #[error(
        "panel '{panel}', series '{series}': {expected} x values but {found} {what} values: give as many of each"
    )]
    Lengths {
        /// The title of the panel.
        panel: String,
        /// The name of the series.
        series: String,
        /// The array that differs: `y`, `low` or `high` of a band, `bar low` or `bar high`.
        what: &'static str,
        /// The number of x values.
        expected: usize,
        /// The number of values in the array that differs.
        found: usize,
    },
    /// Some values are NaN or infinite.
    #[error(
        "panel '{panel}', {what}: {count} of {total} values are NaN or infinite, the first at index {first}: drop them or find where they come from"
    )]
    NotFinite {
        /// The title of the panel.
        panel: String,
        /// The name of the values.
        what: String,
        /// The number of values that are not finite.
        count: usize,
        /// The number of values in all.
        total: usize,
        /// The index of the first (row-major for a matrix).
        first: usize,
    },
    /// A value is beyond 1e300, where sums and differences overflow.
    #[error(
        "panel '{panel}', {what}: the value {value:e} at index {first} is beyond 1e300: divide by a unit first"
    )]
    TooLarge {
        /// The title of the panel.
        panel: String,
        /// The name of the values.
        what: String,
        /// The index of the first (row-major for a matrix).
        first: usize,
        /// The value that is too large, or outside.
        value: f64,
    },
    /// Values on a logarithmic scale are zero or negative.
    #[error(
        "panel '{panel}', {what}: {count} of {total} values are not positive ({}), which a logarithmic scale cannot show: drop or clip them, or use Scale::Linear",
        listed(first, *count)
    )]
    NotPositive {
        /// The title of the panel.
        panel: String,
        /// The name of the values.
        what: String,
        /// The number of values that are not positive.
        count: usize,
        /// The number of values in all.
        total: usize,
        /// The index (row-major for a matrix) and value of the first five.
        first: Vec<(usize, f64)>,
    },
    /// A range given for an axis is empty, not finite, or not positive on a logarithmic axis.
    #[error(
        "panel '{panel}': the {axis} range {low} to {high} cannot be drawn: give two finite numbers, the smaller first (both positive on a logarithmic axis)"
    )]
    Range {
        /// The title of the panel.
        panel: String,
        /// The name of the axis: `x`, `y`, `right y` or `colour`.
        axis: &'static str,
        /// The lower end given.
        low: f64,
        /// The upper end given.
        high: f64,
    },
    /// A histogram has no bins, or more than can be told apart.
    #[error("panel '{panel}': a histogram of {bins} bins cannot be drawn: ask for 1 to {limit}")]
    Bins {
        /// The title of the panel.
        panel: String,
        /// The number of bins asked for.
        bins: usize,
        /// The largest number of bins.
        limit: usize,
    },
    /// A heat map has names for some of its rows or columns, but not one for each.
    #[error(
        "panel '{panel}' has {expected} {side} but {found} names of {side}: give one for each, or none"
    )]
    Names {
        /// The title of the panel.
        panel: String,
        /// The side: `rows` or `columns`.
        side: &'static str,
        /// The number of rows or columns.
        expected: usize,
        /// The number of names.
        found: usize,
    },
    /// A pixel is outside 0 to 1.
    #[error(
        "panel '{panel}', image {image}: the pixel value {value} is outside 0 (black) to 1 (white): scale the images first"
    )]
    Pixel {
        /// The title of the panel.
        panel: String,
        /// The index of the image.
        image: usize,
        /// The value that is too large, or outside.
        value: f64,
    },
    /// An image grid has some captions, but not one for every image.
    #[error(
        "panel '{panel}' has {images} images but {captions} captions: give one for each image, or none"
    )]
    Captions {
        /// The title of the panel.
        panel: String,
        /// The number of images.
        images: usize,
        /// The number of captions.
        captions: usize,
    },
    /// The figure would be larger than can be drawn in reasonable memory.
    #[error(
        "the figure would be {width} x {height} pixels, more than {limit} in all: split it into several figures"
    )]
    Canvas {
        /// The nominal width in pixels.
        width: u64,
        /// The nominal height in pixels.
        height: u64,
        /// The largest number of nominal pixels.
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
    /// A file could not be written.
    #[error("cannot write {}: {source}: check that the folder may be written to and the disk has room", path.display())]
    Io {
        /// The path of the file.
        path: PathBuf,
        /// The answer of the system.
        source: std::io::Error,
    },
    /// The rasteriser failed; this is a defect of this crate.
    #[error("drawing the bitmap failed ({0}): please report this with the figure's data")]
    Raster(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The PNG could not be encoded; this is a defect of this crate.
    #[error("encoding the PNG failed ({0}): please report this with the figure's data")]
    Png(#[from] png::EncodingError),
}

/// Lists the first of `count` values, and how many more there are.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_can_share_the_error() {
        fn shared<E: std::error::Error + Send + Sync + 'static>() {}
        shared::<Error>();
    }
}
