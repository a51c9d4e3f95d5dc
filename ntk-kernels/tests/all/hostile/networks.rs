//! Shapes, layers and networks.

use super::layers::{convolutions, of_axes, of_numbers};
use super::{NUMBERS, Panics, SIZES, activations};
use ndarray::Array4;
use ntk_kernels::Network;
use ntk_kernels::network::*;

/// Shapes of samples, those that make no sense among them.
fn shapes() -> Vec<Shape> {
    let mut shapes = vec![Shape::new([2, 2, 2, 2], 2), Shape::new(vec![1; 40], 1)];
    for size in SIZES {
        shapes.extend([
            Shape::features(size),
            Shape::from(size),
            Shape::from([size]),
            Shape::from([size, 3]),
            Shape::from([3, size]),
            Shape::from([size, 5, 3]),
            Shape::from([5, size, 2]),
            Shape::from([size, size, size]),
            Shape::new([size, size, size], size),
        ]);
    }
    shapes
}

/// Layers with options that make no sense.
fn layers() -> Vec<Layer> {
    let windows: Vec<Vec<usize>> = vec![
        vec![],
        vec![0],
        vec![1],
        vec![3],
        vec![3, 0],
        vec![3, 3],
        vec![20, 30],
        vec![1, 2, 3],
        vec![usize::MAX],
        vec![usize::MAX, 1],
        vec![usize::MAX; 2],
    ];
    let mut layers: Vec<Layer> = Vec::new();
    for window in &windows {
        layers.extend([
            conv(window.clone()).into(),
            conv(window.clone()).same().into(),
            conv(window.clone()).circular().into(),
            avg_pool(window.clone()).into(),
            sum_pool(window.clone()).same().into(),
            avg_pool(window.clone()).same().normalize_edges().into(),
            sum_pool(window.clone()).normalize_edges().into(),
            avg_pool(window.clone()).padding(Padding::Circular).into(),
            conv(window.clone()).padding([1, 2]).into(),
            conv(window.clone())
                .padding(Padding::Wrapped(vec![[usize::MAX; 2]; 2]))
                .into(),
            conv(window.clone()).padding([[usize::MAX, 1]]).into(),
            avg_pool(window.clone()).padding([[0, 1], [2, 0]]).into(),
        ]);
        for strides in &windows {
            layers.extend([
                conv(window.clone()).strides(strides.clone()).into(),
                conv(window.clone()).strides(strides.clone()).same().into(),
                avg_pool(window.clone()).strides(strides.clone()).into(),
            ]);
        }
    }
    layers.extend(convolutions(&windows));
    layers.extend(of_numbers());
    layers.extend(of_axes());
    for size in SIZES {
        layers.extend([
            dense().width(size).into(),
            dense().width(size).b_std(1.0).into(),
            conv([3, 3]).channels(size).into(),
            conv([usize::MAX, 2]).channels(size).circular().into(),
            Attention {
                channels: size,
                heads: size,
                ..Attention::default()
            }
            .into(),
        ]);
    }
    for number in NUMBERS {
        layers.extend([
            dense().w_std(number).into(),
            dense().b_std(number).into(),
            conv([2, 2]).w_std(number).b_std(number).into(),
            attention().w_stds(number, 1.0, number, 1.0).into(),
            attention().b_std(number).linear_scaling(false).into(),
            dropout(number).into(),
            layer_norm().eps(number).into(),
        ]);
    }
    for axes in [
        vec![],
        vec![0],
        vec![-1],
        vec![1, -1, 1],
        vec![isize::MIN],
        vec![isize::MAX, -1],
    ] {
        layers.push(layer_norm().axes(axes).into());
    }
    layers.extend([
        flatten().into(),
        identity().into(),
        global_avg_pool().into(),
        global_sum_pool().into(),
        branch([]).into(),
        product([]).into(),
        branch([Network::new(), Network::new()]).into(),
        residual(Network::new()).into(),
        product([Network::new(), Network::new().then(dense())]).into(),
        residual(Network::new().then(conv([2, 2]))).into(),
    ]);
    layers.extend(activations().into_iter().map(Layer::from));
    layers
}

