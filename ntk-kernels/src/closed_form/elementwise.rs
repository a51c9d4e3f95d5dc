//! Applies maps of single covariances to lines of them.

use super::program::SiteMap;
use crate::affine::Affine;
use crate::network::Merge;
use crate::pack::Pack;
use crate::pairs::row::{Columns, Row};
use crate::pairs::{Dual, Maps, Same, Side, Slopes};
use ntk_linalg::Real;

/// A line of covariances and, unless only the NNGP is wanted, their NTKs.
pub(super) struct Line<'a, T> {
    pub(super) nngp: &'a mut [T],
    pub(super) ntk: Option<&'a mut [T]>,
}

/// Divides by both standard deviations.
#[derive(Clone)]
struct Normalize;

impl Dual for Normalize {
    #[inline(always)]
    fn pair<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
    ) -> (Pack<T>, Pack<T>) {
        let (one, two) = (one.get(0), two.get(0));
        (q * one * two, one * two)
    }

    /// Computes those of the inverse standard deviations, `-1/2` their cubes.
    #[inline(always)]
    fn slopes<T: Real, S: Side<T>>(&self, one: S, two: impl Side<T>, q: Pack<T>) -> Slopes<T> {
        let (kernel, derivative) = self.pair(one, two, q);
        let (one, two) = (one.get(0), two.get(0));
        let [by_one, by_two] = [one, two].map(|root| root * root * Pack::of(-0.5));
        Slopes {
            kernel,
            derivative,
            kernel_by: [kernel * by_one, kernel * by_two, derivative],
            derivative_by: [derivative * by_one, derivative * by_two, Pack::zero()],
        }
    }
}

impl SiteMap {
    /// Returns the object that takes pairs through the map.
    pub(super) fn maps<T: Real>(&self) -> &dyn Maps<T> {
        match self {
            Self::Activation(activation) => activation.maps(),
            Self::Norm { .. } => &Normalize,
        }
    }
}

/// Takes a line of pairs of one sample and those in `two` through `affine`, then `map`.
pub(super) fn map_line<T: Real>(
    map: Option<&SiteMap>,
    affine: &Affine,
    (one, two): (&[T], Columns<'_, T>),
    line: &mut Line<'_, T>,
) {
    map.map_or(&Same as &dyn Maps<T>, SiteMap::maps).row(Row {
        affine: affine.pack(),
        one,
        two,
        nngp: line.nngp,
        ntk: line.ntk.as_deref_mut(),
    });
}

/// Adds to, or multiplies by, the kernels of an independent path; products follow the rule
/// `(f g)' = f' g + f g'`.
pub(super) fn onto<T: Copy + std::ops::Add<Output = T> + std::ops::Mul<Output = T>>(
    merge: Merge,
    (nngp, ntk): (&mut [T], &mut [T]),
    (k, t): (&[T], &[T]),
) {
    // The NTK comes first, because the product rule needs the old NNGP. It is empty where not
    // wanted.
    match merge {
        Merge::Sum => {
            for (total, &t) in ntk.iter_mut().zip(t) {
                *total = *total + t;
            }
            for (total, &k) in nngp.iter_mut().zip(k) {
                *total = *total + k;
            }
        }
        Merge::Concat => unreachable!("side by side, not entry by entry"),
        Merge::Product => {
            for ((total, &t), (&q, &k)) in ntk.iter_mut().zip(t).zip(nngp.iter().zip(k)) {
                *total = *total * k + q * t;
            }
            for (total, &k) in nngp.iter_mut().zip(k) {
                *total = *total * k;
            }
        }
    }
}
