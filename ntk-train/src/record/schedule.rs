//! The epochs at which something is recorded.

use serde::{Deserialize, Serialize};

/// A `Schedule` says at which epochs something is recorded: always at 0, before the first step, and
/// after the last; in between as it says. Epoch e is the moment after e epochs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// The multiples of this number of epochs; 0 counts as never.
    Every(usize),
    /// The epochs `10^(i / per_decade)`, rounded to whole ones, for i = 0, 1, ...
    LogSpaced {
        /// The number of epochs for a factor of ten; 0 counts as none.
        per_decade: usize,
    },
    /// These epochs.
    Epochs(Vec<usize>),
}

impl Schedule {
    /// Says whether `epoch` is recorded in a training of `epochs`.
    #[must_use]
    pub fn contains(&self, epoch: usize, epochs: usize) -> bool {
        epoch == 0
            || epoch == epochs
            || match self {
                // Nothing but 0 is a multiple of 0.
                Self::Every(k) => epoch.is_multiple_of(*k),
                Self::LogSpaced { per_decade: 0 } => false,
                Self::LogSpaced { per_decade } => {
                    let per_decade = *per_decade as f64;
                    let i = (per_decade * (epoch as f64).log10()).round();
                    // The neighbours too: rounding to whole epochs may move a member past half.
                    [i - 1.0, i, i + 1.0]
                        .into_iter()
                        .any(|i| i >= 0.0 && 10_f64.powf(i / per_decade).round() == epoch as f64)
                }
                Self::Epochs(epochs) => epochs.contains(&epoch),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(schedule: &Schedule, last: usize) -> Vec<usize> {
        (0..=last).filter(|&e| schedule.contains(e, last)).collect()
    }

    #[test]
    fn the_first_and_the_last_are_always_there() {
        assert_eq!(epochs(&Schedule::Every(3), 7), [0, 3, 6, 7]);
        assert_eq!(epochs(&Schedule::Every(0), 7), [0, 7]);
        assert_eq!(epochs(&Schedule::Epochs(vec![2, 99]), 5), [0, 2, 5]);
        assert_eq!(epochs(&Schedule::Epochs(vec![]), 0), [0]);
        assert_eq!(epochs(&Schedule::LogSpaced { per_decade: 0 }, 4), [0, 4]);
    }

    #[test]
    fn logarithmic_spacing_is_the_formula() {
        for per_decade in [1, 3, 4, 10, 50] {
            let mut expected: Vec<usize> = (0..=3 * per_decade)
                .map(|i| 10_f64.powf(i as f64 / per_decade as f64).round() as usize)
                .collect();
            expected.dedup();
            expected.insert(0, 0);
            assert_eq!(
                epochs(&Schedule::LogSpaced { per_decade }, 1000),
                expected,
                "{per_decade}"
            );
        }
    }
}
