use super::*;
use ndarray::{Array1, ArrayD, Axis};
use ntk_kernels::dual::closed_form;
use ntk_kernels::estimators::FileError;
use ntk_kernels::predict::Loss;
use ntk_kernels::{
    EstimatorError, FittedGaussianProcess, FittedGradientFlow, FittedKernelRidge, FittedLandmarks,
    GaussianProcess, GradientFlow, Kernel, KernelRidge, Landmarks, Solver,
};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

/// A network, and samples of its and others.
type Case<T> = (Network, ArrayD<T>, ArrayD<T>);

fn cases<T: Real>() -> [Case<T>; 3] {
    // 70 is more than a block of any product.
    let vectors = (
        numbers(1, (70, 5)).into_dyn(),
        numbers(2, (33, 5)).into_dyn(),
    );
    let images = (
        numbers(3, (9, 4, 6, 2)).into_dyn(),
        numbers(4, (5, 4, 6, 2)).into_dyn(),
    );
    let volumes = (
        numbers(6, (7, 2, 3, 4, 2)).into_dyn(),
        numbers(7, (3, 2, 3, 4, 2)).into_dyn(),
    );
    let volume_network = Network::new()
        .then(conv([2, 3, 3]).same().b_std(0.2))
        .then(relu())
        .then(global_avg_pool())
        .then(dense());
    [
        (dense_network(), vectors.0, vectors.1),
        (image_network(), images.0, images.1),
        (volume_network, volumes.0, volumes.1),
    ]
}

fn targets<T: Real>(x: &ArrayD<T>) -> Array2<T> {
    numbers(5, (x.shape()[0], 3))
}

fn kernel_ridge<T: Real>() {
    for (network, x, z) in cases::<T>() {
        let y = targets(&x);
        let ridge = KernelRidge::new(&network).kernel(Kernel::Nngp).alpha(0.1);
        let at = ridge.path(&x, &y).unwrap().at(0.2).unwrap();
        for fitted in [ridge.fit(&x, &y).unwrap(), at] {
            let bytes = fitted.to_safetensors().unwrap();
            let again = FittedKernelRidge::<T>::from_safetensors(&bytes).unwrap();
            assert_eq!(again.to_safetensors().unwrap(), bytes);
            assert_eq!(again.predict(&z).unwrap(), fitted.predict(&z).unwrap());
            assert_eq!(again.predict(&x).unwrap(), fitted.predict(&x).unwrap());
            assert_eq!(again.coefficients(), fitted.coefficients());
            assert_eq!(
                again.leave_one_out().unwrap(),
                fitted.leave_one_out().unwrap()
            );
            assert_eq!(again.ridge_added(), fitted.ridge_added());
            assert_eq!((again.kernel(), again.x()), (Kernel::Nngp, fitted.x()));
            assert_eq!(again.network(), &network);
        }
    }
}

fn gaussian_process<T: Real>() {
    for (network, x, z) in cases::<T>() {
        let y = targets(&x);
        for process in [
            GaussianProcess::nngp(&network),
            GaussianProcess::ntk(&network),
            GaussianProcess::ntk_ensemble(&network),
        ] {
            let fitted = process.noise(0.1).fit(&x, &y).unwrap();
            let bytes = fitted.to_safetensors().unwrap();
            let again = FittedGaussianProcess::<T>::from_safetensors(&bytes).unwrap();
            assert_eq!(again.to_safetensors().unwrap(), bytes);
            assert_eq!(again.predict(&z).unwrap(), fitted.predict(&z).unwrap());
            let both = |f: &FittedGaussianProcess<T>| {
                (
                    f.predict_with_variance(&z).unwrap(),
                    f.predict_with_covariance(&z).unwrap(),
                )
            };
            assert_eq!(both(&again), both(&fitted));
            assert_eq!(
                again.sample(&z, 3, 9).unwrap(),
                fitted.sample(&z, 3, 9).unwrap()
            );
            let evidence = again.log_marginal_likelihood();
            assert_eq!(evidence, fitted.log_marginal_likelihood());
            assert_eq!((again.noise_added(), again.y()), (fitted.noise_added(), &y));
        }
    }
}

