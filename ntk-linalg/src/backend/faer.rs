//! The operations in faer.
//!
//! `RealField`, faer's trait of scalars, is a bound of functions in this file and nowhere else.

use ::faer::diag::Diag;
use ::faer::dyn_stack::{MemBuffer, MemStack};
use ::faer::linalg::cholesky::lblt;
use ::faer::linalg::cholesky::llt::factor::{self as llt, LltError};
use ::faer::linalg::evd::{self, ComputeEigenvectors};
use ::faer::linalg::matmul::triangular::{self, BlockStructure};
use ::faer::linalg::{matmul, triangular_solve};
use ::faer::traits::RealField;
use ::faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, ShapeBuilder};

use super::Eigh;
use crate::threads::{self, FACTORISATION, FAER_FACTORISATION, PRODUCT};
use crate::triangle::Triangle;
use crate::{LinalgError, Real};

/// As many threads as [`threads::available`] says, or one where the work is small.
fn par(n: usize, sequential_below: usize) -> Par {
    match threads::available() {
        threads if threads > 1 && n >= sequential_below => Par::rayon(threads),
        _ => Par::Seq,
    }
}

fn view<'a, T>(a: &ArrayView2<'a, T>) -> MatRef<'a, T> {
    let (rows, columns) = a.dim();
    let strides = a.strides();
    // SAFETY: pointer, shape and strides (in elements) describe memory that `a`
    // borrows for 'a; both libraries mean the same by them.
    unsafe { MatRef::from_raw_parts(a.as_ptr(), rows, columns, strides[0], strides[1]) }
}

fn view_mut<'a, T>(a: &'a mut ArrayViewMut2<'_, T>) -> MatMut<'a, T> {
    let (rows, columns) = a.dim();
    let (row_stride, column_stride) = (a.strides()[0], a.strides()[1]);
    // SAFETY: as in `view`; `a` is borrowed exclusively for 'a, and no two
    // entries of a mutable array view share memory.
    unsafe { MatMut::from_raw_parts_mut(a.as_mut_ptr(), rows, columns, row_stride, column_stride) }
}

/// Eigenvalues of the lower half of a column-major matrix.
pub(crate) fn eigenvalues<T: Real + RealField>(a: Array2<T>) -> Result<Array1<T>, LinalgError> {
    let mut values = Array1::zeros(a.nrows());
    self_adjoint(&a, &mut values, None)?;
    Ok(values)
}

/// Eigenvalues and eigenvectors of the lower half of a column-major matrix.
pub(crate) fn eigh<T: Real + RealField>(a: Array2<T>) -> Result<Eigh<T>, LinalgError> {
    let n = a.nrows();
    let mut values = Array1::zeros(n);
    let mut vectors = Array2::zeros((n, n).f());
    self_adjoint(&a, &mut values, Some(view_mut(&mut vectors.view_mut())))?;
    Ok(Eigh { values, vectors })
}

