//! Means over seeds, and curves of them.

use crate::Failure;
use ndarray::{Array, ArrayView2, Axis, Dimension, stack};
use ntk_plots::Series;
use ntk_train::Records;
use std::borrow::Borrow;

/// A mean over seeds with the standard error of it: s/sqrt(k), with s^2 dividing by k - 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    /// The mean; NaN of no value.
    pub(crate) mean: f64,
    /// The standard error, which a single value does not show: it is then 0.
    pub(crate) error: f64,
}

impl Spread {
    /// Estimates the mean of values, one a seed.
    pub(crate) fn of<V: Borrow<f64>>(values: impl IntoIterator<Item = V>) -> Self {
        let values: Vec<f64> = values.into_iter().map(|v| *v.borrow()).collect();
        let k = values.len() as f64;
        let mean = values.iter().sum::<f64>() / k;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        let error = (squares / (k - 1.0).max(1.0) / k).sqrt();
        Self { mean, error }
    }
}

/// A `Curve` has an estimate at every place of an axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Curve {
    x: Vec<f64>,
    /// The estimates, one at each place.
    pub(crate) y: Vec<Spread>,
}

impl FromIterator<(usize, Spread)> for Curve {
    fn from_iter<I: IntoIterator<Item = (usize, Spread)>>(points: I) -> Self {
        let points = points.into_iter().map(|(x, y)| (x as f64, y));
        let (x, y) = points.unzip();
        Self { x, y }
    }
}

impl Curve {
    /// Makes a curve of numbers (seeds, places) at the places `x`, of which `0..` takes as many as
    /// there are.
    pub(crate) fn of(x: impl IntoIterator<Item = usize>, numbers: ArrayView2<'_, f64>) -> Self {
        let estimates = numbers.columns().into_iter().map(Spread::of);
        x.into_iter().zip(estimates).collect()
    }

    /// Returns the means.
    pub(crate) fn means(&self) -> Vec<f64> {
        self.y.iter().map(|estimate| estimate.mean).collect()
    }

    /// Draws the means, and the standard errors as a band around them.
    pub(crate) fn series(&self, name: impl Into<String>) -> Series {
        let edge = |sign: f64| -> Vec<f64> {
            let estimates = self.y.iter();
            estimates.map(|e| e.mean + sign * e.error).collect()
        };
        Series::new(name, self.x.clone(), self.means()).band(edge(-1.0), edge(1.0))
    }
}

/// Returns a column of the records of several trainings, one a seed: (seeds, records, ...).
pub(crate) fn over_seeds<D: Dimension>(
    trainings: &[Records],
    column: &str,
) -> Result<Array<f64, D>, Failure> {
    let columns = trainings.iter().map(|records| records.array(column));
    let columns: Vec<_> = columns.collect::<Result<_, _>>()?;
    let views: Vec<_> = columns.iter().map(|column| column.view()).collect();
    Ok(stack(Axis(0), &views)?.into_dimensionality()?)
}

/// Returns the share of true among answers; 0 of none.
pub(crate) fn share(answers: impl IntoIterator<Item = bool>) -> f64 {
    let answers: Vec<bool> = answers.into_iter().collect();
    answers.iter().filter(|&&answer| answer).count() as f64 / answers.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use ndarray::Array2;

    #[test]
    fn errors_are_of_the_mean() {
        let Spread { mean, error } = Spread::of([1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_relative_eq!(mean, 3.0);
        assert_relative_eq!(error, 0.5_f64.sqrt());
        let exact = |mean| Spread { mean, error: 0.0 };
        assert_eq!(Spread::of([2.0; 3]), exact(2.0));
        assert_eq!(Spread::of([1.0]), exact(1.0));
        assert!(Spread::of([0.0; 0]).mean.is_nan());
    }

    #[test]
    fn curves_of_no_one_and_several_seeds() {
        let of = |n: usize| {
            let numbers = Array2::from_shape_fn((n, 2), |(i, j)| [i as f64, 7.0][j]);
            Curve::of(0.., numbers.view())
        };
        assert!(of(0).means().iter().all(|mean| mean.is_nan()));
        assert_eq!((of(1).x, of(1).means()), (vec![0.0, 1.0], vec![0.0, 7.0]));
        // 0, 1, 2: variance 1, over three of them.
        let error = (1.0_f64 / 3.0).sqrt();
        let band = Series::new("s", [0.0, 1.0], [1.0, 7.0]);
        let band = band.band([1.0 - error, 7.0], [1.0 + error, 7.0]);
        assert_eq!(of(3).series("s"), band);
    }
}