fn gradient_flow<T: Real>() {
    let hinge = Loss::QuadraticHinge { margin: 0.3 };
    for (network, x, z) in cases::<T>() {
        let y = targets(&x);
        let signs = y.mapv(|v| if v > T::zero() { T::one() } else { -T::one() });
        let squares = y.mapv(|v| v * v);
        let probabilities = &squares / &squares.sum_axis(Axis(1)).insert_axis(Axis(1));
        for (loss, momentum, y) in [
            (Loss::HalfMeanSquare, None, &y),
            (Loss::MeanSquare, Some(0.9), &y),
            (hinge, None, &signs),
            (Loss::CrossEntropy, Some(0.5), &probabilities),
        ] {
            let flow = GradientFlow::new(&network)
                .loss(loss)
                .learning_rate(0.7)
                .ridge(0.1);
            let flow = momentum.map_or(flow.clone(), |m| flow.momentum(m));
            let fitted = flow.fit(&x, y).unwrap();
            let bytes = fitted.to_safetensors().unwrap();
            let again = FittedGradientFlow::<T>::from_safetensors(&bytes).unwrap();
            assert_eq!(again.to_safetensors().unwrap(), bytes);
            let times = [0.0, 3.0, 12.5];
            let outputs = |f: &FittedGradientFlow<T>| f.predict_at(&z, &times).unwrap();
            assert_eq!(outputs(&again), outputs(&fitted));
            let outputs = |f: &FittedGradientFlow<T>| f.training_outputs(&times).unwrap();
            assert_eq!(outputs(&again), outputs(&fitted));
            assert_eq!(again.predict(&z), fitted.predict(&z));
            assert_eq!((again.ridge_added(), again.y()), (fitted.ridge_added(), y));
        }
    }
}

fn landmarks<T: Real>() {
    for (network, x, z) in cases::<T>() {
        let y = targets(&x);
        for solver in [
            Solver::NormalEquations,
            Solver::ConjugateGradients {
                tolerance: 1e-3,
                iterations: 4,
            },
        ] {
            let landmarks = Landmarks::new(&network).kernel(Kernel::Nngp).alpha(0.1);
            let fitted = landmarks.count(5).solver(solver).fit(&x, &y).unwrap();
            let bytes = fitted.to_safetensors().unwrap();
            let again = FittedLandmarks::<T>::from_safetensors(&bytes).unwrap();
            assert_eq!(again.to_safetensors().unwrap(), bytes);
            assert_eq!(again.predict(&z).unwrap(), fitted.predict(&z).unwrap());
            assert_eq!(again.coefficients(), fitted.coefficients());
            assert_eq!(again.points(), fitted.points());
            assert_eq!(again.samples(), fitted.samples());
            assert_eq!(again.effective_parameters(), fitted.effective_parameters());
            let told = again.at(0.2).unwrap_err();
            assert!(matches!(told, EstimatorError::NoEquations { .. }), "{told}");
        }
    }
}

#[test]
fn what_is_read_predicts_the_same_to_the_last_bit() {
    landmarks::<f64>();
    landmarks::<f32>();
    kernel_ridge::<f64>();
    kernel_ridge::<f32>();
    gaussian_process::<f64>();
    gaussian_process::<f32>();
    gradient_flow::<f64>();
    gradient_flow::<f32>();
}

#[test]
fn layers_of_ones_own_cannot_be_written() {
    let square = closed_form("square", |q1, q2, q| (q1 * q2 + 2.0 * q * q, 4.0 * q));
    let network = Network::new().then(dense()).then(square).then(dense());
    let (x, y) = (numbers::<f64, _>(1, (3, 2)), numbers::<f64, _>(2, 3));
    let told = [
        KernelRidge::new(&network)
            .alpha(0.1)
            .fit(&x, &y)
            .unwrap()
            .to_safetensors(),
        GaussianProcess::nngp(&network)
            .noise(0.1)
            .fit(&x, &y)
            .unwrap()
            .to_safetensors(),
        GradientFlow::new(&network)
            .fit(&x, &y)
            .unwrap()
            .to_safetensors(),
    ];
    for told in told {
        let told = told.unwrap_err();
        assert!(
            matches!(told, EstimatorError::File(FileError::OwnLayers { .. })),
            "{told}"
        );
        assert!(told.to_string().contains("layers[1]"), "{told}");
    }
}

/// A file's metadata and arrays, to be changed.
pub(super) struct Parts {
    pub(super) header: Value,
    pub(super) arrays: Vec<(String, Dtype, Vec<usize>, Vec<u8>)>,
}

