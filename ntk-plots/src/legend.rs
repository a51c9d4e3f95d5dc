//! The legend: what each line means, put where it covers no data.

use crate::scene::{Point, Rect, Scene, Stroke, Text};
use crate::text;
use crate::theme::*;
use std::borrow::Cow;

/// Space inside the legend's box.
const PADDING: f64 = 6.0;
/// Distance from the plot's edge, and from data.
const CLEARANCE: f64 = 5.0;
const ROW: f64 = TICK * 1.5;
/// Between sample and name.
const SAMPLE_GAP: f64 = 6.0;
/// Between entries in a row.
const ENTRY_GAP: f64 = 16.0;
/// A box wider or taller than this share of the plot goes above it.
const MAX_SHARE: f64 = 0.6;

/// What one entry shows.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) color: Color,
    /// Absent for a series of points only.
    pub(crate) stroke: Option<Stroke>,
    /// Index of the mark's shape.
    pub(crate) mark: Option<usize>,
    pub(crate) band: bool,
}

impl Entry<'_> {
    fn width(&self) -> f64 {
        LEGEND_LINE + SAMPLE_GAP + text::width(&self.name, TICK, false)
    }

    fn draw(&self, scene: &mut Scene, x: f64, middle: f64, room: f64) {
        if self.band {
            let rect = Rect::new(x, middle - ROW * 0.3, LEGEND_LINE, ROW * 0.6);
            scene.rect(rect, self.color, BAND_OPACITY);
        }
        if let Some(stroke) = self.stroke {
            scene.line(vec![[x, middle], [x + LEGEND_LINE, middle]], stroke);
        }
        if let Some(index) = self.mark {
            draw_mark(scene, [x + LEGEND_LINE / 2.0, middle], index, self.color);
        }
        let room = room - LEGEND_LINE - SAMPLE_GAP;
        for name in text::wrap(&self.name, TICK, false, room, 1) {
            let y = middle + TICK * HALF_CAP;
            scene.text(Text::new(&name, x + LEGEND_LINE + SAMPLE_GAP, y, TICK));
        }
    }
}

/// Something a legend inside the plot must not cover.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Obstacle {
    Segment(Point, Point),
    Box(Rect),
}

/// The first place along the plot's edge, corners first, where a box of `size` covers nothing.
pub(crate) fn place(area: Rect, size: [f64; 2], obstacles: &[Obstacle]) -> Option<Rect> {
    let [w, h] = size;
    if w > MAX_SHARE * area.w || h > MAX_SHARE * area.h {
        return None;
    }
    let inner = area.grown(-CLEARANCE);
    let (left, right) = (inner.x, inner.right() - w);
    let (top, bottom) = (inner.y, inner.bottom() - h);
    let (center, middle) = ((left + right) / 2.0, (top + bottom) / 2.0);
    let places = [
        [right, top],
        [left, top],
        [right, bottom],
        [left, bottom],
        [center, top],
        [right, middle],
        [center, bottom],
        [left, middle],
    ];
    places
        .into_iter()
        .map(|[x, y]| Rect::new(x, y, w, h))
        .find(|candidate| {
            let keep = candidate.grown(CLEARANCE);
            obstacles.iter().all(|o| match o {
                Obstacle::Segment(a, b) => keep.clip(*a, *b).is_none(),
                Obstacle::Box(rect) => !keep.overlaps(rect),
            })
        })
}

