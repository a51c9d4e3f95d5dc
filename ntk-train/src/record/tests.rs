use super::*;
use crate::Loss;
use crate::empirical::Trace;
use crate::init::Init;
use crate::optimizer::Optimizer;
use crate::run::RunError;
use crate::train::Order;
use approx::assert_relative_eq;
use ndarray::{ArrayViewD, Axis, arr0, array, s};
use ntk_entropy::{Normalization, Spectrum, covariance, magnitude, von_neumann};
use ntk_kernels::network::{Network, Shape, dense, relu};

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
    Model::new(&network, &Shape::features(2), Init::default(), 2).unwrap()
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
        batch: 2,
        epochs: 5,
        order: Order::Shuffled,
        seed: 3,
    }
}

/// By contraction of whole Jacobians.
fn values(probe: &Probe<'_, f64>, model: &Model<f64>) -> Vec<(String, Value)> {
    let kernel =
        |x: ArrayViewD<'_, f64>, trace| Ok(model.ntk_by_contraction(x, None, trace).unwrap());
    let found = probe.values(model, Loss::CrossEntropy, &kernel).unwrap();
    let columns = probe.columns();
    assert_eq!(columns.len(), found.len());
    columns.into_iter().zip(found).collect()
}

fn scalar(values: &[(String, Value)], column: &str) -> f64 {
    let mut found = values.iter().filter(|(name, _)| name == column);
    match found.next() {
        Some((_, Value::Scalar(value))) => *value,
        other => panic!("{column}: {other:?}"),
    }
}

