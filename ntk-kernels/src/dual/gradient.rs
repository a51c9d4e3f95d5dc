//! Computes the derivatives of a dual activation by the variances, the covariance and the
//! activation's own parameters.

use super::{Activation, DualError};
use crate::pack::Pack;
use ntk_linalg::Real;

/// A `DualGradient` holds `K` and `D` of a pair, and their derivatives; [`Activation::dual_gradient`]
/// computes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DualGradient<T> {
    /// The kernel `K`.
    pub kernel: T,
    /// The derivative kernel `D`.
    pub derivative: T,
    /// The derivative of `K` by the first variance, `E[f''(u) f(v)] / 2`.
    pub kernel_by_q1: T,
    /// The derivative of `K` by the second variance.
    pub kernel_by_q2: T,
    /// The derivative of `K` by the covariance, which is `D` unless `f` jumps.
    pub kernel_by_q: T,
    /// The derivative of `D` by the first variance, `E[f'''(u) f'(v)] / 2`.
    pub derivative_by_q1: T,
    /// The derivative of `D` by the second variance.
    pub derivative_by_q2: T,
    /// The derivative of `D` by the covariance, `E[f''(u) f''(v)]`.
    pub derivative_by_q: T,
}

impl Activation {
    /// Computes the kernel `K` and the derivative kernel `D` as [`Activation::dual`] does, and their
    /// partial derivatives by `q1`, `q2` and `q`.
    ///
    /// They are formulas: `dK/dq = E[f'(u) f'(v)]` and `dK/dq1 = E[f''(u) f(v)] / 2` (Price 1958, "A
    /// Useful Theorem for Nonlinear Devices Having Gaussian Inputs"), with the densities of kinks and
    /// jumps. Some of these diverge where the two samples are parallel, such as
    /// `dD/dq = 1 / (2 pi sqrt(q1 q2 - q^2))` of ReLU: there all three derivatives of `D` are 0 (and
    /// those of `K` for a jump), which sum to the derivative of the diagonal. Derivatives by a
    /// variance of 0 are 0 where they diverge.
    ///
    /// # Errors
    /// Returns [`DualError::NoGradient`] where they are not known, which is so for a
    /// [`closed_form`](super::closed_form()) without derivatives.
    ///
    /// ```
    /// use ntk_kernels::dual::relu;
    /// use std::f64::consts::PI;
    ///
    /// // Orthogonal samples: dK/dq is D = 1/4, and dD/dq = 1/(2 pi).
    /// let of = relu().dual_gradient(1.0_f64, 1.0, 0.0)?;
    /// assert!((of.kernel_by_q - 0.25).abs() < 1e-15);
    /// assert!((of.derivative_by_q - 0.5 / PI).abs() < 1e-15);
    /// assert!((of.kernel_by_q1 - 0.25 / PI).abs() < 1e-15);
    /// # Ok::<(), ntk_kernels::dual::DualError>(())
    /// ```
    pub fn dual_gradient<T: Real>(&self, q1: T, q2: T, q: T) -> Result<DualGradient<T>, DualError> {
        self.has_gradient::<T>()?;
        let (one, two) = (self.numbers(q1), self.numbers(q2));
        let of = self.maps().slopes(&one, &two, Pack::splat(q));
        let [kernel_by_q1, kernel_by_q2, kernel_by_q] = of.kernel_by.map(|by| by.0[0]);
        let [derivative_by_q1, derivative_by_q2, derivative_by_q] =
            of.derivative_by.map(|by| by.0[0]);
        Ok(DualGradient {
            kernel: of.kernel.0[0],
            derivative: of.derivative.0[0],
            kernel_by_q1,
            kernel_by_q2,
            kernel_by_q,
            derivative_by_q1,
            derivative_by_q2,
            derivative_by_q,
        })
    }

