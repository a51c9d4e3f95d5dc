//! Estimators of samples with masks and graphs.

use super::files::Parts;
use super::*;
use ndarray::{Array1, ArrayD, Axis, array, s};
use ntk_kernels::estimators::FileError;
use ntk_kernels::{
    EstimatorError, FittedGaussianProcess, FittedGradientFlow, FittedKernelRidge, GaussianProcess,
    GradientFlow, Graphs, Inputs, Kernel, KernelError, KernelRidge, Structure, StructureError,
    metrics,
};
use safetensors::tensor::Dtype;
use serde_json::json;

struct Case {
    network: Network,
    /// All samples; the last of them are predicted at.
    all: ArrayD<f64>,
    structure: Structure,
}

const FITTED: [usize; 5] = [4, 0, 2, 6, 3];
const OTHERS: [usize; 2] = [5, 1];

impl Case {
    fn part(&self, samples: &[usize]) -> (ArrayD<f64>, Structure) {
        let x = self.all.select(Axis(0), samples);
        (x, self.structure.select(samples).unwrap())
    }

    /// The part of a kernel of all samples.
    fn cut(k: &Array2<f64>, rows: &[usize], columns: &[usize]) -> Array2<f64> {
        k.select(Axis(0), rows).select(Axis(1), columns)
    }
}

/// Sequences of some lengths, and graphs on grids with masked nodes.
fn cases() -> [Case; 2] {
    let lengths = [5, 2, 3, 4, 1, 3, 5];
    let mask = Array2::from_shape_fn((7, 5), |(i, p)| p >= lengths[i]);
    let sequences = Case {
        network: Network::new()
            .then(conv([3]).same().b_std(0.2))
            .then(relu())
            .then(global_avg_pool())
            .then(dense()),
        all: numbers(1, (7, 5, 2)).into_dyn(),
        structure: Structure::of_mask(&mask),
    };
    let mut weights: ndarray::Array5<f64> = numbers(2, (7, 2, 3, 2, 3));
    weights.mapv_inplace(|v| if v > 0.3 { 0.0 } else { v });
    let mask = ndarray::Array3::from_shape_fn((7, 2, 3), |(i, p, q)| (i + p + 2 * q) % 5 == 0);
    let graphs = Case {
        network: Network::new()
            .then(dense())
            .then(relu())
            .then(aggregate())
            .then(dense().b_std(0.1))
            .then(relu())
            .then(global_sum_pool())
            .then(dense()),
        all: numbers(3, (7, 2, 3, 2)).into_dyn(),
        structure: Structure::of_graphs(Graphs::dense(&weights).unwrap()).mask(&mask),
    };
    [sequences, graphs]
}

