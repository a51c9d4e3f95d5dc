//! Empirical kernels with options.

use super::Trace;
use super::factors::{JacobianSite, sites};
use super::needs::Needs;
use crate::compiled::Scalar;
use crate::finite;
use crate::model::{Model, ModelError, axes};
use ndarray::{Array2, ArrayD, ArrayRef, Dimension};
use ntk_kernels::Inputs;
use ntk_kernels::{Kernel, Structure};
use ntk_linalg::observer::Observer;
use ntk_linalg::tiled::TILE;

/// An `EmpiricalKernelFn` computes empirical kernels of a model with options;
/// [`Model::kernel_fn`] makes it.
#[derive(Clone, Copy)]
#[must_use]
pub struct EmpiricalKernelFn<'a, T: Scalar> {
    pub(super) model: &'a Model<T>,
    pub(super) trace: Trace,
    pub(super) by_contraction: bool,
    pub(super) tile: usize,
    /// The masks and graphs of `x1` and `x2`.
    structures: [Option<&'a Structure>; 2],
    observer: &'a dyn Observer,
}

impl<T: Scalar> Model<T> {
    /// Returns the function that computes the model's empirical kernels, to set its options:
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::network::{Network, dense};
    /// use ntk_train::{Init, Model};
    ///
    /// let network = Network::new().then(dense().width(2));
    /// let model = Model::<f64>::new(&network, 1, Init::default(), 0)?;
    /// let full = model.kernel_fn().full().ntk(&array![[3.0]])?;
    /// assert_eq!(full, array![[9.0, 0.0], [0.0, 9.0]]); // two outputs
    /// # Ok::<(), ntk_train::Error>(())
    /// ```
    pub fn kernel_fn(&self) -> EmpiricalKernelFn<'_, T> {
        EmpiricalKernelFn {
            model: self,
            trace: Trace::Traced,
            by_contraction: false,
            tile: TILE,
            structures: [None; 2],
            observer: &(),
        }
    }
}

impl<'a, T: Scalar> EmpiricalKernelFn<'a, T> {
    /// Computes kernels of all pairs of outputs, (n o, m o) with row = sample * o + output, in
    /// place of their mean over outputs.
    pub fn full(self) -> Self {
        self.trace(Trace::Full)
    }

    /// Sets whether kernels are traced, which they are by default, or full.
    pub fn trace(mut self, trace: Trace) -> Self {
        self.trace = trace;
        self
    }

    /// Computes the NTK by contraction of whole Jacobians: slow, with (n + m) o times the
    /// parameters in memory, and the reference for the structured derivatives.
    pub fn by_contraction(mut self) -> Self {
        self.by_contraction = true;
        self
    }

    /// Sets how many rows and columns [`EmpiricalKernelFn::ntk_tiles`] have, by default [`TILE`]; where the
    /// kernel is of all pairs of outputs, it is rounded down to whole samples, of which there is at
    /// least one.
    pub fn tile(mut self, tile: usize) -> Self {
        self.tile = tile;
        self
    }

    /// Sets the masks and graphs of the samples, of `x` or of both `x1` and `x2`.
    pub fn structure(self, both: &'a Structure) -> Self {
        self.structures(both, both)
    }

    /// Sets the masks and graphs of `x1`, or `x`, and those of `x2`.
    pub fn structures(mut self, of_x1: &'a Structure, of_x2: &'a Structure) -> Self {
        self.structures = [Some(of_x1), Some(of_x2)];
        self
    }

