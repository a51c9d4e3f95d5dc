//! One error for the whole crate, above the files whose errors it holds.

use std::io;

use thiserror::Error;

use crate::cifar::CifarError;
use crate::deform::DeformError;
use crate::error::DataError;
use crate::idx::IdxError;
use crate::sample::SampleError;
use crate::scaling::UnknownScaling;
use crate::sphere::NoDirection;
use crate::subset::SubsetError;
use crate::targets::TargetError;

/// An `Error` is any error of this crate, so that `?` works on all that it returns.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A data set could not be had.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A subset could not be had.
    #[error(transparent)]
    Subset(#[from] SubsetError),
    /// Images could not be deformed.
    #[error(transparent)]
    Deform(#[from] DeformError),
    /// Labels could not become targets.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A row has no direction, and so no place on a sphere.
    #[error(transparent)]
    Sphere(#[from] NoDirection),
    /// No pixel scaling has the name asked for.
    #[error(transparent)]
    Scaling(#[from] UnknownScaling),
    /// Bytes are not the IDX file that they should be.
    #[error(transparent)]
    Idx(#[from] IdxError),
    /// Bytes are not a CIFAR-10 batch.
    #[error(transparent)]
    Cifar(#[from] CifarError),
    /// The sample could not be made, or is not what it should be.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// Data drawn by a formula exceed memory.
    #[cfg(feature = "synthetic")]
    #[error(transparent)]
    Synthetic(#[from] crate::synthetic::TooLarge),
    /// Graphs or sequences could not be drawn.
    #[cfg(feature = "synthetic")]
    #[error(transparent)]
    Structured(#[from] crate::synthetic::StructuredError),
    /// Principal components could not be had, or not be applied.
    #[cfg(feature = "pca")]
    #[error(transparent)]
    Pca(#[from] crate::pca::PcaError),
    /// Bytes could not be read or decompressed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_can_be_shared_by_threads() {
        fn shared<E: std::error::Error + Send + Sync + 'static>() {}
        shared::<Error>();
        let unknown = UnknownScaling {
            asked: "percent".to_owned(),
        };
        let text = unknown.to_string();
        assert_eq!(Error::from(unknown).to_string(), text);
    }
}
