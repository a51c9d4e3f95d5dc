//! The samples that a model takes, with the masks and graphs that belong to them.

use crate::layers::{Beside, ForwardPass};
use ndarray::{
    ArrayBase, ArrayRef, ArrayView2, ArrayViewD, Axis, CowArray, Data, Dimension, Ix2, Slice, s,
};
use ntk_kernels::Structure;
use std::ops::Range;

/// `Inputs` are samples (n, ...), with the masks and graphs that belong to them where there are any. A
/// reference to an array makes those without: `model.forward(&x)`.
///
/// ```
/// use ndarray::{Array, array};
/// use ntk_kernels::Structure;
/// use ntk_kernels::network::{Network, conv, dense, global_avg_pool, relu};
/// use ntk_train::{Init, Inputs, Model};
///
/// let network = Network::new()
///     .then(conv([3]).channels(8).same()).then(relu()).then(global_avg_pool()).then(dense().width(1));
/// let model = Model::new(&network, [4, 3], Init::default(), 0)?;
/// let mut x = Array::from_elem((2, 4, 3), 0.5); // samples, length, channels
/// // The sequences have two elements; the rest is padding, whatever its numbers are.
/// let lengths = Structure::of_mask(&array![[false, false, true, true], [false, false, true, true]]);
/// x[[1, 3, 0]] = 7.0;
/// let f = model.forward(Inputs::new(&x).structure(&lengths))?;
/// assert_eq!(f[[0, 0]], f[[1, 0]]);
/// # Ok::<(), ntk_train::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Inputs<'a, T> {
    pub(crate) x: ArrayViewD<'a, T>,
    pub(crate) structure: Option<&'a Structure>,
    /// The samples of the structure that `x` holds: the first, and how many there are in all.
    pub(crate) first: usize,
    pub(crate) total: usize,
}

impl<'a, T> Inputs<'a, T> {
    /// Makes inputs of samples (n, ...) without masks and graphs.
    pub fn new<D: Dimension>(x: &'a ArrayRef<T, D>) -> Self {
        x.view().into_dyn().into()
    }

    /// Sets the masks and graphs of the samples.
    pub fn structure(mut self, structure: &'a Structure) -> Self {
        self.structure = (!structure.is_empty()).then_some(structure);
        self
    }

    /// Returns the samples.
    pub(crate) fn array(&self) -> &ArrayViewD<'a, T> {
        &self.x
    }

    /// Returns the samples of a range.
    pub(crate) fn of(&self, samples: Range<usize>) -> Inputs<'_, T> {
        Inputs {
            structure: self.structure,
            first: self.first + samples.start,
            total: self.total,
            x: self.x.slice_axis(Axis(0), Slice::from(samples)),
        }
    }

    pub(crate) fn view(&self) -> Inputs<'_, T> {
        Inputs {
            x: self.x.view(),
            ..*self
        }
    }
}

impl<'a, T> From<ArrayViewD<'a, T>> for Inputs<'a, T> {
    fn from(x: ArrayViewD<'a, T>) -> Self {
        Self {
            structure: None,
            first: 0,
            total: x.shape().first().copied().unwrap_or(0),
            x,
        }
    }
}

impl<'a, T, D: Dimension> From<&'a ArrayRef<T, D>> for Inputs<'a, T> {
    fn from(x: &'a ArrayRef<T, D>) -> Self {
        Self::new(x)
    }
}

impl<'a, T, S: Data<Elem = T>, D: Dimension> From<&'a ArrayBase<S, D>> for Inputs<'a, T> {
    fn from(x: &'a ArrayBase<S, D>) -> Self {
        Self::new(x)
    }
}

/// Samples as the layers take them, (n * positions, channels).
#[derive(Debug, Clone)]
pub(crate) struct Rows<'a, T> {
    pub(crate) numbers: CowArray<'a, T, Ix2>,
    pub(crate) positions: usize,
    pub(crate) beside: Option<Beside>,
}

/// Some of them, one after another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'r, T> {
    pub(crate) x: ArrayView2<'r, T>,
    /// The number of the first sample among all.
    pub(crate) first: usize,
    positions: usize,
    beside: Option<&'r Beside>,
}

impl<T: Clone> Rows<'_, T> {
    /// Returns the number of samples.
    pub(crate) fn len(&self) -> usize {
        self.numbers.nrows() / self.positions
    }

    pub(crate) fn all(&self) -> Part<'_, T> {
        Part {
            x: self.numbers.view(),
            first: 0,
            positions: self.positions,
            beside: self.beside.as_ref(),
        }
    }

    /// Returns these samples.
    pub(crate) fn select(&self, samples: &[usize]) -> Rows<'static, T> {
        let positions = self.positions;
        let rows: Vec<usize> = samples
            .iter()
            .flat_map(|&i| i * positions..(i + 1) * positions)
            .collect();
        Rows {
            numbers: self.numbers.select(Axis(0), &rows).into(),
            positions,
            beside: self.beside.as_ref().map(|beside| beside.select(samples)),
        }
    }
}

impl<'r, T> Part<'r, T> {
    /// Returns the number of samples.
    pub(crate) fn len(&self) -> usize {
        self.x.nrows() / self.positions
    }

    /// Returns the samples of a range, counted from the part's first.
    pub(crate) fn of(&self, samples: Range<usize>) -> Part<'r, T> {
        let rows = s![
            samples.start * self.positions..samples.end * self.positions,
            ..
        ];
        Part {
            x: self.x.slice_move(rows),
            first: self.first + samples.start,
            ..*self
        }
    }

    /// Returns a forward pass through these samples.
    pub(crate) fn pass(&self, pass: ForwardPass<'_>) -> ForwardPass<'r> {
        ForwardPass {
            save: pass.save,
            masks: pass.masks,
            first: self.first,
            beside: self.beside,
        }
    }
}
