//! From a matrix of few diagonals to a tridiagonal one.
//!
//! A sweep makes one column tridiagonal and chases the bulge that this leaves down the band, a block at a
//! step (Lang 1993, "A parallel algorithm for reducing symmetric banded matrices to tridiagonal form",
//! SIAM J. Sci. Comput. 14). Of each bulge a step removes the first column alone; the next sweep, one
//! column behind, takes the next. Step k of sweep s has columns `s + 1 + k width` and the `width - 1`
//! after it to itself as soon as the sweep before has done step k + 1.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::band::Band;
use super::reflector::{
    LANES, Pack, add_product, add_scaled, axpy, dot, packs, packs_mut, reflector, sum,
};
use crate::memory::check_room;
use crate::{LinalgError, Real, threads};
use ndarray::{Array2, Axis};

/// Steps after which a sweep says how far it is.
const STEPS: usize = 2;

/// A time that is short beside a sweep, and long beside waking up.
const PAUSE: Duration = Duration::from_micros(50);

/// Columns to which a reflector is applied while it is in the cache.
const COLUMNS: usize = 8;

/// The orthogonal matrix of the second stage, a product of one reflector for each step of each sweep.
#[derive(Debug, Clone)]
pub(super) struct Reflectors<T> {
    /// `width` numbers for each: tau, and v but for its first number, which is one. None where they are not
    /// kept.
    numbers: Vec<T>,
    width: usize,
}

impl<T: Real> Reflectors<T> {
    /// Multiplies a column-major `b` by the matrix, or by its transpose.
    pub(super) fn apply(&self, b: &mut Array2<T>, transposed: bool) -> Result<(), LinalgError> {
        let columns = b.axis_chunks_iter_mut(Axis(1), COLUMNS).collect();
        threads::for_each(columns, |mut columns| {
            let (order, count) = columns.dim();
            // The last reflector of a sweep reaches beyond the end, where it is zero.
            let length = order + self.width;
            check_room::<T>(length, count)?;
            let mut padded = vec![T::zero(); length * count];
            for (to, from) in padded.chunks_mut(length).zip(columns.columns()) {
                to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
            }
            let columns_padded = &mut padded;
            pulp::Arch::new().dispatch(Reflect {
                reflectors: self,
                order,
                columns: columns_padded,
                transposed,
            });
            for (from, mut to) in padded.chunks(length).zip(columns.columns_mut()) {
                to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
            }
            Ok(())
        })
    }
}

struct Reflect<'a, T> {
    reflectors: &'a Reflectors<T>,
    order: usize,
    /// Each as many zeros longer than the matrix as a reflector is long.
    columns: &'a mut [T],
    transposed: bool,
}

impl<T: Real> pulp::WithSimd for Reflect<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let (order, width) = (self.order, self.reflectors.width);
        let count = sweeps(order);
        for turn in 0..count {
            let sweep = if self.transposed {
                turn
            } else {
                count - 1 - turn
            };
            let from = place(order, width, sweep);
            let to = from + steps(order, width, sweep);
            let reflectors = &self.reflectors.numbers[from * width..to * width];
            for (step, reflector) in reflectors.chunks(width).enumerate() {
                let (tau, v) = (reflector[0], &reflector[1..]);
                let first = sweep + 1 + step * width;
                for column in self.columns.chunks_mut(order + width) {
                    let (head, tail) = column[first..first + width].split_at_mut(1);
                    let x = -tau * (head[0] + dot(v, tail));
                    head[0] += x;
                    axpy(x, v, tail);
                }
            }
        }
    }
}

/// Returns the number of steps of a sweep.
pub(super) fn steps(order: usize, width: usize, sweep: usize) -> usize {
    (order - 1 - sweep).div_ceil(width)
}

/// Returns the number of sweeps.
pub(super) fn sweeps(order: usize) -> usize {
    order.saturating_sub(2)
}

/// The band and the reflectors, of which several threads write disjoint parts.
struct Shared<T> {
    band: *mut T,
    reflectors: Option<*mut T>,
}

// SAFETY: whoever takes a slice of it answers for nobody else having the same numbers.
unsafe impl<T: Send> Sync for Shared<T> {}

