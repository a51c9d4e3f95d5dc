//! Kernel ridge regression over landmarks.

mod choice;
mod equations;
mod fitted;
mod k_means;

pub use choice::Choice;
pub use fitted::FittedLandmarks;

use super::EstimatorError;
use super::samples::{Samples, columns, observed};
use crate::closed_form::{Kernel, KernelError, memory, sample_shape};
use crate::inputs::Inputs;
use crate::network::Network;
use crate::predict::{PredictError, Ridge, check};
use choice::Chooser;
use equations::Sums;
use ndarray::{Array1, Array2, ArrayD, ArrayRef, ArrayView2, Axis, Dimension, s};
use ntk_linalg::observer::Inside;
use ntk_linalg::{Observer, Real};

/// The number of landmarks, unless set.
const COUNT: usize = 1000;

/// The number of samples whose kernel with the landmarks is held at once, unless set.
const BLOCK: usize = 1024;

/// `Landmarks` is kernel ridge regression over m landmarks instead of all n samples, for samples
/// whose kernel (n, n) is too large: `f(z) = K(z, landmarks) b`, with the coefficients b that
/// minimise `|y - K_nm b|^2 + r b^T K_mm b` (Nyström; Williams and Seeger 2001).
///
/// Landmarks are samples or any other points. Where all samples are landmarks, predictions are those
/// of [`KernelRidge`](super::KernelRidge) with the same ridge r. Samples are taken for different from
/// landmarks even where they are equal, which matters to dropout alone.
///
/// Samples pass once, in blocks of [`Landmarks::block`] rows: from memory, from a file that is
/// mapped into memory (a view of it is an array), or from an iterator, with
/// [`Landmarks::fit_blocks`]. Memory beside the samples and targets: at most 10 matrices (m, m) of
/// f64 while it is fitted, of which 3 are kept, and 3 (block, m); [`Choice`] says what a choice
/// adds. Cost: the kernel of n with m samples, and `3 n m^2` operations in f64.
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
/// assert!(fitted.effective_parameters() < 20.0);
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
        self.fit_whole(chooser.choose(x)?, x, y)
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
        self.fit_whole(landmarks, x, y)
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
        self.check_settings()?;
        let samples = self.samples.unwrap_or(usize::MAX);
        let mut pass = Pass::new(self, self.landmarks(points.into(), samples)?)?;
        self.observer
            .begin("samples", self.samples.unwrap_or(0) as u64);
        for block in blocks {
            let (x, y) = block?;
            pass.add_all(&Inputs::new(&x), y.view())?;
            self.check_length(pass.sums.samples(), |found, expected| found <= expected)?;
        }
        self.check_length(pass.sums.samples(), |found, expected| found == expected)?;
        Ok(pass.finish()?)
    }

    /// Refuses so many samples of a stream where they are not as was said.
    fn check_length(
        &self,
        found: usize,
        fits: impl Fn(usize, usize) -> bool,
    ) -> Result<(), EstimatorError> {
        match self.samples {
            Some(expected) if !fits(found, expected) => {
                Err(EstimatorError::StreamLength { expected, found })
            }
            _ => Ok(()),
        }
    }

    fn check_settings(&self) -> Result<(), EstimatorError> {
        // Whatever the mean diagonal will be.
        let one = Array2::<f64>::ones((1, 1));
        self.alpha.added(&one).map_err(PredictError::from)?;
        if self.block == 0 {
            return Err(PredictError::Argument {
                name: "the number of rows of a block",
                value: 0.0,
                condition: "at least 1",
            }
            .into());
        }
        Ok(())
    }

    /// Checks all that can be checked before any work.
    fn check<T: Real>(
        &self,
        x: &Inputs<'_, T>,
        y: ArrayView2<'_, T>,
    ) -> Result<(), EstimatorError> {
        self.check_settings()?;
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
    fn fit_whole<T: Real>(
        &self,
        landmarks: Samples<T>,
        x: &Inputs<'_, T>,
        y: ArrayView2<'_, T>,
    ) -> Result<FittedLandmarks<T>, EstimatorError> {
        let mut pass = Pass::new(self, landmarks)?;
        self.observer.begin("samples", y.nrows() as u64);
        pass.add_all(x, y)?;
        pass.finish()
    }
}

/// One pass over samples.
struct Pass<'a, T> {
    settings: &'a Landmarks<'a>,
    landmarks: Samples<T>,
    sums: Sums,
}

