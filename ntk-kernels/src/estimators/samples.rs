//! What every fitted estimator owns, and the methods that all of them share.

use crate::closed_form::{Kernel, KernelError, KernelFn, memory, sample_shape};
use crate::inputs::Inputs;
use crate::network::Network;
use crate::predict::check;
use crate::structure::Structure;
use ndarray::{Array1, Array2, ArrayD, ArrayRef, ArrayView2, Axis, Dimension, Ix2, Slice};
use ntk_linalg::Real;

use super::EstimatorError;
use super::file::FileContents;

/// The network, and the samples it learned from.
#[derive(Debug, Clone)]
pub(super) struct Samples<T> {
    pub(super) network: Network,
    /// In standard layout, so that the kernel of a copy has the same bits.
    pub(super) x: ArrayD<T>,
    /// Their masks and graphs.
    pub(super) structure: Structure,
}

impl<T: Real> Samples<T> {
    /// Copies inputs and `y`, and `y` as (n, outputs), where they fit together.
    pub(super) fn new<E: Dimension>(
        network: &Network,
        Inputs { x, structure }: Inputs<'_, T>,
        y: &ArrayRef<T, E>,
    ) -> Result<(Self, Array2<T>), EstimatorError> {
        sample_shape(&x)?;
        let y = targets(y)?;
        let (samples, outputs) = (x.len_of(Axis(0)), y.ncols());
        if y.nrows() != samples {
            return Err(EstimatorError::TargetRows {
                samples,
                targets: y.nrows(),
            });
        }
        if samples == 0 || outputs == 0 {
            return Err(EstimatorError::Nothing { samples, outputs });
        }
        check::finite("the targets", &y.view())?;
        let owned = Self::copy(network, Inputs { x, structure })?;
        Ok((owned, y))
    }

    /// Copies inputs as they are.
    pub(super) fn copy(
        network: &Network,
        Inputs { x, structure }: Inputs<'_, T>,
    ) -> Result<Self, KernelError> {
        // A view may have more numbers than memory.
        memory::check(memory::product([x.len(), size_of::<T>()]))?;
        Ok(Self {
            network: network.clone(),
            x: x.as_standard_layout().into_owned(),
            structure: structure.into_owned(),
        })
    }

    /// The number n of samples.
    pub(super) fn count(&self) -> usize {
        self.x.len_of(Axis(0))
    }

    /// Refuses to predict at `z` where there is not the memory for so many matrices (m, n) and
    /// (m, m), and for two of so many outputs.
    pub(super) fn check_memory(
        &self,
        z: &Inputs<'_, T>,
        [across, square]: [usize; 2],
        outputs: usize,
    ) -> Result<(), KernelError> {
        let m = z.x.shape().first().copied().unwrap_or(0);
        let parts = [[across, self.count()], [square, m], [2, outputs]];
        let bytes =
            parts.map(|[count, columns]| memory::product([count, m, columns, size_of::<T>()]));
        memory::check(bytes.into_iter().fold(0, u64::saturating_add))
    }

    /// The function of kernels of the samples.
    pub(super) fn kernel_fn(&self) -> KernelFn<'_> {
        self.network.kernel_fn().structure(&self.structure)
    }

    /// The function of kernels of `z`, with itself or in rows with the samples in columns.
    pub(super) fn kernel_fn_at<'s>(&'s self, z: &'s Inputs<'_, T>) -> KernelFn<'s> {
        let both = self.network.kernel_fn();
        both.structures(&z.structure, &self.structure)
    }

    /// The kernel of `z` with the samples, (m, n).
    pub(super) fn kernel_of(
        &self,
        kernel: Kernel,
        z: &Inputs<'_, T>,
    ) -> Result<Array2<T>, KernelError> {
        let both = self.kernel_fn_at(z);
        both.kernel_between(kernel, &z.x, &self.x)
    }

    /// The kernel of each sample of `z` with itself, (m).
    pub(super) fn diagonal_of(
        &self,
        kernel: Kernel,
        z: &Inputs<'_, T>,
    ) -> Result<Array1<T>, KernelError> {
        let found = self.kernel_fn_at(z).kernel_diagonal(&z.x)?;
        Ok(match kernel {
            Kernel::Nngp => found.nngp,
            Kernel::Ntk => found.ntk,
        })
    }

    /// As they are written.
    pub(super) fn written(&self) -> (&Network, Inputs<'_, T>) {
        let inputs = Inputs::new(&self.x).structure(&self.structure);
        (&self.network, inputs)
    }

    /// Reads the samples of a file, and checks that the network takes them.
    pub(super) fn read<S>(file: &FileContents<'_, S>) -> Result<Self, EstimatorError> {
        let x = file.samples("x")?;
        let structure = file.structure(x.len_of(Axis(0)))?;
        let network = file.network.clone();
        // All masks and graphs are of the shape of the first.
        let one = structure.of_samples(0..1);
        let one = one.expect("as many masks and graphs as samples");
        let first = x.slice_axis(Axis(0), Slice::from(..1));
        network
            .kernel_fn()
            .structure(&one)
            .kernel_diagonal(&first)?;
        Ok(Self {
            network,
            x,
            structure,
        })
    }
}

