//! A pair of axes with title, labels, ticks and grid, laid out so that no text meets another.

use super::{Along, Axis, Ticks};
use crate::scene::{Anchor, Point, Rect, Scene, Stroke, Text};
use crate::text;
use crate::theme::*;

const TITLE_LINES: usize = 3;
const LABEL_LINES: usize = 2;
const NOTE_LINES: usize = 2;
/// Between a tick and its label.
const TICK_GAP: f64 = 3.0;
/// Between the horizontal axis' label and the note.
const NOTE_GAP: f64 = 4.0;

/// Least width of the plot.
const LEAST_PLOT: f64 = 10.0;

/// Labels change at most a few times as an axis gets shorter by half a label.
const OVERHANG_ROUNDS: usize = 8;

/// A `Frame` says what surrounds a plot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) title: &'a str,
    pub(crate) x_label: &'a str,
    pub(crate) y_label: &'a str,
    /// A second y axis, right of the plot, and its label.
    pub(crate) right: Option<(&'a Axis, &'a str)>,
    /// A small line below the horizontal axis.
    pub(crate) note: &'a str,
    pub(crate) x: &'a Axis,
    pub(crate) y: &'a Axis,
    /// Height kept free between title and plot.
    pub(crate) head: f64,
    /// Width kept free right of the plot.
    pub(crate) tail: f64,
    /// Width over height of the plot; as large as fits if none.
    pub(crate) aspect: Option<f64>,
}

/// The space around a plot, for its texts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Insets {
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
    pub(crate) left: f64,
}

impl Insets {
    /// The larger of the two on every side.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            top: self.top.max(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
            left: self.left.max(other.left),
        }
    }
}

/// Of the plot.
#[derive(Clone, Copy, Debug)]
enum Side {
    Left,
    Right,
}

/// A `Placed` says where everything goes.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    /// The plot itself.
    pub(crate) area: Rect,
    /// What is kept free around it.
    pub(crate) insets: Insets,
    /// The space kept free between title and plot.
    pub(crate) head: Rect,
    /// Height used of what was given.
    pub(crate) height: f64,
    outer: Rect,
    title: Vec<String>,
    x_label: Vec<String>,
    y_label: Vec<String>,
    right_label: Vec<String>,
    note: Vec<String>,
    /// Whether the horizontal axis' tick labels read upwards, and their height.
    upright: bool,
    tick_labels: f64,
    x_ticks: Ticks,
    y_ticks: Ticks,
    right_ticks: Option<Ticks>,
}

/// A label, with what its ticks are counted from.
fn with_base(label: &str, ticks: &Ticks) -> String {
    match &ticks.base {
        Some(base) => format!("{label} (from {base})"),
        None => label.to_owned(),
    }
}

/// Width of the widest label.
pub(crate) fn widest(ticks: &Ticks) -> f64 {
    ticks
        .major
        .iter()
        .map(|t| text::width(&t.1, TICK, false))
        .fold(0.0, f64::max)
}

/// The label of a vertical axis `room` high, and the width of label, tick labels and ticks: at
/// most `limit`, as far as fewer lines of the label can help.
fn beside(axis: &Axis, label: &str, room: f64, limit: f64) -> (Vec<String>, f64) {
    let ticks = axis.ticks(room, Along::Vertical);
    let label = text::wrap(&with_base(label, &ticks), LABEL, false, room, LABEL_LINES);
    let width = widest(&ticks) + TICK_GAP + MAJOR_TICK;
    let with = |lines: usize| text::height(lines, LABEL) + GAP / 2.0 + width;
    match (1..=label.len()).rev().find(|n| with(*n) <= limit) {
        Some(n) if n == label.len() => (label, with(n)),
        Some(n) => {
            let whole = label.join(" ");
            (text::wrap(&whole, LABEL, false, room, n), with(n))
        }
        None => (Vec::new(), width),
    }
}

