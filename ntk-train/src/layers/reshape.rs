//! Positions and channels become features.

use super::{FiniteLayer, ForwardPass, Saved, Theta, Visit, positions};
use ndarray::Array2;
use ntk_kernels::network::Shape;
use ntk_linalg::Real;

/// (samples * positions, channels) to (samples, positions * channels): no number moves.
pub(crate) struct Flattened {
    positions: usize,
}

impl Flattened {
    pub(crate) fn new(before: &Shape) -> Self {
        let positions = positions(before);
        Self { positions }
    }

    fn flatten<T: Real>(&self, x: Array2<T>) -> Array2<T> {
        let (rows, channels) = x.dim();
        reshape(x, (rows / self.positions, self.positions * channels))
    }
}

fn reshape<T: Real>(x: Array2<T>, shape: (usize, usize)) -> Array2<T> {
    x.into_shape_with_order(shape)
        .expect("as many numbers as before")
}

impl<T: Real> FiniteLayer<T> for Flattened {
    fn forward(&self, _: &Theta<'_, T>, x: Array2<T>, _: ForwardPass) -> (Array2<T>, Saved<T>) {
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
        reshape(signal, (rows * self.positions, features / self.positions))
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
