//! The NTK that the kernel of the network would start from if it were infinitely wide.

use super::blocks::{ClassEntropies, combinations};
use super::digits::{self, Digits};
use super::{CLASSES, DIGITS, DigitSets, Failure, Images, Pair, network};
use ndarray::Array2;
use ndarray::linalg::kron;
use ntk_entropy::{Blocks, Normalization, von_neumann};
use ntk_linalg::Observer;

/// Returns what the pixels of the first class are multiplied by: twenty factors a decade.
fn factors() -> impl Iterator<Item = f64> {
    (-20..=20).map(|i| 10.0_f64.powf(f64::from(i) / 20.0))
}

/// What the kernel gives.
pub(super) struct Infinite {
    /// Arrays of one number.
    pub(super) blocks: ClassEntropies,
    pub(super) digits: Digits,
    pub(super) brightened: Vec<Brightened>,
}

/// The pair of the first two of [`CLASSES`], where the images of the first are multiplied by a factor.
pub(super) struct Brightened {
    pub(super) factor: f64,
    pub(super) full: Pair,
    pub(super) traced: Pair,
}

/// Computes all in the standard parameterisation, with the fan-in of the finite network's layers.
pub(super) fn run(sets: &DigitSets, observer: &dyn Observer) -> Result<Infinite, Failure> {
    let (classes, labels) = (&sets.classes, sets.classes.labels());
    let kernel = full(&traced(&classes.x, observer)?);
    let blocks = Blocks::of_outputs(&kernel, &labels, DIGITS)?;
    let (mut entropies, mut traces) = (Vec::new(), Vec::new());
    for classes in combinations() {
        let spectrum = blocks.spectrum(&classes, Normalization::Trace)?;
        entropies.push(Array2::from_elem((1, 1), von_neumann::entropy(&spectrum)));
        traces.push(Array2::from_elem((1, 1), spectrum.trace));
    }
    let digits = full(&traced(&sets.digits.x, observer)?);
    let brightened = factors().map(|factor| brightened(factor, classes, observer));
    Ok(Infinite {
        blocks: ClassEntropies::new(entropies, &traces),
        digits: digits::pairs(&digits, &sets.digits.labels())?,
        brightened: brightened.collect::<Result<_, _>>()?,
    })
}

fn traced(x: &Array2<f64>, observer: &dyn Observer) -> Result<Array2<f64>, Failure> {
    Ok(network().kernel_fn().observer(observer).ntk(x)?)
}

/// Makes the full kernel: outputs are independent and alike.
fn full(traced: &Array2<f64>) -> Array2<f64> {
    kron(traced, &Array2::eye(DIGITS))
}

fn brightened(
    factor: f64,
    images: &Images,
    observer: &dyn Observer,
) -> Result<Brightened, Failure> {
    let [first, second] = [CLASSES[0], CLASSES[1]].map(usize::from);
    let (mut x, labels) = (images.x.clone(), images.labels());
    for (mut row, &label) in x.rows_mut().into_iter().zip(&labels) {
        if label == first {
            row *= factor;
        }
    }
    let traced = traced(&x, observer)?;
    let full = full(&traced);
    let pair = |kernel: &Array2<f64>, outputs| -> Result<Pair, Failure> {
        let blocks = Blocks::of_outputs(kernel, &labels, outputs)?;
        let normalization = Normalization::Trace;
        Ok(Pair::of(&blocks, &[first], &[second], normalization)?)
    };
    Ok(Brightened {
        factor,
        full: pair(&full, DIGITS)?,
        traced: pair(&traced, 1)?,
    })
}
