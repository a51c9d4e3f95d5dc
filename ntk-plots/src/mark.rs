//! The marks of points: their shapes, and their size where they crowd.

use std::collections::HashSet;

use crate::raster::{DISC_CORNERS, disc};
use crate::scene::{Point, Scene};
use crate::theme::{Color, MARKER_RADIUS};

/// Smallest mark: still seen alone, in print too.
const LEAST_RADIUS: f64 = 1.2;
/// Marks begin to shrink where each shares its place with this many others, on average.
const FREE: f64 = 0.3;
/// The opacity of marks that have just begun to fade: where two overlap is seen.
const MOST_OPACITY: f64 = 0.8;
/// The faintest mark: seven on top of each other cover half.
const LEAST_OPACITY: f64 = 0.1;

/// A `Size` says how large and how opaque a mark is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Size {
    pub(crate) radius: f64,
    pub(crate) opacity: f64,
}

/// The size of a mark that is alone.
pub(crate) const FULL: Size = Size {
    radius: MARKER_RADIUS,
    opacity: 1.0,
};

impl Size {
    /// Finds the size that lets marks at all of `points` be told apart, or at least show where they
    /// are dense.
    pub(crate) fn of(points: &[Point]) -> Self {
        let side = 2.0 * MARKER_RADIUS;
        let cell = |[x, y]: &Point| ((x / side).floor() as i64, (y / side).floor() as i64);
        let places = points.iter().map(cell).collect::<HashSet<_>>().len();
        let others = points.len() as f64 / places.max(1) as f64 - 1.0;
        if others <= FREE {
            return FULL;
        }
        let radius = (MARKER_RADIUS * (FREE / others).sqrt()).max(LEAST_RADIUS);
        // What is left to do once they cannot be smaller.
        let layers = others * (radius / MARKER_RADIUS).powi(2);
        let opacity = (MOST_OPACITY * (FREE / layers).sqrt()).clamp(LEAST_OPACITY, MOST_OPACITY);
        Self { radius, opacity }
    }
}

/// Draws the mark number `index` (modulo four: disc, square, triangle, diamond).
pub(crate) fn draw(scene: &mut Scene, [x, y]: Point, index: usize, color: Color, size: Size) {
    let r = size.radius;
    let points = match index % 4 {
        0 if size == FULL => disc([x, y], r, DISC_CORNERS),
        // A cloud has many, and they are small.
        0 => disc([x, y], r, DISC_CORNERS / 2),
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
    scene.polygon(points, color, size.opacity);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lattice(side: u32, step: f64) -> Vec<Point> {
        let at = |i: u32| f64::from(i) * step;
        (0..side)
            .flat_map(|i| (0..side).map(move |j| [at(i), at(j)]))
            .collect()
    }

    #[test]
    fn marks_shrink_and_fade_only_where_they_crowd() {
        assert_eq!(Size::of(&[]), FULL);
        assert_eq!(Size::of(&[[1.0, 1.0]]), FULL);
        assert_eq!(Size::of(&lattice(20, 6.0)), FULL);
        let (some, many) = (Size::of(&lattice(40, 4.5)), Size::of(&lattice(200, 0.9)));
        assert!(LEAST_RADIUS < some.radius && some.radius < MARKER_RADIUS);
        assert!(many.radius <= some.radius && many.opacity < some.opacity);
        // A heap in one place, wide as the plot may be.
        let heap = Size::of(&vec![[7.0, 7.0]; 100_000]);
        assert_eq!((heap.radius, heap.opacity), (LEAST_RADIUS, LEAST_OPACITY));
    }
}
