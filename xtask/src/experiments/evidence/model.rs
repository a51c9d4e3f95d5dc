//! One architecture with one choice of hyperparameters: what it is worth by the training and by the test
//! samples.

use super::Failure;
use super::problem::Problem;
use crate::experiments::study::At;
use ndarray::{Array1, Array2};
use ntk_cli::results::Value;
use ntk_kernels::dual::{Activation, erf, gelu, relu};
use ntk_kernels::evidence::{Objective, Optimised, Optimiser};
use ntk_kernels::metrics::{log_predictive_density, r2};
use ntk_kernels::network::{Network, dense};
use ntk_kernels::{Evidence, GaussianProcess};
use ntk_linalg::Observer;

/// Where learning starts: the noise and the prior variance of outputs about their mean, in units of the targets'
/// variance. From
/// the first, functions with a large prior variance, as of relu in one variable, are taken for noise.
const STARTS: [(f64, f64); 2] = [(0.1, 1.0), (0.01, 1e3)];
/// The most training samples of problems that are small, of which all starts are tried.
pub(super) const SMALL: usize = 100;
/// The bounds of what is learned: weights near zero need a large scale of outputs.
const BOUNDS: (f64, f64) = (1e-6, 1e9);

/// An activation that networks are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Relu,
    Gelu,
    Erf,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Relu, Self::Gelu, Self::Erf];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Gelu => "gelu",
            Self::Erf => "erf",
        }
    }

    pub(super) fn activation(self) -> Activation {
        match self {
            Self::Relu => relu(),
            Self::Gelu => gelu(),
            Self::Erf => erf(1.0, 1.0, 0.0),
        }
    }

    /// Makes the network of `depth` hidden layers, all of the same variances.
    pub(super) fn network(self, depth: usize, w_std: f64, b_std: f64) -> Network {
        let layer = || dense().w_std(w_std).b_std(b_std);
        let input = Network::new().then(layer());
        (0..depth).fold(input, |network, _| {
            network.then(self.activation()).then(layer())
        })
    }
}

/// What a model is worth: by the training samples, and by the test samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scores {
    /// The log marginal likelihood, in nats a target.
    pub(super) evidence: f64,
    /// The leave-one-out log predictive probability, in nats a target.
    pub(super) leave_one_out: f64,
    /// The mean squared error over the variance of the test targets.
    pub(super) test_error: f64,
    /// The log predictive density of the test targets, in nats a target.
    pub(super) test_log_density: f64,
}

impl Scores {
    pub(super) fn values(&self, here: &At) -> [Value; 4] {
        [
            here.value("evidence", self.evidence),
            here.value("leave_one_out", self.leave_one_out),
            here.value("test_error", self.test_error),
            here.value("test_log_density", self.test_log_density),
        ]
    }
}

/// A model with what was learned.
#[derive(Clone)]
pub(super) struct Fitted {
    pub(super) scores: Scores,
    /// The values of what was learned, in the order of its names.
    pub(super) at: Vec<f64>,
    pub(super) noise: f64,
    network: Network,
}

impl Fitted {
    /// Predicts the mean of the targets at `z`, (m, outputs), and their variance with the noise, (m).
    pub(super) fn predict(
        &self,
        problem: &Problem,
        z: &Array2<f64>,
    ) -> Result<(Array2<f64>, Array1<f64>), Failure> {
        let process = GaussianProcess::nngp(&self.network).noise(self.noise);
        let (mean, variance) = process
            .fit(&problem.x, &problem.y)?
            .predict_with_variance(z)?;
        Ok((mean, variance + self.noise))
    }
}

/// Returns the noises and scales of outputs that learning starts from.
pub(super) fn starts(network: &Network, problem: &Problem) -> Result<Vec<(f64, f64)>, Failure> {
    let variance = Problem::variance(&problem.y);
    // The variance of functions about their means: large biases alone make constants.
    let prior = network.kernel_fn().nngp(&problem.x)?;
    let samples = prior.nrows() as f64;
    let scale = variance / (prior.diag().sum() / samples - prior.sum() / samples.powi(2));
    let (low, high) = BOUNDS;
    let some = if problem.x.nrows() <= SMALL {
        STARTS.len()
    } else {
        1
    };
    let start = |&(noise, output): &(f64, f64)| {
        let scale = (output * scale).clamp(2.0 * low, high / 2.0);
        (noise * variance, scale)
    };
    Ok(STARTS[..some].iter().map(start).collect())
}

