use super::*;
use ndarray::{Array4, ArrayD, Axis, array, s};
use ntk_kernels::dual::Activation;
use ntk_kernels::predict::Ridge;
use ntk_kernels::{
    EstimatorError, Features, Inputs, Kernel, KernelError, KernelRidge, Smooth, Structure,
};
use ntk_linalg::{Cancelled, Observer};
use std::sync::atomic::{AtomicU64, Ordering};

const KERNELS: [Kernel; 2] = [Kernel::Nngp, Kernel::Ntk];

/// `z z^T`, the features' kernel.
fn near<T: Real, D: Dimension>(features: &Features<'_>, x: &ArrayRef<T, D>) -> Array2<T> {
    let map = features.map(shape(x)).unwrap();
    let z: Array2<T> = map.transform(x).unwrap();
    z.dot(&z.t())
}

fn shape<T, D: Dimension>(x: &ArrayRef<T, D>) -> Shape {
    let (&channels, positions) = x.shape()[1..].split_last().unwrap();
    Shape::new(positions, channels)
}

fn exact<T: Real, D: Dimension>(
    network: &Network,
    kernel: Kernel,
    x: &ArrayRef<T, D>,
) -> Array2<T> {
    let found = network.kernels(x).unwrap();
    match kernel {
        Kernel::Nngp => found.nngp,
        Kernel::Ntk => found.ntk,
    }
}

/// The mean over seeds of the squared error of each entry, and the mean error.
fn errors<D: Dimension>(
    features: &Features<'_>,
    x: &ArrayRef<f64, D>,
    exact: &Array2<f64>,
    seeds: u64,
) -> [Array2<f64>; 2] {
    let mut sums = [exact * 0.0, exact * 0.0];
    for seed in 0..seeds {
        let error = near(&features.clone().seed(seed), x) - exact;
        sums[0] += &(&error * &error);
        sums[1] += &error;
    }
    sums.map(|sum| sum / seeds as f64)
}

/// The mean squared error falls as one over the number of features: from `count` to four times as many
/// by 4. Means over `seeds` spread by at most `sqrt(2 / seeds)` of themselves, where all entries err
/// together, and their quotient by twice the square of that; a factor of 2 is more than 3 times this.
fn falls<D: Dimension>(features: &Features<'_>, network: &Network, x: &ArrayRef<f64, D>) {
    let (seeds, count) = (100, 128);
    for kernel in KERNELS {
        let expected = exact(network, kernel, x);
        let error = |count| {
            let features = features.clone().kernel(kernel).count(count);
            errors(&features, x, &expected, seeds)[0].mean().unwrap()
        };
        let (few, many) = (error(count), error(4 * count));
        assert!(
            (2.0..8.0).contains(&(few / many)),
            "{network}{kernel}: {few} at {count}, {many} at 4 times as many"
        );
    }
}

#[test]
fn linear_networks_are_exact() {
    let paths = || {
        [
            Network::new().then(dense().b_std(0.7)),
            Network::new().then(identity()),
        ]
    };
    let vectors = |standard| {
        let network = Network::new()
            .then(dense().w_std(1.3).b_std(0.4))
            .then(branch(paths()))
            .then(layer_norm().eps(0.1))
            .then(dense().w_std(0.8).b_std(0.0));
        match standard {
            true => network.parameterization(Parameterization::Standard),
            false => network,
        }
    };
    let images = Network::new()
        .then(conv([3, 3]).same().b_std(0.3))
        .then(layer_norm().axes([1, -1]))
        .then(avg_pool([2, 2]))
        .then(conv([2, 2]).strides([2, 1]))
        .then(global_sum_pool().axes([2]))
        .then(flatten())
        .then(dense().b_std(0.2));
    let x: Array2<f64> = numbers(1, (7, 5));
    let z: Array4<f64> = numbers(2, (4, 6, 5, 2));
    let check = |found: Array2<f64>, expected: Array2<f64>| {
        // Sums of some thousand products.
        let gap = distance(&found, &expected);
        assert!(
            gap < 1e-12 * distance(&expected, &(&expected * 0.0)),
            "{gap}"
        );
    };
    for kernel in KERNELS {
        for standard in [false, true] {
            let network = vectors(standard);
            let features = Features::new(&network).kernel(kernel);
            check(near(&features, &x), exact(&network, kernel, &x));
            // As many as the layers have: no more than are needed.
            let map = features.map::<f64>(5).unwrap();
            assert!(map.count() < 60, "{}", map.count());
        }
        let features = Features::new(&images).kernel(kernel).count(50_000);
        check(near(&features, &z), exact(&images, kernel, &z));
        let (single, expected) = (z.mapv(|v| v as f32), exact(&images, kernel, &z));
        let gap = distance(&near(&features, &single).mapv(f64::from), &expected);
        assert!(gap < 1e-5 * expected[[0, 0]], "{gap}");
    }
}

