use super::*;
use crate::Init;
use approx::assert_relative_eq;
use ndarray::{Array2, Array4, ArrayD, array};
use ntk_kernels::network::*;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;

fn branched(parameterization: Parameterization) -> Network {
    let path = Network::new()
        .then(relu())
        .then(conv([2, 3]).channels(4).same().b_std(0.3));
    Network::new()
        .then(conv([3, 3]).channels(4).w_std(1.4))
        .then(residual(path))
        .then(flatten())
        .then(dense().width(3).b_std(0.1))
        .parameterization(parameterization)
}

pub(super) fn model<T: Scalar>(network: &Network, input: &Shape, seed: u64) -> Model<T> {
    Model::new(network, input, Init::default(), seed).unwrap()
}

/// A file of these tensors: name, axes and numbers.
pub(super) fn file(tensors: &[(&str, &[usize], &[f32])]) -> Vec<u8> {
    let tensors: Vec<_> = tensors
        .iter()
        .map(|(name, axes, numbers)| {
            let bytes: Vec<u8> = numbers.iter().flat_map(|v| v.to_le_bytes()).collect();
            (*name, axes.to_vec(), bytes)
        })
        .collect();
    let views = tensors.iter().map(|(name, axes, bytes)| {
        let view = TensorView::new(Dtype::F32, axes.clone(), bytes).unwrap();
        (*name, view)
    });
    safetensors::serialize(views, None).unwrap()
}

/// One tensor called `layers.0.weight` of shape (1, 2).
fn two_numbers(dtype: Dtype, bytes: &[u8]) -> Vec<u8> {
    let view = TensorView::new(dtype, vec![1, 2], bytes).unwrap();
    safetensors::serialize([("layers.0.weight", view)], None).unwrap()
}

pub(super) fn numbers(n: usize, step: f32) -> Vec<f32> {
    (0..n).map(|i| (step * (i as f32 + 1.0)).sin()).collect()
}

#[test]
fn what_is_written_is_read_to_the_last_bit() {
    fn round_trip<T: Scalar>(network: &Network) {
        let input = Shape::new([5, 4], 2);
        let one = model::<T>(network, &input, 1);
        let bytes = one.to_safetensors().unwrap();
        assert_eq!(bytes, one.to_safetensors().unwrap());
        let two = Model::<T>::from_safetensors(network, &input, &bytes).unwrap();
        assert_eq!(one.parameters(), two.parameters());

        let listed = Tensors::read(&bytes).unwrap().listed();
        let listed: Vec<_> = listed.iter().map(ToString::to_string).collect();
        assert_eq!(
            listed,
            [
                "layers.0.weight [3, 3, 2, 4]",
                "layers.1.branch.paths.0.1.bias [4]",
                "layers.1.branch.paths.0.1.weight [2, 3, 4, 4]",
                "layers.3.bias [3]",
                "layers.3.weight [24, 3]",
            ]
        );
    }
    for parameterization in [Parameterization::Ntk, Parameterization::Standard] {
        round_trip::<f32>(&branched(parameterization));
        round_trip::<f64>(&branched(parameterization));
    }
    // Without parameters there is nothing but the network.
    round_trip_of_nothing();
}

fn round_trip_of_nothing() {
    let network = Network::new().then(relu());
    let nothing = model::<f64>(&network, &Shape::features(2), 0);
    let bytes = nothing.to_safetensors().unwrap();
    Model::<f64>::from_safetensors(&network, 2, &bytes).unwrap();
    let standard = network.parameterization(Parameterization::Standard);
    let other = model::<f64>(&standard, &Shape::features(2), 0);
    let bytes = other.to_safetensors().unwrap();
    let _ = Model::<f64>::from_pytorch(&standard, 2, &bytes).unwrap();
    Model::<f64>::from_arrays(&standard, 2, []).unwrap();
}

