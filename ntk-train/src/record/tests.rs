use super::*;
use crate::Loss;
use crate::empirical::Trace;
use crate::init::Init;
use crate::optimizer::Optimizer;
use crate::train::Order;
use approx::assert_relative_eq;
use ndarray::{Array2, Array3, ArrayD, Axis, array, s, stack};
use ntk_entropy::{Normalization, Spectrum, covariance, magnitude, von_neumann};
use ntk_kernels::network::{Network, Shape, aggregate, conv, dense, global_avg_pool, relu};
use ntk_kernels::{Graphs, Structure};
use rayon::prelude::*;
use std::convert::Infallible;

const KERNEL: [Measure; 7] = [
    Measure::Ntk,
    Measure::Trace,
    Measure::Eigenvalues,
    Measure::Entropy,
    Measure::EffectiveEntropy,
    Measure::MagnitudeEntropy,
    Measure::CovarianceEntropy,
];
const OUTPUTS: [Measure; 4] = [
    Measure::Loss,
    Measure::Accuracy,
    Measure::Predictions,
    Measure::LossDerivative,
];

fn model() -> Model<f64> {
    let network = Network::new()
        .then(dense().width(4).b_std(0.5))
        .then(relu())
        .then(dense().width(3));
    Model::new(&network, Shape::features(2), Init::default(), 2).unwrap()
}

/// Classes 0, 2, 1, 2, 0.
fn data() -> (Array2<f64>, Array2<f64>) {
    let x = Array2::from_shape_fn((5, 2), |(i, j)| ((3 * i + 5 * j + 1) as f64).sin());
    let y = Array2::from_shape_fn((5, 3), |(i, a)| f64::from(a == [0, 2, 1, 2, 0][i]));
    (x, y)
}

fn config() -> TrainConfig {
    TrainConfig {
        loss: Loss::CrossEntropy,
        optimizer: Optimizer::momentum(0.1, 0.9),
        batch_size: 2,
        epochs: 5,
        order: Order::Shuffled,
        seed: 3,
    }
}

fn train<'a>(x: &'a Array2<f64>, y: &'a Array2<f64>) -> Probe<'a, f64> {
    Probe::new("train", x, y, [Measure::Loss, Measure::Predictions])
}

/// By contraction of whole Jacobians.
fn values(probe: &Probe<'_, f64>, model: &Model<f64>) -> Vec<(String, ArrayD<f64>)> {
    let kernel = |Inputs { x, structure }: Inputs<'_, f64>, trace| {
        let kernel_fn = model.kernel_fn().by_contraction().trace(trace);
        kernel_fn.structure(&structure).ntk(&x)
    };
    let found = probe.values(model, Loss::CrossEntropy, &kernel).unwrap();
    let columns = probe.columns();
    assert_eq!(columns.len(), found.len());
    columns.into_iter().zip(found).collect()
}

fn scalar(values: &[(String, ArrayD<f64>)], column: &str) -> f64 {
    let mut found = values.iter().filter(|(name, _)| name == column);
    let (_, value) = found.next().unwrap();
    assert_eq!(value.ndim(), 0, "{column}");
    value.sum()
}

#[test]
fn outputs_are_measured_whole_and_by_class() {
    let (model, (x, y)) = (model(), data());
    let probe = Probe::new("test", &x, &y, OUTPUTS).classes(&[2, 0], 2);
    let found = values(&probe, &model);
    let f = model.forward(&x).unwrap();
    let rows = [
        ("", vec![0, 1, 2, 3, 4]),
        ("(2)", vec![1, 3]),
        ("(0)", vec![0, 4]),
        ("(2,0)", vec![1, 3, 0, 4]),
    ];
    for (classes, rows) in rows {
        let (f, y) = (f.select(Axis(0), &rows), y.select(Axis(0), &rows));
        let (loss, _) = Loss::CrossEntropy.with_gradient(&f, &y).unwrap();
        assert_relative_eq!(scalar(&found, &format!("test.loss{classes}")), loss);
        let right = f.rows().into_iter().zip(y.rows()).filter(|(f, y)| {
            let top = f.fold(f64::NEG_INFINITY, |top, &v| top.max(v));
            // Of a sample that no unit sees, all outputs are 0.
            f.iter()
                .position(|&f| f == top)
                .is_some_and(|at| y[at] == 1.0)
        });
        let accuracy = right.count() as f64 / rows.len() as f64;
        assert_eq!(scalar(&found, &format!("test.accuracy{classes}")), accuracy);
    }
    let (_, derivative) = Loss::CrossEntropy.with_gradient(&f, &y).unwrap();
    let whole = |column: &str| {
        found
            .iter()
            .filter(|(name, _)| name.starts_with(column))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        whole("test.predictions"),
        [&("test.predictions".to_string(), f.into_dyn())]
    );
    assert_eq!(
        whole("test.loss_derivative"),
        [&("test.loss_derivative".to_string(), derivative.into_dyn())]
    );
}

