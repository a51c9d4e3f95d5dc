//! Which samples a step sees.

use crate::train_error::TrainError;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// An `Order` says which samples an epoch visits, and in which order; a last smaller batch is kept.
///
/// All that is random comes from the seed of the [`TrainConfig`](super::TrainConfig).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// All samples in the order in which they are given.
    File,
    /// All samples in a new permutation every epoch.
    Shuffled,
    /// The samples are permuted once and cut into disjoint parts, whose sizes differ by one at
    /// most; each epoch visits the next part, in a new permutation, and after the last the first
    /// comes again.
    Partitioned {
        /// The number of parts, from 1 to the number of samples.
        parts: usize,
    },
    /// A loss-aware reservoir: each epoch visits the samples of the largest loss at its start, in
    /// a new permutation, and every batch ends with the latest samples on top.
    Reservoir {
        /// The number of samples of the largest loss, among those before the latest. Of equal
        /// losses the first samples count as harder.
        size: usize,
        /// The number of samples at the end of the data that are in every batch; all of them at
        /// most.
        latest: usize,
    },
}

/// The batches of one epoch after the other.
pub(crate) struct Batches {
    order: Order,
    rng: ChaCha8Rng,
    rows: Vec<usize>,
    epoch: usize,
}

impl Batches {
    pub(crate) fn new(order: Order, seed: u64, samples: usize) -> Result<Self, TrainError> {
        match order {
            Order::Partitioned { parts } if parts == 0 || parts > samples => {
                return Err(TrainError::Parts { parts, samples });
            }
            Order::Reservoir { size: 0, latest: 0 } => return Err(TrainError::EmptyReservoir),
            _ => {}
        }
        let mut batches = Self {
            order,
            rng: ChaCha8Rng::seed_from_u64(seed),
            rows: (0..samples).collect(),
            epoch: 0,
        };
        if let Order::Partitioned { .. } = order {
            batches.rows.shuffle(&mut batches.rng);
        }
        Ok(batches)
    }

    /// Returns the next epoch's batches; `losses` gives every sample's loss.
    pub(crate) fn next(
        &mut self,
        batch: usize,
        losses: impl FnOnce() -> Vec<f64>,
    ) -> Vec<Vec<usize>> {
        let epoch = self.epoch;
        self.epoch += 1;
        let cut = |rows: &[usize]| rows.chunks(batch).map(<[usize]>::to_vec).collect();
        match self.order {
            Order::File => cut(&self.rows),
            Order::Shuffled => {
                self.rows.shuffle(&mut self.rng);
                cut(&self.rows)
            }
            Order::Partitioned { parts } => {
                let (part, n) = (epoch % parts, self.rows.len());
                // As a product of whole numbers, so that parts fit together without gaps.
                let rows = &mut self.rows[part * n / parts..(part + 1) * n / parts];
                rows.shuffle(&mut self.rng);
                cut(rows)
            }
            Order::Reservoir { size, latest } => {
                let n = self.rows.len();
                let older = n.saturating_sub(latest);
                let mut reservoir: Vec<usize> = (0..older).collect();
                if size < older {
                    let losses = losses();
                    // Stable; a loss that is not a number is the hardest.
                    let hardness = |i: usize| {
                        if losses[i].is_nan() {
                            f64::INFINITY
                        } else {
                            losses[i]
                        }
                    };
                    reservoir.sort_by(|&i, &j| hardness(j).total_cmp(&hardness(i)));
                    reservoir.truncate(size);
                }
                reservoir.shuffle(&mut self.rng);
                let mut batches: Vec<Vec<usize>> = cut(&reservoir);
                if batches.is_empty() && n > 0 {
                    batches.push(Vec::new());
                }
                for batch in &mut batches {
                    batch.extend(older..n);
                }
                batches
            }
        }
    }

    /// Passes over so many epochs: the same draws, whatever the losses were.
    pub(super) fn skip(&mut self, epochs: usize) {
        let samples = self.rows.len();
        for _ in 0..epochs {
            self.next(usize::MAX, || vec![0.0; samples]);
        }
    }
}

