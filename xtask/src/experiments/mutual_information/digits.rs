//! All pairs of the ten digits in one kernel.

use super::{DIGITS, Failure, PER_DIGIT, Pair, Ratio};
use ndarray::{Array2, Axis};
use ntk_entropy::{Blocks, Normalization, combination, multi_output, mutual_information};
use ntk_train::{Trace, traced};

/// Which kernel pairs are of: full or traced, and the number of first images of every digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KernelKind {
    pub(super) trace: Trace,
    pub(super) per_digit: usize,
}

/// All kinds; the first is drawn as heat maps.
pub(super) const KINDS: [KernelKind; 5] = [
    KernelKind::new(Trace::Full, PER_DIGIT),
    KernelKind::new(Trace::Full, 2),
    KernelKind::new(Trace::Traced, PER_DIGIT),
    KernelKind::new(Trace::Traced, 2),
    KernelKind::new(Trace::Traced, 1),
];

impl KernelKind {
    const fn new(trace: Trace, per_digit: usize) -> Self {
        Self { trace, per_digit }
    }

    pub(super) fn name(self) -> &'static str {
        match self.trace {
            Trace::Full => "full",
            Trace::Traced => "traced",
        }
    }
}

/// The pairs of digits, (10, 10), of each of [`KINDS`].
pub(super) type Digits = Vec<Array2<Pair>>;

/// Compares all pairs in a full kernel (n outputs, n outputs) of images with these labels (n).
pub(super) fn pairs(full: &Array2<f64>, labels: &[usize]) -> Result<Digits, Failure> {
    let traced = traced(full, DIGITS)?;
    let of = |kind: KernelKind| -> Result<Array2<Pair>, Failure> {
        let (kernel, outputs) = match kind.trace {
            Trace::Full => (full, DIGITS),
            Trace::Traced => (&traced, 1),
        };
        let rows = first_of_each(labels, kind.per_digit);
        let sides = multi_output::sides(&rows, outputs)?;
        let kernel = kernel.select(Axis(0), &sides).select(Axis(1), &sides);
        let labels: Vec<usize> = rows.iter().map(|&row| labels[row]).collect();
        let blocks = Blocks::of_outputs(&kernel, &labels, outputs)?;
        let digits: Vec<usize> = (0..DIGITS).collect();
        let pairs = mutual_information::pairs(&blocks, &digits, Normalization::Trace);
        Ok(pairs?)
    };
    KINDS.into_iter().map(of).collect()
}

/// Returns the rows of the first `count` images of every digit, digit by digit.
fn first_of_each(labels: &[usize], count: usize) -> Vec<usize> {
    let of = |digit| combination::rows(labels, &[digit]).into_iter().take(count);
    (0..DIGITS).flat_map(of).collect()
}

/// Iterates over the 45 pairs of two digits.
pub(super) fn two(pairs: &Array2<Pair>) -> impl Iterator<Item = &Pair> {
    let above = |&((i, j), _): &((usize, usize), _)| i < j;
    pairs.indexed_iter().filter(above).map(|(_, pair)| pair)
}

/// Returns the mean over the 45 pairs, of the first of [`KINDS`].
pub(super) fn mean(digits: &Digits, ratio: Ratio) -> f64 {
    let all: Vec<f64> = two(&digits[0]).map(|pair| ratio.get(pair)).collect();
    all.iter().sum::<f64>() / all.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_every_digit_in_file_order() {
        let labels = [1, 0, 1, 9, 0, 1];
        assert_eq!(first_of_each(&labels, 2), [1, 4, 0, 2, 3]);
        assert!(first_of_each(&labels, 0).is_empty() && first_of_each(&[], 2).is_empty());
    }

    #[test]
    fn one_image_a_digit_has_no_entropy_in_the_traced_kernel() {
        // Orthogonal images, the outputs of each of which are alike.
        let labels: Vec<usize> = (0..PER_DIGIT).flat_map(|_| 0..DIGITS).collect();
        let full = Array2::eye(labels.len() * DIGITS);
        let digits = pairs(&full, &labels).unwrap();
        let ln = |n: usize| (n as f64).ln();
        for (kind, pairs) in KINDS.iter().zip(&digits) {
            let outputs = if kind.trace == Trace::Full { DIGITS } else { 1 };
            assert_eq!(two(pairs).count(), 45);
            for pair in two(pairs) {
                // 200 terms that add up to ln 200: half an eps of that for each sum.
                assert!((pair.entropy_x - ln(kind.per_digit * outputs)).abs() < 1e-12);
                assert!((pair.chi() - ln(2)).abs() < 1e-12 && pair.p == 0.5);
                assert_eq!(pair.normalized().is_none(), kind.per_digit * outputs == 1);
            }
        }
    }
}
