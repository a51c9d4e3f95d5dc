//! Describes what can be wrong with a network. Errors name the layer by its path, such as
//! `layers[3]`.

use crate::text::escaped;
use thiserror::Error;

/// A `NetworkError` says why a JSON text does not describe a network, or why a network does not fit
/// its inputs.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NetworkError {
    /// The text is not JSON.
    #[error("the network is not valid JSON: {0}; correct the text there")]
    Syntax(String),
    /// The brackets of the text are nested too deeply.
    #[error(
        "the network's brackets are nested {depth} deep, and {most} are read, enough for 30 branches in each other; nest fewer branches"
    )]
    Depth {
        /// The most brackets that are open at one place.
        depth: usize,
        /// The most that are read.
        most: usize,
    },
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
    #[error("{path}: unknown layer \"{}\"; {advice}", escaped(name))]
    UnknownLayer {
        /// The path of the layer, such as `layers[3]`.
        path: String,
        /// The name that was found.
        name: String,
        /// The advice, a sentence: what to write instead, or the names that exist.
        advice: String,
    },
    /// A layer has no option of this name.
    #[error("{path}.{name} has no option \"{}\"; {advice}", escaped(option))]
    UnknownOption {
        /// The path of the layer, such as `layers[3]`.
        path: String,
        /// The name of the layer.
        name: String,
        /// The option that was found.
        option: String,
        /// The advice, a sentence: what to write instead, or the options that exist.
        advice: String,
    },
    /// An option that has no default is not there.
    #[error("{path}.{name} needs its {option}; write {{\"{name}\": {{\"{option}\": ...}}}}")]
    MissingOption {
        /// The path of the layer, such as `layers[3]`.
        path: String,
        /// The name of the layer.
        name: String,
        /// The option that is needed.
        option: String,
    },
    /// An option is of the wrong kind.
    #[error("{place} is {found}: expected {expected}")]
    Option {
        /// The place of the option, such as `layers[3].conv.padding`.
        place: String,
        /// The value found.
        found: String,
        /// The values that are expected.
        expected: String,
    },
    /// A file that an option names does not give what it is to hold.
    #[error("{place}: {file}: {reason}")]
    File {
        /// The place of the option, such as `layers[3].position_map.matrix`.
        place: String,
        /// The name of the file.
        file: String,
        /// The reason: what is wrong, and what is expected.
        reason: String,
    },
    /// An option is out of range, or does not go together with others.
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
