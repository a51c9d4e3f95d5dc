//! The operations in BLAS and LAPACK: through ndarray-linalg where it has them without a loss.
//!
//! | operation | through | because, as measured in `records/linalg.md` |
//! |---|---|---|
//! | Cholesky, `?potrf` | ndarray-linalg's `Lapack` | level |
//! | Bunch-Kaufman, `?sytrf` | ndarray-linalg's `Lapack` | level |
//! | solving with it, `?sytrs` | lapack-sys | `Lapack` takes one column at a time: 1.7 to 3.1 times as long for ten or more |
//! | eigenvalues and vectors, `?syevd` | lapack-sys | `Lapack` has `?syev`: 3.5 to 6 times as long |
//! | triangular solves, `?trsm` | blas-sys | `Lapack` has `?trtrs`, and copies a matrix by rows: 1.1 to 10 times as long for L^T, and its memory again |
//! | products, `?gemm` and `?syrk` | blas-sys | ndarray-linalg has none; see below |
//!
//! `Lapack` is the trait of scalars on which ndarray-linalg's methods of arrays stand, and takes
//! slices. `factorizec`, the method, writes zeros over the other half of the matrix, from which
//! a Cholesky factorisation that failed starts anew; that takes 1.1 to 1.5 times as long.
//!
//! The feature `blas` of ndarray would give products to BLAS in every crate of a program, without
//! the lock and the number of threads of [`crate::threads`]; it has no `?syrk` and no way to faer
//! on processors that OpenBLAS does not know.

use std::ffi::{CStr, c_char, c_int};
use std::sync::OnceLock;

use lax::error::Error::LapackComputationalFailure;
use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, ShapeBuilder};
use ndarray_linalg::{MatrixLayout, UPLO};

use super::Eigh;
use super::lapack::Routines;
use super::lapack::own::openblas_get_corename;
use crate::threads::{FACTORISATION, PRODUCT, with_blas};
use crate::triangle::Triangle;
use crate::{LinalgError, Real};

/// LAPACK's one-letter options are read by reference.
const fn letter(letter: u8) -> c_char {
    letter.cast_signed()
}

const LOWER: c_char = letter(b'L');
const UPPER: c_char = letter(b'U');
const LEFT: c_char = letter(b'L');
const RIGHT: c_char = letter(b'R');
const NON_UNIT: c_char = letter(b'N');
const PLAIN: c_char = letter(b'N');
const TRANSPOSED: c_char = letter(b'T');

/// Columns that `?sytrd` and `?sytrf` treat at once; LAPACK's own choice is 32 or 64.
///
/// A workspace for fewer columns than that is legal, but silently turns the
/// blocked algorithm into the unblocked one.
const BLOCK: u128 = 64;

/// Returns whether OpenBLAS uses the processor's widest instructions: one that is younger than the
/// library it takes for an old one, and multiplies at half its rate.
pub(crate) fn knows_processor() -> bool {
    static KNOWS: OnceLock<bool> = OnceLock::new();
    *KNOWS.get_or_init(|| {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx512f") {
            // SAFETY: it takes nothing and gives a string that is never freed.
            let core = unsafe { CStr::from_ptr(openblas_get_corename()) };
            return [c"SkylakeX", c"Cooperlake", c"SapphireRapids"].contains(&core);
        }
        true
    })
}

/// A dimension or workspace as LAPACK's 32-bit integer.
fn int(n: usize, needed: u128) -> Result<c_int, LinalgError> {
    c_int::try_from(needed).map_err(|_| LinalgError::TooLarge { n, needed })
}

fn dimension(n: usize) -> Result<c_int, LinalgError> {
    int(n, n as u128)
}

/// The choice of whether to compute eigenvectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EigenJob {
    Values,
    Vectors,
}

/// The arguments of `?syevd` that depend on the order of the matrix alone.
#[derive(Debug, PartialEq, Eq)]
struct SyevdArguments {
    jobz: c_char,
    n: c_int,
    lwork: c_int,
    liwork: c_int,
}

