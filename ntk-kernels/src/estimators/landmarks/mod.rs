//! Kernel ridge regression over landmarks.

mod choice;
mod fitted;
mod k_means;

pub use choice::Choice;
pub use fitted::FittedLandmarks;

use super::EstimatorError;
use super::linear::{
    BLOCK, Basis, Checkpoint, Iterations, Pass, Ranks, Settings, Solver, Solving, Source, Sums,
    agree, check_targets, hash,
};
use super::samples::{Samples, columns, observed};
use crate::closed_form::{Kernel, KernelError, memory, sample_shape};
use crate::inputs::Inputs;
use crate::network::Network;
use crate::predict::{PredictError, Ridge};
use choice::Chooser;
use ndarray::{Array1, Array2, ArrayD, ArrayRef, ArrayView2, Axis, Dimension};
use ntk_linalg::observer::Inside;
use ntk_linalg::{Observer, Real};
use serde_json::{Value, json};
use std::fmt::Display;
use std::ops::Range;

/// The number of landmarks, unless set.
const COUNT: usize = 1000;

/// `Landmarks` is kernel ridge regression over m landmarks instead of all n samples, for samples
/// whose kernel (n, n) is too large: `f(z) = K(z, landmarks) b`, with the coefficients b that
/// minimise `|y - K_nm b|^2 + r b^T K_mm b` (Nyström; Williams and Seeger 2001).
///
/// Landmarks are samples or any other points. Where all samples are landmarks, predictions are those
/// of [`KernelRidge`](super::KernelRidge) with the same ridge r. Samples are taken for different from
/// landmarks even where they are equal, which matters to dropout alone.
///
/// Samples are taken in blocks of [`Landmarks::block`] rows: from memory, from a file that is mapped
/// into memory (a view of it is an array), from a function with [`Landmarks::fit_from_fn`], or from an
/// iterator with [`Landmarks::fit_blocks`]. [`Solver`] says what memory and time that takes, and
/// [`Choice`] what a choice adds.
///
/// Kernels are computed in the element type of the samples, f32 or f64, and everything after them in
/// f64. With `K_mm = V diag(w) V^T`, directions whose w is at most
/// [`eigenvalue_resolution`](ntk_linalg::eigenvalue_resolution) of the largest, for the eps of the
/// element type, are left out, so that landmarks may repeat and `K_mm` be singular;
/// [`FittedLandmarks::rank`] says how many remain. Sums are those of
/// `Z = K_nm V diag(w)^-1/2` over blocks, not of `K_nm`, whose squares would hide small w. The
/// eigenvectors of `Z^T Z` solve `(Z^T Z + r) t = Z^T y` at every ridge;
/// [`FittedLandmarks::residual`] is what they leave of it.
///
/// ```
/// use ndarray::Array2;
/// use ntk_kernels::network::{Network, dense, erf};
/// use ntk_kernels::{Choice, Landmarks};
///
/// let network = Network::new().then(dense().b_std(0.5)).then(erf(1.0, 1.0, 0.0)).then(dense());
/// let x = Array2::from_shape_fn((500, 1), |(i, _)| i as f64 / 125.0 - 2.0);
/// let y = x.mapv(f64::sin);
/// let fitted = Landmarks::new(&network)
///     .choice(Choice::PivotedCholesky)
///     .count(20)
///     .alpha(1e-4)
///     .fit(&x, &y)?;
/// assert_eq!(fitted.points().shape(), [20, 1]);
/// assert!(fitted.score(&x, &y)? > 0.999);
/// // Other ridges without another pass over the samples, and how good each is, with one.
/// let errors = fitted.errors(&x, &y, &[1e-4, 1.0])?;
/// let fitted = fitted.at(if errors[0] < errors[1] { 1e-4 } else { 1.0 })?;
/// assert!(fitted.effective_parameters().is_some_and(|parameters| parameters < 20.0));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[derive(Clone)]
pub struct Landmarks<'a> {
    network: Network,
    kernel: Kernel,
    alpha: Ridge,
    choice: Choice,
    count: Option<usize>,
    samples: Option<usize>,
    seed: u64,
    block: usize,
    solver: Solver,
    checkpoint: Option<&'a dyn Checkpoint>,
    observer: &'a dyn Observer,
}

