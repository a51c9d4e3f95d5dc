//! The number of threads that an operation uses.
//!
//! This crate chooses no number of threads: work goes to rayon's current pool.
//! Outside of any pool that is rayon's global one; inside `pool.install(...)`
//! it is that pool.
//!
//! A call made on a worker of a pool stays on that worker, unless inside
//! [`whole_pool`]: the other workers usually are busy with calls of their own.
//! OpenBLAS has threads that do not know of the pool's, and two levels at once
//! halve its speed; faer's parallel loops would nest, which gains nothing where
//! all workers are busy. Between calls OpenBLAS is left at one thread.

use std::cell::Cell;

use rayon::prelude::*;

/// The largest dimension below which a product or a solve is done before a second thread has woken.
pub(crate) const PRODUCT: usize = 64;
/// The order below which a factorisation or eigendecomposition is faster on one thread: each of its
/// n steps waits for all threads. Measured on two cores, n = 500 and 1000.
pub const FACTORISATION: usize = 700;
/// The same order for faer's eigenvalues and Cholesky, which wait longer.
pub(crate) const FAER_FACTORISATION: usize = 1200;

thread_local! {
    /// The number of [`whole_pool`] calls that this thread is inside of.
    static WHOLE_POOL: Cell<usize> = const { Cell::new(0) };
}

/// Lets one large operation, called on a worker of a pool, use the whole pool.
///
/// A call made on a rayon worker runs on that worker alone, because the other
/// workers usually are busy with calls of their own. Where one big call has the
/// pool to itself, say so:
///
/// ```
/// # use ntk_linalg::{eigenvalues, threads};
/// # let a = ndarray::Array2::<f64>::eye(3);
/// # let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
/// let values = pool.install(|| threads::whole_pool(|| eigenvalues(&a)));
/// ```
///
/// It holds for the calling thread only, and until `f` returns. Keep parallel
/// loops out of `f`: this worker may then run others' work in it.
pub fn whole_pool<R>(f: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            WHOLE_POOL.set(WHOLE_POOL.get() - 1);
        }
    }
    WHOLE_POOL.set(WHOLE_POOL.get() + 1);
    let _leave = Leave; // also when f panics
    f()
}

/// Returns the number of threads that a call made here and now would use.
///
/// Outside of rayon's workers, and inside [`whole_pool`], as many as the
/// current pool has; on a worker otherwise one. Small operations, below
/// an order of 64 to 1200 according to their kind, use one in any case.
pub fn available() -> usize {
    policy(
        rayon::current_thread_index().is_some(),
        WHOLE_POOL.get() > 0,
        rayon::current_num_threads(),
    )
}

fn policy(on_worker: bool, whole_pool: bool, pool: usize) -> usize {
    if on_worker && !whole_pool { 1 } else { pool }
}

/// Does `work` to each item, on as many threads as [`available`] says; what it calls is on one.
pub(crate) fn for_each<I: Send, E: Send>(
    items: Vec<I>,
    work: impl Fn(I) -> Result<(), E> + Sync,
) -> Result<(), E> {
    if available() == 1 {
        return items.into_iter().try_for_each(work);
    }
    items.into_par_iter().with_max_len(1).try_for_each(|item| {
        struct Back(usize);
        impl Drop for Back {
            fn drop(&mut self) {
                WHOLE_POOL.set(self.0);
            }
        }
        // The worker that waits for the others may be inside `whole_pool`.
        let _back = Back(WHOLE_POOL.replace(0));
        work(item)
    })
}

#[cfg(feature = "openblas")]
mod openblas {
    use std::ffi::c_int;
    use std::sync::{Once, PoisonError, RwLock};

    use crate::backend::lapack::own::openblas_set_num_threads;

    /// Guards OpenBLAS's thread count, which is one number for the whole process.
    ///
    /// Calls on one thread share the lock, and may run side by side; a call on
    /// several threads holds it alone, sets the number, and resets it. Such a
    /// call so waits for those already running, and new ones for it.
    ///
    /// It cannot deadlock: whoever holds the lock is inside a BLAS routine,
    /// which calls nothing of ours, takes no second lock and waits for no rayon
    /// job, so that every holder finishes whatever the waiters do.
    static THREAD_COUNT: RwLock<()> = RwLock::new(());

    /// OpenBLAS starts out with as many threads as there are cores.
    static START_AT_ONE: Once = Once::new();

    fn set(threads: usize) {
        // OpenBLAS itself lowers what is more than it was built for.
        let threads = c_int::try_from(threads).unwrap_or(c_int::MAX);
        // SAFETY: callers hold the lock alone, or are inside `START_AT_ONE`,
        // which every BLAS call waits for: no BLAS routine is running.
        unsafe { openblas_set_num_threads(threads) };
    }

    /// Runs BLAS routines on as many of OpenBLAS's threads as [`super::available`] says.
    ///
    /// `size` is the largest dimension: work of less than `sequential_below` runs on one thread. For
    /// routines called past this crate, whose number of threads is the process's and would else be
    /// one; they must not call back into it.
    pub fn with_blas<R>(size: usize, sequential_below: usize, routines: impl FnOnce() -> R) -> R {
        struct BackToOne;
        impl Drop for BackToOne {
            fn drop(&mut self) {
                set(1);
            }
        }
        START_AT_ONE.call_once(|| set(1));
        let threads = if size < sequential_below {
            1
        } else {
            super::available()
        };
        // The lock protects no data that a panic could have left half-written.
        if threads == 1 {
            let _shared = THREAD_COUNT.read().unwrap_or_else(PoisonError::into_inner);
            routines()
        } else {
            let _alone = THREAD_COUNT.write().unwrap_or_else(PoisonError::into_inner);
            set(threads);
            let _reset = BackToOne; // dropped before the lock, also on a panic
            routines()
        }
    }
}
#[cfg(feature = "openblas")]
pub use openblas::with_blas;

/// Runs BLAS routines, of whose threads nothing is known without the feature `openblas`.
#[cfg(not(feature = "openblas"))]
pub fn with_blas<R>(_size: usize, _sequential_below: usize, routines: impl FnOnce() -> R) -> R {
    routines()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
    }

    #[test]
    fn one_thread_on_a_worker_the_pool_elsewhere() {
        assert_eq!(policy(false, false, 8), 8);
        assert_eq!(policy(true, false, 8), 1);
        assert_eq!(policy(true, true, 8), 8);
        assert_eq!(available(), rayon::current_num_threads());
        let pool = pool(3);
        assert_eq!(pool.install(available), 1);
        assert_eq!(pool.install(|| whole_pool(available)), 3);
        assert_eq!(pool.install(available), 1);
        let all: Vec<usize> =
            pool.install(|| (0..50).into_par_iter().map(|_| available()).collect());
        assert!(all.iter().all(|&threads| threads == 1));
    }

    #[test]
    fn whole_pool_nests_and_survives_a_panic() {
        let pool = pool(2);
        pool.install(|| {
            whole_pool(|| {
                whole_pool(|| ());
                assert_eq!(available(), 2);
            });
            let caught = std::panic::catch_unwind(|| whole_pool(|| panic!("on purpose")));
            assert!(caught.is_err());
            assert_eq!(available(), 1);
        });
    }
}
