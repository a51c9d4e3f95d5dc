//! Follows the evidence uphill.

use super::{Evidence, EvidenceAt, EvidenceError};
use crate::inputs::Inputs;
use crate::network::Network;
use argmin::core::{CostFunction, Executor, Gradient};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use chacha20::ChaCha8Rng;
use ndarray::{ArrayRef, Dimension};
use ntk_linalg::Real;
use rand::{RngExt, SeedableRng};
use std::cell::RefCell;

/// An `Optimiser` says how the evidence is maximised: by the L-BFGS method in the logarithms of what is
/// positive, and in the parameters of activations themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimiser {
    restarts: usize,
    seed: u64,
    most_evaluations: usize,
    tolerance: f64,
    bounds: (f64, f64),
}

/// It starts once, makes at most 200 evaluations, stops where no derivative by a logarithm exceeds 1e-5
/// of the number of targets, and keeps positive numbers between 1e-5 and 1e5.
impl Default for Optimiser {
    fn default() -> Self {
        Self {
            restarts: 0,
            seed: 0,
            most_evaluations: 200,
            tolerance: 1e-5,
            bounds: (1e-5, 1e5),
        }
    }
}

impl Optimiser {
    /// Starts again so many times, from values drawn at random, log-uniform within a factor of 10 of
    /// the first start; the best end counts.
    #[must_use]
    pub fn restarts(mut self, restarts: usize) -> Self {
        self.restarts = restarts;
        self
    }

    /// Sets the seed of the restarts.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the most evaluations of the evidence that one start may take.
    #[must_use]
    pub fn most_evaluations(mut self, most: usize) -> Self {
        self.most_evaluations = most;
        self
    }

    /// Sets the largest derivative by a logarithm at which a start has converged, divided by the number
    /// of targets.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets the bounds of what is positive.
    #[must_use]
    pub fn bounds(mut self, low: f64, high: f64) -> Self {
        self.bounds = (low, high);
        self
    }
}

/// `Optimised` is where the evidence is largest of what was found; [`Evidence::optimise`] makes it.
#[derive(Debug, Clone)]
pub struct Optimised {
    /// The network with what was learned, and the output scale as its last layer where it is not 1.
    pub network: Network,
    /// The variance of the noise.
    pub noise: f64,
    /// The factor of the kernel, which the network's last layer holds.
    pub output_scale: f64,
    /// The evidence at the start.
    pub start: EvidenceAt,
    /// The evidence at the end.
    pub end: EvidenceAt,
    /// What each start came to, the given one first.
    pub runs: Vec<Run>,
    /// The names of what ended within a hundredth of a bound, where a start counts as converged though
    /// the objective may be larger beyond.
    pub at_bounds: Vec<String>,
}

/// A `Run` is what one start came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The objective at its start; NaN where it could not be computed.
    pub start: f64,
    /// The largest objective that it found.
    pub end: f64,
    /// The number of evaluations of the evidence.
    pub evaluations: usize,
    /// The largest derivative by a logarithm at the end, divided by the number of targets.
    pub gradient: f64,
    /// Whether it is within the tolerance.
    pub converged: bool,
    /// The reason why it stopped, in words.
    pub stopped: String,
}

