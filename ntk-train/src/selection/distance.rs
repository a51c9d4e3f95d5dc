//! Distances of outputs: how far a predictor is from its target.

use ndarray::{Array1, ArrayRef2, ArrayView1};
use ntk_linalg::Real;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A `DistanceError` says why distances cannot be computed.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum DistanceError {
    /// The two arrays have different shapes.
    #[error(
        "rows of shape {expected:?} cannot be compared with rows of shape {found:?}; give two arrays of the same shape"
    )]
    Shapes {
        /// The shape of the first array.
        expected: (usize, usize),
        /// The shape of the second array.
        found: (usize, usize),
    },
    /// The distance's number is out of range.
    #[error("the {name} is {found}, but must be {condition}")]
    Argument {
        /// The name of the number.
        name: &'static str,
        /// The value of the number.
        found: f64,
        /// The condition that it must meet.
        condition: &'static str,
    },
    /// An entry or a distance is NaN or infinite.
    #[error(
        "row {row} gives {found} where a finite number is needed; look for outputs that overflowed, and scale inputs or learning rate down"
    )]
    NotFinite {
        /// The first such row.
        row: usize,
        /// The entry, or the distance that overflowed.
        found: f64,
    },
}

/// A `Distance` compares two rows `a`, `b` with `o` entries each: it is zero for equal rows, never
/// negative, and the same both ways.
///
/// `cos` is `a . b / (|a| |b|)`; where one row is zero it counts as 0, and where both are as 1.
/// It sees lines and no directions: `a` and `-a` are 0 apart, and so are any two nonzero rows of a
/// single entry.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    /// The mean power `1/o sum_i |a_i - b_i|^k` for `k > 0`: not a metric for `k > 1`, but of the
    /// same order as one.
    Power(f64),
    /// The p-norm `(sum_i |a_i - b_i|^p)^(1/p)` for `p >= 1`; infinity gives the largest difference.
    PNorm(f64),
    /// The cosine distance `1 - |cos|`, from 0 to 1.
    Cosine,
}

impl Distance {
    /// Computes the distances (n) of the rows of `a` (n, o) to those of `b` (n, o), in f64.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_train::selection::Distance;
    ///
    /// let (a, b) = (array![[3.0, 0.0], [1.0, 1.0]], array![[0.0, 4.0], [1.0, 1.0]]);
    /// assert_eq!(Distance::PNorm(2.0).between(&a, &b)?, array![5.0, 0.0]);
    /// # Ok::<(), ntk_train::Error>(())
    /// ```
    ///
    /// Cost: `n o`.
    ///
    /// # Errors
    /// [`DistanceError`]: other shapes, a number out of range, entries or distances that are
    /// not finite.
    pub fn between<T: Real>(
        self,
        a: &ArrayRef2<T>,
        b: &ArrayRef2<T>,
    ) -> Result<Array1<f64>, DistanceError> {
        self.check()?;
        if a.dim() != b.dim() {
            return Err(DistanceError::Shapes {
                expected: a.dim(),
                found: b.dim(),
            });
        }
        let [a, b] = [a, b].map(|rows| rows.mapv(Real::to_f64));
        for row in 0..a.nrows() {
            let entries = a.row(row).into_iter().chain(b.row(row));
            if let Some(&found) = entries.into_iter().find(|v| !v.is_finite()) {
                return Err(DistanceError::NotFinite { row, found });
            }
        }
        let pairs = a.rows().into_iter().zip(b.rows());
        let distances: Array1<f64> = pairs.map(|(a, b)| self.of(a, b)).collect();
        match distances.iter().position(|d| !d.is_finite()) {
            Some(row) => Err(DistanceError::NotFinite {
                row,
                found: distances[row],
            }),
            None => Ok(distances),
        }
    }

    /// Checks that the number it carries is in range.
    pub(super) fn check(self) -> Result<(), DistanceError> {
        let (name, found, condition, holds) = match self {
            Self::Power(k) => (
                "power's exponent",
                k,
                "positive and finite",
                k > 0.0 && k.is_finite(),
            ),
            Self::PNorm(p) => ("norm's p", p, "at least 1", p >= 1.0),
            Self::Cosine => return Ok(()),
        };
        if holds {
            Ok(())
        } else {
            Err(DistanceError::Argument {
                name,
                found,
                condition,
            })
        }
    }

    fn of(self, a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
        let gaps = || a.iter().zip(b).map(|(a, b)| (a - b).abs());
        let mean = |sum: f64| sum / a.len().max(1) as f64;
        match self {
            Self::Power(k) => mean(gaps().map(|gap| gap.powf(k)).sum()),
            Self::PNorm(p) => p_norm(gaps(), p),
            // 1 - cos = 2 sin^2 of half the angle, without the cancellation.
            Self::Cosine => (2.0 * (angle(a, b) / 2.0).sin().powi(2)).min(1.0),
        }
    }
}

