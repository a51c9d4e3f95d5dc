//! Steps against gradient descent by hand, and what a training goes through.

use super::*;
use crate::init::Init;
use approx::assert_relative_eq;
use ndarray::{Array2, array};
use ntk_kernels::network::{Network, Shape, dense, dropout, relu};

fn config(learning_rate: f64) -> TrainConfig {
    let optimizer = Optimizer::sgd(learning_rate);
    TrainConfig {
        loss: Loss::HalfMeanSquare,
        optimizer,
        batch_size: 2,
        epochs: 3,
        order: Order::File,
        seed: 0,
    }
}

fn linear() -> (Model<f64>, Array2<f64>, Array2<f64>) {
    let network = Network::new().then(dense().width(1));
    let model = Model::new(&network, Shape::features(2), Init::default(), 5).unwrap();
    (
        model,
        array![[1.0, 0.5], [0.2, -1.0], [0.3, 0.9]],
        array![[1.0], [0.0], [-1.0]],
    )
}

/// Momentum steps of a linear model written out by hand.
#[test]
fn steps_are_those_of_gradient_descent() {
    let (mut model, x, y) = linear();
    let mut w = model.parameters()[0].clone();
    let config = TrainConfig {
        optimizer: Optimizer::momentum(0.1, 0.9),
        ..config(0.1)
    };
    let losses = Trainer::new(&mut model, &x, &y, config)
        .unwrap()
        .run()
        .unwrap();
    assert_eq!(losses.len(), 6);
    let mut velocity = Array2::<f64>::zeros((2, 1));
    let mut step = 0;
    for _ in 0..3 {
        for rows in [vec![0, 1], vec![2]] {
            let (xb, yb) = (x.select(Axis(0), &rows), y.select(Axis(0), &rows));
            let scale = 1.0 / 2.0_f64.sqrt();
            let gap = xb.dot(&w) * scale - &yb;
            let m = rows.len() as f64;
            assert_relative_eq!(
                losses[step],
                gap.mapv(|g| g * g).sum() / (2.0 * m),
                epsilon = 1e-14
            );
            velocity = velocity * 0.9 + xb.t().dot(&gap) * (scale / m);
            w = w - &velocity * 0.1;
            step += 1;
        }
    }
    assert_relative_eq!(model.parameters()[0], w, epsilon = 1e-13);
}

