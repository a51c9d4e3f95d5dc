//! Kernel ridge regression.

use crate::closed_form::{Kernel, KernelError};
use crate::inputs::Inputs;
use crate::network::Network;
use crate::predict::{
    KernelRegression, PredictError, Ridge, SpectralRegression, check, leave_one_out,
};
use ndarray::{Array2, ArrayRef, Dimension};
use ntk_linalg::{Cholesky, Observer, Real, matmul};
use serde::{Deserialize, Serialize};

use super::EstimatorError;
use super::file::{self, FileContents};
use super::ridge_path::RidgePath;
use super::samples::{Samples, observed, shared_methods};

/// `KernelRidge` is ridge regression with a network's kernel: `f(z) = K(z, x) (K(x, x) + r)^-1 y`,
/// with one kernel for all outputs.
///
/// With the NTK, the default, and a ridge r of 0, the default, these are the mean outputs of an
/// infinitely wide network trained on the squared loss to the end (Jacot et al. 2018,
/// arXiv:1806.07572; the mean over initialisations). Classes are learned from one-hot targets.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::network::{Network, dense, relu};
/// use ntk_kernels::{Kernel, KernelRidge};
///
/// let network = Network::new().then(dense().b_std(0.1)).then(relu()).then(dense());
/// let x = array![[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]];
/// let one_hot = array![[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]];
/// let fitted = KernelRidge::new(&network).kernel(Kernel::Nngp).alpha(0.01).fit(&x, &one_hot)?;
/// let z = array![[0.7, 0.7], [-0.2, -0.9]];
/// assert_eq!(fitted.predict(&z)?.dim(), (2, 2));
/// assert_eq!(fitted.predict_classes(&z)?, array![0, 1]);
/// assert_eq!(fitted.accuracy(&x, &one_hot)?, 1.0);
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[derive(Clone)]
pub struct KernelRidge<'a> {
    network: Network,
    kernel: Kernel,
    alpha: Ridge,
    observer: &'a dyn Observer,
}

impl<'a> KernelRidge<'a> {
    /// Starts from a network, of which it keeps a copy.
    #[must_use]
    pub fn new(network: &Network) -> Self {
        Self {
            network: network.clone(),
            kernel: Kernel::Ntk,
            alpha: Ridge::default(),
            observer: &(),
        }
    }

    /// Sets which kernel it uses: the NTK unless set.
    #[must_use]
    pub fn kernel(mut self, kernel: Kernel) -> Self {
        self.kernel = kernel;
        self
    }

    /// Sets what is added to the diagonal of the kernel: nothing unless set.
    ///
    /// A number is added as it is, as scikit-learn's `alpha` (which is 1 there unless set);
    /// [`Ridge::Relative`] is in units of the mean diagonal.
    #[must_use]
    pub fn alpha(mut self, alpha: impl Into<Ridge>) -> Self {
        self.alpha = alpha.into();
        self
    }

    /// Computes the kernel of `x` (n samples) and solves for the coefficients of targets `y`, (n)
    /// or (n, outputs).
    ///
    /// Cost: the kernel, and `n^3/3` operations.
    ///
    /// # Errors
    /// [`EstimatorError`]: for samples or targets that do not fit together or the network, entries
    /// that are not finite, a negative `alpha`, and a kernel that is not positive definite to
    /// working precision, such as that of repeated samples without a ridge.
    pub fn fit<'x, T: Real, E: Dimension>(
        &self,
        x: impl Into<Inputs<'x, T>>,
        y: &ArrayRef<T, E>,
    ) -> Result<FittedKernelRidge<T>, EstimatorError> {
        let (samples, y) = Samples::new(&self.network, x.into(), y)?;
        let k_dd = self.kernel_of(&samples)?;
        let regression = KernelRegression::fit(k_dd, &y, self.alpha)?;
        let (factor, coefficients) = regression.into_parts();
        let added = factor.ridge_added();
        FittedKernelRidge::new(samples, self.kernel, coefficients, added, Some(factor))
    }

    /// Computes the kernel of `x` (n samples) and its eigenvectors, for targets `y`, (n) or (n,
    /// outputs): what it takes to compare many ridges, whatever [`KernelRidge::alpha`] is set to.
    ///
    /// Cost: the kernel, and up to about `7 n^3` operations.
    ///
    /// # Errors
    /// As [`KernelRidge::fit`], except that the kernel may be singular.
    pub fn path<'x, T: Real, E: Dimension>(
        &self,
        x: impl Into<Inputs<'x, T>>,
        y: &ArrayRef<T, E>,
    ) -> Result<RidgePath<T>, EstimatorError> {
        let (samples, y) = Samples::new(&self.network, x.into(), y)?;
        let k_dd = self.kernel_of(&samples)?;
        let regression = SpectralRegression::new(&k_dd, &y)?;
        Ok(RidgePath::new(samples, self.kernel, regression))
    }

    fn kernel_of<T: Real>(&self, samples: &Samples<T>) -> Result<Array2<T>, KernelError> {
        let kernels = samples.kernel_fn().observer(self.observer);
        kernels.kernel(self.kernel, &samples.x)
    }
}

