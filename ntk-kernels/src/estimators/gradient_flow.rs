//! Outputs at any time of training.

use crate::closed_form::Kernel;
use crate::inputs::Inputs;
use crate::network::Network;
use crate::predict::{Flow, Loss, MseFlow, PredictError, Ridge, Trajectory, check};
use ndarray::{Array2, Array3, ArrayRef, Axis, Dimension};
use ntk_linalg::{Eigh, Observer, Real};
use serde::{Deserialize, Serialize};

use super::EstimatorError;
use super::file::{self, FileContents};
use super::samples::{Samples, observed, shared_methods};

/// `GradientFlow` computes the mean outputs of an infinitely wide network in training by gradient
/// descent, from zero: `df/dt = -eta K dL/df`, time t counted in steps of learning rate
/// eta (Lee et al. 2019, arXiv:1902.06720).
///
/// Losses divide by the number of samples as [`Loss`] says. The squared losses
/// [`Loss::HalfMeanSquare`] and [`Loss::MeanSquare`] have closed forms, at infinity too, by one
/// eigendecomposition ([`MseFlow`]); other losses are followed by a solver of differential
/// equations ([`Flow`]) to finite times.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::GradientFlow;
/// use ntk_kernels::network::{Network, dense, relu};
///
/// let network = Network::new().then(dense().b_std(0.5)).then(relu()).then(dense());
/// let (x, y) = (array![[1.0, 0.0], [0.0, 1.0]], array![1.0, -1.0]);
/// let fitted = GradientFlow::new(&network).learning_rate(0.1).fit(&x, &y)?;
/// let z = array![[0.9, 0.1]];
/// let outputs = fitted.predict_at(&z, &[0.0, 100.0, f64::INFINITY])?;
/// assert_eq!(outputs.dim(), (3, 1, 1)); // times, samples, outputs
/// assert_eq!(outputs[[0, 0, 0]], 0.0);
/// assert_eq!(outputs[[2, 0, 0]], fitted.predict(&z)?[[0, 0]]); // trained to the end
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[derive(Clone)]
pub struct GradientFlow<'a> {
    network: Network,
    settings: Settings,
    ridge: Ridge,
    observer: &'a dyn Observer,
}

/// How the outputs move; a file has it besides its arrays.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Settings {
    kernel: Kernel,
    loss: Loss,
    learning_rate: f64,
    momentum: Option<f64>,
    /// Relative and absolute.
    tolerance: (f64, f64),
    /// Known once there is a kernel.
    ridge_added: f64,
}

impl Settings {
    /// The learning rate that [`Loss::HalfMeanSquare`] has with the same flow, where the loss is a
    /// squared one.
    fn squared(&self) -> Option<f64> {
        match self.loss {
            Loss::HalfMeanSquare => Some(self.learning_rate),
            Loss::MeanSquare => Some(2.0 * self.learning_rate),
            Loss::CrossEntropy | Loss::QuadraticHinge { .. } | Loss::MeanPower { .. } => None,
        }
    }

    /// Refuses numbers outside their domains.
    fn check(&self) -> Result<(), PredictError> {
        check::positive("the learning rate", self.learning_rate)?;
        self.momentum.map_or(Ok(()), check::momentum)?;
        check::positive("the relative tolerance", self.tolerance.0)?;
        check::positive("the absolute tolerance", self.tolerance.1)?;
        let (name, value, condition) = match self.loss {
            Loss::QuadraticHinge { margin } if !margin.is_finite() => {
                ("the margin of the hinge", margin, "finite")
            }
            Loss::MeanPower { power } if !(1.0..f64::INFINITY).contains(&power) => {
                ("the power of the loss", power, "at least 1 and finite")
            }
            Loss::CrossEntropy
            | Loss::HalfMeanSquare
            | Loss::MeanSquare
            | Loss::QuadraticHinge { .. }
            | Loss::MeanPower { .. } => return Ok(()),
        };
        Err(PredictError::Argument {
            name,
            value,
            condition,
        })
    }
}

