//! All pairs of the ten digits in one kernel.

use super::{DIGITS, Failure, PER_DIGIT, Pair};
use ndarray::{Array2, Axis};
use ntk_entropy::{Blocks, Normalization, combination, multi_output, mutual_information};
use ntk_train::{Trace, traced};

/// Which kernel the pairs are those of: full or traced, and the first images of every digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) trace: Trace,
    pub(super) per_digit: usize,
}

/// The first is drawn as heat maps.
pub(super) const KINDS: [Kind; 5] = [
    Kind::new(Trace::Full, PER_DIGIT),
    Kind::new(Trace::Full, 2),
    Kind::new(Trace::Traced, PER_DIGIT),
    Kind::new(Trace::Traced, 2),
    Kind::new(Trace::Traced, 1),
];

impl Kind {
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
pub(super) struct Digits(pub(super) Vec<Array2<Pair>>);

impl Digits {
    /// Of a full kernel (n outputs, n outputs) of images with these labels (n).
    pub(super) fn new(full: &Array2<f64>, labels: &[usize]) -> Result<Self, Failure> {
        let traced = traced(full.view(), DIGITS)?;
        let of = |kind: Kind| -> Result<Array2<Pair>, Failure> {
            let (kernel, outputs) = match kind.trace {
                Trace::Full => (full, DIGITS),
                Trace::Traced => (&traced, 1),
            };
            let rows = first_of_each(labels, kind.per_digit);
            let sides = multi_output::sides(&rows, outputs);
            let kernel = kernel.select(Axis(0), &sides).select(Axis(1), &sides);
            let labels: Vec<usize> = rows.iter().map(|&row| labels[row]).collect();
            let blocks = Blocks::new(kernel.view(), &labels, outputs)?;
            let digits: Vec<usize> = (0..DIGITS).collect();
            Ok(mutual_information::pairs(
                &blocks,
                &digits,
                Normalization::Trace,
            )?)
        };
        Ok(Self(KINDS.into_iter().map(of).collect::<Result<_, _>>()?))
    }
}

/// The rows of the first `count` images of every digit, digit by digit.
fn first_of_each(labels: &[usize], count: usize) -> Vec<usize> {
    let of = |digit| combination::rows(labels, &[digit]).into_iter().take(count);
    (0..DIGITS).flat_map(of).collect()
}

/// The 45 pairs of two digits.
pub(super) fn two(pairs: &Array2<Pair>) -> impl Iterator<Item = &Pair> {
    let above = |&((i, j), _): &((usize, usize), _)| i < j;
    pairs.indexed_iter().filter(above).map(|(_, pair)| pair)
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
        let digits = Digits::new(&full, &labels).unwrap();
        let ln = |n: usize| (n as f64).ln();
        for (kind, pairs) in KINDS.iter().zip(&digits.0) {
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
