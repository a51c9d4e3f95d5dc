//! Predictions from landmarks.

use super::equations::Equations;
use super::{check_block, check_targets, kernel_with};
use crate::closed_form::{Kernel, memory};
use crate::estimators::EstimatorError;
use crate::estimators::file::{self, FileContents};
use crate::estimators::samples::{Samples, columns, scores};
use crate::inputs::Inputs;
use crate::network::Network;
use crate::predict::{PredictError, Ridge, check};
use crate::structure::Structure;
use ndarray::{Array2, ArrayD, ArrayRef, Dimension, s};
use ntk_linalg::{LinalgError, Real, matmul};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// A `FittedLandmarks` predicts by kernel ridge regression over landmarks;
/// [`Landmarks::fit`](super::Landmarks::fit) makes one.
#[derive(Debug, Clone)]
pub struct FittedLandmarks<T> {
    landmarks: Samples<T>,
    kernel: Kernel,
    block: usize,
    /// What the normal equations give beside coefficients, `None` by conjugate gradients.
    equations: Option<Arc<Equations>>,
    samples: usize,
    added: f64,
    coefficients: Array2<f64>,
    residual: f64,
    effective_parameters: Option<f64>,
}

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

const LEAVE_ONE_OUT: &str = "leaving one sample out";
const COEFFICIENTS: &str = "the coefficients (landmark, output)";

impl<T: Real> FittedLandmarks<T> {
    pub(super) fn new(
        landmarks: Samples<T>,
        kernel: Kernel,
        block: usize,
        equations: impl Into<Arc<Equations>>,
        alpha: Ridge,
    ) -> Result<Self, EstimatorError> {
        let equations = equations.into();
        let added = equations.added(alpha).map_err(PredictError::from)?;
        let solved = equations.at(added).map_err(PredictError::from)?;
        Ok(Self {
            landmarks,
            kernel,
            block,
            samples: equations.samples(),
            equations: Some(equations),
            added,
            coefficients: check::result(COEFFICIENTS, solved.coefficients)?,
            residual: solved.residual,
            effective_parameters: Some(solved.effective_parameters),
        })
    }

    /// Makes what conjugate gradients found: the ridge, the coefficients and the residual.
    pub(super) fn iterated(
        landmarks: Samples<T>,
        kernel: Kernel,
        block: usize,
        samples: usize,
        (added, coefficients, residual): (f64, Array2<f64>, f64),
    ) -> Result<Self, EstimatorError> {
        Ok(Self {
            landmarks,
            kernel,
            block,
            samples,
            equations: None,
            added,
            coefficients: check::result(COEFFICIENTS, coefficients)?,
            residual,
            effective_parameters: None,
        })
    }

    /// Returns the equations, which `what` needs.
    fn equations(&self, what: &'static str) -> Result<&Arc<Equations>, EstimatorError> {
        let equations = self.equations.as_ref();
        equations.ok_or(EstimatorError::NoEquations { what })
    }

