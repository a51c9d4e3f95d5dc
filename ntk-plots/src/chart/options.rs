//! The options of every chart with a pair of axes: title, labels, scales and ranges.

use crate::axis::frame::Frame;
use crate::axis::{Axis, Scale};
use crate::error::Error;

/// The options of one axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AxisOptions {
    pub(crate) label: String,
    pub(crate) scale: Scale,
    pub(crate) range: Option<(f64, f64)>,
    /// The ticks asked for, ascending; they are at round numbers if there are none.
    pub(crate) ticks: Vec<f64>,
}

/// The title and the axes of a chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Options {
    pub(crate) title: String,
    pub(crate) x: AxisOptions,
    pub(crate) y: AxisOptions,
    /// A second y axis, of which only line charts make use.
    pub(crate) right: AxisOptions,
}

impl Options {
    /// Makes linear axes without labels, over the data's own ranges.
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            ..Self::default()
        }
    }

    /// Checks that ranges can be drawn.
    pub(crate) fn check(&self) -> Result<(), Error> {
        for (axis, options) in [("x", &self.x), ("y", &self.y), ("right y", &self.right)] {
            if let Some(range) = options.range
                && !drawable(options.scale, range)
            {
                return Err(Error::Range {
                    panel: self.title.clone(),
                    axis,
                    low: range.0,
                    high: range.1,
                });
            }
        }
        Ok(())
    }

    /// Makes the frame around these axes, with nothing but title and labels.
    pub(crate) fn frame<'a>(&'a self, x: &'a Axis, y: &'a Axis) -> Frame<'a> {
        Frame {
            title: &self.title,
            x_label: &self.x.label,
            y_label: &self.y.label,
            right: None,
            note: "",
            x,
            y,
            head: 0.0,
            tail: 0.0,
            aspect: None,
        }
    }
}

/// Tells whether a range is finite and not empty, and positive on a logarithmic axis.
pub(crate) fn drawable(scale: Scale, (low, high): (f64, f64)) -> bool {
    let narrow = 1e-290_f64.max(1e-12 * low.abs().max(high.abs()));
    let sound = low.abs() <= 1e300 && high.abs() <= 1e300 && high - low > narrow;
    sound && (scale == Scale::Linear || low > 0.0)
}

/// The setters of a chart's labels, with what their documentation says.
macro_rules! label_setters {
    (x: $x:literal, y: $y:literal) => {
        /// Sets the label of x.
        ///
        #[doc = $x]
        pub fn x_label(mut self, label: impl Into<String>) -> Self {
            self.options.x.label = label.into();
            self
        }

        /// Sets the label of y.
        ///
        #[doc = $y]
        pub fn y_label(mut self, label: impl Into<String>) -> Self {
            self.options.y.label = label.into();
            self
        }
    };
}

/// The setters of a chart's ranges.
macro_rules! range_setters {
    () => {
        /// Shows exactly this range of x; what lies outside is cut off.
        pub fn x_range(mut self, low: f64, high: f64) -> Self {
            self.options.x.range = Some((low, high));
            self
        }

        /// Shows exactly this range of y; what lies outside is cut off.
        pub fn y_range(mut self, low: f64, high: f64) -> Self {
            self.options.y.range = Some((low, high));
            self
        }
    };
}

pub(crate) use {label_setters, range_setters};
