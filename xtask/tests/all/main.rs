//! All tests of the commands and of the workspace, in one program: each program links all that the
//! engine's crates need.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod architecture;
mod arms;
mod circles;
mod lexer;

#[cfg(all(feature = "engine", unix))]
mod bench;
#[cfg(feature = "engine")]
mod cli;
#[cfg(feature = "engine")]
mod common;
#[cfg(feature = "mpi")]
mod distributed;
#[cfg(feature = "engine")]
mod entropy;
#[cfg(feature = "engine")]
mod kernel;
#[cfg(feature = "engine")]
mod large;
#[cfg(feature = "engine")]
mod ntk;
#[cfg(feature = "engine")]
mod predict;
#[cfg(feature = "engine")]
mod reproduce;
#[cfg(all(feature = "engine", unix))]
mod store;
