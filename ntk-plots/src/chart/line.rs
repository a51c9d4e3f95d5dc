//! The chart of curves and points over a pair of axes.

use super::options::{AxisOptions, Options, label_setters, range_setters};
use super::{Chart, ChartCsv, Family, error_bars};
use crate::axis::frame::{Frame, Insets, Placed};
use crate::axis::{Axis, Scale};
use crate::error::Error;
use crate::legend::{self, Entry, Obstacle};
use crate::mark;
use crate::scene::{Point, Rect, Scene, Stroke};
use crate::series::{Dash, Series, check_positive, check_values};
use crate::theme::*;

/// The least height of the plot itself, as a multiple of the chart's width.
const MIN_PLOT: f64 = 0.4;
/// The number of plot widths beyond which positions are held there: far outside, and safe to
/// compute with.
const FAR: f64 = 1e4;
/// The number of plot widths beyond which a curve is noise, and drawn fine, so that they are no slab.
const NOISY: f64 = 10.0;
/// The width, in nominal pixels, of the intervals to whose extremes curves are thinned.
const THINNING: f64 = 0.25;

/// A `LineChart` is curves with linear or logarithmic axes, bands, error bars, marks, and a legend
/// that covers no data; a scatter chart is one whose series are
/// [`points_only`](Series::points_only).
///
/// A chart with series that are [`right`](Series::right) has a second y axis, on the right.
///
/// Unless given, ranges have some space around the data; along x only as much as keeps curves off
/// the vertical axis, if no points are marked or have error bars.
#[derive(Clone, Debug, PartialEq)]
pub struct LineChart {
    pub(super) options: Options,
    y_from_zero: bool,
    /// Whether y counts something: integer ticks, whatever the range.
    pub(super) y_counts: bool,
    series: Vec<Series>,
}

