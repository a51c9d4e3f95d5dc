//! Several paths from one input, side by side along the channels or an axis of positions.

use super::branch::adjoint_of_paths;
use super::{FiniteLayer, ForwardPass, Saved, Sequence, Theta, Visit, flat, flat_mut, positions};
use ndarray::Array2;
use ntk_kernels::network::Shape;
use ntk_linalg::Real;

/// The paths' outputs, side by side: of each sample, so many runs of numbers from every path in turn.
pub(crate) struct SideBySide<T> {
    paths: Vec<Sequence<T>>,
    /// The length of each path's runs.
    runs: Vec<usize>,
    /// The number of channels of each path's output.
    channels: Vec<usize>,
    /// The number of runs of a sample.
    count: usize,
    after: (usize, usize),
}

impl<T: Real> SideBySide<T> {
    /// `ends` are samples at the ends of the paths, `axis` that of positions, or `None` for the
    /// channels.
    pub(crate) fn new(
        paths: Vec<Sequence<T>>,
        ends: &[&Shape],
        axis: Option<usize>,
        after: &Shape,
    ) -> Self {
        let axis = axis.unwrap_or(after.positions().len());
        let run = |end: &&Shape| {
            let inside = end.positions().iter().skip(axis);
            inside.product::<usize>() * end.channels()
        };
        Self {
            paths,
            runs: ends.iter().map(run).collect(),
            channels: ends.iter().map(|end| end.channels()).collect(),
            count: after.positions().iter().take(axis).product(),
            after: (positions(after), after.channels()),
        }
    }

    fn join(&self, outputs: &[Array2<T>]) -> Array2<T> {
        let (rows, channels) = self.after;
        let of_first = (self.runs[0] * self.count).max(1);
        let samples = outputs[0].len() / of_first;
        let mut all = Array2::zeros((samples * rows, channels));
        let whole: usize = self.runs.iter().sum();
        let mut start = 0;
        for (output, &run) in outputs.iter().zip(&self.runs) {
            let from = flat(output).chunks_exact(run.max(1));
            let to = flat_mut(&mut all).chunks_exact_mut(whole.max(1));
            for (from, to) in from.zip(to) {
                to[start..start + run].copy_from_slice(from);
            }
            start += run;
        }
        all
    }

    /// Takes the part of path number `path`.
    fn part(&self, all: &Array2<T>, path: usize) -> Array2<T> {
        let whole: usize = self.runs.iter().sum();
        let start: usize = self.runs[..path].iter().sum();
        let (run, channels) = (self.runs[path], self.channels[path]);
        let blocks = flat(all).chunks_exact(whole.max(1));
        let numbers: Vec<T> = blocks
            .flat_map(|b| b[start..start + run].iter().copied())
            .collect();
        let rows = numbers.len() / channels.max(1);
        Array2::from_shape_vec((rows, channels), numbers).expect("whole rows")
    }
}

impl<T: Real> FiniteLayer<T> for SideBySide<T> {
    fn forward(
        &self,
        theta: &Theta<'_, T>,
        x: Array2<T>,
        pass: ForwardPass<'_>,
    ) -> (Array2<T>, Saved<T>) {
        let ends = self
            .paths
            .iter()
            .map(|path| path.forward(theta, x.clone(), pass));
        let (outputs, inner): (Vec<_>, Vec<_>) = ends.unzip();
        (self.join(&outputs), Saved::inner(inner))
    }

    fn adjoint(
        &self,
        theta: &Theta<'_, T>,
        saved: &Saved<T>,
        signal: Array2<T>,
        wanted: bool,
        visit: &mut Visit<'_, T>,
    ) -> Array2<T> {
        let part = |number| self.part(&signal, number);
        adjoint_of_paths(&self.paths, theta, saved, part, wanted, visit).unwrap_or(signal)
    }

    fn tangent(
        &self,
        theta: &Theta<'_, T>,
        saved: &Saved<T>,
        dx: Option<Array2<T>>,
        direction: Option<&Theta<'_, T>>,
    ) -> Option<Array2<T>> {
        let paths = self.paths.iter().zip(&saved.inner);
        let ends: Vec<_> = paths
            .map(|(path, inner)| path.tangent(theta, inner, dx.clone(), direction))
            .collect();
        let known = ends.iter().zip(&self.runs).find_map(|(end, &run)| {
            let end = end.as_ref()?;
            Some(end.len() / (run * self.count).max(1))
        });
        let samples = known?;
        let parts = ends.into_iter().zip(self.runs.iter().zip(&self.channels));
        let parts = parts.map(|(end, (&run, &channels))| {
            let rows = samples * self.count * run / channels.max(1);
            end.unwrap_or_else(|| Array2::zeros((rows, channels)))
        });
        Some(self.join(&parts.collect::<Vec<_>>()))
    }

    fn has_parameters(&self) -> bool {
        self.paths.iter().any(FiniteLayer::has_parameters)
    }
}
