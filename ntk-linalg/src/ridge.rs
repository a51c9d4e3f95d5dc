//! The ridge that is added to the diagonal of a matrix before it is factored.

use ndarray::{Array2, ArrayRef2};

use crate::validate::square;
use crate::{LinalgError, Real};

/// A ridge is what is added to the diagonal of a symmetric matrix before it is factored: a
/// regulariser, the variance of noise, or a remedy for rounding.
///
/// The default adds nothing. A number turns into [`Ridge::Absolute`], so that a function which
/// takes `impl Into<Ridge>` can be given one as it is:
///
/// ```
/// use ndarray::array;
/// use ntk_linalg::{Cholesky, LinalgError, Ridge};
///
/// fn main() -> Result<(), LinalgError> {
///     let singular = array![[1.0, 1.0], [1.0, 1.0]];
///     assert!(Cholesky::new(singular.clone(), 0.0).is_err());
///     assert_eq!(Cholesky::new(singular.clone(), 0.5)?.ridge_added(), 0.5);
///     assert_eq!(Ridge::Relative(0.1).added(&singular)?, 0.1);
///     let lifted = Cholesky::new(singular, Ridge::Adaptive { max_relative: 1e-6 })?;
///     assert!(lifted.ridge_added() <= 1e-6);
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ridge {
    /// This number itself, in the units of the matrix: scikit-learn's `alpha`.
    Absolute(f64),
    /// This number times the mean of the diagonal.
    Relative(f64),
    /// The least of a growing series that makes the matrix positive definite to working precision.
    ///
    /// The first attempt adds nothing. The second adds `n eps mean(diag)`, eps that of the element
    /// type, which is what rounding may have taken from the smallest eigenvalue of a positive
    /// semi-definite matrix; each further one adds ten times more, up to
    /// `max_relative * mean(diag)`. A matrix whose mean diagonal is not positive is not retried.
    Adaptive {
        /// The most that may be added, relative to the mean of the diagonal.
        max_relative: f64,
    },
}

/// The default ridge adds nothing.
impl Default for Ridge {
    fn default() -> Self {
        Self::Absolute(0.0)
    }
}

/// A number is an absolute ridge.
impl From<f64> for Ridge {
    fn from(value: f64) -> Self {
        Self::Absolute(value)
    }
}

/// Factor between what one attempt of an adaptive ridge adds and the next.
const ESCALATION: f64 = 10.0;

impl Ridge {
    /// Returns what this ridge adds to the diagonal of `a` (n, n): 0 for n = 0. Cost: n.
    ///
    /// # Errors
    /// [`LinalgError::AdaptiveRidge`] for [`Ridge::Adaptive`], of which a factorisation finds out
    /// how much it adds; otherwise as [`Ridge::max_added`].
    pub fn added<T: Real>(self, a: &ArrayRef2<T>) -> Result<f64, LinalgError> {
        match self {
            Self::Absolute(_) | Self::Relative(_) => self.max_added(a),
            Self::Adaptive { max_relative } => Err(LinalgError::AdaptiveRidge { max_relative }),
        }
    }

    /// Returns the most that this ridge may add to the diagonal of `a` (n, n): what
    /// [`Ridge::added`] gives, or the limit of an adaptive ridge, which is 0 where the mean of the
    /// diagonal is not positive. Cost: n.
    ///
    /// # Errors
    /// [`LinalgError::Argument`] where the number of the ridge is negative, infinite or NaN, or what
    /// it adds is not finite; [`LinalgError::NotSquare`].
    pub fn max_added<T: Real>(self, a: &ArrayRef2<T>) -> Result<f64, LinalgError> {
        let n = square(a, "a ridge")?;
        let (name, value) = match self {
            Self::Absolute(value) => ("the absolute ridge", value),
            Self::Relative(value) => ("the relative ridge", value),
            Self::Adaptive { max_relative } => {
                ("the max_relative of the adaptive ridge", max_relative)
            }
        };
        if !value.is_finite() || value < 0.0 {
            return Err(LinalgError::Argument {
                name,
                value,
                condition: "zero or more and finite",
            });
        }
        let divisor = n.max(1) as f64;
        let mean = || a.diag().iter().map(|&v| v.to_f64() / divisor).sum::<f64>();
        let added = match self {
            Self::Absolute(value) => value,
            Self::Relative(value) => value * mean(),
            Self::Adaptive { max_relative } => max_relative * mean().max(0.0),
        };
        if !added.is_finite() {
            return Err(LinalgError::Argument {
                name: "what the ridge adds to the diagonal",
                value: added,
                condition: "finite; look for an infinity or NaN on the diagonal, or lower the ridge",
            });
        }
        Ok(added)
    }

