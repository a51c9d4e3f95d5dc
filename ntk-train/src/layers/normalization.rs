//! Layer normalisation.

use super::{
    FiniteLayer, ForwardPass, Saved, Theta, Visit, flat, flat_mut, groups, kept, positions,
};
use ndarray::Array2;
use ntk_kernels::network::Shape;
use ntk_linalg::Real;
use std::borrow::Cow;

/// `y = (x - mean) / sqrt(variance + eps)` over groups of positions and all channels.
pub(crate) struct Normalization {
    eps: f64,
    positions: usize,
    /// The positions of each group; every position is in one.
    groups: Vec<Vec<usize>>,
    /// The node whose mask the inputs have.
    before: Option<usize>,
}

impl Normalization {
    /// `over` says which of the shape's axes of positions are normalised over, `before` which node gives
    /// the inputs.
    pub(crate) fn new(eps: f64, shape: &Shape, over: &[bool], before: Option<usize>) -> Self {
        let groups = groups(shape, over);
        Self {
            eps,
            positions: positions(shape),
            groups,
            before,
        }
    }

    /// Returns the positions of a group that are not masked in a sample.
    fn open<'g, T: Real>(
        &self,
        group: &'g [usize],
        sample: usize,
        open: &Array2<T>,
    ) -> Cow<'g, [usize]> {
        if open.is_empty() {
            return group.into();
        }
        let rows = &flat(open)[sample * self.positions..];
        let left = group.iter().copied().filter(|&at| rows[at] > T::zero());
        left.collect::<Vec<_>>().into()
    }

    /// The derivative, which is its own transpose: `(g - mean(g) - y mean(g y)) / deviation`.
    fn derivative<T: Real>(&self, saved: &Saved<T>, mut signal: Array2<T>) -> Array2<T> {
        let [y, inverse, open] = &saved.own[..] else {
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
        for (sample, (signal, (y, inverse))) in of_sample.zip(known).enumerate() {
            let groups: Vec<_> = self
                .groups
                .iter()
                .map(|g| self.open(g, sample, open))
                .collect();
            for signal in signal.chunks_exact_mut(size) {
                for (group, &inverse) in groups.iter().zip(inverse) {
                    let count = (group.len() * channels) as f64;
                    let inverse = Real::to_f64(inverse);
                    let (mut mean, mut along) = (0.0, 0.0);
                    for &at in group.iter() {
                        let at = at * channels..(at + 1) * channels;
                        for (&g, &y) in signal[at.clone()].iter().zip(&y[at]) {
                            let g = Real::to_f64(g);
                            mean += g;
                            along += g * Real::to_f64(y);
                        }
                    }
                    (mean, along) = (mean / count, along / count);
                    for &at in group.iter() {
                        let at = at * channels..(at + 1) * channels;
                        for (g, &y) in signal[at.clone()].iter_mut().zip(&y[at]) {
                            let left = Real::to_f64(*g) - mean - Real::to_f64(y) * along;
                            *g = T::of(left * inverse);
                        }
                    }
                }
            }
        }
        signal
    }
}

/// The mean of a group of values, and the inverse of their standard deviation.
struct Spread {
    /// The mean, rounded.
    mean: f64,
    /// What rounding left of it.
    rest: f64,
    inverse: f64,
}

impl Spread {
    /// Computes the mean and deviation of `count` values, `eps` added to the variance.
    fn of<I: Iterator<Item = f64>>(values: impl Fn() -> I, count: f64, eps: f64) -> Self {
        let mean = values().sum::<f64>() / count;
        // The mean of what is left takes back the rounding of a large offset, so that a constant
        // is its own mean.
        let rest = values().map(|v| v - mean).sum::<f64>() / count;
        let left = || values().map(|v| v - mean - rest);
        let variance = |unit: f64| left().map(|v| (v / unit).powi(2)).sum::<f64>() / count;
        let (plain, largest) = (variance(1.0), || {
            left().fold(0.0, |m: f64, v| m.max(v.abs()))
        });
        let root = if plain.is_normal() {
            (plain + eps).sqrt()
        } else {
            // The squares are beyond f64, or all are zero.
            let unit = largest();
            match unit > 0.0 && unit.is_finite() {
                true => unit * (variance(unit) + eps / unit / unit).sqrt(),
                false => (plain + eps).sqrt(),
            }
        };
        // A constant sample without eps: zeros, as in the infinite-width limit.
        let inverse = if root > 0.0 { root.recip() } else { 0.0 };
        Self {
            mean,
            rest,
            inverse,
        }
    }

    fn normalized(&self, value: f64) -> f64 {
        (value - self.mean - self.rest) * self.inverse
    }
}

