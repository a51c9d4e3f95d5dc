//! The normal equations of regression on rows Z of numbers of samples: on features as they are, and over
//! landmarks in the basis in which their kernel is the identity.
//!
//! With `K_mm = V diag(w) V^T` and `F = V diag(w)^-1/2`, over the directions with w above the
//! resolution of the element type, predictions over landmarks are `Z t` with `Z = K_nm F`, and the
//! coefficients `F t` minimise `|y - Z t|^2 + r |t|^2`. A block of rows of Z is made before it is multiplied with
//! itself: `F^T (K_mn K_nm) F` would divide the rounding of the product by the smallest w, with which
//! nothing is left of directions whose w is below the root of eps.

use super::checkpoint::{Keeper, State};
use super::ranks::{self, Ranks, sum};
use crate::estimators::{CheckpointError, EstimatorError};
use crate::predict::{PredictError, Ridge, regularise};
use ndarray::{Array1, Array2, ArrayRef2, Axis, s};
use ntk_linalg::{
    LinalgError, Real, eigenvalue_resolution, eigh, gemm, matmul, mirror_lower, syrk,
};

/// The sums over samples, as far as they have come.
pub(crate) struct Sums {
    /// F, (m, k); `None` stands for the identity.
    whitening: Option<Array2<f64>>,
    /// The lower half of `Z^T Z`, (k, k).
    gram: Array2<f64>,
    /// `Z^T y`, (k, outputs), without outputs before the first block.
    moments: Array2<f64>,
    /// The kernels of samples with themselves.
    trace: f64,
    samples: usize,
    /// The eps of the numbers that kernels were computed in.
    eps: f64,
}

impl Sums {
    /// Starts from the kernel of the landmarks, of which the lower half is read.
    pub(crate) fn whitened<T: Real>(k_mm: &Array2<T>) -> Result<Self, PredictError> {
        let eps = Real::to_f64(T::epsilon());
        let mut eigen = eigh(&k_mm.mapv(Real::to_f64))?;
        let cut = regularise(&mut eigen, 0.0, eps)?;
        let first = eigen.values.iter().take_while(|&&w| w <= cut).count();
        let mut whitening = eigen.vectors.slice_move(s![.., first..]);
        for (mut column, w) in whitening
            .columns_mut()
            .into_iter()
            .zip(eigen.values.slice(s![first..]))
        {
            column /= w.sqrt();
        }
        let k = whitening.ncols();
        Ok(Self {
            whitening: Some(whitening),
            ..Self::plain(k, eps)
        })
    }

    /// Starts from rows of k numbers, each of which is a coordinate of its own, that were computed to
    /// `eps`.
    pub(crate) fn plain(k: usize, eps: f64) -> Self {
        Self {
            whitening: None,
            gram: Array2::zeros((k, k)),
            moments: Array2::zeros((k, 0)),
            trace: 0.0,
            samples: 0,
            eps,
        }
    }

    /// Returns the number of outputs, 0 before the first block.
    pub(super) fn outputs(&self) -> usize {
        self.moments.ncols()
    }

    /// Adds a block of samples: their numbers (b, m), as the kernel with landmarks, the sum of
    /// their kernels with themselves, and targets (b, outputs).
    pub(super) fn add(
        &mut self,
        rows: &ArrayRef2<f64>,
        trace: f64,
        y: &ArrayRef2<f64>,
    ) -> Result<(), LinalgError> {
        if self.moments.ncols() == 0 {
            self.moments = Array2::zeros((self.gram.ncols(), y.ncols()));
        }
        if y.nrows() == 0 {
            return Ok(());
        }
        let turned = self.whitening.as_ref().map(|f| matmul(rows, f));
        let turned = turned.transpose()?;
        let z = turned.as_deref().unwrap_or(rows);
        syrk(1.0, &z.t(), 1.0, &mut self.gram)?;
        gemm(1.0, &z.t(), y, 1.0, &mut self.moments)?;
        self.trace += trace;
        self.samples += y.nrows();
        Ok(())
    }

    /// Writes the sums.
    pub(super) fn write(&self, keeper: &mut Keeper<'_>, last: bool) -> Result<(), CheckpointError> {
        let trace = Array1::from_elem(1, self.trace);
        let arrays = [
            ("gram", self.gram.view().into_dyn()),
            ("moments", self.moments.view().into_dyn()),
            ("trace", trace.view().into_dyn()),
        ];
        keeper.write(last, self.samples, 0, &arrays)
    }

    /// Goes back to what was written.
    pub(super) fn resume(&mut self, state: &State) -> Result<(), CheckpointError> {
        let k = self.gram.ncols();
        self.gram = state.array("gram", [k, k])?;
        self.moments = state.outputs("moments", k)?;
        self.trace = state.array("trace", [1])?[0];
        self.samples = state.samples;
        Ok(())
    }

    /// Adds up the sums of all processes.
    pub(super) fn reduce(&mut self, ranks: &dyn Ranks) -> Result<(), EstimatorError> {
        let outputs = ranks::outputs(ranks, self.outputs())?;
        if self.outputs() == 0 {
            self.moments = Array2::zeros((self.gram.ncols(), outputs));
        }
        sum(ranks, &mut self.gram);
        sum(ranks, &mut self.moments);
        let mut numbers = [self.trace, self.samples as f64];
        ranks.sum(&mut numbers);
        [self.trace, _] = numbers;
        self.samples = numbers[1] as usize;
        Ok(())
    }