#[test]
fn shapes_and_layers() {
    let mut panics = Panics::default();
    let shapes = shapes();
    for shape in &shapes {
        panics.call(format!("Shape {shape:?}"), || {
            let again = Shape::from(shape);
            assert_eq!(again.size(), shape.size());
            (shape.channels(), shape.positions().len(), shape.to_string())
        });
    }
    for layer in layers() {
        let network = Network::new().then(layer.clone());
        let name = format!("{layer:?}");
        panics.call(format!("{name}: text"), || {
            assert_eq!(layer.name(), layer.kind().name());
            let text = network.to_json();
            (network.to_string(), Network::from_json(&text).is_ok())
        });
        panics.call(format!("{name}: validate"), || network.validate());
        let after = network.clone().then(dense()).then(flatten()).then(relu());
        for shape in &shapes {
            panics.call(format!("{name}: resolve {shape:?}"), || {
                let found = network.resolve(shape);
                if let Ok(graph) = &found {
                    let _ = (graph.table(), graph.network(), graph.output());
                    let _ = graph.parameters().count();
                }
                (found.is_ok(), network.output(shape).is_ok())
            });
            panics.call(format!("{name}, then more: resolve {shape:?}"), || {
                after.resolve(shape).is_ok()
            });
        }
    }
    panics.none();
}

#[test]
fn graphs_of_other_networks() {
    let mut panics = Panics::default();
    let network = Network::new()
        .then(conv([3, 3]))
        .then(relu())
        .then(flatten());
    let graph = network.resolve(Shape::new([5, 5], 2)).unwrap();
    let mut broken = graph.clone();
    broken.nodes.truncate(1);
    panics.call("Graph::output", || broken.output().clone());
    panics.call("Graph::network", || broken.network());
    panics.call("Graph::table", || broken.table());
    for node in &graph.nodes {
        panics.call("Graph::order_before", || broken.order_before(node).clone());
    }
    panics.call("top", || top(usize::MAX));
    panics.call("inside", || inside("", usize::MAX, usize::MAX));
    panics.none();
}

/// A layer whose shape and action are given.
#[derive(Debug)]
struct Given(Shape, Action, Vec<Vec<Layer>>);

impl LayerKind for Given {
    fn name(&self) -> &str {
        ""
    }

    fn resolve(&self, _: &Shape) -> Result<Resolved, String> {
        let (shape, action) = (self.0.clone(), self.1.clone());
        Ok(Resolved { shape, action })
    }

    fn paths(&self) -> &[Vec<Layer>] {
        &self.2
    }
}

