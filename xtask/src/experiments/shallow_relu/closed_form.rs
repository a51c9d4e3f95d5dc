//! The kernel of the infinitely wide network, and regression with it, at seven sizes.
//!
//! Twice: `correct` is the NTK of dense-relu-dense, and `as_printed` the formula that the
//! notebook's numbers come from, whose misplaced parenthesis multiplies `sqrt(1 - u^2)` by `u`
//! and whose cosines are shortened by 0.99999.

use super::{CLASSES, Context, DataSet, Failure, Images, NETWORK_IMAGES, Value, classes, timed};
use ndarray::{Array1, Array2, ArrayView2};
use ntk_data::targets;
use ntk_kernels::dual::angle;
use ntk_kernels::gram::{GramError, TILE, TileRow, gram, squared_norms};
use ntk_kernels::network::{Network, dense, relu};
use ntk_kernels::predict::KernelRegression;
use ntk_kernels::{Get, kernels};
use ntk_linalg::{Jitter, Observer, eigenvalues};
use serde_json::{Map, Value as Json, json};
use std::f64::consts::{PI, TAU};

/// Training-set sizes of the bound; [`NETWORK_IMAGES`] is done besides.
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
/// What the kernel is the closed form of.
pub(super) const NETWORK: &str = "dense(w_std = sqrt(d)), relu, dense; d = 784";
/// The notebook's guard against arccos(1 + eps).
const SHORTENED: f64 = 0.99999;

/// Which of the two formulas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Formula {
    AsPrinted,
    Correct,
}

impl Formula {
    pub(super) const BOTH: [Self; 2] = [Self::AsPrinted, Self::Correct];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::AsPrinted => "as_printed",
            Self::Correct => "correct",
        }
    }

    /// The Gram matrix of `x1` with itself or with `x2`.
    pub(super) fn gram(
        self,
        x1: ArrayView2<'_, f64>,
        x2: Option<ArrayView2<'_, f64>>,
        observer: &dyn Observer,
    ) -> Result<Array2<f64>, Failure> {
        match self {
            Self::AsPrinted => Ok(as_printed(x1, x2, observer)?),
            Self::Correct => {
                // The notebook's kernel is of x . x', ours of x . x' / d.
                let scale = (x1.ncols() as f64).sqrt();
                let network = Network::new()
                    .then(dense().w_std(scale))
                    .then(relu())
                    .then(dense());
                let kernels = kernels(&network, x1, x2, Get::Ntk, observer)?;
                Ok(kernels.ntk.ok_or("the NTK was asked for and not given")?)
            }
        }
    }
}

/// With `v = |x| |x'|` and `u = 0.99999 x . x' / v`,
/// `v (u (pi - acos u + sqrt(1 - u^2)) + u (pi - acos u)) / (2 pi)`.
fn as_printed(
    x1: ArrayView2<'_, f64>,
    x2: Option<ArrayView2<'_, f64>>,
    observer: &dyn Observer,
) -> Result<Array2<f64>, GramError> {
    let norms = |x| squared_norms(x).mapv(f64::sqrt);
    let norms1 = norms(x1);
    let norms2 = x2.map_or_else(|| norms1.clone(), norms);
    let [k] = gram(
        x1,
        x2,
        TILE,
        observer,
        |row: TileRow<'_, f64>, [k]: [&mut [f64]; 1]| {
            for (j, (k, inner)) in row.columns.zip(k.iter_mut().zip(row.inner)) {
                let v = norms1[row.row] * norms2[j];
                let u = if v > 0.0 { SHORTENED * *inner / v } else { 0.0 };
                let sine = (1.0 - u * u).sqrt();
                let supplement = PI - angle(sine, u);
                *k = v * (u * (supplement + sine) + u * supplement) / TAU;
            }
        },
    )?;
    Ok(k)
}

/// What one formula gives for one number of training images.
pub(super) struct Fit {
    pub(super) formula: Formula,
    pub(super) n: usize,
    pub(super) smallest_eigenvalue: f64,
    /// `sqrt(y^T H^-1 y / n)` with `y` the labels themselves, as in the notebook.
    pub(super) bound: f64,
    pub(super) train_accuracy: f64,
    pub(super) test_accuracy: f64,
    /// The class that each test image is given.
    pub(super) test_classes: Vec<u8>,
    /// Gram matrix and eigenvalues, ascending, kept for [`NETWORK_IMAGES`] images only.
    pub(super) shown: Option<(Array2<f64>, Array1<f64>)>,
}

