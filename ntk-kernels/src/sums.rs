//! Sums of many packs that lose no digits.
//!
//! A running sum in the element type loses up to half a unit in the last place at each step, always
//! in the same direction where the summands are alike: of a million f32 numbers nothing may be
//! left. [`Sum`] carries what rounding took along (D. E. Knuth, "The Art of Computer Programming"
//! 2, section 4.2.2, theorem B), so that the error is that of rounding the total once, and of
//! second order in the number of summands.

use crate::pack::{Pack, by_lanes};
use ntk_linalg::Real;

/// How many packs are added plainly before their sum is carried on.
pub(crate) const RUN: usize = 8;

/// A `Sum` is a running sum, and what rounding took from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sum<T> {
    high: Pack<T>,
    low: Pack<T>,
}

impl<T: Real> Sum<T> {
    #[inline(always)]
    pub(crate) fn zero() -> Self {
        Self {
            high: Pack::zero(),
            low: Pack::zero(),
        }
    }

    #[inline(always)]
    pub(crate) fn add(&mut self, value: Pack<T>) {
        carry(&mut self.high, &mut self.low, value);
    }

    /// Adds another sum.
    #[inline(always)]
    pub(crate) fn join(mut self, other: Self) -> Self {
        self.add(other.high);
        self.low = self.low + other.low;
        self
    }

    #[inline(always)]
    pub(crate) fn total(self) -> Pack<T> {
        self.high + self.low
    }
}

/// Adds `value` to `high`, and what rounding takes from the sum to `low`.
///
/// What `low` holds then goes to `high` as far as it can, so that it stays below a unit in the last
/// place: of millions of summands it would otherwise be rounded itself.
#[inline(always)]
pub(crate) fn carry<T: Real>(high: &mut Pack<T>, low: &mut Pack<T>, value: Pack<T>) {
    let sum = *high + value;
    let added = sum - *high;
    let rounding = (*high - (sum - added)) + (value - added);
    let rest = *low + rounding;
    *high = sum + rest;
    *low = rest - (*high - sum);
}

/// Sums packs.
#[inline(always)]
pub(crate) fn total<T: Real>(values: &[Pack<T>]) -> Pack<T> {
    let mut sum = Sum::zero();
    for run in values.chunks(RUN) {
        let mut plain = run[0];
        for &value in &run[1..] {
            by_lanes();
            plain = plain + value;
        }
        if values.len() <= RUN {
            return plain;
        }
        sum.add(plain);
    }
    sum.total()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packs<T: Real>(values: &[f64]) -> Vec<Pack<T>> {
        values.iter().map(|&v| Pack::of(v)).collect()
    }

    /// Of so many summands a plain sum loses all digits, and so would one of what rounding takes.
    #[test]
    fn millions_of_summands_keep_their_digits() {
        let value = Pack::<f32>::of(1e-4);
        let mut sum = Sum::zero();
        (0..20_000_000).for_each(|_| sum.add(value));
        let exact = f64::from(1e-4_f32) * 2e7;
        let found = f64::from(sum.total().0[0]);
        assert!(
            (found - exact).abs() <= f64::from(f32::EPSILON) * exact,
            "{found} {exact}"
        );
    }

    proptest! {
        /// Whatever the numbers, large offsets and equal ones among them, a total is right to a unit
        /// in the last place of the sum of magnitudes.
        #[test]
        fn totals_do_not_drift(
            count in 1_usize..10_000,
            offset in prop_oneof![Just(0.0), Just(0.1), Just(100.1), Just(1e6), Just(-3e7)],
            spread in prop_oneof![Just(0.0), Just(1e-3), Just(1.0), Just(1e5)],
            seed in 0_u64..1000,
        ) {
            let value = |i: usize| {
                let phase = (i as u64).wrapping_mul(2_654_435_761).wrapping_add(seed) % 10_007;
                f64::from((offset + spread * (phase as f64 / 10_007.0 - 0.5)) as f32)
            };
            let values: Vec<f64> = (0..count).map(value).collect();
            let exact: f64 = values.iter().sum();
            let size: f64 = values.iter().map(|v| v.abs()).sum();
            let found = total(&packs::<f32>(&values)).0[3];
            // Runs of eight lose a unit each at most, in either direction.
            prop_assert!(
                (f64::from(found) - exact).abs() <= 4.0 * f64::from(f32::EPSILON) * size,
                "{found} {exact}"
            );
            let mut sum = Sum::<f32>::zero();
            packs(&values).into_iter().for_each(|v| sum.add(v));
            let found = f64::from(sum.total().0[0]);
            prop_assert!((found - exact).abs() <= f64::from(f32::EPSILON) * size, "{found} {exact}");
        }
    }
}
