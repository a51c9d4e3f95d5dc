//! Says how much memory kernels take, and refuses what there is not.

use super::program::Program;
use super::{Kernel, KernelError, Wanted, spatial};
use crate::network::Shape;
use crate::network::count_positions;
use ntk_linalg::Real;

/// What takes less is not asked about.
const LARGE: u64 = 1 << 28;

/// Samples in a row of blocks of pairs.
const GROUP: usize = 4;

/// The most positions of a sample: the plan for more is itself too large.
const MOST_POSITIONS: usize = 1 << 24;

/// Refuses samples of more positions than plans are made for.
pub(super) fn check_positions(program: &Program) -> Result<(), KernelError> {
    if !program.mixes {
        return Ok(());
    }
    let positions = count_positions(program.positions);
    if positions > MOST_POSITIONS {
        // A covariance for each pair of positions.
        return Err(KernelError::Memory {
            bytes: product([positions, positions, size_of::<f64>()]),
        });
    }
    check(spatial::tables(program))
}

/// Refuses bytes that the system does not give.
pub(crate) fn check(bytes: u64) -> Result<(), KernelError> {
    // Asked for and given back: pages that are not written to cost nothing.
    let given = |bytes: usize| Vec::<u8>::new().try_reserve_exact(bytes).is_ok();
    match bytes < LARGE || usize::try_from(bytes).is_ok_and(given) {
        true => Ok(()),
        false => Err(KernelError::Memory { bytes }),
    }
}

/// Returns the bytes that kernels of `samples` of a shape take, the result with them.
pub(super) fn needed<T: Real>(
    program: &Program,
    shape: &Shape,
    masked: bool,
    wanted: Wanted,
    samples: [Option<usize>; 2],
) -> u64 {
    let n = samples[0].unwrap_or(0);
    let m = samples[1].unwrap_or(n);
    let matrices = if wanted == Wanted::Both { 2 } else { 1 };
    let number = size_of::<T>();
    let result = product([n, m, matrices, number]);
    let groups = [n, m].map(|n| n.div_ceil(GROUP));
    let blocks = groups[0].saturating_mul(groups[1]).max(1);
    let ntk = wanted.has(Kernel::Ntk);
    let samples = (blocks, n.saturating_add(m));
    let working = working::<T>(program, shape, masked, ntk, samples);
    result.saturating_add(working)
}

/// Returns the bytes that kernels of `samples` with themselves take.
pub(super) fn of_diagonal<T: Real>(
    program: &Program,
    shape: &Shape,
    masked: bool,
    samples: usize,
) -> u64 {
    let blocks = samples.div_ceil(GROUP).max(1);
    working::<T>(program, shape, masked, true, (blocks, samples))
}

fn working<T: Real>(
    program: &Program,
    shape: &Shape,
    masked: bool,
    ntk: bool,
    (blocks, samples): (usize, usize),
) -> u64 {
    let number = size_of::<T>();
    if program.on_vectors(shape) {
        return product([samples, program.numbers().saturating_add(4), number]);
    }
    // Samples are copied group by group.
    let copies = product([samples, shape.size(), number]);
    let blocks = spatial::working_memory(program, masked, ntk, (blocks, samples), number);
    blocks.saturating_add(copies)
}

/// Multiplies sizes; the product is at most `u64::MAX`.
pub(crate) fn product<const N: usize>(sizes: [usize; N]) -> u64 {
    let sizes = sizes.map(|size| u64::try_from(size).unwrap_or(u64::MAX));
    sizes.into_iter().fold(1, u64::saturating_mul)
}
