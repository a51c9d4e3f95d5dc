//! What is measured, and on which samples.

use super::RecordError;
use crate::Loss;
use crate::compiled::Scalar;
use crate::empirical::Trace;
use crate::model::{Model, ModelError};
use ndarray::{Array1, Array2, ArrayD, ArrayRef2, ArrayView2, Axis, CowArray, Ix2, arr0};
use ntk_entropy::combination::MOST_COMBINATIONS;
use ntk_entropy::{
    Normalization, Spectrum, combination, covariance, magnitude, multi_output, von_neumann,
};
use ntk_kernels::Inputs;
use ntk_kernels::metrics::{self, argmax};
use ntk_linalg::Real;
use serde::{Deserialize, Serialize};

/// A `Measure` is one thing to measure of a model on n samples. Kernels are empirical NTKs, and
/// dropout is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The loss that is trained, over all samples.
    Loss,
    /// The share of samples whose largest output (the first of equal ones) stands where the
    /// largest target does; with a single output, of those where output and target are both
    /// positive or neither is.
    Accuracy,
    /// The outputs (n, outputs).
    Predictions,
    /// The derivative of the loss by the outputs, (n, outputs).
    LossDerivative,
    /// The kernel: (n, n) traced, (n outputs, n outputs) full.
    Ntk,
    /// The kernel's trace.
    Trace,
    /// The kernel's eigenvalues, ascending.
    Eigenvalues,
    /// The von Neumann entropy of the kernel over its trace, in nats.
    Entropy,
    /// [`Measure::Entropy`] divided by the logarithm of the kernel's dimension.
    EffectiveEntropy,
    /// The Shannon entropy in nats of `sqrt(K_ii) / sum_j sqrt(K_jj)`.
    MagnitudeEntropy,
    /// The von Neumann entropy in nats of the cosines `K_ij / sqrt(K_ii K_jj)` over their trace.
    CovarianceEntropy,
}

impl Measure {
    /// Returns the measure's name, as columns have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Accuracy => "accuracy",
            Self::Predictions => "predictions",
            Self::LossDerivative => "loss_derivative",
            Self::Ntk => "ntk",
            Self::Trace => "trace",
            Self::Eigenvalues => "eigenvalues",
            Self::Entropy => "entropy",
            Self::EffectiveEntropy => "effective_entropy",
            Self::MagnitudeEntropy => "magnitude_entropy",
            Self::CovarianceEntropy => "covariance_entropy",
        }
    }

    /// Says whether it has a number for every sample, from which classes can be cut out later.
    fn by_sample(self) -> bool {
        matches!(self, Self::Predictions | Self::LossDerivative | Self::Ntk)
    }

    fn of_outputs(self) -> bool {
        matches!(
            self,
            Self::Loss | Self::Accuracy | Self::Predictions | Self::LossDerivative
        )
    }
}

/// A function that computes a kernel on samples, as [`Model::ntk`] does.
pub(super) type NtkOf<'k, T> = dyn Fn(Inputs<'_, T>, Trace) -> Result<Array2<T>, ModelError> + 'k;

/// A `Probe` names the samples on which a [`Recorder`](super::Recorder) measures, and what it
/// measures there.
///
/// Columns are named `probe.measure`, and those of classes `probe.measure(0,1)`.
#[derive(Clone)]
pub struct Probe<'a, T: Scalar> {
    name: String,
    x: Inputs<'a, T>,
    y: ArrayView2<'a, T>,
    measures: Vec<Measure>,
    trace: Trace,
    labels: Vec<usize>,
    classes: Vec<usize>,
    /// The largest number of classes in a combination.
    largest: usize,
}

impl<'a, T: Scalar> Probe<'a, T> {
    /// Makes a probe with a name such as `train`, of samples `x` (n, ...) and targets `y`
    /// (n, outputs).
    #[must_use]
    pub fn new(
        name: &str,
        x: impl Into<Inputs<'a, T>>,
        y: &'a ArrayRef2<T>,
        measures: impl IntoIterator<Item = Measure>,
    ) -> Self {
        Self {
            name: name.to_string(),
            x: x.into(),
            y: y.view(),
            measures: measures.into_iter().collect(),
            trace: Trace::Traced,
            labels: argmax(y).to_vec(),
            classes: Vec::new(),
            largest: 0,
        }
    }