    /// Decomposes the equations, for all ridges.
    pub(super) fn solve(mut self) -> Result<Equations, PredictError> {
        mirror_lower(&mut self.gram)?;
        let mut eigen = eigh(&self.gram)?;
        eigen.values.mapv_inplace(|s| s.max(0.0));
        Ok(Equations {
            basis: match &self.whitening {
                Some(whitening) => matmul(whitening, &eigen.vectors)?,
                None => eigen.vectors.clone(),
            },
            start: matmul(&eigen.vectors.t(), &self.moments)?,
            mean_diagonal: self.trace / self.samples.max(1) as f64,
            gram: self.gram,
            moments: self.moments,
            vectors: eigen.vectors,
            values: eigen.values,
            samples: self.samples,
            eps: self.eps,
        })
    }
}

/// The normal equations, `(Z^T Z + r) t = Z^T y`, and the eigenvectors U and eigenvalues of
/// `Z^T Z`.
#[derive(Debug)]
pub(crate) struct Equations {
    gram: Array2<f64>,
    moments: Array2<f64>,
    vectors: Array2<f64>,
    values: Array1<f64>,
    /// `F U`, (m, k), which makes coefficients of what U makes diagonal.
    basis: Array2<f64>,
    /// `U^T Z^T y`, (k, outputs).
    start: Array2<f64>,
    mean_diagonal: f64,
    samples: usize,
    eps: f64,
}

/// What the equations give at one ridge.
pub(super) struct Solved {
    pub(super) coefficients: Array2<f64>,
    pub(super) residual: f64,
    pub(super) effective_parameters: f64,
}

impl Equations {
    pub(super) fn rank(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn samples(&self) -> usize {
        self.samples
    }

    /// Returns what a ridge adds.
    pub(super) fn added(&self, ridge: Ridge) -> Result<f64, LinalgError> {
        // A matrix of the same mean diagonal.
        ridge.added(&Array2::from_elem((1, 1), self.mean_diagonal))
    }

    /// Returns the size of what cannot be told from zero in the equations.
    fn unresolved(&self, added: f64) -> f64 {
        let largest = self.values.last().map_or(0.0, |s| s + added);
        eigenvalue_resolution(self.rank(), self.eps) * largest
    }

    /// Returns `1 / (s + r)` of each eigenvalue s, and zero where that cannot be told from zero.
    fn weights(&self, added: f64) -> Array1<f64> {
        let cut = self.unresolved(added);
        self.values.mapv(|s| match s + added > cut {
            true => (s + added).recip(),
            false => 0.0,
        })
    }

    /// Solves with this ridge.
    pub(super) fn at(&self, added: f64) -> Result<Solved, LinalgError> {
        let weights = self.weights(added);
        let turned = &self.start * &weights.view().insert_axis(Axis(1));
        // In the basis of the sums, which the eigenvectors are not part of.
        let t = matmul(&self.vectors, &turned)?;
        let mut missed = self.moments.clone();
        gemm(-1.0, &self.gram, &t, 1.0, &mut missed)?;
        missed.scaled_add(-added, &t);
        let all = missed.columns().into_iter().zip(self.moments.columns());
        let residual = all.fold(0.0_f64, |most, (missed, moments)| {
            let [missed, moments] = [missed, moments].map(|v| v.dot(&v).sqrt());
            most.max(if missed == 0.0 { 0.0 } else { missed / moments })
        });
        Ok(Solved {
            coefficients: matmul(&self.basis, &turned)?,
            residual,
            effective_parameters: weights.iter().zip(&self.values).map(|(w, s)| w * s).sum(),
        })
    }

    /// Calls `each(sample, c, leverage, output, error)` for the samples of a block, their numbers
    /// (b, m) and targets (b, outputs), and every ridge added c: the error without the
    /// sample, `None` where its leverage is one to working precision.
    pub(super) fn each_left_out(
        &self,
        rows: &ArrayRef2<f64>,
        y: &ArrayRef2<f64>,
        added: &[f64],
        mut each: impl FnMut([usize; 3], f64, Option<f64>),
    ) -> Result<(), LinalgError> {
        let turned = matmul(rows, &self.basis)?;
        let squares = turned.mapv(|z| z * z);
        for (c, &added) in added.iter().enumerate() {
            let weights = self.weights(added);
            let leverages = squares.dot(&weights);
            // How far `z^T A^-1 z` moves where A moves by what cannot be told from zero.
            let rounding = squares.dot(&weights.mapv(|w| w * w)) * self.unresolved(added);
            let scaled = &self.start * &weights.insert_axis(Axis(1));
            let predicted = matmul(&turned, &scaled)?;
            for ((sample, output), &predicted) in predicted.indexed_iter() {
                let left = 1.0 - leverages[sample];
                let error =
                    (left > rounding[sample]).then(|| (y[[sample, output]] - predicted) / left);
                each([sample, c, output], leverages[sample], error);
            }
        }
        Ok(())
    }
}
