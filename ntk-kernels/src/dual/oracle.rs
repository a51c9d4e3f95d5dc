//! The definition by numerical integration, independent of every formula: `E[f(u) f(v)]` for
//! jointly normal `u`, `v`, over panels that end at the kinks `u = 0` and `v = 0`.

/// A function with its derivative, and where and how to integrate it.
pub(super) struct Definition {
    pub(super) f: Box<dyn Fn(f64) -> f64 + Send + Sync>,
    /// Almost everywhere.
    pub(super) derivative: Box<dyn Fn(f64) -> f64 + Send + Sync>,
    /// How many standard deviations each way.
    pub(super) reach: f64,
    /// `f` is for unit variance, and `sqrt(v) f(x/sqrt(v))` for others.
    pub(super) normalized: bool,
}

/// Nodes of a panel: 16, exact for degree 31.
const NODES: usize = 16;

/// Gauss-Legendre nodes and weights on [0, 1].
pub(super) struct Legendre([(f64, f64); NODES]);

impl Legendre {
    pub(super) fn new() -> Self {
        let n = NODES as f64;
        Self(std::array::from_fn(|i| {
            let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..8 {
                let (mut below, mut p) = (0.0, 1.0);
                for l in 0..NODES {
                    let l = l as f64;
                    (below, p) = (p, ((2.0 * l + 1.0) * x * p - l * below) / (l + 1.0));
                }
                slope = n * (x * p - below) / (x * x - 1.0);
                x -= p / slope;
            }
            ((1.0 + x) / 2.0, 1.0 / ((1.0 - x * x) * slope * slope))
        }))
    }

    /// Over panels between these increasing points.
    fn integrate<const N: usize>(
        &self,
        ends: &[f64],
        mut g: impl FnMut(f64) -> [f64; N],
    ) -> [f64; N] {
        let mut sum = [0.0; N];
        for panel in ends.windows(2) {
            let width = panel[1] - panel[0];
            for (x, w) in self.0 {
                for (sum, value) in sum.iter_mut().zip(g(panel[0] + width * x)) {
                    *sum += width * w * value;
                }
            }
        }
        sum
    }
}

