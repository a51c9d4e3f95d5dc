//! What is measured, and on which samples.

use super::{RecordError, Value};
use crate::Loss;
use crate::compiled::Scalar;
use crate::empirical::{EmpiricalError, Trace};
use crate::model::Model;
use ndarray::{Array1, Array2, ArrayView, ArrayView2, ArrayViewD, Axis, CowArray, Dimension, Ix2};
use ntk_entropy::{
    Normalization, Spectrum, combination, covariance, magnitude, multi_output, von_neumann,
};
use ntk_linalg::Real;
use serde::{Deserialize, Serialize};

/// One thing to measure of a model on n samples. Kernels are empirical NTKs, dropout is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The loss that is trained, over all samples.
    Loss,
    /// The share of samples whose largest output (the first of equal ones) stands where the
    /// largest target does; of one output, where both are positive or neither is.
    Accuracy,
    /// Outputs (n, outputs).
    Predictions,
    /// The loss' derivative by the outputs, (n, outputs).
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
    /// The von Neumann entropy in nats of `K_ij / sqrt(K_ii K_jj)` over its trace.
    CovarianceEntropy,
}

impl Measure {
    /// As in the names of columns.
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

    /// Whether it has a number for every sample, from which classes can be cut out later.
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

/// A kernel of a model on samples, as [`Model::ntk`] gives it.
pub(super) type Kernel<'k, T> =
    dyn Fn(ArrayViewD<'_, T>, Trace) -> Result<Array2<T>, EmpiricalError> + 'k;

/// Samples, and what is measured on them.
///
/// Columns are named `probe.measure`, and of classes `probe.measure(0,1)`.
#[derive(Clone)]
pub struct Probe<'a, T: Scalar> {
    name: String,
    x: ArrayViewD<'a, T>,
    y: ArrayView2<'a, T>,
    measures: Vec<Measure>,
    trace: Trace,
    labels: Vec<usize>,
    combinations: Vec<Vec<usize>>,
}

impl<'a, T: Scalar> Probe<'a, T> {
    /// Measures of inputs `x` (n, ...) and targets `y` (n, outputs) by a name such as `train`.
    #[must_use]
    pub fn new<D: Dimension>(
        name: &str,
        x: ArrayView<'a, T, D>,
        y: ArrayView2<'a, T>,
        measures: impl IntoIterator<Item = Measure>,
    ) -> Self {
        Self {
            name: name.to_string(),
            x: x.into_dyn(),
            y,
            measures: measures.into_iter().collect(),
            trace: Trace::Traced,
            labels: y.rows().into_iter().map(class).collect(),
            combinations: Vec::new(),
        }
    }

    /// Of the kernel of this kind; the traced one unless said.
    #[must_use]
    pub fn trace(mut self, trace: Trace) -> Self {
        self.trace = trace;
        self
    }

    /// The samples' classes (n). Unless said, a sample's class is the place of its largest
    /// target, or of one output 1 where the target is positive and 0 elsewhere.
    #[must_use]
    pub fn labels(mut self, labels: Vec<usize>) -> Self {
        self.labels = labels;
        self
    }

    /// Also measures every combination of at most `largest` of `classes`, smaller ones first and
    /// then in the order given: blocks of the one kernel, whose rows are class by class. What
    /// has numbers for every sample (predictions, loss derivative, NTK) is recorded whole alone.
    ///
    /// There are `2^classes - 1` combinations of all sizes.
    #[must_use]
    pub fn classes(mut self, classes: &[usize], largest: usize) -> Self {
        self.combinations = combination::combinations(classes, largest);
        self
    }

    /// The names of the columns, in their order.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        let columns = self.measures.iter().flat_map(|&measure| {
            let parts = self
                .combinations
                .iter()
                .filter(move |_| !measure.by_sample());
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

    /// Whether the model can be measured on these samples.
    pub(super) fn check(&self, model: &Model<T>) -> Result<(), RecordError> {
        let rows = model.rows(self.x.view())?.nrows();
        model.check_targets(rows, self.y)?;
        if self.labels.len() != self.y.nrows() {
            return Err(RecordError::Labels {
                probe: self.name.clone(),
                expected: self.y.nrows(),
                found: self.labels.len(),
            });
        }
        let mut named = self.combinations.iter().flatten();
        match named.find(|class| !self.labels.contains(class)) {
            None => Ok(()),
            Some(&class) => Err(RecordError::EmptyClass {
                probe: self.name.clone(),
                class,
            }),
        }
    }

