//! Cholesky factorisation of symmetric positive definite matrices.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, ArrayViewMut2, Axis, ShapeBuilder, s};
use num_traits::Float;

use crate::solve::{Triangle, triangular_unchecked};
use crate::triangle::mirror_lower;
use crate::validate::{Part, max_abs, square};
use crate::{Backend, LinalgError, Real};

/// What to do about a matrix that is not positive definite to working precision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Jitter {
    /// Fail.
    None,
    /// Add a growing multiple of the identity.
    ///
    /// The first attempt adds nothing. The next adds `n * eps * mean(diag)`,
    /// eps that of the element type, which is what rounding may have taken from
    /// the smallest eigenvalue of a positive semi-definite matrix; each further
    /// one ten times more, up to `max_relative * mean(diag)`. A matrix whose
    /// mean diagonal is not positive is not retried.
    Escalating {
        /// The most that may be added, relative to the mean of the diagonal.
        max_relative: f64,
    },
}

/// Factor between one attempt's jitter and the next.
const ESCALATION: f64 = 10.0;

/// `A + jitter * 1 = L L^T`, with L lower triangular and its diagonal positive.
///
/// One n x n buffer: the one it was given.
#[derive(Debug, Clone)]
pub struct Cholesky<T> {
    /// Column-major; L on and below the diagonal, what is above is scratch.
    buffer: Array2<T>,
    jitter: T,
    backend: Backend,
}

impl<T: Real> Cholesky<T> {
    /// Factors `a` (n, n) on the default backend; see [`Backend::cholesky`].
    ///
    /// # Errors
    /// As [`Backend::cholesky`].
    pub fn new(a: Array2<T>, jitter: Jitter) -> Result<Self, LinalgError> {
        Backend::default().cholesky(a, jitter)
    }

    /// Of a factor that was computed elsewhere, L on and below the diagonal of `factor`.
    #[cfg(feature = "openblas")]
    pub(crate) fn of_factor(factor: Array2<T>) -> Result<Self, LinalgError> {
        let n = square(&factor.view(), "a Cholesky factor")?;
        max_abs(&factor.view(), Part::Lower)?;
        if let Some(pivot) = factor.diag().iter().position(|&x| x <= T::zero()) {
            return Err(LinalgError::NotPositiveDefinite {
                n,
                pivot,
                value: factor[[pivot, pivot]].to_f64(),
                jitter: 0.0,
            });
        }
        Ok(Self {
            buffer: if factor.t().is_standard_layout() {
                factor
            } else {
                column_major(&factor)
            },
            jitter: T::zero(),
            backend: Backend::default(),
        })
    }

    /// n.
    pub fn order(&self) -> usize {
        self.buffer.nrows()
    }

    /// What was added to the diagonal: 0 where the matrix needed nothing.
    pub fn jitter_added(&self) -> T {
        self.jitter
    }

    /// L as a new column-major matrix, zero above the diagonal. Cost: `n^2`.
    pub fn factor(&self) -> Array2<T> {
        self.clone().into_factor()
    }

    /// L in the buffer it was computed in, zero above the diagonal. Cost: `n^2 / 2`.
    pub fn into_factor(mut self) -> Array2<T> {
        for (j, mut column) in self.buffer.axis_iter_mut(Axis(1)).enumerate() {
            column.slice_mut(s![..j]).fill(T::zero());
        }
        self.buffer
    }

    /// `log det(A + jitter * 1)`, twice the sum of `ln L_ii`; 0 for n = 0. Cost: n.
    pub fn log_det(&self) -> T {
        T::of(2.0) * self.buffer.diag().iter().map(|&x| Float::ln(x)).sum::<T>()
    }

    /// The solution X (n, m) of `A X = b` for `b` (n, m). Cost: `2 n^2 m`.
    ///
    /// Takes `&Array2` and `&ArrayView2` alike. Entries of `b` are not checked.
    ///
    /// # Errors
    /// [`LinalgError::ShapeMismatch`]; [`LinalgError::TooLarge`] from OpenBLAS.
    pub fn solve(&self, b: &ArrayRef2<T>) -> Result<Array2<T>, LinalgError> {
        let mut x = b.to_owned();
        self.solve_in_place(x.view_mut())?;
        Ok(x)
    }

    /// [`Cholesky::solve`] in the memory of `b`.
    ///
    /// # Errors
    /// As [`Cholesky::solve`].
    pub fn solve_in_place(&self, mut b: ArrayViewMut2<'_, T>) -> Result<(), LinalgError> {
        self.solve_l_in_place(b.view_mut())?;
        self.solve_lt_in_place(b)
    }

