//! The layers of finite networks: forward, adjoint and tangent maps in closed form, one kind in
//! each file.
//!
//! A layer is a function of its parameters, which are handed in, and of values of shape
//! (samples * positions, channels). *Signals*, what is propagated backwards, have shape
//! (samples * copies * positions, channels): several copies, one for each output, share one
//! forward pass.

mod activation;
mod aggregate;
mod attention;
mod batch_norm;
mod beside;
mod branch;
mod concat;
mod dropout;
mod normalization;
mod pool;
mod recurrent;
mod reshape;
mod scale_shift;
mod site;
mod table;
#[cfg(test)]
mod tests;
mod weights;

pub(crate) use activation::Elementwise;
pub(crate) use aggregate::EdgeSums;
pub(crate) use attention::SelfAttention;
pub(crate) use batch_norm::Standardization;
pub(crate) use beside::Beside;
pub(crate) use branch::Paths;
pub(crate) use concat::SideBySide;
pub(crate) use dropout::Masked;
pub(crate) use normalization::Normalization;
pub(crate) use pool::Mixed;
pub(crate) use recurrent::Tied;
pub(crate) use reshape::Flattened;
pub(crate) use scale_shift::ScaleAndShift;
pub(crate) use site::{Kind, Linear, Site, sum_of_products, sum_of_rows};
pub(crate) use table::TokenVectors;
pub(crate) use weights::AffineLayer;

use ndarray::{Array2, ArrayView2};
use ntk_kernels::Edge;
use ntk_kernels::network::Shape;
use ntk_linalg::Real;

/// All parameters, in the model's order.
pub(crate) type Theta<'a, T> = [ArrayView2<'a, T>];

/// Returns the number of rows of one sample of this shape.
pub(crate) fn positions(shape: &Shape) -> usize {
    shape.positions().iter().product()
}