/// Size of the entries one below the other, in a box.
pub(crate) fn size(entries: &[Entry<'_>]) -> [f64; 2] {
    let width = entries.iter().map(Entry::width).fold(0.0, f64::max);
    [
        width + 2.0 * PADDING,
        entries.len() as f64 * ROW + 2.0 * PADDING - (ROW - TICK),
    ]
}

/// Draws the entries one below the other in the box.
pub(crate) fn draw(scene: &mut Scene, rect: Rect, entries: &[Entry<'_>]) {
    scene.rect(rect, PAPER, 1.0);
    scene.frame(rect, Stroke::solid(GRID, AXIS_WIDTH));
    for (i, entry) in entries.iter().enumerate() {
        let middle = rect.y + PADDING + TICK / 2.0 + i as f64 * ROW;
        entry.draw(scene, rect.x + PADDING, middle, rect.w - PADDING);
    }
}

/// The entries in rows no wider than `width`: the index of the first of each row.
fn rows(entries: &[Entry<'_>], width: f64) -> Vec<usize> {
    let (mut starts, mut x) = (Vec::new(), f64::INFINITY);
    for (i, entry) in entries.iter().enumerate() {
        if x + entry.width() > width {
            starts.push(i);
            x = 0.0;
        }
        x += entry.width() + ENTRY_GAP;
    }
    starts
}

/// Height of the entries in rows no wider than `width`.
pub(crate) fn rows_height(entries: &[Entry<'_>], width: f64) -> f64 {
    rows(entries, width).len() as f64 * ROW
}

/// Draws the entries in rows.
pub(crate) fn draw_rows(scene: &mut Scene, rect: Rect, entries: &[Entry<'_>]) {
    let mut starts = rows(entries, rect.w);
    starts.push(entries.len());
    for (row, pair) in starts.windows(2).enumerate() {
        let mut x = rect.x;
        for entry in &entries[pair[0]..pair[1]] {
            let middle = rect.y + (row as f64 + 0.5) * ROW;
            entry.draw(scene, x, middle, rect.right() - x);
            x += entry.width() + ENTRY_GAP;
        }
    }
}

/// Draws the mark number `index` (modulo four: disc, square, triangle, diamond).
pub(crate) fn draw_mark(scene: &mut Scene, [x, y]: Point, index: usize, color: Color) {
    let r = MARKER_RADIUS;
    let points = match index % 4 {
        0 => crate::raster::disc([x, y], r),
        1 => {
            // Half the side of the square of the disc's area.
            let s = 0.886 * r;
            vec![
                [x - s, y - s],
                [x + s, y - s],
                [x + s, y + s],
                [x - s, y + s],
            ]
        }
        2 => vec![
            [x, y - 1.25 * r],
            [x + 1.15 * r, y + 0.8 * r],
            [x - 1.15 * r, y + 0.8 * r],
        ],
        _ => vec![
            [x, y - 1.3 * r],
            [x + 1.3 * r, y],
            [x, y + 1.3 * r],
            [x - 1.3 * r, y],
        ],
    };
    scene.polygon(points, color, 1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: Rect = Rect {
        x: 0.0,
        y: 0.0,
        w: 300.0,
        h: 200.0,
    };
    const SIZE: [f64; 2] = [80.0, 40.0];

    /// Which corner of the area the box is in: left or right, top or bottom.
    fn corner(rect: Rect) -> (&'static str, &'static str) {
        (
            if rect.x + rect.w / 2.0 < 150.0 {
                "left"
            } else {
                "right"
            },
            if rect.y + rect.h / 2.0 < 100.0 {
                "top"
            } else {
                "bottom"
            },
        )
    }

    #[test]
    fn the_legend_takes_the_free_corner() {
        let down = [Obstacle::Segment([0.0, 0.0], [300.0, 200.0])];
        assert_eq!(place(AREA, SIZE, &down).map(corner), Some(("right", "top")));
        let up = [Obstacle::Segment([0.0, 200.0], [300.0, 0.0])];
        assert_eq!(place(AREA, SIZE, &up).map(corner), Some(("left", "top")));
        let roof = [Obstacle::Segment([0.0, 10.0], [300.0, 10.0])];
        assert_eq!(
            place(AREA, SIZE, &roof).map(corner),
            Some(("right", "bottom"))
        );
        let all_but_one = [roof[0], Obstacle::Box(Rect::new(290.0, 190.0, 6.0, 6.0))];
        assert_eq!(
            place(AREA, SIZE, &all_but_one).map(corner),
            Some(("left", "bottom"))
        );
    }

    #[test]
    fn no_place_when_data_is_everywhere_or_the_box_is_large() {
        let dense: Vec<Obstacle> = (0..40)
            .flat_map(|i| (0..40).map(move |j| (f64::from(i) * 8.0, f64::from(j) * 5.0)))
            .map(|(x, y)| Obstacle::Box(Rect::new(x, y, 4.0, 4.0)))
            .collect();
        assert_eq!(place(AREA, SIZE, &dense), None);
        assert_eq!(place(AREA, [290.0, 20.0], &[]), None);
    }
}
