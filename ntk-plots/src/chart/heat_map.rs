//! The chart of a matrix as colours, with a colour bar.

use ndarray::Array2;

use super::line::{Drawn, entry, stroke};
use super::options::{Options, drawable, label_setters};
use super::{Chart, ChartCsv, Family};
use crate::axis::frame::{Frame, Insets, Placed, widest};
use crate::axis::{Along, Axis, Cells, Scale, extent};
use crate::color_map::ColorMap;
use crate::csv;
use crate::error::Error;
use crate::legend::{self, Entry};
use crate::mark;
use crate::scene::{Anchor, Pixels, Rect, Scene, Stroke, Text};
use crate::series::{Series, check_positive, check_values};
use crate::text;
use crate::theme::*;

/// The most cells along a side that are drawn or written; larger matrices are averaged over blocks.
const MAX_CELLS: usize = 512;
/// The ratio of sides up to which cells are square.
const MAX_ASPECT: f64 = 2.0;
/// The gaps between plot and colour bar, and between bar and tick labels.
const BAR_GAP: f64 = 10.0;
const BAR_TICK_GAP: f64 = 3.0;
/// The share of the panel beyond which names of rows and columns are cut.
const NAME_SHARE: f64 = 0.22;
/// How far the borders of curves and marks reach, which tell them from any colour below.
const BORDER: f64 = 1.2;
/// The radius of a mark over colours.
const MARK: mark::Size = mark::Size {
    radius: 1.4 * MARKER_RADIUS,
    opacity: 1.0,
};

/// A `HeatMap` shows a matrix as colours. Row 0 is at the top, as a matrix is written, unless
/// [`origin_bottom`](Self::origin_bottom) says otherwise.
///
/// A side longer than 512 is averaged over blocks of whole cells; the figure says so below the
/// plot, and the CSV in its first line.
///
/// ```
/// use ndarray::array;
/// use ntk_plots::{Figure, HeatMap, Scale};
///
/// let kernel = HeatMap::new("Kernel", array![[4.0, 0.5], [0.5, 2.0]])
///     .color_scale(Scale::Log)
///     .column_names(["cat", "dog"])
///     .bar_label("K(x, x')");
/// assert!(Figure::new(vec![kernel.into()]).svg()?.contains("dog"));
/// # Ok::<(), ntk_plots::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    options: Options,
    values: Array2<f64>,
    bar_label: String,
    colors: ColorMap,
    symmetric: bool,
    color_range: Option<(f64, f64)>,
    color_scale: Scale,
    row_names: Vec<String>,
    column_names: Vec<String>,
    bottom: bool,
    series: Vec<Series>,
}

impl HeatMap {
    /// Makes a heat map of `values`; columns run along x, rows along y, labelled by their index.
    pub fn new(title: impl Into<String>, values: Array2<f64>) -> Self {
        Self {
            options: Options::new(title),
            values,
            bar_label: String::new(),
            colors: ColorMap::Sequential,
            symmetric: false,
            color_range: None,
            color_scale: Scale::Linear,
            row_names: Vec::new(),
            column_names: Vec::new(),
            bottom: false,
            series: Vec::new(),
        }
    }

    label_setters! { x: "It says what the columns are.", y: "It says what the rows are." }

    /// Says what the values are, with their unit, beside the colour bar.
    pub fn bar_label(mut self, label: impl Into<String>) -> Self {
        self.bar_label = label.into();
        self
    }

    /// Sets the colours; sequential unless given.
    pub fn color_map(mut self, colors: ColorMap) -> Self {
        self.colors = colors;
        self
    }

    /// Makes the colours span -m to m, m the largest magnitude, so that zero has the middle
    /// colour, as suits [`ColorMap::Diverging`]. This has no effect on a logarithmic scale.
    pub fn symmetric_about_zero(mut self) -> Self {
        self.symmetric = true;
        self
    }

    /// Sets the values at the ends of the colour bar, in place of the smallest and the largest; values
    /// beyond them have the ends' colours. It is for maps that are to be compared.
    pub fn color_range(mut self, low: f64, high: f64) -> Self {
        self.color_range = Some((low, high));
        self
    }

    /// Sets how values map to colours; linear unless given. On a logarithmic scale all must be
    /// positive.
    pub fn color_scale(mut self, scale: Scale) -> Self {
        self.color_scale = scale;
        self
    }

