//! The one way from `f64` to the scalar of a caller.

use num_traits::Float;

/// Converts to the nearest `T`: of `f32` and `f64` every number has one; NaN where another type has
/// none.
pub(crate) fn of<T: Float>(number: f64) -> T {
    T::from(number).unwrap_or_else(T::nan)
}

/// Tells whether memory has room for a matrix of `rows` and `columns`.
pub(crate) fn fits<T>(rows: usize, columns: usize) -> bool {
    // Even without entries an array's sides must multiply to an `isize`.
    let sides = rows.max(1).checked_mul(columns.max(1));
    sides.is_some_and(|sides| isize::try_from(sides).is_ok())
        && Vec::<T>::new().try_reserve_exact(rows * columns).is_ok()
}
