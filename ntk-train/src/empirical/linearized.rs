//! The network's first-order expansion in its parameters.

use crate::compiled::Scalar;
use crate::model::{Model, ModelError};
use ndarray::Array2;
use ntk_kernels::Inputs;

/// A `Linearized` network has the outputs that a model would have if it were linear in its
/// parameters around their present values, `f(x) + df(x)/dtheta (theta - theta_0)` (Lee et al.
/// 2019, arXiv:1902.06720, eq. 5).
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::network::{Network, dense, relu};
/// use ntk_train::{Init, Model};
///
/// let network = Network::new().then(dense().width(8)).then(relu()).then(dense().width(1));
/// let model = Model::new(&network, 2, Init::default(), 0)?;
/// let x = array![[1.0, 2.0], [0.5, -1.0]];
/// let mut linear = model.linearize();
/// assert_eq!(linear.forward(&x)?, model.forward(&x)?);
///
/// // A step of gradient descent along f(x_0) moves the outputs by the kernel.
/// let gradient = model.vjp(&x, &array![[1.0], [0.0]])?;
/// for (change, gradient) in linear.change_mut().iter_mut().zip(&gradient) {
///     *change -= gradient;
/// }
/// let moved: f64 = (model.forward(&x)? - linear.forward(&x)?)[[1, 0]];
/// assert!((moved - model.ntk(&x)?[[1, 0]]).abs() < 1e-12);
/// # Ok::<(), ntk_train::Error>(())
/// ```
pub struct Linearized<'a, T: Scalar> {
    model: &'a Model<T>,
    change: Vec<Array2<T>>,
}

impl<T: Scalar> Model<T> {
    /// Returns the network linearised at the model's parameters.
    #[must_use]
    pub fn linearize(&self) -> Linearized<'_, T> {
        Linearized {
            model: self,
            change: self.zeros(),
        }
    }
}

impl<T: Scalar> Linearized<'_, T> {
    /// Returns `theta - theta_0`, zero at first, to be trained.
    pub fn change_mut(&mut self) -> &mut [Array2<T>] {
        &mut self.change
    }

    /// Computes the outputs (n, outputs) of inputs (n, ...).
    ///
    /// # Errors
    /// [`ModelError`] where shapes do not fit.
    pub fn forward<'x>(&self, x: impl Into<Inputs<'x, T>>) -> Result<Array2<T>, ModelError> {
        T::linearized_forward(self, x.into())
    }
}

/// [`Linearized::forward`].
pub(crate) fn forward<T: Scalar>(
    linear: &Linearized<'_, T>,
    x: Inputs<'_, T>,
) -> Result<Array2<T>, ModelError> {
    let change: Vec<_> = linear.change.iter().map(|c| c.view()).collect();
    let (outputs, tangent) = T::jvp(linear.model, x, &change)?;
    Ok(outputs + tangent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Init, Loss};
    use ndarray::{Axis, s};
    use ntk_kernels::network::{Network, dense, erf};
    use ntk_kernels::predict::Flow;

    /// The flow in function space is the limit of gradient descent in the parameters.
    #[test]
    fn small_steps_follow_the_flow_of_its_kernel() {
        let network = Network::new()
            .then(dense().width(7).b_std(0.3))
            .then(erf(1.0, 1.0, 0.0))
            .then(dense().width(2));
        let model = Model::<f64>::new(&network, 3, Init::default(), 1).unwrap();
        let all = Array2::from_shape_fn((11, 3), |(i, j)| ((5 * i + 3 * j) as f64).sin());
        let (x, other) = (all.slice(s![..8, ..]), all.slice(s![8.., ..]));
        let y = Array2::from_shape_fn((8, 2), |(i, a)| if (i + a) % 2 == 0 { 1.0 } else { -1.0 });
        let labels = y.mapv(|y| (1.0 + y) / 2.0);
        let k_dd = model.kernel_fn().full().ntk(&x).unwrap();
        let k_td = model.kernel_fn().full().ntk_between(&other, &x).unwrap();
        let (f0, f0_other) = (model.forward(&x).unwrap(), model.forward(&other).unwrap());
        let time = 30.0;
        for (loss, y) in [
            (Loss::HalfMeanSquare, &y),
            (Loss::QuadraticHinge { margin: 0.5 }, &y),
            (Loss::CrossEntropy, &labels),
        ] {
            let flow = Flow::new(&k_dd, y, loss).unwrap();
            let flow = flow.tolerance(1e-9, 1e-9).unwrap();
            let flow = flow.initial_outputs(&f0).unwrap();
            let mut state = flow.start();
            let path = flow.solve(&mut state, &[time]).unwrap();
            let path_other = path.test_from(&f0_other, &k_td).unwrap();
            let limits = [
                path.train.index_axis(Axis(0), 0),
                path_other.index_axis(Axis(0), 0),
            ];

            let gaps = |rate: f64| {
                let mut linear = model.linearize();
                for _ in 0..(time / rate).round() as usize {
                    let outputs = linear.forward(&x).unwrap();
                    let (_, signal) = loss.with_gradient(&outputs, y).unwrap();
                    let gradient = model.vjp(&x, &signal).unwrap();
                    for (change, gradient) in linear.change_mut().iter_mut().zip(gradient) {
                        change.scaled_add(-rate, &gradient);
                    }
                }
                let ends = [linear.forward(&x).unwrap(), linear.forward(&other).unwrap()];
                let both = ends.iter().zip(&limits);
                both.map(|(end, limit)| {
                    (end - limit)
                        .mapv(f64::abs)
                        .fold(0.0, |a: f64, &b| a.max(b))
                })
                .fold(0.0, f64::max)
            };
            let [coarse, fine] = [0.1, 0.05].map(gaps);
            // First order in the step.
            assert!(coarse < 0.02, "{loss:?}: {coarse}");
            assert!(
                (1.6..2.6).contains(&(coarse / fine)),
                "{loss:?}: {coarse} {fine}"
            );
        }
    }
}
