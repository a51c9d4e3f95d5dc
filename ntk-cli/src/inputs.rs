//! This module reads what commands are given: a network as JSON, and samples.

use crate::{Failure, files, npy, progress, words};
use ndarray::{ArrayD, ArrayViewD, Axis, Dimension, Slice};
use ntk_kernels::network::{Graph, Layer, Parameterization, Shape};
use ntk_kernels::{Network, Structure};
use ntk_linalg::Real;
use serde_json::{Value as Json, json};
use std::io::{self, Read};
use std::path::Path;

/// A `SamplePair` is samples, and perhaps others to compare them with.
pub(crate) struct SamplePair<T> {
    pub(crate) x1: ArrayD<T>,
    pub(crate) x2: Option<ArrayD<T>>,
    /// The shape of each sample.
    pub(crate) shape: Shape,
    /// The masks and graphs of each.
    pub(crate) structures: [Structure; 2],
}

impl<T: Real> SamplePair<T> {
    /// Reads both as the network takes them, with samples of one shape: token ids have no axis of
    /// channels.
    pub(crate) fn of_network(
        network: &Network,
        first: &Path,
        second: Option<&Path>,
        masked: Option<f64>,
    ) -> Result<Self, Failure> {
        let (x1, one) = samples::<T>(first, masked)?;
        let second_read = second.map(|second| samples::<T>(second, masked));
        let (x2, two) = second_read.transpose()?.unzip();
        let mut shape = sample_shape(&x1.view());
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
        if let Some(Layer::TokenEmbedding(_)) = network.layers.first() {
            shape = Shape::new(&x1.shape()[1..], 1);
        }
        let structures = [one, two.unwrap_or_default()];
        Ok(Self {
            x1,
            x2,
            shape,
            structures,
        })
    }

    /// Moves the channels, which come first in each sample, to its end; vectors stay as they are.
    pub(crate) fn channels_last(self) -> Self {
        let moved = |x: ArrayD<T>| {
            let mut axes: Vec<usize> = (0..x.ndim()).collect();
            axes[1..].rotate_left(1);
            match axes.len() {
                0..=2 => x,
                _ => x.permuted_axes(axes).as_standard_layout().into_owned(),
            }
        };
        let (x1, x2) = (moved(self.x1), self.x2.map(moved));
        Self {
            shape: sample_shape(&x1.view()),
            x1,
            x2,
            structures: self.structures,
        }
    }

    /// Copies so many samples that a tile of this side off the diagonal can be made of them.
    pub(crate) fn first(&self, side: usize) -> Self {
        let first = |x: &ArrayD<T>, structure: &Structure, count: usize| {
            let count = count.min(x.len_of(Axis(0)));
            let numbers: Vec<usize> = (0..count).collect();
            // What does not fit has been refused.
            let structure = structure.select(&numbers).unwrap_or_default();
            let x = x.slice_axis(Axis(0), Slice::from(..count)).to_owned();
            (x, structure)
        };
        let [one, two] = &self.structures;
        let (x1, one) = first(&self.x1, one, 2 * side);
        let second = self.x2.as_ref().map(|x2| first(x2, two, side));
        let (x2, two) = second.unzip();
        Self {
            x1,
            x2,
            shape: self.shape.clone(),
            structures: [one, two.unwrap_or_default()],
        }
    }

    /// Counts the samples of each.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let x2 = self.x2.as_ref().unwrap_or(&self.x1);
        (self.x1.shape()[0], x2.shape()[0])
    }
}

pub(crate) fn network(path: &Path) -> Result<Network, Failure> {
    network_or(path, Parameterization::default())
}

/// Reads a network, in this parameterisation where its text names none.
pub(crate) fn network_or(path: &Path, unnamed: Parameterization) -> Result<Network, Failure> {
    let remedy = "give a network as JSON, see ntk kernel --help";
    let (name, bytes) = if path == Path::new("-") {
        let mut bytes = Vec::new();
        let read = io::stdin().read_to_end(&mut bytes);
        read.map_err(|e| format!("cannot read standard input: {e}; {remedy}"))?;
        ("standard input".into(), bytes)
    } else {
        (path.display().to_string(), files::read(path, remedy)?)
    };
    let text = decoded(&name, &bytes)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut read = |file: &str| matrix(&folder.join(file)).map_err(|e| e.to_string());
    let network = Network::from_json_with(&text, unnamed, &mut read);
    Ok(network.map_err(|e| format!("{name}: {e}"))?)
}

/// Reads the rows of a matrix of a network, from a file beside the network's.
fn matrix(path: &Path) -> Result<Vec<Vec<f64>>, Failure> {
    let array = npy::read::<f64>(path)?;
    let [_, _] = array.shape() else {
        return Err(format!(
            "it has the shape {:?}, and a matrix has a row for each output position and a column for each input position; reshape it",
            array.shape()
        )
        .into());
    };
    if let Some((at, value)) = array.indexed_iter().find(|(_, value)| !value.is_finite()) {
        return Err(format!(
            "its number at {:?} is {value}, and every number of a matrix must be finite; replace it",
            at.slice()
        )
        .into());
    }
    Ok(array
        .outer_iter()
        .map(|row| row.iter().copied().collect())
        .collect())
}

