//! Targets, `(n, outputs)`, that a kernel or a network is fitted to, made of labels.

use ndarray::{Array2, ArrayRef1};
use num_traits::Float;
use thiserror::Error;

use crate::scalar::{fits, of};

/// A `TargetError` says why labels cannot become targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TargetError {
    /// A label has no column.
    #[error(
        "label {label} of sample {sample} has no column among {classes} classes; raise the number of classes above every label"
    )]
    Label {
        /// The index of the sample.
        sample: usize,
        /// The label of the sample.
        label: u8,
        /// The number of classes.
        classes: usize,
    },
    /// The targets exceed memory.
    #[error(
        "targets of {samples} samples in {classes} classes exceed all memory; labels are bytes, so 256 classes hold them all"
    )]
    TooLarge {
        /// The number of samples.
        samples: usize,
        /// The number of classes.
        classes: usize,
    },
}

/// Makes one column for each class, `(n, classes)`: 1 where the label says so, 0 elsewhere.
///
/// ```
/// use ndarray::array;
/// use ntk_data::targets;
///
/// let y = targets::one_hot::<f64>(&array![2, 0], 3)?;
/// assert_eq!(y, array![[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]);
/// # Ok::<(), ntk_data::Error>(())
/// ```
///
/// # Errors
/// [`TargetError::Label`] for a label of `classes` or more, [`TargetError::TooLarge`].
pub fn one_hot<T: Float>(labels: &ArrayRef1<u8>, classes: usize) -> Result<Array2<T>, TargetError> {
    let samples = labels.len();
    if !fits::<T>(samples, classes) {
        return Err(TargetError::TooLarge { samples, classes });
    }
    let mut targets = Array2::zeros((samples, classes));
    for (sample, &label) in labels.iter().enumerate() {
        let target = targets.get_mut((sample, usize::from(label)));
        *target.ok_or(TargetError::Label {
            sample,
            label,
            classes,
        })? = T::one();
    }
    Ok(targets)
}

/// Makes one column, `(n, 1)`: the label over `divisor`, for example 9 for labels in `0..=9`.
#[must_use]
pub fn scaled<T: Float>(labels: &ArrayRef1<u8>, divisor: f64) -> Array2<T> {
    column(labels, |label| f64::from(label) / divisor)
}

/// Makes one column, `(n, 1)`: +1 for odd labels, -1 for even ones.
///
/// ```
/// use ndarray::array;
/// assert_eq!(ntk_data::targets::parity::<f64>(&array![4, 7]), array![[-1.0], [1.0]]);
/// ```
#[must_use]
pub fn parity<T: Float>(labels: &ArrayRef1<u8>) -> Array2<T> {
    column(labels, |label| if label % 2 == 1 { 1.0 } else { -1.0 })
}

fn column<T: Float>(labels: &ArrayRef1<u8>, target: impl Fn(u8) -> f64) -> Array2<T> {
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
        assert_eq!(one_hot::<f64>(&labels, 3).unwrap(), expected);
        assert_eq!(
            one_hot::<f64>(&labels, 2),
            Err(TargetError::Label {
                sample: 0,
                label: 2,
                classes: 2
            })
        );
        assert_eq!(
            scaled::<f64>(&aview1(&[9, 3]), 9.0),
            array![[1.0], [3.0 / 9.0]]
        );
        assert_eq!(
            parity::<f32>(&aview1(&[0, 1, 8, 9])),
            array![[-1.0], [1.0], [-1.0], [1.0]]
        );
    }
}
