//! Links ScaLAPACK, as pkg-config finds it; the crate `mpi` links MPI.

fn main() {
    if let Err(error) = pkg_config::probe_library("scalapack-openmpi")
        .or_else(|_| pkg_config::probe_library("scalapack"))
    {
        panic!(
            "ntk-mpi needs the system's ScaLAPACK and MPI (Debian: libscalapack-openmpi-dev \
             libopenmpi-dev openmpi-bin libclang-dev); install them: {error}"
        );
    }
}
