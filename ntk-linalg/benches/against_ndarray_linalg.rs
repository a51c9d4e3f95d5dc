//! ndarray-linalg beside calls to the same OpenBLAS without it, in turns, as a table in Markdown.
//!
//! ```text
//! cargo bench -p ntk-linalg --features openblas --bench against_ndarray_linalg
//! cargo bench -p ntk-linalg --features openblas --bench against_ndarray_linalg -- 256 1000 sytr
//! ```
//!
//! Arguments are the orders to measure (default 256 1000 3000), and with what names of operations
//! begin (default all). Both sides use as many threads as
//! ntk-linalg would; copies of the input that every round needs are not counted, those that a
//! library makes by itself are. This is what decides which operations of the OpenBLAS backend are
//! ndarray-linalg's.
#![allow(clippy::print_stdout)]

#[allow(dead_code, reason = "what the other benchmarks measure")]
mod common;

use std::ffi::{c_char, c_int};
use std::hint::black_box;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ndarray::{Array1, Array2, ArrayBase, Data, Ix2, ShapeBuilder, s};
use ndarray_linalg::{
    AllocatedArray, AllocatedArrayMut, CholeskyFactorized, Diag, EighInto, FactorizeCInto, Lapack,
    SolveC, UPLO,
};
use ntk_linalg::Real;

/// Between two measurements: BLAS threads spin for a while after a call, and would steal from the next.
const PAUSE: Duration = Duration::from_millis(30);
/// Seconds to spend on an operation at one order, at least [`ROUNDS`] rounds and at most [`MOST`].
const SECONDS: f64 = 4.0;
const ROUNDS: usize = 9;
const MOST: usize = 60;
/// The order from which ntk-linalg gives a factorisation more than one thread.
const FACTORISATION: usize = 700;
/// Columns of workspace, as ntk-linalg gives them.
const BLOCK: usize = 64;

unsafe extern "C" {
    fn openblas_set_num_threads(threads: c_int);
}

fn threads(n: usize) {
    let threads = if n < FACTORISATION {
        1
    } else {
        rayon::current_num_threads()
    };
    let threads = c_int::try_from(threads).expect("not so many threads");
    // SAFETY: no routine of BLAS is running: this program calls them from one thread.
    unsafe { openblas_set_num_threads(threads) }
}

fn int(n: usize) -> c_int {
    c_int::try_from(n).expect("an order that fits")
}

const fn letter(letter: u8) -> c_char {
    letter.cast_signed()
}
const LOWER: c_char = letter(b'L');
const PLAIN: c_char = letter(b'N');
const TRANSPOSED: c_char = letter(b'T');
const LEFT: c_char = letter(b'L');
const RIGHT: c_char = letter(b'R');

/// The routines without ndarray-linalg.
trait Direct: Real + Lapack<Real = Self> {
    fn potrf(a: &mut Array2<Self>);
    fn sytrf(a: &mut Array2<Self>) -> Vec<c_int>;
    fn sytrs(a: &Array2<Self>, pivots: &[c_int], b: &mut Array2<Self>);
    fn trsm(
        letters: [c_char; 3],
        a: &Array2<Self>,
        b: &mut Array2<Self>,
        rows: usize,
        columns: usize,
        ldb: usize,
    );
    fn syevd(a: &mut Array2<Self>) -> Array1<Self>;
}

