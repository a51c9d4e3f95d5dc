//! Makes one pass over a plane: the sum over the rows of a window, the layer's weights, the
//! activation, and the sum over the columns of the next window, while a row is in the first-level
//! cache.

use super::axis::{Axis, Taps};
use super::lanes::{First, GROUP, Second};
use super::{Dual, Maps, Side};
use crate::affine::{Affine, AffinePack};
use crate::pack::{Pack, by_lanes, wide, wide_or};
use crate::sums::{RUN, Sum, carry};
use ntk_linalg::Real;

/// Covariances of sixteen pairs at each position of a plane; no NTK means zeros.
///
/// Memory is kept from one use to the next.
#[derive(Debug)]
pub(crate) struct Plane<T> {
    /// NNGP and NTK, each after some unused packs.
    memory: [Vec<Pack<T>>; 2],
    skew: [usize; 2],
    len: usize,
    has_ntk: bool,
}

/// A borrowed [`Plane`].
#[derive(Clone, Copy)]
pub(crate) struct PlaneRef<'a, T> {
    pub(crate) nngp: &'a [Pack<T>],
    pub(crate) ntk: Option<&'a [Pack<T>]>,
}

impl<T: Real> Plane<T> {
    /// Makes an empty plane. A loop reads one and writes to another side by side: `number` keeps
    /// planes apart in their addresses modulo 4096 bytes, where a processor would otherwise take a
    /// load for dependent on an earlier store.
    pub(crate) fn new(number: usize) -> Self {
        let packs = 4096 / size_of::<Pack<T>>();
        let skew = |part: usize| (number * 2 + part) * packs * 5 / 16 % packs;
        Self {
            memory: [Vec::new(), Vec::new()],
            skew: [skew(0), skew(1)],
            len: 0,
            has_ntk: false,
        }
    }

    /// Makes the plane as large as needed; what it held has no meaning then.
    pub(crate) fn reset(&mut self, len: usize, has_ntk: bool) {
        (self.len, self.has_ntk) = (len, has_ntk);
        let parts = if has_ntk { 2 } else { 1 };
        for (memory, skew) in self.memory.iter_mut().zip(self.skew).take(parts) {
            if memory.len() < len + skew {
                memory.resize(len + skew, Pack::zero());
            }
        }
    }

    pub(crate) fn view(&self) -> PlaneRef<'_, T> {
        let part = |k: usize| &self.memory[k][self.skew[k]..][..self.len];
        PlaneRef {
            nngp: part(0),
            ntk: self.has_ntk.then(|| part(1)),
        }
    }

    /// Returns the NNGP, and the NTK, which is empty where there is none.
    pub(crate) fn both(&mut self) -> (&mut [Pack<T>], &mut [Pack<T>]) {
        let [nngp, ntk] = &mut self.memory;
        let ntk = match self.has_ntk {
            true => &mut ntk[self.skew[1]..][..self.len],
            false => &mut [],
        };
        (&mut nngp[self.skew[0]..][..self.len], ntk)
    }

    pub(crate) fn copy(&mut self, from: PlaneRef<'_, T>) {
        self.reset(from.nngp.len(), from.ntk.is_some());
        let (nngp, ntk) = self.both();
        nngp.copy_from_slice(from.nngp);
        ntk.copy_from_slice(from.ntk.unwrap_or_default());
    }

    /// Fills a missing NTK with zeros.
    pub(crate) fn fill_ntk(&mut self) {
        if !self.has_ntk {
            self.reset(self.len, true);
            self.both().1.fill(Pack::zero());
        }
    }
}

/// A `Pass` says what is done with a plane of displacement `(y.1, x.1)`, `y` after the sum over
/// rows, `x` before that over columns.
pub(crate) struct Pass<'a, T> {
    pub(crate) rows: Option<&'a Taps>,
    pub(crate) affine: &'a Affine,
    pub(crate) maps: &'a dyn Maps<T>,
    /// The numbers that the map needs at each position of the first and of the second samples.
    pub(crate) numbers: [&'a [T]; 2],
    pub(crate) columns: Option<&'a Taps>,
    pub(crate) y: (Axis, isize),
    pub(crate) x: (Axis, isize),
    /// Whether the NTK is wanted.
    pub(crate) ntk: bool,
}

