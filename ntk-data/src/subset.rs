//! Subsets of a [`Split`], each a new split that remembers its rows.

use chacha20::ChaCha8Rng;
use rand::RngExt;
use rand::SeedableRng;
use thiserror::Error;

use crate::split::Split;

/// A `SubsetError` says why a subset cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubsetError {
    /// More images were asked for than there are.
    #[error(
        "asked for {asked} images, and there are {available}; ask for fewer, or load the full data"
    )]
    TooMany {
        /// The number of images asked for.
        asked: usize,
        /// The number of images there are.
        available: usize,
    },
    /// More images of a class were asked for than there are.
    #[error(
        "asked for {asked} images of class {class}, and there are {available}; ask for fewer, or load the full data"
    )]
    TooManyOfClass {
        /// The class.
        class: u8,
        /// The number of images asked for.
        asked: usize,
        /// The number of images there are.
        available: usize,
    },
    /// The first rows of the published file are not all here.
    #[error(
        "asked for the first {asked} rows, and only the first {available} are all in this sample; ask for fewer, or load the full data"
    )]
    NotAllHere {
        /// The number of rows asked for.
        asked: usize,
        /// The length of the unbroken run of rows from 0.
        available: usize,
    },
    /// A row of the published file is not here.
    #[error("row {asked} is not among the {available} rows here; load the full data")]
    NoSuchRow {
        /// The row asked for.
        asked: usize,
        /// The number of rows here.
        available: usize,
    },
}

impl Split {
    /// Takes rows `0..n` of the published file, in its order.
    ///
    /// # Errors
    /// [`SubsetError::TooMany`], and on a sample [`SubsetError::NotAllHere`] if
    /// some of these rows are not in it.
    ///
    /// ```
    /// # #[cfg(feature = "embedded")] {
    /// let train = ntk_data::sample::load()?.train;
    /// let first = train.first(1000)?;
    /// let balanced = train.stratified(100, 0)?; // the classes in their proportions, seed 0
    /// assert_eq!((first.len(), balanced.len()), (1000, 100));
    /// # }
    /// # Ok::<(), ntk_data::Error>(())
    /// ```
    pub fn first(&self, n: usize) -> Result<Self, SubsetError> {
        self.enough(n)?;
        let available = self
            .rows
            .iter()
            .zip(0..n)
            .take_while(|&(&row, i)| row == i)
            .count();
        if available < n {
            return Err(SubsetError::NotAllHere {
                asked: n,
                available,
            });
        }
        let positions: Vec<usize> = (0..n).collect();
        Ok(self.at(&positions))
    }

    /// Takes the first `per_class` images of each of `classes`, all in file order.
    ///
    /// On the embedded sample this gives exactly what it gives on the full data,
    /// or an error: of each class the sample holds the first images.
    ///
    /// # Errors
    /// [`SubsetError::TooManyOfClass`].
    pub fn first_per_class(&self, per_class: usize, classes: &[u8]) -> Result<Self, SubsetError> {
        let mut positions = Vec::new();
        for &class in classes {
            let members = self.members(class);
            let first = members
                .get(..per_class)
                .ok_or(SubsetError::TooManyOfClass {
                    class,
                    asked: per_class,
                    available: members.len(),
                })?;
            positions.extend_from_slice(first);
        }
        positions.sort_unstable();
        positions.dedup();
        Ok(self.at(&positions))
    }

    /// Draws `n` images without replacement, in the order in which they are drawn.
    ///
    /// With the same seed a smaller draw is the beginning of a larger one. The
    /// draw depends on the images there are: a sample gives others than the
    /// full data.
    ///
    /// # Errors
    /// [`SubsetError::TooMany`].
    pub fn random(&self, n: usize, seed: u64) -> Result<Self, SubsetError> {
        self.enough(n)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Ok(self.at(&draw((0..self.len()).collect(), n, &mut rng)))
    }

    /// Draws `n` images with the classes in the proportions they have here, in file order.
    ///
    /// Each class gets its proportional number rounded down; what is left goes
    /// one each to the classes with the largest remainders, the smaller label
    /// first. Within a class the images are drawn as in [`Split::random`].
    ///
    /// # Errors
    /// [`SubsetError::TooMany`].
    pub fn stratified(&self, n: usize, seed: u64) -> Result<Self, SubsetError> {
        self.enough(n)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let classes: Vec<Vec<usize>> = (0..=u8::MAX)
            .map(|class| self.members(class))
            .filter(|m| !m.is_empty())
            .collect();
        let sizes: Vec<usize> = classes.iter().map(Vec::len).collect();
        let mut positions = Vec::with_capacity(n);
        for (members, share) in classes.into_iter().zip(shares(&sizes, n)) {
            positions.extend(draw(members, share, &mut rng));
        }
        positions.sort_unstable();
        Ok(self.at(&positions))
    }

    /// Takes all images of these classes, in file order.
    #[must_use]
    pub fn with_classes(&self, classes: &[u8]) -> Self {
        let wanted = |&i: &usize| classes.contains(&self.labels[i]);
        self.at(&(0..self.len()).filter(wanted).collect::<Vec<_>>())
    }

