//! The layers of finite networks: forward, adjoint and tangent maps in closed form, one kind in
//! each file.
//!
//! A layer is a function of its parameters, which are handed in, and of values of shape
//! (samples * positions, channels). *Signals*, what is propagated backwards, have shape
//! (samples * copies * positions, channels): several copies, one for each output, share one
//! forward pass.

mod activation;
mod branch;
mod concat;
mod dropout;
mod normalization;
mod pool;
mod reshape;
#[cfg(test)]
mod tests;
mod weights;

pub(crate) use activation::Elementwise;
pub(crate) use branch::Paths;
pub(crate) use concat::SideBySide;
pub(crate) use dropout::Masked;
pub(crate) use normalization::Normalization;
pub(crate) use pool::Mixed;
pub(crate) use reshape::Flattened;
pub(crate) use weights::{AffineLayer, Linear, sum_of_rows};

use crate::weights_file::layout::FileLayout;
use ndarray::{Array2, ArrayView2};
use ntk_kernels::network::{Action, Node, Order, Shape};
use ntk_linalg::Real;

/// All parameters, in the model's order.
pub(crate) type Theta<'a, T> = [ArrayView2<'a, T>];

/// Returns PyTorch's layouts of a layer's parameters, where the features before it stand in this
/// order.
pub(crate) fn pytorch(node: &Node, before: &Order) -> Vec<FileLayout> {
    match &node.action {
        Action::Weights(weights) => weights::pytorch(weights, node, before),
        Action::Nothing
        | Action::Positions(_)
        | Action::Flatten { .. }
        | Action::Activation(_)
        | Action::Normalize { .. }
        | Action::BatchNorm { .. }
        | Action::Dropout { .. }
        | Action::Attention(_)
        | Action::Aggregate { .. }
        | Action::Recurrent(_)
        | Action::Embedding { .. }
        | Action::Concat { .. }
        | Action::Merge(_) => Vec::new(),
    }
}

/// Returns the number of rows of one sample of this shape.
pub(crate) fn positions(shape: &Shape) -> usize {
    shape.positions().iter().product()
}

/// The values that a layer keeps of a forward pass for the maps of its derivative.
#[derive(Debug, Clone)]
pub(crate) struct Saved<T> {
    pub(crate) own: Vec<Array2<T>>,
    /// The values of the layers inside.
    pub(crate) inner: Vec<Saved<T>>,
}

impl<T> Saved<T> {
    pub(crate) const NOTHING: Self = Self {
        own: Vec::new(),
        inner: Vec::new(),
    };

    pub(crate) fn own(own: impl Into<Vec<Array2<T>>>) -> Self {
        Self {
            own: own.into(),
            inner: Vec::new(),
        }
    }
}

/// The kind of a forward pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ForwardPass {
    /// Says whether a derivative map follows.
    pub(crate) save: bool,
    /// The seed of this step's random masks while training; `None` leaves everything in.
    pub(crate) masks: Option<u64>,
    /// The number of the first sample in its batch.
    pub(crate) first: usize,
}

impl ForwardPass {
    /// Without masks, for values alone.
    pub(crate) const VALUES: Self = Self {
        save: false,
        masks: None,
        first: 0,
    };
    /// Without masks, for derivatives.
    pub(crate) const SAVED: Self = Self {
        save: true,
        ..Self::VALUES
    };
}

/// Sees every layer with parameters on the way back, with its inputs and signals.
pub(crate) type Visit<'v, T> = dyn FnMut(Linear<'_, T>) + 'v;

/// One layer.
pub(crate) trait FiniteLayer<T: Real>: Send + Sync {
    /// The output, and what the maps below need.
    fn forward(
        &self,
        theta: &Theta<'_, T>,
        x: Array2<T>,
        pass: ForwardPass,
    ) -> (Array2<T>, Saved<T>);

