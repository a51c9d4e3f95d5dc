use super::*;
use ndarray::{Array1, Array2, ArrayD, Axis, IxDyn};
use ntk_kernels::{EstimatorError, Features, Kernel, Smooth};

/// The same samples whatever was asked for.
fn made(x: &Array2<f64>, y: &Array1<f64>) -> Result<(ArrayD<f64>, Array2<f64>), EstimatorError> {
    Ok((x.clone().into_dyn(), y.clone().insert_axis(Axis(1))))
}

#[test]
fn features_survive_what_no_caller_should_pass() {
    let mut panics = Panics::default();
    let networks = [
        Network::new()
            .then(dense())
            .then(relu())
            .then(dense().b_std(0.1)),
        Network::new().then(dense()).then(gelu()).then(dense()),
        Network::new()
            .then(conv([2, 2]))
            .then(relu())
            .then(flatten())
            .then(dense()),
        Network::new().then(relu()),
        Network::new(),
    ];
    let shapes: Vec<Shape> = SIZES
        .iter()
        .flat_map(|&a| {
            [
                Shape::features(a),
                Shape::new([a, 2], 3),
                Shape::new([2], a),
            ]
        })
        .collect();
    for network in &networks {
        for kernel in [Kernel::Nngp, Kernel::Ntk] {
            for smooth in [
                Smooth::Random,
                Smooth::Polynomial { degree: 3 },
                Smooth::Polynomial { degree: usize::MAX },
            ] {
                let features = Features::new(network).kernel(kernel).smooth(smooth);
                for shape in &shapes {
                    for count in SIZES {
                        let named = format!("map {network} {shape} {count}");
                        panics.call(named, || {
                            let _ = features.clone().count(count).map::<f64>(shape);
                        });
                    }
                }
                let features = features.count(9).seed(u64::MAX);
                for number in NUMBERS {
                    let x = Array2::from_elem((2, 3), number);
                    let y = Array1::from_elem(2, number);
                    panics.call(format!("fit {network} {number}"), || {
                        if let Ok(map) = features.map(3) {
                            let _ = map.transform(&x);
                            let _ = map.transform(&ArrayD::from_elem(IxDyn(&[]), number));
                        }
                        for (x, alpha) in [(&x, 0.1), (&Array2::ones((2, 3)), number)] {
                            let features = features.clone().alpha(alpha);
                            let _ = features.fit_from_fn(3, 3, |_| made(x, &y));
                            let _ = features.fit_over(&(), 0, usize::MAX, |_| made(x, &y));
                            let Ok(fitted) = features.fit(x, &y) else {
                                continue;
                            };
                            let _ = fitted.at(number);
                            let _ = fitted.predict(x);
                            let _ = fitted.leave_one_out(x, &y);
                            let _ = fitted.errors(x, &y, &[number]);
                            let _ = fitted.score(x, &y);
                            let _ = fitted.accuracy(x, &y);
                            let _ = fitted.predict_classes(x);
                        }
                    });
                }
                for size in SIZES {
                    panics.call(format!("blocks {size}"), || {
                        let features = features.clone().block(size).samples(size);
                        let block = (ArrayD::zeros(IxDyn(&[2, 3])), Array2::zeros((2, 1)));
                        let blocks = [Ok::<_, EstimatorError>(block)];
                        let _ = features.fit_blocks::<f32, _>(size, blocks.clone());
                        let _ = features.fit_blocks::<f32, _>(3, blocks);
                    });
                }
            }
        }
    }
    panics.none();
}
