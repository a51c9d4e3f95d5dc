//! Selection by the entropy of a kernel.

use super::{SelectionError, check_size};
use ndarray::{Array1, ArrayRef2};
use ntk_linalg::{LinalgError, Real, check_symmetric};

/// Chooses `size` samples whose block `B` of `kernel` (n, n), symmetric positive semidefinite, has
/// a large von Neumann entropy `S = -tr rho ln rho`, `rho = B / tr B`.
///
/// ```
/// use ndarray::array;
/// use ntk_train::selection::maximum_entropy;
///
/// // The first two samples are alike, and the third is orthogonal to them.
/// let kernel = array![[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
/// assert_eq!(maximum_entropy(&kernel, 2)?, [0, 2]);
/// # Ok::<(), ntk_train::Error>(())
/// ```
///
/// The choice is greedy, and by a stand-in for `S`: starting from the best pair, each choice is
/// the sample that makes the purity `tr rho^2 = |B|_F^2 / (tr B)^2` smallest, of equal ones the first.
/// `-ln tr rho^2`, the Renyi entropy of order 2, is at most `S`, has its maximum `ln size` with
/// it, and needs no eigenvalues: a sample adds its squared entries, which are kept as sums. On
/// two samples both entropies agree on which pair is best. A smaller selection is the beginning
/// of a larger one. Entries count as they are: where only the samples' directions should, divide
/// `K_ij` by `sqrt(K_ii K_jj)` first.
///
/// Cost: `n^2` for checks and the first pair, then `n` for each choice, where the greedy
/// choice by `S` itself costs `n size^3`.
///
/// # Errors
/// [`SelectionError::EmptyPool`], [`SelectionError::TooMany`]; [`SelectionError::Linalg`] for a
/// matrix that is not square, not finite, or not symmetric to `n eps max|K|`;
/// [`SelectionError::NegativeDiagonal`]; [`SelectionError::ZeroTrace`].
pub fn maximum_entropy<T: Real>(
    kernel: &ArrayRef2<T>,
    size: usize,
) -> Result<Vec<usize>, SelectionError> {
    let n = kernel.nrows();
    if !kernel.is_square() {
        return Err(SelectionError::Linalg(LinalgError::NotSquare {
            operation: "a selection by entropy",
            rows: n,
            columns: kernel.ncols(),
        }));
    }
    check_size(size, n)?;
    let largest = kernel.iter().fold(T::zero(), |m, v| m.max(v.abs()));
    check_symmetric(kernel, T::of(n as f64) * T::epsilon() * largest)?;
    let diagonal = kernel.diag();
    if let Some(index) = diagonal.iter().position(|&v| v < T::zero()) {
        return Err(SelectionError::NegativeDiagonal {
            index,
            found: Real::to_f64(diagonal[index]),
        });
    }
    let top = Real::to_f64(diagonal.fold(T::zero(), |m, &v| m.max(v)));
    if top == 0.0 {
        return Err(SelectionError::ZeroTrace);
    }
    // Entries are divided by the largest diagonal one, so that no square overflows.
    let entry = |i: usize, j: usize| Real::to_f64(kernel[[i, j]]) / top;
    let mut block = ChosenBlock::new(n);
    let mut next = best_pair(n, entry);
    while block.chosen.len() < size {
        block.add(next, entry);
        next = match block.most_mixed(entry) {
            Some(next) => next,
            None => break,
        };
    }
    Ok(block.chosen)
}

/// Returns the first sample of the pair of smallest purity, of equal pairs the first; `n` is
/// positive.
fn best_pair(n: usize, entry: impl Fn(usize, usize) -> f64) -> usize {
    let mut best = (0, f64::INFINITY);
    for i in 0..n {
        for j in i + 1..n {
            let (a, b) = (entry(i, i), entry(j, j));
            let purity = purity(a * a + b * b + 2.0 * entry(i, j).powi(2), a + b);
            if purity < best.1 {
                best = (i, purity);
            }
        }
    }
    best.0
}

