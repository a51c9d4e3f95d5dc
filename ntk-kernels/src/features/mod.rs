//! Explicit features of the closed-form kernels: maps z of samples to few numbers, with `z(x) . z(x')`
//! near the kernel.
//!
//! [`Features`] makes them, and fits ridge regression on them in one pass over samples. Every layer
//! takes features `phi` of the NNGP and `psi` of the NTK, at each position, to features after it:
//!
//! | layer | phi | psi |
//! |---|---|---|
//! | input | `x / sqrt(d)` | none |
//! | dense, NTK parameterisation | `[w phi, b]` | `[w psi, w phi, b]` |
//! | dense, standard | the same | `[w psi, sqrt(fan_in) phi, 1 if it has biases]` |
//! | conv | that of the taps side by side, each divided by `sqrt(taps)` | the same |
//! | activation with a kink | `f(W phi) / sqrt(m)`, W (m, width) standard normal | `s(psi, f'(W phi) / sqrt(m))` |
//! | smooth activation | `[r_l(v) u^(l)]` for l = 0, ..., degree | `s(psi, [d_l(v) u^(l)])` |
//! | pool, resize, slice, position_map | `M phi` | `M psi` |
//! | flatten | all positions side by side, divided by `sqrt(positions)` | the same |
//! | layer_norm | divided by `sqrt(\|phi\|^2 + eps)`, averaged over the axes | the same |
//! | branch, sum | the paths' side by side | the same |
//!
//! `f(W phi)` of a ReLU are the arc-cosine features (Cho and Saul 2009), of degree 1 in phi and of
//! degree 0 in psi. Smooth activations have Hermite expansions, with `v = |phi|^2`, `u = phi / sqrt(v)`,
//! the normalised Hermite polynomials h and z standard normal,
//!
//! ```text
//! K = sum_l r_l(v) r_l(v') (u . u')^l,    r_l(v) = E[f(sqrt(v) z) h_l(z)]
//! D = sum_l d_l(v) d_l(v') (u . u')^l,    d_l(v) = E[f'(sqrt(v) z) h_l(z)]
//! ```
//!
//! in which `u^(l) = s(u^(l-1), u)` sketches the tensor power: m numbers each, whose inner product is
//! `(u . u')^l` in the mean. The sketch of a tensor product `s(x, y)` is the entrywise product of two
//! subsampled randomised Hadamard transforms (TensorSRHT), of cost `n log n`, as good as TensorSketch
//! and without complex numbers. Vectors that become longer than `2 m`, or than m at the end, are folded
//! to that: their numbers are permuted, given random signs, and added (count sketch).
//!
//! That is Zandieh, Han, Avron, Shoham, Kim and Shin 2021, "Scaling Neural Tangent Kernels via Sketching
//! and Random Features" (arXiv:2106.07880), for ReLU, and Han, Zandieh, Lee, Novak,
//! Xiao and Karbasi 2022, "Fast Neural Kernel Embeddings for General Activations" (arXiv:2209.04121),
//! for the others, where this takes the same random W for both features of an activation, quadrature for
//! the coefficients, and one chain of sketches for all powers.
//!
//! # How near
//! For one hidden layer, features of an activation with a kink are unbiased, `E[z . z'] = K`, and so are
//! those of a smooth one, but for the end of its expansion. In depth, kernels of kernels that err make a
//! bias of order `1 / m`. Errors fall as `1 / sqrt(m)`. What each part adds to the variance of `z . z'`:
//!
//! | part | variance |
//! |---|---|
//! | `f(W phi)` | `(E[f(a)^2 f(b)^2] - K^2) / m`, a and b the pre-activations |
//! | `s(x, y)` | at most `(A B + (x . x')^2 B + (y . y')^2 A) / m`, with A and B as in the next row |
//! | fold of x | at most `A / m`, `A = \|x\|^2 \|x'\|^2 + (x . x')^2 - 2 sum_i x_i^2 x'_i^2`; 0 where nothing is folded |
//! | end of the expansion | a bias of at most `sqrt(t(v) t(v'))`, `t(v) = E[f(sqrt(v) z)^2] - sum_(l <= degree) r_l(v)^2` |
//!
//! Networks of linear layers have exact features where m is enough for them.

mod activation;
mod fitted;
mod map;
mod plan;
mod signal;
mod sketch;
mod steps;

pub use fitted::FittedFeatures;
pub use map::FeatureMap;

