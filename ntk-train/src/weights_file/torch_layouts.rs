//! The layouts of PyTorch's parameters, layer by layer.

use super::layout::FileLayout;
use ntk_kernels::network::{Action, Edges, Layer, Node, Order, Weights};

/// Returns PyTorch's layouts of a layer's parameters, where the features before it stand in this
/// order, or why PyTorch has no such layer.
pub(super) fn layouts(node: &Node, before: &Order) -> Result<Vec<FileLayout>, String> {
    let unchanged = node.parameters.iter();
    let unchanged = unchanged.map(|parameter| FileLayout::unchanged(&parameter.axes));
    match &node.action {
        Action::Weights(weights) if !weights.shared => {
            Err("PyTorch has no convolution whose positions have weights of their own".into())
        }
        Action::Weights(weights) => {
            let Layer::ConvTranspose(layer) = &node.layer else {
                return Ok(of_weights(weights, node, before));
            };
            transposed(&layer.filter, layer.strides.as_deref(), layer.padding)?;
            Ok(of_transposed(weights, node))
        }
        Action::Normalize { .. } | Action::BatchNorm { .. } => {
            let Order::Flattened(shape) = before else {
                return Ok(unchanged.collect());
            };
            // PyTorch counts the channels before the positions.
            let split = [&[shape.channels()], shape.positions()].concat();
            let layout = FileLayout {
                file: vec![shape.size()],
                order: (1..split.len()).chain([0]).collect(),
                split,
                backwards: Vec::new(),
            };
            Ok(vec![layout; node.parameters.len()])
        }
        Action::Recurrent(recurrence) => {
            if recurrence.b_std.is_some() && recurrence.biases == 1 {
                return Err(
                    "PyTorch's RNN has two biases, by each of which its tangent kernel has a derivative, and this layer has one; set biases to 2, or train it with bias=False".into(),
                );
            }
            let layout = |axes: &Vec<usize>| FileLayout {
                file: axes.iter().rev().copied().collect(),
                split: axes.iter().rev().copied().collect(),
                order: (0..axes.len()).rev().collect(),
                backwards: Vec::new(),
            };
            Ok(node.parameters.iter().map(|p| layout(&p.axes)).collect())
        }
        Action::Attention(_) => Err(
            "the weights of attention are in NTK parameterisation here, and those of PyTorch's MultiheadAttention in the standard one, with biases of queries, keys and values besides, so that its tangent kernel is another".into(),
        ),
        Action::Embedding { .. }
        | Action::Nothing
        | Action::Positions(_)
        | Action::Flatten { .. }
        | Action::Activation(_)
        | Action::Dropout { .. }
        | Action::Aggregate { .. }
        | Action::Concat { .. }
        | Action::Merge(_) => Ok(unchanged.collect()),
    }
}

/// Returns PyTorch's name of a parameter within its layer.
pub(super) fn leaf(name: &str) -> &str {
    let ends: [(&str, &str); 8] = [
        (".input.weight", "weight_ih_l0"),
        (".state.weight", "weight_hh_l0"),
        (".input.bias", "bias_ih_l0"),
        (".state.bias", "bias_hh_l0"),
        (".scale", "weight"),
        (".shift", "bias"),
        (".mean", "running_mean"),
        (".variance", "running_var"),
    ];
    let known = ends.into_iter().find(|(end, _)| name.ends_with(end));
    match known {
        Some((_, leaf)) => leaf,
        None => name.rsplit('.').next().unwrap_or(name),
    }
}

/// Returns the place of a name within its layer, as a model has them.
pub(super) fn rank(leaf: &str) -> usize {
    let order = [
        "weight",
        "bias",
        "running_mean",
        "running_var",
        "weight_ih_l0",
        "weight_hh_l0",
        "bias_ih_l0",
        "bias_hh_l0",
    ];
    order
        .iter()
        .position(|known| *known == leaf)
        .unwrap_or(order.len())
}

/// Weights (out, in) of a dense layer, which count channels before the positions that a flatten
/// made features of; (out, in, taps...) of a convolution.
fn of_weights(weights: &Weights, node: &Node, before: &Order) -> Vec<FileLayout> {
    let positions = match (&weights.windows, before) {
        (None, Order::Flattened(shape)) => shape.positions(),
        _ => &weights.filter[..],
    };
    let (width, count) = (weights.width, positions.iter().product::<usize>().max(1));
    let split = [&[width, weights.fan_in / count], positions].concat();
    let file = match weights.windows {
        Some(_) => split.clone(),
        None => vec![width, weights.fan_in],
    };
    // Ours is (positions..., in, out).
    let order = (2..split.len()).chain([1, 0]).collect();
    let first = FileLayout {
        file,
        split,
        order,
        backwards: Vec::new(),
    };
    let bias = FileLayout::unchanged(&[width]);
    [first, bias][..node.parameters.len()].to_vec()
}

/// Weights (in, out, taps...), whose taps count in the direction of the outputs; ours in that of the
/// inputs.
fn of_transposed(weights: &Weights, node: &Node) -> Vec<FileLayout> {
    let file = [
        &[weights.fan_in / weights.taps().max(1), weights.width],
        &weights.filter[..],
    ]
    .concat();
    let first = FileLayout {
        split: file.clone(),
        order: (2..file.len()).chain([0, 1]).collect(),
        backwards: (2..file.len()).collect(),
        file,
    };
    let bias = FileLayout::unchanged(&[weights.width]);
    [first, bias][..node.parameters.len()].to_vec()
}

/// Says where a transposed convolution is none of PyTorch's: those have `(n - 1) s - 2 p + k` outputs, the
/// same number of them cut at both ends.
fn transposed(filter: &[usize], strides: Option<&[usize]>, padding: Edges) -> Result<(), String> {
    let strides = strides.map_or_else(|| vec![1; filter.len()], <[usize]>::to_vec);
    for (&window, &stride) in filter.iter().zip(&strides) {
        let same = match padding {
            Edges::Valid => window >= stride,
            Edges::Same => window >= stride && (window - stride).is_multiple_of(2),
            Edges::Circular => false,
        };
        if !same {
            return Err(format!(
                "PyTorch's ConvTranspose has no such padding with a filter of {window} and strides of {stride}: \"valid\" is its padding=0 with filters no shorter than strides, and \"same\" its padding=(filter - stride) / 2 where that is whole"
            ));
        }
    }
    Ok(())
}
