//! Says how samples are cut into blocks, and how much memory that takes.

use super::Trace;
use super::factors::{JacobianSite, at_once, bytes, sites};
use crate::compiled::Scalar;
use crate::model::{Model, ModelError, check_memory, saturating};
use crate::rows::Part;

/// Memory for the factors of two blocks of samples.
pub(super) const BYTES: usize = 1 << 30;

/// What the kernel of some samples needs.
pub(super) struct Needs {
    pub(super) sites: Vec<JacobianSite>,
    /// The number of samples whose factors are known at once.
    pub(super) block: usize,
    /// The bytes of the result.
    pub(super) result: u64,
    /// The bytes of the factors of one sample.
    pub(super) of_one: usize,
    /// The bytes that are known of factors.
    factors: u64,
    /// The bytes that each thread works with besides.
    pub(super) working: u64,
}

impl Needs {
    /// Counts what the kernel of `n` samples with themselves or with `m` others needs; `one` has one sample,
    /// whose layers are looked at.
    pub(super) fn new<T: Scalar>(
        model: &Model<T>,
        one: Part<'_, T>,
        (n, m): (usize, Option<usize>),
        trace: Trace,
    ) -> Self {
        let sites = sites(model, one, n.max(m.unwrap_or(n)), trace);
        Self::of_sites(model, sites, (n, m), trace)
    }

    /// Counts the same of layers that were looked at.
    pub(super) fn of_sites<T: Scalar>(
        model: &Model<T>,
        sites: Vec<JacobianSite>,
        (n, m): (usize, Option<usize>),
        trace: Trace,
    ) -> Self {
        let (symmetric, m) = (m.is_none(), m.unwrap_or(n));
        let outputs = model.outputs();
        let of_one = bytes::<T>(&sites, outputs);
        let block = (BYTES / 2 / of_one.max(1)).max(1);
        // All in one where they fit with themselves alone.
        let block = if symmetric && n <= 2 * block {
            n
        } else {
            block
        };
        let side = trace.side(outputs);
        let number = size_of::<T>();
        let result = saturating([n, side, m, side, number]);
        let blocks = if symmetric && block == n { 1 } else { 2 };
        let factors = saturating([block.min(n.max(m)), blocks, of_one]);
        let positions = sites
            .iter()
            .map(|site| site.place.positions)
            .max()
            .unwrap_or(0);
        // The Gram matrices over positions, and what goes forward and back through the layers.
        let gram = saturating([positions, positions, 1 + side, number]);
        let way = saturating([at_once(model, n.max(m)), way(model), number]);
        Self {
            sites,
            block,
            result,
            of_one,
            factors,
            working: gram.max(way),
        }
    }

    /// Counts the bytes of it all, on the threads of rayon's current pool.
    pub(super) fn bytes(&self) -> u64 {
        let threads = saturating([rayon::current_num_threads()]);
        let working = self.working.saturating_mul(threads);
        let kept = self.result.saturating_add(self.factors);
        kept.saturating_add(working)
    }

    /// Refuses what the system does not give.
    pub(super) fn check(&self) -> Result<(), ModelError> {
        check_memory(self.bytes())
    }
}

/// Returns how many numbers exist at once on the way of one sample: the values of every layer, and
/// every output's signals before and after the largest.
fn way<T: Scalar>(model: &Model<T>) -> usize {
    let most = model.sizes().max().unwrap_or(0);
    let signals = most.saturating_mul(model.outputs()).saturating_mul(2);
    model.sizes().fold(signals, usize::saturating_add)
}
