//! The implementations that do the work.

pub(crate) mod compiled;
mod faer;
#[cfg(feature = "openblas")]
pub(crate) mod lapack;
#[cfg(feature = "openblas")]
mod openblas;

use ndarray::{Array1, Array2};

/// An `Eigh` is the eigendecomposition `Q diag(values) Q^T` of a symmetric matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Eigh<T> {
    /// The n eigenvalues, ascending.
    pub values: Array1<T>,
    /// The eigenvectors Q, (n, n): column `i` is the unit eigenvector of `values[i]`.
    ///
    /// Column-major, so that an eigenvector is contiguous. Signs, and the basis
    /// within a repeated eigenvalue, are the backend's own.
    pub vectors: Array2<T>,
}

/// A backend is an implementation of every operation of this crate.
///
/// Each operation is a method here and a free function that calls it on
/// [`Backend::default`]. Results of two backends agree to rounding, not to the bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// [faer](https://docs.rs/faer), in pure Rust, which is always there.
    Faer,
    /// [OpenBLAS](https://www.openblas.net), under the feature `openblas`.
    #[cfg(feature = "openblas")]
    OpenBlas,
}

/// The default backend is OpenBLAS where it is compiled in, else faer.
impl Default for Backend {
    fn default() -> Self {
        #[cfg(feature = "openblas")]
        return Self::OpenBlas;
        #[cfg(not(feature = "openblas"))]
        return Self::Faer;
    }
}

impl Backend {
    /// Returns every backend that is compiled in; the default comes last.
    pub const fn available() -> &'static [Self] {
        &[
            Self::Faer,
            #[cfg(feature = "openblas")]
            Self::OpenBlas,
        ]
    }

    /// Returns the name of the backend in lower case: `"faer"` or `"openblas"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Faer => "faer",
            #[cfg(feature = "openblas")]
            Self::OpenBlas => "openblas",
        }
    }
}

#[cfg(test)]
mod address_tests;
#[cfg(test)]
mod tests {
    use super::Backend;

    #[test]
    fn the_default_is_available_and_last() {
        assert_eq!(Backend::available().last(), Some(&Backend::default()));
        assert_eq!(Backend::available()[0].name(), "faer");
    }
}
