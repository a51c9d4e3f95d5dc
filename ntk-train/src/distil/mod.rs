//! Distils a data set: learns a few samples, and on demand their labels, from which regression with the
//! kernel of an infinitely wide network predicts many.
//!
//! These are the kernel inducing points of Nguyen, Chen and Lee 2021, arXiv:2011.00050. Where
//! [`crate::selection`] chooses samples that there are, these are made.

mod error;
mod objective;
#[cfg(test)]
mod tests;

pub use error::DistilError;

use crate::compiled::Scalar;
use crate::gradient::Gradient;
use crate::optimizer::{Memories, Optimizer};
use crate::train::{Batches, Order};
use ndarray::{Array2, ArrayRef2, ArrayView2, Axis, s};
use ntk_kernels::{Kernel, KernelFn, Network};
use ntk_linalg::observer::{Inside, Observer};
use ntk_linalg::{Real, Ridge};
use objective::{LabelSolve, derived};

/// The number of samples whose kernel is held at once.
const BLOCK: usize = 2048;

/// `KernelInducingPoints` learns `s` samples, and on demand their labels, by the loss
/// `1/(2 t) |z - K(x, X) (K(X, X) + r)^-1 y|^2` of `t` samples `x` with targets `z`, K the kernel of an
/// infinitely wide network on vectors.
///
/// Kernels and their derivatives are computed in the element type of the samples, and linear algebra in f64.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::network::{Network, dense, relu};
/// use ntk_train::distil::KernelInducingPoints;
///
/// let network = Network::new().then(dense()).then(relu()).then(dense());
/// let x = array![[1.0, 0.1], [0.9, -0.1], [-0.1, 1.0], [0.1, 0.8]];
/// let y = array![[1.0], [1.0], [-1.0], [-1.0]];
/// // One sample of each class to begin with, and far off.
/// let (points, labels) = (array![[1.0, 0.9], [0.9, 1.0]], array![[1.0], [-1.0]]);
/// let distilled = KernelInducingPoints::new(&network).steps(50).fit(&x, &y, &points, &labels)?;
/// assert!(distilled.losses[49] < 0.2 * distilled.losses[0]);
/// # Ok::<(), ntk_train::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct KernelInducingPoints<'a> {
    network: Network,
    kernel: Kernel,
    ridge: Ridge,
    learn_labels: bool,
    optimizer: Optimizer,
    batch_size: usize,
    steps: usize,
    seed: u64,
    observer: &'a dyn Observer,
}

/// A `Distilled` holds samples that were made.
#[derive(Debug, Clone, PartialEq)]
pub struct Distilled<T> {
    /// The inducing points, (s, features).
    pub x: Array2<T>,
    /// Their labels, (s, outputs): those given, unless they were learned.
    pub y: Array2<T>,
    /// The loss of every step on its batch, before the step.
    pub losses: Vec<f64>,
}

/// A `DistilGradient` holds the loss of inducing points and its derivatives.
#[derive(Debug, Clone, PartialEq)]
pub struct DistilGradient<T> {
    /// The loss.
    pub loss: f64,
    /// The derivatives by the inducing points, (s, features).
    pub by_x: Array2<T>,
    /// The derivatives by their labels, (s, outputs).
    pub by_y: Array2<T>,
}

/// Samples with their targets.
type Labelled<'x, T> = [ArrayView2<'x, T>; 2];

impl<'a> KernelInducingPoints<'a> {
    /// Takes the NTK of the network, a ridge of 1e-6 of the kernel's mean diagonal, fixed labels, Adam at a
    /// rate of 0.01, batches of 500 samples and 300 steps, unless set otherwise.
    pub fn new(network: &Network) -> Self {
        Self {
            network: network.clone(),
            kernel: Kernel::Ntk,
            ridge: Ridge::Relative(1e-6),
            learn_labels: false,
            optimizer: Optimizer::adam(0.01),
            batch_size: 500,
            steps: 300,
            seed: 0,
            observer: &(),
        }
    }

