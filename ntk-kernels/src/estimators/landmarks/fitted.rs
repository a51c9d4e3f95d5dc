//! Predictions from landmarks.

use super::Points;
use crate::closed_form::Kernel;
use crate::estimators::EstimatorError;
use crate::estimators::file::{self, FileContents};
use crate::estimators::linear::{Basis, Linear};
use crate::estimators::samples::{Samples, scores};
use crate::inputs::Inputs;
use crate::network::Network;
use crate::predict::Ridge;
use crate::structure::Structure;
use ndarray::{Array2, ArrayD, ArrayRef, Dimension};
use ntk_linalg::Real;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A `FittedLandmarks` predicts by kernel ridge regression over landmarks;
/// [`Landmarks::fit`](super::Landmarks::fit) makes one.
#[derive(Debug, Clone)]
pub struct FittedLandmarks<T>(pub(super) Linear<Points<T>>);

scores!(FittedLandmarks);

const KIND: &str = "FittedLandmarks";

/// What a file says beside its arrays.
#[derive(Serialize, Deserialize)]
struct Settings {
    kernel: Kernel,
    block: usize,
    samples: usize,
    ridge_added: f64,
    residual: f64,
    effective_parameters: Option<f64>,
}

impl<T: Real> FittedLandmarks<T> {
    /// Makes the estimator that has this ridge, without another pass over the samples. Cost:
    /// `6 m^2` operations an output.
    ///
    /// # Errors
    /// [`EstimatorError::Predict`] for a ridge that is negative, not finite or adaptive;
    /// [`EstimatorError::NoEquations`] after conjugate gradients or a file.
    pub fn at(&self, alpha: impl Into<Ridge>) -> Result<Self, EstimatorError> {
        Ok(Self(self.0.at(alpha.into())?))
    }

