//! Recurrent layers: the same weights at every position of a sequence.

use super::site::Site;
use super::{Elementwise, FiniteLayer, ForwardPass, Saved, Theta, Visit, positions, times};
use ndarray::{Array2, ArrayBase, ArrayView2, Ix2, RawData, s};
use ntk_kernels::network::{Node, Recurrence, States};
use ntk_linalg::Real;

/// `z_t = u_scale x_t U + w_scale h_(t-1) W + b_scale b`, `h_t = phi(z_t)`, `h_0 = 0`.
pub(crate) struct Tied {
    /// U and the bias.
    input: Site,
    /// W and the second bias, where there are two.
    state: Site,
    activation: Elementwise,
    length: usize,
    states: States,
    /// The node whose mask the inputs have.
    before: Option<usize>,
}

impl Tied {
    /// Makes the layer of the parameters from number `first` on.
    pub(crate) fn new(recurrence: &Recurrence, node: &Node, first: usize) -> Self {
        let length = positions(&node.before);
        Self {
            input: Site::new(node, first, 0, length).bias(node, first, 2),
            state: Site::new(node, first, 1, length).bias(node, first, 3),
            activation: Elementwise::alone(&recurrence.activation),
            length,
            states: recurrence.states,
            before: node.reads[0],
        }
    }

    /// Returns the rows of step `t` of all sequences.
    fn step<S: RawData>(&self, rows: ArrayBase<S, Ix2>, t: usize) -> ArrayBase<S, Ix2> {
        rows.slice_move(s![t..;self.length, ..])
    }

    /// Returns the last position of each sequence that is not masked.
    fn ends(&self, mask: Option<ArrayView2<'_, bool>>, samples: usize) -> Vec<usize> {
        let Some(mask) = mask else {
            return vec![self.length - 1; samples];
        };
        let last = |open: Vec<bool>| open.iter().rposition(|&masked| !masked);
        let rows = mask.rows().into_iter();
        rows.map(|row| last(row.to_vec()).unwrap_or(0)).collect()
    }

    /// Picks what the layer gives of the states of all steps.
    fn given<T: Real>(&self, states: Array2<T>, ends: &[usize]) -> Array2<T> {
        match self.states {
            States::All => states,
            States::Last => {
                let rows = ends.iter().enumerate();
                let rows: Vec<usize> = rows.map(|(i, &end)| i * self.length + end).collect();
                states.select(ndarray::Axis(0), &rows)
            }
        }
    }
}

impl<T: Real> FiniteLayer<T> for Tied {
    fn forward(
        &self,
        theta: &Theta<'_, T>,
        x: Array2<T>,
        pass: ForwardPass<'_>,
    ) -> (Array2<T>, Saved<T>) {
        let samples = x.nrows() / self.length;
        let mut z = self.input.apply(theta, x.view());
        self.state.add_bias(theta, z.view_mut());
        let mut slopes = Array2::zeros(if pass.save { z.dim() } else { (0, 0) });
        // Those of each step, and those before it.
        let (mut states, mut before) = (Array2::zeros(z.raw_dim()), Array2::zeros(z.raw_dim()));
        for t in 0..self.length {
            if t > 0 {
                let last = self.step(states.view(), t - 1);
                let to = self.step(z.view_mut(), t);
                self.state.add_weighted(theta, last, to);
                self.step(before.view_mut(), t).assign(&last);
            }
            let mut state = self.step(z.view(), t).as_standard_layout().into_owned();
            match pass.save {
                true => {
                    let mut slope = Array2::zeros(state.raw_dim());
                    self.activation.apply(&mut state, Some(&mut slope));
                    self.step(slopes.view_mut(), t).assign(&slope);
                }
                false => self.activation.apply(&mut state, None),
            }
            self.step(states.view_mut(), t).assign(&state);
        }
        let chosen = self.ends(pass.mask(self.before, samples), samples);
        let out = self.given(states, &chosen);
        let own = match pass.save {
            true => vec![x, before, slopes],
            false => Vec::new(),
        };
        let saved = Saved {
            own,
            chosen,
            ..Saved::NOTHING
        };
        (out, saved)
    }

    fn adjoint(
        &self,
        theta: &Theta<'_, T>,
        saved: &Saved<T>,
        signal: Array2<T>,
        _: bool,
        visit: &mut Visit<'_, T>,
    ) -> Array2<T> {
        let [x, before, slopes] = &saved.own[..] else {
            return signal;
        };
        let by_states = match self.states {
            States::All => signal,
            States::Last => {
                let copies = signal.nrows() / saved.chosen.len().max(1);
                let mut all = Array2::zeros((signal.nrows() * self.length, signal.ncols()));
                for (row, signal) in signal.rows().into_iter().enumerate() {
                    let end = saved.chosen[row / copies];
                    all.row_mut(row * self.length + end).assign(&signal);
                }
                all
            }
        };
        let mut by_sums = Array2::zeros(by_states.raw_dim());
        for t in (0..self.length).rev() {
            let mut by_state = self.step(by_states.view(), t).to_owned();
            if t + 1 < self.length {
                let next = self.step(by_sums.view(), t + 1);
                self.state.back(theta, next, by_state.view_mut());
            }
            let slope = self
                .step(slopes.view(), t)
                .as_standard_layout()
                .into_owned();
            let mut by_sum = by_state.as_standard_layout().into_owned();
            times(&mut by_sum, &slope, 1);
            self.step(by_sums.view_mut(), t).assign(&by_sum);
        }
        for (site, patches) in [(self.input, x), (self.state, before)] {
            visit(site.linear(patches.view(), by_sums.view()));
        }
        let mut by_input = Array2::zeros((by_sums.nrows(), x.ncols()));
        let to = by_input.view_mut();
        self.input.back(theta, by_sums.view(), to);
        by_input
    }

    fn tangent(
        &self,
        theta: &Theta<'_, T>,
        saved: &Saved<T>,
        dx: Option<Array2<T>>,
        direction: Option<&Theta<'_, T>>,
    ) -> Option<Array2<T>> {
        let [x, before, slopes] = &saved.own[..] else {
            return None;
        };
        if dx.is_none() && direction.is_none() {
            return None;
        }
        let mut dz = self.input.tangent(theta, x, dx.as_ref(), direction);
        if let Some(direction) = direction {
            self.state.add(direction, before.view(), dz.view_mut());
        }
        let mut states = Array2::zeros(slopes.raw_dim());
        for t in 0..self.length {
            if t > 0 {
                let last = self.step(states.view(), t - 1);
                let to = self.step(dz.view_mut(), t);
                self.state.add_weighted(theta, last, to);
            }
            let moved = &self.step(dz.view(), t) * &self.step(slopes.view(), t);
            self.step(states.view_mut(), t).assign(&moved);
        }
        Some(self.given(states, &saved.chosen))
    }

    fn has_parameters(&self) -> bool {
        true
    }
}