    /// The transposed derivative by the input applied to `signal`; of unknown content where
    /// not `wanted`.
    fn adjoint(
        &self,
        theta: &Theta<'_, T>,
        saved: &Saved<T>,
        signal: Array2<T>,
        wanted: bool,
        visit: &mut Visit<'_, T>,
    ) -> Array2<T>;

    /// The derivative applied to a direction `dx` of the input (`None`: zero) and one of the
    /// parameters (`None`: zero).
    fn tangent(
        &self,
        theta: &Theta<'_, T>,
        saved: &Saved<T>,
        dx: Option<Array2<T>>,
        direction: Option<&Theta<'_, T>>,
    ) -> Option<Array2<T>>;

    /// Says whether it, or a layer inside, has parameters.
    fn has_parameters(&self) -> bool {
        false
    }
}

/// Layers one after another.
pub(crate) struct Sequence<T>(pub(crate) Vec<Box<dyn FiniteLayer<T>>>);

impl<T: Real> FiniteLayer<T> for Sequence<T> {
    fn forward(
        &self,
        theta: &Theta<'_, T>,
        x: Array2<T>,
        pass: ForwardPass,
    ) -> (Array2<T>, Saved<T>) {
        let (mut z, mut inner) = (x, Vec::with_capacity(self.0.len()));
        for layer in &self.0 {
            let (next, saved) = layer.forward(theta, z, pass);
            z = next;
            inner.push(saved);
        }
        let own = Vec::new();
        (z, Saved { own, inner })
    }

    fn adjoint(
        &self,
        theta: &Theta<'_, T>,
        saved: &Saved<T>,
        mut signal: Array2<T>,
        wanted: bool,
        visit: &mut Visit<'_, T>,
    ) -> Array2<T> {
        // Below the first layer with parameters nothing is needed but for the input's sake.
        let first = self.0.iter().position(|l| l.has_parameters());
        let end = if wanted {
            0
        } else {
            first.unwrap_or(self.0.len())
        };
        let layers = self.0.iter().zip(&saved.inner).enumerate().skip(end);
        for (number, (layer, saved)) in layers.rev() {
            signal = layer.adjoint(theta, saved, signal, wanted || number > end, visit);
        }
        signal
    }

    fn tangent(
        &self,
        theta: &Theta<'_, T>,
        saved: &Saved<T>,
        dx: Option<Array2<T>>,
        direction: Option<&Theta<'_, T>>,
    ) -> Option<Array2<T>> {
        let layers = self.0.iter().zip(&saved.inner);
        layers.fold(dx, |dz, (layer, saved)| {
            layer.tangent(theta, saved, dz, direction)
        })
    }

    fn has_parameters(&self) -> bool {
        self.0.iter().any(|layer| layer.has_parameters())
    }
}

/// `signal` times `factor` elementwise, where each sample has `rows` rows in `factor` and as
/// many for each copy in `signal`.
pub(crate) fn times<T: Real>(signal: &mut Array2<T>, factor: &Array2<T>, rows: usize) {
    let size = rows * factor.ncols();
    if factor.is_empty() {
        return;
    }
    let copies = signal.nrows() / factor.nrows();
    let (signal, factor) = (flat_mut(signal), flat(factor));
    for (signal, factor) in signal
        .chunks_exact_mut(size * copies)
        .zip(factor.chunks_exact(size))
    {
        for copy in signal.chunks_exact_mut(size) {
            for (s, &f) in copy.iter_mut().zip(factor) {
                *s *= f;
            }
        }
    }
}

/// All values, row after row.
pub(crate) fn flat<T>(a: &Array2<T>) -> &[T] {
    a.as_slice().expect(STANDARD)
}

/// All values, row after row.
pub(crate) fn flat_mut<T>(a: &mut Array2<T>) -> &mut [T] {
    a.as_slice_mut().expect(STANDARD)
}

const STANDARD: &str = "values are made in standard layout";
