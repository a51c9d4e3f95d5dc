//! Which samples landmarks are.

use super::k_means;
use crate::closed_form::{Kernel, KernelError, memory};
use crate::estimators::EstimatorError;
use crate::estimators::samples::Samples;
use crate::inputs::Inputs;
use crate::network::Network;
use crate::predict::PredictError;
use chacha20::ChaCha8Rng;
use ndarray::Axis;
use ntk_linalg::{LinalgError, Observer, RandomPivots, Real};
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
            Choice::PivotedCholesky => self.pivots(x, &mut rng)?,
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

    fn pivots<T: Real>(
        &self,
        x: &Inputs<'_, T>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<usize>, EstimatorError> {
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
        let found = found.map_err(|Failure(error)| error)?;
        Ok(found.pivots().to_vec())
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