    /// Gives every row a name, in place of its index or coordinate.
    pub fn row_names(mut self, names: impl IntoIterator<Item = impl ToString>) -> Self {
        self.row_names = names.into_iter().map(|name| name.to_string()).collect();
        self
    }

    /// Gives every column a name, in place of its index or coordinate. Where they do not fit side by
    /// side, they read upwards.
    pub fn column_names(mut self, names: impl IntoIterator<Item = impl ToString>) -> Self {
        self.column_names = names.into_iter().map(|name| name.to_string()).collect();
        self
    }

    /// Puts row 0 at the top: the default.
    pub fn origin_top(mut self) -> Self {
        self.bottom = false;
        self
    }

    /// Puts row 0 at the bottom.
    pub fn origin_bottom(mut self) -> Self {
        self.bottom = true;
        self
    }

    /// Labels the axes by coordinates instead of indices: the outer edges of the first and the
    /// last column are at `x.0` and `x.1`, those of the first and the last row at `y.0` and
    /// `y.1` (the smaller first).
    pub fn extent(mut self, x: (f64, f64), y: (f64, f64)) -> Self {
        (self.options.x.range, self.options.y.range) = (Some(x), Some(y));
        self
    }

    /// Draws a curve or marks over the colours, at coordinates as the axes have them: those of
    /// [`extent`](Self::extent), or indices of columns and rows. What lies outside is cut off; bands and
    /// error bars are not drawn. A legend above the map has what has a name.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use ntk_plots::{Figure, HeatMap, Series};
    ///
    /// let values = Array2::from_shape_fn((20, 30), |(i, j)| (i * j) as f64);
    /// let map = HeatMap::new("Product", values)
    ///     .origin_bottom()
    ///     .extent((0.0, 3.0), (0.0, 2.0))
    ///     .series(Series::new("equal", [0.0, 2.0], [0.0, 2.0]))
    ///     .series(Series::new("here", [1.5], [0.5]).points_only());
    /// assert!(Figure::new(vec![map.into()]).svg()?.contains("equal"));
    /// # Ok::<(), ntk_plots::Error>(())
    /// ```
    pub fn series(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    fn entries(&self) -> Vec<Entry<'_>> {
        let series = self.series.iter().enumerate();
        series.filter_map(|(i, s)| entry(i, s)).collect()
    }

    /// Makes the axes, of a panel `width` wide.
    fn axes(&self, width: f64) -> [Axis; 2] {
        let (rows, columns) = self.values.dim();
        let Options { x, y, .. } = &self.options;
        let x = Self::axis(columns, &self.column_names, x.range, width);
        let mut y = Self::axis(rows, &self.row_names, y.range, width);
        if !self.bottom {
            (y.low, y.high) = (y.high, y.low);
        }
        [x, y]
    }

    /// Draws the series, each with a border.
    fn draw_series(&self, placed: &Placed, axes: &[Axis; 2], scene: &mut Scene) {
        let [x, y] = axes;
        for (i, series) in self.series.iter().enumerate() {
            let Drawn { marks, pieces, .. } = Drawn::new(series, x, y, placed);
            let curve = stroke(i, series);
            let border = Stroke::solid(PAPER, curve.width + 2.0 * BORDER);
            for stroke in [border, curve] {
                for piece in &pieces {
                    scene.line(piece.clone(), stroke);
                }
            }
            let border = mark::Size {
                radius: MARK.radius + BORDER,
                ..MARK
            };
            for at in marks {
                mark::draw(scene, at, i, PAPER, border);
                mark::draw(scene, at, i, series.painted(i), MARK);
            }
        }
    }

    /// Makes the axis along a side of `cells` cells, in a panel `width` wide.
    fn axis(cells: usize, names: &[String], extent: Option<(f64, f64)>, width: f64) -> Axis {
        let limit = NAME_SHARE * width;
        let cut = |name: &String| text::wrap(name, TICK, false, limit, 1).concat();
        match extent {
            Some((low, high)) if names.is_empty() => Axis::exact(Scale::Linear, low, high, false),
            _ => Axis {
                cells: Some(Cells {
                    names: names.iter().map(cut).collect(),
                    upright: false,
                }),
                ..Axis::exact(Scale::Linear, -0.5, cells as f64 - 0.5, true)
            },
        }
    }

