//! The curves, or clouds of points, of a line chart.

use crate::color_map::ColorMap;
use crate::error::Error;
use crate::theme::{Color, SERIES};
use std::borrow::Cow;

/// The largest value whose sums and differences do not overflow.
const LARGEST: f64 = 1e300;

/// A `Series` is points that belong together, in the order in which they are joined.
///
/// ```
/// use ntk_plots::{Figure, LineChart, Series};
///
/// let (width, accuracy, error) = ([64.0, 256.0, 1024.0], [0.79, 0.83, 0.85], [0.01, 0.01, 0.02]);
/// let networks = Series::new("networks", width, accuracy).markers().plus_minus(error);
/// let limit = Series::new("infinite width", [64.0, 1024.0], [0.86; 2]).dashed();
/// let chart = LineChart::new("Accuracy").x_label("width").series(networks).series(limit);
/// assert!(Figure::new(vec![chart.into()]).svg()?.contains("infinite width"));
/// # Ok::<(), ntk_plots::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub(crate) name: String,
    pub(crate) x: Vec<f64>,
    pub(crate) y: Vec<f64>,
    pub(crate) band: Option<(Vec<f64>, Vec<f64>)>,
    pub(crate) bars: Option<(Vec<f64>, Vec<f64>)>,
    pub(crate) joined: bool,
    pub(crate) markers: bool,
    pub(crate) dash: Dash,
    pub(crate) paint: Paint,
    pub(crate) right: bool,
}

/// The origins of a series' colour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Paint {
    /// The palette, at the series' place in the chart.
    Place,
    /// The palette, at this number.
    Palette(usize),
    /// The sequential colour map, at this share of its drawable part.
    Ordered(f64),
}

/// The share of viridis beyond which it is too light for a line on paper.
const LIGHTEST: f64 = 0.88;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dash {
    Solid,
    Dashed,
    Dotted,
}

impl Series {
    /// Makes a solid curve through the points `(x, y)`. A series with an empty name is not listed in
    /// the legend.
    pub fn new(name: impl Into<String>, x: impl Into<Vec<f64>>, y: impl Into<Vec<f64>>) -> Self {
        Self {
            name: name.into(),
            x: x.into(),
            y: y.into(),
            band: None,
            bars: None,
            joined: true,
            markers: false,
            dash: Dash::Solid,
            paint: Paint::Place,
            right: false,
        }
    }

    /// Draws the curve dashed.
    pub fn dashed(mut self) -> Self {
        self.dash = Dash::Dashed;
        self
    }

    /// Draws the curve dotted.
    pub fn dotted(mut self) -> Self {
        self.dash = Dash::Dotted;
        self
    }

    /// Marks every point; the marks of a chart's series differ in shape.
    pub fn markers(mut self) -> Self {
        self.markers = true;
        self
    }

    /// Marks every point, and does not join them: a scatter plot. Where a chart has so many marks
    /// that they would cover each other, they are smaller, and these translucent.
    pub fn points_only(mut self) -> Self {
        self.joined = false;
        self.markers()
    }

    /// Shades between `low` and `high` (for instance the extremes over seeds), one of each for
    /// every point.
    pub fn band(mut self, low: impl Into<Vec<f64>>, high: impl Into<Vec<f64>>) -> Self {
        self.band = Some((low.into(), high.into()));
        self
    }

    /// Draws a bar with caps from `low` to `high` (for instance the ends of an interval of
    /// confidence) through every point, one of each for every point. See
    /// [`plus_minus`](Self::plus_minus) for bars of equal halves.
    ///
    /// What lies outside a range given for the axis is cut off, and has no cap there. On a
    /// logarithmic axis both ends must be positive.
    pub fn error_bars(mut self, low: impl Into<Vec<f64>>, high: impl Into<Vec<f64>>) -> Self {
        self.bars = Some((low.into(), high.into()));
        self
    }

    /// Draws [`error_bars`](Self::error_bars) from `y - error` to `y + error` (for instance the
    /// standard error of a mean), one `error` for every point, in the unit of y.
    pub fn plus_minus(self, error: impl Into<Vec<f64>>) -> Self {
        let error = error.into();
        // Of the length of `error`, so that a wrong one is refused, not cut.
        let y = |i: usize| self.y.get(i).copied().unwrap_or_default();
        let low: Vec<f64> = error.iter().enumerate().map(|(i, e)| y(i) - e).collect();
        let high: Vec<f64> = error.iter().enumerate().map(|(i, e)| y(i) + e).collect();
        self.error_bars(low, high)
    }

    /// Measures y on the chart's right axis. Legend and CSV call the series by its name and
    /// `(right)`.
    pub fn right(mut self) -> Self {
        self.right = true;
        self
    }

