//! What files of other libraries hold besides the weights, and in which order.

use super::tests::{file, model, numbers};
use super::*;
use approx::assert_relative_eq;
use ndarray::{Array4, ArrayD, array};
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
fn transposed_convolutions_are_not_read_as_others() {
    let network = Network::new()
        .then(conv_transpose([2]).channels(3))
        .then(flatten())
        .parameterization(Parameterization::Standard);
    let bytes = file(&[("0.weight", &[3, 3, 2], &[1.0; 18])]);
    for import in [
        Import::pytorch(&network, [4, 3]),
        Import::keras(&network, [4, 3]),
    ] {
        let told = import.read::<f64>(&bytes).unwrap_err();
        assert!(matches!(told, WeightsError::Transposed { .. }), "{told}");
    }
}
