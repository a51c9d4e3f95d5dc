//! Computes gradient flow on the squared loss in closed form.

use ndarray::{Array2, Array3, ArrayRef2, ArrayView1, ArrayView2, Axis};
use ntk_linalg::{Eigh, Real, Ridge, eigenvalue_resolution, eigh, matmul};

use super::layout::Layout;
use super::response::Response;
use super::{PredictError, check, max_learning_rate};

/// An `MseFlow` is the gradient flow of a kernel machine on the squared loss, at any time from one
/// eigendecomposition.
///
/// The loss is `1/2` of the mean of `(f - y)^2` over all n*o entries, so that with
/// `K = K_dd + r` (r the ridge, eta the learning rate)
/// `f_t = f_0 + (e^(-K eta t/(n o)) - 1)(f_0 - y)` on the training samples and
/// `f*_t = f*_0 + K_td K^-1 (e^(-K eta t/(n o)) - 1)(f_0 - y)` on others (Lee et al. 2019,
/// arXiv:1902.06720, section 2.2, whose loss is the sum). The training
/// outputs move with `K_dd + r`, and so end at `y`, while the test outputs are those of ridge
/// regression: [`MseFlow::test`] with `k_td = K_dd` tells what the ridge leaves unfitted.
///
/// The kernel is traced, (n, n), every output having the same, or full, (n*o, n*o) with
/// row = sample*o + output. Targets and outputs are (samples, o).
///
/// Eigenvalues below zero by no more than rounding count as zero; along their eigenvectors the
/// exponential has its limit, `expm1(-lambda s)/lambda -> -s`. At infinite time no limit exists for
/// eigenvalues that cannot be told from zero, those up to `max(10, sqrt n) eps lambda_max`, eps of
/// T: along their eigenvectors the training outputs keep `f_0`, and the test outputs get nothing,
/// which is exact where train and test kernel together are one positive semi-definite matrix. At
/// finite times test outputs move along them no further than with the largest such eigenvalue.
/// Every later prediction is a few matrix products.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::predict::MseFlow;
///
/// let (k_dd, y) = (array![[2.0, 0.5], [0.5, 1.0]], array![[1.0], [-1.0]]);
/// let flow = MseFlow::new(&k_dd, &y, 1.0, 0.0)?;
/// let train = flow.train(&[0.0, f64::INFINITY])?; // (times, samples, outputs)
/// assert_eq!(train[[0, 0, 0]], 0.0);
/// assert!((train[[1, 0, 0]] - 1.0_f64).abs() < 1e-12);
/// let test = flow.test(&[1.0, 10.0], &array![[1.0, 0.2]])?;
/// assert_eq!(test.dim(), (2, 1, 1));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MseFlow<T: Real> {
    eigen: Eigh<T>,
    /// The largest number that cannot be told from zero among the eigenvalues.
    unresolved: f64,
    targets: Array2<T>,
    /// The outputs of the training samples at time zero, where they are not zero.
    initial: Option<Array2<T>>,
    layout: Layout,
    learning_rate: f64,
    momentum: Option<f64>,
    added: f64,
}

/// A `Part` is one of the two numbers that say how far a mode has come.
#[derive(Clone, Copy)]
enum Part {
    /// The number `phi - 1`.
    Moved,
    /// The number `(phi - 1)/lambda`.
    OverEigenvalue,
}

impl<T: Real> MseFlow<T> {
    /// Computes the eigenvectors of `k_dd`, (n, n) or (n*o, n*o), for targets `y` (n, o).
    ///
    /// The kernel is only read. [`Ridge::Adaptive`] adds what lifts the smallest eigenvalue to
    /// zero, at most its limit, and nothing where no eigenvalue is negative. Cost: that of
    /// [`ntk_linalg::eigh`], up to about `7 n^3`.
    ///
    /// # Errors
    /// Returns [`PredictError::Shape`] or [`PredictError::NonFinite`] for arrays that do not fit;
    /// [`PredictError::Argument`] for a learning rate that is not above zero;
    /// [`PredictError::Linalg`] for a ridge that is negative or not finite, and with
    /// [`ntk_linalg::LinalgError::NotSymmetric`] where the halves of the kernel differ by more than
    /// rounding, that of single precision included; [`PredictError::Indefinite`] where the smallest
    /// eigenvalue of the kernel with the ridge is below zero by more than that.
    pub fn new(
        k_dd: &ArrayRef2<T>,
        y: &ArrayRef2<T>,
        learning_rate: f64,
        ridge: impl Into<Ridge>,
    ) -> Result<Self, PredictError> {
        Self::of_rounded_kernel(k_dd, y, learning_rate, ridge, T::epsilon().to_f64())
    }

