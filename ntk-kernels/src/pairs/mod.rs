//! Takes many pairs of samples at a time through one activation.
//!
//! [`Dual`] is what an activation's file writes: the formulas of sixteen pairs. [`Maps`] is what
//! everything else calls: an object that takes whole rows ([`row`]) and planes ([`plane`]) of
//! pairs through them. Its methods are compiled once for each activation and scalar, beside the
//! formulas, as methods of the activation's own type go to its module's unit of code; those for
//! processors without AVX2 are one loop for all activations.

pub(crate) mod axis;
pub(crate) mod lanes;
pub(crate) mod plane;
pub(crate) mod row;
pub(crate) mod square;

use crate::pack::{Pack, wide};
use lanes::Packs;
use ntk_linalg::Real;
use ntk_linalg::real::ByScalar;

/// What a map needs of one of the two samples, for sixteen pairs: its `k`-th number, as
/// [`Dual::prepare`] made it.
pub(crate) trait Side<T>: Copy {
    fn get(self, k: usize) -> Pack<T>;
}

/// Up to so many numbers of one sample no memory is allocated.
const FEW: usize = 8;

/// `K`, `D` and their derivatives by `q1`, by `q2` and by `q`, in this order.
///
/// Where the function has a kink, or a jump, some of them diverge for parallel samples, by the
/// variances to minus and by the covariance to plus infinity. All three are 0 there, as their sum is
/// along the diagonal. So is a derivative by the variance of a sample of zeros where it diverges.
#[derive(Clone, Copy)]
pub(crate) struct Slopes<T> {
    pub(crate) kernel: Pack<T>,
    pub(crate) derivative: Pack<T>,
    pub(crate) kernel_by: [Pack<T>; 3],
    pub(crate) derivative_by: [Pack<T>; 3],
}

impl<T: Real> Slopes<T> {
    /// Makes those of a function with `f'' = c f`, of which `times` multiplies by `c`: there
    /// `dK/dq1 = c K/2`, `dD/dq1 = c D/2` and `dD/dq = c^2 K`.
    #[inline(always)]
    pub(crate) fn of_eigenfunction(
        (kernel, derivative): (Pack<T>, Pack<T>),
        times: impl Fn(Pack<T>) -> Pack<T>,
    ) -> Self {
        let half = Pack::of(0.5);
        let curve = times(kernel);
        let (kernel_by, derivative_by) = (curve * half, times(derivative) * half);
        Self {
            kernel,
            derivative,
            kernel_by: [kernel_by, kernel_by, derivative],
            derivative_by: [derivative_by, derivative_by, times(curve)],
        }
    }
}

/// The derivatives of `K` and of `D` by one parameter.
pub(crate) type ParameterSlopes<T> = (Pack<T>, Pack<T>);

/// An activation's formulas.
pub(crate) trait Dual: Clone + Send + Sync + 'static {
    /// Whether planes have a faster loop compiled for it: worth its size where the formula itself
    /// is cheap.
    const HOT: bool = false;

    /// Returns how many numbers of one sample [`Dual::pair`] needs.
    fn numbers(&self) -> usize {
        1
    }

    /// Computes those numbers from the variance of the sample: what would otherwise be computed
    /// again for each of its pairs. By default it is the variance itself.
    fn prepare<T: Real>(&self, variance: T, numbers: &mut [T]) {
        numbers[0] = variance;
    }

    /// Computes `K` and `D` of sixteen pairs of covariances `q`. It must be `#[inline(always)]`.
    fn pair<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
    ) -> (Pack<T>, Pack<T>);

    /// Computes `K` and `D` of a sample with itself.
    fn diagonal<T: Real>(&self, variance: T) -> (T, T) {
        with_itself(self, variance, |sample| {
            let (kernel, derivative) = self.pairs(sample, sample, Pack::splat(variance));
            (kernel.0[0], derivative.0[0])
        })
    }

    /// Says whether the derivatives of the kernel are known, so that [`Dual::slopes`] may be called.
    fn has_slopes(&self) -> bool {
        true
    }

    /// Computes `K` and `D` as [`Dual::pair`] does, and their derivatives, from the same numbers. It
    /// must be `#[inline(always)]`.
    fn slopes<T: Real, S: Side<T>>(&self, one: S, two: impl Side<T>, q: Pack<T>) -> Slopes<T>;

    /// Computes the derivatives of `K` and `D` of a sample with itself by its variance, which is
    /// finite also where [`Dual::slopes`] diverge.
    fn diagonal_slopes<T: Real>(&self, variance: T) -> (T, T) {
        with_itself(self, variance, |sample| {
            let of = Maps::slopes(self, sample, sample, Pack::splat(variance));
            let sum = |[one, two, both]: [Pack<T>; 3]| one.0[0] + two.0[0] + both.0[0];
            (sum(of.kernel_by), sum(of.derivative_by))
        })
    }

    /// Computes the derivatives of `K` and `D` by each of the activation's parameters, into as many
    /// as it has, from the numbers of [`Dual::prepare`]. It must be `#[inline(always)]`.
    #[inline(always)]
    fn parameter_slopes<T: Real, S: Side<T>>(
        &self,
        _one: S,
        _two: impl Side<T>,
        _q: Pack<T>,
        _into: &mut [ParameterSlopes<T>],
    ) {
    }

    /// Says why there is no kernel at this variance, if there is none.
    fn domain(&self, _variance: f64) -> Result<(), String> {
        Ok(())
    }
}

