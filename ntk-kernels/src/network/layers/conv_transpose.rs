//! Describes transposed convolutions, which make images larger.

use super::conv::window_fault;
use super::{
    Action, Layer, LayerKind, NetworkError, Resolved, Shape, count_fault, deviations_fault, json,
    to_json, weights_and_biases,
};
use crate::network::action::Weights;
use crate::network::positions::{AxisTaps, Windows, check_reads};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An `Edges` says what a transposed convolution does at the edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Edges {
    /// Every output that a tap of an input meets is kept: `size stride + max(filter - stride, 0)`.
    #[default]
    Valid,
    /// `size stride` outputs are kept.
    Same,
    /// `size stride` outputs are kept, and taps that leave at one end come in at the other.
    Circular,
}

/// A `ConvTranspose` is a transposed convolution: each input is spread by a filter over the outputs
/// around `stride` times its position, as jax's `conv_transpose` and neural_tangents do.
///
/// Its weights are scaled by the fan-in as a convolution's, input channels times positions of the
/// filter, although only about one in the product of the strides meets an input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConvTranspose {
    /// The number of output channels.
    pub channels: usize,
    /// The kernel size of the filter, one number for each axis of positions.
    pub filter: Vec<usize>,
    /// The strides, by which outputs are more than inputs, one for each axis; `None` means 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strides: Option<Vec<usize>>,
    /// The outputs that are kept at the edges.
    pub padding: Edges,
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

impl Default for ConvTranspose {
    fn default() -> Self {
        Self {
            channels: 64,
            filter: vec![3, 3],
            strides: None,
            padding: Edges::Valid,
            w_std: 1.0,
            b_std: None,
            base_channels: None,
        }
    }
}

/// Makes a transposed convolution with 64 output channels, strides 1, valid padding, `w_std = 1` and
/// no bias.
///
/// ```
/// use ntk_kernels::network::{Network, Shape, conv_transpose};
///
/// let layer = conv_transpose([3, 3]).strides([2, 2]).same().channels(16);
/// assert_eq!(Network::new().then(layer).output([7, 7, 32])?, Shape::new([14, 14], 16));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[must_use]
pub fn conv_transpose(filter: impl Into<Vec<usize>>) -> ConvTranspose {
    ConvTranspose {
        filter: filter.into(),
        ..ConvTranspose::default()
    }
}

impl ConvTranspose {
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

    /// Keeps `size stride` outputs: [`Edges::Same`].
    #[must_use]
    pub fn same(mut self) -> Self {
        self.padding = Edges::Same;
        self
    }

    /// Wraps around the edges: [`Edges::Circular`].
    #[must_use]
    pub fn circular(mut self) -> Self {
        self.padding = Edges::Circular;
        self
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

    /// Gives the layer biases of this standard deviation, or by `None` takes them away; see
    /// [`Conv::b_std`](super::Conv::b_std).
    #[must_use]
    pub fn b_std(mut self, b_std: impl Into<Option<f64>>) -> Self {
        self.b_std = b_std.into();
        self
    }

    fn steps(&self) -> Vec<usize> {
        let ones = || vec![1; self.filter.len()];
        self.strides.clone().unwrap_or_else(ones)
    }

    /// Lists the taps along an axis of `size` positions: tap t of output o reads input `(o - a + t)/s`
    /// where that is a whole number.
    fn along(&self, size: usize, filter: usize, stride: usize) -> Result<AxisTaps, String> {
        let wide = size.checked_mul(stride);
        let outputs = match self.padding {
            Edges::Valid => wide.and_then(|wide| wide.checked_add(filter.saturating_sub(stride))),
            Edges::Same | Edges::Circular => wide,
        };
        let too_many =
            || format!("its strides make too many of {size} positions; use smaller ones");
        let outputs = outputs
            .filter(|&outputs| outputs < 1 << 26)
            .ok_or_else(too_many)?;
        let what = format!("a filter of size {filter} over {size} positions");
        check_reads(&what, filter)?;
        check_reads(&what, outputs.saturating_mul(filter))?;
        check_reads(&what, stride)?;
        let before = match self.padding {
            Edges::Valid => filter - 1,
            Edges::Same | Edges::Circular if stride > filter - 1 => filter - 1,
            Edges::Same | Edges::Circular => (filter + stride - 2).div_ceil(2),
        };
        let input = |out: usize, tap: usize| {
            let at = match self.padding {
                Edges::Circular => {
                    (out + tap + outputs * before.div_ceil(outputs) - before) % outputs
                }
                Edges::Valid | Edges::Same => (out + tap).checked_sub(before)?,
            };
            (at.is_multiple_of(stride) && at / stride < size).then_some(at / stride)
        };
        let taps = |out: usize| {
            let taps = (0..filter).filter_map(move |tap| Some((tap, input(out, tap)?)));
            taps.collect()
        };
        AxisTaps::new(size, filter, (0..outputs).map(taps))
    }
}

impl LayerKind for ConvTranspose {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn options(&self) -> Value {
        to_json(self)
    }

    fn fault(&self) -> Option<String> {
        count_fault("channels", self.channels)
            .or_else(|| {
                self.base_channels
                    .and_then(|count| count_fault("base_channels", count))
            })
            .or_else(|| window_fault("filter", &self.filter, "strides", &self.steps()))
            .or_else(|| deviations_fault(&[("w_std", Some(self.w_std)), ("b_std", self.b_std)]))
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        input.needs_axes("filter", &self.filter)?;
        let sizes = input.positions().iter().zip(&self.filter).zip(self.steps());
        let axes = sizes.map(|((&size, &filter), stride)| self.along(size, filter, stride));
        let windows = Windows::of(axes.collect::<Result<Vec<_>, _>>()?).met_by_any();
        let positions = &windows.outputs()[..self.filter.len()];
        Ok(Resolved {
            shape: Shape::new(positions, self.channels),
            action: Action::Weights(
                Weights::new(
                    Some(windows),
                    input,
                    self.channels,
                    (self.w_std, self.b_std),
                )
                .base(self.base_channels),
            ),
        })
    }

    fn deviations(&mut self) -> Vec<(&'static str, &mut f64)> {
        weights_and_biases(&mut self.w_std, &mut self.b_std)
    }
}

pub(super) const NAMES: &[&str] = &["conv_transpose"];

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    json::options::<ConvTranspose>(at, name, options).map(Layer::ConvTranspose)
}
