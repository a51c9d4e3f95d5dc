//! Solves the gradient flow of any loss in function space, by an adaptive solver of differential
//! equations.
//!
//! The flow is `df/dt = -eta K dL/df`, which the training outputs of a wide network follow under
//! gradient descent of learning rate eta, with t counted in steps (Lee et al. 2019,
//! arXiv:1902.06720, eq. 4). With momentum m it is `f'' = -(1 - m) f' - eta K dL/df` from rest, the
//! continuous limit of the heavy ball `v <- m v - eta dL, f <- f + K v` (Qian 1999,
//! doi:10.1016/S0893-6080(98)00116-6).
//!
//! The flow is stiff: its fastest rate is `eta lambda_max(K) max(L'')`, its end is decided by the
//! smallest eigenvalues. It has no fast oscillation, as K and the Hessian of a convex loss are
//! positive semidefinite; and losses such as the quadratic hinge have kinks, which cost a method
//! of high order its order. [`Solver`] has the two ways to go about it; neither factorises
//! anything. No maintained crate has a stabilised method, implicit ones factorise the kernel
//! again and again, and the explicit ones that there are do what [`Solver::DormandPrince`] does
//! with more copies: `records/solvers.md` in the repository compares them.

mod chebyshev;
mod dormand_prince;
mod drive;
mod product;
mod system;
#[cfg(test)]
mod tests;

use super::check;
use super::error::PredictError;
use super::layout::Layout;
use super::loss::Loss;
use drive::Path;
use ndarray::{Array2, Array3, ArrayRef2};
use ntk_linalg::{Observer, Real, matmul};
use serde::{Deserialize, Serialize};
use system::System;

/// The derivative of a loss by the outputs.
type Gradient<'a> = Box<dyn Fn(&ArrayRef2<f64>) -> Result<Array2<f64>, PredictError> + Sync + 'a>;

/// A `Flow` is the gradient flow of one kernel and one loss; see the [module](self).
///
/// The kernel is traced (n, n) or full (n o, n o) with row = sample * o + output; outputs are (n,
/// o), always in double precision. Solving keeps `4 n o` numbers, and with momentum `20 n o`.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::predict::{Flow, Loss};
///
/// let (k_dd, y) = (array![[2.0, 0.5], [0.5, 1.0]], array![[1.0], [-1.0]]);
/// let flow = Flow::new(&k_dd, &y, Loss::QuadraticHinge { margin: 0.5 })?;
/// let mut state = flow.start();
/// let path = flow.solve(&mut state, &[1.0, 100.0])?;
/// let f = path.train; // (times, samples, outputs)
/// assert!((f[[1, 0, 0]] - 0.5).abs() < 1e-3 && (f[[1, 1, 0]] + 0.5).abs() < 1e-3);
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
pub struct Flow<'a, T> {
    k_dd: &'a ArrayRef2<T>,
    layout: Layout,
    gradient: Gradient<'a>,
    rate: f64,
    momentum: Option<f64>,
    solver: Solver,
    rtol: f64,
    atol: f64,
    most_steps: usize,
    /// The outputs at time zero, n o numbers, where they are not zero.
    initial: Option<Vec<f64>>,
    observer: &'a dyn Observer,
}

/// A `Solver` is a method for the differential equation of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Solver {
    /// The stabilised explicit Runge-Kutta-Chebyshev method of second order: a step may exceed the
    /// fastest time scale by a factor that grows with the square of its products with the kernel,
    /// so that their number grows with the root of the stiffness. It is meant for errors of the
    /// outputs down to some 1e-5, for long times and stiff kernels.
    #[default]
    Chebyshev,
    /// The explicit pair of orders 5 and 4 of Dormand and Prince, which needs at least two products
    /// for every fastest time scale, and then is far more accurate than asked for. It is meant for
    /// small errors while `time * rate` is below some 1e4, and for all flows with momentum, which
    /// oscillate.
    DormandPrince,
}

