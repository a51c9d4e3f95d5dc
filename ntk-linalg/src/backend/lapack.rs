//! The BLAS and LAPACK routines in use, by scalar type.
//!
//! A routine is a constant of the trait, so that the wrappers are written once.

use std::ffi::{c_char, c_int};

/// `?syevd`: jobz, uplo, n, a, lda, w, work, lwork, iwork, liwork, info.
type Syevd<T> = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const c_int,
    *mut T,
    *const c_int,
    *mut T,
    *mut T,
    *const c_int,
    *mut c_int,
    *const c_int,
    *mut c_int,
);

/// `?potrf`: uplo, n, a, lda, info.
type Potrf<T> = unsafe extern "C" fn(*const c_char, *const c_int, *mut T, *const c_int, *mut c_int);

/// `?sytrf`: uplo, n, a, lda, ipiv, work, lwork, info.
type Sytrf<T> = unsafe extern "C" fn(
    *const c_char,
    *const c_int,
    *mut T,
    *const c_int,
    *mut c_int,
    *mut T,
    *const c_int,
    *mut c_int,
);

/// `?sytrs`: uplo, n, nrhs, a, lda, ipiv, b, ldb, info.
type Sytrs<T> = unsafe extern "C" fn(
    *const c_char,
    *const c_int,
    *const c_int,
    *const T,
    *const c_int,
    *const c_int,
    *mut T,
    *const c_int,
    *mut c_int,
);

/// `?gemm`: transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc.
type Gemm<T> = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const c_int,
    *const c_int,
    *const c_int,
    *const T,
    *const T,
    *const c_int,
    *const T,
    *const c_int,
    *const T,
    *mut T,
    *const c_int,
);

/// `?syrk`: uplo, trans, n, k, alpha, a, lda, beta, c, ldc.
type Syrk<T> = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const c_int,
    *const c_int,
    *const T,
    *const T,
    *const c_int,
    *const T,
    *mut T,
    *const c_int,
);

/// `?trsm`: side, uplo, transa, diag, m, n, alpha, a, lda, b, ldb.
type Trsm<T> = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const c_char,
    *const c_char,
    *const c_int,
    *const c_int,
    *const T,
    *const T,
    *const c_int,
    *mut T,
    *const c_int,
);

/// The routines of one scalar type, with LAPACK's own argument order.
#[doc(hidden)]
pub trait Lapack: Sized {
    const SYEVD: Syevd<Self>;
    const POTRF: Potrf<Self>;
    const SYTRF: Sytrf<Self>;
    const SYTRS: Sytrs<Self>;
    const GEMM: Gemm<Self>;
    const SYRK: Syrk<Self>;
    const TRSM: Trsm<Self>;
}

impl Lapack for f64 {
    const SYEVD: Syevd<Self> = lapack_sys::dsyevd_;
    const POTRF: Potrf<Self> = lapack_sys::dpotrf_;
    const SYTRF: Sytrf<Self> = lapack_sys::dsytrf_;
    const SYTRS: Sytrs<Self> = lapack_sys::dsytrs_;
    const GEMM: Gemm<Self> = blas::dgemm_;
    const SYRK: Syrk<Self> = blas::dsyrk_;
    const TRSM: Trsm<Self> = blas::dtrsm_;
}

impl Lapack for f32 {
    const SYEVD: Syevd<Self> = lapack_sys::ssyevd_;
    const POTRF: Potrf<Self> = lapack_sys::spotrf_;
    const SYTRF: Sytrf<Self> = lapack_sys::ssytrf_;
    const SYTRS: Sytrs<Self> = lapack_sys::ssytrs_;
    const GEMM: Gemm<Self> = blas::sgemm_;
    const SYRK: Syrk<Self> = blas::ssyrk_;
    const TRSM: Trsm<Self> = blas::strsm_;
}

/// What `lapack-sys` does not declare: six BLAS routines and OpenBLAS's thread count.
pub(crate) mod blas {
    use super::{c_char, c_int};

    unsafe extern "C" {
        pub(crate) fn openblas_set_num_threads(threads: c_int);
        pub(super) fn dgemm_(
            transa: *const c_char,
            transb: *const c_char,
            m: *const c_int,
            n: *const c_int,
            k: *const c_int,
            alpha: *const f64,
            a: *const f64,
            lda: *const c_int,
            b: *const f64,
            ldb: *const c_int,
            beta: *const f64,
            c: *mut f64,
            ldc: *const c_int,
        );
        pub(super) fn sgemm_(
            transa: *const c_char,
            transb: *const c_char,
            m: *const c_int,
            n: *const c_int,
            k: *const c_int,
            alpha: *const f32,
            a: *const f32,
            lda: *const c_int,
            b: *const f32,
            ldb: *const c_int,
            beta: *const f32,
            c: *mut f32,
            ldc: *const c_int,
        );
        pub(super) fn dsyrk_(
            uplo: *const c_char,
            trans: *const c_char,
            n: *const c_int,
            k: *const c_int,
            alpha: *const f64,
            a: *const f64,
            lda: *const c_int,
            beta: *const f64,
            c: *mut f64,
            ldc: *const c_int,
        );
        pub(super) fn ssyrk_(
            uplo: *const c_char,
            trans: *const c_char,
            n: *const c_int,
            k: *const c_int,
            alpha: *const f32,
            a: *const f32,
            lda: *const c_int,
            beta: *const f32,
            c: *mut f32,
            ldc: *const c_int,
        );
        pub(super) fn dtrsm_(
            side: *const c_char,
            uplo: *const c_char,
            transa: *const c_char,
            diag: *const c_char,
            m: *const c_int,
            n: *const c_int,
            alpha: *const f64,
            a: *const f64,
            lda: *const c_int,
            b: *mut f64,
            ldb: *const c_int,
        );
        pub(super) fn strsm_(
            side: *const c_char,
            uplo: *const c_char,
            transa: *const c_char,
            diag: *const c_char,
            m: *const c_int,
            n: *const c_int,
            alpha: *const f32,
            a: *const f32,
            lda: *const c_int,
            b: *mut f32,
            ldb: *const c_int,
        );
    }
}