impl Evidence<'_> {
    /// Finds where the objective is largest over what is learned, from the present values, by the L-BFGS
    /// method (Liu and Nocedal 1989) with the derivatives of [`Evidence::compute`].
    ///
    /// Where an evaluation fails, as where a covariance becomes singular, the step is refused; what was
    /// best before counts. Cost: an evaluation of [`Evidence::compute`] each, 20 to 100 for a few numbers.
    ///
    /// # Errors
    /// Fails as [`Evidence::compute`] does at the start; returns [`EvidenceError::NothingLearned`],
    /// [`EvidenceError::Start`], [`EvidenceError::Bounds`] and [`EvidenceError::Limits`], and
    /// [`EvidenceError::Cancelled`] where the observer asks to stop.
    pub fn optimise<'x, T: Real, E: Dimension>(
        &self,
        x: impl Into<Inputs<'x, T>>,
        y: &ArrayRef<T, E>,
    ) -> Result<Optimised, EvidenceError> {
        let x = x.into();
        if self.learned.is_empty() {
            return Err(EvidenceError::NothingLearned);
        }
        let values = self.values();
        let (low, high) = self.optimiser.bounds;
        if !(low > 0.0 && low < high && high.is_finite()) {
            return Err(EvidenceError::Limits { low, high });
        }
        for (of, &value) in self.learned.iter().zip(&values) {
            let name = || of.name().to_owned();
            if of.positive() && value <= 0.0 {
                let name = name();
                return Err(EvidenceError::Start { name, value });
            }
            if of.positive() && !(low..=high).contains(&value) {
                let name = name();
                return Err(EvidenceError::Bounds {
                    name,
                    value,
                    low,
                    high,
                });
            }
        }
        let first = self.compute(x.view(), y)?;
        let compute = |values: &[f64]| self.at(values)?.compute(x.view(), y);
        let climb = Climb {
            evidence: self,
            targets: y.len().max(1) as f64,
            compute: &compute,
            found: RefCell::default(),
        };
        let mut random = ChaCha8Rng::seed_from_u64(self.optimiser.seed);
        let mut runs = Vec::new();
        let mut best = first.clone();
        for number in 0..=self.optimiser.restarts {
            let start: Vec<f64> = values
                .iter()
                .zip(&self.learned)
                .map(|(&value, of)| {
                    let shift = if number == 0 {
                        0.0
                    } else {
                        random.random_range(-1.0..=1.0)
                    };
                    match of.positive() {
                        true => (value * 10f64.powf(shift)).clamp(low, high),
                        false => value + shift,
                    }
                })
                .collect();
            let (run, end) = climb.run(&start);
            self.observer.check()?;
            runs.push(run);
            if let Some(end) = end.filter(|end| end.value > best.value) {
                best = end;
            }
        }
        let at = self.at(&best.at)?;
        let pairs = self.learned.iter().zip(&best.at);
        let near = pairs
            .filter(|(of, value)| of.positive() && !(1.01 * low..high / 1.01).contains(*value));
        let at_bounds = near.map(|(of, _)| of.name().into()).collect();
        Ok(Optimised {
            at_bounds,
            network: at.network(),
            noise: at.noise,
            output_scale: at.output_scale,
            start: first,
            end: best,
            runs,
        })
    }
}

/// The objective as a function of what is free: its negative, which is minimised.
struct Climb<'a> {
    evidence: &'a Evidence<'a>,
    targets: f64,
    compute: &'a dyn Fn(&[f64]) -> Result<EvidenceAt, EvidenceError>,
    found: RefCell<Found>,
}

/// Why a start stops that has taken its evaluations.
const MOST: &str = "it has made the most evaluations that it may";
/// Why a start stops that did not converge, and finds nothing better.
const NO_STEP: &str = "no step that it tries leads further up";

impl CostFunction for &Climb<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, free: &Vec<f64>) -> Result<f64, argmin::core::Error> {
        match self.at(free) {
            Ok(at) => Ok(-at.value / self.targets),
            Err(reason) if self.ends() => Err(argmin::core::Error::msg(reason)),
            // Far above what was found, and flat, so that the line search turns back.
            Err(_) => {
                let best = self
                    .found
                    .borrow()
                    .best
                    .as_ref()
                    .map_or(0.0, |best| best.value);
                Ok(10.0 * (1.0 + (best / self.targets).abs()))
            }
        }
    }
}

impl Gradient for &Climb<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, free: &Vec<f64>) -> Result<Vec<f64>, argmin::core::Error> {
        match self.at(free) {
            Ok(at) => Ok(self.slopes(&at, free).into_iter().map(|v| -v).collect()),
            Err(reason) if self.ends() => Err(argmin::core::Error::msg(reason)),
            Err(_) => Ok(vec![0.0; free.len()]),
        }
    }
}

/// What a start has found so far.
#[derive(Default)]
struct Found {
    evaluations: usize,
    /// The last point, and the evidence there.
    last: Option<(Vec<f64>, Result<EvidenceAt, String>)>,
    best: Option<EvidenceAt>,
}