#[test]
fn kernels_are_measured_by_blocks_of_one_kernel() {
    let (model, (x, y)) = (model(), data());
    for trace in [Trace::Traced, Trace::Full] {
        let probe = Probe::new("a", &x, &y, KERNEL).classes(&[0, 1, 2], 3);
        let probe = match trace {
            Trace::Traced => probe,
            Trace::Full => probe.full(),
        };
        let found = values(&probe, &model);
        for (classes, rows) in [
            ("", vec![0, 1, 2, 3, 4]),
            ("(1)", vec![2]),
            ("(0,2)", vec![0, 4, 1, 3]),
        ] {
            // The kernel of the chosen samples alone.
            let chosen = x.select(Axis(0), &rows);
            let k = model
                .kernel_fn()
                .by_contraction()
                .trace(trace)
                .ntk(&chosen)
                .unwrap();
            let spectrum = Spectrum::of_kernel(&k, Normalization::Trace).unwrap();
            // Eigenvalues differ by rounding, n eps of the largest, and so do entropies up to
            // the logarithm of what is clipped: 15 * 2.2e-16 * ln(1e16) < 1e-12.
            for (measure, expected) in [
                ("trace", k.diag().sum()),
                ("entropy", von_neumann::entropy(&spectrum)),
                ("effective_entropy", von_neumann::effective(&spectrum)),
                ("magnitude_entropy", magnitude::entropy(&k).unwrap()),
                ("covariance_entropy", covariance::entropy(&k).unwrap()),
            ] {
                let found = scalar(&found, &format!("a.{measure}{classes}"));
                assert_relative_eq!(found, expected, max_relative = 1e-12, epsilon = 1e-12);
            }
            let column = format!("a.eigenvalues{classes}");
            let (_, eigenvalues) = found.iter().find(|(name, _)| *name == column).unwrap();
            assert_eq!(eigenvalues.shape(), [k.nrows()]);
            assert_relative_eq!(eigenvalues.sum(), k.diag().sum(), max_relative = 1e-13);
        }
        assert_eq!(
            found
                .iter()
                .filter(|(name, _)| name.starts_with("a.ntk"))
                .count(),
            1
        );
        assert_eq!(
            found
                .iter()
                .filter(|(name, _)| name.starts_with("a.entropy"))
                .count(),
            8
        );
    }
}

#[test]
fn what_is_undefined_is_null() {
    let mut model = model();
    let zeros = model.parameters().iter().map(|p| p * 0.0).collect();
    model.set_parameters(zeros).unwrap();
    let (x, y) = (
        Array2::zeros((2, 2)),
        array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
    );
    // All weights zero: no gradient, no entropy.
    let found = values(&Probe::new("a", &x, &y, KERNEL), &model);
    assert_eq!(scalar(&found, "a.trace"), 0.0);
    assert!(scalar(&found, "a.entropy").is_nan() && scalar(&found, "a.magnitude_entropy").is_nan());
    let none = (Array2::zeros((0, 2)), Array2::zeros((0, 3)));
    let measures = KERNEL.into_iter().chain(OUTPUTS);
    let found = values(&Probe::new("a", &none.0, &none.1, measures), &model);
    assert!(
        scalar(&found, "a.accuracy").is_nan() && scalar(&found, "a.covariance_entropy").is_nan()
    );
    let record = Record {
        epoch: 0,
        step: 0,
        seed: 0,
        values: found,
    };
    let line = record.line(&Json::Null);
    let read: Json = serde_json::from_str(&line).unwrap();
    assert!(read["a.accuracy"].is_null() && line.contains("\"a.accuracy\":null"));
    assert_eq!(read["a.eigenvalues"], json!([]));
}

