//! Dense layers and convolutions: patches of the input times weights.

use super::site::{Linear, Site};
use super::{FiniteLayer, ForwardPass, Saved, Theta, Visit, flat, flat_mut, positions};
use crate::weights_file::layout::FileLayout;
use ndarray::{Array2, ArrayBase, Ix2, RawData, s};
use ntk_kernels::network::{self, Node, Order, Windows};
use ntk_linalg::Real;

/// `z = w_scale P W + b_scale b`, where the rows of `P` are the input's rows (dense), or what a
/// filter covers around each output position (convolution).
pub(crate) struct AffineLayer {
    site: Site,
    /// Says whether all positions have the same weights.
    shared: bool,
    patches: Option<Patches>,
}

/// Weights (out, in) of a dense layer, which count channels before the positions that a flatten
/// made features of; (out, in, taps...) of a convolution.
pub(super) fn pytorch(weights: &network::Weights, node: &Node, before: &Order) -> Vec<FileLayout> {
    let positions = match (&weights.windows, before) {
        (None, Order::Flattened(shape)) => shape.positions(),
        _ => &weights.filter[..],
    };
    let (width, count) = (weights.width, positions.iter().product::<usize>().max(1));
    let split = [&[width, weights.fan_in / count], positions].concat();
    let file = match weights.windows {
        Some(_) => split.clone(),
        None => vec![width, weights.fan_in],
    };
    // Ours is (positions..., in, out).
    let order = (2..split.len()).chain([1, 0]).collect();
    let first = FileLayout { file, split, order };
    let bias = FileLayout::unchanged(&[width]);
    [first, bias][..node.parameters.len()].to_vec()
}

/// The inputs that the filter covers at each output position.
struct Patches {
    inputs: usize,
    channels: usize,
    size: usize,
    /// The ends of the runs of each output position.
    ends: Vec<usize>,
    runs: Vec<PatchRun>,
}

/// Neighbours in the filter that are neighbours in the input.
struct PatchRun {
    /// The first place in the patch, in numbers.
    patch: usize,
    /// The first place in the input, in numbers.
    input: usize,
    /// The number of numbers.
    len: usize,
}

impl Patches {
    fn new(windows: &Windows, channels: usize) -> Self {
        let (inputs, window) = (windows.inputs(), windows.window());
        let [depth, height, width] = windows.outputs();
        let place = |sizes: [usize; 3], at: [usize; 3]| {
            ((at[0] * sizes[1] + at[1]) * sizes[2] + at[2]) * channels
        };
        let (mut ends, mut runs) = (Vec::new(), Vec::<PatchRun>::new());
        for position in 0..depth * height * width {
            let out = [
                position / (height * width),
                position / width % height,
                position % width,
            ];
            let taps = |axis: usize| windows.taps(axis, out[axis]);
            let first = runs.len();
            for &(tap_z, z) in taps(0) {
                for &(tap_y, y) in taps(1) {
                    for &(tap_x, x) in taps(2) {
                        let patch = place(window, [tap_z, tap_y, tap_x]);
                        let input = place(inputs, [z, y, x]);
                        match runs[first..].last_mut() {
                            Some(run)
                                if run.input + run.len == input && run.patch + run.len == patch =>
                            {
                                run.len += channels;
                            }
                            _ => runs.push(PatchRun {
                                patch,
                                input,
                                len: channels,
                            }),
                        }
                    }
                }
            }
            ends.push(runs.len());
        }
        Self {
            inputs: inputs.iter().product(),
            channels,
            size: window.iter().product::<usize>() * channels,
            ends,
            runs,
        }
    }

    fn runs(&self, position: usize) -> &[PatchRun] {
        let start = if position == 0 {
            0
        } else {
            self.ends[position - 1]
        };
        &self.runs[start..self.ends[position]]
    }

    /// (samples * inputs, channels) to (samples * outputs, patch).
    fn gather<T: Real>(&self, x: &Array2<T>) -> Array2<T> {
        let samples = x.nrows() / self.inputs;
        let mut patches = Array2::zeros((samples * self.ends.len(), self.size));
        let of_sample = self.inputs * self.channels;
        let samples = flat(x).chunks_exact(of_sample.max(1));
        let rows = flat_mut(&mut patches).chunks_exact_mut((self.ends.len() * self.size).max(1));
        for (x, rows) in samples.zip(rows) {
            for (position, row) in rows.chunks_exact_mut(self.size).enumerate() {
                for run in self.runs(position) {
                    row[run.patch..][..run.len].copy_from_slice(&x[run.input..][..run.len]);
                }
            }
        }
        patches
    }