/// Returns the seed of one step's dropout masks.
pub(super) fn mask_seed(seed: u64, step: u64) -> u64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Permutations draw from stream 0.
    rng.set_stream(1);
    rng.set_word_pos(2 * u128::from(step));
    rng.next_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strategy(order: Order, samples: usize) -> Batches {
        Batches::new(order, 3, samples).unwrap()
    }

    fn sorted(batches: &[Vec<usize>]) -> Vec<usize> {
        let mut rows = batches.concat();
        rows.sort_unstable();
        rows
    }

    const NO_LOSSES: fn() -> Vec<f64> = || unreachable!("no loss is needed");

    #[test]
    fn permutations_are_cumulative_of_one_generator() {
        let mut rows: Vec<usize> = (0..7).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut strategy = strategy(Order::Shuffled, 7);
        for _ in 0..3 {
            rows.shuffle(&mut rng);
            let batches = strategy.next(3, NO_LOSSES);
            assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
            assert_eq!(batches.concat(), rows);
        }
    }

    #[test]
    fn partitions_are_disjoint_and_come_again() {
        for (n, parts) in [(7, 3), (3, 3), (5, 1)] {
            let mut strategy = strategy(Order::Partitioned { parts }, n);
            let first: Vec<_> = (0..parts)
                .map(|_| sorted(&strategy.next(2, NO_LOSSES)))
                .collect();
            assert_eq!(sorted(&first), (0..n).collect::<Vec<_>>());
            let sizes = first.iter().map(Vec::len);
            assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1);
            for part in &first {
                assert_eq!(&sorted(&strategy.next(2, NO_LOSSES)), part);
            }
        }
        for (parts, samples) in [(0, 3), (4, 3), (1, 0)] {
            let error = Batches::new(Order::Partitioned { parts }, 0, samples).err();
            assert_eq!(error, Some(TrainError::Parts { parts, samples }));
        }
    }

    #[test]
    fn the_reservoir_holds_the_hardest_and_every_batch_the_latest() {
        let mut strategy = strategy(Order::Reservoir { size: 3, latest: 2 }, 7);
        // The latest two are never looked at; of the equal ones, the first is taken.
        let losses = || vec![0.1, 0.5, f64::NAN, 0.2, 0.5, 9.0, 9.0];
        let batches = strategy.next(2, losses);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [4, 3]);
        assert!(batches.iter().all(|b| b.ends_with(&[5, 6])));
        assert_eq!(sorted(&batches), [1, 2, 4, 5, 5, 6, 6]);
        let batches = strategy.next(8, || vec![1.0; 7]);
        assert_eq!(sorted(&batches), [0, 1, 2, 5, 6]);
    }

    #[test]
    fn a_reservoir_of_few_samples() {
        let batches =
            |size, latest, n| strategy(Order::Reservoir { size, latest }, n).next(2, NO_LOSSES);
        assert_eq!(batches(3, 2, 2), [[0, 1]]);
        assert_eq!(batches(3, 5, 1), [[0]]);
        assert_eq!(sorted(&batches(9, 0, 3)), [0, 1, 2]);
        assert!(batches(3, 2, 0).is_empty());
        let empty = Order::Reservoir { size: 0, latest: 0 };
        assert_eq!(
            Batches::new(empty, 0, 4).err(),
            Some(TrainError::EmptyReservoir)
        );
        let mut latest_alone = strategy(Order::Reservoir { size: 0, latest: 1 }, 3);
        assert_eq!(latest_alone.next(2, || vec![0.0; 3]), [[2]]);
    }

    #[test]
    fn skipped_epochs_are_as_if_trained() {
        for order in [
            Order::File,
            Order::Shuffled,
            Order::Partitioned { parts: 2 },
            Order::Reservoir { size: 4, latest: 1 },
        ] {
            let losses = || vec![3.0, 1.0, 2.0, 5.0, 4.0, 0.5];
            let (mut trained, mut skipped) = (strategy(order, 6), strategy(order, 6));
            for _ in 0..5 {
                trained.next(2, losses);
            }
            skipped.skip(5);
            assert_eq!(
                trained.next(2, losses),
                skipped.next(2, losses),
                "{order:?}"
            );
        }
    }

    #[test]
    fn masks_differ_with_seed_and_step() {
        let seeds = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(seed, step)| mask_seed(seed, step));
        for (i, seed) in seeds.iter().enumerate() {
            assert!(!seeds[..i].contains(seed));
        }
        assert_eq!(mask_seed(1, 1), seeds[3]);
    }
}