impl LineChart {
    /// Makes a chart without series; the title may be empty.
    ///
    /// ```
    /// use ntk_plots::{Figure, LineChart, Scale, Series};
    ///
    /// let (epochs, loss) = ([0.0, 10.0, 20.0, 30.0], [1.0, 0.31, 0.09, 0.03]);
    /// let chart = LineChart::new("Training loss")
    ///     .x_label("epoch")
    ///     .y_scale(Scale::Log)
    ///     .series(Series::new("network", epochs, loss));
    /// let bytes = Figure::new(vec![chart.into()]).svg()?.into_bytes();
    /// assert!(bytes.len() > 1000);
    /// # Ok::<(), ntk_plots::Error>(())
    /// ```
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            options: Options::new(title),
            y_from_zero: false,
            y_counts: false,
            series: Vec::new(),
        }
    }

    label_setters! {
        x: "It says what the horizontal axis shows, with its unit.",
        y: "It says what the vertical axis shows, with its unit."
    }

    range_setters! {}

    /// Puts the horizontal axis' ticks at these values, for instance the few sizes that were
    /// measured, with as many labels as fit. They must be finite; the range stays as it is.
    pub fn x_ticks(mut self, at: impl Into<Vec<f64>>) -> Self {
        self.options.x.ticks = at.into();
        self.options.x.ticks.sort_by(f64::total_cmp);
        self.options.x.ticks.dedup();
        self
    }

    /// Sets the scale of the horizontal axis; linear unless given.
    pub fn x_scale(mut self, scale: Scale) -> Self {
        self.options.x.scale = scale;
        self
    }

    /// Sets the scale of the vertical axis; linear unless given.
    pub fn y_scale(mut self, scale: Scale) -> Self {
        self.options.y.scale = scale;
        self
    }

    /// Says what the right axis shows, with its unit. It belongs to the series that are
    /// [`right`](Series::right); of both axes, one must have points.
    pub fn right_label(mut self, label: impl Into<String>) -> Self {
        self.options.right.label = label.into();
        self
    }

    /// Sets the scale of the right axis; linear unless given.
    pub fn right_scale(mut self, scale: Scale) -> Self {
        self.options.right.scale = scale;
        self
    }

    /// Shows exactly this range on the right axis; what lies outside is cut off.
    pub fn right_range(mut self, low: f64, high: f64) -> Self {
        self.options.right.range = Some((low, high));
        self
    }

    /// Starts the vertical axis at zero if all values have one sign. This has no effect on
    /// a logarithmic axis.
    pub fn y_from_zero(mut self) -> Self {
        self.y_from_zero = true;
        self
    }

    /// Adds a series; later curves are drawn over earlier ones, and points that are not joined over
    /// all curves, in turns, so that no cloud hides another.
    pub fn series(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// Makes the axes, with what they show.
    pub(crate) fn axes(&self) -> Axes {
        let xs = || self.series.iter().flat_map(|s| &s.x);
        let on = |right: bool| self.series.iter().filter(move |s| s.right == right);
        let ys = || on(false).flat_map(|s| s.all_y().flat_map(|(_, ys)| ys));
        let Options { x, y, right, .. } = &self.options;
        let mut x_axis = match x.range {
            Some((low, high)) => Axis::exact(x.scale, low, high, false),
            // Marks and caps at the ends would be cut.
            None if self.series.iter().any(|s| marked(s) || s.bars.is_some()) => {
                Axis::around(x.scale, xs())
            }
            None => Axis::tight(x.scale, xs()),
        };
        x_axis.marked.clone_from(&x.ticks);
        let y_axis = match y.range {
            Some((low, high)) => Axis::exact(y.scale, low, high, self.y_counts),
            None if self.y_from_zero => Axis::around(y.scale, ys()).reaching_zero(ys()),
            None => Axis::around(y.scale, ys()),
        };
        let right_ys = || on(true).flat_map(|s| s.all_y().flat_map(|(_, ys)| ys));
        let right_axis = self.has_right().then(|| match right.range {
            Some((low, high)) => Axis::exact(right.scale, low, high, false),
            None => Axis::around(right.scale, right_ys()),
        });
        Axes {
            x: x_axis,
            y: y_axis,
            right: right_axis,
        }
    }

    /// Tells whether there is anything to do with a right axis.
    fn has_right(&self) -> bool {
        self.options.right != AxisOptions::default() || self.series.iter().any(|s| s.right)
    }

    /// Places the axes, the curves, and the legend: inside the plot where it covers nothing, or
    /// else above.
    fn layout<'a>(&'a self, outer: Rect, least: Insets, axes: &'a Axes) -> Layout<'a> {
        let mut frame = self.options.frame(&axes.x, &axes.y);
        frame.right = (axes.right.as_ref()).map(|axis| (axis, self.options.right.label.as_str()));
        let entries = self.entries();
        let lay = |frame: &Frame<'_>| {
            let placed = frame.place(outer, least);
            let drawn: Vec<Drawn> = self
                .series
                .iter()
                .map(|s| Drawn::new(s, &axes.x, axes.y_of(s), &placed))
                .collect();
            (placed, drawn)
        };
        let (mut placed, mut drawn) = lay(&frame);
        let obstacles: Vec<Obstacle> = drawn.iter().flat_map(Drawn::obstacles).collect();
        let place = legend::place(placed.area, legend::size(&entries), &obstacles);
        if place.is_none() && !entries.is_empty() {
            frame.head = legend::rows_height(&entries, placed.head.w);
            (placed, drawn) = lay(&frame);
        }
        Layout {
            placed,
            drawn,
            entries,
            place,
        }
    }

    /// Draws the points that are not joined, of all series in turns.
    fn draw_clouds(&self, drawn: &[Drawn], scene: &mut Scene) {
        let series = self.series.iter().zip(drawn).enumerate();
        let mut marks = Vec::new();
        for (i, (_, drawn)) in series.filter(|(_, (s, _))| !s.joined) {
            let n = drawn.marks.len() as f64;
            let turns = drawn.marks.iter().enumerate();
            marks.extend(turns.map(|(k, at)| ((k as f64 + 0.5) / n, i, *at)));
        }
        marks.sort_by(|a, b| a.0.total_cmp(&b.0));
        let size = mark::Size::of(&marks.iter().map(|m| m.2).collect::<Vec<_>>());
        for (_, i, at) in marks {
            mark::draw(scene, at, i, self.series[i].painted(i), size);
        }
    }

    /// Makes one entry for every named series, if there are two or more.
    fn entries(&self) -> Vec<Entry<'_>> {
        let series = self.series.iter().enumerate();
        let entries: Vec<_> = series.filter_map(|(i, s)| entry(i, s)).collect();
        if entries.len() < 2 {
            Vec::new()
        } else {
            entries
        }
    }
}

