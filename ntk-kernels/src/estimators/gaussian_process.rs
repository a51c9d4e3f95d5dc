//! Gaussian processes with the kernels of a network.

use crate::closed_form::{Kernel, Kernels};
use crate::inputs::Inputs;
use crate::network::Network;
use crate::predict::{Posterior, PredictError, Ridge, check};
use ndarray::{Array1, Array2, Array3, ArrayRef, Dimension};
use ntk_linalg::{Cholesky, Observer, Real};
use serde::{Deserialize, Serialize};

use super::file::{self, FileContents};
use super::samples::{Samples, observed, shared_methods};
use super::{EstimatorError, sampling};

/// Which process is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Process {
    /// The posterior of the NNGP.
    Nngp,
    /// The posterior of a process with the NTK.
    Ntk,
    /// Networks with all layers trained to the end.
    NtkEnsemble,
}

impl Process {
    /// Whose coefficients the mean has.
    fn kernel(self) -> Kernel {
        match self {
            Self::Nngp => Kernel::Nngp,
            Self::Ntk | Self::NtkEnsemble => Kernel::Ntk,
        }
    }
}

/// A `GaussianProcess` gives a distribution over functions that has seen samples: their mean,
/// variance and covariance, and functions drawn from it.
///
/// | | it is | covariance of the outputs at z |
/// |---|---|---|
/// | [`nngp`](Self::nngp) | the Bayesian posterior of an infinitely wide network (Lee et al. 2018, arXiv:1711.00165), or of networks whose last layer alone is trained | `S_zz - S_zx (S_xx + r)^-1 S_xz` |
/// | [`ntk_ensemble`](Self::ntk_ensemble) | infinitely wide networks from all initialisations, all layers trained on the squared loss to the end (Lee et al. 2019, arXiv:1902.06720, section 2.3) | `S_zz + A S_xx A^T - A S_xz - S_zx A^T` |
/// | [`ntk`](Self::ntk) | the posterior of a process whose covariance is the NTK, "NTK-GP" (He et al. 2020, arXiv:2007.05864) | `K_zz - K_zx (K_xx + r)^-1 K_xz` |
///
/// S is the NNGP, K the NTK, r the noise, and `A = K_zx (K_xx + r)^-1`. Covariances are per
/// output, equal for all outputs, and those of the function: a new observation has the noise
/// besides.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::GaussianProcess;
/// use ntk_kernels::network::{Network, dense, erf};
///
/// let network = Network::new().then(dense().b_std(1.0)).then(erf(1.0, 1.0, 0.0)).then(dense());
/// let (x, y) = (array![[-1.0], [0.0], [1.0]], array![0.5, 0.0, 0.7]);
/// let fitted = GaussianProcess::nngp(&network).noise(1e-6).fit(&x, &y)?;
/// let (mean, variance) = fitted.predict_with_variance(&array![[0.0], [4.0]])?;
/// assert_eq!((mean.dim(), variance.dim()), ((2, 1), 2));
/// assert!(variance[0] < 1e-5 && variance[1] > variance[0]); // sure where a sample was seen
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[derive(Clone)]
pub struct GaussianProcess<'a> {
    network: Network,
    process: Process,
    noise: Ridge,
    observer: &'a dyn Observer,
}

impl<'a> GaussianProcess<'a> {
    /// Starts from the process of an infinitely wide network with random weights, for its
    /// posterior.
    #[must_use]
    pub fn nngp(network: &Network) -> Self {
        Self::new(network, Process::Nngp)
    }

    /// Starts from a process whose covariance is the network's NTK, for its posterior.
    #[must_use]
    pub fn ntk(network: &Network) -> Self {
        Self::new(network, Process::Ntk)
    }

    /// Starts from infinitely wide networks of all initialisations, for what training them to the
    /// end on the squared loss makes of them.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::GaussianProcess;
    /// use ntk_kernels::network::{Network, dense, relu};
    ///
    /// let network = Network::new().then(dense().b_std(0.5)).then(relu()).then(dense());
    /// let (x, y) = (array![[1.0_f64, 0.0], [0.0, 1.0]], array![1.0, -1.0]);
    /// let ensemble = GaussianProcess::ntk_ensemble(&network).fit(&x, &y)?;
    /// let outputs = ensemble.sample(&array![[0.5, 0.5], [1.0, 0.0]], 100, 7)?;
    /// assert_eq!(outputs.dim(), (100, 2, 1)); // 100 trained networks
    /// assert!((outputs[[0, 1, 0]] - 1.0).abs() < 1e-6); // all of which learned the sample
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    #[must_use]
    pub fn ntk_ensemble(network: &Network) -> Self {
        Self::new(network, Process::NtkEnsemble)
    }

