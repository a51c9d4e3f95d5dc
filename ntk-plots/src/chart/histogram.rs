//! The chart of how many values fall into each of equal bins.

use super::line::LineChart;
use super::options::{Options, label_setters, range_setters};
use super::{Chart, ChartCsv, Family};
use crate::axis::frame::Insets;
use crate::axis::{Scale, extent};
use crate::csv;
use crate::error::Error;
use crate::scene::{Rect, Scene};
use crate::series::{Series, check_values};
use crate::theme::SERIES;

/// The most bins: far more than a screen has pixels.
const MAX_BINS: usize = 100_000;
/// The share of the largest magnitude below which a span is rounding noise: one value.
const NOISE: f64 = 1e-12;
/// The start of a logarithmic axis: a bar of one value is seen, and no round number is labelled.
const BELOW_ONE: f64 = std::f64::consts::FRAC_1_SQRT_2;
/// The share of the tallest bar that stays free above it.
const HEADROOM: f64 = 0.04;

/// A `Histogram` counts values in equal bins from the smallest to the largest value of all series; a
/// bin holds its lower edge, the last one its upper edge too. Values that are all the same have bins
/// from half below to half above, or a tenth where a half is next to nothing.
///
/// Series are drawn over each other, translucent. The CSV holds edges and counts.
///
/// ```
/// use ntk_plots::{Figure, Histogram, Scale};
///
/// let margins: Vec<f64> = (0..500).map(|i| f64::from(i % 37)).collect();
/// let chart = Histogram::new("Margins", 20)
///     .x_label("margin")
///     .y_scale(Scale::Log)
///     .values("network", margins)
///     .vertical_line("threshold", 12.5);
/// assert!(Figure::new(vec![chart.into()]).svg()?.contains("threshold"));
/// # Ok::<(), ntk_plots::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    options: Options,
    bins: usize,
    series: Vec<(String, Vec<f64>)>,
    lines: Vec<(String, f64)>,
}

impl Histogram {
    /// Makes a histogram of `bins` bins without values; the title may be empty.
    pub fn new(title: impl Into<String>, bins: usize) -> Self {
        Self {
            options: Options::new(title),
            bins,
            series: Vec::new(),
            lines: Vec::new(),
        }
    }

    label_setters! {
        x: "It says what the values are, with their unit.",
        y: "It says what is counted."
    }

    range_setters! {}

    /// Sets the scale of the counts; linear, and from zero, unless given. On a logarithmic axis
    /// bars begin at its lower end, and empty bins show nothing.
    pub fn y_scale(mut self, scale: Scale) -> Self {
        self.options.y.scale = scale;
        self
    }

    /// Adds a series of values; one with an empty name is not listed in the legend.
    pub fn values(mut self, name: impl Into<String>, values: impl Into<Vec<f64>>) -> Self {
        self.series.push((name.into(), values.into()));
        self
    }

    /// Draws a dashed line over the whole height at `x`, which the bins do not reckon with.
    pub fn vertical_line(mut self, name: impl Into<String>, x: f64) -> Self {
        self.lines.push((name.into(), x));
        self
    }

    /// Computes the edges of the bins, one more than there are bins, ascending.
    fn edges(&self) -> Vec<f64> {
        let (low, high) = extent(self.series.iter().flat_map(|(_, v)| v.iter().copied()));
        let magnitude = low.abs().max(high.abs());
        let (low, high) = if high - low > f64::MIN_POSITIVE.max(NOISE * magnitude) {
            (low, high)
        } else {
            let half = 0.5
                + if magnitude < 1e6 {
                    0.0
                } else {
                    magnitude / 10.0
                };
            (low - half, low + half)
        };
        let at = |i: usize| low + (high - low) * (i as f64 / self.bins as f64);
        (0..self.bins).map(at).chain([high]).collect()
    }

    /// Counts how many of `values` are in each bin.
    fn counts(edges: &[f64], values: &[f64]) -> Vec<f64> {
        let bins = edges.len() - 1;
        let (low, high) = (edges[0], edges[bins]);
        let mut counts = vec![0.0; bins];
        for &value in values {
            // Truncated, then put right where rounding moved a value past an edge.
            let mut bin = ((value - low) / (high - low) * bins as f64) as usize;
            bin = bin.min(bins - 1);
            if value < edges[bin] {
                bin = bin.saturating_sub(1);
            } else if bin + 1 < bins && value >= edges[bin + 1] {
                bin += 1;
            }
            counts[bin] += 1.0;
        }
        counts
    }

