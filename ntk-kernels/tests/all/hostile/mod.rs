//! Calls everything public with what no caller should pass in: nothing panics.
//!
//! A call may return an error or a result without meaning; all that is asked is that it returns.

mod features;
mod gradients;
mod json;
mod kernels;
mod layers;
mod networks;
mod predict;
mod structures;

use ntk_kernels::dual::Activation;
use ntk_kernels::network::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(super) const NUMBERS: [f64; 12] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.3,
    1e-320,
    1e300,
    -1e300,
    f64::MAX,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];
pub(super) const SIZES: [usize; 6] = [0, 1, 2, 7, usize::MAX / 2, usize::MAX];

/// Collects the names of calls that panic.
#[derive(Default)]
pub(super) struct Panics(Vec<String>);

impl Panics {
    pub(super) fn call<R>(
        &mut self,
        name: impl Into<String>,
        call: impl FnOnce() -> R,
    ) -> Option<R> {
        let result = catch_unwind(AssertUnwindSafe(call));
        if result.is_err() {
            self.0.push(name.into());
        }
        result.ok()
    }

    #[track_caller]
    pub(super) fn none(self) {
        let count = self.0.len();
        assert!(self.0.is_empty(), "{count} calls panic: {:#?}", self.0);
    }
}

/// Activations with options that make no sense.
pub(super) fn activations() -> Vec<Activation> {
    let mut all = vec![
        relu(),
        abs(),
        sigmoid_like(),
        gelu(),
        gabor(),
        sign(),
        polynomial([]),
        polynomial([1.0]),
        polynomial(vec![1.0; 300]),
        closed_form("nan", |_, _, _| (f64::NAN, f64::INFINITY)),
        closed_form("", |a, b, c| (a * b, c)),
        closed_form_with_gradient("nan", |_, _, _| {
            (f64::NAN, f64::INFINITY, [f64::NAN; 3], [f64::INFINITY; 3])
        }),
    ];
    for x in NUMBERS {
        all.extend([
            leaky_relu(x),
            abrelu(x, -x),
            erf(x, x, x),
            erf(1.0, x, 0.0),
            sin(x, x, x),
            cos(1.0, x, 1.0),
            exp(x, x),
            gaussian(1.0, x),
            exp_normalized(x, x),
            rbf(x),
            polynomial([x, 1.0, x]),
            numerical("constant", move |_| x, 4),
        ]);
    }
    for degree in [0, 1, 2, 7, 100, 101, u32::MAX] {
        all.extend([
            hermite(degree),
            monomial(degree),
            rectified_monomial(degree),
        ]);
    }
    for nodes in SIZES {
        all.extend([
            quadrature(Function::Tanh, nodes),
            numerical("cube", |x| x * x * x, nodes),
        ]);
    }
    all
}
