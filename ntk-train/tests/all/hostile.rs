//! Nothing panics on what a caller passes in: every public function that takes arrays, numbers or
//! text is called with hostile ones.

use ndarray::{Array2, ArrayD, ArrayRef, Dimension, IxDyn, s};
use ntk_entropy::stochastic::Operator;
use ntk_kernels::network::*;
use ntk_kernels::{Graphs, Kernel, Structure};
use ntk_linalg::Ridge;
use ntk_linalg::tiled::TileSource;
use ntk_train::distil::KernelInducingPoints;
use ntk_train::selection::{Distance, Distillation, maximum_entropy, per_class, random};
use ntk_train::{
    BiasInit, Import, Init, Inputs, Loss, Measure, Model, MonteCarlo, NtkOperator, Optimizer,
    Order, Probe, Recorder, Records, Scalar, Schedule, TrainConfig, Trainer, WeightInit,
};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The names of the calls that panicked.
#[derive(Default)]
struct Panicked(Vec<String>);

impl Panicked {
    fn call<R>(&mut self, name: &str, work: impl FnOnce() -> R) {
        if catch_unwind(AssertUnwindSafe(|| drop(work()))).is_err() {
            self.0.push(name.to_string());
        }
    }

    fn none(self) {
        assert_eq!(self.0, [""; 0]);
    }
}

fn dense_network() -> Network {
    Network::new()
        .then(dense().width(4).b_std(0.5))
        .then(relu())
        .then(dense().width(2))
}

fn images() -> Network {
    Network::new()
        .then(conv([2, 2]).channels(3).b_std(0.1))
        .then(relu())
        .then(flatten())
        .then(dense().width(2))
}

fn model<T: Scalar>() -> Model<T> {
    Model::new(&dense_network(), 3, Init::default(), 0).expect("a valid network")
}

/// Arrays of every number of axes, empty ones, and ones that are not finite.
fn arrays<T: Scalar>() -> Vec<ArrayD<T>> {
    let shapes: [&[usize]; 14] = [
        &[],
        &[0],
        &[3],
        &[0, 0],
        &[0, 3],
        &[2, 0],
        &[1, 3],
        &[2, 3],
        &[3, 2],
        &[2, 2, 3],
        &[0, 3, 3, 1],
        &[2, 3, 3, 1],
        &[2, 1, 1, 1],
        &[1, 2, 3, 4, 5],
    ];
    let mut all: Vec<ArrayD<T>> = Vec::new();
    for shape in shapes {
        for value in [0.0, 1.0, f64::NAN, f64::INFINITY, -1e300] {
            all.push(ArrayD::from_elem(IxDyn(shape), T::of(value)));
        }
    }
    // Not contiguous, and reversed.
    let large = Array2::<T>::ones((6, 9)).into_dyn();
    all.push(large.slice(s![..;-3, ..;-3]).to_owned().into_dyn());
    all.push(Array2::<T>::ones((3, 2)).reversed_axes().into_dyn());
    all.push(
        large
            .slice(s![..2, ..3])
            .reversed_axes()
            .to_owned()
            .into_dyn(),
    );
    all
}

fn pairs<T: Scalar>() -> Vec<(ArrayD<T>, Array2<T>)> {
    let two: Vec<Array2<T>> = arrays::<T>()
        .into_iter()
        .filter_map(|a| a.into_dimensionality().ok())
        .collect();
    let each = |x: ArrayD<T>| two.iter().map(move |y| (x.clone(), y.clone())).collect();
    arrays().into_iter().flat_map::<Vec<_>, _>(each).collect()
}

