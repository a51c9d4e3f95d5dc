//! The NTK that the kernel of the network would start from if it were infinitely wide.

use super::digits::Digits;
use super::training::{Entropies, combinations};
use super::{CLASSES, DIGITS, Failure, Images, Pair, Sets, network};
use ndarray::Array2;
use ndarray::linalg::kron;
use ntk_entropy::{Blocks, Normalization, von_neumann};
use ntk_kernels::{Get, kernels};
use ntk_linalg::Observer;

/// By what the pixels of the first class are multiplied: twenty factors a decade.
fn factors() -> impl Iterator<Item = f64> {
    (-20..=20).map(|i| 10.0_f64.powf(f64::from(i) / 20.0))
}

pub(super) struct Infinite {
    pub(super) entropies: Entropies,
    pub(super) digits: Digits,
    pub(super) brightened: Vec<Brightened>,
}

/// The first two of [`CLASSES`], the images of the first multiplied by a factor.
pub(super) struct Brightened {
    pub(super) factor: f64,
    pub(super) full: Pair,
    pub(super) traced: Pair,
}

/// In the standard parameterisation, with the fan-in of the finite network's layers.
pub(super) fn run(images: &Sets, observer: &dyn Observer) -> Result<Infinite, Failure> {
    let classes = &images.classes;
    let kernel = full(&traced(&classes.x, observer)?);
    let blocks = Blocks::new(kernel.view(), &classes.labels, DIGITS)?;
    let (mut entropies, mut traces) = (Vec::new(), Vec::new());
    for classes in combinations() {
        let spectrum = blocks.spectrum(&classes, Normalization::Trace)?;
        entropies.push(von_neumann::entropy(&spectrum));
        traces.push(spectrum.trace);
    }
    let digits = full(&traced(&images.digits.x, observer)?);
    let brightened = factors().map(|factor| brightened(factor, classes, observer));
    Ok(Infinite {
        entropies: Entropies::new(entropies, &traces),
        digits: Digits::new(&digits, &images.digits.labels)?,
        brightened: brightened.collect::<Result<_, _>>()?,
    })
}

fn traced(x: &Array2<f64>, observer: &dyn Observer) -> Result<Array2<f64>, Failure> {
    let k = kernels(&network(), x.view(), None, Get::Ntk, observer)?;
    Ok(k.ntk.ok_or("the NTK was asked for and not given")?)
}

/// Outputs are independent and alike.
fn full(traced: &Array2<f64>) -> Array2<f64> {
    kron(traced, &Array2::eye(DIGITS))
}

fn brightened(
    factor: f64,
    images: &Images,
    observer: &dyn Observer,
) -> Result<Brightened, Failure> {
    let [first, second] = [CLASSES[0], CLASSES[1]].map(usize::from);
    let mut x = images.x.clone();
    for (mut row, &label) in x.rows_mut().into_iter().zip(&images.labels) {
        if label == first {
            row *= factor;
        }
    }
    let traced = traced(&x, observer)?;
    let full = full(&traced);
    let pair = |kernel: &Array2<f64>, outputs| -> Result<Pair, Failure> {
        let blocks = Blocks::new(kernel.view(), &images.labels, outputs)?;
        let normalization = Normalization::Trace;
        Ok(Pair::of(&blocks, &[first], &[second], normalization)?)
    };
    Ok(Brightened {
        factor,
        full: pair(&full, DIGITS)?,
        traced: pair(&traced, 1)?,
    })
}