/// The axes of a chart, with what they show.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axes {
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) right: Option<Axis>,
}

impl Axes {
    /// Returns the axis on which the series' y is measured.
    fn y_of(&self, series: &Series) -> &Axis {
        match &self.right {
            Some(axis) if series.right => axis,
            _ => &self.y,
        }
    }
}

/// Tells whether the points are marked: a single one would not be seen otherwise.
fn marked(series: &Series) -> bool {
    series.markers || series.x.len() == 1
}

/// Makes the legend's entry for the `i`-th series, if it has a name.
pub(super) fn entry(i: usize, s: &Series) -> Option<Entry<'_>> {
    (!s.name.trim().is_empty()).then(|| Entry {
        name: s.title(),
        color: s.painted(i),
        stroke: s.joined.then(|| stroke(i, s)),
        mark: marked(s).then_some(i),
        band: s.band.is_some(),
        bars: s.bars.is_some(),
    })
}

pub(super) fn stroke(index: usize, series: &Series) -> Stroke {
    let dash = match series.dash {
        Dash::Solid => None,
        Dash::Dashed => Some(DASH),
        Dash::Dotted => Some(DOT),
    };
    Stroke {
        color: series.painted(index),
        width: CURVE_WIDTH,
        dash,
    }
}

/// The places of everything in a chart.
struct Layout<'a> {
    placed: Placed,
    /// The series in pixels.
    drawn: Vec<Drawn>,
    entries: Vec<Entry<'a>>,
    /// The legend's box, if it is inside the plot.
    place: Option<Rect>,
}

/// A series in pixels.
pub(super) struct Drawn {
    /// Every point inside the plot.
    pub(super) marks: Vec<Point>,
    /// The curve, cut at the plot's edges.
    pub(super) pieces: Vec<Vec<Point>>,
    /// Outlines of the band, cut where a point lies outside the plot.
    bands: Vec<Vec<Point>>,
    /// Lines of the error bars.
    bars: Vec<[Point; 2]>,
}

impl Drawn {
    pub(super) fn new(series: &Series, x: &Axis, y: &Axis, placed: &Placed) -> Self {
        let at = |vx: f64, vy: f64| {
            placed.point(
                x.fraction(vx).clamp(-FAR, FAR),
                y.fraction(vy).clamp(-FAR, FAR),
            )
        };
        let points: Vec<Point> = series
            .x
            .iter()
            .zip(&series.y)
            .map(|(x, y)| at(*x, *y))
            .collect();
        // Rounding must not drop a point that lies on the very edge.
        let area = placed.area.grown(1e-6);
        let inside = |p: &Point| area.clip(*p, *p).is_some();
        let marks = if marked(series) {
            points.iter().copied().filter(inside).collect()
        } else {
            vec![]
        };
        let pieces = if series.joined {
            pieces(&thinned(&points), area)
        } else {
            vec![]
        };
        let mut bands = Vec::new();
        if let Some((low, high)) = &series.band {
            let hold = |v: f64| y.fraction(v).clamp(0.0, 1.0);
            let edges: Vec<(f64, Point, Point)> = (series.x.iter().zip(low.iter().zip(high)))
                .map(|(vx, (l, h))| (x.fraction(*vx), hold(*l), hold(*h)))
                .map(|(fx, l, h)| (fx, placed.point(fx, l), placed.point(fx, h)))
                .collect();
            for run in edges.split(|(fx, ..)| !(-1e-6..=1.0 + 1e-6).contains(fx)) {
                let lows = thinned(&run.iter().map(|e| e.1).collect::<Vec<_>>());
                let highs = thinned(&run.iter().map(|e| e.2).collect::<Vec<_>>());
                if run.len() > 1 {
                    bands.push(lows.into_iter().chain(highs.into_iter().rev()).collect());
                }
            }
        }
        Self {
            marks,
            pieces,
            bands,
            bars: error_bars::lines(series, x, y, placed),
        }
    }

