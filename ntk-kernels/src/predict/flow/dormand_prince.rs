//! Implements the explicit Runge-Kutta pair of orders 5 and 4 of Dormand & Prince (1980),
//! doi:10.1016/0771-050X(80)90013-3, table 2.

use super::system::System;
use super::{Method, Point, Step};
use crate::predict::error::PredictError;
use ntk_linalg::Real;

/// The weights of the derivatives before each stage; the last row makes the step.
const A: [&[f64]; 6] = [
    &[1.0 / 5.0],
    &[3.0 / 40.0, 9.0 / 40.0],
    &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
    &[
        19372.0 / 6561.0,
        -25360.0 / 2187.0,
        64448.0 / 6561.0,
        -212.0 / 729.0,
    ],
    &[
        9017.0 / 3168.0,
        -355.0 / 33.0,
        46732.0 / 5247.0,
        49.0 / 176.0,
        -5103.0 / 18656.0,
    ],
    &[
        35.0 / 384.0,
        0.0,
        500.0 / 1113.0,
        125.0 / 192.0,
        -2187.0 / 6784.0,
        11.0 / 84.0,
    ],
];
/// The weights of the fifth order less those of the fourth.
const ERROR: [f64; 7] = [
    71.0 / 57600.0,
    0.0,
    -71.0 / 16695.0,
    71.0 / 1920.0,
    -17253.0 / 339200.0,
    22.0 / 525.0,
    -1.0 / 40.0,
];

/// The weights for half a step of fourth order from the same derivatives (Shampine 1986,
/// doi:10.1090/S0025-5718-1986-0815836-3).
const MIDDLE: [f64; 7] = [
    6025192743.0 / 60171106304.0,
    0.0,
    51252292925.0 / 130801643196.0,
    -2691868925.0 / 90256659456.0,
    187940372067.0 / 3189068634112.0,
    -1776094331.0 / 39487288512.0,
    11237099.0 / 470086768.0,
];

/// `DormandPrince` is the method.
pub(super) struct DormandPrince;

impl<T: Real> Method<T> for DormandPrince {
    fn order(&self) -> f64 {
        5.0
    }

    fn longest(&self, _: f64) -> f64 {
        f64::INFINITY
    }

    fn step(
        &self,
        system: &System<'_, '_, T>,
        from: Point<'_>,
        h: f64,
        _: f64,
    ) -> Result<Step, PredictError> {
        let Point { time, z, slope } = from;
        let mut slopes = vec![slope.to_vec()];
        let mut end = Vec::new();
        for row in A {
            end = along(z, h, row, &slopes);
            slopes.push(system.derivative(time, &end)?);
        }
        let none = vec![0.0; system.initial().len()];
        Ok(Step {
            error: along(&none, h, &ERROR, &slopes),
            middle: Some(along(z, h, &MIDDLE, &slopes)),
            slope: slopes.pop().unwrap_or_default(),
            z: end,
        })
    }
}

/// Adds to `z` h times the weighted sum of the derivatives.
fn along(z: &[f64], h: f64, weights: &[f64], slopes: &[Vec<f64>]) -> Vec<f64> {
    let mut sum = z.to_vec();
    for (weight, slope) in weights.iter().zip(slopes) {
        let weight = h * weight;
        sum.iter_mut()
            .zip(slope)
            .for_each(|(sum, k)| *sum += weight * k);
    }
    sum
}
