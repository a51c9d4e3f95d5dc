//! One table of all activations, each against the definition and the properties that every
//! kernel has.

use super::oracle::{Definition, Legendre, by_integration, erf as error_function};
use super::*;
use crate::network::Network;
use proptest::prelude::*;
use rayon::prelude::*;
use std::f64::consts::{FRAC_PI_4, PI, SQRT_2};
use std::sync::LazyLock;

pub(super) struct Case {
    pub(super) activation: Activation,
    /// Of samples, within the domain.
    pub(super) variances: Vec<(f64, f64)>,
    pub(super) definition: Definition,
}

const VARIANCES: [(f64, f64); 4] = [(1.0, 1.0), (0.2, 7.0), (3.0, 2.0), (0.01, 0.5)];
const COSINES: [f64; 7] = [-1.0, -0.999, -0.5, 0.0, 0.3, 0.9999, 1.0];

fn case(
    activation: Activation,
    f: impl Fn(f64) -> f64 + Send + Sync + 'static,
    derivative: impl Fn(f64) -> f64 + Send + Sync + 'static,
) -> Case {
    Case {
        activation,
        variances: VARIANCES.to_vec(),
        definition: Definition {
            f: Box::new(f),
            derivative: Box::new(derivative),
            reach: 12.0,
            normalized: false,
        },
    }
}

impl Case {
    fn reach(mut self, reach: f64) -> Self {
        self.definition.reach = reach;
        self
    }

    fn variances(mut self, variances: &[(f64, f64)]) -> Self {
        self.variances = variances.to_vec();
        self
    }
}

fn bell(x: f64) -> f64 {
    (-x * x).exp()
}

fn normal(x: f64) -> f64 {
    (1.0 + error_function(x / SQRT_2)) / 2.0
}

/// `sum_l c_l He_l(x)/sqrt(l!)`.
fn hermite_sum(coefficients: &[f64], x: f64) -> f64 {
    let (mut below, mut h, mut sum) = (0.0, 1.0, 0.0);
    for (l, c) in coefficients.iter().enumerate() {
        sum += c * h;
        let l = l as f64;
        (below, h) = (h, (x * h - l.sqrt() * below) / (l + 1.0).sqrt());
    }
    sum
}

/// The coefficients of its derivative.
fn lowered(c: &[f64]) -> Vec<f64> {
    (1..c.len()).map(|l| c[l] * (l as f64).sqrt()).collect()
}

fn step(x: f64) -> f64 {
    f64::from(u8::from(x > 0.0))
}

