//! The reduction of a symmetric matrix to a tridiagonal one, in two stages.
//!
//! One stage, as in LAPACK's `?sytrd`, multiplies A by a vector n times and waits for memory. Here products
//! of matrices make a [band](dense) of it, at the speed of the backend's products, and small blocks of that,
//! which stay in the cache, are [made tridiagonal](chase) (Bischof, Lang and Sun 2000). Its eigenvalues are
//! found [one by one](values). The second stage and the eigenvalues are the same code for both backends,
//! and use faer or OpenBLAS for nothing.
//!
//! What was measured for this, on two cores with AVX-512, in f64 (seconds at n = 2000):
//!
//! | width of the band | to the band | to tridiagonal | and on two threads |
//! |--:|--:|--:|--:|
//! | 32 | 0.31 | 0.063 | 0.042 |
//! | 64 | 0.28 | 0.098 | 0.060 |
//!
//! At n = 4000 the two take 2.7 s on one thread with a width of 64, and 2.9 s with 128. Eigenvalues of the
//! tridiagonal matrix take 0.016 s on one thread, and threads share them, where LAPACK's `?sterf` takes 0.048 s
//! and faer's QR algorithm 0.104 s. On one thread two stages are faster than faer's one from n = 128 on, and
//! than OpenBLAS's from 750; on two, of which others take a part, than OpenBLAS's from 1600.
//!
//! No gain were strips of 128 to 1024 rows in place of 256, nor large pages of memory. Two to four sweeps
//! taken together by a thread are no faster on one thread, and on two they wait for each other: 0.092 s in
//! place of 0.060 s. Newton's method alone takes 18 looks for an eigenvalue, that of two slopes 7.

mod band;
mod chase;
mod dense;
mod reflector;
mod values;

use ndarray::{Array1, Array2, ArrayRef2, ShapeBuilder};

use crate::eigen::safe_scale;
use crate::memory::check_room;
use crate::triangle::lower_to_buffer;
use crate::validate::{Region, max_abs, square};
use crate::{Backend, LinalgError, Real, threads};
use chase::Reflectors;
use dense::Panels;

/// Returns whether two stages give the eigenvalues of a matrix of order n sooner than one.
pub(crate) const fn pays(backend: Backend, n: usize) -> bool {
    n >= match backend {
        Backend::Faer => 128,
        #[cfg(feature = "openblas")]
        Backend::OpenBlas => 1600,
    }
}

/// The order from which on the band is wider: products gain more than the second stage loses.
const WIDE: usize = 2000;

/// A `Tridiagonal` is the reduction `A = Q T Q^T` of a symmetric matrix A of order n, with Q orthogonal and
/// T tridiagonal.
///
/// T has the eigenvalues of A, and functions of A are those of T: `f(A) b = Q f(T) Q^T b`, where Q is applied
/// as a product of reflections in `4 n^2` operations a column, and never formed.
///
/// ```
/// use ndarray::array;
/// use ntk_linalg::{LinalgError, Tridiagonal};
///
/// fn main() -> Result<(), LinalgError> {
///     let a = array![[4.0, 1.0, 2.0], [1.0, 3.0, 0.0], [2.0, 0.0, 1.0]];
///     let reduced = Tridiagonal::new(&a)?;
///     let (t, e) = (reduced.diagonal(), reduced.off_diagonal());
///     let b = array![[1.0], [0.0], [-1.0]];
///     let c = reduced.apply_transposed(&b)?;
///     let product = array![
///         [t[0] * c[[0, 0]] + e[0] * c[[1, 0]]],
///         [e[0] * c[[0, 0]] + t[1] * c[[1, 0]] + e[1] * c[[2, 0]]],
///         [e[1] * c[[1, 0]] + t[2] * c[[2, 0]]],
///     ];
///     let error = reduced.apply(&product)? - a.dot(&b); // Q T Q^T b is A b
///     assert!(error.iter().all(|x: &f64| x.abs() < 1e-14));
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Tridiagonal<T> {
    backend: Backend,
    /// What the matrix was multiplied by: T's own numbers may be beyond those of the type.
    scale: T,
    /// The diagonal of T, scaled.
    diagonal: Vec<T>,
    /// What is beside it, scaled.
    off_diagonal: Vec<T>,
    panels: Panels<T>,
    reflectors: Reflectors<T>,
}