macro_rules! direct {
    ($scalar:ty, $potrf:path, $sytrf:path, $sytrs:path, $trsm:path, $syevd:path) => {
        // SAFETY, of all calls: matrices are column-major without gaps (or, for `trsm`, described
        // by `ldb`), and workspaces as long as their lengths say.
        #[allow(clippy::undocumented_unsafe_blocks)]
        impl Direct for $scalar {
            fn potrf(a: &mut Array2<Self>) {
                let (n, mut info) = (int(a.nrows()), 0);
                unsafe { $potrf(&LOWER, &n, a.as_mut_ptr(), &n, &mut info) }
                assert_eq!(info, 0);
            }

            fn sytrf(a: &mut Array2<Self>) -> Vec<c_int> {
                let (n, mut info) = (int(a.nrows()), 0);
                let mut pivots = vec![0; a.nrows()];
                let mut work = vec![0.0; BLOCK * a.nrows()];
                let (work, lwork) = (work.as_mut_ptr(), int(work.len()));
                let (a, pivot) = (a.as_mut_ptr(), pivots.as_mut_ptr());
                unsafe { $sytrf(&LOWER, &n, a, &n, pivot, work, &lwork, &mut info) }
                assert_eq!(info, 0);
                pivots
            }

            fn sytrs(a: &Array2<Self>, pivots: &[c_int], b: &mut Array2<Self>) {
                let (n, m, mut info) = (int(b.nrows()), int(b.ncols()), 0);
                let (a, pivots, b) = (a.as_ptr(), pivots.as_ptr(), b.as_mut_ptr());
                unsafe { $sytrs(&LOWER, &n, &m, a, &n, pivots, b, &n, &mut info) }
                assert_eq!(info, 0);
            }

            fn trsm(
                [side, uplo, trans]: [c_char; 3],
                a: &Array2<Self>,
                b: &mut Array2<Self>,
                rows: usize,
                columns: usize,
                ldb: usize,
            ) {
                let (n, m, k, ldb) = (int(a.nrows()), int(rows), int(columns), int(ldb));
                let (a, b) = (a.as_ptr(), b.as_mut_ptr());
                unsafe { $trsm(&side, &uplo, &trans, &PLAIN, &m, &k, &1.0, a, &n, b, &ldb) }
            }

            fn syevd(a: &mut Array2<Self>) -> Array1<Self> {
                let (size, mut info) = (a.nrows(), 0);
                let mut values = Array1::zeros(size);
                let mut work = vec![0.0; 1 + 6 * size + 2 * size * size];
                let mut iwork = vec![0; 3 + 5 * size];
                let (n, lwork, liwork) = (int(size), int(work.len()), int(iwork.len()));
                let (job, a, w) = (letter(b'V'), a.as_mut_ptr(), values.as_mut_ptr());
                let (work, iwork) = (work.as_mut_ptr(), iwork.as_mut_ptr());
                unsafe {
                    $syevd(
                        &job, &LOWER, &n, a, &n, w, work, &lwork, iwork, &liwork, &mut info,
                    )
                }
                assert_eq!(info, 0);
                values
            }
        }
    };
}
direct!(
    f64,
    lapack_sys::dpotrf_,
    lapack_sys::dsytrf_,
    lapack_sys::dsytrs_,
    blas_sys::dtrsm_,
    lapack_sys::dsyevd_
);
direct!(
    f32,
    lapack_sys::spotrf_,
    lapack_sys::ssytrf_,
    lapack_sys::ssytrs_,
    blas_sys::strsm_,
    lapack_sys::ssyevd_
);

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// Times `direct` and `through`, each on a fresh copy of `input`, in turns.
fn compare<T: Real, I: Clone, A, B>(
    name: &str,
    n: usize,
    input: &I,
    mut direct: impl FnMut(I) -> A,
    mut through: impl FnMut(I) -> B,
) {
    let mut wanted = std::env::args()
        .skip(1)
        .filter(|x| !x.starts_with('-') && x.parse::<usize>().is_err())
        .peekable();
    if wanted.peek().is_some() && !wanted.any(|x| name.starts_with(&x)) {
        return;
    }
    let (mut one, mut other) = (Vec::new(), Vec::new());
    let mut time_direct = |one: &mut Vec<f64>| {
        let input = input.clone();
        sleep(PAUSE);
        let start = Instant::now();
        black_box(direct(input));
        one.push(start.elapsed().as_secs_f64());
    };
    let mut time_through = |other: &mut Vec<f64>| {
        let input = input.clone();
        sleep(PAUSE);
        let start = Instant::now();
        black_box(through(input));
        other.push(start.elapsed().as_secs_f64());
    };
    time_direct(&mut Vec::new());
    time_through(&mut Vec::new());
    let begun = Instant::now();
    while one.len() < ROUNDS || (begun.elapsed().as_secs_f64() < SECONDS && one.len() < MOST) {
        // Who is first gets what the other leaves in the caches, so that they take turns.
        if one.len() % 2 == 0 {
            time_direct(&mut one);
            time_through(&mut other);
        } else {
            time_through(&mut other);
            time_direct(&mut one);
        }
    }
    let rounds = one.len();
    let ratios: Vec<f64> = other.iter().zip(&one).map(|(b, a)| b / a).collect();
    let least = |times: &[f64]| times.iter().copied().fold(f64::INFINITY, f64::min);
    println!(
        "| {name} | {} | {n} | {rounds} | {:.6} | {:.6} | {:.2} | {:.2} |",
        T::NAME,
        median(one.clone()),
        median(other.clone()),
        median(ratios),
        least(&other) / least(&one),
    );
}

/// In column-major order.
fn by_columns<T: Real, S: Data<Elem = T>>(a: &ArrayBase<S, Ix2>) -> Array2<T> {
    let mut to = Array2::zeros(a.raw_dim().f());
    to.assign(a);
    to
}

