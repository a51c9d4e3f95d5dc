//! Layers that are others, written differently.

use super::*;

#[test]
fn resizing_to_the_same_shape_does_nothing() {
    let x = samples(&[3, 4, 3, 2], 13);
    for method in [Interpolation::Linear, Interpolation::Nearest] {
        for end in [pooled(), flat()] {
            let resized = |to: [usize; 2]| {
                rectified([3, 2])
                    .then(resize(to).method(method))
                    .join(end.clone())
            };
            check_same(&resized([4, 3]), &rectified([3, 2]).join(end.clone()), &x);
            check_different(&resized([4, 4]), &resized([4, 3]), &x);
        }
    }
    // Twice as large by the nearest position, and every second of that.
    let up = resize([8, 3]).method(Interpolation::Nearest);
    let network = rectified([3, 2]).then(up).then(slice(1).step(2));
    check_same(
        &network.join(pooled()),
        &rectified([3, 2]).join(pooled()),
        &x,
    );
}

#[test]
fn one_path_alone_is_that_path() {
    let x = samples(&[3, 4, 3, 2], 14);
    for axis in [-1, 1, 2] {
        for end in [pooled(), flat()] {
            let path = || Network::new().then(conv([2, 2]).channels(7).b_std(0.1));
            let around = |middle: Network| {
                rectified([3, 2])
                    .join(middle)
                    .then(relu())
                    .join(end.clone())
            };
            let one = Network::new().then(concat(axis, [path()]));
            check_same(&around(one), &around(path()), &x);
        }
    }
}

/// An activation after paths side by side is one at the end of each.
#[test]
fn activations_of_each_group_of_channels() {
    let x = samples(&[3, 4, 3, 2], 15);
    let path = |channels: usize, w_std: f64| {
        Network::new().then(conv([2, 2]).channels(channels).w_std(w_std))
    };
    for end in [pooled(), flat()] {
        let after = Network::new()
            .then(concat(-1, [path(2, 1.5), path(5, 0.7)]))
            .then(identity())
            .then(relu())
            .join(end.clone());
        let inside = [path(2, 1.5), path(5, 0.7)].map(|path| path.then(relu()));
        let inside = Network::new().then(concat(-1, inside)).join(end.clone());
        check_same(&after, &inside, &x);
        // More channels weigh more.
        let other = Network::new()
            .then(concat(-1, [path(5, 1.5), path(2, 0.7)]))
            .then(relu())
            .join(end);
        check_different(&after, &other, &x);
    }
}

/// Paths side by side along positions, of which one is then left.
#[test]
fn slices_of_a_concatenation_are_its_paths() {
    let x = samples(&[3, 4, 3, 2], 16);
    let path = |filter: [usize; 2]| Network::new().then(conv(filter).channels(3).b_std(0.2));
    let paths = || [path([2, 2]), path([4, 2])];
    for (range, path) in [
        ((None, Some(3)), path([2, 2])),
        ((Some(3), None), path([4, 2])),
    ] {
        for end in [pooled(), flat()] {
            let whole = rectified([3, 3])
                .then(concat(1, paths()))
                .then(slice(1).range(range.0, range.1));
            let one = rectified([3, 3]).join(path.clone()).join(end.clone());
            check_same(&whole.join(end), &one, &x);
        }
    }
}

#[test]
fn transposed_convolutions_of_stride_one_are_convolutions() {
    let x = samples(&[3, 5, 4, 2], 17);
    for [a, b] in [[3, 2], [2, 4], [1, 3]] {
        let size = [a, b];
        let transposed = || conv_transpose(size).w_std(1.2).b_std(0.3).channels(5);
        let conv = || conv(size).w_std(1.2).b_std(0.3).channels(5);
        // Before and after are those of a convolution exchanged: the larger half comes first.
        let exchanged = size.map(|k| [k / 2, (k - 1) / 2]);
        let all = size.map(|k| [k - 1, k - 1]);
        for end in [pooled(), flat()] {
            let around =
                |layer: Layer| rectified([2, 3]).then(layer).then(relu()).join(end.clone());
            for (one, two) in [
                (transposed(), conv().padding(all)),
                (transposed().same(), conv().padding(exchanged)),
                (
                    transposed().circular(),
                    conv().padding(Padding::Wrapped(exchanged.to_vec())),
                ),
            ] {
                check_same(&around(one.into()), &around(two.into()), &x);
            }
            if b % 2 == 0 {
                let (one, two) = (transposed().same(), conv().same());
                check_different(&around(one.into()), &around(two.into()), &x);
            }
        }
    }
}