    /// Measures the full kernel, over all pairs of outputs, in place of the traced one.
    #[must_use]
    pub fn full(mut self) -> Self {
        self.trace = Trace::Full;
        self
    }

    /// Sets the samples' classes (n). By default a sample's class is the place of its largest
    /// target or, with a single output, 1 where the target is positive and 0 elsewhere.
    #[must_use]
    pub fn labels(mut self, labels: Vec<usize>) -> Self {
        self.labels = labels;
        self
    }

    /// Measures every combination of at most `largest` of `classes` beside all samples together,
    /// smaller ones first and then in the order given: blocks of the one kernel, whose rows are class by class. What
    /// has numbers for every sample (predictions, loss derivative, NTK) is recorded for all
    /// samples alone.
    ///
    /// There are `2^classes - 1` combinations of all sizes; 65 536 are the most.
    #[must_use]
    pub fn classes(mut self, classes: &[usize], largest: usize) -> Self {
        self.classes = classes.to_vec();
        self.largest = largest;
        self
    }

    fn combinations(&self) -> Vec<Vec<usize>> {
        // More than can be listed are refused by the check.
        combination::combinations(&self.classes, self.largest).unwrap_or_default()
    }

    /// Returns the names of the columns, in their order.
    pub(super) fn columns(&self) -> Vec<String> {
        let combinations = self.combinations();
        let columns = self.measures.iter().flat_map(|&measure| {
            let parts = combinations.iter().filter(move |_| !measure.by_sample());
            std::iter::once(self.column(measure, None))
                .chain(parts.map(move |part| self.column(measure, Some(part))))
        });
        columns.collect()
    }

    fn column(&self, measure: Measure, combination: Option<&[usize]>) -> String {
        let classes = combination.map_or(String::new(), |classes| {
            let classes: Vec<_> = classes.iter().map(ToString::to_string).collect();
            format!("({})", classes.join(","))
        });
        format!("{}.{}{classes}", self.name, measure.name())
    }

    /// Checks that the model can be measured on these samples.
    pub(super) fn check(&self, model: &Model<T>) -> Result<(), RecordError> {
        let n = model.rows(self.x.view())?.len();
        model.check_targets(n, self.y)?;
        let probe = || self.name.clone();
        if self.labels.len() != self.y.nrows() {
            return Err(RecordError::Labels {
                probe: probe(),
                expected: self.y.nrows(),
                found: self.labels.len(),
            });
        }
        if self.largest > 0
            && let Some(&class) = self.classes.iter().find(|c| !self.labels.contains(c))
        {
            return Err(RecordError::EmptyClass {
                probe: probe(),
                class,
            });
        }
        if combination::count(self.classes.len(), self.largest) > MOST_COMBINATIONS as f64 {
            return Err(RecordError::Combinations {
                probe: probe(),
                most: MOST_COMBINATIONS,
            });
        }
        Ok(())
    }

    /// Returns the columns' values, in the order of [`Probe::columns`].
    pub(super) fn values(
        &self,
        model: &Model<T>,
        loss: Loss,
        kernel: &NtkOf<'_, T>,
    ) -> Result<Vec<ArrayD<f64>>, RecordError> {
        let any = |wanted: fn(Measure) -> bool| self.measures.iter().any(|&m| wanted(m));
        let outputs = match any(Measure::of_outputs) {
            true => T::forward(model, self.x.view())?,
            false => Array2::zeros((0, 0)),
        };
        let kernel = match any(|m| !m.of_outputs()) {
            true => kernel(self.x.view(), self.trace)?,
            false => Array2::zeros((0, 0)),
        };
        let copies = self.trace.side(model.outputs());
        let whole = ClassBlock {
            loss,
            outputs: outputs.view().into(),
            targets: self.y.into(),
            kernel: kernel.view().into(),
            spectrum: None,
        };
        let mut parts = vec![whole];
        for combination in self.combinations() {
            let rows = combination::rows(&self.labels, &combination);
            let sides = multi_output::sides(&rows, copies).expect("rows of the kernel");
            // What no measure asks for is empty.
            let cut = |a: &Array2<T>, rows: &[usize]| match a.is_empty() {
                true => a.clone(),
                false => a.select(Axis(0), rows),
            };
            parts.push(ClassBlock {
                loss,
                outputs: cut(&outputs, &rows).into(),
                targets: self.y.select(Axis(0), &rows).into(),
                kernel: cut(&cut(&kernel, &sides).reversed_axes(), &sides)
                    .reversed_axes()
                    .into(),
                spectrum: None,
            });
        }
        let mut values = Vec::new();
        for &measure in &self.measures {
            let wanted = if measure.by_sample() { 1 } else { parts.len() };
            values.extend(parts[..wanted].iter_mut().map(|part| part.value(measure)));
        }
        Ok(values)
    }

