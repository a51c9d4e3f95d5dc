//! Holds the differential equation of a flow.

use super::Flow;
use super::product::product;
use crate::predict::check;
use crate::predict::error::PredictError;
use ndarray::ArrayView2;
use ntk_linalg::Real;
use std::cell::Cell;

/// The number of steps of the power method, and the change at which it has converged.
const POWER_STEPS: usize = 50;
const POWER_CHANGE: f64 = 1e-2;
/// The power method approaches the rate from below, so that its result is multiplied by this.
const POWER_CAUTION: f64 = 1.2;

/// A `System` is the flow from certain initial outputs, as a system of first order.
///
/// Its variables z are `f - f_0 = K u` and `u`, n o numbers each, and with momentum their
/// derivatives. That u goes along costs no product, and gives other samples' outputs.
pub(super) struct System<'s, 'a, T> {
    flow: &'s Flow<'a, T>,
    initial: &'s [f64],
    products: Cell<usize>,
}

impl<'s, 'a, T: Real> System<'s, 'a, T> {
    pub(super) fn new(flow: &'s Flow<'a, T>, initial: &'s [f64]) -> Self {
        Self {
            flow,
            initial,
            products: Cell::new(0),
        }
    }

    /// Returns the number of products with the kernel so far.
    pub(super) fn products(&self) -> usize {
        self.products.get()
    }

    /// Returns the initial outputs.
    pub(super) fn initial(&self) -> &[f64] {
        self.initial
    }

    /// Computes `-eta dL/df` after a move of the outputs: its product with the kernel, and itself.
    fn force(&self, time: f64, moved: &[f64]) -> Result<[Vec<f64>; 2], PredictError> {
        let (flow, diverged) = (self.flow, PredictError::Diverged { time });
        let f: Vec<f64> = moved
            .iter()
            .zip(self.initial)
            .map(|(d, f0)| d + f0)
            .collect();
        let f = ArrayView2::from_shape(flow.shape(), &f).map_err(|_| diverged.clone())?;
        let gradient = (flow.gradient)(&f)?;
        let why = "the derivative of a loss by the outputs has their shape";
        check::dim("the loss' gradient", gradient.dim(), flow.shape(), why)?;
        let force: Vec<f64> = gradient.iter().map(|g| -flow.rate * g).collect();
        if force.iter().any(|g| !g.is_finite()) {
            return Err(diverged);
        }
        self.products.set(self.products.get() + 1);
        Ok([product(flow.k_dd.view(), &force)?, force])
    }

    /// Computes dz/dt.
    pub(super) fn derivative(&self, time: f64, z: &[f64]) -> Result<Vec<f64>, PredictError> {
        let len = self.initial.len();
        let force = self.force(time, &z[..len])?.concat();
        let Some(m) = self.flow.momentum else {
            return Ok(force);
        };
        let velocity = &z[2 * len..];
        let change = force.iter().zip(velocity).map(|(a, v)| a - (1.0 - m) * v);
        Ok(velocity.iter().copied().chain(change).collect())
    }

    /// Estimates the fastest rate `eta lambda_max(K L'')` at z by the power method on finite
    /// differences, which needs no second derivative of the loss.
    pub(super) fn fastest_rate(&self, time: f64, z: &[f64]) -> Result<f64, PredictError> {
        let len = self.initial.len();
        let moved = &z[..len];
        let [mut direction, _] = self.force(time, moved)?;
        let base = direction.clone();
        let size = norm(moved).max(norm(self.initial));
        // Differences are as short as the rounding errors of products allow.
        let rounding = T::epsilon().to_f64().sqrt();
        let mut rate = 0.0;
        for _ in 0..POWER_STEPS {
            let length = norm(&direction);
            if length == 0.0 {
                break;
            }
            // At the origin any length does that the loss can tell from zero.
            let h = rounding * if size > 0.0 { size } else { 1.0 };
            let at: Vec<f64> = moved
                .iter()
                .zip(&direction)
                .map(|(f, d)| f + h * d / length)
                .collect();
            let [there, _] = self.force(time, &at)?;
            direction = there.iter().zip(&base).map(|(a, b)| (a - b) / h).collect();
            let next = norm(&direction);
            let change = (next - rate).abs();
            rate = next;
            if change <= POWER_CHANGE * rate {
                break;
            }
        }
        Ok(POWER_CAUTION * rate)
    }
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}