impl<'a> GradientFlow<'a> {
    /// Starts from a network, of which it keeps a copy.
    #[must_use]
    pub fn new(network: &Network) -> Self {
        Self {
            network: network.clone(),
            settings: Settings {
                kernel: Kernel::Ntk,
                loss: Loss::HalfMeanSquare,
                learning_rate: 1.0,
                momentum: None,
                tolerance: (1e-6, 1e-6),
                ridge_added: 0.0,
            },
            ridge: Ridge::default(),
            observer: &(),
        }
    }

    /// Sets which kernel it uses: the NTK unless set, with which all layers are trained; with the
    /// NNGP it is the last one alone.
    #[must_use]
    pub fn kernel(mut self, kernel: Kernel) -> Self {
        self.settings.kernel = kernel;
        self
    }

    /// Sets the loss: [`Loss::HalfMeanSquare`] unless set.
    #[must_use]
    pub fn loss(mut self, loss: Loss) -> Self {
        self.settings.loss = loss;
        self
    }

    /// Sets the learning rate eta, which is above zero: 1 unless set.
    #[must_use]
    pub fn learning_rate(mut self, learning_rate: f64) -> Self {
        self.settings.learning_rate = learning_rate;
        self
    }

    /// Sets the momentum m, `0 <= m < 1`: gradient descent is without momentum unless set.
    ///
    /// It is the limit of heavy-ball steps for small learning rates, `f'' = -(1 - m) f' - eta K
    /// dL/df` from rest; 0 is not the same as none (see [`MseFlow::momentum`]).
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.settings.momentum = Some(momentum);
        self
    }

    /// Sets what is added to the diagonal of the kernel: nothing unless set.
    #[must_use]
    pub fn ridge(mut self, ridge: impl Into<Ridge>) -> Self {
        self.ridge = ridge.into();
        self
    }

    /// Sets the error allowed in a step of the solver, where the loss has no closed form: both
    /// 1e-6 unless set; see [`Flow::tolerance`].
    #[must_use]
    pub fn tolerance(mut self, relative: f64, absolute: f64) -> Self {
        self.settings.tolerance = (relative, absolute);
        self
    }

    /// Computes the kernel of `x` (n samples), for targets `y`, (n) or (n, outputs).
    ///
    /// Cost: the kernel, and for a squared loss its eigenvectors, up to about `7 n^3` operations.
    ///
    /// # Errors
    /// [`EstimatorError`]: for samples or targets that do not fit together or the network, entries
    /// that are not finite, and settings outside their domains.
    pub fn fit<'x, T: Real, E: Dimension>(
        &self,
        x: impl Into<Inputs<'x, T>>,
        y: &ArrayRef<T, E>,
    ) -> Result<FittedGradientFlow<T>, EstimatorError> {
        let mut settings = self.settings;
        settings.check()?;
        let (samples, y) = Samples::new(&self.network, x.into(), y)?;
        settings.loss.check_targets(&y)?;
        let kernels = samples.kernel_fn().observer(self.observer);
        let mut k_dd = kernels.kernel(settings.kernel, &samples.x)?;
        let state = match settings.squared() {
            Some(learning_rate) => {
                let mut flow = MseFlow::new(&k_dd, &y, learning_rate, self.ridge)?;
                if let Some(momentum) = settings.momentum {
                    flow = flow.momentum(momentum)?;
                }
                settings.ridge_added = flow.ridge_added();
                State::Closed(Box::new(flow))
            }
            None => {
                check::finite("the training kernel", &k_dd)?;
                settings.ridge_added = self.ridge.added(&k_dd).map_err(PredictError::from)?;
                let added = T::of(settings.ridge_added);
                k_dd.diag_mut().mapv_inplace(|v| v + added);
                State::Solved(k_dd)
            }
        };
        Ok(FittedGradientFlow {
            samples,
            settings,
            y,
            state,
        })
    }
}