/// Returns the purity; 1, that of a single sample, where all are zero.
fn purity(squares: f64, trace: f64) -> f64 {
    if trace > 0.0 {
        squares / (trace * trace)
    } else {
        1.0
    }
}

/// The kernel of the samples chosen so far.
struct ChosenBlock {
    chosen: Vec<usize>,
    /// The samples of the pool that are not chosen yet.
    left: Vec<bool>,
    trace: f64,
    /// The sum of the squared entries.
    squares: f64,
    /// The sum of squared entries with the chosen samples, for every sample of the pool.
    crossed: Array1<f64>,
}

impl ChosenBlock {
    fn new(n: usize) -> Self {
        Self {
            chosen: Vec::new(),
            left: vec![true; n],
            trace: 0.0,
            squares: 0.0,
            crossed: Array1::zeros(n),
        }
    }

    fn add(&mut self, new: usize, entry: impl Fn(usize, usize) -> f64) {
        (self.squares, self.trace) = self.with(new, &entry);
        for (i, crossed) in self.crossed.iter_mut().enumerate() {
            *crossed += entry(new, i).powi(2);
        }
        self.left[new] = false;
        self.chosen.push(new);
    }

    /// Returns the sum of squared entries, and the trace, with one sample more.
    fn with(&self, new: usize, entry: impl Fn(usize, usize) -> f64) -> (f64, f64) {
        let own = entry(new, new);
        (
            self.squares + 2.0 * self.crossed[new] + own * own,
            self.trace + own,
        )
    }

    /// Returns the sample left that makes the purity smallest, of equal ones the first.
    fn most_mixed(&self, entry: impl Fn(usize, usize) -> f64) -> Option<usize> {
        let mut best = None;
        for i in (0..self.left.len()).filter(|&i| self.left[i]) {
            let (squares, trace) = self.with(i, &entry);
            let purity = purity(squares, trace);
            if best.is_none_or(|(_, smallest)| purity < smallest) {
                best = Some((i, purity));
            }
        }
        best.map(|(i, _)| i)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Axis, array};
    use ntk_entropy::{Normalization, Spectrum, von_neumann};

    /// `exp(-|x - x'|^2)` of points in the plane that lie in no order, times what makes the
    /// diagonal uneven.
    fn kernel(n: usize, seed: usize) -> Array2<f64> {
        let x = |i: usize, j: usize| {
            2.0 * ((17 * seed + 5 * i * i + 11 * j * (i + 1) + i) as f64).sin()
        };
        let size = |i: usize| 1.0 + 0.3 * ((seed + 3 * i) as f64).cos();
        Array2::from_shape_fn((n, n), |(a, b)| {
            let far = (0..2).map(|j| (x(a, j) - x(b, j)).powi(2)).sum::<f64>();
            size(a) * size(b) * (-far).exp()
        })
    }

    fn block(k: &Array2<f64>, rows: &[usize]) -> Array2<f64> {
        k.select(Axis(0), rows).select(Axis(1), rows)
    }

    fn entropy(k: &Array2<f64>, rows: &[usize]) -> f64 {
        von_neumann::entropy(&Spectrum::of_kernel(&block(k, rows), Normalization::Trace).unwrap())
    }

    fn purity_of(k: &Array2<f64>, rows: &[usize]) -> f64 {
        let b = block(k, rows);
        b.dot(&b).diag().sum() / b.diag().sum().powi(2)
    }

    /// Every step against `tr rho^2` of a matrix product.
    #[test]
    fn each_choice_makes_the_purity_smallest() {
        for seed in 0..20 {
            let k = kernel(12, seed);
            let found = maximum_entropy(&k, 12).unwrap();
            let pairs = (0..12).flat_map(|i| (0..i).map(move |j| [i, j]));
            let smallest = pairs.map(|pair| purity_of(&k, &pair)).fold(1.0, f64::min);
            assert!(purity_of(&k, &found[..2]) <= smallest * (1.0 + 1e-13));
            for size in 2..12 {
                let taken = &found[..size];
                let with = |i: usize| purity_of(&k, &[taken, &[i]].concat());
                let left = (0..12).filter(|i| !taken.contains(i));
                let smallest = left.map(with).fold(f64::INFINITY, f64::min);
                assert!(
                    with(found[size]) <= smallest * (1.0 + 1e-13),
                    "{seed} {size}"
                );
            }
        }
    }