/// Computes the p-norm by powers of entries divided by the largest, so that none overflows.
fn p_norm(gaps: impl Iterator<Item = f64> + Clone, p: f64) -> f64 {
    let top = gaps.clone().fold(0.0, f64::max);
    if top == 0.0 || p.is_infinite() {
        return top;
    }
    top * gaps
        .map(|gap| (gap / top).powf(p))
        .sum::<f64>()
        .powf(1.0 / p)
}

/// Computes the angle between the rows' lines, from 0 to pi/2, after W. Kahan, "How futile are mindless
/// assessments of roundoff in floating-point computation?" (2006), section 12: of unit vectors
/// `2 atan2(|u - v|, |u + v|)`, which is exact where an arccos loses half the digits.
fn angle(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    let (u, v) = match (unit(a), unit(b)) {
        (Some(u), Some(v)) => (u, v),
        (None, None) => return 0.0,
        _ => return std::f64::consts::FRAC_PI_2,
    };
    let length = |w: Array1<f64>| w.dot(&w).sqrt();
    let (apart, together) = (length(&u - &v), length(&u + &v));
    2.0 * apart.min(together).atan2(apart.max(together))
}

/// Returns the row divided by its length, or nothing for zero.
fn unit(row: ArrayView1<'_, f64>) -> Option<Array1<f64>> {
    let top = row.fold(0.0, |top: f64, v| top.max(v.abs()));
    if top == 0.0 {
        return None;
    }
    let row = row.mapv(|v| v / top);
    let length = row.dot(&row).sqrt();
    Some(row / length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    const ALL: [Distance; 8] = [
        Distance::Power(0.5),
        Distance::Power(2.0),
        Distance::Power(3.0),
        Distance::PNorm(1.0),
        Distance::PNorm(2.0),
        Distance::PNorm(3.5),
        Distance::PNorm(f64::INFINITY),
        Distance::Cosine,
    ];

    fn one(distance: Distance, a: &[f64], b: &[f64]) -> f64 {
        let rows = |v: &[f64]| Array2::from_shape_vec((1, v.len()), v.to_vec()).unwrap();
        distance.between(&rows(a), &rows(b)).unwrap()[0]
    }

    #[test]
    fn values_by_hand() {
        let (a, b) = (&[1.0, 0.0, 2.0], &[0.0, 2.0, 2.0]);
        assert_relative_eq!(one(Distance::Power(3.0), a, b), 3.0);
        assert_relative_eq!(one(Distance::PNorm(1.0), a, b), 3.0);
        assert_relative_eq!(one(Distance::PNorm(2.0), a, b), 5.0_f64.sqrt());
        assert_eq!(one(Distance::PNorm(f64::INFINITY), a, b), 2.0);
        let cos = 4.0 / 40.0_f64.sqrt();
        assert_relative_eq!(one(Distance::Cosine, a, b), 1.0 - cos, epsilon = 1e-15);
    }

    #[test]
    fn lines_and_zero_rows() {
        assert_eq!(one(Distance::Cosine, &[1.0, 2.0], &[-3.0, -6.0]), 0.0);
        assert_eq!(one(Distance::Cosine, &[0.0, 0.0], &[0.0, 0.0]), 0.0);
        // The sine of pi/4, squared and doubled, is 1 but for two roundings.
        for b in [[0.0, 0.0], [-2.0, 1.0]] {
            let apart = one(Distance::Cosine, &[1.0, 2.0], &b);
            assert_relative_eq!(apart, 1.0, epsilon = 4e-16);
        }
    }

    /// Where 1 - cos in f64 would see nothing at all.
    #[test]
    fn small_angles_and_large_rows_keep_their_digits() {
        let (a, b) = (&[1.0, 0.0], &[1.0, 1e-9]);
        assert_relative_eq!(one(Distance::Cosine, a, b), 5e-19, max_relative = 1e-12);
        let (a, b) = (&[1e200, 0.0], &[0.0, 1e200]);
        let apart = one(Distance::PNorm(2.0), a, b);
        assert_relative_eq!(apart, 1e200 * 2.0_f64.sqrt(), max_relative = 1e-14);
    }

    #[test]
    fn no_rows_and_no_entries() {
        for distance in ALL {
            for shape in [(0, 3), (2, 0), (0, 0)] {
                let none = Array2::<f64>::zeros(shape);
                let found = distance.between(&none, &none).unwrap();
                assert_eq!(
                    found,
                    Array1::<f64>::zeros(shape.0),
                    "{distance:?} {shape:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_comparable() {
        let a = array![[1.0, 2.0], [3.0, 4.0]];
        let nan = array![[1.0, 2.0], [3.0, f64::NAN]];
        for distance in ALL {
            let found = distance.between(&a, &a.t().slice(ndarray::s![..1, ..]));
            let (expected, other) = ((2, 2), (1, 2));
            assert_eq!(
                found,
                Err(DistanceError::Shapes {
                    expected,
                    found: other
                })
            );
            for [a, b] in [[&a, &nan], [&nan, &a]] {
                let found = distance.between(a, b);
                assert!(matches!(
                    found,
                    Err(DistanceError::NotFinite { row: 1, .. })
                ));
            }
        }
        let far = array![[0.0, 0.0], [1e200, 0.0]];
        let found = Distance::Power(2.0).between(&a, &far);
        assert!(
            matches!(found, Err(DistanceError::NotFinite { row: 1, found }) if found == f64::INFINITY)
        );
        for distance in [
            Distance::Power(0.0),
            Distance::Power(f64::INFINITY),
            Distance::PNorm(0.5),
            Distance::PNorm(f64::NAN),
        ] {
            let error = distance.between(&a, &a).unwrap_err();
            assert!(matches!(error, DistanceError::Argument { .. }), "{error}");
        }
    }

    /// Two sides of n rows with o entries; about one row in five is zero.
    fn sides() -> impl Strategy<Value = (Array2<f64>, Array2<f64>)> {
        (1_usize..6, 1_usize..5).prop_flat_map(|(n, o)| {
            let row = prop_oneof![
                4 => prop::collection::vec(-3.0_f64..3.0, o),
                1 => Just(vec![0.0; o]),
            ];
            let side = prop::collection::vec(row, n).prop_map(move |rows| {
                Array2::from_shape_vec((n, o), rows.concat()).expect("n rows of o")
            });
            (side.clone(), side)
        })
    }

    /// Of a few dozen roundings of numbers below 100.
    const ROUNDING: f64 = 1e-12;

    fn agree(a: &Array1<f64>, b: &Array1<f64>) -> bool {
        a.iter()
            .zip(b)
            .all(|(a, b)| (a - b).abs() <= ROUNDING * (1.0 + a.abs()))
    }

    proptest! {
        #[test]
        fn zero_for_equal_rows_never_negative_and_the_same_both_ways((a, b) in sides()) {
            for distance in ALL {
                let there = distance.between(&a, &b).unwrap();
                prop_assert!(there.iter().all(|&d| d >= 0.0), "{distance:?} {there}");
                let back = distance.between(&b, &a).unwrap();
                prop_assert!(agree(&there, &back), "{distance:?} {there} {back}");
                let same = distance.between(&a, &a).unwrap();
                prop_assert_eq!(same, Array1::<f64>::zeros(a.nrows()), "{:?}", distance);
            }
            let found = Distance::Cosine.between(&a, &b).unwrap();
            prop_assert!(found.iter().all(|&d| d <= 1.0 + f64::EPSILON), "{found}");
        }

        /// What a common factor does to each, and a factor of one side to those by cosine.
        #[test]
        fn scales((a, b) in sides(), factor in 0.1_f64..10.0) {
            let (fa, fb) = (&a * factor, &b * factor);
            for (distance, power) in [
                (Distance::Power(3.0), 3),
                (Distance::PNorm(2.0), 1),
                (Distance::PNorm(f64::INFINITY), 1),
                (Distance::Cosine, 0),
            ] {
                let plain = distance.between(&a, &b).unwrap();
                let scaled = distance.between(&fa, &fb).unwrap();
                prop_assert!(agree(&(&plain * factor.powi(power)), &scaled), "{distance:?}");
            }
            let plain = Distance::Cosine.between(&a, &b).unwrap();
            let turned = Distance::Cosine.between(&-&fa, &b).unwrap();
            prop_assert!(agree(&plain, &turned));
        }

        /// A rotation in the plane of the first and the last entry.
        #[test]
        fn rotations((a, b) in sides(), angle in 0.0_f64..6.3) {
            let last = a.ncols() - 1;
            let rotated = |rows: &Array2<f64>| {
                let mut rows = rows.clone();
                if last > 0 {
                    for mut row in rows.rows_mut() {
                        let (x, y) = (row[0], row[last]);
                        row[0] = x * angle.cos() - y * angle.sin();
                        row[last] = x * angle.sin() + y * angle.cos();
                    }
                }
                rows
            };
            for distance in [
                Distance::PNorm(2.0),
                Distance::Power(2.0),
                Distance::Cosine,
            ] {
                let plain = distance.between(&a, &b).unwrap();
                let turned = distance.between(&rotated(&a), &rotated(&b)).unwrap();
                prop_assert!(agree(&plain, &turned), "{distance:?} {plain} {turned}");
            }
        }
    }
}