/// Features `f(W x)` of one layer, whose mean and variance are `K` and `(E[f(a)^2 f(b)^2] - K^2) / m`:
/// the squares of these are activations, too, with kernels of their own.
#[test]
fn arc_cosine_features_have_their_mean_and_variance() {
    let x: Array2<f64> = numbers(1, (4, 3));
    let (seeds, m) = (1500_u64, 40);
    for (f, square, factor) in [
        (relu(), rectified_monomial(2), 1.0),
        (abs(), monomial(2), 1.0),
        (rectified_monomial(0), rectified_monomial(0), 1.0),
        (sign(), monomial(0), 1.0),
        (abrelu(0.0, 2.0), rectified_monomial(2), 16.0),
    ] {
        let network = |f: &Activation| Network::new().then(dense()).then(f.clone());
        let expected = network(&f).nngp(&x).unwrap();
        let squares = factor * network(&square).nngp(&x).unwrap();
        let features = Features::new(&network(&f)).kernel(Kernel::Nngp).count(m);
        let [found, bias] = errors(&features, &x, &expected, seeds);
        let variance = (squares - &expected * &expected) / m as f64;
        for ((&found, &bias), &variance) in found.iter().zip(&bias).zip(&variance) {
            if variance < 1e-15 {
                assert!(found < 1e-20, "{f}: {found}");
                continue;
            }
            let n = seeds as f64;
            assert!(
                bias.abs() < 4.5 * (variance / n).sqrt(),
                "{f}: {bias} {variance}"
            );
            // The kurtosis of a mean of m products, each below 100, is below 3 + 100 / m.
            let spread = (5.0 / n).sqrt();
            let ratio = found / variance;
            assert!((ratio - 1.0).abs() < 4.5 * spread, "{f}: {ratio}");
        }
    }
}

/// One hidden layer of ReLU: the error of the NTK has no bias, and lies between what its parts add to
/// the variance where the two arc-cosine features err apart and where they err together.
#[test]
fn errors_of_the_ntk_are_those_of_its_parts() {
    let network = Network::new().then(dense()).then(relu()).then(dense());
    let x: Array2<f64> = numbers(1, (5, 12));
    let (seeds, count) = (800_u64, 128);
    let expected = exact(&network, Kernel::Ntk, &x);
    let [found, bias] = errors(&Features::new(&network).count(count), &x, &expected, seeds);
    let (d, m, n) = (12.0, count as f64, seeds as f64);
    for i in 0..5 {
        for j in 0..i {
            let (one, two) = (x.row(i), x.row(j));
            let [q1, q2, q] = [one.dot(&one), two.dot(&two), one.dot(&two)].map(|q| q / d);
            let entries: f64 = one.iter().zip(two).map(|(a, b)| (a * b / d).powi(2)).sum();
            let step = rectified_monomial(0).dual(q1, q2, q).0;
            let value = relu().dual(q1, q2, q).0;
            let square = rectified_monomial(2).dual(q1, q2, q).0;
            let values = ((square - value * value) / m).sqrt();
            let slopes = q.abs() * ((step - step * step) / m).sqrt();
            let a = q1 * q2 + q * q - 2.0 * entries;
            // Half of the steps are 1: |y|^2 is 1/2 with a variance of 1/(4 m).
            let b = 0.25 + step * step + 1.0 / m;
            let sketch = (a * b + q * q * b + (step * step + 1.0 / m) * a) / m;
            let fold = expected[[i, i]] * expected[[j, j]] + expected[[i, j]].powi(2);
            let fold = fold / (2.0 * m - 1.0);
            let most = (values + slopes).powi(2) + sketch + fold * (1.0 + 8.0 / m);
            let least = (values - slopes).powi(2) + fold * (1.0 - 8.0 / m);
            let (found, bias) = (found[[i, j]], bias[[i, j]]);
            let spread = 4.0 * (3.0 / n).sqrt();
            assert!(found < most * (1.0 + spread), "{found} {most}");
            assert!(found > least * (1.0 - spread), "{found} {least}");
            assert!(bias.abs() < 4.0 * (most / n).sqrt(), "{bias} {most}");
        }
    }
}

