//! Class combinations: which rows of a kernel matrix belong to them, and their blocks.

use crate::{EntropyError, Normalization, Spectrum, matrix::check_kernel, multi_output};
use ndarray::{Array2, ArrayView2, Axis};
use ntk_linalg::Real;

/// Every nonempty combination of at most `largest` of `classes`: smaller ones first, and then in
/// the order given, as (0) (1) (8) (0,1) (0,8) (1,8) (0,1,8) of 0, 1, 8.
///
/// There are `sum_k binomial(classes, k)` of them: `2^classes - 1` of all sizes.
#[must_use]
pub fn combinations(classes: &[usize], largest: usize) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = Vec::new();
    // The places in `classes` of the combinations of one size.
    let mut last: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..largest.min(classes.len()) {
        let mut next = Vec::new();
        for places in &last {
            let first = places.last().map_or(0, |place| place + 1);
            next.extend((first..classes.len()).map(|place| [&places[..], &[place]].concat()));
        }
        let named = |places: &Vec<usize>| places.iter().map(|&place| classes[place]).collect();
        all.extend(next.iter().map(named));
        last = next;
    }
    all
}

/// The samples of a combination: class by class in the order given, and within a class in the
/// order of `labels` (n).
///
/// Cost: n for each class.
#[must_use]
pub fn rows(labels: &[usize], combination: &[usize]) -> Vec<usize> {
    let of = |&class: &usize| {
        let labels = labels.iter().enumerate();
        labels.filter_map(move |(row, &label)| (label == class).then_some(row))
    };
    combination.iter().flat_map(of).collect()
}

/// The blocks of one kernel matrix by classes: computed once, cut as often as wanted.
#[derive(Debug, Clone, Copy)]
pub struct Blocks<'k, T> {
    kernel: ArrayView2<'k, T>,
    labels: &'k [usize],
    outputs: usize,
}

impl<'k, T: Real> Blocks<'k, T> {
    /// Of `kernel` (n o, n o), sample-major, o = 1 if it is traced, and the samples' classes
    /// `labels` (n). Cost: `(n o)^2`.
    ///
    /// # Errors
    /// [`EntropyError::Outputs`], [`EntropyError::Labels`]; [`EntropyError::Linalg`] for a matrix
    /// that is not square, not finite or not symmetric to `n o eps max K_ii`.
    pub fn new(
        kernel: ArrayView2<'k, T>,
        labels: &'k [usize],
        outputs: usize,
    ) -> Result<Self, EntropyError> {
        check_kernel(kernel)?;
        let expected = multi_output::samples(kernel.nrows(), outputs)?;
        if labels.len() != expected {
            return Err(EntropyError::Labels {
                expected,
                found: labels.len(),
            });
        }
        Ok(Self {
            kernel,
            labels,
            outputs,
        })
    }

    /// The block of the samples of `classes`, ordered as by [`rows`]. A class named twice is
    /// there twice. Cost: its size.
    ///
    /// # Errors
    /// [`EntropyError::EmptyClass`].
    pub fn of(&self, classes: &[usize]) -> Result<Array2<T>, EntropyError> {
        if let Some(&class) = classes.iter().find(|class| !self.labels.contains(class)) {
            return Err(EntropyError::EmptyClass { class });
        }
        let sides = multi_output::sides(&rows(self.labels, classes), self.outputs);
        Ok(self.kernel.select(Axis(0), &sides).select(Axis(1), &sides))
    }

    /// The spectrum of [`Blocks::of`]. Cost: an eigendecomposition of the block.
    ///
    /// # Errors
    /// Those of [`Blocks::of`] and of [`Spectrum::of_kernel`].
    pub fn spectrum(
        &self,
        classes: &[usize],
        normalization: Normalization,
    ) -> Result<Spectrum, EntropyError> {
        Spectrum::of_kernel(self.of(classes)?.view(), normalization)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smaller_first_then_in_the_order_given() {
        let expected: [&[usize]; 7] = [&[8], &[0], &[1], &[8, 0], &[8, 1], &[0, 1], &[8, 0, 1]];
        assert_eq!(combinations(&[8, 0, 1], 3), expected);
        assert_eq!(combinations(&[8, 0, 1], 9), expected);
        assert_eq!(combinations(&[8, 0, 1], 2), expected[..6]);
        assert!(combinations(&[8, 0, 1], 0).is_empty() && combinations(&[], 3).is_empty());
        assert_eq!(combinations(&(0..10).collect::<Vec<_>>(), 10).len(), 1023);
    }

    #[test]
    fn rows_are_class_by_class() {
        let labels = [1, 0, 1, 2, 0];
        assert_eq!(rows(&labels, &[0, 1]), [1, 4, 0, 2]);
        assert_eq!(rows(&labels, &[1, 0]), [0, 2, 1, 4]);
        assert!(rows(&labels, &[7]).is_empty() && rows(&[], &[0]).is_empty());
    }
}
