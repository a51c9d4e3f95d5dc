//! What the commands on `.npy` files share: reading a network and samples, and telling results.

use super::closed_form::sample_shape;
use super::npy;
use crate::Failure;
use crate::cli::Common;
use ndarray::ArrayD;
use ntk_data::atomic;
use ntk_kernels::Network;
use ntk_kernels::network::{Graph, Shape};
use ntk_linalg::Real;
use serde_json::{Value as Json, json};
use std::io::{self, Read};
use std::path::Path;

/// Samples, and perhaps others to compare them with.
pub(super) struct Samples<T> {
    pub(super) x1: ArrayD<T>,
    pub(super) x2: Option<ArrayD<T>>,
    /// Of each.
    pub(super) shape: Shape,
}

impl<T: Real> Samples<T> {
    /// Reads both; their samples must have one shape.
    pub(super) fn read(first: &Path, second: Option<&Path>) -> Result<Self, Failure> {
        let x1 = samples::<T>(first)?;
        let x2 = second.map(samples::<T>).transpose()?;
        let shape = sample_shape(&x1.view());
        if let (Some(x2), Some(second)) = (&x2, second) {
            let other = sample_shape(&x2.view());
            if other != shape {
                return Err(format!(
                    "{} has samples of shape {shape} and {} of shape {other}; both must be alike",
                    first.display(),
                    second.display()
                )
                .into());
            }
        }
        Ok(Self { x1, x2, shape })
    }

    /// How many there are of each.
    pub(super) fn counts(&self) -> (usize, usize) {
        let x2 = self.x2.as_ref().unwrap_or(&self.x1);
        (self.x1.shape()[0], x2.shape()[0])
    }
}

pub(super) fn network(path: &Path) -> Result<Network, Failure> {
    let (name, text) = if path == Path::new("-") {
        let mut text = String::new();
        let read = io::stdin().read_to_string(&mut text);
        ("standard input".into(), read.map(|_| text))
    } else {
        (path.display().to_string(), std::fs::read_to_string(path))
    };
    let text = text.map_err(|e| {
        format!("cannot read {name}: {e}; give a network as JSON, see cargo xtask kernel --help")
    })?;
    Ok(Network::from_json(&text).map_err(|e| format!("{name}: {e}"))?)
}

/// Finite samples of a shape that kernels are defined for.
fn samples<T: Real>(path: &Path) -> Result<ArrayD<T>, Failure> {
    let x = npy::read::<T>(path)?;
    if !(2..=4).contains(&x.ndim()) {
        let remedy = match x.ndim() {
            1 => "; x.reshape(1, -1) is one sample, x.reshape(-1, 1) are samples of one number",
            _ => "",
        };
        return Err(format!(
            "{} has shape {:?}, expected (n, features), (n, length, channels) or \
             (n, height, width, channels){remedy}",
            path.display(),
            x.shape()
        )
        .into());
    }
    check_finite(path, &x)?;
    Ok(x)
}

/// All numbers of this file are finite.
pub(super) fn check_finite<T: Real>(path: &Path, x: &ArrayD<T>) -> Result<(), Failure> {
    match x.indexed_iter().find(|(_, v)| !v.is_finite()) {
        None => Ok(()),
        Some((place, value)) => Err(format!(
            "{}: entry {:?} is {value} in {}; remove or replace it first",
            path.display(),
            ndarray::Dimension::slice(&place),
            T::NAME
        )
        .into()),
    }
}

/// Refuses matrices of this shape that the system would not give, where it says so before they
/// are used; `remedy` ends the message.
pub(super) fn check_memory<T>(
    (rows, columns): (usize, usize),
    matrices: usize,
    remedy: &str,
) -> Result<(), Failure> {
    let entries = rows
        .checked_mul(columns)
        .and_then(|n| n.checked_mul(matrices));
    if entries.is_some_and(|n| Vec::<T>::new().try_reserve_exact(n).is_ok()) {
        return Ok(());
    }
    let gigabytes = rows as f64 * columns as f64 * (matrices * size_of::<T>()) as f64 / 1e9;
    Err(format!(
        "the result of ({rows}, {columns}) takes {gigabytes:.0} GB, more than there is; {remedy}"
    )
    .into())
}

/// Tells before the work that its result could not be written.
pub(super) fn check_writable(path: &Path, flag: &str) -> Result<(), Failure> {
    if path.is_dir() {
        return Err(format!(
            "{} is a folder; name a file in it by {flag}",
            path.display()
        )
        .into());
    }
    let mut writable = false;
    // A file that is given up at once, and so leaves what is there.
    let outcome = atomic::write_with(path, |_| {
        writable = true;
        Err(io::ErrorKind::Interrupted.into())
    });
    match outcome {
        Err(e) if !writable => Err(unwritable(path, flag, &e)),
        _ => Ok(()),
    }
}

pub(super) fn unwritable(path: &Path, flag: &str, error: &io::Error) -> Failure {
    format!(
        "cannot write {}: {error}; choose another {flag}",
        path.display()
    )
    .into()
}

/// Makes the folder that `flag` names, and those above it.
pub(crate) fn make_folder(path: &Path, flag: &str) -> Result<(), Failure> {
    std::fs::create_dir_all(path)
        .map_err(|e| format!("cannot make {}: {e}; choose another {flag}", path.display()).into())
}

/// Every layer with the shape of a sample after it.
pub(super) fn table(graph: &Graph) -> Json {
    let input = json!({"path": "input", "layer": null, "shape": graph.input.to_string()});
    let rows = graph.nodes.iter().map(|node| {
        json!({"path": node.path, "layer": node.layer.to_string(), "shape": node.after.to_string()})
    });
    std::iter::once(input).chain(rows).collect()
}

#[expect(clippy::print_stdout, reason = "the answer")]
pub(super) fn show(common: &Common, answer: &Json, line: &str) -> Result<(), Failure> {
    if common.json {
        println!("{}", serde_json::to_string_pretty(answer)?);
    } else if !common.quiet {
        println!("{line}");
    }
    Ok(())
}
