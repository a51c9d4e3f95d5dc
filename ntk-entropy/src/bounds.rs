//! Entropies of kernels of which a low-rank approximation from below is known, in intervals.

use crate::spectrum::check_trace;
use crate::{EntropyError, Normalization, Rounding, Spectrum, matrix, rank, renyi, von_neumann};
use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, ArrayView2};
use ntk_linalg::{
    LinalgError, PartialCholesky, Real, Triangle, eigenvalues, solve_triangular, syrk,
};

/// The number of rows of a factor that are in f64 at once.
const ROWS: usize = 1024;

/// Errors of a kernel's entry `K_ij`, and of the sums that an entry of its factor's product is, in
/// units of `eps sqrt(K_ii K_jj)`; a factor of k columns has k more.
const ENTRY: usize = 11;

/// An `Interval` is what is known of a number: it is between `lower` and `upper`, and `estimate`
/// between them is a guess.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The smallest that the number can be.
    pub lower: f64,
    /// What the number is where the spectrum goes on as it begins.
    pub estimate: f64,
    /// The largest that the number can be.
    pub upper: f64,
}

impl Interval {
    /// Returns `upper - lower`.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.upper - self.lower
    }
}

/// `SpectrumBounds` enclose the entropies and ranks of a positive semidefinite kernel K (n, n) of which
/// an approximation from below is known, `0 <= F F^T <= K` with F (n, k), and its trace: for samples
/// too many for (n, n).
///
/// Such are Nyström's `K_nm K_mm^+ K_mn` with F the columns times the root of the inverse, and partial
/// Cholesky factorisations such as [`ntk_linalg::RandomPivots`]. Features that only have the kernel
/// for their mean, as random Fourier features do, are none: `F F^T` then exceeds K in some
/// directions even where it has K's diagonal, which no check of F can see, and nothing here holds.
///
/// **What holds.** By Weyl's inequality the eigenvalues of K, descending, are at least those of
/// `F F^T`, and by the trace they exceed them by `t = tr K - tr F F^T` in sum. Of all spectra for which
/// that is so, one majorises every other, that with all of t on the largest eigenvalue, and one is
/// majorised by every other, that with t poured onto the smallest eigenvalues, the `n - k` zeros
/// among them, up to one level. An entropy or rank that never falls (or never rises) where a spectrum
/// spreads, one that is Schur-concave or -convex, is between its values at these two (Marshall, Olkin
/// and Arnold 2011, "Inequalities", 3.A). There are kernels for either, so that no narrower interval
/// follows from the eigenvalues of `F F^T`, the trace and n. It narrows as columns are added to F, to
/// a point where `F F^T = K`.
///
/// **Rounding** is part of the interval: each eigenvalue of `F F^T` is lowered by
/// `(k + 11) eps tr K`, eps that of F, plus `(2 n + 10 k) eps tr K`, eps that of f64. The first bounds
/// the norm of errors of `(k + 11) eps sqrt(K_ii K_jj)` in the entries of `F F^T` and K, the second
/// that of the sums and the decomposition. With k = 1000 and n a million they are 5e-7 of the trace
/// in sum where F is f64, and a tenth where F is f32: compute F in f64.
///
/// **The estimate** is the value at the spectrum whose eigenvalues fall geometrically after the k/4
/// largest, at a rate at which they add up to the trace, where they exceed those of `F F^T`. It is no
/// more than a guess: of tangent kernels of 2000 samples it was within 0.11 nats of the entropy at
/// k = 100 and 500, where intervals were 1.3 to 4.5 wide, most of it below.
///
/// ```
/// use ndarray::{Array1, Array2};
/// use ntk_entropy::{Normalization, SpectrumBounds};
/// // K = F F^T + 0.01 I of 10 000 samples, of which F and the diagonal are known.
/// let f = Array2::from_shape_fn((10_000, 4), |(i, j)| (0.37 * (i * (j + 1)) as f64).sin());
/// let diagonal: Array1<f64> = f.rows().into_iter().map(|row| row.dot(&row) + 0.01).collect();
/// let bounds = SpectrumBounds::of_factor(&f, &diagonal, Normalization::Trace)?;
/// // 100 of a trace of 20 100 are left.
/// assert!((bounds.residual() - 100.0 / 20_100.0).abs() < 1e-3);
/// let entropy = bounds.von_neumann();
/// assert!(entropy.lower < entropy.estimate && entropy.estimate < entropy.upper);
/// assert!(entropy.width() < 0.1);
/// # Ok::<(), ntk_entropy::Error>(())
/// ```
///
/// Memory: for `48 n` bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct SpectrumBounds {
    concentrated: Spectrum,
    estimate: Spectrum,
    spread: Spectrum,
    residual: f64,
}