    /// Sets which kernel predicts.
    pub fn kernel(mut self, kernel: Kernel) -> Self {
        self.kernel = kernel;
        self
    }

    /// Sets what is added to the diagonal of the inducing points' kernel: a number as it is, and
    /// [`Ridge::Relative`] in units of the mean diagonal.
    pub fn ridge(mut self, ridge: impl Into<Ridge>) -> Self {
        self.ridge = ridge.into();
        self
    }

    /// Sets whether labels are learned too, by the same steps.
    pub fn learn_labels(mut self, learn: bool) -> Self {
        self.learn_labels = learn;
        self
    }

    /// Sets the steps by which the loss is minimised; not [`Optimizer::TraceSgd`].
    pub fn optimizer(mut self, optimizer: Optimizer) -> Self {
        self.optimizer = optimizer;
        self
    }

    /// Sets the number of samples in a step, drawn without replacement until all were seen; 0 counts as 1.
    pub fn batch_size(mut self, samples: usize) -> Self {
        self.batch_size = samples;
        self
    }

    /// Sets the number of steps.
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Sets the seed of the batches.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the observer: it hears of each step, and is asked before each whether to stop.
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// Learns inducing points from samples `x` (n, features) with targets `y` (n, outputs), beginning at
    /// `points` (s, features) with `labels` (s, outputs).
    ///
    /// The same seed gives the same points to the last bit. Cost of a step: some four times that of both
    /// kernels, `(b + s) s features` operations, and `s^3/3` for the factor, b the batch.
    ///
    /// # Errors
    /// [`DistilError`]: arrays that are empty, do not fit together or are not finite, a network that is not
    /// one on vectors, settings out of their domains, a kernel that is singular even with the ridge, points
    /// that diverge, an observer that cancels.
    pub fn fit<T: Scalar>(
        &self,
        x: &ArrayRef2<T>,
        y: &ArrayRef2<T>,
        points: &ArrayRef2<T>,
        labels: &ArrayRef2<T>,
    ) -> Result<Distilled<T>, DistilError> {
        T::distil(self, [x.view(), y.view()], [points.view(), labels.view()])
    }

    /// Computes the loss on all of `x` with targets `y`, and its derivatives by inducing points and labels,
    /// shapes as those of [`KernelInducingPoints::fit`].
    ///
    /// # Errors
    /// As [`KernelInducingPoints::fit`].
    pub fn loss_with_gradient<T: Scalar>(
        &self,
        x: &ArrayRef2<T>,
        y: &ArrayRef2<T>,
        points: &ArrayRef2<T>,
        labels: &ArrayRef2<T>,
    ) -> Result<DistilGradient<T>, DistilError> {
        T::distil_gradient(self, [x.view(), y.view()], [points.view(), labels.view()])
    }

    /// Computes the labels (s, outputs) of given inducing points that minimise the loss on all of `x` with
    /// targets `y`: the label solve of the same paper.
    ///
    /// The least squares are solved by their normal equations in f64, with up to 1e-6 of their mean diagonal added
    /// where labels are not determined. Cost: the kernel (n, s), and `3 n s^2` operations.
    ///
    /// # Errors
    /// As [`KernelInducingPoints::fit`].
    pub fn solve_labels<T: Scalar>(
        &self,
        x: &ArrayRef2<T>,
        y: &ArrayRef2<T>,
        points: &ArrayRef2<T>,
    ) -> Result<Array2<T>, DistilError> {
        T::distil_labels(self, [x.view(), y.view()], points.view())
    }

    fn kernel_fn<'k>(&'k self, observer: &'k dyn Observer) -> KernelFn<'k> {
        self.network.kernel_fn().observer(observer)
    }

