//! Describes what can be wrong with a network. Errors name the layer by its path, such as
//! `layers[3]`.

use thiserror::Error;

/// A `NetworkError` says why a JSON text does not describe a network, or why a network does not fit
/// its inputs.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NetworkError {
    /// The text is not JSON.
    #[error("the network is not valid JSON: {0}; correct the text there")]
    Syntax(String),
    /// The outermost value does not have the form of a network.
    #[error(
        "a network must be {{\"parameterization\": \"ntk\" or \"standard\", \"layers\": [...]}}, found {found}"
    )]
    Form {
        /// The value found instead.
        found: String,
    },
    /// A layer is neither a name nor `{name: {options}}`.
    #[error("{path}: a layer must be a name or {{name: {{options}}}}, found {found}")]
    LayerForm {
        /// The path of the layer, such as `layers[3]`.
        path: String,
        /// The value found instead.
        found: String,
    },
    /// No layer has this name.
    #[error("{path}: unknown layer \"{name}\"; use one of {known}")]
    UnknownLayer {
        /// The path of the layer, such as `layers[3]`.
        path: String,
        /// The name that was found.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// An option is unknown, of the wrong type or out of range.
    #[error("{path}.{name}: {reason}")]
    Options {
        /// The path of the layer, such as `layers[3]`.
        path: String,
        /// The name of the layer.
        name: String,
        /// The reason: what is wrong, and what is expected.
        reason: String,
    },
    /// A layer does not take what the layers before it give.
    #[error("{path}.{name}: {reason}")]
    Shape {
        /// The path of the layer, such as `layers[3]`.
        path: String,
        /// The name of the layer.
        name: String,
        /// The reason: what is wrong with the shape of the layer's input.
        reason: String,
    },
}

/// Returns the path of layer `i` of the network itself, `layers[i]`.
pub fn top(i: usize) -> String {
    format!("layers[{i}]")
}

/// Returns the path of layer `i` in path `path` of the branch at `at`.
pub fn inside(at: &str, path: usize, i: usize) -> String {
    format!("{at}.branch.paths[{path}][{i}]")
}