/// A `FlowState` says how far a flow has come, so that it can be kept and resumed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowState {
    /// The time reached, in steps of gradient descent.
    pub time: f64,
    /// The number of steps so far, without those that were rejected.
    pub steps: usize,
    /// The number of products with the kernel so far.
    pub products: usize,
    /// The length of the next step; 0 before the first.
    step: f64,
    /// The initial outputs, n o numbers; all zero where there are none.
    initial: Option<Vec<f64>>,
    /// The variables of [`System`].
    z: Vec<f64>,
}

/// A `Trajectory` holds the outputs of a flow at the times asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectory {
    /// The times, in steps of gradient descent.
    pub times: Vec<f64>,
    /// The training outputs, (times, n, o).
    pub train: Array3<f64>,
    /// The coefficients `u(t) = -eta int_0^t dL/df` (without momentum), (times, n, o): `f(t) = f_0
    /// + K u(t)` are the outputs of any sample, with K its row of the kernel.
    pub dual: Array3<f64>,
    layout: Layout,
    /// Whether outputs at time zero were given.
    initial: bool,
}

impl<'a, T: Real> Flow<'a, T> {
    /// Makes the flow of `loss` on targets `y` (n, o); [`Loss`] says by what the loss is divided.
    ///
    /// Cost: `n^2` reads, to check the kernel; that it is positive semidefinite takes more, and
    /// [`check::definite`] does it.
    ///
    /// # Errors
    /// Returns [`PredictError::Shape`] or [`PredictError::NonFinite`] where the arrays do not fit, those
    /// of [`Loss::check_targets`], and [`LinalgError::NotSymmetric`](ntk_linalg::LinalgError::NotSymmetric) with the largest
    /// difference where the kernel is not symmetric.
    pub fn new(
        k_dd: &'a ArrayRef2<T>,
        y: &'a ArrayRef2<f64>,
        loss: Loss,
    ) -> Result<Self, PredictError> {
        loss.check_targets(y)?;
        let gradient = move |f: &ArrayRef2<f64>| Ok(loss.with_gradient(f, y)?.1);
        Self::of(k_dd, y.dim(), Box::new(gradient))
    }

    /// Makes the flow of any loss, given by its derivative with respect to the outputs (n, o) =
    /// `shape`. The derivative has the shape of the outputs, and includes whatever the loss divides
    /// by.
    ///
    /// # Errors
    /// Fails as [`Flow::new`] does.
    pub fn with_gradient(
        k_dd: &'a ArrayRef2<T>,
        shape: (usize, usize),
        gradient: impl Fn(&ArrayRef2<f64>) -> Array2<f64> + Sync + 'a,
    ) -> Result<Self, PredictError> {
        Self::of(k_dd, shape, Box::new(move |f| Ok(gradient(f))))
    }

    fn of(
        k_dd: &'a ArrayRef2<T>,
        shape: (usize, usize),
        gradient: Gradient<'a>,
    ) -> Result<Self, PredictError> {
        let layout = Layout::new(k_dd, shape)?;
        check::finite("the training kernel", k_dd)?;
        check::symmetric(k_dd)?;
        Ok(Self {
            k_dd,
            layout,
            gradient,
            rate: 1.0,
            momentum: None,
            solver: Solver::default(),
            rtol: 1e-6,
            atol: 1e-6,
            most_steps: 1_000_000,
            initial: None,
            observer: &(),
        })
    }

    /// Reports progress to `observer`, which may also cancel; by default nothing does.
    #[must_use]
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// Sets the learning rate eta; 1 by default.
    ///
    /// # Errors
    /// Returns [`PredictError::Argument`] unless it is finite and positive.
    pub fn learning_rate(mut self, rate: f64) -> Result<Self, PredictError> {
        check::positive("the learning rate", rate)?;
        self.rate = rate;
        Ok(self)
    }

