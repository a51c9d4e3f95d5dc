//! Ridge regression on features.

use super::FeatureMap;
use crate::estimators::EstimatorError;
use crate::estimators::linear::{Basis, Linear};
use crate::estimators::samples::scores;
use crate::inputs::Inputs;
use crate::predict::{PredictError, Ridge};
use ndarray::{Array2, ArrayRef, Dimension};
use ntk_linalg::{Observer, Real};
use serde_json::Value;

/// A `FittedFeatures` predicts by ridge regression on features, `f(z) = features(z) t`;
/// [`Features::fit`](super::Features::fit) makes one.
#[derive(Debug, Clone)]
pub struct FittedFeatures<T>(pub(super) Linear<FeatureMap<T>>);

scores!(FittedFeatures);

impl<T: Real> FittedFeatures<T> {
    /// Makes the estimator that has this ridge, without another pass over the samples. Cost:
    /// `6 m^2` operations an output.
    ///
    /// # Errors
    /// [`EstimatorError::Predict`] for a ridge that is negative, not finite or adaptive.
    pub fn at(&self, alpha: impl Into<Ridge>) -> Result<Self, EstimatorError> {
        Ok(Self(self.0.at(alpha.into())?))
    }

    /// Predicts the outputs at the samples `z`, (rows, outputs), a block at a time.
    ///
    /// Cost: the features of `z`, and `2 m` operations a row and output.
    ///
    /// # Errors
    /// As [`FeatureMap::transform`], and [`EstimatorError::NoFeatures`] for samples with masks or
    /// graphs.
    pub fn predict<'z>(&self, z: impl Into<Inputs<'z, T>>) -> Result<Array2<T>, EstimatorError> {
        self.0.predict(&z.into())
    }

    /// Computes `y_i - f_(-i)(x_i)`, (rows, outputs), for samples `x` of those that were fitted, all
    /// or some, and their targets `y`: how far from its target each sample is predicted by an
    /// estimator that was fitted to all others, on the same features and with the same ridge.
    ///
    /// No estimator is fitted again: samples pass once more, with their features and `2 m^2`
    /// operations each.
    ///
    /// # Errors
    /// As [`FittedFeatures::predict`]; [`EstimatorError::TargetRows`] and
    /// [`EstimatorError::Predict`] for targets of other samples or outputs;
    /// [`EstimatorError::Leverage`] where a sample decides its own prediction.
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
    /// It is infinity where [`FittedFeatures::leave_one_out`] refuses. Cost: the features of the
    /// samples, once, and `2 m^2` operations a sample, and `2 m (1 + outputs)` for every ridge.
    ///
    /// # Errors
    /// As [`FittedFeatures::leave_one_out`], and [`EstimatorError::Predict`] for a ridge that is
    /// negative, not finite or adaptive.
    pub fn errors<'x, E: Dimension, R: Into<Ridge> + Copy>(
        &self,
        x: impl Into<Inputs<'x, T>>,
        y: &ArrayRef<T, E>,
        alphas: &[R],
    ) -> Result<Vec<f64>, EstimatorError> {
        self.0.errors(&x.into(), y, alphas)
    }

    /// Returns the map from samples to features.
    pub fn map(&self) -> &FeatureMap<T> {
        &self.0.basis
    }

    /// Returns the coefficients t of the features, (m, outputs).
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

    /// Returns `|Z^T y - (Z^T Z + r) t| / |Z^T y|` in f64, the largest of all outputs: what the
    /// solution leaves of the normal equations of the features Z (n, m).
    ///
    /// It is rounding, but where directions were left out for want of a ridge.
    pub fn residual(&self) -> f64 {
        self.0.residual
    }

    /// Returns the effective number of parameters, the trace of `Z (Z^T Z + r)^-1 Z^T`: the sum of
    /// the derivatives of all samples' predictions by their own targets.
    pub fn effective_parameters(&self) -> f64 {
        let known = self.0.effective_parameters;
        known.expect("features are fitted by normal equations")
    }
}

impl<T: Real> Basis for FeatureMap<T> {
    type Item = T;

    const COEFFICIENTS: &'static str = "the coefficients (feature, output)";

    fn count(&self) -> usize {
        Self::count(self)
    }

    fn described(&self) -> Vec<(&'static str, Value)> {
        self.settings()
    }

    fn check(&self, x: &Inputs<'_, T>) -> Result<(), EstimatorError> {
        if x.structure.is_empty() {
            return self.check_samples(&x.x);
        }
        Err(EstimatorError::NoFeatures {
            path: "the input".into(),
            name: "structure".into(),
            reason: "samples with masks or graphs have no features here".into(),
        })
    }

    fn rows(
        &self,
        x: &Inputs<'_, T>,
        observer: &dyn Observer,
    ) -> Result<Array2<T>, EstimatorError> {
        observer.check().map_err(PredictError::from)?;
        self.check(x)?;
        self.transform(&x.x)
    }

    fn trace(&self, _: &Inputs<'_, T>, rows: &Array2<T>) -> Result<f64, EstimatorError> {
        Ok(rows.iter().map(|&z| Real::to_f64(z).powi(2)).sum())
    }
}