/// An activation from each family, and more where options matter.
pub(super) static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let mut cases = vec![
        case(relu(), |x| x.max(0.0), step),
        case(
            abrelu(0.3, -1.2),
            |x| if x < 0.0 { 0.3 * x } else { -1.2 * x },
            |x| if x < 0.0 { 0.3 } else { -1.2 },
        ),
        case(erf(1.0, 1.0, 0.0), error_function, |x| {
            2.0 / PI.sqrt() * bell(x)
        }),
        case(
            erf(-0.7, 1.7, 0.4),
            |x| -0.7 * error_function(1.7 * x) + 0.4,
            |x| -0.7 * 1.7 * 2.0 / PI.sqrt() * bell(1.7 * x),
        ),
        case(
            sigmoid_like(),
            |x| 0.5 * error_function(x / 2.402_056_353_171_979_6) + 0.5,
            |x| bell(x / 2.402_056_353_171_979_6) / PI.sqrt() / 2.402_056_353_171_979_6,
        ),
        case(
            gelu(),
            |x| x * normal(x),
            |x| normal(x) + x * bell(x / SQRT_2) / (2.0 * PI).sqrt(),
        ),
        case(
            exp(0.5, 0.7),
            |x| 0.5 * (0.7 * x).exp(),
            |x| 0.35 * (0.7 * x).exp(),
        )
        .reach(17.0),
        case(gaussian(1.0, -1.0), bell, |x| -2.0 * x * bell(x)),
        case(
            gaussian(-2.0, 0.02),
            |x| -2.0 * (0.02 * x * x).exp(),
            |x| -0.08 * x * (0.02 * x * x).exp(),
        )
        .reach(17.0),
        case(
            gabor(),
            |x| bell(x) * x.sin(),
            |x| bell(x) * (x.cos() - 2.0 * x * x.sin()),
        ),
        case(
            rbf(0.6),
            |x| SQRT_2 * (1.2_f64.sqrt() * x + FRAC_PI_4).sin(),
            |x| SQRT_2 * 1.2_f64.sqrt() * (1.2_f64.sqrt() * x + FRAC_PI_4).cos(),
        ),
        case(sign(), f64::signum, |_| 0.0),
        case(
            polynomial([0.3, 0.5, -0.2, 0.1, 0.02]),
            |x| 0.3 + x * (0.5 + x * (-0.2 + x * (0.1 + x * 0.02))),
            |x| 0.5 + x * (-0.4 + x * (0.3 + x * 0.08)),
        ),
        case(
            closed_form("square", |q1, q2, q| (q1 * q2 + 2.0 * q * q, 4.0 * q)),
            |x| x * x,
            |x| 2.0 * x,
        ),
        case(
            numerical("cubic", |x| 1.0 + x - 0.2 * x.powi(3), 8),
            |x| 1.0 + x - 0.2 * x.powi(3),
            |x| 1.0 - 0.6 * x * x,
        ),
        case(numerical("tanh", f64::tanh, 512), f64::tanh, |x| {
            1.0 - x.tanh().powi(2)
        }),
    ];
    for (a, b, c) in [(1.0, 1.0, 0.0), (1.3, 0.7, 0.2), (-2.0, 2.0, -1.9)] {
        let (first, second) = (move |x: f64| b * x + c, a * b);
        let (f, d) = (
            move |x| a * first(x).sin(),
            move |x| second * first(x).cos(),
        );
        cases.push(case(sin(a, b, c), f, d));
        let (f, d) = (
            move |x| a * first(x).cos(),
            move |x| -second * first(x).sin(),
        );
        cases.push(case(cos(a, b, c), f, d));
    }
    for function in [
        Function::Tanh,
        Function::Softplus,
        Function::Silu,
        Function::Sigmoid,
    ] {
        cases.push(case(
            quadrature(function, 512),
            move |x| match function {
                Function::Tanh => 1.0 - 2.0 / (1.0 + (2.0 * x).exp()),
                Function::Softplus => (1.0 + x.exp()).ln(),
                Function::Silu => x / (1.0 + (-x).exp()),
                Function::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            },
            move |x| {
                let s = 1.0 / (1.0 + (-x).exp());
                match function {
                    Function::Tanh => 1.0 - x.tanh().powi(2),
                    Function::Softplus => s,
                    Function::Silu => s + x * s * (1.0 - s),
                    Function::Sigmoid => s * (1.0 - s),
                }
            },
        ));
    }
    for n in 0..6_u32 {
        let mut c = vec![0.0; n as usize + 1];
        c[n as usize] = 1.0;
        let lowered = lowered(&c);
        let unit = [(1.0, 1.0)];
        cases.push(
            case(
                hermite(n),
                move |x| hermite_sum(&c, x),
                move |x| hermite_sum(&lowered, x),
            )
            .variances(&unit),
        );
        let (power, slope) = (n.cast_signed(), f64::from(n));
        let derivative = move |x: f64| {
            if n == 0 {
                0.0
            } else {
                slope * x.powi(power - 1)
            }
        };
        cases.push(case(monomial(n), move |x| x.powi(power), derivative));
        cases.push(case(
            rectified_monomial(n),
            move |x| step(x) * x.powi(power),
            move |x| step(x) * derivative(x),
        ));
    }
    for (gamma, shift) in [(1.0, -1.0), (2.0, 0.3)] {
        // exp(gamma (rho + shift)) is the sum of these coefficients' squares times rho^l.
        let mut c = vec![f64::exp(gamma * shift / 2.0)];
        for l in 1..30 {
            c.push(c[l - 1] * (gamma / l as f64).sqrt());
        }
        let lowered = lowered(&c);
        let mut case = case(
            exp_normalized(gamma, shift),
            move |x| hermite_sum(&c, x),
            move |x| hermite_sum(&lowered, x),
        )
        .reach(14.0);
        case.definition.normalized = true;
        cases.push(case);
    }
    cases
});

