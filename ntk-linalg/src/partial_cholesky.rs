//! Randomly pivoted partial Cholesky factorisation, and the preconditioner that it makes.
//!
//! `K ~ F F^T` comes from k of K's columns, drawn in proportion to what the factors before leave of the
//! diagonal (Chen, Epperly, Tropp and Webber 2022, arXiv:2207.06503, algorithm 2.1), a block of
//! columns at a time by rejection (Epperly, Tropp and Webber 2024, arXiv:2410.03969), which draws
//! as one at a time does.

use crate::lanes::{LANES, Lanes, add_both};
use crate::memory::zeros;
use crate::observer::Observer;
use crate::{Backend, Cholesky, LinalgError, Operator, Real, Ridge, Triangle};
use ndarray::{Array1, Array2, ArrayRef2, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;
use std::cell::Cell;

/// The number of columns that are asked for at once.
const BLOCK: usize = 128;

/// The number of rounds without a new column after which it is not for rounding that there is none.
const FRUITLESS: usize = 100;

/// The number of rows of a preconditioner that one thread takes at a time.
const PIECE: usize = 512;

/// A `PartialCholesky` is a factorisation `K ~ F F^T` of a positive semidefinite matrix, F of shape (n, k).
///
/// [`RandomPivots`] makes one.
#[derive(Debug, Clone)]
pub struct PartialCholesky<T> {
    factor: Array2<T>,
    residual: Array1<T>,
    pivots: Vec<usize>,
}

/// The partial Cholesky factorisation by pivots that are drawn at random, in proportion to what is
/// left of the diagonal.
///
/// ```
/// use ndarray::{Array2, Axis};
/// use ntk_linalg::{ConjugateGradients, Error, LinalgError, RandomPivots};
///
/// fn main() -> Result<(), Error> {
///     // Eigenvalues that fall quickly, and a ridge.
///     let ridge = 1e-3;
///     let k = Array2::from_shape_fn((50, 50), |(i, j)| {
///         let far = (i as f64 - j as f64) / 20.0;
///         (-far * far).exp() + if i == j { ridge } else { 0.0 }
///     });
///     let mut state = 1_u64; // any source of uniform numbers in [0, 1)
///     let uniform = || {
///         state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
///         (state >> 11) as f64 / (1_u64 << 53) as f64
///     };
///     let columns = |which: &[usize]| Ok::<_, LinalgError>(k.select(Axis(1), which));
///     let partial = RandomPivots::new(10).factor(k.diag().to_owned(), uniform, columns)?;
///     let preconditioner = partial.preconditioner(ridge)?;
///     let found = ConjugateGradients::new()
///         .preconditioner(&preconditioner)
///         .solve(&k, &Array2::ones((50, 1)))?;
///     assert!(found.converged);
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy)]
pub struct RandomPivots<'a> {
    rank: usize,
    observer: &'a dyn Observer,
}

impl<'a> RandomPivots<'a> {
    /// Returns the factorisation by at most `rank` columns, without an observer.
    pub fn new(rank: usize) -> Self {
        Self {
            rank,
            observer: &(),
        }
    }

