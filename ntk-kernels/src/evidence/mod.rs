//! Chooses hyperparameters by the evidence: how probable a Gaussian process makes the targets.
//!
//! An [`Evidence`] computes the log marginal likelihood or the leave-one-out log predictive probability
//! of a network's process, with their derivatives by the network's hyperparameters, the noise and the
//! scale of outputs, all in f64 and in closed form; [`Evidence::optimise`] follows them uphill.

mod error;
mod objective;
mod optimise;

pub use error::EvidenceError;
pub use objective::Objective;
pub use optimise::{Optimised, Optimiser, Run};

use crate::closed_form::Kernel;
use crate::estimators::EstimatorError;
use crate::estimators::samples::targets;
use crate::inputs::Inputs;
use crate::network::{HyperparameterError, Hyperparameters, Network, scale};
use crate::predict::check;
use ndarray::{ArrayRef, Dimension};
use ntk_linalg::{Observer, Real};

/// The name of the noise's variance among what is learned.
const NOISE: &str = "noise";
/// The name of the factor of the kernel.
const OUTPUT_SCALE: &str = "output_scale";

/// An `Evidence` says how probable a Gaussian process makes targets: with kernel K of a network, the
/// targets of each output are jointly normal with covariance `output_scale K + noise I`.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::Evidence;
/// use ntk_kernels::network::{Network, dense, relu};
///
/// let hidden = || dense().w_std(1.4).b_std(0.5);
/// let network = Network::new().then(hidden()).then(relu()).then(hidden());
/// let (x, y) = (array![[-1.0], [0.0], [0.5], [2.0]], array![1.0, 0.1, 0.4, 2.2]);
/// let evidence = Evidence::nngp(&network).noise(0.1).learn(&["w_std", "noise"])?;
/// let at = evidence.compute(&x, &y)?;
/// assert_eq!(at.names, ["w_std", "noise"]);
/// let best = evidence.optimise(&x, &y)?;
/// assert!(best.end.value > at.value);
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[derive(Clone)]
pub struct Evidence<'a> {
    network: Network,
    kernel: Kernel,
    objective: Objective,
    noise: f64,
    output_scale: f64,
    /// The network's hyperparameters that are learned.
    hyperparameters: Hyperparameters,
    /// What is learned, in the order that was asked for.
    learned: Vec<Learned>,
    optimiser: Optimiser,
    observer: &'a dyn Observer,
}

/// One number that is learned.
#[derive(Debug, Clone, PartialEq)]
enum Learned {
    /// The network's, by the number among those chosen.
    Network(usize, String),
    Noise,
    OutputScale,
}

impl Learned {
    fn name(&self) -> &str {
        match self {
            Self::Network(_, name) => name,
            Self::Noise => NOISE,
            Self::OutputScale => OUTPUT_SCALE,
        }
    }

    /// Says whether the number is positive, and learned by its logarithm: all but the parameters of
    /// activations.
    fn positive(&self) -> bool {
        match self {
            Self::Network(_, name) => name.ends_with("_std"),
            Self::Noise | Self::OutputScale => true,
        }
    }
}

/// An `EvidenceAt` is the evidence at one choice of hyperparameters.
#[derive(Debug, Clone, PartialEq)]
pub struct EvidenceAt {
    /// The value of the objective, in nats.
    pub value: f64,
    /// The names of what is learned.
    pub names: Vec<String>,
    /// The values of what is learned.
    pub at: Vec<f64>,
    /// The derivatives of the objective by each of them.
    pub gradient: Vec<f64>,
    /// What had to be added to the covariance's diagonal, so that it was positive definite to working
    /// precision; nearly always 0.
    pub jitter: f64,
}

impl<'a> Evidence<'a> {
    /// Starts from the process of an infinitely wide network with random weights.
    #[must_use]
    pub fn nngp(network: &Network) -> Self {
        Self::new(network, Kernel::Nngp)
    }

