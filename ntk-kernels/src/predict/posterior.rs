//! Posteriors of Gaussian processes, and the ensemble that training makes of one.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, ArrayView1, Axis};
use ntk_linalg::{Cholesky, Real, Ridge, matmul};

use super::layout::Layout;
use super::variance::{
    covariance_of_linear, square_norm, subtract_square, subtract_square_norms, variance_of_linear,
};
use super::{PredictError, check};

/// A `Posterior` is a Gaussian process with kernel K after training samples have been seen with noise of
/// variance r, the ridge.
///
/// | kernel given | mean | covariance |
/// |---|---|---|
/// | NNGP | [`mean`](Self::mean) | [`covariance`](Self::covariance): the exact Bayesian posterior of an infinitely wide network (Lee et al. 2018, arXiv:1711.00165) |
/// | NTK | [`mean`](Self::mean) | [`ensemble_covariance`](Self::ensemble_covariance): the ensemble of infinitely wide networks trained for ever (Lee et al. 2019, arXiv:1902.06720, section 2.3) |
/// | NTK | [`mean`](Self::mean) | [`covariance`](Self::covariance): the posterior of a process with the NTK for its kernel, "NTK-GP" (He et al. 2020, arXiv:2007.05864) |
///
/// The covariance is that of the function, without the noise of a new observation. Kernels
/// are traced, (n, n), or full, (n*o, n*o) with row = sample*o + output.
#[derive(Debug, Clone)]
pub struct Posterior<T: Real> {
    cholesky: Cholesky<T>,
    /// `(K_dd + r)^-1 y`.
    coefficients: Array2<T>,
    layout: Layout,
}

impl<T: Real> Posterior<T> {
    /// Factors `K_dd + r` for a kernel whose buffer is reused and targets `y` (n, o).
    ///
    /// Cost: `n^3 / 3`.
    ///
    /// # Errors
    /// Returns [`PredictError::Shape`], [`PredictError::NonFinite`], [`PredictError::Linalg`] for a
    /// negative ridge, or where the kernel is not symmetric or, with the ridge, not positive definite;
    /// [`PredictError::Singular`] where it is not so to working precision.
    pub fn new(
        k_dd: Array2<T>,
        y: &ArrayRef2<T>,
        ridge: impl Into<Ridge>,
    ) -> Result<Self, PredictError> {
        let layout = Layout::new(&k_dd, y.dim())?;
        check::finite("the targets", y)?;
        check::finite("the training kernel", &k_dd)?;
        check::symmetric(&k_dd)?;
        let cholesky = Cholesky::new(k_dd, ridge)?;
        check::resolved(&cholesky)?;
        let minus = layout.residual(None, y);
        let coefficients = cholesky.solve(&minus.mapv(|v| -v))?;
        let coefficients = check::result("the coefficients (row, output)", coefficients)?;
        Ok(Self {
            cholesky,
            coefficients,
            layout,
        })
    }

    /// Returns what the ridge added to the kernel's diagonal.
    pub fn ridge_added(&self) -> f64 {
        self.cholesky.ridge_added()
    }

    /// Restores the posterior of a traced kernel from what [`Posterior::cholesky`] and
    /// [`Posterior::coefficients`] gave.
    pub(crate) fn from_parts(cholesky: Cholesky<T>, coefficients: Array2<T>) -> Self {
        Self {
            layout: Layout::traced(coefficients.dim()),
            cholesky,
            coefficients,
        }
    }

    /// Returns the factorisation of `K_dd + r`.
    pub(crate) fn cholesky(&self) -> &Cholesky<T> {
        &self.cholesky
    }

    /// Returns `(K_dd + r)^-1 y`, (n, o) of a traced kernel.
    pub(crate) fn coefficients(&self) -> &Array2<T> {
        &self.coefficients
    }

