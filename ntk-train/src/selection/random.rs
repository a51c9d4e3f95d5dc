//! Selection at random, of the whole pool or class by class.

use super::{SelectionError, check_size};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;

/// Draws `size` of `n` samples without replacement; returns them in the order in which they are
/// drawn.
///
/// With the same seed a smaller draw is the beginning of a larger one.
///
/// # Errors
/// [`SelectionError::EmptyPool`], [`SelectionError::TooMany`], [`SelectionError::Memory`].
pub fn random(n: usize, size: usize, seed: u64) -> Result<Vec<usize>, SelectionError> {
    check_size(size, n)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    draw(n, size, &mut rng)
}

/// Draws `each` samples of every class that occurs in `labels` (n) without replacement.
///
/// They are taken in turns, one of every class in ascending order and then the next one of every
/// class, so that with the same seed a smaller draw is the beginning of a larger one.
///
/// # Errors
/// [`SelectionError::EmptyPool`]; [`SelectionError::TooManyOfClass`] of the first class that has
/// fewer samples.
pub fn per_class<L: Copy + Ord + Display>(
    labels: &[L],
    each: usize,
    seed: u64,
) -> Result<Vec<usize>, SelectionError> {
    check_size(0, labels.len())?;
    let mut classes = BTreeMap::<L, Vec<usize>>::new();
    for (i, &label) in labels.iter().enumerate() {
        classes.entry(label).or_default().push(i);
    }
    let mut drawn = Vec::with_capacity(classes.len());
    for (stream, (class, members)) in (0..).zip(classes) {
        if members.len() < each {
            return Err(SelectionError::TooManyOfClass {
                class: class.to_string(),
                asked: each,
                available: members.len(),
            });
        }
        // Each class has a stream of its own: what one draws leaves the others as they are.
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        let places = draw(members.len(), each, &mut rng)?;
        drawn.push(places.into_iter().map(|i| members[i]).collect::<Vec<_>>());
    }
    let turn = |k: usize| drawn.iter().map(move |members| members[k]);
    Ok((0..each).flat_map(turn).collect())
}

/// Returns the first `size` places of a Fisher-Yates shuffle of `0..n`.
fn draw(n: usize, size: usize, rng: &mut ChaCha8Rng) -> Result<Vec<usize>, SelectionError> {
    // The places that no longer hold their own number, so that a few of very many need little.
    let mut moved = HashMap::new();
    let mut drawn = Vec::new();
    if drawn.try_reserve_exact(size).is_err() {
        return Err(SelectionError::Memory { asked: size });
    }
    for i in 0..size {
        let j = rng.random_range(i..n);
        let at = |place: usize| moved.get(&place).copied().unwrap_or(place);
        let (here, there) = (at(i), at(j));
        drawn.push(there);
        moved.insert(j, here);
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_nested_seeded_and_without_replacement() {
        let all = random(60, 60, 7).unwrap();
        assert_eq!(random(60, 20, 7).unwrap(), all[..20]);
        assert_ne!(random(60, 20, 8).unwrap(), all[..20]);
        let mut sorted = all;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..60).collect::<Vec<_>>());
        assert_eq!(random(1, 1, 0).unwrap(), [0]);
        assert_eq!(random(3, 0, 0).unwrap(), [0; 0]);
        // The shuffle written out.
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut shuffled: Vec<usize> = (0..60).collect();
        for i in 0..60 {
            let j = rng.random_range(i..60);
            shuffled.swap(i, j);
        }
        assert_eq!(random(60, 60, 7).unwrap(), shuffled);
        let few = random(usize::MAX, 3, 0).unwrap();
        assert!(few[0] != few[1] && few[1] != few[2]);
    }

    #[test]
    fn sizes_out_of_range() {
        assert_eq!(random(0, 0, 1), Err(SelectionError::EmptyPool));
        let (asked, available) = (4, 3);
        assert_eq!(
            random(3, 4, 1),
            Err(SelectionError::TooMany { asked, available })
        );
        assert_eq!(per_class::<u8>(&[], 1, 0), Err(SelectionError::EmptyPool));
    }

    #[test]
    fn classes_take_turns() {
        let labels: Vec<u8> = (0..60).map(|i| [7, 2, 9][i % 3]).collect();
        let all = per_class(&labels, 20, 3).unwrap();
        for turn in all.chunks(3) {
            assert_eq!(
                turn.iter().map(|&i| labels[i]).collect::<Vec<_>>(),
                [2, 7, 9]
            );
        }
        let mut sorted = all.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..60).collect::<Vec<_>>());
        assert_eq!(per_class(&labels, 5, 3).unwrap(), all[..15]);
        assert_ne!(per_class(&labels, 5, 4).unwrap(), all[..15]);
        assert_eq!(per_class(&labels, 0, 3).unwrap(), [0; 0]);
    }

    #[test]
    fn a_class_with_too_few_is_named() {
        let error = per_class(&[0, 0, 1, 0, 2, 2], 2, 0).unwrap_err();
        let expected = SelectionError::TooManyOfClass {
            class: "1".into(),
            asked: 2,
            available: 1,
        };
        assert_eq!(error, expected);
        assert!(error.to_string().contains("class 1 has 1"));
    }
}
