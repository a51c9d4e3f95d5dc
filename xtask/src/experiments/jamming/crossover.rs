//! Where the training loss leaves zero as networks get smaller.

use super::TRAIN;
use super::linearized::Trained;
use crate::experiments::common::mean_and_error;

/// N*/P by two definitions, one number a seed.
pub(super) struct Crossover {
    /// The knee of the loss at the end of the flow: where the straight line that best continues
    /// the losses of small networks against ln N meets zero.
    pub(super) knee: Vec<f64>,
    /// The end of long training: half-way between the largest network whose constraints cannot all
    /// be satisfied and the next larger one.
    pub(super) satisfiable: Vec<f64>,
    /// How far apart these two are, on average over seeds.
    gap: f64,
}

impl Crossover {
    pub(super) fn new(trained: &[Trained], seeds: &[u64]) -> Self {
        let of = |seed: u64| {
            let mut one: Vec<&Trained> = trained.iter().filter(|t| t.seed == seed).collect();
            one.sort_by_key(|t| t.n);
            one
        };
        let ratio = |t: &Trained| t.n as f64 / TRAIN as f64;
        let knee = |one: &[&Trained]| {
            let points: Vec<(f64, f64)> = one
                .iter()
                .map(|t| (ratio(t).ln(), t.end.train_loss))
                .collect();
            knee(&points).exp()
        };
        let jump = |one: &[&Trained]| {
            let first = one
                .iter()
                .rposition(|t| !t.satisfiable)
                .map_or(0, |last| last + 1);
            let above = one.get(first).or(one.last()).map_or(f64::NAN, |t| ratio(t));
            let last = first.saturating_sub(1);
            let below = one.get(last).map_or(f64::NAN, |t| ratio(t));
            (below, above)
        };
        let jumps: Vec<(f64, f64)> = seeds.iter().map(|&seed| jump(&of(seed))).collect();
        let gaps: f64 = jumps.iter().map(|(below, above)| above - below).sum();
        Self {
            knee: seeds.iter().map(|&seed| knee(&of(seed))).collect(),
            satisfiable: jumps
                .iter()
                .map(|&(low, high)| f64::midpoint(low, high))
                .collect(),
            gap: gaps / jumps.len().max(1) as f64,
        }
    }

    /// Mean over seeds and standard error of [`Crossover::knee`].
    pub(super) fn at_knee(&self) -> (f64, f64) {
        mean_and_error(&self.knee)
    }

    /// The same of [`Crossover::satisfiable`]. Widths are whole numbers, and N* lies anywhere
    /// between two of them: the standard deviation of that, gap/sqrt(12), is part of the error,
    /// being the same for all seeds.
    pub(super) fn at_satisfiable(&self) -> (f64, f64) {
        let (mean, error) = mean_and_error(&self.satisfiable);
        (mean, error.hypot(self.gap / 12.0_f64.sqrt()))
    }
}

/// The x at which `a max(0, x* - x)` fits the points best in the least-squares sense.
///
/// For given x* the slope a is linear; x* itself is found on a grid, then by golden section.
pub(super) fn knee(points: &[(f64, f64)]) -> f64 {
    let misfit = |knee: f64| {
        let part = |x: f64| (knee - x).max(0.0);
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for &(x, y) in points {
            xx += part(x) * part(x);
            xy += part(x) * y;
            yy += y * y;
        }
        if xx > 0.0 { yy - xy * xy / xx } else { yy }
    };
    let low = points.iter().map(|p| p.0).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|p| p.0).fold(f64::NEG_INFINITY, f64::max);
    const GRID: usize = 200;
    let step = (high - low) / GRID as f64;
    let at = |i: usize| low + step * i as f64;
    let best = (0..=GRID)
        .min_by(|&i, &j| misfit(at(i)).total_cmp(&misfit(at(j))))
        .unwrap_or(0);
    let (mut a, mut b) = (at(best) - step, at(best) + step);
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    for _ in 0..60 {
        let (c, d) = (b - golden * (b - a), a + golden * (b - a));
        if misfit(c) < misfit(d) { b = d } else { a = c }
    }
    f64::midpoint(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn the_knee_of_a_hinge_is_found() {
        for (knee_at, slope) in [(0.3, 2.0), (-1.7, 0.01), (1.9, 50.0)] {
            let points: Vec<(f64, f64)> = (0..130)
                .map(|i| -3.0 + 6.0 * f64::from(i) / 129.0)
                .map(|x| (x, slope * (knee_at - x).max(0.0)))
                .collect();
            assert_relative_eq!(knee(&points), knee_at, epsilon = 1e-6);
        }
    }
}