    /// Computes the logarithm of the probability density of the targets `y` (n, o) that the
    /// process was made of, before any was seen:
    /// `-(sum y (K_dd + r)^-1 y + o log det(K_dd + r) + n o log 2 pi)/2` for a traced kernel.
    ///
    /// It is what ranks kernels and noises (Rasmussen and Williams 2006, "Gaussian Processes for
    /// Machine Learning", equation 5.8); outputs are independent, so that it is the sum over them.
    /// Cost: `n o`.
    ///
    /// # Errors
    /// Returns [`PredictError::Shape`], [`PredictError::NonFinite`].
    pub fn log_marginal_likelihood(&self, y: &ArrayRef2<T>) -> Result<f64, PredictError> {
        let expected = (self.layout.samples, self.layout.outputs);
        check::shape("the targets", y, expected, "those of the posterior")?;
        let minus = self.layout.residual(None, y);
        let pairs = minus.iter().zip(&self.coefficients);
        let fit: f64 = pairs
            .map(|(y, c)| -(Real::to_f64(*y) * Real::to_f64(*c)))
            .sum();
        let volume = self.layout.columns() as f64 * self.cholesky.log_det().to_f64();
        let constant = self.layout.entries() as f64 * std::f64::consts::TAU.ln();
        let density = ndarray::arr0(-0.5 * (fit + volume + constant));
        Ok(check::result("the log marginal likelihood", density)?.into_scalar())
    }

    /// Computes the mean `K_td (K_dd + r)^-1 y`, (m, o), for `k_td` (m, n) or (m*o, n*o). Cost: `2 m n o`.
    ///
    /// # Errors
    /// Returns [`PredictError::Shape`], [`PredictError::NonFinite`].
    pub fn mean(&self, k_td: &ArrayRef2<T>) -> Result<Array2<T>, PredictError> {
        let m = self.layout.test_samples("the test kernel", k_td)?;
        let product = matmul(k_td, &self.coefficients)?;
        let mean = self.layout.spread(&product, 1, m, None)?;
        Ok(mean.index_axis_move(Axis(0), 0))
    }

    /// Computes the covariance `K_tt - K_td (K_dd + r)^-1 K_dt` for `k_tt` (m, m), per output where kernels are traced.
    ///
    /// Cost: `m n^2 + m^2 n`.
    ///
    /// # Errors
    /// Fails as [`Posterior::mean`] does.
    pub fn covariance(
        &self,
        k_td: &ArrayRef2<T>,
        k_tt: &ArrayRef2<T>,
    ) -> Result<Array2<T>, PredictError> {
        let m = k_td.nrows();
        check::shape("k_tt", k_tt, (m, m), "the rows of k_td, both ways")?;
        let half = self.learned(k_td)?;
        subtract_square(k_tt, &half.t(), self.allowed())
    }

    /// Computes the diagonal of [`Posterior::covariance`], from that of `k_tt`, (m). Cost: `m n^2`.
    ///
    /// # Errors
    /// Fails as [`Posterior::mean`] does.
    pub fn variance(
        &self,
        k_td: &ArrayRef2<T>,
        k_tt: &ArrayRef1<T>,
    ) -> Result<Array1<T>, PredictError> {
        check::diagonal("the diagonal of k_tt", k_tt, k_td.nrows())?;
        let half = self.learned(k_td)?;
        subtract_square_norms(k_tt, &half.t(), self.allowed())
    }

    /// Computes the covariance over initialisations of networks trained for ever, where this process has
    /// the NTK: `S_tt + A S_dd A^T - (A S_dt + S_td A^T)`, `A = K_td (K_dd + r)^-1`, S the
    /// NNGP, to which no ridge is added.
    ///
    /// `ntk_td` and `nngp_td` are (m, n), `nngp_dd` is (n, n), `nngp_tt` (m, m).
    /// [`NtkEnsemble`](super::NtkEnsemble) has the same at finite times. Cost: `4 m n^2 + 2 m^2 n`.
    ///
    /// # Errors
    /// Fails as [`Posterior::mean`] does.
    pub fn ensemble_covariance(
        &self,
        ntk_td: &ArrayRef2<T>,
        nngp_dd: &ArrayRef2<T>,
        nngp_td: &ArrayRef2<T>,
        nngp_tt: &ArrayRef2<T>,
    ) -> Result<Array2<T>, PredictError> {
        let weights = self.weights(ntk_td, nngp_dd)?;
        covariance_of_linear(&weights.t(), nngp_dd, nngp_td, nngp_tt)
    }

    /// Computes the diagonal of [`Posterior::ensemble_covariance`], from that of `nngp_tt`, (m).
    ///
    /// Cost: `4 m n^2`.
    ///
    /// # Errors
    /// Fails as [`Posterior::mean`] does.
    pub fn ensemble_variance(
        &self,
        ntk_td: &ArrayRef2<T>,
        nngp_dd: &ArrayRef2<T>,
        nngp_td: &ArrayRef2<T>,
        nngp_tt: &ArrayRef1<T>,
    ) -> Result<Array1<T>, PredictError> {
        let weights = self.weights(ntk_td, nngp_dd)?;
        variance_of_linear(&weights.t(), nngp_dd, nngp_td, nngp_tt)
    }

