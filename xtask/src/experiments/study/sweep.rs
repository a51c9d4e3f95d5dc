//! Many computations in parallel, with their progress.

use crate::Failure;
use ntk_linalg::observer::{Inside, Observer};
use rayon::prelude::*;
use std::cmp::Reverse;

/// Does all jobs, which do not know of each other, one a thread, and returns what each gives in the
/// order of the jobs; the first failure ends all.
///
/// The costliest begin first, so that no thread is left alone with one at the end. `cost` is also
/// the progress that a job makes, in any unit.
pub(crate) fn sweep<J: Sync, R: Send>(
    step: &str,
    jobs: &[J],
    cost: impl Fn(&J) -> usize + Sync,
    observer: &dyn Observer,
    work: impl Fn(&J, &dyn Observer) -> Result<R, Failure> + Sync,
) -> Result<Vec<R>, Failure> {
    observer.begin(step, jobs.iter().map(|job| cost(job) as u64).sum());
    let mut places: Vec<usize> = (0..jobs.len()).collect();
    places.sort_by_key(|&place| Reverse(cost(&jobs[place])));
    let one = |place: usize| -> Result<(usize, R), Failure> {
        observer.check()?;
        let found = work(&jobs[place], &Inside(observer))?;
        observer.advance(cost(&jobs[place]) as u64);
        Ok((place, found))
    };
    // One by one, not in halves: costs differ by orders of magnitude.
    let places = places.into_par_iter().with_max_len(1);
    let mut found: Vec<(usize, R)> = places.map(one).collect::<Result<_, _>>()?;
    found.sort_unstable_by_key(|(place, _)| *place);
    Ok(found.into_iter().map(|(_, found)| found).collect())
}

/// Pairs every one of `a` with every one of `b`, which changes fastest.
pub(crate) fn of_two<A: Copy, B: Copy>(
    a: impl IntoIterator<Item = A>,
    b: impl IntoIterator<Item = B> + Clone,
) -> Vec<(A, B)> {
    let with = |a: A| b.clone().into_iter().map(move |b| (a, b));
    a.into_iter().flat_map(with).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_jobs_and_the_first_failure_ends_all() {
        let jobs = [1_usize, 3, 2];
        let twice = |job: &usize, _: &dyn Observer| Ok(2 * job);
        assert_eq!(sweep("", &jobs, |job| *job, &(), twice).unwrap(), [2, 6, 4]);
        let fails = |job: &usize, _: &dyn Observer| match job {
            2 => Err("two".into()),
            _ => Ok(0),
        };
        let error = sweep("", &jobs, |_| 1, &(), fails).unwrap_err();
        assert_eq!(error.to_string(), "two");
        assert!(sweep("", &[], |_| 1, &(), fails).unwrap().is_empty());
    }
}