#[test]
fn outputs_are_measured_whole_and_by_class() {
    let (model, (x, y)) = (model(), data());
    let probe = Probe::new("test", x.view(), y.view(), OUTPUTS).classes(&[2, 0], 2);
    let found = values(&probe, &model);
    let f = model.forward(x.view()).unwrap();
    let rows = [
        ("", vec![0, 1, 2, 3, 4]),
        ("(2)", vec![1, 3]),
        ("(0)", vec![0, 4]),
        ("(2,0)", vec![1, 3, 0, 4]),
    ];
    for (classes, rows) in rows {
        let (f, y) = (f.select(Axis(0), &rows), y.select(Axis(0), &rows));
        let (loss, _) = Loss::CrossEntropy.with_gradient(f.view(), y.view());
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
    let (_, derivative) = Loss::CrossEntropy.with_gradient(f.view(), y.view());
    let whole = |column: &str| {
        found
            .iter()
            .filter(|(name, _)| name.starts_with(column))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        whole("test.predictions"),
        [&("test.predictions".to_string(), Value::Matrix(f))]
    );
    assert_eq!(
        whole("test.loss_derivative"),
        [&(
            "test.loss_derivative".to_string(),
            Value::Matrix(derivative)
        )]
    );
}

#[test]
fn kernels_are_measured_by_blocks_of_one_kernel() {
    let (model, (x, y)) = (model(), data());
    for trace in [Trace::Traced, Trace::Full] {
        let probe = Probe::new("a", x.view(), y.view(), KERNEL)
            .trace(trace)
            .classes(&[0, 1, 2], 3);
        let found = values(&probe, &model);
        for (classes, rows) in [
            ("", vec![0, 1, 2, 3, 4]),
            ("(1)", vec![2]),
            ("(0,2)", vec![0, 4, 1, 3]),
        ] {
            // The kernel of the chosen samples alone.
            let chosen = x.select(Axis(0), &rows);
            let k = model
                .ntk_by_contraction(chosen.view(), None, trace)
                .unwrap();
            let spectrum = Spectrum::of_kernel(k.view(), Normalization::Trace).unwrap();
            // Eigenvalues differ by rounding, n eps of the largest, and so do entropies up to
            // the logarithm of what is clipped: 15 * 2.2e-16 * ln(1e16) < 1e-12.
            for (measure, expected) in [
                ("trace", k.diag().sum()),
                ("entropy", von_neumann::entropy(&spectrum)),
                ("effective_entropy", von_neumann::effective(&spectrum)),
                ("magnitude_entropy", magnitude::entropy(k.view()).unwrap()),
                ("covariance_entropy", covariance::entropy(k.view()).unwrap()),
            ] {
                let found = scalar(&found, &format!("a.{measure}{classes}"));
                assert_relative_eq!(found, expected, max_relative = 1e-12, epsilon = 1e-12);
            }
            let column = format!("a.eigenvalues{classes}");
            let Some((_, Value::Vector(eigenvalues))) =
                found.iter().find(|(name, _)| *name == column)
            else {
                panic!("no {column}")
            };
            assert_eq!(eigenvalues.len(), k.nrows());
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
    let found = values(&Probe::new("a", x.view(), y.view(), KERNEL), &model);
    assert_eq!(scalar(&found, "a.trace"), 0.0);
    assert!(scalar(&found, "a.entropy").is_nan() && scalar(&found, "a.magnitude_entropy").is_nan());
    let none = (Array2::zeros((0, 2)), Array2::zeros((0, 3)));
    let measures = KERNEL.into_iter().chain(OUTPUTS);
    let found = values(
        &Probe::new("a", none.0.view(), none.1.view(), measures),
        &model,
    );
    assert!(
        scalar(&found, "a.accuracy").is_nan() && scalar(&found, "a.covariance_entropy").is_nan()
    );
    let record = Record {
        epoch: 0,
        step: 0,
        values: found,
    };
    let line = record.line(0, &Json::Null);
    let read: Json = serde_json::from_str(&line).unwrap();
    assert!(read["a.accuracy"].is_null() && line.contains("\"a.accuracy\":null"));
    assert_eq!(read["a.eigenvalues"], json!([]));
}

#[test]
fn records_are_flat_lines_and_read_back_as_arrays() {
    let (mut model, (x, y)) = (model(), data());
    let mut lines = Lines::default();
    let recorder = Recorder::new(Schedule::Every(2), &mut lines)
        .probe(Probe::new("train", x.view(), y.view(), OUTPUTS).classes(&[2], 1))
        .describe("init_seed", 2);
    let before = model.forward(x.view()).unwrap();
    let mut trainer = Trainer::new(&mut model, x.view(), y.view(), config()).unwrap();
    trainer.run(&mut [recorder], &()).unwrap();
    let after = trainer.model().forward(x.view()).unwrap();
    for line in &lines.0 {
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
    let text = format!("{}\n{}", lines.0.join("\n"), &lines.0[0][..20]);
    let records = Records::parse(&text).unwrap();
    assert_eq!(records, Records::new(&lines.0).unwrap());
    assert_eq!((records.len(), records.last_epoch()), (4, Some(5)));
    assert_eq!(
        records.array("epoch").unwrap(),
        array![0.0, 2.0, 4.0, 5.0].into_dyn()
    );
    assert_eq!(
        records.array("step").unwrap(),
        array![0.0, 6.0, 12.0, 15.0].into_dyn()
    );
    let predictions = records.array("train.predictions").unwrap();
    assert_eq!(predictions.shape(), [4, 5, 3]);
    assert_eq!(predictions.index_axis(Axis(0), 0), before.into_dyn());
    assert_eq!(predictions.index_axis(Axis(0), 3), after.into_dyn());
    assert_eq!(records.array("train.loss(2)").unwrap().shape(), [4]);
    let known = [
        "train.loss",
        "train.loss(2)",
        "train.accuracy",
        "train.accuracy(2)",
        "train.predictions",
        "train.loss_derivative",
    ];
    assert_eq!(records.columns(), known);
    let error = records.array("train.los").unwrap_err().to_string();
    assert!(
        error.contains("no column train.los") && error.contains("train.loss(2)"),
        "{error}"
    );
    assert!(matches!(
        records.array("configuration"),
        Err(ReadError::Number { .. })
    ));
}

#[test]
fn reading_what_is_not_a_record() {
    assert!(Records::parse("").unwrap().is_empty() && Records::parse("{\"a").unwrap().is_empty());
    assert_eq!(Records::default().array("a").unwrap().shape(), [0]);
    assert!(matches!(
        Records::parse("{}\n[1]\n"),
        Err(ReadError::Line { record: 1, .. })
    ));
    let records = Records::new(["{\"a\":[1,null],\"b\":[[1],[2,3]]}", "{\"a\":[1,2,3]}"]).unwrap();
    let error = records.array("a").unwrap_err();
    assert!(
        matches!(error, ReadError::Shape { record: 1, .. }),
        "{error}"
    );
    assert!(matches!(
        records.array("b"),
        Err(ReadError::Number { record: 0, .. })
    ));
    let null = Records::new(["{\"a\":null}"]).unwrap().array("a").unwrap();
    assert!(null.shape() == [1] && null[0].is_nan());
    assert_ne!(null, arr0(0.0).into_dyn());
}

#[test]
fn an_interrupted_training_goes_on_in_the_same_lines() {
    let (x, y) = data();
    let probe = || {
        Probe::new(
            "train",
            x.view(),
            y.view(),
            [Measure::Loss, Measure::Predictions],
        )
    };
    let (mut whole, mut lines) = (model(), Lines::default());
    let recorder = Recorder::new(Schedule::Every(1), &mut lines).probe(probe());
    let mut trainer = Trainer::new(&mut whole, x.view(), y.view(), config()).unwrap();
    trainer.run(&mut [recorder], &()).unwrap();
    // Killed after epoch 3 was recorded, with a checkpoint of epoch 2.
    let mut kept = Lines(lines.0[..4].to_vec());
    let mut first = model();
    let mut trainer = Trainer::new(&mut first, x.view(), y.view(), config()).unwrap();
    trainer.epoch(&()).unwrap();
    trainer.epoch(&()).unwrap();
    let checkpoint = trainer.checkpoint().unwrap();
    let last = Records::new(&kept.0).unwrap().last_epoch();
    let mut second = model();
    let recorder = Recorder::new(Schedule::Every(1), &mut kept)
        .probe(probe())
        .after(last);
    let mut trainer =
        Trainer::resume(&mut second, x.view(), y.view(), config(), &checkpoint).unwrap();
    trainer.run(&mut [recorder], &()).unwrap();
    assert_eq!(kept, lines);
}

#[test]
fn divergence_and_a_full_disk_keep_what_was_recorded() {
    let (x, y) = data();
    let (mut diverging, mut lines) = (model(), Lines::default());
    let far = TrainConfig {
        loss: Loss::MeanSquare,
        optimizer: Optimizer::sgd(1e60),
        epochs: 99,
        ..config()
    };
    let recorder = Recorder::new(Schedule::Every(1), &mut lines).probe(Probe::new(
        "train",
        x.view(),
        y.view(),
        [Measure::Loss],
    ));
    let mut trainer = Trainer::new(&mut diverging, x.view(), y.view(), far).unwrap();
    let error = trainer.run(&mut [recorder], &()).unwrap_err();
    assert!(matches!(error, RunError::Train(_)), "{error}");
    let epochs = trainer.epochs();
    let losses = Records::new(&lines.0).unwrap().array("train.loss").unwrap();
    assert_eq!(losses.len(), epochs + 1);

    let mut written = Vec::new();
    let mut full = |line: &str| match written.len() {
        2 => Err("disk full".parse::<u8>().unwrap_err()),
        _ => {
            written.push(line.to_string());
            Ok(())
        }
    };
    let mut model = model();
    let recorder = Recorder::new(Schedule::Every(1), &mut full).probe(Probe::new(
        "train",
        x.view(),
        y.view(),
        [Measure::Loss],
    ));
    let mut trainer = Trainer::new(&mut model, x.view(), y.view(), config()).unwrap();
    let error = trainer.run(&mut [recorder], &()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the record of epoch 2 could not be kept: "),
        "{error}"
    );
    assert_eq!(written.len(), 2);
}

#[test]
fn what_cannot_be_measured_is_said_before_the_first_step() {
    let (x, y) = data();
    let mut model = model();
    let before = model.parameters();
    let probe = || Probe::new("a", x.view(), y.view(), [Measure::Loss]);
    let mut refused = |probes: Vec<Probe<'_, f64>>| {
        let mut lines = Lines::default();
        let mut recorder = Recorder::new(Schedule::Every(1), &mut lines);
        for probe in probes {
            recorder = recorder.probe(probe);
        }
        let mut trainer = Trainer::new(&mut model, x.view(), y.view(), config()).unwrap();
        let error = trainer.run(&mut [recorder], &()).unwrap_err();
        assert_eq!(trainer.model().parameters(), before);
        assert!(lines.0.is_empty());
        match error {
            RunError::Record(error) => error,
            RunError::Train(error) => panic!("{error}"),
        }
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
        "two columns are called a.loss; give probes different names, and ask for a measure once"
    );
    let narrow = Probe::new("b", x.slice(s![.., ..1]), y.view(), [Measure::Loss]);
    assert!(matches!(refused(vec![narrow]), RecordError::Model(_)));
}
