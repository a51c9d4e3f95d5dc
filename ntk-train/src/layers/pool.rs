//! Averages and sums over positions.

use super::{FiniteLayer, Pass, Saved, Theta, Visit, flat, flat_mut};
use ndarray::Array2;
use ntk_kernels::network::{Pooling, Windows};
use ntk_linalg::Real;

/// Each output position is a weighted sum of input positions, channel by channel.
pub(crate) struct Pooled {
    inputs: usize,
    /// Of each output position, the input positions and their common weight.
    outputs: Vec<(Vec<usize>, f64)>,
}

impl Pooled {
    /// Over windows.
    pub(crate) fn windows(windows: &Windows, pooling: Pooling, normalize_edges: bool) -> Self {
        let size: usize = windows.window.iter().product();
        let [height, width] = windows.inputs;
        let mut outputs = Vec::new();
        for y in 0..windows.outputs[0] {
            for x in 0..windows.outputs[1] {
                let covered: Vec<usize> = windows
                    .taps(0, y)
                    .flat_map(|(_, y)| windows.taps(1, x).map(move |(_, x)| y * width + x))
                    .collect();
                let weight = match pooling {
                    Pooling::Sum => 1.0,
                    Pooling::Average if normalize_edges => 1.0 / covered.len() as f64,
                    Pooling::Average => 1.0 / size as f64,
                };
                outputs.push((covered, weight));
            }
        }
        Self {
            inputs: height * width,
            outputs,
        }
    }

    /// Over all positions.
    pub(crate) fn global(positions: usize, pooling: Pooling) -> Self {
        let weight = match pooling {
            Pooling::Sum => 1.0,
            Pooling::Average => 1.0 / positions as f64,
        };
        Self {
            inputs: positions,
            outputs: vec![((0..positions).collect(), weight)],
        }
    }

    fn pool<T: Real>(&self, x: &Array2<T>) -> Array2<T> {
        let (samples, channels) = (x.nrows() / self.inputs, x.ncols());
        let mut out = Array2::zeros((samples * self.outputs.len(), channels));
        let from = flat(x).chunks_exact((self.inputs * channels).max(1));
        let to = flat_mut(&mut out).chunks_exact_mut((self.outputs.len() * channels).max(1));
        for (x, out) in from.zip(to) {
            for (out, (covered, weight)) in out.chunks_exact_mut(channels).zip(&self.outputs) {
                for &at in covered {
                    for (o, &v) in out.iter_mut().zip(&x[at * channels..][..channels]) {
                        *o += v;
                    }
                }
                let weight = T::of(*weight);
                out.iter_mut().for_each(|o| *o *= weight);
            }
        }
        out
    }

    fn spread<T: Real>(&self, signal: &Array2<T>) -> Array2<T> {
        let (samples, channels) = (signal.nrows() / self.outputs.len(), signal.ncols());
        let mut x = Array2::zeros((samples * self.inputs, channels));
        let from = flat(signal).chunks_exact((self.outputs.len() * channels).max(1));
        let to = flat_mut(&mut x).chunks_exact_mut((self.inputs * channels).max(1));
        for (signal, x) in from.zip(to) {
            for (signal, (covered, weight)) in signal.chunks_exact(channels).zip(&self.outputs) {
                let weight = T::of(*weight);
                for &at in covered {
                    for (x, &s) in x[at * channels..][..channels].iter_mut().zip(signal) {
                        *x += weight * s;
                    }
                }
            }
        }
        x
    }
}

impl<T: Real> FiniteLayer<T> for Pooled {
    fn forward(&self, _: &Theta<'_, T>, x: Array2<T>, _: Pass) -> (Array2<T>, Saved<T>) {
        (self.pool(&x), Saved::NOTHING)
    }

    fn adjoint(
        &self,
        _: &Theta<'_, T>,
        _: &Saved<T>,
        signal: Array2<T>,
        _: bool,
        _: &mut Visit<'_, T>,
    ) -> Array2<T> {
        self.spread(&signal)
    }

    fn tangent(
        &self,
        _: &Theta<'_, T>,
        _: &Saved<T>,
        dx: Option<Array2<T>>,
        _: Option<&Theta<'_, T>>,
    ) -> Option<Array2<T>> {
        dx.map(|dx| self.pool(&dx))
    }
}