#[test]
fn records_are_arrays_and_flat_lines_that_read_back_as_them() {
    let (mut model, (x, y)) = (model(), data());
    let mut lines = Vec::new();
    let keep = |line: &str| {
        lines.push(line.to_string());
        Ok::<_, Infallible>(())
    };
    let mut recorder = Recorder::new(Schedule::Every(2))
        .probe(Probe::new("train", &x, &y, OUTPUTS).classes(&[2], 1))
        .measure("outputs", |model| {
            let f = model.forward(&x)?;
            Ok(stack![Axis(0), f, f.mapv(|v| -v)])
        })
        .describe("init_seed", 2)
        .sink(keep);
    let before = model.forward(&x).unwrap();
    let mut trainer = Trainer::new(&mut model, &x, &y, config()).unwrap();
    trainer.record(&mut recorder).unwrap();
    let after = trainer.model().forward(&x).unwrap();
    let records = recorder.into_records();
    for line in &lines {
        let record: Json = serde_json::from_str(line).unwrap();
        let keys: Vec<_> = record
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert!(!line.contains('\n') && keys[..4] == COMMON, "{line}");
        assert_eq!(record["seed"], 3);
        assert_eq!(record["configuration"]["optimizer"]["sgd"]["momentum"], 0.9);
        assert_eq!(record["configuration"]["init_seed"], 2);
        assert_eq!(record["configuration"]["network"]["layers"][1], "relu");
    }
    // The last line is being written.
    let text = format!("{}\n{}", lines.join("\n"), &lines[0][..20]);
    assert_eq!(Records::parse(&text).unwrap(), records);
    assert_eq!(Records::from_lines(&lines).unwrap(), records);
    assert_eq!(records.to_json_lines(), lines.join("\n") + "\n");
    assert_eq!(records.configuration()["batch_size"], 2);
    assert_eq!((records.len(), records.epochs()), (4, vec![0, 2, 4, 5]));
    assert_eq!(records.steps(), [0, 6, 12, 15]);
    assert_eq!(
        records.array("epoch").unwrap(),
        array![0.0, 2.0, 4.0, 5.0].into_dyn()
    );
    assert_eq!(
        records.array("seed").unwrap(),
        array![3.0, 3.0, 3.0, 3.0].into_dyn()
    );
    let predictions = records.array("train.predictions").unwrap();
    assert_eq!(predictions.shape(), [4, 5, 3]);
    assert_eq!(predictions.index_axis(Axis(0), 0), before.into_dyn());
    assert_eq!(predictions.index_axis(Axis(0), 3), after.view().into_dyn());
    let own = records.array("outputs").unwrap();
    assert_eq!(own.shape(), [4, 2, 5, 3]);
    assert_eq!(own.slice(s![3, 0, .., ..]), after);
    assert_eq!(records.array("train.loss(2)").unwrap().shape(), [4]);
    let known = [
        "train.loss",
        "train.loss(2)",
        "train.accuracy",
        "train.accuracy(2)",
        "train.predictions",
        "train.loss_derivative",
        "outputs",
    ];
    assert_eq!(records.columns(), known);
    let error = records.array("train.los").unwrap_err().to_string();
    assert!(
        error.contains("no column train.los") && error.contains("train.loss(2)"),
        "{error}"
    );
}