/// Learns what is named by the evidence, from the network's values and the best of some noises and scales
/// of outputs; and scores the model.
pub(super) fn learn(
    network: &Network,
    names: &[&str],
    starts: &[(f64, f64)],
    optimiser: &Optimiser,
    problem: &Problem,
    observer: &dyn Observer,
) -> Result<Fitted, Failure> {
    let Problem { x, y, z, t, .. } = problem;
    let (low, high) = BOUNDS;
    let mut best: Option<Optimised> = None;
    for &(noise, scale) in starts {
        let found = Evidence::nngp(network)
            .noise(noise)
            .output_scale(scale)
            .learn(names)?
            .optimiser(optimiser.clone().bounds(low, high))
            .observer(observer)
            .optimise(x, y)?;
        let before = best
            .as_ref()
            .map_or(f64::NEG_INFINITY, |best| best.end.value);
        if found.end.value > before {
            best = Some(found);
        }
    }
    let found = best.ok_or("no evidence is finite")?;
    let targets = y.len() as f64;
    let left_out = Evidence::nngp(&found.network)
        .noise(found.noise)
        .objective(Objective::LeaveOneOut)
        .compute(x, y)?;
    let mut fitted = Fitted {
        scores: Scores {
            evidence: found.end.value / targets,
            leave_one_out: left_out.value / targets,
            test_error: f64::NAN,
            test_log_density: f64::NAN,
        },
        at: found.end.at,
        // What made the covariance regular belongs to it.
        noise: found.noise + found.end.jitter,
        network: found.network,
    };
    let (mean, variance) = fitted.predict(problem, z)?;
    fitted.scores.test_error = 1.0 - r2(&mean, t)?;
    let density = log_predictive_density(&mean, &variance, t)?;
    fitted.scores.test_log_density = density / t.ncols() as f64;
    Ok(fitted)
}

#[cfg(test)]
mod tests {
    use super::super::problem::teacher;
    use super::*;

    /// By the definitions: the density of the targets from the process itself, and predictions of the
    /// network that was learned.
    #[test]
    fn scores_are_those_of_the_process() {
        let problem = teacher(20, 30, 5).unwrap();
        let network = Kind::Erf.network(2, 1.0, 0.2);
        let names = ["w_std", "b_std", "noise", "output_scale"];
        let optimiser = Optimiser::default().most_evaluations(10);
        let starts = starts(&network, &problem).unwrap();
        assert_eq!(starts.len(), STARTS.len());
        let found = learn(&network, &names, &starts, &optimiser, &problem, &()).unwrap();
        let process = GaussianProcess::nngp(&found.network).noise(found.noise);
        let process = process.fit(&problem.x, &problem.y).unwrap();
        let evidence = process.log_marginal_likelihood().unwrap() / 20.0;
        assert!((evidence - found.scores.evidence).abs() < 1e-9);
        let missed = &process.predict(&problem.z).unwrap() - &problem.t;
        let error = missed.mapv(|v| v * v).mean().unwrap() / problem.t.var(0.0);
        assert!((error - found.scores.test_error).abs() < 1e-9);
        // Leaving the first sample out, and predicting it.
        let mut sum = 0.0;
        for i in 0..20 {
            let rest: Vec<usize> = (0..20).filter(|&j| j != i).collect();
            let of = |all: &Array2<f64>, at: &[usize]| all.select(ndarray::Axis(0), at);
            let without = Problem {
                x: of(&problem.x, &rest),
                y: of(&problem.y, &rest),
                ..problem.clone()
            };
            let (mean, variance) = found.predict(&without, &of(&problem.x, &[i])).unwrap();
            sum += log_predictive_density(&mean, &variance, &of(&problem.y, &[i])).unwrap();
        }
        assert!((sum / 20.0 - found.scores.leave_one_out).abs() < 1e-8);
    }
}