    /// `L^-1 K_dt`, (n, m).
    fn learned(&self, k_td: &ArrayRef2<T>) -> Result<Array2<T>, PredictError> {
        self.layout.test_samples("the test kernel", k_td)?;
        let mut half = k_td.t().to_owned();
        self.cholesky.solve_l_in_place(&mut half)?;
        Ok(half)
    }

    /// Returns the error of a variance, by the row of H in `K_tt - H H^T`: the rounding of K
    /// between `K_td (K_dd + r)^-1`, whose norm is that of H over the root of the smallest
    /// eigenvalue, about the smallest pivot.
    fn allowed(&self) -> impl Fn(ArrayView1<'_, T>) -> f64 {
        let pivots = self.cholesky.pivots();
        let [smallest, largest] = check::extremes(&pivots);
        let rounding = check::rounding::<T>(pivots.len() + 1) * largest;
        move |row| rounding * (1.0 + square_norm(row) / smallest)
    }

    /// `(K_dd + r)^-1 K_dt`, (n, m).
    fn weights(
        &self,
        ntk_td: &ArrayRef2<T>,
        nngp_dd: &ArrayRef2<T>,
    ) -> Result<Array2<T>, PredictError> {
        let rows = self.layout.rows();
        check::shape("nngp_dd", nngp_dd, (rows, rows), "the shape of the NTK")?;
        check::symmetric(nngp_dd)?;
        let mut weights = self.learned(ntk_td)?;
        self.cholesky.solve_lt_in_place(&mut weights)?;
        Ok(weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::testing::reference::{self, matrix};
    use crate::predict::testing::{Linear, distance, tensor_identity};
    use ntk_linalg::LinalgError;

    #[test]
    fn agrees_with_neural_tangents() {
        let y = reference::targets();
        let [nn_dd, th_dd] = [reference::NNGP_DD, reference::NTK_DD].map(|v| matrix(v, 4));
        let [nn_td, th_td] = [reference::NNGP_TD, reference::NTK_TD].map(|v| matrix(v, 4));
        let [nn_tt, th_tt] = [reference::NNGP_TT, reference::NTK_TT].map(|v| matrix(v, 3));
        // gp_inference with diag_reg 0.1 (relative): mean[0][0], mean[2][1], covariance [0][0], [0][1].
        let check = |mean: Array2<f64>, covariance: Array2<f64>, expected: [f64; 4]| {
            let found = [
                mean[[0, 0]],
                mean[[2, 1]],
                covariance[[0, 0]],
                covariance[[0, 1]],
            ];
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-13, "{found} {expected}");
            }
        };
        let reg = Ridge::Relative(0.1);
        let nngp = Posterior::new(nn_dd.clone(), &y, reg).unwrap();
        check(
            nngp.mean(&nn_td).unwrap(),
            nngp.covariance(&nn_td, &nn_tt).unwrap(),
            [
                -0.1274918078956023,
                0.5923674197803539,
                0.034908267239335766,
                0.01090125497529762,
            ],
        );
        let ntk = Posterior::new(th_dd, &y, reg).unwrap();
        let mean = ntk.mean(&th_td).unwrap();
        check(
            mean.clone(),
            ntk.ensemble_covariance(&th_td, &nn_dd, &nn_td, &nn_tt)
                .unwrap(),
            [
                -0.379433237111144,
                0.6222272270605779,
                0.013097315968866985,
                0.010283281361496893,
            ],
        );
        check(
            mean,
            ntk.covariance(&th_td, &th_tt).unwrap(),
            [
                -0.379433237111144,
                0.6222272270605779,
                0.0939959546338286,
                0.014542141841086912,
            ],
        );
    }

    #[test]
    fn one_sample_by_hand() {
        // K = 3, r = 1: mean k y/4, variance k_tt - k^2/4.
        let one = |v: f64| Array2::from_elem((1, 1), v);
        let process = Posterior::new(one(3.0), &one(2.0), Ridge::Absolute(1.0));
        let process = process.unwrap();
        assert_eq!(process.mean(&one(2.0)), Ok(one(1.0)));
        assert_eq!(process.covariance(&one(2.0), &one(5.0)), Ok(one(4.0)));
        // S = 1, s = 1/2, S_tt = 7: A = 1/2, so 7 + 1/4 - 1/2.
        let found = process.ensemble_covariance(&one(2.0), &one(1.0), &one(0.5), &one(7.0));
        assert_eq!(found, Ok(one(6.75)));
    }

