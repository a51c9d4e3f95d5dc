//! Describes convolutions whose weights differ from position to position.

use super::{Action, Conv, Layer, LayerKind, NetworkError, Resolved, Shape, conv, json};
use crate::network::padding::Padding;
use serde_json::Value;

/// A `ConvLocal` is a convolution whose every output position has weights and biases of its own: a
/// locally connected layer.
///
/// Where no layer after it mixes positions its kernels are those of a convolution (Novak et al. 2019,
/// arXiv:1810.05148, section 5).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConvLocal(
    /// The convolution that would share its weights.
    pub Conv,
);

/// Makes a convolution without shared weights, with 64 output channels, strides 1, valid padding,
/// `w_std = 1` and no bias.
///
/// ```
/// use ntk_kernels::network::{Network, Shape, conv_local};
///
/// let network = Network::new().then(conv_local([3, 3]).same().channels(16));
/// assert_eq!(network.output([7, 7, 1])?, Shape::new([7, 7], 16));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[must_use]
pub fn conv_local(filter: impl Into<Vec<usize>>) -> ConvLocal {
    ConvLocal(conv(filter))
}

impl ConvLocal {
    /// Sets the number of output channels.
    #[must_use]
    pub fn channels(self, channels: usize) -> Self {
        Self(self.0.channels(channels))
    }

    /// Sets the strides, one for each axis of positions.
    #[must_use]
    pub fn strides(self, strides: impl Into<Vec<usize>>) -> Self {
        Self(self.0.strides(strides))
    }

    /// Sets the padding, as [`Conv::padding`] does.
    #[must_use]
    pub fn padding(self, padding: impl Into<Padding>) -> Self {
        Self(self.0.padding(padding))
    }

    /// Pads with zeros so that strides of 1 keep the size: [`Padding::Same`].
    #[must_use]
    pub fn same(self) -> Self {
        Self(self.0.same())
    }

    /// Pads with the opposite edge: [`Padding::Circular`].
    #[must_use]
    pub fn circular(self) -> Self {
        Self(self.0.circular())
    }

    /// Sets the standard deviation of the weights, times `sqrt(fan_in)`.
    #[must_use]
    pub fn w_std(self, w_std: f64) -> Self {
        Self(self.0.w_std(w_std))
    }

    /// Gives the layer biases of this standard deviation, or by `None` takes them away; see
    /// [`Conv::b_std`].
    #[must_use]
    pub fn b_std(self, b_std: impl Into<Option<f64>>) -> Self {
        Self(self.0.b_std(b_std))
    }
}

impl LayerKind for ConvLocal {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn options(&self) -> Value {
        self.0.options()
    }

    fn fault(&self) -> Option<String> {
        let groups = (self.0.groups > 1).then(|| {
            let groups = self.0.groups;
            format!("groups must be 1 where positions have weights of their own, found {groups}; use conv")
        });
        self.0.fault().or(groups)
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        let Resolved { shape, mut action } = self.0.resolve(input)?;
        if let Action::Weights(weights) = &mut action {
            weights.shared = false;
        }
        Ok(Resolved { shape, action })
    }

    fn deviations(&mut self) -> Vec<(&'static str, &mut f64)> {
        self.0.deviations()
    }
}

pub(super) const NAMES: &[&str] = &["conv_local"];

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    json::options::<Conv>(at, name, options).map(|conv| Layer::ConvLocal(ConvLocal(conv)))
}
