//! Features between two layers.

use ndarray::Array2;
use ntk_linalg::Real;

/// The features of samples at all positions, row by row: those of a sample stand together.
///
/// Both have the standard layout.
#[derive(Debug, Clone)]
pub(super) struct Signal<T> {
    /// The features of the NNGP, (samples times positions, width).
    pub(super) phi: Array2<T>,
    /// Those of the NTK, without columns where it is zero or not wanted.
    pub(super) psi: Array2<T>,
}

impl<T: Real> Signal<T> {
    pub(super) fn zeros(rows: usize, phi: usize, psi: usize) -> Self {
        let [phi, psi] = [phi, psi].map(|width| Array2::zeros((rows, width)));
        Self { phi, psi }
    }

    pub(super) fn phi(&self, row: usize) -> &[T] {
        numbers(&self.phi, row)
    }

    pub(super) fn psi(&self, row: usize) -> &[T] {
        numbers(&self.psi, row)
    }

    pub(super) fn phi_mut(&mut self, row: usize) -> &mut [T] {
        numbers_mut(&mut self.phi, row)
    }

    pub(super) fn psi_mut(&mut self, row: usize) -> &mut [T] {
        numbers_mut(&mut self.psi, row)
    }

    pub(super) fn both(&self) -> [&Array2<T>; 2] {
        [&self.phi, &self.psi]
    }
}

fn numbers<T>(a: &Array2<T>, row: usize) -> &[T] {
    let width = a.ncols();
    let all = a.as_slice().expect("it was made in standard layout");
    &all[row * width..(row + 1) * width]
}

fn numbers_mut<T>(a: &mut Array2<T>, row: usize) -> &mut [T] {
    let width = a.ncols();
    let all = a.as_slice_mut().expect("it was made in standard layout");
    &mut all[row * width..(row + 1) * width]
}
