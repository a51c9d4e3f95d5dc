//! Draws networks of all layers and shapes, with samples, masks and graphs.

use ndarray::{ArrayD, IxDyn};
use ntk_kernels::dual::Function;
use ntk_kernels::network::*;
use ntk_kernels::{Graphs, Structure};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The most positions of a signal.
const POSITIONS: usize = 12;

/// A network, samples, and what belongs to them.
#[derive(Debug)]
pub(super) struct Draw {
    pub(super) network: Network,
    pub(super) x: ArrayD<f64>,
    pub(super) structure: Structure,
}

impl Draw {
    /// Draws all of it from a seed.
    pub(super) fn of_seed(seed: u64) -> Self {
        Generator(ChaCha8Rng::seed_from_u64(seed)).draw()
    }
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
pub(super) fn sample(network: &Network, x: &ArrayD<f64>) -> Shape {
    let tokens = matches!(network.layers.first(), Some(Layer::TokenEmbedding(_)));
    match (&x.shape()[1..], tokens) {
        (positions, true) => Shape::new(positions, 1),
        ([positions @ .., channels], false) => Shape::new(positions, *channels),
        ([], false) => unreachable!("samples have channels"),
    }
}

/// The sizes of the axes of nodes that each layer sums over.
pub(super) fn nodes(network: &Network, x: &ArrayD<f64>) -> Vec<Vec<usize>> {
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
