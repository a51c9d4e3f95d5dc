//! Means over seeds.

use crate::experiments::common::mean_and_error;

/// Numbers of one kind along a training, over seeds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spread {
    /// Of each epoch.
    pub(super) mean: Vec<f64>,
    /// Its standard error, zero of one seed.
    pub(super) error: Vec<f64>,
}

/// The mean of equally long rows, one a seed, with its standard error.
pub(super) fn over_seeds<R>(runs: &[R], of: impl Fn(&R) -> Vec<f64>) -> Spread {
    let rows: Vec<Vec<f64>> = runs.iter().map(of).collect();
    let length = rows.first().map_or(0, Vec::len);
    let (mean, error) = (0..length)
        .map(|i| mean_and_error(&rows.iter().map(|row| row[i]).collect::<Vec<_>>()))
        .unzip();
    Spread { mean, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_one_and_several_seeds() {
        let rows = |n: usize| (0..n).map(|i| vec![i as f64, 7.0]).collect::<Vec<_>>();
        let of = |n| over_seeds(&rows(n), Clone::clone);
        assert!(of(0).mean.is_empty());
        assert_eq!((of(1).mean, of(1).error), (vec![0.0, 7.0], vec![0.0, 0.0]));
        // 0, 1, 2: variance 1, over three of them.
        assert_eq!(of(3).mean, [1.0, 7.0]);
        assert_eq!(of(3).error, [(1.0_f64 / 3.0).sqrt(), 0.0]);
    }
}