    /// Computes the lower and upper end of the axis of counts.
    fn count_range(&self, counts: &[Vec<f64>]) -> (f64, f64) {
        let most = extent(counts.iter().flatten().copied()).1.max(1.0);
        match (self.options.y.range, self.options.y.scale) {
            (Some(range), _) => range,
            (None, Scale::Linear) => (0.0, most * (1.0 + HEADROOM)),
            (None, Scale::Log) => (BELOW_ONE, most * (most / BELOW_ONE).powf(HEADROOM)),
        }
    }

    /// Makes the same of steps over filled bands. It relies on [`Chart::check`].
    fn drawn(&self) -> LineChart {
        let edges = self.edges();
        let counts: Vec<_> = (self.series.iter())
            .map(|(_, values)| Self::counts(&edges, values))
            .collect();
        let (bottom, top) = self.count_range(&counts);
        let mut chart = LineChart::new("");
        chart.options = self.options.clone();
        chart.options.y.range = Some((bottom, top));
        chart.y_counts = true;
        let (left, right) = (self.options.x.range).unwrap_or((edges[0], edges[self.bins]));
        for ((name, _), counts) in self.series.iter().zip(&counts) {
            let (mut x, mut y) = (Vec::new(), Vec::new());
            for (bin, count) in edges.windows(2).zip(counts) {
                if bin[1] >= left && bin[0] <= right {
                    x.extend([bin[0].max(left), bin[1].min(right)]);
                    y.extend([count.max(bottom); 2]);
                }
            }
            // The sides of the first and the last bar.
            if let (Some(&first), Some(&last)) = (x.first(), x.last()) {
                x.insert(0, first);
                x.push(last);
                y.insert(0, bottom);
                y.push(bottom);
            }
            let (low, high) = (vec![bottom; y.len()], y.clone());
            chart = chart.series(Series::new(name, x, y).band(low, high));
        }
        for (name, x) in &self.lines {
            let line = Series::new(name, [*x; 2], [bottom, top]);
            chart = chart.series(line.dashed().color(SERIES.len() - 1));
        }
        chart
    }
}

impl Chart for Histogram {
    fn title(&self) -> &str {
        &self.options.title
    }

    fn family(&self) -> Family {
        Family::Curves
    }

    fn check(&self) -> Result<(), Error> {
        let title = &self.options.title;
        if self.series.iter().all(|(_, values)| values.is_empty()) {
            return Err(Error::NoData {
                panel: title.clone(),
                needs: "series with values",
            });
        }
        for (name, values) in &self.series {
            check_values(title, || format!("series '{name}', values"), values)?;
        }
        for (name, x) in &self.lines {
            check_values(title, || format!("vertical line '{name}'"), [x])?;
        }
        if !(1..=MAX_BINS).contains(&self.bins) {
            return Err(Error::Bins {
                panel: title.clone(),
                bins: self.bins,
                limit: MAX_BINS,
            });
        }
        self.options.check()
    }

    fn height(&self, width: f64, least: Insets) -> f64 {
        self.drawn().height(width, least)
    }

    fn insets(&self, outer: Rect, least: Insets) -> Insets {
        self.drawn().insets(outer, least)
    }

    fn draw(&self, outer: Rect, least: Insets, scene: &mut Scene) {
        self.drawn().draw(outer, least, scene);
    }