#[test]
fn layers_of_the_users_own() {
    let mut panics = Panics::default();
    let image = Shape::new([4, 4], 2);
    let mut actions = vec![
        Action::Nothing,
        Action::Flatten { over: vec![true] },
        Action::Activation(relu()),
        Action::Merge(Merge::Sum),
        Action::Merge(Merge::Product),
        Action::Attention(Logits {
            mechanism: Mechanism::Abs,
            embedding: None,
            linear_scaling: true,
            logit_std: f64::NAN,
            value_std: -1.0,
            b_std: Some(f64::INFINITY),
            heads: usize::MAX,
            key_channels: usize::MAX,
            value_channels: 0,
            width: 4,
        }),
    ];
    for x in NUMBERS {
        actions.push(Action::Dropout { keep: x });
        actions.extend([false, true].map(|affine| Action::BatchNorm { eps: x, affine }));
        for over in [vec![], vec![true], vec![true; 5]] {
            for affine in [false, true] {
                let over = over.clone();
                actions.push(Action::Normalize {
                    eps: x,
                    over,
                    affine,
                });
            }
        }
    }
    let sizes = [0, 1, 3, 4, usize::MAX];
    for (a, b) in sizes.iter().flat_map(|&a| sizes.map(|b| (a, b))) {
        for shape in [&image, &Shape::features(3), &Shape::new([b, a, b], a)] {
            let huge = vec![[usize::MAX, usize::MAX - 1], [a, b]];
            for padding in [
                Padding::Valid,
                Padding::Same,
                Padding::Circular,
                Padding::from([a]),
                Padding::from([[a, b], [b, a]]),
                Padding::Wrapped(vec![[a, b]]),
                Padding::Zeros(huge.clone()),
                Padding::Wrapped(huge),
            ] {
                panics.call(format!("Padding::amounts {a} {b} {padding}"), || {
                    padding.amounts(b, a, b, a)
                });
                let name = format!("Windows::new {a} {b} {shape:?} {padding}");
                let windows =
                    panics.call(name, || Windows::new(&[a, b], &[b], &[a], &padding, shape));
                let Some(Ok(windows)) = windows else { continue };
                panics.call("Windows::taps", || {
                    let _ = windows.taps(0, 0);
                    (windows.taps(5, 0).len(), windows.taps(1, usize::MAX).len())
                });
                for width in [0, 2, usize::MAX] {
                    let windows = Some(windows.clone());
                    let weights = panics.call(format!("Weights::new {a} {b} {width}"), || {
                        Weights::new(windows, shape, width, (f64::NAN, Some(-1.0)))
                    });
                    actions.extend(weights.map(Action::Weights));
                }
            }
        }
    }
    for base in [None, Some(0), Some(usize::MAX)] {
        let weights = Weights::new(None, &image, 2, (1.0, Some(1.0)));
        actions.push(Action::Weights(weights.base(base).unshared()));
    }
    for groups in SIZES {
        let weights = Weights::new(None, &image, 2, (1.0, Some(1.0)));
        actions.push(Action::Weights(weights.clone().groups(groups)));
        actions.push(Action::Weights(weights.groups(groups).unshared()));
    }
    for over in [vec![], vec![true], vec![true; 5]] {
        actions.push(Action::Aggregate { over });
    }
    for axis in [None, Some(0), Some(2), Some(usize::MAX)] {
        actions.push(Action::Concat { axis });
    }
    actions.push(Action::Merge(Merge::Concat));
    actions.push(Action::Embedding {
        vocabulary: 0,
        width: 2,
        w_std: f64::NAN,
    });
    let mut weights = Weights::new(None, &image, 2, (1.0, Some(1.0)));
    weights.filter = vec![usize::MAX; 3];
    weights.fan_in = usize::MAX;
    actions.push(Action::Weights(weights.clone()));
    weights.filter = vec![9];
    weights.fan_in = 18;
    actions.push(Action::Weights(weights));
    for size in SIZES {
        let reads = [
            vec![(0, size)],
            vec![(size, 0)],
            vec![(0, 0), (0, 0)],
            vec![],
        ];
        for outputs in [
            vec![],
            reads.to_vec(),
            vec![vec![]; 4],
            vec![vec![(0, 0)]; 4],
        ] {
            for window in SIZES {
                let name = format!("AxisTaps::new {size} {window} {outputs:?}");
                let taps = panics.call(name, || AxisTaps::new(size, window, outputs.clone()));
                if let Some(Ok(taps)) = taps {
                    let windows = Windows::of(vec![taps; 3]);
                    let weights = Weights::new(Some(windows), &image, 2, (1.0, None));
                    actions.push(Action::Weights(weights));
                }
            }
            let name = format!("AxisMap::new {size} {outputs:?}");
            let rows = outputs.iter().map(|row| {
                let each = row.iter().map(|&(at, weight)| (at, weight as f64));
                each.collect::<Vec<_>>()
            });
            if let Some(Ok(map)) = panics.call(name, || AxisMap::new(size, rows)) {
                actions.push(Action::Positions(PositionMap::new(vec![map; 3])));
            }
        }
        if let Some(Ok(map)) = panics.call("AxisMap::identity", || AxisMap::identity(size)) {
            actions.push(Action::Positions(PositionMap::new([map])));
        }
        panics.call("Resolved::along_each_axis", || {
            let shape = Shape::new([3, 3], size);
            Resolved::along_each_axis(&shape, |_| vec![vec![(size, f64::NAN)]]).is_ok()
        });
        panics.call("Resolved::along_each_axis without outputs", || {
            Resolved::along_each_axis(&Shape::new([3], size), |_| vec![]).is_ok()
        });
    }
    actions.push(Action::Positions(PositionMap::new([])));
    actions.push(Action::Weights(Weights::new(
        Some(Windows::of([])),
        &image,
        2,
        (1.0, Some(0.0)),
    )));
    let x = Array4::from_elem((3, 4, 4, 2), 0.5);
    let shapes = [
        Shape::new([4, 4], 2),
        Shape::new([4], 2),
        Shape::features(2),
        Shape::features(32),
        Shape::new([0, 4], 2),
        Shape::new([3, 1], 2),
        Shape::new([1, 1], 2),
        Shape::new([4, 4, 4], 2),
        Shape::new([usize::MAX, usize::MAX], usize::MAX),
    ];
    let paths = [vec![], vec![vec![]], vec![vec![dense().into()], vec![]]];
    for action in &actions {
        for shape in &shapes {
            for paths in &paths {
                let layer = || own(Given(shape.clone(), action.clone(), paths.clone()));
                panics.call(format!("{shape:?} {action:?} {paths:?}"), || {
                    let before = Network::new().then(conv([1, 1]).channels(2));
                    let last = before.clone().then(layer());
                    let inside = before.then(layer()).then(global_avg_pool()).then(dense());
                    let alone = Network::new().then(layer()).then(flatten());
                    let found = [last, inside, alone].map(|network| network.ntk(&x).is_ok());
                    (found, Network::new().then(layer()).to_json())
                });
            }
        }
    }
    panics.none();
}
