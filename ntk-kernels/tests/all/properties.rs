//! What must hold for kernels of any network and input.

use approx::assert_relative_eq;
use ndarray::{Array2, Array4, ArrayView, Axis, Ix4, RemoveAxis, concatenate, s};
use ntk_kernels::KernelError;
use ntk_kernels::network::*;
use ntk_linalg::{Real, eigenvalues};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn both<T: Real, D: RemoveAxis>(
    network: &Network,
    x1: ArrayView<'_, T, D>,
    x2: Option<ArrayView<'_, T, D>>,
) -> [Array2<T>; 2] {
    let found = match x2 {
        None => network.kernels(&x1),
        Some(x2) => network.kernels_between(&x1, &x2),
    };
    let found = found.unwrap();
    [found.nngp, found.ntk]
}

fn images(n: usize, height: usize, width: usize, channels: usize, seed: u64) -> Array4<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array4::from_shape_fn((n, height, width, channels), |_| {
        rng.random_range(-1.0..1.0)
    })
}

fn vectors(n: usize, d: usize, seed: u64) -> Array2<f64> {
    images(n, 1, 1, d, seed)
        .into_shape_with_order((n, d))
        .unwrap()
}

/// Networks on images that between them use every kind of layer.
fn image_networks() -> Vec<Network> {
    let same = || conv([3, 3]).same().w_std(1.3).b_std(0.2);
    let start = Network::new().then(same()).then(relu());
    vec![
        start
            .clone()
            .then(avg_pool([2, 2]))
            .then(same())
            .then(relu())
            .then(flatten())
            .then(dense()),
        start
            .clone()
            .then(conv([2, 3]).strides([2, 1]))
            .then(gelu())
            .then(global_avg_pool())
            .then(dense()),
        start
            .clone()
            .then(residual(
                Network::new()
                    .then(same())
                    .then(abs())
                    .then(conv([3, 3]).same()),
            ))
            .then(global_sum_pool()),
        Network::new()
            .then(conv([3, 2]).circular())
            .then(layer_norm().axes([1, -1]))
            .then(relu())
            .then(attention())
            .then(flatten()),
        start
            .then(dropout(0.8))
            .then(sum_pool([3, 3]).strides([1, 1]).same())
            .then(dense())
            .then(sin(1.0, 1.2, 0.3))
            .then(flatten()),
    ]
}

fn check_symmetric_and_positive(k: &Array2<f64>) {
    assert_eq!(k, &k.t());
    let spectrum = eigenvalues(k).unwrap();
    let largest = spectrum.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let rounding = 1e-13 * largest * k.nrows() as f64;
    assert!(spectrum.iter().all(|v| *v >= -rounding), "{spectrum}");
}

#[test]
fn symmetric_positive_and_swapped_on_images() {
    for network in image_networks() {
        let (x, z) = (images(7, 6, 5, 2, 1), images(5, 6, 5, 2, 2));
        let all = concatenate(Axis(0), &[x.view(), z.view()]).unwrap();
        let whole = both(&network, all.view(), None);
        let cross = both(&network, x.view(), Some(z.view()));
        let swapped = both(&network, z.view(), Some(x.view()));
        let own = network.kernel_diagonal(&all).unwrap();
        for (k, own) in whole.iter().zip([&own.nngp, &own.ntk]) {
            check_symmetric_and_positive(k);
            assert_relative_eq!(k.diag().to_owned(), own.to_owned(), max_relative = 1e-12);
        }
        for ((whole, cross), swapped) in whole.iter().zip(&cross).zip(&swapped) {
            assert_relative_eq!(
                cross,
                &whole.slice(s![..7, 7..]).to_owned(),
                max_relative = 1e-10,
                epsilon = 1e-13
            );
            assert_relative_eq!(
                cross,
                &swapped.t().to_owned(),
                max_relative = 1e-10,
                epsilon = 1e-13
            );
        }
    }
}

#[test]
fn one_kernel_alone_is_that_of_both() {
    for network in image_networks() {
        let x = images(5, 6, 5, 2, 3);
        let [nngp, ntk] = both(&network, x.view(), None);
        let alone = network.nngp(&x).unwrap();
        assert_relative_eq!(alone, nngp, max_relative = 1e-13, epsilon = 1e-15);
        assert_eq!(network.ntk(&x).unwrap(), ntk);
        let single = network.kernel_fn().precision::<f32>().ntk(&x).unwrap();
        assert_eq!(single, network.ntk(&x.mapv(|v| v as f32)).unwrap());
    }
}

#[test]
fn single_precision_is_near_double() {
    for network in image_networks() {
        let x = images(6, 6, 5, 2, 4);
        let single = x.mapv(|v| v as f32);
        let double = both(&network, single.mapv(f64::from).view(), None);
        for (k, f) in double.iter().zip(both(&network, single.view(), None)) {
            let largest = k.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            assert_relative_eq!(
                &f.mapv(f64::from),
                k,
                max_relative = 5e-5,
                epsilon = 1e-5 * largest
            );
        }
    }
}

