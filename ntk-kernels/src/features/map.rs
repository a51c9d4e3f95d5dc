//! The map from samples to features.

use super::activation::ROWS;
use super::signal::Signal;
use super::sketch::Concat;
use super::steps::{Step, run};
use super::{Features, Smooth};
use crate::closed_form::{Kernel, KernelError, check_finite, memory, sample_shape};
use crate::estimators::EstimatorError;
use crate::network::{Network, Shape};
use crate::predict::{PredictError, check};
use ndarray::{Array2, ArrayRef, ArrayViewD, Axis, Dimension};
use ntk_linalg::{LinalgError, Real};
use rayon::prelude::*;
use serde_json::{Value, json};

/// A `FeatureMap` takes samples of one shape to features; [`Features::map`] makes one.
#[derive(Debug)]
pub struct FeatureMap<T> {
    network: Network,
    kernel: Kernel,
    input: Shape,
    smooth: Smooth,
    seed: u64,
    steps: Vec<Step<T>>,
    end: Concat,
    /// The most numbers of one sample between two layers.
    most: usize,
}

impl<T: Real> FeatureMap<T> {
    pub(super) fn new(
        of: &Features<'_>,
        input: Shape,
        steps: Vec<Step<T>>,
        end: Concat,
        most: usize,
    ) -> Self {
        Self {
            network: of.network.clone(),
            kernel: of.kernel,
            input,
            smooth: of.smooth,
            seed: of.seed,
            steps,
            end,
            most,
        }
    }

    /// Computes the features of samples `x` (n, ...), a row each, (n, [`FeatureMap::count`]).
    ///
    /// A sample has the same features to the last bit whatever samples are beside it, so that any
    /// number of them may be transformed at once.
    ///
    /// # Errors
    /// [`EstimatorError::Kernel`] where samples have another shape than the map is for, more numbers
    /// than there is memory for, or entries that are not finite; [`EstimatorError::Predict`] where
    /// features overflow.
    pub fn transform<D: Dimension>(&self, x: &ArrayRef<T, D>) -> Result<Array2<T>, EstimatorError> {
        let x = x.view().into_dyn();
        self.check_samples(&x)?;
        let n = x.len_of(Axis(0));
        memory::check(memory::product([n, self.count(), size_of::<T>()]))?;
        let tile = self.tile();
        let threads = rayon::current_num_threads();
        // Before and after a layer, and what an activation multiplies.
        let numbers = self.most.saturating_mul(3);
        memory::check(memory::product([tile, numbers, threads, size_of::<T>()]))?;
        let count = self.count();
        let mut features = vec![T::zero(); n * count];
        let tiles = features.par_chunks_mut((tile * count).max(1)).enumerate();
        let done: Result<(), LinalgError> = tiles.try_for_each(|(number, to)| {
            let start = number * tile;
            let part = x.slice_axis(Axis(0), (start..start + to.len() / count).into());
            let signal = run(&self.steps, self.start(&part))?;
            for (row, to) in to.chunks_exact_mut(count).enumerate() {
                let found = match self.kernel {
                    Kernel::Nngp => signal.phi(row),
                    Kernel::Ntk => signal.psi(row),
                };
                self.end.add(0, found, 1.0, to);
            }
            Ok(())
        });
        done.map_err(PredictError::from)?;
        let features = Array2::from_shape_vec((n, count), features);
        let features = features.expect("as many numbers as rows times columns");
        let what = "the features (sample, feature)";
        Ok(check::result(what, features)?)
    }

    /// Checks samples before any work.
    pub(super) fn check_samples(&self, x: &ArrayViewD<'_, T>) -> Result<(), EstimatorError> {
        let shape = sample_shape(x)?;
        if shape != self.input {
            let (x1, x2) = (shape, self.input.clone());
            return Err(KernelError::Shapes { x1, x2 }.into());
        }
        Ok(check_finite("x1", x)?)
    }

    /// Returns how many samples are transformed together.
    fn tile(&self) -> usize {
        let positions: usize = self.input.positions().iter().product();
        (ROWS / positions).max(1)
    }

    /// Computes the features of the input kernel.
    fn start(&self, x: &ArrayViewD<'_, T>) -> Signal<T> {
        let channels = self.input.channels();
        let factor = T::of((channels as f64).sqrt().recip());
        let numbers: Vec<T> = x.iter().map(|&x| x * factor).collect();
        let rows = numbers.len() / channels;
        let phi = Array2::from_shape_vec((rows, channels), numbers);
        Signal {
            phi: phi.expect("as many numbers as rows times channels"),
            psi: Array2::zeros((rows, 0)),
        }
    }

    /// Returns what features depend on beside samples, by name.
    pub(super) fn settings(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("network", json!(self.network)),
            ("kernel", json!(self.kernel)),
            ("shape of a sample", json!(format!("{:?}", self.input))),
            ("number of features", json!(self.count())),
            (
                "features of smooth activations",
                json!(format!("{:?}", self.smooth)),
            ),
            ("seed", json!(self.seed)),
        ]
    }

    /// Returns the network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Returns which kernel the features are of.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// Returns the shape of a sample.
    pub fn input(&self) -> &Shape {
        &self.input
    }

    /// Returns the number of features of a sample: that asked for, or fewer where they are exact.
    pub fn count(&self) -> usize {
        self.end.width()
    }
}
