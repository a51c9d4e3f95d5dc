//! Combinations of classes: which rows of a kernel matrix belong to them, and their blocks.

use crate::{EntropyError, Normalization, Spectrum, matrix::check_kernel, multi_output};
use ndarray::{Array2, ArrayRef2, ArrayView2, Axis};
use ntk_linalg::Real;

/// Lists every nonempty combination of at most `largest` of `classes`: smaller ones first, and
/// then in the order given, as (0) (1) (8) (0,1) (0,8) (1,8) (0,1,8) for 0, 1, 8.
///
/// There are `sum_k binomial(classes, k)` of them: `2^classes - 1` of all sizes.
///
/// ```
/// use ntk_entropy::combination::combinations;
/// assert_eq!(combinations(&[0, 1, 8], 2), [vec![0], vec![1], vec![8], vec![0, 1], vec![0, 8], vec![1, 8]]);
/// ```
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

/// Finds the samples of a combination: class by class in the order given, and within a class in
/// the order of `labels` (n).
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

/// A kernel matrix whose samples have classes, to be cut into blocks.
///
/// It is checked once and cut as often as wanted.
///
/// ```
/// use ndarray::array;
/// use ntk_entropy::{Blocks, Normalization};
/// let k = array![[2.0, 0.0, 1.0], [0.0, 3.0, 0.0], [1.0, 0.0, 2.0]];
/// let blocks = Blocks::new(&k, &[7, 4, 7])?;
/// assert_eq!(blocks.of(&[7])?, array![[2.0, 1.0], [1.0, 2.0]]);
/// assert_eq!(blocks.spectrum(&[4], Normalization::Trace)?.trace, 3.0);
/// # Ok::<(), ntk_entropy::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Blocks<'k, T> {
    kernel: ArrayView2<'k, T>,
    labels: &'k [usize],
    outputs: usize,
}

impl<'k, T: Real> Blocks<'k, T> {
    /// Takes the traced `kernel` (n, n) and the classes of its samples, `labels` (n). Cost: `n^2`.
    ///
    /// # Errors
    /// [`EntropyError::Labels`]; [`EntropyError::Linalg`] for a matrix that is not square, not
    /// finite or not symmetric to `n eps max K_ii`.
    pub fn new(kernel: &'k ArrayRef2<T>, labels: &'k [usize]) -> Result<Self, EntropyError> {
        Self::of_outputs(kernel, labels, 1)
    }

    /// Takes the full `kernel` (n o, n o) of `outputs` o, sample-major, and the classes of its
    /// samples, `labels` (n). Cost: `(n o)^2`.
    ///
    /// # Errors
    /// Those of [`Blocks::new`], and [`EntropyError::Outputs`].
    pub fn of_outputs(
        kernel: &'k ArrayRef2<T>,
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
            kernel: kernel.view(),
            labels,
            outputs,
        })
    }

    /// Returns the block of the samples of `classes`, ordered as by [`rows`]. A class that is
    /// named twice is there twice. Cost: the size of the block.
    ///
    /// # Errors
    /// [`EntropyError::EmptyClass`].
    pub fn of(&self, classes: &[usize]) -> Result<Array2<T>, EntropyError> {
        if let Some(&class) = classes.iter().find(|class| !self.labels.contains(class)) {
            return Err(EntropyError::EmptyClass { class });
        }
        let sides = multi_output::sides(&rows(self.labels, classes), self.outputs)?;
        Ok(self.kernel.select(Axis(0), &sides).select(Axis(1), &sides))
    }

    /// Returns the spectrum of [`Blocks::of`]. Cost: an eigendecomposition of the block.
    ///
    /// # Errors
    /// Those of [`Blocks::of`] and of [`Spectrum::of_kernel`].
    pub fn spectrum(
        &self,
        classes: &[usize],
        normalization: Normalization,
    ) -> Result<Spectrum, EntropyError> {
        Spectrum::of_kernel(&self.of(classes)?, normalization)
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
