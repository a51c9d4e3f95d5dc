//! What files of other libraries hold besides the weights, and in which order.

use super::tests::{file, model, numbers};
use super::*;
use approx::assert_relative_eq;
use ndarray::{Array2, Array3, Array4, ArrayD, array};
use ntk_kernels::network::*;
use std::collections::BTreeMap;

/// A file with tensors that nothing reads, and names that would steer a terminal.
#[test]
fn what_is_not_used_is_listed_and_escaped() {
    let network = Network::new()
        .then(dense().width(1).b_std(0.0))
        .parameterization(Parameterization::Standard);
    let bytes = file(&[
        ("0.weight", &[1, 2], &[1.0, 2.0]),
        ("0.bias", &[1], &[3.0]),
        ("1.weight", &[1], &[1.0]),
        ("1.running_mean", &[1], &[0.5]),
        ("x\u{1b}[2J\n", &[1], &[0.5]),
    ]);
    let names = [("layers.0.weight", "0.weight"), ("layers.0.bias", "0.bias")];
    let names = names.map(|(ours, theirs)| (ours.to_string(), theirs.to_string()));
    let read = Model::<f64>::from_pytorch_named(&network, 2, &bytes, &names.into()).unwrap();
    let unused: Vec<_> = read.unused.iter().map(ToString::to_string).collect();
    assert_eq!(
        unused,
        [
            "1.running_mean [1] (of a batch normalisation)",
            "1.weight [1] (of a batch normalisation)",
            "x\\u{1b}[2J\\n [1]",
        ]
    );
    let many: Vec<_> = (0..5000).map(|i| format!("{i}.weight")).collect();
    let many: Vec<(&str, &[usize], &[f32])> = many
        .iter()
        .map(|name| (&name[..], &[1][..], &[0.0][..]))
        .collect();
    let told = Model::<f64>::from_pytorch(&network, 2, &file(&many)).unwrap_err();
    let told = told.to_string();
    assert!(
        told.contains("... and 4990 more") && told.len() < 1000,
        "{told}"
    );
}

/// `Conv2d(1, 1, 3, stride=2, padding=1)` with weights of 1 on the numbers 0 to 15: sums over the
/// windows around (0, 0), (0, 2), (2, 0) and (2, 2).
#[test]
fn padding_by_a_number_is_that_of_pytorch() {
    let bytes = file(&[("0.weight", &[1, 1, 3, 3], &[1.0; 9])]);
    let read = |conv: Conv| {
        let network = Network::new()
            .then(conv.channels(1).strides([2, 2]))
            .then(flatten())
            .parameterization(Parameterization::Standard);
        let input = Shape::new([4, 4], 1);
        Model::<f64>::from_pytorch(&network, &input, &bytes).unwrap()
    };
    let x = Array4::from_shape_fn((1, 4, 4, 1), |(_, y, x, _)| (4 * y + x) as f64);
    let outputs = |read: &Imported<f64>| read.model.forward(&x).unwrap();
    let numbers = read(conv([3, 3]).padding([1, 1]));
    let expected = array![[10.0, 24.0, 51.0, 90.0]];
    assert_relative_eq!(outputs(&numbers), expected, epsilon = 1e-13);
    assert!(numbers.paddings.is_empty());
    let same = read(conv([3, 3]).same());
    let expected = array![[45.0, 39.0, 66.0, 50.0]];
    assert_relative_eq!(outputs(&same), expected, epsilon = 1e-13);
    let difference = &same.paddings[0];
    assert_eq!(difference.layer, "layers[0].conv");
    assert_eq!(difference.amounts, [[0, 1], [0, 1]]);
    assert_eq!(difference.numbers, [1, 1]);
    // On odd sides both pad one.
    let odd = |padding: Padding| {
        let network = Network::new()
            .then(conv([3, 3]).channels(1).strides([2, 2]).padding(padding))
            .then(flatten())
            .parameterization(Parameterization::Standard);
        let read = Model::<f64>::from_pytorch(&network, [5, 5, 1], &bytes).unwrap();
        assert!(read.paddings.is_empty());
        let x = Array4::from_shape_fn((2, 5, 5, 1), |(i, y, x, _)| ((i + 5 * y + x) as f64).sin());
        read.model.forward(&x).unwrap()
    };
    assert_eq!(odd(Padding::Same), odd([1, 1].into()));
}

