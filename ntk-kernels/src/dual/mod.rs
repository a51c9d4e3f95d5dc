//! Dual activations: what an activation does to a Gaussian covariance.
//!
//! For pre-activations `(u, v)` jointly normal with variances `q1`, `q2` and
//! covariance `q`, an activation `f` has the kernel `K = E[f(u) f(v)]` and the
//! derivative kernel `D = E[f'(u) f'(v)]`, which multiplies the NTK
//! (Daniely et al. 2016, arXiv:1602.05897).
//!
//! One activation is one file of this folder and one line in each list below.

mod abrelu;
mod angle;

pub use angle::angle;

pub use abrelu::{AbRelu, abrelu, abs, leaky_relu, relu};

use ntk_linalg::Real;
use serde_json::Value;
use std::fmt;

/// An activation with a kernel in closed form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// `a min(x, 0) + b max(x, 0)`: relu, leaky relu and absolute value.
    AbRelu(AbRelu),
}

impl Activation {
    /// Names that JSON knows.
    pub const NAMES: &[&str] = &["relu", "leaky_relu", "abs", "abrelu"];

    /// Maps one row of covariances.
    ///
    /// `q1` is the variance of the row's sample, `q2[j]` that of column `j`'s;
    /// `nngp[j]` goes from `q` to `K`, and `ntk[j]` is multiplied by `D`.
    /// All slices have the same length.
    pub fn map_row<T: Real>(&self, q1: T, q2: &[T], nngp: &mut [T], ntk: Option<&mut [T]>) {
        match self {
            Self::AbRelu(f) => f.map_row(q1, q2, nngp, ntk),
        }
    }

    /// `K` of a sample with itself: its variance goes from `q` to this.
    pub fn diagonal<T: Real>(&self, q: T) -> T {
        match self {
            Self::AbRelu(f) => f.diagonal(q),
        }
    }

    pub(crate) fn from_name(name: &str, options: Value) -> Option<Result<Self, String>> {
        abrelu::from_name(name, options)
    }

    /// The name and options as JSON, `null` for no options.
    pub(crate) fn name_and_options(&self) -> (&'static str, Value) {
        match self {
            Self::AbRelu(f) => f.name_and_options(),
        }
    }

    pub(crate) fn fault(&self) -> Option<String> {
        match self {
            Self::AbRelu(f) => f.fault(),
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name_and_options() {
            (name, Value::Object(options)) => {
                let options: Vec<String> =
                    options.iter().map(|(k, v)| format!("{k} {v}")).collect();
                write!(f, "{name}({})", options.join(", "))
            }
            (name, _) => f.write_str(name),
        }
    }
}
