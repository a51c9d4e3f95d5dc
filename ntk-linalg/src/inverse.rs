//! Inverts the matrix that a Cholesky factorisation is of.

use crate::solve::triangular_unchecked;
use crate::triangle::{Triangle, mirror};
use crate::{Backend, Cholesky, LinalgError, Real};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis};

/// Blocks of so many rows are inverted by substitution.
const BLOCK: usize = 64;

impl<T: Real> Cholesky<T> {
    /// Returns `(A + ridge)^-1`, (n, n) and symmetric: `L^-1` and its product with itself, both by
    /// halves, where solving for the unit matrix would take `2 n^3` operations, half of them in
    /// substitutions. Cost: `4/3 n^3` operations in products; memory: two more matrices.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_linalg::Cholesky;
    ///
    /// let inverse = Cholesky::new(array![[2.0, 1.0], [1.0, 2.0]], 0.0)?.inverse()?;
    /// assert!((inverse[[0, 1]] + 1.0 / 3.0_f64).abs() < 1e-15);
    /// # Ok::<(), ntk_linalg::LinalgError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Cholesky::solve`].
    pub fn inverse(&self) -> Result<Array2<T>, LinalgError> {
        let mut lower = self.factor();
        invert(self.backend(), lower.view_mut())?;
        let mut inverse = Array2::zeros(lower.dim());
        normal(self.backend(), lower.view(), inverse.view_mut())?;
        mirror(inverse.view_mut());
        Ok(inverse)
    }
}

/// Inverts a lower triangular matrix in its own memory.
fn invert<T: Real>(backend: Backend, mut l: ArrayViewMut2<'_, T>) -> Result<(), LinalgError> {
    let n = l.nrows();
    if n <= BLOCK {
        let mut inverse = Array2::eye(n);
        triangular_unchecked(backend, l.view(), Triangle::Lower, inverse.view_mut())?;
        l.assign(&inverse);
        return Ok(());
    }
    let (top, bottom) = l.split_at(Axis(0), n / 2);
    let (mut first, _) = top.split_at(Axis(1), n / 2);
    let (mut below, mut second) = bottom.split_at(Axis(1), n / 2);
    invert(backend, first.view_mut())?;
    invert(backend, second.view_mut())?;
    let half = backend.matmul(&below, &first)?;
    backend.gemm(-T::one(), &second, &half, T::zero(), &mut below)
}

/// Computes the lower half of `L^T L` of a lower triangular matrix.
fn normal<T: Real>(
    backend: Backend,
    l: ArrayView2<'_, T>,
    mut out: ArrayViewMut2<'_, T>,
) -> Result<(), LinalgError> {
    let n = l.nrows();
    if n <= BLOCK {
        return backend.gemm(T::one(), &l.t(), &l, T::zero(), &mut out);
    }
    let (top, bottom) = l.split_at(Axis(0), n / 2);
    let (first, _) = top.split_at(Axis(1), n / 2);
    let (below, second) = bottom.split_at(Axis(1), n / 2);
    let (top, bottom) = out.split_at(Axis(0), n / 2);
    let (mut to_first, _) = top.split_at(Axis(1), n / 2);
    let (mut to_below, to_second) = bottom.split_at(Axis(1), n / 2);
    normal(backend, first, to_first.view_mut())?;
    backend.gemm(T::one(), &below.t(), &below, T::one(), &mut to_first)?;
    backend.gemm(T::one(), &second.t(), &below, T::zero(), &mut to_below)?;
    normal(backend, second, to_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inverted<T: Real>(n: usize) {
        let x = Array2::from_shape_fn((n, n + 3), |(i, j)| {
            T::of(((i * 37 + j * 61 + i * j) % 101) as f64 / 50.0 - 1.0)
        });
        let mut a = x.dot(&x.t()) / T::of(n as f64);
        a.diag_mut().iter_mut().for_each(|v| *v += T::one());
        let inverse = Cholesky::new(a.clone(), 0.0).unwrap().inverse().unwrap();
        assert_eq!(inverse, inverse.t());
        // The smallest eigenvalue is 1 or more, so that this bounds the condition.
        let norm = a
            .rows()
            .into_iter()
            .map(|row| row.iter().map(|v| Real::to_f64(*v).abs()).sum());
        let norm = norm.fold(0.0_f64, f64::max);
        let bound = 8.0 * n as f64 * Real::to_f64(T::epsilon()) * norm;
        for ((i, j), v) in a.dot(&inverse).indexed_iter() {
            let expected = f64::from(u8::from(i == j));
            assert!(
                (Real::to_f64(*v) - expected).abs() <= bound,
                "{n}: {i} {j} {v:?}"
            );
        }
    }

    #[test]
    fn inverses_are_inverse() {
        for n in [0, 1, 2, 63, 64, 65, 130, 257] {
            inverted::<f32>(n);
            inverted::<f64>(n);
        }
    }
}
