//! All integration tests in one program, which links once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../../ntk-kernels/tests/all/corrected.rs"]
mod corrected;
#[path = "../../../ntk-kernels/tests/all/draws.rs"]
mod draws;
mod hostile;
mod monte_carlo;
#[path = "../../../ntk-kernels/tests/all/references.rs"]
mod references;