impl Climb<'_> {
    /// Returns what is free at these values: logarithms within bounds.
    fn free(&self, values: &[f64]) -> Vec<f64> {
        let (low, high) = self.log_bounds();
        let pairs = self.evidence.learned.iter().zip(values);
        pairs
            .map(|(of, &value)| match of.positive() {
                // The inverse of `values`, kept from infinity.
                true => {
                    let share = (value.ln() - low) / (high - low);
                    let share = share.clamp(1e-6, 1.0 - 1e-6);
                    (high - low) * (share / (1.0 - share)).ln() / 4.0
                }
                false => value,
            })
            .collect()
    }

    fn log_bounds(&self) -> (f64, f64) {
        let (low, high) = self.evidence.optimiser.bounds;
        (low.ln(), high.ln())
    }

    /// Returns the values, and the derivatives of logarithms by what is free.
    fn values(&self, free: &[f64]) -> Vec<(f64, f64)> {
        let (low, high) = self.log_bounds();
        let pairs = self.evidence.learned.iter().zip(free);
        pairs
            .map(|(of, &free)| match of.positive() {
                // A logistic function between the bounds, of slope 1 in the middle.
                true => {
                    let share = 1.0 / (1.0 + (-4.0 * free / (high - low)).exp());
                    let value = (low + (high - low) * share).exp();
                    (value, 4.0 * share * (1.0 - share))
                }
                false => (free, 1.0),
            })
            .collect()
    }

    /// Says whether a start ends here: it has made its evaluations, or the observer asks to stop.
    fn ends(&self) -> bool {
        let most = self.evidence.optimiser.most_evaluations;
        self.found.borrow().evaluations >= most || self.evidence.observer.cancelled()
    }

    fn at(&self, free: &[f64]) -> Result<EvidenceAt, String> {
        let mut found = self.found.borrow_mut();
        if let Some((at, known)) = &found.last
            && at == free
        {
            return known.clone();
        }
        if found.evaluations >= self.evidence.optimiser.most_evaluations {
            return Err(MOST.into());
        }
        found.evaluations += 1;
        let values: Vec<f64> = self
            .values(free)
            .into_iter()
            .map(|(value, _)| value)
            .collect();
        let now = (self.compute)(&values).map_err(|error| error.to_string());
        if let Ok(at) = &now
            && found.best.as_ref().is_none_or(|best| at.value > best.value)
        {
            found.best = Some(at.clone());
        }
        found.last = Some((free.to_vec(), now.clone()));
        now
    }

    /// Returns the derivatives by what is free, divided by the number of targets.
    fn slopes(&self, at: &EvidenceAt, free: &[f64]) -> Vec<f64> {
        let all = self.values(free);
        let all = all
            .into_iter()
            .zip(&self.evidence.learned)
            .zip(&at.gradient);
        all.map(|(((value, by), of), gradient)| {
            let own = if of.positive() { value * by } else { by };
            gradient * own / self.targets
        })
        .collect()
    }

    /// Takes one start uphill.
    fn run(&self, start: &[f64]) -> (Run, Option<EvidenceAt>) {
        *self.found.borrow_mut() = Found::default();
        let options = &self.evidence.optimiser;
        let free = self.free(start);
        let first = self.at(&free);
        let start = first.as_ref().map_or(f64::NAN, |at| at.value);
        let refused = match first {
            Err(reason) => Some(reason),
            Ok(_) => self.climb(free).err().map(|error| error.to_string()),
        };
        let ends = self.ends();
        let found = self.found.borrow();
        let gradient = found.best.as_ref().map_or(f64::NAN, |best| {
            let slopes = self.slopes(best, &self.free(&best.at));
            slopes
                .into_iter()
                .fold(0.0, |most: f64, v| most.max(v.abs()))
        });
        let converged = gradient <= options.tolerance;
        let stopped = match (refused, &found.last) {
            (Some(reason), _) => reason,
            _ if converged => "converged".into(),
            _ if ends => MOST.into(),
            (None, Some((_, Err(reason)))) => format!("{NO_STEP}; the last failed: {reason}"),
            (None, _) => NO_STEP.into(),
        };
        let run = Run {
            start,
            end: found.best.as_ref().map_or(f64::NAN, |best| best.value),
            evaluations: found.evaluations,
            gradient,
            converged,
            stopped,
        };
        (run, found.best.clone())
    }

    /// Climbs until it converges or cannot go on.
    fn climb(&self, free: Vec<f64>) -> Result<(), argmin::core::Error> {
        let options = &self.evidence.optimiser;
        let solver = LBFGS::new(MoreThuenteLineSearch::new(), 10)
            .with_tolerance_grad(options.tolerance)?
            .with_tolerance_cost(0.0)?;
        let most = u64::try_from(options.most_evaluations).unwrap_or(u64::MAX);
        // An error is a line search's that found no step, or the end of the evaluations; what was found
        // counts all the same.
        let _ = Executor::new(self, solver)
            .configure(|state| state.param(free).max_iters(most))
            .ctrlc(false)
            .timer(false)
            .run();
        Ok(())
    }
}
