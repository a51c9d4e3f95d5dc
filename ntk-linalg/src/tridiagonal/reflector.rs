//! Householder reflectors, and the loops over packs of eight numbers of which all is made here.

use crate::Real;

/// Numbers that one instruction works on.
pub(super) const LANES: usize = 8;

/// Eight numbers that follow each other.
pub(super) type Pack<T> = [T; LANES];

/// Returns the packs of a slice whose length they divide.
#[inline(always)]
pub(super) fn packs<T>(a: &[T]) -> &[Pack<T>] {
    a.as_chunks().0
}

/// Returns the packs of a slice whose length they divide.
#[inline(always)]
pub(super) fn packs_mut<T>(a: &mut [T]) -> &mut [Pack<T>] {
    a.as_chunks_mut().0
}

/// Returns `a + x b`.
#[inline(always)]
pub(super) fn add_scaled<T: Real>(mut a: Pack<T>, x: T, b: &Pack<T>) -> Pack<T> {
    // By index, which the compiler turns into whole vectors where iterators stay loops.
    for l in 0..LANES {
        a[l] = x.mul_add(b[l], a[l]);
    }
    a
}

/// Returns `a + b c`, each entry by its own.
#[inline(always)]
pub(super) fn add_product<T: Real>(mut a: Pack<T>, b: &Pack<T>, c: &Pack<T>) -> Pack<T> {
    for l in 0..LANES {
        a[l] = b[l].mul_add(c[l], a[l]);
    }
    a
}

/// Returns the sum of a pack.
#[inline(always)]
pub(super) fn sum<T: Real>(a: &Pack<T>) -> T {
    // Behind memory, without which the compiler has the pack's own loop work on pairs.
    let a = std::hint::black_box(*a);
    ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))
}

/// Returns `a . b`.
#[inline(always)]
pub(super) fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let (a, a_rest) = a.as_chunks::<{ 4 * LANES }>();
    let (b, b_rest) = b.as_chunks::<{ 4 * LANES }>();
    let [mut p, mut q, mut r, mut s] = [[T::zero(); LANES]; 4];
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (packs(a), packs(b));
        (p, q) = (add_product(p, &a[0], &b[0]), add_product(q, &a[1], &b[1]));
        (r, s) = (add_product(r, &a[2], &b[2]), add_product(s, &a[3], &b[3]));
    }
    let total = (sum(&p) + sum(&q)) + (sum(&r) + sum(&s));
    let rest = a_rest.iter().zip(b_rest);
    rest.fold(total, |sum, (&a, &b)| a.mul_add(b, sum))
}

/// Adds `x b` to `a`.
#[inline(always)]
pub(super) fn axpy<T: Real>(x: T, b: &[T], a: &mut [T]) {
    for (a, &b) in a.iter_mut().zip(b) {
        *a = x.mul_add(b, *a);
    }
}

/// Turns `x` into v, where `H = 1 - tau v v^T` is orthogonal, v begins with one, and
/// `H x = (beta, 0, ..., 0)`; returns beta and tau.
///
/// Golub and Van Loan, Matrix Computations, section 5.1.3. Numbers whose squares would underflow are
/// scaled first: of squares that have lost digits no orthogonal H comes out.
#[inline(always)]
pub(super) fn reflector<T: Real>(x: &mut [T]) -> (T, T) {
    let Some((&mut first, tail)) = x.split_first_mut() else {
        return (T::zero(), T::zero());
    };
    let mut head = first;
    let mut square = dot(tail, tail);
    let mut scale = T::one();
    if square < T::min_positive_value() / T::epsilon() {
        let largest = |max: T, x: &T| max.max(x.abs());
        scale = tail.iter().fold(T::zero(), largest);
        if scale == T::zero() {
            x[0] = T::one();
            return (head, T::zero());
        }
        scale = scale.max(head.abs());
        tail.iter_mut().for_each(|x| *x /= scale);
        head /= scale;
        square = dot(tail, tail);
    }
    let norm = head.mul_add(head, square).sqrt();
    let beta = if head > T::zero() { -norm } else { norm };
    let inverse = (head - beta).recip();
    tail.iter_mut().for_each(|x| *x *= inverse);
    x[0] = T::one();
    (beta * scale, (beta - head) / beta)
}