/// Holds rows that are used again: zeros, sums of rows, and values before the sum over columns.
pub(crate) struct Scratch<T> {
    nothing: Vec<T>,
    zeros: Vec<Pack<T>>,
    sums: Plane<T>,
    values: Plane<T>,
}

impl<T: Real> Default for Scratch<T> {
    fn default() -> Self {
        Self {
            nothing: Vec::new(),
            zeros: Vec::new(),
            sums: Plane::new(0),
            values: Plane::new(1),
        }
    }
}

impl<T: Real> Pass<'_, T> {
    /// Writes the result to `out`.
    pub(crate) fn run(&self, input: PlaneRef<'_, T>, out: &mut Plane<T>, scratch: &mut Scratch<T>) {
        let width = self.x.0.range(self.x.1).len();
        let height = self.y.0.range(self.y.1).len();
        let out_width = self.columns.map_or(width, Taps::len);
        // With weights an NTK of zeros does not remain zero; without them it does.
        let with_ntk = self.ntk && (input.ntk.is_some() || *self.affine != Affine::IDENTITY);
        let planes = [&mut scratch.sums, &mut scratch.values, &mut *out];
        for (plane, size) in planes
            .into_iter()
            .zip([2 * width, width + 2, height * out_width])
        {
            plane.reset(size, with_ntk);
        }
        scratch
            .zeros
            .resize(width.max(scratch.zeros.len()), Pack::zero());
        scratch.nothing.resize(scratch.zeros.len(), T::zero());
        if width == 0 || height == 0 {
            return;
        }
        self.maps.plane(Work {
            pass: self,
            input,
            out,
            scratch,
            width,
            out_width,
        });
    }
}

/// A pass with what it reads and writes.
pub(crate) struct Work<'a, T> {
    pass: &'a Pass<'a, T>,
    input: PlaneRef<'a, T>,
    out: &'a mut Plane<T>,
    scratch: &'a mut Scratch<T>,
    width: usize,
    out_width: usize,
}

