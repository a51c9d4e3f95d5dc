//! Asks pkg-config for OpenBLAS, where the feature wants it.
//!
//! ndarray-linalg brings a library only where one of its own features says which. That of the
//! system's OpenBLAS asks pkg-config too, but through `openblas-src`, which compiles a downloader
//! with a TLS stack for a source build that is never used here.

fn main() {
    #[cfg(feature = "openblas")]
    if let Err(error) = pkg_config::probe_library("openblas") {
        panic!(
            "the feature `openblas` needs the system's OpenBLAS (Debian: libopenblas-dev); \
             install it, or build without the feature: {error}"
        );
    }
}
