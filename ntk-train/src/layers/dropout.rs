//! Random zeros while training.

use super::{FiniteLayer, ForwardPass, Saved, Theta, Visit, flat_mut, positions, times};
use ndarray::Array2;
use ntk_kernels::network::Shape;
use ntk_linalg::Real;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Keeps each value with a probability, divided by it; all of them unless training.
pub(crate) struct Masked {
    keep: f64,
    /// Number of the layer: layers draw from streams of their own.
    layer: u64,
    /// Rows of one sample.
    positions: usize,
}

impl Masked {
    /// Makes the layer of number `layer`.
    pub(crate) fn new(keep: f64, layer: usize, shape: &Shape) -> Self {
        Self {
            keep,
            layer: layer as u64,
            positions: positions(shape),
        }
    }
}

impl<T: Real> FiniteLayer<T> for Masked {
    fn forward(
        &self,
        _: &Theta<'_, T>,
        mut x: Array2<T>,
        pass: ForwardPass<'_>,
    ) -> (Array2<T>, Saved<T>) {
        let Some(seed) = pass.masks else {
            return (x, Saved::NOTHING);
        };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(self.layer);
        // One word a value, so that a sample's mask does not depend on who came before it.
        rng.set_word_pos((pass.first * self.positions * x.ncols()) as u128);
        let limit = self.keep * 2.0_f64.powi(32);
        let factor = T::of(1.0 / self.keep);
        let mut mask = Array2::zeros(x.raw_dim());
        for value in flat_mut(&mut mask) {
            if f64::from(rng.next_u32()) < limit {
                *value = factor;
            }
        }
        times(&mut x, &mask, self.positions);
        let own = if pass.save { vec![mask] } else { Vec::new() };
        (x, Saved::own(own))
    }

    fn adjoint(
        &self,
        _: &Theta<'_, T>,
        saved: &Saved<T>,
        mut signal: Array2<T>,
        _: bool,
        _: &mut Visit<'_, T>,
    ) -> Array2<T> {
        if let Some(mask) = saved.own.first() {
            times(&mut signal, mask, self.positions);
        }
        signal
    }

    fn tangent(
        &self,
        _: &Theta<'_, T>,
        saved: &Saved<T>,
        dx: Option<Array2<T>>,
        _: Option<&Theta<'_, T>>,
    ) -> Option<Array2<T>> {
        dx.map(|dx| match saved.own.first() {
            Some(mask) => dx * mask,
            None => dx,
        })
    }
}