    /// Computes the values drawn, and says what was averaged.
    fn reduced(&self) -> (Array2<f64>, String) {
        let (rows, columns) = self.values.dim();
        let (down, across) = (rows.div_ceil(MAX_CELLS), columns.div_ceil(MAX_CELLS));
        if down == 1 && across == 1 {
            return (self.values.clone(), String::new());
        }
        let size = (rows.div_ceil(down), columns.div_ceil(across));
        let mut out = Array2::zeros(size);
        for ((i, j), mean) in out.indexed_iter_mut() {
            let (r, c) = (i * down, j * across);
            let (r1, c1) = ((r + down).min(rows), (c + across).min(columns));
            let block = self.values.slice(ndarray::s![r..r1, c..c1]);
            let count = block.len() as f64;
            // Of shares of the largest: a sum of huge values may overflow, a share of tiny ones be 0.
            let largest = block.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            if largest > 0.0 {
                *mean = largest * (block.iter().map(|v| v / largest).sum::<f64>() / count);
            }
        }
        (
            out,
            format!("{rows} × {columns} values, shown as means over blocks of {down} × {across}"),
        )
    }

    /// Makes the axis of the colours.
    fn color_axis(&self, shown: &Array2<f64>) -> Axis {
        let (low, high) = extent(shown.iter().copied());
        let (low, high) = if let Some(range) = self.color_range {
            range
        } else if self.symmetric && self.color_scale == Scale::Linear {
            let m = low.abs().max(high.abs());
            (-m, m)
        } else {
            (low, high)
        };
        // A constant matrix has no range of its own.
        let around = Axis::around(self.color_scale, [low, high].iter());
        if drawable(self.color_scale, (low, high)) {
            Axis::exact(self.color_scale, low, high, around.integer)
        } else {
            around
        }
    }

    fn pixels(&self, shown: &Array2<f64>, colors: &Axis) -> Pixels {
        let (height, width) = shown.dim();
        let mut rgb = Vec::with_capacity(height * width * 3);
        for i in 0..height {
            let row = if self.bottom { height - 1 - i } else { i };
            for value in shown.row(row) {
                rgb.extend(self.colors.color(colors.fraction(*value)));
            }
        }
        Pixels { width, height, rgb }
    }

    /// Computes the width of colour bar, ticks and label.
    fn tail(&self, colors: &Axis, height: f64) -> f64 {
        let label = if self.bar_label.is_empty() {
            0.0
        } else {
            LABEL * LEADING
        };
        let ticks = widest(&colors.ticks(height, Along::Vertical));
        BAR_GAP + COLOR_BAR_WIDTH + MAJOR_TICK + BAR_TICK_GAP + ticks + GAP + label
    }

    fn place(&self, outer: Rect, least: Insets, note: &str, colors: &Axis) -> Placed {
        let (rows, columns) = self.values.dim();
        let [mut x, y] = self.axes(outer.w);
        let aspect = columns as f64 / rows as f64;
        let entries = self.entries();
        let place = |x: &Axis| {
            let mut frame = Frame {
                note,
                tail: self.tail(colors, outer.h * 0.7),
                aspect: Some(aspect.clamp(1.0 / MAX_ASPECT, MAX_ASPECT)),
                ..self.options.frame(x, &y)
            };
            let placed = frame.place(outer, least);
            if entries.is_empty() {
                return placed;
            }
            frame.head = legend::rows_height(&entries, placed.head.w);
            frame.place(outer, least)
        };
        let placed = place(&x);
        let shown = x.ticks(placed.area.w, Along::Horizontal).major.len();
        match &mut x.cells {
            Some(cells) if shown < cells.names.len() => {
                cells.upright = true;
                place(&x)
            }
            _ => placed,
        }
    }

