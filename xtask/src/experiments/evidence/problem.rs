//! The three data sets: a function of one variable, a linear teacher, and images.

use super::{Context, Failure};
use crate::experiments::study::{CLASSES, Images};
use ndarray::{Array2, Axis, concatenate, s};
use ntk_data::{Split, synthetic};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value as Json, json};
use std::f64::consts::TAU;

/// The standard deviation of the noise on the function of one variable, whose mean square is 1.
const SINES_NOISE: f64 = 0.2;
/// The frequencies in it, in radians for the unit of x.
const FREQUENCIES: [f64; 4] = [1.0, 2.0, 4.0, 6.0];
/// The inputs of the teacher, and the standard deviation of the noise on its outputs of variance 1.
const TEACHER_INPUTS: usize = 20;
const TEACHER_NOISE: f64 = 0.3;

/// Samples to learn from and to predict.
#[derive(Clone)]
pub(super) struct Problem {
    pub(super) name: &'static str,
    /// Training inputs (n, d), of mean square near 1, and targets (n, outputs).
    pub(super) x: Array2<f64>,
    pub(super) y: Array2<f64>,
    /// The same of test samples.
    pub(super) z: Array2<f64>,
    pub(super) t: Array2<f64>,
    /// The variance of the noise on all targets, where it is known.
    pub(super) noise: Option<f64>,
}

impl Problem {
    /// Returns the mean over outputs of the variance of targets.
    pub(super) fn variance(targets: &Array2<f64>) -> f64 {
        targets.var_axis(Axis(0), 0.0).mean().unwrap_or(0.0)
    }

    /// Returns the share of the test targets' variance that is noise, which no prediction is better than
    /// by more than luck.
    pub(super) fn floor(&self) -> Option<f64> {
        Some(self.noise? / Self::variance(&self.t))
    }

    /// Returns the same of the first `n` training samples.
    pub(super) fn first(&self, n: usize) -> Self {
        let n = n.min(self.x.nrows());
        Self {
            x: self.x.slice(s![..n, ..]).to_owned(),
            y: self.y.slice(s![..n, ..]).to_owned(),
            ..self.clone()
        }
    }

    pub(super) fn describe(&self) -> Json {
        json!({
            "name": self.name,
            "train": self.x.nrows(),
            "test": self.z.nrows(),
            "inputs": self.x.ncols(),
            "outputs": self.y.ncols(),
            "noise": self.noise,
        })
    }
}

/// Draws two of the data sets and takes the third from images.
pub(super) fn all(context: &Context<'_>) -> Result<Vec<Problem>, Failure> {
    let tests = context.by_scale(200, 1000, 1000);
    Ok(vec![
        sines(60, tests, context.seed),
        teacher(context.by_scale(60, 100, 100), tests, context.seed)?,
        images(
            context.by_scale([100, 200], [1000, 1000], [4000, 10_000]),
            context,
        )?,
    ])
}

/// Draws a sum of sines of random amplitudes and phases at random places, with noise.
pub(super) fn sines(n: usize, tests: usize, seed: u64) -> Problem {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let terms = FREQUENCIES.map(|frequency| {
        let (amplitude, phase) = (rng.random_range(0.5..1.5), rng.random_range(0.0..TAU));
        (amplitude, frequency, phase)
    });
    let square: f64 = terms.iter().map(|(a, ..)| a * a / 2.0).sum();
    // Uniform, of variance 1.
    let most = 3.0_f64.sqrt();
    let x = Array2::from_shape_simple_fn((n + tests, 1), || rng.random_range(-most..most));
    let f = x.mapv(|x| {
        let all = terms
            .iter()
            .map(|(a, frequency, phase)| a * (frequency * x + phase).sin());
        all.sum::<f64>() / square.sqrt()
    });
    let noise = synthetic::gaussian::<f64>(n + tests, 1, seed.wrapping_add(1));
    let y = f + noise.expect("numbers that fit into memory") * SINES_NOISE;
    split("sines", x, y, n, Some(SINES_NOISE.powi(2)))
}

