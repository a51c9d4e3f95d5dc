//! Triangular and symmetric linear systems.

use ndarray::{Array2, ArrayRef2, ArrayView2, ArrayViewMut2};

use crate::triangle::{Triangle, lower_to_buffer};
use crate::validate::{Region, max_abs, square};
use crate::{Backend, LinalgError, Real};

/// Solves a triangular system in place on the default backend; see [`Backend::solve_triangular`].
///
/// # Errors
/// As [`Backend::solve_triangular`].
pub fn solve_triangular<T: Real>(
    a: &ArrayRef2<T>,
    triangle: Triangle,
    b: &mut ArrayRef2<T>,
) -> Result<(), LinalgError> {
    Backend::default().solve_triangular(a, triangle, b)
}

/// Solves a symmetric system on the default backend; see [`Backend::solve_symmetric`].
///
/// ```
/// use ndarray::array;
/// use ntk_linalg::{LinalgError, solve_symmetric};
///
/// fn main() -> Result<(), LinalgError> {
///     let indefinite = array![[0.0, 1.0], [1.0, 0.0]];
///     let x = solve_symmetric(&indefinite, &array![[3.0], [4.0]])?;
///     assert_eq!(x, array![[4.0], [3.0]]);
///     Ok(())
/// }
/// ```
///
/// # Errors
/// As [`Backend::solve_symmetric`].
pub fn solve_symmetric<T: Real>(
    a: &ArrayRef2<T>,
    b: &ArrayRef2<T>,
) -> Result<Array2<T>, LinalgError> {
    Backend::default().solve_symmetric(a, b)
}

impl Backend {
    /// Solves `a X = b` for a triangular `a` (n, n) in the memory of `b` (n, m).
    ///
    /// To solve with `a^T`, pass `a.t()` and the other [`Triangle`]. Entries of `b` are not
    /// checked. Cost: `n^2 m` operations.
    ///
    /// # Errors
    /// [`LinalgError::NotSquare`]; [`LinalgError::ShapeMismatch`];
    /// [`LinalgError::NonFinite`] in the triangle; [`LinalgError::Singular`] at
    /// the first zero on its diagonal; [`LinalgError::TooLarge`] from OpenBLAS.
    pub fn solve_triangular<T: Real>(
        self,
        a: &ArrayRef2<T>,
        triangle: Triangle,
        b: &mut ArrayRef2<T>,
    ) -> Result<(), LinalgError> {
        square(a, "a triangular solve")?;
        let region = match triangle {
            Triangle::Lower => Region::Lower,
            Triangle::Upper => Region::Upper,
        };
        max_abs(&a.view(), region)?;
        if let Some(pivot) = a.diag().iter().position(|&x| x == T::zero()) {
            return Err(LinalgError::Singular { pivot });
        }
        triangular_unchecked(self, a.view(), triangle, b.view_mut())
    }

    /// Returns the solution X (n, m) of `a X = b` for a symmetric `a` (n, n), definite or not.
    ///
    /// The method is that of Bunch and Kaufman; only the lower half of `a` is read. Where `a` is
    /// positive definite, [`Backend::cholesky`] is at least twice as fast. Entries of `b` are not
    /// checked. Cost: `n^3 / 3 + 2 n^2 m` operations and one copy of `a`.
    ///
    /// # Errors
    /// [`LinalgError::NotSquare`]; [`LinalgError::ShapeMismatch`];
    /// [`LinalgError::NonFinite`]; [`LinalgError::Singular`] at an exactly zero
    /// pivot; [`LinalgError::OutOfMemory`]; [`LinalgError::TooLarge`] from OpenBLAS. A matrix that
    /// is singular to rounding only is not caught.
    pub fn solve_symmetric<T: Real>(
        self,
        a: &ArrayRef2<T>,
        b: &ArrayRef2<T>,
    ) -> Result<Array2<T>, LinalgError> {
        let n = square(a, "a symmetric solve")?;
        if b.nrows() != n {
            return Err(LinalgError::ShapeMismatch {
                operation: "a symmetric solve",
                left: a.dim(),
                right: b.dim(),
            });
        }
        max_abs(&a.view(), Region::Lower)?;
        let buffer = lower_to_buffer(a.view(), T::one())?;
        T::solve_symmetric_on(self, buffer, b.view())
    }
}

/// Solves as [`Backend::solve_triangular`] does, with a factor that is known to be good.
pub(crate) fn triangular_unchecked<T: Real>(
    backend: Backend,
    a: ArrayView2<'_, T>,
    triangle: Triangle,
    b: ArrayViewMut2<'_, T>,
) -> Result<(), LinalgError> {
    if b.nrows() != a.nrows() {
        return Err(LinalgError::ShapeMismatch {
            operation: "a triangular solve",
            left: a.dim(),
            right: b.dim(),
        });
    }
    if b.is_empty() {
        return Ok(());
    }
    T::solve_triangular_on(backend, a, triangle, b)
}
