//! Random networks of all layers and shapes: none panics, those that are refused are refused for a
//! reason that `Network::resolve` gives, and kernels of the others are what must hold of any.

use ndarray::{Array2, ArrayD, Axis, IxDyn};
use ntk_kernels::dual::Function;
use ntk_kernels::network::*;
use ntk_kernels::{Graphs, KernelError, Structure};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

const DRAWS: u64 = 10_000;

/// The most positions of a signal.
const POSITIONS: usize = 12;

/// A network, samples, and what belongs to them.
#[derive(Debug)]
struct Draw {
    network: Network,
    x: ArrayD<f64>,
    structure: Structure,
}

struct Generator(ChaCha8Rng);

impl Generator {
    fn chance(&mut self, probability: f64) -> bool {
        self.0.random_bool(probability)
    }

    fn one<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.0.random_range(0..all.len())].clone()
    }

    fn between(&mut self, least: isize, end: isize) -> isize {
        isize::try_from(self.0.random_range(least as i64..end as i64)).unwrap()
    }

    fn sizes(&mut self, axes: usize, most: usize) -> Vec<usize> {
        (0..axes).map(|_| self.0.random_range(1..=most)).collect()
    }

    fn std(&mut self) -> f64 {
        self.one(&[0.7, 1.0, 1.3])
    }

    fn bias(&mut self) -> Option<f64> {
        self.one(&[None, Some(0.0), Some(0.3)])
    }

    fn activation(&mut self) -> Layer {
        let all = [
            relu(),
            leaky_relu(0.2),
            abs(),
            erf(1.0, 1.0, 0.0),
            gelu(),
            sin(1.0, 1.1, 0.3),
            rbf(0.5),
            sign(),
            gaussian(1.0, -0.5),
            polynomial([0.2, 1.0, 0.1]),
            quadrature(Function::Tanh, 20),
            rectified_monomial(2),
            exp(0.5, 0.3),
            exp_normalized(0.5, 1.0),
            hermite(2),
        ];
        // Most often those that keep variances as they are.
        match self.chance(0.6) {
            true => self.one(&all[..5]).into(),
            false => self.one(&all).into(),
        }
    }

    /// A layer with weights; `keep` says that positions are to stay.
    fn weights(&mut self, axes: usize, keep: bool) -> Layer {
        let kind = self.0.random_range(0..if axes == 0 { 1 } else { 5 });
        let (width, w_std, b_std) = (self.0.random_range(1..4), self.std(), self.bias());
        if kind == 0 {
            return dense().width(width).w_std(w_std).b_std(b_std).into();
        }
        let (filter, mut strides) = (self.sizes(axes, 3), self.sizes(axes, 2));
        if keep {
            strides.fill(1);
        }
        if kind == 1 {
            let layer = conv_transpose(filter).channels(width).strides(strides);
            let layer = layer.w_std(w_std).b_std(b_std);
            return match self.0.random_range(0..3) {
                0 if !keep => layer.into(),
                1 => layer.circular().into(),
                _ => layer.same().into(),
            };
        }
        let mut layer = conv(filter).channels(width).w_std(w_std).b_std(b_std);
        layer = layer.padding(self.padding(axes, keep)).strides(strides);
        if self.chance(0.2) {
            layer = layer.dilation(self.sizes(axes, 2));
        }
        if kind == 2 {
            return ConvLocal(layer).into();
        }
        if self.chance(0.2) {
            let groups = self.one(&[2, 3]);
            layer = layer
                .channels(groups * self.0.random_range(1..3))
                .groups(groups);
        }
        layer.into()
    }

    fn padding(&mut self, axes: usize, keep: bool) -> Padding {
        match self.0.random_range(0..if keep { 2 } else { 5 }) {
            0 => Padding::Same,
            1 => Padding::Circular,
            2 => Padding::Valid,
            3 => Padding::Zeros((0..axes).map(|_| [self.0.random_range(0..2), 1]).collect()),
            _ => Padding::Wrapped((0..axes).map(|_| [1, self.0.random_range(0..2)]).collect()),
        }
    }

    fn axes(&mut self, axes: usize) -> Vec<isize> {
        let mut chosen: Vec<isize> = (1..=axes.cast_signed()).collect();
        chosen.retain(|_| self.chance(0.5));
        if chosen.is_empty() {
            chosen.push(self.between(1, axes.cast_signed() + 1));
        }
        chosen
    }

    fn attention(&mut self) -> Layer {
        let mechanism = self.one(&[
            Mechanism::Identity,
            Mechanism::Softmax,
            Mechanism::Relu,
            Mechanism::Abs,
        ]);
        let embedding = self.chance(0.4).then(|| PositionalEmbedding {
            merge: self.one(&[PositionalMerge::Sum, PositionalMerge::Concat]),
            w_std: self.std(),
            channels: self.one(&[None, Some(2)]),
            values: self.chance(0.5),
            norm: self.one(&[1.0, 2.0]),
            decay: self.one(&[None, Some(Decay::Exp(0.5)), Some(Decay::Power(2.0))]),
        });
        let linear = self.chance(0.6) || (mechanism == Mechanism::Softmax && self.chance(0.8));
        let layer = attention().mechanism(mechanism).linear_scaling(linear);
        Attention {
            embedding,
            ..layer.b_std(self.bias())
        }
        .into()
    }

    /// A layer that leaves as many positions as there are.
    fn keeping(&mut self, shape: &Shape, nested: usize) -> Layer {
        let axes = shape.positions().len();
        let any = axes.cast_signed() + 1;
        if self.chance(0.02) {
            return batch_norm().affine(self.chance(0.5)).into();
        }
        match self.0.random_range(0..if axes == 0 { 5 } else { 12 }) {
            0 => identity().into(),
            1 => dropout(self.one(&[0.5, 1.0])).into(),
            2 => scale(self.one(&[0.5, -1.5])).into(),
            3 => {
                let mut over = vec![-1];
                if axes > 0 && self.chance(0.5) {
                    over.extend(self.axes(axes));
                }
                let layer = layer_norm().axes(over).eps(self.one(&[0.0, 0.1]));
                layer.affine(self.chance(0.5)).into()
            }
            4 if nested > 0 => self.branch(shape, nested, true),
            5 | 6 => self.attention(),
            7 => {
                let all = self.chance(0.5);
                let layer = aggregate();
                if all {
                    layer
                } else {
                    layer.axes(self.axes(axes))
                }
                .into()
            }
            8 => {
                let Layer::Activation(activation) = self.activation() else {
                    unreachable!()
                };
                let layer = recurrent(activation).width(2).w_std(self.std());
                let layer = layer.u_std(self.std()).b_std(self.bias());
                layer.all_states().into()
            }
            9 => {
                let axis = self.between(1, any);
                let size = shape.positions()[axis.unsigned_abs() - 1];
                let by: Vec<f64> = (0..size).map(|_| self.one(&[0.5, 1.0, -1.0])).collect();
                scale_positions(axis, by).into()
            }
            10 => slice(self.between(1, any)).step(self.one(&[1, -1])).into(),
            11 => {
                let window = self.sizes(axes, 3);
                let ones = vec![1; axes];
                self.one(&[avg_pool(window.clone()).normalize_edges(), sum_pool(window)])
                    .same()
                    .strides(ones)
                    .into()
            }
            _ => identity().into(),
        }
    }

    /// A layer that changes positions, of which there are some.
    fn changing(&mut self, shape: &Shape, nested: usize) -> Layer {
        let sizes = shape.positions();
        let axes = sizes.len();
        let axis = self.between(1, axes.cast_signed() + 1);
        let size = sizes[axis.unsigned_abs() - 1];
        match self.0.random_range(0..10) {
            0 => {
                let (window, strides) = (self.sizes(axes, 3), self.sizes(axes, 2));
                let padding = self.padding(axes, false);
                let pool = self.one(&[avg_pool(window.clone()), sum_pool(window)]);
                pool.strides(strides).padding(padding).into()
            }
            1 => {
                let method = self.one(&[Interpolation::Linear, Interpolation::Nearest]);
                let layer = resize(self.sizes(axes, 4)).method(method);
                layer.antialias(self.chance(0.5)).into()
            }
            2 => {
                let (start, stop) = (self.between(-2, 3), self.between(-1, 4));
                let start = self.one(&[None, Some(start)]);
                let stop = self.one(&[None, Some(stop)]);
                slice(axis)
                    .range(start, stop)
                    .step(self.one(&[1, 2, -1, -2]))
                    .into()
            }
            3 => index(axis, self.between(-size.cast_signed(), size.cast_signed())).into(),
            4 => {
                let over = self.axes(axes);
                let count = over.iter().map(|axis| sizes[axis.unsigned_abs() - 1]);
                let count: usize = count.product();
                let rows = self.0.random_range(1..4);
                let weight = |draw: &mut Self| draw.one(&[0.0, 0.5, 1.0, -0.7]);
                let row = |draw: &mut Self| (0..count).map(|_| weight(draw)).collect();
                let layer = position_map(over, (0..rows).map(|_| row(self)).collect());
                match (rows, self.chance(0.3)) {
                    (1, true) => layer.to([]),
                    (2, true) => layer.to([1, 2]),
                    _ => layer,
                }
                .into()
            }
            5 => {
                let pool = self.one(&[global_avg_pool(), global_sum_pool()]);
                pool.axes(self.axes(axes)).into()
            }
            6 => flatten().axes(self.axes(axes)).into(),
            7 if nested > 0 => self.branch(shape, nested, false),
            8 => recurrent(relu()).width(3).b_std(self.bias()).into(),
            _ => self.weights(axes, false),
        }
    }

    fn branch(&mut self, shape: &Shape, nested: usize, keep: bool) -> Layer {
        let count = self.0.random_range(1..4);
        let paths: Vec<Network> = (0..count)
            .map(|_| {
                let mut layers = self.layers(shape, nested - 1, keep);
                let ended = Network::new().then(identity());
                if self.chance(0.8) {
                    // So that it can be merged.
                    let start = ended.clone().join(layers.clone());
                    let axes = start
                        .output(shape.clone())
                        .map_or(0, |end| end.positions().len());
                    layers = layers.then(self.weights(axes, true));
                }
                layers
            })
            .collect();
        let axis = self.between(1, shape.positions().len().max(1).cast_signed() + 1);
        match self.0.random_range(0..4) {
            0 => product(paths).into(),
            1 => concat(-1, paths).into(),
            2 => concat(axis, paths).into(),
            _ => branch(paths).into(),
        }
    }

    /// Some layers for samples of a shape.
    fn layers(&mut self, shape: &Shape, nested: usize, keep: bool) -> Network {
        let mut network = Network::new();
        for _ in 0..self.0.random_range(0..4) {
            let before = network.output(shape.clone());
            let before = before.unwrap_or_else(|_| shape.clone());
            let axes = before.positions().len();
            let mut next = network.clone();
            match self.0.random_range(0..10) {
                0..5 => {
                    next = next.then(self.weights(axes, keep));
                    if self.chance(0.7) {
                        next = next.then(self.activation());
                    }
                }
                5..8 if axes > 0 && !keep => next = next.then(self.changing(&before, nested)),
                8 if self.chance(0.2) => next = next.then(self.activation()),
                _ => next = next.then(self.keeping(&before, nested)),
            }
            // What does not fit stays seldom, and what is large never.
            match next.output(shape.clone()) {
                Ok(end) if end.positions().iter().product::<usize>() <= POSITIONS => network = next,
                Ok(_) => {}
                Err(_) if self.chance(0.02) => network = next,
                Err(_) => {}
            }
        }
        network
    }

    fn network(&mut self, shape: &Shape, tokens: bool) -> Network {
        let mut network = Network::new();
        if tokens {
            network = network.then(embedding(4).width(3).w_std(self.std()));
        }
        let start = network.output(shape.clone()).unwrap();
        network = network.join(self.layers(&start, 2, false));
        let end = |network: &Network| network.output(shape.clone());
        if end(&network).is_ok_and(|end| !end.positions().is_empty()) && self.chance(0.95) {
            network = match self.0.random_range(0..3) {
                0 => network.then(flatten()),
                1 => network.then(global_avg_pool()),
                _ => network.then(global_sum_pool()),
            };
        }
        if self.chance(0.5) {
            network = network.then(dense().b_std(self.bias()));
        }
        let parameterization = self.one(&[Parameterization::Ntk, Parameterization::Standard]);
        network.parameterization(parameterization)
    }

    fn draw(&mut self) -> Draw {
        let axes = self.0.random_range(0..4);
        let tokens = axes == 1 && self.chance(0.3);
        let mut sizes = self.sizes(axes, [1, 6, 4, 3][axes]);
        while sizes.iter().product::<usize>() > POSITIONS {
            sizes = self.sizes(axes, 3);
        }
        let channels = if tokens { 1 } else { self.0.random_range(2..4) };
        let network = self.network(&Shape::new(&sizes[..], channels), tokens);
        let (n, channels) = (self.0.random_range(1..6), (!tokens).then_some(channels));
        let batch: Vec<usize> = [n].into_iter().chain(sizes.clone()).collect();
        let shape: Vec<usize> = batch.iter().copied().chain(channels).collect();
        let x = ArrayD::from_shape_fn(IxDyn(&shape), |_| match tokens {
            true => f64::from(self.0.random_range(0..4_u8)),
            false => self.0.random_range(-1.0..1.0),
        });
        let mut structure = Structure::default();
        if axes > 0 && self.chance(0.3) {
            let mask = ArrayD::from_shape_fn(IxDyn(&batch), |_| self.chance(0.3));
            structure = structure.mask(&mask);
        }
        if let Some(nodes) = nodes(&network, &x).first()
            && self.chance(0.8)
        {
            let shape = [&[n], &nodes[..], &nodes[..]].concat();
            let weights = ArrayD::from_shape_fn(IxDyn(&shape), |_| match self.chance(0.4) {
                true => self.one(&[1.0, 0.5, -0.3]),
                false => 0.0,
            });
            structure = structure.graphs(Graphs::dense(&weights).unwrap());
        }
        Draw {
            network,
            x,
            structure,
        }
    }
}

/// The shape of one sample, as `resolve` takes it.
fn sample(network: &Network, x: &ArrayD<f64>) -> Shape {
    let tokens = matches!(network.layers.first(), Some(Layer::TokenEmbedding(_)));
    match (&x.shape()[1..], tokens) {
        (positions, true) => Shape::new(positions, 1),
        ([positions @ .., channels], false) => Shape::new(positions, *channels),
        ([], false) => unreachable!("samples have channels"),
    }
}

/// The sizes of the axes of nodes that each layer sums over.
fn nodes(network: &Network, x: &ArrayD<f64>) -> Vec<Vec<usize>> {
    let Ok(graph) = network.resolve(sample(network, x)) else {
        return Vec::new();
    };
    let of = |node: &Node| {
        let Action::Aggregate { over } = &node.action else {
            return None;
        };
        let sizes = node.before.positions().iter().zip(over);
        Some(
            sizes
                .filter(|(_, over)| **over)
                .map(|(&size, _)| size)
                .collect(),
        )
    };
    graph.nodes.iter().filter_map(of).collect()
}

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
        let draw = Generator(ChaCha8Rng::seed_from_u64(seed)).draw();
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