    pub(super) fn describe(&self) -> serde_json::Value {
        serde_json::json!({ "name": self.name, "samples": self.y.nrows(), "kernel": self.trace })
    }
}

/// Some of the samples: all, or those of a combination of classes.
struct ClassBlock<'p, T: Scalar> {
    loss: Loss,
    outputs: CowArray<'p, T, Ix2>,
    targets: CowArray<'p, T, Ix2>,
    kernel: CowArray<'p, T, Ix2>,
    /// The eigenvalues, and the spectrum where they have one.
    spectrum: Option<(Array1<f64>, Option<Spectrum>)>,
}

fn scalar(value: f64) -> ArrayD<f64> {
    arr0(value).into_dyn()
}

fn matrix<T: Real>(value: ArrayView2<'_, T>) -> ArrayD<f64> {
    value.mapv(Real::to_f64).into_dyn()
}

impl<T: Scalar> ClassBlock<'_, T> {
    fn value(&mut self, measure: Measure) -> ArrayD<f64> {
        let outputs = self.outputs.view();
        match measure {
            Measure::Loss => {
                let found = self.loss.with_gradient(&outputs, &self.targets);
                scalar(found.expect("a target for every output").0)
            }
            Measure::Accuracy => scalar(self.accuracy()),
            Measure::Predictions => matrix(outputs),
            Measure::LossDerivative => {
                let found = self.loss.with_gradient(&outputs, &self.targets);
                let (_, derivative) = found.expect("a target for every output");
                matrix(derivative.view())
            }
            Measure::Ntk => matrix(self.kernel.view()),
            Measure::Trace => {
                let diagonal = self.kernel.diag();
                scalar(diagonal.fold(0.0, |sum, &v| sum + Real::to_f64(v)))
            }
            Measure::Eigenvalues => self.spectrum().0.clone().into_dyn(),
            Measure::Entropy => self.of_spectrum(von_neumann::entropy),
            Measure::EffectiveEntropy => self.of_spectrum(von_neumann::effective),
            Measure::MagnitudeEntropy => {
                scalar(magnitude::entropy(&self.kernel).unwrap_or(f64::NAN))
            }
            Measure::CovarianceEntropy => {
                scalar(covariance::entropy(&self.kernel).unwrap_or(f64::NAN))
            }
        }
    }

    /// Returns the share of right samples; NaN where there is none.
    fn accuracy(&self) -> f64 {
        metrics::accuracy(&self.outputs, &self.targets).unwrap_or(f64::NAN)
    }

    fn of_spectrum(&mut self, entropy: fn(&Spectrum) -> f64) -> ArrayD<f64> {
        let spectrum = self.spectrum().1.as_ref();
        scalar(spectrum.map_or(f64::NAN, entropy))
    }

    fn spectrum(&mut self) -> &(Array1<f64>, Option<Spectrum>) {
        let kernel = &self.kernel;
        self.spectrum
            .get_or_insert_with(|| match ntk_linalg::eigenvalues(kernel) {
                Ok(values) => {
                    let spectrum = Spectrum::of_eigenvalues(&values, Normalization::Trace).ok();
                    (values.mapv(Real::to_f64), spectrum)
                }
                Err(_) => (Array1::from_elem(kernel.nrows(), f64::NAN), None),
            })
    }
}
