//! Lists the numbers of a network that kernels can be differentiated by, and sets them.

use super::error::{inside, top};
use super::{Layer, Network};
use crate::dual::Activation;
use std::fmt;
use thiserror::Error;

/// A `Hyperparameter` is a standard deviation of weights or biases, or a parameter of an activation,
/// by which a network's kernels can be differentiated.
#[derive(Debug, Clone, PartialEq)]
pub struct Hyperparameter {
    /// The place of the option in the network, such as `layers[0].dense.w_std`.
    pub name: String,
    /// The value that the network has there.
    pub value: f64,
}

/// `Hyperparameters` is a choice of a network's hyperparameters, some of which may share a value.
///
/// ```
/// use ntk_kernels::network::{Hyperparameters, Network, dense, erf};
///
/// let hidden = || dense().w_std(1.4).b_std(0.1);
/// let network = Network::new().then(hidden()).then(erf(1.0, 1.0, 0.0)).then(hidden());
/// // One value for the weights of both layers, and one for the first layer's biases.
/// let chosen = Hyperparameters::select(&network, &["w_std", "layers[0].dense.b_std"])?;
/// assert_eq!(chosen.values(), [1.4, 0.1]);
/// let changed = chosen.set(&network, &[2.0, 0.3])?;
/// let first = hidden().w_std(2.0).b_std(0.3);
/// let last = hidden().w_std(2.0);
/// assert_eq!(changed, Network::new().then(first).then(erf(1.0, 1.0, 0.0)).then(last));
/// # Ok::<(), ntk_kernels::network::HyperparameterError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Hyperparameters {
    /// How many hyperparameters the network has.
    all: usize,
    chosen: Vec<Chosen>,
}

/// One of the chosen: its name, its value, and the numbers of the network's hyperparameters that share
/// it.
#[derive(Debug, Clone, PartialEq)]
struct Chosen {
    of: Hyperparameter,
    members: Vec<usize>,
}

/// A `HyperparameterError` says why hyperparameters cannot be chosen or set.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum HyperparameterError {
    /// No hyperparameter has this name.
    #[error(
        "the network has no hyperparameter \"{}\"; {advice}",
        crate::text::escaped(name)
    )]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The advice: the names that there are.
        advice: String,
    },
    /// A hyperparameter is chosen twice.
    #[error("{first} and {second} both choose {name}; leave one of them out")]
    Twice {
        /// The hyperparameter.
        name: String,
        /// The first choice that contains it.
        first: String,
        /// The second.
        second: String,
    },
    /// Hyperparameters that are to share a value have different ones.
    #[error(
        "{name} is {value} at {first} and {other} at {second}; give them one value, or choose {first} and {second} by themselves"
    )]
    Differ {
        /// The name of the option that is shared.
        name: Box<str>,
        /// The place of the first of them.
        first: Box<str>,
        /// The value there.
        value: f64,
        /// The place of the first with another value.
        second: Box<str>,
        /// The value there.
        other: f64,
    },
    /// Another number of values was given than there are hyperparameters.
    #[error("there are {expected} hyperparameters and {found} values; give one value for each")]
    Count {
        /// The number of hyperparameters.
        expected: usize,
        /// The number of values.
        found: usize,
    },
    /// The network is not the one of which hyperparameters were chosen.
    #[error(
        "hyperparameters were chosen of a network that has {expected} of them, and this one has {found}; choose them of this network"
    )]
    Network {
        /// The number of hyperparameters of the network of which they were chosen.
        expected: usize,
        /// The number of this one.
        found: usize,
    },
}

impl Network {
    /// Lists the hyperparameters by which the network's kernels can be differentiated, from the first
    /// layer to the last: standard deviations of weights and biases, where there are biases, and the
    /// parameters of activations.
    ///
    /// ```
    /// use ntk_kernels::network::{Network, dense, relu};
    ///
    /// let network = Network::new().then(dense().w_std(1.4)).then(relu()).then(dense().b_std(0.1));
    /// let names: Vec<_> = network.hyperparameters().into_iter().map(|of| of.name).collect();
    /// let expected = ["layers[0].dense.w_std", "layers[2].dense.w_std", "layers[2].dense.b_std"];
    /// assert_eq!(names, expected);
    /// ```
    #[must_use]
    pub fn hyperparameters(&self) -> Vec<Hyperparameter> {
        let mut found = Vec::new();
        let mut network = self.clone();
        each(&mut network.layers, &top, &mut |name, value| {
            found.push(Hyperparameter {
                name,
                value: *value,
            });
        });
        found
    }
}