observed!(Landmarks);

impl<'a> Landmarks<'a> {
    /// Starts from a network, of which it keeps a copy.
    #[must_use]
    pub fn new(network: &Network) -> Self {
        Self {
            network: network.clone(),
            kernel: Kernel::Ntk,
            alpha: Ridge::default(),
            choice: Choice::Uniform,
            count: None,
            samples: None,
            seed: 0,
            block: BLOCK,
            solver: Solver::NormalEquations,
            checkpoint: None,
            observer: &(),
        }
    }

    /// Sets which kernel it uses: the NTK unless set.
    #[must_use]
    pub fn kernel(mut self, kernel: Kernel) -> Self {
        self.kernel = kernel;
        self
    }

    /// Sets the ridge r, which has the meaning and the size of
    /// [`KernelRidge::alpha`](super::KernelRidge::alpha): nothing unless set. A relative one is in
    /// units of the mean kernel of all n samples with themselves.
    ///
    /// Without one, directions in which the samples do not decide to working precision are left out.
    #[must_use]
    pub fn alpha(mut self, alpha: impl Into<Ridge>) -> Self {
        self.alpha = alpha.into();
        self
    }

    /// Sets how [`Landmarks::fit`] chooses landmarks: uniformly unless set.
    #[must_use]
    pub fn choice(mut self, choice: Choice) -> Self {
        self.choice = choice;
        self
    }

    /// Sets the number m of landmarks that [`Landmarks::fit`] chooses: 1000, or all samples where
    /// there are fewer, unless set.
    #[must_use]
    pub fn count(mut self, count: usize) -> Self {
        self.count = Some(count);
        self
    }

    /// Sets the seed of the choice: 0 unless set. The same seed chooses the same landmarks.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the number of samples whose kernel with the landmarks is held at once, in fits and
    /// predictions: 1024 unless set.
    ///
    /// It matters to rounding alone: sums of the same blocks are the same to the last bit.
    #[must_use]
    pub fn block(mut self, rows: usize) -> Self {
        self.block = rows;
        self
    }

    /// Sets how the coefficients are computed: by the normal equations unless set.
    #[must_use]
    pub fn solver(mut self, solver: Solver) -> Self {
        self.solver = solver;
        self
    }

    /// Sets the place in which a fit keeps what it has reached, so that the same fit goes on from
    /// there, to the same result to the last bit, when it was stopped or killed: none unless set.
    ///
    /// It is written after blocks of samples, so often that it takes a twentieth of the time at
    /// most. It stays when the fit is done, which then is repeated at once. What is of another fit
    /// is refused: network, settings, landmarks, and the first and the last block of the samples and
    /// targets must be the same. `ntk_store::CheckpointFile` is a file.
    #[must_use]
    pub fn checkpoint(mut self, place: &'a dyn Checkpoint) -> Self {
        self.checkpoint = Some(place);
        self
    }

    /// Sets the number of samples that the stream of [`Landmarks::fit_blocks`] must have: any unless
    /// set. With it, a stream that ends early is an error, and the observer is told the total.
    #[must_use]
    pub fn samples(mut self, samples: usize) -> Self {
        self.samples = Some(samples);
        self
    }