    /// Sets what is told of each column, and may stop the factorisation.
    #[must_use]
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// Factors the positive semidefinite K with this diagonal (n) and `columns(which)`, K's columns
    /// `which` as (n, which.len()), which are asked for a block at a time.
    ///
    /// It stops at the rank, or where what is left of the diagonal is rounding: below `n * eps` of
    /// it. `uniform` gives random numbers in [0, 1). Cost: some `k` to `2 k` columns of K for a rank
    /// of k, and `2 n k^2` operations.
    ///
    /// # Errors
    /// Those of `columns`; [`LinalgError::Argument`] for a diagonal that is negative, not finite or
    /// not that of the columns, and for numbers that are not in [0, 1);
    /// [`LinalgError::ShapeMismatch`] for columns of another shape; [`LinalgError::OutOfMemory`];
    /// [`LinalgError::Cancelled`].
    pub fn factor<T: Real, E: From<LinalgError>>(
        &self,
        diagonal: Array1<T>,
        mut uniform: impl FnMut() -> f64,
        mut columns: impl FnMut(&[usize]) -> Result<Array2<T>, E>,
    ) -> Result<PartialCholesky<T>, E> {
        if let Some(&bad) = diagonal
            .iter()
            .find(|&&v| !(v.is_finite() && v >= T::zero()))
        {
            return Err(LinalgError::Argument {
                name: "an entry of the diagonal",
                value: Real::to_f64(bad),
                condition: "finite and not negative",
            }
            .into());
        }
        let wrong = Cell::new(None);
        let mut uniform = || {
            let number = uniform();
            if !(0.0..1.0).contains(&number) {
                wrong.set(Some(number));
            }
            number
        };
        let n = diagonal.len();
        let rank = self.rank.min(n);
        let rounding = sum(&diagonal) * n as f64 * Real::to_f64(T::epsilon());
        let mut found = PartialCholesky {
            factor: zeros(n, rank)?,
            residual: diagonal,
            pivots: Vec::with_capacity(rank),
        };
        let mut fruitless = 0;
        self.observer.begin("preconditioner", rank as u64);
        while found.pivots.len() < rank {
            self.observer.check().map_err(LinalgError::from)?;
            let proposals = found.propose(&mut uniform);
            if let Some(value) = wrong.get() {
                return Err(LinalgError::Argument {
                    name: "a random number",
                    value,
                    condition: "in [0, 1)",
                }
                .into());
            }
            if proposals.is_empty() || sum(&found.residual) <= rounding {
                break;
            }
            let block = columns(&proposals)?;
            if block.dim() != (n, proposals.len()) {
                return Err(LinalgError::ShapeMismatch {
                    operation: "a partial Cholesky factorisation",
                    left: (n, proposals.len()),
                    right: block.dim(),
                }
                .into());
            }
            let before = found.pivots.len();
            found.add(&proposals, block, rank, &mut uniform)?;
            let more = found.pivots.len() - before;
            self.observer.advance(more as u64);
            // Only rounding keeps a proposal out of an empty choice, unless the diagonal is not K's.
            fruitless = if more == 0 { fruitless + 1 } else { 0 };
            if fruitless == FRUITLESS {
                return Err(LinalgError::Argument {
                    name: "an entry of the diagonal",
                    value: Real::to_f64(found.residual[proposals[0]]),
                    condition: "that of the columns, which are not those of this matrix",
                }
                .into());
            }
        }
        let k = found.pivots.len();
        if k < rank {
            found.factor = found.factor.slice(s![.., ..k]).to_owned();
        }
        Ok(found)
    }
}

impl<T: Real> PartialCholesky<T> {
    /// Draws columns with probabilities in proportion to the residual, each once.
    fn propose(&self, uniform: &mut impl FnMut() -> f64) -> Vec<usize> {
        let mut cumulated = Vec::with_capacity(self.residual.len());
        let total = self.residual.iter().fold(0.0, |total, &v| {
            cumulated.push(total + Real::to_f64(v));
            total + Real::to_f64(v)
        });
        let mut proposals = Vec::new();
        if total > 0.0 {
            for _ in 0..BLOCK {
                let at = total * uniform();
                let index = cumulated.partition_point(|&c| c <= at);
                if index < cumulated.len() && !proposals.contains(&index) {
                    proposals.push(index);
                }
            }
        }
        proposals
    }

    /// Takes those of the proposals, whose columns of K are `block`, that survive rejection.
    fn add(
        &mut self,
        proposals: &[usize],
        mut block: Array2<T>,
        rank: usize,
        uniform: &mut impl FnMut() -> f64,
    ) -> Result<(), LinalgError> {
        let done = self.pivots.len();
        let known = self.factor.slice(s![.., ..done]);
        let rows = known.select(Axis(0), proposals);
        // What is left of an entry below this is what rounding left of it: a column divided by the
        // root of such a pivot would be noise, and F F^T exceed K by more than rounding.
        let rounding = T::of(self.residual.len() as f64) * T::epsilon();
        let entries = proposals.iter().enumerate();
        let least = Array1::from_iter(entries.map(|(i, &p)| rounding * block[[p, i]]));
        let backend = Backend::default();
        backend.gemm(-T::one(), &known, &rows.t(), T::one(), &mut block)?;
        let inner = block.select(Axis(0), proposals);
        let Survivors { accepted, noise } = survivors(inner.clone(), &least, rank - done, uniform);
        for &index in &noise {
            self.residual[proposals[index]] = T::zero();
        }
        if accepted.is_empty() {
            return Ok(());
        }
        let small = inner.select(Axis(0), &accepted).select(Axis(1), &accepted);
        // Rounding may have taken the last bit of what survived.
        let ridge = Ridge::Adaptive { max_relative: 1e-2 };
        let lower = Cholesky::new(small, ridge)?.into_factor();
        let mut new = block.select(Axis(1), &accepted);
        backend.solve_triangular(&lower, Triangle::Lower, &mut new.view_mut().reversed_axes())?;
        for (left, row) in self.residual.iter_mut().zip(new.rows()) {
            *left = (*left - row.dot(&row)).max(T::zero());
        }
        for &index in &accepted {
            self.residual[proposals[index]] = T::zero();
            self.pivots.push(proposals[index]);
        }
        let mut place = self.factor.slice_mut(s![.., done..done + accepted.len()]);
        place.assign(&new);
        Ok(())
    }