    /// Computes the loss and its derivatives of what was checked.
    fn at<T: Scalar>(
        &self,
        [x, y]: [&ArrayRef2<T>; 2],
        [points, labels]: [&ArrayRef2<T>; 2],
    ) -> Result<DistilGradient<T>, DistilError> {
        let inside = Inside(self.observer);
        // A batch that equals the points is a batch all the same.
        let kernel_fn = self.kernel_fn(&inside).distinct();
        let own = double(&kernel_fn.kernel(self.kernel, points)?);
        let cross = double(&kernel_fn.kernel_between(self.kernel, x, points)?);
        let found = derived(own, &cross, &double(labels), &double(y), self.ridge)?;
        if !found.loss.is_finite() {
            let loss = found.loss;
            return Err(DistilError::Diverged { step: 0, loss });
        }
        let by_own = kernel_fn.input_gradient(self.kernel, points, &single(&found.by_own))?;
        let by_cross = single(&found.by_cross);
        let (_, by_points) = kernel_fn.input_gradient_between(self.kernel, x, points, &by_cross)?;
        let by_x = (by_own + by_points).into_dimensionality();
        Ok(DistilGradient {
            loss: found.loss,
            by_x: by_x.expect("the shape of the points"),
            by_y: single(&found.by_labels),
        })
    }
}

fn double<T: Scalar>(a: &ArrayRef2<T>) -> Array2<f64> {
    a.mapv(Real::to_f64)
}

fn single<T: Scalar>(a: &ArrayRef2<f64>) -> Array2<T> {
    a.mapv(T::of)
}

/// The names of samples, targets, points and labels.
const NAMES: [&str; 4] = [
    "the samples",
    "the targets",
    "the inducing points",
    "the labels",
];

/// Refuses arrays that are empty or not finite.
fn check_numbers<T: Scalar>(what: &'static str, a: ArrayView2<'_, T>) -> Result<(), DistilError> {
    if a.is_empty() {
        let shape = a.dim();
        return Err(DistilError::Empty { what, shape });
    }
    match a.indexed_iter().find(|(_, v)| !v.is_finite()) {
        None => Ok(()),
        Some((index, value)) => Err(DistilError::NonFinite {
            what,
            index,
            value: Real::to_f64(*value),
        }),
    }
}

/// Refuses arrays of different numbers of rows (axis 0) or columns.
fn check_alike<T: Scalar>(
    axis: usize,
    (what, found): (&'static str, ArrayView2<'_, T>),
    (other, expected): (&'static str, ArrayView2<'_, T>),
) -> Result<(), DistilError> {
    let [found, expected] = [found, expected].map(|a| a.shape()[axis]);
    if found == expected {
        return Ok(());
    }
    Err(DistilError::Shapes {
        what,
        other,
        of: ["rows", "columns"][axis],
        expected,
        found,
    })
}

/// Refuses samples and points that do not fit.
fn check<T: Scalar>(
    [x, y]: Labelled<'_, T>,
    points: ArrayView2<'_, T>,
    labels: Option<ArrayView2<'_, T>>,
) -> Result<(), DistilError> {
    let given = [Some(x), Some(y), Some(points), labels];
    for (what, a) in NAMES.into_iter().zip(given) {
        a.map_or(Ok(()), |a| check_numbers(what, a))?;
    }
    check_alike(0, (NAMES[1], y), (NAMES[0], x))?;
    check_alike(1, (NAMES[2], points), (NAMES[0], x))?;
    if let Some(labels) = labels {
        check_alike(0, (NAMES[3], labels), (NAMES[2], points))?;
        check_alike(1, (NAMES[3], labels), (NAMES[1], y))?;
    }
    Ok(())
}