/// `Conv2d(1, 1, 4, padding="same")` pads one before and two after, as ours, and no number gives as
/// many outputs; with strides of 2, where PyTorch has no `same`, the number 2 gives as many of others.
#[test]
fn even_windows_are_warned_of_where_strides_are_above_1() {
    let bytes = file(&[("0.weight", &[1, 1, 4, 4], &[1.0; 16])]);
    let read = |padding: Padding, stride: usize| {
        let conv = conv([4, 4]).channels(1).strides([stride; 2]);
        let network = Network::new()
            .then(conv.padding(padding))
            .then(flatten())
            .parameterization(Parameterization::Standard);
        Model::<f64>::from_pytorch(&network, [5, 5, 1], &bytes).unwrap()
    };
    let x = Array4::from_shape_fn((1, 5, 5, 1), |(_, y, x, _)| ((5 * y + x) as f64).sin());
    for padding in [Padding::Same, Padding::Circular] {
        let one = read(padding.clone(), 1);
        assert!(one.paddings.is_empty(), "{}", one.paddings[0]);
        let two = &read(padding, 2).paddings[0];
        assert_eq!((&two.amounts[0], two.numbers[0]), (&[1, 2], 2));
    }
    let same = read(Padding::Same, 1).model.forward(&x).unwrap();
    let numbers = read([[1, 2]; 2].into(), 1).model.forward(&x).unwrap();
    assert_eq!(same, numbers);
}

/// The names of flax and Keras, in any order in the file.
#[test]
fn files_of_keras_and_flax_give_the_order_of_layers() {
    let network = Network::new()
        .then(conv([2]).channels(2).b_std(0.0))
        .then(flatten())
        .then(dense().width(2).b_std(0.0))
        .then(relu())
        .then(dense().width(1))
        .parameterization(Parameterization::Standard);
    let (k, b) = (numbers(4, 0.7), numbers(2, 0.4));
    let (l, c, m) = (numbers(8, 1.3), numbers(2, 0.9), numbers(2, 2.1));
    let tensors = |names: [&'static str; 5]| {
        let axes: [(&[usize], &[f32]); 5] = [
            (&[2, 1, 2], &k),
            (&[2], &b),
            (&[4, 2], &l),
            (&[2], &c),
            (&[2, 1], &m),
        ];
        let all = names.into_iter().zip(axes);
        file(&all.map(|(n, (a, v))| (n, a, v)).collect::<Vec<_>>())
    };
    let input = Shape::new([3], 1);
    let arrays = |arrays: [&[f32]; 5]| {
        let shapes: [&[usize]; 5] = [&[2, 1, 2], &[2], &[4, 2], &[2], &[2, 1]];
        let arrays = arrays.into_iter().zip(shapes).map(|(numbers, shape)| {
            let numbers = numbers.iter().map(|&v| f64::from(v)).collect();
            ArrayD::from_shape_vec(shape, numbers).unwrap()
        });
        Model::<f64>::from_arrays(&network, &input, arrays).unwrap()
    };
    let expected = arrays([&k, &b, &l, &c, &m]).parameters();
    for names in [
        [
            "Conv_0/kernel",
            "Conv_0/bias",
            "Dense_0/kernel",
            "Dense_0/bias",
            "Dense_1/kernel",
        ],
        [
            "conv1d.kernel",
            "conv1d.bias",
            "dense.kernel",
            "dense.bias",
            "dense_1.kernel",
        ],
        [
            "params.layers_0.kernel",
            "params.layers_0.bias",
            "params.layers_2.kernel",
            "params.layers_2.bias",
            "params.layers_10.kernel",
        ],
        ["arr_0", "arr_1", "arr_2", "arr_3", "arr_4"],
        // A layer's entries sorted by name: the bias first.
        ["1", "0", "3", "2", "4"],
    ] {
        let read = Import::keras(&network, &input)
            .read::<f64>(&tensors(names))
            .unwrap();
        assert_eq!(read.model.parameters(), expected, "{names:?}");
        assert!(read.unused.is_empty());
    }
    let named = tensors([
        "first/kernel",
        "first/bias",
        "hidden/kernel",
        "hidden/bias",
        "out/kernel",
    ]);
    let told = Import::keras(&network, &input).check(&named).unwrap_err();
    assert!(matches!(told, WeightsError::Order { .. }), "{told}");
    let names = [
        ("layers.0.weight", "first/kernel"),
        ("layers.0.bias", "first/bias"),
        ("layers.2.weight", "hidden/kernel"),
        ("layers.2.bias", "hidden/bias"),
        ("layers.4.weight", "out/kernel"),
    ];
    let names: BTreeMap<_, _> = names
        .map(|(ours, theirs)| (ours.to_string(), theirs.to_string()))
        .into();
    let import = Import::keras(&network, &input).names(&names);
    assert_eq!(
        import.read::<f64>(&named).unwrap().model.parameters(),
        expected
    );
    let ntk = network.clone().parameterization(Parameterization::Ntk);
    let told = Import::keras(&ntk, &input).check(&named).unwrap_err();
    assert!(
        matches!(told, WeightsError::Parameterization { .. }),
        "{told}"
    );
}