    /// Returns the factor F, (n, k).
    pub fn factor(&self) -> ArrayView2<'_, T> {
        self.factor.view()
    }

    /// Returns what `F F^T` leaves of K's diagonal, n numbers.
    pub fn residual(&self) -> ArrayView1<'_, T> {
        self.residual.view()
    }

    /// Returns the indices of the columns that F was made of, in the order of their choice.
    pub fn pivots(&self) -> &[usize] {
        &self.pivots
    }

    /// Returns the preconditioner `(F F^T + shift)^-1`, in the memory of F.
    ///
    /// A good shift lies between the smallest eigenvalue of the matrix that is solved and the
    /// largest of what F leaves: the ridge, and where there is none the mean of
    /// [`PartialCholesky::residual`]. Cost: `3 n k^2` operations.
    ///
    /// # Errors
    /// [`LinalgError::Argument`] for a shift that is not positive.
    pub fn preconditioner(self, shift: T) -> Result<Preconditioner<T>, LinalgError> {
        if !(shift.is_finite() && shift > T::zero()) {
            return Err(LinalgError::Argument {
                name: "shift",
                value: Real::to_f64(shift),
                condition: "finite and positive",
            });
        }
        let backend = Backend::default();
        let mut basis = self.factor;
        let k = basis.ncols();
        let mut inner = Array2::zeros((k, k));
        backend.syrk(T::one(), &basis.t(), T::zero(), &mut inner)?;
        inner.diag_mut().mapv_inplace(|x| x + shift);
        let ridge = Ridge::Adaptive { max_relative: 1e-2 };
        let lower = backend.cholesky(inner, ridge)?.into_factor();
        backend.solve_triangular(
            &lower,
            Triangle::Lower,
            &mut basis.view_mut().reversed_axes(),
        )?;
        Ok(Preconditioner { basis, shift })
    }
}

fn sum<T: Real>(values: &Array1<T>) -> f64 {
    values.iter().map(|&v| Real::to_f64(v)).sum()
}

/// These are places among proposals.
struct Survivors {
    /// What an algorithm that takes one at a time would have taken.
    accepted: Vec<usize>,
    /// What is positive by rounding alone.
    noise: Vec<usize>,
}

/// Returns those of the proposals, whose residual matrix is `inner`, that an algorithm which takes
/// one at a time would have taken, at most `most`, and none at or below its `least`.
fn survivors<T: Real>(
    mut inner: Array2<T>,
    least: &Array1<T>,
    most: usize,
    uniform: &mut impl FnMut() -> f64,
) -> Survivors {
    let first = inner.diag().to_owned();
    let (mut accepted, mut noise) = (Vec::new(), Vec::new());
    for i in 0..inner.nrows() {
        if accepted.len() == most {
            break;
        }
        let left = inner[[i, i]];
        if left <= T::zero() || Real::to_f64(left) <= uniform() * Real::to_f64(first[i]) {
            continue;
        }
        if left <= least[i] {
            noise.push(i);
            continue;
        }
        accepted.push(i);
        let column = inner.column(i).to_owned();
        for j in i + 1..inner.nrows() {
            let factor = column[j] / left;
            inner.row_mut(j).scaled_add(-factor, &column);
        }
    }
    Survivors { accepted, noise }
}