    #[test]
    fn no_samples_leave_the_prior() {
        let none = Array2::<f64>::zeros((0, 0));
        let y = Array2::zeros((0, 2));
        let process = Posterior::new(none.clone(), &y, Ridge::Relative(0.1)).unwrap();
        let (td, tt) = (Array2::zeros((2, 0)), Array2::eye(2));
        assert_eq!(process.mean(&td), Ok(Array2::zeros((2, 2))));
        assert_eq!(process.covariance(&td, &tt), Ok(tt.clone()));
        let ensemble = process.ensemble_covariance(&td, &none, &td, &tt);
        assert_eq!(ensemble, Ok(tt));
    }

    #[test]
    fn diagonals_are_variances_and_full_kernels_block_by_block() {
        let (p, q) = (
            Linear::<f64>::new(3, 6, 4, 15, 2),
            Linear::<f64>::new(4, 6, 4, 15, 2),
        );
        let reg = Ridge::Relative(0.05);
        let wide = |k: Array2<f64>| tensor_identity(&k, 2);
        let traced = Posterior::new(p.k_dd(), &p.y, reg).unwrap();
        let full = Posterior::new(wide(p.k_dd()), &p.y, reg).unwrap();
        let (td, tt) = (p.k_td(), p.k_tt());
        let mean = traced.mean(&td).unwrap();
        assert!(distance(&mean, &full.mean(&wide(td.clone())).unwrap()) < 1e-12);
        let [one, other] =
            [&traced, &full].map(|posterior| posterior.log_marginal_likelihood(&p.y));
        assert!((one.unwrap() - other.unwrap()).abs() < 1e-10);
        let covariance = traced.covariance(&td, &tt).unwrap();
        let blocks = full
            .covariance(&wide(td.clone()), &wide(tt.clone()))
            .unwrap();
        assert!(distance(&wide(covariance.clone()), &blocks) < 1e-12);
        let variance = traced.variance(&td, &tt.diag()).unwrap();
        assert!(distance(&variance, &covariance.diag().to_owned()) < 1e-13);
        let (s_dd, s_td, s_tt) = (q.k_dd(), q.k_td(), q.k_tt());
        let covariance = traced
            .ensemble_covariance(&td, &s_dd, &s_td, &s_tt)
            .unwrap();
        assert_eq!(covariance, covariance.t());
        let variance = traced
            .ensemble_variance(&td, &s_dd, &s_td, &s_tt.diag())
            .unwrap();
        assert!(distance(&variance, &covariance.diag().to_owned()) < 1e-12);
    }

    #[test]
    fn what_is_no_process_is_refused() {
        let y = Array2::<f64>::ones((2, 1));
        let build = |k: Array2<f64>, reg| Posterior::new(k, &y, reg).map(|_| ());
        let none = Ridge::default();
        let error = build(Array2::zeros((2, 2)), none).unwrap_err();
        assert!(
            matches!(
                error,
                PredictError::Linalg(LinalgError::NotPositiveDefinite { .. })
            ),
            "{error}"
        );
        assert_eq!(build(Array2::zeros((2, 2)), Ridge::Absolute(1.0)), Ok(()));
        assert!(build(Array2::eye(2), Ridge::Relative(-1.0)).is_err());
        let mut asymmetric = Array2::eye(2);
        asymmetric[[0, 1]] = 0.5;
        assert!(matches!(
            build(asymmetric, none),
            Err(PredictError::Linalg(LinalgError::NotSymmetric { .. }))
        ));
        assert!(matches!(
            build(Array2::eye(3), none),
            Err(PredictError::Shape { .. })
        ));
        let process = Posterior::new(Array2::eye(2), &y, none).unwrap();
        let (td, wrong) = (Array2::zeros((3, 2)), Array2::zeros((2, 3)));
        assert!(process.mean(&wrong).is_err());
        assert!(process.covariance(&td, &wrong).is_err());
        assert!(process.variance(&td, &wrong.row(0)).is_ok());
        assert!(process.variance(&td, &wrong.column(0)).is_err());
    }
}