    /// The solution x (n) of `A x = b` for `b` (n). Cost: `2 n^2`.
    ///
    /// # Errors
    /// As [`Cholesky::solve`].
    pub fn solve_vec(&self, b: &ArrayRef1<T>) -> Result<Array1<T>, LinalgError> {
        let mut x = b.to_owned();
        self.solve_in_place(x.view_mut().insert_axis(Axis(1)))?;
        Ok(x)
    }

    /// Solves `L X = b` in the memory of `b` (n, m). Cost: `n^2 m`.
    ///
    /// # Errors
    /// As [`Cholesky::solve`].
    pub fn solve_l_in_place(&self, b: ArrayViewMut2<'_, T>) -> Result<(), LinalgError> {
        triangular_unchecked(self.backend, self.buffer.view(), Triangle::Lower, b)
    }

    /// Solves `L^T X = b` in the memory of `b` (n, m). Cost: `n^2 m`.
    ///
    /// # Errors
    /// As [`Cholesky::solve`].
    pub fn solve_lt_in_place(&self, b: ArrayViewMut2<'_, T>) -> Result<(), LinalgError> {
        triangular_unchecked(self.backend, self.buffer.t(), Triangle::Upper, b)
    }
}

impl Backend {
    /// Factors a symmetric positive definite `a` (n, n) in its own memory.
    ///
    /// Only the lower half of `a` is read. It is first copied onto the upper
    /// half: one half is factored, the other (and `64 n` numbers set aside)
    /// restores it should a pivot fail and `jitter` allow another attempt, so
    /// that no second matrix is needed.
    /// An `a` that is not contiguous is copied. Cost: `n^3 / 3` operations an
    /// attempt.
    ///
    /// # Errors
    /// [`LinalgError::NotPositiveDefinite`] with the failing pivot of the last
    /// attempt; [`LinalgError::NotSquare`]; [`LinalgError::NonFinite`];
    /// [`LinalgError::Argument`] for a `max_relative` that is negative or NaN;
    /// [`LinalgError::TooLarge`] from OpenBLAS.
    pub fn cholesky<T: Real>(
        self,
        a: Array2<T>,
        jitter: Jitter,
    ) -> Result<Cholesky<T>, LinalgError> {
        let n = square(&a.view(), "a Cholesky factorisation")?;
        if let Jitter::Escalating { max_relative } = jitter
            && (max_relative.is_nan() || max_relative < 0.0)
        {
            return Err(LinalgError::Argument {
                name: "max_relative",
                value: max_relative,
                condition: "zero or positive",
            });
        }
        max_abs(&a.view(), Part::Lower)?;
        let mut a = contiguous(a);
        mirror_lower(a.view_mut());
        // From here on the matrix is symmetric, and transposing a row-major one makes it column-major.
        let mut buffer = if a.strides()[0] == 1 {
            a
        } else {
            a.reversed_axes()
        };
        let mut added = T::zero();
        let mut attempts = Attempts::new(jitter, &buffer);
        let band = (jitter != Jitter::None).then(|| Band::of(&buffer));
        loop {
            let Some(pivot) = T::cholesky_on(self, &mut buffer)? else {
                return Ok(Cholesky {
                    buffer,
                    jitter: added,
                    backend: self,
                });
            };
            let (Some(next), Some(band)) = (attempts.next(), &band) else {
                return Err(LinalgError::NotPositiveDefinite {
                    n,
                    pivot,
                    value: buffer[[pivot, pivot]].to_f64(),
                    jitter: added.to_f64(),
                });
            };
            added = next;
            // Above the band the matrix is still there.
            mirror_lower(buffer.view_mut().reversed_axes());
            band.restore(&mut buffer);
            buffer.diag_mut().mapv_inplace(|x| x + added);
        }
    }
}

/// Diagonals of the lower half that are set aside against a failing pivot.
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

    /// The band's rows of column j.
    fn rows(j: usize, n: usize) -> Range<usize> {
        j..n.min(j + BAND)
    }
}

/// The jitters to try after an attempt without any has failed.
struct Attempts<T> {
    next: T,
    max: T,
}

impl<T: Real> Attempts<T> {
    fn new(jitter: Jitter, a: &Array2<T>) -> Self {
        let n = T::of(a.nrows() as f64);
        let mean = a.diag().iter().map(|&x| x / n).sum::<T>();
        let (next, max) = match jitter {
            Jitter::Escalating { max_relative } if mean > T::zero() => {
                (n * T::epsilon() * mean, T::of(max_relative) * mean)
            }
            _ => (T::one(), T::zero()),
        };
        Self { next, max }
    }
}

impl<T: Real> Iterator for Attempts<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let jitter = self.next;
        self.next = jitter * T::of(ESCALATION);
        (jitter <= self.max).then_some(jitter)
    }
}

/// `a` itself where it is row-major or column-major without gaps, else a copy that is.
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

    /// What a second attempt relies on, whichever pivot fails.
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
                    mirror_lower(a.view_mut().reversed_axes());
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