impl Frame<'_> {
    /// Height of the horizontal axis' tick labels. It must not depend on which of them fit, since
    /// their number follows from the width, and that from the height.
    fn tick_label_height(&self) -> f64 {
        match &self.x.cells {
            Some(cells) if cells.upright => {
                let widths = cells.names.iter().map(|n| text::width(n, TICK, false));
                widths.fold(TICK * LEADING, f64::max) + TICK_GAP
            }
            _ => TICK * LEADING,
        }
    }

    /// Lays the frame out inside `outer`, with at least the space `least` around the plot.
    pub(crate) fn place(&self, outer: Rect, least: Insets) -> Placed {
        let title = text::wrap(self.title, TITLE, true, outer.w, TITLE_LINES);
        let gap = if title.is_empty() { TICK / 2.0 } else { GAP };
        let top = text::height(title.len(), TITLE) + gap + self.head;
        let top = top.max(least.top);
        let note = text::wrap(self.note, NOTE, false, outer.w, NOTE_LINES);

        let upright = self.x.across() == Along::Upright;
        let tick_labels = self.tick_label_height();
        let x_label_lines = if self.x_label.is_empty() { 0 } else { 1 };
        let below = MAJOR_TICK
            + TICK_GAP
            + tick_labels
            + text::height(x_label_lines, LABEL)
            + text::height(note.len(), NOTE)
            + NOTE_GAP * note.len().min(1) as f64;
        let below = below.max(least.bottom);
        let room = (outer.h - top - below).max(20.0);
        // Neither side may take what the other needs.
        let limit = (outer.w - LEAST_PLOT) / 2.0;
        let (y_label, left) = beside(self.y, self.y_label, room, limit);
        let left = left.max(least.left);
        let (right_label, beyond) = match self.right {
            Some((axis, label)) => beside(axis, label, room, limit),
            None => (Vec::new(), GAP),
        };
        let width = |right: f64| (outer.w - left - right).max(LEAST_PLOT);
        // Space for half of the last label makes the axis shorter, which may change the labels:
        // never give any back, and stop when all fit.
        let mut right = self.tail.max(least.right).max(beyond);
        for _ in 0..OVERHANG_ROUNDS {
            let w = width(right);
            let ticks = self.x.ticks(w, self.x.across());
            let overhang = ticks
                .major
                .iter()
                .map(|(share, label)| {
                    let long = if upright {
                        TICK
                    } else {
                        text::width(label, TICK, false)
                    };
                    long / 2.0 - (1.0 - share) * w
                })
                .fold(0.0, f64::max);
            if overhang <= right {
                break;
            }
            right = overhang;
        }
        let (mut w, mut h) = (width(right), room);
        if let Some(aspect) = self.aspect {
            w = w.min(h * aspect);
            h = w / aspect;
        }
        let area = Rect::new(outer.x + left, outer.y + top, w, h);
        let x_ticks = self.x.ticks(w, self.x.across());
        let x_label = with_base(self.x_label, &x_ticks);
        Placed {
            area,
            insets: Insets {
                top,
                right,
                bottom: below,
                left,
            },
            head: Rect::new(
                area.x,
                area.y - self.head - gap / 2.0,
                outer.right() - area.x,
                self.head,
            ),
            height: top + h + below,
            outer,
            title,
            x_label: text::wrap(&x_label, LABEL, false, outer.w, 1),
            y_label,
            right_label,
            note,
            upright,
            tick_labels,
            x_ticks,
            y_ticks: self.y.ticks(h, Along::Vertical),
            right_ticks: self.right.map(|(axis, _)| axis.ticks(h, Along::Vertical)),
        }
    }
}

impl Placed {
    pub(crate) fn point(&self, fx: f64, fy: f64) -> Point {
        [
            self.area.x + fx * self.area.w,
            self.area.bottom() - fy * self.area.h,
        ]
    }

    pub(crate) fn draw_grid(&self, scene: &mut Scene) {
        let stroke = Stroke::solid(GRID, GRID_WIDTH);
        for (share, _) in &self.x_ticks.major {
            scene.line(
                vec![self.point(*share, 0.0), self.point(*share, 1.0)],
                stroke,
            );
        }
        for (share, _) in &self.y_ticks.major {
            scene.line(
                vec![self.point(0.0, *share), self.point(1.0, *share)],
                stroke,
            );
        }
    }

    /// Title, axis lines, ticks and labels.
    pub(crate) fn draw_axes(&self, scene: &mut Scene, closed: bool) {
        let area = self.area;
        let rule = Stroke::solid(RULE, AXIS_WIDTH);
        if closed {
            scene.frame(area, rule);
        } else {
            scene.line(
                vec![
                    [area.x, area.y],
                    [area.x, area.bottom()],
                    [area.right(), area.bottom()],
                ],
                rule,
            );
        }
        self.draw_title(scene);
        self.draw_x(scene, rule);
        self.draw_y(scene, rule, &self.y_ticks, Side::Left);
        if let Some(ticks) = &self.right_ticks {
            let right = area.right();
            scene.line(vec![[right, area.y], [right, area.bottom()]], rule);
            self.draw_y(scene, rule, ticks, Side::Right);
        }
    }

