//! Says how samples are cut into blocks, and how much memory that takes.

use super::Trace;
use super::factors::{JacobianSite, at_once, bytes, sites};
use crate::compiled::Scalar;
use crate::model::{Model, ModelError, saturating};
use ndarray::ArrayView2;
use ntk_kernels::network::Action;

/// Memory for the factors of two blocks of samples.
const BYTES: usize = 1 << 30;

/// What takes less is not asked about.
const LARGE: u64 = 1 << 28;

/// What the kernel of some samples needs.
pub(super) struct Needs {
    pub(super) sites: Vec<JacobianSite>,
    /// The number of samples whose factors are known at once.
    pub(super) block: usize,
    pub(super) bytes: u64,
}

impl Needs {
    /// Counts what the kernel of `n` samples with themselves or with `m` others needs; `x` has at
    /// least one sample.
    pub(super) fn new<T: Scalar>(
        model: &Model<T>,
        x: ArrayView2<'_, T>,
        (n, m): (usize, Option<usize>),
        trace: Trace,
    ) -> Self {
        let (symmetric, m) = (m.is_none(), m.unwrap_or(n));
        let outputs = model.outputs();
        let sites = sites(model, x, n.max(m), trace);
        let of_one = bytes::<T>(&sites, outputs);
        let block = (BYTES / 2 / of_one.max(1)).max(1);
        // All in one where they fit with themselves alone.
        let block = if symmetric && n <= 2 * block {
            n
        } else {
            block
        };
        let side = if trace == Trace::Full { outputs } else { 1 };
        let number = size_of::<T>();
        let result = saturating([n, side, m, side, number]);
        let blocks = if symmetric && block == n { 1 } else { 2 };
        let factors = saturating([block.min(n.max(m)), blocks, of_one]);
        let positions = sites.iter().map(|site| site.positions).max().unwrap_or(0);
        // The Gram matrices over positions, and what goes forward and back through the layers.
        let gram = saturating([positions, positions, 1 + side, number]);
        let way = saturating([at_once(model, n.max(m)), way(model), number]);
        let threads = saturating([rayon::current_num_threads()]);
        let working = gram.max(way).saturating_mul(threads);
        let bytes = result.saturating_add(factors).saturating_add(working);
        Self {
            sites,
            block,
            bytes,
        }
    }

    /// Refuses what the system does not give.
    pub(super) fn check(&self) -> Result<(), ModelError> {
        let bytes = self.bytes;
        // Asked for and given back: pages that are not written to cost nothing.
        let given = |bytes: usize| Vec::<u8>::new().try_reserve_exact(bytes).is_ok();
        match bytes < LARGE || usize::try_from(bytes).is_ok_and(given) {
            true => Ok(()),
            false => Err(ModelError::Memory { bytes }),
        }
    }
}

/// Returns how many numbers exist at once on the way of one sample: the values of every layer, and
/// every output's signals before and after the largest.
fn way<T: Scalar>(model: &Model<T>) -> usize {
    let sizes = model.graph().nodes.iter().map(|node| {
        let mut patches = 0;
        if let Action::Weights(weights) = &node.action
            && weights.windows.is_some()
        {
            let positions = node.after.size() / node.after.channels().max(1);
            patches = positions.saturating_mul(weights.fan_in);
        }
        patches.max(node.before.size()).max(node.after.size())
    });
    let most = sizes.clone().max().unwrap_or(0);
    let signals = most.saturating_mul(model.outputs()).saturating_mul(2);
    sizes.fold(signals, usize::saturating_add)
}
