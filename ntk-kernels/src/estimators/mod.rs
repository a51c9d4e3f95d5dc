//! Estimators that own a network and the samples it learned from.
//!
//! Each is a builder: its options have defaults, [`fit`](KernelRidge::fit) takes samples `x` (n,
//! features), (n, length, channels) or (n, height, width, channels) and targets `y`, (n) or (n,
//! outputs), in f32 or f64, and gives a fitted estimator that is asked for predictions at other
//! samples.
//!
//! ```
//! use ndarray::array;
//! use ntk_kernels::KernelRidge;
//! use ntk_kernels::network::{Network, dense, relu};
//!
//! let network = Network::new().then(dense()).then(relu()).then(dense());
//! let x = array![[1.0, 0.0], [0.0, 1.0], [-1.0, 0.5]];
//! let y = array![1.0, -1.0, 0.5];
//! let fitted = KernelRidge::new(&network).alpha(1e-3).fit(&x, &y)?;
//! let predicted = fitted.predict(&array![[0.5, 0.5]])?; // (samples, outputs)
//! assert_eq!(predicted.dim(), (1, 1));
//! assert!(fitted.score(&x, &y)? > 0.99);
//! # Ok::<(), ntk_kernels::Error>(())
//! ```
//!
//! | to get | use |
//! |---|---|
//! | the network trained to the end on the squared loss, or ridge regression with its kernel | [`KernelRidge`] |
//! | how far each sample is predicted by the others | [`FittedKernelRidge::leave_one_out`], [`FittedLandmarks::leave_one_out`] |
//! | the best ridge of many | [`KernelRidge::path`], a [`RidgePath`] |
//! | ridge regression over some of very many samples, in one pass over them | [`Landmarks`] |
//! | ridge regression on features whose inner products are near the kernel, in time linear in samples and pixels | [`Features`](crate::Features) |
//! | a low-rank factor of the kernel of very many samples, for entropies | [`Landmarks::partial_cholesky`] |
//! | the Bayesian posterior of the network: mean, variance, covariance, samples, evidence | [`GaussianProcess::nngp`] |
//! | mean, variance, covariance and samples over networks trained to the end | [`GaussianProcess::ntk_ensemble`] |
//! | the posterior with the NTK for a covariance | [`GaussianProcess::ntk`] |
//! | outputs at any time of training, on any loss, with momentum | [`GradientFlow`] |
//! | classes, from one-hot targets | `predict_classes` and `accuracy` of any of them, [`metrics`](crate::metrics) |
//! | a file, and the estimator again | `to_safetensors` and `from_safetensors` of any of them but [`FittedLandmarks`] and [`FittedFeatures`](crate::FittedFeatures) |
//!
//! Samples with masks or graphs are [`Inputs`](crate::Inputs), in `fit` and in predictions:
//! `fit(Inputs::new(&x).structure(&s), &y)`.
//!
//! Files hold the arrays in the safetensors format and the network as JSON in its metadata. Beside
//! the samples `x` stand their masks as `mask` (n, positions...), and their graphs as `edges`
//! (edges, 3), each a sample, a tail and a head, and `edge_weights` (edges), where there are any. This
//! crate reads and writes bytes; `std::fs` does the rest:
//!
//! ```
//! # use ndarray::array;
//! # use ntk_kernels::network::{Network, dense, relu};
//! use ntk_kernels::{FittedKernelRidge, KernelRidge};
//! # let network = Network::new().then(dense()).then(relu()).then(dense());
//! # let (x, y) = (array![[1.0, 0.0], [0.0, 1.0]], array![1.0, -1.0]);
//! # let place = std::env::temp_dir().join("ntk-kernels-estimators.safetensors");
//! let fitted = KernelRidge::new(&network).fit(&x, &y)?;
//! std::fs::write(&place, fitted.to_safetensors()?)?;
//!
//! let again = FittedKernelRidge::<f64>::from_safetensors(&std::fs::read(&place)?)?;
//! assert_eq!(again.predict(&x)?, fitted.predict(&x)?); // to the last bit
//! # std::fs::remove_file(&place)?;
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```
//!
//! Kernels of one's own, or of finite networks, go into [`predict`](crate::predict), on which
//! these stand.

mod error;
mod file;
mod gaussian_process;
mod gradient_flow;
mod kernel_ridge;
mod landmarks;
pub(crate) mod linear;
mod ridge_path;
pub(crate) mod samples;
mod sampling;

pub use error::{CheckpointError, EstimatorError, FileError};
pub use gaussian_process::{FittedGaussianProcess, GaussianProcess};
pub use gradient_flow::{FittedGradientFlow, GradientFlow};
pub use kernel_ridge::{FittedKernelRidge, KernelRidge};
pub use landmarks::{Choice, FittedLandmarks, Landmarks};
pub use linear::{Checkpoint, Ranks, Solver};
pub use ridge_path::RidgePath;