fn self_adjoint<T: Real + RealField>(
    a: &Array2<T>,
    values: &mut Array1<T>,
    vectors: Option<MatMut<'_, T>>,
) -> Result<(), LinalgError> {
    let n = a.nrows();
    if n == 0 {
        return Ok(());
    }
    let (compute, par) = match vectors {
        Some(_) => (ComputeEigenvectors::Yes, par(n, FACTORISATION)),
        None => (ComputeEigenvectors::No, par(n, FAER_FACTORISATION)),
    };
    let scratch = evd::self_adjoint_evd_scratch::<T>(n, compute, par, Default::default());
    let mut diag = Diag::zeros(n);
    evd::self_adjoint_evd(
        view(&a.view()),
        diag.as_mut(),
        vectors,
        par,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .map_err(|evd::EvdError::NoConvergence| LinalgError::NoConvergence {
        backend: "faer",
        n,
        code: 0,
    })?;
    for (to, &from) in values.iter_mut().zip(diag.column_vector().iter()) {
        *to = from;
    }
    Ok(())
}

/// Factors the lower half in place; the failing pivot, if any.
pub(crate) fn cholesky<T: Real + RealField>(a: &mut Array2<T>) -> Option<usize> {
    let n = a.nrows();
    let par = par(n, FAER_FACTORISATION);
    let scratch = llt::cholesky_in_place_scratch::<T>(n, par, Default::default());
    llt::cholesky_in_place(
        view_mut(&mut a.view_mut()),
        Default::default(),
        par,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .err()
    .map(|LltError::NonPositivePivot { index }| index)
}

/// Solves in the memory of `b`.
pub(crate) fn solve_triangular<T: Real + RealField>(
    a: ArrayView2<'_, T>,
    triangle: Triangle,
    mut b: ArrayViewMut2<'_, T>,
) {
    let par = par(a.nrows(), PRODUCT);
    match triangle {
        Triangle::Lower => {
            triangular_solve::solve_lower_triangular_in_place(view(&a), view_mut(&mut b), par);
        }
        Triangle::Upper => {
            triangular_solve::solve_upper_triangular_in_place(view(&a), view_mut(&mut b), par);
        }
    }
}

/// Solves with the lower half of a column-major matrix.
pub(crate) fn solve_symmetric<T: Real + RealField>(
    mut a: Array2<T>,
    b: ArrayView2<'_, T>,
) -> Result<Array2<T>, LinalgError> {
    let n = a.nrows();
    let mut x = Array2::zeros(b.raw_dim().f());
    x.assign(&b);
    if n == 0 {
        return Ok(x);
    }
    let par = par(n, FACTORISATION);
    let columns = x.ncols();
    let scratch = lblt::factor::cholesky_in_place_scratch::<usize, T>(n, par, Default::default())
        .or(lblt::solve::solve_in_place_scratch::<usize, T>(
            n, columns, par,
        ));
    let mut memory = MemBuffer::new(scratch);
    let mut subdiagonal = Diag::zeros(n);
    let (mut forward, mut backward) = (vec![0_usize; n], vec![0_usize; n]);
    let mut a = a.view_mut();
    let mut l = view_mut(&mut a);
    let (_, permutation) = lblt::factor::cholesky_in_place(
        l.as_mut(),
        subdiagonal.as_mut(),
        &mut forward,
        &mut backward,
        par,
        MemStack::new(&mut memory),
        Default::default(),
    );
    let l = l.as_ref();
    if let Some(pivot) = zero_pivot(n, |i| l[(i, i)], |i| subdiagonal[i]) {
        return Err(LinalgError::Singular { pivot });
    }
    lblt::solve::solve_in_place(
        l,
        l.diagonal(),
        subdiagonal.as_ref(),
        permutation,
        view_mut(&mut x.view_mut()),
        par,
        MemStack::new(&mut memory),
    );
    Ok(x)
}

/// The first singular block of a block diagonal with 1 x 1 and 2 x 2 blocks.
fn zero_pivot<T: Real + RealField>(
    n: usize,
    diagonal: impl Fn(usize) -> T,
    subdiagonal: impl Fn(usize) -> T,
) -> Option<usize> {
    // A 2 x 2 block is only formed around an off-diagonal entry that is not zero.
    (0..n).find(|&i| {
        let coupled = subdiagonal(i) != T::zero() || (i > 0 && subdiagonal(i - 1) != T::zero());
        !coupled && diagonal(i) == T::zero()
    })
}

/// `c = alpha a b + beta c`.
pub(crate) fn gemm<T: Real + RealField>(
    alpha: T,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    beta: T,
    mut c: ArrayViewMut2<'_, T>,
) {
    let size = a.nrows().max(a.ncols()).max(b.ncols());
    let accumulate = scale(beta, &mut c);
    matmul::matmul(
        view_mut(&mut c),
        accumulate,
        view(&a),
        view(&b),
        alpha,
        par(size, PRODUCT),
    );
}

/// The lower half of `c = alpha a a^T + beta c`.
pub(crate) fn syrk<T: Real + RealField>(
    alpha: T,
    a: ArrayView2<'_, T>,
    beta: T,
    mut c: ArrayViewMut2<'_, T>,
) {
    let accumulate = if beta == T::zero() {
        Accum::Replace
    } else {
        if beta != T::one() {
            for (row, mut line) in c.rows_mut().into_iter().enumerate() {
                line.slice_mut(ndarray::s![..=row])
                    .mapv_inplace(|x| beta * x);
            }
        }
        Accum::Add
    };
    triangular::matmul(
        view_mut(&mut c),
        BlockStructure::TriangularLower,
        accumulate,
        view(&a),
        BlockStructure::Rectangular,
        view(&a).transpose(),
        BlockStructure::Rectangular,
        alpha,
        par(a.nrows().max(a.ncols()), PRODUCT),
    );
}

/// Applies beta, of which faer knows 0 and 1 only.
fn scale<T: Real + RealField>(beta: T, c: &mut ArrayViewMut2<'_, T>) -> Accum {
    if beta == T::zero() {
        return Accum::Replace;
    }
    if beta != T::one() {
        c.mapv_inplace(|x| beta * x);
    }
    Accum::Add
}
