//! Describes what the windows of convolutions and pools read beyond the edges of the input.

use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};
use std::fmt;

/// The padding of a convolution or pool says which values its windows read beyond the edges of the
/// input.
///
/// One number for each axis of positions, or two, before the first and after the last position,
/// convert to [`Padding::Zeros`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Padding {
    /// There is no padding: windows lie inside the input, and `floor((size - window) / stride) + 1`
    /// positions remain.
    #[default]
    Valid,
    /// The input is padded with zeros so that `ceil(size / stride)` positions remain; of an odd
    /// number of zeros the larger half comes after the end.
    ///
    /// With strides above 1 this is not what a number as PyTorch's `padding=1` asks for, which pads
    /// both ends alike.
    Same,
    /// The input is padded with the values at its opposite edge, in the same amounts as by
    /// [`Padding::Same`].
    Circular,
    /// The input is padded with so many zeros before the first and after the last position of each
    /// axis: `floor((before + size + after - window) / stride) + 1` positions remain.
    Zeros(Vec<[usize; 2]>),
    /// The input is padded with so many values of its opposite edge before the first and after the
    /// last position of each axis.
    Wrapped(Vec<[usize; 2]>),
}

/// What JSON may have as a padding.
const EXPECTED: &str = "\"valid\", \"same\", \"circular\", or numbers for each axis of positions, as [1, 1], [[0, 1], [0, 1]] (before, after) or {\"circular\": [1, 1]}";

impl Padding {
    /// Computes the number of output positions for a window of size `window` with this stride along
    /// the `size` positions of `axis`, and the padding before the first; `None` where no window
    /// fits.
    pub(crate) fn along(
        &self,
        axis: usize,
        size: usize,
        window: usize,
        stride: usize,
    ) -> Option<(usize, usize)> {
        let outputs = |padded: usize| Some(padded.checked_sub(window)? / stride + 1);
        match self {
            Self::Valid => Some((outputs(size)?, 0)),
            Self::Same | Self::Circular => {
                let outputs = size.div_ceil(stride);
                let last = outputs.checked_sub(1)? * stride;
                let padded = window.saturating_sub(size - last);
                Some((outputs, padded / 2))
            }
            Self::Zeros(amounts) | Self::Wrapped(amounts) => {
                let [before, after] = amounts.get(axis).copied().unwrap_or_default();
                let wraps_once = before <= size && after <= size;
                if matches!(self, Self::Wrapped(_)) && !wraps_once {
                    return None;
                }
                let padded = size.checked_add(before)?.checked_add(after)?;
                Some((outputs(padded)?, before))
            }
        }
    }

    /// Computes how many positions are padded before the first and after the last of the `size`
    /// positions of `axis`, for a window of size `window` with this stride; `None` where no window
    /// fits.
    #[must_use]
    pub fn amounts(
        &self,
        axis: usize,
        size: usize,
        window: usize,
        stride: usize,
    ) -> Option<[usize; 2]> {
        let (window, stride) = (window.max(1), stride.max(1));
        let (outputs, before) = self.along(axis, size, window, stride)?;
        let read = (outputs - 1).checked_mul(stride)?.checked_add(window)?;
        Some([before, read.saturating_sub(size.checked_add(before)?)])
    }

    /// Says whether the input goes on at its opposite edge.
    pub(crate) fn wraps(&self) -> bool {
        matches!(self, Self::Circular | Self::Wrapped(_))
    }

    /// Says what is wrong with the numbers of the padding, for a window of these sizes.
    pub(super) fn fault(&self, window_name: &str, window: &[usize]) -> Option<String> {
        let (Self::Zeros(amounts) | Self::Wrapped(amounts)) = self else {
            return None;
        };
        (amounts.len() != window.len()).then(|| {
            format!(
                "padding must have one number or pair for each size of {window_name} {window:?}, found {self}"
            )
        })
    }

    fn to_json(&self) -> Value {
        let numbers = |amounts: &[[usize; 2]]| -> Value {
            match amounts.iter().all(|[before, after]| before == after) {
                true => amounts.iter().map(|[before, _]| *before).collect(),
                false => json!(amounts),
            }
        };
        match self {
            Self::Valid => json!("valid"),
            Self::Same => json!("same"),
            Self::Circular => json!("circular"),
            Self::Zeros(amounts) => numbers(amounts),
            Self::Wrapped(amounts) => json!({"circular": numbers(amounts)}),
        }
    }

    fn of_json(value: &Value) -> Option<Self> {
        match value {
            Value::String(name) => match &name[..] {
                "valid" => Some(Self::Valid),
                "same" => Some(Self::Same),
                "circular" => Some(Self::Circular),
                _ => None,
            },
            Value::Array(_) => Some(Self::Zeros(amounts(value)?)),
            Value::Object(fields) if fields.len() == 1 => {
                Some(Self::Wrapped(amounts(fields.get("circular")?)?))
            }
            _ => None,
        }
    }
}

