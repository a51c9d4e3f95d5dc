//! The tests of ntk-entropy from outside.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bounds;
mod hostile;
mod properties;
mod rounding;
