//! The tests of ntk-store from outside.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hostile;
