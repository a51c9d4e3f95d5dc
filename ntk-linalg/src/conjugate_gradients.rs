//! Conjugate gradients: systems that are solved by products with the matrix alone.

use crate::observer::Observer;
use crate::{LinalgError, Operator, Preconditioner, Real};
use ndarray::{Array1, Array2, ArrayView2, Axis, Zip};
use std::error::Error;
use thiserror::Error;

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// `|b - A x| / |b|` of every column, as the recurrence keeps it.
    pub tolerance: f64,
    /// Most products with the matrix.
    pub max_iterations: usize,
}

/// 1e-8 within 1000 products.
impl Default for Settings {
    fn default() -> Self {
        Self {
            tolerance: 1e-8,
            max_iterations: 1000,
        }
    }
}

/// What was reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution<T> {
    /// x, (n, m).
    pub x: Array2<T>,
    /// The largest `|b - A x| / |b|` of the columns, before the first product and after each.
    pub residuals: Vec<f64>,
    /// Whether the last of them is within the tolerance.
    pub converged: bool,
}

/// Why there is no solution.
#[derive(Debug, Error)]
pub enum SolveError<E: Error + 'static> {
    /// A product failed.
    #[error(transparent)]
    Product(E),
    /// Operator, preconditioner and right-hand sides do not fit, or the observer asked to stop.
    #[error(transparent)]
    Linalg(#[from] LinalgError),
    /// The operator is not positive definite.
    #[error(
        "a direction p has p^T A p = {curvature:e}, but it must be positive: the matrix is not positive \
         definite, or not symmetric; add a larger diagonal regulariser"
    )]
    Indefinite {
        /// `p^T A p`.
        curvature: f64,
    },
}

/// Solves `A x = b` for each column of `b` (n, m), all columns in the same products.
///
/// From x = 0; `preconditioner` is an approximate inverse of A (Golub and Van Loan, Matrix
/// Computations, algorithm 11.5.1). A column that is solved rests while others go on. Cost: a
/// product with m vectors and one with the preconditioner an iteration; memory for `4 n m` numbers.
///
/// # Errors
/// [`SolveError`]. To run out of iterations is none: see [`Solution::converged`].
pub fn conjugate_gradients<T: Real, O: Operator<T>>(
    operator: &O,
    preconditioner: Option<&Preconditioner<T>>,
    b: ArrayView2<'_, T>,
    settings: &Settings,
    observer: &dyn Observer,
) -> Result<Solution<T>, SolveError<O::Error>> {
    let n = operator.order();
    for rows in std::iter::once(b.nrows()).chain(preconditioner.map(Operator::order)) {
        if rows != n {
            return Err(LinalgError::ShapeMismatch {
                operation: "conjugate gradients",
                left: (n, n),
                right: (rows, b.ncols()),
            }
            .into());
        }
    }
    let precondition = |r: &Array2<T>| match preconditioner {
        Some(preconditioner) => preconditioner.product(r.view()),
        None => Ok(r.clone()),
    };
    let norms = norms(&b.to_owned());
    let mut x = Array2::zeros(b.raw_dim());
    let mut r = b.to_owned();
    let mut z = precondition(&r)?;
    let mut p = z.clone();
    let mut rz = inner(&r, &z);
    let mut residuals = vec![relative(&r, &norms)];
    observer.begin("conjugate gradients", 0);
    let done = |residuals: &[f64]| residuals.last().is_none_or(|&r| r <= settings.tolerance);
    while !done(&residuals) && residuals.len() <= settings.max_iterations {
        observer.check().map_err(LinalgError::from)?;
        let ap = operator.product(p.view()).map_err(SolveError::Product)?;
        let curvature = inner(&p, &ap);
        // A column at rest: its residual, and with it its direction, is zero.
        let at_rest = |column: usize| rz[column] == 0.0;
        if let Some(bad) = (0..curvature.len())
            .find(|&c| !at_rest(c) && (curvature[c].is_nan() || curvature[c] <= 0.0))
        {
            let curvature = curvature[bad];
            return Err(SolveError::Indefinite { curvature });
        }
        let step = Array1::from_shape_fn(rz.len(), |c| {
            if at_rest(c) {
                0.0
            } else {
                rz[c] / curvature[c]
            }
        });
        add_scaled(&mut x, &step, &p);
        add_scaled(&mut r, &step.mapv(|s| -s), &ap);
        z = precondition(&r)?;
        let next = inner(&r, &z);
        for (column, mut p) in p.columns_mut().into_iter().enumerate() {
            let ratio = if at_rest(column) {
                0.0
            } else {
                next[column] / rz[column]
            };
            Zip::from(&mut p)
                .and(z.column(column))
                .for_each(|p, &z| *p = z + T::of(ratio) * *p);
        }
        rz = next;
        residuals.push(relative(&r, &norms));
        observer.advance(1);
    }
    Ok(Solution {
        x,
        converged: done(&residuals),
        residuals,
    })
}

