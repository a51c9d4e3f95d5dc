//! Fits of estimators whose samples the ranks share.

use crate::Grid;
use crate::communicate::{first_failure, sum};
use ntk_kernels::Ranks;
use std::fmt::Display;

/// Fits over all ranks of the grid, such as [`Landmarks::fit_over`](ntk_kernels::Landmarks::fit_over):
/// m landmarks and sums of order m are on every rank, and each reads its own blocks of samples.
impl Ranks for Grid {
    fn rank(&self) -> usize {
        Self::rank(self)
    }

    fn count(&self) -> usize {
        self.ranks()
    }

    fn sum(&self, numbers: &mut [f64]) {
        sum(self.communicator(), numbers);
    }

    fn first_failure(&self, error: Option<&dyn Display>) -> Option<(usize, String)> {
        first_failure(self.communicator(), error)
    }
}