/// With stride 2 and filter 2 each output reads one input: by one of two taps.
#[test]
fn transposed_convolutions_of_wide_strides_repeat() {
    let x = samples(&[3, 4, 2], 18);
    let transposed = conv_transpose([2]).strides([2]).w_std(2.0_f64.sqrt());
    let repeated = resize([8]).method(Interpolation::Nearest);
    let one = rectified([3]).then(transposed).join(flat());
    let two = rectified([3]).then(dense()).then(repeated).join(flat());
    let far = far(&plain(&one, &x), &plain(&two, &x));
    assert!(far < ROUNDED, "{far:e}");
}

#[test]
fn numbers_of_padding_are_those_of_same() {
    let x = samples(&[3, 5, 3, 4, 2], 19);
    let (filter, strides, dilation) = ([4, 2, 3], [2, 1, 3], [1, 2, 1]);
    let padding: Vec<[usize; 2]> = (0..3)
        .map(|axis| {
            let (size, stride) = (x.shape()[axis + 1], strides[axis]);
            let extent = dilation[axis] * (filter[axis] - 1) + 1;
            let read = (size.div_ceil(stride) - 1) * stride + extent;
            let total = read.saturating_sub(size);
            [total / 2, total - total / 2]
        })
        .collect();
    for end in [pooled(), flat()] {
        let around = |layer: Layer| {
            rectified([1, 2, 2])
                .then(layer)
                .then(relu())
                .join(end.clone())
        };
        let windows = || conv(filter).strides(strides).dilation(dilation).channels(3);
        for layer in [Layer::from, |conv| ConvLocal(conv).into()] {
            check_same(
                &around(layer(windows().same())),
                &around(layer(windows().padding(Padding::Zeros(padding.clone())))),
                &x,
            );
            check_different(
                &around(layer(windows().circular())),
                &around(layer(windows().same())),
                &x,
            );
        }
    }
}

#[test]
fn unshared_weights_are_shared_ones_without_mixing() {
    let x = samples(&[3, 4, 3, 2], 20);
    let layer = || {
        conv([3, 2])
            .same()
            .strides([1, 2])
            .b_std(0.3)
            .w_std(1.1)
            .channels(4)
    };
    for start in [Network::new(), rectified([2, 2])] {
        let one = |end: Network| start.clone().then(layer()).join(end);
        let two = |end: Network| start.clone().then(ConvLocal(layer())).join(end);
        check_same(&one(flat()), &two(flat()), &x);
        check_different(&one(pooled()), &two(pooled()), &x);
        // Nothing before them matters either.
        let both = start
            .clone()
            .then(ConvLocal(layer()))
            .then(ConvLocal(layer()));
        check_same(
            &one(Network::new().then(layer()).join(flat())),
            &both.join(flat()),
            &x,
        );
    }
}

#[test]
fn one_step_of_recurrence_is_a_dense_layer() {
    let x = samples(&[5, 1, 3], 21);
    for activation in [relu(), erf(1.0, 1.2, 0.1), gelu()] {
        for b_std in [None, Some(0.3)] {
            let layer = recurrent(activation.clone())
                .width(6)
                .u_std(1.4)
                .b_std(b_std);
            let [last, all] = [layer.clone(), layer.all_states()];
            let steps = dense().width(6).w_std(1.4).b_std(b_std);
            let unrolled = Network::new()
                .then(steps)
                .then(activation.clone())
                .then(flatten());
            for layer in [
                Network::new().then(last),
                Network::new().then(all).then(flatten()),
            ] {
                check_same(&layer.then(dense()), &unrolled.clone().then(dense()), &x);
            }
        }
    }
}

/// Of the last states of one length weights are as good as different ones at each step.
#[test]
fn last_states_are_those_of_untied_weights() {
    let steps = 4;
    let x = samples(&[4, steps, 3], 22);
    for activation in [relu(), erf(1.0, 1.2, 0.1)] {
        for b_std in [None, Some(0.0), Some(0.4)] {
            let input = |t: usize| {
                let dense = dense().width(6).w_std(0.8).b_std(b_std);
                Network::new().then(index(1, t.cast_signed())).then(dense)
            };
            let mut state = input(0).then(activation.clone());
            for t in 1..steps {
                let before = state.then(dense().width(6).w_std(1.3));
                let sum = branch([input(t), before]);
                state = Network::new().then(sum).then(activation.clone());
            }
            let layer = recurrent(activation.clone()).width(6).w_std(1.3).u_std(0.8);
            let layer = Network::new().then(layer.b_std(b_std)).then(dense());
            check_same(&layer, &state.then(dense()), &x);
        }
    }
}

