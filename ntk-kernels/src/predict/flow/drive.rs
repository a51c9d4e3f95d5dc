//! Goes from step to step, with lengths chosen by the estimated error.

use super::chebyshev::Chebyshev;
use super::dormand_prince::DormandPrince;
use super::system::System;
use super::{Flow, FlowState, Method, Point, Solver, Step, Trajectory};
use crate::predict::error::PredictError;
use crate::predict::layout::Layout;
use ndarray::{Array3, Axis};
use ntk_linalg::{Observer, Real};

/// A step is this much shorter than what the error estimate allows.
const CAUTION: f64 = 0.8;
/// The least and the most that a step's length is multiplied by.
const GROWTH: (f64, f64) = (0.1, 10.0);
/// The length of the first step, in units of the fastest time scale.
const FIRST_STEP: f64 = 0.1;
/// A step that would come so near to the end goes there.
const STRETCH: f64 = 1.01;
/// The number of accepted steps after which the fastest rate is estimated anew.
const RATE_STEPS: usize = 20;
/// The units of progress from the first to the last time.
const PROGRESS: f64 = 1000.0;

/// Goes on from `state` to the path's last time.
pub(super) fn run<T: Real>(
    flow: &Flow<'_, T>,
    system: &System<'_, '_, T>,
    state: &mut FlowState,
    path: &mut Path,
    observer: &dyn Observer,
) -> Result<(), PredictError> {
    let Some(&end) = path.0.times.last() else {
        return Ok(());
    };
    observer.begin("gradient flow", PROGRESS as u64);
    let method: &dyn Method<T> = match (flow.momentum, flow.solver) {
        (None, Solver::Chebyshev) => &Chebyshev::new(flow.rtol),
        _ => &DormandPrince,
    };
    let mut slope = system.derivative(state.time, &state.z)?;
    path.between(system, state.point(&slope), state.point(&slope), None);
    let (begun, mut told) = (state.time, 0);
    let (mut rate, mut rate_age) = (0.0, RATE_STEPS);
    for attempt in 0.. {
        let left = end - state.time;
        if left <= 0.0 {
            break;
        }
        observer.check()?;
        if attempt == flow.most_steps {
            return Err(PredictError::TooManySteps {
                time: state.time,
                end,
                steps: attempt,
            });
        }
        if rate_age >= RATE_STEPS {
            rate = system.fastest_rate(state.time, &state.z)?;
            rate_age = 0;
        }
        if state.step == 0.0 {
            state.step = if rate > 0.0 { FIRST_STEP / rate } else { left };
        }
        let mut h = state.step.min(method.longest(rate));
        if STRETCH * h >= left {
            h = left;
        }
        let step = match method.step(system, state.point(&slope), h, rate) {
            // A step that is too long may lead anywhere.
            Err(PredictError::Diverged { .. }) => None,
            step => Some(step?),
        };
        let error = step
            .as_ref()
            .map_or(f64::NAN, |step| allowed(flow, system, &state.z, step));
        let factor = CAUTION * error.powf(-1.0 / method.order());
        let Some(step) = step.filter(|_| error <= 1.0) else {
            // A step too small to change the time means that the outputs are those of no solution.
            if state.time + GROWTH.0 * h == state.time {
                return Err(PredictError::Diverged { time: state.time });
            }
            // A factor of NaN becomes the least one.
            state.step = h * factor.max(GROWTH.0);
            rate_age = RATE_STEPS;
            continue;
        };
        let next = h * factor.clamp(GROWTH.0, GROWTH.1);
        // A step that was cut at the end says little against the length planned.
        state.step = if factor < 1.0 {
            next
        } else {
            next.max(state.step)
        };
        let time = if h == left { end } else { state.time + h };
        let to = Point {
            time,
            z: &step.z,
            slope: &step.slope,
        };
        path.between(system, state.point(&slope), to, step.middle.as_deref());
        (state.time, state.z, slope) = (time, step.z, step.slope);
        state.steps = state.steps.saturating_add(1);
        rate_age += 1;
        let done = (PROGRESS * (time - begun) / (end - begun)) as u64;
        observer.advance(done - told);
        told = done;
    }
    Ok(())
}

/// Computes the estimated error of the outputs, as root mean square in units of what is allowed.
fn allowed<T: Real>(flow: &Flow<'_, T>, system: &System<'_, '_, T>, z: &[f64], step: &Step) -> f64 {
    let values = step.error.iter().zip(system.initial()).enumerate();
    let squares = values.map(|(i, (error, f0))| {
        let size = (f0 + z[i]).abs().max((f0 + step.z[i]).abs());
        (error / (flow.atol + flow.rtol * size)).powi(2)
    });
    (squares.sum::<f64>() / step.error.len().max(1) as f64).sqrt()
}

/// A trajectory that is filled as the flow goes along, and how far it is.
pub(super) struct Path(Trajectory, usize);

impl Path {
    pub(super) fn new(times: &[f64], layout: Layout, initial: bool) -> Self {
        let zeros = Array3::zeros((times.len(), layout.samples, layout.outputs));
        let trajectory = Trajectory {
            times: times.to_vec(),
            train: zeros.clone(),
            dual: zeros,
            layout,
            initial,
        };
        Self(trajectory, 0)
    }

    pub(super) fn filled(self) -> Trajectory {
        self.0
    }

    /// Fills the times up to the later of two points, by the cubic that shares their values and
    /// derivatives, or the quartic that goes through `middle` as well.
    fn between<T: Real>(
        &mut self,
        system: &System<'_, '_, T>,
        a: Point<'_>,
        b: Point<'_>,
        middle: Option<&[f64]>,
    ) {
        let h = b.time - a.time;
        let Self(path, next) = self;
        while let Some(&time) = path.times.get(*next)
            && time <= b.time
        {
            let x = if time == b.time {
                1.0
            } else {
                (time - a.time) / h
            };
            let (y, of_a) = (1.0 - x, (1.0 + 2.0 * x) * (1.0 - x) * (1.0 - x));
            let at = |i: usize| {
                let slopes = h * x * y * (y * a.slope[i] - x * b.slope[i]);
                let cubic = of_a * a.z[i] + (1.0 - of_a) * b.z[i] + slopes;
                let quartic = middle.map_or(0.0, |middle| {
                    let at_middle = (a.z[i] + b.z[i]) / 2.0 + h * (a.slope[i] - b.slope[i]) / 8.0;
                    16.0 * x * x * y * y * (middle[i] - at_middle)
                });
                cubic + quartic
            };
            let initial = system.initial();
            let train = path.train.index_axis_mut(Axis(0), *next);
            for (i, f) in train.into_iter().enumerate() {
                *f = initial[i] + at(i);
            }
            let dual = path.dual.index_axis_mut(Axis(0), *next);
            for (i, u) in dual.into_iter().enumerate() {
                *u = at(initial.len() + i);
            }
            *next += 1;
        }
    }
}
