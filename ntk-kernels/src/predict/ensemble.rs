//! Computes mean and covariance over the initialisations of infinitely wide networks in training.
//!
//! Both means are those of the flow from zero outputs: [`MseFlow::train`] and [`MseFlow::test`]
//! without initial outputs. Covariances are those of each output, (m, m), where the kernels are
//! traced, and (m*o, m*o) where they are full.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, ArrayView1, Axis, Zip};
use ntk_linalg::{Real, matmul, symmetric_product};

use super::variance::{
    clamp_covariance, covariance_of_linear, subtract_square, subtract_square_norms,
    variance_of_linear,
};
use super::{MseFlow, PredictError, check};

/// An `NngpEnsemble` is an ensemble of infinitely wide networks of which only the last layer is
/// trained.
///
/// Its flow is that of the NNGP, and at infinite time it is the Bayesian posterior (Lee et al.
/// 2019, arXiv:1902.06720, section 2.3).
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::predict::{MseFlow, NngpEnsemble};
///
/// let (k_dd, y) = (array![[2.0, 0.5], [0.5, 1.0]], array![[1.0], [-1.0]]);
/// let (k_td, k_tt) = (array![[1.0, 0.2]], array![[1.5]]);
/// let ensemble = NngpEnsemble::new(MseFlow::new(&k_dd, &y, 1.0, 0.0)?);
/// let at = |time| ensemble.test_covariance(time, &k_td, &k_tt);
/// assert_eq!(at(0.0)?, k_tt); // the prior
/// assert!(at(f64::INFINITY)?[[0, 0]] < at(1.0)?[[0, 0]]);
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct NngpEnsemble<T: Real> {
    flow: MseFlow<T>,
}

impl<T: Real> NngpEnsemble<T> {
    /// Makes the ensemble whose mean is `flow`, which is made from the NNGP of the training
    /// samples.
    pub fn new(flow: MseFlow<T>) -> Self {
        Self { flow }
    }

    /// Returns the flow of the mean.
    pub fn flow(&self) -> &MseFlow<T> {
        &self.flow
    }

    /// Computes the covariance of the training outputs at `time`: `phi K phi`, with K the NNGP and
    /// its ridge, and `phi = e^(-K eta t/(n o))`. Cost: `n^3`.
    ///
    /// # Errors
    /// Returns [`PredictError::Time`] for a time that is negative or NaN.
    pub fn train_covariance(&self, time: f64) -> Result<Array2<T>, PredictError> {
        check::times(&[time], 0.0)?;
        let mut half = self.flow.vectors().to_owned();
        let modes = self.flow.modes(time);
        for (mut column, (lambda, moved, _)) in half.axis_iter_mut(Axis(1)).zip(modes) {
            let weight = T::of(lambda.sqrt() * (1.0 + moved));
            column.mapv_inplace(|v| v * weight);
        }
        Ok(symmetric_product(&half)?)
    }

    /// Computes the covariance of the test outputs at `time`, `K_tt - K_td K^-1 (1 - phi^2) K_dt`,
    /// from the NNGP of test with training samples, (m, n), and that of the test samples, (m, m).
    ///
    /// Cost: `2 m n^2 + m^2 n`.
    ///
    /// # Errors
    /// Returns [`PredictError::Time`] for a time that is negative or NaN, [`PredictError::Shape`]
    /// or [`PredictError::NonFinite`] for a kernel that does not fit.
    pub fn test_covariance(
        &self,
        time: f64,
        nngp_td: &ArrayRef2<T>,
        nngp_tt: &ArrayRef2<T>,
    ) -> Result<Array2<T>, PredictError> {
        let m = nngp_td.nrows();
        check::shape("nngp_tt", nngp_tt, (m, m), "the rows of nngp_td, both ways")?;
        let half = self.learned(time, nngp_td)?;
        subtract_square(nngp_tt, &half, self.allowed(time))
    }