    /// Computes the eigenvectors as [`MseFlow::new`] does, of a kernel whose entries are known to `eps`
    /// of the largest: coarser than that of their type where they were computed or stored in a smaller
    /// one.
    ///
    /// It decides how far a kernel may be from symmetric and positive semi-definite, and which
    /// eigenvalues cannot be told from zero.
    ///
    /// # Errors
    /// Fails as [`MseFlow::new`] does; returns [`PredictError::Argument`] unless `eps` is finite and
    /// positive.
    pub fn of_rounded_kernel(
        k_dd: &ArrayRef2<T>,
        y: &ArrayRef2<T>,
        learning_rate: f64,
        ridge: impl Into<Ridge>,
        eps: f64,
    ) -> Result<Self, PredictError> {
        check::positive("what the entries are known to", eps)?;
        let eps = eps.max(T::epsilon().to_f64());
        let layout = Layout::new(k_dd, y.dim())?;
        check::finite("the targets", y)?;
        check::finite("the training kernel", k_dd)?;
        check::symmetric_to(k_dd, eps)?;
        check::positive("the learning rate", learning_rate)?;
        let ridge = ridge.into();
        let most = ridge.max_added(k_dd)?;
        let mut eigen = eigh(k_dd)?;
        let smallest = eigen.values.first().map_or(0.0, |&v| v.to_f64());
        let added = match ridge {
            Ridge::Absolute(_) | Ridge::Relative(_) => most,
            Ridge::Adaptive { .. } => (-smallest).clamp(0.0, most),
        };
        let unresolved = regularise(&mut eigen, added, eps)?;
        Ok(Self {
            eigen,
            unresolved,
            targets: y.to_owned(),
            initial: None,
            layout,
            learning_rate,
            momentum: None,
            added,
        })
    }

    /// Restores the flow of a traced kernel from the eigenvalues, with what was `added` to them,
    /// and eigenvectors that [`MseFlow::eigen`] gave.
    pub(crate) fn from_eigen(
        eigen: Eigh<T>,
        y: Array2<T>,
        learning_rate: f64,
        momentum: Option<f64>,
        added: f64,
    ) -> Result<Self, PredictError> {
        check::positive("the learning rate", learning_rate)?;
        momentum.map_or(Ok(()), check::momentum)?;
        Ok(Self {
            unresolved: unresolved(&eigen, T::epsilon().to_f64()),
            eigen,
            layout: Layout::traced(y.dim()),
            targets: y,
            initial: None,
            learning_rate,
            momentum,
            added,
        })
    }

    /// Returns the eigenvalues and eigenvectors of the regularised kernel.
    pub(crate) fn eigen(&self) -> &Eigh<T> {
        &self.eigen
    }

    /// Sets the momentum m of gradient descent: the flow is then the limit of heavy-ball steps `v
    /// <- m v - g`, `theta <- theta + eta v` from rest, for small eta.
    ///
    /// A mode obeys `phi'' + (1-m)/sqrt(eta) phi' + lambda/(n o) phi = 0` in the time
    /// `sqrt(eta) t`, t counting steps: over-, under- or critically damped. Learning
    /// rate and time are no longer interchangeable, and a flow cannot be resumed from
    /// its outputs alone, because they have a velocity. Momentum 0 is not
    /// the flow without momentum, but has damping `1/sqrt(eta)`.
    ///
    /// # Errors
    /// Returns [`PredictError::Argument`] unless `0 <= m < 1`.
    pub fn momentum(mut self, m: f64) -> Result<Self, PredictError> {
        check::momentum(m)?;
        self.momentum = Some(m);
        Ok(self)
    }