/// [`KernelInducingPoints::fit`].
pub(crate) fn distil<T: Scalar>(
    of: &KernelInducingPoints<'_>,
    [x, y]: Labelled<'_, T>,
    [points, labels]: Labelled<'_, T>,
) -> Result<Distilled<T>, DistilError> {
    check([x, y], points, Some(labels))?;
    if let Optimizer::TraceSgd { .. } = of.optimizer {
        let found = of.optimizer;
        return Err(DistilError::Optimizer { found });
    }
    of.optimizer.check()?;
    let shapes = [points.dim(), labels.dim()];
    let numbers = |a: ArrayView2<'_, T>| T::holding(a.iter().copied().collect());
    let mut parameters = [numbers(points), numbers(labels)];
    let learned = if of.learn_labels { 2 } else { 1 };
    let lengths = [points.len(), labels.len()].into_iter().take(learned);
    let mut memories = Memories::of(of.optimizer, Gradient::of(lengths));
    let mut batches = Batches::new(Order::Shuffled, of.seed, x.nrows())?;
    let mut queue = Vec::new().into_iter();
    let mut losses = Vec::new();
    of.observer.begin("kernel inducing points", of.steps as u64);
    for step in 0..of.steps {
        of.observer.check()?;
        if queue.len() == 0 {
            queue = batches.next(of.batch_size.max(1), Vec::new).into_iter();
        }
        let rows: Vec<usize> = queue.next().unwrap_or_default();
        let [x, y] = [x, y].map(|a| a.select(Axis(0), &rows));
        let [points, labels] = views(&parameters, shapes);
        let found = of.at([&x, &y], [&points, &labels]);
        let found = found.map_err(|error| match error {
            DistilError::Diverged { loss, .. } => DistilError::Diverged { step, loss },
            error => error,
        })?;
        losses.push(found.loss);
        for (to, from) in memories
            .gradient
            .total
            .iter_mut()
            .zip([&found.by_x, &found.by_y])
        {
            let numbers = T::numbers_mut(to).iter_mut().zip(from);
            numbers.for_each(|(to, from)| *to = *from);
        }
        memories.step(of.optimizer, 0.0, &mut parameters[..learned]);
        of.observer.advance(1);
    }
    let [x, y] = views(&parameters, shapes).map(|a| a.to_owned());
    // A step may have left the numbers of the element type.
    check_numbers(NAMES[2], x.view())?;
    check_numbers(NAMES[3], y.view())?;
    Ok(Distilled { x, y, losses })
}

fn views<T: Scalar>(
    parameters: &[crate::tensor::Memory<T>; 2],
    shapes: [(usize, usize); 2],
) -> Labelled<'_, T> {
    [0, 1].map(|i| {
        let numbers = T::numbers(&parameters[i]);
        ArrayView2::from_shape(shapes[i], numbers).expect("as many numbers as before")
    })
}

/// [`KernelInducingPoints::loss_with_gradient`].
pub(crate) fn gradient<T: Scalar>(
    of: &KernelInducingPoints<'_>,
    [x, y]: Labelled<'_, T>,
    [points, labels]: Labelled<'_, T>,
) -> Result<DistilGradient<T>, DistilError> {
    check([x, y], points, Some(labels))?;
    of.at([&x, &y], [&points, &labels])
}

/// [`KernelInducingPoints::solve_labels`].
pub(crate) fn labels<T: Scalar>(
    of: &KernelInducingPoints<'_>,
    [x, y]: Labelled<'_, T>,
    points: ArrayView2<'_, T>,
) -> Result<Array2<T>, DistilError> {
    check([x, y], points, None)?;
    let inside = Inside(of.observer);
    let kernel_fn = of.kernel_fn(&inside).distinct();
    let own = double(&kernel_fn.kernel(of.kernel, &points)?);
    let mut sums = LabelSolve::new(own, y.ncols(), of.ridge)?;
    let n = x.nrows();
    of.observer.begin("labels of inducing points", n as u64);
    for first in (0..n).step_by(BLOCK) {
        of.observer.check()?;
        let end = n.min(first + BLOCK);
        let x = x.slice(s![first..end, ..]);
        let cross = double(&kernel_fn.kernel_between(of.kernel, &x, &points)?);
        sums.add(&cross, &double(&y.slice(s![first..end, ..])))?;
        of.observer.advance((end - first) as u64);
    }
    let found = single(&sums.solve()?);
    check_numbers(NAMES[3], found.view())?;
    Ok(found)
}
