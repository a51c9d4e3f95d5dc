//! Layer normalisation.

use super::{FiniteLayer, ForwardPass, Saved, Theta, Visit, flat, flat_mut};
use ndarray::Array2;
use ntk_kernels::network::Shape;
use ntk_linalg::Real;

/// `y = (x - mean) / sqrt(variance + eps)` over groups of positions and all channels.
pub(crate) struct Normalization {
    eps: f64,
    positions: usize,
    /// The positions of each group; every position is in one.
    groups: Vec<Vec<usize>>,
}

impl Normalization {
    /// `over` says which of the shape's axes of positions are normalised over.
    pub(crate) fn new(eps: f64, shape: &Shape, over: &[bool]) -> Self {
        let axis = |axis: usize| shape.positions().get(axis).copied().unwrap_or(1);
        let normalized = |axis: usize| over.get(axis).copied().unwrap_or(false);
        let (height, width) = (axis(0), axis(1));
        let group = |position: usize| {
            let (y, x) = (position / width, position % width);
            let (y, x) = (
                if normalized(0) { 0 } else { y },
                if normalized(1) { 0 } else { x },
            );
            y * width + x
        };
        let positions = height * width;
        let mut groups = vec![Vec::new(); positions];
        for position in 0..positions {
            groups[group(position)].push(position);
        }
        groups.retain(|group| !group.is_empty());
        Self {
            eps,
            positions,
            groups,
        }
    }

    /// The derivative, which is its own transpose: `(g - mean(g) - y mean(g y)) / deviation`.
    fn derivative<T: Real>(&self, saved: &Saved<T>, mut signal: Array2<T>) -> Array2<T> {
        let [y, inverse] = &saved.own[..] else {
            return signal;
        };
        let channels = y.ncols();
        let size = self.positions * channels;
        if signal.is_empty() {
            return signal;
        }
        let copies = signal.nrows() / y.nrows();
        let of_sample = flat_mut(&mut signal).chunks_exact_mut(size * copies);
        let known = flat(y)
            .chunks_exact(size)
            .zip(flat(inverse).chunks_exact(self.groups.len()));
        for (signal, (y, inverse)) in of_sample.zip(known) {
            for signal in signal.chunks_exact_mut(size) {
                for (group, &inverse) in self.groups.iter().zip(inverse) {
                    let count = T::of((group.len() * channels) as f64);
                    let (mut mean, mut along) = (T::zero(), T::zero());
                    for &at in group {
                        let at = at * channels..(at + 1) * channels;
                        for (&g, &y) in signal[at.clone()].iter().zip(&y[at]) {
                            mean += g;
                            along += g * y;
                        }
                    }
                    (mean, along) = (mean / count, along / count);
                    for &at in group {
                        let at = at * channels..(at + 1) * channels;
                        for (g, &y) in signal[at.clone()].iter_mut().zip(&y[at]) {
                            *g = (*g - mean - y * along) * inverse;
                        }
                    }
                }
            }
        }
        signal
    }
}

impl<T: Real> FiniteLayer<T> for Normalization {
    fn forward(
        &self,
        _: &Theta<'_, T>,
        mut x: Array2<T>,
        pass: ForwardPass,
    ) -> (Array2<T>, Saved<T>) {
        let channels = x.ncols();
        let samples = x.nrows() / self.positions;
        let mut inverses = Array2::zeros((samples, self.groups.len()));
        let of_sample = flat_mut(&mut x).chunks_exact_mut((self.positions * channels).max(1));
        for (x, mut inverses) in of_sample.zip(inverses.rows_mut()) {
            for (group, inverse) in self.groups.iter().zip(&mut inverses) {
                let count = T::of((group.len() * channels) as f64);
                let mean = group
                    .iter()
                    .flat_map(|&at| &x[at * channels..(at + 1) * channels])
                    .copied()
                    .sum::<T>()
                    / count;
                let variance = group
                    .iter()
                    .flat_map(|&at| &x[at * channels..(at + 1) * channels])
                    .map(|&v| (v - mean) * (v - mean))
                    .sum::<T>()
                    / count;
                let root = (variance + T::of(self.eps)).sqrt();
                // A constant sample without eps: zeros, as in the infinite-width limit.
                *inverse = if root > T::zero() {
                    root.recip()
                } else {
                    T::zero()
                };
                for &at in group {
                    for v in &mut x[at * channels..(at + 1) * channels] {
                        *v = (*v - mean) * *inverse;
                    }
                }
            }
        }
        let saved = match pass.save {
            true => Saved::own([x.clone(), inverses]),
            false => Saved::NOTHING,
        };
        (x, saved)
    }

    fn adjoint(
        &self,
        _: &Theta<'_, T>,
        saved: &Saved<T>,
        signal: Array2<T>,
        _: bool,
        _: &mut Visit<'_, T>,
    ) -> Array2<T> {
        self.derivative(saved, signal)
    }

    fn tangent(
        &self,
        _: &Theta<'_, T>,
        saved: &Saved<T>,
        dx: Option<Array2<T>>,
        _: Option<&Theta<'_, T>>,
    ) -> Option<Array2<T>> {
        dx.map(|dx| self.derivative(saved, dx))
    }
}