/// Files of earlier versions say `b_std` 0 where a layer has no bias.
#[test]
fn a_zero_in_an_old_file_is_no_bias() {
    let network = Network::new().then(dense().width(2));
    let ours = model::<f64>(&network, &Shape::features(3), 4);
    let mut old = ours.to_safetensors().unwrap();
    let at = old.windows(4).position(|four| four == b"null").unwrap();
    old[at..at + 4].copy_from_slice(b"0.00");
    let read = Model::<f64>::from_safetensors(&network, 3, &old).unwrap();
    assert_eq!(read.parameters(), ours.parameters());
    let biased = Network::new().then(dense().width(2).b_std(0.0));
    assert!(Model::<f64>::from_safetensors(&biased, 3, &old).is_err());
}

/// PyTorch has them (in, out, taps...) and turned around, Keras with outputs before inputs.
#[test]
fn layers_of_other_functions_or_kernels_are_refused() {
    let standard = Parameterization::Standard;
    let all = [
        (
            Network::new().then(conv_transpose([2]).circular()),
            "no such padding",
        ),
        (
            Network::new().then(conv_transpose([2]).strides([3])),
            "no such padding",
        ),
        (Network::new().then(conv_local([2])), "weights of their own"),
        (Network::new().then(attention()), "NTK parameterisation"),
        (
            Network::new().then(recurrent(relu()).b_std(0.0).all_states()),
            "two biases",
        ),
    ];
    let bytes = file(&[("0.weight", &[3, 3, 2], &[1.0; 18])]);
    for (network, words) in all {
        let network = network.then(flatten()).parameterization(standard);
        let told = Import::pytorch(&network, [4, 3])
            .read::<f64>(&bytes)
            .unwrap_err();
        assert!(matches!(told, WeightsError::Layer { .. }), "{told}");
        assert!(told.to_string().contains(words), "{told}");
    }
    let network = Network::new().then(conv_transpose([2])).then(flatten());
    let network = network.parameterization(standard);
    let told = Import::keras(&network, [4, 3])
        .read::<f64>(&bytes)
        .unwrap_err();
    assert!(matches!(told, WeightsError::Layer { .. }), "{told}");
}

/// Numbers that are exact in single precision.
fn waves(count: usize, seed: f64) -> Vec<f64> {
    let wave = |i| f64::from((seed + 1.7 * f64::from(i)).sin() as f32);
    (0..count as u32).map(wave).collect()
}

/// A file of such numbers.
fn file_of(tensors: &[(&str, &[usize], &[f64])]) -> Vec<u8> {
    let single = |values: &[f64]| values.iter().map(|&v| v as f32).collect::<Vec<_>>();
    let single: Vec<_> = tensors.iter().map(|(.., values)| single(values)).collect();
    let tensors = tensors.iter().zip(&single);
    let tensors = tensors.map(|(&(name, axes, _), values)| (name, axes, &values[..]));
    file(&tensors.collect::<Vec<_>>())
}

/// PyTorch adds `x[i] w[t]` to output `stride i - padding + t`, and cuts what lies outside.
#[test]
fn transposed_convolutions_are_those_of_pytorch() {
    let (n, channels, width) = (4, 3, 2);
    for (window, stride, padding, same) in [
        (3, 2, 0, false),
        (2, 2, 0, false),
        (4, 2, 1, true),
        (3, 1, 1, true),
    ] {
        let layer = conv_transpose([window])
            .strides([stride])
            .channels(width)
            .b_std(0.0);
        let layer = if same { layer.same() } else { layer };
        let network = Network::new()
            .then(layer)
            .then(flatten())
            .parameterization(Parameterization::Standard);
        let w = waves(channels * width * window, 0.3);
        let b = waves(width, 2.0);
        let bytes = file_of(&[
            ("0.weight", &[channels, width, window], &w),
            ("0.bias", &[width], &b),
        ]);
        let model = Model::<f64>::from_pytorch(&network, [n, channels], &bytes)
            .unwrap()
            .model;
        let x = waves(n * channels, 5.0);
        let outputs = (n - 1) * stride + window - 2 * padding;
        let mut expected = Array2::from_shape_fn((outputs, width), |(_, k)| b[k]);
        for i in 0..n {
            for t in 0..window {
                let Some(o) = (stride * i + t)
                    .checked_sub(padding)
                    .filter(|&o| o < outputs)
                else {
                    continue;
                };
                for c in 0..channels {
                    for k in 0..width {
                        expected[[o, k]] += x[i * channels + c] * w[(c * width + k) * window + t];
                    }
                }
            }
        }
        let x = Array3::from_shape_vec((1, n, channels), x).unwrap();
        let found = model.forward(&x).unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-14, "{window} {stride}");
        }
    }
}