/// Targets (n) or (n, outputs) as (n, outputs), in standard layout.
pub(crate) fn targets<T: Real, E: Dimension>(
    y: &ArrayRef<T, E>,
) -> Result<Array2<T>, EstimatorError> {
    let y = columns(y)?;
    memory::check(memory::product([y.len(), size_of::<T>()]))?;
    Ok(y.as_standard_layout().into_owned())
}

/// Views targets (n) or (n, outputs) as (n, outputs).
pub(crate) fn columns<T, E: Dimension>(
    y: &ArrayRef<T, E>,
) -> Result<ArrayView2<'_, T>, EstimatorError> {
    let y = y.view().into_dyn();
    let found = y.shape().to_vec();
    let y = match found[..] {
        [_] => y.insert_axis(Axis(1)),
        _ => y,
    };
    let y = y.into_dimensionality::<Ix2>();
    y.map_err(|_| EstimatorError::TargetAxes { found })
}

/// Gives an estimator that is not fitted yet the setting of its observer.
macro_rules! observed {
    ($estimator:ident) => {
        impl<'a> $estimator<'a> {
            /// Reports the progress of a fit to `observer`, which may also cancel it.
            #[must_use]
            pub fn observer(mut self, observer: &'a dyn ntk_linalg::Observer) -> Self {
                self.observer = observer;
                self
            }
        }
    };
}

/// Methods of every fitted estimator, over its `samples` and its `predict`.
macro_rules! shared_methods {
    ($fitted:ident) => {
        impl<T: Real> $fitted<T> {
            /// Returns the network.
            pub fn network(&self) -> &crate::network::Network {
                &self.samples.network
            }

            /// Returns the samples that the estimator was fitted to.
            pub fn x(&self) -> &ndarray::ArrayD<T> {
                &self.samples.x
            }

            /// Returns the masks and graphs of the samples that the estimator was fitted to.
            pub fn structure(&self) -> &crate::Structure {
                &self.samples.structure
            }
        }

        crate::estimators::samples::scores!($fitted);
    };
}

/// Methods of every fitted estimator, over its `predict`.
macro_rules! scores {
    ($fitted:ident) => {
        impl<T: Real> $fitted<T> {
            /// Computes the coefficient of determination R² of the predictions at `z` for targets
            /// `y`, (m) or (m, outputs); see [`metrics::r2`](crate::metrics::r2).
            ///
            /// # Errors
            /// As `predict`, and [`EstimatorError::Metric`] where predictions and `y` differ in
            /// shape.
            pub fn score<'z, E: ndarray::Dimension>(
                &self,
                z: impl Into<crate::Inputs<'z, T>>,
                y: &ndarray::ArrayRef<T, E>,
            ) -> Result<f64, EstimatorError> {
                let y = crate::estimators::samples::targets(y)?;
                Ok(crate::metrics::r2(&self.predict(z)?, &y)?)
            }

            /// Computes the share of the samples `z` whose class is that of the one-hot targets
            /// `y` (m, classes); see [`metrics::accuracy`](crate::metrics::accuracy).
            ///
            /// # Errors
            /// As `predict`, and [`EstimatorError::Metric`] where predictions and `y` differ in
            /// shape.
            pub fn accuracy<'z, E: ndarray::Dimension>(
                &self,
                z: impl Into<crate::Inputs<'z, T>>,
                y: &ndarray::ArrayRef<T, E>,
            ) -> Result<f64, EstimatorError> {
                let y = crate::estimators::samples::targets(y)?;
                Ok(crate::metrics::accuracy(&self.predict(z)?, &y)?)
            }

            /// Predicts the class of each sample of `z`, (m): the output that is largest; see
            /// [`metrics::argmax`](crate::metrics::argmax).
            ///
            /// # Errors
            /// As `predict`.
            pub fn predict_classes<'z>(
                &self,
                z: impl Into<crate::Inputs<'z, T>>,
            ) -> Result<ndarray::Array1<usize>, EstimatorError> {
                Ok(crate::metrics::argmax(&self.predict(z)?))
            }
        }
    };
}
pub(super) use shared_methods;
pub(crate) use {observed, scores};