    /// The transposed map: adds what each patch says of a position.
    fn scatter<T: Real>(&self, patches: &Array2<T>) -> Array2<T> {
        let samples = patches.nrows() / self.ends.len();
        let mut x = Array2::zeros((samples * self.inputs, self.channels));
        let of_sample = (self.ends.len() * self.size).max(1);
        let samples = flat(patches).chunks_exact(of_sample);
        let inputs = flat_mut(&mut x).chunks_exact_mut((self.inputs * self.channels).max(1));
        for (rows, x) in samples.zip(inputs) {
            for (position, row) in rows.chunks_exact(self.size).enumerate() {
                for run in self.runs(position) {
                    let to = &mut x[run.input..][..run.len];
                    for (to, &from) in to.iter_mut().zip(&row[run.patch..][..run.len]) {
                        *to += from;
                    }
                }
            }
        }
        x
    }
}

impl AffineLayer {
    /// Makes the layer of the parameters from number `first` on.
    pub(crate) fn new(weights: &network::Weights, node: &Node, first: usize) -> Self {
        let patches = |windows| Patches::new(windows, node.before.channels());
        Self {
            site: Site::new(node, first, 0, positions(&node.after)).bias(node, first, 1),
            shared: weights.shared,
            patches: weights.windows.as_ref().map(patches),
        }
    }

    /// Lists where parameters meet patches: at all positions the same ones, or at each its own, and then
    /// those rows and no others.
    fn sites(&self) -> impl Iterator<Item = (Site, Option<usize>)> {
        let sets = if self.shared { 1 } else { self.site.positions };
        (0..sets).map(move |at| match self.shared {
            true => (self.site, None),
            false => (self.site.at(at), Some(at)),
        })
    }

    /// Returns the rows of one position of all samples, or all rows.
    fn of<S: RawData>(&self, rows: ArrayBase<S, Ix2>, at: Option<usize>) -> ArrayBase<S, Ix2> {
        match at {
            None => rows,
            Some(at) => rows.slice_move(s![at..;self.site.positions, ..]),
        }
    }

    fn patches<T: Real>(&self, x: Array2<T>) -> Array2<T> {
        match &self.patches {
            Some(patches) => patches.gather(&x),
            None => x,
        }
    }

    /// Adds `w_scale a W + b_scale b` to `z`.
    fn add<T: Real>(&self, theta: &Theta<'_, T>, a: &Array2<T>, z: &mut Array2<T>) {
        for (site, at) in self.sites() {
            site.add(theta, self.of(a.view(), at), self.of(z.view_mut(), at));
        }
    }
}

impl<T: Real> FiniteLayer<T> for AffineLayer {
    fn forward(
        &self,
        theta: &Theta<'_, T>,
        x: Array2<T>,
        pass: ForwardPass<'_>,
    ) -> (Array2<T>, Saved<T>) {
        let patches = self.patches(x);
        let mut z = Array2::zeros((patches.nrows(), theta[self.site.weights].ncols()));
        self.add(theta, &patches, &mut z);
        let saved = match pass.save {
            true => Saved::own([patches]),
            false => Saved::NOTHING,
        };
        (z, saved)
    }

    fn adjoint(
        &self,
        theta: &Theta<'_, T>,
        saved: &Saved<T>,
        signal: Array2<T>,
        wanted: bool,
        visit: &mut Visit<'_, T>,
    ) -> Array2<T> {
        for (site, at) in self.sites() {
            visit(Linear {
                site,
                patches: self.of(saved.own[0].view(), at),
                signal: self.of(signal.view(), at),
            });
        }
        if !wanted {
            return signal;
        }
        let mut by_patch = Array2::zeros((signal.nrows(), saved.own[0].ncols()));
        for (site, at) in self.sites() {
            let to = self.of(by_patch.view_mut(), at);
            site.back(theta, self.of(signal.view(), at), to);
        }
        match &self.patches {
            Some(patches) => patches.scatter(&by_patch),
            None => by_patch,
        }
    }

    fn tangent(
        &self,
        theta: &Theta<'_, T>,
        saved: &Saved<T>,
        dx: Option<Array2<T>>,
        direction: Option<&Theta<'_, T>>,
    ) -> Option<Array2<T>> {
        if dx.is_none() && direction.is_none() {
            return None;
        }
        let width = theta[self.site.weights].ncols();
        let mut dz = Array2::zeros((saved.own[0].nrows(), width));
        if let Some(direction) = direction {
            self.add(direction, &saved.own[0], &mut dz);
        }
        if let Some(dx) = dx {
            let dx = self.patches(dx);
            for (site, at) in self.sites() {
                let to = self.of(dz.view_mut(), at);
                site.add_weighted(theta, self.of(dx.view(), at), to);
            }
        }
        Some(dz)
    }

    fn has_parameters(&self) -> bool {
        true
    }
}