/// Predictions are those of the parts of one kernel of all samples.
#[test]
fn predictions_are_those_of_kernels_computed_directly() {
    for case in cases() {
        let all = case.network.kernel_fn().structure(&case.structure);
        let kernels = all.kernels(&case.all).unwrap();
        let without = case.network.ntk(&case.all).unwrap();
        assert!(distance(&kernels.ntk, &without) > 1e-2);
        let ((x, s), (z, t)) = (case.part(&FITTED), case.part(&OTHERS));
        let inputs = || Inputs::new(&x).structure(&s);
        let others = || Inputs::new(&z).structure(&t);
        let y: Array2<f64> = numbers(4, (5, 2));
        for (kernel, k) in [(Kernel::Nngp, &kernels.nngp), (Kernel::Ntk, &kernels.ntk)] {
            let dd = Case::cut(k, &FITTED, &FITTED);
            let td = Case::cut(k, &OTHERS, &FITTED);
            let tt = Case::cut(k, &OTHERS, &OTHERS);
            let (inverse, _) = inverse(&lifted(&dd, 0.1));
            let mean = td.dot(&inverse).dot(&y);
            // Some tens of products of numbers of order 1 over a ridge of 0.1.
            let close = 1e-12;
            let ridge = KernelRidge::new(&case.network).kernel(kernel).alpha(0.1);
            let fitted = ridge.fit(inputs(), &y).unwrap();
            assert_eq!((fitted.x(), fitted.structure()), (&x, &s));
            assert!(distance(&fitted.predict(others()).unwrap(), &mean) < close);
            let at = ridge.path(inputs(), &y).unwrap().at(0.1).unwrap();
            assert!(distance(&at.predict(others()).unwrap(), &mean) < close);
            let left = at.leave_one_out().unwrap();
            assert!(distance(&left, &fitted.leave_one_out().unwrap()) < close);
            let flow = GradientFlow::new(&case.network).kernel(kernel).ridge(0.1);
            let flow = flow.fit(inputs(), &y).unwrap();
            assert!(distance(&flow.predict(others()).unwrap(), &mean) < close);
            let process = match kernel {
                Kernel::Nngp => GaussianProcess::nngp(&case.network),
                Kernel::Ntk => GaussianProcess::ntk(&case.network),
            };
            let process = process.noise(0.1).fit(inputs(), &y).unwrap();
            let (found, covariance) = process.predict_with_covariance(others()).unwrap();
            assert!(distance(&found, &mean) < close);
            let expected = &tt - &td.dot(&inverse).dot(&td.t());
            assert!(distance(&covariance, &expected) < close);
            let (_, variance) = process.predict_with_variance(others()).unwrap();
            let diagonal = expected.diag().to_owned().insert_axis(Axis(1));
            assert!(distance(&variance.insert_axis(Axis(1)), &diagonal) < close);
            // What is predicted without the masks and graphs is something else.
            assert!(distance(&fitted.predict(&z).unwrap(), &mean) > 1e-3);
        }
        let of = |rows: &[usize], columns: &[usize]| {
            [&kernels.nngp, &kernels.ntk].map(|k| Case::cut(k, rows, columns))
        };
        let [[s_dd, k_dd], [s_td, k_td]] = [of(&FITTED, &FITTED), of(&OTHERS, &FITTED)];
        let [s_tt, _] = of(&OTHERS, &OTHERS);
        let a = k_td.dot(&inverse(&lifted(&k_dd, 0.1)).0);
        let cross = a.dot(&s_td.t());
        let expected = &s_tt + &a.dot(&s_dd).dot(&a.t()) - &cross - cross.t();
        let ensemble = GaussianProcess::ntk_ensemble(&case.network).noise(0.1);
        let ensemble = ensemble.fit(inputs(), &y).unwrap();
        let (mean, covariance) = ensemble.predict_with_covariance(others()).unwrap();
        assert!(distance(&mean, &a.dot(&y)) < 1e-12);
        assert!(distance(&covariance, &expected) < 1e-12);
        let (_, variance) = ensemble.predict_with_variance(others()).unwrap();
        let diagonal = expected.diag().to_owned().insert_axis(Axis(1));
        assert!(distance(&variance.insert_axis(Axis(1)), &diagonal) < 1e-12);
        let drawn = ensemble.sample(others(), 3, 1).unwrap();
        assert_eq!(drawn.dim(), (3, 2, 2));
    }
}

/// A padded sequence is the sequence without its padding, for a network that averages over positions.
#[test]
fn the_length_of_the_padding_does_not_matter() {
    let [case, _] = cases();
    let ((x, s), y) = (case.part(&FITTED), numbers::<f64, _>(4, 5));
    let ridge = KernelRidge::new(&case.network).alpha(0.1);
    let fitted = ridge.fit(Inputs::new(&x).structure(&s), &y).unwrap();
    let longer = ndarray::concatenate![Axis(1), x, 9.0 + &x];
    let mask = ndarray::concatenate![
        Axis(1),
        *s.masked().unwrap(),
        ArrayD::from_elem(vec![5, 5], true)
    ];
    let padded = Structure::of_mask(&mask);
    let inputs = Inputs::new(&longer).structure(&padded);
    let again = ridge.fit(inputs, &y).unwrap();
    let (one, two) = (fitted.coefficients(), again.coefficients());
    assert!(distance(one, two) < 1e-12);
}

fn misfits(error: Option<EstimatorError>) -> bool {
    let kernel = |error| matches!(error, EstimatorError::Kernel(KernelError::Structure(_)));
    error.is_some_and(kernel)
}

