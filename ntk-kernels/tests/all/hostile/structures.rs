//! Masks and graphs that no samples have.

use super::{NUMBERS, Panics};
use ndarray::{Array0, Array1, Array2, Array3, Array4, ArrayD, Ix2, IxDyn};
use ntk_kernels::network::*;
use ntk_kernels::{
    GaussianProcess, GradientFlow, Graphs, Inputs, Kernel, KernelRidge, Network, Structure,
};
use ntk_linalg::tiled::TileSource;

const SHAPES: [&[usize]; 12] = [
    &[],
    &[0],
    &[3],
    &[3, 5],
    &[2, 5],
    &[3, 0],
    &[3, 4],
    &[3, 5, 5],
    &[3, 5, 4],
    &[3, 0, 0],
    &[3, 2, 5, 2, 5],
    &[0, 5, 5],
];

fn structures(panics: &mut Panics) -> Vec<Structure> {
    let mut all = vec![Structure::default()];
    for shape in SHAPES {
        for masked in [false, true] {
            let mask = ArrayD::from_elem(IxDyn(shape), masked);
            all.extend(panics.call(format!("of_mask {shape:?}"), || Structure::of_mask(&mask)));
            let again = || Structure::default().mask(&mask).mask(&mask);
            all.extend(panics.call(format!("mask {shape:?}"), again));
        }
        for x in NUMBERS {
            let x_here = ArrayD::from_elem(IxDyn(shape), x);
            let name = format!("{shape:?} of {x}");
            let graphs = panics.call(format!("Graphs::dense {name}"), || Graphs::dense(&x_here));
            if let Some(Ok(graphs)) = graphs {
                panics.call(format!("Graphs::of {name}"), || {
                    let _ = (graphs.len(), graphs.is_empty());
                    (graphs.of(0).len(), graphs.of(usize::MAX).len())
                });
                all.push(Structure::of_graphs(graphs));
            }
            for value in NUMBERS {
                let of = || Structure::where_equal(&x_here, value);
                let found = panics.call(format!("where_equal {name}, {value}"), of);
                all.extend(found.filter(|_| value == 1.0));
            }
        }
    }
    for ends in [0, 1, 4, 5, -1, i64::MIN, i64::MAX] {
        for nodes in [
            &[][..],
            &[5],
            &[0],
            &[usize::MAX],
            &[usize::MAX; 2],
            &[1 << 40, 1 << 40],
        ] {
            for shape in [
                [3, 4, nodes.len(), 2],
                [3, 0, nodes.len(), 2],
                [3, 4, nodes.len(), 3],
                [0, 4, 7, 2],
            ] {
                let edges = Array4::from_elem(shape, ends);
                let name = format!("Graphs::edges {shape:?} {ends} {nodes:?}");
                if let Some(Ok(graphs)) = panics.call(name, || Graphs::edges(&edges, nodes)) {
                    all.push(Structure::of_graphs(graphs));
                }
            }
        }
    }
    all.dedup();
    all
}

fn networks() -> Vec<Network> {
    let of = |layer: Layer| Network::new().then(conv([3]).same()).then(layer);
    let layers: Vec<Layer> = vec![
        aggregate().into(),
        attention().mechanism(Mechanism::Softmax).into(),
        attention()
            .linear_scaling(false)
            .mechanism(Mechanism::Abs)
            .into(),
        recurrent(relu()).into(),
        recurrent(rectified_monomial(2)).all_states().into(),
        conv_transpose([3]).strides([2]).circular().into(),
        conv_local([3]).same().into(),
        layer_norm().axes([1, -1]).eps(0.0).into(),
        resize([3]).into(),
        slice(1).step(-2).into(),
        concat(
            1,
            [
                Network::new().then(identity()),
                Network::new().then(conv([3])),
            ],
        )
        .into(),
        position_map([1], vec![vec![1.0, 0.0, -1.0, 0.0, 0.0]]).into(),
    ];
    let mut all = vec![
        Network::new().then(dense()),
        Network::new().then(embedding(2)).then(global_avg_pool()),
        Network::new().then(embedding(1)).then(flatten()),
    ];
    for layer in layers {
        let pools: [Layer; 2] = [global_avg_pool().into(), flatten().into()];
        for pool in pools {
            let network = of(layer.clone()).then(dense()).then(relu());
            let ends_flat = matches!(&layer, Layer::Recurrent(r) if r.states == States::Last);
            all.push(match ends_flat {
                true => network,
                false => network.then(pool),
            });
        }
    }
    all
}