#[test]
fn reading_what_is_not_a_record() {
    assert!(Records::parse("").unwrap().is_empty() && Records::parse("{\"a").unwrap().is_empty());
    assert_eq!(Records::default().array("a").unwrap().shape(), [0]);
    let line = |fields: &str| format!("{{\"epoch\":0,\"step\":0,\"seed\":1,{fields}}}");
    let read = |fields: &[&str]| Records::from_lines(fields.iter().map(|fields| line(fields)));
    let text = format!("{}\n[1]\n", line("\"a\":1"));
    assert!(matches!(
        Records::parse(&text),
        Err(ReadError::Line { record: 1, .. })
    ));
    let lacking = Records::from_lines(["{\"epoch\":0,\"step\":0}"]).unwrap_err();
    assert!(lacking.to_string().contains("no column seed"), "{lacking}");
    let negative = Records::from_lines(["{\"epoch\":-1,\"step\":0,\"seed\":0}"]);
    assert!(matches!(negative, Err(ReadError::Number { .. })));
    let records = read(&["\"a\":[1,null]", "\"a\":[1,2,3]"]).unwrap();
    let error = records.array("a").unwrap_err();
    assert!(
        matches!(error, ReadError::Shape { record: 1, .. }),
        "{error}"
    );
    for ragged in [
        "[[1],[2,3]]",
        "[1,[2]]",
        "[[1],2]",
        "\"text\"",
        "{}",
        "[true]",
    ] {
        assert!(
            matches!(
                read(&[&format!("\"b\":{ragged}")]),
                Err(ReadError::Number { record: 0, .. })
            ),
            "{ragged}"
        );
    }
    let null = read(&["\"a\":null"]).unwrap().array("a").unwrap();
    assert!(null.shape() == [1] && null[0].is_nan());
}

#[test]
fn an_interrupted_training_goes_on_in_the_same_records() {
    let (x, y) = data();
    let mut whole = model();
    let mut recorder = Recorder::new(Schedule::Every(1)).probe(train(&x, &y));
    let mut trainer = Trainer::new(&mut whole, &x, &y, config()).unwrap();
    trainer.record(&mut recorder).unwrap();
    let text = recorder.records().to_json_lines();
    // Killed after epoch 3 was recorded, with a checkpoint of epoch 2.
    let lines: Vec<&str> = text.lines().collect();
    let kept = Records::from_lines(&lines[..4]).unwrap();
    let mut first = model();
    let mut trainer = Trainer::new(&mut first, &x, &y, config()).unwrap();
    trainer.epoch().unwrap();
    trainer.epoch().unwrap();
    let checkpoint = trainer.checkpoint().unwrap();
    let mut second = model();
    let mut resumed = Vec::new();
    let keep = |line: &str| {
        resumed.push(line.to_string());
        Ok::<_, Infallible>(())
    };
    let mut again = Recorder::new(Schedule::Every(1))
        .probe(train(&x, &y))
        .resume(kept)
        .sink(keep);
    let mut trainer = Trainer::resume(&mut second, &x, &y, config(), &checkpoint).unwrap();
    trainer.record(&mut again).unwrap();
    assert_eq!(again.into_records(), *recorder.records());
    assert_eq!(resumed, lines[4..]);
}

#[test]
fn records_of_several_seeds_are_made_in_parallel() {
    let (x, y) = data();
    let one = |seed: u64| -> Result<Records, RecordError> {
        let mut model = model();
        model.initialize(Init::default(), seed);
        let config = TrainConfig { seed, ..config() };
        let mut scores = Recorder::new(Schedule::Every(5))
            .probe(Probe::new("train", &x, &y, [Measure::Loss]))
            .in_memory(true);
        let mut kernels = Recorder::new(Schedule::Every(0))
            .measure("trace", |model| Ok(model.ntk_trace(&x)?))
            .in_memory(false);
        let mut trainer = Trainer::new(&mut model, &x, &y, config)?;
        trainer.record([&mut scores, &mut kernels])?;
        assert!(kernels.records().is_empty());
        Ok(scores.into_records())
    };
    let together: Vec<Records> = (0..4_u64)
        .into_par_iter()
        .map(|s| one(s).unwrap())
        .collect();
    for (seed, records) in (0..).zip(together) {
        assert_eq!(records, one(seed).unwrap());
    }
}

