//! The scalars: f64 is the reference, f32 the fast path.

use std::fmt::{Debug, Display, LowerExp};
use std::iter::Sum;

use ndarray::ScalarOperand;
use num_traits::{Float, FromPrimitive, NumAssign};

use crate::backend::compiled::Compiled;

/// A `Real` is a real scalar: it is `f32` or `f64`, and nothing else.
///
/// Everything generic in this workspace is generic over this one trait alone. Its bounds are of the
/// standard library, num-traits and ndarray; of the linear algebra behind it, it shows nothing.
pub trait Real:
    Float
    + NumAssign
    + FromPrimitive
    + Debug
    + Display
    + LowerExp
    + Default
    + Sum
    + for<'a> Sum<&'a Self>
    + ScalarOperand
    + Send
    + Sync
    + Compiled
    + 'static
{
    /// The Rust name of the type.
    const NAME: &'static str;

    /// Returns the value nearest to an f64.
    fn of(literal: f64) -> Self;

    /// Returns the same value as f64, exactly.
    fn to_f64(self) -> f64;

    /// Returns `single(input)` where `Self` is f32, `double(input)` where it is f64: a way from
    /// generic code to code that was compiled once for each scalar.
    #[doc(hidden)]
    fn apply<In: ByScalar, Out: ByScalar>(
        input: In::Of<Self>,
        single: impl FnOnce(In::Of<f32>) -> Out::Of<f32>,
        double: impl FnOnce(In::Of<f64>) -> Out::Of<f64>,
    ) -> Out::Of<Self>;
}

/// A `ByScalar` is a family of types, one for each scalar, for [`Real::apply`].
#[doc(hidden)]
pub trait ByScalar {
    /// The member of the family for `T`.
    type Of<T: Real>;
}

impl Real for f32 {
    const NAME: &'static str = "f32";

    #[inline]
    #[allow(clippy::cast_possible_truncation)] // rounding to f32 is the point
    fn of(literal: f64) -> Self {
        literal as Self
    }

    #[inline]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    #[inline]
    fn apply<In: ByScalar, Out: ByScalar>(
        input: In::Of<Self>,
        single: impl FnOnce(In::Of<f32>) -> Out::Of<f32>,
        _: impl FnOnce(In::Of<f64>) -> Out::Of<f64>,
    ) -> Out::Of<Self> {
        single(input)
    }
}

impl Real for f64 {
    const NAME: &'static str = "f64";

    #[inline]
    fn of(literal: f64) -> Self {
        literal
    }

    #[inline]
    fn to_f64(self) -> f64 {
        self
    }

    #[inline]
    fn apply<In: ByScalar, Out: ByScalar>(
        input: In::Of<Self>,
        _: impl FnOnce(In::Of<f32>) -> Out::Of<f32>,
        double: impl FnOnce(In::Of<f64>) -> Out::Of<f64>,
    ) -> Out::Of<Self> {
        double(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_rounds_and_to_f64_is_exact() {
        assert_eq!(f32::of(0.1), 0.1_f32);
        assert_eq!(f64::of(0.1), 0.1);
        assert_eq!(Real::to_f64(0.1_f32), f64::from(0.1_f32));
        assert_eq!((f32::NAME, f64::NAME), ("f32", "f64"));
    }
}
