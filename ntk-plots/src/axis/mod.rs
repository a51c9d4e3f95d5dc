//! The axes: their scale, their range, and where their ticks fall.

pub(crate) mod frame;
mod label;
mod ticks;

pub(crate) use ticks::{Along, Ticks};

/// The ways in which an axis maps numbers to positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// The scale on which positions are proportional to numbers.
    #[default]
    Linear,
    /// The scale of logarithms; every value must be positive.
    Log,
}

/// Share of the data's extent added at both ends, so that no point lies on the frame.
const PADDING: f64 = 0.04;
/// The same where nothing at the ends could be cut: just enough that a curve which starts steeply
/// does not lie on the other axis.
const TIGHT_PADDING: f64 = 0.01;
/// Spans below this share of the largest magnitude are rounding noise: drawn as a constant.
const NOISE: f64 = 1e-12;
/// Spans below this would underflow when divided into ticks.
const SMALLEST_SPAN: f64 = 1e-290;

/// An axis with its range fixed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    pub(crate) scale: Scale,
    /// Ends of the range; decimal logarithms on a logarithmic axis.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Whether all values are integers, so that ticks must be too.
    pub(crate) integer: bool,
    /// The ticks asked for, ascending; they are at round numbers if there are none.
    pub(crate) marked: Vec<f64>,
    /// The cells along a side of a matrix, where the axis has a place for each.
    pub(crate) cells: Option<Cells>,
}

/// A `Cells` says how the cells along a side of a matrix are labelled.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cells {
    /// A name for each cell; their index if none.
    pub(crate) names: Vec<String>,
    /// Whether names below the plot read upwards.
    pub(crate) upright: bool,
}

impl Axis {
    /// Makes the axis that shows all of `values`, with some space around them.
    pub(crate) fn around<'a>(scale: Scale, values: impl Iterator<Item = &'a f64> + Clone) -> Self {
        Self::spanning(scale, values, PADDING)
    }

    /// Makes the axis from the smallest to the largest of `values`, with next to no space around them,
    /// unless they are all the same.
    pub(crate) fn tight<'a>(scale: Scale, values: impl Iterator<Item = &'a f64> + Clone) -> Self {
        Self::spanning(scale, values, TIGHT_PADDING)
    }

    /// Makes the axis that shows all of `values`, and `padding` times their extent at both ends.
    fn spanning<'a>(
        scale: Scale,
        values: impl Iterator<Item = &'a f64> + Clone,
        padding: f64,
    ) -> Self {
        // Above 2^53 every number is an integer.
        let integer = values.clone().all(|v| v.fract() == 0.0 && v.abs() < 9e15);
        let transformed = values.map(|v| transform(scale, *v));
        let (low, high) = extent(transformed);
        let magnitude = low.abs().max(high.abs());
        let span = high - low;
        let axis = Self {
            scale,
            low,
            high,
            integer,
            marked: Vec::new(),
            cells: None,
        };
        if scale == Scale::Log {
            // A third of a decade around a single value.
            let pad = if span <= 1e-9 {
                1.0 / 3.0
            } else {
                span * padding
            };
            return axis.padded(pad);
        }
        if span > SMALLEST_SPAN.max(NOISE * magnitude) {
            axis.padded(span * padding)
        } else if magnitude > SMALLEST_SPAN {
            axis.padded(magnitude * 0.1)
        } else {
            axis.padded(1.0)
        }
    }

    /// Makes the axis from exactly `low` to `high`.
    pub(crate) fn exact(scale: Scale, low: f64, high: f64, integer: bool) -> Self {
        Self {
            scale,
            low: transform(scale, low),
            high: transform(scale, high),
            integer,
            marked: Vec::new(),
            cells: None,
        }
    }

    fn padded(mut self, by: f64) -> Self {
        self.low -= by;
        self.high += by;
        self
    }

    /// Moves the nearer end to zero, if all values have one sign and the axis is linear.
    pub(crate) fn reaching_zero<'a>(mut self, values: impl Iterator<Item = &'a f64>) -> Self {
        if self.scale == Scale::Linear {
            let (low, high) = extent(values.copied());
            if low >= 0.0 {
                self.low = 0.0;
            } else if high <= 0.0 {
                self.high = 0.0;
            }
        }
        self
    }

    /// Tells how labels stand if the axis is horizontal.
    pub(crate) fn across(&self) -> Along {
        match &self.cells {
            Some(cells) if cells.upright => Along::Upright,
            _ => Along::Horizontal,
        }
    }

    /// Finds where `value` lies: 0 at the low end, 1 at the high end.
    pub(crate) fn fraction(&self, value: f64) -> f64 {
        self.share(transform(self.scale, value))
    }

    /// Finds where the transformed value `u` lies.
    fn share(&self, u: f64) -> f64 {
        (u - self.low) / (self.high - self.low)
    }
}

fn transform(scale: Scale, value: f64) -> f64 {
    match scale {
        Scale::Linear => value,
        Scale::Log => value.log10(),
    }
}

/// Finds the smallest and the largest value.
pub(crate) fn extent(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        (low.min(v), high.max(v))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_never_collapses() {
        for values in [
            vec![0.0],
            vec![5.0; 3],
            vec![-2e-300],
            vec![1e300, -1e300],
            vec![1.0, 1.0 + 1e-15],
        ] {
            let axis = Axis::around(Scale::Linear, values.iter());
            assert!(
                axis.high > axis.low && (axis.high - axis.low).is_finite(),
                "{values:?}"
            );
            for v in &values {
                assert!((0.0..=1.0).contains(&axis.fraction(*v)), "{values:?}");
            }
        }
        let axis = Axis::around(Scale::Log, [7.0].iter());
        assert!((axis.fraction(7.0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn reaching_zero_moves_the_nearer_end() {
        let values = [2.0, 3.0];
        assert_eq!(
            Axis::around(Scale::Linear, values.iter())
                .reaching_zero(values.iter())
                .low,
            0.0
        );
        let values = [-2.0, -3.0];
        assert_eq!(
            Axis::around(Scale::Linear, values.iter())
                .reaching_zero(values.iter())
                .high,
            0.0
        );
        let values = [-1.0, 1.0];
        let axis = Axis::around(Scale::Linear, values.iter());
        assert_eq!(axis.clone().reaching_zero(values.iter()), axis);
    }
}
