//! Computes gradient flow on the squared loss in closed form.

use ndarray::{Array2, Array3, ArrayRef1, ArrayRef2, ArrayView1, ArrayView2, Axis};
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
/// which is exact where train and test kernel together are one positive semi-definite matrix. Every
/// later prediction is a few matrix products.
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
    /// How many eigenvalues, the first ones, cannot be told from zero.
    null: usize,
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
        let layout = Layout::new(k_dd, y.dim())?;
        check::finite("the targets", y)?;
        check::finite("the training kernel", k_dd)?;
        check::symmetric(k_dd)?;
        check::positive("the learning rate", learning_rate)?;
        let ridge = ridge.into();
        let most = ridge.max_added(k_dd)?;
        let mut eigen = eigh(k_dd)?;
        let smallest = eigen.values.first().map_or(0.0, |&v| v.to_f64());
        let added = match ridge {
            Ridge::Absolute(_) | Ridge::Relative(_) => most,
            Ridge::Adaptive { .. } => (-smallest).clamp(0.0, most),
        };
        let null = regularise(&mut eigen, added)?;
        Ok(Self {
            eigen,
            null,
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
            null: null_dimension(&eigen.values, T::epsilon().to_f64()),
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

    /// Sets to what the entries of the kernel are known, relative to the largest: the eps of its
    /// element type unless set, which is finer than that of a kernel computed in single precision
    /// and read in double. It decides which eigenvalues cannot be told from zero.
    ///
    /// # Errors
    /// Returns [`PredictError::Argument`] unless `eps` is finite and positive.
    pub fn rounded_to(mut self, eps: f64) -> Result<Self, PredictError> {
        check::positive("what the entries are known to", eps)?;
        let eps = eps.max(T::epsilon().to_f64());
        self.null = null_dimension(&self.eigen.values.view(), eps);
        Ok(self)
    }

    /// Returns the largest eigenvalue over the smallest of those that can be told from zero, 1 or
    /// more: by so much errors of the kernel grow in the outputs at infinite time.
    pub fn condition_number(&self) -> f64 {
        let values = self.eigen.values.iter().map(|&v| v.to_f64());
        match (values.clone().nth(self.null), values.last()) {
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
        self.null
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
        Ok(layout.spread(&change, times.len(), n, self.initial.as_deref()))
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
        Ok(self.layout.spread(&change, times.len(), m, f0))
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
        let modes = self.eigen.values.iter().enumerate();
        modes.map(move |(i, lambda)| {
            let lambda = (*lambda).to_f64();
            let (moved, over) = response.at(lambda, time, i < self.null);
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
                    row[t * columns + a] = saturate(factor * (*start).to_f64());
                }
            }
        }
        Ok(all)
    }
}

/// Returns the nearest finite T: an infinity would make NaN of the zeros that it meets in a
/// product.
pub(super) fn saturate<T: Real>(value: f64) -> T {
    let max = T::max_value().to_f64();
    T::of(value.clamp(-max, max))
}

/// Adds `added` to the eigenvalues and clips them at zero; returns how many cannot be told from
/// zero.
pub(super) fn regularise<T: Real>(eigen: &mut Eigh<T>, added: f64) -> Result<usize, PredictError> {
    let n = eigen.values.len();
    eigen.values.mapv_inplace(|v| T::of(v.to_f64() + added));
    let Some(&smallest) = eigen.values.first() else {
        return Ok(0);
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
    let tolerance = largest.max(-smallest) * check::rounding::<T>(n);
    if smallest < -tolerance {
        return Err(PredictError::Indefinite {
            smallest,
            tolerance,
            remedy: added - smallest,
        });
    }
    eigen.values.mapv_inplace(|v| v.max(T::zero()));
    Ok(null_dimension(&eigen.values, T::epsilon().to_f64()))
}

/// How many of the eigenvalues, which ascend from zero or more, cannot be told from zero where
/// entries are known to `eps`.
fn null_dimension<T: Real>(values: &ArrayRef1<T>, eps: f64) -> usize {
    let largest = values.last().map_or(0.0, |&v| v.to_f64());
    let count = eigenvalue_resolution::<f64>(values.len()) / f64::EPSILON;
    let unresolved = count * eps * largest;
    values.iter().filter(|&&v| v.to_f64() <= unresolved).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::KernelRegression;
    use crate::predict::testing::{Linear, distance, tensor_identity, uniform};
    use approx::assert_relative_eq;
    use ndarray::{array, s};
    use ntk_linalg::LinalgError;

    const TIMES: [f64; 5] = [0.0, 0.3, 4.0, 60.0, f64::INFINITY];

    fn flow<T: Real>(p: &Linear<T>, reg: impl Into<Ridge>) -> MseFlow<T> {
        MseFlow::new(&p.k_dd(), &p.y, 0.7, reg).unwrap()
    }

    /// Condition of the kernel times eps: what a solution loses, relative to the data of order one.
    fn loss<T: Real>(flow: &MseFlow<T>) -> f64 {
        let values = flow.eigenvalues();
        let condition = values[values.len() - 1].to_f64() / values[0].to_f64();
        20.0 * values.len() as f64 * condition * T::epsilon().to_f64()
    }

    fn starts_and_ends<T: Real>() {
        for (seed, n, o) in [(1, 1, 1), (2, 5, 1), (3, 7, 3)] {
            let p = Linear::<T>::new(seed, n, 4, 3 * n, o);
            for reg in [Ridge::default(), Ridge::Relative(0.1)] {
                let flow = flow(&p, reg);
                let flow = flow.initial_outputs(&p.f0).unwrap();
                let times = [0.0, f64::INFINITY];
                let train = flow.train(&times).unwrap();
                let test = flow.test_from(&p.g0, &times, &p.k_td()).unwrap();
                assert_eq!(train.index_axis(Axis(0), 0), p.f0);
                assert_eq!(test.index_axis(Axis(0), 0), p.g0);
                let tolerance = loss(&flow);
                let end = train.index_axis(Axis(0), 1).to_owned();
                assert!(distance(&end, &p.y) < tolerance);
                let mut k = p.k_dd();
                let added = T::of(flow.ridge_added());
                k.diag_mut().mapv_inplace(|v| v + added);
                let residual = &p.y - &p.f0;
                let fit = KernelRegression::fit(k, &residual, 0.0).unwrap();
                let expected = fit.predict(&p.k_td()).unwrap() + &p.g0;
                let end = test.index_axis(Axis(0), 1).to_owned();
                assert!(distance(&end, &expected) < tolerance, "{reg:?}");
            }
        }
    }

    #[test]
    fn zero_is_the_start_and_infinity_is_regression() {
        starts_and_ends::<f64>();
        starts_and_ends::<f32>();
    }

    #[test]
    fn without_initial_outputs_they_are_zero() {
        let p = Linear::<f64>::new(9, 5, 3, 8, 2);
        let flow = flow(&p, 0.0);
        let (f0, g0) = (Array2::zeros((5, 2)), Array2::zeros((3, 2)));
        let k_td = p.k_td();
        let zeros = flow.clone().initial_outputs(&f0).unwrap();
        assert_eq!(flow.train(&TIMES), zeros.train(&TIMES));
        assert_eq!(
            flow.test(&TIMES, &k_td),
            zeros.test_from(&g0, &TIMES, &k_td)
        );
        // One without the other is refused.
        assert_eq!(
            zeros.test(&TIMES, &k_td),
            Err(PredictError::InitialOutputs { train: true })
        );
        assert_eq!(
            flow.test_from(&g0, &TIMES, &k_td),
            Err(PredictError::InitialOutputs { train: false })
        );
    }

    #[test]
    fn a_flow_can_be_resumed() {
        let p = Linear::<f64>::new(21, 6, 4, 15, 2);
        let flow = flow(&p, 0.0).initial_outputs(&p.f0).unwrap();
        let k_td = p.k_td();
        let at_once = [1.5, 6.5, f64::INFINITY];
        let train = flow.train(&at_once).unwrap();
        let test = flow.test_from(&p.g0, &at_once, &k_td).unwrap();
        let f1 = train.index_axis(Axis(0), 0);
        let g1 = test.index_axis(Axis(0), 0);
        let later = [5.0, f64::INFINITY];
        let resumed = flow.clone().initial_outputs(&f1).unwrap();
        let train_later = resumed.train(&later).unwrap();
        let test_later = resumed.test_from(&g1, &later, &k_td).unwrap();
        let tolerance = loss(&flow);
        assert!(distance(&train.slice(s![1.., .., ..]).to_owned(), &train_later) < tolerance);
        assert!(distance(&test.slice(s![1.., .., ..]).to_owned(), &test_later) < tolerance);
    }

    #[test]
    fn learning_rate_and_time_are_one_without_momentum() {
        let p = Linear::<f64>::new(22, 5, 2, 9, 2);
        let slow = MseFlow::new(&p.k_dd(), &p.y, 0.25, 0.0).unwrap();
        let fast = MseFlow::new(&p.k_dd(), &p.y, 1.0, 0.0).unwrap();
        // Quarters are exact.
        assert_eq!(slow.train(&[4.0]), fast.train(&[1.0]));
    }

    #[test]
    fn a_full_kernel_is_a_traced_one_times_the_identity() {
        let o = 3;
        let p = Linear::<f64>::new(31, 4, 5, 9, o);
        for momentum in [None, Some(0.8)] {
            let build = |k: &Array2<f64>| {
                let reg = Ridge::Relative(0.05);
                let flow = MseFlow::new(k, &p.y, 0.7, reg).unwrap();
                let flow = flow.initial_outputs(&p.f0).unwrap();
                momentum.map_or(flow.clone(), |m| flow.momentum(m).unwrap())
            };
            let traced = build(&p.k_dd());
            let full = build(&tensor_identity(&p.k_dd(), o));
            let k_td = tensor_identity(&p.k_td(), o);
            let tolerance = loss(&traced);
            assert!(
                distance(&traced.train(&TIMES).unwrap(), &full.train(&TIMES).unwrap()) < tolerance
            );
            assert!(
                distance(
                    &traced.test_from(&p.g0, &TIMES, &p.k_td()).unwrap(),
                    &full.test_from(&p.g0, &TIMES, &k_td).unwrap()
                ) < tolerance
            );
        }
    }

    #[test]
    fn samples_and_outputs_may_be_permuted() {
        let p = Linear::<f64>::new(41, 5, 3, 9, 2);
        let samples = [3, 0, 4, 1, 2];
        let outputs = [1, 0];
        let rows = |a: &Array2<f64>| a.select(Axis(0), &samples);
        let columns = |a: &Array2<f64>| a.select(Axis(1), &outputs);
        let q = Linear {
            x: rows(&p.x),
            z: p.z.clone(),
            y: columns(&rows(&p.y)),
            f0: columns(&rows(&p.f0)),
            g0: columns(&p.g0),
        };
        let [a, b] = [&p, &q].map(|p| flow(p, 0.0).initial_outputs(&p.f0).unwrap());
        let train = a.train(&TIMES).unwrap();
        let permuted = train.select(Axis(1), &samples).select(Axis(2), &outputs);
        let tolerance = loss(&a);
        assert!(distance(&permuted, &b.train(&TIMES).unwrap()) < tolerance);
        let test = |flow: &MseFlow<f64>, p: &Linear<f64>| {
            flow.test_from(&p.g0, &TIMES, &p.k_td()).unwrap()
        };
        assert!(distance(&test(&a, &p).select(Axis(2), &outputs), &test(&b, &q)) < tolerance);
    }

    /// Full-batch steps on `f = X theta`: outputs on train and test samples after `steps`.
    fn descend(
        p: &Linear<f64>,
        eta: f64,
        momentum: f64,
        steps: usize,
    ) -> (Array2<f64>, Array2<f64>) {
        let entries = p.y.len() as f64;
        let mut theta = Array2::<f64>::zeros((p.x.ncols(), p.y.ncols()));
        let mut velocity = theta.clone();
        for _ in 0..steps {
            let gradient = p.x.t().dot(&(p.x.dot(&theta) - &p.y)) / entries;
            velocity = velocity * momentum - gradient;
            theta.scaled_add(eta, &velocity);
        }
        (p.x.dot(&theta), p.z.dot(&theta))
    }

    #[test]
    fn is_the_limit_of_gradient_descent() {
        let p = Linear::<f64>::new(51, 4, 3, 6, 2);
        let flow = flow(&p, 0.0);
        let time = 8.0;
        let train = flow.train(&[time]).unwrap();
        let test = flow.test(&[time], &p.k_td()).unwrap();
        let errors = [1000, 2000].map(|steps| {
            let (f, g) = descend(&p, 0.7 * time / steps as f64, 0.0, steps);
            let error = |a: Array2<f64>, b: &Array3<f64>| distance(&a.insert_axis(Axis(0)), b);
            (error(f, &train), error(g, &test))
        });
        // Euler's error is h lambda/(n o) s/2 e^(...) of order h, and halves with the step;
        // the next order is h smaller, 1e-2 here.
        for (coarse, fine) in [(errors[0].0, errors[1].0), (errors[0].1, errors[1].1)] {
            assert!(coarse < 5e-3, "{coarse}");
            assert_relative_eq!(coarse / fine, 2.0, max_relative = 1e-2);
        }
    }

    #[test]
    fn momentum_is_the_limit_of_the_heavy_ball() {
        let p = Linear::<f64>::new(52, 4, 3, 6, 2);
        // Under-damped in the large eigenvalues, over-damped in the small ones.
        let (gamma, s) = (0.8, 5.0);
        let errors = [2000, 4000].map(|steps| {
            let root = s / steps as f64;
            let (eta, m) = (root * root, 1.0 - gamma * root);
            let flow = MseFlow::new(&p.k_dd(), &p.y, eta, 0.0);
            let flow = flow.unwrap().momentum(m).unwrap();
            let values = flow.eigenvalues().mapv(|v| v / 8.0);
            assert!(values[0] < gamma * gamma / 4.0 && values[3] > gamma * gamma / 4.0);
            let time = [steps as f64];
            let train = flow.train(&time).unwrap();
            let test = flow.test(&time, &p.k_td()).unwrap();
            let (f, g) = descend(&p, eta, m, steps);
            let error = |a: Array2<f64>, b: &Array3<f64>| distance(&a.insert_axis(Axis(0)), b);
            (error(f, &train), error(g, &test))
        });
        for (coarse, fine) in [(errors[0].0, errors[1].0), (errors[0].1, errors[1].1)] {
            assert!(coarse < 5e-3, "{coarse}");
            assert_relative_eq!(coarse / fine, 2.0, max_relative = 1e-2);
        }
    }

    fn null_space_keeps_still<T: Real>() {
        // Two features, six samples: four eigenvalues are zero up to rounding.
        let p = Linear::<T>::new(61, 6, 3, 2, 2);
        let flow = flow(&p, 0.0);
        assert_eq!(flow.null_dimension(), 4);
        assert!(flow.eigenvalues().iter().all(|&v| v >= T::zero()));
        let flow = flow.initial_outputs(&p.f0).unwrap();
        let train = flow.train(&[1e6, f64::INFINITY]).unwrap();
        // X (X^T X)^-1 X^T y + the rest of f_0, by normal equations of condition below 1e2.
        let gram = p.x.t().dot(&p.x);
        let fit =
            |target: &Array2<T>| ntk_linalg::solve_symmetric(&gram, &p.x.t().dot(target)).unwrap();
        let expected = &p.f0 + &p.x.dot(&fit(&(&p.y - &p.f0)));
        let eps = T::epsilon().to_f64();
        // At time 1e6, modes of eigenvalue up to 10 eps have moved by 1e6 * 10 eps.
        for (time, tolerance) in [(0, 1e6 * 10.0 * eps), (1, 1e3 * eps)] {
            let found = train.index_axis(Axis(0), time).to_owned();
            assert!(distance(&found, &expected) < tolerance.max(1e3 * eps));
        }
        let times = [f64::INFINITY];
        let test = flow.test_from(&p.g0, &times, &p.k_td()).unwrap();
        let expected = &p.g0 + &p.z.dot(&fit(&(&p.y - &p.f0)));
        let found = test.index_axis(Axis(0), 0).to_owned();
        assert!(distance(&found, &expected) < 1e3 * eps);
    }

    #[test]
    fn a_singular_kernel_keeps_its_null_space() {
        null_space_keeps_still::<f64>();
        null_space_keeps_still::<f32>();
    }

    #[test]
    fn a_zero_kernel_never_moves_its_samples() {
        let k = Array2::<f32>::zeros((2, 2));
        let y = array![[1.0], [2.0]];
        let zero = MseFlow::new(&k, &y, 1.0, 0.0).unwrap();
        let f0 = array![[3.0], [5.0]];
        let times = [0.0, 6.0, 1e300, f64::INFINITY];
        let flow = zero.clone().initial_outputs(&f0).unwrap();
        let train = flow.train(&times).unwrap();
        assert!(train.outer_iter().all(|f| f == f0));
        // A test kernel that no positive semi-definite whole could have: the limit -t/(n o).
        let k_td = array![[1.0, 0.0]];
        let test = flow.test_from(&array![[0.0]], &times[..2], &k_td).unwrap();
        assert_eq!(test, array![[[0.0]], [[-6.0]]]);
        let test = zero.test(&times, &Array2::zeros((1, 2))).unwrap();
        assert_eq!(test, Array3::<f32>::zeros((4, 1, 1)));
    }

    #[test]
    fn huge_and_tiny_kernels_scale_time() {
        let p = Linear::<f32>::new(71, 4, 3, 9, 2);
        let base = flow(&p, 0.0);
        for scale in [2.0_f32.powi(100), 2.0_f32.powi(-100)] {
            let (k_dd, k_td) = (p.k_dd() * scale, p.k_td() * scale);
            let scaled = MseFlow::new(&k_dd, &p.y, 0.7, 0.0).unwrap();
            let times = TIMES.map(|t| t / f64::from(scale));
            let tolerance = loss(&base);
            let train = [base.train(&TIMES), scaled.train(&times)].map(Result::unwrap);
            assert!(distance(&train[0], &train[1]) < tolerance);
            let test = [
                base.test(&TIMES, &p.k_td()).unwrap(),
                scaled.test(&times, &k_td).unwrap(),
            ];
            assert!(distance(&test[0], &test[1]) < tolerance);
        }
    }

    #[test]
    fn repeated_eigenvalues_are_no_trouble() {
        let k = Array2::<f64>::eye(4) * 2.0;
        let y = uniform(1, 4, 2);
        let flow = MseFlow::new(&k, &y, 1.0, 0.0).unwrap();
        let expected = y.mapv(|v| -v * (-2.0_f64 * 3.0 / 8.0).exp_m1());
        let found = flow.train(&[3.0]).unwrap();
        assert!(distance(&found, &expected.insert_axis(Axis(0))) < 1e-14);
    }

    #[test]
    fn no_samples_and_no_outputs_are_fine() {
        let none = Array2::<f64>::zeros((0, 0));
        let y = Array2::zeros((0, 2));
        let flow = MseFlow::new(&none, &y, 1.0, 0.0).unwrap();
        assert_eq!(flow.train(&TIMES).unwrap().dim(), (5, 0, 2));
        let g0 = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
        let k_td = Array2::zeros((3, 0));
        let flow = flow.initial_outputs(&y).unwrap();
        let test = flow.test_from(&g0, &TIMES, &k_td).unwrap();
        assert!(test.outer_iter().all(|g| g == g0));
        let (k, y) = (array![[2.0]], Array2::zeros((1, 0)));
        let flow = MseFlow::new(&k, &y, 1.0, 0.0).unwrap();
        assert_eq!(flow.train(&TIMES).unwrap().dim(), (5, 1, 0));
        assert_eq!(flow.train(&[]).unwrap().dim(), (0, 1, 0));
    }

    #[test]
    fn what_is_no_kernel_is_refused() {
        let y = array![[1.0], [2.0]];
        let build = |k: Array2<f64>, reg| MseFlow::new(&k, &y, 1.0, reg);
        let indefinite = array![[1.0, 2.0], [2.0, 1.0]];
        let Err(PredictError::Indefinite {
            smallest, remedy, ..
        }) = build(indefinite.clone(), Ridge::default())
        else {
            panic!("indefinite")
        };
        assert_relative_eq!(smallest, -1.0, epsilon = 1e-15);
        assert_relative_eq!(remedy, 1.0, epsilon = 1e-15);
        // The remedy helps, and is counted from the kernel itself.
        let Err(PredictError::Indefinite { remedy, .. }) =
            build(indefinite.clone(), Ridge::Absolute(0.5))
        else {
            panic!("indefinite")
        };
        assert_relative_eq!(remedy, 1.0, epsilon = 1e-15);
        assert!(build(indefinite.clone(), Ridge::Absolute(remedy)).is_ok());
        // An adaptive ridge adds just that, or fails where it is too much.
        let adaptive = |max_relative| Ridge::Adaptive { max_relative };
        let flow = build(indefinite.clone(), adaptive(2.0)).unwrap();
        assert_relative_eq!(flow.ridge_added(), 1.0, epsilon = 1e-15);
        assert_eq!((flow.eigenvalues()[0], flow.null_dimension()), (0.0, 1));
        let Err(PredictError::Indefinite { remedy, .. }) = build(indefinite.clone(), adaptive(0.5))
        else {
            panic!("indefinite")
        };
        assert_relative_eq!(remedy, 1.0, epsilon = 1e-15);
        let flow = build(Array2::eye(2), adaptive(2.0)).unwrap();
        assert_eq!(flow.ridge_added(), 0.0);
        assert!(build(-indefinite, Ridge::default()).is_err());
        assert!(build(-Array2::<f64>::eye(2), Ridge::default()).is_err());
        // What single precision may do to a singular kernel passes, and is clipped.
        let nearly = array![[1.0, 1.0 + 1e-7], [1.0 + 1e-7, 1.0]];
        let flow = build(nearly, Ridge::default()).unwrap();
        assert_eq!((flow.eigenvalues()[0], flow.null_dimension()), (0.0, 1));

        let error = build(array![[1.0, 0.25], [0.75, 1.0]], Ridge::default()).unwrap_err();
        let PredictError::Linalg(LinalgError::NotSymmetric { difference, .. }) = error else {
            panic!("{error}")
        };
        assert_eq!(difference, 0.5);
        assert!(build(array![[1.0, 0.5 + 1e-7], [0.5, 1.0]], Ridge::default()).is_ok());

        let error = build(array![[1.0, f64::NAN], [0.0, 1.0]], Ridge::default()).unwrap_err();
        assert!(
            matches!(
                error,
                PredictError::NonFinite {
                    what: "the training kernel",
                    row: 0,
                    column: 1,
                    ..
                }
            ),
            "{error}"
        );
        for k in [Array2::eye(3), Array2::zeros((2, 3)), Array2::zeros((0, 0))] {
            let error = build(k, Ridge::default()).unwrap_err();
            assert!(matches!(error, PredictError::Shape { .. }), "{error}");
        }
        let bad = array![[1.0], [f64::INFINITY]];
        let error = MseFlow::new(&Array2::eye(2), &bad, 1.0, 0.0);
        assert!(matches!(
            error,
            Err(PredictError::NonFinite {
                row: 1,
                column: 0,
                ..
            })
        ));
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = MseFlow::new(&Array2::eye(2), &y, rate, 0.0);
            assert!(matches!(error, Err(PredictError::Argument { .. })));
        }
        assert!(build(Array2::eye(2), Ridge::Absolute(-1.0)).is_err());
    }

    #[test]
    fn wrong_arguments_are_errors() {
        let p = Linear::<f64>::new(81, 4, 3, 9, 2);
        let flow = flow(&p, 0.0);
        for (times, index) in [(vec![-1.0], 0), (vec![0.0, f64::NAN], 1)] {
            let error = flow.train(&times).unwrap_err();
            assert!(matches!(error, PredictError::Time { index: i, .. } if i == index));
        }
        let error = flow.test(&[2.0, 1.0], &p.k_td());
        assert_eq!(
            error,
            Err(PredictError::TimesOutOfOrder {
                index: 1,
                time: 1.0,
                previous: 2.0
            })
        );
        let wrong = Array2::zeros((3, 1));
        let shape = |result: Result<Array3<f64>, PredictError>| {
            let error = result.unwrap_err();
            assert!(matches!(error, PredictError::Shape { .. }), "{error}");
        };
        let started = flow.clone().initial_outputs(&p.f0).unwrap();
        shape(flow.test(&TIMES, &p.k_td().t()));
        shape(started.test_from(&wrong, &TIMES, &p.k_td()));
        assert!(matches!(
            flow.clone().initial_outputs(&wrong),
            Err(PredictError::Shape { .. })
        ));
        let full = MseFlow::new(&Array2::eye(8), &p.y, 1.0, 0.0);
        let odd = Array2::zeros((3, 8));
        shape(full.unwrap().test(&TIMES, &odd));
        let bad = p.f0.mapv(|_| f64::NAN);
        assert!(matches!(
            flow.clone().initial_outputs(&bad),
            Err(PredictError::NonFinite { .. })
        ));
        for m in [-0.1, 1.0, f64::NAN] {
            assert!(matches!(
                flow.clone().momentum(m),
                Err(PredictError::Argument {
                    name: "momentum",
                    ..
                })
            ));
        }
    }
}