/// Makes a band tridiagonal, by `threads` threads, whose number changes no bit of the result.
pub(super) fn to_tridiagonal<T: Real, const B: usize>(
    band: &mut Band<T, B>,
    keep: bool,
    threads: usize,
) -> Result<Reflectors<T>, LinalgError> {
    let order = band.order;
    let count = sweeps(order);
    let kept = if keep {
        place(order, B, sweeps(order))
    } else {
        0
    };
    check_room::<T>(kept, B)?;
    let mut numbers = vec![T::zero(); kept * B];
    let shared = Shared {
        band: band.numbers.as_mut_ptr(),
        reflectors: keep.then_some(numbers.as_mut_ptr()),
    };
    // How many rounds of steps each sweep has done.
    let progress: Vec<_> = (0..count).map(|_| AtomicUsize::new(0)).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(own) = progress.get(index) else {
                break;
            };
            // Also when it panics, so that nobody waits for ever.
            let _done = Done(own);
            let before = index.checked_sub(1).map(|before| &progress[before]);
            Sweep::<T, B>::new(order, index).run(&shared, before, own);
        }
    };
    // Sweeps are taken in order, so that whoever has the first that is not done waits for nobody.
    rayon::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| work());
        }
        work();
    });
    Ok(Reflectors { numbers, width: B })
}

struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(usize::MAX, Ordering::Release);
    }
}

/// Waits until `progress` is at least `least`.
fn wait(progress: &AtomicUsize, least: usize) {
    let mut tries = 0_u32;
    while progress.load(Ordering::Acquire) < least {
        tries += 1;
        match tries < 2000 {
            true => std::hint::spin_loop(),
            // Where there are more threads than processors, whoever is waited for needs this one.
            false => std::thread::sleep(PAUSE),
        }
    }
}

/// A sweep, which one thread does.
struct Sweep<T, const B: usize> {
    index: usize,
    steps: usize,
    /// The place of its first reflector.
    place: usize,
    /// tau and v of its next step.
    tau: T,
    v: [T; B],
}

impl<T: Real, const B: usize> Sweep<T, B> {
    fn new(order: usize, index: usize) -> Self {
        Self {
            index,
            steps: steps(order, B, index),
            place: place(order, B, index),
            tau: T::zero(),
            v: [T::zero(); B],
        }
    }

    fn run(mut self, shared: &Shared<T>, before: Option<&AtomicUsize>, own: &AtomicUsize) {
        for round in 0..self.steps.div_ceil(STEPS) {
            if let Some(before) = before {
                wait(before, round + 2);
            }
            for step in round * STEPS..self.steps.min((round + 1) * STEPS) {
                // SAFETY: the sweep before this one has done a round more, and so step + 1, or all its steps;
                // nobody else writes to or reads these columns before `own` says that this round is done.
                unsafe { self.step(shared, step) };
            }
            own.store(round + 1, Ordering::Release);
        }
    }

    /// # Safety
    /// No other thread works on the step's own columns, nor, in the first step, on that of the sweep.
    unsafe fn step(&mut self, shared: &Shared<T>, step: usize) {
        let stride = Band::<T, B>::STRIDE;
        let (sweep, tau, v) = (self.index, &mut self.tau, &mut self.v);
        if step == 0 {
            // SAFETY: of column `sweep`, which is within the band, the rows below the diagonal.
            let column = unsafe {
                std::slice::from_raw_parts_mut(shared.band.add(sweep * (stride + 1) + 1), B)
            };
            v.copy_from_slice(column);
            let (beta, of) = reflector(v);
            *tau = of;
            column.fill(T::zero());
            column[0] = beta;
        }
        if let Some(reflectors) = shared.reflectors {
            // SAFETY: each step of each sweep has a place of its own.
            let to = unsafe {
                std::slice::from_raw_parts_mut(reflectors.add((self.place + step) * B), B)
            };
            to.copy_from_slice(v);
            to[0] = *tau;
        }
        let first = sweep + 1 + step * B;
        // SAFETY: the block's B columns of 2 B rows; zeros for 2 B columns follow the matrix.
        let block = unsafe {
            let start = shared.band.add(first * (stride + 1));
            std::slice::from_raw_parts_mut(start, (B - 1) * stride + 2 * B)
        };
        *tau = pulp::Arch::new().dispatch(Step {
            block,
            tau: *tau,
            v,
        });
    }
}

/// Returns the number of reflectors of all sweeps before `sweep`.
pub(super) fn place(order: usize, width: usize, sweep: usize) -> usize {
    // A sum of `ceil(l / width)` for l from `order - sweep` to `order - 1`.
    let up_to = |l: usize| {
        let (whole, rest) = (l / width, l % width);
        width * whole * (whole + 1) / 2 + rest * (whole + 1)
    };
    let last = order.saturating_sub(1);
    up_to(last) - up_to(last - sweep.min(last))
}

/// One step: `H = 1 - tau v v^T` from both sides of the diagonal block D, from the right of the block
/// below it, the first column of which then makes the reflector of the next block, applied from the
/// left.
struct Step<'a, T, const B: usize> {
    block: &'a mut [T],
    tau: T,
    v: &'a mut [T; B],
}

