//! Positions and channels become features.

use super::{FiniteLayer, ForwardPass, Saved, Theta, Visit, flat, flat_mut, groups, positions};
use ndarray::Array2;
use ntk_kernels::network::Shape;
use ntk_linalg::Real;

/// (samples * positions, channels) to (samples * positions that stay, features): those along the
/// flattened axes, the last fastest, and their channels.
pub(crate) struct Flattened {
    /// The positions before the layer in the order in which they stand after it; `None` where they
    /// stay in order.
    order: Option<Vec<usize>>,
    positions: usize,
    /// How many positions become one.
    joined: usize,
}

impl Flattened {
    /// `over` says which of the shape's axes of positions become features.
    pub(crate) fn new(before: &Shape, over: &[bool]) -> Self {
        let (groups, positions) = (groups(before, over), positions(before));
        let joined = groups.first().map_or(1, Vec::len);
        let order = groups.concat();
        Self {
            order: (!order.iter().copied().eq(0..positions)).then_some(order),
            positions,
            joined,
        }
    }

    /// Puts the rows of each sample in order, or back.
    fn ordered<T: Real>(&self, x: Array2<T>, back: bool) -> Array2<T> {
        let Some(order) = &self.order else {
            return x;
        };
        let channels = x.ncols();
        let mut out = Array2::zeros(x.raw_dim());
        let size = (self.positions * channels).max(1);
        let samples = flat(&x).chunks_exact(size);
        for (from, to) in samples.zip(flat_mut(&mut out).chunks_exact_mut(size)) {
            for (after, &before) in order.iter().enumerate() {
                let (at, source) = if back {
                    (before, after)
                } else {
                    (after, before)
                };
                to[at * channels..][..channels]
                    .copy_from_slice(&from[source * channels..][..channels]);
            }
        }
        out
    }

    fn flatten<T: Real>(&self, x: Array2<T>) -> Array2<T> {
        let (rows, channels) = x.dim();
        reshape(
            self.ordered(x, false),
            (rows / self.joined, self.joined * channels),
        )
    }
}

fn reshape<T: Real>(x: Array2<T>, shape: (usize, usize)) -> Array2<T> {
    x.into_shape_with_order(shape)
        .expect("as many numbers as before")
}

impl<T: Real> FiniteLayer<T> for Flattened {
    fn forward(&self, _: &Theta<'_, T>, x: Array2<T>, _: ForwardPass<'_>) -> (Array2<T>, Saved<T>) {
        (self.flatten(x), Saved::NOTHING)
    }

    fn adjoint(
        &self,
        _: &Theta<'_, T>,
        _: &Saved<T>,
        signal: Array2<T>,
        _: bool,
        _: &mut Visit<'_, T>,
    ) -> Array2<T> {
        let (rows, features) = signal.dim();
        let x = reshape(signal, (rows * self.joined, features / self.joined));
        self.ordered(x, true)
    }

    fn tangent(
        &self,
        _: &Theta<'_, T>,
        _: &Saved<T>,
        dx: Option<Array2<T>>,
        _: Option<&Theta<'_, T>>,
    ) -> Option<Array2<T>> {
        dx.map(|dx| self.flatten(dx))
    }
}
