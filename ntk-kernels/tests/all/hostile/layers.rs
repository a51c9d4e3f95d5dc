//! Layers that map positions, and those that share or tie weights, with options that make no sense.

use super::{NUMBERS, SIZES};
use ntk_kernels::Network;
use ntk_kernels::network::*;

const AXES: [isize; 7] = [0, 1, 2, -1, -2, isize::MIN, isize::MAX];

/// Convolutions of all kinds with these windows.
pub(super) fn convolutions(windows: &[Vec<usize>]) -> Vec<Layer> {
    let mut layers: Vec<Layer> = Vec::new();
    for window in windows {
        layers.extend([
            conv_transpose(window.clone()).into(),
            conv_transpose(window.clone()).same().into(),
            conv_transpose(window.clone()).circular().into(),
            conv_local(window.clone()).into(),
            conv_local(window.clone()).same().into(),
            conv_local(window.clone()).circular().into(),
            conv_local(window.clone()).padding([[usize::MAX, 1]]).into(),
            resize(window.clone()).into(),
            resize(window.clone()).antialias(false).into(),
            resize(window.clone()).method(Interpolation::Nearest).into(),
        ]);
        for strides in windows {
            layers.extend([
                conv(window.clone()).dilation(strides.clone()).into(),
                conv(window.clone()).dilation(strides.clone()).same().into(),
                conv_transpose(window.clone())
                    .strides(strides.clone())
                    .into(),
                conv_transpose(window.clone())
                    .strides(strides.clone())
                    .same()
                    .into(),
                conv_transpose(window.clone())
                    .strides(strides.clone())
                    .circular()
                    .into(),
                conv_local(window.clone()).strides(strides.clone()).into(),
            ]);
        }
    }
    // Neither is too large by itself.
    layers.push(conv_transpose([1 << 20]).strides([1 << 20]).into());
    layers.push(conv_transpose([1 << 20]).same().into());
    layers
}

/// Layers whose options are numbers.
pub(super) fn of_numbers() -> Vec<Layer> {
    let mut layers: Vec<Layer> = Vec::new();
    for size in SIZES {
        layers.extend([
            dense().base_width(size).into(),
            conv([3, 3]).groups(size).into(),
            conv([3, 3]).channels(size).groups(size).into(),
            conv([usize::MAX, 2]).same().channels(size).groups(2).into(),
            ConvLocal(conv([2, 2]).channels(size).groups(size)).into(),
            conv([3, 3]).base_channels(size).into(),
            conv_transpose([3, 3]).base_channels(size).into(),
            conv_transpose([3, 3]).channels(size).into(),
            conv_local([3, 3]).channels(size).into(),
            embedding(size).width(size).into(),
            attention()
                .channels(size)
                .heads(size)
                .head_channels(size, None)
                .into(),
            recurrent(relu())
                .width(size)
                .biases(size)
                .all_states()
                .into(),
            recurrent(relu()).width(size).all_states().into(),
            attention()
                .embedding(PositionalEmbedding {
                    merge: PositionalMerge::Concat,
                    channels: Some(size),
                    ..PositionalEmbedding::default()
                })
                .into(),
        ]);
    }
    for number in NUMBERS {
        layers.extend([
            scale(number).into(),
            layer_norm().eps(number).affine(true).into(),
            batch_norm().eps(number).into(),
            batch_norm().eps(number).affine(false).into(),
            scale_positions(1, [number; 5]).into(),
            position_map([1], vec![vec![number; 5]; 2]).into(),
            position_map([1, 2], vec![vec![number; 25]]).to([]).into(),
            conv_transpose([2, 2]).w_std(number).b_std(number).into(),
            conv_local([2, 2]).w_std(number).b_std(number).into(),
            embedding(9).w_std(number).into(),
            recurrent(exp(number, number)).into(),
            recurrent(erf(1.0, 1.0, 0.0))
                .w_std(number)
                .u_std(number)
                .b_std(number)
                .into(),
        ]);
        for decay in [None, Some(Decay::Exp(number)), Some(Decay::Power(number))] {
            let embedding = PositionalEmbedding {
                w_std: number,
                norm: number,
                values: true,
                decay,
                ..PositionalEmbedding::default()
            };
            let mechanism = Mechanism::Softmax;
            layers.push(attention().embedding(embedding).into());
            layers.push(
                attention()
                    .embedding(PositionalEmbedding {
                        w_std: 1.0,
                        norm: 1.0,
                        ..embedding
                    })
                    .mechanism(mechanism)
                    .into(),
            );
        }
    }
    layers
}

/// Layers whose options are axes and positions.
pub(super) fn of_axes() -> Vec<Layer> {
    let path = |channels| Network::new().then(conv([1]).channels(channels));
    let mut layers: Vec<Layer> = vec![
        position_map([], vec![]).into(),
        position_map([1], vec![vec![]]).into(),
        position_map([1], vec![vec![1.0], vec![]]).into(),
        position_map([1], vec![vec![1.0; 5]; 3]).to([]).into(),
        position_map([1], vec![vec![1.0; 5]; 4])
            .to([2, 1, 1, 2])
            .into(),
        position_map([1], vec![vec![1.0; 5]])
            .to([usize::MAX, usize::MAX])
            .into(),
        position_map([1], vec![vec![1.0; 5]]).to([0]).into(),
        scale_positions(1, []).into(),
        concat(-1, []).into(),
        concat(-1, [path(usize::MAX), path(usize::MAX)]).into(),
        concat(-1, [path(1), Network::new().then(flatten())]).into(),
    ];
    for axis in AXES {
        layers.extend([
            flatten().axes([axis]).into(),
            global_avg_pool().axes([axis]).into(),
            global_sum_pool().axes([axis, 1, axis]).into(),
            aggregate().axes([axis]).into(),
            position_map([axis, 1], vec![vec![1.0; 5]; 2]).into(),
            scale_positions(axis, [1.0; 5]).into(),
            slice(axis).into(),
            index(axis, 0).into(),
            concat(axis, [Network::new(), path(2)]).into(),
            concat(axis, [path(2), path(3)]).into(),
        ]);
        for step in AXES {
            layers.extend([
                slice(1).step(step).into(),
                slice(1).range(axis, step).step(step).into(),
                slice(2).range(None::<isize>, axis).step(step).into(),
                index(1, step).into(),
            ]);
        }
    }
    layers
}
