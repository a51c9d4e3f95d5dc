//! Batch normalisation as the fixed map that it is in evaluation.

use super::{FiniteLayer, ForwardPass, Saved, Theta, Visit};
use ndarray::{Array2, ArrayView1};
use ntk_linalg::Real;

/// `y_c = (x_c - mean_c) / sqrt(variance_c + eps)`, with stored means and variances, which are not
/// trained.
pub(crate) struct Standardization {
    eps: f64,
    /// The number of the means among the parameters; the variances come next.
    mean: usize,
}

impl Standardization {
    /// Makes the layer of a node whose first parameter has number `first` among all; where a scale and a
    /// shift follow, they come first.
    pub(crate) fn new(eps: f64, affine: bool, first: usize) -> Self {
        let mean = first + if affine { 2 } else { 0 };
        Self { eps, mean }
    }

    /// Divides each channel by its stored standard deviation.
    fn divide<T: Real>(&self, theta: &Theta<'_, T>, rows: &mut Array2<T>) {
        let inverses = theta[self.mean + 1].row(0).mapv(|variance| {
            let deviation = (Real::to_f64(variance) + self.eps).sqrt();
            T::of(deviation.recip())
        });
        *rows *= &inverses;
    }

    fn means<'t, T>(&self, theta: &Theta<'t, T>) -> ArrayView1<'t, T> {
        theta[self.mean].index_axis_move(ndarray::Axis(0), 0)
    }
}

impl<T: Real> FiniteLayer<T> for Standardization {
    fn forward(
        &self,
        theta: &Theta<'_, T>,
        mut x: Array2<T>,
        _: ForwardPass<'_>,
    ) -> (Array2<T>, Saved<T>) {
        x -= &self.means(theta);
        self.divide(theta, &mut x);
        (x, Saved::NOTHING)
    }

    fn adjoint(
        &self,
        theta: &Theta<'_, T>,
        _: &Saved<T>,
        mut signal: Array2<T>,
        _: bool,
        _: &mut Visit<'_, T>,
    ) -> Array2<T> {
        self.divide(theta, &mut signal);
        signal
    }

    fn tangent(
        &self,
        theta: &Theta<'_, T>,
        _: &Saved<T>,
        dx: Option<Array2<T>>,
        _: Option<&Theta<'_, T>>,
    ) -> Option<Array2<T>> {
        let mut dx = dx?;
        self.divide(theta, &mut dx);
        Some(dx)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Init, Model};
    use ndarray::array;
    use ntk_kernels::network::{Network, batch_norm, dense};

    /// `(x - mean) / sqrt(variance + eps)`, times the scale, plus the shift, channel by channel.
    #[test]
    fn is_the_stored_map() {
        let network = Network::new()
            .then(batch_norm().eps(3.0))
            .then(dense().width(1));
        let mut model = Model::<f64>::new(&network, 2, Init::default(), 0).unwrap();
        let x = array![[5.0, 1.0], [2.0, -3.0]];
        // Nothing is stored at first.
        let first = model.activations(&x).unwrap().swap_remove(0);
        assert_eq!(first, (&x / 2.0).into_dyn());
        let [scale, shift] = [array![[2.0, 3.0]], array![[1.0, 0.0]]];
        let [mean, variance] = [array![[1.0, -1.0]], array![[1.0, 6.0]]];
        let last = array![[1.0], [1.0]];
        model
            .set_parameters(vec![scale, shift, mean, variance, last])
            .unwrap();
        let found = model.activations(&x).unwrap().swap_remove(0);
        assert_eq!(found, array![[5.0, 2.0], [2.0, -2.0]].into_dyn());
    }
}