/// Draws targets that are linear in inputs, with noise.
pub(super) fn teacher(n: usize, tests: usize, seed: u64) -> Result<Problem, Failure> {
    let all = synthetic::linear_teacher::<f64>(n + tests, TEACHER_INPUTS, TEACHER_NOISE, seed)?;
    Ok(split(
        "linear teacher",
        all.x,
        all.y,
        n,
        Some(TEACHER_NOISE.powi(2)),
    ))
}

/// Takes images as vectors, standardised, and their classes as one-hot targets less 1/10.
fn images([n, tests]: [usize; 2], context: &Context<'_>) -> Result<Problem, Failure> {
    let of = |split: &Split, most: usize| -> Result<Images, Failure> {
        Images::vectors(split.first(most.min(split.len()))?)
    };
    let (train, test) = (of(&context.set.train, n)?, of(&context.set.test, tests)?);
    let (mean, deviation) = (train.x.mean().unwrap_or(0.0), train.x.std(0.0));
    let n = train.x.nrows();
    let x = concatenate(Axis(0), &[train.x.view(), test.x.view()])?;
    let y = concatenate(Axis(0), &[train.y.view(), test.y.view()])?;
    let x = x.mapv(|v| (v - mean) / deviation);
    Ok(split("images", x, y - (CLASSES as f64).recip(), n, None))
}

/// Takes the first `n` samples to learn from.
fn split(
    name: &'static str,
    x: Array2<f64>,
    y: Array2<f64>,
    n: usize,
    noise: Option<f64>,
) -> Problem {
    let two = |all: Array2<f64>| {
        let (first, rest) = all.view().split_at(Axis(0), n);
        (first.to_owned(), rest.to_owned())
    };
    let ((x, z), (y, t)) = (two(x), two(y));
    Problem {
        name,
        x,
        y,
        z,
        t,
        noise,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_noise_is_as_said() {
        let draw = |seed| [sines(60, 4000, seed), teacher(60, 4000, seed).unwrap()];
        for ((one, same), other) in draw(3).iter().zip(&draw(3)).zip(&draw(4)) {
            assert_eq!(
                (&one.x, &one.y, &one.z, &one.t),
                (&same.x, &same.y, &same.z, &same.t)
            );
            assert_ne!(one.x, other.x);
            assert_ne!(one.y, other.y);
            assert_eq!((one.x.nrows(), one.z.nrows()), (60, 4000));
            // Of variance 1 by their formulas; a mean of squares of 4000 to five standard errors, 0.11.
            let square = one.z.mapv(|v| v * v).mean().unwrap();
            assert!((square - 1.0).abs() < 0.12, "{square}");
        }
        // Neighbours on the line differ by twice the noise: the function's slope is at most 6 sqrt(8).
        let [sines, _] = draw(3);
        let mut points: Vec<(f64, f64)> = sines
            .z
            .iter()
            .copied()
            .zip(sines.t.iter().copied())
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let squares = points.windows(2).map(|two| (two[1].1 - two[0].1).powi(2));
        let variance = squares.sum::<f64>() / (2.0 * 3999.0);
        // Relative standard error of the differences' variance: sqrt(3/4000) = 0.027.
        assert!(
            (variance / SINES_NOISE.powi(2) - 1.0).abs() < 0.14,
            "{variance}"
        );
    }

    #[test]
    fn the_floor_is_the_noise_over_the_variance_of_targets() {
        let of = |t: f64, noise| Problem {
            name: "",
            x: Array2::zeros((1, 1)),
            y: Array2::zeros((1, 1)),
            z: Array2::zeros((2, 1)),
            t: ndarray::array![[-t], [t]],
            noise,
        };
        assert_eq!(of(2.0, Some(1.0)).floor(), Some(0.25));
        assert_eq!(of(2.0, None).floor(), None);
    }
}