/// Lists the positions of each group of a shape: those that differ along the marked axes alone.
pub(crate) fn groups(shape: &Shape, over: &[bool]) -> Vec<Vec<usize>> {
    let sizes = shape.positions();
    let group = |position: usize| {
        let mut rest = position;
        let axes = (0..sizes.len()).rev();
        let group = axes.fold((0, 1), |(group, stride), axis| {
            let at = rest % sizes[axis];
            rest /= sizes[axis];
            let normalized = over.get(axis).copied().unwrap_or(false);
            let at = if normalized { 0 } else { at };
            (group + at * stride, stride * sizes[axis])
        });
        group.0
    };
    let positions = sizes.iter().product();
    let mut groups = vec![Vec::new(); positions];
    for position in 0..positions {
        groups[group(position)].push(position);
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// The values that a layer keeps of a forward pass for the maps of its derivative.
#[derive(Debug, Clone)]
pub(crate) struct Saved<T> {
    pub(crate) own: Vec<Array2<T>>,
    /// The values of the layers inside.
    pub(crate) inner: Vec<Saved<T>>,
    /// 0 for each row of the output that is masked, (samples * positions, 1), and 1 for the others; `None`
    /// where nothing is.
    pub(crate) kept: Option<Array2<T>>,
    /// The edges of each sample's graph, where the layer sums over them.
    pub(crate) graphs: Vec<Vec<Edge>>,
    /// The position that the layer chose in each sample.
    pub(crate) chosen: Vec<usize>,
}

impl<T> Saved<T> {
    pub(crate) const NOTHING: Self = Self {
        own: Vec::new(),
        inner: Vec::new(),
        kept: None,
        graphs: Vec::new(),
        chosen: Vec::new(),
    };

    pub(crate) fn own(own: impl Into<Vec<Array2<T>>>) -> Self {
        Self {
            own: own.into(),
            ..Self::NOTHING
        }
    }

    pub(crate) fn inner(inner: Vec<Self>) -> Self {
        Self {
            inner,
            ..Self::NOTHING
        }
    }
}

/// The kind of a forward pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ForwardPass<'p> {
    /// Says whether a derivative map follows.
    pub(crate) save: bool,
    /// The seed of this step's random masks while training; `None` leaves everything in.
    pub(crate) masks: Option<u64>,
    /// The number of the first sample in its batch.
    pub(crate) first: usize,
    /// The masks and graphs of the batch.
    pub(crate) beside: Option<&'p Beside>,
}

impl ForwardPass<'_> {
    /// Without masks, for values alone.
    pub(crate) const VALUES: Self = Self {
        save: false,
        masks: None,
        first: 0,
        beside: None,
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
        pass: ForwardPass<'_>,
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

/// Layers one after another. What is masked is zero after each.
pub(crate) struct Sequence<T>(pub(crate) Vec<NumberedLayer<T>>);

/// A layer, and what the masks after it are known by.
pub(crate) struct NumberedLayer<T> {
    pub(crate) layer: Box<dyn FiniteLayer<T>>,
    /// The number of its node in the graph.
    pub(crate) number: usize,
    /// Rows of one sample after it.
    pub(crate) positions: usize,
}

impl<T: Real> NumberedLayer<T> {
    /// Returns the output, with zeros where it is masked, and what the maps of the derivative need.
    pub(crate) fn forward(
        &self,
        theta: &Theta<'_, T>,
        x: Array2<T>,
        pass: ForwardPass<'_>,
    ) -> (Array2<T>, Saved<T>) {
        let (mut z, mut saved) = self.layer.forward(theta, x, pass);
        if let Some(mask) = pass.mask(Some(self.number), z.nrows() / self.positions) {
            let kept = kept(mask);
            times_rows(&mut z, &kept, self.positions);
            if pass.save {
                saved.kept = Some(kept);
            }
        }
        (z, saved)
    }

    fn adjoint(
        &self,
        theta: &Theta<'_, T>,
        saved: &Saved<T>,
        mut signal: Array2<T>,
        wanted: bool,
        visit: &mut Visit<'_, T>,
    ) -> Array2<T> {
        if let Some(kept) = &saved.kept {
            times_rows(&mut signal, kept, self.positions);
        }
        self.layer.adjoint(theta, saved, signal, wanted, visit)
    }

    fn tangent(
        &self,
        theta: &Theta<'_, T>,
        saved: &Saved<T>,
        dx: Option<Array2<T>>,
        direction: Option<&Theta<'_, T>>,
    ) -> Option<Array2<T>> {
        let mut dz = self.layer.tangent(theta, saved, dx, direction)?;
        if let Some(kept) = &saved.kept {
            times_rows(&mut dz, kept, self.positions);
        }
        Some(dz)
    }
}

/// Returns 0 for each row that is masked, (samples * positions, 1), and 1 for the others.
pub(crate) fn kept<T: Real>(mask: ArrayView2<'_, bool>) -> Array2<T> {
    let factor = |&masked: &bool| if masked { T::zero() } else { T::one() };
    let factors: Vec<T> = mask.iter().map(factor).collect();
    Array2::from_shape_vec((factors.len(), 1), factors).expect("one for each row")
}

/// Multiplies each row by a factor, where each sample has `rows` rows in `factors` and as many for each
/// copy in `signal`.
pub(crate) fn times_rows<T: Real>(signal: &mut Array2<T>, factors: &Array2<T>, rows: usize) {
    if signal.is_empty() {
        return;
    }
    let (copies, columns) = (signal.nrows() / factors.nrows(), signal.ncols());
    let samples = flat_mut(signal).chunks_exact_mut(rows * columns * copies);
    for (signal, factors) in samples.zip(flat(factors).chunks_exact(rows)) {
        for copy in signal.chunks_exact_mut(rows * columns) {
            for (row, &factor) in copy.chunks_exact_mut(columns).zip(factors) {
                row.iter_mut().for_each(|v| *v *= factor);
            }
        }
    }
}

impl<T: Real> FiniteLayer<T> for Sequence<T> {
    fn forward(
        &self,
        theta: &Theta<'_, T>,
        x: Array2<T>,
        pass: ForwardPass<'_>,
    ) -> (Array2<T>, Saved<T>) {
        let (mut z, mut inner) = (x, Vec::with_capacity(self.0.len()));
        for layer in &self.0 {
            let (next, saved) = layer.forward(theta, z, pass);
            z = next;
            inner.push(saved);
        }
        (z, Saved::inner(inner))
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
        let first = self.0.iter().position(|l| l.layer.has_parameters());
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
        self.0.iter().any(|l| l.layer.has_parameters())
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