impl Hyperparameters {
    /// Chooses all hyperparameters of a network, each by itself.
    #[must_use]
    pub fn all(network: &Network) -> Self {
        let all = network.hyperparameters();
        let chosen = all.into_iter().enumerate().map(|(number, of)| Chosen {
            of,
            members: vec![number],
        });
        Self::of(chosen.collect())
    }

    /// Chooses none.
    pub(crate) fn none(network: &Network) -> Self {
        let all = network.hyperparameters().len();
        let chosen = Vec::new();
        Self { all, chosen }
    }

    /// Makes the same choice of a network that has these values, one for each name.
    pub(crate) fn at(&self, values: &[f64]) -> Self {
        let mut changed = self.clone();
        for (one, &value) in changed.chosen.iter_mut().zip(values) {
            one.of.value = value;
        }
        changed
    }

    fn of(chosen: Vec<Chosen>) -> Self {
        let all = chosen.len();
        Self { all, chosen }
    }

    /// Chooses hyperparameters by name: a place such as `layers[0].dense.w_std` is one of them, and an
    /// option's name such as `w_std` all of that name, which share a value.
    ///
    /// # Errors
    /// Returns a [`HyperparameterError`] for a name that the network does not have, for one that is
    /// chosen twice, and where those that are to share a value have different ones.
    pub fn select<S: AsRef<str>>(
        network: &Network,
        names: &[S],
    ) -> Result<Self, HyperparameterError> {
        let all = network.hyperparameters();
        let mut by: Vec<Option<&str>> = vec![None; all.len()];
        let mut chosen = Vec::new();
        for name in names.iter().map(AsRef::as_ref) {
            let named = |of: &Hyperparameter| of.name == name || option(&of.name) == name;
            let members = (0..all.len()).filter(|&number| named(&all[number]));
            let members: Vec<_> = members.collect();
            let Some(&first) = members.first() else {
                return Err(HyperparameterError::Unknown {
                    name: name.into(),
                    advice: known(&all),
                });
            };
            for &number in &members {
                let (value, other) = (all[first].value, all[number].value);
                if value != other {
                    return Err(HyperparameterError::Differ {
                        name: name.into(),
                        first: (&*all[first].name).into(),
                        value,
                        second: (&*all[number].name).into(),
                        other,
                    });
                }
                if let Some(before) = by[number].replace(name) {
                    return Err(HyperparameterError::Twice {
                        name: all[number].name.clone(),
                        first: before.into(),
                        second: name.into(),
                    });
                }
            }
            let (name, value) = (name.into(), all[first].value);
            let of = Hyperparameter { name, value };
            chosen.push(Chosen { of, members });
        }
        let all = all.len();
        Ok(Self { all, chosen })
    }