    /// Chooses landmarks of the samples `x` (n, ...), and solves for their coefficients for targets
    /// `y`, (n) or (n, outputs).
    ///
    /// Neither is copied. Cost: that of the choice, and as [`Landmarks`] says; `x` is also read once
    /// for numbers that are not finite.
    ///
    /// # Errors
    /// [`EstimatorError`]: for samples or targets that do not fit together or the network, entries
    /// that are not finite, an `alpha` that is negative or adaptive, a block without rows, no
    /// landmarks or more than samples, and k-means of samples with masks or graphs;
    /// [`EstimatorError::Block`] where the kernel of samples with landmarks fails.
    pub fn fit<'x, T: Real, E: Dimension>(
        &self,
        x: impl Into<Inputs<'x, T>>,
        y: &ArrayRef<T, E>,
    ) -> Result<FittedLandmarks<T>, EstimatorError> {
        let (x, y) = (&x.into(), columns(y)?);
        self.check(x, y)?;
        let chooser = self.chooser(y.nrows())?;
        let landmarks = chooser.choose(x)?;
        self.fit_held(landmarks, x, y)
    }

    /// Returns what chooses of so many samples.
    fn chooser(&self, samples: usize) -> Result<Chooser<'_>, EstimatorError> {
        let count = self.count.unwrap_or(COUNT.min(samples));
        if count == 0 || count > samples {
            return Err(EstimatorError::LandmarkCount { count, samples });
        }
        Ok(Chooser {
            network: &self.network,
            kernel: self.kernel,
            choice: self.choice,
            count,
            seed: self.seed,
            block: self.block,
            observer: self.observer,
        })
    }

    /// Solves as [`Landmarks::fit`] does, for the coefficients of these `points` (m, ...): samples,
    /// distilled ones, or any of their shape.
    ///
    /// # Errors
    /// As [`Landmarks::fit`], also where points and samples differ in shape.
    pub fn fit_points<'p, 'x, T: Real, E: Dimension>(
        &self,
        points: impl Into<Inputs<'p, T>>,
        x: impl Into<Inputs<'x, T>>,
        y: &ArrayRef<T, E>,
    ) -> Result<FittedLandmarks<T>, EstimatorError> {
        let (x, y) = (&x.into(), columns(y)?);
        self.check(x, y)?;
        let landmarks = self.landmarks(points.into(), y.nrows())?;
        let both = landmarks.kernel_fn_at(x).distinct();
        both.check(&x.x, Some(&landmarks.x))?;
        self.fit_held(landmarks, x, y)
    }

    /// Solves for the coefficients of `points` (m, ...) with so many samples that are read or made as
    /// they are needed: `read` gives samples (range, ...) and targets (range, outputs) of a range of
    /// them, always the same, or the error that ends the fit.
    ///
    /// Samples have neither masks nor graphs. One block of [`Landmarks::block`] samples is held at a
    /// time. Every solver and a checkpoint work; [`Landmarks::samples`] is not asked.
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use ntk_kernels::network::{Network, dense, relu};
    /// use ntk_kernels::{Error, Landmarks, Solver};
    ///
    /// let network = Network::new().then(dense().b_std(1.0)).then(relu()).then(dense());
    /// let read = |range: std::ops::Range<usize>| { // from files, a generator, ...
    ///     let x = Array2::from_shape_fn((range.len(), 1), |(i, _)| {
    ///         (range.start + i) as f64 / 50.0 - 1.0
    ///     });
    ///     let y = x.mapv(|x| x * x);
    ///     Ok::<_, Error>((x.into_dyn(), y))
    /// };
    /// let points = array![[-1.0], [-0.5], [0.0], [0.5], [1.0]];
    /// let landmarks = Landmarks::new(&network).alpha(1e-6).block(10);
    /// let direct = landmarks.fit_from_fn(&points, 100, read)?.predict(&array![[0.3]])?;
    /// let solver = Solver::ConjugateGradients { tolerance: 1e-10, iterations: 20 };
    /// let found = landmarks.solver(solver).fit_from_fn(&points, 100, read)?;
    /// assert!((found.predict(&array![[0.3]])?[[0, 0]] - direct[[0, 0]]).abs() < 1e-6);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of `read`; [`EstimatorError::StreamLength`] where it gives fewer or more samples than
    /// the range has; otherwise as [`Landmarks::fit_blocks`].
    pub fn fit_from_fn<'p, T: Real, E: From<EstimatorError> + Display>(
        &self,
        points: impl Into<Inputs<'p, T>>,
        samples: usize,
        read: impl FnMut(Range<usize>) -> Result<(ArrayD<T>, Array2<T>), E>,
    ) -> Result<FittedLandmarks<T>, E> {
        self.fit_over(&(), points, samples, read)
    }

    /// Solves as [`Landmarks::fit_from_fn`] does over the processes of a job, each of which reads every
    /// P-th block of P, and all of which get the same result; see [`Ranks`] and `ntk_mpi::Grid`.
    ///
    /// Points, settings and samples are the same on all. A checkpoint has a place for each. Results are
    /// those of one process but for the rounding of sums over blocks. What is added up is
    /// `m (m + outputs)` numbers once, by the normal equations or for the preconditioner, and `m outputs`
    /// in each pass of conjugate gradients.
    ///
    /// # Errors
    /// As [`Landmarks::fit_from_fn`]; [`EstimatorError::Rank`] for what another process has failed by.
    pub fn fit_over<'p, T: Real, E: From<EstimatorError> + Display>(
        &self,
        ranks: &dyn Ranks,
        points: impl Into<Inputs<'p, T>>,
        samples: usize,
        mut read: impl FnMut(Range<usize>) -> Result<(ArrayD<T>, Array2<T>), E>,
    ) -> Result<FittedLandmarks<T>, E> {
        let pass = self.settings().check().and_then(|()| {
            let landmarks = self.landmarks(points.into(), samples)?;
            self.pass(landmarks, samples)
        });
        let read = &mut read;
        let source = Source::Read { samples, read };
        Ok(FittedLandmarks(agree(ranks, pass)?.fit(source, ranks)?))
    }

    /// Solves for the coefficients of `points` (m, ...) with samples that do not fit into memory:
    /// blocks of samples (b, ...) and targets (b, outputs), of any b each, or the error that ends
    /// the fit.
    ///
    /// Samples have neither masks nor graphs. One block of the stream is held at a time.
    ///
    /// ```
    /// use ndarray::{Array2, ArrayD, array};
    /// use ntk_kernels::network::{Network, dense, relu};
    /// use ntk_kernels::{Error, Landmarks};
    ///
    /// let network = Network::new().then(dense().b_std(1.0)).then(relu()).then(dense());
    /// let blocks = (0..4).map(|block| { // from a file, a generator, ...
    ///     let x = Array2::from_shape_fn((25, 1), |(i, _)| (25 * block + i) as f64 / 50.0 - 1.0);
    ///     let y = x.mapv(|x| x * x);
    ///     Ok::<_, Error>((x.into_dyn(), y))
    /// });
    /// let points = array![[-1.0], [-0.5], [0.0], [0.5], [1.0]];
    /// let fitted = Landmarks::new(&network).alpha(1e-6).samples(100).fit_blocks(&points, blocks)?;
    /// let missed = fitted.predict(&array![[0.3]])?[[0, 0]] - 0.09;
    /// assert!(missed.abs() < 0.05);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the stream; [`EstimatorError::Block`], which names its first sample, for a block
    /// that does not fit the points or the blocks before; [`EstimatorError::StreamLength`] where
    /// [`Landmarks::samples`] was set to another number; [`EstimatorError::Nothing`] for no samples;
    /// otherwise as [`Landmarks::fit`].
    pub fn fit_blocks<'p, T: Real, E: From<EstimatorError>>(
        &self,
        points: impl Into<Inputs<'p, T>>,
        blocks: impl IntoIterator<Item = Result<(ArrayD<T>, Array2<T>), E>>,
    ) -> Result<FittedLandmarks<T>, E> {
        self.settings().check_one_pass()?;
        let samples = self.samples.unwrap_or(usize::MAX);
        let landmarks = self.landmarks(points.into(), samples)?;
        Ok(FittedLandmarks(
            self.pass(landmarks, samples)?.fit_blocks(blocks)?,
        ))
    }

    fn settings(&self) -> Settings<'_> {
        Settings {
            alpha: self.alpha,
            block: self.block,
            samples: self.samples,
            solver: self.solver,
            checkpoint: self.checkpoint,
            observer: self.observer,
        }
    }

    /// Checks all that can be checked before any work.
    fn check<T: Real>(
        &self,
        x: &Inputs<'_, T>,
        y: ArrayView2<'_, T>,
    ) -> Result<(), EstimatorError> {
        self.settings().check()?;
        check_targets(x, y)?;
        if y.is_empty() {
            let (samples, outputs) = y.dim();
            return Err(EstimatorError::Nothing { samples, outputs });
        }
        let kernels = self.network.kernel_fn().structure(&x.structure);
        Ok(kernels.check(&x.x, None)?)
    }

    /// Copies points, of `samples` samples.
    fn landmarks<T: Real>(
        &self,
        points: Inputs<'_, T>,
        samples: usize,
    ) -> Result<Samples<T>, EstimatorError> {
        sample_shape(&points.x)?;
        if points.x.len_of(Axis(0)) == 0 {
            return Err(EstimatorError::LandmarkCount { count: 0, samples });
        }
        Ok(Samples::copy(&self.network, points)?)
    }

    /// Fits to samples and targets that have been checked.
    fn fit_held<T: Real>(
        &self,
        landmarks: Samples<T>,
        x: &Inputs<'_, T>,
        y: ArrayView2<'_, T>,
    ) -> Result<FittedLandmarks<T>, EstimatorError> {
        let pass = self.pass(landmarks, y.nrows())?;
        let fitted = pass.fit::<EstimatorError>(Source::Held { x, y }, &())?;
        Ok(FittedLandmarks(fitted))
    }

    /// Starts a pass over so many samples.
    fn pass<T: Real>(
        &self,
        landmarks: Samples<T>,
        samples: usize,
    ) -> Result<Pass<'_, Points<T>>, EstimatorError> {
        let m = landmarks.count();
        let entry = match self.solver {
            Solver::NormalEquations => 10 * size_of::<f64>(),
            Solver::ConjugateGradients { .. } => 2 * size_of::<f64>() + size_of::<T>(),
        };
        memory::check(memory::product([m, m, entry]))?;
        let kernel = self.kernel;
        let points = Points { landmarks, kernel };
        let own = Inputs::new(&points.landmarks.x).structure(&points.landmarks.structure);
        let k_mm = points.rows(&own, self.observer)?;
        let solving = match self.solver {
            Solver::NormalEquations => Solving::Equations(Box::new(Sums::whitened(&k_mm)?), false),
            Solver::ConjugateGradients {
                tolerance,
                iterations,
            } => {
                let limits = (tolerance, iterations);
                let begun = Iterations::new(&k_mm, samples, self.alpha, limits)?;
                Solving::Iterations(Box::new(begun))
            }
        };
        drop(k_mm);
        Ok(Pass::new(self.settings(), points, solving))
    }
}