    /// Returns what the first attempt at a factorisation of the finite `a` adds, and what each further
    /// attempt adds.
    pub(crate) fn attempts<T: Real>(self, a: &Array2<T>) -> Result<(T, Attempts<T>), LinalgError> {
        let most = self.max_added(a)?;
        let Self::Adaptive { max_relative } = self else {
            let first = T::of(most);
            if !num_traits::Float::is_finite(first) {
                return Err(LinalgError::Argument {
                    name: "what the ridge adds to the diagonal",
                    value: most,
                    condition: "finite in the precision of the matrix; lower the ridge",
                });
            }
            return Ok((first, Attempts::none()));
        };
        let order = a.nrows() as f64;
        let (n, mean) = (
            T::of(order),
            T::of(a.diag().mapv(|x| Real::to_f64(x) / order).sum()),
        );
        if mean <= T::zero() {
            return Ok((T::zero(), Attempts::none()));
        }
        let more = Attempts {
            // The product underflows for a tiny mean, and ten times zero would add nothing for ever.
            next: (n * T::epsilon() * mean).max(T::min_positive_value()),
            max: T::of(max_relative) * mean,
        };
        Ok((T::zero(), more))
    }
}

/// The numbers that attempts after the first add.
pub(crate) struct Attempts<T> {
    next: T,
    max: T,
}

impl<T: Real> Attempts<T> {
    fn none() -> Self {
        Self {
            next: T::one(),
            max: T::zero(),
        }
    }

    /// Returns whether there is another attempt.
    pub(crate) fn remain(&self) -> bool {
        self.next <= self.max && num_traits::Float::is_finite(self.next)
    }
}

impl<T: Real> Iterator for Attempts<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let added = self.remain().then_some(self.next);
        self.next *= T::of(ESCALATION);
        added
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn is_relative_to_the_mean_diagonal() {
        let k = array![[1.0, 9.0], [9.0, 3.0]];
        assert_eq!(Ridge::Relative(0.5).added(&k), Ok(1.0));
        assert_eq!(Ridge::from(0.5).added(&k), Ok(0.5));
        assert_eq!(Ridge::default().added(&k), Ok(0.0));
        assert_eq!(Ridge::Adaptive { max_relative: 0.5 }.max_added(&k), Ok(1.0));
        let none = Array2::<f32>::zeros((0, 0));
        assert_eq!(Ridge::Relative(0.5).added(&none), Ok(0.0));
    }

    #[test]
    fn what_cannot_be_added_is_refused() {
        let k = array![[1.0, 9.0], [9.0, 3.0]];
        let all = |x| {
            let adaptive = Ridge::Adaptive { max_relative: x };
            [Ridge::Absolute(x), Ridge::Relative(x), adaptive]
        };
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            for ridge in all(bad) {
                let error = ridge.max_added(&k).unwrap_err();
                assert!(matches!(error, LinalgError::Argument { .. }), "{error}");
            }
        }
        let adaptive = Ridge::Adaptive { max_relative: 0.5 };
        let error = LinalgError::AdaptiveRidge { max_relative: 0.5 };
        assert_eq!(adaptive.added(&k), Err(error));
        let wide = Array2::<f64>::zeros((1, 2));
        for ridge in all(1.0) {
            let error = ridge.max_added(&wide).unwrap_err();
            assert!(matches!(error, LinalgError::NotSquare { .. }), "{error}");
        }
        let error = Ridge::Absolute(1e300).attempts(&array![[1.0_f32]]).err();
        assert!(matches!(error, Some(LinalgError::Argument { .. })));
        let tiny = array![[1e-320, 1e-320], [1e-320, 1e-320]];
        let adaptive = Ridge::Adaptive {
            max_relative: 1e300,
        };
        let (first, more) = adaptive.attempts(&tiny).unwrap();
        assert_eq!(
            (first, more.take(5).any(|added| added == 0.0)),
            (0.0, false)
        );
        let infinite = array![[f64::INFINITY]];
        assert!(Ridge::Relative(0.1).added(&infinite).is_err());
    }
}