/// Returns the text of a file: UTF-8, or UTF-16 where a byte order mark says so; without the mark.
pub(crate) fn decoded(name: &str, bytes: &[u8]) -> Result<String, Failure> {
    let wide = |number: fn([u8; 2]) -> u16| {
        let (units, rest) = bytes[2..].as_chunks();
        let units: Vec<_> = units.iter().map(|&unit| number(unit)).collect();
        String::from_utf16(&units).ok().filter(|_| rest.is_empty())
    };
    let text = match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, text @ ..] | text => String::from_utf8(text.to_vec()).ok(),
    };
    Ok(text.ok_or_else(|| format!("{name} is no text in UTF-8; save it as that"))?)
}

/// Reads finite samples of a shape that kernels are defined for.
fn samples<T: Real>(path: &Path, masked: Option<f64>) -> Result<(ArrayD<T>, Structure), Failure> {
    let mut x = npy::read::<T>(path)?;
    if !(2..=5).contains(&x.ndim()) {
        let remedy = match x.ndim() {
            1 => "; x.reshape(1, -1) is one sample, x.reshape(-1, 1) are samples of one number",
            _ => "",
        };
        return Err(format!(
            "{} has shape {:?}, expected (n, features), (n, length, channels) or \
             (n, height, width, channels) or (n, depth, height, width, channels){remedy}",
            path.display(),
            x.shape()
        )
        .into());
    }
    if x.shape()[1..].contains(&0) {
        return Err(format!(
            "{} has shape {:?}, samples without numbers; give each sample at least one",
            path.display(),
            x.shape()
        )
        .into());
    }
    let mut structure = Structure::default();
    if let Some(value) = masked {
        structure = Structure::where_equal(&x, value);
        // What is masked counts as zero, and may be no number at all.
        let channels = Axis(x.ndim() - 1);
        let lanes = x.lanes_mut(channels).into_iter();
        for (mut channels, &masked) in lanes.zip(structure.masked().into_iter().flatten()) {
            if masked {
                channels.fill(T::zero());
            }
        }
    }
    check_finite(path, &x)?;
    check_squares(path, &x)?;
    Ok((x, structure))
}

/// Refuses samples whose kernel `x . x` is beyond the precision, and samples all of whose kernels it
/// makes zero or takes digits from, though they are not zero; warns where that is so of some.
fn check_squares<T: Real>(path: &Path, x: &ArrayD<T>) -> Result<(), Failure> {
    let is_zero = |x: &ArrayViewD<'_, T>| x.iter().all(|&v| v == T::zero());
    let samples = x.outer_iter().enumerate().filter(|(_, x)| !is_zero(x));
    let squares = samples.map(|(i, x)| (i, x.iter().map(|&v| v * v).sum::<T>()));
    let (lost, kept): (Vec<_>, Vec<_>) = squares.partition(|(_, square)| !square.is_normal());
    let Some((first, _)) = lost.first() else {
        return Ok(());
    };
    let (name, precision) = (path.display(), T::NAME);
    let remedy = match precision == <f32 as Real>::NAME {
        true => "ask for --precision f64, or multiply the samples by a number",
        false => "multiply the samples by a number",
    };
    if let Some((beyond, _)) = lost.iter().find(|(_, square)| square.is_infinite()) {
        return Err(
            format!("{name}: x . x of sample {beyond} is beyond {precision}; {remedy}").into(),
        );
    }
    let found = format!(
        "{name}: {precision} makes x . x zero, or takes digits from it, for {} of {} other than zero, \
         sample {first} the first; {remedy}",
        lost.len(),
        words::count(lost.len() + kept.len(), "sample"),
    );
    if kept.is_empty() {
        return Err(found.into());
    }
    progress::tell(&words::escaped(&format!("warning: {found}"), false));
    Ok(())
}

/// Checks that all numbers of this file are finite.
pub(crate) fn check_finite<T: Real>(path: &Path, x: &ArrayD<T>) -> Result<(), Failure> {
    match x.indexed_iter().find(|(_, v)| !v.is_finite()) {
        None => Ok(()),
        Some((place, value)) => Err(format!(
            "{}: entry {:?} is {value} in {}; remove or replace it first",
            path.display(),
            Dimension::slice(&place),
            T::NAME
        )
        .into()),
    }
}

/// Lists every layer with the shape of a sample after it.
pub(crate) fn table(graph: &Graph) -> Json {
    let input = json!({"path": "input", "layer": null, "shape": graph.input.to_string()});
    let rows = graph.nodes.iter().map(|node| {
        json!({"path": node.path, "layer": node.layer.to_string(), "shape": node.after.to_string()})
    });
    std::iter::once(input).chain(rows).collect()
}

/// Returns the shape of one of the samples `x`, which has 2 to 4 axes.
pub fn sample_shape<T>(x: &ArrayViewD<'_, T>) -> Shape {
    match x.shape() {
        [_, positions @ .., channels] => Shape::new(positions.to_vec(), *channels),
        _ => Shape::features(1),
    }
}