/// Calls with the numbers of one sample, a pack each.
fn with_itself<T: Real, R>(dual: &impl Dual, variance: T, call: impl FnOnce(&[Pack<T>]) -> R) -> R {
    let count = dual.numbers();
    // It is called for every position of every sample, and few maps need many numbers.
    let (mut few, mut many) = ([T::zero(); FEW], Vec::new());
    let numbers = match few.get_mut(..count) {
        Some(numbers) => numbers,
        None => {
            many.resize(count, T::zero());
            &mut many[..]
        }
    };
    dual.prepare(variance, numbers);
    let (mut few, mut many) = ([Pack::zero(); FEW], Vec::new());
    let packs = match few.get_mut(..count) {
        Some(packs) => packs,
        None => {
            many.resize(count, Pack::zero());
            &mut many[..]
        }
    };
    for (pack, &number) in packs.iter_mut().zip(&*numbers) {
        *pack = Pack::splat(number);
    }
    call(packs)
}

/// An activation as an object, for one scalar.
pub(crate) trait Maps<T: Real>: Send + Sync {
    /// [`Dual::numbers`].
    fn numbers(&self) -> usize;

    /// [`Dual::prepare`].
    fn prepare(&self, variance: T, numbers: &mut [T]);

    /// [`Dual::diagonal`].
    fn diagonal(&self, variance: T) -> (T, T);

    /// [`Dual::domain`].
    fn domain(&self, variance: f64) -> Result<(), String>;

    /// Computes `K` and `D` of sixteen pairs, from the numbers of each side.
    fn pairs(&self, one: &[Pack<T>], two: &[Pack<T>], q: Pack<T>) -> (Pack<T>, Pack<T>);

    /// [`Dual::has_slopes`].
    fn has_slopes(&self) -> bool;

    /// [`Dual::slopes`] of sixteen pairs, from the numbers of each side.
    fn slopes(&self, one: &[Pack<T>], two: &[Pack<T>], q: Pack<T>) -> Slopes<T>;

    /// [`Dual::diagonal_slopes`].
    fn diagonal_slopes(&self, variance: T) -> (T, T);

    /// [`Dual::parameter_slopes`] of sixteen pairs, from the numbers of each side.
    fn parameter_slopes(
        &self,
        one: &[Pack<T>],
        two: &[Pack<T>],
        q: Pack<T>,
        into: &mut [ParameterSlopes<T>],
    );

