//! Means apart from zero and rank correlations, with their errors.

use super::Spread;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The quantiles of Student's t at 97.5 %, for 1, 2, ... degrees of freedom.
const STUDENT: [f64; 9] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262,
];

/// Says whether zero lies outside the 95 % interval around the mean of `values` by Student's t; beyond
/// ten values with ten's quantile, which is a little too large. It never does of fewer than two.
pub(crate) fn differs_from_zero(values: &[f64]) -> bool {
    let Spread { mean, error } = Spread::of(values);
    let freedom = values.len().saturating_sub(1).min(STUDENT.len());
    freedom > 0 && mean.abs() > STUDENT[freedom - 1] * error
}

/// Ranks values from 1; equal ones share the mean of theirs. Cost: n ln n.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for tied in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let shared = before as f64 + (tied.len() + 1) as f64 / 2.0;
        tied.iter().for_each(|&i| ranks[i] = shared);
        before += tied.len();
    }
    ranks
}

/// Computes Spearman's rank correlation, from -1 to 1: Pearson's of the ranks. `None` where x or y
/// is constant or there are fewer than two pairs. Cost: n ln n.
pub(crate) fn spearman(pairs: &[(f64, f64)]) -> Option<f64> {
    let centred = |values: Vec<f64>| {
        let middle = (values.len() + 1) as f64 / 2.0;
        let ranks = ranks(&values).into_iter();
        ranks.map(|r| r - middle).collect::<Vec<_>>()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (x, y) = pairs.iter().copied().unzip();
    let (x, y) = (centred(x), centred(y));
    let scale = (dot(&x, &x) * dot(&y, &y)).sqrt();
    (scale > 0.0).then(|| (dot(&x, &y) / scale).clamp(-1.0, 1.0))
}

/// Computes Kendall's tau-b, from -1 to 1: pairs in the same order less those in opposite order, over
/// the geometric mean of the pairs not tied in x and those not tied in y (Kendall 1945,
/// doi:10.1093/biomet/33.3.239). `None` as [`spearman`]. Cost: n^2.
pub(crate) fn kendall(pairs: &[(f64, f64)]) -> Option<f64> {
    let order = |a: f64, b: f64| f64::from(i8::from(a > b) - i8::from(a < b));
    let (mut both, mut of_x, mut of_y) = (0.0, 0.0, 0.0);
    for (i, (x, y)) in pairs.iter().enumerate() {
        for (other_x, other_y) in &pairs[..i] {
            let (a, b) = (order(*x, *other_x), order(*y, *other_y));
            both += a * b;
            of_x += a.abs();
            of_y += b.abs();
        }
    }
    (of_x > 0.0 && of_y > 0.0).then(|| both / f64::sqrt(of_x * of_y))
}

/// Computes the 95 % interval of [`spearman`]: the percentiles 2.5 and 97.5 of its values on
/// `resamples` draws of as many pairs with replacement (Efron & Tibshirani 1993, "An Introduction to
/// the Bootstrap", chapter 13). Draws without a correlation are left out; `None` where none has one.
/// Cost: resamples n ln n.
pub(crate) fn interval(pairs: &[(f64, f64)], resamples: usize, seed: u64) -> Option<(f64, f64)> {
    if pairs.is_empty() {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = || pairs[rng.random_range(0..pairs.len())];
    let resample = |_| spearman(&pairs.iter().map(|_| draw()).collect::<Vec<_>>());
    let mut found: Vec<f64> = (0..resamples).filter_map(resample).collect();
    found.sort_by(f64::total_cmp);
    Some((percentile(&found, 0.025)?, percentile(&found, 0.975)?))
}

/// Interpolates between the two nearest of ascending values, as NumPy has it; `None` of none.
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = share * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to the last index"
    )]
    let below = at.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (at - below as f64) * (sorted[above] - sorted[below]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    const X: [f64; 8] = [1.0, 2.0, 2.0, 3.0, 5.0, 5.0, 5.0, -1.0];
    const Y: [f64; 8] = [2.0, 1.0, 4.0, 4.0, 9.0, 0.5, 7.0, 3.0];

    fn pairs(x: &[f64], y: &[f64]) -> Vec<(f64, f64)> {
        x.iter().copied().zip(y.iter().copied()).collect()
    }

    #[test]
    fn a_mean_differs_from_zero_by_enough_errors() {
        assert!(!differs_from_zero(&[]));
        assert!(!differs_from_zero(&[1.0]));
        // Mean 1; the error is half the distance, and t is 12.706.
        assert!(!differs_from_zero(&[0.921, 1.079]));
        assert!(differs_from_zero(&[0.922, 1.078]));
        assert!(!differs_from_zero(&[1.0, -1.0, 0.5]));
        assert!(differs_from_zero(&[-1.0; 30]));
    }

    #[test]
    fn ties_share_their_ranks() {
        assert!(ranks(&[]).is_empty());
        assert_eq!(ranks(&[7.0]), [1.0]);
        assert_eq!(ranks(&[3.0, 1.0, 2.0]), [3.0, 1.0, 2.0]);
        assert_eq!(ranks(&[0.0, -0.0, 0.0]), [2.0; 3]);
        assert_eq!(ranks(&X), [2.0, 3.5, 3.5, 5.0, 7.0, 7.0, 7.0, 1.0]);
    }

    /// Against SciPy 1.12: `spearmanr(X, Y)`, `kendalltau(X, Y)`.
    #[test]
    fn correlations_are_scipys() {
        assert_relative_eq!(spearman(&pairs(&X, &Y)).unwrap(), 0.339_609_712_388_372_45);
        assert_relative_eq!(kendall(&pairs(&X, &Y)).unwrap(), 0.274_985_970_461_435_2);
    }

    #[test]
    fn correlations_see_the_order_alone() {
        for correlation in [spearman, kendall] {
            let of = |x: &[f64], y: &[f64]| correlation(&pairs(x, y));
            let cubes = X.map(|x| x.powi(3) - 4.0);
            assert_relative_eq!(of(&X, &cubes).unwrap(), 1.0);
            assert_relative_eq!(of(&X, &cubes.map(|v| -1e9 * v)).unwrap(), -1.0);
            for (x, y) in [
                (&[][..], &[][..]),
                (&[1.0], &[2.0]),
                (&X, &[3.0; 8]),
                (&[3.0; 8], &X),
            ] {
                assert_eq!(of(x, y), None);
            }
        }
    }

    /// For independent normal pairs the correlation's standard deviation is 1/sqrt(n - 1), so that
    /// the interval is 2 * 1.96 of it wide to a few tenths, and seldom leaves zero out.
    #[test]
    fn intervals_have_the_right_width_and_cover_zero() {
        let n = 101;
        let mut covered = 0;
        for seed in 0..40 {
            let noise = ntk_data::synthetic::gaussian::<f64>(n, 2, seed).unwrap();
            let noise: Vec<_> = noise
                .rows()
                .into_iter()
                .map(|row| (row[0], row[1]))
                .collect();
            let (low, high) = interval(&noise, 400, seed).unwrap();
            assert!(((high - low) / (2.0 * 1.96 / 10.0) - 1.0).abs() < 0.3);
            covered += i32::from(low <= 0.0 && 0.0 <= high);
        }
        // 38 of 40 expected; fewer than 33 has probability 0.001 (binomial).
        assert!(covered >= 33, "{covered}");
    }

    #[test]
    fn intervals_of_little() {
        let of = |x: &[f64], y: &[f64], resamples| interval(&pairs(x, y), resamples, 5);
        assert_eq!(of(&[], &[], 10), None);
        assert_eq!(of(&[1.0], &[1.0], 10), None);
        assert_eq!(of(&X, &[3.0; 8], 10), None);
        assert_eq!(of(&X, &Y, 0), None);
        assert_eq!(of(&X, &X, 100), Some((1.0, 1.0)));
        assert_eq!(of(&X, &Y, 100), of(&X, &Y, 100));
    }

    /// NumPy 1.26: `percentile([1, 2, 4, 8], [0, 2.5, 50, 100])`.
    #[test]
    fn percentiles_lie_between_values() {
        let of = |share| percentile(&[1.0, 2.0, 4.0, 8.0], share).unwrap();
        for (share, expected) in [(0.0, 1.0), (0.025, 1.075), (0.5, 3.0), (1.0, 8.0)] {
            assert_relative_eq!(of(share), expected, max_relative = 1e-14);
        }
        assert_eq!(percentile(&[], 0.5), None);
    }
}
