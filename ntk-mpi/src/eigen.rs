//! Eigenvalues over a grid: `pdsyevd`.

use ndarray::Array1;

use crate::BlockCyclic;
use crate::communicate::broadcast;
use crate::matrix::{fits, int};
use crate::scalapack::{FIRST, LOWER, VECTORS, call, pdsyevd_};
use ntk_linalg::LinalgError;

use crate::Error;

/// Computes the n eigenvalues of a symmetric `a` (n, n), ascending, with multiplicity, on every rank.
///
/// The lower half alone is read. The values are as accurate as those of
/// [`ntk_linalg::eigenvalues`]: each is off by a small multiple of `n * eps * max |eigenvalue|`.
///
/// The method is divide and conquer (Tisseur and Dongarra 1999, SIAM J. Sci. Comput. 20(6)).
/// ScaLAPACK's `pdsyevd` cannot leave out the eigenvectors. Cost over all ranks: `4/3 n^3`
/// operations for the tridiagonal matrix, half of them in products with a vector, which wait for
/// memory, then up to `4/3 n^3` for its eigenvectors and `2 n^3` for those of `a`; four matrices of
/// memory, `a` among them.
///
/// # Errors
/// On every rank: [`LinalgError::NotSquare`]; [`LinalgError::NonFinite`];
/// [`Error::RankTooLarge`], here where a rank has about `2^30` numbers of the matrix;
/// [`LinalgError::NoConvergence`].
pub fn eigenvalues(mut a: BlockCyclic) -> Result<Array1<f64>, Error> {
    let n = a.order("an eigenvalue problem")?;
    a.check_finite()?;
    let mut values = vec![0.0; n];
    if n == 0 {
        return Ok(values.into());
    }
    let grid = a.grid().clone();
    let (lwork, liwork) = workspace(&a);
    fits(&grid, a.shape(), (lwork as u128).max(liwork as u128))?;
    let mut vectors = BlockCyclic::zeros(&grid, a.shape(), a.block())?;
    let mut work = vec![0.0; lwork];
    let mut iwork = vec![0; liwork];
    let descriptor = a.descriptor();
    let mut info = 0;
    // SAFETY: both matrices are n x n and have this descriptor, on a grid that is alive; `values`
    // holds n, and the workspaces as many as their lengths say.
    call(n, || unsafe {
        pdsyevd_(
            &VECTORS,
            &LOWER,
            &int(n),
            a.local_mut().as_mut_ptr(),
            &FIRST,
            &FIRST,
            descriptor.as_ptr(),
            values.as_mut_ptr(),
            vectors.local_mut().as_mut_ptr(),
            &FIRST,
            &FIRST,
            descriptor.as_ptr(),
            work.as_mut_ptr(),
            &int(lwork),
            iwork.as_mut_ptr(),
            &int(liwork),
            &mut info,
        );
    });
    assert!(info >= 0, "pdsyevd found argument {} invalid", -info);
    // Rank 0 speaks for all, should processors of different kinds have rounded differently.
    let mut all = [f64::from(info)];
    broadcast(grid.communicator(), 0, &mut all);
    if all[0] != 0.0 {
        return Err(LinalgError::NoConvergence {
            backend: "ScaLAPACK",
            n,
            code: all[0] as i64,
        }
        .into());
    }
    broadcast(grid.communicator(), 0, &mut values);
    Ok(values.into())
}

/// Computes the lengths of the two workspaces of `pdsyevd`, alike on all ranks.
///
/// They are those of its documentation, which is also what its query answers, for the process with
/// the most rows and columns. That forgets `pdormtr`, which in small matrices of large blocks needs
/// more.
fn workspace(a: &BlockCyclic) -> (usize, usize) {
    let (n, block) = (a.shape().0, a.block());
    let (rows, columns) = a.grid().axes(0, a.shape(), block);
    let (rows, columns) = (rows.held(), columns.held());
    let conquer = 1 + 6 * n + 2 * rows * columns;
    let reduce = 3 * n + (block * (rows + 1)).max(3 * block);
    let back = (block / 2).max(rows + columns) * block + block * block;
    let process_columns = a.grid().shape().1;
    (
        conquer.max(reduce).max(back) + 2 * n,
        7 * n + 8 * process_columns + 2,
    )
}
