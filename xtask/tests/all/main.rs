//! All tests of this crate and of the workspace, in one program: each program links all that the
//! engine's crates need.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod architecture;
mod arms;
mod circles;
mod documentation;
mod lexer;
mod trust;

#[cfg(all(feature = "engine", unix))]
mod bench;
#[cfg(feature = "engine")]
mod cli;
#[cfg(feature = "engine")]
mod reproduce;