use crate::closed_form::{Kernel, KernelError, check_network, memory, sample_shape};
use crate::estimators::EstimatorError;
use crate::estimators::linear::{
    BLOCK, Checkpoint, Pass, Ranks, Settings, Solver, Solving, Source, Sums, agree, check_targets,
};
use crate::estimators::samples::{columns, observed};
use crate::inputs::Inputs;
use crate::network::{Layer, Network, Shape, axes_of};
use crate::predict::{PredictError, Ridge};
use ndarray::{Array2, ArrayD, ArrayRef, Dimension};
use ntk_linalg::{Observer, Real};
use plan::{Planner, Size};
use sketch::Draws;
use std::fmt::Display;
use std::ops::Range;

/// The number of features, unless set.
const COUNT: usize = 4096;

/// The degree at which Hermite expansions end, unless set.
const DEGREE: usize = 16;

/// The largest degree: quadrature has far more nodes.
const MOST_DEGREE: usize = 100;

/// `Smooth` says which features smooth activations have: all but those of
/// [`AbRelu`](crate::dual::AbRelu), as ReLU, [`RectifiedMonomial`](crate::dual::RectifiedMonomial) and
/// [`Sign`](crate::dual::Sign).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Smooth {
    /// Random features `f(W phi) / sqrt(m)`, as activations with a kink have. Cost: `2 m` operations a
    /// feature before them.
    Random,
    /// Sketches of Hermite expansions, whose bias [`features`](crate::features) has. Cost:
    /// `4 m log2 m` operations a degree.
    Polynomial {
        /// The degree of the last term, from 1 to 100.
        degree: usize,
    },
}

/// `Features` makes explicit features of a network's kernel: a map z to m numbers with `z(x) . z(x')`
/// near it, of a fixed seed. [`features`](crate::features) says what they are and how near.
///
/// Time and memory are linear in samples and in pixels, where the kernel's are quadratic in both. With a
/// width h of the network's input and L activations, the cost is `2 m (h + 2 L m)` operations a position
/// for ReLU and the like, and `50 m log2 m` a degree for smooth activations; convolutions multiply the
/// first by at most 2. Memory beside the samples and features: the weights, `m h + 2 (L - 1) m^2`
/// numbers, without any for smooth activations, and what 96 positions or one sample take for each thread.
///
/// ```
/// use ndarray::Array2;
/// use ntk_kernels::network::{Network, dense, relu};
/// use ntk_kernels::Features;
///
/// let network = Network::new().then(dense()).then(relu()).then(dense());
/// let map = Features::new(&network).count(4096).seed(0).map(10)?;
/// let x = Array2::from_shape_fn((20, 10), |(i, j)| ((3 * i + 7 * j) as f32).sin());
/// let z = map.transform(&x)?; // (samples, features)
/// assert_eq!(z.dim(), (20, 4096));
/// let (near, kernel) = (z.dot(&z.t()), network.ntk(&x)?);
/// assert!((near - kernel).iter().all(|error| error.abs() < 0.2));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[derive(Clone)]
pub struct Features<'a> {
    network: Network,
    kernel: Kernel,
    count: usize,
    smooth: Smooth,
    seed: u64,
    alpha: Ridge,
    samples: Option<usize>,
    block: usize,
    checkpoint: Option<&'a dyn Checkpoint>,
    observer: &'a dyn Observer,
}

observed!(Features);

impl<'a> Features<'a> {
    /// Starts from a network, of which it keeps a copy.
    #[must_use]
    pub fn new(network: &Network) -> Self {
        Self {
            network: network.clone(),
            kernel: Kernel::Ntk,
            count: COUNT,
            smooth: Smooth::Polynomial { degree: DEGREE },
            seed: 0,
            alpha: Ridge::default(),
            samples: None,
            block: BLOCK,
            checkpoint: None,
            observer: &(),
        }
    }

    /// Sets which kernel the features are of: the NTK unless set.
    #[must_use]
    pub fn kernel(mut self, kernel: Kernel) -> Self {
        self.kernel = kernel;
        self
    }

    /// Sets the number m of features: 4096 unless set. Where fewer are exact, as of linear networks,
    /// there are only these.
    #[must_use]
    pub fn count(mut self, count: usize) -> Self {
        self.count = count;
        self
    }

    /// Sets which features smooth activations have: sketches of expansions to degree 16 unless set.
    #[must_use]
    pub fn smooth(mut self, smooth: Smooth) -> Self {
        self.smooth = smooth;
        self
    }