#[test]
fn masks_and_graphs_of_others_are_told() {
    for case in cases() {
        let (x, s) = case.part(&FITTED);
        let (z, t) = case.part(&OTHERS);
        let y: Array1<f64> = numbers(4, 5);
        let network = &case.network;
        let wrong = || Inputs::new(&x).structure(&t);
        let told = [
            KernelRidge::new(network).fit(wrong(), &y).err(),
            KernelRidge::new(network).path(wrong(), &y).err(),
            GaussianProcess::nngp(network).fit(wrong(), &y).err(),
            GaussianProcess::ntk_ensemble(network)
                .fit(wrong(), &y)
                .err(),
            GradientFlow::new(network).fit(wrong(), &y).err(),
        ];
        assert!(told.into_iter().all(misfits));
        let right = || Inputs::new(&x).structure(&s);
        let ridge = KernelRidge::new(network).alpha(0.1).fit(right(), &y);
        let process = GaussianProcess::ntk_ensemble(network).noise(0.1);
        let process = process.fit(right(), &y).unwrap();
        let flow = GradientFlow::new(network).fit(right(), &y).unwrap();
        let ridge = ridge.unwrap();
        let wrong = || Inputs::new(&z).structure(&s);
        let told = [
            ridge.predict(wrong()).err(),
            ridge.predict_classes(wrong()).err(),
            ridge.score(wrong(), &array![1.0, 2.0]).err(),
            ridge.accuracy(wrong(), &array![1.0, 2.0]).err(),
            process.predict(wrong()).err(),
            process.predict_with_variance(wrong()).err(),
            process.predict_with_covariance(wrong()).err(),
            process.sample(wrong(), 1, 1).err(),
            flow.predict(wrong()).err(),
            flow.predict_at(wrong(), &[1.0]).err(),
        ];
        assert!(told.into_iter().all(misfits));
        let y = y.insert_axis(Axis(1));
        let score = metrics::r2(&ridge.predict(right()).unwrap(), &y).unwrap();
        assert_eq!(ridge.score(right(), &y), Ok(score));
    }
}

#[test]
fn files_keep_masks_and_graphs() {
    for case in cases() {
        let ((x, s), (z, t)) = (case.part(&FITTED), case.part(&OTHERS));
        let y: Array2<f64> = numbers(4, (5, 2));
        let (inputs, others) = (
            || Inputs::new(&x).structure(&s),
            || Inputs::new(&z).structure(&t),
        );
        let ridge = KernelRidge::new(&case.network).alpha(0.1);
        let ridge = ridge.fit(inputs(), &y).unwrap();
        let bytes = ridge.to_safetensors().unwrap();
        let again = FittedKernelRidge::from_safetensors(&bytes).unwrap();
        assert_eq!((again.x(), again.structure()), (&x, &s));
        assert_eq!(again.predict(others()), ridge.predict(others()));
        assert_eq!(again.leave_one_out(), ridge.leave_one_out());
        assert_eq!(again.to_safetensors().unwrap(), bytes);
        let process = GaussianProcess::ntk_ensemble(&case.network).noise(0.1);
        let process = process.fit(inputs(), &y).unwrap();
        let again = process.to_safetensors().unwrap();
        let again = FittedGaussianProcess::from_safetensors(&again).unwrap();
        let covariance = |f: &FittedGaussianProcess<f64>| f.predict_with_covariance(others());
        assert_eq!(covariance(&again), covariance(&process));
        let flow = GradientFlow::new(&case.network).fit(inputs(), &y).unwrap();
        let again = flow.to_safetensors().unwrap();
        let again = FittedGradientFlow::from_safetensors(&again).unwrap();
        assert_eq!(again.predict(others()), flow.predict(others()));

        // In f32 the weights of edges are still those of f64.
        let (x, y) = (x.mapv(|v| v as f32), y.mapv(|v| v as f32));
        let ridge = KernelRidge::new(&case.network).alpha(0.1);
        let ridge = ridge.fit(Inputs::new(&x).structure(&s), &y).unwrap();
        let bytes = ridge.to_safetensors().unwrap();
        let again = FittedKernelRidge::<f32>::from_safetensors(&bytes).unwrap();
        assert_eq!(again.structure(), &s);
    }
}

