//! From a dense matrix to one of few diagonals, nearly all in products of matrices.
//!
//! A panel of `width` columns is factored below the band, `A21 = Q R` with `Q = 1 - V T V^T`, and what
//! lies right of it becomes `Q^T A22 Q = A22 - V X^T - X V^T`, `X = W - V (T^T V^T W) / 2`, `W = A22 V T`
//! (Bischof, Lang and Sun 2000, "A framework for symmetric band reduction", ACM TOMS 26).

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, ShapeBuilder, s};
use std::ops::Range;

use super::band::Band;
use super::reflector::{axpy, dot, reflector};
use crate::threads::for_each;
use crate::triangle::mirror;
use crate::{Backend, LinalgError, Real};

/// The order of the diagonal blocks of which both halves are kept; a product is made of strips of as
/// many rows.
const TILE: usize = 256;

/// Columns of a panel that are factored one after the other.
const NARROW: usize = 8;

/// The orthogonal matrix of the first stage, a product of one `1 - V T V^T` for each panel.
#[derive(Debug, Clone)]
pub(super) struct Panels<T> {
    /// V of each panel, below the band.
    a: Array2<T>,
    /// T of each panel.
    factors: Vec<Array2<T>>,
    width: usize,
}

impl<T: Real> Panels<T> {
    /// Multiplies `b` by the matrix, or by its transpose.
    pub(super) fn apply(
        &self,
        backend: Backend,
        b: &mut Array2<T>,
        transposed: bool,
    ) -> Result<(), LinalgError> {
        let count = self.factors.len();
        for step in 0..count {
            let panel = if transposed { step } else { count - 1 - step };
            let (t, start) = (&self.factors[panel], panel * self.width);
            let rows = start + self.width..;
            let v = self.a.slice(s![rows.clone(), start..start + t.nrows()]);
            let mut b = b.slice_mut(s![rows, ..]);
            let inner = product(backend, v.t(), b.view())?;
            let t = if transposed { t.t() } else { t.view() };
            let inner = product(backend, t, inner.view())?;
            T::gemm_on(backend, -T::one(), v, inner.view(), T::one(), b.view_mut())?;
        }
        Ok(())
    }
}

/// Reduces the lower half of a column-major matrix to a band.
pub(super) fn to_band<T: Real, const B: usize>(
    backend: Backend,
    mut a: Array2<T>,
) -> Result<(Band<T, B>, Panels<T>), LinalgError> {
    const { assert!(TILE.is_multiple_of(B)) };
    let n = a.nrows();
    let mut band = Band::<T, B>::new(n)?;
    let mut factors = Vec::new();
    for start in (0..n).step_by(TILE) {
        let tile = start..n.min(start + TILE);
        mirror(a.slice_mut(s![tile.clone(), tile]));
    }
    for start in (0..n).step_by(B) {
        let end = n.min(start + B);
        let diagonal = a.slice(s![start..end, start..end]);
        band.copy((start, start), diagonal, |r, c| r >= c);
        if end == n {
            break;
        }
        let (mut left, mut right) = a.view_mut().split_at(Axis(1), end);
        let mut panel = left.slice_mut(s![end.., start..]);
        let t = factor(backend, panel.view_mut())?;
        let k = t.nrows();
        band.copy((end, start), panel.slice(s![..k, ..]), |r, c| r <= c);
        let mut v = panel.slice_mut(s![.., ..k]);
        unit_lower(v.view_mut());
        apply(backend, end, v.view(), &t, right.slice_mut(s![end.., ..]))?;
        factors.push(t);
    }
    let width = B;
    Ok((band, Panels { a, factors, width }))
}

/// Returns a column-major product `alpha a b`.
fn product<T: Real>(
    backend: Backend,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
) -> Result<Array2<T>, LinalgError> {
    let mut c = Array2::zeros((a.nrows(), b.ncols()).f());
    T::gemm_on(backend, T::one(), a, b, T::zero(), c.view_mut())?;
    Ok(c)
}

/// Factors a panel in place, R above V, and returns T.
///
/// By halves (Elmroth and Gustavson 2000, "Applying recursion to serial and parallel QR
/// factorization"), so that most of it is products.
fn factor<T: Real>(
    backend: Backend,
    mut panel: ArrayViewMut2<'_, T>,
) -> Result<Array2<T>, LinalgError> {
    let (m, columns) = panel.dim();
    if columns <= NARROW || m <= NARROW {
        return Ok(narrow(panel));
    }
    let half = columns / 2;
    let (mut left, mut right) = panel.view_mut().split_at(Axis(1), half);
    let t1 = factor(backend, left.view_mut())?;
    let k1 = t1.nrows();
    let v1 = unit_lower_copy(left.slice(s![.., ..k1]));
    let inner = product(backend, v1.t(), right.view())?;
    let inner = product(backend, t1.t(), inner.view())?;
    T::gemm_on(
        backend,
        -T::one(),
        v1.view(),
        inner.view(),
        T::one(),
        right.view_mut(),
    )?;
    if m <= k1 {
        return Ok(t1);
    }
    let mut right = right.slice_mut(s![k1.., ..]);
    let t2 = factor(backend, right.view_mut())?;
    let k2 = t2.nrows();
    let v2 = unit_lower_copy(right.slice(s![.., ..k2]));
    let gram = product(backend, v1.slice(s![k1.., ..]).t(), v2.view())?;
    let off = product(
        backend,
        t1.view(),
        product(backend, gram.view(), t2.view())?.view(),
    )?;
    let mut t = Array2::zeros((k1 + k2, k1 + k2).f());
    t.slice_mut(s![..k1, ..k1]).assign(&t1);
    t.slice_mut(s![k1.., k1..]).assign(&t2);
    t.slice_mut(s![..k1, k1..]).assign(&off.mapv(|x| -x));
    Ok(t)
}