impl<T: Real> FiniteLayer<T> for Normalization {
    fn forward(
        &self,
        _: &Theta<'_, T>,
        mut x: Array2<T>,
        pass: ForwardPass<'_>,
    ) -> (Array2<T>, Saved<T>) {
        let channels = x.ncols();
        let samples = x.nrows() / self.positions;
        let mask = pass.mask(self.before, samples);
        let open = mask.map_or_else(|| Array2::zeros((0, 0)), kept);
        let mut inverses = Array2::zeros((samples, self.groups.len()));
        let of_sample = flat_mut(&mut x).chunks_exact_mut((self.positions * channels).max(1));
        for (sample, (x, mut inverses)) in of_sample.zip(inverses.rows_mut()).enumerate() {
            for (group, inverse) in self.groups.iter().zip(&mut inverses) {
                let group = self.open(group, sample, &open);
                if group.is_empty() {
                    continue;
                }
                let values = || {
                    let rows = group
                        .iter()
                        .flat_map(|&at| &x[at * channels..(at + 1) * channels]);
                    rows.map(|&v| Real::to_f64(v))
                };
                let spread = Spread::of(values, (group.len() * channels) as f64, self.eps);
                for &at in group.iter() {
                    for v in &mut x[at * channels..(at + 1) * channels] {
                        *v = T::of(spread.normalized(Real::to_f64(*v)));
                    }
                }
                *inverse = T::of(spread.inverse);
            }
        }
        let saved = match pass.save {
            true => Saved::own([x.clone(), inverses, open]),
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

#[cfg(test)]
mod tests {
    use crate::{Init, Model};
    use ndarray::{Array2, array};
    use ntk_kernels::network::{Network, dense, erf, layer_norm};
    use ntk_linalg::Real;
    use proptest::prelude::*;

    fn normalized<T: crate::compiled::Scalar>(x: &Array2<T>, eps: f64) -> Array2<T> {
        let network = Network::new()
            .then(layer_norm().eps(eps))
            .then(dense().width(1));
        let model = Model::<T>::new(&network, x.ncols(), Init::default(), 0).unwrap();
        let first = model.activations(x).unwrap().swap_remove(0);
        first.into_dimensionality().unwrap()
    }

    /// By hand: `0, 1, ..., 31` has the mean 15.5 and the variance (32^2 - 1) / 12 = 85.25.
    #[test]
    fn large_offsets_and_constants() {
        for offset in [0.0, 100.0, 6.3e6_f32, -8.0e6] {
            let x = Array2::from_shape_fn((1, 32), |(_, j)| offset + j as f32);
            for (j, &found) in normalized(&x, 1e-5).iter().enumerate() {
                let exact = (j as f64 - 15.5) / (85.25_f64 + 1e-5).sqrt();
                assert!(
                    (f64::from(found) - exact).abs() <= 1.2e-7,
                    "{offset} {j}: {found}"
                );
            }
        }
        for value in [0.1_f32, 1e20, -3.3e-30, 1.0 / 3.0] {
            for eps in [0.0, 1e-5] {
                let x = Array2::from_elem((2, 31), value);
                assert_eq!(normalized(&x, eps), Array2::<f32>::zeros((2, 31)));
                let x = x.mapv(|v| f64::from(v) / 3.0);
                assert_eq!(normalized(&x, eps), Array2::<f64>::zeros((2, 31)));
            }
        }
        // Squares beyond the range of f64, and below it.
        for size in [1e200, 1e-200] {
            let found = normalized(&array![[size, -size, size, -size]], 0.0);
            assert_eq!(found, array![[1.0, -1.0, 1.0, -1.0]]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Values and derivatives in f32 are those in f64, however far from zero the samples are.
        #[test]
        fn f32_is_f64_rounded(
            offset in prop_oneof![Just(0.0), Just(1e3), Just(-1e6), Just(5e6)],
            features in prop_oneof![2..40_usize, 500..2000_usize],
            seed in 0..100_usize,
        ) {
            let x = Array2::from_shape_fn((4, features), |(i, j)| {
                offset + ((i * 37 + j * 101 + seed) % 64) as f32 - 20.0
            });
            let exact_x = x.mapv(f64::from);
            let far = |a: &Array2<f32>, b: &Array2<f64>| {
                let scale = b.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
                let pairs = a.iter().zip(b);
                pairs.fold(0.0_f64, |m, (&a, b)| m.max((Real::to_f64(a) - b).abs())) / scale
            };
            let error = far(&normalized(&x, 1e-5), &normalized(&exact_x, 1e-5));
            prop_assert!(error <= 1.2e-7, "{error}");
            let network = Network::new()
                .then(dense().width(6))
                .then(layer_norm())
                .then(erf(1.0, 1.0, 0.0))
                .then(layer_norm())
                .then(dense().width(2));
            // The first layer loses an offset's digits itself, and so gets none.
            let small = x.mapv(|v| (v - offset) / 64.0);
            let model = Model::<f32>::new(&network, features, Init::default(), 1).unwrap();
            let (found, exact) = (
                model.ntk(&small).unwrap(),
                model.cast::<f64>().ntk(&small.mapv(f64::from)).unwrap(),
            );
            let error = far(&found, &exact);
            prop_assert!(error <= 2e-5, "{error}");
        }
    }
}
