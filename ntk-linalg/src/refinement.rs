//! Iterative refinement: an accurate solution by means of an inaccurate solver.

use crate::conjugate_gradients::{SolveError, norms, relative};
use crate::observer::Observer;
use crate::{LinalgError, Operator};
use ndarray::{Array2, ArrayView2};

/// What was reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Refined {
    /// x, (n, m).
    pub x: Array2<f64>,
    /// The largest `|b - A x| / |b|` of the columns, computed in f64: of x = 0, and after each step.
    pub residuals: Vec<f64>,
    /// Whether the last of them is within the tolerance.
    pub converged: bool,
}

/// Solves `A x = b` for `b` (n, m) by `x += solve(b - A x, residual)`, from x = 0.
///
/// `residual` is the last of [`Refined::residuals`].
/// `operator` is A in f64; `solve` may be a factorisation of A in f32, or a few iterations. With a
/// solver of relative error e < 1 each step divides the error by 1/e, down to that of products
/// with A (Golub and Van Loan, Matrix Computations, section 3.5.3). Stops at `tolerance`, after
/// `max_steps` steps, or at a step that gains less than a factor of two, which is not taken where
/// it lost. Cost: one `solve` and one product a step.
///
/// # Errors
/// [`SolveError`], and those of `solve`. Not to converge is none: see [`Refined::converged`].
pub fn refine<O: Operator<f64>, E: From<SolveError<O::Error>>>(
    operator: &O,
    b: ArrayView2<'_, f64>,
    tolerance: f64,
    max_steps: usize,
    observer: &dyn Observer,
    mut solve: impl FnMut(ArrayView2<'_, f64>, f64) -> Result<Array2<f64>, E>,
) -> Result<Refined, E> {
    if b.nrows() != operator.order() {
        let mismatch = LinalgError::ShapeMismatch {
            operation: "iterative refinement",
            left: (operator.order(), operator.order()),
            right: b.dim(),
        };
        return Err(SolveError::from(mismatch).into());
    }
    let b = b.to_owned();
    let norms = norms(&b);
    let mut x = Array2::zeros(b.raw_dim());
    let mut r = b.clone();
    let mut residuals = vec![relative(&r, &norms)];
    for _ in 0..max_steps {
        let now = residuals[residuals.len() - 1];
        if now <= tolerance {
            break;
        }
        observer
            .check()
            .map_err(|e| SolveError::from(LinalgError::from(e)))?;
        let better = &x + &solve(r.view(), now)?;
        let product = operator.product(better.view());
        let left = &b - &product.map_err(SolveError::Product)?;
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
        converged: residuals.last().is_some_and(|&r| r <= tolerance),
        residuals,
    })
}
