//! Kernels beyond the numbers of their element type, and beyond memory.

use ndarray::{Array2, Array3, Array4, s};
use ntk_kernels::estimators::EstimatorError;
use ntk_kernels::network::*;
use ntk_kernels::tiles::TileError;
use ntk_kernels::{GaussianProcess, GradientFlow, Kernel, KernelError, KernelRidge, Network};
use ntk_linalg::tiled::TileSource;

/// What an error says is not finite, and from which layer on.
fn told(error: KernelError) -> (Kernel, String, String, String) {
    let text = error.to_string();
    let KernelError::NotFinite {
        kernel,
        one,
        other,
        layer,
        precision,
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert!(
        text.contains(precision) && text.contains("w_std and b_std up to there, nearer to 1"),
        "{text}"
    );
    assert_eq!(
        text.contains("compute in f64"),
        precision == "f32",
        "{text}"
    );
    (kernel, one.into(), other.into(), layer.into())
}

fn chaotic() -> Network {
    let block = || {
        Network::new()
            .then(dense().w_std(5.0))
            .then(erf(1.0, 1.0, 0.0))
    };
    (0..100)
        .fold(Network::new(), |network, _| network.join(block()))
        .then(dense())
}

/// Each layer multiplies the NTK by some 3.3 here, and leaves the NNGP below 25.
#[test]
fn a_deep_chaotic_network_has_no_ntk_in_f32() {
    let network = chaotic();
    let x = Array2::from_shape_fn((3, 4), |(i, j)| ((3 * i + 5 * j) as f32).sin());
    let exact = network.ntk(&x.mapv(f64::from)).unwrap();
    assert!(exact[[0, 0]] > f64::from(f32::MAX));
    assert!(network.nngp(&x).unwrap().iter().all(|v| *v < 25.0));
    // The first layer after which the exact kernel is beyond f32.
    let first = x.slice(ndarray::s![..1, ..]).mapv(f64::from);
    let by_layer = network.kernels_by_layer(&first).unwrap();
    let depth = by_layer
        .iter()
        .position(|k| k.ntk[[0, 0]] > f64::from(f32::MAX));
    let depth = depth.unwrap();
    let (kernel, one, other, layer) = told(network.ntk(&x).unwrap_err());
    assert_eq!(
        (kernel, &one[..], &other[..]),
        (Kernel::Ntk, "x1[0]", "x1[0]")
    );
    let number = layer
        .strip_prefix("layers[")
        .and_then(|rest| rest.split(']').next());
    let number: usize = number.unwrap().parse().unwrap();
    assert!(number.abs_diff(depth) <= 1, "{layer} {depth}");
    let (_, one, other, _) = told(network.kernel_diagonal(&x).unwrap_err());
    assert_eq!([one, other], ["x[0]", "x[0]"]);
    // What is far apart has a smaller NTK, and the same sample in another input has the same.
    let copy = x.clone();
    let between = network.kernel_fn().distinct();
    let (_, one, other, _) = told(between.ntk_between(&x, &copy).unwrap_err());
    assert_eq!([one, other], ["x1[0]", "x2[0]"]);
    let tiles = network.kernel_fn().tile(2).tiles(Kernel::Ntk, &x).unwrap();
    let error = tiles.tile((1, 1)).unwrap_err();
    let TileError::Kernel { source, row: 2, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(told(*source).1, "x1[0]");
}

#[test]
fn the_layer_is_named() {
    let large = Array2::from_elem((2, 3), 1e200);
    let x = Array2::from_elem((2, 3), 1.0);
    let wide = || dense().w_std(1e160);
    let layer = |network: Network, x: &Array2<f64>| told(network.nngp(x).unwrap_err()).3;
    let input = "the input kernel x . x' / d";
    assert_eq!(layer(Network::new().then(dense()), &large), input);
    assert_eq!(layer(Network::new().then(wide()), &x), "layers[0].dense");
    let last = Network::new().then(dense()).then(relu()).then(wide());
    assert_eq!(layer(last.clone(), &x), "layers[2].dense");
    let path = || Network::new().then(dense().w_std(1e50));
    let branches = (0..4).map(|_| path());
    let network = Network::new()
        .then(dense())
        .then(product(branches))
        .then(dense());
    assert_eq!(layer(network, &x), "layers[1].branch");
    let image = Array4::from_elem((1, 3, 3, 2), 1e200);
    let network = Network::new()
        .then(conv([2, 2]))
        .then(flatten())
        .then(dense());
    assert_eq!(told(network.ntk(&image).unwrap_err()).3, input);
    let image = image.mapv(|v| v * 1e-200);
    let network = Network::new()
        .then(conv([2, 2]))
        .then(flatten())
        .then(wide());
    assert_eq!(told(network.ntk(&image).unwrap_err()).3, "layers[2].dense");
}

/// The variance of the first layer is zero in f32, that of the second infinite, and both are 1 in f64.
#[test]
fn a_zero_that_was_rounded_to_is_no_reason_to_lower_more() {
    let deep = |first: f64| {
        Network::new()
            .then(dense().w_std(first))
            .then(dense().w_std(1e30))
    };
    let x = Array2::from_elem((2, 3), 1.0_f32);
    let error = deep(1e-30).nngp(&x).unwrap_err();
    assert!(!error.to_string().contains("lower"), "{error}");
    assert_eq!(told(error).3, "layers[1].dense");
    let exact = deep(1e-30).nngp(&x.mapv(f64::from)).unwrap();
    assert!((exact[[0, 1]] - 1.0).abs() < 1e-12);
    assert!(deep(1e-20).nngp(&x).is_err());
}

/// A pool of 224 x 224 images leaves 112^4 pairs of positions.
#[test]
fn memory_is_counted_before_it_is_taken() {
    let network = Network::new()
        .then(conv([3, 3]))
        .then(relu())
        .then(avg_pool([2, 2]))
        .then(conv([3, 3]))
        .then(relu())
        .then(global_avg_pool());
    let begun = std::time::Instant::now();
    let kernel_fn = network.kernel_fn().precision::<f32>();
    let needed = |size: usize| {
        let bytes = kernel_fn.working_memory::<f32>([size, size, 1], 1, None);
        bytes.unwrap()
    };
    // Two kernels of 111^4 packs of 64 bytes, each kept with what rounding takes from it.
    let pairs = 111_u64.pow(4) * 64 * 2 * 2;
    assert!((pairs..2 * pairs).contains(&needed(224)), "{}", needed(224));
    assert!(needed(28) < 100 << 20);
    assert!(begun.elapsed().as_secs() < 10);
    // Of 10^12 pairs of positions no machine has an address for each.
    let long = Array3::<f64>::zeros((1, 1_000_000, 1));
    let network = Network::new()
        .then(conv([3]).same())
        .then(relu())
        .then(attention())
        .then(flatten());
    let error = network.ntk(&long).unwrap_err();
    assert!(
        matches!(error, KernelError::Memory { bytes } if bytes > 1 << 48),
        "{error}"
    );
}

/// A view of one sample has as many as it says, of which the kernels would have to have memory.
#[test]
fn more_samples_than_memory_are_refused() {
    const MANY: usize = 1 << 46;
    let network = Network::new().then(dense()).then(relu()).then(dense());
    let few = Array2::<f64>::ones((2, 1));
    let one = Array2::<f64>::ones((1, 1));
    let many = one.broadcast((MANY, 1)).unwrap();
    let images = Array4::<f64>::ones((1, 3, 3, 1));
    let images = images.broadcast((MANY, 3, 3, 1)).unwrap();
    let spatial = Network::new()
        .then(conv([2, 2]))
        .then(relu())
        .then(flatten());
    let owned = Array2::<f64>::ones((1 << 23, 1));
    let single = network.kernel_fn().precision::<f32>();
    let kernels = [
        network.ntk(&owned).err(),
        network.ntk(&many).err(),
        network.kernels(&many).err(),
        network.ntk_between(&many, &few).err(),
        network.ntk_between(&few, &many).err(),
        network.ntk_between(&many, &many).err(),
        network.kernel_diagonal(&many).err(),
        network.kernels_by_layer(&many).err(),
        single.ntk(&many).err(),
        single.ntk_between(&many, &few).err(),
        single.kernel_diagonal(&many).err(),
        spatial.ntk(&images).err(),
        spatial.ntk_between(&images, &images).err(),
        spatial.kernel_diagonal(&images).err(),
    ];
    for (number, error) in kernels.into_iter().enumerate() {
        let refused = matches!(error, Some(KernelError::Memory { .. }));
        assert!(refused, "{number}: {error:?}");
    }
    let error = single.tiles(Kernel::Ntk, &many).unwrap_err();
    let refused = matches!(error, TileError::Inputs(KernelError::Memory { .. }));
    assert!(refused, "{error}");

    let x = Array2::from_shape_vec((2, 1), vec![1.0, -1.0]).unwrap();
    let ridge = KernelRidge::new(&network).fit(&x, &few).unwrap();
    let flow = GradientFlow::new(&network).fit(&x, &few).unwrap();
    let nngp = GaussianProcess::nngp(&network).fit(&x, &few).unwrap();
    let ensemble = GaussianProcess::ntk_ensemble(&network)
        .fit(&x, &few)
        .unwrap();
    // Samples that memory holds, at more times than it does.
    let steps: Vec<f64> = (0..1 << 20).map(f64::from).collect();
    let long = many.slice(s![..1 << 26, ..]);
    let estimators = [
        KernelRidge::new(&network).fit(&many, &many).err(),
        ridge.predict(&many).err(),
        flow.predict(&many).err(),
        flow.predict_at(&long, &steps).err(),
        nngp.predict(&many).err(),
        nngp.predict_with_variance(&many).err(),
        nngp.predict_with_covariance(&owned).err(),
        nngp.sample(&owned, 1, 0).err(),
        ensemble.predict_with_variance(&many).err(),
        ensemble.predict_with_covariance(&owned).err(),
    ];
    for (number, error) in estimators.into_iter().enumerate() {
        let refused = matches!(
            error,
            Some(EstimatorError::Kernel(KernelError::Memory { .. }))
        );
        assert!(refused, "{number}: {error:?}");
    }
}

#[test]
fn huge_windows_are_pools_of_all_or_refused() {
    let x = Array3::from_shape_fn((2, 5, 1), |(i, p, _)| (i * 5 + p) as f64);
    // Around a ring of five a window of 1003 reads each position 200 times, and three once more.
    let network = |window: usize| {
        let pool = sum_pool([window]).strides([1]).padding(Padding::Circular);
        Network::new().then(pool).then(flatten())
    };
    let found = network(1003).nngp(&x).unwrap();
    let sum = |i: usize, out: usize| {
        let before = (1003 - 1) / 2;
        let at = |tap: usize| (out + tap + 5 * before - before) % 5;
        (0..1003).map(|tap| x[[i, at(tap), 0]]).sum::<f64>()
    };
    let expected = (0..5).map(|out| sum(0, out) * sum(1, out)).sum::<f64>() / 5.0;
    assert!((found[[0, 1]] / expected - 1.0).abs() < 1e-13);
    for padding in [Padding::Same, Padding::Circular] {
        let conv = conv([1_000_000_000]).padding(padding);
        let error = Network::new()
            .then(conv)
            .then(flatten())
            .ntk(&x)
            .unwrap_err();
        assert!(matches!(error, KernelError::Network(_)), "{error}");
    }
}