/// A `FittedGradientFlow` predicts at any time of training; [`GradientFlow::fit`] makes one.
#[derive(Debug, Clone)]
pub struct FittedGradientFlow<T: Real> {
    samples: Samples<T>,
    settings: Settings,
    y: Array2<T>,
    state: State<T>,
}

/// What a flow is followed by.
#[derive(Debug, Clone)]
enum State<T: Real> {
    /// Of a squared loss.
    Closed(Box<MseFlow<T>>),
    /// Of any other, with the kernel of the samples and the ridge.
    Solved(Array2<T>),
}

shared_methods!(FittedGradientFlow);
observed!(GradientFlow);

const KIND: &str = "FittedGradientFlow";

impl<T: Real> FittedGradientFlow<T> {
    /// Predicts the outputs at the samples `z` after training to the end, (m, outputs).
    ///
    /// Along eigenvectors whose eigenvalue cannot be told from zero nothing is learned; otherwise
    /// it is kernel ridge regression with the same ridge.
    ///
    /// # Errors
    /// [`EstimatorError::NoEnd`] where the loss is not a squared one; [`EstimatorError::Kernel`]
    /// where `z` has samples of another shape than those fitted, more than there is memory for, or
    /// entries that are not finite.
    pub fn predict<'z>(&self, z: impl Into<Inputs<'z, T>>) -> Result<Array2<T>, EstimatorError> {
        let outputs = self.predict_at(z, &[f64::INFINITY])?;
        Ok(outputs.index_axis_move(Axis(0), 0))
    }

    /// Predicts the outputs at the samples `z` at these times, (times, m, outputs).
    ///
    /// Times count steps of gradient descent, ascend, and end in infinity at most. Cost: the kernel
    /// of m with n samples; for a squared loss `2 n (n + m)` operations for each time and output,
    /// for another the solution from the beginning, as [`Flow::solve`].
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::GradientFlow;
    /// use ntk_kernels::network::{Network, dense, relu};
    /// use ntk_kernels::predict::Loss;
    ///
    /// let network = Network::new().then(dense()).then(relu()).then(dense());
    /// let (x, one_hot) = (array![[1.0, 0.0], [0.0, 1.0]], array![[1.0, 0.0], [0.0, 1.0]]);
    /// let fitted = GradientFlow::new(&network).loss(Loss::CrossEntropy).fit(&x, &one_hot)?;
    /// let logits = fitted.predict_at(&array![[0.8, 0.1]], &[1.0, 10.0])?;
    /// assert!(logits[[1, 0, 0]] > logits[[0, 0, 0]]); // ever surer of class 0
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`FittedGradientFlow::predict`]; [`EstimatorError::Predict`] for times that are negative
    /// or do not ascend, and where the solver fails.
    pub fn predict_at<'z>(
        &self,
        z: impl Into<Inputs<'z, T>>,
        times: &[f64],
    ) -> Result<Array3<T>, EstimatorError> {
        // Before the work on the kernel.
        self.check(times)?;
        let z = &z.into();
        let outputs = times.len().saturating_mul(self.y.ncols());
        self.samples.check_memory(z, [1, 0], outputs)?;
        let k_td = self.samples.kernel_of(self.settings.kernel, z)?;
        match &self.state {
            State::Closed(flow) => Ok(flow.test(times, &k_td)?),
            State::Solved(k_dd) => {
                let path = self.solve(k_dd, times)?;
                Ok(path.test(&k_td)?.mapv(T::of))
            }
        }
    }

    /// Computes the outputs at the training samples at these times, (times, n, outputs).
    ///
    /// With a ridge they differ from what [`FittedGradientFlow::predict_at`] gives there: training
    /// outputs move with the kernel and its ridge, and so end at the targets, whereas predictions
    /// are those of ridge regression.
    ///
    /// # Errors
    /// As [`FittedGradientFlow::predict_at`].
    pub fn training_outputs(&self, times: &[f64]) -> Result<Array3<T>, EstimatorError> {
        self.check(times)?;
        match &self.state {
            State::Closed(flow) => Ok(flow.train(times)?),
            State::Solved(k_dd) => Ok(self.solve(k_dd, times)?.train.mapv(T::of)),
        }
    }

    /// Returns the targets, (n, outputs).
    pub fn y(&self) -> &Array2<T> {
        &self.y
    }

    /// Returns what was added to the diagonal of the kernel.
    pub fn ridge_added(&self) -> f64 {
        self.settings.ridge_added
    }

    /// Writes the estimator as the bytes of a safetensors file: arrays `x`, `y`, and of a squared
    /// loss `eigenvalues` and `eigenvectors`, one a row, of another the lower half of the kernel
    /// with its ridge, column by column, as `kernel`.
    ///
    /// # Errors
    /// [`EstimatorError::File`] for a network with layers or activations of one's own.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, EstimatorError> {
        let mut arrays = vec![("y", self.y.view().into_dyn())];
        let packed;
        match &self.state {
            State::Closed(flow) => {
                let eigen = flow.eigen();
                arrays.push(("eigenvalues", eigen.values.view().into_dyn()));
                arrays.push(("eigenvectors", eigen.vectors.t().into_dyn()));
            }
            State::Solved(k_dd) => {
                packed = file::packed(k_dd);
                arrays.push(("kernel", packed.view()));
            }
        }
        Ok(file::write(
            KIND,
            self.samples.written(),
            &self.settings,
            &arrays,
            &[],
        )?)
    }

    /// Reads what [`FittedGradientFlow::to_safetensors`] wrote; predictions are then the same to
    /// the last bit.
    ///
    /// # Errors
    /// [`EstimatorError::File`] for bytes of anything else, of another element type, or damaged.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, EstimatorError> {
        let file: FileContents<'_, Settings> = FileContents::read(bytes, KIND)?;
        let settings = file.settings;
        settings.check()?;
        file::added(settings.ridge_added)?;
        let squared = settings.squared();
        file.has(match squared {
            Some(_) => &["eigenvalues", "eigenvectors", "x", "y"],
            None => &["kernel", "x", "y"],
        })?;
        let samples = Samples::read(&file)?;
        let n = samples.count();
        let y: Array2<T> = file.outputs("y", n)?;
        let state = match squared {
            Some(learning_rate) => {
                let eigen = Eigh {
                    values: file.eigenvalues("eigenvalues", n)?,
                    // Column-major, as they were.
                    vectors: file.matrix("eigenvectors", (n, n))?.reversed_axes(),
                };
                let (momentum, added) = (settings.momentum, settings.ridge_added);
                let flow = MseFlow::from_eigen(eigen, y.clone(), learning_rate, momentum, added)?;
                State::Closed(Box::new(flow))
            }
            None => State::Solved(file.symmetric("kernel", n)?),
        };
        Ok(Self {
            samples,
            settings,
            y,
            state,
        })
    }

    /// Refuses times at which the flow has no outputs.
    fn check(&self, times: &[f64]) -> Result<(), EstimatorError> {
        check::times(times, 0.0)?;
        match &self.state {
            State::Solved(_) if times.contains(&f64::INFINITY) => Err(EstimatorError::NoEnd {
                loss: self.settings.loss,
            }),
            State::Solved(_) | State::Closed(_) => Ok(()),
        }
    }

    /// The solution from zero.
    fn solve(&self, k_dd: &Array2<T>, times: &[f64]) -> Result<Trajectory, PredictError> {
        let Settings {
            loss,
            learning_rate,
            momentum,
            tolerance,
            ..
        } = self.settings;
        let y = self.y.mapv(Real::to_f64);
        let mut flow = Flow::new(k_dd, &y, loss)?
            .learning_rate(learning_rate)?
            .tolerance(tolerance.0, tolerance.1)?;
        if let Some(momentum) = momentum {
            flow = flow.momentum(momentum)?;
        }
        flow.solve(&mut flow.start(), times)
    }
}
