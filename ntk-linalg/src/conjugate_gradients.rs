//! Conjugate gradients: systems that are solved by products with the matrix alone.

use crate::observer::Observer;
use crate::validate::{Region, max_abs};
use crate::{LinalgError, Operator, Preconditioner, Real};
use ndarray::{Array1, Array2, ArrayRef2, Axis, Zip};
use std::error::Error;
use thiserror::Error;

/// A `Solution` is what conjugate gradients reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution<T> {
    /// The solution x, (n, m).
    pub x: Array2<T>,
    /// The largest `|b - A x| / |b|` of the columns, before the first product and after each.
    pub residuals: Vec<f64>,
    /// Whether the last residual is within the tolerance.
    pub converged: bool,
}

/// The reason why an iterative solver has no solution.
#[derive(Debug, Error)]
pub enum SolveError<E: Error + 'static> {
    /// A product with the operator failed.
    #[error(transparent)]
    Product(E),
    /// Operator, preconditioner and right-hand sides do not fit, a right-hand side is not finite, or
    /// the observer asked to stop.
    #[error(transparent)]
    Linalg(#[from] LinalgError),
    /// The operator is not positive definite.
    #[error(
        "a direction p has p^T A p = {curvature:e}, but it must be positive: the matrix is not positive \
         definite, or not symmetric; add a larger ridge"
    )]
    Indefinite {
        /// The curvature `p^T A p`.
        curvature: f64,
    },
}

/// The method of conjugate gradients, which solves `A x = b` by products with A alone.
///
/// It starts from x = 0, solves for all columns of b in the same products, and stops where
/// `|b - A x| / |b|` of every column is at most the tolerance, as the recurrence keeps it (Golub
/// and Van Loan, Matrix Computations, algorithm 11.5.1).
///
/// ```
/// use ndarray::array;
/// use ntk_linalg::{ConjugateGradients, Error};
///
/// fn main() -> Result<(), Error> {
///     let (a, b) = (array![[4.0, 1.0], [1.0, 3.0]], array![[1.0], [2.0]]);
///     let found = ConjugateGradients::new().tolerance(1e-12).solve(&a, &b)?;
///     assert!(found.converged);
///     assert!((&a.dot(&found.x) - &b).iter().all(|r: &f64| r.abs() < 1e-11));
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy)]
pub struct ConjugateGradients<'a, T> {
    tolerance: f64,
    max_iterations: usize,
    preconditioner: Option<&'a Preconditioner<T>>,
    observer: &'a dyn Observer,
}

impl<T> Default for ConjugateGradients<'_, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, T> ConjugateGradients<'a, T> {
    /// Returns the defaults: a tolerance of 1e-8, at most 1000 products with the matrix, no
    /// preconditioner and no observer.
    pub fn new() -> Self {
        Self {
            tolerance: 1e-8,
            max_iterations: 1000,
            preconditioner: None,
            observer: &(),
        }
    }

    /// Sets the largest `|b - A x| / |b|` of a column that is solved.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets the largest number of products with the matrix.
    #[must_use]
    pub fn max_iterations(mut self, max_iterations: usize) -> Self {
        self.max_iterations = max_iterations;
        self
    }

    /// Sets an approximate inverse of the matrix, which saves products with it.
    #[must_use]
    pub fn preconditioner(mut self, preconditioner: &'a Preconditioner<T>) -> Self {
        self.preconditioner = Some(preconditioner);
        self
    }

    /// Sets what is told of each product, and may stop the solver.
    #[must_use]
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }
}

