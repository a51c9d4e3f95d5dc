//! The infinitely wide network under gradient flow: its NTK, and its NNGP kernel, by which the
//! notebook's curves evolve although their panels say NTK.

use super::{Context, Failure, Images, SIZES, Value, accuracy, timed};
use ndarray::{ArrayView2, Axis, s};
use ntk_kernels::network::{Network, dense, relu};
use ntk_kernels::predict::{DiagReg, MseFlow};
use ntk_kernels::{Get, kernels};
use ntk_linalg::Observer;
use serde_json::{Map, Value as Json, json};

/// When predictions are made, in units of the learning rate.
pub(super) const TIMES: [f64; 8] = [1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, f64::INFINITY];
const LEARNING_RATE: f64 = 1.0;

/// Which kernel the outputs evolve by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    /// Training of the top layer alone.
    Nngp,
    /// Training of all layers.
    Ntk,
}

impl Kernel {
    pub(super) const BOTH: [Self; 2] = [Self::Nngp, Self::Ntk];

    fn as_str(self) -> &'static str {
        match self {
            Self::Nngp => "nngp",
            Self::Ntk => "ntk",
        }
    }

    /// As titles and legends write it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nngp => "NNGP",
            Self::Ntk => "NTK",
        }
    }

    fn note(self) -> &'static str {
        match self {
            Self::Nngp => "drawn in the notebook and not printed, in panels titled NTK",
            Self::Ntk => "what the titles of the notebook's panels name",
        }
    }
}

/// Accuracies of one kernel fitted to the first `n` images, one for each of [`TIMES`].
pub(super) struct Curve {
    pub(super) kernel: Kernel,
    pub(super) n: usize,
    pub(super) train: Vec<f64>,
    pub(super) test: Vec<f64>,
}

impl Curve {
    pub(super) fn values(&self) -> Vec<Value> {
        let mut values = Vec::new();
        for (name, all) in [
            ("train_accuracy", &self.train),
            ("test_accuracy", &self.test),
        ] {
            for (t, value) in TIMES.iter().zip(all) {
                let place = [
                    ("n", json!(self.n)),
                    ("kernel", json!(self.kernel.as_str())),
                    ("t", time_as_json(*t)),
                ];
                values.push(Value::new(name, place, *value).note(self.kernel.note()));
            }
        }
        values
    }
}

/// What a curve's legend calls a time.
pub(super) fn time_name(t: f64) -> String {
    if t.is_finite() {
        format!("t = {t:e}")
    } else {
        "t = ∞".into()
    }
}

/// A whole number, or `"inf"`: JSON has no infinity.
fn time_as_json(t: f64) -> Json {
    if t.is_finite() {
        json!(t as u64)
    } else {
        json!("inf")
    }
}

pub(super) fn describe() -> Json {
    json!({
        "layers": "dense, relu, dense, relu, dense; w_std = 1, b_std = 0",
        "prediction": "gradient flow on half the mean squared error, from outputs of zero",
        "learning_rate": LEARNING_RATE,
        "times": TIMES.map(time_as_json),
        "precision": "f64",
    })
}

/// Both kernels at all sizes, from one kernel matrix of all training images.
pub(super) fn run(
    train: &Images,
    test: &Images,
    context: &Context<'_>,
    seconds: &mut Map<String, Json>,
) -> Result<Vec<Curve>, Failure> {
    let network = Network::new()
        .then(dense())
        .then(relu())
        .then(dense())
        .then(relu())
        .then(dense());
    let progress = context.progress;
    let (k_dd, k_td) = timed(seconds, "kernels", || {
        let x = train.x.view();
        let k_dd = kernels(&network, x, None, Get::Both, progress)?;
        let k_td = kernels(&network, test.x.view(), Some(x), Get::Both, progress)?;
        Ok::<_, Failure>((k_dd, k_td))
    })?;
    let missing = "both kernels were asked for and not given";
    let pairs = [
        (Kernel::Nngp, k_dd.nngp, k_td.nngp),
        (Kernel::Ntk, k_dd.ntk, k_td.ntk),
    ];
    let work = |n: usize| n.pow(3) as u64;
    progress.begin("gradient flow", 2 * SIZES.map(work).iter().sum::<u64>());
    let mut curves = Vec::new();
    for (kernel, k_dd, k_td) in pairs {
        let (k_dd, k_td) = (k_dd.ok_or(missing)?, k_td.ok_or(missing)?);
        let name = format!("{}_flow", kernel.as_str());
        timed(seconds, &name, || {
            for n in SIZES {
                let (dd, td) = (k_dd.slice(s![..n, ..n]), k_td.slice(s![.., ..n]));
                curves.push(curve(kernel, dd, td, train, test)?);
                progress.advance(work(n));
            }
            Ok::<_, Failure>(())
        })?;
    }
    progress.end();
    Ok(curves)
}

/// One kernel on the images of `k_dd`, (n, n), and `k_td`, (test, n).
fn curve(
    kernel: Kernel,
    k_dd: ArrayView2<'_, f64>,
    k_td: ArrayView2<'_, f64>,
    train: &Images,
    test: &Images,
) -> Result<Curve, Failure> {
    let n = k_dd.nrows();
    let y = train.y.slice(s![..n, ..]);
    let flow = MseFlow::new(k_dd, y, LEARNING_RATE, DiagReg::default())?;
    let accuracies = |outputs: ndarray::Array3<f64>, labels: &[u8]| -> Vec<f64> {
        let at_a_time = |outputs: ArrayView2<'_, f64>| accuracy(outputs, labels);
        outputs.axis_iter(Axis(0)).map(at_a_time).collect()
    };
    Ok(Curve {
        kernel,
        n,
        train: accuracies(flow.train(&TIMES, None)?, &train.labels[..n]),
        test: accuracies(flow.test(&TIMES, k_td, None, None)?, &test.labels),
    })
}