#[test]
fn errors_fall_with_the_root_of_the_count() {
    let x: Array2<f64> = numbers(1, (6, 10));
    let deep = Network::new()
        .then(dense().b_std(0.3))
        .then(relu())
        .then(dense().w_std(1.4))
        .then(relu())
        .then(dense().b_std(0.1));
    falls(&Features::new(&deep), &deep, &x);
    let standard = deep.parameterization(Parameterization::Standard);
    falls(&Features::new(&standard), &standard, &x);
    let block = Network::new()
        .then(leaky_relu(0.1))
        .then(dense().w_std(1.2));
    let residual = Network::new()
        .then(dense())
        .then(residual(block))
        .then(layer_norm())
        .then(abs())
        .then(dense());
    falls(&Features::new(&residual), &residual, &x);
}

#[test]
fn errors_of_images_fall_with_the_root_of_the_count() {
    let x: Array4<f64> = numbers(1, (3, 5, 5, 2));
    let pooled = Network::new()
        .then(conv([3, 3]).same().b_std(0.2))
        .then(relu())
        .then(avg_pool([2, 2]))
        .then(conv([2, 2]))
        .then(relu())
        .then(global_avg_pool())
        .then(dense());
    falls(&Features::new(&pooled), &pooled, &x);
    falls(&Features::new(&image_network()), &image_network(), &x);
}

#[test]
fn errors_of_smooth_activations_fall_with_the_root_of_the_count() {
    let x: Array2<f64> = numbers(1, (6, 10));
    for f in [gelu(), erf(1.0, 1.5, 0.2), polynomial([0.3, -1.0, 0.5])] {
        let network = Network::new()
            .then(dense().w_std(1.5))
            .then(f.clone())
            .then(dense().b_std(0.2))
            .then(f)
            .then(dense());
        for smooth in [Smooth::Random, Smooth::Polynomial { degree: 20 }] {
            falls(&Features::new(&network).smooth(smooth), &network, &x);
        }
    }
}

/// The bias of an expansion that ends early is its rest, which the kernels say: of erf, odd, those of
/// degree 1 have `(E[f'(z)])^2 q` left.
#[test]
fn expansions_end_where_they_are_told() {
    let x: Array2<f64> = numbers(1, (4, 3));
    let network = Network::new().then(dense()).then(erf(1.0, 1.0, 0.0));
    let seeds = 600;
    let features = Features::new(&network).kernel(Kernel::Nngp).count(64);
    let features = features.smooth(Smooth::Polynomial { degree: 1 });
    let q = x.dot(&x.t()) / 3.0;
    let slope = |v: f64| 2.0 / std::f64::consts::PI.sqrt() / (1.0 + 2.0 * v).sqrt();
    let linear = Array2::from_shape_fn((4, 4), |(i, j)| {
        q[[i, j]] * slope(q[[i, i]]) * slope(q[[j, j]])
    });
    // Nothing is folded or sketched.
    let [found, _] = errors(&features, &x, &linear, 2);
    assert!(found.iter().all(|error| *error < 1e-26), "{found}");
    // To degree 3 there is a sketch, whose mean is the term.
    let expected = network.nngp(&x).unwrap();
    let features = features.smooth(Smooth::Polynomial { degree: 3 });
    let [found, bias] = errors(&features, &x, &expected, seeds);
    for ((i, j), &bias) in bias.indexed_iter() {
        let tail = |i: usize| {
            let v: f64 = q[[i, i]];
            // E[erf'''] = slope (-2 / (1 + 2 v)), r_3 = v^1.5 E[f'''] / sqrt(6).
            let third = v.powf(1.5) * slope(v) * 2.0 / (1.0 + 2.0 * v) / 6.0_f64.sqrt();
            expected[[i, i]] - linear[[i, i]] - third * third
        };
        let allowed = (tail(i) * tail(j)).sqrt() + 4.5 * (found[[i, j]] / seeds as f64).sqrt();
        assert!(bias.abs() < allowed, "{bias} {allowed}");
    }
}

