//! Products of large matrices with a few vectors.
//!
//! Every number of the matrix is read from memory for some tens of operations. General products
//! pack their operands first, which then takes longer than to multiply; this loop takes a third of
//! their time and less.

use crate::Real;
use ndarray::ArrayView1;
use std::sync::atomic::{Ordering, compiler_fence};

/// Vectors that are multiplied at once.
pub(crate) const LANES: usize = 16;

/// Rows of a tile that are taken together: their sums stay in registers.
const ROWS: usize = 4;

/// Columns of a tile whose products are added up before they are added to the sums.
const COLUMNS: usize = 128;

/// One entry of sixteen vectors.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Lanes<T>(pub(crate) [T; LANES]);

impl<T: Real> Lanes<T> {
    pub(crate) fn zero() -> Self {
        Self([T::zero(); LANES])
    }

    /// A row of at most sixteen numbers, and zeros.
    pub(crate) fn of<S: Real>(row: ArrayView1<'_, S>) -> Self {
        let mut lanes = Self::zero();
        for (to, &v) in lanes.0.iter_mut().zip(row) {
            *to = T::of(Real::to_f64(v));
        }
        lanes
    }

    #[inline(always)]
    pub(crate) fn add(&mut self, other: Self) {
        for l in 0..LANES {
            self.0[l] += other.0[l];
        }
    }

    /// Plus `factor` times `other`.
    #[inline(always)]
    fn plus(mut self, factor: T, other: Self) -> Self {
        // By index, which the compiler turns into whole vectors where iterators stay loops.
        for l in 0..LANES {
            self.0[l] = factor.mul_add(other.0[l], self.0[l]);
        }
        self
    }
}

/// Adds `A x` to `to_rows` and `A^T y` to `to_columns`, for a tile A whose rows follow each other
/// in `a`, `x` of as many entries as it has columns and `y` of as many as it has rows.
pub(crate) fn add_both<T: Real>(
    a: &[T],
    x: &[Lanes<T>],
    y: &[Lanes<T>],
    to_rows: &mut [Lanes<T>],
    to_columns: &mut [Lanes<T>],
) {
    pulp::Arch::new().dispatch(AddBoth {
        a,
        x,
        y,
        to_rows,
        to_columns,
    });
}

struct AddBoth<'a, T> {
    a: &'a [T],
    x: &'a [Lanes<T>],
    y: &'a [Lanes<T>],
    to_rows: &'a mut [Lanes<T>],
    to_columns: &'a mut [Lanes<T>],
}

impl<T: Real> pulp::WithSimd for AddBoth<'_, T> {
    type Output = ();

    /// Compiled once for each kind of processor, all that is inlined into it included.
    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let width = self.x.len();
        let nothing = vec![T::zero(); width];
        let rows = self.a.chunks(ROWS * width.max(1));
        let sides = self.y.chunks(ROWS).zip(self.to_rows.chunks_mut(ROWS));
        for (rows, (y, to_rows)) in rows.zip(sides) {
            // What is missing of the last rows counts as zeros.
            let row = |r: usize| rows.get(r * width..(r + 1) * width).unwrap_or(&nothing);
            let side = |r: usize| y.get(r).copied().unwrap_or(Lanes::zero());
            let (rows, y) = ([0, 1, 2, 3].map(row), [0, 1, 2, 3].map(side));
            // Sums of sums: of long ones f32 would lose digits.
            for start in (0..width).step_by(COLUMNS) {
                let part = start..width.min(start + COLUMNS);
                let sums = four(
                    rows.map(|row| &row[part.clone()]),
                    &self.x[part.clone()],
                    y,
                    &mut self.to_columns[part],
                );
                for (to, sum) in to_rows.iter_mut().zip(sums) {
                    to.add(sum);
                }
            }
        }
    }
}

/// The sums of four rows, whose products with `y` are added to the columns.
#[inline(always)]
fn four<T: Real>(
    rows: [&[T]; ROWS],
    x: &[Lanes<T>],
    y: [Lanes<T>; ROWS],
    to_columns: &mut [Lanes<T>],
) -> [Lanes<T>; ROWS] {
    let [mut p, mut q, mut r, mut s] = [Lanes::zero(); ROWS];
    let [a, b, c, d] = rows;
    let [ya, yb, yc, yd] = y;
    let columns = x.iter().zip(to_columns).zip(a).zip(b).zip(c).zip(d);
    for (((((&x, to), &a), &b), &c), &d) in columns {
        // Vectors are lanes, not rounds of this loop.
        compiler_fence(Ordering::SeqCst);
        (p, q) = (p.plus(a, x), q.plus(b, x));
        (r, s) = (r.plus(c, x), s.plus(d, x));
        to.add(
            Lanes::zero()
                .plus(a, ya)
                .plus(b, yb)
                .plus(c, yc)
                .plus(d, yd),
        );
    }
    [p, q, r, s]
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn both_products_are_added() {
        fn check<T: Real>(tolerance: f64) {
            for (m, n) in [(0, 3), (3, 0), (1, 1), (4, 5), (7, 2), (9, 30)] {
                let entry = |i: usize, j: usize| ((i * 5 + j * 3 + i * j) % 7) as f64 - 3.0;
                let a = Array2::from_shape_fn((m, n), |(i, j)| entry(i, j) / 3.0);
                let vector = |length: usize, shift: usize| {
                    Array2::from_shape_fn((length, LANES), |(i, j)| entry(i + shift, j))
                };
                let lanes = |v: &Array2<f64>| -> Vec<Lanes<T>> {
                    v.rows().into_iter().map(Lanes::of).collect()
                };
                let (x, y) = (vector(n, 0), vector(m, 1));
                let (rows, columns) = (vector(m, 2), vector(n, 3));
                let (mut to_rows, mut to_columns) = (lanes(&rows), lanes(&columns));
                let entries: Vec<T> = a.iter().map(|&v| T::of(v)).collect();
                add_both(
                    &entries,
                    &lanes(&x),
                    &lanes(&y),
                    &mut to_rows,
                    &mut to_columns,
                );
                for (found, expected) in [
                    (to_rows, rows + a.dot(&x)),
                    (to_columns, columns + a.t().dot(&y)),
                ] {
                    for (found, expected) in found.iter().zip(expected.rows()) {
                        for (&found, &expected) in found.0.iter().zip(expected) {
                            let far = (Real::to_f64(found) - expected).abs();
                            assert!(far <= tolerance, "{m} x {n}: {far:e}");
                        }
                    }
                }
            }
        }
        check::<f64>(1e-13);
        check::<f32>(1e-4);
    }

    /// Entries all alike, of which each addition is rounded the same way.
    #[test]
    fn long_sums_do_not_drift() {
        for n in [1, 100, 1024, 4000] {
            let (a, x) = (0.1_f32, 0.7_f32);
            let tile = vec![a; n * n];
            let vector = vec![Lanes([x; LANES]); n];
            let (mut to_rows, mut to_columns) = (vec![Lanes::zero(); n], vec![Lanes::zero(); n]);
            add_both(&tile, &vector, &vector, &mut to_rows, &mut to_columns);
            let exact = f64::from(a) * f64::from(x) * n as f64;
            for found in [to_rows[n / 2].0[3], to_columns[n - 1].0[0]] {
                let far = (f64::from(found) / exact - 1.0).abs() / f64::from(f32::EPSILON);
                assert!(far <= 2.0 * (n as f64).sqrt() + 1.0, "{n}: {far}");
            }
        }
    }
}
