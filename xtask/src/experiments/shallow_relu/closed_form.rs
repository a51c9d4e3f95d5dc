//! The kernel of the infinitely wide network, and regression with it, at eight sizes; and its Gram
//! matrix of Gaussian inputs, which is typically invertible with fewer samples than dimensions.
//!
//! Both twice: `correct` is the NTK of dense-relu-dense, and `as_printed` the formula that the
//! notebook's numbers come from, whose misplaced parenthesis multiplies `sqrt(1 - u^2)` by `u`
//! and whose cosines are shortened by 0.99999.

use super::{CLASSES, Context, Failure, Images, NETWORK_IMAGES, Value, accuracy, at, classes};
use crate::experiments::study::{of_two, sweep};
use ndarray::{Array1, Array2};
use ntk_data::{synthetic, targets};
use ntk_kernels::dual::angle;
use ntk_kernels::gram::{Gram, GramError, TileRow, squared_norms};
use ntk_kernels::network::{Network, dense, relu};
use ntk_kernels::predict::KernelRegression;
use ntk_linalg::eigenvalues;
use serde_json::json;
use std::f64::consts::{PI, TAU};

/// The training-set sizes of the bound; [`NETWORK_IMAGES`] is done besides.
pub(super) const SIZES: [usize; 7] = [100, 400, 700, 1000, 1300, 1600, 1900];
/// What the notebook printed for each of them, in single precision.
pub(super) const PRINTED_EIGENVALUES: [f64; 7] = [
    23.512_008_666_992_188,
    15.195_989_608_764_648,
    13.155_244_827_270_508,
    5.420_177_936_553_955,
    5.355_394_840_240_478_5,
    5.308_578_968_048_096,
    5.274_092_197_418_213,
];
/// The network that the kernel is the closed form of.
pub(super) const NETWORK: &str = "dense(w_std = sqrt(d)), relu, dense; d = 784";
/// The number and the dimension of the Gaussian inputs.
pub(super) const RANDOM: [usize; 2] = [30, 100];
/// The notebook's guard against arccos(1 + eps).
const SHORTENED: f64 = 0.99999;

/// Which of the two formulas it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Formula {
    AsPrinted,
    Correct,
}

impl Formula {
    pub(super) const BOTH: [Self; 2] = [Self::AsPrinted, Self::Correct];

    /// Returns what results call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AsPrinted => "as_printed",
            Self::Correct => "correct",
        }
    }

    /// Returns the Gram matrix of `x1` with itself or with `x2`.
    fn gram(self, x1: &Array2<f64>, x2: Option<&Array2<f64>>) -> Result<Array2<f64>, Failure> {
        if self == Self::AsPrinted {
            return Ok(as_printed(x1, x2)?);
        }
        // The notebook's kernel is of x . x', ours of x . x' / d.
        let first = dense().w_std((x1.ncols() as f64).sqrt());
        let network = Network::new().then(first).then(relu()).then(dense());
        Ok(match x2 {
            None => network.ntk(x1)?,
            Some(x2) => network.ntk_between(x1, x2)?,
        })
    }
}

/// With `v = |x| |x'|` and `u = 0.99999 x . x' / v`,
/// `v (u (pi - acos u + sqrt(1 - u^2)) + u (pi - acos u)) / (2 pi)`.
fn as_printed(x1: &Array2<f64>, x2: Option<&Array2<f64>>) -> Result<Array2<f64>, GramError> {
    let norms = |x: &Array2<f64>| squared_norms(x).mapv(f64::sqrt);
    let norms1 = norms(x1);
    let norms2 = x2.map_or_else(|| norms1.clone(), norms);
    let map = |row: TileRow<'_, f64>, [k]: [&mut [f64]; 1]| {
        for (j, (k, inner)) in row.columns.zip(k.iter_mut().zip(row.inner)) {
            let v = norms1[row.row] * norms2[j];
            let u = if v > 0.0 { SHORTENED * *inner / v } else { 0.0 };
            let sine = (1.0 - u * u).sqrt();
            let supplement = PI - angle(sine, u);
            *k = v * (u * (supplement + sine) + u * supplement) / TAU;
        }
    };
    let [k] = match x2 {
        None => Gram::default().of(x1, map)?,
        Some(x2) => Gram::default().between(x1, x2, map)?,
    };
    Ok(k)
}

/// A Gram matrix with its eigenvalues, ascending.
pub(super) type Spectral = (Array2<f64>, Array1<f64>);

/// What one formula gives for one number of training images.
pub(super) struct Fit {
    pub(super) formula: Formula,
    pub(super) n: usize,
    pub(super) smallest_eigenvalue: f64,
    /// `sqrt(y^T H^-1 y / n)` with `y` the labels themselves, as in the notebook.
    pub(super) bound: f64,
    train_accuracy: f64,
    test_accuracy: f64,
    /// The class that each test image is given.
    pub(super) test_classes: Vec<u8>,
    /// The Gram matrix of [`NETWORK_IMAGES`] images; that of others is not kept.
    pub(super) shown: Option<Spectral>,
}