impl SpectrumBounds {
    /// Computes bounds of a kernel K (n, n) from its `partial` Cholesky factorisation and its `diagonal`
    /// (n), normalised as said. With [`Normalization::Cosine`] rows of F are divided by `sqrt(K_ii)`,
    /// so that the trace is the number of samples whose `K_ii` is not zero.
    ///
    /// Rounding of the entries is multiplied by `2 + |W|^2`, W (n, k) the weights by which the columns
    /// of the pivots interpolate K: a factorisation whose pivots nearly depend on each other exceeds
    /// K by as much (Higham 2002, lemma 10.10 and theorem 10.14).
    ///
    /// ```
    /// use ndarray::{Array2, Axis};
    /// use ntk_entropy::{Normalization, SpectrumBounds};
    /// use ntk_linalg::{LinalgError, RandomPivots};
    /// let k = Array2::from_shape_fn((300, 300), |(i, j)| (-0.02 * (i as f64 - j as f64).abs()).exp());
    /// let mut state = 0.0; // any source of uniform numbers in [0, 1)
    /// let uniform = || { state = (state + 0.618_033_988_749_894_8_f64).fract(); state };
    /// let columns = |which: &[usize]| Ok::<_, LinalgError>(k.select(Axis(1), which));
    /// let partial = RandomPivots::new(40).factor(k.diag().to_owned(), uniform, columns)?;
    /// let bounds = SpectrumBounds::of_partial_cholesky(&partial, &k.diag(), Normalization::Trace)?;
    /// let exact = ntk_entropy::von_neumann::entropy(&ntk_entropy::Spectrum::of(&k)?);
    /// let found = bounds.von_neumann();
    /// assert!(found.lower < exact && exact < found.upper);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Cost: `2 n k^2 + 8/3 k^3` operations in f64.
    ///
    /// # Errors
    /// Those of [`SpectrumBounds::of_factor`].
    pub fn of_partial_cholesky<T: Real>(
        partial: &PartialCholesky<T>,
        diagonal: &ArrayRef1<T>,
        normalization: Normalization,
    ) -> Result<Self, EntropyError> {
        Self::of_rows(partial.factor(), diagonal, normalization, partial.pivots())
    }

    /// Computes bounds of a kernel K (n, n) from `f` (n, k) with `0 <= F F^T <= K` and the kernel's
    /// `diagonal` (n), normalised as [`SpectrumBounds::of_partial_cholesky`] does.
    ///
    /// Cost: `n k^2 + 4/3 k^3` operations in f64.
    ///
    /// # Errors
    /// [`EntropyError::FactorRow`] where a row shows that `F F^T` is not below K;
    /// [`EntropyError::FactorColumns`] for more columns than rows; [`EntropyError::ZeroTrace`],
    /// [`EntropyError::NotNormalized`], [`EntropyError::Indefinite`] for a negative entry of the diagonal;
    /// [`EntropyError::Linalg`] for entries that are not finite, a diagonal of another length, and
    /// what exceeds memory.
    pub fn of_factor<T: Real>(
        f: &ArrayRef2<T>,
        diagonal: &ArrayRef1<T>,
        normalization: Normalization,
    ) -> Result<Self, EntropyError> {
        Self::of_rows(f.view(), diagonal, normalization, &[])
    }

