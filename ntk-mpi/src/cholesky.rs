//! Cholesky factorisation over a grid: `pdpotrf` and `pdpotrs`.

use ndarray::{Array1, Array2, ArrayRef2};

use crate::BlockCyclic;
use crate::matrix::int;
use crate::scalapack::{FIRST, LOWER, call, pdpotrf_, pdpotrs_};
use ntk_linalg::LinalgError;

use crate::Error;

/// A `DistributedCholesky` is the factorisation `A = L L^T` over a grid, L lower triangular, in the
/// memory of A.
#[derive(Debug)]
pub struct DistributedCholesky {
    /// The factor L on and below the diagonal; above is what was there.
    factor: BlockCyclic,
}

impl DistributedCholesky {
    /// Factors a symmetric positive definite `a` (n, n), of which the lower half alone is read.
    ///
    /// Cost: `n^3 / 3` operations over all ranks; each rank sends about `n^2 log2(P) / sqrt(P)`
    /// numbers in `n log2(P) / block` messages, P the number of ranks.
    ///
    /// # Errors
    /// On every rank: [`LinalgError::NotPositiveDefinite`]; [`LinalgError::NonFinite`];
    /// [`LinalgError::NotSquare`].
    pub fn new(mut a: BlockCyclic) -> Result<Self, Error> {
        let n = a.order("a Cholesky factorisation")?;
        a.check_finite()?;
        let mut info = 0;
        let descriptor = a.descriptor();
        // SAFETY: `a` is an n x n matrix with this descriptor, on a grid that is alive.
        call(n, || unsafe {
            pdpotrf_(
                &LOWER,
                &int(n),
                a.local_mut().as_mut_ptr(),
                &FIRST,
                &FIRST,
                descriptor.as_ptr(),
                &mut info,
            );
        });
        let Ok(info) = usize::try_from(info) else {
            unreachable!("pdpotrf found argument {} invalid", -info);
        };
        match info.checked_sub(1) {
            None => Ok(Self { factor: a }),
            Some(pivot) => Err(LinalgError::NotPositiveDefinite {
                n,
                pivot,
                value: a.entry(pivot, pivot),
                ridge: 0.0,
            }
            .into()),
        }
    }

    /// Returns the order n of the matrix.
    pub fn order(&self) -> usize {
        self.factor.shape().0
    }

    /// Returns the diagonal of L, on every rank: `log det A` is twice the sum of its logarithms.
    pub fn diagonal(&self) -> Array1<f64> {
        self.factor.diagonal()
    }

    /// Computes the solution X (n, m) of `A X = b`, for `b` (n, m) that every rank has, on every rank.
    ///
    /// Cost: `2 n^2 m` operations over all ranks, and `n m` numbers of memory on each.
    ///
    /// # Errors
    /// [`LinalgError::ShapeMismatch`]; [`Error::RankTooLarge`].
    pub fn solve(&self, b: &ArrayRef2<f64>) -> Result<Array2<f64>, Error> {
        let (n, m) = (self.order(), b.ncols());
        if b.nrows() != n {
            return Err(LinalgError::ShapeMismatch {
                operation: "a solve",
                left: (n, n),
                right: b.dim(),
            }
            .into());
        }
        let mut x = BlockCyclic::of_replicated(self.factor.grid(), b, self.factor.block())?;
        let mut info = 0;
        let (factor, solution) = (self.factor.descriptor(), x.descriptor());
        // SAFETY: both matrices have these descriptors, equal blocks and n rows, and lie on the
        // same grid; the factor is only read.
        call(n, || unsafe {
            pdpotrs_(
                &LOWER,
                &int(n),
                &int(m),
                self.factor.local().as_ptr(),
                &FIRST,
                &FIRST,
                factor.as_ptr(),
                x.local_mut().as_mut_ptr(),
                &FIRST,
                &FIRST,
                solution.as_ptr(),
                &mut info,
            );
        });
        assert_eq!(info, 0, "pdpotrs found an argument invalid");
        Ok(x.replicated())
    }
}
