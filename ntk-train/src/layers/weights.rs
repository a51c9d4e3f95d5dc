//! Dense layers and convolutions: patches of the input times weights.

use super::site::Site;
use super::{FiniteLayer, ForwardPass, Saved, Theta, Visit, flat, flat_mut, positions};
use ndarray::{Array2, ArrayBase, Ix2, RawData, s};
use ntk_kernels::network::{self, Node, Windows};
use ntk_linalg::Real;

/// `z = w_scale P W + b_scale b`, where the rows of `P` are the input's rows (dense), or what a
/// filter covers around each output position (convolution).
pub(crate) struct AffineLayer {
    site: Site,
    /// Says whether all positions have the same weights.
    shared: bool,
    /// The number of groups of channels, each with patches of its own.
    groups: usize,
    patches: Option<Patches>,
}

/// Some of the rows and columns of patches or signals.
#[derive(Debug, Clone, Copy)]
struct Rows {
    first: usize,
    step: usize,
    /// A group of columns, and how many there are.
    group: (usize, usize),
}

impl Rows {
    fn of<S: RawData>(self, all: ArrayBase<S, Ix2>) -> ArrayBase<S, Ix2> {
        let (group, groups) = self.group;
        let width = all.ncols() / groups;
        all.slice_move(s![self.first..;self.step, group * width..(group + 1) * width])
    }
}

/// The inputs that the filter covers at each output position: group by group of channels, tap by tap.
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
    fn new(windows: &Windows, channels: usize, groups: usize) -> Self {
        let (inputs, window) = (windows.inputs(), windows.window());
        let [depth, height, width] = windows.outputs();
        let place =
            |sizes: [usize; 3], at: [usize; 3]| (at[0] * sizes[1] + at[1]) * sizes[2] + at[2];
        let (taps, len) = (window.iter().product::<usize>(), channels / groups);
        let (mut ends, mut runs) = (Vec::new(), Vec::<PatchRun>::new());
        let mut add = |first: usize, patch: usize, input: usize| match runs[first..].last_mut() {
            Some(run) if run.input + run.len == input && run.patch + run.len == patch => {
                run.len += len;
                runs.len()
            }
            _ => {
                runs.push(PatchRun { patch, input, len });
                runs.len()
            }
        };
        let mut end = 0;
        for position in 0..depth * height * width {
            let out = [
                position / (height * width),
                position / width % height,
                position % width,
            ];
            let along = |axis: usize| windows.taps(axis, out[axis]);
            let first = end;
            for group in 0..groups {
                for &(tap_z, z) in along(0) {
                    for &(tap_y, y) in along(1) {
                        for &(tap_x, x) in along(2) {
                            let tap = group * taps + place(window, [tap_z, tap_y, tap_x]);
                            let input = place(inputs, [z, y, x]) * channels + group * len;
                            end = add(first, tap * len, input);
                        }
                    }
                }
            }
            ends.push(end);
        }
        Self {
            inputs: inputs.iter().product(),
            channels,
            size: taps * channels,
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
        let channels = node.before.channels();
        let patches = |windows| Patches::new(windows, channels, weights.groups);
        Self {
            site: Site::new(node, first, 0, positions(&node.after)).bias(node, first, 1),
            shared: weights.shared,
            groups: weights.groups,
            patches: weights.windows.as_ref().map(patches),
        }
    }

    /// Lists where parameters meet patches: at all positions or at each its own, and in each group of
    /// channels.
    fn sites(&self) -> impl Iterator<Item = (Site, Rows)> {
        let sets = if self.shared { 1 } else { self.site.positions };
        (0..sets).flat_map(move |at| {
            let (site, first, step) = match self.shared {
                true => (self.site, 0, 1),
                false => (self.site.at(at), at, sets),
            };
            (0..self.groups).map(move |group| {
                let rows = Rows {
                    first,
                    step,
                    group: (group, self.groups),
                };
                (site.group(group, self.groups), rows)
            })
        })
    }

    fn patches<T: Real>(&self, x: Array2<T>) -> Array2<T> {
        match &self.patches {
            Some(patches) => patches.gather(&x),
            None => x,
        }
    }

    /// Adds `w_scale a W + b_scale b` to `z`.
    fn add<T: Real>(&self, theta: &Theta<'_, T>, a: &Array2<T>, z: &mut Array2<T>) {
        for (site, rows) in self.sites() {
            site.add(theta, rows.of(a.view()), rows.of(z.view_mut()));
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
        for (site, rows) in self.sites() {
            visit(site.linear(rows.of(saved.own[0].view()), rows.of(signal.view())));
        }
        if !wanted {
            return signal;
        }
        let mut by_patch = Array2::zeros((signal.nrows(), saved.own[0].ncols()));
        for (site, rows) in self.sites() {
            let to = rows.of(by_patch.view_mut());
            site.back(theta, rows.of(signal.view()), to);
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
            for (site, rows) in self.sites() {
                let to = rows.of(dz.view_mut());
                site.add_weighted(theta, rows.of(dx.view()), to);
            }
        }
        Some(dz)
    }

    fn has_parameters(&self) -> bool {
        true
    }
}
