//! Puts matrices in the place of the files that a network's JSON names.

use super::error::{NetworkError, inside, top};
use super::{Network, Parameterization};
use crate::text::escaped;
use serde_json::{Value, json};

/// Reads the rows of the matrix in a file of this name, or says why it cannot.
type Read<'a> = &'a mut dyn FnMut(&str) -> Result<Vec<Vec<f64>>, String>;

impl Network {
    /// Reads a network as [`Network::from_json_or`] does, where the matrix of a `position_map` may be
    /// `{"file": name}`: `read` gives the rows of the matrix of that name, or says why there are none.
    ///
    /// ```
    /// use ntk_kernels::network::{Network, Parameterization, position_map};
    ///
    /// let text = r#"{"layers": [{"position_map": {"axes": [1], "matrix": {"file": "m.npy"}}}]}"#;
    /// let mut read = |name: &str| match name {
    ///     "m.npy" => Ok(vec![vec![0.5, 0.5]]),
    ///     _ => Err("there is no such file".to_string()),
    /// };
    /// let network = Network::from_json_with(text, Parameterization::Ntk, &mut read)?;
    /// assert_eq!(network, Network::new().then(position_map([1], vec![vec![0.5, 0.5]])));
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`NetworkError::File`] where `read` fails, and fails as [`Network::from_json`] does.
    pub fn from_json_with(
        text: &str,
        unnamed: Parameterization,
        read: Read<'_>,
    ) -> Result<Self, NetworkError> {
        let mut value = Self::parsed(text)?;
        if let Some(layers) = value.get_mut("layers") {
            put(layers, &top, read)?;
        }
        Self::of(value, unnamed)
    }
}

/// Puts matrices into a list of layers; what has another form is left to be refused by who reads it.
fn put(
    layers: &mut Value,
    path: &dyn Fn(usize) -> String,
    read: Read<'_>,
) -> Result<(), NetworkError> {
    for (i, layer) in layers.as_array_mut().into_iter().flatten().enumerate() {
        if let Some(matrix) = layer.pointer_mut("/position_map/matrix")
            && let Some(fields) = matrix.as_object().filter(|fields| fields.len() == 1)
            && let Some(Value::String(file)) = fields.get("file")
        {
            let rows = read(file).map_err(|reason| NetworkError::File {
                place: format!("{}.position_map.matrix", path(i)),
                file: escaped(file).to_string(),
                reason,
            })?;
            *matrix = json!(rows);
        }
        let paths = layer.pointer_mut("/branch/paths");
        let paths = paths.and_then(Value::as_array_mut).into_iter().flatten();
        for (number, layers) in paths.enumerate() {
            put(layers, &|j| inside(&path(i), number, j), read)?;
        }
    }
    Ok(())
}
