//! Describes recurrent layers, whose weights are the same at every position of a sequence.

use super::{
    Action, Layer, LayerKind, NetworkError, Resolved, Shape, count_fault, deviations_fault, json,
    weights_and_biases,
};
use crate::dual::Activation;
use crate::network::action::{Recurrence, States};
use serde::Deserialize;
use serde_json::{Value, json};

/// A `Recurrent` layer goes through the positions of a sequence: `z_t = w/sqrt(N) W h_(t-1) + u/sqrt(C)
/// U x_t + b beta`, `h_t = phi(z_t)`, with the same weights at every position and `h_0 = 0`.
///
/// Its kernel is that of tied weights (Alemohammad et al. 2020, arXiv:2006.10246, theorem 1).
#[derive(Debug, Clone, PartialEq)]
pub struct Recurrent {
    /// The number of units.
    pub width: usize,
    /// The standard deviation of the weights between states, times `sqrt(width)`.
    pub w_std: f64,
    /// The standard deviation of the weights of the inputs, times the root of their channels.
    pub u_std: f64,
    /// The standard deviation of the biases at first; `None` means that the layer has none.
    pub b_std: Option<f64>,
    /// The number of biases, each of this standard deviation, that are added: 1, or 2 as in PyTorch's
    /// `RNN`, one with the inputs and one with the states. Tangent kernels count each.
    pub biases: usize,
    /// The activation, phi.
    pub activation: Activation,
    /// The states that the layer gives.
    pub states: States,
}

/// Makes a recurrent layer of 512 units with this activation, standard deviations 1, no bias, and the
/// last state as output.
///
/// ```
/// use ndarray::Array;
/// use ntk_kernels::network::{Network, dense, recurrent, relu};
///
/// let network = Network::new().then(recurrent(relu()).w_std(0.9)).then(dense());
/// let sequences = Array::from_elem((2, 8, 5), 0.5); // samples, length, channels
/// assert_eq!(network.ntk(&sequences)?.dim(), (2, 2));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[must_use]
pub fn recurrent(activation: impl Into<Activation>) -> Recurrent {
    Recurrent {
        width: 512,
        w_std: 1.0,
        u_std: 1.0,
        b_std: None,
        biases: 1,
        activation: activation.into(),
        states: States::Last,
    }
}

impl Recurrent {
    /// Sets the number of units.
    #[must_use]
    pub fn width(mut self, width: usize) -> Self {
        self.width = width;
        self
    }

    /// Sets the standard deviation of the weights between states, times `sqrt(width)`.
    #[must_use]
    pub fn w_std(mut self, w_std: f64) -> Self {
        self.w_std = w_std;
        self
    }

    /// Sets the standard deviation of the weights of the inputs, times the root of their channels.
    #[must_use]
    pub fn u_std(mut self, u_std: f64) -> Self {
        self.u_std = u_std;
        self
    }

    /// Gives the layer biases of this standard deviation, or by `None` takes them away.
    #[must_use]
    pub fn b_std(mut self, b_std: impl Into<Option<f64>>) -> Self {
        self.b_std = b_std.into();
        self
    }

    /// Sets the number of biases that are added, 1 or 2; see
    /// [`Recurrent::biases`](struct@Recurrent#structfield.biases).
    #[must_use]
    pub fn biases(mut self, biases: usize) -> Self {
        self.biases = biases;
        self
    }

    /// Gives the states at all positions.
    #[must_use]
    pub fn all_states(mut self) -> Self {
        self.states = States::All;
        self
    }
}

impl LayerKind for Recurrent {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn options(&self) -> Value {
        let activation = Layer::Activation(self.activation.clone());
        let activation = json::layers(&[activation]);
        json!({
            "width": self.width,
            "w_std": self.w_std,
            "u_std": self.u_std,
            "b_std": self.b_std,
            "biases": self.biases,
            "activation": activation[0],
            "states": self.states,
        })
    }

    fn fault(&self) -> Option<String> {
        count_fault("width", self.width)
            .or_else(|| {
                let deviations = [("w_std", Some(self.w_std)), ("u_std", Some(self.u_std))];
                deviations_fault(&deviations)
            })
            .or_else(|| deviations_fault(&[("b_std", self.b_std)]))
            .or_else(|| {
                let fault = || format!("biases must be 1 or 2, found {}", self.biases);
                (!matches!(self.biases, 1 | 2)).then(fault)
            })
            .or_else(|| LayerKind::fault(&self.activation))
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        let [_] = input.positions() else {
            return Err(format!(
                "it goes along one axis of positions, and its input {input} has {}; reshape the samples to sequences",
                input.positions().len()
            ));
        };
        let recurrence = Recurrence {
            width: self.width,
            w_std: self.w_std,
            u_std: self.u_std,
            b_std: self.b_std,
            biases: self.biases,
            activation: self.activation.clone(),
            states: self.states,
            channels: input.channels(),
        };
        Ok(Resolved {
            shape: match self.states {
                States::Last => Shape::features(self.width),
                States::All => input.with_channels(self.width),
            },
            action: Action::Recurrent(recurrence),
        })
    }

    fn deviations(&mut self) -> Vec<(&'static str, &mut f64)> {
        let mut all = weights_and_biases(&mut self.w_std, &mut self.b_std);
        all.insert(1, ("u_std", &mut self.u_std));
        all
    }
}

pub(super) const NAMES: &[&str] = &["recurrent"];

/// The options as JSON has them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    width: usize,
    w_std: f64,
    u_std: f64,
    b_std: Option<f64>,
    biases: usize,
    activation: Value,
    states: States,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            width: 512,
            w_std: 1.0,
            u_std: 1.0,
            b_std: None,
            biases: 1,
            activation: json!("relu"),
            states: States::Last,
        }
    }
}

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    let options: Options = json::options(at, name, options)?;
    let place = format!("{at}.{name}.activation");
    let activation = json::read_activation_of(&place, options.activation)?;
    let Options {
        width,
        w_std,
        u_std,
        b_std,
        biases,
        states,
        ..
    } = options;
    Ok(Recurrent {
        width,
        w_std,
        u_std,
        b_std,
        biases,
        activation,
        states,
    }
    .into())
}
