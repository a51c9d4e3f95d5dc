//! Problems for the tests of predictions.

use ndarray::Array2;
use ntk_linalg::Real;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Entries uniform in [-1, 1).
pub(super) fn uniform<T: Real>(seed: u64, rows: usize, columns: usize) -> Array2<T> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((rows, columns), || T::of(rng.random_range(-1.0..1.0)))
}

/// A linear model of `n` training and `m` test samples with `p` features, `o` outputs.
pub(super) struct Linear<T> {
    pub(super) x: Array2<T>,
    pub(super) z: Array2<T>,
    pub(super) y: Array2<T>,
    pub(super) f0: Array2<T>,
    pub(super) g0: Array2<T>,
}

impl<T: Real> Linear<T> {
    pub(super) fn new(seed: u64, n: usize, m: usize, p: usize, o: usize) -> Self {
        Self {
            x: uniform(seed, n, p),
            z: uniform(seed + 1000, m, p),
            y: uniform(seed + 2000, n, o),
            f0: uniform(seed + 3000, n, o),
            g0: uniform(seed + 4000, m, o),
        }
    }

    /// The training kernel.
    pub(super) fn k_dd(&self) -> Array2<T> {
        self.x.dot(&self.x.t())
    }

    /// The kernel of test with training samples.
    pub(super) fn k_td(&self) -> Array2<T> {
        self.z.dot(&self.x.t())
    }

    /// The kernel of the test samples.
    pub(super) fn k_tt(&self) -> Array2<T> {
        self.z.dot(&self.z.t())
    }
}

/// The largest difference, as f64.
pub(super) fn distance<T: Real, D: ndarray::Dimension>(
    a: &ndarray::Array<T, D>,
    b: &ndarray::Array<T, D>,
) -> f64 {
    assert_eq!(a.shape(), b.shape());
    a.iter()
        .zip(b)
        .map(|(&a, &b)| (a - b).to_f64().abs())
        .fold(0.0, f64::max)
}

/// A kernel tensor the identity of `o` outputs: row = sample*o + output.
pub(super) fn tensor_identity<T: Real>(k: &Array2<T>, o: usize) -> Array2<T> {
    Array2::from_shape_fn((k.nrows() * o, k.ncols() * o), |(i, j)| {
        if i % o == j % o {
            k[[i / o, j / o]]
        } else {
            T::zero()
        }
    })
}

/// Kernels and predictions of neural_tangents 0.6.5 (jax 0.4.23, float64).
///
/// `Dense(512, 1, 0.1), Relu, Dense(1, 1, 0.1)` on `x_ij = sin(1 + 3 i + 2 j)`, 4 samples,
/// tests `z_ij = cos(1/2 + 2 i + 5 j)`, 3 samples, j < 2; targets `y_ia = cos(i + 2 a)`, a < 2.
pub(super) mod reference {
    use ndarray::Array2;

    pub(in crate::predict) const NNGP_DD: &[f64] = &[
        0.19699706873709705,
        0.011063954990770255,
        0.1687928870019462,
        0.015850114618046036,
        0.011063954990770255,
        0.1777057593845152,
        0.011154245048179561,
        0.15662328300583145,
        0.1687928870019462,
        0.011154245048179561,
        0.16536825919351078,
        0.011210314692285235,
        0.015850114618046036,
        0.15662328300583145,
        0.011210314692285235,
        0.16096736635620137,
    ];
    pub(in crate::predict) const NNGP_TD: &[f64] = &[
        0.22797154191820004,
        0.012072005737963461,
        0.23220631121609994,
        0.010782824339996559,
        0.015527905495470652,
        0.15005066028002054,
        0.02776744205687357,
        0.10268764315138007,
        0.04756685252102245,
        0.1445141504751254,
        0.022686496923965578,
        0.18139291888575798,
    ];
    pub(in crate::predict) const NNGP_TT: &[f64] = &[
        0.33309100048202384,
        0.04302098245663444,
        0.02144070858914149,
        0.04302098245663444,
        0.20549678407555064,
        0.06388958656374957,
        0.02144070858914149,
        0.06388958656374957,
        0.27469679453774903,
    ];
    pub(in crate::predict) const NTK_DD: &[f64] = &[
        0.3839941374741941,
        -0.00908998727967104,
        0.30703351971090465,
        -0.012804281455403,
        -0.00908998727967104,
        0.34541151876903037,
        -0.008136326003908428,
        0.28268220246925857,
        0.30703351971090465,
        -0.008136326003908428,
        0.32073651838702155,
        -0.007602987878133977,
        -0.012804281455403,
        0.28268220246925857,
        -0.007602987878133977,
        0.31193473271240274,
    ];
    pub(in crate::predict) const NTK_TD: &[f64] = &[
        0.40780344817216885,
        -0.017457088426717483,
        0.44515588797426,
        -0.010761090664218619,
        -0.01615239091169477,
        0.250772386559863,
        -0.0018028098083934102,
        0.1450836832212064,
        0.01840729105781899,
        0.22273874005396804,
        -0.01353302402314125,
        0.3180234106887699,
    ];
    pub(in crate::predict) const NTK_TT: &[f64] = &[
        0.6561820009640477,
        0.004013317092739242,
        -0.02919683564347887,
        0.004013317092739242,
        0.40099356815110127,
        0.04645277038972745,
        -0.02919683564347887,
        0.04645277038972745,
        0.5393935890754981,
    ];

    /// Rows of so many columns.
    pub(in crate::predict) fn matrix(values: &[f64], columns: usize) -> Array2<f64> {
        Array2::from_shape_fn((values.len() / columns, columns), |(i, j)| {
            values[i * columns + j]
        })
    }

    pub(in crate::predict) fn targets() -> Array2<f64> {
        Array2::from_shape_fn((4, 2), |(i, a)| (i as f64 + 2.0 * a as f64).cos())
    }
}
