//! Computes how far one eigenmode of the kernel has come at a time.
//!
//! Along an eigenvector with eigenvalue `lambda` the residual `f - y` of the squared loss is
//! `phi(t)` times its start. With N = n*o, the number of entries that the loss averages:
//! gradient flow has `phi = exp(-lambda eta t / N)`; momentum m has, with `s = sqrt(eta) t`,
//! `gamma = (1 - m)/sqrt(eta)` and `kappa = lambda/N`,
//! `phi'' + gamma phi' + kappa phi = 0`, `phi(0) = 1`, `phi'(0) = 0`: the limit of heavy-ball
//! steps for `eta -> 0` at a fixed `gamma`.

/// A `Response` holds the equation of motion of the modes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Response {
    /// The learning rate, eta.
    pub(super) learning_rate: f64,
    /// The number of entries, N.
    pub(super) entries: f64,
    /// The momentum m, where there is momentum.
    pub(super) momentum: Option<f64>,
}

impl Response {
    /// Computes `(phi(t) - 1, (phi(t) - 1)/lambda)` for `lambda >= 0`.
    ///
    /// Both are smooth down to `lambda = 0`. Up to `unresolved` an eigenvalue cannot be told from
    /// zero: at infinity such a mode has not moved, `(0, 0)`; before, the second number is that of
    /// `unresolved` itself, as with less it would multiply rounding without end.
    pub(super) fn at(&self, lambda: f64, time: f64, unresolved: f64) -> (f64, f64) {
        if time == f64::INFINITY {
            return if lambda <= unresolved {
                (0.0, 0.0)
            } else {
                (-1.0, -lambda.recip())
            };
        }
        let (moved, over) = self.before(lambda, time);
        if lambda < unresolved {
            return (moved, self.before(unresolved, time).1);
        }
        (moved, over)
    }

    /// Computes the same numbers of any eigenvalue at a finite time.
    fn before(&self, lambda: f64, time: f64) -> (f64, f64) {
        let kappa = lambda / self.entries;
        let (moved, over_kappa) = match self.momentum {
            None => {
                let s = (self.learning_rate * time).min(f64::MAX);
                let moved = (-kappa * s).exp_m1();
                (moved, if kappa > 0.0 { moved / kappa } else { -s })
            }
            Some(m) => {
                let root = self.learning_rate.sqrt();
                heavy_ball((1.0 - m) / root, kappa, (root * time).min(f64::MAX))
            }
        };
        (moved, over_kappa / self.entries)
    }
}

/// Computes `(phi - 1, (phi - 1)/kappa)` of the damped oscillator.
///
/// Every branch keeps the second number to a few eps, whatever the size of kappa.
fn heavy_ball(gamma: f64, kappa: f64, s: f64) -> (f64, f64) {
    let (damping, stiffness) = (gamma * s, kappa * s * s);
    if damping <= 1.0 && stiffness <= 1.0 {
        let over_kappa = (s * s * power_series(damping, stiffness)).max(f64::MIN);
        return (kappa * over_kappa, over_kappa);
    }
    let half = gamma / 2.0;
    let discriminant = half * half - kappa;
    if discriminant.abs() * s * s <= 0.125 {
        // Here kappa s^2 >= 1/4 - 1/8, so that nothing cancels in phi - 1.
        let (even, odd) = even_and_odd(discriminant * s * s);
        let moved = (-half * s).exp() * (even + half * s * odd) - 1.0;
        return (moved, moved / kappa);
    }
    if discriminant > 0.0 {
        let root = discriminant.sqrt();
        let fast = half + root;
        // The difference half - root would cancel.
        let slow = kappa / fast;
        let slow_moved = (-slow * s).exp_m1();
        let slow_over_kappa = if slow > 0.0 {
            slow_moved / kappa
        } else {
            -s / fast
        };
        let fast_moved = (-fast * s).exp_m1();
        let over_kappa = (fast * slow_over_kappa - fast_moved / fast) / (2.0 * root);
        // An infinite value would make NaN with kappa = 0.
        let over_kappa = over_kappa.max(f64::MIN);
        return (kappa * over_kappa, over_kappa);
    }
    let decay = (-half * s).exp();
    if decay == 0.0 {
        // Here omega s may have overflowed.
        return (-1.0, -kappa.recip());
    }
    let omega = (-discriminant).sqrt();
    let (sin, cos) = (omega * s).sin_cos();
    let moved = decay * (cos + half / omega * sin) - 1.0;
    (moved, moved / kappa)
}