    fn draw_title(&self, scene: &mut Scene) {
        let wide = self
            .title
            .iter()
            .map(|t| text::width(t, TITLE, true))
            .fold(0.0, f64::max);
        let x = self.area.x.min(self.outer.right() - wide).max(self.outer.x);
        scene.lines(
            &self.title,
            self.outer.y,
            &Text::new("", x, 0.0, TITLE).bold(),
        );
    }

    fn draw_x(&self, scene: &mut Scene, rule: Stroke) {
        let bottom = self.area.bottom();
        for share in &self.x_ticks.minor {
            let x = self.point(*share, 0.0)[0];
            scene.line(vec![[x, bottom], [x, bottom + MINOR_TICK]], rule);
        }
        for (share, label) in &self.x_ticks.major {
            let x = self.point(*share, 0.0)[0];
            scene.line(vec![[x, bottom], [x, bottom + MAJOR_TICK]], rule);
            if self.upright {
                let label = Text::new(
                    label,
                    x + TICK * HALF_CAP,
                    bottom + MAJOR_TICK + TICK_GAP,
                    TICK,
                );
                scene.text(label.anchor(Anchor::End).upright().color(SOFT_INK));
                continue;
            }
            // The first label keeps inside the panel, the space right of the last is reserved.
            let half = text::width(label, TICK, false) / 2.0;
            let y = bottom + MAJOR_TICK + TICK_GAP + TICK * 2.0 * HALF_CAP;
            let label = Text::new(label, x.max(self.outer.x + half), y, TICK);
            scene.text(label.anchor(Anchor::Middle).color(SOFT_INK));
        }
        let y = bottom + MAJOR_TICK + TICK_GAP + self.tick_labels;
        let half = self
            .x_label
            .iter()
            .map(|l| text::width(l, LABEL, false))
            .fold(0.0, f64::max)
            / 2.0;
        let middle = self.area.x + self.area.w / 2.0;
        let middle = middle
            .min(self.outer.right() - half)
            .max(self.outer.x + half);
        let y = scene.lines(
            &self.x_label,
            y,
            &Text::new("", middle, 0.0, LABEL).anchor(Anchor::Middle),
        );
        let like = Text::new("", self.outer.x, 0.0, NOTE).color(SOFT_INK);
        scene.lines(&self.note, y + NOTE_GAP, &like);
    }

    fn draw_y(&self, scene: &mut Scene, rule: Stroke, ticks: &Ticks, side: Side) {
        let (edge, outwards, anchor) = match side {
            Side::Left => (self.area.x, -1.0, Anchor::End),
            Side::Right => (self.area.right(), 1.0, Anchor::Start),
        };
        let tick = |scene: &mut Scene, share: f64, length: f64| {
            let y = self.point(0.0, share)[1];
            scene.line(vec![[edge + outwards * length, y], [edge, y]], rule);
            y
        };
        for share in &ticks.minor {
            tick(scene, *share, MINOR_TICK);
        }
        for (share, label) in &ticks.major {
            let y = tick(scene, *share, MAJOR_TICK) + TICK * HALF_CAP;
            let x = edge + outwards * (MAJOR_TICK + TICK_GAP);
            scene.text(Text::new(label, x, y, TICK).anchor(anchor).color(SOFT_INK));
        }
        // Beside the tick labels, even where plots in a row are given more space.
        let near = widest(ticks) + TICK_GAP + MAJOR_TICK + GAP / 2.0;
        let width = |label: &[String]| text::height(label.len(), LABEL);
        let (label, start) = match side {
            Side::Left => {
                let start = edge - near - width(&self.y_label);
                (&self.y_label, start.max(self.outer.x))
            }
            Side::Right => {
                let last = self.outer.right() - width(&self.right_label);
                (&self.right_label, (edge + near).min(last))
            }
        };
        let middle = self.area.y + self.area.h / 2.0;
        for (i, line) in label.iter().enumerate() {
            let x = start + LABEL + i as f64 * LABEL * LEADING;
            scene.text(
                Text::new(line, x, middle, LABEL)
                    .anchor(Anchor::Middle)
                    .upright(),
            );
        }
    }
}
