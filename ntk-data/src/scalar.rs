//! The one way from `f64` to the scalar of a caller.

use num_traits::Float;

/// The nearest `T`: of `f32` and `f64` every number has one; NaN where another type has none.
pub(crate) fn of<T: Float>(number: f64) -> T {
    T::from(number).unwrap_or_else(T::nan)
}
