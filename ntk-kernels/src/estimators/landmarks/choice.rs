//! Which samples landmarks are.

use super::{Landmarks, k_means};
use crate::closed_form::{Kernel, KernelError, memory, sample_shape};
use crate::estimators::EstimatorError;
use crate::estimators::samples::Samples;
use crate::inputs::Inputs;
use crate::network::Network;
use crate::predict::PredictError;
use chacha20::ChaCha8Rng;
use ndarray::Axis;
use ntk_linalg::{LinalgError, Observer, PartialCholesky, RandomPivots, Real};
use rand::{RngExt, SeedableRng};
use std::borrow::Cow;

/// A `Choice` says how landmarks are chosen of n samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Choice {
    /// Uniformly, no sample twice.
    Uniform,
    /// By randomly pivoted Cholesky factorisation of the kernel, which takes samples in proportion
    /// to what those before leave of its diagonal (Chen, Epperly, Tropp and Webber 2023,
    /// arXiv:2207.06503): often the best of a given number.
    ///
    /// Fewer are chosen where they determine all samples to working precision. Cost: the kernel of
    /// n with some m to 2 m samples, and `2 n m^2` operations; memory for `n m` numbers.
    PivotedCholesky,
    /// Centres of k-means by Lloyd's algorithm on the samples as vectors, from samples by k-means++
    /// (Arthur and Vassilvitskii 2007): for samples whose means are samples, not token ids.
    ///
    /// Fewer are chosen where there are not so many different samples. Cost: `3 n m` operations a
    /// feature, and as many in each of at most 20 passes over the samples.
    KMeans,
}

/// What landmarks are chosen by.
pub(super) struct Chooser<'a> {
    pub(super) network: &'a Network,
    pub(super) kernel: Kernel,
    pub(super) choice: Choice,
    pub(super) count: usize,
    pub(super) seed: u64,
    pub(super) block: usize,
    pub(super) observer: &'a dyn Observer,
}

impl Chooser<'_> {
    /// Chooses of samples that have been checked.
    pub(super) fn choose<T: Real>(&self, x: &Inputs<'_, T>) -> Result<Samples<T>, EstimatorError> {
        let n = x.x.len_of(Axis(0));
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let which = match self.choice {
            Choice::Uniform => rand::seq::index::sample(&mut rng, n, self.count).into_vec(),
            Choice::PivotedCholesky => self.factor(x, &mut rng)?.pivots().to_vec(),
            Choice::KMeans => {
                if !x.structure.is_empty() {
                    return Err(EstimatorError::NoMeans);
                }
                let features = x.x.len() / n;
                memory::check(memory::product([
                    self.count,
                    features,
                    2 * size_of::<f64>(),
                ]))?;
                let uniform = || rng.random::<f64>();
                let centres =
                    k_means::centres(x.x.view(), self.count, self.block, self.observer, uniform)
                        .map_err(|error| Failure::from(error).0)?;
                return Ok(Samples::copy(self.network, Inputs::new(&centres))?);
            }
        };
        Ok(self.select(x, &which)?)
    }

    fn select<T: Real>(
        &self,
        x: &Inputs<'_, T>,
        which: &[usize],
    ) -> Result<Samples<T>, KernelError> {
        let features = x.x.len() / x.x.len_of(Axis(0)).max(1);
        memory::check(memory::product([which.len(), features, size_of::<T>()]))?;
        let structure = x.structure.select(which);
        let chosen = x.x.select(Axis(0), which);
        Samples::copy(
            self.network,
            Inputs {
                x: chosen.view(),
                structure: Cow::Owned(structure.expect("they were checked, and chosen of them")),
            },
        )
    }

    /// Factors the kernel of samples that have been checked.
    fn factor<T: Real>(
        &self,
        x: &Inputs<'_, T>,
        rng: &mut ChaCha8Rng,
    ) -> Result<PartialCholesky<T>, EstimatorError> {
        let kernels = self.network.kernel_fn().structure(&x.structure);
        let found = kernels.kernel_diagonal(&x.x)?;
        let diagonal = match self.kernel {
            Kernel::Nngp => found.nngp,
            Kernel::Ntk => found.ntk,
        };
        let columns = |which: &[usize]| {
            let chosen = self.select(x, which)?;
            let both = self.network.kernel_fn().distinct();
            let both = both.structures(&x.structure, &chosen.structure);
            let columns = both.kernel_between(self.kernel, &x.x, &chosen.x)?;
            Ok::<_, Failure>(columns)
        };
        let pivots = RandomPivots::new(self.count).observer(self.observer);
        let found = pivots.factor(diagonal, || rng.random::<f64>(), columns);
        found.map_err(|Failure(error)| error)
    }
}

impl Landmarks<'_> {
    /// Computes the randomly pivoted partial Cholesky factorisation of the kernel of the samples `x`
    /// (n, ...), whose pivots are the landmarks of [`Choice::PivotedCholesky`] with the same count m
    /// and seed: F (n, at most m) with `F F^T <= K`, for entropies and preconditioners of kernels
    /// whose (n, n) entries are too many.
    ///
    /// Samples are taken for different from themselves in F, not in the diagonal, which matters to
    /// dropout alone. Cost: that of the choice.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use ntk_kernels::Landmarks;
    /// use ntk_kernels::network::{Network, dense, erf};
    ///
    /// let network = Network::new().then(dense().b_std(0.5)).then(erf(1.0, 1.0, 0.0)).then(dense());
    /// let x = Array2::from_shape_fn((200, 1), |(i, _)| i as f64 / 50.0 - 2.0);
    /// let partial = Landmarks::new(&network).count(16).partial_cholesky(&x)?;
    /// assert_eq!(partial.factor().dim(), (200, 16));
    /// let left = partial.residual().sum() / network.kernel_diagonal(&x)?.ntk.sum();
    /// assert!(left < 1e-3);
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`EstimatorError`]: for samples that do not fit the network or are not finite, no landmarks or
    /// more than samples, and a factor that does not fit into memory.
    pub fn partial_cholesky<'x, T: Real>(
        &self,
        x: impl Into<Inputs<'x, T>>,
    ) -> Result<PartialCholesky<T>, EstimatorError> {
        let x = x.into();
        sample_shape(&x.x)?;
        let n = x.x.len_of(Axis(0));
        let chooser = self.chooser(n)?;
        let kernels = self.network.kernel_fn().structure(&x.structure);
        kernels.check(&x.x, None)?;
        memory::check(memory::product([n, chooser.count, size_of::<T>()]))?;
        chooser.factor(&x, &mut ChaCha8Rng::seed_from_u64(self.seed))
    }
}

/// What a choice fails with.
struct Failure(EstimatorError);

impl From<KernelError> for Failure {
    fn from(error: KernelError) -> Self {
        Self(error.into())
    }
}

impl From<LinalgError> for Failure {
    fn from(error: LinalgError) -> Self {
        Self(match error {
            LinalgError::Cancelled(cancelled) => PredictError::from(cancelled).into(),
            error => PredictError::from(error).into(),
        })
    }
}
