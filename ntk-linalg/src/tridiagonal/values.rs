//! The eigenvalues of a tridiagonal matrix, each by itself.
//!
//! The pivots of `T - x = L D L^T` say by their signs how many eigenvalues lie below x (Sturm; Kahan 1966,
//! "Accurate eigenvalues of a symmetric tri-diagonal matrix"). Intervals are halved until each holds one
//! eigenvalue, which Newton's method then finds: the same pivots give `p'(x) / p(x)` of the characteristic
//! polynomial p. Every value found lies between two points at which the signs were counted, so that Newton's
//! method decides how soon, never what. An instruction works on as many eigenvalues as it has lanes, and
//! all threads on others, where the QR algorithm goes entry by entry.

use super::reflector::{LANES, Pack};
use crate::{LinalgError, Real, threads};
use std::array::from_fn;
use std::sync::atomic::{Ordering, compiler_fence};

/// Points at which pivots are computed at once: the divisions of one pack hide behind those of the others.
const POINTS: usize = 4 * LANES;

/// Points, or eigenvalues, that make a task.
const TASK: usize = 4 * POINTS;

/// Looks before every other one halves the interval instead.
const PATIENCE: usize = 12;

/// A tridiagonal matrix, scaled to a norm near one.
struct Scaled<T> {
    diagonal: Vec<T>,
    /// Squares of the entries beside the diagonal, the first of which is zero.
    squares: Vec<T>,
    /// The width of an interval of which the middle is an eigenvalue.
    tolerance: T,
}

/// An interval, and the numbers of eigenvalues below its ends.
#[derive(Clone, Copy)]
struct Interval<T> {
    low: T,
    high: T,
    below_low: usize,
    below_high: usize,
}

impl<T: Real> Interval<T> {
    fn middle(&self) -> T {
        T::of(0.5) * (self.low + self.high)
    }

    fn width(&self) -> T {
        self.high - self.low
    }

    /// Returns whether the middle is all that is to be known; also of what is no interval.
    fn narrow(&self, tolerance: T) -> bool {
        self.width().partial_cmp(&tolerance) != Some(std::cmp::Ordering::Greater)
    }

    /// Returns the parts below and above x, below which there are `count` eigenvalues.
    fn split(self, x: T, count: usize) -> [Self; 2] {
        // Counts ascend with x; should one not, the ends are right.
        let below = count.clamp(self.below_low, self.below_high);
        let (mut left, mut right) = (self, self);
        (left.high, left.below_high) = (x, below);
        (right.low, right.below_low) = (x, below);
        [left, right]
    }
}

/// The number of eigenvalues below a point, and `p' / p` there.
#[derive(Clone, Copy)]
struct Probe<T> {
    count: usize,
    slope: T,
}

/// Returns the eigenvalues, ascending, of the matrix with this diagonal and these numbers beside it.
///
/// Each is off by a few eps of the largest. Cost: about `20 n^2` operations, and as many divisions as a
/// tenth of them, on all threads; what it finds does not depend on their number.
pub(crate) fn eigenvalues<T: Real>(
    diagonal: &[T],
    off_diagonal: &[T],
) -> Result<Vec<T>, LinalgError> {
    let n = diagonal.len();
    // Gershgorin's circles.
    let radius = |i: usize| {
        let beside = |i: Option<&T>| i.map_or(T::zero(), |x| x.abs());
        let before = i.checked_sub(1).and_then(|i| off_diagonal.get(i));
        beside(before) + beside(off_diagonal.get(i))
    };
    let ends = (0..n).map(|i| (diagonal[i] - radius(i), diagonal[i] + radius(i)));
    let whole = ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let Some((low, high)) = whole else {
        return Ok(Vec::new());
    };
    let norm = low.abs().max(high.abs());
    if norm == T::zero() {
        return Ok(vec![norm; n]);
    }
    let scale = T::of(2.0).powi(-norm.log2().floor().to_i32().unwrap_or(0));
    let tolerance = T::of(2.0) * T::epsilon();
    let square = |&x: &T| (scale * x) * (scale * x);
    let scaled = Scaled {
        diagonal: diagonal.iter().map(|&x| scale * x).collect(),
        squares: std::iter::once(T::zero())
            .chain(off_diagonal.iter().map(square))
            .collect(),
        tolerance,
    };
    // An end that is an eigenvalue is not counted by rounding.
    let room = T::of(8.0) * tolerance;
    let whole = Interval {
        low: scale * low - room,
        high: scale * high + room,
        below_low: 0,
        below_high: n,
    };
    let mut values = scaled.all(whole)?;
    values.iter_mut().for_each(|x| *x /= scale);
    Ok(values)
}