    /// Returns the inputs of a side with their masks and graphs.
    pub(super) fn with<'x>(&self, side: usize, inputs: Inputs<'x, T>) -> Inputs<'x, T>
    where
        'a: 'x,
    {
        match self.structures[side] {
            Some(structure) => inputs.structure(structure),
            None => inputs,
        }
    }

    /// Sets the observer, which hears of progress and may stop the computation.
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// Computes the NTK of `x` (n, ...) with itself, symmetric to the last bit.
    ///
    /// # Errors
    /// [`ModelError::Input`] where samples have another shape than the model takes,
    /// [`ModelError::Memory`] where there is too little, [`ModelError::NotFinite`] where an entry is
    /// NaN or infinite, and [`ModelError::Cancelled`].
    pub fn ntk<D: Dimension>(&self, x: &ArrayRef<T, D>) -> Result<Array2<T>, ModelError> {
        self.kernel(Kernel::Ntk, x)
    }

    /// Computes the NTK of `x1` (n, ...) with `x2` (m, ...).
    ///
    /// # Errors
    /// As [`EmpiricalKernelFn::ntk`].
    pub fn ntk_between<D: Dimension, E: Dimension>(
        &self,
        x1: &ArrayRef<T, D>,
        x2: &ArrayRef<T, E>,
    ) -> Result<Array2<T>, ModelError> {
        self.kernel_between(Kernel::Ntk, x1, x2)
    }

    /// Computes the NNGP kernel of `x` (n, ...) with itself: `1/o f(x) f(x)^T` of outputs f, or
    /// all pairs of outputs.
    ///
    /// # Errors
    /// As [`EmpiricalKernelFn::ntk`].
    pub fn nngp<D: Dimension>(&self, x: &ArrayRef<T, D>) -> Result<Array2<T>, ModelError> {
        self.kernel(Kernel::Nngp, x)
    }

    /// Computes the NNGP kernel of `x1` (n, ...) with `x2` (m, ...).
    ///
    /// # Errors
    /// As [`EmpiricalKernelFn::ntk`].
    pub fn nngp_between<D: Dimension, E: Dimension>(
        &self,
        x1: &ArrayRef<T, D>,
        x2: &ArrayRef<T, E>,
    ) -> Result<Array2<T>, ModelError> {
        self.kernel_between(Kernel::Nngp, x1, x2)
    }

    /// Computes either kernel of `x` (n, ...) with itself.
    ///
    /// # Errors
    /// As [`EmpiricalKernelFn::ntk`].
    pub fn kernel<D: Dimension>(
        &self,
        kernel: Kernel,
        x: &ArrayRef<T, D>,
    ) -> Result<Array2<T>, ModelError> {
        self.of(kernel, x.into(), None)
    }

    /// Computes either kernel of `x1` (n, ...) with `x2` (m, ...).
    ///
    /// # Errors
    /// As [`EmpiricalKernelFn::ntk`].
    pub fn kernel_between<D: Dimension, E: Dimension>(
        &self,
        kernel: Kernel,
        x1: &ArrayRef<T, D>,
        x2: &ArrayRef<T, E>,
    ) -> Result<Array2<T>, ModelError> {
        self.of(kernel, x1.into(), Some(x2.into()))
    }

    pub(super) fn of(
        &self,
        kernel: Kernel,
        x1: Inputs<'_, T>,
        x2: Option<Inputs<'_, T>>,
    ) -> Result<Array2<T>, ModelError> {
        self.observer.check()?;
        let x1 = self.with(0, x1.view());
        let x2 = x2.as_ref().map(|x2| self.with(1, x2.view()));
        let found = self.computed(kernel, x1.view(), x2.as_ref().map(Inputs::view))?;
        let kernel = (kernel, self.trace.side(self.model.outputs()));
        finite::kernel(self.model, kernel, (0, 0), (&x1, x2.as_ref()), found)
    }

    /// Computes a kernel whose numbers may be none.
    pub(super) fn computed(
        &self,
        kernel: Kernel,
        x1: Inputs<'_, T>,
        x2: Option<Inputs<'_, T>>,
    ) -> Result<Array2<T>, ModelError> {
        let (model, trace) = (self.model, self.trace);
        match kernel {
            Kernel::Ntk if self.by_contraction => T::ntk_by_contraction(model, x1, x2, trace),
            Kernel::Ntk => T::ntk(model, x1, x2, trace, self.observer),
            Kernel::Nngp => T::nngp(model, x1, x2, trace),
        }
    }

    /// Returns how many bytes the NTK of `n` samples with themselves, or with `m` others, takes while
    /// it is computed by structured derivatives, the result with it: an estimate from above.
    ///
    /// Kernels that need more than the system gives fail with [`ModelError::Memory`].
    #[must_use]
    pub fn working_memory(&self, n: usize, m: Option<usize>) -> u64 {
        let sites = self.sites(n.max(m.unwrap_or(n)));
        Needs::of_sites(self.model, sites, (n, m), self.trace).bytes()
    }

    /// Returns the layers with parameters, as they contribute to kernels of `n` samples.
    pub(super) fn sites(&self, n: usize) -> Vec<JacobianSite> {
        let sample = ArrayD::zeros(axes(1, self.model.input()));
        let rows = self.model.rows((&sample).into());
        let rows = rows.expect("zeros of its shape");
        sites(self.model, rows.all(), n, self.trace)
    }

    /// Computes the trace of the NTK of `x` (n, ...) without the matrix,
    /// `sum_ia |df_a(x_i)/dtheta|^2` over samples i and outputs a, divided by the number of
    /// outputs unless the kernel is full; summed in f64.
    ///
    /// Cost: that of the kernels of blocks of a few samples, n times in all.
    ///
    /// # Errors
    /// As [`EmpiricalKernelFn::ntk`].
    pub fn ntk_trace<D: Dimension>(&self, x: &ArrayRef<T, D>) -> Result<f64, ModelError> {
        let x = self.with(0, x.into());
        let traced = T::ntk_trace(self.model, x.view(), self.observer)?;
        let traced = finite::trace(self.model, &x, traced)?;
        Ok(match self.trace {
            Trace::Traced => traced,
            Trace::Full => traced * self.model.outputs() as f64,
        })
    }
}