impl<T: Real> Work<'_, T> {
    /// Takes the whole plane in one loop, compiled for `dual`.
    pub(crate) fn at_once<D: Dual>(self, dual: &D) {
        wide_or(
            // The closure takes both by value: what a loop writes to could otherwise be where its
            // constants are.
            (self, dual.clone()),
            #[inline(always)]
            |(mut work, dual)| {
                if work.out.has_ntk {
                    work.rows::<D, true>(&dual);
                } else {
                    work.rows::<D, false>(&dual);
                }
            },
            |(work, dual)| work.row_by_row(&dual),
        );
    }

    /// Sums, maps and sums each row in turn, so that the map alone is compiled for each activation.
    pub(crate) fn row_by_row(self, maps: &dyn Maps<T>) {
        let pass = self.pass;
        let count = maps.numbers() * GROUP;
        let ((y, dy), (x, dx)) = (pass.y, pass.x);
        let (width, out_width) = (self.width, self.out_width);
        let affine = pass.affine.pack();
        let Scratch {
            nothing,
            zeros,
            sums,
            values,
        } = self.scratch;
        let zeros = &zeros[..width];
        let has_ntk = self.out.has_ntk;
        let ((sums_nngp, sums_ntk), (values_nngp, values_ntk)) = (sums.both(), values.both());
        let (out_nngp, out_ntk) = self.out.both();
        let start = x.range(dx).start;
        for (row, at) in y.range(dy).enumerate() {
            let own = [row];
            let rows = pass.rows.map_or(&own[..], |taps| taps.of(row));
            let out = row * out_width..(row + 1) * out_width;
            let out_nngp = &mut out_nngp[out.clone()];
            let out_ntk = if has_ntk { &mut out_ntk[out] } else { &mut [] };
            let (to_nngp, to_ntk) = match pass.columns {
                Some(_) => (&mut values_nngp[..width], &mut *values_ntk),
                None => (&mut *out_nngp, &mut *out_ntk),
            };
            wide(
                #[inline(always)]
                || {
                    let nngp = three_rows(self.input.nngp, rows, zeros, sums_nngp);
                    if !has_ntk {
                        for (to, rows) in to_nngp.iter_mut().zip(side_by_side(nngp)) {
                            by_lanes();
                            *to = affine.nngp(sum(rows));
                        }
                        return;
                    }
                    let ntk = match self.input.ntk {
                        Some(ntk) => three_rows(ntk, rows, zeros, sums_ntk),
                        None => [zeros; 3],
                    };
                    let both = side_by_side(nngp).zip(side_by_side(ntk));
                    for ((to, to_ntk), (q, t)) in to_nngp.iter_mut().zip(&mut *to_ntk).zip(both) {
                        by_lanes();
                        let q = sum(q);
                        let next = affine.nngp(q);
                        *to_ntk = affine.ntk(q, next, sum(t));
                        *to = next;
                    }
                },
            );
            let [first, second] = [at, y.other(at, dy)].map(|at| at * x.size);
            for piece in x.pieces(dx).into_iter().filter(|piece| !piece.is_empty()) {
                let here = piece.start - start..piece.end - start;
                let ntk = if has_ntk {
                    &mut to_ntk[here.clone()]
                } else {
                    &mut []
                };
                // Maps that need nothing of the samples get zeros all the same.
                let numbers = |side: usize, from: usize| match count {
                    0 => &nothing[..here.len()],
                    _ => &pass.numbers[side][from * count..][..here.len() * count],
                };
                maps.line(Line {
                    first: numbers(0, first + piece.start),
                    second: numbers(1, second + x.other(piece.start, dx)),
                    count: count.max(1),
                    nngp: &mut to_nngp[here.clone()],
                    ntk,
                });
            }
            if let Some(taps) = pass.columns {
                wide(
                    #[inline(always)]
                    || {
                        sum_columns(values_nngp, taps, out_nngp);
                        if has_ntk {
                            sum_columns(values_ntk, taps, out_ntk);
                        }
                    },
                );
            }
        }
    }

    #[inline(always)]
    fn rows<D: Dual, const NTK: bool>(&mut self, dual: &D) {
        let pass = self.pass;
        // Maps that need nothing of the samples get zeros all the same.
        let count = dual.numbers() * GROUP;
        let (y, dy) = pass.y;
        let (x, dx) = pass.x;
        let width = self.width;
        let affine = pass.affine.pack();
        let sliding = pass.columns.and_then(|taps| taps.sliding);
        let Scratch {
            nothing,
            zeros,
            sums,
            values,
        } = &mut *self.scratch;
        let zeros = &zeros[..width];
        let nothing = &nothing[..];
        let ((sums_nngp, sums_ntk), (values_nngp, values_ntk)) = (sums.both(), values.both());
        let (out_nngp, out_ntk) = self.out.both();
        for (row, at) in y.range(dy).enumerate() {
            let own = [row];
            let rows = pass.rows.map_or(&own[..], |taps| taps.of(row));
            let nngp = three_rows(self.input.nngp, rows, zeros, sums_nngp);
            let ntk = match self.input.ntk {
                Some(ntk) if NTK => three_rows(ntk, rows, zeros, sums_ntk),
                _ => [zeros; 3],
            };
            let out = row * self.out_width..(row + 1) * self.out_width;
            let out_nngp = &mut out_nngp[out.clone()];
            let out_ntk = if NTK { &mut out_ntk[out] } else { &mut [] };
            let [first, second] = [at, y.other(at, dy)].map(|at| at * x.size);
            let numbers = |from: [usize; 2]| match count {
                0 => Numbers {
                    first: nothing,
                    second: nothing,
                    count: 1,
                },
                _ => Numbers {
                    first: &pass.numbers[0][(first + from[0]) * count..],
                    second: &pass.numbers[1][(second + from[1]) * count..],
                    count,
                },
            };
            let start = x.range(dx).start;
            if D::HOT
                && let Some(lag) = sliding
            {
                let numbers = numbers([start, x.other(start, dx)]);
                let line = Rows { nngp, ntk, numbers };
                let (values, out) = (&mut *values_nngp, (out_nngp, out_ntk));
                if affine.plain {
                    line.slide::<D, NTK, true>(dual, &affine, lag, values, out);
                } else {
                    line.slide::<D, NTK, false>(dual, &affine, lag, values, out);
                }
                continue;
            }
            let (to_nngp, to_ntk) = if pass.columns.is_some() {
                (&mut *values_nngp, &mut *values_ntk)
            } else {
                (&mut *out_nngp, &mut *out_ntk)
            };
            for piece in x.pieces(dx).into_iter().filter(|piece| !piece.is_empty()) {
                let here = piece.start - start..piece.end - start;
                let line = Rows {
                    nngp: nngp.map(|row| &row[here.clone()]),
                    ntk: ntk.map(|row| &row[here.clone()]),
                    numbers: numbers([piece.start, x.other(piece.start, dx)]),
                };
                let nngp = &mut to_nngp[here.clone()];
                let ntk = if NTK { &mut to_ntk[here] } else { &mut [] };
                line.map::<D, NTK>(dual, &affine, nngp, ntk);
            }
            if let Some(taps) = pass.columns {
                sum_columns(values_nngp, taps, out_nngp);
                if NTK {
                    sum_columns(values_ntk, taps, out_ntk);
                }
            }
        }
    }
}

