//! Empirical kernels of a finite network.

mod blocks;
mod factors;
mod jacobian;
mod kernel_fn;
mod linearized;
mod monte_carlo;
mod needs;
mod operator;
mod structured;
#[cfg(test)]
mod tests;
mod tiles;
mod trace;

pub use kernel_fn::EmpiricalKernelFn;
pub use linearized::Linearized;
pub use monte_carlo::{MonteCarlo, MonteCarloMean};
pub use ntk_entropy::multi_output::traced;
pub use operator::NtkOperator;
pub use tiles::EmpiricalTiles;
pub(crate) use {
    jacobian::jacobian, linearized::forward as linearized_forward,
    monte_carlo::mean as monte_carlo_mean, operator::product as operator_product, tiles::tile,
    tiles::tiles, trace::ntk_trace,
};

use crate::compiled::Scalar;
use crate::model::{Model, ModelError, check_memory, saturating};
use crate::rows::Rows;
use ndarray::{Array2, ArrayRef, ArrayRef2, ArrayView2, Dimension};
use ntk_kernels::Inputs;
use ntk_linalg::observer::Observer;
use serde::{Deserialize, Serialize};

/// A `Trace` says which entries of the Jacobian's Gram matrix a kernel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trace {
    /// The mean over outputs, `1/o sum_a J_a(x) J_a(x')^T`: shape (n, m).
    #[default]
    Traced,
    /// All pairs of outputs: shape (n o, m o), row = sample * o + output.
    Full,
}

impl Trace {
    /// Returns how many rows of the kernel a sample has.
    pub(crate) fn side(self, outputs: usize) -> usize {
        match self {
            Self::Traced => 1,
            Self::Full => outputs,
        }
    }
}

impl<T: Scalar> Model<T> {
    /// Computes the empirical NTK of `x` (n, ...) with itself, `1/o sum_a J_a(x) J_a(x)^T` (n, n),
    /// `J_a` the derivative of output a out of o by all parameters (Jacot et al. 2018,
    /// arXiv:1806.07572, eq. 3), dropout switched off. It is symmetric to the last bit.
    ///
    /// It is computed by structured derivatives (Novak et al. 2022, arXiv:2206.08720, section
    /// 3.3): layer by layer from its inputs and the signals propagated back to it, in blocks of
    /// samples. [`Model::kernel_fn`] has the kernel of all pairs of outputs, and an observer.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::network::{Network, dense};
    /// use ntk_train::{Init, Model};
    ///
    /// // f = w . x / sqrt(4), whose derivative by w is x / 2.
    /// let network = Network::new().then(dense().width(1));
    /// let model = Model::<f64>::new(&network, 4, Init::default(), 0)?;
    /// let x = array![[2.0, 0.0, 0.0, 0.0], [1.0, 3.0, 1.0, 1.0]];
    /// assert_eq!(model.ntk(&x)?, array![[1.0, 0.5], [0.5, 3.0]]); // x x^T / 4
    /// # Ok::<(), ntk_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ModelError::Input`] where samples have another shape than the model takes.
    pub fn ntk<D: Dimension>(&self, x: &ArrayRef<T, D>) -> Result<Array2<T>, ModelError> {
        self.kernel_fn().ntk(x)
    }

    /// Computes the empirical NTK of `x1` (n, ...) with `x2` (m, ...), (n, m), as [`Model::ntk`].
    ///
    /// # Errors
    /// [`ModelError::Input`] where samples have another shape than the model takes.
    pub fn ntk_between<D: Dimension, E: Dimension>(
        &self,
        x1: &ArrayRef<T, D>,
        x2: &ArrayRef<T, E>,
    ) -> Result<Array2<T>, ModelError> {
        self.kernel_fn().ntk_between(x1, x2)
    }

    /// Computes the empirical NNGP kernel of `x` (n, ...) with itself, `1/o f(x) f(x)^T` (n, n) of
    /// outputs f (n, o), dropout switched off.
    ///
    /// # Errors
    /// [`ModelError::Input`] where samples have another shape than the model takes.
    pub fn nngp<D: Dimension>(&self, x: &ArrayRef<T, D>) -> Result<Array2<T>, ModelError> {
        self.kernel_fn().nngp(x)
    }

