//! Sums pairs of positions over the windows of pools, at a cost that does not grow with them.
//!
//! The starts and ends of the windows cut an axis into cells. As planes come along, each pair of
//! positions is added to one pair of cells ([`Cells`]). Where windows overlap, pairs of cells are then
//! summed over the windows of the second samples, and these sums over those of the first, along one
//! axis after the other ([`WindowSums`]). Windows slide: of a block of neighbouring cells the sums up
//! to its end are known, and to one of these the sum from the end on is added, which grows with each
//! window (M. van Herk 1992, "A fast algorithm for local minimum and maximum filters on rectangular
//! and octagonal kernels"). Each cell is added twice, and nothing is ever subtracted.

use super::layout::{Layout, axes_of};
use super::tensor::Tensor;
use crate::network::{AxisMap, PositionMap, displacements};
use crate::pack::{Pack, wide};
use crate::pairs::axis::Axis;
use crate::sums::{Sum, carry, total};
use ntk_linalg::Real;
use std::ops::Range;

/// The cells of one axis.
pub(super) struct AxisCells {
    /// The cell of each position; `None` between windows.
    pub(super) of: Vec<Option<usize>>,
    count: usize,
    /// The cells of each window. Around a ring they count on beyond the last.
    windows: Vec<(isize, isize)>,
    circular: bool,
}

impl AxisCells {
    /// Makes the cells of both axes of a map whose rows are windows.
    pub(super) fn of_both(map: &PositionMap) -> Option<[Self; 2]> {
        let [y, x] = axes_of(map);
        Some([Self::new(y)?, Self::new(x)?])
    }

    /// Makes the cells of a map each of whose rows has neighbouring positions of equal weight, none
    /// of them twice, that start and end no earlier than those of the row before; `None` for others.
    fn new(map: &AxisMap) -> Option<Self> {
        let size = map.inputs();
        let mut ends: Vec<(usize, usize)> = Vec::with_capacity(map.rows().len());
        for row in map.rows() {
            let &(start, _) = row.first()?;
            let neighbours = (start..start + row.len()).map(|at| at % size);
            let neighbours = row.iter().map(|&(at, _)| at).eq(neighbours);
            if !neighbours || row.len() > size || AxisMap::shared_weight(row).is_none() {
                return None;
            }
            // The first turn of the ring that does not go back.
            let before = ends.last().map_or(0, |&(before, _)| before);
            let turns = before.saturating_sub(start).div_ceil(size);
            let start = start + turns * size;
            ends.push((start, start + row.len()));
        }
        let (&(first, first_end), &(last, last_end)) = (ends.first()?, ends.last()?);
        let ordered = ends.windows(2).all(|two| two[0].1 <= two[1].1);
        let circular = last_end > size;
        if !ordered || (circular && (last > first + size || last_end > first_end + size)) {
            return None;
        }
        let place = |at: usize| if circular { at % size } else { at };
        let mut cuts: Vec<usize> = ends
            .iter()
            .flat_map(|&(start, end)| [place(start), place(end)])
            .collect();
        cuts.sort_unstable();
        cuts.dedup();
        // How many windows begin less how many end at each position: those that it is in.
        let mut changes = vec![0_isize; 2 * size + 1];
        for &(start, end) in &ends {
            let (start, length) = (place(start), end - start);
            changes[start] += 1;
            changes[start + length] -= 1;
        }
        let inside: Vec<isize> = changes
            .iter()
            .scan(0, |sum, change| {
                *sum += change;
                Some(*sum)
            })
            .collect();
        let covered = |at: usize| inside[at] + inside[at + size] > 0;
        // The number of cells that start before each position.
        let mut before = vec![0; size + 1];
        let mut count = 0;
        let mut starts = cuts.iter().copied().peekable();
        for (at, before) in before.iter_mut().enumerate() {
            *before = count;
            if starts.next_if_eq(&at).is_some() && at < size && covered(at) {
                count += 1;
            }
        }
        let of = (0..size).map(|at| match before[at + 1] {
            _ if !covered(at) => None,
            // Before the first start the last cell goes on around the ring.
            0 => Some(count - 1),
            number => Some(number - 1),
        });
        let of = of.collect();
        let number = |at: usize| match circular {
            true => before[at % size] + count * (at / size),
            false => before[at],
        };
        let cells = |&(start, end): &(usize, usize)| {
            (number(start).cast_signed(), number(end).cast_signed())
        };
        Some(Self {
            of,
            count,
            windows: ends.iter().map(cells).collect(),
            circular,
        })
    }

