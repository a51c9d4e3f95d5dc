//! What every prediction checks before it starts.

use ndarray::{ArrayView1, ArrayView2, Axis};
use ntk_linalg::{Real, check_symmetric};

use super::PredictError;

/// How far rounding may take a symmetric matrix of order n from being symmetric and positive
/// semi-definite, relative to its largest entry and eigenvalue.
///
/// `n * eps`, or `8 sqrt(n)` single-precision eps where that is more: a kernel held as f64 may
/// have been computed as f32, with independent errors in its entries.
pub(super) fn rounding<T: Real>(n: usize) -> f64 {
    let n = n as f64;
    let single = 8.0 * n.sqrt() * f64::from(f32::EPSILON);
    (n * T::epsilon().to_f64()).max(single)
}

/// All entries of `a` are finite.
pub(super) fn finite<T: Real>(
    what: &'static str,
    a: &ArrayView2<'_, T>,
) -> Result<(), PredictError> {
    match a.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some(((row, column), value)) => Err(PredictError::NonFinite {
            what,
            row,
            column,
            value: (*value).to_f64(),
        }),
    }
}

/// Refuses an `a` that is not of shape (rows, columns), for the reason `why`, or not finite.
///
/// For predictions of one's own, which so fail as those here do.
///
/// # Errors
/// [`PredictError::Shape`] with both shapes, [`PredictError::NonFinite`] with the place.
pub fn shape<T: Real>(
    what: &'static str,
    a: &ArrayView2<'_, T>,
    expected: (usize, usize),
    why: &'static str,
) -> Result<(), PredictError> {
    dim(what, a.dim(), expected, why)?;
    finite(what, a)
}

/// A shape is (rows, columns), for the reason `why`.
pub(super) fn dim(
    what: &'static str,
    found: (usize, usize),
    expected: (usize, usize),
    why: &'static str,
) -> Result<(), PredictError> {
    if found == expected {
        return Ok(());
    }
    Err(PredictError::Shape {
        what,
        found,
        expected: format!("{expected:?}"),
        why,
    })
}

/// The diagonal of a kernel has `rows` entries and is finite.
pub(super) fn diagonal<T: Real>(
    what: &'static str,
    diagonal: &ArrayView1<'_, T>,
    rows: usize,
) -> Result<(), PredictError> {
    let column = diagonal.view().insert_axis(Axis(1));
    shape(
        what,
        &column,
        (rows, 1),
        "one entry a row of the kernel with the training samples",
    )
}

/// The finite `k` is symmetric up to rounding.
pub(super) fn symmetric<T: Real>(k: &ArrayView2<'_, T>) -> Result<(), PredictError> {
    let largest = k.iter().fold(0.0_f64, |m, &v| m.max(v.to_f64().abs()));
    let tolerance = largest * rounding::<T>(k.nrows());
    Ok(check_symmetric(k.view(), T::of(tolerance))?)
}

/// Times are in order, from `begin` on, which is zero or more.
pub(super) fn times(times: &[f64], begin: f64) -> Result<(), PredictError> {
    let mut previous = begin;
    for (index, &time) in times.iter().enumerate() {
        if time.is_nan() || time < 0.0 {
            return Err(PredictError::Time { index, time });
        }
        if time < previous {
            return Err(PredictError::TimesOutOfOrder {
                index,
                time,
                previous,
            });
        }
        previous = time;
    }
    Ok(())
}

/// `value` is finite and above zero.
pub(super) fn positive(name: &'static str, value: f64) -> Result<(), PredictError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(PredictError::Argument {
        name,
        value,
        condition: "finite and above zero",
    })
}

/// `momentum` is in [0, 1).
pub(super) fn momentum(momentum: f64) -> Result<(), PredictError> {
    if (0.0..1.0).contains(&momentum) {
        return Ok(());
    }
    Err(PredictError::Argument {
        name: "momentum",
        value: momentum,
        condition: "zero or more and less than one",
    })
}
