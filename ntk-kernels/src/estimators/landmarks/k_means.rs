//! Centres of samples by k-means++ and Lloyd's algorithm.

use ndarray::{Array1, Array2, ArrayD, ArrayViewD, Axis, Slice};
use ntk_linalg::{LinalgError, Observer, Real, matmul};

/// The most passes of Lloyd's algorithm over the samples.
const PASSES: usize = 20;

/// Returns at most `count` centres of samples (n, ...), n at least 1, of the shape of samples:
/// fewer where there are not so many different ones.
pub(super) fn centres<T: Real>(
    x: ArrayViewD<'_, T>,
    count: usize,
    block: usize,
    observer: &dyn Observer,
    uniform: impl FnMut() -> f64,
) -> Result<ArrayD<T>, LinalgError> {
    let n = x.len_of(Axis(0));
    let blocks = Blocks { x, n, block };
    let mut centres = blocks.start(count, observer, uniform)?;
    blocks.lloyd(&mut centres, observer)?;
    let mut shape = blocks.x.shape().to_vec();
    shape[0] = centres.nrows();
    let centres = centres.mapv(T::of).into_shape_with_order(shape);
    Ok(centres.expect("as many numbers"))
}

/// Samples that are taken as vectors of f64, some at a time.
struct Blocks<'a, T> {
    x: ArrayViewD<'a, T>,
    n: usize,
    block: usize,
}

impl<T: Real> Blocks<'_, T> {
    /// Returns the samples from `start` on, (block, features).
    fn at(&self, start: usize) -> Array2<f64> {
        let end = self.n.min(start + self.block);
        let part = self.x.slice_axis(Axis(0), Slice::from(start..end));
        let features = part.len() / (end - start);
        let part = part.mapv(Real::to_f64).as_standard_layout().into_owned();
        let part = part.into_shape_with_order((end - start, features));
        part.expect("as many numbers")
    }

    fn starts(&self) -> impl Iterator<Item = usize> + use<'_, T> {
        (0..self.n).step_by(self.block)
    }

    /// Draws centres of the samples, each in proportion to the squared distance from those before.
    fn start(
        &self,
        count: usize,
        observer: &dyn Observer,
        mut uniform: impl FnMut() -> f64,
    ) -> Result<Array2<f64>, LinalgError> {
        let mut distances = Array1::from_elem(self.n, 1.0);
        let mut chosen = Vec::new();
        let mut rows = Vec::new();
        observer.begin("k-means", count as u64);
        for index in 0..count {
            observer.check()?;
            let total = distances.sum();
            // NaN, too, where squares overflow.
            if total.partial_cmp(&0.0) != Some(std::cmp::Ordering::Greater) {
                break;
            }
            let mut left = total * uniform();
            let place = distances.iter().position(|&d| {
                left -= d;
                left < 0.0
            });
            // Rounding may leave something behind the last.
            let last = || distances.iter().rposition(|&d| d > 0.0);
            let Some(place) = place.or_else(last) else {
                break;
            };
            chosen.push(place);
            let one = Blocks {
                x: self.x.slice_axis(Axis(0), Slice::from(place..place + 1)),
                n: 1,
                block: 1,
            };
            let centre = one.at(0).index_axis_move(Axis(0), 0);
            for start in self.starts() {
                for (at, x) in (start..).zip(self.at(start).rows()) {
                    let gaps = x.iter().zip(&centre).map(|(x, c)| (x - c) * (x - c));
                    let squared = gaps.sum::<f64>();
                    distances[at] = if index == 0 {
                        squared
                    } else {
                        squared.min(distances[at])
                    };
                }
            }
            rows.extend(centre);
            observer.advance(1);
        }
        let features = self.x.len() / self.n;
        let rows = Array2::from_shape_vec((chosen.len(), features), rows);
        Ok(rows.expect("as many numbers"))
    }

    /// Moves centres to the means of the samples next to them until none changes sides. A centre
    /// that no sample is next to stays.
    fn lloyd(&self, centres: &mut Array2<f64>, observer: &dyn Observer) -> Result<(), LinalgError> {
        let mut sides = vec![usize::MAX; self.n];
        for _ in 0..PASSES {
            let mut moved = false;
            let mut sums = Array2::<f64>::zeros(centres.dim());
            let mut counts = vec![0_usize; centres.nrows()];
            // |x - c|^2 but for |x|^2, which all centres share.
            let squares: Array1<f64> = centres.rows().into_iter().map(|c| c.dot(&c)).collect();
            for start in self.starts() {
                observer.check()?;
                let x = self.at(start);
                let products = matmul(&x, &centres.t())?;
                let samples = products.rows().into_iter().zip(x.rows());
                for ((products, x), side) in samples.zip(&mut sides[start..]) {
                    let all = products.iter().zip(&squares).map(|(xc, cc)| cc - 2.0 * xc);
                    let nearest = all.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
                    let nearest = nearest.map_or(0, |(i, _)| i);
                    moved |= *side != nearest;
                    *side = nearest;
                    let mut sum = sums.row_mut(nearest);
                    sum += &x;
                    counts[nearest] += 1;
                }
            }
            if !moved {
                break;
            }
            for (i, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let mean = &sums.row(i) / count as f64;
                centres.row_mut(i).assign(&mean);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn blocks(x: &Array2<f64>, block: usize) -> Blocks<'_, f64> {
        let n = x.nrows();
        let x = x.view().into_dyn();
        Blocks { x, n, block }
    }

    #[test]
    fn two_clusters_have_their_means() {
        let x = array![
            [0.0, 0.0],
            [0.0, 1.0],
            [10.0, 0.0],
            [10.0, 2.0],
            [10.0, 1.0]
        ];
        for block in [1, 2, 5, 9] {
            // One far from all stays.
            let mut centres = array![[10.0, 0.0], [9.0, 2.0], [-99.0, 0.0]];
            blocks(&x, block).lloyd(&mut centres, &()).unwrap();
            assert_eq!(centres.row(2), array![-99.0, 0.0]);
            let mut centres = array![[1.0, 0.0], [9.0, 2.0]];
            blocks(&x, block).lloyd(&mut centres, &()).unwrap();
            assert_eq!(centres, array![[0.0, 0.5], [10.0, 1.0]]);
        }
    }

    /// The first is drawn evenly, and each further one is not one of those before.
    #[test]
    fn starts_are_different_samples() {
        let x = array![[0.0], [0.0], [5.0], [5.0], [7.0], [7.0]];
        for (number, first) in [(0.0, 0.0), (0.4, 5.0), (1.0 - f64::EPSILON / 2.0, 7.0)] {
            let found = blocks(&x, 4).start(5, &(), || number).unwrap();
            assert_eq!(found[[0, 0]], first);
            let mut found = found.into_raw_vec_and_offset().0;
            found.sort_by(f64::total_cmp);
            assert_eq!(found, [0.0, 5.0, 7.0], "{number}");
        }
    }
}