/// Fits estimators to inputs and predicts there; fits to others without masks and graphs too.
fn estimators<'x>(
    panics: &mut Panics,
    name: &str,
    network: &Network,
    inputs: impl Fn() -> Inputs<'x, f64>,
) {
    let y = Array1::from_elem(inputs().x.shape().first().copied().unwrap_or(0), 1.0);
    let plain = || Inputs::from(inputs().x);
    panics.call(format!("{name}: ridge"), || {
        let ridge = KernelRidge::new(network).alpha(0.1);
        let _ = ridge.path(inputs(), &y).is_ok();
        for fitted in [ridge.fit(inputs(), &y), ridge.fit(plain(), &y)] {
            let fitted = fitted.ok()?;
            let _ = (fitted.predict(inputs()), fitted.predict_classes(inputs()));
            let _ = (fitted.score(inputs(), &y), fitted.accuracy(inputs(), &y));
            let _ = (fitted.leave_one_out(), fitted.to_safetensors());
        }
        Some(())
    });
    panics.call(format!("{name}: process"), || {
        let process = GaussianProcess::ntk_ensemble(network).noise(0.1);
        let fitted = process.fit(inputs(), &y).ok()?;
        let _ = fitted.predict_with_variance(inputs());
        let _ = fitted.predict_with_covariance(inputs());
        fitted.sample(inputs(), 2, 1).ok()
    });
    panics.call(format!("{name}: flow"), || {
        let fitted = GradientFlow::new(network)
            .ridge(0.1)
            .fit(inputs(), &y)
            .ok()?;
        fitted.predict_at(inputs(), &[1.0]).ok()
    });
}

#[test]
fn masks_and_graphs() {
    let mut panics = Panics::default();
    let structures = structures(&mut panics);
    let none = Structure::default();
    for (which, structure) in structures.iter().enumerate() {
        let name = format!("structure {which}");
        panics.call(format!("{name}: edges_of"), || {
            [0, usize::MAX].map(|sample| structure.edges_of(sample).is_some())
        });
        for samples in [&[][..], &[0, 0], &[2, 0], &[usize::MAX]] {
            panics.call(format!("{name}: select"), || {
                structure.select(samples).is_some()
            });
        }
        let mask = structure.masked().cloned();
        let mask = mask.and_then(|mask| mask.into_dimensionality::<Ix2>().ok());
        for graph in networks().iter().filter_map(|n| n.resolve([5, 2]).ok()) {
            panics.call(format!("{name}: fits"), || {
                structure.fits(&graph, "x", 3).is_ok()
            });
            let Some(mask) = &mask else {
                continue;
            };
            panics.call(format!("{name}: masks"), || graph.masks(mask).is_ok());
            for row in mask.rows() {
                panics.call(format!("{name}: masked_means"), || {
                    let row = row.to_vec();
                    let of = |node: &Node| match &node.action {
                        Action::Positions(map) => map.masked_means(&row),
                        _ => None,
                    };
                    graph.nodes.iter().filter_map(of).count()
                });
            }
        }
    }
    let samples = [
        Array3::from_shape_fn((3, 5, 2), |(i, p, c)| (i + 2 * p + c) as f64 - 4.0).into_dyn(),
        Array3::<f64>::zeros((3, 5, 2)).into_dyn(),
        Array2::ones((3, 5)).into_dyn(),
        Array2::from_elem((3, 5), 0.5).into_dyn(),
        Array2::from_elem((0, 5), 1.0).into_dyn(),
        Array0::zeros(()).into_dyn(),
    ];
    for (number, network) in networks().iter().enumerate() {
        for x in &samples {
            for (which, structure) in structures.iter().enumerate() {
                let name = format!("network {number}, {:?}, structure {which}", x.shape());
                let f = network.kernel_fn().structure(structure);
                let mut fit = false;
                panics.call(format!("{name}: kernels"), || {
                    fit = f.kernels(x).is_ok();
                });
                panics.call(format!("{name}: diagonal"), || {
                    // What is refused of one is refused of the other.
                    assert_eq!(f.kernel_diagonal(x).is_ok(), fit);
                });
                panics.call(format!("{name}: tiles"), || {
                    f.tiles(Kernel::Ntk, x)
                        .is_ok_and(|tiles| tiles.tile((0, 0)).is_ok())
                });
                let inputs = || Inputs::new(x).structure(structure);
                #[expect(clippy::reversed_empty_ranges, reason = "it is hostile")]
                for samples in [0..0, 1..3, 3..2, 2..usize::MAX, usize::MAX..0] {
                    panics.call(format!("{name}: slice"), || {
                        inputs().slice(samples).is_some()
                    });
                }
                if fit && structure.masked().is_none() || which % 7 == 0 {
                    estimators(&mut panics, &name, network, inputs);
                }
                if fit || which % 7 == 0 {
                    panics.call(format!("{name}: by layer"), || {
                        f.kernels_by_layer(x).is_ok()
                    });
                    let f = network.kernel_fn().structures(&none, structure);
                    panics.call(format!("{name}: between"), || f.ntk_between(x, x).is_ok());
                }
            }
        }
    }
    panics.none();
}