/// Returns the arguments of `?syevd`, with the workspace from its documentation rather than from a query.
///
/// The query answers in the element type, and f32 rounds sizes above 2^24 down.
/// With vectors: `1 + 6n + 2n^2` and `3 + 5n`. Values only: the documented
/// minimum `2n + 1` leaves `?sytrd` a single number of workspace, which turns
/// it unblocked, so that it gets its [`BLOCK`] columns.
fn syevd_arguments(job: EigenJob, n: usize) -> Result<SyevdArguments, LinalgError> {
    let wide = n as u128;
    let (jobz, lwork, liwork) = match job {
        EigenJob::Values => (letter(b'N'), 1 + (2 + BLOCK) * wide, 1),
        EigenJob::Vectors => (letter(b'V'), 1 + 6 * wide + 2 * wide * wide, 3 + 5 * wide),
    };
    Ok(SyevdArguments {
        jobz,
        n: dimension(n)?,
        lwork: int(n, lwork)?,
        liwork: int(n, liwork)?,
    })
}

/// Runs `?syevd` on the lower half of a column-major matrix; `a` becomes the vectors, if asked.
fn syevd<T: Real + Routines>(job: EigenJob, a: &mut Array2<T>) -> Result<Array1<T>, LinalgError> {
    let n = a.nrows();
    let mut values = Array1::zeros(n);
    if n == 0 {
        return Ok(values);
    }
    let plan = syevd_arguments(job, n)?;
    // Both fit: they came out of a usize, and were only made shorter.
    let mut work = vec![T::zero(); usize::try_from(plan.lwork).unwrap_or(0)];
    let mut iwork = vec![0; usize::try_from(plan.liwork).unwrap_or(0)];
    let mut info = 0;
    assert!(a.t().is_standard_layout());
    // SAFETY: `a` is n x n, column-major and without gaps, `values` holds n, and
    // the two workspaces as many as their lengths say.
    with_blas(n, FACTORISATION, || unsafe {
        T::SYEVD(
            &plan.jobz,
            &LOWER,
            &plan.n,
            a.as_mut_ptr(),
            &plan.n,
            values.as_mut_ptr(),
            work.as_mut_ptr(),
            &plan.lwork,
            iwork.as_mut_ptr(),
            &plan.liwork,
            &mut info,
        );
    });
    if info != 0 {
        return Err(LinalgError::NoConvergence {
            backend: "openblas",
            n,
            code: i64::from(info),
        });
    }
    Ok(values)
}

/// Eigenvalues of the lower half of a column-major matrix.
pub(crate) fn eigenvalues<T: Real + Routines>(mut a: Array2<T>) -> Result<Array1<T>, LinalgError> {
    syevd(EigenJob::Values, &mut a)
}

/// Eigenvalues and eigenvectors of the lower half of a column-major matrix.
pub(crate) fn eigh<T: Real + Routines>(mut a: Array2<T>) -> Result<Eigh<T>, LinalgError> {
    let values = syevd(EigenJob::Vectors, &mut a)?;
    Ok(Eigh { values, vectors: a })
}

/// Factors the lower half of a column-major matrix in place; the failing pivot, if any.
pub(crate) fn cholesky<T: Real + Routines>(
    a: &mut Array2<T>,
) -> Result<Option<usize>, LinalgError> {
    let n = a.nrows();
    let order = dimension(n)?;
    if n == 0 {
        return Ok(None);
    }
    let layout = MatrixLayout::F {
        col: order,
        lda: order,
    };
    let numbers = column_major(a);
    let factored = with_blas(n, FACTORISATION, || {
        T::cholesky(layout, UPLO::Lower, numbers)
    });
    if let Err(error) = factored {
        return Ok(Some(pivot(&error)));
    }
    // OpenBLAS compares `pivot <= 0`, which lets through the NaN of an overflow.
    Ok(a.diag()
        .iter()
        .position(|x| !num_traits::Float::is_finite(*x)))
}

