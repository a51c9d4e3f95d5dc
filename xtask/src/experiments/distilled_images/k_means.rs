//! The centres of each class by Lloyd's algorithm.

use super::Failure;
use super::data::{Data, Support};
use crate::experiments::study::CLASSES;
use ndarray::{Array1, Array2, ArrayRef2, Axis, concatenate};
use ntk_linalg::matmul;
use ntk_train::selection::random;

/// The most passes over the images of a class.
const PASSES: usize = 20;

/// Returns `each` centres of every class, with the label of the class.
pub(super) fn centroids(data: &Data, each: usize, seed: u64) -> Result<Support, Failure> {
    let labels = data.train.labels();
    let mut found = Vec::new();
    for class in 0..CLASSES {
        let members: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] == class).collect();
        let Support { x, y } = data.support(&members)?;
        let start = random(members.len(), each, seed)?;
        let centres = lloyd(&x, x.select(Axis(0), &start))?;
        found.push([centres, y.select(Axis(0), &start)]);
    }
    let all = |i: usize| {
        let views: Vec<_> = found
            .iter()
            .map(|of: &[Array2<f32>; 2]| of[i].view())
            .collect();
        concatenate(Axis(0), &views)
    };
    Ok(Support {
        x: all(0)?,
        y: all(1)?,
    })
}

/// Moves centres (k, features) to the means of the samples next to them until none changes sides.
fn lloyd(x: &ArrayRef2<f32>, mut centres: Array2<f32>) -> Result<Array2<f32>, Failure> {
    let mut sides = Vec::new();
    for _ in 0..PASSES {
        // |x - c|^2 but for |x|^2, which all centres share.
        let mut distances = matmul(x, &centres.t())?;
        let squares: Array1<f32> = centres.rows().into_iter().map(|c| c.dot(&c)).collect();
        distances.zip_mut_with(&squares.insert_axis(Axis(0)), |xc, cc| *xc = cc - 2.0 * *xc);
        let nearest = |of: ndarray::ArrayView1<'_, f32>| -> usize {
            let all = of.iter().enumerate();
            all.min_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(i, _)| i)
        };
        let now: Vec<usize> = distances.rows().into_iter().map(nearest).collect();
        if now == sides {
            break;
        }
        sides = now;
        let mut sums = Array2::<f32>::zeros(centres.dim());
        let mut counts = vec![0_usize; centres.nrows()];
        for (x, &side) in x.rows().into_iter().zip(&sides) {
            let mut sum = sums.row_mut(side);
            sum += &x;
            counts[side] += 1;
        }
        // A centre that no sample is next to stays.
        for (i, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let mean = &sums.row(i) / count as f32;
            centres.row_mut(i).assign(&mean);
        }
    }
    Ok(centres)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn two_clusters_have_their_means() {
        let x = array![
            [0.0, 0.0],
            [0.0, 1.0],
            [10.0, 0.0],
            [10.0, 2.0],
            [10.0, 1.0]
        ];
        // Both begin in the second, and one far from all stays.
        let start = array![[10.0, 0.0], [9.0, 2.0], [-99.0, 0.0]];
        let found = lloyd(&x, start).unwrap();
        assert_eq!(found.row(2), array![-99.0, 0.0]);
        let start = array![[1.0, 0.0], [9.0, 2.0]];
        let found = lloyd(&x, start).unwrap();
        assert_eq!(found, array![[0.0, 0.5], [10.0, 1.0]]);
    }
}
