//! The Jacobian itself.

use crate::compiled::Scalar;
use crate::finite;
use crate::model::{Model, ModelError, check_memory, saturating};
use ndarray::{Array2, s};
use ntk_kernels::Inputs;

impl<T: Scalar> Model<T> {
    /// Computes the derivative of every output by every parameter, (n outputs, parameters): row =
    /// sample * outputs + output, columns the parameters one after another, each row by row.
    ///
    /// Memory: n * outputs * [`Model::parameter_count`] numbers.
    ///
    /// # Errors
    /// [`ModelError`] where samples have another shape than the model takes, the Jacobian needs more
    /// memory than there is, or a derivative is not finite.
    pub fn jacobian<'x>(&self, x: impl Into<Inputs<'x, T>>) -> Result<Array2<T>, ModelError> {
        let x = x.into();
        finite::jacobian(self, &x, T::jacobian(self, x.view())?)
    }
}

/// [`Model::jacobian`].
pub(crate) fn jacobian<T: Scalar>(
    model: &Model<T>,
    x: Inputs<'_, T>,
) -> Result<Array2<T>, ModelError> {
    let n = model.samples(&x)?;
    let (outputs, parameters) = (model.outputs(), model.parameter_count());
    check_memory(saturating([n, outputs, parameters, size_of::<T>()]))?;
    let mut jacobian = Array2::zeros((n * outputs, parameters));
    for sample in 0..n {
        let x = x.slice(sample..sample + 1).expect("one of n samples");
        for output in 0..outputs {
            let mut cotangent = Array2::zeros((1, outputs));
            cotangent[[0, output]] = T::one();
            let mut row = jacobian.row_mut(sample * outputs + output);
            let mut start = 0;
            for part in T::vjp(model, x.view(), cotangent.view())? {
                let end = start + part.len();
                row.slice_mut(s![start..end])
                    .iter_mut()
                    .zip(&part)
                    .for_each(|(to, from)| *to = *from);
                start = end;
            }
        }
    }
    Ok(jacobian)
}
