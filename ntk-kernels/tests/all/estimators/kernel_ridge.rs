use super::*;
use ndarray::{Axis, array};
use ntk_kernels::predict::Ridge;
use ntk_kernels::{EstimatorError, Kernel, KernelRidge};

/// `K_td (K_dd + r)^-1 y`.
fn formula(k_dd: &Array2<f64>, k_td: &Array2<f64>, y: &Array2<f64>, r: f64) -> Array2<f64> {
    k_td.dot(&inverse(&lifted(k_dd, r)).0).dot(y)
}

#[test]
fn predictions_are_the_formula() {
    let network = dense_network();
    let (x, z) = (numbers(1, (12, 4)), numbers(2, (5, 4)));
    let y: Array2<f64> = numbers(3, (12, 2));
    let [nn_dd, th_dd] = both(&network, &x, &x);
    let [nn_td, th_td] = both(&network, &z, &x);
    let mean = |k: &Array2<f64>| k.diag().mean().unwrap();
    for (kernel, k_dd, k_td) in [
        (Kernel::Nngp, &nn_dd, &nn_td),
        (Kernel::Ntk, &th_dd, &th_td),
    ] {
        let ridge = KernelRidge::new(&network).kernel(kernel);
        for (alpha, added) in [
            (Ridge::default(), 0.0),
            (0.1.into(), 0.1),
            (Ridge::Relative(0.2), 0.2 * mean(k_dd)),
        ] {
            let fitted = ridge.clone().alpha(alpha).fit(&x, &y).unwrap();
            let expected = formula(k_dd, k_td, &y, added);
            assert!(distance(&fitted.predict(&z).unwrap(), &expected) < 1e-9);
            assert!((fitted.ridge_added() - added).abs() < 1e-14);
            let coefficients = inverse(&lifted(k_dd, added)).0.dot(&y);
            assert!(distance(fitted.coefficients(), &coefficients) < 1e-7);
        }
    }
    // The NTK is the default, and one output may be given as a vector.
    let fitted = KernelRidge::new(&network)
        .alpha(0.1)
        .fit(&x, &y.column(0))
        .unwrap();
    let expected = formula(
        &th_dd,
        &th_td,
        &y.slice(ndarray::s![.., ..1]).to_owned(),
        0.1,
    );
    assert!(distance(&fitted.predict(&z).unwrap(), &expected) < 1e-10);
    assert_eq!(fitted.x(), &x.into_dyn());
    assert_eq!(fitted.network(), &network);
    assert_eq!(fitted.kernel(), Kernel::Ntk);
}

#[test]
fn images_sequences_and_views_are_samples() {
    let network = image_network();
    let images: ndarray::Array4<f64> = numbers(4, (6, 4, 4, 2));
    let (x, z) = images.view().split_at(Axis(0), 4);
    let y: Array2<f64> = numbers(5, (4, 3));
    let fitted = KernelRidge::new(&network).alpha(0.01).fit(&x, &y).unwrap();
    let [_, k_dd] = both(&network, &x, &x);
    let [_, k_td] = both(&network, &z, &x);
    let predicted = fitted.predict(&z).unwrap();
    assert!(distance(&predicted, &formula(&k_dd, &k_td, &y, 0.01)) < 1e-10);

    // Samples in reverse order, transposed in memory.
    let backwards = x.slice(ndarray::s![..;-1, .., .., ..]);
    let reversed = y.slice(ndarray::s![..;-1, ..]);
    let again = KernelRidge::new(&network)
        .alpha(0.01)
        .fit(&backwards, &reversed)
        .unwrap();
    assert!(distance(&again.predict(&z).unwrap(), &predicted) < 1e-12);

    let network = Network::new()
        .then(conv([3]))
        .then(relu())
        .then(global_avg_pool())
        .then(dense());
    let x: ndarray::Array3<f32> = numbers(6, (3, 7, 2));
    let fitted = KernelRidge::new(&network)
        .alpha(1e-2)
        .fit(&x, &array![1.0, 0.5, -1.0])
        .unwrap();
    assert_eq!(fitted.predict(&x).unwrap().dim(), (3, 1));
}

/// Residuals of estimators that have each lost one sample.
fn one_by_one(ridge: &KernelRidge<'_>, x: &Array2<f64>, y: &Array2<f64>) -> Array2<f64> {
    let mut residuals = y.clone();
    for i in 0..x.nrows() {
        let others: Vec<usize> = (0..x.nrows()).filter(|&j| j != i).collect();
        let fitted = ridge
            .fit(&x.select(Axis(0), &others), &y.select(Axis(0), &others))
            .unwrap();
        let predicted = fitted.predict(&x.select(Axis(0), &[i])).unwrap();
        let mut row = residuals.row_mut(i);
        row -= &predicted.row(0);
    }
    residuals
}

