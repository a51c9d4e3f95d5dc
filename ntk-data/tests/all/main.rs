//! All tests of the crate from outside, in one program: each program links all that the crate needs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(feature = "download")]
mod download;
mod full;
mod hostile;
mod places;
mod published;
mod readers;
#[cfg(feature = "embedded")]
mod sample;
// The server is for downloads alone.
#[cfg_attr(not(feature = "download"), allow(dead_code))]
mod tiny;
