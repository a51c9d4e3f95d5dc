//! What the OpenBLAS backend calls besides ndarray-linalg, by scalar type; `openblas.rs` says why.
//!
//! A routine is a constant of the trait, so that the wrappers are written once.

use std::ffi::{c_char, c_int};

use ndarray_linalg::Lapack;

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

/// The routines of one scalar type, with LAPACK's own argument order, beside those in `Lapack`.
pub(crate) trait Routines: Lapack {
    const SYEVD: Syevd<Self>;
    const SYTRS: Sytrs<Self>;
    const GEMM: Gemm<Self>;
    const SYRK: Syrk<Self>;
    const TRSM: Trsm<Self>;
}

impl Routines for f64 {
    const SYEVD: Syevd<Self> = lapack_sys::dsyevd_;
    const SYTRS: Sytrs<Self> = lapack_sys::dsytrs_;
    const GEMM: Gemm<Self> = blas_sys::dgemm_;
    const SYRK: Syrk<Self> = blas_sys::dsyrk_;
    const TRSM: Trsm<Self> = blas_sys::dtrsm_;
}

impl Routines for f32 {
    const SYEVD: Syevd<Self> = lapack_sys::ssyevd_;
    const SYTRS: Sytrs<Self> = lapack_sys::ssytrs_;
    const GEMM: Gemm<Self> = blas_sys::sgemm_;
    const SYRK: Syrk<Self> = blas_sys::ssyrk_;
    const TRSM: Trsm<Self> = blas_sys::strsm_;
}

/// OpenBLAS's own, which no crate declares.
pub(crate) mod own {
    use super::{c_char, c_int};

    unsafe extern "C" {
        pub(crate) fn openblas_set_num_threads(threads: c_int);
        pub(crate) fn openblas_get_corename() -> *const c_char;
    }
}
