//! Describes convolutions over one to three axes of positions.

use super::{
    Action, Layer, LayerKind, NetworkError, Resolved, Shape, count_fault, deviations_fault, json,
    to_json, weights_and_biases,
};
use crate::network::action::Weights;
use crate::network::padding::Padding;
use crate::network::positions::{Windows, reach};
use crate::network::shape::AXES;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A `Conv` is a convolution; its weights are scaled by the fan-in, input channels times positions
/// of the filter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Conv {
    /// The number of output channels, which has no effect on infinite-width kernels in NTK
    /// parameterisation.
    pub channels: usize,
    /// The kernel size of the filter: `[length]` for sequences, `[height, width]` for images, `[depth,
    /// height, width]` for volumes.
    pub filter: Vec<usize>,
    /// The strides, one for each axis of positions; `None` means 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strides: Option<Vec<usize>>,
    /// The distances between the inputs that neighbouring taps of the filter read, one for each axis
    /// of positions; `None` means 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dilation: Option<Vec<usize>>,
    /// The number of groups of channels: the outputs of a group read its inputs alone. Both numbers of
    /// channels are multiples of it.
    #[serde(skip_serializing_if = "is_one")]
    pub groups: usize,
    /// The padding of the input.
    pub padding: Padding,
    /// The standard deviation of the weights, times `sqrt(fan_in)`.
    pub w_std: f64,
    /// The standard deviation of the biases at first; `None` means that the layer has none, and 0
    /// that they are trained and start at zero.
    pub b_std: Option<f64>,
    /// The number of output channels for which the scaling of the standard parameterisation is meant
    /// (Sohl-Dickstein et al. 2020, arXiv:2001.07301, section 3); `None` means as many as there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_channels: Option<usize>,
}

impl Default for Conv {
    fn default() -> Self {
        Self {
            channels: 64,
            filter: vec![3, 3],
            strides: None,
            dilation: None,
            groups: 1,
            padding: Padding::Valid,
            w_std: 1.0,
            b_std: None,
            base_channels: None,
        }
    }
}

/// Makes a convolution with 64 output channels, strides 1, valid padding, `w_std = 1` and no bias.
///
/// `filter` is the kernel size: `[length]` for sequences, `[height, width]` for images.
///
/// ```
/// use ntk_kernels::network::{Network, Shape, conv};
///
/// let network = Network::new()
///     .then(conv([3, 3]).channels(16).same())
///     .then(conv([2, 2]).channels(32).strides([2, 2]).b_std(0.1));
/// assert_eq!(network.output([28, 28, 1])?, Shape::new([14, 14], 32));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[must_use]
pub fn conv(filter: impl Into<Vec<usize>>) -> Conv {
    Conv {
        filter: filter.into(),
        ..Conv::default()
    }
}

impl Conv {
    /// Sets the number of output channels.
    #[must_use]
    pub fn channels(mut self, channels: usize) -> Self {
        self.channels = channels;
        self
    }

    /// Sets the strides, one for each axis of positions.
    #[must_use]
    pub fn strides(mut self, strides: impl Into<Vec<usize>>) -> Self {
        self.strides = Some(strides.into());
        self
    }

    /// Sets the distances between the inputs that neighbouring taps of the filter read, one for each
    /// axis of positions.
    ///
    /// ```
    /// use ntk_kernels::network::{Network, Shape, conv};
    ///
    /// let network = Network::new().then(conv([3]).dilation([4]));
    /// assert_eq!(network.output([20, 2])?, Shape::new([12], 64));
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<Vec<usize>>) -> Self {
        self.dilation = Some(dilation.into());
        self
    }

    /// Sets the number of groups of channels, of which outputs read the inputs of their own alone.
    ///
    /// With as many groups as channels, a depthwise convolution, outputs are not Gaussian: put a dense
    /// layer before the next activation.
    ///
    /// ```
    /// use ntk_kernels::network::{Network, conv};
    ///
    /// let network = Network::new().then(conv([3])).then(conv([3]).channels(32).groups(4));
    /// let graph = network.resolve([20, 2])?;
    /// assert_eq!(graph.nodes[1].parameters[0].axes, [3, 16, 32]);
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// Sets the padding: by name, or by numbers of zeros for each axis of positions, such as
    /// `[1, 1]`, or `[[0, 1], [0, 1]]` before the first and after the last position.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Padding>) -> Self {
        self.padding = padding.into();
        self
    }

    /// Pads with zeros so that strides of 1 keep the size: [`Padding::Same`].
    #[must_use]
    pub fn same(self) -> Self {
        self.padding(Padding::Same)
    }

    /// Pads with the opposite edge: [`Padding::Circular`].
    #[must_use]
    pub fn circular(self) -> Self {
        self.padding(Padding::Circular)
    }

    /// Sets the number of output channels for which the scaling of the standard parameterisation is
    /// meant.
    #[must_use]
    pub fn base_channels(mut self, base_channels: usize) -> Self {
        self.base_channels = Some(base_channels);
        self
    }

    /// Sets the standard deviation of the weights, times `sqrt(fan_in)`.
    #[must_use]
    pub fn w_std(mut self, w_std: f64) -> Self {
        self.w_std = w_std;
        self
    }

    /// Gives the layer biases of this standard deviation, or by `None` takes them away.
    ///
    /// Of standard deviation 0 they start at zero, as those of Keras, flax and scikit-ntk do, and are
    /// trained: in the standard parameterisation they add 1 to the layer's NTK, in NTK
    /// parameterisation nothing.
    #[must_use]
    pub fn b_std(mut self, b_std: impl Into<Option<f64>>) -> Self {
        self.b_std = b_std.into();
        self
    }

    /// Returns strides and dilation with their defaults.
    fn steps(&self) -> [Vec<usize>; 2] {
        [&self.strides, &self.dilation].map(|sizes| {
            let ones = || vec![1; self.filter.len()];
            sizes.clone().unwrap_or_else(ones)
        })
    }
}