    /// Computes the derivatives of [`Activation::diagonal`], of `K` and `D` of a pre-activation with
    /// itself, by its variance: finite also where the partial derivatives diverge, 1/2 and 0 for ReLU.
    ///
    /// # Errors
    /// Returns [`DualError::NoGradient`] as [`Activation::dual_gradient`] does.
    ///
    /// ```
    /// assert_eq!(ntk_kernels::dual::relu().diagonal_gradient(3.0)?, (0.5, 0.0));
    /// # Ok::<(), ntk_kernels::dual::DualError>(())
    /// ```
    pub fn diagonal_gradient<T: Real>(&self, variance: T) -> Result<(T, T), DualError> {
        self.has_gradient::<T>()?;
        Ok(self.maps().diagonal_slopes(variance))
    }

    fn has_gradient<T: Real>(&self) -> Result<(), DualError> {
        match self.maps::<T>().has_slopes() {
            true => Ok(()),
            false => Err(DualError::NoGradient {
                activation: self.to_string(),
            }),
        }
    }

    /// Returns the names and the values of the parameters: the options that are real numbers, with
    /// an entry for each coefficient of a list. Degrees and numbers of nodes are none.
    ///
    /// The parameters of `relu`, `leaky_relu` and `abs` are the `a` and `b` of
    /// [`abrelu`](super::abrelu()), and those of `sigmoid_like` are those of [`erf`](super::erf()).
    ///
    /// ```
    /// use ntk_kernels::dual::{leaky_relu, polynomial};
    ///
    /// assert_eq!(leaky_relu(0.1).parameters(), [("a".into(), 0.1), ("b".into(), 1.0)]);
    /// assert_eq!(polynomial([1.0, 2.0]).parameters()[1], ("coefficients[1]".into(), 2.0));
    /// ```
    #[must_use]
    pub fn parameters(&self) -> Vec<(String, f64)> {
        self.described().parameters()
    }

    /// Makes the same activation with other values of its [`Activation::parameters`], in their order.
    ///
    /// # Errors
    /// Returns [`DualError::Parameters`] where there are more or fewer values than parameters.
    ///
    /// ```
    /// use ntk_kernels::dual::{erf, sigmoid_like};
    ///
    /// assert_eq!(sigmoid_like().with_parameters(&[1.0, 2.0, 0.5])?, erf(1.0, 2.0, 0.5));
    /// # Ok::<(), ntk_kernels::dual::DualError>(())
    /// ```
    pub fn with_parameters(&self, values: &[f64]) -> Result<Self, DualError> {
        let expected = self.parameters().len();
        if values.len() != expected {
            return Err(DualError::Parameters {
                activation: self.to_string(),
                expected,
                found: values.len(),
            });
        }
        let other = self.described().with_parameters(values);
        Ok(other.unwrap_or_else(|| self.clone()))
    }

    /// Computes the derivatives of `K` and `D` by each of the [`Activation::parameters`], in their
    /// order, at the arguments of [`Activation::dual`].
    ///
    /// ```
    /// use ntk_kernels::dual::exp;
    ///
    /// // K = a^2 exp(b^2 (q + (q1 + q2)/2)), so dK/da = 2 K/a.
    /// let f = exp(0.5, 0.7);
    /// let by = f.dual_parameter_gradient(1.0_f64, 2.0, 0.3);
    /// assert!((by[0].0 - 2.0 * f.dual(1.0, 2.0, 0.3).0 / 0.5).abs() < 1e-14);
    /// ```
    #[must_use]
    pub fn dual_parameter_gradient<T: Real>(&self, q1: T, q2: T, q: T) -> Vec<(T, T)> {
        let (one, two) = (self.numbers(q1), self.numbers(q2));
        let mut into = vec![(Pack::zero(), Pack::zero()); self.parameters().len()];
        let maps = self.maps();
        maps.parameter_slopes(&one, &two, Pack::splat(q), &mut into);
        into.iter().map(|(k, d)| (k.0[0], d.0[0])).collect()
    }
}