    /// Sets the solver; [`Solver::Chebyshev`] by default. With momentum it is
    /// [`Solver::DormandPrince`] in any case.
    #[must_use]
    pub fn solver(mut self, solver: Solver) -> Self {
        self.solver = solver;
        self
    }

    /// Sets the momentum m of gradient descent; by default there is none.
    ///
    /// # Errors
    /// Returns [`PredictError::Argument`] unless `0 <= m < 1`.
    pub fn momentum(mut self, m: f64) -> Result<Self, PredictError> {
        check::momentum(m)?;
        self.momentum = Some(m);
        Ok(self)
    }

    /// Sets the error allowed in a step, the root mean square over outputs of error / (`absolute` +
    /// `relative` |f|); both are 1e-6 by default. Choose `absolute` by the scale of the targets.
    /// Over all steps errors add up to about the power 2/3 of it ([`Solver::DormandPrince`]: 4/5).
    ///
    /// # Errors
    /// Returns [`PredictError::Argument`] unless both are finite and positive.
    pub fn tolerance(mut self, relative: f64, absolute: f64) -> Result<Self, PredictError> {
        check::positive("the relative tolerance", relative)?;
        check::positive("the absolute tolerance", absolute)?;
        (self.rtol, self.atol) = (relative, absolute);
        Ok(self)
    }

    /// Sets the largest number of steps of one call; a million by default.
    #[must_use]
    pub fn most_steps(mut self, steps: usize) -> Self {
        self.most_steps = steps;
        self
    }

    /// Sets the outputs (n, o) at time zero, which are zero unless set.
    ///
    /// Those of other samples are then needed as well: [`Trajectory::test_from`] takes them.
    ///
    /// # Errors
    /// Returns [`PredictError::Shape`] or [`PredictError::NonFinite`] for an array that does not fit.
    pub fn initial_outputs(mut self, f0: &ArrayRef2<f64>) -> Result<Self, PredictError> {
        check::shape(
            "the initial outputs",
            f0,
            self.shape(),
            "that of the targets",
        )?;
        self.initial = Some(f0.iter().copied().collect());
        Ok(self)
    }

    /// Makes the state at time zero.
    #[must_use]
    pub fn start(&self) -> FlowState {
        FlowState {
            time: 0.0,
            steps: 0,
            products: 0,
            step: 0.0,
            z: vec![0.0; self.variables()],
            initial: self.initial.clone(),
        }
    }

    /// Returns the number of variables of [`System`].
    fn variables(&self) -> usize {
        let each = if self.momentum.is_some() { 4 } else { 2 };
        each * self.layout.entries()
    }

    /// Returns the numbers of samples and outputs.
    fn shape(&self) -> (usize, usize) {
        (self.layout.samples, self.layout.outputs)
    }

    /// Computes the outputs at `times`, which ascend from that of `state` on, and leaves the state
    /// at the last of them.
    ///
    /// Between steps outputs are interpolated by polynomials that share their values and
    /// derivatives. Cost: products with the kernel, `2 n^2 o` operations each (`(n o)^2` for a full
    /// one); about `sqrt(1.5 h r)` of them in a step of length h, r the fastest rate.
    ///
    /// # Errors
    /// Returns [`PredictError::Time`] or [`PredictError::TimesOutOfOrder`] for times that are not
    /// in order, [`PredictError::Argument`] for an infinite one, and [`PredictError::Shape`] for a
    /// state of another flow. [`PredictError::Diverged`], [`PredictError::TooManySteps`] and
    /// [`PredictError::Cancelled`] leave the state at the last step made, from where another call
    /// goes on.
    pub fn solve(&self, state: &mut FlowState, times: &[f64]) -> Result<Trajectory, PredictError> {
        if !state.time.is_finite() || state.time < 0.0 {
            return Err(PredictError::Argument {
                name: "the time of the state",
                value: state.time,
                condition: "finite and zero or more",
            });
        }
        check::times(times, state.time)?;
        if let Some(index) = times.iter().position(|t| t.is_infinite()) {
            return Err(PredictError::Argument {
                name: "the last time of a flow",
                value: times[index],
                condition: "finite; the end of the squared loss' flow is regression",
            });
        }
        let entries = self.layout.entries();
        let initial = state.initial.clone().unwrap_or_else(|| vec![0.0; entries]);
        let found = (initial.len(), state.z.len());
        let why = "a state comes from `start` of a flow with this shape, with momentum or without";
        check::dim("the state", found, (entries, self.variables()), why)?;
        let system = System::new(self, &initial);
        let mut path = Path::new(times, self.layout, state.initial.is_some());
        let result = drive::run(self, &system, state, &mut path, self.observer);
        state.products = state.products.saturating_add(system.products());
        result.map(|()| path.filled())
    }
}

