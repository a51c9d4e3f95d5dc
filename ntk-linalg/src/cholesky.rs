//! Cholesky factorisation of symmetric positive definite matrices.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, Axis, ShapeBuilder, s};

use crate::solve::triangular_unchecked;
use crate::triangle::Triangle;
use crate::triangle::mirror;
use crate::validate::{Region, max_abs, square};
use crate::{Backend, LinalgError, Real, Ridge, eigenvalue_resolution};

/// A `Cholesky` is the factorisation `A + ridge = L L^T`, with L lower triangular and its diagonal
/// positive.
///
/// It holds one n x n buffer: the one that it was given.
///
/// ```
/// use ndarray::array;
/// use ntk_linalg::{Cholesky, LinalgError};
///
/// fn main() -> Result<(), LinalgError> {
///     let kernel = array![[2.0, 1.0], [1.0, 2.0]];
///     let factor = Cholesky::new(kernel, 0.0)?; // no ridge
///     let x = factor.solve_vec(&array![3.0, 0.0])?;
///     assert!((x[0] - 2.0_f64).abs() < 1e-14 && (x[1] + 1.0).abs() < 1e-14);
///     assert!((factor.log_det() - 3.0_f64.ln()).abs() < 1e-14);
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Cholesky<T> {
    /// A column-major matrix: L on and below the diagonal, scratch above it.
    buffer: Array2<T>,
    ridge_added: T,
    backend: Backend,
}

impl<T: Real> Cholesky<T> {
    /// Factors `a` (n, n) on the default backend; see [`Backend::cholesky`].
    ///
    /// # Errors
    /// As [`Backend::cholesky`].
    pub fn new(a: Array2<T>, ridge: impl Into<Ridge>) -> Result<Self, LinalgError> {
        Backend::default().cholesky(a, ridge)
    }

    /// Makes a factorisation of a factor that was computed before: L on and below the diagonal of
    /// `factor` (n, n), what is above being of no account. Cost: `n^2`.
    ///
    /// # Errors
    /// [`LinalgError::NotSquare`]; [`LinalgError::NonFinite`]; [`LinalgError::NotPositiveDefinite`]
    /// where an entry of the diagonal is not positive.
    pub fn from_factor(factor: Array2<T>) -> Result<Self, LinalgError> {
        let n = square(&factor, "a Cholesky factor")?;
        max_abs(&factor.view(), Region::Lower)?;
        if let Some(pivot) = factor.diag().iter().position(|&x| x <= T::zero()) {
            return Err(LinalgError::NotPositiveDefinite {
                n,
                pivot,
                value: factor[[pivot, pivot]].to_f64(),
                ridge: 0.0,
            });
        }
        Ok(Self {
            buffer: if factor.t().is_standard_layout() {
                factor
            } else {
                column_major(&factor)
            },
            ridge_added: T::zero(),
            backend: Backend::default(),
        })
    }

    /// Returns the backend that it was computed on.
    pub(crate) fn backend(&self) -> Backend {
        self.backend
    }

    /// Returns the order n of the matrix.
    pub fn order(&self) -> usize {
        self.buffer.nrows()
    }

    /// Returns what was added to the diagonal, as the ridge said.
    pub fn ridge_added(&self) -> f64 {
        self.ridge_added.to_f64()
    }

    /// Returns L as a new column-major matrix, zero above the diagonal. Cost: `n^2`.
    pub fn factor(&self) -> Array2<T> {
        self.clone().into_factor()
    }

    /// Returns L in the buffer it was computed in, zero above the diagonal. Cost: `n^2 / 2`.
    pub fn into_factor(mut self) -> Array2<T> {
        for (j, mut column) in self.buffer.axis_iter_mut(Axis(1)).enumerate() {
            column.slice_mut(s![..j]).fill(T::zero());
        }
        self.buffer
    }

    /// Returns `log det(A + ridge)`, twice the sum of `ln L_ii`: 0 for n = 0. Cost: n.
    pub fn log_det(&self) -> T {
        // In f64: of thousands of logarithms f32 would lose digits that matter.
        let logs = self.buffer.diag().mapv(|x| Real::to_f64(x).ln());
        T::of(2.0 * logs.sum())
    }

    /// Returns the pivots, the squares of L's diagonal, (n). Cost: n.
    ///
    /// The smallest eigenvalue of the matrix is no larger than any of them, the largest no smaller.
    pub fn pivots(&self) -> Array1<T> {
        self.buffer.diag().mapv(|x| x * x)
    }

    /// Returns the solution X (n, m) of `(A + ridge) X = b` for `b` (n, m). Cost: `2 n^2 m`.
    ///
    /// Entries of `b` are not checked.
    ///
    /// # Errors
    /// [`LinalgError::ShapeMismatch`]; [`LinalgError::TooLarge`] from OpenBLAS.
    pub fn solve(&self, b: &ArrayRef2<T>) -> Result<Array2<T>, LinalgError> {
        let mut x = b.to_owned();
        self.solve_in_place(&mut x)?;
        Ok(x)
    }

