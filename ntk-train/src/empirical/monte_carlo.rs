//! Means of empirical kernels over initialisations.

use super::Trace;
use crate::compiled::Scalar;
use crate::init::Init;
use crate::model::{Model, ModelError, check_memory, saturating};
use ndarray::{Array2, ArrayRef, Dimension, Zip};
use ntk_kernels::Inputs;
use ntk_kernels::network::{Layer, Network, Shape};
use ntk_kernels::{Kernel, Structure};
use ntk_linalg::observer::Observer;
use std::ops::Range;

/// A `MonteCarloMean` holds the mean and spread of an empirical kernel over independent
/// initialisations.
#[derive(Debug, Clone, PartialEq)]
pub struct MonteCarloMean<T> {
    /// The mean over seeds; of shape (0, 0) where there is no seed.
    pub mean: Array2<T>,
    /// The standard error of the mean, entry by entry: the deviation over seeds, divided by
    /// n - 1, over `sqrt(n)`. NaN for fewer than two seeds.
    pub standard_error: Array2<T>,
    /// The number of seeds.
    pub seeds: usize,
}

/// `MonteCarlo` averages the empirical kernels of a network over initialisations: an estimate
/// of the infinite-width kernel, with an error of order `width^(-1/2) seeds^(-1/2)` and, for the
/// NTK, a bias of order `1 / width`.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::network::{Network, dense, relu};
/// use ntk_train::MonteCarlo;
///
/// let network = Network::new().then(dense().width(256)).then(relu()).then(dense().width(1));
/// let found = MonteCarlo::new(&network, 0..16).ntk(&array![[1.0, 0.0], [0.6, 0.8]])?;
/// assert_eq!((found.mean.dim(), found.seeds), ((2, 2), 16));
/// // The infinite network's NTK of x = (1, 0) with itself is |x|^2 / 2.
/// let far: f64 = found.mean[[0, 0]] - 0.5;
/// assert!(far.abs() < 5.0 * found.standard_error[[0, 0]]);
/// # Ok::<(), ntk_train::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct MonteCarlo<'a> {
    network: &'a Network,
    init: Init,
    seeds: Range<u64>,
    trace: Trace,
    structures: Option<[&'a Structure; 2]>,
    observer: &'a dyn Observer,
}

impl<'a> MonteCarlo<'a> {
    /// Prepares means over the initialisations of `seeds`. Kernels are traced, and parameters
    /// start from [`Init::default`], unless set otherwise.
    pub fn new(network: &'a Network, seeds: Range<u64>) -> Self {
        Self {
            network,
            init: Init::default(),
            seeds,
            trace: Trace::Traced,
            structures: None,
            observer: &(),
        }
    }

    /// Sets the distribution that parameters are drawn from.
    pub fn init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Averages the kernels of all pairs of outputs, (n o, m o) with row = sample * o + output.
    pub fn full(self) -> Self {
        self.trace(Trace::Full)
    }

    /// Sets whether kernels are traced, which they are by default, or full.
    pub fn trace(mut self, trace: Trace) -> Self {
        self.trace = trace;
        self
    }

    /// Sets the masks and graphs of the samples, of `x` or of both `x1` and `x2`.
    pub fn structure(self, both: &'a Structure) -> Self {
        self.structures(both, both)
    }

    /// Sets the masks and graphs of `x1`, or `x`, and those of `x2`.
    pub fn structures(mut self, of_x1: &'a Structure, of_x2: &'a Structure) -> Self {
        self.structures = Some([of_x1, of_x2]);
        self
    }