    fn new(network: &Network, process: Process) -> Self {
        Self {
            network: network.clone(),
            process,
            noise: Ridge::default(),
            observer: &(),
        }
    }

    /// Sets the variance of the targets' noise, which is added to the diagonal of the kernel: none
    /// unless set. A number is added as it is; of an ensemble it is the ridge of the training.
    #[must_use]
    pub fn noise(mut self, noise: impl Into<Ridge>) -> Self {
        self.noise = noise.into();
        self
    }

    /// Computes the kernel of `x` (n samples) and factors it, for targets `y`, (n) or (n,
    /// outputs).
    ///
    /// Cost: the kernel, for an ensemble both, and `n^3/3` operations.
    ///
    /// # Errors
    /// [`EstimatorError`]: for samples or targets that do not fit together or the network, entries
    /// that are not finite, negative noise, and a kernel that is not positive definite to working
    /// precision, such as that of repeated samples without noise.
    pub fn fit<'x, T: Real, E: Dimension>(
        &self,
        x: impl Into<Inputs<'x, T>>,
        y: &ArrayRef<T, E>,
    ) -> Result<FittedGaussianProcess<T>, EstimatorError> {
        let (samples, y) = Samples::new(&self.network, x.into(), y)?;
        let kernels = samples.kernel_fn().observer(self.observer);
        let (nngp, k_dd) = match self.process {
            Process::Nngp | Process::Ntk => {
                (None, kernels.kernel(self.process.kernel(), &samples.x)?)
            }
            Process::NtkEnsemble => {
                let Kernels { nngp, ntk } = kernels.kernels(&samples.x)?;
                check::finite("the NNGP of the training samples", &nngp)?;
                (Some(nngp), ntk)
            }
        };
        let posterior = Posterior::new(k_dd, &y, self.noise)?;
        check::finite("the coefficients", posterior.coefficients())?;
        let noise_added = posterior.ridge_added();
        Ok(FittedGaussianProcess {
            samples,
            process: self.process,
            posterior,
            y,
            nngp,
            noise_added,
        })
    }
}

/// A `FittedGaussianProcess` predicts with uncertainty; [`GaussianProcess::fit`] makes one.
#[derive(Debug, Clone)]
pub struct FittedGaussianProcess<T: Real> {
    samples: Samples<T>,
    process: Process,
    posterior: Posterior<T>,
    y: Array2<T>,
    /// The NNGP of the samples, of an ensemble alone.
    nngp: Option<Array2<T>>,
    noise_added: f64,
}

shared_methods!(FittedGaussianProcess);
observed!(GaussianProcess);

/// What a file says besides its arrays.
#[derive(Serialize, Deserialize)]
struct Settings {
    process: Process,
    noise_added: f64,
}

const KIND: &str = "FittedGaussianProcess";