/// A `Preconditioner` is the approximate inverse `(F F^T + shift)^-1 = (1 - W W^T) / shift` of a matrix, with `W W^T = F (F^T F + shift)^-1 F^T` (Woodbury).
#[derive(Debug, Clone)]
pub struct Preconditioner<T> {
    /// The matrix W, (n, k).
    basis: Array2<T>,
    shift: T,
}

/// A product costs as much for sixteen vectors as for fewer: `128 n k` operations, for which W is
/// read twice.
impl<T: Real> Operator<T> for Preconditioner<T> {
    type Error = LinalgError;

    fn order(&self) -> usize {
        self.basis.nrows()
    }

    fn product(&self, v: &ArrayRef2<T>) -> Result<Array2<T>, LinalgError> {
        if v.nrows() != self.order() {
            return Err(LinalgError::ShapeMismatch {
                operation: "preconditioning",
                left: self.basis.dim(),
                right: v.dim(),
            });
        }
        let mut product = Array2::zeros(v.raw_dim());
        if v.is_empty() {
            return Ok(product);
        }
        for (v, mut product) in v
            .axis_chunks_iter(Axis(1), LANES)
            .zip(product.axis_chunks_iter_mut(Axis(1), LANES))
        {
            let lanes: Vec<_> = v.rows().into_iter().map(Lanes::of).collect();
            let found = self.without(&lanes);
            for ((mut to, v), found) in product.rows_mut().into_iter().zip(v.rows()).zip(found) {
                for ((to, &v), found) in to.iter_mut().zip(v).zip(found.0) {
                    *to = (v - found) / self.shift;
                }
            }
        }
        Ok(product)
    }
}

impl<T: Real> Preconditioner<T> {
    /// Returns `W W^T v`, taking rows of W a piece at a time.
    fn without(&self, v: &[Lanes<T>]) -> Vec<Lanes<T>> {
        let k = self.basis.ncols();
        let zeros = vec![Lanes::zero(); k.max(PIECE)];
        let basis = self.basis.as_slice().expect("it was made row by row");
        let pieces = || basis.par_chunks(PIECE * k.max(1)).zip(v.par_chunks(PIECE));
        let parts: Vec<_> = pieces()
            .map(|(rows, v)| {
                let (mut nothing, mut inner) = (zeros[..v.len()].to_vec(), zeros[..k].to_vec());
                add_both(rows, &zeros[..k], v, &mut nothing, &mut inner);
                inner
            })
            .collect();
        let mut inner = zeros[..k].to_vec();
        for part in parts {
            for (to, part) in inner.iter_mut().zip(part) {
                to.add(part);
            }
        }
        let mut found = vec![Lanes::zero(); v.len()];
        pieces()
            .zip(found.par_chunks_mut(PIECE))
            .for_each(|((rows, v), found)| {
                let mut nothing = zeros[..k].to_vec();
                add_both(rows, &inner, &zeros[..v.len()], found, &mut nothing);
            });
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matmul;

    /// Returns numbers in [0, 1), the same each time.
    fn numbers(mut state: u64) -> impl FnMut() -> f64 {
        move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        }
    }

    fn of(k: &Array2<f64>, rank: usize, seed: u64) -> PartialCholesky<f64> {
        let columns = |which: &[usize]| Ok::<_, LinalgError>(k.select(Axis(1), which));
        let diagonal = k.diag().to_owned();
        RandomPivots::new(rank)
            .factor(diagonal, numbers(seed), columns)
            .unwrap()
    }

    /// Returns `B B^T` for random B (n, rank).
    fn low_rank(n: usize, rank: usize, seed: u64) -> Array2<f64> {
        let mut next = numbers(seed);
        let b = Array2::from_shape_simple_fn((n, rank), || next() - 0.5);
        b.dot(&b.t())
    }

    #[test]
    fn a_matrix_of_low_rank_is_found_whole() {
        for (n, rank) in [(0, 0), (1, 1), (40, 3), (300, 150)] {
            let k = low_rank(n, rank, 1);
            let found = of(&k, n, 2);
            assert!(found.pivots().len() <= n);
            if n == 40 {
                assert_eq!(found.pivots().len(), rank);
            }
            let back = found.factor().dot(&found.factor().t());
            let far = (&back - &k).iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            assert!(far <= 1e-10 * (1.0 + k.diag().sum()), "{n}, {rank}: {far}");
        }
    }