#[test]
fn leave_one_out_is_refitting_each_time() {
    let network = dense_network();
    let (x, y): (Array2<f64>, Array2<f64>) = (numbers(7, (9, 3)), numbers(8, (9, 2)));
    let ridge = KernelRidge::new(&network).alpha(0.05);
    let expected = one_by_one(&ridge, &x, &y);
    let fitted = ridge.fit(&x, &y).unwrap();
    assert!(distance(&fitted.leave_one_out().unwrap(), &expected) < 1e-10);
    // Without the factor.
    let path = ridge.path(&x, &y).unwrap();
    assert!(distance(&path.leave_one_out(0.05).unwrap(), &expected) < 1e-10);
    let at = path.at(0.05).unwrap();
    assert!(distance(&at.leave_one_out().unwrap(), &expected) < 1e-10);
}

#[test]
fn a_path_is_as_many_fits() {
    let network = dense_network();
    let (x, y): (Array2<f64>, Array2<f64>) = (numbers(9, (10, 3)), numbers(10, (10, 2)));
    let z = numbers(11, (4, 3));
    let ridge = KernelRidge::new(&network).kernel(Kernel::Nngp);
    let path = ridge.path(&x, &y).unwrap();
    let alphas = [1e-3, 0.1, 10.0];
    let errors = path.errors(&alphas).unwrap();
    let mut least = (f64::INFINITY, 0.0);
    for (&alpha, &error) in alphas.iter().zip(&errors) {
        let ridge = ridge.clone().alpha(alpha);
        let expected = one_by_one(&ridge, &x, &y).mapv(|r| r * r).mean().unwrap();
        assert!((error / expected - 1.0).abs() < 1e-8);
        if expected < least.0 {
            least = (expected, alpha);
        }
        let (found, direct) = (path.at(alpha).unwrap(), ridge.fit(&x, &y).unwrap());
        let gap = distance(&found.predict(&z).unwrap(), &direct.predict(&z).unwrap());
        assert!(gap < 1e-9, "{gap}");
        assert_eq!(found.ridge_added(), alpha);
    }
    assert_eq!(path.best(&alphas).unwrap(), least.1);
    let mean = both(&network, &x, &x)[0].diag().mean().unwrap();
    assert!((path.eigenvalues().sum() / 10.0 - mean).abs() < 1e-12);
    let relative = path.at(Ridge::Relative(0.1)).unwrap();
    assert!((relative.ridge_added() - 0.1 * mean).abs() < 1e-14);
}

#[test]
fn scores_and_classes() {
    let network = dense_network();
    let x: Array2<f64> = numbers(12, (15, 4));
    let y = one_hot(15, 3);
    let fitted = KernelRidge::new(&network).alpha(0.3).fit(&x, &y).unwrap();
    let f = fitted.predict(&x).unwrap();
    let by_hand = (0..3).map(|a| {
        let (f, y) = (f.column(a), y.column(a));
        let mean = y.mean().unwrap();
        let missed: f64 = f.iter().zip(y).map(|(f, y)| (y - f).powi(2)).sum();
        1.0 - missed / y.iter().map(|y| (y - mean).powi(2)).sum::<f64>()
    });
    let by_hand = by_hand.sum::<f64>() / 3.0;
    assert!((fitted.score(&x, &y).unwrap() - by_hand).abs() < 1e-12);
    let classes = fitted.predict_classes(&x).unwrap();
    let right = (0..15).filter(|&i| classes[i] == i % 3).count();
    assert_eq!(fitted.accuracy(&x, &y).unwrap(), right as f64 / 15.0);
    assert!(right > 10);
    let told = fitted.score(&x, &y.column(0)).unwrap_err();
    assert!(matches!(told, EstimatorError::Metric(_)), "{told}");
}

#[test]
fn single_precision_follows_double() {
    let network = dense_network();
    let (x, y): (Array2<f64>, Array2<f64>) = (numbers(13, (20, 4)), numbers(14, (20, 2)));
    let ridge = KernelRidge::new(&network).alpha(0.1);
    let double = ridge.fit(&x, &y).unwrap().predict(&x).unwrap();
    let (x, y) = (x.mapv(|v| v as f32), y.mapv(|v| v as f32));
    let single = ridge.fit(&x, &y).unwrap().predict(&x).unwrap();
    assert!(distance(&single.mapv(f64::from), &double) < 1e-4);
}