impl<T: Real> Scaled<T> {
    fn all(&self, whole: Interval<T>) -> Result<Vec<T>, LinalgError> {
        let mut values = vec![T::zero(); whole.below_high];
        let mut alone = Vec::with_capacity(values.len());
        let mut shared = vec![whole];
        while !shared.is_empty() {
            let (small, wide) = shared.iter().partition(|i: &&Interval<T>| {
                i.below_high - i.below_low == 1 || i.narrow(self.tolerance)
            });
            let (small, wide): (Vec<Interval<T>>, Vec<Interval<T>>) = (small, wide);
            for interval in small {
                if interval.below_high - interval.below_low == 1 {
                    alone.push(interval);
                } else {
                    values[interval.below_low..interval.below_high].fill(interval.middle());
                }
            }
            let points: Vec<T> = wide.iter().map(Interval::middle).collect();
            let mut counts = vec![0; points.len()];
            let tasks = points.chunks(TASK).zip(counts.chunks_mut(TASK)).collect();
            threads::for_each(tasks, |(points, counts): (&[T], &mut [usize])| {
                let probes = self.probes(points);
                counts
                    .iter_mut()
                    .zip(probes)
                    .for_each(|(to, probe)| *to = probe.count);
                Ok::<_, LinalgError>(())
            })?;
            let halves = wide.iter().zip(&points).zip(&counts);
            let halves = halves.flat_map(|((i, &x), &count)| i.split(x, count));
            shared = halves.filter(|i| i.below_low < i.below_high).collect();
        }
        let mut found = vec![T::zero(); alone.len()];
        let tasks = alone.chunks(TASK).zip(found.chunks_mut(TASK)).collect();
        threads::for_each(tasks, |(alone, found): (&[Interval<T>], &mut [T])| {
            self.refine(alone, found);
            Ok::<_, LinalgError>(())
        })?;
        for (interval, value) in alone.iter().zip(found) {
            values[interval.below_low] = value;
        }
        Ok(values)
    }

    /// Finds the eigenvalue of each interval that holds one.
    fn refine(&self, intervals: &[Interval<T>], found: &mut [T]) {
        let open = intervals.iter().enumerate();
        let mut open: Vec<_> = open
            .map(|(place, &interval)| Search {
                place,
                interval,
                x: interval.middle(),
                before: None,
            })
            .collect();
        for round in 0_usize.. {
            let points: Vec<T> = open.iter().map(|search| search.x).collect();
            let probes = self.probes(&points).into_iter();
            let searches = open.into_iter().zip(probes);
            open = searches
                .filter_map(|(search, probe)| {
                    let place = search.place;
                    let next = search.next(probe, self.tolerance, round);
                    next.map_err(|value| found[place] = value).ok()
                })
                .collect();
            if open.is_empty() {
                return;
            }
        }
    }

    fn probes(&self, points: &[T]) -> Vec<Probe<T>> {
        let mut all = Vec::with_capacity(points.len());
        for points in points.chunks(POINTS) {
            let mut x = [T::zero(); POINTS];
            x[..points.len()].copy_from_slice(points);
            let (counts, slopes) = pulp::Arch::new().dispatch(Pivots {
                diagonal: &self.diagonal,
                squares: &self.squares,
                x: &x,
            });
            let probes = counts.iter().zip(&slopes).map(|(count, &slope)| Probe {
                count: count.to_usize().unwrap_or(0),
                slope,
            });
            all.extend(probes.take(points.len()));
        }
        all
    }
}

/// The search for one eigenvalue.
struct Search<T> {
    place: usize,
    interval: Interval<T>,
    /// Where to look next.
    x: T,
    /// Where it looked before, and the slope there.
    before: Option<(T, T)>,
}

impl<T: Real> Search<T> {
    /// Goes on after a look at `x`; an error is the eigenvalue.
    fn next(self, probe: Probe<T>, tolerance: T, round: usize) -> Result<Self, T> {
        let x = self.x;
        let [left, right] = self.interval.split(x, probe.count);
        let interval = match left.below_low < left.below_high {
            true => left,
            false => right,
        };
        let middle = interval.middle();
        // Neighbours of the type have no number between them.
        let between = middle > interval.low && middle < interval.high;
        if interval.narrow(tolerance) || !between {
            return Err(middle);
        }
        let guess = match round >= PATIENCE && round.is_multiple_of(2) {
            true => None,
            false => self.guess(&interval, probe.slope, tolerance),
        };
        Ok(Self {
            interval,
            x: guess.unwrap_or(middle),
            before: Some((x, probe.slope)),
            ..self
        })
    }

