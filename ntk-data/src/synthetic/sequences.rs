use std::ops::RangeInclusive;

use chacha20::ChaCha8Rng;
use ndarray::{Array1, Array2};
use num_traits::Float;
use rand::{RngExt, SeedableRng};

use super::{StructuredError, check};
use crate::scalar::of;

/// Holds the two tokens whose order is the class of [`first_of_two`]; the label counts them.
pub const TOKENS: [usize; 2] = [1, 2];

/// The tokens that are in no sequence, or once alone: that of padding, and those of the class.
const RESERVED: usize = 3;

/// `TokenSequences` are sequences of token ids, padded to one length.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenSequences<T> {
    /// The ids, `(n, length)`: whole numbers from 1 on, and 0 for padding.
    pub x: Array2<T>,
    /// The mask, `(n, length)`: true for padding.
    pub mask: Array2<bool>,
    /// The classes, `(n)`: 0 where the first of [`TOKENS`] comes before the second, else 1.
    pub labels: Array1<u8>,
}

/// Draws `n` sequences of token ids below `vocabulary`, whose class is which of [`TOKENS`] comes first.
///
/// Lengths are uniform in `lengths`, and sequences are padded to its end. Both tokens are in every
/// sequence once, at uniform places; between them are others, uniform and independent. Classes take
/// turns, so that which tokens a sequence has, and how many, says nothing. More sequences do not change
/// the first ones. O(n length).
///
/// # Errors
/// [`StructuredError::Sizes`] for less than two tokens, [`StructuredError::Vocabulary`] for less than four
/// ids, [`StructuredError::TooLarge`].
pub fn first_of_two<T: Float>(
    n: usize,
    lengths: RangeInclusive<usize>,
    vocabulary: usize,
    seed: u64,
) -> Result<TokenSequences<T>, StructuredError> {
    StructuredError::of_sizes("tokens", &lengths, TOKENS.len())?;
    if vocabulary <= RESERVED {
        return Err(StructuredError::Vocabulary {
            found: vocabulary,
            least: RESERVED + 1,
        });
    }
    let most = *lengths.end();
    check::<T>(n, most)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut all = TokenSequences {
        x: Array2::zeros((n, most)),
        mask: Array2::from_elem((n, most), true),
        labels: (0..n).map(|i| (i % TOKENS.len()) as u8).collect(),
    };
    for (i, &label) in all.labels.iter().enumerate() {
        let length = rng.random_range(lengths.clone());
        for at in 0..length {
            all.x[[i, at]] = of(rng.random_range(RESERVED..vocabulary) as f64);
            all.mask[[i, at]] = false;
        }
        // Two different places, all pairs alike.
        let (a, b) = (rng.random_range(0..length), rng.random_range(0..length - 1));
        let b = if b < a { b } else { b + 1 };
        let class = usize::from(label);
        all.x[[i, a.min(b)]] = of(TOKENS[class] as f64);
        all.x[[i, a.max(b)]] = of(TOKENS[1 - class] as f64);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::s;

    fn drawn(n: usize) -> TokenSequences<f64> {
        first_of_two(n, 8..=24, 12, 3).unwrap()
    }

    #[test]
    fn labels_are_which_token_comes_first() {
        let all = drawn(200);
        for ((x, mask), &label) in all
            .x
            .rows()
            .into_iter()
            .zip(all.mask.rows())
            .zip(&all.labels)
        {
            let length = mask.iter().filter(|&&masked| !masked).count();
            assert!((8..=24).contains(&length));
            let places = TOKENS.map(|token| {
                let at = |place: &usize| x[*place] == token as f64;
                let places: Vec<usize> = (0..24).filter(at).collect();
                assert_eq!(places.len(), 1, "{x}");
                places[0]
            });
            assert_eq!(u8::from(places[1] < places[0]), label, "{x}");
            for (place, (&token, &masked)) in x.iter().zip(mask).enumerate() {
                assert_eq!(masked, place >= length);
                let known = (1.0..12.0).contains(&token) && token.fract() == 0.0;
                assert!(if masked { token == 0.0 } else { known }, "{x}");
            }
        }
        assert_eq!(all.labels.iter().filter(|&&label| label == 1).count(), 100);
    }

    #[test]
    fn places_and_tokens_are_uniform() {
        let all = first_of_two::<f64>(4000, 4..=4, 6, 1).unwrap();
        // Places of 1 and 2 in four: each with a probability of 1/4, and each other token 1/3.
        for place in 0..4 {
            let at = all.x.column(place).iter().filter(|&&t| t == 1.0).count();
            let error = 5.0 * (4000.0 * 0.25_f64 * 0.75).sqrt();
            assert!((at as f64 - 1000.0).abs() < error, "{at} at {place}");
        }
        for token in 3..6 {
            let count = all.x.iter().filter(|&&t| t == f64::from(token)).count();
            let error = 5.0 * (8000.0_f64 / 3.0 * 2.0 / 3.0).sqrt();
            assert!(
                (count as f64 - 8000.0 / 3.0).abs() < error,
                "{count} of {token}"
            );
        }
    }

    #[test]
    fn same_seed_same_sequences_and_more_do_not_change_the_first() {
        assert_eq!(drawn(9), drawn(9));
        assert_ne!(drawn(9).x, first_of_two::<f64>(9, 8..=24, 12, 4).unwrap().x);
        assert_eq!(drawn(12).x.slice(s![..9, ..]), drawn(9).x);
        assert_eq!(
            first_of_two::<f32>(9, 8..=24, 12, 3).unwrap().x,
            drawn(9).x.mapv(|token| token as f32)
        );
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let of = |lengths, vocabulary| first_of_two::<f64>(2, lengths, vocabulary, 0).unwrap_err();
        for lengths in [1..=8, RangeInclusive::new(8, 7)] {
            assert!(matches!(
                of(lengths, 12),
                StructuredError::Sizes { least: 2, .. }
            ));
        }
        assert_eq!(
            of(2..=3, 3),
            StructuredError::Vocabulary { found: 3, least: 4 }
        );
        assert!(matches!(
            of(2..=usize::MAX, 4),
            StructuredError::TooLarge(_)
        ));
    }
}
