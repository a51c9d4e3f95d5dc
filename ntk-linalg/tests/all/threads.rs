//! Threads: results do not depend on them beyond rounding, calls nest in
//! parallel loops, and no more run than were asked for.

use std::time::Instant;

use crate::common::{Random, bound, distance, everywhere, norm};
use ntk_linalg::{Backend, Real, threads};
use rayon::prelude::*;

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
}

#[test]
fn one_thread_and_two_agree_and_repeat() {
    fn check<T: Real>(backend: Backend) {
        let n = 240;
        let a = Random(1).definite::<T>(n);
        let all = || {
            threads::whole_pool(|| {
                (
                    backend
                        .eigenvalues(&a)
                        .unwrap()
                        .insert_axis(ndarray::Axis(1)),
                    backend.cholesky(a.clone(), 0.0).unwrap().factor(),
                    backend.symmetric_product(&a).unwrap(),
                )
            })
        };
        let (one, two) = (pool(1), pool(2));
        let sequential = one.install(all);
        assert_eq!(
            sequential,
            one.install(all),
            "{} does not repeat",
            backend.name()
        );
        let parallel = two.install(|| threads::whole_pool(all));
        let near = |x: &ndarray::Array2<T>, y: &ndarray::Array2<T>| {
            let error = distance(x.view(), y.view());
            assert!(
                error <= bound::<T>(n, norm(x.view())),
                "{}: {error:e}",
                backend.name()
            );
        };
        near(&sequential.0, &parallel.0);
        near(&sequential.1, &parallel.1);
        near(&sequential.2, &parallel.2);
    }
    everywhere(check::<f64>, check::<f32>);
}

#[test]
fn calls_nest_in_parallel_loops() {
    fn check<T: Real>(backend: Backend) {
        let sizes: Vec<usize> = (0..24).map(|i| 20 + 13 * i).collect();
        let trace = |n: usize| {
            let a = Random(n as u64).symmetric::<T>(n);
            let sum: T = backend.eigenvalues(&a).unwrap().iter().sum();
            let b = backend.matmul(&a, &a).unwrap();
            (
                sum.to_f64(),
                b.diag().iter().map(|&x| x.to_f64()).sum::<f64>(),
            )
        };
        let alone: Vec<_> = sizes.iter().map(|&n| trace(n)).collect();
        for threads in [1, 2, 4] {
            let nested: Vec<_> =
                pool(threads).install(|| sizes.par_iter().map(|&n| trace(n)).collect());
            for ((&n, x), y) in sizes.iter().zip(&alone).zip(&nested) {
                // |a| is about n / sqrt(3), the sum of n eigenvalues at most sqrt(n) |a|.
                let size = (n as f64).powf(1.5);
                assert!(
                    (x.0 - y.0).abs() <= bound::<T>(n, size),
                    "n = {n}: {x:?} {y:?}"
                );
                assert!(
                    (x.1 - y.1).abs() <= bound::<T>(n, x.1),
                    "n = {n}: {x:?} {y:?}"
                );
            }
        }
    }
    everywhere(check::<f64>, check::<f32>);
}

/// Calls on one thread and on many, from many threads at once: none waits for ever.
#[test]
fn calls_of_both_kinds_mix() {
    let a = Random(3).symmetric::<f64>(150);
    for &backend in Backend::available() {
        let pools = [pool(2), pool(2)];
        std::thread::scope(|scope| {
            for pool in &pools {
                scope.spawn(|| {
                    pool.install(|| {
                        (0..20).into_par_iter().for_each(|i| {
                            let call = || backend.eigenvalues(&a).unwrap();
                            let _ = if i % 3 == 0 {
                                threads::whole_pool(call)
                            } else {
                                call()
                            };
                        });
                    });
                });
            }
            scope.spawn(|| {
                for _ in 0..10 {
                    backend.symmetric_product(&a).unwrap();
                }
            });
        });
    }
}

/// CPU seconds of this process, from the kernel's ticks of 1/100 s.
#[cfg(target_os = "linux")]
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The command's name, in parentheses, may hold blanks; utime and stime are fields 14 and 15.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// Runs itself again, alone, so that no other test's CPU time is counted.
#[cfg(target_os = "linux")]
#[test]
fn one_thread_is_one_thread() {
    const ALONE: &str = "NTK_LINALG_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["threads::one_thread_is_one_thread", "--exact"])
            .env(ALONE, "1")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    let a = Random(3).symmetric::<f64>(700);
    for &backend in Backend::available() {
        let busy = |work: &(dyn Fn() + Sync)| {
            work(); // wakes whatever threads there are
            let (start, before) = (Instant::now(), cpu_seconds());
            for _ in 0..4 {
                work();
            }
            (cpu_seconds() - before) / start.elapsed().as_secs_f64()
        };
        let work = || {
            backend.eigh(&a).unwrap();
            backend.matmul(&a, &a).unwrap();
        };
        // A machine under load makes the ratio smaller, never larger; 0.15 for ticks and wake-ups.
        let threads = pool(1).install(|| busy(&work));
        assert!(
            threads < 1.15,
            "{} kept {threads} threads busy",
            backend.name()
        );
        let whole = pool(1).install(|| threads::whole_pool(|| busy(&work)));
        assert!(whole < 1.15, "{} kept {whole} threads busy", backend.name());
        #[cfg(feature = "openblas")]
        if backend == Backend::OpenBlas {
            let threads = pool(2).install(|| busy(&|| drop(backend.matmul(&a, &a))));
            assert!(
                threads < 1.25,
                "a worker's BLAS call kept {threads} threads busy"
            );
        }
    }
}

/// faer's AVX-512 path is compiled in: pulp has `V4` only under its feature `x86-v4`.
#[cfg(target_arch = "x86_64")]
#[test]
fn avx512_is_compiled_in() {
    let _: Option<pulp::x86::V4> = pulp::x86::V4::try_new();
}
