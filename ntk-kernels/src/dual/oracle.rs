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
    fn integrate(&self, ends: &[f64], mut g: impl FnMut(f64) -> [f64; 2]) -> [f64; 2] {
        let mut sum = [0.0; 2];
        for panel in ends.windows(2) {
            let width = panel[1] - panel[0];
            for (x, w) in self.0 {
                let [k, d] = g(panel[0] + width * x);
                sum[0] += width * w * k;
                sum[1] += width * w * d;
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
    let both = |x: f64| [(of.f)(x), (of.derivative)(x)];
    let rest = (1.0 - rho * rho).sqrt();
    let outer = |x: f64| {
        let [f, d] = both(s1 * x);
        let [g, e] = if rest == 0.0 {
            both(s2 * rho * x)
        } else {
            let mut ends = panels(of.reach, false);
            let kink = -rho * x / rest;
            if kink.abs() < of.reach {
                ends.push(kink);
                ends.sort_by(f64::total_cmp);
            }
            rule.integrate(&ends, |y| {
                let weight = density(y);
                both(s2 * (rho * x + rest * y)).map(|v| weight * v)
            })
        };
        [f * g, d * e].map(|v| density(x) * v)
    };
    let [k, d] = rule.integrate(&panels(of.reach, true), outer);
    (scale * k, d)
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
    assert!((erf(0.5) - 0.520_499_877_813_046_5).abs() < 2e-16);
    assert!((erf(3.0) - 0.999_977_909_503_001_4).abs() < 2e-16);
    assert!((erf(2.999_999_999) - erf(3.000_000_001) + 2.784_8e-13).abs() < 1e-15);
}