    /// Writes the estimator as the bytes of a safetensors file, arrays `x`, the landmarks, and
    /// `coefficients`, without the normal equations.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::network::{Network, dense, relu};
    /// use ntk_kernels::{FittedLandmarks, Landmarks};
    ///
    /// let network = Network::new().then(dense().b_std(1.0)).then(relu()).then(dense());
    /// let (x, y) = (array![[0.0_f32], [1.0], [2.0], [3.0]], array![0.0, 1.0, 4.0, 9.0]);
    /// let fitted = Landmarks::new(&network).alpha(0.1).count(2).fit(&x, &y)?;
    /// let read = FittedLandmarks::<f32>::from_safetensors(&fitted.to_safetensors()?)?;
    /// assert_eq!(read.predict(&x)?, fitted.predict(&x)?);
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`EstimatorError::File`] for a network with layers or activations of one's own.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, EstimatorError> {
        let settings = Settings {
            kernel: self.0.basis.kernel,
            block: self.0.block,
            samples: self.0.samples,
            ridge_added: self.0.added,
            residual: self.0.residual,
            effective_parameters: self.0.effective_parameters,
        };
        let coefficients = ("coefficients", self.0.coefficients.view().into_dyn());
        let samples = self.0.basis.landmarks.written();
        Ok(file::write(KIND, samples, &settings, &[], &[coefficients])?)
    }

    /// Reads what [`FittedLandmarks::to_safetensors`] wrote; predictions are then the same to the
    /// last bit, and there are no normal equations.
    ///
    /// # Errors
    /// [`EstimatorError::File`] for bytes of anything else, of another element type, or damaged.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, EstimatorError> {
        let file: FileContents<'_, Settings> = FileContents::read(bytes, KIND)?;
        file.has(&["coefficients", "x"])?;
        let landmarks = Samples::read(&file)?;
        let coefficients = file.outputs("coefficients", landmarks.count())?;
        let Settings {
            kernel,
            block,
            samples,
            ridge_added,
            residual,
            effective_parameters,
        } = file.settings;
        let solution = (file::added(ridge_added)?, coefficients, residual);
        let basis = Arc::new(Points { landmarks, kernel });
        // Zero rows at a time would never end.
        let block = block.max(1);
        let read = Linear::solved(basis, block, samples, solution, effective_parameters);
        Ok(Self(read?))
    }

    /// Predicts the outputs at the samples `z`, (rows, outputs), a block at a time.
    ///
    /// Cost: the kernel of `z` with the m landmarks, and `2 m` operations a row and output.
    ///
    /// # Errors
    /// [`EstimatorError::Kernel`] where `z` has samples of another shape than the landmarks, more
    /// than there is memory for, or entries that are not finite.
    pub fn predict<'z>(&self, z: impl Into<Inputs<'z, T>>) -> Result<Array2<T>, EstimatorError> {
        self.0.predict(&z.into())
    }

    /// Computes `y_i - f_(-i)(x_i)`, (rows, outputs), for samples `x` of those that were fitted, all
    /// or some, and their targets `y`: how far from its target each sample is predicted by an
    /// estimator that was fitted to all others, with the same landmarks and ridge.
    ///
    /// No estimator is fitted again: samples pass once more, with the kernel with the landmarks and
    /// `2 m^2` operations each.
    ///
    /// ```
    /// use ndarray::{array, s};
    /// use ntk_kernels::Landmarks;
    /// use ntk_kernels::network::{Network, dense, relu};
    ///
    /// let network = Network::new().then(dense().b_std(1.0)).then(relu()).then(dense());
    /// let (x, y) = (array![[0.0_f64], [1.0], [2.0], [3.0]], array![0.0, 1.0, 4.0, 9.0]);
    /// let (landmarks, points) = (Landmarks::new(&network).alpha(0.1), array![[0.5], [2.5]]);
    /// let residuals = landmarks.fit_points(&points, &x, &y)?.leave_one_out(&x, &y)?;
    ///
    /// let others = landmarks.fit_points(&points, &x.slice(s![..3, ..]), &y.slice(s![..3]))?;
    /// let missed = 9.0 - others.predict(&array![[3.0]])?[[0, 0]];
    /// assert!((residuals[[3, 0]] - missed).abs() < 1e-9);
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`FittedLandmarks::predict`]; [`EstimatorError::TargetRows`] and
    /// [`EstimatorError::Predict`] for targets of other samples or outputs;
    /// [`EstimatorError::Leverage`] where a sample decides its own prediction;
    /// [`EstimatorError::NoEquations`] after conjugate gradients or a file.
    pub fn leave_one_out<'x, E: Dimension>(
        &self,
        x: impl Into<Inputs<'x, T>>,
        y: &ArrayRef<T, E>,
    ) -> Result<Array2<T>, EstimatorError> {
        self.0.leave_one_out(&x.into(), y)
    }

    /// Computes the mean squared error of leaving each of the samples `x` out, one for every ridge,
    /// whatever ridge this estimator has: the mean over the rows and outputs of `y`.
    ///
    /// It is infinity where [`FittedLandmarks::leave_one_out`] refuses. Cost: the kernel of the
    /// samples with the landmarks, once, and `2 m^2` operations a sample, and `2 m (1 + outputs)`
    /// for every ridge.
    ///
    /// # Errors
    /// As [`FittedLandmarks::leave_one_out`], and [`EstimatorError::Predict`] for a ridge that is
    /// negative, not finite or adaptive.
    pub fn errors<'x, E: Dimension, R: Into<Ridge> + Copy>(
        &self,
        x: impl Into<Inputs<'x, T>>,
        y: &ArrayRef<T, E>,
        alphas: &[R],
    ) -> Result<Vec<f64>, EstimatorError> {
        self.0.errors(&x.into(), y, alphas)
    }

    /// Returns the network.
    pub fn network(&self) -> &Network {
        &self.0.basis.landmarks.network
    }

    /// Returns the landmarks, (m, ...).
    pub fn points(&self) -> &ArrayD<T> {
        &self.0.basis.landmarks.x
    }

    /// Returns the masks and graphs of the landmarks.
    pub fn structure(&self) -> &Structure {
        &self.0.basis.landmarks.structure
    }

    /// Returns which kernel predictions use.
    pub fn kernel(&self) -> Kernel {
        self.0.basis.kernel
    }

    /// Returns the coefficients b of the landmarks, (m, outputs): `K(z, landmarks) b` are the
    /// predictions.
    pub fn coefficients(&self) -> &Array2<f64> {
        &self.0.coefficients
    }

    /// Returns the ridge r, as a number.
    pub fn ridge_added(&self) -> f64 {
        self.0.added
    }

    /// Returns the number n of samples that were fitted.
    pub fn samples(&self) -> usize {
        self.0.samples
    }

    /// Returns how many directions of the m there are above the resolution of the element type in
    /// the kernel of the landmarks; after conjugate gradients or a file, m: the former damp what is below instead of
    /// leaving it out.
    pub fn rank(&self) -> usize {
        self.0.rank().unwrap_or(self.0.basis.count())
    }

    /// Returns `|Z^T y - (Z^T Z + r) t| / |Z^T y|` in f64, the largest of all outputs: what the
    /// solution leaves of the normal equations in the basis that [`Landmarks`](super::Landmarks)
    /// describes, or of the preconditioned ones after conjugate gradients.
    ///
    /// By normal equations it is rounding, but where directions were left out for want of a ridge.
    pub fn residual(&self) -> f64 {
        self.0.residual
    }

    /// Returns the effective number of parameters, the trace of `Z (Z^T Z + r)^-1 Z^T`: the sum of
    /// the derivatives of all samples' predictions by their own targets, at most
    /// [`FittedLandmarks::rank`]; `None` after conjugate gradients.
    pub fn effective_parameters(&self) -> Option<f64> {
        self.0.effective_parameters
    }
}
