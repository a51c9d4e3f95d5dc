//! Computes the dual of `f(x) = max(x, 0)^n`; for n = 0 it is the step function, 1/2 at 0.
//!
//! With `theta` the angle between the two samples, `c` its cosine and `s` its sine,
//!
//! ```text
//! K = (q1 q2)^(n/2) / (2 pi) J_n(theta)
//! D = n^2 K of degree n - 1 (0 for n = 0)
//! J_n = A_n(c) s + B_n(c) (pi - theta)
//! ```
//!
//! `J_0 = pi - theta`, `J_1 = s + (pi - theta) c`, `J_2 = 3 s c + (pi - theta) (1 + 2 c^2)`. In
//! general `B_n` is the kernel of `x^n` at unit variances, and `A_n` follows from
//! `dJ_n/dc = n^2 J_(n-1)`: `(1 - c^2) A_n' - c A_n + B_n = n^2 (1 - c^2) A_(n-1)`.
//!
//! On the diagonal `K = (2n-1)!!/2 q^n`. Domain: variances where that is a number of f64,
//! `|q| <= sqrt(q1 q2)` (larger by rounding counts as parallel). A sample of zeros is
//! orthogonal to all, itself included.
//!
//! Cho & Saul 2009, "Kernel Methods for Deep Learning", eqs. 3 to 7; no NaN for parallel
//! samples, as nothing is divided by `s`.

use super::angle::{Between, between, density};
use super::euler::Terms;
use super::{
    Activation, Degree, Described, Dual, MAX_DEGREE, Named, OptionFault, Side, Slopes,
    double_factorial, read_options, representable, too_high,
};
use crate::pack::Pack;
use ntk_linalg::Real;
use serde_json::{Value, json};
use std::f64::consts::TAU;

/// A `RectifiedMonomial` is the activation `max(x, 0)^n`; [the module](self) has its formulas.
#[derive(Debug, Clone, PartialEq)]
pub struct RectifiedMonomial {
    degree: u32,
    kernel: Angular,
    derivative: Angular,
    slopes: Box<AngularSlopes>,
}

/// What the derivatives have for their `J_n`.
#[derive(Debug, Clone, PartialEq)]
struct AngularSlopes {
    /// `dD/dq`: `n^2 (n - 1)^2` times `J_(n-2)`.
    curve: Angular,
    /// `2 q1 dK/dq1`.
    kernel: Angular,
    /// `2 q1 dD/dq1`.
    derivative: Angular,
}

/// `J_n` times a factor.
#[derive(Debug, Clone, PartialEq)]
struct Angular {
    /// The coefficients of `A_n`, of the lowest power of the cosine first.
    sine: Vec<f64>,
    /// The coefficients of `B_n`.
    angle: Vec<f64>,
}

/// Makes the rectified power `max(x, 0)^degree`; the step function for degree 0.
#[must_use]
pub fn rectified_monomial(degree: u32) -> Activation {
    let n = f64::from(degree);
    let [mut curve, mut derivative] = [const { Angular::NONE }; 2];
    let mut kernel = Angular::new(0, &derivative);
    for n in 1..=degree.min(MAX_DEGREE) {
        let next = Angular::new(n, &kernel);
        curve = std::mem::replace(&mut derivative, std::mem::replace(&mut kernel, next));
    }
    let kernel = kernel.scaled(1.0 / TAU);
    let derivative = derivative.scaled(n * n / TAU);
    let curve = curve.scaled((n * (n - 1.0)).powi(2) / TAU);
    Activation::RectifiedMonomial(RectifiedMonomial {
        degree,
        slopes: Box::new(AngularSlopes {
            kernel: kernel.rest(n, &derivative),
            derivative: derivative.rest(n - 1.0, &curve),
            curve,
        }),
        kernel,
        derivative,
    })
}

impl Angular {
    const NONE: Self = Self {
        sine: Vec::new(),
        angle: Vec::new(),
    };

    /// Computes `degree J - c J'`, with `J'` the derivative of `J` by the cosine: by Euler's relation
    /// `2 q1 dK/dq1 + q dK/dq = n K`. Coefficient by coefficient, where it is exact for degree 1.
    fn rest(&self, degree: f64, derivative: &Self) -> Self {
        let rest = |of: &[f64], by: &[f64]| {
            let mut rest: Vec<f64> = of.iter().map(|c| degree * c).collect();
            rest.resize(of.len().max(by.len() + 1), 0.0);
            for (c, by) in rest[1..].iter_mut().zip(by) {
                *c -= by;
            }
            rest
        };
        Self {
            sine: rest(&self.sine, &derivative.sine),
            angle: rest(&self.angle, &derivative.angle),
        }
    }