#[test]
fn every_float_is_read_and_nothing_else() {
    let network = Network::new().then(dense().width(2));
    let read = |bytes: &[u8]| Model::<f64>::from_safetensors(&network, 1, bytes);
    let f64s: Vec<u8> = [0.1_f64, -2.0]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let f32s: Vec<u8> = [0.1_f32, -2.0]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    for (dtype, bytes, expected) in [
        (Dtype::F64, &f64s[..], 0.1),
        (Dtype::F32, &f32s[..], f64::from(0.1_f32)),
        // 0.1 in eleven and in eight significant bits.
        (Dtype::F16, &[0x66, 0x2e, 0x00, 0xc0], 1638.0 / 16384.0),
        (Dtype::BF16, &[0xcd, 0x3d, 0x00, 0xc0], 205.0 / 2048.0),
    ] {
        let double = read(&two_numbers(dtype, bytes)).unwrap();
        assert_eq!(double.parameters()[0], array![[expected, -2.0]], "{dtype}");
    }
    let integers = two_numbers(Dtype::I32, &[0; 8]);
    let refused = read(&integers).err().unwrap().to_string();
    assert!(
        refused.contains("layers.0.weight has elements of type I32"),
        "{refused}"
    );
}

#[test]
fn numbers_that_are_not_finite_are_named() {
    let network = Network::new().then(dense().width(2));
    // Finite in f64, and not in f32.
    for (value, precision) in [
        (f64::NAN, "f64"),
        (f64::NEG_INFINITY, "f64"),
        (1e300, "f32"),
    ] {
        let bytes: Vec<u8> = [1.0, value]
            .iter()
            .flat_map(|v: &f64| v.to_le_bytes())
            .collect();
        let bytes = two_numbers(Dtype::F64, &bytes);
        let double = Model::<f64>::from_safetensors(&network, 1, &bytes);
        let error = Model::<f32>::from_safetensors(&network, 1, &bytes);
        let error = error.err().unwrap();
        assert_eq!(double.is_ok(), precision == "f32");
        let refused = double.err().unwrap_or(error).to_string();
        for word in ["layers.0.weight", "[0, 1]", precision] {
            assert!(refused.contains(word), "{refused}");
        }
    }
}

#[test]
fn other_names_and_shapes_are_listed() {
    let network = Network::new()
        .then(dense().width(2).b_std(1.0))
        .then(dense().width(1));
    let read = |bytes: &[u8]| Model::<f64>::from_safetensors(&network, 3, bytes).unwrap_err();
    let named = |name: &str, axes: &[usize]| NamedShape {
        name: name.into(),
        axes: axes.to_vec(),
    };
    let bytes = file(&[
        ("layers.0.weight", &[3, 2], &[0.0; 6]),
        ("layers.0.biases", &[2], &[0.0; 2]),
        ("layers.1.weight", &[2, 1], &[0.0; 2]),
    ]);
    assert_eq!(
        read(&bytes),
        WeightsError::Names {
            expected: vec![named("layers.0.bias", &[2])],
            found: vec![named("layers.0.biases", &[2])],
        }
    );
    let bytes = file(&[
        ("layers.0.weight", &[2, 3], &[0.0; 6]),
        ("layers.0.bias", &[1, 2], &[0.0; 2]),
        ("layers.1.weight", &[2, 1], &[0.0; 2]),
    ]);
    let error = read(&bytes);
    let WeightsError::Shapes(wrong) = &error else {
        panic!("{error}");
    };
    assert_eq!(wrong.len(), 2);
    assert!(
        error
            .to_string()
            .contains("layers.0.weight expected [3, 2], found [2, 3]")
    );

    let whole = model::<f64>(&network, &Shape::features(3), 0);
    let whole = whole.to_safetensors().unwrap();
    for bytes in [&b""[..], b"12345678", &whole[..whole.len() - 1]] {
        let error = read(bytes);
        assert!(matches!(error, WeightsError::Format { .. }), "{error}");
    }
}

