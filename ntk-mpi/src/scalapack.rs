//! The routines of ScaLAPACK in use.

use std::ffi::{c_char, c_int};

/// The numbers by which ScaLAPACK knows of a distributed matrix (Users' Guide, section 4.3.3).
pub(crate) type Descriptor = [c_int; 9];

pub(crate) const LOWER: c_char = b'L'.cast_signed();
pub(crate) const VECTORS: c_char = b'V'.cast_signed();

/// The first row and column of a matrix, which Fortran counts from 1.
pub(crate) const FIRST: c_int = 1;

unsafe extern "C" {
    /// Factors by Cholesky: uplo, n, a, ia, ja, desca, info.
    pub(crate) fn pdpotrf_(
        uplo: *const c_char,
        n: *const c_int,
        a: *mut f64,
        ia: *const c_int,
        ja: *const c_int,
        desca: *const c_int,
        info: *mut c_int,
    );

    /// Solves with the factor: uplo, n, nrhs, a, ia, ja, desca, b, ib, jb, descb, info.
    pub(crate) fn pdpotrs_(
        uplo: *const c_char,
        n: *const c_int,
        nrhs: *const c_int,
        a: *const f64,
        ia: *const c_int,
        ja: *const c_int,
        desca: *const c_int,
        b: *mut f64,
        ib: *const c_int,
        jb: *const c_int,
        descb: *const c_int,
        info: *mut c_int,
    );

    /// Computes eigenvalues: jobz, uplo, n, a, ia, ja, desca, w, z, iz, jz, descz, work, lwork,
    /// iwork, liwork, info.
    pub(crate) fn pdsyevd_(
        jobz: *const c_char,
        uplo: *const c_char,
        n: *const c_int,
        a: *mut f64,
        ia: *const c_int,
        ja: *const c_int,
        desca: *const c_int,
        w: *mut f64,
        z: *mut f64,
        iz: *const c_int,
        jz: *const c_int,
        descz: *const c_int,
        work: *mut f64,
        lwork: *const c_int,
        iwork: *mut c_int,
        liwork: *const c_int,
        info: *mut c_int,
    );
}

/// Runs a routine on as many of OpenBLAS's threads as [`ntk_linalg::threads::available`] says, where
/// ntk-linalg has a hold of them, and on as many as the BLAS under ScaLAPACK chooses where it has not.
pub(crate) fn call(order: usize, routine: impl FnOnce()) {
    ntk_linalg::threads::with_blas(order, ntk_linalg::threads::FACTORISATION, routine);
}
