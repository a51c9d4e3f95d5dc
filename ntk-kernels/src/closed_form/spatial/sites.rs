//! Computes what activations and normalisations need of each sample.

use super::super::KernelError;
use super::super::program::{Site, SiteMap};
use super::lanes::{GROUP, own};
use crate::network::AXES;
use crate::pack::Pack;
use ntk_linalg::Real;

/// Computes what a site needs of the four samples of a group, from their covariances with
/// themselves at pairs of equal positions: `[position][number][sample]`.
pub(super) fn numbers<T: Real>(
    site: &Site,
    diagonal: &[Pack<T>],
    name: &dyn Fn(usize) -> String,
) -> Result<Vec<T>, KernelError> {
    let count = site.map.numbers();
    let mut all = vec![T::zero(); diagonal.len() * count * GROUP];
    let mut one = vec![T::zero(); count];
    for sample in 0..GROUP {
        let mut variances: Vec<T> = diagonal.iter().map(|pack| pack.0[own(sample)]).collect();
        if let SiteMap::Norm { over, sizes, .. } = site.map {
            average(&mut variances, sizes, over);
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

/// Replaces values by their means over the marked axes.
fn average<T: Real>(values: &mut [T], sizes: [usize; AXES], over: [bool; AXES]) {
    for axis in (0..AXES).filter(|&axis| over[axis]) {
        let (size, after) = (sizes[axis], sizes[axis + 1..].iter().product());
        for block in values.chunks_exact_mut(size * after) {
            for start in 0..after {
                let along = block.iter_mut().skip(start).step_by(after);
                let sum: f64 = along.map(|v| Real::to_f64(*v)).sum();
                let mean = T::of(sum / size as f64);
                let along = block.iter_mut().skip(start).step_by(after);
                along.for_each(|v| *v = mean);
            }
        }
    }
}