/// Solves with the lower half of a column-major matrix.
pub(crate) fn solve_symmetric<T: Real + Routines>(
    mut a: Array2<T>,
    b: ArrayView2<'_, T>,
) -> Result<Array2<T>, LinalgError> {
    let n = a.nrows();
    let mut x = Array2::zeros(b.raw_dim().f());
    x.assign(&b);
    if n == 0 {
        return Ok(x);
    }
    let order = dimension(n)?;
    let columns = dimension(x.ncols())?;
    // The workspace that `bk` asks for, and counts in 32 bits.
    int(n, BLOCK * n as u128)?;
    let layout = MatrixLayout::F {
        col: order,
        lda: order,
    };
    let numbers = column_major(&mut a);
    let factored = with_blas(n, FACTORISATION, || {
        let pivots = T::bk(layout, UPLO::Lower, numbers)?;
        let mut info = 0;
        // SAFETY: `numbers` is the factor of order n, column-major and without gaps, `pivots`
        // holds n numbers, and `x` is n x columns, column-major without gaps.
        unsafe {
            T::SYTRS(
                &LOWER,
                &order,
                &columns,
                numbers.as_ptr(),
                &order,
                pivots.as_ptr(),
                x.as_mut_ptr(),
                &order,
                &mut info,
            );
        }
        Ok(())
    });
    match factored {
        Ok(()) => Ok(x),
        Err(error) => Err(LinalgError::Singular {
            pivot: pivot(&error),
        }),
    }
}

/// The numbers of a square column-major matrix without gaps.
fn column_major<T>(a: &mut Array2<T>) -> &mut [T] {
    assert!(a.t().is_standard_layout());
    a.as_slice_memory_order_mut().expect("without gaps")
}

/// The index of the pivot at which a factorisation stopped.
fn pivot(error: &lax::error::Error) -> usize {
    match error {
        // 1 + the pivot's index.
        LapackComputationalFailure { return_code } => usize::try_from(return_code - 1).unwrap_or(0),
        // An illegal argument or shape, which cannot be.
        _ => 0,
    }
}

/// The way in which BLAS is told of a view: as it is, or as the transpose of a column-major matrix.
#[derive(Debug, Clone, Copy)]
struct BlasLayout {
    trans: c_char,
    ld: c_int,
}

/// The layout of a view with a unit stride, or `None` where it must be copied.
fn layout<T>(a: &ArrayView2<'_, T>) -> Result<Option<BlasLayout>, LinalgError> {
    let (rows, columns) = a.dim();
    let strides = a.strides();
    // (length, stride) along what would be a column, and across columns.
    let leading = |along: (usize, isize), across: (usize, isize)| -> Option<usize> {
        let contiguous = along.0 <= 1 || along.1 == 1;
        let shortest = along.0.max(1);
        let ld = if across.0 <= 1 {
            shortest
        } else {
            usize::try_from(across.1).ok()?
        };
        (contiguous && ld >= shortest).then_some(ld)
    };
    let by_rows = (rows, strides[0]);
    let by_columns = (columns, strides[1]);
    let (trans, ld) = if let Some(ld) = leading(by_rows, by_columns) {
        (PLAIN, ld)
    } else if let Some(ld) = leading(by_columns, by_rows) {
        (TRANSPOSED, ld)
    } else {
        return Ok(None);
    };
    Ok(Some(BlasLayout {
        trans,
        ld: dimension(ld)?,
    }))
}

/// An input that BLAS can read: the view itself, or a copy of it.
struct Operand<T> {
    /// Keeps the copy alive, where there is one.
    _copy: Option<Array2<T>>,
    start: *const T,
    layout: BlasLayout,
}

fn operand<T: Real + Routines>(a: &ArrayView2<'_, T>) -> Result<Operand<T>, LinalgError> {
    if let Some(layout) = layout(a)? {
        return Ok(Operand {
            _copy: None,
            start: a.as_ptr(),
            layout,
        });
    }
    let copy = a.as_standard_layout().into_owned();
    Ok(Operand {
        start: copy.as_ptr(),
        layout: BlasLayout {
            trans: TRANSPOSED,
            ld: dimension(a.ncols().max(1))?,
        },
        _copy: Some(copy),
    })
}

