//! What the numbers of a matrix are known to.

use ntk_linalg::{Real, eigenvalue_resolution};

/// A `Rounding` says to what the entries of a matrix are known, which may be less than the type says
/// that holds them: a file of single precision stays one when it is read in double precision.
///
/// ```
/// use ntk_entropy::Rounding;
/// let single = Rounding::of::<f32>();
/// assert_eq!(single.eps(), f64::from(f32::EPSILON));
/// assert_eq!(single.coarser(Rounding::of::<f64>()), single);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rounding {
    /// The distance from 1 to the next number.
    eps: f64,
    /// The smallest number, below which all are zero.
    smallest: f64,
}

impl Rounding {
    /// The rounding of IEEE 754's half precision, which has 11 bits and the smallest number `2^-24`.
    pub const HALF: Self = Self {
        eps: 1.0 / 1024.0,
        smallest: 1.0 / 16_777_216.0,
    };

    /// Returns the rounding of numbers of this type.
    #[must_use]
    pub fn of<T: Real>() -> Self {
        let eps = Real::to_f64(T::epsilon());
        let smallest = Real::to_f64(T::min_positive_value()) * eps;
        Self { eps, smallest }
    }

    /// Returns the distance from 1 to the next number that the entries can be.
    #[must_use]
    pub fn eps(self) -> f64 {
        self.eps
    }

    /// Returns the rounding of numbers that were rounded in both ways.
    #[must_use]
    pub fn coarser(self, other: Self) -> Self {
        Self {
            eps: self.eps.max(other.eps),
            smallest: self.smallest.max(other.smallest),
        }
    }

    /// Computes `n eps largest`, what rounding explains in an eigenvalue of a matrix of order n. An
    /// entry is known no better than to the smallest subnormal of its type.
    pub(crate) fn explains(self, n: usize, largest: f64) -> f64 {
        n as f64 * self.smallest.max(self.eps * largest)
    }

    /// Computes the eigenvalue below which one of a matrix of order n cannot be told from zero:
    /// [`eigenvalue_resolution`] of the largest.
    pub(crate) fn unresolved(self, n: usize, largest: f64) -> f64 {
        let share = eigenvalue_resolution(n, self.eps);
        (share * largest).max(self.explains(n, 0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coarser_rounding_counts() {
        let [half, single, double] = [Rounding::HALF, Rounding::of::<f32>(), Rounding::of::<f64>()];
        assert_eq!(half.coarser(double), half);
        assert_eq!(double.coarser(single), single);
        assert_eq!(half.explains(3, 2.0), 3.0 * 2.0 * 2.0_f64.powi(-10));
        assert_eq!(half.explains(3, 0.0), 3.0 * 2.0_f64.powi(-24));
    }
}
