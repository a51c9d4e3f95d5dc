//! Combinations of classes: which rows of a kernel matrix belong to them, and their blocks.

use crate::matrix::check_kernel;
use crate::{EntropyError, Normalization, Rounding, Spectrum, multi_output};
use ndarray::{Array2, ArrayRef2, ArrayView2, Axis};
use ntk_linalg::Real;

/// The combinations that are listed at most: all of 16 classes. Of more the list would take the
/// memory, and their spectra hours.
pub const MOST_COMBINATIONS: usize = 1 << 16;

/// Counts the combinations of 1 to `largest` of so many `classes`, `sum_k binomial(classes, k)`:
/// `2^classes - 1` of all sizes. It is exact up to `2^53`, and infinite where it overflows.
///
/// ```
/// use ntk_entropy::combination::count;
/// assert_eq!((count(3, 3), count(100, 2)), (7.0, 5050.0));
/// ```
#[must_use]
pub fn count(classes: usize, largest: usize) -> f64 {
    let (mut all, mut of_size) = (0.0, 1.0);
    for size in 0..largest.min(classes) {
        of_size = of_size * (classes - size) as f64 / (size + 1) as f64;
        all += of_size;
        // Those of more than a thousand classes do, long before all sizes are counted.
        if all == f64::INFINITY {
            break;
        }
    }
    all
}

/// Lists every nonempty combination of at most `largest` of `classes`: smaller ones first, and
/// then in the order given, as (0) (1) (8) (0,1) (0,8) (1,8) (0,1,8) for 0, 1, 8.
///
/// ```
/// use ntk_entropy::combination::combinations;
/// let all = combinations(&[0, 1, 8], 2)?;
/// assert_eq!(all, [vec![0], vec![1], vec![8], vec![0, 1], vec![0, 8], vec![1, 8]]);
/// # Ok::<(), ntk_entropy::Error>(())
/// ```
///
/// # Errors
/// [`EntropyError::Combinations`] where there are more than [`MOST_COMBINATIONS`], by [`count`]:
/// they are not listed then.
pub fn combinations(classes: &[usize], largest: usize) -> Result<Vec<Vec<usize>>, EntropyError> {
    let count = count(classes.len(), largest);
    if count > MOST_COMBINATIONS as f64 {
        return Err(EntropyError::Combinations {
            classes: classes.len(),
            count,
            most: MOST_COMBINATIONS,
        });
    }
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
    Ok(all)
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
    rounding: Rounding,
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
        Self::of_rounded(kernel, labels, outputs, Rounding::of::<T>())
    }

    /// Takes a kernel as [`Blocks::of_outputs`] does that is known to this rounding alone; see
    /// [`Spectrum::of_rounded_kernel`]. Cost: `(n o)^2`.
    ///
    /// # Errors
    /// Those of [`Blocks::of_outputs`], `eps` being that of the rounding.
    pub fn of_rounded(
        kernel: &'k ArrayRef2<T>,
        labels: &'k [usize],
        outputs: usize,
        rounding: Rounding,
    ) -> Result<Self, EntropyError> {
        let rounding = rounding.coarser(Rounding::of::<T>());
        check_kernel(kernel, rounding)?;
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
            rounding,
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
        Spectrum::of_rounded_kernel(&self.of(classes)?, normalization, self.rounding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smaller_first_then_in_the_order_given() {
        let expected: [&[usize]; 7] = [&[8], &[0], &[1], &[8, 0], &[8, 1], &[0, 1], &[8, 0, 1]];
        let of = |classes: &[usize], largest| combinations(classes, largest).unwrap();
        assert_eq!(of(&[8, 0, 1], 3), expected);
        assert_eq!(of(&[8, 0, 1], 9), expected);
        assert_eq!(of(&[8, 0, 1], 2), expected[..6]);
        assert!(of(&[8, 0, 1], 0).is_empty() && of(&[], 3).is_empty());
        assert_eq!(of(&(0..10).collect::<Vec<_>>(), 10).len(), 1023);
    }

    #[test]
    fn all_are_counted_before_they_are_listed() {
        for classes in 0..=16 {
            let named: Vec<_> = (0..classes).collect();
            for largest in [0, 1, 2, 3, classes, usize::MAX] {
                let listed = combinations(&named, largest).unwrap().len();
                assert_eq!(listed as f64, count(classes, largest));
            }
            assert_eq!(
                count(classes, classes),
                2.0_f64.powi(i32::try_from(classes).unwrap()) - 1.0
            );
        }
        assert_eq!(count(usize::MAX, usize::MAX), f64::INFINITY);
        assert_eq!(count(5000, usize::MAX), f64::INFINITY);
        for classes in [17, 24, 100, 2000] {
            let named: Vec<_> = (0..classes).collect();
            let error = combinations(&named, usize::MAX).unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains(&format!("{classes} classes have")) && text.contains("65536"),
                "{text}"
            );
        }
        assert_eq!(
            combinations(&(0..100).collect::<Vec<_>>(), 2)
                .unwrap()
                .len(),
            5050
        );
    }

    #[test]
    fn rows_are_class_by_class() {
        let labels = [1, 0, 1, 2, 0];
        assert_eq!(rows(&labels, &[0, 1]), [1, 4, 0, 2]);
        assert_eq!(rows(&labels, &[1, 0]), [0, 2, 1, 4]);
        assert!(rows(&labels, &[7]).is_empty() && rows(&[], &[0]).is_empty());
    }
}