/// Differences of `K` and `D`, relative to the diagonals' geometric means.
fn relative(f: &Activation, v1: f64, v2: f64, got: (f64, f64), expected: (f64, f64)) -> [f64; 2] {
    let ((k1, d1), (k2, d2)) = (f.diagonal(v1), f.diagonal(v2));
    let error = |got: f64, expected: f64, scale: f64| {
        if got == expected {
            0.0
        } else {
            (got - expected).abs() / scale
        }
    };
    [
        error(got.0, expected.0, (k1 * k2).sqrt()),
        error(got.1, expected.1, (d1 * d2).sqrt()),
    ]
}

fn worse(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    // NaN must not be lost.
    std::array::from_fn(|i| {
        if b[i] > a[i] || b[i].is_nan() {
            b[i]
        } else {
            a[i]
        }
    })
}

/// Largest errors of f64 against the definition, and of f32 against f64.
fn errors(rule: &Legendre, case: &Case) -> ([f64; 2], [f64; 2]) {
    let f = &case.activation;
    let (mut double, mut single) = ([0.0; 2], [0.0; 2]);
    for &(v1, v2) in &case.variances {
        for rho in COSINES {
            let q = rho * (v1 * v2).sqrt();
            let got = f.dual(v1, v2, q);
            let expected = by_integration(rule, &case.definition, v1, v2, rho);
            double = worse(double, relative(f, v1, v2, got, expected));
            let narrow = (v1 as f32, v2 as f32, q as f32);
            let (k, d) = f.dual(narrow.0, narrow.1, narrow.2);
            // Parallel samples stay so; for others the rounded arguments are the arguments.
            let reference = if rho.abs() == 1.0 {
                got
            } else {
                f.dual(narrow.0.into(), narrow.1.into(), narrow.2.into())
            };
            single = worse(single, relative(f, v1, v2, (k.into(), d.into()), reference));
        }
    }
    (double, single)
}

/// Rounding of the integration, about a million terms that may cancel, and what quadrature
/// leaves out at variance 7 with 512 nodes.
const TOLERANCE: f64 = 1e-10;
/// Arguments rounded to f32 move the angle of the pair at cosine 0.9999 by `eps/0.014`.
const TOLERANCE_F32: f64 = 5e-6;

