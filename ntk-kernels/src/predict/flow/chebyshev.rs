//! Implements a stabilised explicit method of second order for systems whose Jacobian has a
//! negative real spectrum: the Runge-Kutta-Chebyshev formulas of Sommeijer, Shampine & Verwer
//! (1998), "RKC: an explicit solver for parabolic PDEs", doi:10.1016/S0377-0427(97)00219-7, section
//! 2.
//!
//! With s products with the kernel it is stable up to a step of `0.65 s^2` over the fastest rate.

use super::system::System;
use super::{Method, Point, Step};
use crate::predict::error::PredictError;
use ntk_linalg::Real;

/// The damping: how far below one the stability polynomial stays.
const DAMPING: f64 = 2.0 / 13.0;
/// The number of stages is at most the root of the tolerance over this many roundings, which stages
/// amplify.
const ROUNDINGS: f64 = 10.0;
/// The most stages of a step, whatever the tolerance; their coefficients are kept in memory.
const MOST_STAGES: f64 = 1e6;

/// `Chebyshev` is the method at one relative tolerance.
pub(super) struct Chebyshev {
    most_stages: f64,
}

impl Chebyshev {
    pub(super) fn new(rtol: f64) -> Self {
        let most_stages = (rtol / (ROUNDINGS * f64::EPSILON)).sqrt();
        let most_stages = most_stages.clamp(2.0, MOST_STAGES);
        Self { most_stages }
    }
}

/// Returns the number of stages of a step whose product with the fastest rate is `stiffness`.
fn stages(stiffness: f64) -> usize {
    // See Sommeijer et al., section 3; there are at least 2.
    (1.0 + (1.0 + 1.54 * stiffness).sqrt()) as usize
}

impl<T: Real> Method<T> for Chebyshev {
    fn order(&self) -> f64 {
        3.0
    }

    fn longest(&self, rate: f64) -> f64 {
        (self.most_stages * self.most_stages - 1.0) / (1.54 * rate)
    }

    fn step(
        &self,
        system: &System<'_, '_, T>,
        from: Point<'_>,
        h: f64,
        rate: f64,
    ) -> Result<Step, PredictError> {
        let s = stages(h * rate).max(2);
        let c = Coefficients::new(s);
        let Point { time, z, slope } = from;
        let first = c.first * h;
        let mut before = z.to_vec();
        let mut now: Vec<f64> = z.iter().zip(slope).map(|(z, k)| z + first * k).collect();
        for j in 2..=s {
            let derivative = system.derivative(time, &now)?;
            let Stage {
                mu,
                nu,
                mu_h,
                gamma_h,
            } = c.stage(j);
            let (mu_h, gamma_h, rest) = (h * mu_h, h * gamma_h, 1.0 - mu - nu);
            // The oldest stage is overwritten by the newest.
            for (i, old) in before.iter_mut().enumerate() {
                *old = rest * z[i]
                    + mu * now[i]
                    + nu * *old
                    + mu_h * derivative[i]
                    + gamma_h * slope[i];
            }
            std::mem::swap(&mut before, &mut now);
        }
        let end = system.derivative(time + h, &now)?;
        let error = (0..system.initial().len())
            .map(|i| 0.8 * (z[i] - now[i]) + 0.4 * h * (slope[i] + end[i]))
            .collect();
        Ok(Step {
            z: now,
            slope: end,
            middle: None,
            error,
        })
    }
}

/// `Coefficients` holds the Chebyshev polynomials T_j at `w0`, and what the formulas need of their
/// derivatives there.
struct Coefficients {
    t: Vec<f64>,
    b: Vec<f64>,
    w0: f64,
    w1: f64,
    first: f64,
}

/// A `Stage` says what a stage takes of the last one, of the one before it, and of the two
/// derivatives.
struct Stage {
    mu: f64,
    nu: f64,
    mu_h: f64,
    gamma_h: f64,
}

impl Coefficients {
    fn new(s: usize) -> Self {
        let w0 = 1.0 + DAMPING / (s * s) as f64;
        let (mut t, mut d1, mut d2) = (vec![1.0, w0], vec![0.0, 1.0], vec![0.0, 0.0]);
        for j in 2..=s {
            t.push(2.0 * w0 * t[j - 1] - t[j - 2]);
            d1.push(2.0 * t[j - 1] + 2.0 * w0 * d1[j - 1] - d1[j - 2]);
            d2.push(4.0 * d1[j - 1] + 2.0 * w0 * d2[j - 1] - d2[j - 2]);
        }
        let w1 = d1[s] / d2[s];
        let mut b: Vec<f64> = d1.iter().zip(&d2).map(|(d1, d2)| d2 / (d1 * d1)).collect();
        (b[0], b[1]) = (b[2], 1.0 / w0);
        let first = b[1] * w1;
        Self {
            t,
            b,
            w0,
            w1,
            first,
        }
    }

    fn stage(&self, j: usize) -> Stage {
        let ratio = self.b[j] / self.b[j - 1];
        let mu_h = 2.0 * ratio * self.w1;
        Stage {
            mu: 2.0 * ratio * self.w0,
            nu: -self.b[j] / self.b[j - 2],
            mu_h,
            gamma_h: -(1.0 - self.b[j - 1] * self.t[j - 1]) * mu_h,
        }
    }
}
