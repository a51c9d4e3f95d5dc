//! Describes batch normalisation, as it is in evaluation.

use super::{Action, Layer, LayerKind, NetworkError, Resolved, Shape, json, to_json};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A `BatchNorm` computes `(z - mean) / sqrt(variance + eps)`, with a stored mean and variance of each
/// channel, and where it is affine `scale * that + shift`, with a trained scale and shift of each
/// channel (Ioffe & Szegedy 2015, arXiv:1502.03167).
///
/// That is batch normalisation in evaluation: a fixed map of every sample by itself. It has no kernel
/// in closed form.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchNorm {
    /// The number added to the variances.
    pub eps: f64,
    /// Whether a trained scale and shift of each channel follow, which start at 1 and 0.
    pub affine: bool,
}

impl Default for BatchNorm {
    fn default() -> Self {
        let (eps, affine) = (1e-5, true);
        Self { eps, affine }
    }
}

/// Makes a batch normalisation with `eps = 1e-5` and trained scale and shift.
///
/// ```
/// use ntk_kernels::network::{Network, batch_norm, conv};
///
/// let network = Network::new().then(conv([3]).channels(8)).then(batch_norm());
/// let graph = network.resolve([6, 2])?;
/// let names: Vec<_> = graph.nodes[1].parameters.iter().map(|p| &p.name[..]).collect();
/// assert_eq!(names, ["layers.1.scale", "layers.1.shift", "layers.1.mean", "layers.1.variance"]);
/// // Its kernel is known by what it does in training or by stored statistics, which are not given.
/// assert!(graph.nodes[1].no_kernel.as_ref().is_some_and(|why| why.contains("layer_norm")));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[must_use]
pub fn batch_norm() -> BatchNorm {
    BatchNorm::default()
}

impl BatchNorm {
    /// Sets the number added to the variances.
    #[must_use]
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Sets whether a trained scale and shift of each channel follow.
    #[must_use]
    pub fn affine(mut self, affine: bool) -> Self {
        self.affine = affine;
        self
    }
}

impl LayerKind for BatchNorm {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn options(&self) -> Value {
        to_json(self)
    }

    fn fault(&self) -> Option<String> {
        eps_fault(self.eps)
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        let (shape, Self { eps, affine }) = (input.clone(), *self);
        let action = Action::BatchNorm { eps, affine };
        Ok(Resolved { shape, action })
    }
}

/// Says what is wrong with a number added to variances, if anything is.
pub(super) fn eps_fault(eps: f64) -> Option<String> {
    (!(eps.is_finite() && eps >= 0.0))
        .then(|| format!("eps must be finite and not negative, found {eps}"))
}

pub(super) const NAMES: &[&str] = &["batch_norm"];

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    json::options::<BatchNorm>(at, name, options).map(Layer::BatchNorm)
}
