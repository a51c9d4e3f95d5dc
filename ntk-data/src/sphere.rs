//! The projection to a sphere, such as that of radius sqrt(d).

use ndarray::{Array2, ArrayRef2};
use num_traits::Float;
use thiserror::Error;

use crate::scalar::of;

/// A row that has no direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("row {row} has norm {norm}, which has no direction; drop the row")]
pub struct NoDirection {
    /// The index of the row.
    pub row: usize,
    /// The norm of the row: zero, infinite or not a number.
    pub norm: Norm,
}

/// The norms that have no direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// The norm of zeros alone.
    Zero,
    /// The norm where some entry is infinite or not a number.
    NotFinite,
}

impl std::fmt::Display for Norm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Zero => "zero",
            Self::NotFinite => "not finite",
        })
    }
}

/// Scales every row of `x`, `(n, d)`, to norm `radius`; `sqrt(d)` is [`radius`]`(d)`.
///
/// ```
/// use ndarray::array;
/// use ntk_data::sphere;
///
/// assert_eq!(sphere::project(&array![[3.0, 4.0]], 10.0)?, array![[6.0, 8.0]]);
/// # Ok::<(), ntk_data::Error>(())
/// ```
///
/// The norm is taken of the row over its largest entry, so that neither large
/// nor small entries overflow or vanish. O(n d).
///
/// # Errors
/// [`NoDirection`] for a row of zeros or with entries that are not finite.
pub fn project<T: Float>(x: &ArrayRef2<T>, radius: T) -> Result<Array2<T>, NoDirection> {
    let mut projected = x.to_owned();
    for (row, mut values) in projected.rows_mut().into_iter().enumerate() {
        if values.iter().any(|v| !v.is_finite()) {
            return Err(NoDirection {
                row,
                norm: Norm::NotFinite,
            });
        }
        let largest = values.iter().fold(T::zero(), |a, &v| a.max(v.abs()));
        if largest == T::zero() {
            return Err(NoDirection {
                row,
                norm: Norm::Zero,
            });
        }
        values.mapv_inplace(|v| v / largest);
        let norm = values.iter().fold(T::zero(), |a, &v| a + v * v).sqrt();
        values.mapv_inplace(|v| v / norm * radius);
    }
    Ok(projected)
}

/// Computes `sqrt(d)`, the norm that a vector of `d` independent standard normals has on average
/// (in mean square).
#[must_use]
pub fn radius<T: Float>(d: usize) -> T {
    of::<T>(d as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use ndarray::array;

    #[test]
    fn rows_have_the_radius_and_keep_their_direction() {
        let x = array![[3.0, -4.0], [1e200, 1e200], [1e-200, 0.0]];
        let p = project(&x, radius(2)).unwrap();
        let r = 2.0_f64.sqrt();
        let expected = array![[0.6 * r, -0.8 * r], [1.0, 1.0], [r, 0.0]];
        // Four roundings: two divisions, a root, a product.
        assert_relative_eq!(p, expected, max_relative = 4.0 * f64::EPSILON);
    }

    #[test]
    fn rows_without_direction_are_refused() {
        let zero = project(&array![[1.0, 0.0], [0.0, 0.0]], 1.0);
        assert_eq!(
            zero,
            Err(NoDirection {
                row: 1,
                norm: Norm::Zero
            })
        );
        let nan = project(&array![[f64::NAN, 0.0]], 1.0);
        assert_eq!(
            nan,
            Err(NoDirection {
                row: 0,
                norm: Norm::NotFinite
            })
        );
    }
}