/// All sizes, both formulas.
pub(super) struct ClosedForm {
    pub(super) fits: Vec<Fit>,
}

impl ClosedForm {
    pub(super) fn of(&self, formula: Formula) -> impl Iterator<Item = &Fit> {
        self.fits.iter().filter(move |fit| fit.formula == formula)
    }

    pub(super) fn at(&self, formula: Formula, n: usize) -> Option<&Fit> {
        self.of(formula).find(|fit| fit.n == n)
    }

    pub(super) fn values(&self) -> Vec<Value> {
        let mut values = Vec::new();
        for fit in &self.fits {
            let kernel = fit.formula.as_str();
            let place = || [("n", json!(fit.n)), ("kernel", json!(kernel))];
            let printed = SIZES
                .iter()
                .position(|&n| n == fit.n)
                .map(|i| PRINTED_EIGENVALUES[i]);
            let (printed, note) = match (fit.formula, printed) {
                (Formula::AsPrinted, Some(_)) => {
                    (printed, "printed in single precision, ours in double")
                }
                (Formula::Correct, Some(_)) => (
                    printed,
                    "printed with sqrt(1 - u^2) multiplied by u, and u by 0.99999; ours is the exact kernel",
                ),
                (_, None) => (None, "not printed"),
            };
            values.push(
                Value::new("smallest_eigenvalue", place(), fit.smallest_eigenvalue)
                    .printed(printed)
                    .note(note),
            );
            values.push(
                Value::new("bound", place(), fit.bound)
                    .note("sqrt(y^T H^-1 y / n), y the labels 3 and 6 as in the notebook, which drew and did not print it"),
            );
            let kernel_place = || {
                [
                    ("n", json!(fit.n)),
                    ("model", json!("kernel")),
                    ("kernel", json!(kernel)),
                ]
            };
            let train = (fit.n == 100).then_some(1.0);
            values.push(
                Value::new("train_accuracy", kernel_place(), fit.train_accuracy).printed(train),
            );
            let test = (fit.n == NETWORK_IMAGES).then_some(0.91);
            let note = if test.is_some() {
                "the notebook rounds down to whole per cent"
            } else {
                ""
            };
            values.push(
                Value::new("test_accuracy", kernel_place(), fit.test_accuracy)
                    .printed(test)
                    .note(note),
            );
        }
        values
    }
}

pub(super) fn run(
    set: &DataSet,
    test: &Images,
    context: &Context<'_>,
    seconds: &mut Map<String, Json>,
) -> Result<ClosedForm, Failure> {
    let mut sizes = SIZES.to_vec();
    sizes.push(NETWORK_IMAGES);
    sizes.sort_unstable();
    let mut fits = Vec::new();
    context
        .progress
        .begin("closed form", sizes.iter().map(|n| (n * n) as u64).sum());
    for n in sizes {
        let train = Images::new(set.train.first_per_class(n / 2, &CLASSES)?);
        let (a, b) = timed(seconds, &format!("closed_form_n{n}"), || {
            rayon::join(
                || fit(Formula::AsPrinted, &train, test).map_err(|e| e.to_string()),
                || fit(Formula::Correct, &train, test).map_err(|e| e.to_string()),
            )
        });
        fits.extend([a?, b?]);
        context.progress.advance((n * n) as u64);
    }
    context.progress.end();
    Ok(ClosedForm { fits })
}

fn fit(formula: Formula, train: &Images, test: &Images) -> Result<Fit, Failure> {
    let n = train.split.len();
    let h = formula.gram(train.x.view(), None, &())?;
    let k_td = formula.gram(test.x.view(), Some(train.x.view()), &())?;
    let regression = KernelRegression::fit(h.clone(), train.y.view(), Jitter::None)?;
    let labels = targets::scaled(train.split.labels.view(), 1.0);
    let outputs = regression.predict(k_td.view())?;
    Ok(Fit {
        formula,
        n,
        smallest_eigenvalue: regression.smallest_eigenvalue()?,
        bound: regression.bound(labels.view())?,
        train_accuracy: train.accuracy(regression.predict(h.view())?.view()),
        test_accuracy: test.accuracy(outputs.view()),
        test_classes: classes(outputs.view()),
        shown: if n == NETWORK_IMAGES {
            let values = eigenvalues(h.view())?;
            Some((h, values))
        } else {
            None
        },
    })
}
