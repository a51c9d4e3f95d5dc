//! Keeps memory of kernels to be used again.

use crate::pack::Pack;
use ntk_linalg::Real;

/// A `Spare` holds memory of kernels that is used again: what is fetched from the system anew for each
/// layer takes longer than many a layer.
#[derive(Debug)]
pub(in super::super) struct Spare<T>(Vec<Vec<Pack<T>>>);

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Real> Spare<T> {
    /// Makes a kernel of zeros.
    pub(in super::super) fn zeros(&mut self, len: usize) -> Vec<Pack<T>> {
        let mut kernel = self.any(len);
        kernel.fill(Pack::zero());
        kernel
    }

    /// Makes a kernel of whatever was there.
    pub(in super::super) fn any(&mut self, len: usize) -> Vec<Pack<T>> {
        // The smallest that is large enough, else the largest, so that few are large.
        let by_size = |&(_, kernel): &(usize, &Vec<Pack<T>>)| match kernel.capacity() {
            size if size >= len => (0, size),
            size => (1, usize::MAX - size),
        };
        let found = self.0.iter().enumerate().min_by_key(by_size);
        let number = found.map(|(number, _)| number);
        let mut kernel = number.map_or_else(Vec::new, |number| self.0.swap_remove(number));
        kernel.truncate(len);
        kernel.resize(len, Pack::zero());
        kernel
    }

    /// Keeps a kernel's memory.
    pub(in super::super) fn keep(&mut self, kernel: Vec<Pack<T>>) {
        self.0.push(kernel);
    }
}