#[test]
fn threads_do_not_matter() {
    let pool = |threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
    };
    let x = images(9, 6, 5, 2, 5);
    for network in image_networks() {
        let [one, two] = [1, 2].map(|n| pool(n).install(|| both(&network, x.view(), None)));
        assert_eq!(one, two);
    }
    let x = vectors(300, 7, 6);
    let network = Network::new().then(dense()).then(relu()).then(dense());
    let [one, two] = [1, 2].map(|n| pool(n).install(|| both(&network, x.view(), None)));
    assert_relative_eq!(one[1], two[1], max_relative = 1e-13);
}

#[test]
fn translation_is_invisible_to_circular_convolutions_and_global_pools() {
    let network = Network::new()
        .then(conv([3, 3]).circular().w_std(1.2).b_std(0.1))
        .then(relu())
        .then(conv([2, 3]).circular())
        .then(erf(1.0, 1.0, 0.0))
        .then(global_avg_pool())
        .then(dense());
    let x = images(4, 5, 6, 2, 7);
    let moved = Array4::from_shape_fn(x.dim(), |(n, h, w, c)| x[[n, (h + 2) % 5, (w + 1) % 6, c]]);
    for (a, b) in both(&network, x.view(), None)
        .iter()
        .zip(both(&network, moved.view(), None))
    {
        assert_relative_eq!(a, &b, max_relative = 1e-12);
    }
}

#[test]
fn after_each_layer() {
    let x = images(3, 6, 5, 2, 8);
    let network = &image_networks()[0];
    let layers = network.kernels_by_layer(&x).unwrap();
    assert_eq!(layers.len(), network.layers.len());
    assert_eq!(
        &layers.last().unwrap().ntk,
        &both(network, x.view(), None)[1]
    );
    // After the first layer, a convolution, the NTK is the NNGP.
    assert_relative_eq!(&layers[0].ntk, &layers[0].nngp, max_relative = 1e-14);
}

#[test]
fn sequences_are_images_of_width_one() {
    let x = images(4, 9, 1, 3, 9);
    let line = x.clone().into_shape_with_order((4, 9, 3)).unwrap();
    let two = Network::new()
        .then(conv([3, 1]).same())
        .then(relu())
        .then(avg_pool([2, 1]))
        .then(flatten());
    let one = Network::new()
        .then(conv([3]).same())
        .then(relu())
        .then(avg_pool([2]))
        .then(flatten());
    assert_eq!(both(&two, x.view(), None), both(&one, line.view(), None));
}

#[test]
fn few_samples() {
    let network = &image_networks()[0];
    let x = images(1, 6, 5, 2, 10);
    let none: ArrayView<'_, f64, Ix4> = x.slice(s![..0, .., .., ..]);
    assert_eq!(both(network, none, None)[0].dim(), (0, 0));
    assert_eq!(both(network, x.view(), Some(none))[1].dim(), (1, 0));
    assert_eq!(both(network, x.view(), None)[1].dim(), (1, 1));
}

#[test]
fn depth_and_extreme_norms() {
    let mut network = Network::new();
    for _ in 0..200 {
        network = network.then(dense().w_std(2.0_f64.sqrt())).then(relu());
    }
    let x = vectors(5, 4, 11);
    let [nngp, ntk] = both(&network, x.view(), None);
    // w_std = sqrt(2) keeps variances: sum of squares over the features, halved by the last relu.
    for (i, row) in x.rows().into_iter().enumerate() {
        assert_relative_eq!(nngp[[i, i]], row.dot(&row) / 4.0, max_relative = 1e-12);
        assert_relative_eq!(
            ntk[[i, i]],
            200.0 * row.dot(&row) / 4.0,
            max_relative = 1e-12
        );
    }
    let network = Network::new()
        .then(dense())
        .then(relu())
        .then(dense())
        .then(relu())
        .then(dense());
    let [_, plain] = both(&network, x.view(), None);
    for scale in [1e-150, 1e150] {
        let [_, ntk] = both(&network, (&x * scale).view(), None);
        assert_relative_eq!(ntk / scale / scale, plain, max_relative = 1e-12);
    }
}

#[test]
fn copies_and_opposites_are_exact() {
    let network = Network::new().then(dense()).then(relu()).then(dense());
    let x = vectors(6, 784, 12);
    let [nngp, ntk] = both(&network, x.view(), Some((&x * -3.0).view()));
    let own = network.kernel_diagonal(&x).unwrap();
    let [_, copies] = both(
        &network,
        x.view(),
        Some(concatenate(Axis(0), &[x.view(), x.view()]).unwrap().view()),
    );
    for i in 0..6 {
        assert!(
            nngp[[i, i]].abs() <= 1e-15 * own.nngp[i] && ntk[[i, i]].abs() <= 1e-15 * own.ntk[i]
        );
        assert_relative_eq!(copies[[i, i]], own.ntk[i], max_relative = 1e-14);
    }
    let zero = Array2::zeros((2, 784));
    assert_eq!(
        both(&network, x.view(), Some(zero.view()))[1],
        Array2::<f64>::zeros((6, 2))
    );
}