#[test]
fn divergence_keeps_what_was_recorded() {
    let (mut model, x, y) = linear();
    let config = TrainConfig {
        epochs: 10_000,
        ..config(1e30)
    };
    let error = Trainer::new(&mut model, &x, &y, config)
        .unwrap()
        .run()
        .unwrap_err();
    let TrainError::Diverged { step, losses, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(*step, losses.len());
    assert!(!losses.is_empty() && losses.iter().all(|l| l.is_finite()));
    assert!(error.to_string().contains("lower the learning rate"));
}

#[test]
fn shuffling_is_seeded_and_visits_every_sample() {
    let run = |seed| {
        let (mut model, x, y) = linear();
        let config = TrainConfig {
            order: Order::Shuffled,
            seed,
            ..config(0.05)
        };
        Trainer::new(&mut model, &x, &y, config)
            .unwrap()
            .run()
            .unwrap()
    };
    assert_eq!(run(1), run(1));
    assert!((2..9).any(|seed| run(seed) != run(1)));
    // With a zero rate every epoch's losses add up to the same, whatever the order.
    let (mut model, x, y) = linear();
    let still = TrainConfig {
        order: Order::Shuffled,
        batch_size: 1,
        ..config(0.0)
    };
    let losses = Trainer::new(&mut model, &x, &y, still)
        .unwrap()
        .run()
        .unwrap();
    for epoch in losses.chunks(3) {
        assert_relative_eq!(
            epoch.iter().sum::<f64>(),
            losses[..3].iter().sum::<f64>(),
            epsilon = 1e-14
        );
    }
}

#[test]
fn the_rate_by_trace_is_found_anew_every_few_epochs() {
    let network = Network::new()
        .then(dense().width(3))
        .then(relu())
        .then(dense().width(2));
    let mut model = Model::<f64>::new(&network, Shape::features(2), Init::default(), 5).unwrap();
    let (_, x, _) = linear();
    let y = array![[1.0, 0.0], [0.0, 1.0], [-1.0, 1.0]];
    let (scale, every) = (0.8, 2);
    let config = TrainConfig {
        optimizer: Optimizer::TraceSgd { scale, every },
        batch_size: 3,
        ..config(0.0)
    };
    let mut by_hand = Model::new(&network, model.input(), Init::default(), 5).unwrap();
    let mut trainer = Trainer::new(&mut model, &x, &y, config).unwrap();
    assert_eq!(trainer.trace_rate(), None);
    let mut rate = 0.0;
    for epoch in 0..5 {
        if epoch % every == 0 {
            let kernel = by_hand.kernel_fn().by_contraction().ntk(&x).unwrap();
            rate = scale / kernel.diag().sum();
        }
        let (_, gradient) = by_hand.gradient(&x, &y, config.loss).unwrap();
        let theta = by_hand.parameters().into_iter().zip(gradient);
        by_hand
            .set_parameters(theta.map(|(p, g)| p - g * rate).collect())
            .unwrap();
        trainer.epoch().unwrap();
        assert_relative_eq!(trainer.trace_rate().unwrap(), rate, max_relative = 1e-12);
    }
    for (found, expected) in model.parameters().iter().zip(&by_hand.parameters()) {
        assert_relative_eq!(found, expected, epsilon = 1e-13);
    }
}

#[test]
fn a_trace_of_zero_stops_before_the_step() {
    let (mut model, x, y) = linear();
    let config = TrainConfig {
        optimizer: Optimizer::TraceSgd {
            scale: 1.0,
            every: 0,
        },
        ..config(0.0)
    };
    let (before, zero) = (model.parameters(), &x * 0.0);
    let error = Trainer::new(&mut model, &zero, &y, config)
        .unwrap()
        .run()
        .unwrap_err();
    assert!(
        matches!(
            error,
            TrainError::Trace {
                epoch: 0,
                trace: 0.0,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(model.parameters(), before);
}

#[test]
fn the_reservoir_trains_on_the_hardest() {
    let (mut model, x, y) = linear();
    let config = TrainConfig {
        order: Order::Reservoir { size: 1, latest: 0 },
        ..config(0.0)
    };
    let each = losses(&model, (&x).into(), y.view(), config.loss);
    let hardest = each.iter().fold(0.0_f64, |top, &l| top.max(l));
    assert!(each.iter().filter(|&&l| l == hardest).count() == 1);
    let found = Trainer::new(&mut model, &x, &y, config)
        .unwrap()
        .run()
        .unwrap();
    assert_eq!(found, [hardest; 3]);
}

#[test]
fn no_samples_and_wrong_shapes() {
    let (mut model, x, y) = linear();
    let before = model.parameters();
    let (none, no_targets) = (x.slice(s![..0, ..]), y.slice(s![..0, ..]));
    let mut trainer = Trainer::new(&mut model, &none, &no_targets, config(0.1)).unwrap();
    assert_eq!(trainer.run(), Ok(Vec::new()));
    let short = Trainer::new(&mut model, &x, &no_targets, config(0.1)).err();
    assert!(matches!(
        short,
        Some(TrainError::Model(ModelError::Targets { .. }))
    ));
    let narrow = model.fit(&x.slice(s![.., ..1]), &y);
    assert!(matches!(
        narrow,
        Err(TrainError::Model(ModelError::Input { .. }))
    ));
    assert_eq!(model.parameters(), before);
}

#[test]
fn training_can_end_early_and_configurations_lack_fields() {
    let (mut model, x, y) = linear();
    let mut trainer = Trainer::new(&mut model, &x, &y, config(0.1).epochs(5)).unwrap();
    let mut asked = 0;
    let third = |_: &Model<f64>| {
        asked += 1;
        Ok(asked == 3)
    };
    assert!(trainer.run_until(third).unwrap());
    assert_eq!(trainer.epochs(), 3);
    assert!(!trainer.run_until(|_| Ok(false)).unwrap());
    assert_eq!(trainer.epochs(), 5);
    let read: TrainConfig = serde_json::from_str(r#"{"batch_size": 7}"#).unwrap();
    assert_eq!(read, TrainConfig::default().batch_size(7));
}

#[test]
fn masks_follow_the_seed() {
    let network = Network::new().then(dropout(0.5)).then(dense().width(1));
    let run = |seed| {
        let mut model =
            Model::<f64>::new(&network, Shape::features(2), Init::default(), 5).unwrap();
        let (_, x, y) = linear();
        let mut trainer = Trainer::new(&mut model, &x, &y, config(0.0).seed(seed)).unwrap();
        trainer.run().unwrap()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    // Steps of one batch, at a rate of zero, differ by their masks alone.
    let losses = run(1);
    assert!(losses[0] != losses[2] || losses[2] != losses[4]);
}

#[test]
fn targets_and_settings_are_checked_before_the_first_step() {
    let network = Network::new().then(dense().width(2));
    let x = array![[1.0, 0.0], [0.0, 1.0]];
    let start = |y: &Array2<f64>, config: TrainConfig| {
        let mut model = Model::<f64>::new(&network, 2, Init::default(), 0).unwrap();
        Trainer::new(&mut model, &x, y, config)
            .map(|_| ())
            .map_err(|e| e.to_string())
    };
    let (one_hot, signs) = (
        array![[1.0, 0.0], [0.0, 1.0]],
        array![[1.0, -1.0], [-1.0, 1.0]],
    );
    let config = TrainConfig::default();
    let cross_entropy = config.loss(Loss::CrossEntropy);
    let hinge = config.loss(Loss::QuadraticHinge { margin: 1.0 });
    assert_eq!(start(&one_hot, cross_entropy), Ok(()));
    assert_eq!(start(&signs, hinge), Ok(()));
    assert!(
        start(&signs, cross_entropy)
            .unwrap_err()
            .contains("(0, 1) is -1")
    );
    assert!(
        start(&(&one_hot * 2.0), cross_entropy)
            .unwrap_err()
            .contains("sum to 2")
    );
    assert!(start(&one_hot, hinge).unwrap_err().contains("(0, 1) is 0"));
    let nan = array![[1.0, f64::NAN], [0.0, 1.0]];
    assert!(start(&nan, config).unwrap_err().contains("NaN at (0, 1)"));
    for (optimizer, words) in [
        (Optimizer::sgd(-1.0), "learning rate is -1"),
        (Optimizer::sgd(f64::NAN), "learning rate is NaN"),
        (Optimizer::momentum(0.1, 1.5), "momentum is 1.5"),
        (Optimizer::momentum(0.1, -1.0), "momentum is -1"),
        (Optimizer::adam(f64::INFINITY), "learning rate is inf"),
    ] {
        let told = start(&signs, config.optimizer(optimizer)).unwrap_err();
        assert!(told.contains(words), "{told}");
    }
    assert!(
        start(&signs, config.batch_size(0))
            .unwrap_err()
            .contains("batch_size is 0")
    );
}