impl<T: Real> FittedGaussianProcess<T> {
    /// Predicts the mean of the outputs at the samples `z`, (m, outputs).
    ///
    /// Cost: the kernel of m with n samples, and `2 m n` operations an output.
    ///
    /// # Errors
    /// [`EstimatorError::Kernel`] where `z` has samples of another shape than those fitted, more than
    /// there is memory for, or entries that are not finite.
    pub fn predict<'z>(&self, z: impl Into<Inputs<'z, T>>) -> Result<Array2<T>, EstimatorError> {
        let z = &z.into();
        self.samples.check_memory(z, [1, 0], self.y.ncols())?;
        let k_td = self.samples.kernel_of(self.process.kernel(), z)?;
        Ok(self.posterior.mean(&k_td)?)
    }

    /// Predicts the mean of the outputs at `z`, (m, outputs), and their variance, (m), which all
    /// outputs share; its root is the standard deviation.
    ///
    /// What rounding leaves below zero is zero. Cost: [`FittedGaussianProcess::predict`] and
    /// `m n^2` operations, for an ensemble four times that.
    ///
    /// # Errors
    /// As [`FittedGaussianProcess::predict`].
    pub fn predict_with_variance<'z>(
        &self,
        z: impl Into<Inputs<'z, T>>,
    ) -> Result<(Array2<T>, Array1<T>), EstimatorError> {
        let (samples, posterior, z) = (&self.samples, &self.posterior, &z.into());
        let across = if self.nngp.is_some() { 5 } else { 2 };
        samples.check_memory(z, [across, 0], self.y.ncols())?;
        let (mean, variance) = match &self.nngp {
            None => {
                let kernel = self.process.kernel();
                let k_td = samples.kernel_of(kernel, z)?;
                let k_tt = samples.diagonal_of(kernel, z)?;
                let variance = posterior.variance(&k_td, &k_tt)?;
                (posterior.mean(&k_td)?, variance)
            }
            Some(s_dd) => {
                let td = samples.kernel_fn_at(z).kernels_between(&z.x, &samples.x)?;
                let s_tt = samples.diagonal_of(Kernel::Nngp, z)?;
                let (k_td, s_td) = (&td.ntk, &td.nngp);
                let variance = posterior.ensemble_variance(k_td, s_dd, s_td, &s_tt)?;
                (posterior.mean(k_td)?, variance)
            }
        };
        Ok((mean, variance.mapv(|v| v.max(T::zero()))))
    }

    /// Predicts the mean of the outputs at `z`, (m, outputs), and their covariance, (m, m), which
    /// all outputs share; different outputs are independent.
    ///
    /// Cost: as [`FittedGaussianProcess::predict_with_variance`], the kernel of `z` with itself,
    /// and `m^2 n` operations.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::GaussianProcess;
    /// use ntk_kernels::network::{Network, dense, relu};
    ///
    /// let network = Network::new().then(dense()).then(relu()).then(dense());
    /// let (x, y) = (array![[1.0, 0.0], [0.0, 1.0]], array![1.0, -1.0]);
    /// let fitted = GaussianProcess::nngp(&network).noise(0.1).fit(&x, &y)?;
    /// let (mean, covariance) = fitted.predict_with_covariance(&array![[0.5, 0.5], [2.0, 1.0]])?;
    /// assert_eq!((mean.dim(), covariance.dim()), ((2, 1), (2, 2)));
    /// assert_eq!(covariance, covariance.t());
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`FittedGaussianProcess::predict`].
    pub fn predict_with_covariance<'z>(
        &self,
        z: impl Into<Inputs<'z, T>>,
    ) -> Result<(Array2<T>, Array2<T>), EstimatorError> {
        let (samples, posterior, z) = (&self.samples, &self.posterior, &z.into());
        let matrices = if self.nngp.is_some() { [5, 3] } else { [2, 2] };
        samples.check_memory(z, matrices, self.y.ncols())?;
        match &self.nngp {
            None => {
                let kernel = self.process.kernel();
                let k_td = samples.kernel_of(kernel, z)?;
                let k_tt = samples.kernel_fn_at(z).kernel(kernel, &z.x)?;
                let covariance = posterior.covariance(&k_td, &k_tt)?;
                Ok((posterior.mean(&k_td)?, covariance))
            }
            Some(s_dd) => {
                let td = samples.kernel_fn_at(z).kernels_between(&z.x, &samples.x)?;
                let s_tt = samples.kernel_fn_at(z).nngp(&z.x)?;
                let (k_td, s_td) = (&td.ntk, &td.nngp);
                let covariance = posterior.ensemble_covariance(k_td, s_dd, s_td, &s_tt)?;
                Ok((posterior.mean(k_td)?, covariance))
            }
        }
    }

    /// Draws `count` functions and returns their outputs at `z`, (count, m, outputs).
    ///
    /// The same seed gives the same samples. Points may coincide, and be those of the fit. Cost:
    /// [`FittedGaussianProcess::predict_with_covariance`], the eigenvectors of the covariance, up
    /// to about `8 m^3` operations, and `2 m^2` for each output of each sample.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::GaussianProcess;
    /// use ntk_kernels::network::{Network, dense, relu};
    ///
    /// let network = Network::new().then(dense()).then(relu()).then(dense());
    /// let (x, y) = (array![[1.0, 0.0], [0.0, 1.0]], array![1.0, -1.0]);
    /// let fitted = GaussianProcess::nngp(&network).noise(0.1).fit(&x, &y)?;
    /// let z = array![[0.5, 0.5], [2.0, 1.0], [2.0, 1.0]];
    /// let samples = fitted.sample(&z, 10, 42)?;
    /// assert_eq!(samples.dim(), (10, 3, 1));
    /// assert_eq!(samples, fitted.sample(&z, 10, 42)?);
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`FittedGaussianProcess::predict`]; [`EstimatorError::TooManySamples`].
    pub fn sample<'z>(
        &self,
        z: impl Into<Inputs<'z, T>>,
        count: usize,
        seed: u64,
    ) -> Result<Array3<T>, EstimatorError> {
        let (mean, covariance) = self.predict_with_covariance(z)?;
        sampling::draw(&mean, &covariance, count, seed)
    }

    /// Computes the logarithm of the probability density that the process gave the targets before
    /// it saw any, the evidence for network and noise, summed over outputs; see
    /// [`Posterior::log_marginal_likelihood`].
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::GaussianProcess;
    /// use ntk_kernels::network::{Network, dense, relu};
    ///
    /// let network = Network::new().then(dense().b_std(1.0)).then(relu()).then(dense());
    /// let (x, y) = (array![[-1.0], [0.0], [1.0]], array![0.1, 0.0, 0.2]);
    /// let evidence = |noise| GaussianProcess::nngp(&network).noise(noise).fit(&x, &y)?
    ///     .log_marginal_likelihood();
    /// assert!(evidence(0.01)? > evidence(100.0)?);
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`EstimatorError::NoLikelihood`] for an ensemble, which is no posterior.
    pub fn log_marginal_likelihood(&self) -> Result<f64, EstimatorError> {
        match self.process {
            Process::Nngp | Process::Ntk => Ok(self.posterior.log_marginal_likelihood(&self.y)?),
            Process::NtkEnsemble => Err(EstimatorError::NoLikelihood),
        }
    }

    /// Returns the targets, (n, outputs).
    pub fn y(&self) -> &Array2<T> {
        &self.y
    }

    /// Returns the variance of the noise: what was added to the diagonal of the kernel.
    pub fn noise_added(&self) -> f64 {
        self.noise_added
    }

    /// Writes the estimator as the bytes of a safetensors file: arrays `x`, `y`, `coefficients`,
    /// and the lower half of the factor, column by column, as `factor`, of an ensemble also that
    /// of the NNGP as `nngp`.
    ///
    /// # Errors
    /// [`EstimatorError::File`] for a network with layers or activations of one's own.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, EstimatorError> {
        let settings = Settings {
            process: self.process,
            noise_added: self.noise_added,
        };
        let factor = file::packed(&self.posterior.cholesky().factor());
        let nngp = self.nngp.as_ref().map(file::packed);
        let coefficients = self.posterior.coefficients().view().into_dyn();
        let mut arrays = vec![
            ("y", self.y.view().into_dyn()),
            ("coefficients", coefficients),
            ("factor", factor.view()),
        ];
        if let Some(nngp) = &nngp {
            arrays.push(("nngp", nngp.view()));
        }
        Ok(file::write(
            KIND,
            self.samples.written(),
            &settings,
            &arrays,
            &[],
        )?)
    }

    /// Reads what [`FittedGaussianProcess::to_safetensors`] wrote; predictions are then the same
    /// to the last bit.
    ///
    /// # Errors
    /// [`EstimatorError::File`] for bytes of anything else, of another element type, or damaged.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, EstimatorError> {
        let file: FileContents<'_, Settings> = FileContents::read(bytes, KIND)?;
        let Settings {
            process,
            noise_added,
        } = file.settings;
        let noise_added = file::added(noise_added)?;
        file.has(match process {
            Process::Nngp | Process::Ntk => &["coefficients", "factor", "x", "y"],
            Process::NtkEnsemble => &["coefficients", "factor", "nngp", "x", "y"],
        })?;
        let samples = Samples::read(&file)?;
        let n = samples.count();
        let y = file.outputs("y", n)?;
        let coefficients = file.matrix("coefficients", y.dim())?;
        let factor = Cholesky::from_factor(file.lower("factor", n)?).map_err(PredictError::from)?;
        let nngp = match process {
            Process::Nngp | Process::Ntk => None,
            Process::NtkEnsemble => Some(file.symmetric("nngp", n)?),
        };
        Ok(Self {
            posterior: Posterior::from_parts(factor, coefficients),
            samples,
            process,
            y,
            nngp,
            noise_added,
        })
    }
}