/// Returns the rows to sum as three: zeros stand for those that are missing, and those beyond three
/// are summed first.
#[inline(always)]
fn three_rows<'a, T: Real>(
    plane: &'a [Pack<T>],
    rows: &[usize],
    zeros: &'a [Pack<T>],
    sums: &'a mut [Pack<T>],
) -> [&'a [Pack<T>]; 3] {
    let width = zeros.len();
    let row = |at: usize| &plane[at * width..][..width];
    match *rows {
        [] => [zeros; 3],
        [a] => [row(a), zeros, zeros],
        [a, b] => [row(a), row(b), zeros],
        [a, b, c] => [row(a), row(b), row(c)],
        [a, b, ref rest @ ..] => {
            let (sums, lost) = sums.split_at_mut(width);
            let lost = &mut lost[..width];
            sums.copy_from_slice(row(rest[0]));
            // Of few rows nothing is lost that matters.
            if rest.len() <= RUN {
                for &more in &rest[1..] {
                    for (sum, &value) in sums.iter_mut().zip(row(more)) {
                        by_lanes();
                        *sum = *sum + value;
                    }
                }
                return [row(a), row(b), sums];
            }
            lost.fill(Pack::zero());
            for &more in &rest[1..] {
                for ((sum, lost), &value) in sums.iter_mut().zip(&mut *lost).zip(row(more)) {
                    by_lanes();
                    carry(sum, lost, value);
                }
            }
            for (sum, &lost) in sums.iter_mut().zip(&*lost) {
                by_lanes();
                *sum = *sum + lost;
            }
            [row(a), row(b), sums]
        }
    }
}

#[inline(always)]
fn sum_columns<T: Real>(values: &[Pack<T>], taps: &Taps, out: &mut [Pack<T>]) {
    for (x, out) in out.iter_mut().enumerate() {
        by_lanes();
        let mut sum = Sum::zero();
        let taps = taps.of(x);
        for taps in taps.chunks(RUN) {
            let mut run = Pack::zero();
            for &at in taps {
                by_lanes();
                run = run + values[at];
            }
            sum.add(run);
        }
        *out = sum.total();
    }
}

/// What three rows hold at one position.
type Three<'a, T> = ((&'a Pack<T>, &'a Pack<T>), &'a Pack<T>);

