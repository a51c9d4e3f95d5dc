//! Under construction.
pub mod observer;