    /// Returns the largest eigenvalue over the smallest of those that can be told from zero, 1 or
    /// more: by so much errors of the kernel grow in the outputs at infinite time.
    pub fn condition_number(&self) -> f64 {
        let values = self.eigen.values.iter().map(|&v| v.to_f64());
        match (values.clone().nth(self.null_dimension()), values.last()) {
            (Some(smallest), Some(largest)) => largest / smallest,
            _ => 1.0,
        }
    }

    /// Sets the outputs (n, o) of the training samples at time zero, which are zero unless set.
    ///
    /// Those of other samples are then needed as well: [`MseFlow::test_from`] takes them.
    ///
    /// # Errors
    /// Returns [`PredictError::Shape`] or [`PredictError::NonFinite`] for an array that does not fit.
    pub fn initial_outputs(mut self, f0: &ArrayRef2<T>) -> Result<Self, PredictError> {
        check::shape(
            "the initial outputs",
            f0,
            self.targets.dim(),
            "that of the targets",
        )?;
        self.initial = Some(f0.to_owned());
        Ok(self)
    }

    /// Returns the eigenvalues of the kernel with the ridge, ascending, those below zero set to zero.
    pub fn eigenvalues(&self) -> ArrayView1<'_, T> {
        self.eigen.values.view()
    }

    /// Returns how many eigenvalues cannot be told from zero: the dimension in which the training
    /// outputs never move.
    pub fn null_dimension(&self) -> usize {
        let values = self.eigen.values.iter();
        let null = values.filter(|v| Real::to_f64(**v) <= self.unresolved);
        null.count()
    }

    /// Returns what the ridge added to the kernel's diagonal.
    pub fn ridge_added(&self) -> f64 {
        self.added
    }

    /// Computes the largest learning rate at which descent in steps converges, with this flow's
    /// momentum; see [`max_learning_rate`].
    ///
    /// # Errors
    /// Fails as [`max_learning_rate`] does.
    pub fn max_learning_rate(&self) -> Result<f64, PredictError> {
        let largest = self.eigen.values.last().map_or(0.0, |&v| v.to_f64());
        max_learning_rate(largest, self.layout.entries(), self.momentum.unwrap_or(0.0))
    }

    /// Computes the outputs on the training samples, (times, n, o).
    ///
    /// `times` ascend and may end in infinity. Cost: two products, `2 n^2 o` and
    /// `2 n^2 o * times` operations for a traced kernel.
    ///
    /// # Errors
    /// Returns [`PredictError::Time`] or [`PredictError::TimesOutOfOrder`] for times that are not
    /// in order, and [`PredictError::Shape`] or [`PredictError::NonFinite`] for arrays that do not
    /// fit.
    pub fn train(&self, times: &[f64]) -> Result<Array3<T>, PredictError> {
        let coefficients = self.coefficients(times, Part::Moved)?;
        let change = matmul(&self.eigen.vectors, &coefficients)?;
        let (layout, n) = (&self.layout, self.layout.samples);
        layout.spread(&change, times.len(), n, self.initial.as_deref())
    }

    /// Computes the outputs on test samples, (times, m, o), through the kernel `k_td`, (m, n) or
    /// (m*o, n*o), from zero.
    ///
    /// Cost: that of [`MseFlow::train`] and one more product, `2 m n o * times`.
    ///
    /// # Errors
    /// Fails as [`MseFlow::train`] does; returns [`PredictError::InitialOutputs`] where the training
    /// samples start from other outputs than zero.
    pub fn test(&self, times: &[f64], k_td: &ArrayRef2<T>) -> Result<Array3<T>, PredictError> {
        self.test_outputs(times, k_td, None)
    }

    /// Computes the outputs on test samples as [`MseFlow::test`] does, from initial outputs `f0`,
    /// (m, o), where [`MseFlow::initial_outputs`] gave those of the training samples.
    ///
    /// # Errors
    /// Fails as [`MseFlow::train`] does; returns [`PredictError::InitialOutputs`] where the training
    /// samples start from zero.
    pub fn test_from(
        &self,
        f0: &ArrayRef2<T>,
        times: &[f64],
        k_td: &ArrayRef2<T>,
    ) -> Result<Array3<T>, PredictError> {
        self.test_outputs(times, k_td, Some(f0))
    }

    fn test_outputs(
        &self,
        times: &[f64],
        k_td: &ArrayRef2<T>,
        f0: Option<&ArrayRef2<T>>,
    ) -> Result<Array3<T>, PredictError> {
        let m = self.layout.test_samples("the test kernel", k_td)?;
        self.layout.initial(self.initial.is_some(), f0, m)?;
        let coefficients = self.coefficients(times, Part::OverEigenvalue)?;
        // K_td (U C) costs 2 n (n + m) a column, (K_td U) C would cost 2 m n^2.
        let dual = matmul(&self.eigen.vectors, &coefficients)?;
        let change = matmul(k_td, &dual)?;
        self.layout.spread(&change, times.len(), m, f0)
    }

    /// Returns the eigenvectors, U.
    pub(super) fn vectors(&self) -> ArrayView2<'_, T> {
        self.eigen.vectors.view()
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Computes `(lambda, phi - 1, (phi - 1)/lambda)` of every mode at `time`.
    pub(super) fn modes(&self, time: f64) -> impl Iterator<Item = (f64, f64, f64)> + '_ {
        let response = Response {
            learning_rate: self.learning_rate,
            entries: self.layout.entries().max(1) as f64,
            momentum: self.momentum,
        };
        self.eigen.values.iter().map(move |lambda| {
            let lambda = (*lambda).to_f64();
            let (moved, over) = response.at(lambda, time, self.unresolved);
            (lambda, moved, over)
        })
    }

    /// Computes `part(lambda, t)` times `U^T (f0 - y)`, (rows, times*columns).
    fn coefficients(&self, times: &[f64], part: Part) -> Result<Array2<T>, PredictError> {
        check::times(times, 0.0)?;
        let residual = self.layout.residual(self.initial.as_deref(), &self.targets);
        let start = matmul(&self.eigen.vectors.t(), &residual)?;
        let columns = self.layout.columns();
        let mut all = Array2::zeros((self.layout.rows(), times.len() * columns));
        for (t, &time) in times.iter().enumerate() {
            let rows = all.axis_iter_mut(Axis(0)).zip(start.rows());
            for ((mut row, start), (_, moved, over)) in rows.zip(self.modes(time)) {
                let factor = match part {
                    Part::Moved => moved,
                    Part::OverEigenvalue => over,
                };
                for (a, start) in start.iter().enumerate() {
                    row[t * columns + a] = T::of(factor * (*start).to_f64());
                }
            }
        }
        Ok(all)
    }
}