fn of_models<T: Scalar>(panicked: &mut Panicked) {
    let flat = model::<T>();
    let deep = Model::<T>::new(&images(), [3, 3, 1], Init::default(), 0).expect("a valid network");
    let input_alone =
        Model::<T>::new(&Network::new(), 3, Init::default(), 0).expect("a valid network");
    for model in [&flat, &deep, &input_alone] {
        for x in arrays::<T>() {
            of_one(panicked, model, &x);
            let turned = x.view().reversed_axes();
            of_one(panicked, model, &turned);
            if let Ok(x) = x.clone().into_dimensionality::<ndarray::Ix2>() {
                of_one(panicked, model, &x.slice(s![..;-1, ..;-1]));
            }
            for other in arrays::<T>() {
                panicked.call("ntk_between", || model.ntk_between(&x, &other));
                panicked.call("nngp_between", || {
                    model.kernel_fn().full().nngp_between(&x, &other)
                });
            }
        }
        for (x, y) in pairs::<T>() {
            panicked.call("vjp", || model.vjp(&x, &y));
            panicked.call("ntk_product", || model.ntk_product(&x, &y));
            panicked.call("operator", || {
                let operator = NtkOperator::new(model, &x).ok()?;
                operator.product(&y).ok()
            });
            panicked.call("jvp", || model.jvp(&x, std::slice::from_ref(&y)));
            panicked.call("jvp of all", || model.jvp(&x, &model.parameters()));
            panicked.call("set_parameters", || {
                model.clone().set_parameters(vec![y.clone()])
            });
            for loss in LOSSES {
                panicked.call("gradient", || model.gradient(&x, &y, loss));
            }
        }
    }
}

fn of_one<T: Scalar, D: Dimension>(panicked: &mut Panicked, model: &Model<T>, x: &ArrayRef<T, D>) {
    panicked.call("forward", || model.forward(x));
    panicked.call("activations", || model.activations(x));
    panicked.call("jacobian", || model.jacobian(x));
    panicked.call("ntk", || model.ntk(x));
    panicked.call("nngp", || model.nngp(x));
    panicked.call("ntk_trace", || model.kernel_fn().full().ntk_trace(x));
    panicked.call("full ntk", || model.kernel_fn().full().ntk(x));
    for tile in [0, 1, 3, usize::MAX] {
        let full = model.kernel_fn().full().tile(tile);
        for tiles in [
            full.ntk_tiles(x),
            full.ntk_tiles_between(x, x),
            model.kernel_fn().tile(tile).ntk_tiles(x),
        ] {
            panicked.call("tiles", || {
                let tiles = tiles.ok()?;
                let memory = tiles.working_memory();
                let all = [(0, 0), (1, 0), (0, 1), (usize::MAX, usize::MAX)];
                Some((memory, all.map(|position| tiles.tile(position).ok())))
            });
        }
    }
    for (n, m) in [(0, None), (3, Some(0)), (usize::MAX, Some(usize::MAX))] {
        panicked.call("working_memory", || {
            Some(model.kernel_fn().full().working_memory(n, m))
        });
    }
    panicked.call("by_contraction", || {
        model.kernel_fn().by_contraction().ntk(x)
    });
    panicked.call("linearize", || model.linearize().forward(x));
    panicked.call("linearize", || {
        let mut linear = model.linearize();
        for change in linear.change_mut() {
            *change = Array2::zeros((1, 1));
        }
        linear.forward(x)
    });
    let network = model.network();
    for kernel in [Kernel::Nngp, Kernel::Ntk] {
        panicked.call("MonteCarlo", || {
            MonteCarlo::new(&network, 0..2).kernel(kernel, x)
        });
        #[expect(clippy::reversed_empty_ranges, reason = "it is hostile")]
        let none = MonteCarlo::new(&network, u64::MAX..0).full();
        panicked.call("MonteCarlo of no seed", || {
            none.kernel_between(kernel, x, x)
        });
    }
}

const LOSSES: [Loss; 5] = [
    Loss::CrossEntropy,
    Loss::HalfMeanSquare,
    Loss::QuadraticHinge { margin: f64::NAN },
    Loss::MeanPower { power: -1.0 },
    Loss::MeanPower {
        power: f64::INFINITY,
    },
];

#[test]
fn models_are_given_any_arrays() {
    let mut panicked = Panicked::default();
    of_models::<f64>(&mut panicked);
    of_models::<f32>(&mut panicked);
    panicked.none();
}