    /// Makes the estimator that has this ridge, without another pass over the samples. Cost:
    /// `6 m^2` operations an output, and a copy of the landmarks.
    ///
    /// # Errors
    /// [`EstimatorError::Predict`] for a ridge that is negative, not finite or adaptive;
    /// [`EstimatorError::NoEquations`] after conjugate gradients or a file.
    pub fn at(&self, alpha: impl Into<Ridge>) -> Result<Self, EstimatorError> {
        let equations = self.equations("another ridge")?.clone();
        let landmarks = self.landmarks.clone();
        Self::new(landmarks, self.kernel, self.block, equations, alpha.into())
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
            kernel: self.kernel,
            block: self.block,
            samples: self.samples,
            ridge_added: self.added,
            residual: self.residual,
            effective_parameters: self.effective_parameters,
        };
        let coefficients = ("coefficients", self.coefficients.view().into_dyn());
        let samples = self.landmarks.written();
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
        // Zero rows at a time would never end.
        let read = Self::iterated(landmarks, kernel, block.max(1), samples, solution)?;
        Ok(Self {
            effective_parameters,
            ..read
        })
    }

    /// Predicts the outputs at the samples `z`, (rows, outputs), a block at a time.
    ///
    /// Cost: the kernel of `z` with the m landmarks, and `2 m` operations a row and output.
    ///
    /// # Errors
    /// [`EstimatorError::Kernel`] where `z` has samples of another shape than the landmarks, more
    /// than there is memory for, or entries that are not finite.
    pub fn predict<'z>(&self, z: impl Into<Inputs<'z, T>>) -> Result<Array2<T>, EstimatorError> {
        let z = &z.into();
        let rows = z.x.shape().first().copied().unwrap_or(0);
        let outputs = self.coefficients.ncols();
        memory::check(memory::product([rows, outputs, size_of::<T>()]))?;
        let mut predicted = Array2::zeros((rows, outputs));
        self.each_block(z, |range, k_bm| {
            let found = matmul(&k_bm, &self.coefficients)?.mapv_into_any(T::of);
            predicted.slice_mut(s![range, ..]).assign(&found);
            Ok(())
        })?;
        Ok(check::result("the outputs (sample, output)", predicted)?)
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
        let y = columns(y)?;
        memory::check(memory::product([y.len(), size_of::<T>()]))?;
        let mut residuals = Array2::zeros(y.raw_dim());
        let mut whole = None;
        self.each_left_out(&x.into(), y.view(), &[self.added], |at, leverage, error| {
            let [sample, _, output] = at;
            match error {
                Some(error) => residuals[[sample, output]] = T::of(error),
                None => whole = whole.or(Some((sample, leverage))),
            }
        })?;
        if let Some((sample, leverage)) = whole {
            return Err(EstimatorError::Leverage { sample, leverage });
        }
        let what = "the residuals (sample, output)";
        Ok(check::result(what, residuals)?)
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
        let y = columns(y)?;
        let equations = self.equations(LEAVE_ONE_OUT)?;
        let added = alphas.iter().map(|&alpha| equations.added(alpha.into()));
        let added: Result<Vec<f64>, _> = added.collect();
        let added = added.map_err(PredictError::from)?;
        let mut sums = vec![0.0; added.len()];
        self.each_left_out(&x.into(), y.view(), &added, |[_, c, _], _, error| {
            sums[c] += error.map_or(f64::INFINITY, |error| error * error);
        })?;
        let entries = y.len().max(1) as f64;
        Ok(sums.into_iter().map(|sum| sum / entries).collect())
    }

    /// Calls what [`Equations::each_left_out`] calls, of all samples.
    fn each_left_out(
        &self,
        x: &Inputs<'_, T>,
        y: ndarray::ArrayView2<'_, T>,
        added: &[f64],
        mut each: impl FnMut([usize; 3], f64, Option<f64>),
    ) -> Result<(), EstimatorError> {
        let equations = self.equations(LEAVE_ONE_OUT)?;
        check_targets(x, y)?;
        let expected = (y.nrows(), self.coefficients.ncols());
        let why = "as many outputs as were fitted";
        check::shape("the targets", &y, expected, why)?;
        self.each_block(x, |range, k_bm| {
            let y = y.slice(s![range.clone(), ..]).mapv(Real::to_f64);
            let each = |[sample, c, output]: [usize; 3], leverage, error| {
                each([range.start + sample, c, output], leverage, error);
            };
            equations.each_left_out(&k_bm, &y, added, each)
        })
    }

    /// Calls with the kernel of each block of `z` with the landmarks.
    fn each_block(
        &self,
        z: &Inputs<'_, T>,
        mut call: impl FnMut(Range<usize>, Array2<f64>) -> Result<(), LinalgError>,
    ) -> Result<(), EstimatorError> {
        let both = self.landmarks.kernel_fn_at(z).distinct();
        both.check(&z.x, Some(&self.landmarks.x))?;
        let rows = z.x.shape().first().copied().unwrap_or(0);
        check_block::<T>(self.block.min(rows), self.landmarks.count())?;
        for start in (0..rows).step_by(self.block) {
            let range = start..rows.min(start.saturating_add(self.block));
            let part = z.slice(range.clone());
            let part = part.expect("masks and graphs of all samples have been checked");
            let k_bm = kernel_with(&self.landmarks, self.kernel, &part, &())?;
            call(range, k_bm.mapv_into_any(Real::to_f64)).map_err(PredictError::from)?;
        }
        Ok(())
    }

    /// Returns the network.
    pub fn network(&self) -> &Network {
        &self.landmarks.network
    }

    /// Returns the landmarks, (m, ...).
    pub fn points(&self) -> &ArrayD<T> {
        &self.landmarks.x
    }

    /// Returns the masks and graphs of the landmarks.
    pub fn structure(&self) -> &Structure {
        &self.landmarks.structure
    }

    /// Returns which kernel predictions use.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// Returns the coefficients b of the landmarks, (m, outputs): `K(z, landmarks) b` are the
    /// predictions.
    pub fn coefficients(&self) -> &Array2<f64> {
        &self.coefficients
    }

    /// Returns the ridge r, as a number.
    pub fn ridge_added(&self) -> f64 {
        self.added
    }

    /// Returns the number n of samples that were fitted.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Returns how many directions of the m there are above the resolution of the element type in
    /// the kernel of the landmarks; after conjugate gradients or a file, m: the former damp what is below instead of
    /// leaving it out.
    pub fn rank(&self) -> usize {
        let rank = self.equations.as_ref().map(|equations| equations.rank());
        rank.unwrap_or(self.landmarks.count())
    }

    /// Returns `|Z^T y - (Z^T Z + r) t| / |Z^T y|` in f64, the largest of all outputs: what the
    /// solution leaves of the normal equations in the basis that [`Landmarks`](super::Landmarks)
    /// describes, or of the preconditioned ones after conjugate gradients.
    ///
    /// By normal equations it is rounding, but where directions were left out for want of a ridge.
    pub fn residual(&self) -> f64 {
        self.residual
    }

    /// Returns the effective number of parameters, the trace of `Z (Z^T Z + r)^-1 Z^T`: the sum of
    /// the derivatives of all samples' predictions by their own targets, at most
    /// [`FittedLandmarks::rank`]; `None` after conjugate gradients.
    pub fn effective_parameters(&self) -> Option<f64> {
        self.effective_parameters
    }
}