    /// Bounds the spectrum by a factor and, where it is Cholesky's, its pivots.
    fn of_rows<T: Real>(
        f: ArrayView2<'_, T>,
        diagonal: &ArrayRef1<T>,
        normalization: Normalization,
        pivots: &[usize],
    ) -> Result<Self, EntropyError> {
        let ((n, k), rounding) = (f.dim(), Rounding::of::<T>());
        let rows = Rows::new(f, diagonal, normalization)?;
        let trace: f64 = (0..n).map(|i| rows.most(i)).sum();
        check_trace(n, trace * rows.unit, normalization, rounding)?;

        let mut lower = zeros(pivots.len(), k)?;
        for (&pivot, to) in pivots.iter().zip(lower.rows_mut()) {
            rows.get(pivot)?.assign_to(to);
        }
        let [mut gram, mut weights] = [zeros(k, k)?, zeros(pivots.len(), pivots.len())?];
        let (mut worst, mut exceeds) = (0, 0.0);
        for start in (0..n).step_by(ROWS) {
            let places = start..n.min(start + ROWS);
            let mut block = Array2::zeros((places.len(), k));
            for (i, to) in places.zip(block.rows_mut()) {
                let row = rows.get(i)?;
                let more = row.dot(&row) - rows.most(i);
                if more > exceeds {
                    (worst, exceeds) = (i, more);
                }
                row.assign_to(to);
            }
            if exceeds > 1.0 {
                return Err(rows.exceeds(worst));
            }
            syrk(1.0, &block.t(), 1.0, &mut gram)?;
            if !pivots.is_empty() {
                let mut columns = block.view_mut().reversed_axes();
                solve_triangular(&lower.t(), Triangle::Upper, &mut columns)?;
                syrk(1.0, &columns, 1.0, &mut weights)?;
            }
        }
        // Rows of pivots are those of the identity, so that the eigenvalue is 1 + |W|^2.
        let grows = eigenvalues(&weights)?.last().map_or(1.0, |v| 1.0 + v);
        let entries = entries(n, k, trace * rows.unit, rounding) * grows;
        if exceeds > 10.0 * entries {
            return Err(rows.exceeds(worst));
        }
        Self::new(&gram, (trace, rows.unit), n, entries)
    }

    /// Computes bounds of a kernel K (n, n), divided by its trace, from `gram = F^T F` (k, k) with
    /// `0 <= F F^T <= K`, the kernel's `trace` and the number n of `samples`: for factors that are too
    /// large for memory, a block of rows of which adds its own `F^T F` at a time. `rounding` is
    /// that of F's numbers; sums are taken in f64.
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use ntk_entropy::{Rounding, SpectrumBounds};
    /// let mut gram = Array2::zeros((1, 1));
    /// for block in [array![[1.0], [1.0]], array![[0.5], [0.0]]] {
    ///     gram += &block.t().dot(&block);
    /// }
    /// let bounds = SpectrumBounds::of_gram(&gram, 4.0, 4, Rounding::of::<f64>())?; // K_ii = 1
    /// assert!((bounds.residual() - (4.0 - 2.25) / 4.0).abs() < 1e-15);
    /// # Ok::<(), ntk_entropy::Error>(())
    /// ```
    ///
    /// Cost: `4/3 k^3 + n`.
    ///
    /// # Errors
    /// [`EntropyError::GramTrace`] where the gram's trace exceeds K's, [`EntropyError::FactorColumns`]
    /// for k above n, [`EntropyError::ZeroTrace`] and [`EntropyError::InfiniteTrace`],
    /// [`EntropyError::Indefinite`] for a gram with negative eigenvalues; [`EntropyError::Linalg`] for one
    /// that is not square, finite or symmetric, and for samples whose spectra exceed memory.
    pub fn of_gram(
        gram: &ArrayRef2<f64>,
        trace: f64,
        samples: usize,
        rounding: Rounding,
    ) -> Result<Self, EntropyError> {
        if trace.is_nan() || trace <= 0.0 || samples == 0 {
            let trace = if samples == 0 { 0.0 } else { trace };
            return Err(EntropyError::ZeroTrace { trace });
        }
        if trace.is_infinite() {
            return Err(EntropyError::InfiniteTrace { trace });
        }
        let rounding = rounding.coarser(Rounding::of::<f64>());
        matrix::check_kernel(gram, rounding)?;
        let k = gram.nrows();
        check_columns(k, samples)?;
        let found = gram.diag().iter().map(|v| v / trace).sum::<f64>();
        let entries = entries(samples, k, trace, rounding);
        if found > 1.0 + 10.0 * slack(samples, k, entries) {
            return Err(EntropyError::GramTrace {
                found: gram.diag().sum(),
                trace,
            });
        }
        Self::new(&(gram / trace), (1.0, trace), samples, entries)
    }