#[test]
fn agrees_with_the_definition() {
    let rule = Legendre::new();
    let failed: Vec<String> = CASES
        .par_iter()
        .filter_map(|case| {
            let (double, single) = errors(&rule, case);
            let good = double.iter().all(|e| *e <= TOLERANCE)
                && single.iter().all(|e| *e <= TOLERANCE_F32);
            (!good).then(|| format!("{}: {double:?}, f32 {single:?}", case.activation))
        })
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// A scale's share of the NTK against its definition, the kernel of `x f'(x)`.
#[test]
fn kernels_of_scales_agree_with_the_definition() {
    let rule = Legendre::new();
    let check = |case: &'static Case| {
        let (f, derivative) = (&case.activation, &case.definition.derivative);
        let terms = f.euler()?;
        let of = Definition {
            f: Box::new(move |x| x * derivative(x)),
            derivative: Box::new(|_| 0.0),
            ..case.definition
        };
        let mut worst = 0.0_f64;
        for &(v1, v2) in &case.variances {
            let found = |q1, q2, q| -> f64 {
                let kernels = terms.iter().map(|(by, f)| by * f.dual(q1, q2, q).0);
                kernels.sum()
            };
            let scale = (found(v1, v1, v1) * found(v2, v2, v2)).sqrt();
            for rho in COSINES {
                let (expected, _) = by_integration(&rule, &of, v1, v2, rho);
                let far = (found(v1, v2, rho * (v1 * v2).sqrt()) - expected).abs();
                worst = worst.max(if far == 0.0 { 0.0 } else { far / scale });
            }
            assert!(!scale.is_nan(), "{f}");
        }
        Some((f.to_string(), worst))
    };
    let found: Vec<_> = CASES.par_iter().filter_map(check).collect();
    // Those that are known by their kernels or values alone have none.
    assert_eq!(found.len(), CASES.len() - 5);
    // Of quadratures it shows what K leaves out, and loses a derivative's worth more.
    let failed: Vec<_> = found
        .iter()
        .filter(|(_, far)| far.is_nan() || *far > 10.0 * TOLERANCE)
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn zero_samples() {
    // With u = 0 the kernel is f(0) E[f(v)], its derivative f'(0) E[f'(v)].
    let rule = Legendre::new();
    for case in CASES.iter().filter(|c| c.variances.len() > 1) {
        let f = &case.activation;
        let kinked = matches!(
            f,
            Activation::AbRelu(_) | Activation::Sign(_) | Activation::RectifiedMonomial(_)
        );
        if kinked || case.definition.normalized {
            continue;
        }
        for (v1, v2) in [(0.0, 2.0), (2.0, 0.0), (0.0, 0.0)] {
            let expected = by_integration(&rule, &case.definition, v1, v2, 0.0);
            let got = f.dual(v1, v2, 0.0);
            let error = f64::max((got.0 - expected.0).abs(), (got.1 - expected.1).abs());
            let scale = expected.0.abs() + expected.1.abs() + 1.0;
            assert!(
                error <= 1e-10 * scale,
                "{f} {v1} {v2}: {got:?} {expected:?}"
            );
        }
    }
    assert_eq!(exp_normalized(1.0, -1.0).dual(0.0, 2.0, 0.0).0, 0.0);
    assert_eq!(
        exp_normalized(1.0, -1.0).diagonal(0.0),
        exp_normalized(1.0, -1.0).dual(0.0, 0.0, 0.0)
    );
}

#[test]
fn json_round_trips() {
    let mut network = Network::new();
    for case in CASES.iter() {
        let readable = !matches!(
            case.activation,
            Activation::ClosedForm(_) | Activation::Numerical(_)
        );
        if readable {
            network = network.then(case.activation.clone());
        }
    }
    assert_eq!(Network::from_json(&network.to_json()), Ok(network));
}

#[test]
fn json_defaults_and_faults() {
    let read = |text: &str| {
        let network = Network::from_json(&format!("{{\"layers\": [{text}]}}"))?;
        Ok::<_, crate::network::NetworkError>(network.layers[0].clone())
    };
    for (text, activation) in [
        (r#""erf""#, erf(1.0, 1.0, 0.0)),
        (r#"{"erf": {"b": 2}}"#, erf(1.0, 2.0, 0.0)),
        (r#""sigmoid_like""#, sigmoid_like()),
        (r#"{"sin": {"c": 0.5}}"#, sin(1.0, 1.0, 0.5)),
        (r#""cos""#, cos(1.0, 1.0, 0.0)),
        (r#""exp""#, exp(1.0, 1.0)),
        (r#""gaussian""#, gaussian(1.0, -1.0)),
        (r#""exp_normalized""#, exp_normalized(1.0, -1.0)),
        (r#""rbf""#, rbf(1.0)),
        (
            r#"{"quadrature": {"function": "silu"}}"#,
            quadrature(Function::Silu, 64),
        ),
    ] {
        assert_eq!(read(text), Ok(activation.into()), "{text}");
    }
    for (text, part) in [
        (
            r#"{"erf": {"d": 2}}"#,
            "has no option \"d\"; it has a, b, c",
        ),
        (r#"{"gelu": {"a": 2}}"#, "has no option \"a\"; it has none"),
        (r#""hermite""#, "degree"),
        (r#"{"monomial": {"degree": -1}}"#, "-1"),
        (
            r#"{"rectified_monomial": {"degree": 4000000000}}"#,
            "at most 100, found 4000000000",
        ),
        (r#"{"polynomial": {"coefficients": []}}"#, "at least one"),
        (
            r#"{"quadrature": {"function": "tanh", "nodes": 0}}"#,
            "found 0",
        ),
        (
            r#"{"quadrature": {"function": "tanh", "nodes": 100000}}"#,
            "found 100000",
        ),
        (r#"{"quadrature": {"function": "mish"}}"#, "mish"),
        (r#"{"rbf": {"gamma": -1}}"#, "found -1"),
        (
            r#"{"exp_normalized": {"gamma": 1000, "shift": 0}}"#,
            "found 1000",
        ),
        (
            r#"{"closed_form": {"name": "square"}}"#,
            "dual::closed_form",
        ),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

/// Two variances over some decades; 1 where nothing else is allowed.
fn pair_in(case: &Case, decades: (f64, f64)) -> Option<(f64, f64)> {
    let v = (10.0_f64.powf(decades.0), 10.0_f64.powf(decades.1));
    if case.variances.len() == 1 {
        return Some((1.0, 1.0));
    }
    let f = &case.activation;
    let maps = f.maps::<f64>();
    (maps.domain(v.0).is_ok() && maps.domain(v.1).is_ok()).then_some(v)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_kernel(
        decades in (-3.0..1.0, -3.0..1.0),
        rho in -1.0..=1.0_f64,
    ) {
        for case in CASES.iter() {
            let f = &case.activation;
            let Some((v1, v2)) = pair_in(case, decades) else { continue };
            let q = rho * (v1 * v2).sqrt();
            let (k, d) = f.dual(v1, v2, q);
            let ((k1, d1), (k2, d2)) = (f.diagonal(v1), f.diagonal(v2));
            let (kernel, derivative) = ((k1 * k2).sqrt(), (d1 * d2).sqrt());
            // Symmetric: the order of roundings may differ.
            let [ek, ed] = relative(f, v1, v2, f.dual(v2, v1, q), (k, d));
            prop_assert!(ek <= 1e-13 && ed <= 1e-13, "{f} symmetry {ek} {ed}");
            // Cauchy and Schwarz; the derivative's kernel, too, is one.
            prop_assert!(k.abs() <= kernel * (1.0 + 1e-12), "{f} {v1} {v2} {rho} {k} {kernel}");
            prop_assert!(d.abs() <= derivative * (1.0 + 1e-12), "{f} {v1} {v2} {rho} {d} {derivative}");
            // The diagonal is the pair with itself.
            let [ek, ed] = relative(f, v1, v1, f.dual(v1, v1, v1), (k1, d1));
            prop_assert!(ek <= 1e-13 && ed <= 1e-13, "{f} diagonal {ek} {ed}");
        }
    }

    #[test]
    fn the_derivative_is_the_kernels(
        decades in (-2.0..1.0, -2.0..1.0),
        rho in -0.9..=0.9_f64,
    ) {
        for case in CASES.iter() {
            let f = &case.activation;
            let Some((v1, v2)) = pair_in(case, decades) else { continue };
            let scale = (v1 * v2).sqrt();
            if matches!(f, Activation::Sign(_)) || *f == rectified_monomial(0) {
                // Their D is 0 by convention.
                continue;
            }
            let h = 1e-4;
            let at = |rho: f64| f.dual(v1, v2, rho * scale).0;
            // Of order h^4.
            let slope = (8.0 * (at(rho + h) - at(rho - h)) - (at(rho + 2.0 * h) - at(rho - 2.0 * h)))
                / (12.0 * h * scale);
            let (_, d) = f.dual(v1, v2, rho * scale);
            let ((k1, d1), (k2, d2)) = (f.diagonal(v1), f.diagonal(v2));
            let rounding = 1e-15 * (k1 * k2).sqrt() / (h * scale);
            let error = (slope - d).abs();
            prop_assert!(
                error <= 1e-8 * (d1 * d2).sqrt() + 10.0 * rounding,
                "{f} {v1} {v2} {rho}: {slope} {d}"
            );
        }
    }

    #[test]
    fn powers_are_homogeneous(
        decades in (-3.0..1.0, -3.0..1.0),
        rho in -1.0..=1.0_f64,
        (s, t) in (0.01..100.0_f64, 0.01..100.0_f64),
    ) {
        let v = (10.0_f64.powf(decades.0), 10.0_f64.powf(decades.1));
        let q = rho * (v.0 * v.1).sqrt();
        for n in 0..8_u32 {
            for f in [monomial(n), rectified_monomial(n)] {
                let power = n.cast_signed();
                let (k, d) = f.dual(v.0, v.1, q);
                let got = f.dual(s * s * v.0, t * t * v.1, s * t * q);
                let expected = (
                    (s * t).powi(power) * k,
                    (s * t).powi(power - 1) * d,
                );
                let e = relative(&f, s * s * v.0, t * t * v.1, got, expected);
                // Near parallel samples rounding turns the angle by up to 1e-7.
                prop_assert!(e[0] <= 1e-12 || (n == 0 && e[0] <= 1e-6), "{f} {e:?}");
                prop_assert!(e[1] <= 1e-12 || (n == 1 && e[1] <= 1e-6), "{f} {e:?}");
            }
        }
    }

    #[test]
    fn single_precision_is_near(
        decades in (-3.0..1.0, -3.0..1.0),
        rho in -0.99..=0.99_f64,
    ) {
        for case in CASES.iter() {
            let f = &case.activation;
            let Some((v1, v2)) = pair_in(case, decades) else { continue };
            let narrow = (v1 as f32, v2 as f32, (rho * (v1 * v2).sqrt()) as f32);
            let (k, d) = f.dual(narrow.0, narrow.1, narrow.2);
            let reference = f.dual(narrow.0.into(), narrow.1.into(), narrow.2.into());
            let e = relative(f, v1, v2, (k.into(), d.into()), reference);
            prop_assert!(e.iter().all(|e| *e <= TOLERANCE_F32), "{f} {v1} {v2} {rho} {e:?}");
        }
    }

    #[test]
    fn extreme_scales(
        decades in (-300.0..300.0, -300.0..300.0),
        narrow in (-37.0..37.0, -37.0..37.0),
        rho in -1.0..=1.0_f64,
    ) {
        for case in CASES.iter() {
            let f = &case.activation;
            if let Some((v1, v2)) = pair_in(case, decades) {
                let q = rho * v1.sqrt() * v2.sqrt();
                let (k, d) = f.dual(v1, v2, q);
                let (k1, k2) = (f.diagonal(v1).0, f.diagonal(v2).0);
                prop_assert!(!d.is_nan(), "{f} {v1:e} {v2:e} {rho} {d}");
                // Below the smallest normal number the diagonal has lost digits.
                if k1.is_normal() && k2.is_normal() {
                    let limit = k1.sqrt() * k2.sqrt() * (1.0 + 1e-10);
                    prop_assert!(k.abs() <= limit, "{f} {v1:e} {v2:e} {rho} {k}");
                }
            }
            if let Some((v1, v2)) = pair_in(case, narrow) {
                let q = rho * v1.sqrt() * v2.sqrt();
                let (k, _) = f.dual(v1 as f32, v2 as f32, q as f32);
                let (k1, k2) = (f.diagonal(v1 as f32).0, f.diagonal(v2 as f32).0);
                if k1.is_normal() && k2.is_normal() {
                    let limit = k1.sqrt() * k2.sqrt() * (1.0 + 1e-4);
                    prop_assert!(k.abs() <= limit, "f32 {f} {v1:e} {v2:e} {rho} {k}");
                }
            }
        }
    }
}

#[test]
fn functions_are_as_defined() {
    for Case {
        activation,
        definition,
        ..
    } in CASES.iter()
    {
        for x in [-2.3, -0.4, 1e-3, 0.7, 3.1] {
            let Some((value, slope)) = activation.at(x) else {
                continue;
            };
            let (f, d) = ((definition.f)(x), (definition.derivative)(x));
            assert!(
                (value - f).abs() <= 1e-14 * f.abs().max(1.0),
                "{activation} at {x}: {value} {f}"
            );
            assert!(
                (slope - d).abs() <= 1e-14 * d.abs().max(1.0),
                "{activation} at {x}: {slope} {d}"
            );
        }
    }
    let without = CASES
        .iter()
        .filter(|case| case.activation.at(0.5).is_none());
    assert_eq!(without.count(), 5, "exp_normalized, closed_form, numerical");
}
