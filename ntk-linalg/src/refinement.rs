//! Iterative refinement: an accurate solution by means of an inaccurate solver.

use crate::conjugate_gradients::{SolveError, check_product, norms, relative};
use crate::observer::Observer;
use crate::validate::{Region, max_abs};
use crate::{LinalgError, Operator};
use ndarray::{Array2, ArrayRef2};

/// A `Refined` is the solution that refinement reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Refined {
    /// The solution x, (n, m).
    pub x: Array2<f64>,
    /// The largest `|b - A x| / |b|` of the columns, computed in f64: of x = 0, and after each step.
    pub residuals: Vec<f64>,
    /// Whether the last residual is within the tolerance.
    pub converged: bool,
}

/// Iterative refinement, which solves `A x = b` to the accuracy of f64 by means of a less accurate
/// solver: a factorisation of A in f32, or a few iterations.
///
/// It starts from x = 0 and repeats `x += solve(b - A x)`. With a solver of relative error e < 1
/// each step divides the error by 1/e, down to that of products with A (Golub and Van Loan, Matrix
/// Computations, section 3.5.3).
///
/// ```
/// use ndarray::array;
/// use ntk_linalg::{Cholesky, Error, Refinement};
///
/// fn main() -> Result<(), Error> {
///     let (a, b) = (array![[4.0, 1.0], [1.0, 3.0]], array![[1.0], [2.0]]);
///     let single = Cholesky::new(a.mapv(|v: f64| v as f32), 0.0)?;
///     let refined = Refinement::new().tolerance(1e-14).solve(&a, &b, |r, _| {
///         let step = single.solve(&r.mapv(|v| v as f32))?;
///         Ok::<_, Error>(step.mapv(f64::from))
///     })?;
///     assert!(refined.converged);
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Refinement<'a> {
    tolerance: f64,
    max_steps: usize,
    observer: &'a dyn Observer,
}

impl Default for Refinement<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Refinement<'a> {
    /// Returns the defaults: a tolerance of 1e-12, at most 20 steps and no observer.
    pub fn new() -> Self {
        Self {
            tolerance: 1e-12,
            max_steps: 20,
            observer: &(),
        }
    }

    /// Sets the largest `|b - A x| / |b|` of a column that is solved.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets the largest number of steps.
    #[must_use]
    pub fn max_steps(mut self, max_steps: usize) -> Self {
        self.max_steps = max_steps;
        self
    }

    /// Sets what may stop the refinement before each step.
    #[must_use]
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// Solves `A x = b` for `b` (n, m), A being the operator in f64.
    ///
    /// Each step calls `solve(b - A x, residual)`, the residual being the last of
    /// [`Refined::residuals`]. The refinement stops at the tolerance, at the largest number of
    /// steps, or at a step that gains less than a factor of two, which is not taken where it lost.
    /// Cost: one `solve` and one product a step.
    ///
    /// # Errors
    /// [`SolveError`], and those of `solve`. Not to converge is none: see [`Refined::converged`].
    pub fn solve<O: Operator<f64>, E: From<SolveError<O::Error>>>(
        &self,
        operator: &O,
        b: &ArrayRef2<f64>,
        mut solve: impl FnMut(&ArrayRef2<f64>, f64) -> Result<Array2<f64>, E>,
    ) -> Result<Refined, E> {
        if b.nrows() != operator.order() {
            let mismatch = LinalgError::ShapeMismatch {
                operation: "iterative refinement",
                left: (operator.order(), operator.order()),
                right: b.dim(),
            };
            return Err(SolveError::from(mismatch).into());
        }
        max_abs(&b.view(), Region::All).map_err(SolveError::from)?;
        if b.is_empty() {
            return Ok(Refined {
                x: b.to_owned(),
                residuals: vec![0.0],
                converged: true,
            });
        }
        let norms = norms(b);
        let mut x = Array2::zeros(b.raw_dim());
        let mut r = b.to_owned();
        let mut residuals = vec![relative(&r, &norms)];
        for _ in 0..self.max_steps {
            let now = residuals[residuals.len() - 1];
            if now <= self.tolerance {
                break;
            }
            self.observer
                .check()
                .map_err(|e| SolveError::from(LinalgError::from(e)))?;
            let step = solve(&r, now)?;
            check_product(x.dim(), step.dim()).map_err(SolveError::from)?;
            let better = &x + &step;
            let product = operator.product(&better).map_err(SolveError::Product)?;
            check_product(x.dim(), product.dim()).map_err(SolveError::from)?;
            let left = b - &*product;
            let residual = relative(&left, &norms);
            if residual.is_nan() || residual >= now {
                break;
            }
            (x, r) = (better, left);
            residuals.push(residual);
            if residual > 0.5 * now {
                break;
            }
        }
        Ok(Refined {
            x,
            converged: residuals.last().is_some_and(|&r| r <= self.tolerance),
            residuals,
        })
    }
}
