//! The memory of a job, as a function of its sizes.

use crate::cli::SolverName;

/// Numbers that ScaLAPACK can count on a rank.
const COUNTABLE: u64 = (1 << 31) - 1;

/// Bytes that rank 0 has on their way to the store at a time.
const IN_FLIGHT: u64 = 8 << 25;

/// Sizes of a job.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// Training samples.
    pub(crate) n: u64,
    /// Test samples.
    pub(crate) m: u64,
    /// Numbers of a sample.
    pub(crate) d: u64,
    pub(crate) outputs: u64,
    pub(crate) ranks: u64,
    pub(crate) block: u64,
    pub(crate) solver: SolverName,
    /// Columns of the preconditioner.
    pub(crate) rank: u64,
    pub(crate) spectrum: bool,
    pub(crate) store: bool,
}

/// Bytes of the rank with the most.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Memory {
    /// One copy of its part of the matrix, and how many copies there are.
    pub(crate) matrix: u64,
    pub(crate) copies: u64,
    pub(crate) samples: u64,
    pub(crate) preconditioner: u64,
    /// Vectors, and the blocks at work.
    pub(crate) vectors: u64,
    /// Rank 0 has this besides: the data, and tiles on their way to the store.
    pub(crate) root: u64,
}

impl Memory {
    pub(crate) fn total(&self) -> u64 {
        self.matrix * self.copies + self.samples + self.preconditioner + self.vectors + self.root
    }
}

impl Job {
    /// Rows and columns of processes: the factors of the number of ranks that are nearest.
    pub(crate) fn grid(&self) -> (u64, u64) {
        let rows = (1..=self.ranks.isqrt())
            .rev()
            .find(|r| self.ranks.is_multiple_of(*r));
        let rows = rows.unwrap_or(1);
        (rows, self.ranks / rows)
    }

    /// Counts the indices that the first of `parts` holds, which has the most, of `length` dealt in
    /// blocks.
    fn held(&self, length: u64, parts: u64) -> u64 {
        let (full, rest) = (length / self.block, length % self.block);
        let last = if full.is_multiple_of(parts) { rest } else { 0 };
        full.div_ceil(parts) * self.block + last
    }

    pub(crate) fn memory(&self) -> Memory {
        let (p, q) = self.grid();
        let (rows, columns) = (self.held(self.n, p), self.held(self.n, q));
        let bytes = |numbers: u64| numbers * 8;
        let cg = self.solver != SolverName::Cholesky;
        let tiles = if self.store { IN_FLIGHT } else { 0 };
        let pixels = (self.n + self.m) * self.d;
        Memory {
            matrix: bytes(rows * columns),
            // The eigensolver destroys its own and has three besides.
            copies: if self.spectrum { 5 } else { 1 },
            samples: bytes((rows + columns) * self.d),
            // Twice while it is made.
            preconditioner: if cg {
                bytes(2 * self.n * self.rank.min(self.n))
            } else {
                0
            },
            vectors: bytes(10 * self.n * self.outputs + 4 * self.block * rows),
            // Pixels as bytes and as numbers.
            root: 9 * pixels + tiles.min(bytes(self.n * self.n)),
        }
    }

    /// Why no such job can be.
    pub(crate) fn refusal(&self) -> Option<String> {
        let part = self.memory().matrix / 8;
        // The eigensolver's workspace is two parts.
        let needed = if self.spectrum { 2 * part } else { part };
        (needed > COUNTABLE).then(|| {
            format!(
                "a rank would hold {needed} numbers, and ScaLAPACK counts to {COUNTABLE}; give at \
                 least {} --ranks",
                self.ranks * needed.div_ceil(COUNTABLE)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(n: u64, ranks: u64, block: u64) -> Job {
        Job {
            n,
            m: n / 4,
            d: 7,
            outputs: 3,
            ranks,
            block,
            solver: SolverName::Both,
            rank: 5,
            spectrum: true,
            store: true,
        }
    }

    /// Against one entry after another.
    #[test]
    fn the_largest_part_is_as_counted() {
        for n in [0, 1, 7, 24, 25] {
            for ranks in [1, 2, 4, 6, 7] {
                for block in [1, 3, 30] {
                    let job = job(n, ranks, block);
                    let (p, q) = job.grid();
                    let mut held = vec![0; usize::try_from(ranks).unwrap()];
                    for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
                        let owner = i / block % p * q + j / block % q;
                        held[usize::try_from(owner).unwrap()] += 8;
                    }
                    assert_eq!(Some(job.memory().matrix), held.into_iter().max());
                }
            }
        }
    }

    #[test]
    fn grids_are_as_square_as_may_be() {
        let found = [1, 2, 7, 12, 1024].map(|ranks| job(1, ranks, 1).grid());
        assert_eq!(found, [(1, 1), (1, 2), (1, 7), (3, 4), (32, 32)]);
    }

    #[test]
    fn parts_that_scalapack_cannot_count_are_refused() {
        assert_eq!(job(46_000, 1, 128).memory().copies, 5);
        let mut job = job(46_000, 1, 128);
        assert!(job.refusal().unwrap().contains("at least 2 --ranks"));
        job.spectrum = false;
        assert_eq!(job.refusal(), None);
        job.n = 1_000_000;
        assert!(job.refusal().unwrap().contains("2147483647"));
        job.ranks = 1024;
        assert_eq!(job.refusal(), None);
    }
}