    /// Computes the length of the curve.
    fn length(&self) -> f64 {
        let steps = self.pieces.iter().flat_map(|piece| piece.windows(2));
        steps
            .map(|p| (p[1][0] - p[0][0]).hypot(p[1][1] - p[0][1]))
            .sum()
    }

    fn obstacles(&self) -> Vec<Obstacle> {
        let mut out = Vec::new();
        for [x, y] in &self.marks {
            out.push(Obstacle::Box(
                Rect::new(*x, *y, 0.0, 0.0).grown(MARKER_RADIUS),
            ));
        }
        for piece in &self.pieces {
            out.extend(piece.windows(2).map(|p| Obstacle::Segment(p[0], p[1])));
        }
        out.extend(self.bars.iter().map(|[a, b]| Obstacle::Segment(*a, *b)));
        for band in &self.bands {
            // Thin upright slices, from the lower edge to the upper.
            let half = band.len() / 2;
            for i in 0..half.saturating_sub(1) {
                let corners = [
                    band[i],
                    band[i + 1],
                    band[band.len() - 1 - i],
                    band[band.len() - 2 - i],
                ];
                let (left, right) = crate::axis::extent(corners.iter().map(|p| p[0]));
                let (top, bottom) = crate::axis::extent(corners.iter().map(|p| p[1]));
                out.push(Obstacle::Box(Rect::new(
                    left,
                    top,
                    right - left,
                    bottom - top,
                )));
            }
        }
        out
    }
}

/// Cuts the path to the area.
fn pieces(points: &[Point], area: Rect) -> Vec<Vec<Point>> {
    let mut out: Vec<Vec<Point>> = Vec::new();
    for pair in points.windows(2) {
        let Some((a, b)) = area.clip(pair[0], pair[1]) else {
            continue;
        };
        match out.last_mut() {
            Some(piece) if piece.last() == Some(&a) => piece.push(b),
            _ => out.push(vec![a, b]),
        }
    }
    out
}

/// Drops from the path what cannot be seen: of each run of points in one narrow column, only the
/// first, the lowest, the highest and the last, in order.
fn thinned(points: &[Point]) -> Vec<Point> {
    let column = |p: &Point| (p[0] / THINNING).floor();
    let mut out = Vec::new();
    for run in points.chunk_by(|a, b| column(a) == column(b)) {
        let by_height = |a: &&usize, b: &&usize| run[**a][1].total_cmp(&run[**b][1]);
        let indices: Vec<usize> = (0..run.len()).collect();
        let mut keep = vec![0, run.len() - 1];
        keep.extend(indices.iter().min_by(by_height));
        keep.extend(indices.iter().max_by(by_height));
        keep.sort_unstable();
        keep.dedup();
        out.extend(keep.into_iter().map(|i| run[i]));
    }
    out
}

impl Chart for LineChart {
    fn title(&self) -> &str {
        &self.options.title
    }

    fn family(&self) -> Family {
        Family::Curves
    }

    fn check(&self) -> Result<(), Error> {
        let title = &self.options.title;
        let without = |right: bool| {
            let mut on = self.series.iter().filter(|s| s.right == right);
            on.all(|s| s.x.is_empty())
        };
        let needs = match (without(false), self.has_right()) {
            (true, false) => Some("series with points"),
            (true, true) => Some("series with points on the left axis"),
            (false, true) if without(true) => Some("series with points on the right axis"),
            _ => None,
        };
        if let Some(needs) = needs {
            let panel = title.clone();
            return Err(Error::NoData { panel, needs });
        }
        check_values(title, || "x ticks".to_owned(), &self.options.x.ticks)?;
        for series in &self.series {
            series.check(title)?;
            if self.options.x.scale == Scale::Log {
                let what = || format!("series '{}', x", series.name);
                check_positive(title, what, &series.x)?;
            }
            let (side, options) = if series.right {
                ("right ", &self.options.right)
            } else {
                ("", &self.options.y)
            };
            if options.scale == Scale::Log {
                for (part, ys) in series.all_y() {
                    let what = || format!("series '{}', {side}{part}", series.name);
                    check_positive(title, what, ys)?;
                }
            }
        }
        self.options.check()
    }

