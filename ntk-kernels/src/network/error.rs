//! What can be wrong with a network. Errors name the layer by its path, `layers[3]`.

use thiserror::Error;

/// Why a JSON text or value does not describe a network.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NetworkError {
    /// The text is not JSON.
    #[error("the network is not valid JSON: {0}; correct the text there")]
    Syntax(String),
    /// The outermost value has another form.
    #[error(
        "a network must be {{\"parameterization\": \"ntk\" or \"standard\", \"layers\": [...]}}, found {found}"
    )]
    Form {
        /// What was found instead.
        found: String,
    },
    /// A layer is neither a name nor `{name: {options}}`.
    #[error("{path}: a layer must be a name or {{name: {{options}}}}, found {found}")]
    LayerForm {
        /// Where, as `layers[i]`.
        path: String,
        /// What was found instead.
        found: String,
    },
    /// No layer has this name.
    #[error("{path}: unknown layer \"{name}\"; use one of {known}")]
    UnknownLayer {
        /// Where, as `layers[i]`.
        path: String,
        /// The name found.
        name: String,
        /// The names there are.
        known: String,
    },
    /// An option is unknown, of the wrong type or out of range.
    #[error("{path}.{name}: {reason}")]
    Options {
        /// Where, as `layers[i]`.
        path: String,
        /// The layer's name.
        name: String,
        /// What is wrong, and what is expected.
        reason: String,
    },
    /// A layer does not take what the layers before it give.
    #[error("{path}.{name}: {reason}")]
    Shape {
        /// Where, as `layers[i]`.
        path: String,
        /// The layer's name.
        name: String,
        /// What is wrong with the input's shape.
        reason: String,
    },
}

/// The path of layer `i` of the network itself.
pub fn top(i: usize) -> String {
    format!("layers[{i}]")
}

/// The path of layer `i` of path `path` of the branch at `at`.
pub fn inside(at: &str, path: usize, i: usize) -> String {
    format!("{at}.branch.paths[{path}][{i}]")
}
