//! Several paths from one input, merged.

use super::super::{Network, json};
use super::{Layer, identity};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;

/// How the paths' outputs become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Merge {
    /// Their sum.
    #[default]
    Sum,
    /// Their elementwise product.
    Product,
}

impl fmt::Display for Merge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sum => "sum",
            Self::Product => "product",
        })
    }
}

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

    pub(super) fn options(&self) -> Value {
        let paths: Vec<Value> = self.paths.iter().map(|path| json::layers(path)).collect();
        json!({"paths": paths, "merge": self.merge})
    }

    pub(super) fn fault(&self) -> Option<String> {
        self.paths
            .is_empty()
            .then(|| "paths must hold at least one path".into())
    }
}

impl From<Branch> for Layer {
    fn from(branch: Branch) -> Self {
        Self::Branch(branch)
    }
}