    fn height(&self, width: f64, least: Insets) -> f64 {
        let axes = self.axes();
        let outer = Rect::new(0.0, 0.0, width, (width * LINE_CHART_ASPECT).round());
        let layout = self.layout(outer, least, &axes);
        // What surrounds the plot must not squeeze it.
        let around = layout.placed.height - layout.placed.area.h;
        outer.h.max((around + MIN_PLOT * width).ceil())
    }

    fn insets(&self, outer: Rect, least: Insets) -> Insets {
        self.layout(outer, least, &self.axes()).placed.insets
    }

    fn draw(&self, outer: Rect, least: Insets, scene: &mut Scene) {
        let axes = self.axes();
        let Layout {
            placed,
            drawn,
            entries,
            place,
        } = self.layout(outer, least, &axes);
        placed.draw_grid(scene);
        for (i, (series, drawn)) in self.series.iter().zip(&drawn).enumerate() {
            for band in &drawn.bands {
                scene.polygon(band.clone(), series.painted(i), BAND_OPACITY);
            }
        }
        for (i, (series, drawn)) in self.series.iter().zip(&drawn).enumerate() {
            let bar = Stroke::solid(series.painted(i), ERROR_BAR_WIDTH);
            for line in &drawn.bars {
                scene.line(line.to_vec(), bar);
            }
            let mut stroke = stroke(i, series);
            if drawn.length() > NOISY * placed.area.w {
                stroke.width = FINE_CURVE_WIDTH;
            }
            for piece in &drawn.pieces {
                scene.line(piece.clone(), stroke);
            }
            for at in drawn.marks.iter().filter(|_| series.joined) {
                mark::draw(scene, *at, i, series.painted(i), mark::FULL);
            }
        }
        self.draw_clouds(&drawn, scene);
        placed.draw_axes(scene, false);
        match place {
            _ if entries.is_empty() => {}
            Some(rect) => legend::draw(scene, rect, &entries),
            None => legend::draw_rows(scene, placed.head, &entries),
        }
    }

    fn csv(&self) -> ChartCsv {
        let mut rows = Vec::new();
        for series in &self.series {
            for (part, ys) in series.all_y() {
                let name = match part {
                    "y" => series.title().into_owned(),
                    _ => format!("{} ({part})", series.title()),
                };
                rows.extend(series.x.iter().zip(ys).map(|(x, y)| (name.clone(), *x, *y)));
            }
        }
        ChartCsv::Points(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_extremes() {
        let points: Vec<Point> = (0..100_000)
            .map(|i| [f64::from(i) * 1e-3, f64::from(i % 977)])
            .collect();
        let thin = thinned(&points);
        assert!(thin.len() <= 4 * 401);
        assert_eq!((thin.first(), thin.last()), (points.first(), points.last()));
        let (low, high) = crate::axis::extent(thin.iter().map(|p| p[1]));
        assert_eq!((low, high), (0.0, 976.0));
        let few = [[0.0, 1.0], [5.0, 2.0], [9.0, 0.0]];
        assert_eq!(thinned(&few), few);
    }

    #[test]
    fn a_path_that_leaves_and_returns_is_two_pieces() {
        let area = Rect::new(0.0, 0.0, 10.0, 10.0);
        let path = [[0.0, 5.0], [3.0, 5.0], [5.0, 20.0], [7.0, 5.0], [9.0, 5.0]];
        assert_eq!(pieces(&path, area).len(), 2);
    }
}