    /// [`Dual::slopes`] of pairs of one sample and others.
    fn slopes_row(&self, row: row::SlopesRow<'_, T>);

    /// Takes pairs of one sample and others through weights and the map.
    fn row(&self, row: row::Row<'_, T>);

    /// Takes a plane of pairs through a pass.
    fn plane(&self, work: plane::Work<'_, T>);

    /// Takes a line of pairs of positions through the map.
    fn line(&self, line: plane::Line<'_, T>);

    /// Takes all pairs of positions through weights and the map.
    fn square(&self, square: square::Square<'_, T>);
}

impl<T: Real, D: Dual> Maps<T> for D {
    fn numbers(&self) -> usize {
        Dual::numbers(self)
    }

    fn prepare(&self, variance: T, numbers: &mut [T]) {
        Dual::prepare(self, variance, numbers);
    }

    fn diagonal(&self, variance: T) -> (T, T) {
        Dual::diagonal(self, variance)
    }

    fn domain(&self, variance: f64) -> Result<(), String> {
        Dual::domain(self, variance)
    }

    fn pairs(&self, one: &[Pack<T>], two: &[Pack<T>], q: Pack<T>) -> (Pack<T>, Pack<T>) {
        wide(
            #[inline(always)]
            || self.pair(Packs(one), Packs(two), q),
        )
    }

    fn has_slopes(&self) -> bool {
        Dual::has_slopes(self)
    }

    fn slopes(&self, one: &[Pack<T>], two: &[Pack<T>], q: Pack<T>) -> Slopes<T> {
        // Rows are where many are computed: here wide instructions are not worth their code.
        Dual::slopes(self, Packs(one), Packs(two), q)
    }

    fn diagonal_slopes(&self, variance: T) -> (T, T) {
        Dual::diagonal_slopes(self, variance)
    }

    fn parameter_slopes(
        &self,
        one: &[Pack<T>],
        two: &[Pack<T>],
        q: Pack<T>,
        into: &mut [ParameterSlopes<T>],
    ) {
        wide(
            #[inline(always)]
            || Dual::parameter_slopes(self, Packs(one), Packs(two), q, into),
        );
    }

    fn slopes_row(&self, row: row::SlopesRow<'_, T>) {
        row.through(self);
    }

    fn row(&self, row: row::Row<'_, T>) {
        row.through(self);
    }

    fn plane(&self, work: plane::Work<'_, T>) {
        if D::HOT {
            work.at_once(self);
        } else {
            work.row_by_row(self);
        }
    }

    fn line(&self, line: plane::Line<'_, T>) {
        line.through(self);
    }

    fn square(&self, square: square::Square<'_, T>) {
        square.through(self);
    }
}

/// An activation's objects for both scalars.
pub(crate) trait Object {
    fn single(&self) -> &dyn Maps<f32>;
    fn double(&self) -> &dyn Maps<f64>;
}

impl<D: Dual> Object for D {
    fn single(&self) -> &dyn Maps<f32> {
        self
    }

    fn double(&self) -> &dyn Maps<f64> {
        self
    }
}

impl dyn Object + '_ {
    /// Returns the object for `T`.
    pub(crate) fn maps<T: Real>(&self) -> &dyn Maps<T> {
        struct Nothing;
        impl ByScalar for Nothing {
            type Of<T: Real> = ();
        }
        struct Object<'a>(std::marker::PhantomData<&'a ()>);
        impl<'a> ByScalar for Object<'a> {
            type Of<T: Real> = &'a dyn Maps<T>;
        }
        T::apply::<Nothing, Object<'_>>((), |()| self.single(), |()| self.double())
    }
}

/// `Same` leaves covariances as they are.
#[derive(Clone)]
pub(crate) struct Same;

impl Dual for Same {
    const HOT: bool = true;

    fn numbers(&self) -> usize {
        0
    }

    fn prepare<T: Real>(&self, _: T, _: &mut [T]) {}

    #[inline(always)]
    fn pair<T: Real, S: Side<T>>(&self, _: S, _: impl Side<T>, q: Pack<T>) -> (Pack<T>, Pack<T>) {
        (q, Pack::one())
    }

    #[inline(always)]
    fn slopes<T: Real, S: Side<T>>(&self, _: S, _: impl Side<T>, q: Pack<T>) -> Slopes<T> {
        let zero = Pack::zero();
        Slopes {
            kernel: q,
            derivative: Pack::one(),
            kernel_by: [zero, zero, Pack::one()],
            derivative_by: [zero; 3],
        }
    }
}
