//! All tests of the crate from outside, in one program: each program links all that the crate needs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod affine_norms;
mod biases;
mod corrected;
mod corrected_layers;
mod documented;
mod draws;
mod estimators;
mod evidence;
mod finite;
mod golden;
mod gradients;
mod groups;
mod hostile;
mod layer_properties;
mod layers;
mod own_layers;
mod paddings;
mod pools;
mod precision;
mod properties;
mod random_networks;
mod references;
mod uncertainty;
