//! Holds the layers that a network is made of: each has a file, and a line in the list below.
//!
//! A layer's file holds its options, their JSON, what is wrong with them, and what it makes of a
//! shape: the shape after it and its [`Action`], from which the infinite-width kernels and the
//! finite network follow. Layers of one's own are [`LayerKind`]s too; see [`own`].

mod activation;
pub(super) mod json;

use super::action::Action;
use super::error::NetworkError;
use super::positions::{AxisMap, PositionMap};
use super::shape::Shape;
use crate::dual::Activation;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// Declares the layers, one line each: the file, and the type in it. A file also has `NAMES`,
/// what JSON calls the layer, and `read`, which makes it of one of these and its options.
macro_rules! layers {
    ($($file:ident: $kind:ident;)*) => {
        $(mod $file; pub use $file::*;)*

        /// A `Layer` is one layer of a [`Network`](super::Network).
        #[derive(Debug, Clone, PartialEq)]
        pub enum Layer {
            $(#[doc = concat!("See [`", stringify!($kind), "`].")] $kind($kind),)*
            /// An activation, applied to every number.
            Activation(Activation),
            /// A layer of the user's own; see [`own`].
            Own(Own),
        }

        impl Layer {
            /// Returns the layer's options and what it does.
            pub fn kind(&self) -> &dyn LayerKind {
                match self {
                    $(Self::$kind(layer) => layer,)*
                    Self::Activation(layer) => layer,
                    Self::Own(layer) => &*layer.0,
                }
            }

            /// Returns the layer's standard deviations; see [`LayerKind::deviations`].
            pub(crate) fn deviations(&mut self) -> Vec<(&'static str, &mut f64)> {
                match self {
                    $(Self::$kind(layer) => layer.deviations(),)*
                    Self::Activation(layer) => layer.deviations(),
                    // It is shared, and cannot be changed.
                    Self::Own(_) => Vec::new(),
                }
            }
        }

        /// The names of each layer in JSON, and the function that reads it.
        const READERS: &[(&[&str], Read)] = &[$(($file::NAMES, $file::read),)*];

        $(impl From<$kind> for Layer {
            fn from(layer: $kind) -> Self {
                Self::$kind(layer)
            }
        })*
    };
}

layers! {
    dense: Dense;
    conv: Conv;
    conv_transpose: ConvTranspose;
    conv_local: ConvLocal;
    pool: Pool;
    global_pool: GlobalPool;
    flatten: Flatten;
    position_map: PositionMatrix;
    scale: Scale;
    resize: Resize;
    slice: Slice;
    index: Index;
    identity: Identity;
    layer_norm: LayerNorm;
    batch_norm: BatchNorm;
    dropout: Dropout;
    branch: Branch;
    attention: Attention;
    aggregate: Aggregate;
    recurrent: Recurrent;
    embedding: TokenEmbedding;
}

/// Makes a layer of its path in the network, its name and its options.
type Read = fn(&str, &str, Value) -> Result<Layer, NetworkError>;

/// A `LayerKind` says what a layer is: its name, its options, and what it does to samples of a
/// shape.
///
/// Implement it for a layer of your own, and put it into a network by [`own`]; the closed form and
/// the finite network know it by its [`Action`].
pub trait LayerKind: fmt::Debug + Send + Sync {
    /// Returns the name of the layer in JSON and in errors.
    fn name(&self) -> &str;

    /// Returns the options as a JSON object, `null` where there are none.
    fn options(&self) -> Value {
        Value::Null
    }

    /// Says in a sentence what is wrong with the layer's own options, if anything is.
    fn fault(&self) -> Option<String> {
        None
    }

    /// Infers the shape of a sample after the layer, and what the layer does.
    ///
    /// # Errors
    /// Returns a sentence that says why the layer does not take samples of shape `input`.
    fn resolve(&self, input: &Shape) -> Result<Resolved, String>;

    /// Infers the same for a layer with paths, from the shapes at their ends; by default from the
    /// first of them.
    ///
    /// # Errors
    /// Fails as [`LayerKind::resolve`] does.
    fn join(&self, ends: &[Shape]) -> Result<Resolved, String> {
        ends.first()
            .ok_or_else(|| "it has no paths".into())
            .and_then(|end| self.resolve(end))
    }

    /// Returns the layers inside it, path by path: each path begins at the layer's input, and the
    /// layer merges their ends.
    fn paths(&self) -> &[Vec<Layer>] {
        &[]
    }

    /// Returns the standard deviations of the weights and, where there are some, the biases, each with
    /// its name in JSON: what kernels can be differentiated by, in the order of [`Action`]'s numbers.
    fn deviations(&mut self) -> Vec<(&'static str, &mut f64)> {
        Vec::new()
    }
}

/// `Resolved` holds what a layer does to samples of one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The shape of one sample after the layer.
    pub shape: Shape,
    /// The action of the layer.
    pub action: Action,
}

