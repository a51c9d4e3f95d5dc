//! The order of layers by their names in Keras and flax.

use super::error::{leaf, module};
use super::tensors::Tensors;
use super::{NamedShape, ParameterSource, WeightsError};

const NAMES: &str = "layers with numbers, as Dense_0/kernel or dense_1/bias, or numbers alone";

/// A layer's tensors in a file.
struct Layer<'a> {
    /// The parts of its name, each without and with the number at its end.
    key: Vec<(&'a str, u64)>,
    kernel: &'a NamedShape,
    bias: Option<&'a NamedShape>,
}

/// Splits `dense_12` or `dense12` into `dense` and 12; a name without number has 0, as the first of
/// its kind in Keras.
fn numbered(part: &str) -> (&str, u64) {
    let stem = part.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = part[stem.len()..].parse();
    (stem.trim_end_matches('_'), number.unwrap_or(0))
}

/// Returns the file's name for each parameter.
pub(super) fn in_order(
    sources: &[ParameterSource],
    tensors: &Tensors<'_>,
) -> Result<Vec<String>, WeightsError> {
    let found = tensors.listed();
    let misfit = || WeightsError::Names {
        expected: sources.iter().map(ParameterSource::named).collect(),
        found: found.clone(),
    };
    if sources.len() != found.len() {
        return Err(misfit());
    }
    if let Some(names) = by_number(sources, &found) {
        return Ok(names);
    }
    let unclear = || WeightsError::Order {
        expected: NAMES,
        found: found.clone(),
    };
    let mut layers = layers(&found).ok_or_else(misfit)?;
    layers.sort_by(|a, b| a.key.cmp(&b.key));
    // Convolutions and dense layers have names of their own kind; what stands in one order by
    // number is one kind.
    let (mut dense, mut conv): (Vec<_>, Vec<_>) = match alike(&layers) {
        true => (layers, Vec::new()),
        false => layers
            .into_iter()
            .partition(|layer| layer.kernel.axes.len() <= 2),
    };
    let apart = !conv.is_empty();
    if !alike(&dense) || !alike(&conv) {
        return Err(unclear());
    }
    dense.reverse();
    conv.reverse();
    let mut names = Vec::with_capacity(sources.len());
    let mut rest = sources.iter().peekable();
    while let Some(weight) = rest.next() {
        let kind = match apart && weight.layout.file.len() > 2 {
            true => &mut conv,
            false => &mut dense,
        };
        let layer = kind.pop().ok_or_else(misfit)?;
        names.push(layer.kernel.name.clone());
        let bias = rest.next_if(|source| leaf(&source.name) == "bias");
        match (bias, layer.bias) {
            (Some(_), Some(bias)) => names.push(bias.name.clone()),
            (None, None) => {}
            _ => return Err(misfit()),
        }
    }
    Ok(names)
}

/// Says whether numbers alone tell these layers apart, which stand in order.
fn alike(layers: &[Layer<'_>]) -> bool {
    let stems = |at: usize| layers[at].key.iter().map(|(stem, _)| *stem);
    (1..layers.len()).all(|at| stems(at - 1).eq(stems(at)) && layers[at - 1].key != layers[at].key)
}

/// Returns the layers of the file, where all its tensors are kernels and biases.
fn layers(found: &[NamedShape]) -> Option<Vec<Layer<'_>>> {
    let mut layers: Vec<(&str, Layer<'_>)> = Vec::new();
    let kernels = found
        .iter()
        .filter(|t| ["kernel", "weight"].contains(&leaf(&t.name)));
    for kernel in kernels {
        let name = module(&kernel.name);
        let key = name.split(['.', '/']).map(numbered).collect();
        let bias = None;
        layers.push((name, Layer { key, kernel, bias }));
    }
    for bias in found.iter().filter(|t| leaf(&t.name) == "bias") {
        let mut owners = layers.iter_mut();
        let (_, owner) = owners.find(|(name, _)| *name == module(&bias.name))?;
        owner.bias = Some(bias);
    }
    let tensors: usize = layers
        .iter()
        .map(|(_, layer)| 1 + usize::from(layer.bias.is_some()))
        .sum();
    (tensors == found.len()).then(|| layers.into_iter().map(|(_, layer)| layer).collect())
}

/// Returns the names in the order of their numbers, where they are nothing else, and a layer's
/// weights before its bias, which axes tell apart.
fn by_number(sources: &[ParameterSource], found: &[NamedShape]) -> Option<Vec<String>> {
    let mut ordered: Vec<_> = found
        .iter()
        .map(|tensor| {
            let (stem, number) = numbered(&tensor.name);
            let digits = tensor.name.ends_with(|c: char| c.is_ascii_digit());
            (digits && ["", "arr"].contains(&stem)).then_some((number, tensor))
        })
        .collect::<Option<_>>()?;
    ordered.sort_by_key(|(number, _)| *number);
    let mut ordered: Vec<_> = ordered.into_iter().map(|(_, tensor)| tensor).collect();
    for at in 1..sources.len() {
        let bias = leaf(&sources[at].name) == "bias";
        if bias && ordered[at - 1].axes.len() < ordered[at].axes.len() {
            ordered.swap(at - 1, at);
        }
    }
    Some(ordered.iter().map(|tensor| tensor.name.clone()).collect())
}