    /// Against the von Neumann entropies of all 210 choices of 4 samples out of 10.
    #[test]
    fn is_close_to_the_best_of_all_choices() {
        let mut shares = Vec::new();
        for seed in 0..40 {
            let k = kernel(10, seed);
            let found = entropy(&k, &maximum_entropy(&k, 4).unwrap());
            let subsets = (0_u32..1 << 10).filter(|mask| mask.count_ones() == 4);
            let mut all: Vec<f64> = subsets
                .map(|mask| {
                    let rows: Vec<usize> = (0..10).filter(|i| mask >> i & 1 == 1).collect();
                    entropy(&k, &rows)
                })
                .collect();
            all.sort_by(f64::total_cmp);
            assert_eq!(all.len(), 210);
            shares.push(found / all[209]);
        }
        // The greedy choice by S itself reaches 0.937 at worst and 0.9945 in the mean here.
        let worst = shares.iter().copied().fold(1.0, f64::min);
        let mean = shares.iter().sum::<f64>() / 40.0;
        assert!(worst > 0.93 && mean > 0.99, "{worst} {mean}");
    }

    /// Three groups of equal samples, orthogonal to each other.
    #[test]
    fn one_of_each_group_comes_first() {
        let k = Array2::from_shape_fn((9, 9), |(i, j)| if i / 3 == j / 3 { 2.0 } else { 0.0 });
        assert_eq!(maximum_entropy(&k, 3).unwrap(), [0, 3, 6]);
        let all = maximum_entropy(&k.mapv(|v| v as f32), 9).unwrap();
        assert_eq!(all, [0, 3, 6, 1, 4, 7, 2, 5, 8]);
    }

    #[test]
    fn no_scale_overflows() {
        let k = kernel(10, 3);
        let found = maximum_entropy(&k, 6).unwrap();
        for scale in [2.0_f64.powi(900), 2.0_f64.powi(-900)] {
            assert_eq!(maximum_entropy(&(&k * scale), 6).unwrap(), found);
        }
    }

    #[test]
    fn small_and_degenerate() {
        let one = array![[2.0]];
        assert_eq!(maximum_entropy(&one, 1).unwrap(), [0]);
        assert_eq!(maximum_entropy(&one, 0).unwrap(), [0; 0]);
        let (asked, available) = (2, 1);
        let found = maximum_entropy(&one, 2);
        assert_eq!(found, Err(SelectionError::TooMany { asked, available }));
        let none = Array2::<f64>::zeros((0, 0));
        assert_eq!(maximum_entropy(&none, 0), Err(SelectionError::EmptyPool));
        let zero = Array2::<f64>::zeros((2, 2));
        assert_eq!(maximum_entropy(&zero, 1), Err(SelectionError::ZeroTrace));
        let some = array![[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        assert_eq!(maximum_entropy(&some, 3).unwrap(), [1, 2, 0]);
    }

    #[test]
    fn what_is_no_kernel() {
        for bad in [
            array![[1.0, 0.0]],
            array![[1.0, f64::NAN], [f64::NAN, 1.0]],
            array![[1.0, 0.5], [0.4, 1.0]],
        ] {
            let found = maximum_entropy(&bad, 1);
            assert!(matches!(found, Err(SelectionError::Linalg(_))), "{found:?}");
        }
        let found = maximum_entropy(&array![[1.0, 0.0], [0.0, -2.0]], 1);
        let (index, value) = (1, -2.0);
        assert_eq!(
            found,
            Err(SelectionError::NegativeDiagonal {
                index,
                found: value
            })
        );
    }
}
