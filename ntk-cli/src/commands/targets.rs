//! Targets as they are read, and made of classes.

use crate::Failure;
use crate::cli::OfClasses;
use crate::inputs;
use crate::npy;
use ndarray::Array2;
use std::path::Path;

/// The most classes that indices make outputs for.
const MOST_CLASSES: usize = 65_536;

/// Reads targets, and makes of them what the flags ask for; class indices have at least the `classes` that
/// are known.
pub(super) fn targets(
    path: &Path,
    flags: OfClasses,
    classes: Option<usize>,
) -> Result<Array2<f64>, Failure> {
    let mut y = outputs(path)?;
    let name = path.display();
    if flags.one_hot {
        if y.ncols() != 1 {
            let shape = y.dim();
            return Err(format!(
                "--one-hot: {name} has shape {shape:?}, expected class indices, (samples); leave the flag out"
            )
            .into());
        }
        let is_class = |y: f64| (0.0..MOST_CLASSES as f64).contains(&y) && y.fract() == 0.0;
        if let Some(((row, _), found)) = y.indexed_iter().find(|(_, y)| !is_class(**y)) {
            return Err(format!(
                "--one-hot: {name}[{row}] is {found}, and class indices are whole numbers from 0 to {}",
                MOST_CLASSES - 1
            )
            .into());
        }
        let found = y.iter().fold(0.0_f64, |most, y| most.max(*y)) as usize + 1;
        let classes = found.max(classes.unwrap_or(0));
        let labels = y;
        y = Array2::zeros((labels.nrows(), classes));
        for (mut row, label) in y.rows_mut().into_iter().zip(&labels) {
            row[*label as usize] = 1.0;
        }
    }
    if flags.signs {
        if let Some(((row, column), found)) =
            y.indexed_iter().find(|(_, y)| **y != 0.0 && **y != 1.0)
        {
            return Err(format!(
                "--signs: {name}[{row}, {column}] is {found}, and not 0 or 1; leave the flag out"
            )
            .into());
        }
        y.mapv_inplace(|y| 2.0 * y - 1.0);
    }
    Ok(y)
}

/// Finite numbers, a row for each sample.
pub(super) fn outputs(path: &Path) -> Result<Array2<f64>, Failure> {
    let y = npy::read::<f64>(path)?;
    inputs::check_finite(path, &y)?;
    let shape = match *y.shape() {
        [n] => (n, 1),
        [n, o] if o > 0 => (n, o),
        _ => {
            return Err(format!(
                "{} has shape {:?}, expected (samples, outputs), or (samples) for one output",
                path.display(),
                y.shape()
            )
            .into());
        }
    };
    Ok(y.into_shape_with_order(shape)?)
}