    /// Says whether each window is one cell, and each cell one window.
    fn apart(&self) -> bool {
        let numbers = (0..).map(|at| (at, at + 1));
        self.count == self.windows.len()
            && self.windows.iter().copied().eq(numbers.take(self.count))
    }

    /// Returns the displacements of cells that count for windows of the displacements `out`.
    fn displacements(&self, out: &[isize]) -> Vec<isize> {
        let count = self.count.cast_signed();
        let reach = |&(start, end): &(isize, isize)| {
            // What goes around the ring may be anywhere.
            let around = start.div_euclid(count) != (end - 1).div_euclid(count);
            Some(match around {
                true => (0, count - 1),
                false => (start.rem_euclid(count), (end - 1).rem_euclid(count)),
            })
        };
        let reaches: Vec<_> = self.windows.iter().map(reach).collect();
        displacements(self.count, &reaches, out)
    }
}

/// The cells into which the pairs of positions of planes are gathered.
pub(super) struct Cells {
    axes: [Axis; 2],
    /// The displacements of the planes.
    displacements: [Vec<isize>; 2],
    of: [Vec<Option<usize>>; 2],
    sums: bool,
}

impl Cells {
    pub(super) fn new(
        axes: [Axis; 2],
        displacements: [Vec<isize>; 2],
        of: [Vec<Option<usize>>; 2],
    ) -> Self {
        // Cells are in order: one with two positions has two neighbours, or both ends of a ring.
        let shared = |of: &Vec<Option<usize>>| {
            let ends = of.len() > 1 && of.first() == of.last();
            ends || of
                .windows(2)
                .any(|two| two[0] == two[1] && two[0].is_some())
        };
        Self {
            sums: of.iter().any(shared),
            axes,
            displacements,
            of,
        }
    }

    /// Says whether any cell has more than one position.
    pub(super) fn sums(&self) -> bool {
        self.sums
    }

    /// Adds the values of the plane of displacements number `i` and `j`.
    pub(super) fn take<T: Real>(
        &self,
        kept: &Layout,
        (i, j): (usize, usize),
        from: &[Pack<T>],
        lanes: impl Fn(Pack<T>) -> Pack<T>,
        (to, rest): (&mut [Pack<T>], &mut [Pack<T>]),
    ) {
        let place = |axis: usize, at: usize, d: isize| {
            let other = self.axes[axis].other(at, d);
            kept.find(axis, self.of[axis][at]?, self.of[axis][other]?)
        };
        let [dy, dx] = [self.displacements[0][i], self.displacements[1][j]];
        let columns = self.axes[1].range(dx);
        // Neighbours that count for one cell are added up first.
        let mut runs: Vec<(Range<usize>, (usize, usize))> = Vec::with_capacity(columns.len());
        for (column, at) in columns.clone().enumerate() {
            let Some(place) = place(1, at, dx) else {
                continue;
            };
            match runs.last_mut() {
                Some((run, before)) if *before == place && run.end == column => run.end += 1,
                _ => runs.push((column..column + 1, place)),
            }
        }
        let rows = self.axes[0]
            .range(dy)
            .zip(from.chunks_exact(columns.len().max(1)));
        let rows = rows.filter_map(|(at, values)| Some((place(0, at, dy)?, values)));
        wide(
            #[inline(always)]
            || {
                for (row, values) in rows {
                    for (run, column) in &runs {
                        let at = kept.at(row, *column);
                        let value = lanes(match &values[run.clone()] {
                            [value] => *value,
                            values => total(values),
                        });
                        if self.sums {
                            carry(&mut to[at], &mut rest[at], value);
                        } else {
                            to[at] = value;
                        }
                    }
                }
            },
        );
    }
}

