//! Several paths from one input, merged.

use super::{Action, Layer, LayerKind, NetworkError, Resolved, Shape, identity, json};
use crate::network::Network;
use crate::network::action::Merge;
use crate::network::error::inside;
use serde::Deserialize;
use serde_json::{Value, json};

/// Paths that start from the same input; their outputs, of one shape, are merged.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    /// The layers of each path.
    pub paths: Vec<Vec<Layer>>,
    /// How the outputs become one.
    pub merge: Merge,
}

/// The sum of the paths' outputs; of each network only the layers count.
#[must_use]
pub fn branch(paths: impl IntoIterator<Item = Network>) -> Branch {
    Branch {
        paths: paths.into_iter().map(|path| path.layers).collect(),
        merge: Merge::Sum,
    }
}

/// The elementwise product of the paths' outputs.
#[must_use]
pub fn product(paths: impl IntoIterator<Item = Network>) -> Branch {
    branch(paths).merge(Merge::Product)
}

/// The sum of `path`'s output and its input.
#[must_use]
pub fn residual(path: Network) -> Branch {
    branch([path, Network::new().then(identity())])
}

impl Branch {
    /// Sets how the outputs become one.
    #[must_use]
    pub fn merge(mut self, merge: Merge) -> Self {
        self.merge = merge;
        self
    }
}

impl LayerKind for Branch {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn options(&self) -> Value {
        let paths: Vec<Value> = self.paths.iter().map(|path| json::layers(path)).collect();
        json!({"paths": paths, "merge": self.merge})
    }

    fn fault(&self) -> Option<String> {
        self.paths
            .is_empty()
            .then(|| "paths must hold at least one path".into())
    }

    /// Of the shape that its paths end in.
    fn resolve(&self, end: &Shape) -> Result<Resolved, String> {
        let (shape, action) = (end.clone(), Action::Merge(self.merge));
        Ok(Resolved { shape, action })
    }

    fn paths(&self) -> &[Vec<Layer>] {
        &self.paths
    }
}

pub(super) const NAMES: &[&str] = &["branch"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    paths: Vec<Vec<Value>>,
    #[serde(default)]
    merge: Merge,
}

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    let Options { paths, merge } = json::options(at, name, options)?;
    let paths = paths.into_iter().enumerate();
    let paths = paths.map(|(number, layers)| json::read_layers(layers, &|i| inside(at, number, i)));
    let paths = paths.collect::<Result<_, _>>()?;
    Ok(Branch { paths, merge }.into())
}
