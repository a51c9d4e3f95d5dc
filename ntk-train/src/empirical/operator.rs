//! The full empirical kernel as an operator, without its matrix.

use crate::compiled::Scalar;
use crate::model::{Model, ModelError};
use ndarray::{Array2, ArrayView, ArrayView2, ArrayViewD, Axis, RemoveAxis};
use ntk_entropy::stochastic::Operator;

/// The full empirical NTK (n o, n o) of a network with o outputs over n samples, rows numbered by
/// sample and then output, by its products: what [`ntk_entropy::stochastic`] estimates entropies
/// from where the matrix would be too large.
pub struct NtkOperator<'a, T: Scalar, D> {
    model: &'a Model<T>,
    x: ArrayView<'a, T, D>,
}

impl<'a, T: Scalar, D: RemoveAxis> NtkOperator<'a, T, D> {
    /// Of the samples `x` (n, ...).
    pub fn new(model: &'a Model<T>, x: ArrayView<'a, T, D>) -> Self {
        Self { model, x }
    }
}

/// A product with k vectors costs k of [`Model::ntk_product`], six forward passes each.
impl<T: Scalar, D: RemoveAxis> Operator<T> for NtkOperator<'_, T, D> {
    type Error = ModelError;

    fn order(&self) -> usize {
        self.x.len_of(Axis(0)) * self.model.outputs()
    }

    fn product(&self, v: ArrayView2<'_, T>) -> Result<Array2<T>, ModelError> {
        T::operator_product(self.model, self.x.view().into_dyn(), v)
    }
}

/// The kernel over `x` times the columns of `v`.
pub(crate) fn product<T: Scalar>(
    model: &Model<T>,
    x: ArrayViewD<'_, T>,
    v: ArrayView2<'_, T>,
) -> Result<Array2<T>, ModelError> {
    let shape = (x.len_of(Axis(0)), model.outputs());
    let mut product = Array2::zeros(v.raw_dim());
    for (v, mut to) in v.columns().into_iter().zip(product.columns_mut()) {
        let v = v.to_shape(shape).expect("as many rows as the order");
        let kv = model.ntk_product(x.view(), v.view())?;
        to.iter_mut().zip(&kv).for_each(|(to, &kv)| *to = kv);
    }
    Ok(product)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Init;
    use crate::empirical::Trace;
    use crate::testing::{images, networks, vectors};
    use ntk_entropy::stochastic::{EstimateError, Settings, entropy, trace};
    use ntk_entropy::{Normalization, Spectrum, von_neumann};

    #[test]
    fn products_and_entropy_are_those_of_the_matrix() {
        for (name, network, input) in networks().into_iter().take(3) {
            let model = Model::<f64>::new(&network, &input, Init::default(), 3).unwrap();
            let x = images(&input, 6, 1);
            let operator = NtkOperator::new(&model, x.view());
            let k = model.ntk(x.view(), None, Trace::Full, &()).unwrap();
            assert_eq!(operator.order(), k.nrows());
            let v = vectors(k.nrows(), 3, 2);
            let (ours, plain) = (operator.product(v.view()).unwrap(), k.dot(&v));
            let scale = plain.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            let far = (&ours - &plain).iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            // Sums over parameters and samples in another order.
            assert!(far <= 1e-12 * scale, "{name}: {far:e}");
            // The subspace is the whole space: nothing is left to probes.
            let found = entropy(&operator, &Settings::default()).unwrap();
            let spectrum = Spectrum::of_kernel(k.view(), Normalization::Trace).unwrap();
            let exact = von_neumann::entropy(&spectrum);
            assert!(
                (found.value - exact).abs() <= 1e-9,
                "{name}: {found:?} {exact}"
            );
            let found = trace(&operator, &Settings::default()).unwrap().value;
            assert!((found - k.diag().sum()).abs() <= 1e-11 * found, "{name}");
        }
    }

    #[test]
    fn samples_of_another_shape_are_an_error() {
        let (_, network, input) = networks().swap_remove(0);
        let model = Model::<f64>::new(&network, &input, Init::default(), 3).unwrap();
        let x = vectors(4, 7, 1);
        let operator = NtkOperator::new(&model, x.view());
        let error = entropy(&operator, &Settings::default()).unwrap_err();
        assert!(matches!(error, EstimateError::Product(_)), "{error}");
    }
}