    /// Returns the number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chosen.len()
    }

    /// Says whether none is chosen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chosen.is_empty()
    }

    /// Returns the names, as they were chosen.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.chosen.iter().map(|one| &one.of.name[..]).collect()
    }

    /// Returns the values that the network had when they were chosen.
    #[must_use]
    pub fn values(&self) -> Vec<f64> {
        self.chosen.iter().map(|one| one.of.value).collect()
    }

    /// Makes the network that has these values, one for each name.
    ///
    /// Whether the values are in range is checked where the network is used.
    ///
    /// # Errors
    /// Returns a [`HyperparameterError`] for another number of values, and for a network with other
    /// hyperparameters.
    pub fn set(&self, network: &Network, values: &[f64]) -> Result<Network, HyperparameterError> {
        if values.len() != self.len() {
            let (expected, found) = (self.len(), values.len());
            return Err(HyperparameterError::Count { expected, found });
        }
        self.check(network)?;
        let mut by = vec![None; self.all];
        for (one, &value) in self.chosen.iter().zip(values) {
            for &number in &one.members {
                by[number] = Some(value);
            }
        }
        let mut changed = network.clone();
        let mut by = by.into_iter();
        each(&mut changed.layers, &top, &mut |_, value| {
            if let Some(new) = by.next().flatten() {
                *value = new;
            }
        });
        Ok(changed)
    }

    /// Refuses a network with another number of hyperparameters.
    pub(crate) fn check(&self, network: &Network) -> Result<(), HyperparameterError> {
        let (expected, found) = (self.all, network.hyperparameters().len());
        match expected == found {
            true => Ok(()),
            false => Err(HyperparameterError::Network { expected, found }),
        }
    }

    /// Sums derivatives by the network's hyperparameters to those by the chosen.
    pub(crate) fn sums(&self, by_all: &[f64]) -> Vec<f64> {
        let chosen = self.chosen.iter();
        let sum = |one: &Chosen| one.members.iter().map(|&number| by_all[number]).sum();
        chosen.map(sum).collect()
    }

    /// Returns for each of the chosen which of the network's hyperparameters share its value.
    pub(crate) fn groups(&self) -> Vec<Vec<bool>> {
        let group = |one: &Chosen| {
            let mut group = vec![false; self.all];
            one.members.iter().for_each(|&number| group[number] = true);
            group
        };
        self.chosen.iter().map(group).collect()
    }
}

/// Writes the names with their values.
impl fmt::Display for Hyperparameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, one) in self.chosen.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}{} = {}", one.of.name, one.of.value)?;
        }
        Ok(())
    }
}

/// Returns the name of the option at the end of a place.
fn option(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Says which hyperparameters there are.
fn known(all: &[Hyperparameter]) -> String {
    if all.is_empty() {
        return "it has none: its layers have no weights and its activations no parameters".into();
    }
    let mut options: Vec<&str> = Vec::new();
    for of in all {
        if !options.contains(&option(&of.name)) {
            options.push(option(&of.name));
        }
    }
    let places: Vec<_> = all.iter().map(|of| &of.name[..]).collect();
    format!(
        "there are {}, and {} by which all of a name share a value",
        places.join(", "),
        options.join(", ")
    )
}

/// Calls `look` with the name and value of each hyperparameter, in an order that is always the same.
fn each(
    layers: &mut [Layer],
    path: &dyn Fn(usize) -> String,
    look: &mut dyn FnMut(String, &mut f64),
) {
    for (i, layer) in layers.iter_mut().enumerate() {
        let at = path(i);
        if let Layer::Branch(branch) = layer {
            for (number, layers) in branch.paths.iter_mut().enumerate() {
                each(layers, &|j| inside(&at, number, j), look);
            }
        }
        of_layer(layer, &at, look);
    }
}

/// Does it for one layer, whose paths, if it has some, come before, as in [`Graph::nodes`].
///
/// [`Graph::nodes`]: super::Graph
fn of_layer(layer: &mut Layer, path: &str, look: &mut dyn FnMut(String, &mut f64)) {
    let name = layer.name().to_owned();
    let place = |option: &str| format!("{path}.{name}.{option}");
    if let Layer::Activation(activation) = layer {
        of_activation(activation, &place, look);
        return;
    }
    for (option, value) in layer.deviations() {
        look(place(option), value);
    }
    if let Layer::Recurrent(recurrent) = layer {
        let place = |option: &str| place(&format!("activation.{option}"));
        of_activation(&mut recurrent.activation, &place, look);
    }
}

/// Does it for an activation.
fn of_activation(
    activation: &mut Activation,
    place: &dyn Fn(&str) -> String,
    look: &mut dyn FnMut(String, &mut f64),
) {
    // relu and others without options are what they are.
    if activation.name_and_options().1.is_null() {
        return;
    }
    let (names, mut values): (Vec<_>, Vec<_>) = activation.parameters().into_iter().unzip();
    for (name, value) in names.iter().zip(&mut values) {
        look(place(name), value);
    }
    if let Ok(changed) = activation.with_parameters(&values) {
        *activation = changed;
    }
}

impl Layer {
    /// Returns the values of the layer's hyperparameters, without those of its paths.
    pub(crate) fn hyperparameters(&self) -> Vec<f64> {
        let mut values = Vec::new();
        of_layer(&mut self.clone(), "", &mut |_, value| values.push(*value));
        values
    }
}