    fn csv(&self) -> ChartCsv {
        let edges = self.edges();
        let mut text = String::new();
        for (name, x) in &self.lines {
            let name = csv::field(name);
            text.push_str(&format!("# vertical line {name} at {}\n", csv::exact(*x)));
        }
        text.push_str("low,high");
        for (name, _) in &self.series {
            let name = if name.is_empty() { "count" } else { name };
            text.push_str(&format!(",{}", csv::field(name)));
        }
        text.push('\n');
        let counts: Vec<_> = (self.series.iter())
            .map(|(_, values)| Self::counts(&edges, values))
            .collect();
        for (i, bin) in edges.windows(2).enumerate() {
            let numbers = bin.iter().chain(counts.iter().map(|c| &c[i]));
            let row: Vec<_> = numbers.map(|v| csv::exact(*v)).collect();
            text.push_str(&row.join(","));
            text.push('\n');
        }
        ChartCsv::Matrix(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axis::Along;
    use proptest::prelude::*;

    fn of(bins: usize, values: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let histogram = Histogram::new("", bins).values("", values);
        let edges = histogram.edges();
        let counts = Histogram::counts(&edges, values);
        (edges, counts)
    }

    #[test]
    fn one_value_alone_is_in_the_middle() {
        assert_eq!(of(2, &[3.0]), (vec![2.5, 3.0, 3.5], vec![0.0, 1.0]));
        assert_eq!(of(1, &[0.0; 4]), (vec![-0.5, 0.5], vec![4.0]));
        let (edges, counts) = of(3, &[1e300, 1e300]);
        assert_eq!(counts, [0.0, 2.0, 0.0]);
        assert!(edges.windows(2).all(|e| e[0] < e[1]));
    }

    #[test]
    fn the_last_bin_is_closed() {
        assert_eq!(of(4, &[0.0, 1.0, 2.0, 3.0, 4.0]).1, [1.0, 1.0, 1.0, 2.0]);
        // A tenth of the span, not a sum of steps: 0.3 is an edge.
        let tenths: Vec<f64> = (0..=10).map(|i| f64::from(i) / 10.0).collect();
        let expected = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0];
        assert_eq!(of(10, &tenths).1, expected);
        let sines: Vec<f64> = (0..100).map(|i| f64::from(i).sin()).collect();
        // NumPy 1.26.4, numpy.histogram(sines, 5).
        assert_eq!(of(5, &sines).1, [29.0, 14.0, 14.0, 13.0, 30.0]);
    }

    #[test]
    fn series_share_their_bins() {
        let histogram = Histogram::new("", 2)
            .values("a", [0.0, 1.0])
            .values("b", [4.0]);
        assert_eq!(histogram.edges(), [0.0, 2.0, 4.0]);
    }

    #[test]
    fn counts_have_integer_ticks_on_any_range() {
        let ticks = |histogram: &Histogram| {
            let y = histogram.drawn().axes().y;
            let ticks = y.ticks(300.0, Along::Vertical).major;
            ticks.into_iter().map(|t| t.1).collect::<Vec<_>>()
        };
        let few = Histogram::new("", 3).values("", [0.1, 0.2, 0.3]);
        assert_eq!(ticks(&few), ["0", "1"]);
        assert_eq!(ticks(&few.clone().y_range(0.0, 2.0)), ["0", "1", "2"]);
        let log = Histogram::new("", 1).values("", [0.5; 200]);
        assert_eq!(ticks(&log.y_scale(Scale::Log)), ["1", "10", "100"]);
    }

    #[test]
    fn on_a_logarithmic_axis_bars_begin_at_its_end() {
        let histogram = Histogram::new("", 3)
            .values("", [0.0, 0.0, 3.0])
            .y_scale(Scale::Log);
        let chart = histogram.drawn();
        assert!(chart.check().is_ok());
        assert_eq!(chart.axes().y.fraction(BELOW_ONE), 0.0);
    }

    proptest! {
        #[test]
        fn every_value_is_in_the_bin_whose_edges_enclose_it(
            values in prop::collection::vec((-9_i32..9, -1.0_f64..1.0), 1..60),
            bins in 1..40_usize, exponent in -200_i32..200,
        ) {
            let scale = 10_f64.powi(exponent);
            // Integers lie on edges, the others need not.
            let value = |(k, u): &(i32, f64)| scale * if *u < 0.0 { f64::from(*k) } else { f64::from(*k) + u };
            let values: Vec<f64> = values.iter().map(value).collect();
            let (edges, counts) = of(bins, &values);
            let inside = |i: usize, v: f64| edges[i] <= v && (v < edges[i + 1] || i + 1 == bins);
            for (i, count) in counts.iter().enumerate() {
                let expected = values.iter().filter(|v| inside(i, **v)).count();
                prop_assert_eq!(*count, expected as f64);
            }
        }
    }
}