impl<T: Real> Tridiagonal<T> {
    /// Reduces a symmetric `a` (n, n) on the default backend; see [`Backend::tridiagonal`].
    ///
    /// # Errors
    /// As [`Backend::tridiagonal`].
    pub fn new(a: &ArrayRef2<T>) -> Result<Self, LinalgError> {
        Backend::default().tridiagonal(a)
    }

    /// Returns the diagonal of T, n numbers.
    pub fn diagonal(&self) -> Array1<T> {
        self.diagonal.iter().map(|&x| x / self.scale).collect()
    }

    /// Returns the entries of T below its diagonal, n - 1 numbers, or none for n = 0; those above are the same.
    pub fn off_diagonal(&self) -> Array1<T> {
        self.off_diagonal.iter().map(|&x| x / self.scale).collect()
    }

    /// Returns the eigenvalues of T, which are those of A, ascending.
    ///
    /// Each is off by a few eps of the largest, beside what the reduction is off. Cost: about ten pivots
    /// of `T - x` for each, `80 n^2` operations and `10 n^2` divisions.
    ///
    /// # Errors
    /// None are known.
    pub fn eigenvalues(&self) -> Result<Array1<T>, LinalgError> {
        let values = T::tridiagonal_eigenvalues_on(&self.diagonal, &self.off_diagonal)?;
        Ok(values.into_iter().map(|x| x / self.scale).collect())
    }

    /// Returns `Q b` for `b` (n, k), column-major. Cost: `4 n^2 k` operations.
    ///
    /// # Errors
    /// [`LinalgError::ShapeMismatch`]; [`LinalgError::OutOfMemory`]; [`LinalgError::TooLarge`] from OpenBLAS.
    pub fn apply(&self, b: &ArrayRef2<T>) -> Result<Array2<T>, LinalgError> {
        T::apply_on(self, self.columns("Q", b)?, false)
    }

    /// Returns `Q^T b` for `b` (n, k), column-major. Cost: `4 n^2 k` operations.
    ///
    /// # Errors
    /// As [`Tridiagonal::apply`].
    pub fn apply_transposed(&self, b: &ArrayRef2<T>) -> Result<Array2<T>, LinalgError> {
        T::apply_on(self, self.columns("Q^T", b)?, true)
    }

    /// Returns a column-major copy of `b` that fits.
    fn columns(&self, operation: &'static str, b: &ArrayRef2<T>) -> Result<Array2<T>, LinalgError> {
        let n = self.diagonal.len();
        if b.nrows() != n {
            return Err(LinalgError::ShapeMismatch {
                operation,
                left: (n, n),
                right: b.dim(),
            });
        }
        check_room::<T>(n, b.ncols())?;
        let mut columns = Array2::zeros(b.raw_dim().f());
        columns.assign(b);
        Ok(columns)
    }
}

impl Backend {
    /// Returns the reduction `A = Q T Q^T` of a symmetric `a` (n, n) to a tridiagonal T.
    ///
    /// The matrix is read and scaled as in [`Backend::eigenvalues`]. `|a - Q T Q^T|` is a small multiple of
    /// `n * eps * |a|`.
    ///
    /// Cost: about `4/3 n^3` operations, and `3/2 n^2` numbers of memory, which hold Q.
    ///
    /// # Errors
    /// [`LinalgError::NotSquare`]; [`LinalgError::NonFinite`]; [`LinalgError::OutOfMemory`];
    /// [`LinalgError::TooLarge`] from OpenBLAS.
    pub fn tridiagonal<T: Real>(self, a: &ArrayRef2<T>) -> Result<Tridiagonal<T>, LinalgError> {
        square(a, "a reduction to a tridiagonal matrix")?;
        let scale = safe_scale(max_abs(&a.view(), Region::Lower)?);
        let mut reduced = T::tridiagonal_on(self, lower_to_buffer(a.view(), scale)?)?;
        reduced.scale = scale;
        Ok(reduced)
    }
}

/// Eigenvalues of the lower half of a column-major matrix.
pub(crate) fn eigenvalues<T: Real>(
    backend: Backend,
    a: Array2<T>,
) -> Result<Array1<T>, LinalgError> {
    let reduced = reduce(backend, a, false)?;
    tridiagonal_eigenvalues(&reduced.diagonal, &reduced.off_diagonal).map(Array1::from)
}