    /// Computes `J_n` from `J_(n-1)`.
    fn new(n: u32, below: &Self) -> Self {
        // B_n(c) in all powers of c: those of x^n with zeros between.
        let mut angle = vec![0.0; n as usize + 1];
        for (j, c) in super::monomial::coefficients(n).into_iter().enumerate() {
            angle[n as usize % 2 + 2 * j] = c;
        }
        // Power k of the equation: (k + 1) a[k+1] = k a[k-1] - b[k] + n^2 (a'[k] - a'[k-2]).
        let at = |c: &[f64], k: usize, less: usize| {
            k.checked_sub(less)
                .and_then(|k| c.get(k))
                .copied()
                .unwrap_or(0.0)
        };
        let square = f64::from(n).powi(2);
        let mut sine = vec![0.0; n as usize];
        if n % 2 == 1 {
            // Orthogonal samples: J_n = A_n(0) = 2 pi E[max(x, 0)^n]^2 = (n - 1)!!^2.
            sine[0] = (1..n)
                .step_by(2)
                .map(|k| f64::from(k + 1).powi(2))
                .product();
        }
        for k in 0..(n as usize).saturating_sub(1) {
            let forcing = square * (at(&below.sine, k, 0) - at(&below.sine, k, 2));
            sine[k + 1] =
                (k as f64 * at(&sine, k, 1) - at(&angle, k, 0) + forcing) / (k + 1) as f64;
        }
        Self { sine, angle }
    }

    fn scaled(mut self, factor: f64) -> Self {
        for c in self.sine.iter_mut().chain(&mut self.angle) {
            *c *= factor;
        }
        self
    }

    #[inline(always)]
    fn at<T: Real>(&self, cosine: Pack<T>, sine: Pack<T>, supplement: Pack<T>) -> Pack<T> {
        let angle = cosine.polynomial(&self.angle);
        sine.mul_add(cosine.polynomial(&self.sine), angle * supplement)
    }
}

impl Dual for RectifiedMonomial {
    fn numbers(&self) -> usize {
        2
    }

    fn prepare<T: Real>(&self, variance: T, numbers: &mut [T]) {
        super::root_and_inverse(variance, numbers);
    }

    #[inline(always)]
    fn pair<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
    ) -> (Pack<T>, Pack<T>) {
        let Between { cosine, sine } = between(one.get(1), two.get(1), q);
        // The supplement is pi - theta.
        let supplement = Pack::angle(sine, -cosine);
        let size = one.get(0) * two.get(0);
        let kernel = self.kernel.at(cosine, sine, supplement);
        if self.degree == 0 {
            return (kernel, Pack::zero());
        }
        let power = size.powi(self.degree - 1);
        let derivative = self.derivative.at(cosine, sine, supplement);
        (power * size * kernel, power * derivative)
    }

    /// Computes, with `K'` and `J'` those of the derivative,
    ///
    /// ```text
    /// dK/dq1 = (n K - q D) / (2 q1),  dK/dq = D
    /// dD/dq1 = ((n - 1) D - q dD/dq) / (2 q1),  dD/dq = n^2 (n - 1)^2 K of degree n - 2
    /// ```
    ///
    /// with `K = 1/(2 pi sqrt(q1 q2 - q^2))` of degree -1. Those with this are 0 for parallel samples
    /// and for those of zeros, as is `dK/dq1` of degree 1 for samples of zeros.
    #[inline(always)]
    fn slopes<T: Real, S: Side<T>>(&self, one: S, two: impl Side<T>, q: Pack<T>) -> Slopes<T> {
        let (kernel, derivative) = self.pair(one, two, q);
        let Between { cosine, sine } = between(one.get(1), two.get(1), q);
        let supplement = Pack::angle(sine, -cosine);
        let (root1, root2, i1, i2) = (one.get(0), two.get(0), one.get(1), two.get(1));
        let size = root1 * root2;
        let half = T::of(0.5);
        // The size to the power n over q1, without a division where n > 1.
        let over = |n: u32, inverse: Pack<T>, other: Pack<T>| match n.checked_sub(2) {
            Some(n) => size.powi(n) * other * other * half,
            None => inverse * other * half,
        };
        let density = density(i1, i2, cosine, sine, 1.0 / TAU);
        let Some(below) = self.degree.checked_sub(1) else {
            return Slopes {
                kernel,
                derivative,
                kernel_by: density,
                derivative_by: [Pack::zero(); 3],
            };
        };
        let at = |of: &Angular| of.at(cosine, sine, supplement);
        let rest = at(&self.slopes.kernel);
        let n = self.degree;
        let kernel_by = [
            over(n, i1, root2) * rest,
            over(n, i2, root1) * rest,
            derivative,
        ];
        let derivative_by = match below.checked_sub(1) {
            None => density,
            Some(power) => {
                let rest = at(&self.slopes.derivative);
                [
                    over(below, i1, root2) * rest,
                    over(below, i2, root1) * rest,
                    size.powi(power) * at(&self.slopes.curve),
                ]
            }
        };
        Slopes {
            kernel,
            derivative,
            kernel_by,
            derivative_by,
        }
    }

    /// Computes those of `K = (2n-1)!!/2 q^n` and `D = n^2 (2n-3)!!/2 q^(n-1)`.
    fn diagonal_slopes<T: Real>(&self, variance: T) -> (T, T) {
        let slope = |n: u32| {
            let (_, slope) = super::power(variance.to_f64(), n);
            double_factorial(n) / 2.0 * slope
        };
        // Higher degrees are refused, and their factors are beyond f64.
        let n = self.degree.min(MAX_DEGREE);
        let derivative = n.checked_sub(1).map_or(0.0, slope);
        (T::of(slope(n)), T::of(f64::from(n).powi(2) * derivative))
    }

    fn domain(&self, variance: f64) -> Result<(), String> {
        let factor = double_factorial(self.degree) / 2.0;
        representable(variance, factor * variance.powi(self.degree.cast_signed()))
    }
}

