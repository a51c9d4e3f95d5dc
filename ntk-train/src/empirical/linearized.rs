//! The network's first-order expansion in its parameters.

use crate::model::{Model, ModelError};
use crate::tensor::Scalar;
use ndarray::{Array2, ArrayView, RemoveAxis};

/// `f(x) + df(x)/dtheta (theta - theta_0)`: the model's outputs as if it were linear in its
/// parameters around their present values (Lee et al. 2019, arXiv:1902.06720, eq. 5).
pub struct Linearized<'a, T: Scalar> {
    model: &'a Model<T>,
    change: Vec<Array2<T>>,
}

impl<T: Scalar> Model<T> {
    /// The linearised network at the model's parameters.
    #[must_use]
    pub fn linearize(&self) -> Linearized<'_, T> {
        Linearized {
            model: self,
            change: self.zeros(),
        }
    }
}

impl<T: Scalar> Linearized<'_, T> {
    /// `theta - theta_0`, to be trained.
    pub fn change_mut(&mut self) -> &mut [Array2<T>] {
        &mut self.change
    }

    /// Outputs (n, outputs) of inputs (n, ...).
    ///
    /// # Errors
    /// [`ModelError`] where shapes do not fit.
    pub fn forward<D: RemoveAxis>(&self, x: ArrayView<'_, T, D>) -> Result<Array2<T>, ModelError> {
        let change: Vec<_> = self.change.iter().map(|c| c.view()).collect();
        let (outputs, tangent) = self.model.jvp(x, &change)?;
        Ok(outputs + tangent)
    }
}