    /// Solves as [`Cholesky::solve`] does, in the memory of `b`.
    ///
    /// # Errors
    /// As [`Cholesky::solve`].
    pub fn solve_in_place(&self, b: &mut ArrayRef2<T>) -> Result<(), LinalgError> {
        self.solve_l_in_place(b)?;
        self.solve_lt_in_place(b)
    }

    /// Returns the solution x (n) of `(A + ridge) x = b` for `b` (n). Cost: `2 n^2`.
    ///
    /// # Errors
    /// As [`Cholesky::solve`].
    pub fn solve_vec(&self, b: &ArrayRef1<T>) -> Result<Array1<T>, LinalgError> {
        let mut x = b.to_owned();
        self.solve_in_place(&mut x.view_mut().insert_axis(Axis(1)))?;
        Ok(x)
    }

    /// Solves `L X = b` in the memory of `b` (n, m). Cost: `n^2 m`.
    ///
    /// # Errors
    /// As [`Cholesky::solve`].
    pub fn solve_l_in_place(&self, b: &mut ArrayRef2<T>) -> Result<(), LinalgError> {
        triangular_unchecked(
            self.backend,
            self.buffer.view(),
            Triangle::Lower,
            b.view_mut(),
        )
    }

    /// Solves `L^T X = b` in the memory of `b` (n, m). Cost: `n^2 m`.
    ///
    /// # Errors
    /// As [`Cholesky::solve`].
    pub fn solve_lt_in_place(&self, b: &mut ArrayRef2<T>) -> Result<(), LinalgError> {
        triangular_unchecked(self.backend, self.buffer.t(), Triangle::Upper, b.view_mut())
    }
}

impl Backend {
    /// Factors a symmetric `a` (n, n) that the ridge makes positive definite, in its own memory.
    ///
    /// Only the lower half of `a` is read. It is first copied onto the upper half: one half is
    /// factored, the other (and `64 n` numbers set aside) restores it should a pivot fail and an
    /// adaptive ridge allow another attempt, so that no second matrix is needed. An adaptive ridge
    /// is also raised where a pivot is below [`eigenvalue_resolution`] of the largest entry of the
    /// diagonal: what is solved with it would have no correct digit. An `a` that is not
    /// contiguous is copied. Cost: `n^3 / 3` operations an attempt.
    ///
    /// # Errors
    /// [`LinalgError::NotPositiveDefinite`] with the failing pivot of the last
    /// attempt; [`LinalgError::NotSquare`]; [`LinalgError::NonFinite`];
    /// [`LinalgError::Argument`] for a ridge that is negative or not finite;
    /// [`LinalgError::TooLarge`] from OpenBLAS.
    pub fn cholesky<T: Real>(
        self,
        a: Array2<T>,
        ridge: impl Into<Ridge>,
    ) -> Result<Cholesky<T>, LinalgError> {
        let n = square(&a, "a Cholesky factorisation")?;
        max_abs(&a.view(), Region::Lower)?;
        let (mut added, mut attempts) = ridge.into().attempts(&a)?;
        let mut a = contiguous(a);
        mirror(a.view_mut());
        // From here on the matrix is symmetric, and transposing a row-major one makes it column-major.
        let mut buffer = if a.strides()[0] == 1 {
            a
        } else {
            a.reversed_axes()
        };
        let band = attempts.remain().then(|| Band::of(&buffer));
        buffer.diag_mut().mapv_inplace(|x| x + added);
        loop {
            // The least ridge of a series is looked for among factors with correct digits.
            let failed = T::cholesky_on(self, &mut buffer)?.or_else(|| {
                band.as_ref()
                    .and_then(|band| band.unresolved(&buffer, added))
            });
            let Some(pivot) = failed else {
                return Ok(Cholesky {
                    buffer,
                    ridge_added: added,
                    backend: self,
                });
            };
            let (Some(next), Some(band)) = (attempts.next(), &band) else {
                return Err(LinalgError::NotPositiveDefinite {
                    n,
                    pivot,
                    value: buffer[[pivot, pivot]].to_f64(),
                    ridge: added.to_f64(),
                });
            };
            added = next;
            // Above the band the matrix is still there.
            mirror(buffer.view_mut().reversed_axes());
            band.restore(&mut buffer);
            buffer.diag_mut().mapv_inplace(|x| x + added);
        }
    }
}

/// The number of diagonals of the lower half that are set aside against a failing pivot.
///
/// The diagonal alone would do, but faer's innermost kernel treats as many
/// columns at a time as four SIMD registers hold, and works on the whole square
/// of such a block: at most 64 numbers, f32 with AVX-512.
const BAND: usize = 64;