impl RectifiedMonomial {
    /// Returns the degree n.
    #[must_use]
    pub fn degree(&self) -> u32 {
        self.degree
    }
}

impl Described for RectifiedMonomial {
    fn at(&self, x: f64) -> Option<(f64, f64)> {
        Some(if x > 0.0 {
            super::power(x, self.degree)
        } else {
            (0.0, 0.0)
        })
    }

    fn euler(&self) -> Option<Terms> {
        let n = f64::from(self.degree);
        Some(vec![(n * n, Activation::RectifiedMonomial(self.clone()))])
    }

    fn name_and_options(&self) -> (&'static str, Value) {
        ("rectified_monomial", json!({"degree": self.degree}))
    }

    fn fault(&self) -> Option<String> {
        too_high(self.degree as usize)
    }
}

impl Named for RectifiedMonomial {
    const NAMES: &'static [&'static str] = &["rectified_monomial"];

    fn read(_: &str, options: Value) -> Result<Activation, OptionFault> {
        read_options(options, |Degree { degree }| rectified_monomial(degree))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dual::relu;
    use approx::assert_relative_eq;

    #[test]
    fn polynomials_are_those_of_the_paper() {
        let j = |n: u32| (0..=n).fold(Angular::NONE, |below, n| Angular::new(n, &below));
        assert_eq!((j(0).sine, j(0).angle), (vec![], vec![1.0]));
        assert_eq!((j(1).sine, j(1).angle), (vec![1.0], vec![0.0, 1.0]));
        assert_eq!(
            (j(2).sine, j(2).angle),
            (vec![0.0, 3.0], vec![1.0, 0.0, 2.0])
        );
        let third = (vec![4.0, 0.0, 11.0], vec![0.0, 9.0, 0.0, 6.0]);
        assert_eq!((j(3).sine, j(3).angle), third);
    }

    #[test]
    fn degree_one_is_relu() {
        for (q1, q2, q) in [
            (1.0, 2.0, 0.5),
            (4.0, 9.0, -6.0),
            (4.0, 9.0, 6.0),
            (0.0, 9.0, 0.0),
        ] {
            let (k, d) = rectified_monomial(1).dual(q1, q2, q);
            let (k0, d0) = relu().dual(q1, q2, q);
            assert_relative_eq!(k, k0, epsilon = 1e-15);
            assert_relative_eq!(d, d0, epsilon = 1e-15);
        }
    }

    #[test]
    fn parallel_and_zero_samples() {
        for n in 0..6 {
            let f = rectified_monomial(n);
            let full = double_factorial(n) / 2.0;
            let (k, d) = f.dual(1.0, 4.0, 2.0);
            assert_relative_eq!(
                k,
                full * 2.0_f64.powi(n.cast_signed()),
                max_relative = 1e-14
            );
            assert!(d.is_finite());
            let (k, d) = f.dual(1.0_f64, 4.0, -2.0);
            assert!(
                k.abs() <= 1e-13 * full && d.abs() <= 1e-12 * full,
                "{n}: {k:e} {d:e}"
            );
            let (k, d) = f.dual(0.0, 4.0, 0.0);
            assert_eq!(k, if n == 0 { 0.25 } else { 0.0 });
            assert_eq!(d, if n == 1 { 0.25 } else { 0.0 });
        }
    }
}