/// Reads one number or pair for each axis of positions.
fn amounts(value: &Value) -> Option<Vec<[usize; 2]>> {
    let number = |value: &Value| usize::try_from(value.as_u64()?).ok();
    let items = value.as_array()?.iter();
    let items = items.map(|item| match item.as_array().map(Vec::as_slice) {
        None => number(item).map(|both| [both; 2]),
        Some([before, after]) => Some([number(before)?, number(after)?]),
        Some(_) => None,
    });
    items.collect()
}

/// Pads both ends of each axis with so many zeros, as PyTorch's `padding=(1, 1)` does.
impl<const N: usize> From<[usize; N]> for Padding {
    fn from(both: [usize; N]) -> Self {
        Self::Zeros(both.map(|each| [each; 2]).to_vec())
    }
}

/// Pads each axis with so many zeros before the first and after the last position.
impl<const N: usize> From<[[usize; 2]; N]> for Padding {
    fn from(amounts: [[usize; 2]; N]) -> Self {
        Self::Zeros(amounts.to_vec())
    }
}

impl Serialize for Padding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Padding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::of_json(&value)
            .ok_or_else(|| D::Error::invalid_value(Unexpected::Other("this"), &EXPECTED))
    }
}

/// Writes the padding as JSON has it, a name without quotes.
impl fmt::Display for Padding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_json() {
            Value::String(name) => f.write_str(&name),
            numbers => write!(f, "{numbers}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Network, Shape, avg_pool, conv};

    #[test]
    fn numbers_leave_as_many_positions_as_pytorch() {
        let output = |padding: Padding, size: usize, window: usize, stride: usize| {
            let layer = conv([window]).strides([stride]).padding(padding);
            let network = Network::new().then(layer);
            network.output(Shape::new([size], 2)).unwrap().positions()[0]
        };
        // torch.nn.Conv1d's floor((size + 2 padding - window) / stride) + 1.
        for (size, window, stride, padding, expected) in [
            (4, 3, 2, 1, 2),
            (5, 3, 2, 1, 3),
            (32, 7, 2, 3, 16),
            (9, 3, 3, 1, 3),
            (1, 3, 1, 1, 1),
            (2, 1, 1, 3, 8),
        ] {
            assert_eq!(output([padding].into(), size, window, stride), expected);
        }
        assert_eq!(output([[0, 2]].into(), 5, 3, 2), 3);
        assert_eq!(output(Padding::Wrapped(vec![[2, 1]]), 5, 3, 1), 6);
        let refused = Network::new().then(conv([3]).padding(Padding::Wrapped(vec![[6, 0]])));
        assert!(refused.output(Shape::new([5], 2)).is_err());
    }

    #[test]
    fn same_padding_has_its_larger_half_after_the_end() {
        for (size, window, stride, expected) in [
            (4, 3, 2, [0, 1]),
            (5, 3, 2, [1, 1]),
            (32, 7, 2, [2, 3]),
            (9, 3, 3, [0, 0]),
            (4, 2, 1, [0, 1]),
        ] {
            let found = Padding::Same.amounts(0, size, window, stride);
            assert_eq!(found, Some(expected));
        }
        assert_eq!(Padding::Valid.amounts(0, 2, 3, 1), None);
        assert_eq!(Padding::from([1]).amounts(0, 5, 3, 2), Some([1, 1]));
    }

    #[test]
    fn numbers_are_one_for_each_axis() {
        for layer in [
            conv([3, 3]).padding([1]).into(),
            crate::network::Layer::from(avg_pool([2]).padding([[0, 1], [1, 0]])),
        ] {
            let error = Network::new().then(layer).validate().unwrap_err();
            assert!(
                error.to_string().contains("padding must have one number"),
                "{error}"
            );
        }
    }

    #[test]
    fn json_has_numbers_pairs_and_names() {
        let read = |padding: &str| {
            let text = format!(r#"{{"layers": [{{"conv": {{"padding": {padding}}}}}]}}"#);
            Network::from_json(&text)
        };
        let network = |padding: Padding| Network::new().then(conv([3, 3]).padding(padding));
        for (text, padding) in [
            ("[1, 2.0]", Padding::from([1, 2])),
            ("[[1, 1], [0, 2]]", [[1, 1], [0, 2]].into()),
            ("[1, [0, 2]]", [[1, 1], [0, 2]].into()),
            (
                r#"{"circular": [1, 1]}"#,
                Padding::Wrapped(vec![[1, 1], [1, 1]]),
            ),
            (r#""circular""#, Padding::Circular),
        ] {
            let found = read(text).unwrap();
            assert_eq!(found, network(padding), "{text}");
            assert_eq!(Network::from_json(&found.to_json()), Ok(found), "{text}");
        }
        for wrong in [
            "1",
            "-1",
            "\"SAME\"",
            "[1.5, 1]",
            "[[1], 1]",
            "{\"zeros\": [1, 1]}",
            "null",
        ] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(
                error.starts_with("layers[0].conv.padding is ")
                    && error.contains("expected \"valid\""),
                "{error}"
            );
        }
    }
}
