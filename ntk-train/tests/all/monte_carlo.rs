//! Finite networks of every layer against the kernels of infinitely wide ones.

use super::corrected::corrected;
use super::draws::{Draw, nodes, sample};
use super::references::references;
use ndarray::{Array2, Array3, Zip};
use ntk_kernels::network::{
    Network, Parameterization, conv, dense, erf, flatten, gelu, global_avg_pool, layer_norm,
    recurrent, relu,
};
use ntk_kernels::{Kernel, Structure};
use ntk_train::MonteCarlo;
use rayon::prelude::*;
use serde_json::{Map, Value};

/// The widths of layers that have none of their own.
const WIDTHS: [usize; 2] = [24, 48];
const SEEDS: u64 = 64;

/// Gives layers this width: all of them, or those that do not say theirs.
fn widen(layers: &mut [Value], width: usize, all: bool) {
    for layer in layers {
        let Value::Object(named) = layer else {
            continue;
        };
        for (name, options) in named {
            let options = options.as_object_mut().expect("options");
            let set = |options: &mut Map<String, Value>, name: &str, value: usize| {
                if all || !options.contains_key(name) {
                    options.insert(name.into(), value.into());
                }
            };
            match &name[..] {
                "dense" | "recurrent" | "embedding" => set(options, "width", width),
                "conv" | "conv_local" | "conv_transpose" => set(options, "channels", width),
                "attention" => {
                    set(options, "channels", width);
                    // The limit is that of many heads and, of what divides by them, many channels.
                    set(options, "heads", width);
                    set(options, "key_channels", width);
                    set(options, "value_channels", 4);
                    if let Some(Value::Object(embedding)) = options.get_mut("embedding") {
                        // Half of the channels of keys, as in the references.
                        embedding.remove("channels");
                    }
                }
                "branch" => {
                    let paths = options["paths"].as_array_mut().expect("paths");
                    for path in paths {
                        widen(path.as_array_mut().expect("a path"), width, all);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Makes a network of this width, which its kernels do not depend on.
fn of_width(mut json: Value, all: bool, width: usize, outputs: usize) -> Network {
    let layers = json["layers"].as_array_mut().expect("layers");
    let last = layers.len() - 1;
    widen(&mut layers[..last], width, all);
    if let Some(Value::Object(options)) = layers[last].get_mut("dense") {
        options.insert("width".into(), outputs.into());
    }
    Network::try_from(json).unwrap()
}

/// The bias of a mean over seeds is `c / width + O(1 / width^2)`. Twice the mean at twice the width, less that
/// at the width, is free of the first term; its error is from those of both means. It must be the
/// limit within 5 of these errors, and the second term: `c^2 / width^2` with `c = 4`.
fn check(
    name: &str,
    of_width: &dyn Fn(usize, usize) -> Network,
    (x, structures): (&[ndarray::ArrayD<f64>; 2], &[Structure; 2]),
    expected: &[Array2<f64>; 2],
) -> Vec<String> {
    let mut failures = Vec::new();
    // A product of outputs is a noisy estimate of its mean, and many are cheap.
    let kernels = [(Kernel::Nngp, 64), (Kernel::Ntk, 1)];
    for ((kernel, outputs), limit) in kernels.into_iter().zip(expected) {
        let scale = limit.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        let [narrow, wide] = WIDTHS.map(|width| {
            let network = of_width(width, outputs);
            let means = MonteCarlo::new(&network, 0..SEEDS);
            let means = means.structures(&structures[0], &structures[1]);
            means
                .kernel_between::<f64, _, _>(kernel, &x[0], &x[1])
                .unwrap()
        });
        let second = (4.0 / WIDTHS[0] as f64).powi(2) * scale;
        let mut worst = (0.0, 0.0);
        Zip::from(&narrow.mean)
            .and(&wide.mean)
            .and(&narrow.standard_error)
            .and(&wide.standard_error)
            .and(limit)
            .for_each(|narrow, wide, e1, e2, limit| {
                let far = (2.0 * wide - narrow - limit).abs();
                let error = (4.0 * e2 * e2 + e1 * e1).sqrt();
                let units = far / (5.0 * error + second);
                if units > worst.0 {
                    worst = (units, far / scale);
                }
            });
        if worst.0.is_nan() || worst.0 > 1.0 {
            failures.push(format!(
                "{name} {kernel}: {:.2} of the bound, {:.1} % of the largest entry",
                worst.0,
                100.0 * worst.1
            ));
        }
    }
    failures
}

#[test]
fn every_layer_converges_to_its_closed_form() {
    let all = references();
    let failures: Vec<String> = all
        .par_iter()
        .flat_map_iter(|reference| {
            let network =
                |width, outputs| of_width(reference.network.clone(), false, width, outputs);
            let samples = (&reference.x, &reference.structures);
            check(&reference.name, &network, samples, &reference.kernels[0])
        })
        .collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn so_does_what_neural_tangents_gets_wrong() {
    let all = corrected();
    let failures: Vec<String> = all
        .par_iter()
        .flat_map_iter(|row| {
            let json = Value::from(row.network.clone());
            let network = |width, outputs| of_width(json.clone(), true, width, outputs);
            let expected = row.right.map(|right| Array2::from_elem((1, 1), right));
            check(row.name, &network, (&row.x, &row.structures), &expected)
        })
        .collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// What grows without bound has heavy tails in networks of few channels, and dropout is part of the limit
/// and not of the networks.
const LEFT_OUT: [&str; 8] = [
    "exp\"",
    "polynomial",
    "hermite",
    "monomial",
    "gaussian",
    "exp_normalized",
    "dropout",
    "product",
];

/// Widens a drawn network, with a last dense layer, in the parameterisation in which kernels do not depend on
/// widths; `None` where it has no kernel there, or what is left out.
fn drawn(draw: &Draw) -> Option<Value> {
    let network = draw.network.clone().then(dense().b_std(0.1));
    let network = network.parameterization(Parameterization::Ntk);
    let json = Value::from(network);
    let text = json.to_string();
    if LEFT_OUT.iter().any(|name| text.contains(name)) {
        return None;
    }
    let network = of_width(json.clone(), true, WIDTHS[0], 1);
    let graph = network.resolve(sample(&network, &draw.x)).ok()?;
    let nodes = nodes(&network, &draw.x);
    let refused = graph.nodes.iter().any(|node| node.no_kernel.is_some())
        || nodes.windows(2).any(|two| two[0] != two[1])
        || !graph.output().positions().is_empty();
    // A last layer alone has the same kernel in every network.
    (!refused && network.layers.len() > 3).then_some(json)
}

#[test]
fn so_do_networks_drawn_from_all_layers() {
    let draws = (0..).map(Draw::of_seed);
    let draws = draws.filter_map(|draw| Some((drawn(&draw)?, draw)));
    let draws: Vec<_> = draws.take(40).collect();
    let failures: Vec<String> = draws
        .par_iter()
        .flat_map_iter(|(json, draw)| {
            let network = |width, outputs| of_width(json.clone(), true, width, outputs);
            let infinite = network(WIDTHS[0], 1);
            let kernel_fn = infinite.kernel_fn().structure(&draw.structure);
            let limit = kernel_fn
                .distinct()
                .kernels_between(&draw.x, &draw.x)
                .unwrap();
            let both = [(); 2].map(|()| draw.x.clone());
            let structures = [(); 2].map(|()| draw.structure.clone());
            let expected = [limit.nngp, limit.ntk];
            check(&json.to_string(), &network, (&both, &structures), &expected)
        })
        .collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// Networks with options that the references have not: two biases of a recurrent layer, trained scales and
/// shifts, and groups of channels.
#[test]
fn so_do_further_options() {
    let networks: [fn(usize) -> Network; 4] = [
        |width| Network::new().then(recurrent(relu()).width(width).b_std(0.6).biases(2)),
        |width| {
            let norm = layer_norm().eps(0.1).affine(true);
            Network::new()
                .then(conv([2]).channels(width).b_std(0.2))
                .then(norm)
                .then(erf(1.0, 1.0, 0.0))
                .then(flatten())
        },
        |width| {
            Network::new()
                .then(dense().width(width))
                .then(layer_norm().affine(true))
                .then(global_avg_pool())
        },
        |width| {
            Network::new()
                .then(dense().width(width))
                .then(relu())
                .then(conv([2]).channels(width).groups(2).same())
                .then(gelu())
                .then(global_avg_pool())
        },
    ];
    let wave = |seed: f64| {
        Array3::from_shape_fn((3, 4, 2), |(i, t, c)| {
            (seed + (i + 3 * t + 5 * c) as f64).sin()
        })
    };
    let x = [1.0, 2.0].map(|seed| wave(seed).into_dyn());
    let structures = [(); 2].map(|()| Structure::default());
    let failures = networks.iter().enumerate().flat_map(|(number, network)| {
        let network = |width, outputs| network(width).then(dense().width(outputs));
        let limit = network(WIDTHS[0], 1).kernels_between(&x[0], &x[1]).unwrap();
        let expected = [limit.nngp, limit.ntk];
        check(&number.to_string(), &network, (&x, &structures), &expected)
    });
    let failures: Vec<String> = failures.collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
