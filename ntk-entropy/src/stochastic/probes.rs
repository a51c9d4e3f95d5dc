//! Random signs (Hutchinson 1990, doi:10.1080/03610919008812866).

use super::BLOCK;
use ndarray::Array2;
use ntk_linalg::Real;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A source of blocks of probes.
pub(super) struct Probes {
    rng: ChaCha8Rng,
    n: usize,
}

impl Probes {
    pub(super) fn new(n: usize, seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            n,
        }
    }

    /// Draws probes (`rows`, n), each entry 1 or -1 with equal probability.
    pub(super) fn draw<T: Real>(&mut self, rows: usize) -> Array2<T> {
        let mut bits = 0;
        let mut left = 0;
        Array2::from_shape_simple_fn((rows, self.n), || {
            if left == 0 {
                (bits, left) = (self.rng.next_u64(), u64::BITS);
            }
            let sign = if bits & 1 == 0 { T::one() } else { -T::one() };
            (bits, left) = (bits >> 1, left - 1);
            sign
        })
    }

    /// Draws a block of probes.
    pub(super) fn block<T: Real>(&mut self) -> Array2<T> {
        self.draw(BLOCK)
    }
}
