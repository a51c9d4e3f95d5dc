//! The layers that a network is made of: a file each, and a line each in the list below.
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

        /// One layer.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Layer {
            $(#[doc = concat!("See [`", stringify!($kind), "`].")] $kind($kind),)*
            /// An elementwise nonlinearity.
            Activation(Activation),
            /// A layer of the user's own; see [`own`].
            Own(Own),
        }

        impl Layer {
            /// Its options and what it does.
            pub fn kind(&self) -> &dyn LayerKind {
                match self {
                    $(Self::$kind(layer) => layer,)*
                    Self::Activation(layer) => layer,
                    Self::Own(layer) => &*layer.0,
                }
            }
        }

        /// What JSON calls each, and what reads it.
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
    pool: Pool;
    global_pool: GlobalPool;
    flatten: Flatten;
    identity: Identity;
    layer_norm: LayerNorm;
    dropout: Dropout;
    branch: Branch;
    attention: Attention;
}

/// Makes a layer of its path in the network, its name and its options.
type Read = fn(&str, &str, Value) -> Result<Layer, NetworkError>;

/// What a layer is: its name, its options, and what it does to samples of a shape.
///
/// Implement it for a layer of your own, and put it into a network by [`own`]; the closed form and
/// the finite network know it by its [`Action`].
pub trait LayerKind: fmt::Debug + Send + Sync {
    /// The name that JSON and errors give it.
    fn name(&self) -> &str;

    /// Its options as a JSON object, `null` for none.
    fn options(&self) -> Value {
        Value::Null
    }

    /// What is wrong with its own options, if anything, in a sentence.
    fn fault(&self) -> Option<String> {
        None
    }

    /// The shape of a sample after it, and what it does.
    ///
    /// # Errors
    /// In a sentence, why it does not take samples of shape `input`.
    fn resolve(&self, input: &Shape) -> Result<Resolved, String>;

    /// Layers inside it, path by path: each begins at its input, and it merges their ends.
    fn paths(&self) -> &[Vec<Layer>] {
        &[]
    }
}

/// What a layer does to samples of one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// One sample's shape after it.
    pub shape: Shape,
    /// What it does.
    pub action: Action,
}

impl Resolved {
    /// A fixed linear map along each axis of positions, and the shape that it gives: of an axis
    /// of `size` positions, `rows(size)` lists for every output the inputs that it reads, each
    /// with its weight.
    ///
    /// # Errors
    /// In a sentence, where samples have no positions, and those of [`AxisMap::new`].
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

/// A layer of the user's own; equal to its clones alone.
#[derive(Debug, Clone)]
pub struct Own(Arc<dyn LayerKind>);

/// A layer that is defined elsewhere. JSON writes its name and options, but cannot read it back.
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
    /// The name that JSON gives it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.kind().name()
    }
}

/// The name and, in brackets, the options.
impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::text::name_and_options(self.name(), &self.kind().options(), f)
    }
}

/// A layer's options as JSON.
fn to_json(options: &impl serde::Serialize) -> Value {
    serde_json::to_value(options).unwrap_or(Value::Null)
}

/// What is wrong with standard deviations, if anything.
fn deviations_fault(deviations: &[(&str, f64)]) -> Option<String> {
    deviations
        .iter()
        .find(|(_, value)| !(value.is_finite() && *value >= 0.0))
        .map(|(name, value)| format!("{name} must be finite and not negative, found {value}"))
}

/// What is wrong with a number of channels, heads or units.
fn count_fault(name: &str, count: usize) -> Option<String> {
    (count == 0).then(|| format!("{name} must be at least 1, found 0"))
}