fn flipped(trans: c_char) -> c_char {
    if trans == PLAIN { TRANSPOSED } else { PLAIN }
}

/// Runs `f` on `c` where BLAS can write to it, else on a copy that is then copied back.
fn through<T: Real + Routines>(
    mut c: ArrayViewMut2<'_, T>,
    f: impl FnOnce(*mut T, BlasLayout) -> Result<(), LinalgError>,
) -> Result<(), LinalgError> {
    if let Some(layout) = layout(&c.view())? {
        return f(c.as_mut_ptr(), layout);
    }
    let mut copy = c.to_owned().as_standard_layout().into_owned();
    let layout = BlasLayout {
        trans: TRANSPOSED,
        ld: dimension(c.ncols().max(1))?,
    };
    f(copy.as_mut_ptr(), layout)?;
    c.assign(&copy);
    Ok(())
}

/// `c = alpha a b + beta c`.
pub(crate) fn gemm<T: Real + Routines>(
    alpha: T,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    beta: T,
    c: ArrayViewMut2<'_, T>,
) -> Result<(), LinalgError> {
    let (m, n) = c.dim();
    if m == 0 || n == 0 {
        return Ok(());
    }
    let (rows, columns) = (dimension(m)?, dimension(n)?);
    let inner = dimension(a.ncols())?;
    let size = m.max(n).max(a.ncols());
    let (a, b) = (operand(&a)?, operand(&b)?);
    through(c, |c, layout| {
        // A row-major c is the column-major c^T = b^T a^T.
        let (left, right, rows, columns, flip) = if layout.trans == PLAIN {
            (&a, &b, rows, columns, false)
        } else {
            (&b, &a, columns, rows, true)
        };
        let trans = |x: &Operand<T>| match flip {
            true => flipped(x.layout.trans),
            false => x.layout.trans,
        };
        // SAFETY: the caller checked the shapes, and `layout` that every leading
        // dimension spans its columns within the views' own memory. `c` is
        // borrowed mutably, hence apart from `a` and `b`.
        with_blas(size, PRODUCT, || unsafe {
            T::GEMM(
                &trans(left),
                &trans(right),
                &rows,
                &columns,
                &inner,
                &alpha,
                left.start,
                &left.layout.ld,
                right.start,
                &right.layout.ld,
                &beta,
                c,
                &layout.ld,
            );
        });
        Ok(())
    })
}

/// The lower half of `c = alpha a a^T + beta c`.
pub(crate) fn syrk<T: Real + Routines>(
    alpha: T,
    a: ArrayView2<'_, T>,
    beta: T,
    c: ArrayViewMut2<'_, T>,
) -> Result<(), LinalgError> {
    let (n, k) = a.dim();
    if n == 0 {
        return Ok(());
    }
    let (order, inner) = (dimension(n)?, dimension(k)?);
    let a = operand(&a)?;
    through(c, |c, layout| {
        // The lower half of a row-major c is the upper half of the column-major c^T.
        let uplo = if layout.trans == PLAIN { LOWER } else { UPPER };
        // SAFETY: as in `gemm`; `c` is n x n.
        with_blas(n.max(k), PRODUCT, || unsafe {
            T::SYRK(
                &uplo,
                &a.layout.trans,
                &order,
                &inner,
                &alpha,
                a.start,
                &a.layout.ld,
                &beta,
                c,
                &layout.ld,
            );
        });
        Ok(())
    })
}