    fn draw_bar(&self, area: Rect, colors: &Axis, scene: &mut Scene) {
        let rule = Stroke::solid(RULE, AXIS_WIDTH);
        let bar = Rect::new(area.right() + BAR_GAP, area.y, COLOR_BAR_WIDTH, area.h);
        let rgb = (0..256)
            .rev()
            .flat_map(|i| self.colors.color(f64::from(i) / 255.0))
            .collect();
        scene.image(
            bar,
            Pixels {
                width: 1,
                height: 256,
                rgb,
            },
        );
        scene.frame(bar, rule);
        let ticks = colors.ticks(area.h, Along::Vertical);
        let right = bar.right();
        for share in &ticks.minor {
            let y = bar.bottom() - share * bar.h;
            scene.line(vec![[right, y], [right + MINOR_TICK, y]], rule);
        }
        for (share, label) in &ticks.major {
            let y = bar.bottom() - share * bar.h;
            scene.line(vec![[right, y], [right + MAJOR_TICK, y]], rule);
            let x = right + MAJOR_TICK + BAR_TICK_GAP;
            scene.text(Text::new(label, x, y + TICK * HALF_CAP, TICK).color(SOFT_INK));
        }
        let label = match &ticks.base {
            Some(base) => format!("{} (from {base})", self.bar_label),
            None => self.bar_label.clone(),
        };
        let x = right + MAJOR_TICK + BAR_TICK_GAP + widest(&ticks) + GAP + LABEL * 0.8;
        for line in text::wrap(&label, LABEL, false, area.h, 1) {
            let middle = area.y + area.h / 2.0;
            scene.text(
                Text::new(&line, x, middle, LABEL)
                    .anchor(Anchor::Middle)
                    .upright(),
            );
        }
    }
}

impl Chart for HeatMap {
    fn title(&self) -> &str {
        &self.options.title
    }

    fn family(&self) -> Family {
        Family::Maps
    }

    fn check(&self) -> Result<(), Error> {
        let title = &self.options.title;
        if self.values.is_empty() {
            return Err(Error::NoData {
                panel: title.clone(),
                needs: "row and column",
            });
        }
        check_values(title, || "values".to_owned(), &self.values)?;
        if self.color_scale == Scale::Log {
            check_positive(title, || "values".to_owned(), &self.values)?;
        }
        for series in &self.series {
            series.check(title)?;
        }
        let (rows, columns) = self.values.dim();
        for (side, expected, names) in [
            ("rows", rows, &self.row_names),
            ("columns", columns, &self.column_names),
        ] {
            if !names.is_empty() && names.len() != expected {
                return Err(Error::Names {
                    panel: title.clone(),
                    side,
                    expected,
                    found: names.len(),
                });
            }
        }
        if let Some((low, high)) = self.color_range
            && !drawable(self.color_scale, (low, high))
        {
            return Err(Error::Range {
                panel: title.clone(),
                axis: "colour",
                low,
                high,
            });
        }
        self.options.check()
    }

    fn height(&self, width: f64, least: Insets) -> f64 {
        let (shown, note) = self.reduced();
        let colors = self.color_axis(&shown);
        let outer = Rect::new(0.0, 0.0, width, width * (MAX_ASPECT + 1.0));
        self.place(outer, least, &note, &colors).height.ceil()
    }

    fn insets(&self, outer: Rect, least: Insets) -> Insets {
        let (shown, note) = self.reduced();
        let colors = self.color_axis(&shown);
        self.place(outer, least, &note, &colors).insets
    }

    fn draw(&self, outer: Rect, least: Insets, scene: &mut Scene) {
        let (shown, note) = self.reduced();
        let colors = self.color_axis(&shown);
        let placed = self.place(outer, least, &note, &colors);
        scene.image(placed.area, self.pixels(&shown, &colors));
        self.draw_series(&placed, &self.axes(outer.w), scene);
        placed.draw_axes(scene, true);
        legend::draw_rows(scene, placed.head, &self.entries());
        self.draw_bar(placed.area, &colors, scene);
    }