#[test]
fn features_have_the_same_bits_whatever_is_beside_them() {
    let pool = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap()
    };
    fn check<T: Real, D: Dimension>(
        network: &Network,
        x: &Array<T, D>,
        count: usize,
        pools: [rayon::ThreadPool; 2],
    ) {
        let features = Features::new(network).count(count).seed(3);
        let make = || features.map::<T>(shape(x)).unwrap().transform(x).unwrap();
        let [one, three] = pools.map(|pool| pool.install(make));
        assert_eq!(one, three);
        let map = features.map::<T>(shape(x)).unwrap();
        for rows in [1, 5, 70] {
            for (number, part) in x.axis_chunks_iter(Axis(0), rows).enumerate() {
                let start = number * rows;
                let own = map.transform(&part.to_owned()).unwrap();
                assert_eq!(own, one.slice(s![start..start + part.len_of(Axis(0)), ..]));
            }
        }
        // Samples in columns.
        let turned = x.t().as_standard_layout().into_owned();
        assert_eq!(map.transform(&turned.t()).unwrap(), one);
        let other = features.clone().seed(4).map::<T>(shape(x)).unwrap();
        assert_ne!(other.transform(x).unwrap(), one);
    }
    let pools = || [pool(1), pool(3)];
    // Features before and after of numbers that no vector has.
    for count in [37, 300] {
        check::<f32, _>(&dense_network(), &numbers(1, (230, 9)), count, pools());
        check::<f64, _>(&dense_network(), &numbers(1, (230, 9)), count, pools());
        check::<f32, _>(&image_network(), &numbers(1, (7, 6, 6, 3)), count, pools());
    }
}

#[test]
fn single_precision_has_the_same_features() {
    let x: Array2<f64> = numbers(1, (8, 9));
    let features = Features::new(&dense_network()).count(500);
    let double = features.map(9).unwrap().transform(&x).unwrap();
    let single = x.mapv(|v| v as f32);
    let single = features.map(9).unwrap().transform(&single).unwrap();
    let largest = double.fold(0.0_f64, |most, z| most.max(z.abs()));
    // No step of a derivative is crossed by rounding here.
    let gap = distance(&single.mapv(f64::from), &double);
    assert!(gap < 1e-4 * largest, "{gap} {largest}");
}

/// Regression on features is that with the kernel `z z^T`.
#[test]
fn fits_are_kernel_ridge_with_the_features_kernel() {
    let network = dense_network();
    let (x, y): (Array2<f64>, Array2<f64>) = (numbers(1, (40, 4)), numbers(3, (40, 2)));
    let z: Array2<f64> = numbers(2, (9, 4));
    for kernel in KERNELS {
        for alpha in [Ridge::Absolute(0.05), Ridge::Relative(0.2)] {
            let features = Features::new(&network)
                .kernel(kernel)
                .count(70)
                .alpha(alpha);
            let fitted = features.block(7).fit(&x, &y).unwrap();
            let [of_x, of_z] = [&x, &z].map(|x| fitted.map().transform(x).unwrap());
            let k = of_x.dot(&of_x.t());
            let added = match alpha {
                Ridge::Relative(by) => by * k.diag().mean().unwrap(),
                _ => 0.05,
            };
            assert!((fitted.ridge_added() / added - 1.0).abs() < 1e-12);
            let inverse = inverse(&lifted(&k, added)).0;
            let expected = of_z.dot(&of_x.t()).dot(&inverse).dot(&y);
            assert!(distance(&fitted.predict(&z).unwrap(), &expected) < 1e-9);
            let coefficients = of_x.t().dot(&inverse).dot(&y);
            assert!(distance(fitted.coefficients(), &coefficients) < 1e-9);
            // Leaving out: (K^-1 y)_i / (K^-1)_ii.
            let ends = inverse.diag().insert_axis(Axis(1)).to_owned();
            let expected = inverse.dot(&y) / ends;
            assert!(distance(&fitted.leave_one_out(&x, &y).unwrap(), &expected) < 1e-9);
            let mean = expected.mapv(|e| e * e).mean().unwrap();
            let errors = fitted.errors(&x, &y, &[alpha]).unwrap();
            assert!((errors[0] / mean - 1.0).abs() < 1e-9);
            let parameters = k.dot(&inverse).diag().sum();
            assert!((fitted.effective_parameters() - parameters).abs() < 1e-9);
            assert_eq!(fitted.samples(), 40);
            assert!(fitted.residual() < 1e-11);
            let again = fitted.at(3.0).unwrap().at(alpha).unwrap();
            assert_eq!(again.predict(&z).unwrap(), fitted.predict(&z).unwrap());
        }
    }
}