impl Resolved {
    /// Makes a fixed linear map along one axis of positions.
    pub(super) fn along_axis(input: &Shape, axis: usize, map: AxisMap) -> Result<Self, String> {
        let mut positions = input.positions().to_vec();
        positions[axis] = map.rows().len();
        let mut map = Some(map);
        let axes = input.positions().iter().enumerate();
        let axes = axes.map(|(number, &size)| match map.take_if(|_| number == axis) {
            Some(map) => Ok(map),
            None => AxisMap::identity(size),
        });
        let axes = axes.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            shape: Shape::new(positions, input.channels()),
            action: Action::Positions(PositionMap::new(axes)),
        })
    }

    /// Makes a fixed linear map along each axis of positions, with the shape that it leads to: for
    /// an axis of `size` positions, `rows(size)` lists for every output the inputs that it reads,
    /// each with its weight.
    ///
    /// # Errors
    /// Returns a sentence where samples have no positions; fails as [`AxisMap::new`] does.
    pub fn along_each_axis(
        input: &Shape,
        rows: impl Fn(usize) -> Vec<Vec<(usize, f64)>>,
    ) -> Result<Self, String> {
        input.needs_positions()?;
        let axes = input.positions().iter();
        let axes = axes.map(|&size| AxisMap::new(size, rows(size)));
        let axes = axes.collect::<Result<Vec<_>, _>>()?;
        let positions: Vec<_> = axes.iter().map(|axis| axis.rows().len()).collect();
        Ok(Self {
            shape: Shape::new(positions, input.channels()),
            action: Action::Positions(PositionMap::new(axes)),
        })
    }
}

/// An `Own` is a layer of the user's own; it equals its clones alone.
#[derive(Debug, Clone)]
pub struct Own(Arc<dyn LayerKind>);

/// Makes a layer of a [`LayerKind`] that the user defines. JSON writes its name and options, but
/// cannot read it back.
///
/// ```
/// use ntk_kernels::network::{LayerKind, Network, Resolved, Shape, dense, own};
///
/// /// Keeps every second position.
/// #[derive(Debug)]
/// struct Subsample;
///
/// impl LayerKind for Subsample {
///     fn name(&self) -> &str {
///         "subsample"
///     }
///     fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
///         let every_second = |size| (0..size).step_by(2).map(|at| vec![(at, 1.0)]).collect();
///         Resolved::along_each_axis(input, every_second)
///     }
/// }
///
/// let network = Network::new().then(own(Subsample)).then(dense());
/// assert_eq!(network.output([9, 8, 3])?, Shape::new([5, 4], 512));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[must_use]
pub fn own(layer: impl LayerKind + 'static) -> Layer {
    Layer::Own(Own(Arc::new(layer)))
}

impl PartialEq for Own {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Layer {
    /// Returns the name of the layer in JSON.
    #[must_use]
    pub fn name(&self) -> &str {
        self.kind().name()
    }
}

/// Writes the name and, in brackets, the options.
impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::text::name_and_options(self.name(), &self.kind().options(), f)
    }
}

/// Writes the options of a layer as JSON.
fn to_json(options: &impl serde::Serialize) -> Value {
    serde_json::to_value(options).unwrap_or(Value::Null)
}

/// Names the standard deviations of weights and, where there are some, of biases.
fn weights_and_biases<'a>(
    w_std: &'a mut f64,
    b_std: &'a mut Option<f64>,
) -> Vec<(&'static str, &'a mut f64)> {
    let biases = b_std.as_mut().map(|b_std| ("b_std", b_std));
    [("w_std", w_std)].into_iter().chain(biases).collect()
}

/// Says what is wrong with standard deviations, if anything is.
fn deviations_fault(deviations: &[(&str, Option<f64>)]) -> Option<String> {
    deviations
        .iter()
        .filter_map(|&(name, value)| Some((name, value?)))
        .find(|(_, value)| !(value.is_finite() && *value >= 0.0))
        .map(|(name, value)| format!("{name} must be finite and not negative, found {value}"))
}

/// Says what is wrong with a number of channels, heads or units, if anything is.
fn count_fault(name: &str, count: usize) -> Option<String> {
    (count == 0).then(|| format!("{name} must be at least 1, found 0"))
}