/// All states, of which the last is kept, are the last state.
#[test]
fn the_last_of_all_states_is_the_last_state() {
    let x = samples(&[4, 5, 3], 23);
    let layer = recurrent(gelu()).w_std(1.3).u_std(0.8).b_std(0.3);
    let all = rectified([2])
        .then(layer.clone().all_states())
        .then(index(1, -1));
    check_same(
        &all.then(dense()),
        &rectified([2]).then(layer).then(dense()),
        &x,
    );
}

#[test]
fn tokens_are_vectors_of_zeros_and_one() {
    let vocabulary = 7;
    let ids = Array2::from_shape_fn((4, 5), |(i, p)| {
        ((3 * i + 5 * p + i * p) % vocabulary) as f64
    });
    let hot = Array3::from_shape_fn((4, 5, vocabulary), |(i, p, token)| {
        let same = ids[[i, p]] == token as f64;
        (vocabulary as f64).sqrt() * f64::from(u8::from(same))
    });
    let after = || {
        Network::new()
            .then(conv([2]).b_std(0.1))
            .then(relu())
            .join(pooled())
    };
    let tokens = Network::new()
        .then(embedding(vocabulary).w_std(1.3))
        .join(after());
    let vectors = Network::new().then(dense().w_std(1.3)).join(after());
    let far = far(
        &plain(&tokens, &ids.into_dyn()),
        &plain(&vectors, &hot.into_dyn()),
    );
    assert!(far < ROUNDED, "{far:e}");
}

/// Ways to write one map of positions.
#[test]
fn maps_of_positions_written_differently() {
    let x = samples(&[3, 4, 3, 2], 24);
    let row = |at: usize, size: usize| {
        (0..size)
            .map(|p| f64::from(u8::from(p == at)))
            .collect::<Vec<_>>()
    };
    let mean = |count: usize| vec![vec![1.0 / count as f64; count]];
    let diagonal = [0.5, -2.0, 1.0, 0.0];
    let scaled = (0..4).map(|at| row(at, 4).iter().map(|v| v * diagonal[at]).collect());
    let reversed = (0..4).map(|at| row(3 - at, 4));
    let twelve = (0..12).map(|at| row(at, 12));
    let layers = |all: &[Layer]| all.iter().cloned().fold(Network::new(), Network::then);
    let pairs: Vec<(Network, Network)> = vec![
        (layers(&[slice(1).into()]), Network::new()),
        (
            layers(&[slice(1).into(), identity().into()]),
            layers(&[slice(2).into()]),
        ),
        (
            layers(&[slice(1).step(-1).into(), slice(1).step(-1).into()]),
            Network::new(),
        ),
        (
            layers(&[slice(1).step(-1).into()]),
            layers(&[position_map([1], reversed.collect()).into()]),
        ),
        (
            layers(&[scale_positions(1, diagonal).into()]),
            layers(&[position_map([1], scaled.collect()).into()]),
        ),
        (
            Network::new(),
            layers(&[position_map([1, 2], twelve.collect()).to([4, 3]).into()]),
        ),
        (
            layers(&[index(1, 2).into()]),
            layers(&[position_map([1], vec![row(2, 4)]).to([]).into()]),
        ),
        (
            layers(&[slice(1).range(2, 3).into(), slice(2).range(-1, None).into()]),
            layers(&[
                index(1, 2).into(),
                index(1, -1).into(),
                Layer::from(dense()),
            ])
            .layers
            .split_last()
            .map(|(_, kept)| layers(kept))
            .unwrap(),
        ),
        (
            layers(&[global_avg_pool().axes([2]).into()]),
            layers(&[position_map([2], mean(3)).to([]).into()]),
        ),
        (
            layers(&[avg_pool([4, 3]).into()]),
            layers(&[position_map([1, 2], mean(12)).to([]).into()]),
        ),
        (
            layers(&[global_avg_pool().into()]),
            layers(&[
                global_avg_pool().axes([1]).into(),
                global_avg_pool().axes([1]).into(),
            ]),
        ),
        (
            layers(&[global_sum_pool().axes([1]).into()]),
            layers(&[global_avg_pool().axes([1]).into(), scale(4.0).into()]),
        ),
        (
            layers(&[avg_pool([2, 3]).same().strides([1, 2]).into()]),
            layers(&[
                sum_pool([2, 3]).same().strides([1, 2]).into(),
                scale(1.0 / 6.0).into(),
            ]),
        ),
        (
            layers(&[resize([2, 3]).method(Interpolation::Nearest).into()]),
            layers(&[slice(1).range(1, None).step(2).into()]),
        ),
        (
            layers(&[resize([2, 3]).antialias(false).into()]),
            layers(&[avg_pool([2, 1]).into()]),
        ),
    ];
    for (one, two) in pairs {
        let finish = |middle: &Network| {
            let start = rectified([3, 2])
                .join(middle.clone())
                .then(inner())
                .then(relu());
            [flatten().into(), Layer::from(global_avg_pool())].map(|end| {
                let shape = start.output([4, 3, 2]).unwrap();
                match shape.positions().is_empty() {
                    true => start.clone().then(dense()),
                    false => start.clone().then(end).then(dense()),
                }
            })
        };
        for (one, two) in finish(&one).iter().zip(&finish(&two)) {
            check_same(one, two, &x);
        }
    }
}