    /// Bounds the spectrum by a gram and a trace in the same unit, and what rounding of entries may add
    /// to an eigenvalue.
    fn new(
        gram: &Array2<f64>,
        (trace, unit): (f64, f64),
        n: usize,
        entries: f64,
    ) -> Result<Self, EntropyError> {
        check_room(n)?;
        let slack = slack(n, gram.nrows(), entries);
        let values = eigenvalues(gram)?;
        let tolerance = 10.0 * slack * trace;
        if let Some(&smallest) = values.first().filter(|v| **v < -tolerance) {
            return Err(EntropyError::Indefinite {
                smallest: smallest * unit,
                tolerance: tolerance * unit,
            });
        }
        let lowered = |by: f64| {
            let found = values.iter().rev().map(|v| (v / trace - by).max(0.0));
            let mut found: Vec<f64> = found.collect();
            let sum: f64 = found.iter().sum();
            if sum > 1.0 {
                // By rounding: more has been refused.
                found.iter_mut().for_each(|v| *v /= sum);
            }
            let left = (1.0 - sum).max(0.0);
            (found, left)
        };
        let (known, residual) = lowered(0.0);
        let (least, left) = lowered(slack);
        let spectrum = |descending: Vec<f64>| {
            let mut probabilities = descending;
            probabilities.resize(n, 0.0);
            probabilities.reverse();
            let probabilities = Array1::from(probabilities);
            Spectrum {
                eigenvalues: probabilities.mapv(|p| p * trace * unit),
                probabilities,
                trace: trace * unit,
                clipped_mass: 0.0,
            }
        };
        Ok(Self {
            concentrated: spectrum(concentrated(least.clone(), left)),
            estimate: spectrum(geometric(known, residual, n)),
            spread: spectrum(poured(least, left, n)),
            residual,
        })
    }

    /// Returns the spectrum that majorises every one that K can have: it is `F F^T`'s with what is left of
    /// the trace on the largest eigenvalue.
    #[must_use]
    pub fn concentrated(&self) -> &Spectrum {
        &self.concentrated
    }

    /// Returns the spectrum of the estimates.
    #[must_use]
    pub fn estimate(&self) -> &Spectrum {
        &self.estimate
    }

    /// Returns the spectrum that every one that K can have majorises: it is `F F^T`'s with what is left of
    /// the trace on the smallest eigenvalues, up to one level.
    #[must_use]
    pub fn spread(&self) -> &Spectrum {
        &self.spread
    }

    /// Returns `(tr K - tr F F^T) / tr K`, from 0 to 1: what the approximation leaves.
    #[must_use]
    pub fn residual(&self) -> f64 {
        self.residual
    }

    /// Bounds [`von_neumann::entropy`], in nats.
    #[must_use]
    pub fn von_neumann(&self) -> Interval {
        self.entropy(von_neumann::entropy)
    }

    /// Bounds [`von_neumann::effective`].
    #[must_use]
    pub fn effective(&self) -> Interval {
        self.entropy(von_neumann::effective)
    }

    /// Bounds [`renyi::entropy`] of this order, in nats.
    ///
    /// # Errors
    /// [`EntropyError::Order`] for an order that is negative or NaN.
    pub fn renyi(&self, order: f64) -> Result<Interval, EntropyError> {
        renyi::entropy(&self.estimate, order)?;
        // Another order has been refused.
        Ok(self.entropy(|spectrum| renyi::entropy(spectrum, order).unwrap_or(f64::NAN)))
    }

