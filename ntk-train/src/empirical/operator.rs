//! The full empirical kernel as an operator, without its matrix.

use crate::compiled::Scalar;
use crate::model::{Model, ModelError};
use ndarray::{Array2, ArrayRef2, ArrayView2, Axis};
use ntk_entropy::stochastic::Operator;
use ntk_kernels::Inputs;

/// An `NtkOperator` is the full empirical NTK (n o, n o) of a network with o outputs over n
/// samples, rows numbered by sample and then output, known by its products:
/// [`ntk_entropy::stochastic`] estimates entropies from it where the matrix would be too large.
pub struct NtkOperator<'a, T: Scalar> {
    model: &'a Model<T>,
    x: Inputs<'a, T>,
}

impl<'a, T: Scalar> NtkOperator<'a, T> {
    /// Makes the kernel of a model over the samples `x` (n, ...).
    ///
    /// # Errors
    /// [`ModelError::Input`] where samples have another shape than the model takes,
    /// [`ModelError::Structure`] where masks or graphs are not theirs.
    pub fn new(model: &'a Model<T>, x: impl Into<Inputs<'a, T>>) -> Result<Self, ModelError> {
        let x = x.into();
        model.samples(&x)?;
        Ok(Self { model, x })
    }
}

/// A product with k vectors costs k of [`Model::ntk_product`], six forward passes each.
impl<T: Scalar> Operator<T> for NtkOperator<'_, T> {
    type Error = ModelError;

    fn order(&self) -> usize {
        self.x.x.len_of(Axis(0)) * self.model.outputs()
    }

    fn product(&self, v: &ArrayRef2<T>) -> Result<Array2<T>, ModelError> {
        if v.nrows() != self.order() {
            return Err(ModelError::Targets {
                expected: (self.order(), v.ncols()),
                found: v.dim(),
            });
        }
        T::operator_product(self.model, self.x.view(), v.view())
    }
}

/// Multiplies the kernel over `x` by the columns of `v`.
pub(crate) fn product<T: Scalar>(
    model: &Model<T>,
    x: Inputs<'_, T>,
    v: ArrayView2<'_, T>,
) -> Result<Array2<T>, ModelError> {
    let shape = (x.x.len_of(Axis(0)), model.outputs());
    let mut product = Array2::zeros(v.raw_dim());
    for (v, mut to) in v.columns().into_iter().zip(product.columns_mut()) {
        let v = v.to_shape(shape).expect("as many rows as the order");
        let kv = T::ntk_product(model, x.view(), v.view())?;
        to.iter_mut().zip(&kv).for_each(|(to, &kv)| *to = kv);
    }
    Ok(product)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Init;
    use crate::testing::{images, networks, samples, structures, vectors};
    use ntk_entropy::stochastic::Estimator;
    use ntk_entropy::{Spectrum, von_neumann};

    #[test]
    fn products_and_entropy_are_those_of_the_matrix() {
        for (name, network, input) in networks().into_iter().take(3) {
            let model = Model::<f64>::new(&network, &input, Init::default(), 3).unwrap();
            let x = images(&input, 6, 1);
            let operator = NtkOperator::new(&model, &x).unwrap();
            let k = model.kernel_fn().full().ntk(&x).unwrap();
            assert_eq!(operator.order(), k.nrows());
            let v = vectors(k.nrows(), 3, 2);
            let (ours, plain) = (operator.product(&v).unwrap(), k.dot(&v));
            let scale = plain.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            let far = (&ours - &plain).iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            // Sums over parameters and samples in another order.
            assert!(far <= 1e-12 * scale, "{name}: {far:e}");
            // The subspace is the whole space: nothing is left to probes.
            let found = Estimator::default().entropy(&operator).unwrap();
            let spectrum = Spectrum::of(&k).unwrap();
            let exact = von_neumann::entropy(&spectrum);
            assert!(
                (found.value - exact).abs() <= 1e-9,
                "{name}: {found:?} {exact}"
            );
            let found = Estimator::default().trace(&operator).unwrap().value;
            assert!((found - k.diag().sum()).abs() <= 1e-11 * found, "{name}");
        }
    }

    /// Of every network, with masks and graphs: by the reference, whole Jacobians.
    #[test]
    fn products_are_those_of_masked_samples_and_graphs() {
        for (name, network, input) in networks() {
            let model = Model::<f64>::new(&network, &input, Init::default(), 3).unwrap();
            let x = samples(&network, &input, 5, 1);
            for structure in structures(&network, &input, 5, 4) {
                let k = model.kernel_fn().by_contraction().full();
                let k = k.structure(&structure).ntk(&x).unwrap();
                let inputs = Inputs::new(&x).structure(&structure);
                let operator = NtkOperator::new(&model, inputs).unwrap();
                let v = vectors(k.nrows(), 2, 2);
                let (ours, plain) = (operator.product(&v).unwrap(), k.dot(&v));
                let scale = plain.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
                let far = (&ours - &plain).iter().fold(0.0_f64, |m, v| m.max(v.abs()));
                assert!(far <= 1e-12 * scale, "{name}: {far:e} of {scale:e}");
                if !structure.is_empty() {
                    let fewer = structure.select(&[0, 2]).unwrap();
                    let wrong = NtkOperator::new(&model, Inputs::new(&x).structure(&fewer));
                    assert!(
                        matches!(wrong.err(), Some(ModelError::Structure(_))),
                        "{name}"
                    );
                }
            }
        }
    }

    #[test]
    fn samples_of_another_shape_are_an_error() {
        let (_, network, input) = networks().swap_remove(0);
        let model = Model::<f64>::new(&network, &input, Init::default(), 3).unwrap();
        let x = vectors(4, 7, 1);
        assert!(NtkOperator::new(&model, &x).is_err());
        let x = images(&input, 4, 1);
        let operator = NtkOperator::new(&model, &x).unwrap();
        assert!(operator.product(&vectors(3, 2, 1)).is_err());
    }
}