/// Finds the fit of a formula to so many images.
pub(super) fn find(fits: &[Fit], formula: Formula, n: usize) -> Result<&Fit, Failure> {
    let fit = fits.iter().find(|fit| fit.formula == formula && fit.n == n);
    Ok(fit.ok_or("no kernel at this size")?)
}

pub(super) fn values(fits: &[Fit]) -> Vec<Value> {
    let drawn = "sqrt(y^T H^-1 y / n), y the labels 3 and 6 as in the notebook, which drew and did not print it";
    let of = |fit: &Fit| {
        let here = at(json!({"n": fit.n, "kernel": fit.formula.name()}));
        let model = at(json!({"n": fit.n, "model": "kernel", "kernel": fit.formula.name()}));
        let size = SIZES.iter().position(|&n| n == fit.n);
        let why = match (fit.formula, size) {
            (_, None) => "not printed",
            (Formula::AsPrinted, _) => "printed in single precision, ours in double",
            (Formula::Correct, _) => {
                "printed with sqrt(1 - u^2) multiplied by u, and u by 0.99999; ours is the exact kernel"
            }
        };
        let (test, note) = match fit.n {
            NETWORK_IMAGES => (Some(0.91), "the notebook rounds down to whole per cent"),
            _ => (None, ""),
        };
        let smallest = here.value("smallest_eigenvalue", fit.smallest_eigenvalue);
        let train = model.value("train_accuracy", fit.train_accuracy);
        [
            smallest
                .printed(size.map(|i| PRINTED_EIGENVALUES[i]))
                .note(why),
            here.value("bound", fit.bound).note(drawn),
            train.printed((fit.n == 100).then_some(1.0)),
            model
                .value("test_accuracy", fit.test_accuracy)
                .printed(test)
                .note(note),
        ]
    };
    fits.iter().flat_map(of).collect()
}

/// Fits both formulas to all sizes, from small to large.
pub(super) fn run(test: &Images, context: &Context<'_>) -> Result<Vec<Fit>, Failure> {
    let mut sizes = [SIZES.as_slice(), &[NETWORK_IMAGES]].concat();
    sizes.sort_unstable();
    let jobs = of_two(sizes, Formula::BOTH);
    let cost = |&(n, _): &(usize, Formula)| n * n;
    sweep(
        "closed form",
        &jobs,
        cost,
        context.progress,
        |&(n, formula), _| {
            let train = super::images(context.set.train.first_per_class(n / 2, &CLASSES)?);
            fit(formula, &train, test)
        },
    )
}

fn fit(formula: Formula, train: &Images, test: &Images) -> Result<Fit, Failure> {
    let n = train.split.len();
    let h = formula.gram(&train.x, None)?;
    let k_td = formula.gram(&test.x, Some(&train.x))?;
    let regression = KernelRegression::fit(h.clone(), &train.y, 0.0)?;
    let labels = targets::scaled(&train.split.labels, 1.0);
    let outputs = regression.predict(&k_td)?;
    Ok(Fit {
        formula,
        n,
        smallest_eigenvalue: regression.smallest_eigenvalue()?,
        bound: regression.bound(&labels)?,
        train_accuracy: accuracy(train, &regression.predict(&h)?),
        test_accuracy: accuracy(test, &outputs),
        test_classes: classes(&outputs),
        shown: match n {
            NETWORK_IMAGES => Some(spectral(h)?),
            _ => None,
        },
    })
}

fn spectral(gram: Array2<f64>) -> Result<Spectral, Failure> {
    let values = eigenvalues(&gram)?;
    Ok((gram, values))
}

/// Computes both formulas' matrices of Gaussian inputs.
pub(super) fn random(seed: u64) -> Result<Vec<(Formula, Spectral)>, Failure> {
    let x = synthetic::gaussian(RANDOM[0], RANDOM[1], seed)?;
    let one = |formula: Formula| Ok((formula, spectral(formula.gram(&x, None)?)?));
    Formula::BOTH.into_iter().map(one).collect()
}

pub(super) fn values_of_random(random: &[(Formula, Spectral)]) -> Vec<Value> {
    let [n, d] = RANDOM;
    let of = |(formula, (_, eigenvalues)): &(Formula, Spectral)| {
        at(json!({"n": n, "d": d, "kernel": formula.name()}))
            .value("random_inputs_smallest_eigenvalue", eigenvalues[0])
            .note("positive: the Gram matrix is invertible")
    };
    random.iter().map(of).collect()
}
