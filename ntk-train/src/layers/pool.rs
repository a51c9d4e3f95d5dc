//! Fixed linear maps of positions: pools, resizing, differences and what a user's layer asks for.

use super::{FiniteLayer, ForwardPass, Saved, Theta, Visit, flat, flat_mut, times_rows};
use ndarray::{Array2, ArrayView2};
use ntk_kernels::network::{AxisMap, PositionMap};
use ntk_linalg::Real;

/// Each output position is a weighted sum of input positions, channel by channel.
pub(crate) struct Mixed {
    /// One over all axes, or one along each, whichever has fewer terms.
    steps: Vec<Sums>,
    map: PositionMap,
    /// The node whose mask the inputs have.
    before: Option<usize>,
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

impl Sum {
    fn new(terms: Vec<(usize, f64)>) -> Self {
        let first = terms.first().map_or(0.0, |&(_, weight)| weight);
        let alike = terms.iter().all(|&(_, weight)| weight == first);
        Self {
            terms,
            shared: alike.then_some(first),
        }
    }
}

impl Mixed {
    /// `before` says which node gives the inputs.
    pub(crate) fn new(map: &PositionMap, before: Option<usize>) -> Self {
        Self {
            steps: Self::steps(map),
            map: map.clone(),
            before,
        }
    }

    fn steps(map: &PositionMap) -> Vec<Sums> {
        let Some(axes) = map.axes() else {
            let steps = map.matrix().map(|map| Sums::new(1, map, 1));
            return steps.into_iter().collect();
        };
        let terms = |axis: &AxisMap| axis.rows().iter().map(Vec::len).sum::<usize>();
        let mut sizes = map.inputs();
        let mut steps = Vec::new();
        let mut one_by_one = 0;
        for (axis, along) in axes.iter().enumerate() {
            let [before, after] = [&sizes[..axis], &sizes[axis + 1..]].map(|s| s.iter().product());
            one_by_one += before * terms(along) * after;
            steps.push(Sums::new(before, along, after));
            sizes[axis] = along.rows().len();
        }
        if axes.iter().map(terms).product::<usize>() <= one_by_one {
            let mut joint = steps.drain(..);
            let first = joint.next().expect("there are axes");
            let all = joint.fold(first, |all, next| next.after(&all));
            return vec![all];
        }
        steps
    }

    fn apply<T: Real>(&self, x: Array2<T>) -> Array2<T> {
        self.steps.iter().fold(x, |x, sums| sums.apply(&x))
    }

    /// Returns the number of outputs of one sample.
    fn outputs(&self) -> usize {
        self.map.outputs().iter().product()
    }

    /// Returns what means over positions are multiplied by, one number for each output, so that they leave
    /// out masked ones.
    fn means<T: Real>(&self, mask: ArrayView2<'_, bool>) -> Option<Array2<T>> {
        let mut all = Vec::with_capacity(mask.nrows() * self.outputs());
        for row in mask.rows() {
            let factors = self.map.masked_means(&row.to_vec())?;
            all.extend(factors.into_iter().map(T::of));
        }
        Some(Array2::from_shape_vec((all.len(), 1), all).expect("one for each output"))
    }
}

impl Sums {
    /// Makes the sums along one axis, with so many positions before and after it.
    fn new(before: usize, map: &AxisMap, after: usize) -> Self {
        let mut outputs = Vec::with_capacity(before * map.rows().len() * after);
        for start in 0..before {
            for row in map.rows() {
                outputs.extend((0..after).map(|rest| {
                    let place = |at| (start * map.inputs() + at) * after + rest;
                    Sum::new(
                        row.iter()
                            .map(|&(at, weight)| (place(at), weight))
                            .collect(),
                    )
                }));
            }
        }
        Self {
            inputs: before * map.inputs() * after,
            outputs,
        }
    }

    /// Makes of these sums of others' outputs sums of the others' inputs.
    fn after(&self, first: &Self) -> Self {
        let outputs = self.outputs.iter().map(|sum| {
            let terms = sum.terms.iter().flat_map(|&(at, by)| {
                let inner = first.outputs[at].terms.iter();
                inner.map(move |&(at, weight)| (at, by * weight))
            });
            Sum::new(terms.collect())
        });
        Self {
            inputs: first.inputs,
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
    fn forward(
        &self,
        _: &Theta<'_, T>,
        x: Array2<T>,
        pass: ForwardPass<'_>,
    ) -> (Array2<T>, Saved<T>) {
        let mask = pass.mask(
            self.before,
            x.nrows() / self.map.inputs().iter().product::<usize>(),
        );
        let mut z = self.apply(x);
        let Some(means) = mask.and_then(|mask| self.means(mask)) else {
            return (z, Saved::NOTHING);
        };
        times_rows(&mut z, &means, self.outputs());
        (z, Saved::own([means]))
    }

    fn adjoint(
        &self,
        _: &Theta<'_, T>,
        saved: &Saved<T>,
        mut signal: Array2<T>,
        _: bool,
        _: &mut Visit<'_, T>,
    ) -> Array2<T> {
        if let Some(means) = saved.own.first() {
            times_rows(&mut signal, means, self.outputs());
        }
        let steps = self.steps.iter().rev();
        steps.fold(signal, |signal, sums| sums.spread(&signal))
    }

    fn tangent(
        &self,
        _: &Theta<'_, T>,
        saved: &Saved<T>,
        dx: Option<Array2<T>>,
        _: Option<&Theta<'_, T>>,
    ) -> Option<Array2<T>> {
        let mut dz = self.apply(dx?);
        if let Some(means) = saved.own.first() {
            times_rows(&mut dz, means, self.outputs());
        }
        Some(dz)
    }
}
