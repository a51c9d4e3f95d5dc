//! Random networks of all layers and shapes: none panics, those that are refused are refused for a
//! reason that `Network::resolve` gives, and kernels of the others are what must hold of any.

use super::draws::{Draw, nodes, sample};
use ndarray::{Array2, ArrayD, Axis};
use ntk_kernels::network::*;
use ntk_kernels::{KernelError, Structure};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

const DRAWS: u64 = 10_000;

/// The names of all layers of a network.
fn names(layers: &[Layer]) -> Vec<String> {
    let inside = |layer: &Layer| {
        let paths = layer.kind().paths().iter();
        paths.flat_map(|path| names(path)).collect::<Vec<_>>()
    };
    let all = layers.iter().flat_map(|layer| {
        let mut all = inside(layer);
        all.push(layer.name().into());
        all
    });
    all.collect()
}

/// Says whether positions are made of none, which masks take for masked.
fn empties(layers: &[Layer]) -> bool {
    layers.iter().any(|layer| match layer {
        Layer::PositionMatrix(map) => {
            let mut rows = map.matrix.iter();
            rows.any(|row| row.iter().all(|&weight| weight == 0.0))
        }
        _ => layer.kind().paths().iter().any(|path| empties(path)),
    })
}

/// What became of a draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Computed,
    Unresolved,
    NoClosedForm,
    Positions,
    Domain,
    NotFinite,
}

/// Computes kernels, and says where that succeeds or fails against what `resolve` says.
fn outcome(draw: &Draw) -> Result<Outcome, String> {
    let Draw {
        network,
        x,
        structure,
    } = draw;
    let resolved = network.resolve(sample(network, x));
    let found = network.kernel_fn().structure(structure).kernels(x);
    let expected = match &resolved {
        Err(_) => Outcome::Unresolved,
        Ok(graph) if graph.nodes.iter().any(|node| node.no_kernel.is_some()) => {
            Outcome::NoClosedForm
        }
        // A sample has one graph.
        Ok(_) if nodes(network, x).windows(2).any(|two| two[0] != two[1]) => Outcome::NoClosedForm,
        Ok(graph) if !graph.output().positions().is_empty() => Outcome::Positions,
        Ok(_) => Outcome::Computed,
    };
    let outcome = match found {
        Ok(_) => Outcome::Computed,
        Err(KernelError::Network(_)) => Outcome::Unresolved,
        Err(KernelError::NoClosedForm { .. }) => Outcome::NoClosedForm,
        Err(KernelError::Positions { .. }) => Outcome::Positions,
        // What variances are is not known before.
        Err(KernelError::Domain { .. }) if expected == Outcome::Computed => {
            return Ok(Outcome::Domain);
        }
        Err(KernelError::NotFinite { .. }) if expected == Outcome::Computed => {
            return Ok(Outcome::NotFinite);
        }
        Err(other) => return Err(other.to_string()),
    };
    match outcome == expected {
        true => Ok(outcome),
        false => Err(format!("{outcome:?}, and resolve says {expected:?}")),
    }
}

/// The largest difference over the largest entry.
fn far(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let most = b
        .iter()
        .fold(f64::MIN_POSITIVE, |most, v| most.max(v.abs()));
    a.iter()
        .zip(b)
        .fold(0.0, |far: f64, (a, b)| far.max((a - b).abs() / most))
}

fn both_single(found: &ntk_kernels::Kernels<f32>) -> [Array2<f64>; 2] {
    [&found.nngp, &found.ntk].map(|kernel| kernel.mapv(f64::from))
}

/// The least angle between the lines of two samples without positions, parallel ones aside.
fn least_angle(x: &ArrayD<f64>) -> f64 {
    let samples: Vec<_> = match x.ndim() {
        2 => x.outer_iter().collect(),
        _ => Vec::new(),
    };
    let mut least = std::f64::consts::FRAC_PI_2;
    for (i, one) in samples.iter().enumerate() {
        for two in &samples[..i] {
            let [a, b, ab] = [one * one, two * two, one * two].map(|product| product.sum());
            let sine = (1.0 - ab * ab / (a * b)).max(0.0).sqrt();
            if sine > 1e-7 {
                least = least.min(sine.asin());
            }
        }
    }
    least
}