fn measure<T: Direct>(n: usize) {
    let a = by_columns(&common::matrix::<T>(n));
    threads(n);
    compare::<T, _, _, _>(
        "potrf, slices of lax",
        n,
        &a,
        |mut a| T::potrf(&mut a),
        |mut a| {
            let layout = a.square_layout().expect("square");
            let numbers = a.as_allocated_mut().expect("without gaps");
            T::cholesky(layout, UPLO::Lower, numbers).expect("positive definite");
        },
    );
    compare::<T, _, _, _>(
        "potrf, arrays of ndarray-linalg",
        n,
        &a,
        |mut a| T::potrf(&mut a),
        |a| a.factorizec_into(UPLO::Lower).expect("positive definite"),
    );
    compare::<T, _, _, _>(
        "sytrf, slices of lax",
        n,
        &a,
        |mut a| T::sytrf(&mut a),
        |mut a| {
            let layout = a.square_layout().expect("square");
            let numbers = a.as_allocated_mut().expect("without gaps");
            T::bk(layout, UPLO::Lower, numbers).expect("not singular")
        },
    );
    let mut factor = a.clone();
    let pivots = T::sytrf(&mut factor);
    let mut triangle = a.clone();
    T::potrf(&mut triangle);
    for (j, mut column) in triangle.columns_mut().into_iter().enumerate() {
        column.slice_mut(s![..j]).fill(T::zero());
    }
    let layout = a.square_layout().expect("square");
    let cholesky = CholeskyFactorized {
        factor: triangle.clone(),
        uplo: UPLO::Lower,
    };
    for m in [1, 10, 100] {
        let b = by_columns(&a.slice(s![.., ..m]));
        compare::<T, _, _, _>(
            &format!("sytrs, {m} right-hand sides, lax by columns"),
            n,
            &b,
            |mut b| {
                T::sytrs(&factor, &pivots, &mut b);
                b
            },
            |mut b| {
                for mut column in b.columns_mut() {
                    let column = column.as_slice_mut().expect("by columns");
                    T::solveh(
                        layout,
                        UPLO::Lower,
                        factor.as_allocated().expect("no gaps"),
                        &pivots,
                        column,
                    )
                    .expect("a solve");
                }
                b
            },
        );
        compare::<T, _, _, _>(
            &format!("two trsm, {m} right-hand sides, solvec by columns"),
            n,
            &b,
            |mut b| {
                T::trsm([LEFT, LOWER, PLAIN], &triangle, &mut b, n, m, n);
                T::trsm([LEFT, LOWER, TRANSPOSED], &triangle, &mut b, n, m, n);
                b
            },
            |mut b| {
                for mut column in b.columns_mut() {
                    cholesky.solvec_inplace(&mut column).expect("a solve");
                }
                b
            },
        );
    }
    for m in [10, n] {
        let columns = by_columns(&a.slice(s![.., ..m]));
        let rows = a.slice(s![.., ..m]).as_standard_layout().into_owned();
        for (by, b) in [("columns", &columns), ("rows", &rows)] {
            for transposed in [false, true] {
                let upper = triangle.t();
                let (seen, uplo) = if transposed {
                    (upper.view(), UPLO::Upper)
                } else {
                    (triangle.view(), UPLO::Lower)
                };
                let solved = if transposed { "L^T" } else { "L" };
                compare::<T, _, _, _>(
                    &format!(
                        "trsm, {solved} X = B, B by {by}, {}, lax",
                        if m == n { "square" } else { "10 columns" }
                    ),
                    n,
                    b,
                    |mut b| {
                        let (left, other) = if transposed {
                            (TRANSPOSED, PLAIN)
                        } else {
                            (PLAIN, TRANSPOSED)
                        };
                        if by == "columns" {
                            T::trsm([LEFT, LOWER, left], &triangle, &mut b, n, m, n);
                        } else {
                            T::trsm([RIGHT, LOWER, other], &triangle, &mut b, m, n, m);
                        }
                        b
                    },
                    |mut b| {
                        let layouts = [
                            seen.square_layout().expect("square"),
                            b.layout().expect("no gaps"),
                        ];
                        let (a, b_) = (
                            seen.as_allocated().expect("no gaps"),
                            b.as_allocated_mut().expect("no gaps"),
                        );
                        T::solve_triangular(layouts[0], layouts[1], uplo, Diag::NonUnit, a, b_)
                            .expect("a solve");
                        b
                    },
                );
            }
        }
    }
    if n <= 1000 {
        compare::<T, _, _, _>(
            "syevd, eigh of ndarray-linalg (syev)",
            n,
            &a,
            |mut a| (T::syevd(&mut a), a),
            |a| a.eigh_into(UPLO::Lower).expect("converges"),
        );
    }
}

fn main() {
    let mut sizes: Vec<usize> = std::env::args()
        .filter_map(|size| size.parse().ok())
        .collect();
    if sizes.is_empty() {
        sizes = vec![256, 1000, 3000];
    }
    println!(
        "{} threads; medians in seconds, the median of the ratios in each round, and the ratio of the least\n",
        rayon::current_num_threads(),
    );
    println!(
        "| operation | precision | n | rounds | direct | ndarray-linalg | ratio | of the least |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|");
    for &n in &sizes {
        measure::<f64>(n);
        measure::<f32>(n);
    }
}
