//! Every colour and size of the figures, in one place. Sizes are nominal pixels: the PNG has two
//! of its own for each, and the SVG's `viewBox` is in them.

/// Red, green, blue.
pub(crate) type Color = [u8; 3];

pub(crate) const PAPER: Color = [255, 255, 255];
pub(crate) const INK: Color = [26, 26, 26];
/// Tick labels and notes: contrast 7 to 1 on paper.
pub(crate) const SOFT_INK: Color = [89, 89, 89];
/// Axis lines and ticks.
pub(crate) const RULE: Color = [120, 120, 120];
pub(crate) const GRID: Color = [228, 228, 228];

/// Okabe and Ito's palette (2008), told apart under all common colour blindness, in an order
/// that also differs in lightness. Its yellow is left out: too light for a line on paper.
pub(crate) const SERIES: [Color; 7] = [
    [0, 114, 178],   // blue
    [213, 94, 0],    // vermillion
    [0, 158, 115],   // bluish green
    [204, 121, 167], // reddish purple
    [230, 159, 0],   // orange
    [86, 180, 233],  // sky blue
    [0, 0, 0],       // black
];

pub(crate) const FIGURE_TITLE: f64 = 15.0;
pub(crate) const TITLE: f64 = 12.5;
pub(crate) const LABEL: f64 = 11.0;
pub(crate) const TICK: f64 = 10.0;
pub(crate) const NOTE: f64 = 9.0;

/// Distance between baselines, as a multiple of the text size.
pub(crate) const LEADING: f64 = 1.3;
/// Half the height of a capital of DejaVu Sans, in ems: what centres a text on a point.
pub(crate) const HALF_CAP: f64 = 0.365;

/// Outer margin of a figure.
pub(crate) const MARGIN: f64 = 12.0;
/// Space between panels.
pub(crate) const GUTTER: f64 = 24.0;
/// Space between one thing and the next inside a panel.
pub(crate) const GAP: f64 = 7.0;

pub(crate) const CURVE_WIDTH: f64 = 1.6;
pub(crate) const FINE_CURVE_WIDTH: f64 = 0.9;
pub(crate) const AXIS_WIDTH: f64 = 0.8;
pub(crate) const GRID_WIDTH: f64 = 0.6;
pub(crate) const MAJOR_TICK: f64 = 4.0;
pub(crate) const MINOR_TICK: f64 = 2.5;
pub(crate) const MARKER_RADIUS: f64 = 3.0;
/// Half the width of an error bar's cap: more than a mark is wide.
pub(crate) const CAP: f64 = 4.5;
/// The same as a share of the space there is for each point.
pub(crate) const CAP_SHARE: f64 = 0.35;
pub(crate) const ERROR_BAR_WIDTH: f64 = 1.1;
pub(crate) const BAND_OPACITY: f64 = 0.22;
/// Lengths of dash and gap.
pub(crate) const DASH: (f64, f64) = (6.0, 3.5);
pub(crate) const DOT: (f64, f64) = (1.6, 2.6);

/// Length of the sample line in a legend.
pub(crate) const LEGEND_LINE: f64 = 24.0;
pub(crate) const COLOR_BAR_WIDTH: f64 = 13.0;

/// Width of a panel in a figure of one, two, and more columns.
pub(crate) const PANEL_WIDTHS: [f64; 3] = [520.0, 400.0, 340.0];
/// Height of a line chart, as a multiple of its width.
pub(crate) const LINE_CHART_ASPECT: f64 = 0.66;