impl<'a, T: Real> Pass<'a, T> {
    fn new(settings: &'a Landmarks<'a>, landmarks: Samples<T>) -> Result<Self, EstimatorError> {
        let m = landmarks.count();
        memory::check(memory::product([m, m, 10, size_of::<f64>()]))?;
        let points = Inputs::new(&landmarks.x).structure(&landmarks.structure);
        let k_mm = stoppable(settings.observer, |observer| {
            let both = landmarks.kernel_fn_at(&points).distinct();
            let both = both.observer(observer);
            both.kernel_between(settings.kernel, &landmarks.x, &landmarks.x)
        })?;
        let sums = Sums::new(&k_mm)?;
        Ok(Self {
            settings,
            landmarks,
            sums,
        })
    }

    /// Adds samples and targets, a block at a time.
    fn add_all(&mut self, x: &Inputs<'_, T>, y: ArrayView2<'_, T>) -> Result<(), EstimatorError> {
        let (rows, block) = (y.nrows(), self.settings.block);
        let fit = self.check(x, y);
        fit.map_err(|source| self.in_block(source))?;
        // A block without samples has a shape, too.
        for start in (0..rows.max(1)).step_by(block) {
            let range = start..rows.min(start.saturating_add(block));
            let part = x.slice(range.clone());
            let part = part.expect("masks and graphs of all samples have been checked");
            let added = self.add(&part, y.slice(s![range, ..]));
            added.map_err(|source| self.in_block(source))?;
        }
        Ok(())
    }

    /// Says where the next samples begin.
    fn in_block(&self, source: EstimatorError) -> EstimatorError {
        match source {
            EstimatorError::Predict(PredictError::Cancelled(_)) => source,
            source => EstimatorError::Block {
                first: self.sums.samples(),
                source: Box::new(source),
            },
        }
    }

    /// Refuses targets that do not fit their samples or those before.
    fn check(&self, x: &Inputs<'_, T>, y: ArrayView2<'_, T>) -> Result<(), EstimatorError> {
        check_targets(x, y)?;
        let (samples, found) = y.dim();
        let expected = self.sums.outputs();
        if found == 0 {
            return Err(EstimatorError::Nothing {
                samples,
                outputs: 0,
            });
        }
        if expected != 0 && expected != found {
            return Err(EstimatorError::Outputs { expected, found });
        }
        let rows = self.settings.block.min(samples);
        Ok(check_block::<T>(rows, self.landmarks.count())?)
    }

    fn add(&mut self, x: &Inputs<'_, T>, y: ArrayView2<'_, T>) -> Result<(), EstimatorError> {
        let (kernel, observer) = (self.settings.kernel, self.settings.observer);
        let k_bm = stoppable(observer, |observer| {
            kernel_with(&self.landmarks, kernel, x, observer)
        })?;
        let diagonal: Array1<T> = self.landmarks.diagonal_of(kernel, x)?;
        let [diagonal, y] =
            [diagonal.insert_axis(Axis(1)), y.to_owned()].map(|a| a.mapv_into_any(Real::to_f64));
        self.sums
            .add(&k_bm, &diagonal.index_axis_move(Axis(1), 0), &y)
            .map_err(PredictError::from)?;
        observer.advance(y.nrows() as u64);
        Ok(())
    }

    fn finish(self) -> Result<FittedLandmarks<T>, EstimatorError> {
        let (samples, outputs) = (self.sums.samples(), self.sums.outputs());
        if samples == 0 || outputs == 0 {
            return Err(EstimatorError::Nothing { samples, outputs });
        }
        let Landmarks {
            kernel,
            alpha,
            block,
            ..
        } = *self.settings;
        FittedLandmarks::new(self.landmarks, kernel, block, self.sums.solve()?, alpha)
    }
}

/// Refuses targets of other samples, or that are not finite.
fn check_targets<T: Real>(x: &Inputs<'_, T>, y: ArrayView2<'_, T>) -> Result<(), EstimatorError> {
    sample_shape(&x.x)?;
    let (samples, targets) = (x.x.len_of(Axis(0)), y.nrows());
    if samples != targets {
        return Err(EstimatorError::TargetRows { samples, targets });
    }
    Ok(check::finite("the targets", &y)?)
}

/// Refuses a block of rows whose kernel with m landmarks there is not the memory for.
fn check_block<T: Real>(rows: usize, m: usize) -> Result<(), KernelError> {
    let entry = size_of::<T>() + 2 * size_of::<f64>();
    memory::check(memory::product([rows, m, entry]))
}

/// Computes the kernel of `z` with the landmarks, (rows, m).
fn kernel_with<T: Real>(
    landmarks: &Samples<T>,
    kernel: Kernel,
    z: &Inputs<'_, T>,
    observer: &dyn Observer,
) -> Result<Array2<f64>, KernelError> {
    let both = landmarks.kernel_fn_at(z).distinct().observer(observer);
    let found = both.kernel_between(kernel, &z.x, &landmarks.x)?;
    Ok(found.mapv_into_any(Real::to_f64))
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
