//! Several paths from one input, merged.

use super::{FiniteLayer, ForwardPass, Saved, Sequence, Theta, Visit, positions, times};
use ndarray::Array2;
use ntk_kernels::network::{Merge, Shape};
use ntk_linalg::Real;

/// The sum or elementwise product of the paths' outputs.
pub(crate) struct Paths<T> {
    paths: Vec<Sequence<T>>,
    merge: Merge,
    /// Rows of one sample after it.
    positions: usize,
}

impl<T: Real> Paths<T> {
    /// `after` is a sample at the end of each path; `merge` is [`Merge::Sum`] or [`Merge::Product`].
    pub(crate) fn new(paths: Vec<Sequence<T>>, merge: Merge, after: &Shape) -> Self {
        Self {
            paths,
            merge,
            positions: positions(after),
        }
    }

    /// Returns what path number `path` is multiplied by in a product: the others' outputs.
    fn others(saved: &Saved<T>, path: usize) -> impl Iterator<Item = &Array2<T>> {
        let outputs = saved.own.iter().enumerate();
        outputs.filter(move |&(i, _)| i != path).map(|(_, z)| z)
    }
}

impl<T: Real> FiniteLayer<T> for Paths<T> {
    fn forward(
        &self,
        theta: &Theta<'_, T>,
        x: Array2<T>,
        pass: ForwardPass<'_>,
    ) -> (Array2<T>, Saved<T>) {
        let mut total: Option<Array2<T>> = None;
        let (mut own, mut inner) = (Vec::new(), Vec::new());
        for path in &self.paths {
            let (z, saved) = path.forward(theta, x.clone(), pass);
            inner.push(saved);
            if pass.save && self.merge == Merge::Product {
                own.push(z.clone());
            }
            total = Some(match (total, self.merge) {
                (None, _) => z,
                (Some(total), Merge::Sum | Merge::Concat) => total + z,
                (Some(total), Merge::Product) => total * z,
            });
        }
        let saved = Saved {
            own,
            ..Saved::inner(inner)
        };
        (total.unwrap_or(x), saved)
    }

    fn adjoint(
        &self,
        theta: &Theta<'_, T>,
        saved: &Saved<T>,
        signal: Array2<T>,
        wanted: bool,
        visit: &mut Visit<'_, T>,
    ) -> Array2<T> {
        let part = |number| {
            let mut signal = signal.clone();
            for other in Self::others(saved, number) {
                times(&mut signal, other, self.positions);
            }
            signal
        };
        adjoint_of_paths(&self.paths, theta, saved, part, wanted, visit).unwrap_or(signal)
    }

    fn tangent(
        &self,
        theta: &Theta<'_, T>,
        saved: &Saved<T>,
        dx: Option<Array2<T>>,
        direction: Option<&Theta<'_, T>>,
    ) -> Option<Array2<T>> {
        let mut total: Option<Array2<T>> = None;
        for (number, (path, inner)) in self.paths.iter().zip(&saved.inner).enumerate() {
            let Some(mut dz) = path.tangent(theta, inner, dx.clone(), direction) else {
                continue;
            };
            for other in Self::others(saved, number) {
                dz *= other;
            }
            total = Some(match total {
                None => dz,
                Some(total) => total + dz,
            });
        }
        total
    }

    fn has_parameters(&self) -> bool {
        self.paths.iter().any(FiniteLayer::has_parameters)
    }
}

/// Sums the adjoints of paths from one input, each applied to its part of a signal; of unknown content
/// where not `wanted`, and `None` without paths.
pub(super) fn adjoint_of_paths<T: Real>(
    paths: &[Sequence<T>],
    theta: &Theta<'_, T>,
    saved: &Saved<T>,
    part: impl Fn(usize) -> Array2<T>,
    wanted: bool,
    visit: &mut Visit<'_, T>,
) -> Option<Array2<T>> {
    let mut total: Option<Array2<T>> = None;
    for (number, (path, inner)) in paths.iter().zip(&saved.inner).enumerate() {
        let back = path.adjoint(theta, inner, part(number), wanted, visit);
        total = match total {
            Some(total) if wanted => Some(total + back),
            _ => Some(back),
        };
    }
    total
}