/// Iterates over three rows position by position; not over their sums, as what an iterator computes
/// may be left out of its caller, and so be compiled for the oldest processor.
#[inline(always)]
fn side_by_side<'a, T>(rows: [&'a [Pack<T>]; 3]) -> impl Iterator<Item = Three<'a, T>> {
    let [a, b, c] = rows;
    a.iter().zip(b).zip(c)
}

#[inline(always)]
fn sum<T: Real>(((a, b), c): Three<'_, T>) -> Pack<T> {
    (*a + *b) + *c
}

/// A `Line` holds pairs of neighbouring positions, to be taken through a map.
pub(crate) struct Line<'a, T> {
    /// What the map needs of the first samples, [`GROUP`] of each number, position by position.
    pub(crate) first: &'a [T],
    /// The same of the second samples.
    pub(crate) second: &'a [T],
    /// How many numbers a position has.
    pub(crate) count: usize,
    /// The covariances, which become `K`.
    pub(crate) nngp: &'a mut [Pack<T>],
    /// The NTKs, which are multiplied by `D`; empty where not wanted.
    pub(crate) ntk: &'a mut [Pack<T>],
}

impl<T: Real> Line<'_, T> {
    /// Takes the line through `dual`, with the processor's widest instructions.
    pub(crate) fn through<D: Dual>(self, dual: &D) {
        wide_or(
            (self, dual.clone()),
            #[inline(always)]
            |(line, dual)| {
                line.each(
                    #[inline(always)]
                    |first, second, q| dual.pair(First(first), Second(second), q),
                );
            },
            |(line, dual)| line.slowly(&dual),
        );
    }

    /// Does the same on processors without wide instructions.
    #[cold]
    #[inline(never)]
    fn slowly(self, maps: &dyn Maps<T>) {
        let count = self.count / GROUP;
        self.each(|first, second, q| {
            let first: Vec<_> = (0..count).map(|k| First(first).get(k)).collect();
            let second: Vec<_> = (0..count).map(|k| Second(second).get(k)).collect();
            maps.pairs(&first, &second, q)
        });
    }

    #[inline(always)]
    fn each(self, pair: impl Fn(&[T], &[T], Pack<T>) -> (Pack<T>, Pack<T>)) {
        let Self {
            first,
            second,
            count,
            nngp,
            ntk,
        } = self;
        // The iterators are zipped, so that the loops have one counter and check no bounds.
        let numbers = first.chunks_exact(count).zip(second.chunks_exact(count));
        if ntk.is_empty() {
            for (q, (first, second)) in nngp.iter_mut().zip(numbers) {
                by_lanes();
                *q = pair(first, second, *q).0;
            }
            return;
        }
        for ((q, t), (first, second)) in nngp.iter_mut().zip(ntk).zip(numbers) {
            by_lanes();
            let (kernel, derivative) = pair(first, second, *q);
            (*q, *t) = (kernel, *t * derivative);
        }
    }
}

/// What the map needs of the samples along a line of positions.
#[derive(Clone, Copy)]
struct Numbers<'a, T> {
    first: &'a [T],
    second: &'a [T],
    count: usize,
}