    /// Returns where the eigenvalue may be, and as far beyond it as it may be wrong, so that both ends of the
    /// interval approach; `None` where that is outside.
    ///
    /// At a distance a from it `p' / p` is `1 / a`, and as much as all others add, which at two points h apart
    /// is nearly the same: `1 / a - 1 / (a + h)` is the difference.
    fn guess(&self, interval: &Interval<T>, slope: T, tolerance: T) -> Option<T> {
        let x = self.x;
        let inside = |x: &T| *x > interval.low && *x < interval.high;
        let newton = -slope.recip();
        let half = T::of(0.5);
        let mut step = newton;
        if let Some((before, slope_before)) = self.before {
            let h = before - x;
            let root = (h * h + T::of(4.0) * h / (slope - slope_before)).sqrt();
            let roots = [half * (h - root), half * (h + root)];
            let good = roots.into_iter().filter(|step| inside(&(x + *step)));
            let far = |step: &T| (*step - newton).abs();
            step = good.fold(newton, |best, step| {
                match best == newton || far(&step) < far(&best) {
                    true => step,
                    false => best,
                }
            });
        }
        let relative = step / interval.width();
        let further = (step * relative * relative).abs().max(half * tolerance);
        Some(x + step + further.copysign(step)).filter(inside)
    }
}

struct Pivots<'a, T> {
    diagonal: &'a [T],
    squares: &'a [T],
    x: &'a [T; POINTS],
}

impl<T: Real> pulp::WithSimd for Pivots<'_, T> {
    /// Counts, which f32 holds to 2^24, and slopes.
    type Output = ([T; POINTS], [T; POINTS]);

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> Self::Output {
        let x: &[Pack<T>] = super::reflector::packs(self.x);
        let [mut a, mut b, mut c, mut e] = [0, 1, 2, 3].map(|p| Pivot::new(x[p]));
        for (&d, &square) in self.diagonal.iter().zip(self.squares) {
            // Vectors are lanes, not packs.
            compiler_fence(Ordering::SeqCst);
            (a, b) = (a.next(d, square), b.next(d, square));
            (c, e) = (c.next(d, square), e.next(d, square));
        }
        let at = [a, b, c, e];
        let (mut counts, mut slopes) = ([T::zero(); POINTS], [T::zero(); POINTS]);
        for p in 0..POINTS / LANES {
            counts[p * LANES..(p + 1) * LANES].copy_from_slice(&at[p].count);
            slopes[p * LANES..(p + 1) * LANES].copy_from_slice(&at[p].slope);
        }
        (counts, slopes)
    }
}

/// A pivot q of `T - x`, as the next one needs it, for a pack of points x.
#[derive(Clone, Copy)]
struct Pivot<T> {
    x: Pack<T>,
    /// 1 / q
    inverse: Pack<T>,
    /// q' / q
    logarithmic: Pack<T>,
    count: Pack<T>,
    slope: Pack<T>,
}

impl<T: Real> Pivot<T> {
    #[inline(always)]
    fn new(x: Pack<T>) -> Self {
        let zero = [T::zero(); LANES];
        Self {
            x,
            inverse: zero,
            logarithmic: zero,
            count: zero,
            slope: zero,
        }
    }

    /// `q = d - x - e^2 / q`, `q' = -1 + e^2 q' / q^2`.
    #[inline(always)]
    fn next(mut self, d: T, square: T) -> Self {
        // One that is zero counts as below: x as a little larger.
        let least = -T::min_positive_value();
        let (zero, one) = (T::zero(), T::one());
        let quotient: Pack<T> = from_fn(|l| square * self.inverse[l]);
        let q: Pack<T> = from_fn(|l| (d - self.x[l]) - quotient[l]);
        let q = q.map(|q| if q.abs() < -least { least } else { q });
        let below = q.map(|q| if q < zero { one } else { zero });
        self.inverse = q.map(|q| one / q);
        let slope: Pack<T> = from_fn(|l| quotient[l].mul_add(self.logarithmic[l], -one));
        self.logarithmic = from_fn(|l| slope[l] * self.inverse[l]);
        self.count = from_fn(|l| self.count[l] + below[l]);
        self.slope = from_fn(|l| self.slope[l] + self.logarithmic[l]);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What no reduction gives ends too, with as many values.
    #[test]
    fn every_search_ends() {
        fn check<T: Real>() {
            let tiny = T::min_positive_value();
            let strange = [
                T::zero(),
                T::one(),
                tiny,
                tiny * T::of(1e-3),
                T::max_value(),
            ];
            for x in strange.into_iter().chain([T::infinity(), T::nan()]) {
                for y in [T::zero(), T::one(), x, T::nan()] {
                    for n in 0..5 {
                        let off_diagonal = vec![y; n.max(1) - 1];
                        let values = eigenvalues(&vec![x; n], &off_diagonal).unwrap();
                        assert_eq!(values.len(), n);
                    }
                }
            }
        }
        check::<f64>();
        check::<f32>();
    }
}
