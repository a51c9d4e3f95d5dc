//! The routines of ScaLAPACK in use.

use std::ffi::{c_char, c_int};

/// What ScaLAPACK knows of a distributed matrix (Users' Guide, section 4.3.3).
pub(super) type Descriptor = [c_int; 9];

pub(super) const LOWER: c_char = b'L'.cast_signed();
pub(super) const VECTORS: c_char = b'V'.cast_signed();

/// The first row and column of a matrix, which Fortran counts from 1.
pub(super) const FIRST: c_int = 1;

unsafe extern "C" {
    /// uplo, n, a, ia, ja, desca, info.
    pub(super) fn pdpotrf_(
        uplo: *const c_char,
        n: *const c_int,
        a: *mut f64,
        ia: *const c_int,
        ja: *const c_int,
        desca: *const c_int,
        info: *mut c_int,
    );

    /// uplo, n, nrhs, a, ia, ja, desca, b, ib, jb, descb, info.
    pub(super) fn pdpotrs_(
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

    /// jobz, uplo, n, a, ia, ja, desca, w, z, iz, jz, descz, work, lwork, iwork, liwork, info.
    pub(super) fn pdsyevd_(
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

/// Runs a routine, on as many threads of OpenBLAS as [`crate::threads::available`] says where this
/// crate has a hold of them, and on as many as the BLAS under ScaLAPACK chooses where it has not.
pub(super) fn call(order: usize, routine: impl FnOnce()) {
    #[cfg(feature = "openblas")]
    crate::threads::with_blas(order, crate::threads::FACTORISATION, routine);
    #[cfg(not(feature = "openblas"))]
    {
        let _ = order;
        routine();
    }
}