/// The diagonal and the `BAND - 1` diagonals below it, by columns.
struct Band<T>(Vec<T>);

impl<T: Real> Band<T> {
    fn of(a: &Array2<T>) -> Self {
        let columns = a.columns().into_iter().enumerate();
        Self(
            columns
                .flat_map(|(j, x)| x.slice(s![Self::rows(j, x.len())]).to_vec())
                .collect(),
        )
    }

    /// Returns the first pivot of a factor that rounding may have made of zero, where `added` was
    /// added to this diagonal.
    fn unresolved(&self, factor: &Array2<T>, added: T) -> Option<usize> {
        let n = factor.nrows();
        let starts = (0..n).scan(0, |at, j| {
            let start = *at;
            *at += Self::rows(j, n).len();
            Some(start)
        });
        let largest = starts.fold(T::zero(), |m, start| m.max(self.0[start]));
        let least = T::of(eigenvalue_resolution(n, T::epsilon().to_f64())) * (largest + added);
        factor.diag().iter().position(|&l| l * l <= least)
    }

    fn restore(&self, a: &mut Array2<T>) {
        let mut saved = self.0.iter();
        for (j, mut column) in a.columns_mut().into_iter().enumerate() {
            let rows = Self::rows(j, column.len());
            column
                .slice_mut(s![rows])
                .iter_mut()
                .zip(&mut saved)
                .for_each(|(x, &y)| *x = y);
        }
    }

    /// Returns the band's rows of column j.
    fn rows(j: usize, n: usize) -> Range<usize> {
        j..n.min(j + BAND)
    }
}

/// Returns `a` itself where it is row-major or column-major without gaps, else a copy that is.
fn contiguous<T: Real>(a: Array2<T>) -> Array2<T> {
    if a.is_standard_layout() || a.t().is_standard_layout() {
        return a;
    }
    column_major(&a)
}

fn column_major<T: Real>(a: &Array2<T>) -> Array2<T> {
    let mut copy = Array2::zeros(a.raw_dim().f());
    copy.assign(a);
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_is_taken_back() {
        let a = ndarray::array![[4.0, 1.0, 0.5], [1.0, 3.0, -1.0], [0.5, -1.0, 2.0]];
        let made = Cholesky::new(a, 0.0).unwrap();
        let (factor, b) = (made.factor(), ndarray::array![[1.0], [2.0], [-3.0]]);
        assert_eq!(made.pivots(), factor.diag().mapv(|x| x * x));
        // What is above the diagonal is of no account, nor is the layout.
        let mut rows = Array2::from_elem((3, 3), f64::NAN);
        for (i, j) in [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)] {
            rows[[i, j]] = factor[[i, j]];
        }
        for factor in [factor, rows] {
            let taken = Cholesky::from_factor(factor).unwrap();
            assert_eq!(taken.solve(&b).unwrap(), made.solve(&b).unwrap());
        }
        assert!(Cholesky::from_factor(Array2::<f64>::zeros((2, 3))).is_err());
        assert!(Cholesky::from_factor(Array2::<f64>::zeros((2, 2))).is_err());
        assert!(Cholesky::from_factor(Array2::from_elem((2, 2), f32::NAN)).is_err());
        let none = Cholesky::from_factor(Array2::<f32>::zeros((0, 0))).unwrap();
        assert_eq!(none.pivots().len(), 0);
    }

    /// A second attempt relies on this, whichever pivot fails.
    #[test]
    fn factoring_leaves_what_is_above_the_band() {
        fn check<T: Real>(backend: Backend) {
            for n in [5, 64, 100, 127, 240, 700] {
                let entry = |(i, j): (usize, usize)| T::of(1.0 / (1.0 + i.abs_diff(j) as f64));
                let mut definite = Array2::from_shape_fn((n, n).f(), entry);
                definite.diag_mut().fill(T::of(10.0));
                for pivot in [None, Some(n / 2), Some(n - 1)] {
                    let mut a = definite.clone();
                    if let Some(pivot) = pivot {
                        a[[pivot, pivot]] = -T::one();
                    }
                    let before = a.clone();
                    assert_eq!(T::cholesky_on(backend, &mut a), Ok(pivot));
                    let above = |j: usize| s![..(j + 1).saturating_sub(BAND), j];
                    assert!((0..n).all(|j| a.slice(above(j)) == before.slice(above(j))));
                    mirror(a.view_mut().reversed_axes());
                    Band::of(&before).restore(&mut a);
                    let lower = |j: usize| s![j.., j];
                    assert!((0..n).all(|j| a.slice(lower(j)) == before.slice(lower(j))));
                }
            }
        }
        for &backend in Backend::available() {
            check::<f64>(backend);
            check::<f32>(backend);
        }
    }
}