/// `a_c . b_c` of each column, summed in f64.
fn inner<T: Real>(a: &Array2<T>, b: &Array2<T>) -> Array1<f64> {
    let mut sums = Array1::zeros(a.ncols());
    for (a, b) in a.rows().into_iter().zip(b.rows()) {
        Zip::from(&mut sums)
            .and(a)
            .and(b)
            .for_each(|sum, &a, &b| *sum += Real::to_f64(a) * Real::to_f64(b));
    }
    sums
}

/// `|a_c|` of each column.
pub(crate) fn norms<T: Real>(a: &Array2<T>) -> Array1<f64> {
    inner(a, a).mapv(f64::sqrt)
}

/// The largest norm of `r`'s columns over those given, NaN if one is; zero over zero is zero.
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

/// `x_c += scale_c p_c` for each column.
fn add_scaled<T: Real>(x: &mut Array2<T>, scale: &Array1<f64>, p: &Array2<T>) {
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
    use crate::refinement::refine;
    use crate::{Cholesky, Jitter, PartialCholesky};
    use ndarray::array;

    /// Eigenvalues from 1 to `largest`, evenly in the logarithm, in a basis of cosines.
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
        Cholesky::new(a.clone(), Jitter::None)
            .unwrap()
            .solve(b)
            .unwrap()
    }

    fn far(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
        (a - b).iter().fold(0.0, |m: f64, v| m.max(v.abs()))
    }

    #[test]
    fn solves_with_and_without_a_preconditioner() {
        let (n, largest) = (120, 1e4);
        let (a, b) = (matrix(n, largest), sides(n));
        let settings = Settings {
            tolerance: 1e-11,
            max_iterations: 1000,
        };
        let solve = |p: Option<&Preconditioner<f64>>| {
            let found = conjugate_gradients(&a.view(), p, b.view(), &settings, &()).unwrap();
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
        let partial =
            PartialCholesky::random(a.diag().to_owned(), 60, &(), &mut uniform, columns).unwrap();
        let mean = partial.residual().mean().unwrap();
        let preconditioner = partial.preconditioner(mean).unwrap();
        assert!(2 * solve(Some(&preconditioner)) < solve(None));
    }

    #[test]
    fn columns_that_are_solved_rest() {
        // The first column is an eigenvector, the second zero.
        let a = Array2::from_diag(&array![1.0, 2.0, 3.0]);
        let b = array![[0.0, 0.0, 1.0], [4.0, 0.0, 1.0], [0.0, 0.0, 1.0]];
        let found =
            conjugate_gradients(&a.view(), None, b.view(), &Settings::default(), &()).unwrap();
        assert!(found.converged && far(&found.x, &exact(&a, &b)) <= 1e-14);
        assert_eq!(found.residuals.len(), 4);
        let none = Array2::<f64>::zeros((0, 0));
        let found = conjugate_gradients(&none.view(), None, none.view(), &Settings::default(), &())
            .unwrap();
        assert!(found.converged);
    }

    #[test]
    fn what_cannot_be_solved_is_told() {
        let (a, b) = (array![[1.0, 0.0], [0.0, -1.0]], array![[1.0], [1.0]]);
        let run = |a: &Array2<f64>, b: &Array2<f64>, most| {
            let settings = Settings {
                tolerance: 1e-8,
                max_iterations: most,
            };
            conjugate_gradients(&a.view(), None, b.view(), &settings, &())
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
        let broken = from_fn(2, |_: ArrayView2<'_, f64>| {
            Err::<Array2<f64>, _>(LinalgError::Singular { pivot: 1 })
        });
        let error = conjugate_gradients(&broken, None, b.view(), &Settings::default(), &());
        assert!(matches!(
            error,
            Err(SolveError::Product(LinalgError::Singular { .. }))
        ));
    }

    #[test]
    fn refinement_makes_a_rough_solver_exact() {
        let (a, b) = (matrix(80, 1e4), sides(80));
        let rough = Cholesky::new(a.mapv(f32::of), Jitter::None).unwrap();
        let refined = refine(&a.view(), b.view(), 1e-13, 20, &(), |r, _| {
            let step = rough.solve(&r.mapv(f32::of)).map_err(SolveError::from)?;
            Ok::<_, SolveError<LinalgError>>(step.mapv(f64::from))
        })
        .unwrap();
        assert!(refined.converged, "{:?}", refined.residuals);
        assert!(far(&refined.x, &exact(&a, &b)) <= 1e-11);
        // A solver that makes it worse is left at once, with the best there was.
        let refined = refine(&a.view(), b.view(), 1e-13, 20, &(), |r, _| {
            Ok::<_, SolveError<LinalgError>>(-1.0 * &r)
        })
        .unwrap();
        assert!(!refined.converged);
        assert_eq!(
            (refined.residuals, refined.x),
            (vec![1.0], Array2::zeros((80, 3)))
        );
    }
}