/// A batch normalisation with its statistics, an embedding, a layer normalisation with scale and shift over
/// what a flatten made, groups of channels and an RNN, as PyTorch names and lays them out.
#[test]
fn other_layers_are_those_of_pytorch() {
    let network = Network::new()
        .then(embedding(5).width(4))
        .then(conv([1]).channels(4).groups(2))
        .then(batch_norm().eps(0.5))
        .then(recurrent(relu()).width(3).b_std(0.0).biases(2).all_states())
        .then(flatten())
        .then(layer_norm().eps(0.1).affine(true))
        .parameterization(Parameterization::Standard);
    let (length, table) = (3, waves(20, 0.1));
    let (w, norm) = (waves(8, 1.0), [waves(4, 2.0), waves(4, 3.0), waves(4, 4.0)]);
    let variance: Vec<f64> = waves(4, 5.0).iter().map(|v| v.abs()).collect();
    let (inputs, states) = (waves(12, 6.0), waves(9, 7.0));
    let biases = [waves(3, 10.0), waves(3, 11.0)];
    let (scale, shift) = (waves(9, 8.0), waves(9, 9.0));
    let bytes = file_of(&[
        ("0.weight", &[5, 4], &table),
        ("1.weight", &[4, 2, 1], &w),
        ("2.weight", &[4], &norm[0]),
        ("2.bias", &[4], &norm[1]),
        ("2.running_mean", &[4], &norm[2]),
        ("2.running_var", &[4], &variance),
        ("2.num_batches_tracked", &[1], &[7.0]),
        ("3.weight_ih_l0", &[3, 4], &inputs),
        ("3.weight_hh_l0", &[3, 3], &states),
        ("3.bias_ih_l0", &[3], &biases[0]),
        ("3.bias_hh_l0", &[3], &biases[1]),
        ("5.weight", &[9], &scale),
        ("5.bias", &[9], &shift),
    ]);
    let imported = Model::<f64>::from_pytorch(&network, [length, 1], &bytes).unwrap();
    assert!(imported.unused.is_empty(), "{:?}", imported.unused);
    let ids = [4_usize, 0, 2];
    let mut state = vec![0.0; 3];
    // By position and channel, as features stand here, and by channel and position, as in PyTorch.
    let mut features = Array2::zeros((length, 3));
    for (t, &id) in ids.iter().enumerate() {
        let z: Vec<f64> = (0..4)
            .map(|k| {
                let group = k / 2;
                let sum: f64 = (0..2)
                    .map(|c| w[k * 2 + c] * table[id * 4 + group * 2 + c])
                    .sum();
                (sum - norm[2][k]) / (variance[k] + 0.5).sqrt() * norm[0][k] + norm[1][k]
            })
            .collect();
        let next = |k: usize| {
            let of_input: f64 = (0..4).map(|c| inputs[k * 4 + c] * z[c]).sum();
            let of_state: f64 = (0..3).map(|c| states[k * 3 + c] * state[c]).sum();
            (of_input + of_state + biases[0][k] + biases[1][k]).max(0.0)
        };
        state = (0..3).map(next).collect();
        (0..3).for_each(|k| features[[t, k]] = state[k]);
    }
    let mean = features.mean().unwrap();
    let deviation = (features.mapv(|v| (v - mean).powi(2)).mean().unwrap() + 0.1).sqrt();
    let x = Array2::from_shape_fn((1, length), |(_, t)| ids[t] as f64);
    let found = imported.model.forward(&x).unwrap();
    for t in 0..length {
        for k in 0..3 {
            let theirs = k * length + t;
            let expected = (features[[t, k]] - mean) / deviation * scale[theirs] + shift[theirs];
            assert!((found[[0, t * 3 + k]] - expected).abs() < 1e-13);
        }
    }
}