/// Volumes of which the last axis has one position: what happens along it counts.
#[test]
fn layers_along_an_axis_of_one_position() {
    let x = samples(&[3, 4, 3, 1, 2], 27);
    let start = || rectified([3, 2, 1]);
    let twice = |layer: Conv| layer.circular().w_std(1.2).channels(4);
    for end in [pooled(), flat()] {
        let around = |layer: Layer| start().then(layer).then(relu()).join(end.clone());
        // Both taps read the one position: two weights are added, and divided by the root of 2.
        let [two, one] = [[3, 2, 2], [3, 2, 1]].map(|filter| twice(conv(filter)).into());
        let far = far(&plain(&around(two), &x), &plain(&around(one), &x));
        assert!(far < ROUNDED, "{far:e}");
    }
    for (layer, by) in [
        (scale_positions(3, [0.5]).into(), 0.5),
        (Layer::from(avg_pool([1, 1, 2]).same()), 0.5),
        (sum_pool([1, 1, 3]).padding([0, 0, 1]).into(), 1.0),
    ] {
        for end in [pooled(), flat()] {
            let one = start().then(layer.clone()).join(end.clone());
            check_same(&one, &start().then(scale(by)).join(end), &x);
        }
    }
}

/// Of which one needs all pairs of positions before it, and the other none but equal ones.
#[test]
fn a_pool_beside_a_convolution_of_masked_samples() {
    let x = samples(&[3, 4, 3, 2], 32);
    let open = Structure::of_mask(&Array3::from_elem((3, 4, 3), false));
    let pooling = avg_pool([3, 3]).strides([1, 1]).same();
    let paths = || {
        let first = Network::new().then(pooling.clone()).then(dense());
        [first, Network::new().then(conv([2, 2]).same())]
    };
    for middle in [branch(paths()), product(paths()), concat(-1, paths())] {
        let network = rectified([2, 2]).then(middle).then(flatten()).then(dense());
        let far = far(&both(&network, &x, &open), &plain(&network, &x));
        assert!(far < ROUNDED, "{far:e}");
    }
}

#[test]
fn features_of_one_axis_after_the_other() {
    let x = samples(&[3, 4, 3, 2], 25);
    let start = rectified([3, 2]);
    let one = start.clone().then(flatten()).then(dense());
    let two = start
        .then(flatten().axes([2]))
        .then(flatten())
        .then(dense());
    check_same(&one, &two, &x);
}

/// Without embeddings and scaling, attention of the logits themselves is `K K(x1, x1) K K(x2, x2) K`.
#[test]
fn attention_of_one_position_is_a_product() {
    let x = samples(&[4, 1, 3], 26);
    let start = Network::new().then(inner()).then(relu());
    let first = start.clone().then(flatten());
    let own = first.kernel_diagonal(&x).unwrap().nngp;
    let found = first.kernels(&x).unwrap();
    let attended = start
        .then(attention().w_stds(1.1, 0.9, 1.2, 0.7).b_std(0.3))
        .then(flatten());
    let after = attended.kernels(&x).unwrap();
    let logit = Array1::from_iter(own.iter().map(|k| 1.1 * 0.9 * k));
    for ((i, j), &k) in found.nngp.indexed_iter() {
        let scale = (1.2_f64 * 0.7).powi(2) * logit[i] * logit[j];
        let expected = [
            scale * k + 0.09,
            scale * (2.0 * k + found.ntk[[i, j]]) + 0.09,
        ];
        for (found, expected) in [after.nngp[[i, j]], after.ntk[[i, j]]].iter().zip(expected) {
            assert!((found - expected).abs() < ROUNDED * expected.abs().max(1.0));
        }
    }
}
