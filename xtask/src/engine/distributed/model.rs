//! Memory, operations, messages and time of a job, as functions of its sizes.

use crate::cli::SolverName;

/// Bytes of a number.
const NUMBER: f64 = 8.0;

/// Numbers that ScaLAPACK can count on a rank.
const COUNTABLE: u64 = (1 << 31) - 1;

/// Columns that the preconditioner asks for at once, and how many it asks for for each it keeps.
const PROPOSALS: f64 = 128.0;
const PROPOSED: f64 = 1.5;

/// What rank 0 has on its way to the store at a time.
const IN_FLIGHT: u64 = 8 << 25;

/// Sizes of a job.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// Training samples.
    pub(super) n: u64,
    /// Test samples.
    pub(super) m: u64,
    /// Numbers of a sample.
    pub(super) d: u64,
    pub(super) outputs: u64,
    pub(super) ranks: u64,
    pub(super) block: u64,
    pub(super) solver: SolverName,
    /// Columns of the preconditioner.
    pub(super) rank: u64,
    /// Products of conjugate gradients.
    pub(super) products: f64,
    pub(super) spectrum: bool,
    pub(super) store: bool,
}

/// What a rank does, all of its threads together, and what a link does.
#[derive(Debug, Clone)]
pub(super) struct Rates {
    /// Seconds of an entry of the kernel.
    pub(super) entry: f64,
    /// Seconds of an operation of matrix products.
    pub(super) operation: f64,
    /// Seconds of an entry of the matrix's lower half, in a product with one vector, and with as
    /// many as there are outputs.
    pub(super) vector: f64,
    pub(super) vectors: f64,
    /// Bytes in a second over a link, and seconds of a message without any.
    pub(super) link: f64,
    pub(super) latency: f64,
}

/// A part of a job.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub(super) name: &'static str,
    /// Floating-point operations over all ranks; of the kernel those of its first product alone.
    pub(super) operations: f64,
    /// Sent by the rank that sends the most, or that others wait for.
    pub(super) bytes: f64,
    pub(super) messages: f64,
    pub(super) seconds: f64,
}

/// Bytes of the rank with the most.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Memory {
    /// One copy of its part of the matrix, and how many copies there are.
    pub(super) matrix: u64,
    pub(super) copies: u64,
    pub(super) samples: u64,
    pub(super) preconditioner: u64,
    /// Vectors, and the blocks at work.
    pub(super) vectors: u64,
    /// What rank 0 has besides: the data, and tiles on their way to the store.
    pub(super) root: u64,
}

impl Memory {
    pub(super) fn total(&self) -> u64 {
        self.matrix * self.copies + self.samples + self.preconditioner + self.vectors + self.root
    }
}

impl Job {
    /// Rows and columns of processes: the factors of the number of ranks that are nearest.
    pub(super) fn grid(&self) -> (u64, u64) {
        let rows = (1..=self.ranks.isqrt())
            .rev()
            .find(|r| self.ranks.is_multiple_of(*r));
        let rows = rows.unwrap_or(1);
        (rows, self.ranks / rows)
    }

    /// Of `length` indices dealt in blocks to `parts`, those of the first, which has the most.
    fn held(&self, length: u64, parts: u64) -> u64 {
        let (full, rest) = (length / self.block, length % self.block);
        let last = if full.is_multiple_of(parts) { rest } else { 0 };
        full.div_ceil(parts) * self.block + last
    }

