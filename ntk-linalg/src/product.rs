//! Matrix products.

use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use crate::triangle::mirror_lower;
use crate::{Backend, LinalgError, Real};

/// `c = alpha a b + beta c` on the default backend; see [`Backend::gemm`].
///
/// # Errors
/// As [`Backend::gemm`].
pub fn gemm<T: Real>(
    alpha: T,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    beta: T,
    c: ArrayViewMut2<'_, T>,
) -> Result<(), LinalgError> {
    Backend::default().gemm(alpha, a, b, beta, c)
}

/// The product `a b` on the default backend; see [`Backend::matmul`].
///
/// # Errors
/// As [`Backend::matmul`].
pub fn matmul<T: Real>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
) -> Result<Array2<T>, LinalgError> {
    Backend::default().matmul(a, b)
}

/// The lower half of `alpha a a^T + beta c` on the default backend; see [`Backend::syrk`].
///
/// # Errors
/// As [`Backend::syrk`].
pub fn syrk<T: Real>(
    alpha: T,
    a: ArrayView2<'_, T>,
    beta: T,
    c: ArrayViewMut2<'_, T>,
) -> Result<(), LinalgError> {
    Backend::default().syrk(alpha, a, beta, c)
}

/// `a a^T`, both halves, on the default backend; see [`Backend::symmetric_product`].
///
/// # Errors
/// As [`Backend::symmetric_product`].
pub fn symmetric_product<T: Real>(a: ArrayView2<'_, T>) -> Result<Array2<T>, LinalgError> {
    Backend::default().symmetric_product(a)
}

impl Backend {
    /// `c = alpha a b + beta c` for `a` (m, k), `b` (k, n) and `c` (m, n).
    ///
    /// Any strides will do, transposed and sliced views included; views with
    /// neither unit stride are the slow case of [`Backend`]s that must copy
    /// them. With `beta = 0` the old `c` is not read, so that it may hold NaN.
    /// Entries are not checked: NaN and infinity propagate as in scalar code.
    /// On a processor that OpenBLAS is too old to know, faer multiplies for it.
    /// Cost: `2 m n k` operations.
    ///
    /// # Errors
    /// [`LinalgError::ShapeMismatch`]; [`LinalgError::TooLarge`] from OpenBLAS.
    pub fn gemm<T: Real>(
        self,
        alpha: T,
        a: ArrayView2<'_, T>,
        b: ArrayView2<'_, T>,
        beta: T,
        c: ArrayViewMut2<'_, T>,
    ) -> Result<(), LinalgError> {
        if a.ncols() != b.nrows() {
            return Err(mismatch("a product", a.dim(), b.dim()));
        }
        let product = (a.nrows(), b.ncols());
        if c.dim() != product {
            return Err(mismatch("adding a product", product, c.dim()));
        }
        T::gemm_on(self, alpha, a, b, beta, c)
    }

    /// The product `a b` of `a` (m, k) and `b` (k, n): a new row-major (m, n).
    ///
    /// # Errors
    /// As [`Backend::gemm`].
    pub fn matmul<T: Real>(
        self,
        a: ArrayView2<'_, T>,
        b: ArrayView2<'_, T>,
    ) -> Result<Array2<T>, LinalgError> {
        let mut c = Array2::zeros((a.nrows(), b.ncols()));
        self.gemm(T::one(), a, b, T::zero(), c.view_mut())?;
        Ok(c)
    }

    /// The lower half of `c = alpha a a^T + beta c` for `a` (n, k) and `c` (n, n).
    ///
    /// Entries of `c` above the diagonal are neither read nor written. With
    /// `beta = 0` the old `c` is not read. Cost: `n^2 k` operations, half of
    /// [`Backend::gemm`].
    ///
    /// # Errors
    /// [`LinalgError::ShapeMismatch`]; [`LinalgError::TooLarge`] from OpenBLAS.
    pub fn syrk<T: Real>(
        self,
        alpha: T,
        a: ArrayView2<'_, T>,
        beta: T,
        c: ArrayViewMut2<'_, T>,
    ) -> Result<(), LinalgError> {
        let product = (a.nrows(), a.nrows());
        if c.dim() != product {
            return Err(mismatch("adding a symmetric product", product, c.dim()));
        }
        T::syrk_on(self, alpha, a, beta, c)
    }

    /// `a a^T` for `a` (n, k): a new row-major (n, n), its halves equal to the bit.
    ///
    /// # Errors
    /// [`LinalgError::TooLarge`] from OpenBLAS.
    pub fn symmetric_product<T: Real>(
        self,
        a: ArrayView2<'_, T>,
    ) -> Result<Array2<T>, LinalgError> {
        let n = a.nrows();
        let mut c = Array2::zeros((n, n));
        self.syrk(T::one(), a, T::zero(), c.view_mut())?;
        mirror_lower(c.view_mut());
        Ok(c)
    }
}

fn mismatch(operation: &'static str, left: (usize, usize), right: (usize, usize)) -> LinalgError {
    LinalgError::ShapeMismatch {
        operation,
        left,
        right,
    }
}