/// The basis of kernels with landmarks.
#[derive(Debug)]
struct Points<T> {
    landmarks: Samples<T>,
    kernel: Kernel,
}

impl<T: Real> Basis for Points<T> {
    type Item = T;

    const COEFFICIENTS: &'static str = "the coefficients (landmark, output)";

    fn count(&self) -> usize {
        self.landmarks.count()
    }

    fn described(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("network", json!(self.landmarks.network)),
            ("kernel", json!(self.kernel)),
            ("shape of landmarks", json!(self.landmarks.x.shape())),
            ("landmarks", hash(self.landmarks.x.iter().copied())),
        ]
    }

    fn check(&self, x: &Inputs<'_, T>) -> Result<(), EstimatorError> {
        let both = self.landmarks.kernel_fn_at(x).distinct();
        Ok(both.check(&x.x, Some(&self.landmarks.x))?)
    }

    fn rows(
        &self,
        x: &Inputs<'_, T>,
        observer: &dyn Observer,
    ) -> Result<Array2<T>, EstimatorError> {
        stoppable(observer, |observer| {
            let both = self.landmarks.kernel_fn_at(x).distinct().observer(observer);
            both.kernel_between(self.kernel, &x.x, &self.landmarks.x)
        })
    }

    fn trace(&self, x: &Inputs<'_, T>, _: &Array2<T>) -> Result<f64, EstimatorError> {
        let found: Array1<T> = self.landmarks.diagonal_of(self.kernel, x)?;
        Ok(found.iter().map(|&v| Real::to_f64(v)).sum())
    }
}

/// Computes what an observer may stop, and is told of no part of.
fn stoppable<R>(
    observer: &dyn Observer,
    compute: impl FnOnce(&dyn Observer) -> Result<R, KernelError>,
) -> Result<R, EstimatorError> {
    let stopped = || observer.check().map_err(PredictError::from);
    stopped()?;
    compute(&Inside(observer)).or_else(|error| {
        stopped()?;
        Err(error.into())
    })
}