    /// Starts from the process whose covariance is the network's NTK.
    #[must_use]
    pub fn ntk(network: &Network) -> Self {
        Self::new(network, Kernel::Ntk)
    }

    fn new(network: &Network, kernel: Kernel) -> Self {
        let hyperparameters = Hyperparameters::none(network);
        Self {
            network: network.clone(),
            kernel,
            objective: Objective::default(),
            noise: 0.0,
            output_scale: 1.0,
            hyperparameters,
            learned: Vec::new(),
            optimiser: Optimiser::default(),
            observer: &(),
        }
    }

    /// Sets the variance of the targets' noise, from which learning starts; 0 unless set.
    #[must_use]
    pub fn noise(mut self, noise: f64) -> Self {
        self.noise = noise;
        self
    }

    /// Sets the factor of the kernel, from which learning starts; 1 unless set.
    #[must_use]
    pub fn output_scale(mut self, output_scale: f64) -> Self {
        self.output_scale = output_scale;
        self
    }

    /// Sets what is computed and optimised; the marginal likelihood unless set.
    #[must_use]
    pub fn objective(mut self, objective: Objective) -> Self {
        self.objective = objective;
        self
    }

    /// Sets how [`Evidence::optimise`] goes.
    #[must_use]
    pub fn optimiser(mut self, optimiser: Optimiser) -> Self {
        self.optimiser = optimiser;
        self
    }

    /// Reports progress to `observer`, which may also cancel; by default nothing does.
    #[must_use]
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// Chooses what is learned, and differentiated by: `"noise"`, `"output_scale"`, and hyperparameters
    /// of the network as [`Hyperparameters::select`] takes them, `"w_std"` for one value of all layers
    /// or `"layers[0].dense.w_std"` for one layer's.
    ///
    /// # Errors
    /// Fails as [`Hyperparameters::select`] does.
    pub fn learn<S: AsRef<str>>(mut self, names: &[S]) -> Result<Self, HyperparameterError> {
        let own = |name: &&str| [NOISE, OUTPUT_SCALE].contains(name);
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        for (number, name) in names.iter().enumerate() {
            if own(name) && names[..number].contains(name) {
                let name = (*name).to_owned();
                return Err(HyperparameterError::Twice {
                    first: name.clone(),
                    second: name.clone(),
                    name,
                });
            }
        }
        let of_network: Vec<&str> = names.iter().copied().filter(|name| !own(name)).collect();
        self.hyperparameters = Hyperparameters::select(&self.network, &of_network)?;
        let mut next = 0..;
        let learned = names.iter().map(|&name| match name {
            NOISE => Learned::Noise,
            OUTPUT_SCALE => Learned::OutputScale,
            _ => Learned::Network(next.next().unwrap_or_default(), name.into()),
        });
        self.learned = learned.collect();
        Ok(self)
    }

    /// Returns the network with the output scale as its last layer, whose kernel is the process'
    /// covariance without the noise.
    #[must_use]
    pub fn network(&self) -> Network {
        match self.output_scale == 1.0 {
            true => self.network.clone(),
            false => self.network.clone().then(scale(self.output_scale.sqrt())),
        }
    }

