//! Asks pkg-config for OpenBLAS, where the feature wants it.
//!
//! Directly rather than through `openblas-src`, whose build dependencies hold a
//! downloader with a TLS stack for the source build that is never used here.

fn main() {
    #[cfg(feature = "openblas")]
    if let Err(error) = pkg_config::probe_library("openblas") {
        panic!(
            "the feature `openblas` needs the system's OpenBLAS (Debian: libopenblas-dev); \
             install it, or build without the feature: {error}"
        );
    }
}