#[test]
fn what_does_not_fit_is_refused_by_path() {
    let x = images(2, 4, 4, 1, 13);
    let refused = |network: Network| network.kernels(&x).unwrap_err().to_string();
    let start = || Network::new().then(conv([3, 3]));
    let positions = "layers[0].conv leaves each sample an output of shape (2, 2, 64)";
    assert!(refused(start()).starts_with(positions));
    assert!(refused(Network::new().then(relu())).starts_with("layers[0].relu: an activation has"));
    assert!(refused(start().then(relu()).then(gelu())).starts_with("layers[2].gelu"));
    assert!(refused(start().then(conv([3, 3]))).contains("is larger than the input (2, 2, 64)"));
    assert!(
        refused(start().then(global_avg_pool()).then(avg_pool([2, 2])))
            .starts_with("layers[2].avg_pool")
    );
    assert!(refused(start().then(conv([3]))).contains("has 1 axes"));
    let unequal = branch([start(), Network::new().then(identity())]);
    assert!(refused(Network::new().then(unequal)).contains("must end in one shape"));
    let nested = branch([Network::new()
        .then(dense())
        .then(branch([start().then(flatten()).then(conv([3, 3]))]))]);
    assert!(
        refused(Network::new().then(nested))
            .starts_with("layers[0].branch.paths[0][1].branch.paths[0][2].conv")
    );
    let wild = Network::new()
        .then(dense().w_std(3.0))
        .then(hermite(2))
        .then(flatten());
    assert!(refused(wild).starts_with("layers[1].hermite, for x1["));
    let mut bad = x.clone();
    bad[[1, 2, 3, 0]] = f64::NAN;
    let error = start().then(flatten()).kernels(&bad).unwrap_err();
    assert!(matches!(error, KernelError::NonFinite { ref index, .. } if index == &[1, 2, 3, 0]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn dense_kernels(seed in 0u64..1000, n in 1usize..40, d in 1usize..20, scale in 0.1..10.0_f64, angle in 0.0..6.3_f64) {
        let network = Network::new().then(dense().w_std(1.3)).then(leaky_relu(0.2)).then(dense()).then(relu()).then(dense());
        let x = vectors(n, d, seed);
        let [nngp, ntk] = both(&network, x.view(), None);
        check_symmetric_and_positive(&nngp);
        check_symmetric_and_positive(&ntk);
        // Homogeneous of degree 2, invariant under rotation of the first two features.
        let [_, scaled] = both(&network, (&x * scale).view(), None);
        assert_relative_eq!(scaled / (scale * scale), ntk.clone(), max_relative = 1e-9, epsilon = 1e-12);
        if d > 1 {
            let mut turned = x.clone();
            for (row, from) in turned.rows_mut().into_iter().zip(x.rows()) {
                let mut row = row;
                row[0] = from[0] * angle.cos() - from[1] * angle.sin();
                row[1] = from[0] * angle.sin() + from[1] * angle.cos();
            }
            assert_relative_eq!(both(&network, turned.view(), None)[1], ntk, max_relative = 1e-9, epsilon = 1e-12);
        }
    }

    #[test]
    fn branches(seed in 0u64..1000) {
        let x = vectors(5, 6, seed);
        let path = || Network::new().then(dense()).then(relu()).then(dense());
        let [k, t] = both(&path(), x.view(), None);
        let [sum_k, sum_t] = both(&Network::new().then(branch([path(), path()])), x.view(), None);
        assert_relative_eq!(sum_k, &k * 2.0, max_relative = 1e-13);
        assert_relative_eq!(sum_t, &t * 2.0, max_relative = 1e-13);
        let [product_k, product_t] = both(&Network::new().then(product([path(), path()])), x.view(), None);
        assert_relative_eq!(product_k, &k * &k, max_relative = 1e-13);
        assert_relative_eq!(product_t, &k * &t * 2.0, max_relative = 1e-13);
        let one = Network::new().then(branch([path()]));
        assert_eq!(both(&one, x.view(), None), [k, t]);
    }

    #[test]
    fn parameterizations_share_the_nngp(seed in 0u64..1000, width in 1usize..100) {
        let x = vectors(4, 6, seed);
        let network = Network::new().then(dense().width(width).w_std(1.3)).then(relu()).then(dense().w_std(0.7));
        let [k, t] = both(&network, x.view(), None);
        let [standard_k, standard_t] = both(&network.parameterization(Parameterization::Standard), x.view(), None);
        assert_relative_eq!(standard_k, k, max_relative = 1e-14);
        // Per layer the tangent kernel is fan_in / w_std^2 of the other's; here, without biases:
        // d for the first layer's part, the width for the last one's.
        let (first, last) = (&t - &k, k);
        assert_relative_eq!(standard_t, first * (6.0 / 1.69) + last * (width as f64 / 0.49), max_relative = 1e-12);
    }
}