#[test]
fn models_are_built_for_any_shapes() {
    let mut panicked = Panicked::default();
    let huge = usize::MAX;
    let networks = [
        Network::new(),
        dense_network(),
        images(),
        Network::new().then(dense().width(huge)),
        Network::new()
            .then(dense().width(huge / 2))
            .then(dense().width(4)),
        Network::new().then(dense().width(0)),
        Network::new()
            .then(conv([2]).channels(huge))
            .then(flatten()),
        Network::new().then(global_avg_pool()),
        Network::new().then(dropout(f64::NAN)).then(dense()),
        Network::new().then(attention()).then(dense()),
    ];
    let shapes = [
        Shape::from(0),
        Shape::from(3),
        Shape::from(huge),
        Shape::from([0, 3]),
        Shape::from([3, 0]),
        Shape::from([4, 2]),
        Shape::from([0, 0, 0]),
        Shape::from([3, 3, 1]),
        Shape::from([huge, huge, huge]),
        Shape::from([huge, 1, 0]),
        Shape::new([2, 2, 2, 2], 2),
    ];
    let init = Init {
        weights: WeightInit::XavierUniform,
        biases: BiasInit::Zeros,
    };
    for network in &networks {
        for shape in &shapes {
            panicked.call("memory", || Model::<f32>::memory(network, shape));
            panicked.call("Model::new", || {
                let mut model = Model::<f32>::new(network, shape, init, u64::MAX).ok()?;
                model.initialize(Init::default(), 1);
                Some(model.cast::<f64>())
            });
            for bytes in [&b""[..], b"12345678", &[0xff; 64]] {
                panicked.call("from_safetensors", || {
                    Model::<f32>::from_safetensors(network, shape, bytes)
                });
                panicked.call("from_pytorch", || {
                    Model::<f64>::from_pytorch(network, shape, bytes)
                });
                panicked.call("from_pytorch_named", || {
                    let names = BTreeMap::from([(String::new(), String::new())]);
                    Model::<f64>::from_pytorch_named(network, shape, bytes, &names)
                });
                panicked.call("Import", || {
                    let names = BTreeMap::from([(String::new(), String::new())]);
                    let import = Import::keras(network, shape).names(&names);
                    (import.check(bytes), import.read::<f32>(bytes))
                });
            }
            panicked.call("from_arrays", || {
                Model::<f64>::from_arrays(network, shape, arrays())
            });
        }
    }
    let all = arrays::<f64>();
    for one in &all {
        for two in &all {
            let given = [one.clone(), two.clone(), Array2::ones((4, 2)).into_dyn()];
            panicked.call("from_arrays", || {
                Model::<f64>::from_arrays(&dense_network(), 3, given)
            });
        }
    }
    panicked.none();
}

#[test]
fn files_are_cut_and_changed_anywhere() {
    let mut panicked = Panicked::default();
    let whole = model::<f64>().to_safetensors().unwrap();
    let (x, y) = (Array2::<f64>::ones((4, 3)), Array2::<f64>::ones((4, 2)));
    let config = TrainConfig::default().epochs(2);
    let mut trained = model::<f64>();
    let mut trainer = Trainer::new(&mut trained, &x, &y, config).unwrap();
    trainer.epoch().unwrap();
    let checkpoint = trainer.checkpoint().unwrap();
    let resume = |bytes: &[u8]| {
        let mut model = model::<f64>();
        let resumed = Trainer::resume(&mut model, &x, &y, config.epochs(usize::MAX), bytes);
        resumed.map(|trainer| trainer.epochs()).ok()
    };
    for end in (0..whole.len()).step_by(7) {
        let (cut, mut changed) = (&whole[..end], whole.clone());
        changed[end] ^= 0x15;
        for bytes in [cut, &changed] {
            panicked.call("from_safetensors", || {
                Model::<f64>::from_safetensors(&dense_network(), 3, bytes)
            });
            let standard = dense_network().parameterization(Parameterization::Standard);
            panicked.call("from_pytorch", || {
                Model::<f64>::from_pytorch(&standard, 3, bytes)
            });
            panicked.call("Import", || {
                let (one, two) = (Import::keras(&standard, 3), Import::pytorch(&standard, 3));
                (one.check(bytes), one.read::<f32>(bytes), two.check(bytes))
            });
        }
    }
    for end in (0..checkpoint.len()).step_by(5) {
        let (cut, mut changed) = (&checkpoint[..end], checkpoint.clone());
        changed[end] ^= 0x15;
        panicked.call("resume", || resume(cut));
        panicked.call("resume", || resume(&changed));
    }
    // Epochs that were never trained, which would have to be passed over one by one.
    let text = String::from_utf8_lossy(&checkpoint).into_owned();
    let at = text.find("\\\"epoch\\\":1").unwrap();
    let mut many = checkpoint.clone();
    many[at + 10] = b'9';
    assert_eq!(resume(&many), None);
    panicked.none();
}