    /// Computes the diagonal of [`NngpEnsemble::test_covariance`] from that of the test kernel,
    /// (m).
    ///
    /// Cost: `2 m n^2`.
    ///
    /// # Errors
    /// Fails as [`NngpEnsemble::test_covariance`] does.
    pub fn test_variance(
        &self,
        time: f64,
        nngp_td: &ArrayRef2<T>,
        nngp_tt: &ArrayRef1<T>,
    ) -> Result<Array1<T>, PredictError> {
        check::diagonal("the diagonal of nngp_tt", nngp_tt, nngp_td.nrows())?;
        let half = self.learned(time, nngp_td)?;
        subtract_square_norms(nngp_tt, &half, self.allowed(time))
    }

    /// Computes the H of `K_tt - H H^T`.
    fn learned(&self, time: f64, nngp_td: &ArrayRef2<T>) -> Result<Array2<T>, PredictError> {
        check::times(&[time], 0.0)?;
        self.flow.layout().test_samples("nngp_td", nngp_td)?;
        let mut half = matmul(nngp_td, &self.flow.vectors())?;
        for (mut column, square) in half.axis_iter_mut(Axis(1)).zip(self.weights(time)) {
            let weight = T::of(square.sqrt());
            column.mapv_inplace(|v| v * weight);
        }
        Ok(half)
    }

    /// Returns `(1 - phi^2)/lambda` of every mode, with `1 + phi = 2 + moved`.
    fn weights(&self, time: f64) -> impl Iterator<Item = f64> + '_ {
        let modes = self.flow.modes(time);
        modes.map(|(_, moved, over)| (-over * (2.0 + moved)).max(0.0))
    }

    /// Returns the error of a variance, by the row of H: that of K, which an eigendecomposition
    /// knows to its rounding of the largest eigenvalue, between `K_td K^-1 (1 - phi^2)`.
    fn allowed(&self, time: f64) -> impl Fn(ArrayView1<'_, T>) -> f64 + '_ {
        let values = self.flow.eigenvalues();
        let largest = values.last().map_or(0.0, |&v| v.to_f64());
        let rounding = check::rounding::<T>(values.len()) * largest;
        move |row| {
            let pairs = row.iter().zip(self.weights(time));
            let norm: f64 = pairs
                .map(|(h, weight)| Real::to_f64(*h).powi(2) * weight)
                .sum();
            rounding * (1.0 + norm)
        }
    }
}

/// An `NtkEnsemble` is an ensemble of infinitely wide networks of which all layers are trained.
///
/// Outputs are linear in the initial outputs, whose covariance is the NNGP; the flow is that of the
/// NTK (Lee et al. 2019, arXiv:1902.06720, section 2.3).
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::network::{Network, dense, relu};
/// use ntk_kernels::predict::{MseFlow, NtkEnsemble};
///
/// let network = Network::new().then(dense()).then(relu()).then(dense());
/// let (train, test) = (array![[1.0, 0.0], [0.0, 1.0]], array![[0.8, 0.6]]);
/// let (dd, td) = (network.kernels(&train)?, network.kernels_between(&test, &train)?);
/// let flow = MseFlow::new(&dd.ntk, &array![[1.0], [-1.0]], 1.0, 0.0)?;
/// let ensemble = NtkEnsemble::new(flow, &dd.nngp)?;
/// let prior = network.kernel_diagonal(&test)?.nngp;
/// let variance = ensemble.test_variance(100.0, &td.ntk, &td.nngp, &prior)?;
/// assert!(0.0 < variance[0] && variance[0] < prior[0]);
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct NtkEnsemble<'a, T: Real> {
    flow: MseFlow<T>,
    nngp_dd: &'a ArrayRef2<T>,
}