    /// Bounds [`rank::effective_rank`].
    #[must_use]
    pub fn effective_rank(&self) -> Interval {
        self.of(rank::effective_rank)
    }

    /// Bounds [`rank::participation_ratio`].
    #[must_use]
    pub fn participation_ratio(&self) -> Interval {
        self.of(rank::participation_ratio)
    }

    /// Bounds [`rank::intrinsic_dimension`], one over the largest probability.
    #[must_use]
    pub fn intrinsic_dimension(&self) -> Interval {
        self.of(rank::intrinsic_dimension)
    }

    /// Bounds [`rank::purity`].
    #[must_use]
    pub fn purity(&self) -> Interval {
        self.of(rank::purity)
    }

    /// Bounds what is never negative.
    fn entropy(&self, of: impl Fn(&Spectrum) -> f64) -> Interval {
        let found = self.of(of);
        Interval {
            lower: found.lower.max(0.0),
            ..found
        }
    }

    /// Bounds what is Schur-concave or -convex, with the rounding of its sum of n terms.
    fn of(&self, of: impl Fn(&Spectrum) -> f64) -> Interval {
        let [one, other] = [&self.concentrated, &self.spread].map(&of);
        let n = self.spread.probabilities.len() as f64;
        let rounding = |value: f64| f64::EPSILON * (10.0 + (n + 10.0) * value.abs());
        let (low, high) = (one.min(other), one.max(other));
        let (lower, upper) = (low - rounding(low), high + rounding(high));
        Interval {
            lower,
            estimate: of(&self.estimate).max(lower).min(upper),
            upper,
        }
    }
}

/// `Rows` are those of a factor, over a number each.
struct Rows<'a, T> {
    f: ArrayView2<'a, T>,
    diagonal: Array1<f64>,
    /// The squares of the numbers.
    squares: Array1<f64>,
    /// What the kernel of the divided rows is in units of.
    unit: f64,
}

impl<'a, T: Real> Rows<'a, T> {
    /// Divides rows by the root of the largest entry of the diagonal, so that no sum overflows, or
    /// for cosines by that of their own.
    fn new(
        f: ArrayView2<'a, T>,
        diagonal: &ArrayRef1<T>,
        normalization: Normalization,
    ) -> Result<Self, EntropyError> {
        let (n, k) = f.dim();
        if diagonal.len() != n {
            return Err(LinalgError::ShapeMismatch {
                operation: "bounds of a factor and its kernel's diagonal",
                left: (n, k),
                right: (diagonal.len(), 1),
            }
            .into());
        }
        check_columns(k, n)?;
        let diagonal = matrix::diagonal(&diagonal.view(), Rounding::of::<T>())?;
        let largest = diagonal.iter().fold(0.0_f64, |m, &v| m.max(v));
        if largest == 0.0 {
            return Err(EntropyError::ZeroTrace { trace: 0.0 });
        }
        let cosine = normalization == Normalization::Cosine;
        let own = |v: f64| if cosine && v > 0.0 { v } else { largest };
        Ok(Self {
            f,
            squares: diagonal.mapv(own),
            diagonal,
            unit: if cosine { 1.0 } else { largest },
        })
    }

    /// Returns a row over its number.
    fn get(&self, i: usize) -> Result<Array1<f64>, EntropyError> {
        let row = self.f.row(i);
        if let Some(column) = row.iter().position(|v| !v.is_finite()) {
            return Err(LinalgError::NonFinite {
                row: i,
                column,
                value: Real::to_f64(row[column]),
            }
            .into());
        }
        let number = self.squares[i].sqrt();
        Ok(row.mapv(|v| Real::to_f64(v) / number))
    }

    /// Returns the kernel of the row with itself, which its square cannot exceed: at most 1.
    fn most(&self, i: usize) -> f64 {
        self.diagonal[i] / self.squares[i]
    }