impl Parts {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let (_, metadata) = SafeTensors::read_metadata(bytes).unwrap();
        let header = &metadata.metadata().as_ref().unwrap()["estimator"];
        let arrays = SafeTensors::deserialize(bytes).unwrap();
        let arrays = arrays.iter().map(|(name, array)| {
            let data = array.data().to_vec();
            (
                name.to_string(),
                array.dtype(),
                array.shape().to_vec(),
                data,
            )
        });
        Self {
            header: serde_json::from_str(header).unwrap(),
            arrays: arrays.collect(),
        }
    }

    pub(super) fn array(&mut self, name: &str) -> &mut (String, Dtype, Vec<usize>, Vec<u8>) {
        self.arrays
            .iter_mut()
            .find(|array| array.0 == name)
            .unwrap()
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let metadata = [("estimator".to_string(), self.header.to_string())];
        let arrays = self.arrays.iter().map(|(name, dtype, shape, data)| {
            (name, TensorView::new(*dtype, shape.clone(), data).unwrap())
        });
        safetensors::serialize(arrays, Some(metadata.into_iter().collect())).unwrap()
    }
}

fn small() -> [Vec<u8>; 5] {
    let network = dense_network();
    let (x, y) = (numbers::<f64, _>(1, (4, 2)), numbers::<f64, _>(2, (4, 2)));
    let process = GaussianProcess::ntk_ensemble(&network).noise(0.1);
    let flow = GradientFlow::new(&network);
    [
        KernelRidge::new(&network)
            .alpha(0.1)
            .fit(&x, &y)
            .unwrap()
            .to_safetensors()
            .unwrap(),
        process.fit(&x, &y).unwrap().to_safetensors().unwrap(),
        flow.fit(&x, &y).unwrap().to_safetensors().unwrap(),
        flow.loss(Loss::QuadraticHinge { margin: 1.0 })
            .fit(&x, &y.mapv(f64::signum))
            .unwrap()
            .to_safetensors()
            .unwrap(),
        Landmarks::new(&network)
            .alpha(0.1)
            .count(2)
            .fit(&x, &y)
            .unwrap()
            .to_safetensors()
            .unwrap(),
    ]
}

/// What each of the estimators says of the bytes; if one takes them, it also predicts.
fn read(bytes: &[u8]) -> [Result<(), EstimatorError>; 4] {
    let z = numbers::<f64, _>(3, (2, 2));
    [
        FittedKernelRidge::<f64>::from_safetensors(bytes).map(|f| {
            let _ = (f.predict(&z), f.leave_one_out());
        }),
        FittedGaussianProcess::<f64>::from_safetensors(bytes).map(|f| {
            let _ = (
                f.predict_with_variance(&z),
                f.sample(&z, 2, 1),
                f.log_marginal_likelihood(),
            );
        }),
        FittedGradientFlow::<f64>::from_safetensors(bytes).map(|f| {
            let _ = (
                f.predict(&z),
                f.predict_at(&z, &[1.0]),
                f.training_outputs(&[0.1]),
            );
        }),
        FittedLandmarks::<f64>::from_safetensors(bytes).map(|f| {
            let _ = f.predict(&z);
        }),
    ]
}

