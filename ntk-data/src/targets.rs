//! From labels to what a kernel or a network is fitted to, `(n, outputs)`.

use ndarray::{Array2, ArrayView1};
use num_traits::Float;
use thiserror::Error;

use crate::scalar::of;

/// A label that has no column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "label {label} of sample {sample} has no column among {classes} classes; raise the number of classes above every label"
)]
pub struct LabelOutOfRange {
    /// Index of the sample.
    pub sample: usize,
    /// Its label.
    pub label: u8,
    /// Number of classes.
    pub classes: usize,
}

/// One column for each class: 1 where the label says so, 0 elsewhere.
///
/// # Errors
/// [`LabelOutOfRange`] for a label of `classes` or more.
pub fn one_hot<T: Float>(
    labels: ArrayView1<'_, u8>,
    classes: usize,
) -> Result<Array2<T>, LabelOutOfRange> {
    let mut targets = Array2::zeros((labels.len(), classes));
    for (sample, &label) in labels.iter().enumerate() {
        *targets
            .get_mut((sample, usize::from(label)))
            .ok_or(LabelOutOfRange {
                sample,
                label,
                classes,
            })? = T::one();
    }
    Ok(targets)
}

/// One column: the label over `divisor`, for example 9 for labels in `0..=9`.
#[must_use]
pub fn scaled<T: Float>(labels: ArrayView1<'_, u8>, divisor: f64) -> Array2<T> {
    column(labels, |label| f64::from(label) / divisor)
}

/// One column: +1 for odd labels, -1 for even ones.
#[must_use]
pub fn parity<T: Float>(labels: ArrayView1<'_, u8>) -> Array2<T> {
    column(labels, |label| if label % 2 == 1 { 1.0 } else { -1.0 })
}

fn column<T: Float>(labels: ArrayView1<'_, u8>, target: impl Fn(u8) -> f64) -> Array2<T> {
    Array2::from_shape_fn((labels.len(), 1), |(i, _)| of(target(labels[i])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{array, aview1};

    #[test]
    fn targets_of_a_few_labels() {
        let labels = aview1(&[2, 0, 1]);
        let expected = array![[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];
        assert_eq!(one_hot::<f64>(labels, 3).unwrap(), expected);
        assert_eq!(
            one_hot::<f64>(labels, 2),
            Err(LabelOutOfRange {
                sample: 0,
                label: 2,
                classes: 2
            })
        );
        assert_eq!(
            scaled::<f64>(aview1(&[9, 3]), 9.0),
            array![[1.0], [3.0 / 9.0]]
        );
        assert_eq!(
            parity::<f32>(aview1(&[0, 1, 8, 9])),
            array![[-1.0], [1.0], [-1.0], [1.0]]
        );
    }
}