    /// Sets the seed of all that is random: 0 unless set. The same seed gives the same features to the
    /// last bit, whatever the number of threads and of samples at once.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the ridge r of fits, which has the meaning and the size of
    /// [`KernelRidge::alpha`](crate::KernelRidge::alpha): nothing unless set. A relative one is in
    /// units of the mean of `|z(x)|^2` over all samples.
    ///
    /// Without one, directions in which the samples do not decide to working precision are left out.
    #[must_use]
    pub fn alpha(mut self, alpha: impl Into<Ridge>) -> Self {
        self.alpha = alpha.into();
        self
    }

    /// Sets the number of samples whose features are held at once, in fits and predictions: 1024
    /// unless set. It matters to the rounding of sums over samples alone.
    #[must_use]
    pub fn block(mut self, rows: usize) -> Self {
        self.block = rows;
        self
    }

    /// Sets the place in which a fit keeps what it has reached, as
    /// [`Landmarks::checkpoint`](crate::Landmarks::checkpoint) does: none unless set.
    #[must_use]
    pub fn checkpoint(mut self, place: &'a dyn Checkpoint) -> Self {
        self.checkpoint = Some(place);
        self
    }

    /// Sets the number of samples that the stream of [`Features::fit_blocks`] must have: any unless
    /// set. With it, a stream that ends early is an error, and the observer is told the total.
    #[must_use]
    pub fn samples(mut self, samples: usize) -> Self {
        self.samples = Some(samples);
        self
    }

