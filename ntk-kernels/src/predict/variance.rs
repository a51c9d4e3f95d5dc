//! Computes variances and covariances that are differences, and keeps them from being negative.
//!
//! A posterior's variance is the prior minus what was learned, which exact arithmetic leaves at
//! zero or above. Rounding does not: where nearly everything is learned, what is left may be below
//! zero by the error of either. Up to that error it is set to zero, and its covariances with it;
//! beyond, the kernels are not those of one process, and that is an error.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, ArrayView1, Zip};
use ntk_linalg::{Real, gemm, matmul, mirror_lower, syrk};

use super::{PredictError, check};

/// Computes `tt - h h^T` for `h` (m, k), whose halves are equal to the bit where those of `tt` are.
///
/// `allowed` is the error of a variance, by the row of `h`.
pub(super) fn subtract_square<T: Real>(
    tt: &ArrayRef2<T>,
    h: &ArrayRef2<T>,
    allowed: impl Fn(ArrayView1<'_, T>) -> f64,
) -> Result<Array2<T>, PredictError> {
    let mut covariance = tt.as_standard_layout().into_owned();
    syrk(-T::one(), h, T::one(), &mut covariance)?;
    mirror_lower(&mut covariance)?;
    clamp_covariance(&mut covariance, |row| allowed(h.row(row)))?;
    Ok(covariance)
}

/// Computes the diagonal of [`subtract_square`].
pub(super) fn subtract_square_norms<T: Real>(
    tt: &ArrayRef1<T>,
    h: &ArrayRef2<T>,
    allowed: impl Fn(ArrayView1<'_, T>) -> f64,
) -> Result<Array1<T>, PredictError> {
    let mut variance = Zip::from(tt)
        .and(h.rows())
        .map_collect(|&v, row| T::of(v.to_f64() - square_norm(row)));
    clamp(&mut variance, |row| allowed(h.row(row)))?;
    Ok(variance)
}

/// Computes the covariance of `f*_0 - A f_0` for `(f_0, f*_0)` of covariance S, `a` (m, n).
pub(super) fn covariance_of_linear<T: Real>(
    a: &ArrayRef2<T>,
    s_dd: &ArrayRef2<T>,
    s_td: &ArrayRef2<T>,
    s_tt: &ArrayRef2<T>,
) -> Result<Array2<T>, PredictError> {
    let m = a.nrows();
    check::shape("nngp_tt", s_tt, (m, m), "the rows of ntk_td, both ways")?;
    let left = half_of_linear(a, s_dd, s_td)?;
    let half = matmul(&left, &a.t())?;
    let mut covariance = Zip::from(s_tt)
        .and(&half)
        .and(&half.t())
        .map_collect(|&s, &p, &q| s + (p + q));
    let prior = s_tt.diag();
    clamp_covariance(&mut covariance, allowed_of_linear(a, s_dd, &prior))?;
    Ok(covariance)
}

/// Computes the diagonal of [`covariance_of_linear`].
pub(super) fn variance_of_linear<T: Real>(
    a: &ArrayRef2<T>,
    s_dd: &ArrayRef2<T>,
    s_td: &ArrayRef2<T>,
    s_tt: &ArrayRef1<T>,
) -> Result<Array1<T>, PredictError> {
    check::diagonal("the diagonal of nngp_tt", s_tt, a.nrows())?;
    let left = half_of_linear(a, s_dd, s_td)?;
    let mut variance = Zip::from(s_tt)
        .and(left.rows())
        .and(a.rows())
        .map_collect(|&s, p, a| {
            let pairs = p.iter().zip(a);
            let product: f64 = pairs
                .map(|(p, a)| Real::to_f64(*p) * Real::to_f64(*a))
                .sum();
            T::of(s.to_f64() + 2.0 * product)
        });
    clamp(&mut variance, allowed_of_linear(a, s_dd, s_tt))?;
    Ok(variance)
}

/// Computes the P of `P A^T + A P^T = A S_dd A^T - A S_dt - S_td A^T`: `A S_dd / 2 - S_td`.
fn half_of_linear<T: Real>(
    a: &ArrayRef2<T>,
    s_dd: &ArrayRef2<T>,
    s_td: &ArrayRef2<T>,
) -> Result<Array2<T>, PredictError> {
    check::shape("nngp_td", s_td, a.dim(), "the shape of ntk_td")?;
    let mut left = s_td.as_standard_layout().into_owned();
    gemm(T::of(0.5), a, s_dd, -T::one(), &mut left)?;
    Ok(left)
}

/// Returns the error of the variance of `f*_0 - A f_0`, by row.
///
/// Any A has a variance of zero or above, so that its own errors do not count: it is the rounding
/// of S, `(1, -A_i)` from both sides.
fn allowed_of_linear<T: Real>(
    a: &ArrayRef2<T>,
    s_dd: &ArrayRef2<T>,
    s_tt: &ArrayRef1<T>,
) -> impl Fn(usize) -> f64 {
    let rounding = check::rounding::<T>(a.ncols() + 1);
    let largest = |prior: T| {
        s_dd.diag()
            .iter()
            .fold(prior.to_f64(), |m, v| m.max(Real::to_f64(*v)))
    };
    move |row| rounding * largest(s_tt[row]) * (1.0 + square_norm(a.row(row)))
}

/// Computes the square of a vector's norm, in double precision.
pub(super) fn square_norm<T: Real>(v: ArrayView1<'_, T>) -> f64 {
    v.iter().map(|&x| Real::to_f64(x).powi(2)).sum()
}

/// Sets variances below zero by no more than `allowed`, by row, to zero, and refuses others.
fn clamp<T: Real>(
    variance: &mut Array1<T>,
    allowed: impl Fn(usize) -> f64,
) -> Result<(), PredictError> {
    check::result("the variances (row)", variance.view())?;
    for (row, variance) in variance.iter_mut().enumerate() {
        let value = Real::to_f64(*variance);
        if value >= 0.0 {
            continue;
        }
        let tolerance = allowed(row);
        if value < -tolerance {
            return Err(PredictError::NegativeVariance {
                row,
                value,
                tolerance,
            });
        }
        *variance = T::zero();
    }
    Ok(())
}

/// Clamps the variances of a covariance (m, m) as [`clamp`] does, and correlations into [-1, 1].
pub(super) fn clamp_covariance<T: Real>(
    covariance: &mut Array2<T>,
    allowed: impl Fn(usize) -> f64,
) -> Result<(), PredictError> {
    check::result("the covariance (row, column)", covariance.view())?;
    let mut variance = covariance.diag().to_owned();
    clamp(&mut variance, allowed)?;
    let deviation = variance.mapv(|v| v.to_f64().sqrt());
    // The deviations' own rounding is no reason to change a correlation of one.
    let rounding = 1.0 + 8.0 * T::epsilon().to_f64();
    for ((i, j), value) in covariance.indexed_iter_mut() {
        let most = deviation[i] * deviation[j];
        if i == j {
            *value = variance[i];
        } else if Real::to_f64(*value).abs() > most * rounding {
            *value = T::of(most.copysign(Real::to_f64(*value)));
        }
    }
    Ok(())
}
