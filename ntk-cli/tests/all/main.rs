//! All tests of the commands, in one program: each program links all that the commands need.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cli;
mod common;
#[cfg(feature = "mpi")]
mod distributed;
mod entropy;
#[cfg(unix)]
mod files;
mod fit;
mod kernel;
mod landmarks;
mod large;
mod ntk;
#[cfg(unix)]
mod ntk_store;
mod predict;
#[cfg(unix)]
mod store;
mod structures;