impl<'a, T: Real> NtkEnsemble<'a, T> {
    /// Makes the ensemble whose mean is `flow`, which is made from the NTK of the training samples,
    /// with their NNGP, which has the shape of the NTK.
    ///
    /// # Errors
    /// Returns [`PredictError::Shape`] or [`PredictError::NonFinite`] where the NNGP does not fit,
    /// and [`PredictError::Linalg`] where it is not symmetric.
    pub fn new(flow: MseFlow<T>, nngp_dd: &'a ArrayRef2<T>) -> Result<Self, PredictError> {
        let rows = flow.layout().rows();
        check::shape("nngp_dd", nngp_dd, (rows, rows), "the shape of the NTK")?;
        check::symmetric(nngp_dd)?;
        Ok(Self { flow, nngp_dd })
    }

    /// Returns the flow of the mean.
    pub fn flow(&self) -> &MseFlow<T> {
        &self.flow
    }

    /// Computes the covariance of the training outputs at `time`: `phi S phi`, with S the NNGP,
    /// `phi = e^(-K eta t/(n o))`, and K the NTK and its ridge. Cost: `6 n^3`.
    ///
    /// # Errors
    /// Returns [`PredictError::Time`] for a time that is negative or NaN.
    pub fn train_covariance(&self, time: f64) -> Result<Array2<T>, PredictError> {
        check::times(&[time], 0.0)?;
        let vectors = self.flow.vectors();
        let mut scaled = vectors.to_owned();
        let modes = self.flow.modes(time);
        for (mut column, (_, moved, _)) in scaled.axis_iter_mut(Axis(1)).zip(modes) {
            let phi = T::of(1.0 + moved);
            column.mapv_inplace(|v| v * phi);
        }
        let phi = matmul(&scaled, &vectors.t())?;
        let product = matmul(&matmul(&phi, self.nngp_dd)?, &phi.t())?;
        let half = T::of(0.5);
        let mut covariance = Zip::from(&product)
            .and(&product.t())
            .map_collect(|&a, &b| (a + b) * half);
        // No row of phi is longer than one.
        let largest = self
            .nngp_dd
            .diag()
            .iter()
            .fold(0.0, |m: f64, v| m.max(Real::to_f64(*v)));
        let rounding = check::rounding::<T>(product.nrows()) * largest;
        clamp_covariance(&mut covariance, |_| rounding)?;
        Ok(covariance)
    }

    /// Computes the covariance of the test outputs at `time`, `S_tt + A S_dd A^T - (A S_dt + S_td
    /// A^T)` with `A = K_td K^-1 (1 - phi)`, from the NTK and the NNGP S of test with training
    /// samples, both (m, n), and the NNGP of the test samples, (m, m).
    ///
    /// Cost: `6 m n^2 + 2 m^2 n`.
    ///
    /// # Errors
    /// Returns [`PredictError::Time`] for a time that is negative or NaN, [`PredictError::Shape`]
    /// or [`PredictError::NonFinite`] for a kernel that does not fit.
    pub fn test_covariance(
        &self,
        time: f64,
        ntk_td: &ArrayRef2<T>,
        nngp_td: &ArrayRef2<T>,
        nngp_tt: &ArrayRef2<T>,
    ) -> Result<Array2<T>, PredictError> {
        let weights = self.weights(time, ntk_td)?;
        covariance_of_linear(&weights, self.nngp_dd, nngp_td, nngp_tt)
    }

    /// Computes the diagonal of [`NtkEnsemble::test_covariance`] from that of the test NNGP, (m).
    ///
    /// Cost: `6 m n^2`.
    ///
    /// # Errors
    /// Fails as [`NtkEnsemble::test_covariance`] does.
    pub fn test_variance(
        &self,
        time: f64,
        ntk_td: &ArrayRef2<T>,
        nngp_td: &ArrayRef2<T>,
        nngp_tt: &ArrayRef1<T>,
    ) -> Result<Array1<T>, PredictError> {
        let weights = self.weights(time, ntk_td)?;
        variance_of_linear(&weights, self.nngp_dd, nngp_td, nngp_tt)
    }