/// The most sums along an axis whose summands are listed one by one.
const MOST_LISTED: u64 = 1 << 18;

/// What a summand costs on its way through cells, in those of a list.
const CELL_COST: u64 = 3;

/// Says whether it takes less to add each pair of positions to every pair of windows of the planes of
/// `out` that it is in than to go by cells: where windows overlap little, or few planes are wanted.
pub(super) fn rather_listed(map: &PositionMap, cells: &[AxisCells; 2], out: &Layout) -> bool {
    if cells.iter().all(AxisCells::apart) {
        return false;
    }
    let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
    let plain = [0, 1].map(|axis: usize| out.plain(axis));
    let listed = [0, 1].map(|axis: usize| {
        let rows = axes_of(map)[axis].rows();
        let pairs = plain[axis].iter().flat_map(|&d| {
            let other = move |p: usize| p.checked_add_signed(d).and_then(|q| rows.get(q));
            (0..rows.len()).filter_map(move |p| Some((rows[p].len(), other(p)?.len())))
        });
        pairs.fold(0, |sum, (one, two)| {
            count(one).saturating_mul(count(two)).saturating_add(sum)
        })
    });
    if listed.iter().any(|&listed| listed > MOST_LISTED) {
        return false;
    }
    let wanted = [0, 1].map(|axis: usize| cells[axis].displacements(&plain[axis]).len());
    let pairs = [0, 1].map(|axis: usize| count(cells[axis].count.saturating_mul(wanted[axis])));
    let by_cells = pairs[0].saturating_mul(pairs[1]);
    listed[0].saturating_mul(listed[1]) <= by_cells.saturating_mul(CELL_COST)
}

/// The way from pairs of cells to sums over pairs of windows.
pub(super) struct WindowSums {
    /// The pairs of cells that are needed.
    pub(super) source: Layout,
    axes: [AxisSums; 2],
}

/// [`WindowSums`] along one axis.
struct AxisSums {
    cells: usize,
    windows: Vec<(isize, isize)>,
    circular: bool,
    /// Whether windows are cells, and their pairs stand in the same order.
    same: bool,
    /// The least and largest displacement of windows that is wanted.
    span: (isize, isize),
    /// For each cell, the windows with which sums over its pairs are needed.
    reach: Vec<Range<isize>>,
    /// The number of these sums before each cell, and of all.
    before: Vec<usize>,
}

/// Memory that is used again from one line to the next.
struct Lines<T> {
    source: Vec<Pack<T>>,
    between: Vec<Pack<T>>,
    out: Vec<Pack<T>>,
    /// The sums from each cell of a block to its end, last first.
    block: Vec<Sum<T>>,
}

impl WindowSums {
    /// Makes the sums that lead to the planes of `out`; `None` where the cells are the windows.
    pub(super) fn new(cells: &[AxisCells; 2], out: &Layout) -> Option<Self> {
        if cells.iter().all(AxisCells::apart) {
            return None;
        }
        let plain = [0, 1].map(|axis: usize| out.plain(axis));
        let wanted = [0, 1].map(|axis: usize| cells[axis].displacements(&plain[axis]));
        let source = Layout::new(cells.each_ref().map(|cells| cells.count), false, wanted);
        let axes = [0, 1].map(|axis: usize| {
            let same = cells[axis].apart()
                && !out.axes[axis].wraps
                && source.displacements[axis] == out.displacements[axis];
            AxisSums::new(&cells[axis], &plain[axis], same)
        });
        Some(Self { source, axes })
    }

