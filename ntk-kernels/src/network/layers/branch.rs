//! Describes layers that merge several paths from one input.

use super::{Action, Layer, LayerKind, NetworkError, Resolved, Shape, identity, json};
use crate::network::Network;
use crate::network::action::Merge;
use crate::network::error::inside;
use serde::Deserialize;
use serde_json::{Value, json};

/// A `Branch` holds paths that start from the same input, and merges their outputs, which have one
/// shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    /// The layers of each path.
    pub paths: Vec<Vec<Layer>>,
    /// The way in which the outputs become one.
    pub merge: Merge,
}

/// Makes a layer that sums the outputs of paths; of each network only the layers count.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::network::{Network, branch, dense, relu};
///
/// let path = || Network::new().then(dense()).then(relu()).then(dense());
/// let both = Network::new().then(branch([path(), path()]));
/// let x = array![[1.0, 0.0], [0.6, 0.8]];
/// // The kernels of independent paths add up.
/// assert_eq!(both.ntk(&x)?, 2.0 * path().ntk(&x)?);
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[must_use]
pub fn branch(paths: impl IntoIterator<Item = Network>) -> Branch {
    Branch {
        paths: paths.into_iter().map(|path| path.layers).collect(),
        merge: Merge::Sum,
    }
}

/// Makes a layer that multiplies the outputs of paths, entry by entry.
#[must_use]
pub fn product(paths: impl IntoIterator<Item = Network>) -> Branch {
    branch(paths).merge(Merge::Product)
}

/// Makes a residual block: the sum of the output of `path` and its input.
///
/// ```
/// use ntk_kernels::network::{Network, Shape, conv, relu, residual};
///
/// let block = Network::new().then(relu()).then(conv([3, 3]).same());
/// let network = Network::new().then(conv([3, 3]).same()).then(residual(block));
/// // Skip connections keep the shape.
/// assert_eq!(network.output([8, 8, 3])?, Shape::new([8, 8], 64));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[must_use]
pub fn residual(path: Network) -> Branch {
    branch([path, Network::new().then(identity())])
}

impl Branch {
    /// Sets how the outputs of the paths become one.
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

    /// Resolves the branch for the shape in which its paths end.
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