impl<T: Real> ConjugateGradients<'_, T> {
    /// Solves `A x = b` for each column of `b` (n, m), A being the operator.
    ///
    /// A column that is solved rests while others go on. Cost: a product with m vectors and one
    /// with the preconditioner an iteration; memory for `4 n m` numbers.
    ///
    /// # Errors
    /// [`SolveError`]. To run out of iterations is none: see [`Solution::converged`].
    pub fn solve<O: Operator<T>>(
        &self,
        operator: &O,
        b: &ArrayRef2<T>,
    ) -> Result<Solution<T>, SolveError<O::Error>> {
        let n = operator.order();
        let rows = [Some(b.nrows()), self.preconditioner.map(Operator::order)];
        for rows in rows.into_iter().flatten() {
            if rows != n {
                return Err(LinalgError::ShapeMismatch {
                    operation: "conjugate gradients",
                    left: (n, n),
                    right: (rows, b.ncols()),
                }
                .into());
            }
        }
        let mut state = Iterate::new(b, |r| self.precondition(r))?;
        self.observer.begin("conjugate gradients", 0);
        let done = |state: &Iterate<T>| state.residual() <= self.tolerance;
        while !b.is_empty() && !done(&state) && state.residuals.len() <= self.max_iterations {
            self.observer.check().map_err(LinalgError::from)?;
            let ap = operator.product(&state.p).map_err(SolveError::Product)?;
            state.advance(&ap, |r| self.precondition(r))?;
            self.observer.advance(1);
        }
        Ok(Solution {
            converged: done(&state),
            x: state.x,
            residuals: state.residuals,
        })
    }

    fn precondition(&self, r: &Array2<T>) -> Result<Array2<T>, LinalgError> {
        match self.preconditioner {
            Some(preconditioner) => preconditioner.product(r),
            None => Ok(r.clone()),
        }
    }
}

/// An `Iterate` is what conjugate gradients know between two products with the matrix, for whoever
/// computes those products in parts, or keeps what was reached.
///
/// [`ConjugateGradients::solve`] is a loop over [`Iterate::advance`]. From equal iterates equal
/// products lead on to the last bit.
///
/// ```
/// use ndarray::array;
/// use ntk_linalg::{Error, Iterate};
///
/// let (a, b) = (array![[4.0, 1.0], [1.0, 3.0]], array![[1.0], [2.0]]);
/// let mut iterate = Iterate::new(&b, |r| Ok(r.clone()))?; // no preconditioner
/// while iterate.residual() > 1e-12 {
///     let product = a.dot(&iterate.p);
///     iterate.advance::<Error>(&product, |r| Ok(r.clone()))?;
/// }
/// assert!((&a.dot(&iterate.x) - &b).iter().all(|r: &f64| r.abs() < 1e-11));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Iterate<T> {
    /// The solution so far, (n, m).
    pub x: Array2<T>,
    /// The residuals `b - A x` as the recurrence keeps them, (n, m).
    pub r: Array2<T>,
    /// The directions, of which the product with A is needed next, (n, m).
    pub p: Array2<T>,
    /// `r . z` of each column, z being what the preconditioner makes of r, (m).
    pub rz: Array1<f64>,
    /// The lengths of the columns of b, (m).
    pub norms: Array1<f64>,
    /// The largest `|r| / |b|` of the columns, before the first product and after each.
    pub residuals: Vec<f64>,
}

impl<T: Real> Iterate<T> {
    /// Starts from x = 0 for right-hand sides `b` (n, m).
    ///
    /// # Errors
    /// [`LinalgError::NonFinite`] in `b`; those of the preconditioner.
    pub fn new(
        b: &ArrayRef2<T>,
        precondition: impl FnOnce(&Array2<T>) -> Result<Array2<T>, LinalgError>,
    ) -> Result<Self, LinalgError> {
        max_abs(&b.view(), Region::All)?;
        let norms = norms(b);
        let r = b.to_owned();
        let p = precondition(&r)?;
        Ok(Self {
            x: Array2::zeros(b.raw_dim()),
            rz: inner(&r, &p),
            residuals: vec![relative(&r, &norms)],
            norms,
            r,
            p,
        })
    }

    /// Returns the largest `|b - A x| / |b|` of the columns, as the recurrence keeps it.
    pub fn residual(&self) -> f64 {
        self.residuals.last().copied().unwrap_or(0.0)
    }