    /// Returns the packs of one kernel that exist at once beside those that are summed.
    pub(super) fn packs(&self, out: &Layout) -> u64 {
        let across = self.source.pairs(0).saturating_mul(out.pairs(1));
        let packs = across.saturating_add(out.len());
        u64::try_from(packs).unwrap_or(u64::MAX)
    }

    /// Sums a tensor of pairs of cells to one of pairs of windows.
    pub(super) fn apply<T: Real>(&self, source: Tensor<T>, out: &Layout) -> Tensor<T> {
        Tensor {
            nngp: self.one(source.nngp, out),
            ntk: source.ntk.map(|ntk| self.one(ntk, out)),
        }
    }

    fn one<T: Real>(&self, from: Vec<Pack<T>>, out: &Layout) -> Vec<Pack<T>> {
        let source = &self.source;
        let longest = |layout: &Layout| layout.pairs(0).max(layout.pairs(1));
        let between = self.axes.iter().map(AxisSums::between).max();
        let mut lines = Lines {
            source: vec![Pack::zero(); longest(source)],
            between: vec![Pack::zero(); between.unwrap_or(0)],
            out: vec![Pack::zero(); longest(out)],
            block: Vec::new(),
        };
        let columns: Vec<_> = source.places(1).collect();
        let width = out.pairs(1);
        let mut across = vec![Pack::zero(); source.pairs(0) * width];
        for (row, across) in source.places(0).zip(across.chunks_exact_mut(width.max(1))) {
            for (to, &column) in lines.source.iter_mut().zip(&columns) {
                *to = from[source.at(row, column)];
            }
            self.axes[1].line(1, source, out, &mut lines);
            across.copy_from_slice(&lines.out[..width]);
        }
        drop(from);
        let rows: Vec<_> = out.places(0).collect();
        let mut to = vec![Pack::zero(); out.len()];
        for (number, column) in out.places(1).enumerate() {
            for (to, across) in lines.source.iter_mut().zip(across.chunks_exact(width)) {
                *to = across[number];
            }
            self.axes[0].line(0, source, out, &mut lines);
            for (&row, &value) in rows.iter().zip(&lines.out) {
                to[out.at(row, column)] = value;
            }
        }
        to
    }
}

impl AxisSums {
    fn new(cells: &AxisCells, wanted: &[isize], same: bool) -> Self {
        let bound = |d: Option<&isize>| d.copied().unwrap_or(0);
        let mut sums = Self {
            cells: cells.count,
            windows: cells.windows.clone(),
            circular: cells.circular,
            same,
            span: (bound(wanted.iter().min()), bound(wanted.iter().max())),
            reach: Vec::new(),
            before: vec![0],
        };
        let outs = sums.windows.len().cast_signed();
        let (mut first, mut end) = match sums.circular {
            true => (-2 * outs, -2 * outs),
            false => (0, 0),
        };
        let most = if sums.circular { 3 * outs } else { outs };
        for cell in 0..sums.cells.cast_signed() {
            // The windows that the cell is in are neighbours, and move on with it.
            while first < most && sums.window(first).1 <= cell {
                first += 1;
            }
            while end < most && sums.window(end).0 <= cell {
                end += 1;
            }
            let reach = sums.turned(first + sums.span.0..end + sums.span.1);
            let length = usize::try_from(reach.end - reach.start).unwrap_or(0);
            sums.before
                .push(sums.before.last().copied().unwrap_or(0) + length);
            sums.reach.push(reach);
        }
        sums
    }

    /// Returns the number of sums over the second samples' windows.
    fn between(&self) -> usize {
        self.before.last().copied().unwrap_or(0)
    }