#[test]
fn fits_approach_kernel_ridge() {
    let network = dense_network();
    let (x, y): (Array2<f64>, Array2<f64>) = (numbers(1, (50, 4)), numbers(3, (50, 1)));
    let z: Array2<f64> = numbers(2, (30, 4));
    let ridge = KernelRidge::new(&network).alpha(Ridge::Relative(0.3));
    let expected = ridge.fit(&x, &y).unwrap().predict(&z).unwrap();
    let error = |count| {
        let squares = (0..20).map(|seed| {
            let features = Features::new(&network).count(count).seed(seed);
            let fitted = features.alpha(Ridge::Relative(0.3)).fit(&x, &y).unwrap();
            let error = fitted.predict(&z).unwrap() - &expected;
            error.mapv(|e| e * e).mean().unwrap()
        });
        squares.sum::<f64>() / 20.0
    };
    let (few, many) = (error(64), error(1024));
    // By 16, as the kernel's; means over 20 seeds spread by at most a third.
    assert!((6.0..45.0).contains(&(few / many)), "{few} {many}");
    let size = expected.mapv(|e| e * e).mean().unwrap();
    assert!(many < 0.05 * size, "{many} {size}");
}

#[test]
fn streams_are_whole_fits() {
    let network = dense_network();
    let (x, y): (Array2<f32>, Array2<f32>) = (numbers(1, (50, 4)), numbers(3, (50, 2)));
    let features = Features::new(&network).count(30).alpha(0.1).block(16);
    let whole = features.fit(&x, &y).unwrap();
    let blocks = |x: &Array2<f32>, rows| {
        let y = y.clone();
        let parts = x.axis_chunks_iter(Axis(0), rows);
        let parts: Vec<_> = parts.map(|part| part.to_owned()).collect();
        let starts = parts.into_iter().enumerate();
        starts.map(move |(number, part)| {
            let rows = number * rows..number * rows + part.nrows();
            Ok::<_, EstimatorError>((part.into_dyn(), y.slice(s![rows, ..]).to_owned()))
        })
    };
    let stream = features
        .clone()
        .samples(50)
        .fit_blocks(4, blocks(&x, 32))
        .unwrap();
    assert_eq!(stream.coefficients(), whole.coefficients());
    let told = features
        .clone()
        .samples(40)
        .fit_blocks(4, blocks(&x, 32))
        .unwrap_err();
    let length = EstimatorError::StreamLength {
        expected: 40,
        found: 50,
    };
    assert_eq!(told, length);
    let told = features.fit_blocks(5, blocks(&x, 32)).unwrap_err();
    let shapes = matches!(&told, EstimatorError::Block { first: 0, source }
        if matches!(**source, EstimatorError::Kernel(KernelError::Shapes { .. })));
    assert!(shapes, "{told}");
    let mut bad = x.clone();
    bad[[35, 1]] = f32::NAN;
    for told in [
        features.fit(&bad, &y).unwrap_err(),
        features.fit_blocks(4, blocks(&bad, 16)).unwrap_err(),
    ] {
        assert!(
            matches!(told, EstimatorError::Block { first: 32, .. }),
            "{told}"
        );
    }

    struct Until(AtomicU64);
    impl Observer for Until {
        fn advance(&self, units: u64) {
            self.0.fetch_add(units, Ordering::Relaxed);
        }
        fn cancelled(&self) -> bool {
            self.0.load(Ordering::Relaxed) >= 32
        }
    }
    let observer = Until(AtomicU64::new(0));
    let features = Features::new(&network)
        .count(30)
        .block(16)
        .observer(&observer);
    let told = features.fit(&x, &y).unwrap_err();
    let cancelled = EstimatorError::Predict(Cancelled.into());
    assert_eq!(told, cancelled);
    assert_eq!(observer.0.into_inner(), 32);
}