/// Compares kernels that must be equal.
fn faults(draw: &Draw) -> Vec<String> {
    let Draw {
        network,
        x,
        structure,
    } = draw;
    let kernel_fn = network.kernel_fn().structure(structure);
    let all = names(&network.layers);
    let drops = all.iter().any(|name| name == "dropout");
    let found = kernel_fn.kernels(x).unwrap();
    let n = x.len_of(Axis(0));
    let mut faults = Vec::new();
    let mut check = |what: &str, far: f64, tolerance: f64| {
        if far.is_nan() || far > tolerance {
            faults.push(format!("{what}: {far:.1e}"));
        }
    };
    let both = |found: &ntk_kernels::Kernels<f64>| [found.nngp.clone(), found.ntk.clone()];
    let own = kernel_fn.kernel_diagonal(x).unwrap();
    for (own, found) in [&own.nngp, &own.ntk].into_iter().zip(both(&found)) {
        let own = own.clone().insert_axis(Axis(1));
        let diagonal = found.diag().to_owned().insert_axis(Axis(1));
        check("diagonal", far(&own, &diagonal), 1e-14);
        check("symmetry", far(&found.t().to_owned(), &found), 0.0);
    }
    let distinct = kernel_fn.distinct().kernels_between(x, x).unwrap();
    for (mut distinct, found) in both(&distinct).into_iter().zip(both(&found)) {
        check(
            "copy's symmetry",
            far(&distinct.t().to_owned(), &distinct),
            ROUNDED,
        );
        if drops {
            distinct.diag_mut().assign(&found.diag());
        }
        check("copy", far(&distinct, &found), ROUNDED);
    }
    if !network.layers.is_empty() {
        let layers = kernel_fn.kernels_by_layer(x).unwrap();
        let last = layers.last().unwrap();
        check("last layer", far(&last.ntk, &found.ntk), 0.0);
    }
    // Without masked positions a mask changes nothing, and all pairs of positions go together.
    let axes = x.ndim() - usize::from(all.iter().all(|name| name != "embedding"));
    if structure.is_empty() && axes > 1 && !empties(&network.layers) {
        let open = Structure::of_mask(&ArrayD::from_elem(&x.shape()[..axes], false));
        let masked = network.kernel_fn().structure(&open).kernels(x).unwrap();
        for (masked, found) in both(&masked).iter().zip(&both(&found)) {
            check("open mask", far(masked, found), ROUNDED);
        }
    }
    if n > 1 && structure.is_empty() {
        let (one, two) = x.view().split_at(Axis(0), 1);
        let block = network.kernels_between(&one, &two).unwrap();
        for (block, found) in both(&block).iter().zip(&both(&found)) {
            let part = found.slice(ndarray::s![..1, 1..]).to_owned();
            let most = found
                .iter()
                .fold(f64::MIN_POSITIVE, |most, v| most.max(v.abs()));
            let far = (block - part)
                .iter()
                .fold(0.0_f64, |far, v| far.max(v.abs() / most));
            check("block", far, ROUNDED);
        }
    }
    let single = x.mapv(|v| v as f32);
    let double = kernel_fn.kernels(&single.mapv(f64::from)).unwrap();
    // Samples as far from these as rounding: where sums cancel, it counts for more.
    let tokens = all.iter().any(|name| name == "embedding");
    let mut sign = 1.0;
    let near = single.mapv(|v| {
        sign = -sign;
        let far = if tokens {
            0.0
        } else {
            sign * f64::from(f32::EPSILON)
        };
        f64::from(v) * (1.0 + far)
    });
    let near = kernel_fn.kernels(&near).unwrap();
    // A cosine is rounded, which turns samples at an angle t by epsilon / t.
    let angle = least_angle(x);
    let turned = 2.0 * f64::from(f32::EPSILON) / angle;
    match kernel_fn.kernels(&single) {
        Ok(single) => {
            for ((single, double), near) in both_single(&single)
                .iter()
                .zip(&both(&double))
                .zip(&both(&near))
            {
                // Samples are about 1, and what is far smaller is a difference of such numbers.
                let most = double.iter().fold(0.05_f64, |most, v| most.max(v.abs()));
                let far = |other: &Array2<f64>| {
                    let pairs = other.iter().zip(double);
                    pairs.fold(0.0_f64, |far, (a, b)| far.max((a - b).abs() / most))
                };
                let (far, near) = (far(single), far(near));
                check(
                    &format!("f32, at an angle of {angle:.1e}"),
                    far,
                    SINGLE + 30.0 * near + turned,
                );
            }
        }
        Err(error) => check(&error.to_string(), f64::INFINITY, 0.0),
    }
    faults
}