impl LayerKind for Conv {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn options(&self) -> Value {
        to_json(self)
    }

    fn fault(&self) -> Option<String> {
        let [strides, dilation] = self.steps();
        count_fault("channels", self.channels)
            .or_else(|| count_fault("groups", self.groups))
            .or_else(|| {
                (!self.channels.is_multiple_of(self.groups)).then(|| {
                    let (channels, groups) = (self.channels, self.groups);
                    format!("channels must be a multiple of groups, found {channels} and {groups}")
                })
            })
            .or_else(|| {
                self.base_channels
                    .and_then(|count| count_fault("base_channels", count))
            })
            .or_else(|| window_fault("filter", &self.filter, "strides", &strides))
            .or_else(|| window_fault("filter", &self.filter, "dilation", &dilation))
            .or_else(|| self.padding.fault("filter", &self.filter))
            .or_else(|| deviations_fault(&[("w_std", Some(self.w_std)), ("b_std", self.b_std)]))
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        if !input.channels().is_multiple_of(self.groups) {
            return Err(format!(
                "its groups {} must divide the channels of its input {input}; give a divisor of {}",
                self.groups,
                input.channels()
            ));
        }
        let steps = self.steps();
        let steps = steps.each_ref().map(Vec::as_slice);
        let (shape, windows) = windowed("filter", &self.filter, steps, &self.padding, input)?;
        Ok(Resolved {
            shape: shape.with_channels(self.channels),
            action: Action::Weights(
                Weights::new(
                    Some(windows),
                    input,
                    self.channels,
                    (self.w_std, self.b_std),
                )
                .base(self.base_channels)
                .groups(self.groups),
            ),
        })
    }

    fn deviations(&mut self) -> Vec<(&'static str, &mut f64)> {
        weights_and_biases(&mut self.w_std, &mut self.b_std)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_one(count: &usize) -> bool {
    *count == 1
}

pub(super) const NAMES: &[&str] = &["conv"];

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    json::options::<Conv>(at, name, options).map(Layer::Conv)
}

/// Says what is wrong with a kernel size and its strides, whatever the input.
pub(super) fn window_fault(
    window_name: &str,
    window: &[usize],
    strides_name: &str,
    strides: &[usize],
) -> Option<String> {
    if !(1..=AXES).contains(&window.len()) {
        return Some(format!(
            "{window_name} must have 1 size (sequences), 2 (images) or 3 (volumes), found {window:?}"
        ));
    }
    if window.len() != strides.len() {
        return Some(format!(
            "{window_name} and {strides_name} must have the same length, found {window:?} and {strides:?}"
        ));
    }
    [(window_name, window), (strides_name, strides)]
        .into_iter()
        .find(|(_, sizes)| sizes.contains(&0))
        .map(|(name, sizes)| format!("every size in {name} must be at least 1, found {sizes:?}"))
}

/// Computes the shape after windows over the positions of `input`, with the channels unchanged, and
/// the windows.
pub(super) fn windowed(
    name: &str,
    window: &[usize],
    [strides, dilation]: [&[usize]; 2],
    padding: &Padding,
    input: &Shape,
) -> Result<(Shape, Windows), String> {
    input.needs_axes(name, window)?;
    let positions = input
        .positions()
        .iter()
        .zip(window.iter().zip(strides).zip(dilation))
        .enumerate()
        .map(|(axis, (&size, ((&window_size, &stride), &dilation)))| {
            padding
                .along(axis, size, reach(window_size, dilation), stride)
                .map(|(outputs, _)| outputs)
                .ok_or_else(|| {
                    let wrapped = match padding {
                        Padding::Wrapped(_) => format!(", or its padding {padding},"),
                        Padding::Valid | Padding::Same | Padding::Circular | Padding::Zeros(_) => {
                            String::new()
                        }
                    };
                    format!("its {name} {window:?}{wrapped} is larger than the input {input}; use \"same\" padding or fewer layers")
                })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let windows = Windows::new(window, strides, dilation, padding, input)
        .map_err(|reason| format!("its {name} {window:?} is too large: {reason}"))?;
    Ok((Shape::new(positions, input.channels()), windows))
}
