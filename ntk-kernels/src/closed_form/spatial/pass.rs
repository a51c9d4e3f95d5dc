//! One pass over a plane: the sum over a window's rows, the layer's weights, the activation,
//! and the sum over the next window's columns, while a row is in the first-level cache.

use super::super::elementwise::with_map;
use super::super::program::SiteMap;
use super::axis::{Axis, Taps};
use super::lanes::{First, GROUP, Second};
use crate::affine::{Affine, AffinePack};
use crate::dual::{Dual, WithDual};
use crate::pack::{Pack, by_lanes, wide};
use ntk_linalg::Real;

/// Covariances of sixteen pairs at each position of a plane; no NTK means zeros.
///
/// Memory is kept from one use to the next.
#[derive(Debug)]
pub(super) struct Plane<T> {
    /// NNGP and NTK, each after some unused packs.
    memory: [Vec<Pack<T>>; 2],
    skew: [usize; 2],
    len: usize,
    has_ntk: bool,
}

/// The same, borrowed.
#[derive(Clone, Copy)]
pub(super) struct PlaneRef<'a, T> {
    pub(super) nngp: &'a [Pack<T>],
    pub(super) ntk: Option<&'a [Pack<T>]>,
}

impl<T: Real> Plane<T> {
    /// An empty plane. A loop reads one and writes to another side by side: `number` keeps
    /// planes apart in their addresses modulo 4096 bytes, where a processor would otherwise
    /// take a load for dependent on an earlier store.
    pub(super) fn new(number: usize) -> Self {
        let packs = 4096 / size_of::<Pack<T>>();
        let skew = |part: usize| (number * 2 + part) * packs * 5 / 16 % packs;
        Self {
            memory: [Vec::new(), Vec::new()],
            skew: [skew(0), skew(1)],
            len: 0,
            has_ntk: false,
        }
    }

    /// Makes it as large as needed; what it held is of no meaning then.
    pub(super) fn reset(&mut self, len: usize, has_ntk: bool) {
        (self.len, self.has_ntk) = (len, has_ntk);
        let parts = if has_ntk { 2 } else { 1 };
        for (memory, skew) in self.memory.iter_mut().zip(self.skew).take(parts) {
            if memory.len() < len + skew {
                memory.resize(len + skew, Pack::zero());
            }
        }
    }

    pub(super) fn view(&self) -> PlaneRef<'_, T> {
        let part = |k: usize| &self.memory[k][self.skew[k]..][..self.len];
        PlaneRef {
            nngp: part(0),
            ntk: self.has_ntk.then(|| part(1)),
        }
    }

    /// The NNGP, and the NTK where there is one, empty otherwise.
    pub(super) fn both(&mut self) -> (&mut [Pack<T>], &mut [Pack<T>]) {
        let [nngp, ntk] = &mut self.memory;
        let ntk = match self.has_ntk {
            true => &mut ntk[self.skew[1]..][..self.len],
            false => &mut [],
        };
        (&mut nngp[self.skew[0]..][..self.len], ntk)
    }

    pub(super) fn copy(&mut self, from: PlaneRef<'_, T>) {
        self.reset(from.nngp.len(), from.ntk.is_some());
        let (nngp, ntk) = self.both();
        nngp.copy_from_slice(from.nngp);
        ntk.copy_from_slice(from.ntk.unwrap_or_default());
    }

    /// Zeros in the place of no NTK.
    pub(super) fn fill_ntk(&mut self) {
        if !self.has_ntk {
            self.reset(self.len, true);
            self.both().1.fill(Pack::zero());
        }
    }
}

/// What a pass does with a plane of displacement `(y.1, x.1)`; `y` after the rows' sum, `x`
/// before the columns'.
pub(super) struct Pass<'a, T> {
    pub(super) rows: Option<&'a Taps>,
    pub(super) affine: &'a Affine,
    pub(super) map: Option<&'a SiteMap>,
    /// What the map needs at each position of the first and of the second samples.
    pub(super) numbers: [&'a [T]; 2],
    pub(super) columns: Option<&'a Taps>,
    pub(super) y: (Axis, isize),
    pub(super) x: (Axis, isize),
    /// Whether the NTK is wanted.
    pub(super) ntk: bool,
}

/// Rows that are used again: zeros, sums of rows, and values before the columns' sum.
pub(super) struct Scratch<T> {
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
    pub(super) fn run(&self, input: PlaneRef<'_, T>, out: &mut Plane<T>, scratch: &mut Scratch<T>) {
        let width = self.x.0.range(self.x.1).len();
        let height = self.y.0.range(self.y.1).len();
        let out_width = self.columns.map_or(width, Taps::len);
        // Weights give zeros an NTK; without them zeros remain zeros.
        let with_ntk = self.ntk && (input.ntk.is_some() || *self.affine != Affine::IDENTITY);
        let planes = [&mut scratch.sums, &mut scratch.values, &mut *out];
        for (plane, size) in planes
            .into_iter()
            .zip([width, width + 2, height * out_width])
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
        let work = Work {
            pass: self,
            input,
            out,
            scratch,
            width,
            out_width,
        };
        with_map(self.map, work);
    }
}

struct Work<'a, T> {
    pass: &'a Pass<'a, T>,
    input: PlaneRef<'a, T>,
    out: &'a mut Plane<T>,
    scratch: &'a mut Scratch<T>,
    width: usize,
    out_width: usize,
}

impl<T: Real> WithDual for Work<'_, T> {
    type Output = ();

    fn with<D: Dual>(mut self, dual: &D) {
        // By value: what a loop writes to could otherwise be where its constants are.
        let dual = dual.clone();
        if self.out.has_ntk {
            wide(
                #[inline(always)]
                move || self.rows::<D, true>(&dual),
            );
        } else {
            wide(
                #[inline(always)]
                move || self.rows::<D, false>(&dual),
            );
        }
    }
}

impl<T: Real> Work<'_, T> {
    #[inline(always)]
    fn rows<D: Dual, const NTK: bool>(&mut self, dual: &D) {
        let pass = self.pass;
        // Maps that need nothing of the samples get zeros all the same.
        let count = pass.map.map_or(0, SiteMap::numbers) * GROUP;
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
                let line = Line { nngp, ntk, numbers };
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
                let line = Line {
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

/// The rows to sum, as three: what is missing is zeros, what is too many is summed first.
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
            let sums = &mut sums[..width];
            sums.copy_from_slice(row(rest[0]));
            for &more in &rest[1..] {
                for (sum, &value) in sums.iter_mut().zip(row(more)) {
                    by_lanes();
                    *sum = *sum + value;
                }
            }
            [row(a), row(b), &sums[..width]]
        }
    }
}

#[inline(always)]
fn sum_columns<T: Real>(values: &[Pack<T>], taps: &Taps, out: &mut [Pack<T>]) {
    for (x, out) in out.iter_mut().enumerate() {
        by_lanes();
        let mut sum = Pack::zero();
        for &at in taps.of(x) {
            by_lanes();
            sum = sum + values[at];
        }
        *out = sum;
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
struct Line<'a, T> {
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

impl<'a, T: Real> Line<'a, T> {
    /// Its positions from `start` to `end`. Zipped iterators, so that the loop has one counter
    /// and checks no bounds.
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

    /// [`Line::map`] and the sum over three columns, whose last two are kept in registers, or
    /// without an NTK in `values`, which is what is then compiled to whole vectors. `values`
    /// has room for two more than the line.
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