/// Eigenvalues, ascending, of a tridiagonal matrix by its diagonal and the numbers beside it.
pub(crate) use values::eigenvalues as tridiagonal_eigenvalues;

/// Reduces the lower half of a column-major matrix; where `keep` is false, what makes Q is lost.
pub(crate) fn reduce<T: Real>(
    backend: Backend,
    a: Array2<T>,
    keep: bool,
) -> Result<Tridiagonal<T>, LinalgError> {
    match a.nrows() < WIDE {
        true => reduce_by::<T, 32>(backend, a, keep),
        false => reduce_by::<T, 64>(backend, a, keep),
    }
}

fn reduce_by<T: Real, const B: usize>(
    backend: Backend,
    a: Array2<T>,
    keep: bool,
) -> Result<Tridiagonal<T>, LinalgError> {
    let (mut band, panels) = dense::to_band::<T, B>(backend, a)?;
    let reflectors = chase::to_tridiagonal(&mut band, keep, threads::available())?;
    Ok(Tridiagonal {
        backend,
        scale: T::one(),
        diagonal: band.diagonal(0),
        off_diagonal: band.diagonal(1),
        panels,
        reflectors,
    })
}

/// Returns `Q b`, or `Q^T b`, of a column-major `b`.
pub(crate) fn apply<T: Real>(
    reduced: &Tridiagonal<T>,
    mut b: Array2<T>,
    transposed: bool,
) -> Result<Array2<T>, LinalgError> {
    if b.is_empty() {
        return Ok(b);
    }
    // Q is that of the first stage times that of the second.
    if transposed {
        reduced.panels.apply(reduced.backend, &mut b, true)?;
    }
    reduced.reflectors.apply(&mut b, transposed)?;
    if !transposed {
        reduced.panels.apply(reduced.backend, &mut b, false)?;
    }
    Ok(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    /// The wide band, which orders too large for other tests have, beside the narrow one.
    #[test]
    fn both_widths_give_the_same_eigenvalues_and_products() {
        fn check<T: Real>(backend: Backend) {
            for n in [1, 2, 31, 63, 64, 65, 66, 129, 200, 300] {
                let entry = |i: usize, j: usize| ((i * n + j) as f64 * 0.754_877_666).fract() - 0.5;
                let a = Array2::from_shape_fn((n, n), |(i, j)| T::of(entry(i.max(j), i.min(j))));
                let lower = || lower_to_buffer(a.view(), T::one()).unwrap();
                let narrow = reduce_by::<T, 32>(backend, lower(), true).unwrap();
                let wide = reduce_by::<T, 64>(backend, lower(), true).unwrap();
                let far = |x: &T, y: &T| Real::to_f64(*x - *y).abs();
                // |a| is at most n / 2, and LAPACK's ratio 30.
                let bound = 15.0 * (n * n) as f64 * Real::to_f64(T::epsilon());
                let values = [&narrow, &wide].map(|reduced| reduced.eigenvalues().unwrap());
                for (x, y) in values[0].iter().zip(&values[1]) {
                    assert!(far(x, y) <= bound, "n = {n}: {x} and {y}");
                }
                // Q T Q^T 1 by both.
                let [x, y] = [&narrow, &wide].map(|reduced| {
                    let ones = Array2::ones((n, 1));
                    let c = reduced.apply_transposed(&ones).unwrap();
                    let (t, e) = (reduced.diagonal(), reduced.off_diagonal());
                    let at = |i: usize| c.get((i, 0)).copied().unwrap_or(T::zero());
                    let beside = |i: usize| e.get(i).copied().unwrap_or(T::zero());
                    let product = Array2::from_shape_fn((n, 1), |(i, _)| {
                        let before = i.checked_sub(1).map(|j| beside(j) * at(j));
                        t[i] * at(i) + beside(i) * at(i + 1) + before.unwrap_or(T::zero())
                    });
                    reduced.apply(&product).unwrap()
                });
                let expected = a.sum_axis(ndarray::Axis(1));
                for ((x, y), z) in x.iter().zip(&y).zip(&expected) {
                    assert!(
                        far(x, z) <= bound && far(y, z) <= bound,
                        "n = {n}: {x}, {y}, {z}"
                    );
                }
            }
        }
        for &backend in Backend::available() {
            check::<f64>(backend);
            check::<f32>(backend);
        }
    }
}