#[test]
fn what_has_no_features_is_told() {
    let path = || Network::new().then(dense()).then(relu());
    let norm = layer_norm().affine(true);
    let own = closed_form("own", |_, _, q| (q, 1.0));
    let cases: Vec<(Network, Shape, &str, &str)> = vec![
        (path().then(dropout(0.5)), 4.into(), "layers[2]", "dropout"),
        (
            path().then(dense()).then(norm).then(dense()),
            4.into(),
            "layers[3]",
            "layer_norm",
        ),
        (
            Network::new().then(dense()).then(own),
            4.into(),
            "layers[1]",
            "closed_form",
        ),
        (
            path().then(product([path(), path()])).then(dense()),
            4.into(),
            "layers[2]",
            "branch",
        ),
        (
            path().then(concat(-1, [path(), path()])).then(dense()),
            4.into(),
            "layers[2]",
            "branch",
        ),
        (
            path()
                .then(branch([
                    path().then(dense()),
                    path().then(dropout(0.5)).then(dense()),
                ]))
                .then(dense()),
            4.into(),
            "layers[2].branch.paths[1][2]",
            "dropout",
        ),
        (
            Network::new()
                .then(conv_local([3]))
                .then(relu())
                .then(flatten()),
            [8, 2].into(),
            "layers[0]",
            "conv_local",
        ),
        (
            Network::new()
                .then(attention())
                .then(flatten())
                .then(dense()),
            [4, 3].into(),
            "layers[0]",
            "attention",
        ),
        (
            path()
                .then(aggregate())
                .then(global_avg_pool())
                .then(dense()),
            [4, 3].into(),
            "layers[2]",
            "aggregate",
        ),
        (
            Network::new().then(recurrent(relu())),
            [4, 3].into(),
            "layers[0]",
            "recurrent",
        ),
        (
            Network::new()
                .then(embedding(9))
                .then(flatten())
                .then(dense()),
            4.into(),
            "layers[0]",
            "embedding",
        ),
    ];
    for (network, input, at, called) in cases {
        let told = Features::new(&network).map::<f64>(input).unwrap_err();
        let EstimatorError::NoFeatures { path, name, .. } = &told else {
            panic!("{network}: {told}");
        };
        assert_eq!((&path[..], &name[..]), (at, called), "{told}");
        assert!(told.to_string().contains("Landmarks"), "{told}");
    }
}

#[test]
fn what_does_not_fit_is_told() {
    let network = dense_network();
    let features = Features::new(&network).count(20);
    assert_eq!(
        features.clone().count(0).map::<f64>(3).unwrap_err(),
        EstimatorError::FeatureCount
    );
    for degree in [0, 101] {
        let smooth = Smooth::Polynomial { degree };
        let told = features.clone().smooth(smooth).map::<f64>(3).unwrap_err();
        assert!(told.to_string().contains("from 1 to 100"), "{told}");
    }
    let told = features.map::<f64>([3, 0]).unwrap_err();
    assert!(
        matches!(told, EstimatorError::Kernel(KernelError::Empty { .. })),
        "{told}"
    );
    // A network for images, and one that leaves positions.
    let told = Features::new(&image_network()).map::<f64>(3).unwrap_err();
    assert!(
        matches!(told, EstimatorError::Kernel(KernelError::Network(_))),
        "{told}"
    );
    let told = Features::new(&Network::new().then(relu()))
        .map::<f64>([4, 3])
        .unwrap_err();
    assert!(matches!(told, EstimatorError::Kernel(_)), "{told}");
    let told = features.clone().count(1 << 40).map::<f64>(3).unwrap_err();
    assert!(
        matches!(told, EstimatorError::Kernel(KernelError::Memory { .. })),
        "{told}"
    );

    let map = features.map::<f64>(3).unwrap();
    let told = map.transform(&array![[1.0, 2.0]]).unwrap_err();
    assert!(
        matches!(told, EstimatorError::Kernel(KernelError::Shapes { .. })),
        "{told}"
    );
    let told = map.transform(&array![1.0, 2.0, 3.0]).unwrap_err();
    assert!(
        matches!(told, EstimatorError::Kernel(KernelError::Axes { .. })),
        "{told}"
    );
    let told = map.transform(&array![[1.0, f64::NAN, 3.0]]).unwrap_err();
    let nan = KernelError::NonFinite {
        input: "x1",
        index: vec![0, 1],
        value: f64::NAN,
    };
    assert_eq!(
        format!("{told:?}"),
        format!("{:?}", EstimatorError::Kernel(nan))
    );
    let told = map.transform(&array![[1.0, 1e300, 1e300]]).unwrap_err();
    assert!(matches!(told, EstimatorError::Predict(_)), "{told}");
    assert_eq!(
        map.transform(&Array2::zeros((0, 3))).unwrap().dim(),
        (0, 20)
    );

    // Masks.
    let masked = Structure::of_mask(&array![[false, true]]);
    let x = ArrayD::<f64>::zeros(vec![1, 2, 3]);
    let network = Network::new()
        .then(dense())
        .then(relu())
        .then(global_avg_pool());
    let inputs = Inputs::new(&x).structure(&masked);
    let told = Features::new(&network)
        .fit(inputs, &array![1.0])
        .unwrap_err();
    assert!(told.to_string().contains("masks"), "{told}");
}