#[test]
fn a_condition_ends_the_training_and_is_recorded() {
    let (mut model, (x, y)) = (model(), data());
    let loss = |model: &Model<f64>| -> Result<f64, ModelError> {
        let f = model.forward(&x)?;
        Ok(Loss::CrossEntropy.with_gradient(&f, &y).unwrap().0)
    };
    let start = loss(&model).unwrap();
    let mut recorder = Recorder::new(Schedule::Every(0)).measure("loss", |model| Ok(loss(model)?));
    let long = config().epochs(10_000);
    let mut trainer = Trainer::new(&mut model, &x, &y, long).unwrap();
    let half = |model: &_| Ok(loss(model)? < 0.5 * start);
    assert!(trainer.record_until(&mut recorder, half).unwrap());
    assert!(trainer.epochs() < 10_000);
    assert_eq!(recorder.records().epochs(), [0, trainer.epochs()]);
    let losses = recorder.records().array("loss").unwrap();
    assert!(losses[1] < 0.5 * losses[0]);
}

#[test]
fn a_measure_that_fails_is_named() {
    let (mut model, (x, y)) = (model(), data());
    let mut recorder = Recorder::new(Schedule::Every(1)).measure("own", |model| {
        let wrong = Array2::zeros((1, 7));
        Ok(model.ntk(&wrong)?)
    });
    let mut trainer = Trainer::new(&mut model, &x, &y, config()).unwrap();
    let error = trainer.record(&mut recorder).unwrap_err().to_string();
    assert!(
        error.starts_with("measure own of epoch 0 failed: the model takes"),
        "{error}"
    );
    let mut epoch = Recorder::new(Schedule::Every(1)).measure("epoch", |_| Ok(1.0));
    let error = trainer.record(&mut epoch).unwrap_err();
    assert!(matches!(error, RecordError::Column { .. }), "{error}");
}

#[test]
fn divergence_and_a_full_disk_keep_what_was_recorded() {
    let (x, y) = data();
    let mut diverging = model();
    let far = TrainConfig {
        loss: Loss::MeanSquare,
        optimizer: Optimizer::sgd(1e60),
        epochs: 99,
        ..config()
    };
    let mut recorder = Recorder::new(Schedule::Every(1)).probe(train(&x, &y));
    let mut trainer = Trainer::new(&mut diverging, &x, &y, far).unwrap();
    let error = trainer.record(&mut recorder).unwrap_err();
    assert!(matches!(error, RecordError::Train(_)), "{error}");
    assert_eq!(recorder.records().len(), trainer.epochs() + 1);

    let mut written = Vec::new();
    let full = |line: &str| match written.len() {
        2 => Err("disk full".parse::<u8>().unwrap_err()),
        _ => {
            written.push(line.to_string());
            Ok(())
        }
    };
    let mut model = model();
    let mut recorder = Recorder::new(Schedule::Every(1))
        .probe(train(&x, &y))
        .sink(full);
    let mut trainer = Trainer::new(&mut model, &x, &y, config()).unwrap();
    let error = trainer.record(&mut recorder).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the record of epoch 2 could not be kept: "),
        "{error}"
    );
    assert_eq!(recorder.into_records().epochs(), [0, 1]);
    assert_eq!(written.len(), 2);
}