    /// The columns' values, in the order of [`Probe::columns`].
    pub(super) fn values(
        &self,
        model: &Model<T>,
        loss: Loss,
        kernel: &Kernel<'_, T>,
    ) -> Result<Vec<Value>, RecordError> {
        let any = |wanted: fn(Measure) -> bool| self.measures.iter().any(|&m| wanted(m));
        let outputs = match any(Measure::of_outputs) {
            true => model.forward(self.x.view())?,
            false => Array2::zeros((0, 0)),
        };
        let kernel = match any(|m| !m.of_outputs()) {
            true => kernel(self.x.view(), self.trace)?,
            false => Array2::zeros((0, 0)),
        };
        let copies = match self.trace {
            Trace::Traced => 1,
            Trace::Full => model.outputs(),
        };
        let whole = Part {
            loss,
            outputs: outputs.view().into(),
            targets: self.y.into(),
            kernel: kernel.view().into(),
            spectrum: None,
        };
        let mut parts = vec![whole];
        for combination in &self.combinations {
            let rows = combination::rows(&self.labels, combination);
            let sides = multi_output::sides(&rows, copies);
            // What is not measured is empty.
            let cut = |a: &Array2<T>, rows: &[usize]| match a.is_empty() {
                true => a.clone(),
                false => a.select(Axis(0), rows),
            };
            parts.push(Part {
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

/// The place of the largest target; of one, whether it is positive.
fn class<T: Real>(targets: ndarray::ArrayView1<'_, T>) -> usize {
    if let [only] = targets.to_vec()[..] {
        return usize::from(only > T::zero());
    }
    let mut best = 0;
    for (place, &target) in targets.iter().enumerate() {
        // NaN is no largest, so that no other entry is compared with one.
        if target > targets[best] || targets[best].is_nan() {
            best = place;
        }
    }
    best
}

/// Some of the samples.
struct Part<'p, T: Scalar> {
    loss: Loss,
    outputs: CowArray<'p, T, Ix2>,
    targets: CowArray<'p, T, Ix2>,
    kernel: CowArray<'p, T, Ix2>,
    /// Eigenvalues, and the spectrum where they have one.
    spectrum: Option<(Array1<f64>, Option<Spectrum>)>,
}

impl<T: Scalar> Part<'_, T> {
    fn value(&mut self, measure: Measure) -> Value {
        let outputs = self.outputs.view();
        match measure {
            Measure::Loss => Value::Scalar(self.loss.with_gradient(outputs, self.targets.view()).0),
            Measure::Accuracy => Value::Scalar(self.accuracy()),
            Measure::Predictions => Value::Matrix(outputs.mapv(Real::to_f64)),
            Measure::LossDerivative => {
                let (_, derivative) = self.loss.with_gradient(outputs, self.targets.view());
                Value::Matrix(derivative.mapv(Real::to_f64))
            }
            Measure::Ntk => Value::Matrix(self.kernel.mapv(Real::to_f64)),
            Measure::Trace => {
                let diagonal = self.kernel.diag();
                Value::Scalar(diagonal.fold(0.0, |sum, &v| sum + Real::to_f64(v)))
            }
            Measure::Eigenvalues => Value::Vector(self.spectrum().0.clone()),
            Measure::Entropy => self.of_spectrum(von_neumann::entropy),
            Measure::EffectiveEntropy => self.of_spectrum(von_neumann::effective),
            Measure::MagnitudeEntropy => {
                Value::Scalar(magnitude::entropy(self.kernel.view()).unwrap_or(f64::NAN))
            }
            Measure::CovarianceEntropy => {
                Value::Scalar(covariance::entropy(self.kernel.view()).unwrap_or(f64::NAN))
            }
        }
    }

    /// NaN of no samples.
    fn accuracy(&self) -> f64 {
        let rows = self.outputs.rows().into_iter().zip(self.targets.rows());
        let right = rows
            .filter(|(f, y)| !f.iter().any(|f| f.is_nan()) && class(f.view()) == class(y.view()))
            .count();
        right as f64 / self.outputs.nrows() as f64
    }

    fn of_spectrum(&mut self, entropy: fn(&Spectrum) -> f64) -> Value {
        let spectrum = self.spectrum().1.as_ref();
        Value::Scalar(spectrum.map_or(f64::NAN, entropy))
    }

    fn spectrum(&mut self) -> &(Array1<f64>, Option<Spectrum>) {
        let kernel = &self.kernel;
        self.spectrum
            .get_or_insert_with(|| match ntk_linalg::eigenvalues(kernel.view()) {
                Ok(values) => {
                    let spectrum =
                        Spectrum::of_eigenvalues(values.view(), Normalization::Trace).ok();
                    (values.mapv(Real::to_f64), spectrum)
                }
                Err(_) => (Array1::from_elem(kernel.nrows(), f64::NAN), None),
            })
    }
}
