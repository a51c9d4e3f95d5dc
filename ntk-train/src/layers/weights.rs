//! Dense layers and convolutions: patches of the input times weights.

use super::{FiniteLayer, ForwardPass, Saved, Theta, Visit, flat, flat_mut, positions};
use crate::weights_file::layout::FileLayout;
use ndarray::{Array2, ArrayView2, ArrayViewMut1, ArrayViewMut2};
use ntk_kernels::network::{self, Node, Order, Windows};
use ntk_linalg::{Real, gemm};

/// `z = w_scale P W + b_scale b`, where the rows of `P` are the input's rows (dense), or what a
/// filter covers around each output position (convolution).
pub(crate) struct AffineLayer {
    /// Number of the weights among the parameters; of shape (patch, width).
    pub(crate) weights: usize,
    /// The number of the bias among the parameters; of shape (1, width).
    pub(crate) bias: Option<usize>,
    pub(crate) w_scale: f64,
    /// 0 without a bias.
    pub(crate) b_scale: f64,
    /// The number of output positions of one sample.
    pub(crate) positions: usize,
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

/// A layer with parameters on the way back: its derivative by the weights at row `r` of
/// `signal` is `w_scale patch_r^T signal_r`, by the bias `b_scale signal_r`.
pub(crate) struct Linear<'a, T> {
    pub(crate) layer: &'a AffineLayer,
    /// (samples * positions, patch).
    pub(crate) patches: ArrayView2<'a, T>,
    /// (samples * copies * positions, width).
    pub(crate) signal: ArrayView2<'a, T>,
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
        let scale = |number: usize| node.parameters.get(number).map(|p| p.scale);
        let patches = |windows| Patches::new(windows, node.before.channels());
        Self {
            weights: first,
            bias: scale(1).map(|_| first + 1),
            w_scale: scale(0).unwrap_or(1.0),
            b_scale: scale(1).unwrap_or(0.0),
            positions: positions(&node.after),
            patches: weights.windows.as_ref().map(patches),
        }
    }

    fn patches<T: Real>(&self, x: Array2<T>) -> Array2<T> {
        match &self.patches {
            Some(patches) => patches.gather(&x),
            None => x,
        }
    }

    /// `w_scale a W + b_scale b`.
    fn apply<T: Real>(&self, theta: &Theta<'_, T>, a: &Array2<T>) -> Array2<T> {
        let weights = theta[self.weights];
        let mut z = match self.bias {
            Some(bias) => {
                let bias = theta[bias].mapv(|b| b * T::of(self.b_scale));
                bias.broadcast((a.nrows(), weights.ncols()))
                    .expect("a row to rows")
                    .to_owned()
            }
            None => Array2::zeros((a.nrows(), weights.ncols())),
        };
        multiply(T::of(self.w_scale), a.view(), weights, T::one(), &mut z);
        z
    }
}

impl<T: Real> FiniteLayer<T> for AffineLayer {
    fn forward(
        &self,
        theta: &Theta<'_, T>,
        x: Array2<T>,
        pass: ForwardPass,
    ) -> (Array2<T>, Saved<T>) {
        let patches = self.patches(x);
        let z = self.apply(theta, &patches);
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
        visit(Linear {
            layer: self,
            patches: saved.own[0].view(),
            signal: signal.view(),
        });
        if !wanted {
            return signal;
        }
        let weights = theta[self.weights];
        let mut by_patch = Array2::zeros((signal.nrows(), weights.nrows()));
        let scale = T::of(self.w_scale);
        multiply(scale, signal.view(), weights.t(), T::zero(), &mut by_patch);
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
        let own = direction.map(|direction| self.apply(direction, &saved.own[0]));
        let Some(dx) = dx else {
            return own;
        };
        let dx = self.patches(dx);
        let weights = theta[self.weights];
        let mut dz = own.unwrap_or_else(|| Array2::zeros((dx.nrows(), weights.ncols())));
        multiply(T::of(self.w_scale), dx.view(), weights, T::one(), &mut dz);
        Some(dz)
    }

    fn has_parameters(&self) -> bool {
        true
    }
}

impl<T: Real> Linear<'_, T> {
    /// Writes the derivative of `sum(signal * output)` by its parameters to their places among
    /// all; one copy.
    pub(crate) fn gradient(&self, all: &mut [ArrayViewMut2<'_, T>]) {
        let layer = self.layer;
        let (scale, by_weights) = (T::of(layer.w_scale), &mut all[layer.weights]);
        gemm(
            scale,
            &self.patches.t(),
            &self.signal,
            T::zero(),
            by_weights,
        )
        .expect(FIT);
        if let Some(bias) = layer.bias {
            sum_of_rows(self.signal, layer.b_scale, all[bias].row_mut(0));
        }
    }
}

/// Writes `scale` times the sum of all rows, which is taken in f64.
pub(crate) fn sum_of_rows<T: Real>(
    rows: ArrayView2<'_, T>,
    scale: f64,
    mut to: ArrayViewMut1<'_, T>,
) {
    let mut sums = vec![0.0; rows.ncols()];
    for row in rows.rows() {
        for (sum, &v) in sums.iter_mut().zip(row) {
            *sum += Real::to_f64(v);
        }
    }
    for (to, sum) in to.iter_mut().zip(sums) {
        *to = T::of(scale * sum);
    }
}

/// `c = alpha a b + beta c`.
pub(crate) fn multiply<T: Real>(
    alpha: T,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    beta: T,
    c: &mut Array2<T>,
) {
    gemm(alpha, &a, &b, beta, c).expect(FIT);
}

const FIT: &str = "layers are built for the shapes around them";
