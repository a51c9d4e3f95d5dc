//! Computes what activations and normalisations need of each sample.

use super::super::KernelError;
use super::super::program::{Site, SiteMap};
use super::lanes::{GROUP, Mask, own};
use crate::network::{AXES, places};
use crate::pack::Pack;
use ntk_linalg::Real;

/// Computes what a site needs of the four samples of a group, from their covariances with
/// themselves at pairs of equal positions: `[position][number][sample]`.
pub(super) fn numbers<T: Real>(
    site: &Site,
    diagonal: &[Pack<T>],
    mask: Option<&Mask>,
    name: &dyn Fn(usize) -> String,
) -> Result<Vec<T>, KernelError> {
    let count = site.map.numbers();
    let mut all = vec![T::zero(); diagonal.len() * count * GROUP];
    let mut one = vec![T::zero(); count];
    for sample in 0..GROUP {
        let mut variances: Vec<T> = diagonal.iter().map(|pack| pack.0[own(sample)]).collect();
        if let SiteMap::Norm { over, sizes, .. } = site.map {
            let masked = |at: usize| mask.is_some_and(|mask| mask[at][sample]);
            average(&mut variances, sizes, over, masked);
        }
        site.check(&variances, |_| name(sample))?;
        for (position, &variance) in variances.iter().enumerate() {
            site.map.prepare(variance, &mut one);
            for (k, &number) in one.iter().enumerate() {
                all[(position * count + k) * GROUP + sample] = number;
            }
        }
    }
    Ok(all)
}

/// Replaces values by their means over the marked axes, over positions that are not masked.
pub(in super::super) fn average<T: Real>(
    values: &mut [T],
    sizes: [usize; AXES],
    over: [bool; AXES],
    masked: impl Fn(usize) -> bool,
) {
    for group in places(sizes, over) {
        let open = group.iter().filter(|&&at| !masked(at));
        let sum: f64 = open.clone().map(|&at| Real::to_f64(values[at])).sum();
        let mean = T::of(sum / open.count().max(1) as f64);
        group.into_iter().for_each(|at| values[at] = mean);
    }
}