/// A `FittedKernelRidge` predicts by kernel ridge regression; [`KernelRidge::fit`] makes one.
#[derive(Debug, Clone)]
pub struct FittedKernelRidge<T: Real> {
    samples: Samples<T>,
    kernel: Kernel,
    coefficients: Array2<T>,
    ridge_added: f64,
    /// Not kept in files, nor made by a path.
    factor: Option<Cholesky<T>>,
}

shared_methods!(FittedKernelRidge);
observed!(KernelRidge);

/// What a file says besides its arrays.
#[derive(Serialize, Deserialize)]
struct Settings {
    kernel: Kernel,
    ridge_added: f64,
}

const KIND: &str = "FittedKernelRidge";

impl<T: Real> FittedKernelRidge<T> {
    pub(super) fn new(
        samples: Samples<T>,
        kernel: Kernel,
        coefficients: Array2<T>,
        ridge_added: f64,
        factor: Option<Cholesky<T>>,
    ) -> Result<Self, EstimatorError> {
        check::finite("the coefficients", &coefficients)?;
        Ok(Self {
            samples,
            kernel,
            coefficients,
            ridge_added,
            factor,
        })
    }

    /// Predicts the outputs at the samples `z`, (m, outputs).
    ///
    /// Cost: the kernel of m with n samples, and `2 m n` operations an output.
    ///
    /// # Errors
    /// [`EstimatorError::Kernel`] where `z` has samples of another shape than those fitted, more than
    /// there is memory for, or entries that are not finite.
    pub fn predict<'z>(&self, z: impl Into<Inputs<'z, T>>) -> Result<Array2<T>, EstimatorError> {
        let z = &z.into();
        let outputs = self.coefficients.ncols();
        self.samples.check_memory(z, [1, 0], outputs)?;
        let k_td = self.samples.kernel_of(self.kernel, z)?;
        let outputs = matmul(&k_td, &self.coefficients).map_err(PredictError::from)?;
        Ok(check::result("the outputs (sample, output)", outputs)?)
    }

    /// Computes `y_i - f_(-i)(x_i)`, (n, outputs): how far from its target each sample is
    /// predicted by an estimator that was fitted to the others, with the same ridge.
    ///
    /// No estimator is fitted again: all residuals come from one factorisation. Cost: `n^3`
    /// operations; and what the fit had cost, where the estimator comes from a file or from
    /// [`RidgePath::at`], which keep no factorisation ([`RidgePath::leave_one_out`] needs none).
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::KernelRidge;
    /// use ntk_kernels::network::{Network, dense, relu};
    ///
    /// let network = Network::new().then(dense().b_std(1.0)).then(relu()).then(dense());
    /// let (x, y) = (array![[0.0_f64], [1.0], [2.0]], array![0.0, 1.0, 4.0]);
    /// let ridge = KernelRidge::new(&network).alpha(0.1);
    /// let residuals = ridge.fit(&x, &y)?.leave_one_out()?;
    ///
    /// let others = ridge.fit(&array![[0.0], [1.0]], &array![0.0, 1.0])?;
    /// let missed = 4.0 - others.predict(&array![[2.0]])?[[0, 0]];
    /// assert!((residuals[[2, 0]] - missed).abs() < 1e-12);
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`EstimatorError::Predict`].
    pub fn leave_one_out(&self) -> Result<Array2<T>, EstimatorError> {
        if let Some(factor) = &self.factor {
            return Ok(leave_one_out(factor, &self.coefficients)?);
        }
        let k_dd = self.samples.kernel_fn().kernel(self.kernel, self.x())?;
        let factor = Cholesky::new(k_dd, self.ridge_added).map_err(PredictError::from)?;
        Ok(leave_one_out(&factor, &self.coefficients)?)
    }

    /// Returns the coefficients `(K(x, x) + r)^-1 y`, (n, outputs).
    pub fn coefficients(&self) -> &Array2<T> {
        &self.coefficients
    }

    /// Returns which kernel predictions use.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// Returns what was added to the diagonal of the kernel.
    pub fn ridge_added(&self) -> f64 {
        self.ridge_added
    }

    /// Writes the estimator as the bytes of a safetensors file, arrays `x` and `coefficients`.
    ///
    /// # Errors
    /// [`EstimatorError::File`] for a network with layers or activations of one's own.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, EstimatorError> {
        let settings = Settings {
            kernel: self.kernel,
            ridge_added: self.ridge_added,
        };
        let coefficients = ("coefficients", self.coefficients.view().into_dyn());
        let arrays = [coefficients];
        Ok(file::write(
            KIND,
            self.samples.written(),
            &settings,
            &arrays,
            &[],
        )?)
    }

    /// Reads what [`FittedKernelRidge::to_safetensors`] wrote; predictions are then the same to
    /// the last bit.
    ///
    /// # Errors
    /// [`EstimatorError::File`] for bytes of anything else, of another element type, or damaged.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, EstimatorError> {
        let file: FileContents<'_, Settings> = FileContents::read(bytes, KIND)?;
        file.has(&["coefficients", "x"])?;
        let samples = Samples::read(&file)?;
        let coefficients = file.outputs("coefficients", samples.count())?;
        let added = file::added(file.settings.ridge_added)?;
        Self::new(samples, file.settings.kernel, coefficients, added, None)
    }
}