    /// Goes on by one iteration, `ap` (n, m) being the product of A with [`Iterate::p`].
    ///
    /// # Errors
    /// [`SolveError::Indefinite`]; [`SolveError::Linalg`] for a product of another shape, and for
    /// what the preconditioner fails with. None is [`SolveError::Product`], of whose E it may be any.
    pub fn advance<E: Error + 'static>(
        &mut self,
        ap: &ArrayRef2<T>,
        precondition: impl FnOnce(&Array2<T>) -> Result<Array2<T>, LinalgError>,
    ) -> Result<(), SolveError<E>> {
        check_product(self.p.dim(), ap.dim())?;
        if ap.is_empty() {
            self.residuals.push(0.0);
            return Ok(());
        }
        let curvature = inner(&self.p, ap);
        // A column at rest: its residual, and with it its direction, is zero.
        let rz = self.rz.clone();
        let at_rest = |column: usize| rz[column] == 0.0;
        if let Some(bad) = (0..curvature.len())
            .find(|&c| !at_rest(c) && (curvature[c].is_nan() || curvature[c] <= 0.0))
        {
            let curvature = curvature[bad];
            return Err(SolveError::Indefinite { curvature });
        }
        let step = Array1::from_shape_fn(rz.len(), |c| match at_rest(c) {
            true => 0.0,
            false => rz[c] / curvature[c],
        });
        add_scaled(&mut self.x, &step, &self.p);
        add_scaled(&mut self.r, &step.mapv(|s| -s), ap);
        let z = precondition(&self.r)?;
        self.rz = inner(&self.r, &z);
        for (column, mut p) in self.p.columns_mut().into_iter().enumerate() {
            let ratio = match at_rest(column) {
                true => 0.0,
                false => self.rz[column] / rz[column],
            };
            Zip::from(&mut p)
                .and(z.column(column))
                .for_each(|p, &z| *p = z + T::of(ratio) * *p);
        }
        self.residuals.push(relative(&self.r, &self.norms));
        Ok(())
    }
}

/// Refuses a product whose shape is not that of the vectors.
pub(crate) fn check_product(
    expected: (usize, usize),
    found: (usize, usize),
) -> Result<(), LinalgError> {
    if found == expected {
        return Ok(());
    }
    Err(LinalgError::ShapeMismatch {
        operation: "a solver with what its operator or step returned",
        left: expected,
        right: found,
    })
}

/// Returns `a_c . b_c` of each column, summed in f64.
fn inner<T: Real>(a: &ArrayRef2<T>, b: &ArrayRef2<T>) -> Array1<f64> {
    // Without entries either axis may be longer than memory, or than a life.
    if a.is_empty() {
        return Array1::zeros(0);
    }
    let mut sums = Array1::zeros(a.ncols());
    for (a, b) in a.rows().into_iter().zip(b.rows()) {
        Zip::from(&mut sums)
            .and(a)
            .and(b)
            .for_each(|sum, &a, &b| *sum += Real::to_f64(a) * Real::to_f64(b));
    }
    sums
}

/// Returns `|a_c|` of each column.
pub(crate) fn norms<T: Real>(a: &ArrayRef2<T>) -> Array1<f64> {
    inner(a, a).mapv(f64::sqrt)
}

/// Returns the largest norm of `r`'s columns over those given, NaN if one is; zero over zero is zero.
pub(crate) fn relative<T: Real>(r: &Array2<T>, norms_of_b: &Array1<f64>) -> f64 {
    let pairs = norms(r).into_iter().zip(norms_of_b);
    let ratios = pairs.map(|(r, &b)| if r == 0.0 { 0.0 } else { r / b });
    ratios.fold(0.0, |max: f64, ratio| {
        if max >= ratio || max.is_nan() {
            max
        } else {
            ratio
        }
    })
}