#[test]
fn training_takes_any_configuration() {
    let mut panicked = Panicked::default();
    let optimizers = [
        Optimizer::sgd(f64::NAN),
        Optimizer::momentum(f64::INFINITY, -3.0),
        Optimizer::adam(-1e300),
        Optimizer::Adam {
            learning_rate: 1.0,
            betas: [1.0, f64::NAN],
            eps: 0.0,
        },
        Optimizer::TraceSgd {
            scale: f64::NEG_INFINITY,
            every: 0,
        },
    ];
    let orders = [
        Order::File,
        Order::Shuffled,
        Order::Partitioned { parts: 0 },
        Order::Partitioned { parts: usize::MAX },
        Order::Reservoir { size: 0, latest: 0 },
        Order::Reservoir {
            size: usize::MAX,
            latest: usize::MAX,
        },
        Order::Reservoir { size: 1, latest: 0 },
    ];
    let pairs = pairs::<f32>();
    for (number, (x, y)) in pairs.iter().enumerate() {
        let config = TrainConfig {
            loss: LOSSES[number % LOSSES.len()],
            optimizer: optimizers[number % optimizers.len()],
            batch_size: [0, 1, usize::MAX][number % 3],
            epochs: number % 3,
            order: orders[number % orders.len()],
            seed: u64::MAX,
        };
        panicked.call("Trainer", || {
            let mut model = model::<f32>();
            let mut trainer = Trainer::new(&mut model, x, y, config).ok()?;
            trainer.run().ok()?;
            trainer.epoch().ok()?;
            trainer.checkpoint().ok()
        });
        panicked.call("fit", || model::<f32>().fit(x, y));
    }
    let (x, y) = (Array2::<f64>::ones((4, 3)), Array2::<f64>::ones((4, 2)));
    for optimizer in optimizers {
        for order in orders {
            for loss in LOSSES {
                let config = TrainConfig::default().epochs(2).loss(loss);
                let config = config.optimizer(optimizer).order(order);
                panicked.call("Trainer", || {
                    Trainer::new(&mut model::<f64>(), &x, &y, config)
                        .ok()?
                        .run()
                        .ok()
                });
            }
        }
    }
    panicked.none();
}

#[test]
fn recorders_measure_anything() {
    let mut panicked = Panicked::default();
    let measures = [
        Measure::Loss,
        Measure::Accuracy,
        Measure::Predictions,
        Measure::LossDerivative,
        Measure::Ntk,
        Measure::Trace,
        Measure::Eigenvalues,
        Measure::Entropy,
        Measure::EffectiveEntropy,
        Measure::MagnitudeEntropy,
        Measure::CovarianceEntropy,
    ];
    let (x, y) = (Array2::<f64>::ones((2, 3)), Array2::<f64>::ones((2, 2)));
    let schedules = [
        Schedule::Every(0),
        Schedule::Every(usize::MAX),
        Schedule::LogSpaced { per_decade: 0 },
        Schedule::LogSpaced {
            per_decade: usize::MAX,
        },
        Schedule::Epochs(vec![usize::MAX, 0, 0]),
    ];
    let classes: Vec<usize> = (0..64).collect();
    for (probe_x, probe_y) in pairs::<f64>() {
        for schedule in &schedules {
            panicked.call("record", || {
                let probe = || Probe::new("", &probe_x, &probe_y, measures);
                let mut model = model::<f64>();
                let config = TrainConfig::default().epochs(1);
                let mut trainer = Trainer::new(&mut model, &x, &y, config).unwrap();
                for probe in [
                    probe().full(),
                    probe().classes(&classes, usize::MAX),
                    probe().classes(&[0, 1], 2),
                    probe().labels(vec![usize::MAX; 2]),
                ] {
                    let mut recorder = Recorder::new(schedule.clone())
                        .probe(probe)
                        .describe("", f64::NAN)
                        .measure("", |model| Ok(model.forward(&probe_x).unwrap_or_default()))
                        .measure("\n", |_| Ok(ArrayD::from_elem(IxDyn(&[0, 3]), 1.0)));
                    let _ = trainer.record(&mut recorder);
                    let _ = recorder.record(&trainer);
                    let text = recorder.records().to_json_lines();
                    let read = Records::parse(&text).unwrap();
                    for column in read.columns() {
                        read.array(column).unwrap();
                        read.last().unwrap().get(column).unwrap();
                    }
                }
            });
        }
    }
    for schedule in &schedules {
        for epoch in [0, 1, usize::MAX] {
            panicked.call("contains", || schedule.contains(epoch, usize::MAX));
        }
    }
    panicked.none();
}

