//! Asks pkg-config for OpenBLAS and ScaLAPACK, where the features want them.
//!
//! OpenBLAS directly rather than through `openblas-src`, whose build dependencies hold a
//! downloader with a TLS stack for the source build that is never used here.

fn main() {
    #[cfg(feature = "openblas")]
    if let Err(error) = pkg_config::probe_library("openblas") {
        panic!(
            "the feature `openblas` needs the system's OpenBLAS (Debian: libopenblas-dev); \
             install it, or build without the feature: {error}"
        );
    }
    #[cfg(feature = "mpi")]
    if let Err(error) = pkg_config::probe_library("scalapack-openmpi")
        .or_else(|_| pkg_config::probe_library("scalapack"))
    {
        panic!(
            "the feature `mpi` needs the system's ScaLAPACK and MPI (Debian: \
             libscalapack-openmpi-dev libopenmpi-dev openmpi-bin libclang-dev); install them, or \
             build without the feature: {error}"
        );
    }
}