/// Computes `x_c += scale_c p_c` for each column.
fn add_scaled<T: Real>(x: &mut Array2<T>, scale: &Array1<f64>, p: &ArrayRef2<T>) {
    let scale = scale.mapv(T::of);
    for (mut x, p) in x.axis_iter_mut(Axis(0)).zip(p.rows()) {
        Zip::from(&mut x)
            .and(p)
            .and(&scale)
            .for_each(|x, &p, &scale| *x += scale * p);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::from_fn;
    use crate::{Cholesky, RandomPivots, Refinement};
    use ndarray::array;

    /// Returns a matrix with eigenvalues from 1 to `largest`, evenly in the logarithm, in a basis of
    /// cosines.
    fn matrix(n: usize, largest: f64) -> Array2<f64> {
        let q = Array2::from_shape_fn((n, n), |(i, j)| {
            let scale = if j == 0 { 1.0 } else { 2.0_f64 };
            let angle = std::f64::consts::PI * j as f64 * (i as f64 + 0.5) / n as f64;
            (scale / n as f64).sqrt() * angle.cos()
        });
        let values = Array1::from_shape_fn(n, |i| largest.powf(1.0 - i as f64 / (n - 1) as f64));
        (&q * &values).dot(&q.t())
    }

    fn sides(n: usize) -> Array2<f64> {
        Array2::from_shape_fn((n, 3), |(i, j)| ((i * (j + 2)) % 7) as f64 - 3.0)
    }

    fn exact(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
        Cholesky::new(a.clone(), 0.0).unwrap().solve(b).unwrap()
    }

    fn far(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
        (a - b).iter().fold(0.0, |m: f64, v| m.max(v.abs()))
    }

    #[test]
    fn solves_with_and_without_a_preconditioner() {
        let (n, largest) = (120, 1e4);
        let (a, b) = (matrix(n, largest), sides(n));
        let plain = ConjugateGradients::new().tolerance(1e-11);
        let solve = |solver: ConjugateGradients<'_, f64>| {
            let found = solver.solve(&a, &b).unwrap();
            assert!(found.converged);
            // |x - x'| <= |A^-1| |r|, and the smallest eigenvalue is 1.
            let bound = 1e-10 * norms(&b).iter().fold(0.0_f64, |m, &v| m.max(v));
            assert!(far(&found.x, &exact(&a, &b)) <= bound);
            found.residuals.len()
        };
        let mut state = 1_u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let columns = |which: &[usize]| Ok::<_, LinalgError>(a.select(Axis(1), which));
        let partial = RandomPivots::new(60)
            .factor(a.diag().to_owned(), &mut uniform, columns)
            .unwrap();
        let mean = partial.residual().mean().unwrap();
        let preconditioner = partial.preconditioner(mean).unwrap();
        assert!(2 * solve(plain.preconditioner(&preconditioner)) < solve(plain));
    }

    #[test]
    fn columns_that_are_solved_rest() {
        // The first column is an eigenvector, the second zero.
        let a = Array2::from_diag(&array![1.0, 2.0, 3.0]);
        let b = array![[0.0, 0.0, 1.0], [4.0, 0.0, 1.0], [0.0, 0.0, 1.0]];
        let found = ConjugateGradients::new().solve(&a, &b).unwrap();
        assert!(found.converged && far(&found.x, &exact(&a, &b)) <= 1e-14);
        assert_eq!(found.residuals.len(), 4);
        let none = Array2::<f64>::zeros((0, 0));
        let found = ConjugateGradients::new().solve(&none, &none).unwrap();
        assert!(found.converged);
    }

    #[test]
    fn what_cannot_be_solved_is_told() {
        let (a, b) = (array![[1.0, 0.0], [0.0, -1.0]], array![[1.0], [1.0]]);
        let run = |a: &Array2<f64>, b: &Array2<f64>, most| {
            ConjugateGradients::new().max_iterations(most).solve(a, b)
        };
        let error = run(&a, &b, 9).unwrap_err();
        assert!(
            matches!(error, SolveError::Indefinite { curvature: 0.0 }),
            "{error}"
        );
        let error = run(&(&a * f64::NAN), &b, 9).unwrap_err();
        assert!(matches!(error, SolveError::Indefinite { .. }), "{error}");
        let error = run(&a, &array![[1.0]], 9).unwrap_err();
        assert!(matches!(
            error,
            SolveError::Linalg(LinalgError::ShapeMismatch { .. })
        ));
        assert!(!run(&matrix(50, 1e6), &sides(50), 3).unwrap().converged);
        let broken = from_fn(2, |_: &ArrayRef2<f64>| {
            Err::<Array2<f64>, _>(LinalgError::Singular { pivot: 1 })
        });
        let error = ConjugateGradients::new().solve(&broken, &b);
        assert!(matches!(
            error,
            Err(SolveError::Product(LinalgError::Singular { .. }))
        ));
    }

    #[test]
    fn refinement_makes_a_rough_solver_exact() {
        let (a, b) = (matrix(80, 1e4), sides(80));
        let rough = Cholesky::new(a.mapv(f32::of), 0.0).unwrap();
        let refinement = Refinement::new().tolerance(1e-13);
        let refined = refinement
            .solve(&a, &b, |r, _| {
                let step = rough.solve(&r.mapv(f32::of)).map_err(SolveError::from)?;
                Ok::<_, SolveError<LinalgError>>(step.mapv(f64::from))
            })
            .unwrap();
        assert!(refined.converged, "{:?}", refined.residuals);
        assert!(far(&refined.x, &exact(&a, &b)) <= 1e-11);
        // A solver that makes it worse is left at once, with the best there was.
        let refined = refinement
            .solve(&a, &b, |r, _| Ok::<_, SolveError<LinalgError>>(-1.0 * r))
            .unwrap();
        assert!(!refined.converged);
        assert_eq!(
            (refined.residuals, refined.x),
            (vec![1.0], Array2::zeros((80, 3)))
        );
    }
}
