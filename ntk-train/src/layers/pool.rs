//! Fixed linear maps of positions: pools, resizing, differences and what a user's layer asks for.

use super::{FiniteLayer, ForwardPass, Saved, Theta, Visit, flat, flat_mut};
use ndarray::Array2;
use ntk_kernels::network::{AxisMap, PositionMap};
use ntk_linalg::Real;

/// Each output position is a weighted sum of input positions, channel by channel.
pub(crate) struct Mixed {
    /// One over both axes, or one along each, whichever has fewer terms.
    steps: Vec<Sums>,
}

/// Weighted sums of positions.
struct Sums {
    inputs: usize,
    outputs: Vec<Sum>,
}

struct Sum {
    /// Input positions and their weights.
    terms: Vec<(usize, f64)>,
    /// The weight of all terms, where they have one, as those of a pool.
    shared: Option<f64>,
}

impl Mixed {
    pub(crate) fn new(map: &PositionMap) -> Self {
        let [y, x] = map.axes();
        let terms = |axis: &AxisMap| axis.rows().iter().map(Vec::len).sum::<usize>();
        let one_by_one = terms(y) * x.inputs() + y.rows().len() * terms(x);
        let steps = if terms(y) * terms(x) <= one_by_one {
            vec![Sums::new(y, x)]
        } else {
            let identity = |size| AxisMap::identity(size).expect("the other axis' map has as many");
            let (rows, columns) = (identity(y.rows().len()), identity(x.inputs()));
            vec![Sums::new(y, &columns), Sums::new(&rows, x)]
        };
        Self { steps }
    }

    fn apply<T: Real>(&self, x: Array2<T>) -> Array2<T> {
        self.steps.iter().fold(x, |x, sums| sums.apply(&x))
    }
}

impl Sums {
    fn new(y: &AxisMap, x: &AxisMap) -> Self {
        let width = x.inputs();
        let rows = y
            .rows()
            .iter()
            .flat_map(|y| x.rows().iter().map(move |x| (y, x)));
        let outputs = rows.map(|(ys, xs)| {
            let both = ys.iter().flat_map(|&y| xs.iter().map(move |&x| (y, x)));
            let terms: Vec<_> = both
                .map(|((y, a), (x, b))| (y * width + x, a * b))
                .collect();
            let first = terms.first().map_or(0.0, |&(_, weight)| weight);
            let alike = terms.iter().all(|&(_, weight)| weight == first);
            let shared = alike.then_some(first);
            Sum { terms, shared }
        });
        Self {
            inputs: y.inputs() * width,
            outputs: outputs.collect(),
        }
    }

    fn apply<T: Real>(&self, x: &Array2<T>) -> Array2<T> {
        let (samples, channels) = (x.nrows() / self.inputs, x.ncols());
        let mut out = Array2::zeros((samples * self.outputs.len(), channels));
        let from = flat(x).chunks_exact((self.inputs * channels).max(1));
        let to = flat_mut(&mut out).chunks_exact_mut((self.outputs.len() * channels).max(1));
        let mut sums = vec![0.0; channels];
        for (x, out) in from.zip(to) {
            for (out, sum) in out.chunks_exact_mut(channels).zip(&self.outputs) {
                // In f64, as a window may hold thousands of positions.
                sums.fill(0.0);
                for &(at, weight) in &sum.terms {
                    let weight = if sum.shared.is_some() { 1.0 } else { weight };
                    for (sum, &v) in sums.iter_mut().zip(&x[at * channels..][..channels]) {
                        *sum += weight * Real::to_f64(v);
                    }
                }
                let weight = sum.shared.unwrap_or(1.0);
                for (out, &sum) in out.iter_mut().zip(&sums) {
                    *out = T::of(weight * sum);
                }
            }
        }
        out
    }

    /// The transposed map.
    fn spread<T: Real>(&self, signal: &Array2<T>) -> Array2<T> {
        let (samples, channels) = (signal.nrows() / self.outputs.len(), signal.ncols());
        let mut x = Array2::zeros((samples * self.inputs, channels));
        let from = flat(signal).chunks_exact((self.outputs.len() * channels).max(1));
        let to = flat_mut(&mut x).chunks_exact_mut((self.inputs * channels).max(1));
        let mut sums = vec![0.0; self.inputs * channels];
        for (signal, x) in from.zip(to) {
            sums.fill(0.0);
            for (signal, sum) in signal.chunks_exact(channels).zip(&self.outputs) {
                for &(at, weight) in &sum.terms {
                    for (sum, &s) in sums[at * channels..][..channels].iter_mut().zip(signal) {
                        *sum += weight * Real::to_f64(s);
                    }
                }
            }
            for (x, &sum) in x.iter_mut().zip(&sums) {
                *x = T::of(sum);
            }
        }
        x
    }
}

impl<T: Real> FiniteLayer<T> for Mixed {
    fn forward(&self, _: &Theta<'_, T>, x: Array2<T>, _: ForwardPass) -> (Array2<T>, Saved<T>) {
        (self.apply(x), Saved::NOTHING)
    }

    fn adjoint(
        &self,
        _: &Theta<'_, T>,
        _: &Saved<T>,
        signal: Array2<T>,
        _: bool,
        _: &mut Visit<'_, T>,
    ) -> Array2<T> {
        let steps = self.steps.iter().rev();
        steps.fold(signal, |signal, sums| sums.spread(&signal))
    }

    fn tangent(
        &self,
        _: &Theta<'_, T>,
        _: &Saved<T>,
        dx: Option<Array2<T>>,
        _: Option<&Theta<'_, T>>,
    ) -> Option<Array2<T>> {
        dx.map(|dx| self.apply(dx))
    }
}