#[test]
fn damaged_masks_and_graphs_are_told() {
    let [sequences, graphs] = cases();
    let bytes = |case: &Case| {
        let (x, s) = case.part(&FITTED);
        let ridge = KernelRidge::new(&case.network).alpha(0.1);
        let fitted = ridge.fit(Inputs::new(&x).structure(&s), &Array1::<f64>::ones(5));
        fitted.unwrap().to_safetensors().unwrap()
    };
    let told = |bytes: &[u8], change: &dyn Fn(&mut Parts)| {
        let mut parts = Parts::of(bytes);
        change(&mut parts);
        let read = FittedKernelRidge::<f64>::from_safetensors(&parts.bytes());
        read.map(|fitted| fitted.structure().clone())
    };
    let file = |result: Result<Structure, EstimatorError>| match result {
        Err(EstimatorError::File(error)) => error,
        other => panic!("{other:?}"),
    };
    let of = bytes(&graphs);
    assert_eq!(told(&of, &|_| ()), Ok(graphs.part(&FITTED).1));
    for (name, size) in [("mask", 1), ("edges", 8), ("edge_weights", 8)] {
        let shape = |error| matches!(error, FileError::Shape { array, .. } if array == name);
        let flat = told(&of, &|p| {
            let array = p.array(name);
            array.2 = vec![1, array.2.iter().product()];
        });
        assert!(flat.is_err(), "{name}");
        let none = told(&of, &|p| p.arrays.retain(|array| array.0 != name));
        assert_eq!(none.is_err(), name != "mask", "{name}");
        if name == "mask" {
            let two = told(&of, &|p| p.array(name).3[0] = 2);
            assert!(shape(file(two)));
        } else {
            let other = told(&of, &|p| p.array(name).1 = Dtype::I64);
            assert!(shape(file(other)), "{name}");
        }
        let less = told(&of, &|p| {
            let array = p.array(name);
            array.2[0] -= 1;
            let bytes = size * array.2.iter().product::<usize>();
            array.3.truncate(bytes);
        });
        assert!(less.is_err(), "{name}");
    }
    for (at, known) in [(0, "of sample"), (1, "names node"), (2, "names node")] {
        let far = told(&of, &|p| {
            p.array("edges").3[8 * at..8 * at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        });
        let far = file(far).to_string();
        assert!(far.contains(known), "{far}");
    }
    let nan = told(&of, &|p| {
        p.array("edge_weights").3[..8].copy_from_slice(&f64::NAN.to_le_bytes());
    });
    let weight = |error| matches!(error, FileError::Structure(StructureError::Weight { .. }));
    assert!(weight(file(nan)));
    for nodes in [json!([6]), json!([]), json!([usize::MAX, 7])] {
        assert!(told(&of, &|p| p.header["nodes"] = nodes.clone()).is_err());
    }
    let no_nodes = told(&of, &|p| {
        p.header.as_object_mut().unwrap().remove("nodes");
    });
    assert!(matches!(file(no_nodes), FileError::Arrays { .. }));
    // Graphs for a network that does not use them.
    let (of, mask) = (bytes(&sequences), sequences.part(&FITTED).1);
    assert_eq!(told(&of, &|_| ()), Ok(mask));
    assert!(told(&of, &|p| p.header["nodes"] = json!([5])).is_err());
    let shorter = told(&of, &|p| {
        let array = p.array("mask");
        let shape = s![.., ..4];
        let mask = Array2::from_shape_vec((5, 5), array.3.clone()).unwrap();
        (array.2, array.3) = (vec![5, 4], mask.slice(shape).iter().copied().collect());
    });
    assert!(misfits(shorter.err()));
    // No byte that is changed leads to a panic.
    for of in [of, bytes(&graphs)] {
        for place in (0..of.len()).step_by(7) {
            let mut changed = of.clone();
            changed[place] ^= 0x81;
            let _ = FittedKernelRidge::<f64>::from_safetensors(&changed);
        }
    }
}