    /// Says that this row exceeds the kernel.
    fn exceeds(&self, row: usize) -> EntropyError {
        let square = |&v: &T| Real::to_f64(v).powi(2);
        EntropyError::FactorRow {
            row,
            found: self.f.row(row).iter().map(square).sum(),
            diagonal: self.diagonal[row],
        }
    }
}

/// Returns what rounding of the entries of K and `F F^T` may add to an eigenvalue, over the trace.
fn entries(n: usize, k: usize, trace: f64, rounding: Rounding) -> f64 {
    let relative = (k + ENTRY) as f64 * rounding.eps();
    // Entries are known no better than to the smallest number.
    relative.max(rounding.explains(n, 0.0) / trace)
}

/// Returns the same with what sums over n and the decomposition add.
fn slack(n: usize, k: usize, entries: f64) -> f64 {
    entries + f64::EPSILON * (2.0 * n as f64 + 10.0 * k as f64)
}

fn check_columns(columns: usize, samples: usize) -> Result<(), EntropyError> {
    match columns > samples {
        true => Err(EntropyError::FactorColumns { columns, samples }),
        false => Ok(()),
    }
}

/// Refuses spectra that no memory holds.
fn check_room(n: usize) -> Result<(), EntropyError> {
    let refused = |_| LinalgError::OutOfMemory {
        rows: n,
        columns: 6,
    };
    let room = Vec::<f64>::new().try_reserve_exact(n.saturating_mul(6));
    Ok(room.map_err(refused)?)
}

fn zeros(rows: usize, columns: usize) -> Result<Array2<f64>, EntropyError> {
    let room = Vec::<f64>::new().try_reserve_exact(rows.saturating_mul(columns));
    room.map_err(|_| LinalgError::OutOfMemory { rows, columns })?;
    Ok(Array2::zeros((rows, columns)))
}

/// Adds `left` to the largest of these, descending.
fn concentrated(mut known: Vec<f64>, left: f64) -> Vec<f64> {
    match known.first_mut() {
        Some(largest) => *largest += left,
        None => known.push(left),
    }
    known
}

/// Pours `left` onto the smallest of n numbers, of which these, descending, are not zero.
fn poured(mut known: Vec<f64>, left: f64, n: usize) -> Vec<f64> {
    let (mut sum, mut raised) = (left, n - known.len());
    while let Some(&smallest) = known.last()
        && (raised == 0 || sum / raised as f64 > smallest)
    {
        known.pop();
        sum += smallest;
        raised += 1;
    }
    known.resize(n, sum / raised.max(1) as f64);
    known
}

/// Raises what comes after a quarter of these, descending, and the zeros up to n, to a geometric
/// sequence from the last of that quarter, which adds `left` in sum.
fn geometric(mut known: Vec<f64>, left: f64, n: usize) -> Vec<f64> {
    let k = known.len();
    let first = k.div_ceil(4);
    let Some(&start) = first.checked_sub(1).and_then(|last| known.get(last)) else {
        return poured(known, left, n);
    };
    let at = |i: usize, rate: f64| start * (-rate * (i + 1 - first) as f64).exp();
    let added = |rate: f64| {
        let after = known[first..].iter().zip(first..);
        let raised: f64 = after.map(|(v, i)| (at(i, rate) - v).max(0.0)).sum();
        let zeros = (n - k) as f64;
        let terms = match rate > 0.0 {
            true => (-rate * zeros).exp_m1() / (-rate).exp_m1(),
            false => zeros,
        };
        raised + at(k, rate) * terms
    };
    // A constant is not enough: the spectrum is flatter than it begins.
    if added(0.0) <= left {
        return poured(known, left, n);
    }
    let (mut low, mut high) = (0.0, 1.0);
    while added(high) > left {
        (low, high) = (high, 2.0 * high);
    }
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        match added(middle) > left {
            true => low = middle,
            false => high = middle,
        }
    }
    known.resize(n, 0.0);
    for (i, known) in known.iter_mut().enumerate().skip(first) {
        *known = known.max(at(i, high));
    }
    known
}
