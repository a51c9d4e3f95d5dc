//! What is added to a kernel's diagonal.

use ndarray::ArrayView2;
use ntk_linalg::Real;

use super::PredictError;

/// What is added to the diagonal of the training kernel: nothing by default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DiagReg {
    /// So many times the mean of the diagonal.
    Relative(f64),
    /// So much, in the kernel's own units.
    Absolute(f64),
}

impl Default for DiagReg {
    fn default() -> Self {
        Self::Relative(0.0)
    }
}

impl DiagReg {
    /// What is added to the diagonal of `k` (n, n); 0 for n = 0. Cost: n.
    ///
    /// # Errors
    /// [`PredictError::Argument`] where the number is negative, infinite or NaN.
    pub fn added<T: Real>(self, k: ArrayView2<'_, T>) -> Result<f64, PredictError> {
        let (name, value) = match self {
            Self::Relative(value) => ("the relative diag_reg", value),
            Self::Absolute(value) => ("the absolute diag_reg", value),
        };
        if !value.is_finite() || value < 0.0 {
            return Err(PredictError::Argument {
                name,
                value,
                condition: "zero or more and finite",
            });
        }
        Ok(match self {
            Self::Absolute(value) => value,
            Self::Relative(value) => {
                let n = k.nrows().max(1) as f64;
                value * k.diag().iter().map(|&v| v.to_f64() / n).sum::<f64>()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn is_relative_to_the_mean_diagonal() {
        let k = array![[1.0, 9.0], [9.0, 3.0]];
        assert_eq!(DiagReg::Relative(0.5).added(k.view()), Ok(1.0));
        assert_eq!(DiagReg::Absolute(0.5).added(k.view()), Ok(0.5));
        assert_eq!(DiagReg::default().added(k.view()), Ok(0.0));
        let none = Array2::<f32>::zeros((0, 0));
        assert_eq!(DiagReg::Relative(0.5).added(none.view()), Ok(0.0));
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            for reg in [DiagReg::Relative(bad), DiagReg::Absolute(bad)] {
                let error = reg.added(k.view()).unwrap_err();
                assert!(matches!(error, PredictError::Argument { .. }), "{error}");
            }
        }
    }
}