    /// Sets the observer, which hears of each initialisation and may stop the computation.
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// Averages the NTK of `x` (n, ...) with itself.
    ///
    /// # Errors
    /// As [`Model::new`] and [`Model::ntk`].
    pub fn ntk<T: Scalar, D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
    ) -> Result<MonteCarloMean<T>, ModelError> {
        self.kernel(Kernel::Ntk, x)
    }

    /// Averages the NTK of `x1` (n, ...) with `x2` (m, ...).
    ///
    /// # Errors
    /// As [`Model::new`] and [`Model::ntk`].
    pub fn ntk_between<T: Scalar, D: Dimension, E: Dimension>(
        &self,
        x1: &ArrayRef<T, D>,
        x2: &ArrayRef<T, E>,
    ) -> Result<MonteCarloMean<T>, ModelError> {
        self.kernel_between(Kernel::Ntk, x1, x2)
    }

    /// Averages the NNGP kernel of `x` (n, ...) with itself.
    ///
    /// # Errors
    /// As [`Model::new`] and [`Model::nngp`].
    pub fn nngp<T: Scalar, D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
    ) -> Result<MonteCarloMean<T>, ModelError> {
        self.kernel(Kernel::Nngp, x)
    }

    /// Averages the NNGP kernel of `x1` (n, ...) with `x2` (m, ...).
    ///
    /// # Errors
    /// As [`Model::new`] and [`Model::nngp`].
    pub fn nngp_between<T: Scalar, D: Dimension, E: Dimension>(
        &self,
        x1: &ArrayRef<T, D>,
        x2: &ArrayRef<T, E>,
    ) -> Result<MonteCarloMean<T>, ModelError> {
        self.kernel_between(Kernel::Nngp, x1, x2)
    }

    /// Averages either kernel of `x` (n, ...) with itself.
    ///
    /// # Errors
    /// As [`Model::new`] and [`Model::ntk`].
    pub fn kernel<T: Scalar, D: Dimension>(
        &self,
        kernel: Kernel,
        x: &ArrayRef<T, D>,
    ) -> Result<MonteCarloMean<T>, ModelError> {
        T::monte_carlo(self, kernel, x.into(), None)
    }

    /// Averages either kernel of `x1` (n, ...) with `x2` (m, ...).
    ///
    /// # Errors
    /// As [`Model::new`] and [`Model::ntk`].
    pub fn kernel_between<T: Scalar, D: Dimension, E: Dimension>(
        &self,
        kernel: Kernel,
        x1: &ArrayRef<T, D>,
        x2: &ArrayRef<T, E>,
    ) -> Result<MonteCarloMean<T>, ModelError> {
        T::monte_carlo(self, kernel, x1.into(), Some(x2.into()))
    }
}