/// Solves `a X = b` in the memory of `b`.
pub(crate) fn solve_triangular<T: Real + Routines>(
    a: ArrayView2<'_, T>,
    triangle: Triangle,
    b: ArrayViewMut2<'_, T>,
) -> Result<(), LinalgError> {
    let (n, m) = b.dim();
    if n == 0 || m == 0 {
        return Ok(());
    }
    let (rows, columns) = (dimension(n)?, dimension(m)?);
    let a = operand(&a)?;
    // The transpose of a lower triangle is an upper one.
    let uplo = match (triangle, a.layout.trans == PLAIN) {
        (Triangle::Lower, true) | (Triangle::Upper, false) => LOWER,
        (Triangle::Upper, true) | (Triangle::Lower, false) => UPPER,
    };
    through(b, |b, layout| {
        // A row-major b is the column-major b^T = X^T a^T, with a on the right.
        let (side, trans, rows, columns) = if layout.trans == PLAIN {
            (LEFT, a.layout.trans, rows, columns)
        } else {
            (RIGHT, flipped(a.layout.trans), columns, rows)
        };
        // SAFETY: as in `gemm`; `a` is n x n and `b` n x m.
        with_blas(n.max(m), PRODUCT, || unsafe {
            T::TRSM(
                &side,
                &uplo,
                &trans,
                &NON_UNIT,
                &rows,
                &columns,
                &T::one(),
                a.start,
                &a.layout.ld,
                b,
                &layout.ld,
            );
        });
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Axis, s};

    #[test]
    fn eigenvalues_ask_for_no_vectors() {
        let plan = syevd_arguments(EigenJob::Values, 100).unwrap();
        assert_eq!(plan.jobz, letter(b'N'));
        // ... and leave ?sytrd, which gets what is beyond 2n, whole blocks.
        assert!(plan.lwork - 200 >= 32 * 100);
        assert_eq!(
            syevd_arguments(EigenJob::Vectors, 100).unwrap().jobz,
            letter(b'V')
        );
    }

    /// The query of `ssyevd_` answers 2n^2 + ... as f32, which rounds down from n = 2897 on.
    #[test]
    fn workspace_is_exact_where_f32_is_not() {
        let n: i32 = 4001;
        let plan = syevd_arguments(EigenJob::Vectors, 4001).unwrap();
        let exact = 1 + 6 * n + 2 * n * n;
        assert_eq!(plan.lwork, exact);
        assert_eq!(plan.liwork, 3 + 5 * n);
        assert_ne!(f64::from(exact as f32), f64::from(exact));
    }

    #[test]
    fn orders_beyond_32_bits_are_refused() {
        // 2 n^2 + 6 n + 1 <= 2^31 - 1 up to n = 32766.
        assert!(syevd_arguments(EigenJob::Vectors, 32766).is_ok());
        assert_eq!(
            syevd_arguments(EigenJob::Vectors, 32767),
            Err(LinalgError::TooLarge {
                n: 32767,
                needed: 1 + 6 * 32767 + 2 * 32767 * 32767
            })
        );
        assert!(syevd_arguments(EigenJob::Values, 32767).is_ok());
        assert!(syevd_arguments(EigenJob::Values, 1 << 26).is_err());
        assert!(dimension(1 << 31).is_err());
    }

    #[test]
    fn layouts_of_views() {
        let a = Array2::<f64>::zeros((6, 8));
        let of = |a: ArrayView2<'_, f64>| layout(&a).unwrap().map(|x| (x.trans, x.ld));
        assert_eq!(of(a.view()), Some((TRANSPOSED, 8)));
        assert_eq!(of(a.t()), Some((PLAIN, 8)));
        assert_eq!(of(a.slice(s![1..3, 2..5])), Some((TRANSPOSED, 8)));
        assert_eq!(of(a.slice(s![..;2, ..])), Some((TRANSPOSED, 16)));
        assert_eq!(of(a.slice(s![.., ..;2])), None);
        assert_eq!(of(a.slice(s![..;-1, ..])), None);
        assert_eq!(of(a.row(0).broadcast((6, 8)).unwrap()), None);
        // One column of a row-major matrix: rows of one entry, 8 apart.
        assert_eq!(of(a.slice(s![.., 3..4])), Some((TRANSPOSED, 8)));
        assert_eq!(of(a.row(2).insert_axis(Axis(0))), Some((PLAIN, 1)));
    }
}