/// Writes the zeros and ones of V over R, with which it shares the memory of a panel.
fn unit_lower<T: Real>(mut v: ArrayViewMut2<'_, T>) {
    for c in 0..v.ncols() {
        v.slice_mut(s![..c, c]).fill(T::zero());
        v[[c, c]] = T::one();
    }
}

/// Returns a copy of V where R is still wanted.
fn unit_lower_copy<T: Real>(v: ArrayView2<'_, T>) -> Array2<T> {
    let mut copy = Array2::zeros(v.raw_dim().f());
    copy.assign(&v);
    unit_lower(copy.view_mut());
    copy
}

/// Factors a few columns one after the other.
fn narrow<T: Real>(panel: ArrayViewMut2<'_, T>) -> Array2<T> {
    pulp::Arch::new().dispatch(Narrow { panel })
}

struct Narrow<'a, T> {
    panel: ArrayViewMut2<'a, T>,
}

impl<T: Real> pulp::WithSimd for Narrow<'_, T> {
    type Output = Array2<T>;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(mut self, _: S) -> Array2<T> {
        let (m, columns) = self.panel.dim();
        let k = m.min(columns);
        let mut t = Array2::zeros((k, k).f());
        for j in 0..k {
            let (mut done, mut rest) = self.panel.view_mut().split_at(Axis(1), j + 1);
            let column = done.column_mut(j);
            let column = column.into_slice_memory_order().expect("column-major");
            let v = &mut column[j..];
            let (beta, tau) = reflector(v);
            for mut other in rest.columns_mut() {
                let other = other.as_slice_memory_order_mut().expect("column-major");
                let other = &mut other[j..];
                let inner = dot(v, other);
                axpy(-tau * inner, v, other);
            }
            // T's new column is -tau T V^T v.
            for i in 0..j {
                let before = done.column(i);
                let before = before.to_slice_memory_order().expect("column-major");
                let v = &done
                    .column(j)
                    .to_slice_memory_order()
                    .expect("column-major")[j..];
                t[[i, j]] = -tau * dot(&before[j..], v);
            }
            for i in 0..j {
                t[[i, j]] = (i..j).map(|l| t[[i, l]] * t[[l, j]]).sum();
            }
            t[[j, j]] = tau;
            done[[j, j]] = beta;
        }
        t
    }
}

/// Replaces A, whose first row is row `origin` of the whole, by `Q^T A Q`; of either the lower half and
/// the diagonal blocks.
fn apply<T: Real>(
    backend: Backend,
    origin: usize,
    v: ArrayView2<'_, T>,
    t: &Array2<T>,
    mut a: ArrayViewMut2<'_, T>,
) -> Result<(), LinalgError> {
    let (m, k) = v.dim();
    let vt = product(backend, v, t.view())?;
    let mut x = symmetric_product(backend, origin, a.view(), vt.view())?;
    let inner = product(backend, v.t(), x.view())?;
    let inner = product(backend, t.t(), inner.view())?;
    let minus_half = T::of(-0.5);
    T::gemm_on(backend, minus_half, v, inner.view(), T::one(), x.view_mut())?;
    // One product of twice the inner length passes over A once.
    let beside = |one: ArrayView2<'_, T>, other: ArrayView2<'_, T>| {
        let mut both = Array2::zeros((m, 2 * k).f());
        both.slice_mut(s![.., ..k]).assign(&one);
        both.slice_mut(s![.., k..]).assign(&other);
        both
    };
    let (left, right) = (beside(v, x.view()), beside(x.view(), v));
    for_each(strips(origin, a.view_mut()), |(rows, mut strip)| {
        T::gemm_on(
            backend,
            -T::one(),
            left.slice(s![rows.clone(), ..]),
            right.slice(s![..rows.end, ..]).t(),
            T::one(),
            strip.slice_mut(s![.., ..rows.end]),
        )
    })
}

/// Returns `A u` of a matrix of which the lower half and the diagonal blocks are known.
fn symmetric_product<T: Real>(
    backend: Backend,
    origin: usize,
    a: ArrayView2<'_, T>,
    u: ArrayView2<'_, T>,
) -> Result<Array2<T>, LinalgError> {
    let mut w = Array2::zeros(u.raw_dim().f());
    for_each(strips(origin, w.view_mut()), |(rows, mut strip)| {
        let end = rows.end;
        let (left, below) = (a.slice(s![rows.clone(), ..end]), a.slice(s![end.., rows]));
        let (above, rest) = u.split_at(Axis(0), end);
        T::gemm_on(backend, T::one(), left, above, T::zero(), strip.view_mut())?;
        match rest.is_empty() {
            true => Ok(()),
            false => T::gemm_on(backend, T::one(), below.t(), rest, T::one(), strip),
        }
    })?;
    Ok(w)
}

/// Returns the rows of each strip with the strip itself, the last ones first.
fn strips<T>(origin: usize, a: ArrayViewMut2<'_, T>) -> Vec<(Range<usize>, ArrayViewMut2<'_, T>)> {
    let (mut rest, mut all) = (a, Vec::new());
    while !rest.is_empty() {
        let end = rest.nrows();
        let start = ((origin + end - 1) / TILE * TILE).saturating_sub(origin);
        let (before, strip) = rest.split_at(Axis(0), start);
        all.push((start..end, strip));
        rest = before;
    }
    all
}
