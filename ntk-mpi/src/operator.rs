//! Products of a symmetric matrix over a grid with vectors.

use ndarray::{Array2, ArrayRef2, s};

use crate::communicate::sum;
use crate::{BlockCyclic, Error};
use ntk_linalg::{LinalgError, Operator, gemm, mirror_lower};

/// A `DistributedOperator` is a symmetric matrix over a grid, known by its products, as iterative
/// methods ask for it.
#[derive(Debug, Clone, Copy)]
pub struct DistributedOperator<'a> {
    matrix: &'a BlockCyclic,
}

impl<'a> DistributedOperator<'a> {
    /// Takes the symmetric matrix (n, n) whose lower half `matrix` has; the rest is not read.
    ///
    /// # Errors
    /// [`LinalgError::NotSquare`].
    pub fn new(matrix: &'a BlockCyclic) -> Result<Self, Error> {
        matrix.order("a product of a symmetric matrix")?;
        Ok(Self { matrix })
    }
}

/// The vectors and products are the same on every rank, products to the last bit.
///
/// Cost of a product with k vectors: `2 n^2 k` operations over all ranks, each of which then sends
/// and receives `n k` numbers for every step of a sum and a broadcast, and has about `3 n k` in
/// memory. Entries of vectors are not checked.
impl Operator<f64> for DistributedOperator<'_> {
    type Error = LinalgError;

    fn order(&self) -> usize {
        self.matrix.shape().0
    }

    fn product(&self, v: &ArrayRef2<f64>) -> Result<Array2<f64>, LinalgError> {
        let (n, k) = (self.order(), v.ncols());
        if v.nrows() != n {
            return Err(LinalgError::ShapeMismatch {
                operation: "a product of a symmetric matrix",
                left: (n, n),
                right: v.dim(),
            });
        }
        // Another layout would be rounded otherwise by some backends.
        let v = v.as_standard_layout();
        let (rows, columns) = (self.matrix.rows(), self.matrix.columns());
        let local = self.matrix.local();
        let mut of_rows = Array2::zeros((rows.held(), k));
        for (i, down) in rows.blocks() {
            of_rows.slice_mut(s![down, ..]).assign(&v.slice(s![i, ..]));
        }
        let mut product_of_rows = Array2::zeros((rows.held(), k));
        let mut product = Array2::zeros((n, k));
        for (j, right) in columns.blocks() {
            let vectors = v.slice(s![j.clone(), ..]);
            let mut mirrored = product.slice_mut(s![j.clone(), ..]);
            let (diagonal, below) = (rows.held_below(j.start), rows.held_below(j.end));
            // Empty unless this process has the block on the diagonal.
            if diagonal < below {
                let mut block = local.slice(s![diagonal..below, right.clone()]).to_owned();
                mirror_lower(&mut block)?;
                gemm(1.0, &block, &vectors, 1.0, &mut mirrored)?;
            }
            // What is below the diagonal counts twice: as it is, and mirrored above the diagonal.
            let strip = local.slice(s![below.., right]);
            let mut down = product_of_rows.slice_mut(s![below.., ..]);
            gemm(1.0, &strip, &vectors, 1.0, &mut down)?;
            let others = of_rows.slice(s![below.., ..]);
            gemm(1.0, &strip.t(), &others, 1.0, &mut mirrored)?;
        }
        for (i, down) in rows.blocks() {
            let mut sums = product.slice_mut(s![i, ..]);
            sums += &product_of_rows.slice(s![down, ..]);
        }
        let numbers = product.as_slice_mut().expect("it is new");
        sum(self.matrix.grid().communicator(), numbers);
        Ok(product)
    }
}