    #[test]
    fn pivots_differ_and_the_residual_is_what_is_left() {
        let mut k = low_rank(200, 200, 3);
        k.diag_mut().mapv_inplace(|v| v + 1.0);
        let found = of(&k, 60, 4);
        assert_eq!(found.pivots().len(), 60);
        let mut sorted = found.pivots().to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 60);
        let left = &k - &found.factor().dot(&found.factor().t());
        for (&a, &b) in left.diag().iter().zip(found.residual()) {
            assert!((a - b).abs() <= 1e-10 * k.diag().sum(), "{a} {b}");
        }
        for &pivot in found.pivots() {
            assert!(left.column(pivot).iter().all(|v| v.abs() <= 1e-9));
        }
    }

    /// What rounding leaves of an entry is no pivot, though the diagonal as a whole has more left.
    #[test]
    fn noise_is_no_pivot() {
        let n = 40;
        for seed in 0..300 {
            let mut next = numbers(seed);
            let g =
                Array2::from_shape_fn((n, 12), |(_, j)| (next() - 0.5) * 0.1_f64.powf(j as f64));
            let k = g.dot(&g.t());
            let found = of(&k, n, seed + 1);
            for (column, &pivot) in found.pivots().iter().enumerate() {
                let left = found.factor()[[pivot, column]].powi(2);
                // The square of a root, which is off by a rounding.
                let least = (1.0 - 4.0 * f64::EPSILON) * n as f64 * f64::EPSILON;
                assert!(left > least * k[[pivot, pivot]], "{seed}: {left:e}");
            }
        }
    }

    /// A column of a diagonal matrix is drawn as often as its entry says.
    #[test]
    fn columns_are_drawn_in_proportion_to_the_diagonal() {
        let k = Array2::from_diag(&ndarray::array![1.0, 0.0, 3.0]);
        let hits = (0..4000)
            .filter(|&seed| of(&k, 1, seed * 7919).pivots() == [2])
            .count();
        // 3000 expected; five standard deviations of 27.
        assert!((2860..3140).contains(&hits), "{hits}");
    }

    #[test]
    fn the_preconditioner_is_the_inverse() {
        let mut k = low_rank(50, 50, 5);
        k.diag_mut().mapv_inplace(|v| v + 0.1);
        for rank in [0, 1, 20] {
            let found = of(&k, rank, 6);
            let mut plain = found.factor().dot(&found.factor().t());
            plain.diag_mut().mapv_inplace(|v| v + 0.5);
            let inverse = found.preconditioner(0.5).unwrap();
            assert_eq!(inverse.order(), 50);
            let back = matmul(&plain, &inverse.product(&k).unwrap()).unwrap();
            let far = (&back - &k).iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            assert!(far <= 1e-11, "{rank}: {far}");
        }
    }

    #[test]
    fn bad_arguments_are_refused() {
        let random = |diagonal: Array1<f64>, shape: (usize, usize)| {
            let columns = |_: &[usize]| Ok::<_, LinalgError>(Array2::ones(shape));
            RandomPivots::new(1).factor(diagonal, numbers(1), columns)
        };
        let negative = random(ndarray::array![1.0, -1.0], (2, 1)).unwrap_err();
        assert!(matches!(
            negative,
            LinalgError::Argument { value: -1.0, .. }
        ));
        let shape = random(ndarray::array![1.0], (3, 1)).unwrap_err();
        assert!(matches!(
            shape,
            LinalgError::ShapeMismatch { right: (3, 1), .. }
        ));
        let zeros = |_: &[usize]| Ok::<_, LinalgError>(Array2::zeros((1, 1)));
        let other = RandomPivots::new(1).factor(ndarray::array![9.0], numbers(1), zeros);
        assert!(matches!(
            other,
            Err(LinalgError::Argument { value: 9.0, .. })
        ));
        for bad in [f64::NAN, -1.0, 1.0, 2.0] {
            let columns = |which: &[usize]| Ok::<_, LinalgError>(Array2::ones((2, which.len())));
            let found = RandomPivots::new(1).factor(ndarray::array![1.0, 1.0], || bad, columns);
            assert!(matches!(found, Err(LinalgError::Argument { .. })), "{bad}");
        }
        let found = of(&Array2::eye(2), 1, 1);
        assert!(found.preconditioner(0.0).is_err());
    }
}