fn density(x: f64) -> f64 {
    (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt()
}

/// Where panels end: dense at 0, for the other variable's kink passes there quickly where the
/// two are nearly parallel.
fn panels(reach: f64, dense: bool) -> Vec<f64> {
    const DENSE: [f64; 15] = [
        0.005, 0.01, 0.02, 0.03, 0.045, 0.06, 0.08, 0.1, 0.13, 0.17, 0.22, 0.3, 0.4, 0.55, 0.75,
    ];
    let mut side: Vec<f64> = if dense { DENSE.to_vec() } else { vec![] };
    side.extend((1..=reach as u32).map(f64::from));
    let mut ends: Vec<f64> = side.iter().rev().map(|x| -x).collect();
    ends.push(0.0);
    ends.extend(side);
    ends
}

/// `K` and `D` at variances `v1`, `v2` and cosine `rho`.
pub(super) fn by_integration(
    rule: &Legendre,
    of: &Definition,
    v1: f64,
    v2: f64,
    rho: f64,
) -> (f64, f64) {
    let ((s1, s2), scale) = if of.normalized {
        ((1.0, 1.0), (v1 * v2).sqrt())
    } else {
        ((v1.sqrt(), v2.sqrt()), 1.0)
    };
    let [k, d] = integrate(rule, of, (s1, s2), rho, |both, _, _| both);
    (scale * k, d)
}

/// The derivatives of `K` and of `D` by `v1`, `v2` and the covariance, at a cosine between -1 and 1.
///
/// No derivative of the functions is taken: the density's own, over the density, is a factor of
/// each. With `w = C^-1 (u, v)` these are `(w1^2 - (C^-1)_11)/2`, the same of 2, and
/// `w1 w2 - (C^-1)_12`.
pub(super) fn gradient_by_integration(
    rule: &Legendre,
    of: &Definition,
    (v1, v2): (f64, f64),
    rho: f64,
) -> [[f64; 3]; 2] {
    let (s1, s2) = if of.normalized {
        (1.0, 1.0)
    } else {
        (v1.sqrt(), v2.sqrt())
    };
    let square = 1.0 - rho * rho;
    let rest = square.sqrt();
    let [k, k1, k2, kq, d1, d2, dq] = integrate(rule, of, (s1, s2), rho, |[k, d], x, y| {
        let w = [(x - rho * y / rest) / s1, y / (rest * s2)];
        let by = [
            (w[0] * w[0] - 1.0 / (s1 * s1 * square)) / 2.0,
            (w[1] * w[1] - 1.0 / (s2 * s2 * square)) / 2.0,
            w[0] * w[1] + rho / (s1 * s2 * square),
        ];
        let [k1, k2, kq] = by.map(|by| k * by);
        let [d1, d2, dq] = by.map(|by| d * by);
        [k, k1, k2, kq, d1, d2, dq]
    });
    if !of.normalized {
        return [[k1, k2, kq], [d1, d2, dq]];
    }
    // K is sqrt(v1 v2) times that of unit variances at the same cosine, and D is that.
    let size = (v1 * v2).sqrt();
    let turned = (k - rho * kq) * size / 2.0;
    [
        [turned / v1, turned / v2, kq],
        [-rho * dq / (2.0 * v1), -rho * dq / (2.0 * v2), dq / size],
    ]
}

/// Integrates what `weigh` makes of the products of functions and derivatives, and of the two
/// independent normal variables.
fn integrate<const N: usize>(
    rule: &Legendre,
    of: &Definition,
    (s1, s2): (f64, f64),
    rho: f64,
    weigh: impl Fn([f64; 2], f64, f64) -> [f64; N],
) -> [f64; N] {
    let both = |x: f64| [(of.f)(x), (of.derivative)(x)];
    let rest = (1.0 - rho * rho).sqrt();
    let sides = panels(of.reach, false);
    let outer = |x: f64| {
        let [f, d] = both(s1 * x);
        let times = |[g, e]: [f64; 2], y: f64| weigh([f * g, d * e], x, y);
        let inner = if rest == 0.0 {
            times(both(s2 * rho * x), 0.0)
        } else {
            let mut ends = sides.clone();
            let kink = -rho * x / rest;
            if kink.abs() < of.reach {
                ends.push(kink);
                ends.sort_by(f64::total_cmp);
            }
            rule.integrate(&ends, |y| {
                let weight = density(y);
                times(both(s2 * (rho * x + rest * y)), y).map(|v| weight * v)
            })
        };
        inner.map(|v| density(x) * v)
    };
    rule.integrate(&panels(of.reach, true), outer)
}

/// The error function: its series with positive terms, or the continued fraction of the rest.
pub(super) fn erf(x: f64) -> f64 {
    let size = x.abs();
    let bell = (-size * size).exp() * 2.0 / std::f64::consts::PI.sqrt();
    let value = if size < 3.0 {
        let (mut term, mut sum) = (size, 0.0);
        let mut n = 0.0;
        while term > 1e-18 * sum {
            sum += term;
            n += 1.0;
            term *= 2.0 * size * size / (2.0 * n + 1.0);
        }
        bell * sum
    } else {
        let fraction = (1..60)
            .rev()
            .fold(size, |below, n| size + f64::from(n) / 2.0 / below);
        1.0 - bell / 2.0 / fraction
    };
    value.copysign(x)
}

#[test]
fn the_oracle_knows_moments() {
    let rule = Legendre::new();
    let of = Definition {
        f: Box::new(|x| x.powi(3)),
        derivative: Box::new(|x| 3.0 * x * x),
        reach: 12.0,
        normalized: false,
    };
    let (v1, v2, rho) = (0.5, 2.0, 0.3);
    let (k, d) = by_integration(&rule, &of, v1, v2, rho);
    assert!((k - (6.0 * 0.027 + 9.0 * 0.3)).abs() < 1e-13, "{k}");
    assert!((d - 9.0 * (1.0 + 2.0 * 0.09)).abs() < 1e-13, "{d}");
    let [k, d] = gradient_by_integration(&rule, &of, (v1, v2), rho);
    // K = 6 q^3 + 9 q v1 v2 and D = 9 (v1 v2 + 2 q^2), at q = 0.3.
    for (found, exact) in [(k, [5.4, 1.35, 10.62]), (d, [18.0, 4.5, 10.8])] {
        for (found, exact) in found.iter().zip(exact) {
            assert!((found - exact).abs() < 1e-11, "{found} {exact}");
        }
    }
    assert!((erf(0.5) - 0.520_499_877_813_046_5).abs() < 2e-16);
    assert!((erf(3.0) - 0.999_977_909_503_001_4).abs() < 2e-16);
    assert!((erf(2.999_999_999) - erf(3.000_000_001) + 2.784_8e-13).abs() < 1e-15);
}
