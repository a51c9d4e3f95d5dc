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
    /// The axis along which paths are concatenated, counted as in a batch: -1 is the channels.
    pub axis: isize,
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
        axis: CHANNELS,
    }
}

/// Makes a branch whose paths' outputs stand side by side along an axis, counted as in a batch: -1 is
/// the channels, 1 the first axis of positions.
///
/// ```
/// use ntk_kernels::network::{Network, Shape, concat, conv, identity};
///
/// let wide = Network::new().then(conv([3, 3]).same().channels(32));
/// let network = Network::new().then(concat(-1, [wide, Network::new().then(identity())]));
/// assert_eq!(network.output([8, 8, 3])?, Shape::new([8, 8], 35));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[must_use]
pub fn concat(axis: isize, paths: impl IntoIterator<Item = Network>) -> Branch {
    Branch {
        axis,
        ..branch(paths).merge(Merge::Concat)
    }
}

/// The axis of the channels.
const CHANNELS: isize = -1;

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
        match self.merge {
            Merge::Sum | Merge::Product => json!({"paths": paths, "merge": self.merge}),
            Merge::Concat => json!({"paths": paths, "merge": self.merge, "axis": self.axis}),
        }
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

    fn join(&self, ends: &[Shape]) -> Result<Resolved, String> {
        let (Merge::Concat, [first, ..]) = (self.merge, ends) else {
            return self.resolve(&ends[0]);
        };
        let (marked, _) = first.marked(&[self.axis], "concatenated")?;
        let axis = marked.iter().position(|&marked| marked);
        let shape = Shape::side_by_side(ends, axis).ok_or_else(|| {
            let ends: Vec<_> = ends.iter().map(ToString::to_string).collect();
            format!(
                "its paths must end in shapes that differ along axis {} alone, found {}",
                self.axis,
                ends.join(" and ")
            )
        })?;
        let action = Action::Concat { axis };
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
    axis: Option<isize>,
}

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    let Options { paths, merge, axis } = json::options(at, name, options)?;
    let paths = paths.into_iter().enumerate();
    let paths = paths.map(|(number, layers)| json::read_layers(layers, &|i| inside(at, number, i)));
    let paths = paths.collect::<Result<_, _>>()?;
    let axis = axis.unwrap_or(CHANNELS);
    Ok(Branch { paths, merge, axis }.into())
}
