//! Weights from arrays, as Keras, flax and jax.stax hold them.

use super::layout::FileLayout;
use super::{NamedShape, ParameterSource, WeightsError, WrongShape};
use crate::compiled::Scalar;
use crate::model::Model;
use ndarray::ArrayD;
use ntk_kernels::Network;
use ntk_kernels::network::{Parameter, Parameterization, Shape};
use ntk_linalg::Real;

impl<T: Scalar> Model<T> {
    /// Makes the model of `network`, for samples of shape `input`, with weights as Keras, flax
    /// and `jax.stax` hold them: (in, out) for a dense layer, (height, width, in, out) or
    /// (length, in, out) for a convolution, and (out) for a bias. Its outputs are that model's but
    /// for rounding.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::network::{Network, Parameterization, dense, relu};
    /// use ntk_train::Model;
    ///
    /// let network = Network::new()
    ///     .then(dense().width(2).b_std(0.0))
    ///     .then(relu())
    ///     .then(dense().width(1))
    ///     .parameterization(Parameterization::Standard);
    /// let arrays = [
    ///     array![[1.0, -1.0], [2.0, 0.5]].into_dyn(), // a kernel
    ///     array![0.0, 1.0].into_dyn(),                // its bias
    ///     array![[1.0], [1.0]].into_dyn(),            // the next kernel
    /// ];
    /// let model = Model::<f64>::from_arrays(&network, 2, arrays)?;
    /// let f: f64 = model.forward(&array![[1.0, 1.0]])?[[0, 0]];
    /// assert!((f - 3.5).abs() < 1e-12); // relu(3) + relu(0.5)
    /// # Ok::<(), ntk_train::Error>(())
    /// ```
    ///
    /// - Arrays are in the order of the layers, as `model.get_weights()` of Keras returns them.
    ///   Within a layer weights and bias come in either order and are told apart by their axes.
    ///   Axes of length 1 before a bias' last, which `jax.stax` has, are allowed.
    /// - A layer has a bias where its `b_std` is given, 0 included.
    /// - The arrays are what the layer multiplies by and adds, which is the standard
    ///   parameterisation: the network must be in it, since the tangent kernel depends on it.
    ///
    /// # Errors
    /// [`WeightsError`]: those of [`Model::new`], [`WeightsError::Parameterization`] for a network
    /// in NTK parameterisation, and numbers and shapes of arrays as expected and found.
    pub fn from_arrays(
        network: &Network,
        input: impl Into<Shape>,
        arrays: impl IntoIterator<Item = ArrayD<T>>,
    ) -> Result<Self, WeightsError> {
        T::from_arrays(network, &input.into(), arrays.into_iter().collect())
    }
}

/// [`Model::from_arrays`].
pub(crate) fn from_arrays<T: Scalar>(
    network: &Network,
    input: &Shape,
    mut arrays: Vec<ArrayD<T>>,
) -> Result<Model<T>, WeightsError> {
    let mut model: Model<T> = T::blank(network, input)?;
    if network.parameterization == Parameterization::Ntk {
        let library = "Keras, flax and jax.stax";
        return Err(WeightsError::Parameterization { library });
    }
    let parameters: Vec<&Parameter> = model.graph().parameters().collect();
    if parameters.len() != arrays.len() {
        let named = |name: &str, axes: &[usize]| NamedShape {
            name: name.to_string(),
            axes: axes.to_vec(),
        };
        let found = arrays.iter().enumerate();
        return Err(WeightsError::Names {
            expected: parameters.iter().map(|p| named(&p.name, &p.axes)).collect(),
            found: found
                .map(|(i, a)| named(&format!("array {i}"), a.shape()))
                .collect(),
        });
    }
    let mut number = 0;
    for node in &model.graph().nodes {
        let own = &node.parameters;
        // A bias before its weights.
        if let [weights, bias] = &own[..]
            && !(fits(weights, &arrays[number]) && fits(bias, &arrays[number + 1]))
        {
            arrays.swap(number, number + 1);
            if !(fits(weights, &arrays[number]) && fits(bias, &arrays[number + 1])) {
                arrays.swap(number, number + 1);
            }
        }
        number += own.len();
    }
    let both = || parameters.iter().zip(&arrays);
    let wrong = both().filter(|(parameter, array)| !fits(parameter, array));
    let wrong: Vec<_> = wrong
        .map(|(parameter, array)| WrongShape {
            name: parameter.name.clone(),
            expected: parameter.axes.clone(),
            found: array.shape().to_vec(),
        })
        .collect();
    if !wrong.is_empty() {
        return Err(WeightsError::Shapes(wrong));
    }
    let mut matrices = Vec::with_capacity(arrays.len());
    for (parameter, array) in both() {
        let name = parameter.name.clone();
        let layout = FileLayout::unchanged(&parameter.axes);
        let source = ParameterSource { name, layout };
        let numbers = array.iter().map(|&v| Real::to_f64(v)).collect();
        let numbers = ArrayD::from_shape_vec(&parameter.axes[..], numbers);
        matrices.push(source.matrix(numbers.expect("the axes fit"), parameter.shape)?);
    }
    model.set_parameters(matrices)?;
    Ok(model)
}

/// Says whether an array has a parameter's axes, but for axes of length 1 before those of a bias.
fn fits<T>(parameter: &Parameter, array: &ArrayD<T>) -> bool {
    let (expected, found) = (&parameter.axes[..], array.shape());
    let more = found.len().saturating_sub(expected.len());
    let ones = expected.len() == 1 && found[..more].iter().all(|&axis| axis == 1);
    found[more..] == *expected && (more == 0 || ones)
}