#[test]
fn what_cannot_be_measured_is_said_before_the_first_step() {
    let (x, y) = data();
    let mut model = model();
    let before = model.parameters();
    let probe = || Probe::new("a", &x, &y, [Measure::Loss]);
    let mut refused = |probes: Vec<Probe<'_, f64>>| {
        let mut recorder = Recorder::new(Schedule::Every(1));
        for probe in probes {
            recorder = recorder.probe(probe);
        }
        let mut trainer = Trainer::new(&mut model, &x, &y, config()).unwrap();
        let error = trainer.record(&mut recorder).unwrap_err();
        assert_eq!(trainer.model().parameters(), before);
        assert!(recorder.records().is_empty());
        error
    };
    let labels = refused(vec![probe().labels(vec![0; 4])]);
    assert!(matches!(
        labels,
        RecordError::Labels {
            expected: 5,
            found: 4,
            ..
        }
    ));
    let class = refused(vec![probe().classes(&[0, 7], 2)]);
    assert!(matches!(class, RecordError::EmptyClass { class: 7, .. }));
    let twice = refused(vec![probe(), probe()]);
    assert_eq!(
        twice.to_string(),
        "two columns are called a.loss; give probes and measures different names, and ask for a measure once"
    );
    let many = refused(vec![probe().classes(&[0; 20], 20)]);
    assert!(matches!(many, RecordError::Combinations { .. }), "{many}");
    let column = x.slice(s![.., ..1]);
    let narrow = Probe::new("b", &column, &y, [Measure::Loss]);
    assert!(matches!(refused(vec![narrow]), RecordError::Model(_)));
}

/// The kernel by contraction, and the outputs, of samples with masks and graphs.
#[test]
fn masked_samples_are_measured_as_they_are() {
    let network = Network::new()
        .then(conv([3]).channels(4).same())
        .then(relu())
        .then(aggregate())
        .then(global_avg_pool())
        .then(dense().width(3));
    let mut model: Model<f64> = Model::new(&network, [4, 2], Init::default(), 2).unwrap();
    let (_, y) = data();
    let x = Array3::from_shape_fn((5, 4, 2), |(i, p, c)| ((3 * i + 5 * p + c) as f64).sin());
    let mask = Array2::from_shape_fn((5, 4), |(i, p)| p > i);
    let weights = Array3::from_shape_fn((5, 4, 4), |(i, p, q)| ((i + 2 * p + q) % 3) as f64);
    let structure = Structure::of_graphs(Graphs::dense(&weights).unwrap()).mask(&mask);
    let inputs = Inputs::new(&x).structure(&structure);
    let measures = [Measure::Ntk, Measure::Predictions, Measure::Trace];
    let mut recorder = Recorder::new(Schedule::Every(0))
        .probe(Probe::new("traced", inputs.view(), &y, measures).classes(&[0, 2], 2))
        .probe(Probe::new("full", inputs.view(), &y, measures).full())
        .probe(Probe::new("plain", &x, &y, measures));
    let mut trainer = Trainer::new(&mut model, inputs.view(), &y, config()).unwrap();
    trainer.record(&mut recorder).unwrap();
    drop(trainer);
    let records = recorder.into_records();
    let of = |column: &str| {
        let all = records.array(column).unwrap();
        all.index_axis(Axis(0), all.len_of(Axis(0)) - 1).to_owned()
    };
    let kernel_fn = model.kernel_fn().by_contraction().structure(&structure);
    for (probe, trace) in [("traced", Trace::Traced), ("full", Trace::Full)] {
        let k = kernel_fn.trace(trace).ntk(&x).unwrap();
        let largest = k.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
        let far = of(&format!("{probe}.ntk")) - &k;
        // Sums over the same parameters in another order.
        assert!(far.iter().all(|far| far.abs() <= 1e-12 * largest), "{far}");
        let outputs = of(&format!("{probe}.predictions"));
        assert_eq!(outputs, model.forward(inputs.view()).unwrap().into_dyn());
    }
    let k = kernel_fn.ntk(&x).unwrap();
    let block: f64 = [0, 4].map(|i| k[[i, i]]).iter().sum();
    assert_relative_eq!(of("traced.trace(0)").sum(), block, max_relative = 1e-12);
    assert!((of("plain.trace").sum() - k.diag().sum()).abs() > 1e-3);

    // Masks of other samples are refused before training.
    let fewer = structure.select(&[0, 1]).unwrap();
    let wrong = Inputs::new(&x).structure(&fewer);
    let mut recorder =
        Recorder::new(Schedule::Every(0)).probe(Probe::new("a", wrong, &y, measures));
    let told = Trainer::new(&mut model, inputs.view(), &y, config())
        .unwrap()
        .record(&mut recorder);
    assert!(matches!(
        told,
        Err(RecordError::Model(ModelError::Structure(_)))
    ));
}
