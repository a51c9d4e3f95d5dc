//! Refuses results that are not finite, and says at which layer they left the numbers.

use crate::compiled::Scalar;
use crate::model::Model;
use crate::model_error::ModelError;
use ndarray::{Array2, ArrayViewD, Axis};
use ntk_kernels::Inputs;
use ntk_kernels::Kernel;
use ntk_linalg::Real;

impl<T: Scalar> Model<T> {
    /// Computes the outputs (n, outputs) of inputs (n, ...), dropout switched off.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::network::{Network, dense};
    /// use ntk_train::{Init, Model};
    ///
    /// let network = Network::new().then(dense().width(1));
    /// let mut model = Model::new(&network, 4, Init::default(), 0)?;
    /// model.set_parameters(vec![array![[3.0], [4.0], [0.0], [1.0]]])?;
    /// // In NTK parameterisation the weights are divided by the root of the number of inputs.
    /// assert_eq!(model.forward(&array![[1.0, 1.0, 1.0, 1.0]])?, array![[4.0]]);
    /// # Ok::<(), ntk_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ModelError::Input`] where samples have another shape than the model takes,
    /// [`ModelError::Memory`] where there is too little, [`ModelError::NotFinite`] where an output is
    /// NaN or infinite.
    pub fn forward<'x>(&self, x: impl Into<Inputs<'x, T>>) -> Result<Array2<T>, ModelError> {
        let x = x.into();
        outputs(self, &x, T::forward(self, x.view())?)
    }
}

/// Returns outputs (n, outputs) of `x`, or refuses them.
fn outputs<T: Scalar>(
    model: &Model<T>,
    x: &Inputs<'_, T>,
    outputs: Array2<T>,
) -> Result<Array2<T>, ModelError> {
    match first(&outputs) {
        None => Ok(outputs),
        Some(((sample, output), value)) => Err(ModelError::NotFinite {
            what: format!("output {output} of x[{sample}]"),
            value,
            place: place(model, &[of(x, sample)]),
            precision: T::NAME,
        }),
    }
}

/// Returns the Jacobian by rows of samples and outputs, or refuses it.
pub(crate) fn jacobian<T: Scalar>(
    model: &Model<T>,
    x: &Inputs<'_, T>,
    jacobian: Array2<T>,
) -> Result<Array2<T>, ModelError> {
    match first(&jacobian) {
        None => Ok(jacobian),
        Some(((row, _), value)) => {
            let (sample, output) = (row / model.outputs(), row % model.outputs());
            Err(ModelError::NotFinite {
                what: format!("a derivative of output {output} of x[{sample}]"),
                value,
                place: place(model, &[of(x, sample)]),
                precision: T::NAME,
            })
        }
    }
}

/// Returns an empirical kernel, with `side` rows and columns for a sample, or refuses it; it begins with
/// the samples of these numbers.
pub(crate) fn kernel<'x, T: Scalar>(
    model: &Model<T>,
    (kernel, side): (Kernel, usize),
    begin: (usize, usize),
    (x1, x2): (&'x Inputs<'x, T>, Option<&'x Inputs<'x, T>>),
    matrix: Array2<T>,
) -> Result<Array2<T>, ModelError> {
    let Some(((row, column), value)) = first(&matrix) else {
        return Ok(matrix);
    };
    let (others, other) = x2.map_or((x1, "x1"), |x2| (x2, "x2"));
    let (i, j) = (begin.0 + row / side, begin.1 + column / side);
    let outputs = match side {
        1 => String::new(),
        _ => format!(" (outputs {} and {})", row % side, column % side),
    };
    Err(ModelError::NotFinite {
        what: format!("the empirical {kernel} of x1[{i}] with {other}[{j}]{outputs}"),
        value,
        place: place(model, &[of(x1, i), of(others, j)]),
        precision: T::NAME,
    })
}

/// Returns the trace of a kernel, or refuses it.
pub(crate) fn trace<T: Scalar>(
    model: &Model<T>,
    x: &Inputs<'_, T>,
    trace: f64,
) -> Result<f64, ModelError> {
    if trace.is_finite() {
        return Ok(trace);
    }
    let samples: Vec<_> = (0..x.x.len_of(Axis(0)))
        .map(|sample| of(x, sample))
        .collect();
    Err(ModelError::NotFinite {
        what: "the trace of the empirical ntk".into(),
        value: trace,
        place: place(model, &samples),
        precision: T::NAME,
    })
}

/// Finds the first entry that is not finite: its place and value.
fn first<T: Scalar>(a: &Array2<T>) -> Option<((usize, usize), f64)> {
    let bad = |v: &T| !Real::to_f64(*v).is_finite();
    // The plain pass comes first, and is nearly always all.
    if !a.iter().any(bad) {
        return None;
    }
    let (at, &value) = a.indexed_iter().find(|(_, v)| bad(v))?;
    Some((at, Real::to_f64(value)))
}

fn of<'a, T>(x: &'a Inputs<'_, T>, sample: usize) -> Inputs<'a, T> {
    let one = x.slice(sample..sample + 1);
    one.expect("a sample of which something was computed")
}

/// Says from where on numbers of the samples are not finite.
fn place<T: Scalar>(model: &Model<T>, samples: &[Inputs<'_, T>]) -> String {
    let bad = |values: ArrayViewD<'_, T>| values.iter().any(|&v| !Real::to_f64(v).is_finite());
    if samples.iter().any(|x| bad(x.x.view())) {
        return "the input".into();
    }
    let graph = model.graph();
    for x in samples {
        let Ok(values) = T::activations(model, x.view()) else {
            continue;
        };
        let at = values.iter().position(|v| bad(v.view()));
        if let Some(node) = at.and_then(|at| graph.layers.get(at)) {
            let node = &graph.nodes[*node];
            return format!("{}.{}", node.path, node.layer.name());
        }
    }
    let ones = Array2::from_elem((1, model.outputs()), T::one());
    for x in samples {
        let Ok(derivatives) = T::vjp(model, x.view(), ones.view()) else {
            continue;
        };
        // The way goes backwards: the last is the first to overflow.
        let at = derivatives.iter().rposition(|d| bad(d.view().into_dyn()));
        if let Some(name) = at.and_then(|at| model.parameter_names().get(at).copied()) {
            return format!("the derivative by {name}");
        }
    }
    "the products of both samples".into()
}