    /// Takes the palette's colour number `index` (modulo its seven) instead of the series' own
    /// place: for pairs such as training and test of one method.
    pub fn color(mut self, index: usize) -> Self {
        self.paint = Paint::Palette(index);
        self
    }

    /// Takes the colour at `share` (0 dark blue, 1 light green; held inside) of a sequence that
    /// grows lighter: for a family of curves with an order, such as times or widths.
    pub fn ordered(mut self, share: f64) -> Self {
        self.paint = Paint::Ordered(share);
        self
    }

    /// Returns the name in legend and CSV; empty if the legend is not to list the series.
    pub(crate) fn title(&self) -> Cow<'_, str> {
        if self.right && !self.name.trim().is_empty() {
            Cow::Owned(format!("{} (right)", self.name))
        } else {
            Cow::Borrowed(&self.name)
        }
    }

    /// Returns the colour of the series at this place in the chart.
    pub(crate) fn painted(&self, place: usize) -> Color {
        match self.paint {
            Paint::Place => SERIES[place % SERIES.len()],
            Paint::Palette(index) => SERIES[index % SERIES.len()],
            // Not clamp, which would keep NaN.
            Paint::Ordered(share) if share > 0.0 => {
                ColorMap::Sequential.color(share.min(1.0) * LIGHTEST)
            }
            Paint::Ordered(_) => ColorMap::Sequential.color(0.0),
        }
    }

    /// Lists the ys of the curve, of its band and of its bars, with their names.
    pub(crate) fn all_y(&self) -> impl Iterator<Item = (&'static str, &[f64])> + Clone {
        std::iter::once(("y", self.y.as_slice()))
            .chain(ends(self.band.as_ref(), ["low", "high"]))
            .chain(ends(self.bars.as_ref(), ["bar low", "bar high"]))
    }

    pub(crate) fn check(&self, panel: &str) -> Result<(), Error> {
        for (what, ys) in self.all_y() {
            if ys.len() != self.x.len() {
                return Err(Error::Lengths {
                    panel: panel.to_owned(),
                    series: self.name.clone(),
                    what,
                    expected: self.x.len(),
                    found: ys.len(),
                });
            }
        }
        for (what, values) in std::iter::once(("x", self.x.as_slice())).chain(self.all_y()) {
            check_values(panel, || format!("series '{}', {what}", self.name), values)?;
        }
        Ok(())
    }
}

/// Lists both ends of a band or of bars, with their names.
fn ends<'a>(
    pair: Option<&'a (Vec<f64>, Vec<f64>)>,
    names: [&'static str; 2],
) -> impl Iterator<Item = (&'static str, &'a [f64])> + Clone + use<'a> {
    let both = pair.map(|(low, high)| [low.as_slice(), high.as_slice()]);
    names.into_iter().zip(both.into_iter().flatten())
}

/// The number of values that an error lists.
const LISTED: usize = 5;

/// Checks that a logarithmic scale can show all values.
pub(crate) fn check_positive<'a>(
    panel: &str,
    what: impl Fn() -> String,
    values: impl IntoIterator<Item = &'a f64>,
) -> Result<(), Error> {
    let (mut total, mut count, mut first) = (0, 0, Vec::new());
    for (i, &value) in values.into_iter().enumerate() {
        total += 1;
        if value <= 0.0 {
            count += 1;
            if first.len() < LISTED {
                first.push((i, value));
            }
        }
    }
    if count == 0 {
        return Ok(());
    }
    Err(Error::NotPositive {
        panel: panel.to_owned(),
        what: what(),
        count,
        total,
        first,
    })
}

/// Checks that no value is NaN, infinite or so large that differences overflow.
pub(crate) fn check_values<'a>(
    panel: &str,
    what: impl Fn() -> String,
    values: impl IntoIterator<Item = &'a f64>,
) -> Result<(), Error> {
    let (mut total, mut bad, mut first_bad, mut large) = (0, 0, 0, None);
    for (i, &value) in values.into_iter().enumerate() {
        total += 1;
        if !value.is_finite() {
            if bad == 0 {
                first_bad = i;
            }
            bad += 1;
        } else if value.abs() > LARGEST && large.is_none() {
            large = Some((i, value));
        }
    }
    let panel = panel.to_owned();
    if bad > 0 {
        return Err(Error::NotFinite {
            panel,
            what: what(),
            count: bad,
            total,
            first: first_bad,
        });
    }
    match large {
        Some((first, value)) => Err(Error::TooLarge {
            panel,
            what: what(),
            first,
            value,
        }),
        None => Ok(()),
    }
}