    pub(super) fn memory(&self) -> Memory {
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
    pub(super) fn refusal(&self) -> Option<String> {
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

    /// What the job does, in its order.
    pub(super) fn parts(&self, rates: &Rates) -> Vec<Part> {
        let [n, m, d, c, ranks, block] =
            [self.n, self.m, self.d, self.outputs, self.ranks, self.block].map(|x| x as f64);
        let (p, q) = self.grid();
        let (p, q) = (p as f64, q as f64);
        let k = self.rank.min(self.n) as f64;
        let steps = ranks.log2();
        let apart = (ranks - 1.0) / ranks;
        let half = n * n / 2.0;
        let part = |name, operations, bytes, messages, work: f64| Part {
            name,
            operations,
            bytes,
            messages,
            seconds: work + bytes / rates.link + messages * rates.latency,
        };
        // A sum on every rank: up a tree to rank 0 and down again.
        let sum = |numbers: f64| (2.0 * NUMBER * numbers * steps, 2.0 * steps);
        let mut parts = Vec::new();
        let bytes = NUMBER * n * d * (p + q) * apart;
        parts.push(part("data", 0.0, bytes, 2.0 * (ranks - 1.0), 0.0));
        let work = half * rates.entry / ranks;
        // All blocks below the diagonal to rank 0.
        let tiles = if self.store {
            apart * n / block * (n / block + 1.0) / 2.0
        } else {
            0.0
        };
        let bytes = NUMBER * block * block * tiles;
        parts.push(part("kernel", half * 2.0 * d, bytes, tiles, work));
        if self.spectrum {
            // Tridiagonal, half of it in products with a vector, conquest, and back.
            let operations = (4.0 / 3.0 + 4.0 / 3.0 + 2.0) * n * n * n;
            let vectors = n * n * n / 6.0 * rates.vector;
            let products = (operations - 2.0 / 3.0 * n * n * n) * rates.operation;
            let bytes = NUMBER * 5.0 * steps * n * n / ranks.sqrt();
            let messages = if ranks > 1.0 {
                (8.5 * block + 2.0) * n / block
            } else {
                0.0
            };
            let work = (vectors + products) / ranks;
            parts.push(part("spectrum", operations, bytes, messages, work));
        }
        if self.solver != SolverName::Cholesky {
            let entries = PROPOSED * n * k;
            let (bytes, messages) = sum(entries + PROPOSED * k * d);
            let messages = 2.0 * messages * PROPOSED * k / PROPOSALS;
            // Every rank has all of it.
            let own = 5.0 * n * k * k;
            let work = entries * rates.entry / ranks + own * rates.operation;
            let operations = entries * 2.0 * d + own * ranks;
            parts.push(part("preconditioner", operations, bytes, messages, work));
            let (bytes, messages) = sum(n * c);
            let own = 4.0 * n * k * c;
            let operations = 2.0 * n * n * c + own * ranks;
            let work = half * rates.vectors / ranks + own * rates.operation;
            let count = self.products;
            parts.push(part(
                "cg",
                count * operations,
                count * bytes,
                count * messages,
                count * work,
            ));
        }
        if self.solver != SolverName::Cg {
            let operations = n * n * n / 3.0 + 2.0 * n * n * c;
            let (bytes, messages) = match ranks > 1.0 {
                true => (
                    NUMBER * (2.0 + 0.5 * steps) * n * n / ranks.sqrt(),
                    (4.0 + steps) * n / block,
                ),
                false => (0.0, 0.0),
            };
            let work = operations * rates.operation / ranks;
            parts.push(part("cholesky", operations, bytes, messages, work));
        }
        let bytes = NUMBER * (m * d * q * apart + m / p * c * q.log2());
        let messages = (ranks - 1.0) + q.log2();
        let work = n * m * (rates.entry + 2.0 * c * rates.operation) / ranks;
        parts.push(part("test", n * m * 2.0 * (d + c), bytes, messages, work));
        parts
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
            products: 9.0,
            spectrum: true,
            store: true,
        }
    }

    const RATES: Rates = Rates {
        entry: 1.0,
        operation: 1.0,
        vector: 1.0,
        vectors: 1.0,
        link: f64::INFINITY,
        latency: 0.0,
    };

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

    /// Multiplications and additions of a factorisation written out.
    #[test]
    fn cholesky_has_as_many_operations_as_its_loops() {
        let n = 120;
        let mut counted = 0.0;
        for j in 0..n {
            // A root, a column of divisions, and a product and a sum for each entry behind it.
            counted += 1.0 + (n - 1 - j) as f64;
            counted += 2.0 * (j + 1..n).map(|i| (i - j) as f64).sum::<f64>();
        }
        // Forward and back for three outputs.
        counted += 3.0 * 2.0 * (n * n) as f64;
        let parts = job(n, 4, 16).parts(&RATES);
        let cholesky = parts.iter().find(|part| part.name == "cholesky").unwrap();
        // Terms of lower order: of n^2.
        assert!((cholesky.operations - counted).abs() <= 2.0 * (n * n) as f64);
        assert_eq!(cholesky.seconds, cholesky.operations / 4.0);
    }

    #[test]
    fn one_rank_sends_nothing() {
        for part in job(100, 1, 16).parts(&RATES) {
            assert_eq!((part.bytes, part.messages), (0.0, 0.0), "{part:?}");
            assert!(part.name == "data" || part.seconds > 0.0, "{part:?}");
        }
        assert!(
            job(100, 4, 16)
                .parts(&RATES)
                .iter()
                .all(|part| part.bytes > 0.0)
        );
    }

    /// A sum of n c numbers: each of two steps up and two down a tree of four.
    #[test]
    fn products_send_their_sums() {
        let parts = job(100, 4, 16).parts(&RATES);
        let cg = parts.iter().find(|part| part.name == "cg").unwrap();
        assert_eq!((cg.bytes, cg.messages), (9.0 * 4.0 * 2400.0, 36.0));
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
