//! Empirical kernels of a finite network.

mod factors;
mod jacobian;
mod linearized;
mod monte_carlo;
mod operator;
mod structured;
#[cfg(test)]
mod tests;
mod trace;

pub use linearized::Linearized;
pub use monte_carlo::{Kernel, MonteCarlo, monte_carlo};
pub use ntk_entropy::multi_output::traced;
pub use operator::NtkOperator;
pub(crate) use {
    jacobian::jacobian, linearized::forward as linearized_forward,
    monte_carlo::mean as monte_carlo_mean, operator::product as operator_product, trace::ntk_trace,
};

use crate::compiled::Scalar;
use crate::model::{Model, ModelError};
use ndarray::{Array2, ArrayView, ArrayView2, ArrayViewD, RemoveAxis};
use ntk_linalg::observer::{Cancelled, Observer};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Which entries of the Jacobian's Gram matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trace {
    /// The mean over outputs, `1/o sum_a J_a(x) J_a(x')^T`: shape (n, m).
    #[default]
    Traced,
    /// All pairs of outputs: shape (n o, m o), row = sample * o + output.
    Full,
}

/// Why an empirical kernel could not be computed.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum EmpiricalError {
    /// Shapes do not fit.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl<T: Scalar> Model<T> {
    /// The empirical NTK of `x1` (n, ...) with `x2` (m, ...), or with itself where `x2` is
    /// `None`: `J(x1) J(x2)^T`, `J` the outputs' derivative by all parameters (Jacot et al.
    /// 2018, arXiv:1806.07572, eq. 3), dropout switched off. Symmetric to the last bit with itself.
    ///
    /// By structured derivatives (Novak et al. 2022, arXiv:2206.08720, section 3.3): layer by
    /// layer from its inputs and the signals propagated back to it, in blocks of samples.
    ///
    /// # Errors
    /// [`EmpiricalError`] where shapes do not fit, or `observer` cancels.
    pub fn ntk<D: RemoveAxis>(
        &self,
        x1: ArrayView<'_, T, D>,
        x2: Option<ArrayView<'_, T, D>>,
        trace: Trace,
        observer: &dyn Observer,
    ) -> Result<Array2<T>, EmpiricalError> {
        T::ntk(
            self,
            x1.into_dyn(),
            x2.map(ArrayView::into_dyn),
            trace,
            observer,
        )
    }

    /// [`Model::ntk`] by contraction of whole Jacobians: slow, of memory (n + m) o times the
    /// parameters, and the reference for it.
    ///
    /// # Errors
    /// As [`Model::ntk`].
    pub fn ntk_by_contraction<D: RemoveAxis>(
        &self,
        x1: ArrayView<'_, T, D>,
        x2: Option<ArrayView<'_, T, D>>,
        trace: Trace,
    ) -> Result<Array2<T>, ModelError> {
        T::ntk_by_contraction(self, x1.into_dyn(), x2.map(ArrayView::into_dyn), trace)
    }

    /// `v -> NTK v` for `v` (n, outputs) over the samples of `x`, without the matrix: a
    /// vector-Jacobian and a Jacobian-vector product.
    ///
    /// Cost: six forward passes, whatever n.
    ///
    /// # Errors
    /// [`ModelError`] where shapes do not fit.
    pub fn ntk_product<D: RemoveAxis>(
        &self,
        x: ArrayView<'_, T, D>,
        v: ArrayView2<'_, T>,
    ) -> Result<Array2<T>, ModelError> {
        T::ntk_product(self, x.into_dyn(), v)
    }

    /// The empirical NNGP kernel: `1/o f(x1) f(x2)^T` (n, m) traced, or all pairs of outputs
    /// (n o, m o); `x2` is `x1` where `None`.
    ///
    /// # Errors
    /// [`ModelError`] where shapes do not fit.
    pub fn nngp<D: RemoveAxis>(
        &self,
        x1: ArrayView<'_, T, D>,
        x2: Option<ArrayView<'_, T, D>>,
        trace: Trace,
    ) -> Result<Array2<T>, ModelError> {
        T::nngp(self, x1.into_dyn(), x2.map(ArrayView::into_dyn), trace)
    }
}

/// [`Model::ntk`].
pub(crate) fn ntk<T: Scalar>(
    model: &Model<T>,
    x1: ArrayViewD<'_, T>,
    x2: Option<ArrayViewD<'_, T>>,
    trace: Trace,
    observer: &dyn Observer,
) -> Result<Array2<T>, EmpiricalError> {
    let x1 = model.rows(x1)?;
    let x2 = x2.map(|x2| model.rows(x2)).transpose()?;
    let x2 = x2.as_ref().map(|x2| x2.view());
    structured::ntk(model, x1.view(), x2, trace, observer)
}

/// [`Model::ntk_by_contraction`].
pub(crate) fn ntk_by_contraction<T: Scalar>(
    model: &Model<T>,
    x1: ArrayViewD<'_, T>,
    x2: Option<ArrayViewD<'_, T>>,
    trace: Trace,
) -> Result<Array2<T>, ModelError> {
    let one = model.jacobian(x1)?;
    let two = x2.map(|x2| model.jacobian(x2)).transpose()?;
    let two = two.as_ref().unwrap_or(&one);
    let full = one.dot(&two.t());
    Ok(match trace {
        Trace::Full => full,
        Trace::Traced => {
            traced(full.view(), model.outputs()).expect("sides are samples times outputs")
        }
    })
}

/// [`Model::ntk_product`].
pub(crate) fn ntk_product<T: Scalar>(
    model: &Model<T>,
    x: ArrayViewD<'_, T>,
    v: ArrayView2<'_, T>,
) -> Result<Array2<T>, ModelError> {
    let direction = model.vjp(x.view(), v)?;
    let direction: Vec<_> = direction.iter().map(|d| d.view()).collect();
    Ok(model.jvp(x, &direction)?.1)
}

/// [`Model::nngp`].
pub(crate) fn nngp<T: Scalar>(
    model: &Model<T>,
    x1: ArrayViewD<'_, T>,
    x2: Option<ArrayViewD<'_, T>>,
    trace: Trace,
) -> Result<Array2<T>, ModelError> {
    let one = model.forward(x1)?;
    let two = x2.map(|x2| model.forward(x2)).transpose()?;
    let two = two.as_ref().unwrap_or(&one);
    Ok(match trace {
        Trace::Traced => one.dot(&two.t()) / T::of(model.outputs() as f64),
        Trace::Full => {
            let flat =
                |f: &Array2<T>| Array2::from_shape_vec((f.len(), 1), f.iter().copied().collect());
            let [one, two] = [flat(&one), flat(two)].map(|f| f.expect("as many numbers"));
            one.dot(&two.t())
        }
    })
}
