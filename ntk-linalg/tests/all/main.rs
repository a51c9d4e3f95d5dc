//! All tests of the crate from outside, in one program: each program links all that the crate needs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
mod eigen;
mod hostile;
mod products;
mod systems;
mod threads;
mod tridiagonal;