    /// Computes the empirical NNGP kernel of `x1` (n, ...) with `x2` (m, ...), (n, m), as
    /// [`Model::nngp`].
    ///
    /// # Errors
    /// [`ModelError::Input`] where samples have another shape than the model takes.
    pub fn nngp_between<D: Dimension, E: Dimension>(
        &self,
        x1: &ArrayRef<T, D>,
        x2: &ArrayRef<T, E>,
    ) -> Result<Array2<T>, ModelError> {
        self.kernel_fn().nngp_between(x1, x2)
    }

    /// Computes the trace of [`Model::ntk`] without the matrix, summed in f64.
    ///
    /// # Errors
    /// [`ModelError::Input`] where samples have another shape than the model takes.
    pub fn ntk_trace<D: Dimension>(&self, x: &ArrayRef<T, D>) -> Result<f64, ModelError> {
        self.kernel_fn().ntk_trace(x)
    }

    /// Multiplies the full NTK over the samples of `x` (n, ...) by `v` (n, outputs) without the
    /// matrix: by a vector-Jacobian and a Jacobian-vector product.
    ///
    /// Cost: six forward passes, whatever n.
    ///
    /// # Errors
    /// [`ModelError`] where shapes do not fit.
    pub fn ntk_product<'x>(
        &self,
        x: impl Into<Inputs<'x, T>>,
        v: &ArrayRef2<T>,
    ) -> Result<Array2<T>, ModelError> {
        T::ntk_product(self, x.into(), v.view())
    }
}

/// [`Model::ntk`].
pub(crate) fn ntk<T: Scalar>(
    model: &Model<T>,
    x1: Inputs<'_, T>,
    x2: Option<Inputs<'_, T>>,
    trace: Trace,
    observer: &dyn Observer,
) -> Result<Array2<T>, ModelError> {
    let x1 = model.rows(x1)?;
    let x2 = x2.map(|x2| model.rows(x2)).transpose()?;
    let x2 = x2.as_ref().map(Rows::all);
    structured::ntk(model, x1.all(), x2, trace, observer)
}

/// [`EmpiricalKernelFn::by_contraction`].
pub(crate) fn ntk_by_contraction<T: Scalar>(
    model: &Model<T>,
    x1: Inputs<'_, T>,
    x2: Option<Inputs<'_, T>>,
    trace: Trace,
) -> Result<Array2<T>, ModelError> {
    let one = jacobian(model, x1)?;
    let two = x2.map(|x2| jacobian(model, x2)).transpose()?;
    let two = two.as_ref().unwrap_or(&one);
    check_memory(saturating([one.nrows(), two.nrows(), size_of::<T>()]))?;
    let full = one.dot(&two.t());
    Ok(match trace {
        Trace::Full => full,
        Trace::Traced => traced(&full, model.outputs()).expect("sides are samples times outputs"),
    })
}

/// [`Model::ntk_product`].
pub(crate) fn ntk_product<T: Scalar>(
    model: &Model<T>,
    x: Inputs<'_, T>,
    v: ArrayView2<'_, T>,
) -> Result<Array2<T>, ModelError> {
    let direction = T::vjp(model, x.view(), v)?;
    let direction: Vec<_> = direction.iter().map(|d| d.view()).collect();
    Ok(T::jvp(model, x, &direction)?.1)
}

/// [`Model::nngp`].
pub(crate) fn nngp<T: Scalar>(
    model: &Model<T>,
    x1: Inputs<'_, T>,
    x2: Option<Inputs<'_, T>>,
    trace: Trace,
) -> Result<Array2<T>, ModelError> {
    let one = T::forward(model, x1)?;
    let two = x2.map(|x2| T::forward(model, x2)).transpose()?;
    let two = two.as_ref().unwrap_or(&one);
    let side = trace.side(model.outputs());
    check_memory(saturating([
        one.nrows(),
        side,
        two.nrows(),
        side,
        size_of::<T>(),
    ]))?;
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
