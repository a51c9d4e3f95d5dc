//! The legend: what each line means, put where it covers no data.

use crate::mark;
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

/// An `Entry` says what one entry shows.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) color: Color,
    /// Absent for a series of points only.
    pub(crate) stroke: Option<Stroke>,
    /// Index of the mark's shape.
    pub(crate) mark: Option<usize>,
    pub(crate) band: bool,
    /// Whether it has error bars.
    pub(crate) bars: bool,
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
        let center = x + LEGEND_LINE / 2.0;
        if self.bars {
            let bar = Stroke::solid(self.color, ERROR_BAR_WIDTH);
            let (top, bottom) = (middle - ROW * 0.32, middle + ROW * 0.32);
            scene.line(vec![[center, top], [center, bottom]], bar);
            for y in [top, bottom] {
                scene.line(vec![[center - CAP, y], [center + CAP, y]], bar);
            }
        }
        if let Some(stroke) = self.stroke {
            scene.line(vec![[x, middle], [x + LEGEND_LINE, middle]], stroke);
        }
        if let Some(index) = self.mark {
            mark::draw(scene, [center, middle], index, self.color, mark::FULL);
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

/// The row and the x of every entry, in rows no wider than `width`; more than one row in columns,
/// if they need no more rows for it.
fn cells(entries: &[Entry<'_>], width: f64) -> Vec<(usize, f64)> {
    let (mut out, mut row, mut x) = (Vec::with_capacity(entries.len()), 0, 0.0);
    for entry in entries {
        if x > 0.0 && x + entry.width() > width {
            (row, x) = (row + 1, 0.0);
        }
        out.push((row, x));
        x += entry.width() + ENTRY_GAP;
    }
    let step = entries.iter().map(Entry::width).fold(0.0, f64::max) + ENTRY_GAP;
    let columns = ((width + ENTRY_GAP) / step).max(1.0) as usize;
    if row > 0 && entries.len().div_ceil(columns) <= row + 1 {
        let cell = |i: usize| (i / columns, (i % columns) as f64 * step);
        return (0..entries.len()).map(cell).collect();
    }
    out
}

/// Height of the entries in rows no wider than `width`.
pub(crate) fn rows_height(entries: &[Entry<'_>], width: f64) -> f64 {
    cells(entries, width)
        .last()
        .map_or(0.0, |(row, _)| (row + 1) as f64 * ROW)
}

/// Draws the entries in rows.
pub(crate) fn draw_rows(scene: &mut Scene, rect: Rect, entries: &[Entry<'_>]) {
    for (entry, (row, x)) in entries.iter().zip(cells(entries, rect.w)) {
        let middle = rect.y + (row as f64 + 0.5) * ROW;
        entry.draw(scene, rect.x + x, middle, rect.w - x);
    }
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
    fn rows_are_columns_where_that_takes_no_more_of_them() {
        let entry = |name: &'static str| Entry {
            name: Cow::Borrowed(name),
            color: PAPER,
            stroke: None,
            mark: None,
            band: false,
            bars: false,
        };
        let placed = |names: &[&'static str], width| {
            let entries: Vec<_> = names.iter().map(|n| entry(n)).collect();
            cells(&entries, width)
        };
        let rows = |cells: &[(usize, f64)]| cells.iter().map(|c| c.0).collect::<Vec<_>>();
        let even = placed(&["a", "bb", "ccc", "d", "e"], 150.0);
        assert_eq!(rows(&even), [0, 0, 1, 1, 2]);
        assert_eq!((even[1].1, even[2].1), (even[3].1, 0.0));
        // Columns as wide as the long name would take a row for each.
        let uneven = placed(&["a", "b", "a name of some length", "d", "e"], 150.0);
        assert_eq!(rows(&uneven), [0, 0, 1, 2, 2]);
        assert_eq!(rows(&placed(&["a", "b"], 150.0)), [0, 0]);
        assert_eq!(rows(&placed(&["a", "b"], 1.0)), [0, 1]);
        assert!(placed(&[], 100.0).is_empty());
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