/// Three rows to sum, position by position.
#[derive(Clone, Copy)]
struct Rows<'a, T> {
    nngp: [&'a [Pack<T>]; 3],
    ntk: [&'a [Pack<T>]; 3],
    numbers: Numbers<'a, T>,
}

/// The same at one position.
struct Position<'a, T> {
    nngp: [&'a Pack<T>; 3],
    ntk: [&'a Pack<T>; 3],
    first: &'a [T],
    second: &'a [T],
}

impl<T: Real> Position<'_, T> {
    #[inline(always)]
    fn map<D: Dual, const NTK: bool, const PLAIN: bool>(
        &self,
        dual: &D,
        affine: &AffinePack<T>,
    ) -> (Pack<T>, Pack<T>) {
        if !NTK {
            by_lanes();
        }
        let q = (*self.nngp[0] + *self.nngp[1]) + *self.nngp[2];
        let next = affine.nngp(q);
        let (kernel, derivative) = dual.pair(First(self.first), Second(self.second), next);
        let ntk = if NTK {
            let t = (*self.ntk[0] + *self.ntk[1]) + *self.ntk[2];
            let t = if PLAIN {
                affine.plain_ntk(next, t)
            } else {
                affine.ntk(q, next, t)
            };
            t * derivative
        } else {
            q
        };
        (kernel, ntk)
    }
}

impl<'a, T: Real> Rows<'a, T> {
    /// Iterates over the positions from `start` to `end`. The iterators are zipped, so that the
    /// loop has one counter and checks no bounds.
    #[inline(always)]
    fn positions(&self, start: usize, end: usize) -> impl Iterator<Item = Position<'a, T>> {
        let Numbers {
            first,
            second,
            count,
        } = self.numbers;
        let [a, b, c] = self.nngp.map(|row| &row[start..end]);
        let [d, e, f] = self.ntk.map(|row| &row[start..end]);
        let numbers = |all: &'a [T]| all[start * count..end * count].chunks_exact(count);
        let rows = a.iter().zip(b).zip(c).zip(d).zip(e).zip(f);
        let rows = rows.zip(numbers(first)).zip(numbers(second));
        rows.map(|(((((((a, b), c), d), e), f), first), second)| Position {
            nngp: [a, b, c],
            ntk: [d, e, f],
            first,
            second,
        })
    }

    #[inline(always)]
    fn map<D: Dual, const NTK: bool>(
        self,
        dual: &D,
        affine: &AffinePack<T>,
        out_nngp: &mut [Pack<T>],
        out_ntk: &mut [Pack<T>],
    ) {
        for (x, at) in self.positions(0, out_nngp.len()).enumerate() {
            let (q, t) = at.map::<D, NTK, false>(dual, affine);
            out_nngp[x] = q;
            if NTK {
                out_ntk[x] = t;
            }
        }
    }

    /// Does what [`Rows::map`] does, and sums over three columns, whose last two are kept in
    /// registers, or without an NTK in `values`, which is what is then compiled to whole vectors.
    /// `values` has room for two more than the line.
    #[inline(always)]
    fn slide<D: Dual, const NTK: bool, const PLAIN: bool>(
        self,
        dual: &D,
        affine: &AffinePack<T>,
        lag: usize,
        values: &mut [Pack<T>],
        (out_nngp, out_ntk): (&mut [Pack<T>], &mut [Pack<T>]),
    ) {
        let zero = Pack::zero();
        let width = self.nngp[0].len();
        let early = lag.min(width);
        if !NTK {
            values[..2].fill(zero);
            for (x, at) in self.positions(0, width).enumerate() {
                let (q, _) = at.map::<D, NTK, PLAIN>(dual, affine);
                let near = &mut values[x..][..3];
                near[2] = q;
                if x >= lag {
                    out_nngp[x - lag] = (near[0] + near[1]) + q;
                }
            }
            if lag == 1 {
                out_nngp[width - 1] = values[width] + values[width + 1];
            }
            return;
        }
        let (mut q1, mut q2, mut t1, mut t2) = (zero, zero, zero, zero);
        for at in self.positions(0, early) {
            let (q, t) = at.map::<D, NTK, PLAIN>(dual, affine);
            (q1, q2, t1, t2) = (q2, q, t2, t);
        }
        let out = out_nngp.iter_mut().zip(out_ntk.iter_mut());
        for (at, (out_q, out_t)) in self.positions(early, width).zip(out) {
            let (q, t) = at.map::<D, NTK, PLAIN>(dual, affine);
            *out_q = (q1 + q2) + q;
            *out_t = (t1 + t2) + t;
            (q1, q2, t1, t2) = (q2, q, t2, t);
        }
        if lag == 1 {
            out_nngp[width - 1] = q1 + q2;
            out_ntk[width - 1] = t1 + t2;
        }
    }
}
