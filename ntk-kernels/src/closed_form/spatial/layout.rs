//! Arranges pairs of positions in planes of one displacement.

use crate::network::{AxisMap, PositionMap};
use crate::pairs::axis::Axis;

/// A `Layout` has a plane for each combination of the displacements `y[i]`, `x[j]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    pub(super) axes: [Axis; 2],
    /// The displacements along each axis, in ascending order.
    pub(super) displacements: [Vec<isize>; 2],
    /// The start of each plane, `x` displacements varying fastest, and the end of the last.
    starts: Vec<usize>,
    /// The width of a plane of each `x` displacement.
    widths: Vec<usize>,
    /// Along each axis, the number of pairs of positions before each displacement, and of all.
    before: [Vec<usize>; 2],
    /// Along each axis, the least displacement.
    least: [isize; 2],
    /// Along each axis, the number of each displacement from the least to the largest, [`ABSENT`] for
    /// those that are not there.
    numbers: [Vec<usize>; 2],
}

/// The number of a displacement that a layout has not.
const ABSENT: usize = usize::MAX;

impl Layout {
    pub(super) fn new(size: [usize; 2], wraps: bool, displacements: [Vec<isize>; 2]) -> Self {
        let axes = size.map(|size| Axis { size, wraps });
        let [extents_y, extents_x] = [0, 1].map(|axis: usize| {
            let extent = |&d: &isize| axes[axis].range(d).len();
            displacements[axis].iter().map(extent).collect::<Vec<_>>()
        });
        let mut starts = vec![0];
        let mut total = 0;
        for height in &extents_y {
            for width in &extents_x {
                total += height * width;
                starts.push(total);
            }
        }
        let before = [&extents_y, &extents_x].map(|extents| {
            let sums = extents.iter().scan(0, |sum, extent| {
                *sum += extent;
                Some(*sum)
            });
            std::iter::once(0).chain(sums).collect()
        });
        let least = displacements
            .each_ref()
            .map(|all| all.first().copied().unwrap_or(0));
        let numbers = [0, 1].map(|axis: usize| {
            let all = &displacements[axis];
            let span = all.last().map_or(0, |most| most - least[axis] + 1);
            let mut numbers = vec![ABSENT; span.cast_unsigned()];
            for (number, &d) in all.iter().enumerate() {
                numbers[(d - least[axis]).cast_unsigned()] = number;
            }
            numbers
        });
        Self {
            axes,
            displacements,
            starts,
            widths: extents_x,
            before,
            least,
            numbers,
        }
    }

    /// Returns the number of pairs of positions along `axis`.
    pub(super) fn pairs(&self, axis: usize) -> usize {
        self.before[axis].last().copied().unwrap_or(0)
    }

    /// Returns the place among the pairs along `axis` of that of positions `p` and `q`; `None` where
    /// its plane is not wanted.
    #[inline(always)]
    pub(super) fn pair(&self, axis: usize, p: usize, q: usize) -> Option<usize> {
        let (number, at) = self.find(axis, p, q)?;
        Some(self.before[axis][number] + at)
    }

    /// Lists the pairs along `axis` as [`Layout::find`] gives them.
    pub(super) fn places(&self, axis: usize) -> impl Iterator<Item = (usize, usize)> {
        let extents = self.before[axis].windows(2).map(|ends| ends[1] - ends[0]);
        let numbered = extents.enumerate();
        numbered.flat_map(|(number, extent)| (0..extent).map(move |at| (number, at)))
    }

    /// Returns the number of positions in all planes.
    pub(super) fn len(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Returns the range of the plane of displacements number `i` and `j`.
    pub(super) fn plane(&self, i: usize, j: usize) -> std::ops::Range<usize> {
        let number = i * self.displacements[1].len() + j;
        self.starts[number]..self.starts[number + 1]
    }

    /// Returns the numbers of all planes, that of displacement zero first, because others need its
    /// variances. With `half` only one of each two planes of opposite displacements is among them.
    pub(super) fn order(&self, half: bool) -> Vec<(usize, usize)> {
        let [y, x] = &self.displacements;
        let mut all: Vec<(usize, usize)> = (0..y.len())
            .flat_map(|i| (0..x.len()).map(move |j| (i, j)))
            .filter(|&(i, j)| !half || (y[i], x[j]) >= (0, 0))
            .collect();
        all.sort_by_key(|&(i, j)| (y[i], x[j]) != (0, 0));
        all
    }

    /// Returns the number of the plane of the opposite displacement, which has the same positions
    /// in the same order, first and second exchanged; itself for zero, `None` where planes wrap.
    pub(super) fn opposite(&self, (i, j): (usize, usize)) -> Option<(usize, usize)> {
        let [y, x] = [0, 1].map(|axis: usize| {
            let at = [i, j][axis];
            let all = &self.displacements[axis];
            (!self.axes[axis].wraps).then(|| all.binary_search(&-all[at]).ok())
        });
        Some((y??, x??))
    }

    /// Returns the index of the position that [`Layout::find`] gave along each axis.
    #[inline(always)]
    pub(super) fn at(&self, (i, y): (usize, usize), (j, x): (usize, usize)) -> usize {
        let number = i * self.displacements[1].len() + j;
        self.starts[number] + y * self.widths[j] + x
    }

    /// Calls `f(where, p, p')` for every pair of positions.
    pub(super) fn each(&self, mut f: impl FnMut(usize, [usize; 2], [usize; 2])) {
        let [y, x] = self.axes;
        let mut at = 0;
        for &dy in &self.displacements[0] {
            for &dx in &self.displacements[1] {
                for row in y.range(dy) {
                    for column in x.range(dx) {
                        f(at, [row, column], [y.other(row, dy), x.other(column, dx)]);
                        at += 1;
                    }
                }
            }
        }
    }

    /// Returns the displacements along `axis` as they are where nothing wraps.
    pub(super) fn plain(&self, axis: usize) -> Vec<isize> {
        let Axis { size, wraps } = self.axes[axis];
        let size = size.cast_signed();
        let mut all = self.displacements[axis].clone();
        if wraps {
            all.extend(
                self.displacements[axis]
                    .iter()
                    .filter(|&&d| d > 0)
                    .map(|d| d - size),
            );
        }
        all
    }

    /// Returns the number of the displacement along `axis` of the pair of positions `p` and `q`,
    /// and that of the position in its plane; `None` where the plane is not wanted.
    #[inline(always)]
    pub(super) fn find(&self, axis: usize, p: usize, q: usize) -> Option<(usize, usize)> {
        let Axis { size, wraps } = self.axes[axis];
        let mut d = q.cast_signed() - p.cast_signed();
        if wraps && d < 0 {
            d += size.cast_signed();
        }
        let number = d.wrapping_sub(self.least[axis]).cast_unsigned();
        match self.numbers[axis].get(number) {
            None | Some(&ABSENT) => None,
            Some(&number) if wraps => Some((number, p)),
            // The first position of a plane is that of its displacement backwards.
            Some(&number) => Some((number, p.min(q))),
        }
    }
}

/// Returns the maps along the two axes that planes have.
pub(super) fn axes_of(map: &PositionMap) -> [&AxisMap; 2] {
    let Some([y, x, _]) = map.axes() else { whole() };
    [y, x]
}

/// Says that a program does not go through planes: `Program::in_planes` is false.
pub(super) fn whole() -> ! {
    unreachable!("goes through all pairs of positions")
}