    /// Computes A, (m, n).
    fn weights(&self, time: f64, ntk_td: &ArrayRef2<T>) -> Result<Array2<T>, PredictError> {
        check::times(&[time], 0.0)?;
        self.flow.layout().test_samples("ntk_td", ntk_td)?;
        let mut left = matmul(ntk_td, &self.flow.vectors())?;
        let modes = self.flow.modes(time);
        for (mut column, (_, _, over)) in left.axis_iter_mut(Axis(1)).zip(modes) {
            let weight = T::of(-over);
            column.mapv_inplace(|v| v * weight);
        }
        Ok(matmul(&left, &self.flow.vectors().t())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::Posterior;
    use crate::predict::testing::reference::{self, matrix};
    use crate::predict::testing::{Linear, distance, tensor_identity, uniform};
    use ntk_linalg::Ridge;

    const TIMES: [f64; 4] = [0.0, 0.5, 20.0, f64::INFINITY];

    struct Case {
        ntk: Linear<f64>,
        nngp: Linear<f64>,
        flow: MseFlow<f64>,
    }

    fn case(o: usize, momentum: Option<f64>) -> Case {
        let ntk = Linear::new(1, 5, 4, 12, o);
        let nngp = Linear::new(2, 5, 4, 12, o);
        let reg = Ridge::Relative(0.02);
        let flow = MseFlow::new(&ntk.k_dd(), &ntk.y, 0.7, reg).unwrap();
        let flow = momentum.map_or(flow.clone(), |m| flow.momentum(m).unwrap());
        Case { ntk, nngp, flow }
    }

    fn smallest(a: &Array2<f64>) -> f64 {
        assert_eq!(a, a.t());
        ntk_linalg::eigenvalues(a).unwrap()[0]
    }

    #[test]
    fn agrees_with_neural_tangents() {
        let y = reference::targets();
        let [nn_dd, th_dd] = [reference::NNGP_DD, reference::NTK_DD].map(|v| matrix(v, 4));
        let [nn_td, th_td] = [reference::NNGP_TD, reference::NTK_TD].map(|v| matrix(v, 4));
        let nn_tt = matrix(reference::NNGP_TT, 3);
        // gradient_descent_mse_ensemble, learning rate 0.7, diag_reg 0.1 (relative):
        // mean[0][0], covariance [0][0] and [0][1] on the tests at t = 5 and infinity.
        let nngp = [
            [
                0.05113390768772097,
                0.25371988748710517,
                0.03376204601111075,
            ],
            [
                -0.1274918078956023,
                0.034908267239335766,
                0.01090125497529762,
            ],
        ];
        let ntk = [
            [
                0.08084970775823178,
                0.20306747442026502,
                0.03684270517466281,
            ],
            [
                -0.379433237111144,
                0.013097315968866985,
                0.010283281361496893,
            ],
        ];
        let reg = Ridge::Relative(0.1);
        let times = [5.0, f64::INFINITY];
        let flow = MseFlow::new(&nn_dd, &y, 0.7, reg).unwrap();
        let last = NngpEnsemble::new(flow);
        let flow = MseFlow::new(&th_dd, &y, 0.7, reg).unwrap();
        let all = NtkEnsemble::new(flow, &nn_dd).unwrap();
        // The condition of either regularised kernel is below 20: 1e-13 is ample and catches
        // any other place for the regulariser.
        for (i, &time) in times.iter().enumerate() {
            let mean = last.flow().test(&times, &nn_td).unwrap();
            let cov = last.test_covariance(time, &nn_td, &nn_tt).unwrap();
            for (found, expected) in [mean[[i, 0, 0]], cov[[0, 0]], cov[[0, 1]]]
                .iter()
                .zip(nngp[i])
            {
                assert!(
                    (found - expected).abs() < 1e-13,
                    "nngp {time}: {found} {expected}"
                );
            }
            let mean = all.flow().test(&times, &th_td).unwrap();
            let cov = all.test_covariance(time, &th_td, &nn_td, &nn_tt).unwrap();
            for (found, expected) in [mean[[i, 0, 0]], cov[[0, 0]], cov[[0, 1]]]
                .iter()
                .zip(ntk[i])
            {
                assert!(
                    (found - expected).abs() < 1e-13,
                    "ntk {time}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn covariances_start_at_the_prior() {
        let c = case(2, None);
        let (td, tt) = (c.nngp.k_td(), c.nngp.k_tt());
        let last = NngpEnsemble::new(c.flow.clone());
        let found = last.test_covariance(0.0, &td, &tt).unwrap();
        assert!(distance(&found, &tt) < 1e-14);
        let mut prior = c.ntk.k_dd();
        prior.diag_mut().mapv_inplace(|v| v + c.flow.ridge_added());
        assert!(distance(&last.train_covariance(0.0).unwrap(), &prior) < 1e-13);
        let s_dd = c.nngp.k_dd();
        let all = NtkEnsemble::new(c.flow, &s_dd).unwrap();
        assert!(distance(&all.train_covariance(0.0).unwrap(), &s_dd) < 1e-13);
        let k_td = c.ntk.k_td();
        let found = all.test_covariance(0.0, &k_td, &td, &tt).unwrap();
        assert!(distance(&found, &tt) < 1e-14);
    }

    #[test]
    fn at_infinity_they_are_posteriors() {
        let c = case(2, None);
        let (nn_td, nn_tt, s_dd) = (c.nngp.k_td(), c.nngp.k_tt(), c.nngp.k_dd());
        let (k_td, k_tt) = (c.ntk.k_td(), c.ntk.k_tt());
        let reg = Ridge::Relative(0.02);
        let process = Posterior::new(c.ntk.k_dd(), &c.ntk.y, reg).unwrap();
        let end = f64::INFINITY;
        let last = NngpEnsemble::new(c.flow.clone());
        let found = last.test_covariance(end, &k_td, &k_tt).unwrap();
        let expected = process.covariance(&k_td, &k_tt).unwrap();
        assert!(distance(&found, &expected) < 1e-12);
        assert!(distance(&last.train_covariance(end).unwrap(), &Array2::zeros((5, 5))) < 1e-13);
        let all = NtkEnsemble::new(c.flow, &s_dd).unwrap();
        let found = all.test_covariance(end, &k_td, &nn_td, &nn_tt).unwrap();
        let expected = process
            .ensemble_covariance(&k_td, &s_dd, &nn_td, &nn_tt)
            .unwrap();
        assert!(distance(&found, &expected) < 1e-12);
        assert!(distance(&all.train_covariance(end).unwrap(), &Array2::zeros((5, 5))) < 1e-13);
    }

    #[test]
    fn covariances_are_symmetric_semidefinite_and_their_diagonals_the_variances() {
        for momentum in [None, Some(0.9)] {
            let c = case(1, momentum);
            let (nn_td, nn_tt, s_dd) = (c.nngp.k_td(), c.nngp.k_tt(), c.nngp.k_dd());
            let (k_td, k_tt) = (c.ntk.k_td(), c.ntk.k_tt());
            let last = NngpEnsemble::new(c.flow.clone());
            let all = NtkEnsemble::new(c.flow.clone(), &s_dd).unwrap();
            for time in TIMES {
                let a = last.test_covariance(time, &k_td, &k_tt).unwrap();
                let b = all.test_covariance(time, &k_td, &nn_td, &nn_tt).unwrap();
                for covariance in [
                    &a,
                    &b,
                    &last.train_covariance(time).unwrap(),
                    &all.train_covariance(time).unwrap(),
                ] {
                    assert!(smallest(covariance) > -1e-13, "{time}");
                }
                let variance = last.test_variance(time, &k_td, &k_tt.diag()).unwrap();
                assert!(distance(&variance, &a.diag().to_owned()) < 1e-13);
                let variance = all
                    .test_variance(time, &k_td, &nn_td, &nn_tt.diag())
                    .unwrap();
                assert!(distance(&variance, &b.diag().to_owned()) < 1e-13);
            }
        }
    }

    /// Outputs are linear in the initial ones: their covariance, row by row of a root of the
    /// prior, is that of flows from these rows with zero targets.
    #[test]
    fn covariances_are_those_of_flows_from_the_prior() {
        for momentum in [None, Some(0.9)] {
            let c = case(1, momentum);
            let zero = Array2::zeros((5, 12));
            let reg = Ridge::Relative(0.02);
            // Twelve outputs would be twelve times as slow.
            let k_dd = c.ntk.k_dd() * 12.0;
            let flow = MseFlow::new(&k_dd, &zero, 0.7, reg).unwrap();
            let flow = momentum.map_or(flow.clone(), |m| flow.momentum(m).unwrap());
            let flow = flow.initial_outputs(&c.nngp.x).unwrap();
            let (k_td, nn_td, nn_tt, s_dd) =
                (c.ntk.k_td(), c.nngp.k_td(), c.nngp.k_tt(), c.nngp.k_dd());
            let all = NtkEnsemble::new(c.flow.clone(), &s_dd).unwrap();
            for time in TIMES {
                let train = flow.train(&[time]).unwrap();
                let twelve = &k_td * 12.0;
                let test = flow.test_from(&c.nngp.z, &[time], &twelve).unwrap();
                let train = train.index_axis(Axis(0), 0);
                let test = test.index_axis(Axis(0), 0);
                let found = all.train_covariance(time).unwrap();
                assert!(distance(&found, &train.dot(&train.t())) < 1e-12, "{time}");
                let found = all.test_covariance(time, &k_td, &nn_td, &nn_tt).unwrap();
                assert!(distance(&found, &test.dot(&test.t())) < 1e-12, "{time}");
            }
        }
    }

    #[test]
    fn full_kernels_have_full_covariances() {
        let c = case(2, None);
        let reg = Ridge::Relative(0.02);
        let wide = |k: &Array2<f64>| tensor_identity(k, 2);
        let full = MseFlow::new(&wide(&c.ntk.k_dd()), &c.ntk.y, 0.7, reg).unwrap();
        let (k_td, nn_td, nn_tt, s_dd) =
            (c.ntk.k_td(), c.nngp.k_td(), c.nngp.k_tt(), c.nngp.k_dd());
        let s_full = wide(&s_dd);
        let a = NtkEnsemble::new(c.flow, &s_dd).unwrap();
        let b = NtkEnsemble::new(full, &s_full).unwrap();
        let one = a.test_covariance(3.0, &k_td, &nn_td, &nn_tt);
        let all = b.test_covariance(3.0, &wide(&k_td), &wide(&nn_td), &wide(&nn_tt));
        assert!(distance(&wide(&one.unwrap()), &all.unwrap()) < 1e-12);
    }

    #[test]
    fn wrong_shapes_and_times_are_errors() {
        let c = case(1, None);
        let (td, tt, s_dd) = (c.nngp.k_td(), c.nngp.k_tt(), c.nngp.k_dd());
        let wrong = uniform::<f64>(1, 3, 3);
        let shape = |error: PredictError| {
            assert!(matches!(error, PredictError::Shape { .. }), "{error}");
        };
        shape(NtkEnsemble::new(c.flow.clone(), &wrong).unwrap_err());
        let all = NtkEnsemble::new(c.flow.clone(), &s_dd).unwrap();
        let last = NngpEnsemble::new(c.flow);
        shape(last.test_covariance(1.0, &td, &wrong).unwrap_err());
        shape(last.test_covariance(1.0, &td.t(), &s_dd).unwrap_err());
        shape(last.test_variance(1.0, &td, &wrong.diag()).unwrap_err());
        shape(all.test_covariance(1.0, &td, &wrong, &tt).unwrap_err());
        shape(all.test_covariance(1.0, &td, &td, &wrong).unwrap_err());
        shape(all.test_variance(1.0, &td, &td, &wrong.diag()).unwrap_err());
        for time in [-1.0, f64::NAN] {
            assert!(matches!(
                last.train_covariance(time),
                Err(PredictError::Time { .. })
            ));
            assert!(matches!(
                all.train_covariance(time),
                Err(PredictError::Time { .. })
            ));
        }
    }
}