    /// Returns the cells of a window, which around a ring may have any number.
    #[inline(always)]
    fn window(&self, number: isize) -> (isize, isize) {
        let outs = self.windows.len();
        let (at, turns) = match usize::try_from(number) {
            Ok(at) if at < outs => (at, 0),
            _ => {
                let outs = outs.cast_signed();
                (
                    number.rem_euclid(outs).cast_unsigned(),
                    number.div_euclid(outs),
                )
            }
        };
        let (start, end) = self.windows[at];
        let shift = turns * self.cells.cast_signed();
        (start + shift, end + shift)
    }

    /// Takes of a range of windows those that there are: around a ring, each at most once.
    fn turned(&self, range: Range<isize>) -> Range<isize> {
        let outs = self.windows.len().cast_signed();
        if !self.circular {
            return range.start.clamp(0, outs)..range.end.clamp(0, outs);
        }
        if range.end - range.start >= outs {
            return 0..outs;
        }
        range
    }

    /// Takes the line `lines.source` of pairs of cells to `lines.out` of pairs of windows.
    fn line<T: Real>(&self, axis: usize, source: &Layout, out: &Layout, lines: &mut Lines<T>) {
        if self.same {
            let pairs = out.pairs(axis);
            lines.out[..pairs].copy_from_slice(&lines.source[..pairs]);
            return;
        }
        let Lines {
            source: from,
            between,
            out: to,
            block,
        } = lines;
        let (cells, outs) = (self.cells, self.windows.len());
        wide(
            #[inline(always)]
            || {
                for (cell, reach) in self.reach.iter().enumerate() {
                    let get = |other: isize| {
                        let pair = source.pair(axis, cell, around(other, cells));
                        pair.map_or(Pack::zero(), |at| from[at])
                    };
                    let before = self.before[cell].cast_signed() - reach.start;
                    self.slide(reach.clone(), block, get, |window, sum| {
                        between[(before + window).cast_unsigned()] = sum;
                    });
                }
                for other in 0..outs {
                    let get = |cell: isize| {
                        let cell = around(cell, cells);
                        let reach = &self.reach[cell];
                        let gap = other.cast_signed() - reach.start;
                        let at = match self.circular {
                            true => around(gap, outs),
                            false => match usize::try_from(gap) {
                                Ok(at) => at,
                                Err(_) => return Pack::zero(),
                            },
                        };
                        match at.cast_signed() < reach.end - reach.start {
                            true => between[self.before[cell] + at],
                            false => Pack::zero(),
                        }
                    };
                    let at = other.cast_signed();
                    let windows = self.turned(at - self.span.1..at - self.span.0 + 1);
                    self.slide(windows, block, get, |window, sum| {
                        if let Some(at) = out.pair(axis, around(window, outs), other) {
                            to[at] = sum;
                        }
                    });
                }
            },
        );
    }

    /// Sums over the cells of each window of a range.
    #[inline(always)]
    fn slide<T: Real>(
        &self,
        windows: Range<isize>,
        block: &mut Vec<Sum<T>>,
        get: impl Fn(isize) -> Pack<T>,
        mut put: impl FnMut(isize, Pack<T>),
    ) {
        let mut block_end = self.window(windows.start).0;
        let (mut end, mut beyond) = (block_end, Sum::zero());
        for window in windows {
            let (start, stop) = self.window(window);
            if start >= block_end {
                block.clear();
                let mut sum = Sum::zero();
                for at in (start..stop).rev() {
                    sum.add(get(at));
                    block.push(sum);
                }
                (block_end, end, beyond) = (stop, stop, Sum::zero());
            }
            while end < stop {
                beyond.add(get(end));
                end += 1;
            }
            let inside = block[(block_end - 1 - start).cast_unsigned()];
            put(window, inside.join(beyond).total());
        }
    }
}

/// Returns `at` modulo `size`.
#[inline(always)]
fn around(at: isize, size: usize) -> usize {
    match usize::try_from(at) {
        Ok(at) if at < size => at,
        _ => at.rem_euclid(size.cast_signed()).cast_unsigned(),
    }
}