    /// Computes the objective of samples `x`, an array or [`Inputs`] with masks and graphs, and targets
    /// `y`, (n) or (n, outputs), and its derivatives by what is learned.
    ///
    /// Outputs are independent, each with this covariance, and the objective is the sum over them. Cost:
    /// three times that of the kernel and `2 n^3` operations, all in f64; memory: three (n, n) matrices.
    ///
    /// # Errors
    /// Returns an [`EvidenceError`] for samples and targets that do not fit together or the network, for
    /// entries that are not finite, a negative noise or scale, a covariance that is singular beyond a
    /// jitter of 1e-6 of its mean diagonal, and evidence or derivatives beyond f64.
    pub fn compute<'x, T: Real, E: Dimension>(
        &self,
        x: impl Into<Inputs<'x, T>>,
        y: &ArrayRef<T, E>,
    ) -> Result<EvidenceAt, EvidenceError> {
        let Inputs { x, structure } = x.into();
        let y = targets(y)?.mapv(Real::to_f64);
        let samples = x.shape().first().copied().unwrap_or(0);
        if y.nrows() != samples {
            let targets = y.nrows();
            return Err(EstimatorError::TargetRows { samples, targets }.into());
        }
        if y.is_empty() {
            let outputs = y.ncols();
            return Err(EstimatorError::Nothing { samples, outputs }.into());
        }
        check::finite("the targets", &y)?;
        for (name, value) in [(NOISE, self.noise), (OUTPUT_SCALE, self.output_scale)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(EvidenceError::Range { name, value });
            }
        }
        let kernel_fn = self.network.kernel_fn().precision::<f64>();
        let kernel_fn = kernel_fn.structure(&structure).observer(self.observer);
        let kernel = kernel_fn.kernel(self.kernel, &x)?;
        let mut covariance = &kernel * self.output_scale;
        covariance
            .diag_mut()
            .iter_mut()
            .for_each(|v| *v += self.noise);
        let found = self.objective.derived(covariance, &y)?;
        finite("the evidence", [&found.value])?;
        let by_scale = (&found.by_covariance * &kernel).sum();
        drop(kernel);
        let by_kernel = &found.by_covariance * self.output_scale;
        let by_network = match self.hyperparameters.is_empty() {
            true => Vec::new(),
            false => {
                finite("the derivative of the evidence by the kernel", &by_kernel)?;
                let chosen = &self.hyperparameters;
                kernel_fn.hyperparameter_gradient(self.kernel, chosen, &x, &by_kernel)?
            }
        };
        let gradient = self.learned.iter().map(|of| match of {
            Learned::Network(number, _) => by_network[*number],
            Learned::Noise => found.by_covariance.diag().sum(),
            Learned::OutputScale => by_scale,
        });
        let gradient: Vec<f64> = gradient.collect();
        for (of, by) in self.learned.iter().zip(&gradient) {
            finite(
                &format!("the derivative of the evidence by {}", of.name()),
                [by],
            )?;
        }
        Ok(EvidenceAt {
            value: found.value,
            names: self.learned.iter().map(|of| of.name().into()).collect(),
            at: self.values(),
            gradient,
            jitter: found.jitter,
        })
    }

    /// Returns the values of what is learned.
    fn values(&self) -> Vec<f64> {
        let of_network = self.hyperparameters.values();
        let value = |of: &Learned| match of {
            Learned::Network(number, _) => of_network[*number],
            Learned::Noise => self.noise,
            Learned::OutputScale => self.output_scale,
        };
        self.learned.iter().map(value).collect()
    }

    /// Makes the same with other values of what is learned.
    fn at(&self, values: &[f64]) -> Result<Self, HyperparameterError> {
        let mut changed = self.clone();
        let mut of_network = self.hyperparameters.values();
        for (of, &value) in self.learned.iter().zip(values) {
            match of {
                Learned::Network(number, _) => of_network[*number] = value,
                Learned::Noise => changed.noise = value,
                Learned::OutputScale => changed.output_scale = value,
            }
        }
        changed.network = self.hyperparameters.set(&self.network, &of_network)?;
        changed.hyperparameters = self.hyperparameters.at(&of_network);
        Ok(changed)
    }
}

/// Refuses what is beyond f64.
fn finite<'a>(what: &str, values: impl IntoIterator<Item = &'a f64>) -> Result<(), EvidenceError> {
    match values.into_iter().find(|value| !value.is_finite()) {
        None => Ok(()),
        Some(&value) => Err(EvidenceError::Overflow {
            what: what.into(),
            value,
        }),
    }
}