    /// Fits ridge regression on the features of the samples `x` (n, ...) to targets `y`, (n) or (n,
    /// outputs): the coefficients t that minimise `|y - Z t|^2 + r |t|^2`, with the features Z (n, m).
    /// Where `Z Z^T` is the kernel, that is [`KernelRidge`](crate::KernelRidge) with the same ridge.
    ///
    /// Samples pass once, in blocks; the sums `Z^T Z` and `Z^T y` are of f64. Cost: the features,
    /// `n m^2` operations, and an eigendecomposition of order m, some `10 m^3`, with which all ridges
    /// are solved. Memory beside the map: 5 matrices (m, m) of f64, of which 3 are kept, and 3
    /// (block, m).
    ///
    /// ```
    /// use ndarray::Array2;
    /// use ntk_kernels::network::{Network, dense, relu};
    /// use ntk_kernels::Features;
    ///
    /// let network = Network::new().then(dense().b_std(0.5)).then(relu()).then(dense());
    /// let x = Array2::from_shape_fn((200, 1), |(i, _)| i as f64 / 50.0 - 2.0);
    /// let y = x.mapv(f64::sin);
    /// let fitted = Features::new(&network).count(256).alpha(1e-3).fit(&x, &y)?;
    /// assert!(fitted.score(&x, &y)? > 0.99);
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Features::map`]; [`EstimatorError`] for samples or targets that do not fit together or
    /// the network, entries that are not finite, an `alpha` that is negative or adaptive, a block
    /// without rows, and no samples; [`EstimatorError::Block`] where the features of samples fail.
    pub fn fit<'x, T: Real, E: Dimension>(
        &self,
        x: impl Into<Inputs<'x, T>>,
        y: &ArrayRef<T, E>,
    ) -> Result<FittedFeatures<T>, EstimatorError> {
        let (x, y) = (&x.into(), columns(y)?);
        self.settings().check()?;
        check_targets(x, y)?;
        if y.is_empty() {
            let (samples, outputs) = y.dim();
            return Err(EstimatorError::Nothing { samples, outputs });
        }
        let pass = self.pass(sample_shape(&x.x)?)?;
        Ok(FittedFeatures(
            pass.fit::<EstimatorError>(Source::Held { x, y }, &())?,
        ))
    }

    /// Fits as [`Features::fit`] does to so many samples of shape `input` that are read or made as they
    /// are needed: `read` gives samples (range, ...) and targets (range, outputs) of a range of them,
    /// always the same, or the error that ends the fit. One block is held at a time.
    ///
    /// # Errors
    /// Those of `read`; [`EstimatorError::StreamLength`] where it gives fewer or more samples than
    /// the range has; otherwise as [`Features::fit_blocks`].
    pub fn fit_from_fn<T: Real, E: From<EstimatorError> + Display>(
        &self,
        input: impl Into<Shape>,
        samples: usize,
        read: impl FnMut(Range<usize>) -> Result<(ArrayD<T>, Array2<T>), E>,
    ) -> Result<FittedFeatures<T>, E> {
        self.fit_over(&(), input, samples, read)
    }

    /// Fits as [`Features::fit_from_fn`] does over the processes of a job, as
    /// [`Landmarks::fit_over`](crate::Landmarks::fit_over).
    ///
    /// # Errors
    /// As [`Features::fit_from_fn`]; [`EstimatorError::Rank`] for what another process has failed by.
    pub fn fit_over<T: Real, E: From<EstimatorError> + Display>(
        &self,
        ranks: &dyn Ranks,
        input: impl Into<Shape>,
        samples: usize,
        mut read: impl FnMut(Range<usize>) -> Result<(ArrayD<T>, Array2<T>), E>,
    ) -> Result<FittedFeatures<T>, E> {
        let checked = self.settings().check();
        let pass = checked.and_then(|()| self.pass(input.into()));
        let read = &mut read;
        let source = Source::Read { samples, read };
        Ok(FittedFeatures(agree(ranks, pass)?.fit(source, ranks)?))
    }

    /// Fits as [`Features::fit`] does to samples of shape `input` that do not fit into memory: blocks
    /// of samples (b, ...) and targets (b, outputs), of any b each, or the error that ends the fit.
    /// One block of the stream is held at a time.
    ///
    /// # Errors
    /// Those of the stream; [`EstimatorError::Block`], which names its first sample, for a block
    /// that does not fit the shape or the blocks before; [`EstimatorError::StreamLength`] where
    /// [`Features::samples`] was set to another number; [`EstimatorError::Nothing`] for no samples;
    /// otherwise as [`Features::fit`].
    pub fn fit_blocks<T: Real, E: From<EstimatorError>>(
        &self,
        input: impl Into<Shape>,
        blocks: impl IntoIterator<Item = Result<(ArrayD<T>, Array2<T>), E>>,
    ) -> Result<FittedFeatures<T>, E> {
        self.settings().check_one_pass()?;
        let pass = self.pass(input.into())?;
        Ok(FittedFeatures(pass.fit_blocks(blocks)?))
    }

    fn settings(&self) -> Settings<'_> {
        Settings {
            alpha: self.alpha,
            block: self.block,
            samples: self.samples,
            solver: Solver::NormalEquations,
            checkpoint: self.checkpoint,
            observer: self.observer,
        }
    }

    /// Starts a pass over samples.
    fn pass<T: Real>(&self, input: Shape) -> Result<Pass<'_, FeatureMap<T>>, EstimatorError> {
        let map = self.map(input)?;
        let m = map.count();
        memory::check(memory::product([m, m, 5, size_of::<f64>()]))?;
        let sums = Sums::plain(m, Real::to_f64(T::epsilon()));
        let solving = Solving::Equations(Box::new(sums), false);
        Ok(Pass::new(self.settings(), map, solving))
    }

    /// Makes the map for samples of shape `input`, such as `784` or `[32, 32, 3]`, which draws all
    /// that is random.
    ///
    /// # Errors
    /// [`EstimatorError::NoFeatures`] for a layer that has no features, with its path;
    /// [`EstimatorError::FeatureCount`] for none; [`EstimatorError::Predict`] for a degree that is not
    /// from 1 to 100; [`EstimatorError::Kernel`] where the network has no kernel for such samples, or
    /// there is not the memory for the weights.
    pub fn map<T: Real>(&self, input: impl Into<Shape>) -> Result<FeatureMap<T>, EstimatorError> {
        let input = input.into();
        if self.count == 0 {
            return Err(EstimatorError::FeatureCount);
        }
        if let Smooth::Polynomial { degree } = self.smooth
            && !(1..=MOST_DEGREE).contains(&degree)
        {
            return Err(PredictError::Argument {
                name: "the degree of the expansion",
                value: degree as f64,
                condition: "from 1 to 100",
            }
            .into());
        }
        if let Some(layer @ Layer::TokenEmbedding(_)) = self.network.layers.first() {
            return Err(EstimatorError::NoFeatures {
                path: crate::network::top(0),
                name: layer.name().into(),
                reason: "tokens have no features here".into(),
            });
        }
        if input.size() == 0 {
            return Err(KernelError::Empty { shape: input }.into());
        }
        check_network(&self.network, &input)?;
        let graph = self.network.resolve(&input).map_err(KernelError::from)?;
        let mut planner = Planner {
            graph: &graph,
            ntk: self.kernel == Kernel::Ntk,
            count: self.count,
            smooth: self.smooth,
            draws: Draws::new(self.seed),
            bytes: 0,
            most: input.size(),
        };
        let mut size = Size {
            positions: axes_of(&input),
            phi: input.channels(),
            psi: 0,
        };
        let steps = planner.steps(&graph.layers, &mut size)?;
        let length = match self.kernel {
            Kernel::Nngp => size.phi,
            Kernel::Ntk => size.psi,
        };
        let end = planner.concat(length, self.count)?;
        Ok(FeatureMap::new(self, input, steps, end, planner.most))
    }
}