impl FlowState {
    fn point<'a>(&'a self, slope: &'a [f64]) -> Point<'a> {
        Point {
            time: self.time,
            z: &self.z,
            slope,
        }
    }
}

impl Trajectory {
    /// Computes the outputs (times, m, o) of other samples from their kernel with the training
    /// samples, (m, n) or full (m o, n o), where all started from zero.
    ///
    /// Cost: `2 m n o` operations for each time.
    ///
    /// # Errors
    /// Returns [`PredictError::Shape`] or [`PredictError::NonFinite`] for a kernel that does not fit,
    /// and [`PredictError::InitialOutputs`] where the training samples started from other outputs.
    pub fn test<T: Real>(&self, k_td: &ArrayRef2<T>) -> Result<Array3<f64>, PredictError> {
        self.test_outputs(k_td, None)
    }

    /// Computes the outputs of other samples as [`Trajectory::test`] does, from their initial
    /// outputs `f0`, (m, o), where [`Flow::initial_outputs`] gave those of the training samples.
    ///
    /// # Errors
    /// Fails as [`Trajectory::test`] does, [`PredictError::InitialOutputs`] being for training
    /// samples that started from zero.
    pub fn test_from<T: Real>(
        &self,
        f0: &ArrayRef2<f64>,
        k_td: &ArrayRef2<T>,
    ) -> Result<Array3<f64>, PredictError> {
        self.test_outputs(k_td, Some(f0))
    }

    fn test_outputs<T: Real>(
        &self,
        k_td: &ArrayRef2<T>,
        f0: Option<&ArrayRef2<f64>>,
    ) -> Result<Array3<f64>, PredictError> {
        let (layout, k_td) = (self.layout, k_td.mapv(Real::to_f64));
        let m = layout.test_samples("the test kernel", &k_td)?;
        layout.initial(self.initial, f0, m)?;
        let dual = layout.operand(&self.dual);
        layout.spread(&matmul(&k_td, &dual)?, self.times.len(), m, f0)
    }
}

/// A `Point` is a point of the solution, and the derivative there.
#[derive(Clone, Copy)]
struct Point<'a> {
    time: f64,
    z: &'a [f64],
    slope: &'a [f64],
}

/// A `Method` makes steps.
trait Method<T> {
    /// Returns the order of the error estimate.
    fn order(&self) -> f64;
    /// Returns the longest step at this fastest rate.
    fn longest(&self, rate: f64) -> f64;
    /// Makes a step of length `h`, where the fastest rate is `rate`.
    fn step(
        &self,
        system: &System<'_, '_, T>,
        from: Point<'_>,
        h: f64,
        rate: f64,
    ) -> Result<Step, PredictError>;
}

/// A `Step` holds what a step leads to.
struct Step {
    z: Vec<f64>,
    /// The derivative at its end.
    slope: Vec<f64>,
    /// The variables half-way, where the method knows better than the cubic.
    middle: Option<Vec<f64>>,
    /// The estimated error of the outputs, (n o).
    error: Vec<f64>,
}
