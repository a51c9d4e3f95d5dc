//! Elementwise nonlinearities.

use super::{FiniteLayer, ForwardPass, Saved, Theta, Visit, flat_mut, positions, times};
use ndarray::Array2;
use ntk_kernels::dual::Activation;
use ntk_kernels::network::Shape;
use ntk_linalg::Real;

/// `f` of every value; keeps the slopes.
pub(crate) struct Elementwise {
    activation: Activation,
    /// Rows of one sample.
    positions: usize,
}

impl Elementwise {
    pub(crate) fn new(activation: &Activation, shape: &Shape) -> Self {
        Self {
            positions: positions(shape),
            ..Self::alone(activation)
        }
    }

    /// Makes it for samples of one row.
    pub(super) fn alone(activation: &Activation) -> Self {
        Self {
            activation: activation.clone(),
            positions: 1,
        }
    }

    /// Replaces values by `f` of them, and `slopes`, where there are any, by `f'`.
    pub(super) fn apply<T: Real>(&self, values: &mut Array2<T>, slopes: Option<&mut Array2<T>>) {
        let (values, slopes) = (flat_mut(values), slopes.map(flat_mut));
        match (&self.activation, slopes) {
            (Activation::AbRelu(f), slopes) => {
                let (a, b) = (T::of(f.a), T::of(f.b));
                let slope = |z: T| if z > T::zero() { b } else { a };
                if let Some(slopes) = slopes {
                    for (d, &z) in slopes.iter_mut().zip(&*values) {
                        *d = slope(z);
                    }
                }
                for z in values {
                    *z *= slope(*z);
                }
            }
            (f, slopes) => {
                let at = |z: T| f.at(Real::to_f64(z)).unwrap_or((f64::NAN, f64::NAN));
                match slopes {
                    Some(slopes) => {
                        for (z, d) in values.iter_mut().zip(slopes) {
                            let (value, slope) = at(*z);
                            (*z, *d) = (T::of(value), T::of(slope));
                        }
                    }
                    None => values.iter_mut().for_each(|z| *z = T::of(at(*z).0)),
                }
            }
        }
    }
}

impl<T: Real> FiniteLayer<T> for Elementwise {
    fn forward(
        &self,
        _: &Theta<'_, T>,
        mut x: Array2<T>,
        pass: ForwardPass<'_>,
    ) -> (Array2<T>, Saved<T>) {
        if pass.save {
            let mut slopes = Array2::zeros(x.raw_dim());
            self.apply(&mut x, Some(&mut slopes));
            (x, Saved::own([slopes]))
        } else {
            self.apply(&mut x, None);
            (x, Saved::NOTHING)
        }
    }

    fn adjoint(
        &self,
        _: &Theta<'_, T>,
        saved: &Saved<T>,
        mut signal: Array2<T>,
        _: bool,
        _: &mut Visit<'_, T>,
    ) -> Array2<T> {
        times(&mut signal, &saved.own[0], self.positions);
        signal
    }

    fn tangent(
        &self,
        _: &Theta<'_, T>,
        saved: &Saved<T>,
        dx: Option<Array2<T>>,
        _: Option<&Theta<'_, T>>,
    ) -> Option<Array2<T>> {
        dx.map(|dx| dx * &saved.own[0])
    }
}