#[test]
fn text_is_no_record() {
    let mut panicked = Panicked::default();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for value in [
        "",
        "{",
        "1e999",
        "null",
        "[[[]]]",
        "[[],[1]]",
        "[1,[]]",
        "-1",
        "1e400",
        "\"\\ud800\"",
        "[null,null]",
        &deep,
    ] {
        let line = format!("{{\"epoch\":{value},\"step\":0,\"seed\":0}}\n");
        let column = format!("{{\"epoch\":0,\"step\":0,\"seed\":0,\"a\":{value}}}\n");
        for text in [value, &line, &column, &(column.clone() + &line)] {
            panicked.call("parse", || Records::parse(text).map(|r| r.array("a")));
            panicked.call("from_lines", || {
                let records = Records::from_lines([text, text])?;
                let _ = (
                    records.array("epoch"),
                    records.array(""),
                    records.columns().len(),
                );
                let _: (Vec<usize>, &Json) = (records.steps(), records.configuration());
                Ok::<_, ntk_train::ReadError>(records.to_json_lines())
            });
        }
    }
    panicked.none();
}

#[test]
fn selections_of_anything() {
    let mut panicked = Panicked::default();
    let sizes = [0, 1, 2, usize::MAX];
    for n in sizes {
        for size in sizes {
            panicked.call("random", || random(n, size, u64::MAX));
        }
        panicked.call("per_class", || per_class(&[1, 1, 2], n, 0));
        panicked.call("per_class", || per_class::<u8>(&[], n, 0));
    }
    let pool = pairs::<f64>();
    for (x, y) in &pool {
        for size in sizes {
            panicked.call("maximum_entropy", || maximum_entropy(y, size));
            panicked.call("maximum_entropy", || maximum_entropy(&y.t(), size));
            panicked.call("select", || {
                Distillation::new(model::<f64>(), model::<f64>())
                    .max_epochs(1)
                    .batch_size(0)
                    .threshold(f64::NAN)
                    .select(x, size)
            });
        }
        for distance in [
            Distance::Power(f64::NAN),
            Distance::Power(-1.0),
            Distance::PNorm(f64::INFINITY),
            Distance::PNorm(0.0),
            Distance::Cosine,
        ] {
            for (_, other) in pool.iter().take(12) {
                panicked.call("between", || distance.between(y, other));
                panicked.call("between", || {
                    distance.between(&y.slice(s![..;-1, ..]), other)
                });
            }
        }
    }
    let other = Model::new(&images(), [3, 3, 1], Init::default(), 0).unwrap();
    panicked.call("models of two shapes", || {
        Distillation::new(model::<f64>(), other).select(&Array2::ones((3, 3)), 1)
    });
    panicked.none();
}

fn distilled<T: Scalar>(panicked: &mut Panicked) {
    let (dense, images) = (dense_network(), images());
    let settings = [
        KernelInducingPoints::new(&dense),
        KernelInducingPoints::new(&dense)
            .kernel(Kernel::Nngp)
            .learn_labels(true)
            .batch_size(0)
            .ridge(0.0),
        KernelInducingPoints::new(&dense)
            .batch_size(usize::MAX)
            .ridge(Ridge::Relative(f64::NAN))
            .seed(u64::MAX),
        KernelInducingPoints::new(&dense).optimizer(Optimizer::sgd(1e300)),
        KernelInducingPoints::new(&dense).optimizer(Optimizer::adam(f64::NAN)),
        KernelInducingPoints::new(&Network::new()),
        KernelInducingPoints::new(&images),
    ];
    let two = || pairs::<T>().into_iter().map(|(_, y)| y).take(25);
    for of in settings.map(|of| of.steps(2)) {
        // Refused before the first of its steps.
        panicked.call("fit", || {
            let none = Array2::<T>::zeros((0, 3));
            of.clone().steps(usize::MAX).fit(&none, &none, &none, &none)
        });
        for x in two() {
            for points in two() {
                let labels = Array2::ones((points.nrows(), 2));
                for y in [Array2::ones((x.nrows(), 2)), points.clone()] {
                    panicked.call("fit", || of.fit(&x, &y, &points, &labels));
                    panicked.call("fit", || of.fit(&x, &y, &points.t(), &y));
                    panicked.call("loss_with_gradient", || {
                        of.loss_with_gradient(&x, &y, &points, &labels)
                    });
                    panicked.call("solve_labels", || of.solve_labels(&x, &y, &points));
                }
            }
        }
    }
}