/// Where samples are nearly parallel rounding grows to its root, in relu's derivative.
const ROUNDED: f64 = 1e-8;

const SINGLE: f64 = 5e-5;

#[test]
fn of_all_layers_and_shapes() {
    let one = |seed: u64| -> (Outcome, Vec<String>, Vec<String>) {
        let draw = Draw::of_seed(seed);
        let said = catch_unwind(AssertUnwindSafe(|| {
            let outcome = outcome(&draw)?;
            let faults = match outcome {
                Outcome::Computed => faults(&draw),
                _ => Vec::new(),
            };
            Ok((outcome, faults))
        }));
        let (outcome, faults) = match said {
            Ok(Ok(said)) => said,
            Ok(Err(fault)) => (Outcome::Computed, vec![fault]),
            Err(_) => (Outcome::Computed, vec!["panics".into()]),
        };
        let told = faults.iter().map(|fault| {
            let (text, shape) = (draw.network.to_json(), draw.x.shape());
            let masked = draw.structure != Structure::default();
            format!("{seed}: {fault}: {shape:?} {masked} {text}")
        });
        let names = match outcome {
            Outcome::Computed => names(&draw.network.layers),
            _ => Vec::new(),
        };
        (outcome, told.collect(), names)
    };
    let all: Vec<_> = (0..DRAWS).into_par_iter().map(one).collect();
    let faults: Vec<_> = all.iter().flat_map(|(_, faults, _)| faults).collect();
    assert!(
        faults.is_empty(),
        "{} faults\n{}",
        faults.len(),
        faults
            .iter()
            .take(30)
            .map(|f| f.replace('\n', ""))
            .collect::<Vec<_>>()
            .join("\n")
    );
    let mut outcomes = BTreeMap::new();
    let mut layers: BTreeMap<&str, usize> = BTreeMap::new();
    for (outcome, _, names) in &all {
        *outcomes.entry(*outcome).or_insert(0) += 1;
        for name in names {
            *layers.entry(name).or_insert(0) += 1;
        }
    }
    // The draws are what they are meant to be: most have kernels, and every layer is in many of them.
    let count = |outcome: Outcome| outcomes.get(&outcome).copied().unwrap_or(0);
    assert!(count(Outcome::Computed) > 4000, "{outcomes:?} {layers:?}");
    assert!(count(Outcome::Unresolved) > 10, "{outcomes:?}");
    for outcome in [Outcome::NoClosedForm, Outcome::Positions] {
        assert!(count(outcome) > 100, "{outcomes:?}");
    }
    assert!(count(Outcome::NotFinite) < 100, "{outcomes:?}");
    let activations: Vec<_> = ntk_kernels::dual::Activation::names().collect();
    // One has no kernel anywhere.
    let none = |name: &&str| activations.contains(name) || *name == "batch_norm";
    let known = Layer::names().filter(|name| !none(name));
    for name in known {
        assert!(
            layers.get(name).is_some_and(|&n| n > 50),
            "{name}: {layers:?}"
        );
    }
}
