//! Checks what every prediction checks before it starts.

use ndarray::{ArrayBase, ArrayRef1, ArrayRef2, Axis, Data, Dimension};
use ntk_linalg::{
    Cholesky, LinalgError, Real, Ridge, check_symmetric, eigenvalue_resolution, eigenvalues,
};

use super::PredictError;
use crate::gram::first_non_finite;

/// Computes how far rounding may take a symmetric matrix of order n from being symmetric and
/// positive semi-definite, relative to its largest entry and eigenvalue.
///
/// That is `n * eps`, or `8 sqrt(n)` of the `eps` to which the entries are known where that is more,
/// and at least of single precision's: a kernel held as f64 may have been computed as f32, with
/// independent errors in its entries.
pub(super) fn rounding_to<T: Real>(n: usize, eps: f64) -> f64 {
    let n = n as f64;
    let entries = 8.0 * n.sqrt() * eps.max(f64::from(f32::EPSILON));
    (n * T::epsilon().to_f64()).max(entries)
}

/// Computes [`rounding_to`] for entries that are known to the eps of their type.
pub(super) fn rounding<T: Real>(n: usize) -> f64 {
    rounding_to::<T>(n, T::epsilon().to_f64())
}

/// Refuses a `result` with an entry that is not finite, which arithmetic on finite numbers makes
/// beyond the largest number of its type.
pub(crate) fn result<T: Real, S, D>(
    what: &'static str,
    result: ArrayBase<S, D>,
) -> Result<ArrayBase<S, D>, PredictError>
where
    S: Data<Elem = T>,
    D: Dimension,
{
    match first_non_finite(&result.view()) {
        None => Ok(result),
        Some((index, value)) => Err(PredictError::Overflow {
            what,
            value,
            index,
            largest: T::max_value().to_f64(),
        }),
    }
}

/// Refuses an `a` with an entry that is not finite.
pub(crate) fn finite<T: Real>(what: &'static str, a: &ArrayRef2<T>) -> Result<(), PredictError> {
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
/// It serves predictions of one's own, which then fail as those here do.
///
/// # Errors
/// Returns [`PredictError::Shape`] with both shapes, or [`PredictError::NonFinite`] with the place.
pub fn shape<T: Real>(
    what: &'static str,
    a: &ArrayRef2<T>,
    expected: (usize, usize),
    why: &'static str,
) -> Result<(), PredictError> {
    dim(what, a.dim(), expected, why)?;
    finite(what, a)
}

/// Refuses a shape that is not the expected one, for the reason `why`.
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

/// Refuses a diagonal of a kernel that does not have `rows` entries, or is not finite.
pub(super) fn diagonal<T: Real>(
    what: &'static str,
    diagonal: &ArrayRef1<T>,
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

/// Refuses a finite `k` that is not symmetric up to rounding.
pub(super) fn symmetric<T: Real>(k: &ArrayRef2<T>) -> Result<(), PredictError> {
    symmetric_to(k, T::epsilon().to_f64())
}

/// Does what [`symmetric`] does for entries that are known to `eps`.
pub(super) fn symmetric_to<T: Real>(k: &ArrayRef2<T>, eps: f64) -> Result<(), PredictError> {
    let largest = k.iter().fold(0.0_f64, |m, &v| m.max(v.to_f64().abs()));
    let tolerance = largest * rounding_to::<T>(k.nrows(), eps);
    Ok(check_symmetric(k, T::of(tolerance))?)
}

/// The factor has no pivot that rounding could have made: solutions with it have correct digits.
///
/// The smallest eigenvalue is no larger than the smallest pivot, the largest no smaller than the
/// largest one.
pub(crate) fn resolved<T: Real>(cholesky: &Cholesky<T>) -> Result<(), PredictError> {
    let pivots = cholesky.pivots();
    let [smallest, largest] = extremes(&pivots);
    let unresolved = unresolved::<T>(pivots.len(), largest);
    if smallest > unresolved {
        return Ok(());
    }
    let added = cholesky.ridge_added();
    let row = pivots
        .iter()
        .position(|pivot| Real::to_f64(*pivot) <= unresolved);
    Err(PredictError::Singular {
        row,
        added,
        smallest,
        remedy: added + 2.0 * unresolved,
    })
}

/// Refuses a symmetric kernel with an eigenvalue further below zero than rounding explains, of
/// entries that are known to `eps`.
///
/// [`Flow`](super::Flow) does not, as its other work is cheaper; [`MseFlow`](super::MseFlow) does. Cost: `n^3 / 3`,
/// and a copy of the kernel; four times as much where the kernel is singular.
///
/// # Errors
/// Returns [`PredictError::Indefinite`], and what a factorisation fails with.
pub fn definite<T: Real>(k: &ArrayRef2<T>, eps: f64) -> Result<(), PredictError> {
    let n = k.nrows();
    // The largest sum of a row is no smaller than the largest eigenvalue.
    let rows = k.rows().into_iter();
    let sums = rows.map(|row| row.iter().map(|&v| Real::to_f64(v).abs()).sum());
    let ridge = eigenvalue_resolution(n, eps) * sums.fold(0.0, f64::max);
    match Cholesky::new(k.to_owned(), Ridge::Absolute(ridge)) {
        Ok(_) => return Ok(()),
        Err(LinalgError::NotPositiveDefinite { .. }) => {}
        Err(e) => return Err(e.into()),
    }
    let values = eigenvalues(k)?;
    let ends = values.first().zip(values.last());
    let (smallest, largest) =
        ends.map_or((0.0, 0.0), |(&s, &l)| (Real::to_f64(s), Real::to_f64(l)));
    indefinite(smallest, largest, 0.0, rounding_to::<T>(n, eps))
}

/// Refuses a smallest eigenvalue that is further below zero than `rounding`, relative to the largest,
/// explains; `added` is in both.
pub(super) fn indefinite(
    smallest: f64,
    largest: f64,
    added: f64,
    rounding: f64,
) -> Result<(), PredictError> {
    let tolerance = largest.max(-smallest) * rounding;
    if smallest >= -tolerance {
        return Ok(());
    }
    Err(PredictError::Indefinite {
        smallest,
        tolerance,
        remedy: added - smallest,
    })
}

/// Returns the smallest and the largest pivot; infinity and zero where there is none.
pub(super) fn extremes<T: Real>(pivots: &ArrayRef1<T>) -> [f64; 2] {
    pivots
        .iter()
        .fold([f64::INFINITY, 0.0], |[least, most], pivot| {
            [
                least.min(Real::to_f64(*pivot)),
                most.max(Real::to_f64(*pivot)),
            ]
        })
}

/// Refuses times that are not in order from `begin` on, which is zero or more.
pub(crate) fn times(times: &[f64], begin: f64) -> Result<(), PredictError> {
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

/// Refuses a `value` that is not finite and above zero.
pub(crate) fn positive(name: &'static str, value: f64) -> Result<(), PredictError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(PredictError::Argument {
        name,
        value,
        condition: "finite and above zero",
    })
}

/// Refuses a momentum that is not in [0, 1).
pub(crate) fn momentum(momentum: f64) -> Result<(), PredictError> {
    if (0.0..1.0).contains(&momentum) {
        return Ok(());
    }
    Err(PredictError::Argument {
        name: "momentum",
        value: momentum,
        condition: "zero or more and less than one",
    })
}

/// The eigenvalue below which one cannot be told from zero.
pub(super) fn unresolved<T: Real>(n: usize, largest: f64) -> f64 {
    eigenvalue_resolution(n, T::epsilon().to_f64()) * largest.max(0.0)
}