    fn csv(&self) -> ChartCsv {
        let (shown, note) = self.reduced();
        let mut head = if note.is_empty() {
            String::new()
        } else {
            format!("# {note}\n")
        };
        for series in &self.series {
            let points = series.x.iter().zip(&series.y);
            let points = points.map(|(x, y)| format!(" {},{}", csv::exact(*x), csv::exact(*y)));
            let (name, points) = (csv::field(&series.name), points.collect::<String>());
            head.push_str(&format!("# {name} at{points}\n"));
        }
        ChartCsv::Matrix(head + &csv::matrix(&shown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_matrices_are_averaged_over_blocks() {
        let map = HeatMap::new(
            "m",
            Array2::from_shape_fn((1000, 3), |(i, j)| (i / 2 * 3 + j) as f64),
        );
        let (shown, note) = map.reduced();
        assert_eq!(
            shown,
            Array2::from_shape_fn((500, 3), |(i, j)| (i * 3 + j) as f64)
        );
        assert!(
            note.contains("1000 × 3") && note.contains("2 × 1"),
            "{note}"
        );
        let (shown, _) = HeatMap::new("m", Array2::from_elem((513, 1025), 7.0)).reduced();
        assert_eq!(shown.dim(), (257, 342));
        assert!(shown.iter().all(|v| (v - 7.0).abs() < 1e-12));
    }

    #[test]
    fn a_given_range_of_colours_holds_and_is_checked() {
        let values = ndarray::array![[-1.0, 0.0], [3.0, 2.0]];
        let of = |low, high| HeatMap::new("m", values.clone()).color_range(low, high);
        let axis = of(0.0, 2.0).color_axis(&values);
        assert_eq!((axis.fraction(1.0), axis.fraction(3.0)), (0.5, 1.5));
        let pixels = of(0.0, 2.0).pixels(&values, &axis).rgb;
        assert_eq!(pixels[6..9], pixels[9..12]);
        assert!(of(0.0, 2.0).check().is_ok());
        for (low, high) in [(1.0, 1.0), (2.0, 0.0), (f64::NAN, 1.0)] {
            let error = of(low, high).check().unwrap_err();
            assert!(matches!(error, Error::Range { axis: "colour", .. }));
        }
    }

    #[test]
    fn series_lie_where_the_axes_say() {
        let values = Array2::from_shape_fn((4, 8), |(i, j)| (i + j) as f64);
        let map = HeatMap::new("m", values).extent((0.0, 8.0), (10.0, 14.0));
        let map = map
            .series(Series::new("line, dotted", [2.0, 20.0], [11.0, 11.0]).dotted())
            .series(Series::new("", [4.0], [13.0]).points_only());
        let place = |map: &HeatMap| {
            let mut scene = Scene::default();
            map.draw(
                Rect::new(0.0, 0.0, 400.0, 300.0),
                Insets::default(),
                &mut scene,
            );
            let of = |shape: &crate::scene::Shape| match shape {
                crate::scene::Shape::Image { rect, .. } if rect.w > 2.0 * COLOR_BAR_WIDTH => {
                    Some(*rect)
                }
                _ => None,
            };
            let area = scene.shapes.iter().find_map(of).unwrap();
            let lines = scene.shapes.iter().find_map(|shape| match shape {
                crate::scene::Shape::Line { points, .. } => Some(points.clone()),
                _ => None,
            });
            (area, lines.unwrap())
        };
        // Row 0 is at the top, and with it the smallest y.
        let (area, line) = place(&map);
        let from_top = |share: f64| area.y + share * area.h;
        let expected = [
            [area.x + 0.25 * area.w, from_top(0.25)],
            [area.right(), from_top(0.25)],
        ];
        for (found, expected) in line.iter().flatten().zip(expected.iter().flatten()) {
            // Curves are cut a millionth of a pixel beyond the edge.
            assert!((found - expected).abs() < 1e-5, "{line:?} {expected}");
        }
        let (area, line) = place(&map.clone().origin_bottom());
        assert!((line[0][1] - (area.y + 0.75 * area.h)).abs() < 1e-9);
        let ChartCsv::Matrix(text) = map.csv() else {
            panic!("a map is a matrix")
        };
        assert!(
            text.starts_with("# \"line, dotted\" at 2,11 20,11\n#  at 4,13\n0,1,"),
            "{text}"
        );
        let wrong = map.series(Series::new("", [1.0], [f64::NAN]));
        assert!(wrong.check().is_err());
    }

    #[test]
    fn symmetric_colours_put_zero_in_the_middle() {
        let values = ndarray::array![[-1.0, 0.0], [3.0, 2.0]];
        let map = HeatMap::new("m", values.clone()).symmetric_about_zero();
        assert_eq!(map.color_axis(&values).fraction(0.0), 0.5);
        assert_eq!(
            HeatMap::new("m", values.clone())
                .color_axis(&values)
                .fraction(-1.0),
            0.0
        );
    }
}
