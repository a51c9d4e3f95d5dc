//! Matrix products.

use ndarray::{Array2, ArrayRef2};

use crate::memory::zeros;
use crate::triangle::mirror;
use crate::{Backend, LinalgError, Real};

/// Computes `c = alpha a b + beta c` on the default backend; see [`Backend::gemm`].
///
/// # Errors
/// As [`Backend::gemm`].
pub fn gemm<T: Real>(
    alpha: T,
    a: &ArrayRef2<T>,
    b: &ArrayRef2<T>,
    beta: T,
    c: &mut ArrayRef2<T>,
) -> Result<(), LinalgError> {
    Backend::default().gemm(alpha, a, b, beta, c)
}

/// Returns the product `a b` of two matrices, computed on the default backend; see
/// [`Backend::matmul`].
///
/// ```
/// use ndarray::array;
/// use ntk_linalg::{LinalgError, matmul};
///
/// fn main() -> Result<(), LinalgError> {
///     let (a, b) = (array![[1.0, 2.0], [3.0, 4.0]], array![[1.0], [1.0]]);
///     assert_eq!(matmul(&a, &b)?, array![[3.0], [7.0]]);
///     assert_eq!(matmul(&a.t(), &b)?, array![[4.0], [6.0]]); // views of any strides
///     assert!(matmul(&b, &a).is_err()); // (2, 1) times (2, 2)
///     Ok(())
/// }
/// ```
///
/// # Errors
/// As [`Backend::matmul`].
pub fn matmul<T: Real>(a: &ArrayRef2<T>, b: &ArrayRef2<T>) -> Result<Array2<T>, LinalgError> {
    Backend::default().matmul(a, b)
}

/// Computes the lower half of `c = alpha a a^T + beta c` on the default backend; see
/// [`Backend::syrk`].
///
/// # Errors
/// As [`Backend::syrk`].
pub fn syrk<T: Real>(
    alpha: T,
    a: &ArrayRef2<T>,
    beta: T,
    c: &mut ArrayRef2<T>,
) -> Result<(), LinalgError> {
    Backend::default().syrk(alpha, a, beta, c)
}

/// Returns `a a^T`, computed on the default backend; see [`Backend::symmetric_product`].
///
/// # Errors
/// As [`Backend::symmetric_product`].
pub fn symmetric_product<T: Real>(a: &ArrayRef2<T>) -> Result<Array2<T>, LinalgError> {
    Backend::default().symmetric_product(a)
}

impl Backend {
    /// Computes `c = alpha a b + beta c` for `a` (m, k), `b` (k, n) and `c` (m, n).
    ///
    /// Matrices may have any strides, as transposed and sliced views have. One that has a unit
    /// stride in neither direction is copied by OpenBLAS. With `beta = 0` the old `c` is not read,
    /// so that it may hold NaN. Entries are not checked: NaN and infinity propagate as in scalar
    /// code. On a processor that OpenBLAS is too old to know, faer multiplies for it. Cost:
    /// `2 m n k` operations.
    ///
    /// # Errors
    /// [`LinalgError::ShapeMismatch`]; [`LinalgError::TooLarge`] from OpenBLAS.
    pub fn gemm<T: Real>(
        self,
        alpha: T,
        a: &ArrayRef2<T>,
        b: &ArrayRef2<T>,
        beta: T,
        c: &mut ArrayRef2<T>,
    ) -> Result<(), LinalgError> {
        if a.ncols() != b.nrows() {
            return Err(mismatch("a product", a.dim(), b.dim()));
        }
        let product = (a.nrows(), b.ncols());
        if c.dim() != product {
            return Err(mismatch("adding a product", product, c.dim()));
        }
        if c.is_empty() {
            return Ok(());
        }
        T::gemm_on(self, alpha, a.view(), b.view(), beta, c.view_mut())
    }

    /// Returns the product `a b` of `a` (m, k) and `b` (k, n): a new row-major (m, n).
    ///
    /// Cost: `2 m n k` operations; matrices are read as in [`Backend::gemm`].
    ///
    /// # Errors
    /// As [`Backend::gemm`]; [`LinalgError::OutOfMemory`].
    pub fn matmul<T: Real>(
        self,
        a: &ArrayRef2<T>,
        b: &ArrayRef2<T>,
    ) -> Result<Array2<T>, LinalgError> {
        if a.ncols() != b.nrows() {
            return Err(mismatch("a product", a.dim(), b.dim()));
        }
        let mut c = zeros(a.nrows(), b.ncols())?;
        self.gemm(T::one(), a, b, T::zero(), &mut c)?;
        Ok(c)
    }

    /// Computes the lower half of `c = alpha a a^T + beta c` for `a` (n, k) and `c` (n, n).
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
        a: &ArrayRef2<T>,
        beta: T,
        c: &mut ArrayRef2<T>,
    ) -> Result<(), LinalgError> {
        let product = (a.nrows(), a.nrows());
        if c.dim() != product {
            return Err(mismatch("adding a symmetric product", product, c.dim()));
        }
        T::syrk_on(self, alpha, a.view(), beta, c.view_mut())
    }

    /// Returns `a a^T` for `a` (n, k): a new row-major (n, n), its halves equal to the bit.
    ///
    /// Cost: `n^2 k` operations.
    ///
    /// # Errors
    /// [`LinalgError::OutOfMemory`]; [`LinalgError::TooLarge`] from OpenBLAS.
    pub fn symmetric_product<T: Real>(self, a: &ArrayRef2<T>) -> Result<Array2<T>, LinalgError> {
        let mut c = zeros(a.nrows(), a.nrows())?;
        self.syrk(T::one(), a, T::zero(), &mut c)?;
        mirror(c.view_mut());
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