/// Adds `added` to the eigenvalues of a kernel that is known to `eps`, and clips them at zero;
/// returns the largest number that cannot be told from zero.
pub(crate) fn regularise<T: Real>(
    eigen: &mut Eigh<T>,
    added: f64,
    eps: f64,
) -> Result<f64, PredictError> {
    let n = eigen.values.len();
    eigen.values.mapv_inplace(|v| T::of(v.to_f64() + added));
    let Some(&smallest) = eigen.values.first() else {
        return Ok(0.0);
    };
    let smallest = smallest.to_f64();
    let largest = eigen.values[n - 1].to_f64();
    if !largest.is_finite() {
        return Err(PredictError::Argument {
            name: "the largest eigenvalue",
            value: largest,
            condition: "finite; divide the kernel, or compute it in double precision",
        });
    }
    check::indefinite(smallest, largest, added, check::rounding_to::<T>(n, eps))?;
    eigen.values.mapv_inplace(|v| v.max(T::zero()));
    Ok(unresolved(eigen, eps))
}

/// Returns the largest eigenvalue that cannot be told from zero where entries are known to `eps`.
fn unresolved<T: Real>(eigen: &Eigh<T>, eps: f64) -> f64 {
    let largest = eigen.values.last().map_or(0.0, |&v| v.to_f64());
    eigenvalue_resolution(eigen.values.len(), eps) * largest.max(0.0)
}

#[cfg(test)]
mod tests;
