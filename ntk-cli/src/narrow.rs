//! Tells what numbers lose where they become those of the precision that a command computes in.

use crate::progress::Progress;
use crate::{Failure, progress, words};
use ndarray::{Array, ArrayD, ArrayRef2, ArrayViewD, Dimension};
use ntk_linalg::Real;

/// A `Narrowing` makes numbers of type `T`, and keeps the first of each kind that does not survive it.
#[derive(Default)]
pub(crate) struct Narrowing {
    /// A whole number that is rounded.
    rounded: Option<(usize, i128)>,
    /// A finite number that becomes infinite.
    beyond: Option<(usize, f64)>,
    /// A number that becomes zero, or so small that it loses digits.
    below: Option<(usize, f64)>,
    /// These count such numbers, and others that are not zero.
    lost: usize,
    kept: usize,
}

impl Narrowing {
    pub(crate) fn float<T: Real>(&mut self, place: usize, value: f64) -> T {
        let near = T::of(value);
        if value.is_finite() && near.is_infinite() {
            self.beyond.get_or_insert((place, value));
        }
        if near.abs() < T::min_positive_value() && Real::to_f64(near) != value {
            self.below.get_or_insert((place, value));
            self.lost += 1;
        } else if value != 0.0 {
            self.kept += 1;
        }
        near
    }

    pub(crate) fn whole<T: Real>(&mut self, place: usize, value: i128) -> T {
        let near = T::of(value as f64);
        if Real::to_f64(near) as i128 != value {
            self.rounded.get_or_insert((place, value));
        }
        near
    }

    /// Refuses what would change the numbers of `name`, and warns where some of them are too small;
    /// `index` gives the entry at a place.
    pub(crate) fn check<T: Real>(
        self,
        name: &str,
        index: impl Fn(usize) -> Vec<usize>,
    ) -> Result<(), Failure> {
        let precision = T::NAME;
        let single = precision == <f32 as Real>::NAME;
        if let Some((place, value)) = self.rounded {
            let other = if single {
                "ask for --precision f64, or "
            } else {
                ""
            };
            return Err(format!(
                "{name}: entry {:?} is the whole number {value}, which {precision} would round; \
                 {other}where that does no harm convert it by x.astype(\"float{}\")",
                index(place),
                8 * size_of::<T>()
            )
            .into());
        }
        if let Some((place, value)) = self.beyond {
            return Err(format!(
                "{name}: entry {:?} is {value:e}, beyond {precision}; ask for --precision f64",
                index(place)
            )
            .into());
        }
        match self.lost::<T>(name, index) {
            Some(found) if self.kept == 0 => Err(found.into()),
            Some(found) => {
                progress::tell(&words::escaped(&format!("warning: {found}"), false));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Says which numbers of `name` are too small, if any are.
    fn lost<T: Real>(&self, name: &str, index: impl Fn(usize) -> Vec<usize>) -> Option<String> {
        let (place, value) = self.below?;
        Some(format!(
            "{name}: {} of {} other than zero, the first {value:e} at {:?}, would become zero or lose \
             digits in {}; ask for --precision f64",
            self.lost,
            words::count(self.lost + self.kept, "number"),
            index(place),
            T::NAME
        ))
    }
}

/// Makes numbers of type `T` of those of `name`, as [`crate::npy::read`] does.
pub(crate) fn array<T: Real, D: Dimension>(
    name: &str,
    x: &Array<f64, D>,
) -> Result<Array<T, D>, Failure> {
    let (narrowing, found) = narrowed(x);
    narrowing.check::<T>(name, |place| indices(place, x.shape()))?;
    Ok(found)
}

/// Makes numbers of type `T` of results, and warns of those that are too small for it.
pub(crate) fn results<T: Real, D: Dimension>(
    name: &str,
    x: &Array<f64, D>,
    progress: &Progress,
) -> Array<T, D> {
    let (narrowing, found) = narrowed(x);
    if let Some(lost) = narrowing.lost::<T>(name, |place| indices(place, x.shape())) {
        progress.warn(&format!("warning: {lost}"));
    }
    found
}

fn narrowed<T: Real, D: Dimension>(x: &Array<f64, D>) -> (Narrowing, Array<T, D>) {
    let mut narrowing = Narrowing::default();
    let numbers = x.iter().enumerate();
    let numbers = numbers.map(|(place, &v)| narrowing.float(place, v));
    let numbers: Vec<T> = numbers.collect();
    let found = Array::from_shape_vec(x.raw_dim(), numbers).expect("as many as there were");
    (narrowing, found)
}

/// Returns the indices of the entry at a place in the order of C.
fn indices(mut place: usize, shape: &[usize]) -> Vec<usize> {
    let mut found = vec![0; shape.len()];
    for (index, length) in found.iter_mut().zip(shape).rev() {
        (*index, place) = (place % length, place / length);
    }
    found
}

/// Warns where the kernel `k` of a sample other than zero with itself is zero or has lost digits; its
/// rows are samples, or samples and outputs.
pub(crate) fn warn_of_zero<T: Real>(
    which: &str,
    k: &ArrayRef2<T>,
    x: &ArrayD<T>,
    progress: &Progress,
) {
    let each = (k.nrows() / x.shape()[0].max(1)).max(1);
    let diagonal = k.diag().to_vec();
    let found = diagonal.chunks(each).zip(x.outer_iter()).enumerate();
    let is_lost = |(k, x): (&[T], ArrayViewD<'_, T>)| {
        k.iter().any(|k| !k.is_normal()) && x.iter().any(|v| !v.is_zero())
    };
    let lost = found.filter_map(|(sample, pair)| is_lost(pair).then_some(sample));
    let lost: Vec<_> = lost.collect();
    if let Some(first) = lost.first() {
        let remedy = match T::NAME == f32::NAME {
            true => "ask for --precision f64, or bring w_std and the samples nearer to 1",
            false => "bring w_std and the samples nearer to 1",
        };
        progress.warn(&format!(
            "warning: the {which} with itself of {} other than zero, x1[{first}] the first, is zero or \
             has lost digits in {}; {remedy}",
            words::count(lost.len(), "sample"),
            T::NAME
        ));
    }
}
