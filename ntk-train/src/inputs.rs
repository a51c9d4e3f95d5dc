//! The samples that a model takes, with the masks and graphs that belong to them.

use crate::compiled::Scalar;
use crate::layers::ForwardPass;
use crate::model::{Model, ModelError, check_memory, saturating};
use ndarray::{
    Array2, ArrayBase, ArrayRef, ArrayView2, ArrayViewD, Axis, CowArray, Data, Dimension, Ix2,
    Slice, s,
};
use ntk_kernels::{Edge, Structure, StructureError};
use ntk_linalg::Real;
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
    x: ArrayViewD<'a, T>,
    structure: Option<&'a Structure>,
    /// The samples of the structure that `x` holds: the first, and how many there are in all.
    first: usize,
    total: usize,
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

/// What belongs to samples beside their numbers, as the layers use it.
#[derive(Debug, Clone)]
pub(crate) struct Beside {
    /// Which positions are masked, (samples, positions): of the inputs, and then after each node.
    masks: Option<Vec<Array2<bool>>>,
    /// The edges of each sample's graph.
    edges: Option<Vec<Vec<Edge>>>,
}

impl Beside {
    /// Returns which positions are masked after a node, or of the inputs.
    fn masks(&self, after: Option<usize>) -> Option<&Array2<bool>> {
        let masks = self.masks.as_ref()?;
        Some(&masks[after.map_or(0, |node| node + 1)])
    }

    fn select(&self, samples: &[usize]) -> Self {
        let select = |masks: &Vec<Array2<bool>>| {
            let select = masks.iter().map(|mask| mask.select(Axis(0), samples));
            select.collect()
        };
        let edges = self.edges.as_ref();
        Self {
            masks: self.masks.as_ref().map(select),
            edges: edges.map(|edges| samples.iter().map(|&i| edges[i].clone()).collect()),
        }
    }
}

impl<'p> ForwardPass<'p> {
    /// Returns which positions of `samples` samples are masked after a node, or of the inputs, where
    /// there are masks.
    pub(crate) fn mask(
        &self,
        after: Option<usize>,
        samples: usize,
    ) -> Option<ArrayView2<'p, bool>> {
        let masks = self.beside?.masks(after)?;
        Some(masks.slice(s![self.first..self.first + samples, ..]))
    }

    /// Returns the edges of a sample's graph, where there are graphs.
    pub(crate) fn edges(&self, sample: usize) -> Option<&'p [Edge]> {
        let edges = self.beside?.edges.as_ref()?;
        Some(&edges[self.first + sample])
    }
}

/// Samples as the layers take them, (n * positions, channels).
#[derive(Debug, Clone)]
pub(crate) struct Rows<'a, T> {
    numbers: CowArray<'a, T, Ix2>,
    positions: usize,
    beside: Option<Beside>,
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

impl<T: Scalar> Model<T> {
    /// Checks inputs (n, ...), and makes them (n * positions, channels).
    pub(crate) fn rows<'a>(&self, inputs: Inputs<'a, T>) -> Result<Rows<'a, T>, ModelError> {
        let n = self.samples(&inputs)?;
        let Inputs {
            x,
            structure,
            first,
            total,
        } = inputs;
        self.check_tokens(&x)?;
        let positions = self.positions();
        let shape = (n * positions, self.input().channels());
        let mut numbers: CowArray<'a, T, Ix2> = if x.is_standard_layout() {
            let rows = x.into_shape_with_order(shape);
            rows.expect("as many numbers").into()
        } else {
            // A view may have more numbers than memory.
            check_memory(saturating([x.len(), size_of::<T>()]))?;
            let values = x.iter().copied().collect();
            let rows = Array2::from_shape_vec(shape, values);
            rows.expect("as many numbers").into()
        };
        let beside = structure.map(|structure| {
            structure.fits(self.graph(), "x", total)?;
            let samples = first..first + n;
            let masks = structure.masked().map(|mask| {
                let mask = mask.slice_axis(Axis(0), Slice::from(samples.clone()));
                let mask = mask.to_shape((n, positions)).expect("checked").to_owned();
                let after = self.graph().masks(&mask)?;
                Ok::<_, StructureError>(std::iter::once(mask).chain(after).collect::<Vec<_>>())
            });
            let masks = masks.transpose()?;
            let edges: Option<Vec<Vec<Edge>>> = samples
                .map(|sample| structure.edges_of(sample).map(<[Edge]>::to_vec))
                .collect();
            Ok::<_, ModelError>(Beside { masks, edges })
        });
        let beside = beside.transpose()?;
        if let Some(mask) = beside.as_ref().and_then(|beside| beside.masks(None)) {
            for (mut row, &masked) in numbers.rows_mut().into_iter().zip(mask) {
                if masked {
                    row.fill(T::zero());
                }
            }
        }
        Ok(Rows {
            numbers,
            positions,
            beside,
        })
    }

    /// Refuses numbers that are no token ids, where the first layer is an embedding.
    fn check_tokens(&self, x: &ArrayViewD<'_, T>) -> Result<(), ModelError> {
        let Some(vocabulary) = self.tokens() else {
            return Ok(());
        };
        let limit = vocabulary as f64;
        let token = |v: f64| v >= 0.0 && v < limit && v.fract() == 0.0;
        let mut all = x.indexed_iter().map(|(index, &v)| (index, Real::to_f64(v)));
        match all.find(|&(_, v)| !token(v)) {
            None => Ok(()),
            Some((index, value)) => Err(ModelError::Token {
                // Ids have no channels.
                index: index.slice()[..=self.input().positions().len()].to_vec(),
                value,
                vocabulary,
            }),
        }
    }
}