/// [`MonteCarlo::kernel`].
pub(crate) fn mean<T: Scalar>(
    over: &MonteCarlo<'_>,
    kernel: Kernel,
    x1: Inputs<'_, T>,
    x2: Option<Inputs<'_, T>>,
) -> Result<MonteCarloMean<T>, ModelError> {
    let ids = matches!(over.network.layers.first(), Some(Layer::TokenEmbedding(_)));
    let (positions, channels) = match x1.x.shape() {
        // Token ids have no channels.
        [_, positions @ ..] if ids => (positions.to_vec(), 1),
        [_, positions @ .., channels] => (positions.to_vec(), *channels),
        [_] | [] => (Vec::new(), 0),
    };
    let (seeds, observer) = (over.seeds.clone(), over.observer);
    let mut model: Model<T> = T::blank(over.network, &Shape::new(positions, channels))?;
    let n = model.samples(&x1)?;
    let m = x2.as_ref().map_or(Ok(n), |x2| model.samples(x2))?;
    // The mean, the squares, and the kernel that is added.
    let side = over.trace.side(model.outputs());
    check_memory(saturating([n, side, m, side, 3, size_of::<T>()]))?;
    // Welford's sums, which do not cancel.
    let (mut mean, mut squares) = (Array2::zeros((0, 0)), Array2::zeros((0, 0)));
    let mut count = 0_usize;
    observer.begin("initialisations", seeds.end.saturating_sub(seeds.start));
    for seed in seeds {
        observer.check()?;
        model.initialize(over.init, seed);
        let x2 = x2.as_ref().map(Inputs::view);
        let mut kernel_fn = model.kernel_fn().trace(over.trace);
        if let Some([one, two]) = over.structures {
            kernel_fn = kernel_fn.structures(one, two);
        }
        let found = kernel_fn.of(kernel, x1.view(), x2)?;
        observer.advance(1);
        count += 1;
        if count == 1 {
            (mean, squares) = (found.clone(), Array2::zeros(found.raw_dim()));
            continue;
        }
        let weight = T::of((count as f64).recip());
        Zip::from(&mut mean)
            .and(&mut squares)
            .and(&found)
            .for_each(|mean, square, &value| {
                let gap = value - *mean;
                *mean += gap * weight;
                *square += gap * (value - *mean);
            });
    }
    let n = count as f64;
    let standard_error = squares.mapv(|s: T| (s / T::of((n - 1.0) * n)).sqrt());
    Ok(MonteCarloMean {
        mean,
        standard_error,
        seeds: count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::images;
    use ntk_kernels::network::*;

    type OfWidth = (&'static str, fn(usize) -> Network, Shape);

    /// Architectures whose width is the argument's.
    fn architectures() -> [OfWidth; 3] {
        [
            (
                "dense relu",
                |w| {
                    Network::new()
                        .then(dense().width(w).w_std(1.4).b_std(0.2))
                        .then(relu())
                        .then(dense().width(w))
                        .then(relu())
                        .then(dense().width(1))
                },
                Shape::features(5),
            ),
            (
                "dense erf, residual",
                |w| {
                    Network::new()
                        .then(dense().width(w))
                        .then(residual(
                            Network::new()
                                .then(erf(1.0, 1.0, 0.3))
                                .then(dense().width(w)),
                        ))
                        .then(gelu())
                        .then(dense().width(1))
                },
                Shape::features(4),
            ),
            (
                "conv, pools",
                |w| {
                    Network::new()
                        .then(conv([2, 2]).same().channels(w).w_std(1.3))
                        .then(relu())
                        .then(avg_pool([2, 2]))
                        .then(conv([2, 1]).channels(w).b_std(0.1))
                        .then(sin(1.0, 1.0, 0.2))
                        .then(global_avg_pool())
                        .then(dense().width(1))
                },
                Shape::new([4, 4], 2),
            ),
        ]
    }

    /// Deviations from the limit shrink as `width^(-1/2)`: over `S` seeds the mean square
    /// deviation has a relative error of about `sqrt(2/S)`, its root half of that, the ratio of
    /// two roots `sqrt(1/S)`; of heavier tails than Gaussian ones twice that. Four times the
    /// width must halve it within 4 of these errors, and the mean must be the limit within 5
    /// standard errors and a bias of `4 / width`.
    #[test]
    fn converges_to_the_closed_form_as_the_root_of_the_width() {
        const SEEDS: u64 = 64;
        for (name, network, input) in architectures() {
            let x = images(&input, 3, 1);
            let limit = network(8).kernels(&x).unwrap();
            for (kernel, limit) in [(Kernel::Ntk, limit.ntk), (Kernel::Nngp, limit.nngp)] {
                let scale = limit.diag().iter().fold(0.0_f64, |m, &v| m.max(v));
                let deviation = |width: usize| {
                    let network = network(width);
                    let means = MonteCarlo::new(&network, 0..SEEDS);
                    let found = means.kernel(kernel, &x).unwrap();
                    let n = SEEDS as f64;
                    Zip::from(&found.mean)
                        .and(&found.standard_error)
                        .and(&limit)
                        .for_each(|mean, error, limit| {
                            let bias = 4.0 / width as f64 * scale;
                            // An NNGP of one output is one product of Gaussians, of any width.
                            let far = (mean - limit).abs();
                            assert!(far <= 5.0 * error + bias, "{name} {kernel:?} {far} {error}");
                        });
                    let squares = found.standard_error.mapv(|e| e * e * n);
                    (squares.sum() + (&found.mean - &limit).mapv(|d| d * d).sum()).sqrt()
                };
                let (narrow, wide) = (deviation(32), deviation(128));
                if kernel == Kernel::Ntk {
                    let error = 4.0 * 2.0 * (1.0 / SEEDS as f64).sqrt();
                    let ratio = narrow / wide;
                    assert!(
                        (ratio / 2.0).ln().abs() <= (1.0 + error).ln(),
                        "{name}: {ratio}"
                    );
                }
            }
        }
    }

    #[test]
    fn few_seeds() {
        let network = Network::new().then(dense().width(2));
        let x = images(&Shape::features(3), 2, 1);
        let of = |seeds| MonteCarlo::new(&network, seeds).ntk(&x);
        assert_eq!(of(3..3).unwrap().seeds, 0);
        let one = of(3..4).unwrap();
        let model = Model::<f64>::new(&network, Shape::features(3), Init::default(), 3).unwrap();
        assert_eq!(one.mean, model.ntk(&x).unwrap());
        assert!(one.standard_error.iter().all(|e| e.is_nan()));
        // The last layer's kernel is the same for all weights.
        assert!(of(0..3).unwrap().standard_error.iter().all(|&e| e == 0.0));
    }
}