#[test]
fn distillation_of_anything() {
    let mut panicked = Panicked::default();
    distilled::<f32>(&mut panicked);
    distilled::<f64>(&mut panicked);
    panicked.none();
}

/// Two samples of the model's.
fn x_shape(model: &Model<f64>) -> Vec<usize> {
    [&[2], model.input().positions(), &[model.input().channels()]].concat()
}

/// Networks that look at masks, graphs and token ids.
fn structured() -> Vec<Model<f64>> {
    let end = |network: Network| network.then(global_avg_pool()).then(dense().width(2));
    let networks = [
        end(Network::new()
            .then(aggregate())
            .then(layer_norm().axes([1, 2]).affine(true))),
        end(Network::new().then(
            attention()
                .channels(2)
                .heads(1)
                .mechanism(Mechanism::Softmax),
        )),
        Network::new()
            .then(recurrent(relu()).width(2))
            .then(batch_norm()),
        end(Network::new()
            .then(conv_local([2]).channels(2))
            .then(conv_transpose([2]).channels(2))),
    ];
    let model = |network: &Network, channels| {
        Model::new(network, [3, channels], Init::default(), 0).expect("a valid network")
    };
    let ids = end(Network::new().then(embedding(4).width(2)).then(aggregate()));
    let mut all: Vec<_> = networks.iter().map(|network| model(network, 2)).collect();
    all.push(model(&ids, 1));
    all
}

#[test]
fn masks_graphs_and_ids_of_anything() {
    let mut panicked = Panicked::default();
    let shapes: [&[usize]; 6] = [&[2, 3], &[2, 2], &[0, 3], &[2], &[], &[2, 3, 1]];
    let masks = shapes.iter().flat_map(|shape| {
        [true, false].map(|masked| Structure::of_mask(&ArrayD::from_elem(IxDyn(shape), masked)))
    });
    let graphs = [0, 2, 3].into_iter().filter_map(|nodes| {
        let weights = ArrayD::<f64>::from_elem(IxDyn(&[2, nodes, nodes]), 1e300);
        Graphs::dense(&weights).ok().map(Structure::of_graphs)
    });
    let structures: Vec<_> = masks.chain(graphs).collect();
    let y = Array2::ones((2, 2));
    for model in structured() {
        let mut samples = arrays::<f64>();
        samples.push(ArrayD::ones(IxDyn(&[2, 3, 2])));
        samples.push(ArrayD::from_elem(IxDyn(&[2, 3]), 4.0));
        for x in samples {
            for structure in &structures {
                let inputs = || Inputs::new(&x).structure(structure);
                panicked.call("forward", || model.forward(inputs()));
                panicked.call("vjp", || model.vjp(inputs(), &y));
                panicked.call("jvp", || model.jvp(inputs(), &model.parameters()));
                let kernel_fn = || model.kernel_fn().structure(structure);
                panicked.call("ntk", || kernel_fn().ntk(&x));
                panicked.call("ntk_trace", || kernel_fn().ntk_trace(&x));
                panicked.call("structures", || {
                    let plain = Structure::default();
                    model
                        .kernel_fn()
                        .structures(structure, &plain)
                        .ntk_between(&x, &x)
                });
                panicked.call("Trainer", || {
                    let mut model = model.clone();
                    let config = TrainConfig::default().epochs(1);
                    let inputs = Inputs::new(&x).structure(structure);
                    Trainer::new(&mut model, inputs, &y, config)?.run()
                });
                panicked.call("NtkOperator", || {
                    let operator = NtkOperator::new(&model, inputs()).ok()?;
                    operator.product(&Array2::ones((operator.order(), 1))).ok()
                });
                panicked.call("Probe", || {
                    let mut model = model.clone();
                    let all = [Measure::Ntk, Measure::Loss];
                    let probe = Probe::new("", inputs(), &y, all).full();
                    let mut recorder = Recorder::new(Schedule::Every(1)).probe(probe);
                    let x = ArrayD::zeros(x_shape(&model));
                    let trainer = Trainer::new(&mut model, &x, &y, TrainConfig::default()).ok()?;
                    recorder.record(&trainer).ok()
                });
                let network = model.network();
                panicked.call("MonteCarlo", || {
                    let mean = MonteCarlo::new(&network, 0..1).structure(structure);
                    mean.nngp(&x).map(|found| found.seeds)
                });
            }
        }
    }
    panicked.none();
}