    /// Takes the images with these rows of the published file, in the order given.
    ///
    /// # Errors
    /// [`SubsetError::NoSuchRow`] for a row that is not here.
    pub fn select(&self, rows: &[usize]) -> Result<Self, SubsetError> {
        let mut by_row: Vec<(usize, usize)> =
            self.rows.iter().copied().zip(0..self.len()).collect();
        by_row.sort_unstable();
        let position = |&asked: &usize| {
            by_row
                .binary_search_by_key(&asked, |&(row, _)| row)
                .map(|found| by_row[found].1)
                .map_err(|_| SubsetError::NoSuchRow {
                    asked,
                    available: self.len(),
                })
        };
        Ok(self.at(&rows.iter().map(position).collect::<Result<Vec<_>, _>>()?))
    }

    /// Finds the positions of the images of a class.
    fn members(&self, class: u8) -> Vec<usize> {
        self.labels
            .iter()
            .zip(0..self.len())
            .filter(|&(&label, _)| label == class)
            .map(|(_, i)| i)
            .collect()
    }

    fn enough(&self, asked: usize) -> Result<(), SubsetError> {
        let available = self.len();
        if asked > available {
            Err(SubsetError::TooMany { asked, available })
        } else {
            Ok(())
        }
    }
}

/// Makes the first `n` steps of a Fisher-Yates shuffle.
fn draw(mut from: Vec<usize>, n: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    for i in 0..n {
        let j = rng.random_range(i..from.len());
        from.swap(i, j);
    }
    from.truncate(n);
    from
}

/// Divides `n` by largest remainders in the proportions of `sizes`.
fn shares(sizes: &[usize], n: usize) -> Vec<usize> {
    let total = sizes.iter().sum::<usize>().max(1) as u128;
    let exact = |size: usize| n as u128 * size as u128;
    let mut shares: Vec<usize> = sizes
        .iter()
        .map(|&s| usize::try_from(exact(s) / total).unwrap_or(s))
        .collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&c| std::cmp::Reverse(exact(sizes[c]) % total));
    let left = n - shares.iter().sum::<usize>();
    for &class in order.iter().take(left) {
        shares[class] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array4};

    /// Labels 0, 1, 2, 0, 1, 2, ... with the row as the only pixel.
    fn split(n: u8) -> Split {
        Split {
            images: Array4::from_shape_fn((n.into(), 1, 1, 1), |(i, ..)| u8::try_from(i).unwrap()),
            labels: (0..n).map(|i| i % 3).collect::<Array1<u8>>(),
            rows: (0..n.into()).collect(),
        }
    }

    fn consistent(s: &Split) {
        assert_eq!(s.images.shape()[0], s.len());
        assert_eq!(s.labels.len(), s.len());
        for i in 0..s.len() {
            assert_eq!(usize::from(s.images[[i, 0, 0, 0]]), s.rows[i]);
            assert_eq!(usize::from(s.labels[i]), s.rows[i] % 3);
        }
    }

    #[test]
    fn first_rows_and_the_refusal_on_a_sample() {
        let full = split(12);
        assert_eq!(full.first(4).unwrap().rows, [0, 1, 2, 3]);
        assert_eq!(
            full.first(13),
            Err(SubsetError::TooMany {
                asked: 13,
                available: 12
            })
        );
        let sample = full.select(&[0, 1, 2, 5, 6]).unwrap();
        assert_eq!(sample.first(3).unwrap().rows, [0, 1, 2]);
        assert_eq!(
            sample.first(4),
            Err(SubsetError::NotAllHere {
                asked: 4,
                available: 3
            })
        );
        assert!(full.first(0).unwrap().is_empty());
    }

    #[test]
    fn first_per_class_keeps_file_order() {
        let s = split(12).first_per_class(2, &[2, 0]).unwrap();
        assert_eq!(s.rows, [0, 2, 3, 5]);
        consistent(&s);
        let too_many = split(12).first_per_class(5, &[1]);
        assert_eq!(
            too_many,
            Err(SubsetError::TooManyOfClass {
                class: 1,
                asked: 5,
                available: 4
            })
        );
    }

    #[test]
    fn random_draws_are_nested_and_without_replacement() {
        let full = split(60);
        let all = full.random(60, 7).unwrap();
        consistent(&all);
        assert_eq!(full.random(20, 7).unwrap().rows, all.rows[..20]);
        assert_ne!(full.random(20, 8).unwrap().rows, all.rows[..20]);
        let mut sorted = all.rows.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, full.rows);
        assert_eq!(
            full.random(61, 7),
            Err(SubsetError::TooMany {
                asked: 61,
                available: 60
            })
        );
    }

    #[test]
    fn stratified_keeps_the_proportions() {
        let full = split(60);
        let s = full.stratified(10, 3).unwrap();
        consistent(&s);
        assert!(s.rows.is_sorted());
        let counts: Vec<usize> = (0..3).map(|c| s.with_classes(&[c]).len()).collect();
        assert_eq!(counts, [4, 3, 3]);
        assert_eq!(full.stratified(60, 3).unwrap(), full);
        assert_eq!(shares(&[1, 1, 8], 5), [1, 0, 4]);
        assert_eq!(shares(&[], 0), [0; 0]);
    }

    #[test]
    fn selection_is_by_original_row_and_in_the_order_given() {
        let odd = split(12).select(&[1, 3, 5, 7]).unwrap();
        let s = odd.select(&[7, 1]).unwrap();
        assert_eq!(s.rows, [7, 1]);
        consistent(&s);
        assert_eq!(
            odd.select(&[2]),
            Err(SubsetError::NoSuchRow {
                asked: 2,
                available: 4
            })
        );
        assert_eq!(
            split(12).with_classes(&[1, 2]).rows,
            [1, 2, 4, 5, 7, 8, 10, 11]
        );
    }
}
