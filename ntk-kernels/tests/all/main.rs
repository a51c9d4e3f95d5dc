//! All tests of the crate from outside, in one program: each program links all that the crate needs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod estimators;
mod finite;
mod golden;
mod hostile;
mod own_layers;
mod pools;
mod precision;
mod properties;