/// Computes `(phi - 1)/(kappa s^2)` by the power series of phi in s, for `damping = gamma s` and
/// `stiffness = kappa s^2` of at most one.
fn power_series(damping: f64, stiffness: f64) -> f64 {
    let (mut before, mut last) = (0.0, -0.5);
    let mut sum = last;
    // Terms shrink at least as 2^k/k!: the 24th is below 1e-16 of the first.
    for k in 3..26 {
        let k = f64::from(k);
        let next = -(damping * (k - 1.0) * last + stiffness * before) / (k * (k - 1.0));
        (before, last) = (last, next);
        sum += next;
    }
    sum
}

/// Computes `cosh sqrt(z)` and `sinh(sqrt z)/sqrt z`, for `|z| <= 1/8` of either sign.
fn even_and_odd(z: f64) -> (f64, f64) {
    let (mut even, mut odd) = (1.0, 1.0);
    let mut term = 1.0;
    for k in 1..9 {
        let twice = 2.0 * f64::from(k);
        term *= z / (twice * (twice - 1.0));
        even += term;
        odd += term / (twice + 1.0);
    }
    (even, odd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    const PLAIN: Response = Response {
        learning_rate: 0.5,
        entries: 4.0,
        momentum: None,
    };

    /// The oscillator by classical Runge-Kutta: phi at `s`.
    fn integrated(gamma: f64, kappa: f64, s: f64) -> f64 {
        let steps = 20_000;
        let h = s / f64::from(steps);
        let slope = |(q, v): (f64, f64)| (v, -gamma * v - kappa * q);
        let at = |(q, v): (f64, f64), (dq, dv): (f64, f64), h: f64| (q + h * dq, v + h * dv);
        let mut state = (1.0, 0.0);
        for _ in 0..steps {
            let a = slope(state);
            let b = slope(at(state, a, h / 2.0));
            let c = slope(at(state, b, h / 2.0));
            let d = slope(at(state, c, h));
            let mean = |a: f64, b: f64, c: f64, d: f64| (a + 2.0 * (b + c) + d) / 6.0;
            state = at(
                state,
                (mean(a.0, b.0, c.0, d.0), mean(a.1, b.1, c.1, d.1)),
                h,
            );
        }
        state.0
    }

    #[test]
    fn nothing_moves_at_time_zero() {
        for momentum in [None, Some(0.0), Some(0.9)] {
            for lambda in [0.0, 1e-300, 1.0, 1e300] {
                let response = Response { momentum, ..PLAIN };
                assert_eq!(response.at(lambda, 0.0, 0.0), (0.0, 0.0));
            }
        }
    }

    #[test]
    fn infinity_is_the_inverse_or_nothing() {
        for momentum in [None, Some(0.5)] {
            let response = Response { momentum, ..PLAIN };
            assert_eq!(response.at(2.0, f64::INFINITY, 1e-15), (-1.0, -0.5));
            assert_eq!(response.at(0.0, f64::INFINITY, 0.0), (0.0, 0.0));
            assert_eq!(response.at(1e-17, f64::INFINITY, 1e-15), (0.0, 0.0));
        }
    }

    #[test]
    fn gradient_flow_has_its_limit_in_the_null_space() {
        assert_eq!(PLAIN.at(0.0, 8.0, 0.0), (0.0, -1.0));
        // expm1(-x)/x = -1 + x/2: to eps from x = 1e-16 on.
        let (moved, over) = PLAIN.at(1e-16, 8.0, 0.0);
        assert_relative_eq!(over, -1.0, max_relative = 1e-15);
        assert_relative_eq!(moved, -1e-16, max_relative = 1e-15);
        let (moved, over) = PLAIN.at(3.0, 8.0, 0.0);
        assert_relative_eq!(moved, (-3.0_f64).exp() - 1.0, max_relative = 1e-15);
        assert_relative_eq!(over, moved / 3.0, max_relative = 1e-15);
    }

    #[test]
    fn what_cannot_be_told_from_zero_is_bounded() {
        for momentum in [None, Some(0.5)] {
            let response = Response { momentum, ..PLAIN };
            for lambda in [0.0, 1e-20, 1e-16] {
                // A thousandth of the time in which the bound moves, it changes nothing.
                let early = response.at(lambda, 1e-3 * 4.0 / 1e-15, 1e-15);
                let free = response.at(lambda, 1e-3 * 4.0 / 1e-15, 0.0);
                assert_relative_eq!(early.1, free.1, max_relative = 1e-3);
                assert_eq!(early.0, free.0);
                let (_, late) = response.at(lambda, f64::MAX, 1e-15);
                assert_relative_eq!(late, -1e15, max_relative = 1e-15);
            }
        }
    }

    #[test]
    fn huge_times_stay_finite() {
        for momentum in [None, Some(0.0), Some(0.999)] {
            let response = Response { momentum, ..PLAIN };
            for lambda in [0.0, 1e-300, 1e-10, 1.0, 1e10] {
                let (moved, over) = response.at(lambda, f64::MAX, 0.0);
                let end = if lambda > 0.0 { -1.0 } else { 0.0 };
                assert!(over.is_finite(), "{lambda}");
                // Two roundings may be left of numbers that are equal.
                assert!(
                    (moved - end).abs() <= 2.0 * f64::EPSILON,
                    "{lambda}: {moved}"
                );
            }
        }
    }

    #[test]
    fn momentum_obeys_its_equation() {
        // Under-damped, over-damped, critical and close to it, on both sides of every branch.
        for gamma in [1e-3, 0.3, 1.0, 2.0, 7.0] {
            for ratio in [0.0, 1e-6, 0.1, 0.99, 1.0, 1.01, 10.0, 1e3] {
                let kappa = ratio * gamma * gamma / 4.0;
                for s in [0.01, 0.5, 0.999, 1.001, 3.0, 10.0] {
                    let (moved, over) = heavy_ball(gamma, kappa, s);
                    // Step h = s/20000: an error of (h sqrt kappa)^4 s at most, below 1e-10 here.
                    assert_relative_eq!(1.0 + moved, integrated(gamma, kappa, s), epsilon = 1e-10);
                    assert_relative_eq!(over * kappa, moved, epsilon = 1e-14);
                }
            }
        }
    }

    #[test]
    fn momentum_has_its_limit_in_the_null_space() {
        // (phi - 1)/kappa at kappa = 0 is -(gamma s - 1 + e^(-gamma s))/gamma^2.
        for (gamma, s) in [(0.5_f64, 3.0_f64), (2.0, 4.0), (5.0, 0.3), (0.9, 1.0)] {
            let x = gamma * s;
            let limit = -(x + (-x).exp_m1()) / (gamma * gamma);
            for kappa in [0.0, 1e-20] {
                // x + expm1(-x) loses up to 3 of its digits' unit at x = 0.9: a few eps.
                let (_, over) = heavy_ball(gamma, kappa, s);
                assert_relative_eq!(over, limit, max_relative = 2e-15);
            }
        }
        // Where gamma s is tiny that formula cancels; the series says -s^2/2.
        let (_, over) = heavy_ball(1e-9, 0.0, 1e-3);
        assert_relative_eq!(over, -5e-7, max_relative = 1e-11);
    }

    #[test]
    fn branches_meet() {
        // Neighbours across |discriminant| s^2 = 1/8 and damping = 1 differ by their slope times 2e-12.
        for (gamma, kappa, s) in [(2.0, 0.96875, 2.0), (2.0, 1.03125, 2.0), (1.0, 0.5, 1.0)] {
            let (_, below) = heavy_ball(gamma, kappa, s * (1.0 - 1e-12));
            let (_, above) = heavy_ball(gamma, kappa, s * (1.0 + 1e-12));
            assert_relative_eq!(below, above, max_relative = 1e-11);
        }
    }
}