fn file_error(result: Result<(), EstimatorError>) -> FileError {
    match result {
        Err(EstimatorError::File(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn damaged_files_are_told() {
    for (bytes, at) in small().into_iter().zip([0, 1, 2, 2, 3]) {
        // Whole, each is of one kind alone.
        for (i, result) in read(&bytes).into_iter().enumerate() {
            match i == at {
                true => assert_eq!(result, Ok(())),
                false => assert!(matches!(file_error(result), FileError::Kind { .. })),
            }
        }
        for length in 0..bytes.len() {
            assert!(
                read(&bytes[..length]).iter().all(Result::is_err),
                "{length}"
            );
        }
        // No byte that is changed leads to a panic.
        for place in (0..bytes.len()).step_by(3) {
            for flip in [1, 0x80] {
                let mut changed = bytes.clone();
                changed[place] ^= flip;
                let _ = read(&changed)[at];
            }
        }
        let told = |change: &dyn Fn(&mut Parts)| {
            let mut parts = Parts::of(&bytes);
            change(&mut parts);
            read(&parts.bytes()).into_iter().nth(at).unwrap()
        };
        let version = file_error(told(&|p| p.header["version"] = json!(7)));
        assert_eq!(
            version,
            FileError::Version {
                expected: 1,
                found: 7
            }
        );
        let no_settings = told(&|p| p.header["settings"] = json!({}));
        assert!(matches!(
            file_error(no_settings),
            FileError::Metadata { .. }
        ));
        let network = told(&|p| p.header["network"] = json!({"layers": ["nothing"]}));
        assert!(matches!(file_error(network), FileError::Network(_)));
        let network =
            told(&|p| p.header["network"] = json!({"layers": [{"conv": {"filter": [3]}}]}));
        assert!(network.is_err());
        let kind = told(&|p| p.header["kind"] = json!("Forest"));
        assert!(matches!(file_error(kind), FileError::Kind { .. }));
        let one_less = told(&|p| p.arrays.retain(|array| array.0 != "x"));
        assert!(matches!(file_error(one_less), FileError::Arrays { .. }));
        let one_more = told(&|p| p.arrays.push(("w".into(), Dtype::F64, vec![0], vec![])));
        assert!(matches!(file_error(one_more), FileError::Arrays { .. }));
        for name in Parts::of(&bytes).arrays.into_iter().map(|array| array.0) {
            let nan = told(&|p| p.array(&name).3[..8].copy_from_slice(&f64::NAN.to_le_bytes()));
            assert!(matches!(file_error(nan), FileError::NonFinite { index, .. } if index[0] == 0));
            let flat = told(&|p| {
                let array = p.array(&name);
                array.2 = vec![1, array.2.iter().product()];
            });
            assert!(flat.is_err(), "{name}");
            let none = told(&|p| {
                let array = p.array(&name);
                (array.2, array.3) = (vec![usize::MAX >> 4, 0], vec![]);
            });
            assert!(matches!(
                file_error(none),
                FileError::Shape { .. } | FileError::Format { .. }
            ));
            let narrow = told(&|p| {
                let array = p.array(&name);
                array.1 = Dtype::F32;
                array.2.push(2);
            });
            let FileError::ElementType {
                array,
                expected,
                found,
            } = file_error(narrow)
            else {
                panic!("{name}")
            };
            assert_eq!((array, expected, &found[..]), (name, "f64", "F32"));
        }
    }
}

#[test]
fn settings_in_files_are_checked() {
    let [ridge, process, flow, _, landmarks] = small();
    for (bytes, at, name, value) in [
        (&ridge, 0, "ridge_added", json!(-1.0)),
        (&ridge, 0, "kernel", json!("other")),
        (&landmarks, 3, "ridge_added", json!(-1.0)),
        (&landmarks, 3, "block", json!(-1)),
        (&process, 1, "noise_added", json!(-0.5)),
        (&process, 1, "process", json!("nngp")),
        (&flow, 2, "learning_rate", json!(0.0)),
        (&flow, 2, "momentum", json!(1.0)),
        (&flow, 2, "loss", json!("cross_entropy")),
        (&flow, 2, "loss", json!({"mean_power": {"power": 0.1}})),
    ] {
        let mut parts = Parts::of(bytes);
        parts.header["settings"][name] = value;
        assert!(read(&parts.bytes())[at].is_err(), "{name}");
    }
    let mut parts = Parts::of(&process);
    parts.array("factor").3[..8].copy_from_slice(&(-1.0_f64).to_le_bytes());
    assert!(read(&parts.bytes())[1].is_err());
    let mut parts = Parts::of(&flow);
    parts.array("eigenvalues").3[..8].copy_from_slice(&1e9_f64.to_le_bytes());
    assert!(read(&parts.bytes())[2].is_err());
}

#[test]
fn other_precisions_and_other_files_are_told() {
    let network = dense_network();
    let (x, y) = (numbers::<f32, _>(1, (4, 2)), numbers::<f32, _>(2, 4));
    let single = KernelRidge::new(&network).alpha(0.1).fit(&x, &y).unwrap();
    let bytes = single.to_safetensors().unwrap();
    assert!(FittedKernelRidge::<f32>::from_safetensors(&bytes).is_ok());
    let told = FittedKernelRidge::<f64>::from_safetensors(&bytes).unwrap_err();
    assert!(
        told.to_string().contains("F32") && told.to_string().contains("f64"),
        "{told}"
    );

    let data = Array1::<f64>::zeros(3)
        .mapv(f64::to_le_bytes)
        .into_raw_vec_and_offset()
        .0
        .concat();
    let weights = TensorView::new(Dtype::F64, vec![3], &data).unwrap();
    let bytes = safetensors::serialize([("x", weights)], None).unwrap();
    let told = FittedKernelRidge::<f64>::from_safetensors(&bytes).unwrap_err();
    assert_eq!(
        told,
        EstimatorError::File(FileError::NoEstimator { key: "estimator" })
    );
    for bytes in [&b""[..], b"x", &[0xff; 64], b"\x02\0\0\0\0\0\0\0{}"] {
        let told = FittedKernelRidge::<f64>::from_safetensors(bytes).unwrap_err();
        assert!(matches!(told, EstimatorError::File(_)), "{told}");
    }
}
