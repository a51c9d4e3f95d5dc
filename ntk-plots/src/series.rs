//! One curve, or cloud of points, of a line chart.

use crate::color_map::ColorMap;
use crate::error::PlotError;
use crate::theme::{Color, SERIES};
use std::borrow::Cow;

/// Beyond this, sums and differences of values overflow.
const LARGEST: f64 = 1e300;

/// Points that belong together, in the order in which they are joined.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub(crate) name: String,
    pub(crate) x: Vec<f64>,
    pub(crate) y: Vec<f64>,
    pub(crate) band: Option<(Vec<f64>, Vec<f64>)>,
    pub(crate) joined: bool,
    pub(crate) markers: bool,
    pub(crate) dash: Dash,
    pub(crate) paint: Paint,
    pub(crate) right: bool,
}

/// Where a series has its colour from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Paint {
    /// The palette, at the series' place in the chart.
    Place,
    /// The palette, at this number.
    Palette(usize),
    /// The sequential colour map, at this share of its drawable part.
    Ordered(f64),
}

/// Viridis beyond this is too light for a line on paper.
const LIGHTEST: f64 = 0.88;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dash {
    Solid,
    Dashed,
    Dotted,
}

impl Series {
    /// A solid curve through the points `(x, y)`. A series with an empty name is not listed in
    /// the legend.
    pub fn new(name: impl Into<String>, x: impl Into<Vec<f64>>, y: impl Into<Vec<f64>>) -> Self {
        Self {
            name: name.into(),
            x: x.into(),
            y: y.into(),
            band: None,
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

    /// Marks every point, and does not join them: a scatter plot.
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

    /// What legend and CSV call it; empty if the legend is not to list it.
    pub(crate) fn title(&self) -> Cow<'_, str> {
        if self.right && !self.name.trim().is_empty() {
            Cow::Owned(format!("{} (right)", self.name))
        } else {
            Cow::Borrowed(&self.name)
        }
    }

    /// The colour of the series at this place in the chart.
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

    /// The ys of the curve and of its band.
    pub(crate) fn all_y(&self) -> impl Iterator<Item = &[f64]> + Clone {
        let band = self
            .band
            .iter()
            .flat_map(|(low, high)| [low.as_slice(), high.as_slice()]);
        std::iter::once(self.y.as_slice()).chain(band)
    }

    pub(crate) fn check(&self, panel: &str) -> Result<(), PlotError> {
        let named = ["y", "low", "high"];
        for (ys, what) in self.all_y().zip(named) {
            if ys.len() != self.x.len() {
                return Err(PlotError::Lengths {
                    panel: panel.to_owned(),
                    series: self.name.clone(),
                    what,
                    expected: self.x.len(),
                    found: ys.len(),
                });
            }
        }
        let all =
            std::iter::once(("x", self.x.as_slice())).chain(named.into_iter().zip(self.all_y()));
        for (what, values) in all {
            check_values(panel, || format!("series '{}', {what}", self.name), values)?;
        }
        Ok(())
    }

    /// Refuses values that a logarithmic axis cannot show.
    pub(crate) fn check_positive(
        &self,
        panel: &str,
        axis: &'static str,
        values: &[f64],
    ) -> Result<(), PlotError> {
        let not_positive = |v: &f64| *v <= 0.0;
        match values.iter().position(not_positive) {
            None => Ok(()),
            Some(first) => Err(PlotError::NotPositive {
                panel: panel.to_owned(),
                series: self.name.clone(),
                axis,
                count: values.iter().filter(|v| not_positive(v)).count(),
                total: values.len(),
                first,
                value: values[first],
            }),
        }
    }
}

/// Refuses NaN, infinities and values so large that their differences overflow.
pub(crate) fn check_values<'a>(
    panel: &str,
    what: impl Fn() -> String,
    values: impl IntoIterator<Item = &'a f64>,
) -> Result<(), PlotError> {
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
        return Err(PlotError::NotFinite {
            panel,
            what: what(),
            count: bad,
            total,
            first: first_bad,
        });
    }
    match large {
        Some((first, value)) => Err(PlotError::TooLarge {
            panel,
            what: what(),
            first,
            value,
        }),
        None => Ok(()),
    }
}