impl<T: Real, const B: usize> pulp::WithSimd for Step<'_, T, B> {
    /// tau of the next reflector.
    type Output = T;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> T {
        both_sides(self.block, self.tau, self.v);
        below(self.block, self.tau, self.v)
    }
}

/// Returns a pack of column c of the diagonal block, zero before row `from` of it.
#[inline(always)]
fn masked<T: Real>(a: &Pack<T>, from: usize) -> Pack<T> {
    let mut to = *a;
    for l in 0..LANES {
        to[l] = if l >= from { a[l] } else { T::zero() };
    }
    to
}

/// `D = H D H` on the lower half of D.
#[inline(always)]
fn both_sides<T: Real, const B: usize>(block: &mut [T], tau: T, v: &[T; B]) {
    let stride = Band::<T, B>::STRIDE;
    let mut w = [T::zero(); B];
    for first in (0..B).step_by(LANES) {
        let columns: [&[Pack<T>]; LANES] = std::array::from_fn(|j| {
            let start = (first + j) * stride + first;
            packs(&block[start..start + B - first])
        });
        let v_columns = packs(v)[first / LANES];
        let mut sums = [[T::zero(); LANES]; LANES];
        let (v_rows, w_rows) = (packs(&v[first..]), packs_mut(&mut w[first..]));
        // The block on the diagonal, of which the strict lower half counts twice.
        let mut w_row = w_rows[0];
        for j in 0..LANES {
            let a = masked(&columns[j][0], j);
            w_row = add_scaled(w_row, v_columns[j], &a);
            sums[j] = add_product(sums[j], &masked(&a, j + 1), &v_rows[0]);
        }
        w_rows[0] = w_row;
        for row in 1..v_rows.len() {
            let mut w_row = w_rows[row];
            for j in 0..LANES {
                let a = &columns[j][row];
                w_row = add_scaled(w_row, v_columns[j], a);
                sums[j] = add_product(sums[j], a, &v_rows[row]);
            }
            w_rows[row] = w_row;
        }
        for j in 0..LANES {
            w_rows[0][j] += sum(&sums[j]);
        }
    }
    for w in &mut w {
        *w *= tau;
    }
    let half = T::of(-0.5) * tau * dot(v, &w);
    for (w, &v) in w.iter_mut().zip(v) {
        *w = half.mul_add(v, *w);
    }
    for first in (0..B).step_by(LANES) {
        let (v_rows, w_rows) = (packs(&v[first..]), packs(&w[first..]));
        for j in 0..LANES {
            let start = (first + j) * stride + first;
            let column = packs_mut(&mut block[start..start + B - first]);
            let (x, y) = (-v[first + j], -w[first + j]);
            let top = add_scaled(add_scaled(column[0], x, &w_rows[0]), y, &v_rows[0]);
            for l in 0..LANES {
                column[0][l] = if l >= j { top[l] } else { column[0][l] };
            }
            for ((a, w), v) in column.iter_mut().zip(w_rows).zip(v_rows).skip(1) {
                *a = add_scaled(add_scaled(*a, x, w), y, v);
            }
        }
    }
}

/// `B = H' B H` of the block below, with H' from the first column of `B H`.
#[inline(always)]
fn below<T: Real, const B: usize>(block: &mut [T], tau: T, v: &mut [T; B]) -> T {
    let stride = Band::<T, B>::STRIDE;
    let column = |c: usize| c * stride + B..c * stride + 2 * B;
    // u = -tau B v
    let mut u = [T::zero(); B];
    for c in 0..B {
        let x = -tau * v[c];
        let to = packs_mut(&mut u);
        for (u, a) in to.iter_mut().zip(packs(&block[column(c)])) {
            *u = add_scaled(*u, x, a);
        }
    }
    let mut next = [T::zero(); B];
    next.copy_from_slice(&block[column(0)]);
    for (next, &u) in next.iter_mut().zip(&u) {
        *next = v[0].mul_add(u, *next);
    }
    let (beta, next_tau) = reflector(&mut next);
    block[column(0)].fill(T::zero());
    block[B] = beta;
    for c in 1..B {
        let a = packs_mut(&mut block[column(c)]);
        let mut sums = [T::zero(); LANES];
        for ((a, u), next) in a.iter_mut().zip(packs(&u)).zip(packs(&next)) {
            *a = add_scaled(*a, v[c], u);
            sums = add_product(sums, a, next);
        }
        let x = -next_tau * sum(&sums);
        for (a, next) in a.iter_mut().zip(packs(&next)) {
            *a = add_scaled(*a, x, next);
        }
    }
    *v = next;
    next_tau
}