#[test]
fn the_network_in_the_file_must_be_the_models() {
    let input = Shape::features(3);
    let network = |width| {
        Network::new()
            .then(dense())
            .then(relu())
            .then(dense().width(width))
    };
    let bytes = model::<f64>(&network(2), &input, 0)
        .to_safetensors()
        .unwrap();
    for (other, path) in [
        (network(3), "layers[2].dense.width expected 3, found 2"),
        (
            network(2).parameterization(Parameterization::Standard),
            "parameterization expected \"standard\", found \"ntk\"",
        ),
        (
            network(2).then(identity()),
            "layers expected 4 layers, found 3 layers",
        ),
        (
            Network::new()
                .then(dense())
                .then(erf(1.0, 1.0, 0.0))
                .then(dense().width(2)),
            "layers[1] expected {\"erf\":",
        ),
    ] {
        let read = Model::<f64>::from_safetensors(&other, &input, &bytes);
        let error = read.unwrap_err().to_string();
        assert!(error.contains(path), "{error}");
    }
    let written = |json: &str| {
        let metadata = std::iter::once((NETWORK.to_string(), json.to_string()));
        let tensors: [(&str, TensorView<'_>); 0] = [];
        safetensors::serialize(tensors, Some(metadata.collect())).unwrap()
    };
    let unknown = r#"{"parameterization": "ntk", "layers": ["dense", "swish", "dense"]}"#;
    for (json, told) in [
        (unknown, "layers[0] expected {\"dense\":"),
        ("[1]", "found [1]"),
        (
            "{",
            "not a safetensors file (its metadata's network is no JSON",
        ),
    ] {
        let read = Model::<f64>::from_safetensors(&network(2), &input, &written(json));
        let error = read.unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
    }
}

/// PyTorch's `Linear`, entry by entry: weights (out, in).
fn linear(x: &[f64], weights: &[f32], bias: &[f32]) -> Vec<f64> {
    let row = |o: usize| &weights[o * x.len()..(o + 1) * x.len()];
    let out = bias.iter().enumerate().map(|(o, &b)| {
        let terms = x.iter().zip(row(o)).map(|(x, &w)| x * f64::from(w));
        terms.sum::<f64>() + f64::from(b)
    });
    out.collect()
}

/// PyTorch's `Conv2d` without padding, entry by entry: `x` (channels, height, width), weights
/// (out, in, height, width).
fn conv2d(
    x: &[f64],
    [channels, height, width]: [usize; 3],
    weights: &[f32],
    [h, w]: [usize; 2],
    bias: &[f32],
) -> Vec<f64> {
    let mut out = Vec::new();
    for (o, &b) in bias.iter().enumerate() {
        for top in 0..=height - h {
            for left in 0..=width - w {
                let mut sum = f64::from(b);
                for c in 0..channels {
                    for i in 0..h {
                        for j in 0..w {
                            let weight = weights[((o * channels + c) * h + i) * w + j];
                            let pixel = x[(c * height + top + i) * width + left + j];
                            sum += f64::from(weight) * pixel;
                        }
                    }
                }
                out.push(sum);
            }
        }
    }
    out
}

fn rectified(x: Vec<f64>) -> Vec<f64> {
    x.into_iter().map(|v| v.max(0.0)).collect()
}

/// `Sequential(Conv2d(2, 3, (2, 3)), ReLU(), Flatten(), Dropout(), Linear(24, 5), ReLU(),
/// Linear(5, 2))` on images of 3 by 6, under another module's name `net`.
#[test]
fn a_sequential_of_pytorch_gives_its_outputs() {
    let (w0, b0) = (numbers(36, 0.7), numbers(3, 0.4));
    let (w4, b4) = (numbers(120, 1.3), numbers(5, 0.9));
    let (w10, b10) = (numbers(10, 2.1), numbers(2, 0.2));
    // In the format's own order 10 stands before 4.
    let bytes = file(&[
        ("net.0.weight", &[3, 2, 2, 3], &w0),
        ("net.0.bias", &[3], &b0),
        ("net.4.weight", &[5, 24], &w4),
        ("net.4.bias", &[5], &b4),
        ("net.10.weight", &[2, 5], &w10),
        ("net.10.bias", &[2], &b10),
    ]);
    // Samples (channels, height, width), and the same as (height, width, channels).
    let theirs = Array4::from_shape_fn((3, 2, 3, 6), |(n, c, i, j)| {
        ((1 + n * 36 + c * 18 + i * 6 + j) as f64 * 0.37).cos()
    });
    let ours = theirs.view().permuted_axes([0, 2, 3, 1]);
    let mut expected = Vec::new();
    for x in theirs.outer_iter() {
        let x: Vec<_> = x.iter().copied().collect();
        let z = rectified(conv2d(&x, [2, 3, 6], &w0, [2, 3], &b0));
        let z = rectified(linear(&z, &w4, &b4));
        expected.extend(linear(&z, &w10, &b10));
    }
    // What the biases start from does not count.
    for b_std in [0.0, 1e-300, 2.0] {
        let network = Network::new()
            .then(conv([2, 3]).channels(3).w_std(1.4).b_std(b_std))
            .then(relu())
            .then(flatten())
            .then(dropout(0.5))
            .then(dense().width(5).w_std(0.7).b_std(b_std))
            .then(relu())
            .then(dense().width(2).b_std(b_std));
        let read = Model::<f64>::from_pytorch(&network, [3, 6, 2], &bytes);
        assert!(matches!(
            read.unwrap_err(),
            WeightsError::Parameterization { library: "PyTorch" }
        ));
        let network = network.parameterization(Parameterization::Standard);
        let read = Model::<f64>::from_pytorch(&network, [3, 6, 2], &bytes).unwrap();
        assert!(read.unused.is_empty() && read.paddings.is_empty());
        let found = read.model.forward(&ours).unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            // Sums of up to 24 numbers below 24, three deep, scaled and back.
            assert_relative_eq!(found, expected, epsilon = 1e-12, max_relative = 1e-12);
        }
    }
}

#[test]
fn a_map_of_names_picks_from_a_file() {
    let network = Network::new()
        .then(dense().width(2))
        .then(dense().width(1).b_std(0.5))
        .parameterization(Parameterization::Standard);
    let bytes = file(&[
        ("head.weight", &[1, 2], &[2.0, -1.0]),
        ("head.bias", &[1], &[0.5]),
        ("body.weight", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        ("steps", &[], &[7.0]),
    ]);
    let names = [
        ("layers.0.weight", "body.weight"),
        ("layers.1.weight", "head.weight"),
        ("layers.1.bias", "head.bias"),
    ];
    let map = |names: &[(&str, &str)]| -> BTreeMap<String, String> {
        let owned = names.iter().map(|(a, b)| (a.to_string(), b.to_string()));
        owned.collect()
    };
    let read = |names: &_| Model::<f64>::from_pytorch_named(&network, 3, &bytes, names);
    let Imported {
        model: ours,
        unused,
        ..
    } = read(&map(&names)).unwrap();
    let unused: Vec<_> = unused.iter().map(ToString::to_string).collect();
    assert_eq!(unused, ["steps []"]);
    let x = array![[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]];
    // Hidden (-2, -2) and (2, 5); outputs 2 a - b + 0.5.
    let expected = array![[-1.5], [-0.5]];
    assert_relative_eq!(ours.forward(&x).unwrap(), expected, epsilon = 1e-14);

    let refusal = |names: &_| read(names).unwrap_err().to_string();
    let short = map(&[
        ("layers.0.weight", "body.weight"),
        ("layer.1.weight", "head.weight"),
    ]);
    let told = refusal(&short);
    assert!(
        told.contains("layer.1.weight is no parameter of the network")
            && told.contains("layers.1.bias, layers.1.weight are not in the map of names"),
        "{told}"
    );
    let absent = map(&[names[0], names[1], ("layers.1.bias", "foot.bias")]);
    let told = refusal(&absent);
    assert!(
        told.contains("foot.bias [1]") && told.contains("head.bias [1]"),
        "{told}"
    );
    let exchanged = map(&[
        ("layers.0.weight", "head.weight"),
        ("layers.1.weight", "body.weight"),
        names[2],
    ]);
    let told = refusal(&exchanged);
    assert!(
        told.contains("body.weight expected [1, 2], found [2, 3]"),
        "{told}"
    );
    let shared = map(&[names[0], ("layers.1.weight", "body.weight"), names[2]]);
    assert_eq!(
        read(&shared).unwrap_err(),
        WeightsError::Shared {
            tensor: "body.weight".into(),
            parameters: vec!["layers.0.weight".into(), "layers.1.weight".into()],
        }
    );
    let told = Model::<f64>::from_pytorch(&network, 3, &bytes).unwrap_err();
    let told = told.to_string();
    assert!(
        told.contains("body.weight [2, 3]") && told.contains("map"),
        "{told}"
    );
}

#[test]
fn a_sequential_that_does_not_fit_is_told() {
    let network = Network::new()
        .then(dense().width(2))
        .then(dense().width(1))
        .parameterization(Parameterization::Standard);
    let refusal = |bytes: &[u8]| {
        let read = Model::<f64>::from_pytorch(&network, 3, bytes);
        read.unwrap_err().to_string()
    };
    let with_bias = file(&[
        ("0.weight", &[2, 3], &[0.0; 6]),
        ("0.bias", &[2], &[0.0; 2]),
        ("2.weight", &[1, 2], &[0.0; 2]),
    ]);
    let told = refusal(&with_bias);
    for word in [
        "layers.0.weight [2, 3]",
        "layers.1.weight [1, 2]",
        "0.bias [2]",
        "b_std",
    ] {
        assert!(told.contains(word), "{told}");
    }
    let transposed = file(&[
        ("0.weight", &[3, 2], &[0.0; 6]),
        ("2.weight", &[1, 2], &[0.0; 2]),
    ]);
    let told = refusal(&transposed);
    assert!(
        told.contains("0.weight expected [2, 3], found [3, 2]"),
        "{told}"
    );

    let normalized = file(&[
        ("0.weight", &[2, 3], &[0.0; 6]),
        ("1.running_mean", &[2], &[0.0; 2]),
        ("1.weight", &[2], &[0.0; 2]),
        ("2.weight", &[1, 2], &[0.0; 2]),
    ]);
    let told = refusal(&normalized);
    assert!(
        told.contains("1.running_mean is of a batch normalisation"),
        "{told}"
    );

    let zero = Network::new()
        .then(dense().width(1).w_std(0.0))
        .parameterization(Parameterization::Standard);
    let bytes = file(&[("weight", &[1, 1], &[0.0])]);
    let zero = Model::<f64>::from_pytorch(&zero, 1, &bytes).unwrap();
    assert_eq!(zero.model.parameters(), [Array2::<f64>::zeros((1, 1))]);
}

/// Where a branch sums flattened positions and a dense layer's features, no order is right.
#[test]
fn paths_that_pytorch_orders_differently_are_refused() {
    let paths = |other: Network| {
        Network::new()
            .then(branch([Network::new().then(flatten()), other]))
            .then(dense().width(1))
    };
    let input = Shape::new([2, 1], 2);
    let both = paths(Network::new().then(relu()).then(flatten()));
    let bytes = file(&[("0.weight", &[1, 4], &[1.0, 2.0, 3.0, 4.0])]);
    let both = both.parameterization(Parameterization::Standard);
    let both = Model::<f64>::from_pytorch(&both, &input, &bytes)
        .unwrap()
        .model;
    // Ours (position, channel) of theirs (channel, position).
    assert_eq!(both.parameters(), [array![[1.0], [3.0], [2.0], [4.0]]]);

    let mixed = paths(Network::new().then(flatten()).then(dense().width(4)));
    let mixed = mixed.parameterization(Parameterization::Standard);
    let told = Model::<f64>::from_pytorch(&mixed, &input, &bytes).unwrap_err();
    let told = told.to_string();
    assert!(told.starts_with("layers[0]: "), "{told}");
}

/// A network of Keras written out in loops: a convolution (height, width, in, out) without
/// padding, relu, a flatten in the order (height, width, channels), and a dense layer (in, out).
#[test]
fn arrays_of_keras_give_its_outputs() {
    let number = |i: usize| (0.7 * i as f64 + 0.3).sin();
    let kernel = Array4::from_shape_fn((2, 3, 2, 3), |(y, x, c, o)| {
        number(18 * y + 6 * x + 3 * c + o)
    });
    let (bias, last_bias) = (array![0.1, -0.2, 0.3], array![0.5, -0.25]);
    let last = Array2::from_shape_fn((24, 2), |(i, o)| number(40 + 2 * i + o));
    let image = |y: usize, x: usize, c: usize| number(100 + 12 * y + 2 * x + c);

    let mut hidden = Vec::new();
    for y in 0..2 {
        for x in 0..4 {
            for o in 0..3 {
                let mut sum = bias[o];
                for (i, j, c) in ndarray::indices((2, 3, 2)) {
                    sum += image(y + i, x + j, c) * kernel[[i, j, c, o]];
                }
                hidden.push(if sum > 0.0 { sum } else { 0.0 });
            }
        }
    }
    let expected = [0, 1].map(|o| {
        let products = hidden.iter().enumerate().map(|(i, h)| h * last[[i, o]]);
        last_bias[o] + products.sum::<f64>()
    });

    let input = Array4::from_shape_fn((1, 3, 6, 2), |(_, y, x, c)| image(y, x, c));
    let arrays = [
        kernel.into_dyn(),
        bias.into_dyn(),
        last.into_dyn(),
        last_bias.into_dyn(),
    ];
    let stax = arrays[1].clone().into_shape_with_order(vec![1, 1, 1, 3]);
    let [k, b, l, c] = arrays.clone();
    for b_std in [0.0, 0.3] {
        let network = Network::new()
            .then(conv([2, 3]).channels(3).w_std(1.4).b_std(b_std))
            .then(relu())
            .then(flatten())
            .then(dense().width(2).w_std(0.7).b_std(b_std));
        let ntk = Model::<f64>::from_arrays(&network, [3, 6, 2], arrays.clone());
        assert!(matches!(
            ntk.unwrap_err(),
            WeightsError::Parameterization { .. }
        ));
        let network = network.parameterization(Parameterization::Standard);
        for given in [
            arrays.clone(),
            // Flax sorts a layer's entries by name; stax' bias of a convolution has four axes.
            [b.clone(), k.clone(), c.clone(), l.clone()],
            [k.clone(), stax.clone().unwrap(), c.clone(), l.clone()],
        ] {
            let model = Model::<f64>::from_arrays(&network, [3, 6, 2], given).unwrap();
            let found = model.forward(&input).unwrap();
            for (found, expected) in found.iter().zip(expected) {
                assert_relative_eq!(*found, expected, epsilon = 1e-12, max_relative = 1e-12);
            }
        }
        let read = |arrays: &[&ArrayD<f64>]| {
            let arrays = arrays.iter().map(|&a| a.clone());
            Model::<f64>::from_arrays(&network, [3, 6, 2], arrays)
                .unwrap_err()
                .to_string()
        };
        let told = read(&[&k, &b, &l]);
        assert!(
            told.contains("layers.3.bias [2]") && told.contains("array 2 [24, 2]"),
            "{told}"
        );
        let told = read(&[&k, &b, &c, &c]);
        assert!(
            told.contains("layers.3.weight expected [24, 2], found [2]"),
            "{told}"
        );
        let told = read(&[&k, &(&b * f64::NAN), &l, &c]);
        assert!(
            told.starts_with("layers.0.bias: entry [0] is NaN in f64"),
            "{told}"
        );
    }
    // A weight of one input has the axes of a bias of stax' kind.
    let thin = Network::new()
        .then(dense().width(2).b_std(1.0))
        .parameterization(Parameterization::Standard);
    for given in [
        [array![[3.0, 4.0]].into_dyn(), array![1.0, 2.0].into_dyn()],
        [array![1.0, 2.0].into_dyn(), array![[3.0, 4.0]].into_dyn()],
        [array![[3.0, 4.0]].into_dyn(), array![[1.0, 2.0]].into_dyn()],
    ] {
        let model = Model::<f64>::from_arrays(&thin, 1, given).unwrap();
        assert_eq!(model.forward(&array![[1.0]]).unwrap(), array![[4.0, 6.0]]);
    }
}
