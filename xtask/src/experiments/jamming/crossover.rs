//! Where the training loss leaves zero as networks get smaller.

use super::linearized::JammingNetwork;
use super::{SEEDS, Spread, Value, at};
use serde_json::json;

/// N*/P by two definitions, over seeds.
pub(super) struct Crossover {
    /// The knee of the loss at the end of the flow: where the straight line that best continues
    /// the losses of small networks against ln N meets zero.
    pub(super) knee: Spread,
    /// The end of long training: half-way between the largest network whose constraints cannot all
    /// be satisfied and the next larger one.
    pub(super) satisfiable: Spread,
}

impl Crossover {
    /// Finds both in the networks of each seed, which are by growing size.
    pub(super) fn new(trained: &[Vec<JammingNetwork>]) -> Self {
        let knee = |one: &Vec<JammingNetwork>| {
            let points = one.iter().map(|t| (t.ratio.ln(), t.end.train_loss));
            knee(&points.collect::<Vec<_>>()).exp()
        };
        let jumps: Vec<(f64, f64)> = trained.iter().map(|one| jump(one)).collect();
        let middle = jumps.iter().map(|&(low, high)| f64::midpoint(low, high));
        let gaps: f64 = jumps.iter().map(|(low, high)| high - low).sum();
        let gap = gaps / jumps.len().max(1) as f64;
        let Spread { mean, error } = Spread::of(middle);
        // Widths are whole numbers, and N* lies anywhere between two of them: the standard deviation
        // of that, gap/sqrt(12), is part of the error, being the same for all seeds.
        let error = error.hypot(gap / 12.0_f64.sqrt());
        Self {
            knee: Spread::of(trained.iter().map(knee)),
            satisfiable: Spread { mean, error },
        }
    }

    pub(super) fn values(&self) -> Vec<Value> {
        let of = |by: &str, found, how: &str| {
            let note = format!("left to the eye in the notebook; {how}");
            let error = "of the mean over seeds, and of N* between two whole widths";
            let here = at(json!({"by": by, "seeds": SEEDS}));
            here.estimate("crossover_N/P", found, None, &note, error)
        };
        let knee =
            "where the line through the train losses of small networks against ln N meets zero";
        let jump = "between the largest network whose constraints cannot all be satisfied and the next larger one: training for ever";
        let knee = of("knee", self.knee, knee);
        [knee, of("satisfiable", self.satisfiable, jump)].concat()
    }
}

/// Returns N/P of the largest network whose constraints cannot all be satisfied, and of the next
/// larger one.
fn jump(one: &[JammingNetwork]) -> (f64, f64) {
    let ratio = |trained: Option<&JammingNetwork>| trained.map_or(f64::NAN, |t| t.ratio);
    let last = one.iter().rposition(|t| !t.satisfiable);
    let next = last.map_or(0, |last| last + 1);
    (
        ratio(one.get(last.unwrap_or(0))),
        ratio(one.get(next).or(one.last())),
    )
}

/// Finds the x* at which `a max(0, x* - x)` fits the points best in the least-squares sense.
///
/// For given x* the slope a is linear; x* itself is found on a grid, then by golden section.
fn knee(points: &[(f64, f64)]) -> f64 {
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
