//! Differentiates recurrent layers.
//!
//! In the terms of [the kernels' module](super::super::super::spatial::whole::recurrent), with
//! `w = w_std^2`, `u = u_std^2`, `beta` the biases' variance, H the NTK of states, the pair before that of
//! `[t, t']` marked by `-`, and V1, V2 the variances of the states of either side:
//!
//! ```text
//! S' = w K-' + w' K- + u X' + u' X + beta'
//! T' = own' + w H-' + w' H- + u T_X' + u' T_X
//! K' = K_1 V1[t]' + K_2 V2[t']' + D S' + K_p p'
//! H' = D T' + T (D_1 V1[t]' + D_2 V2[t']' + D_q S' + D_p p')
//! ```
//!
//! `V[t]` follows from `V[t-1]` as S from `S-`, with the dual of a state with itself.

use super::super::super::program::Recurrent;
use super::super::super::spatial::lanes::{First, GROUP, Second, own};
use super::super::super::spatial::whole::field::{Extent, Field};
use super::super::super::spatial::whole::recurrent::{
    Weights, last, last_transposed, states, variances,
};
use super::making::ntk_of;
use super::{firsts, room_for_slopes, seconds};
use crate::network::States;
use crate::pack::{Pack, by_lanes, wide};
use crate::pairs::row::SlopesRow;
use crate::pairs::{Maps, ParameterSlopes, Side, Slopes};
use crate::sums::Sum;
use ntk_linalg::Real;
use std::convert::Infallible;
use std::ops::Range;

/// Derivatives of, or by, the squares of the standard deviations: of the weights of states and inputs, and
/// of the biases.
#[derive(Clone, Copy, Default)]
struct Squares {
    state: f64,
    input: f64,
    bias: f64,
}

impl Recurrent {
    /// Returns the derivatives of the squares by the layer's hyperparameters, one after another.
    fn squares(&self) -> [(usize, Squares); 3] {
        let zero = Squares::default();
        let of = &self.recurrence;
        let state = 2.0 * of.w_std;
        let input = 2.0 * of.u_std;
        let bias = 2.0 * of.b_std.unwrap_or(0.0) * of.biases as f64;
        [
            (0, Squares { state, ..zero }),
            (1, Squares { input, ..zero }),
            (2, Squares { bias, ..zero }),
        ]
    }

    /// Returns the derivatives of the squares by the hyperparameters of these numbers.
    fn moved(&self, numbers: &[bool]) -> Squares {
        let mut total = Squares::default();
        let Some(first) = self.first else {
            return total;
        };
        for (number, by) in self.squares().into_iter().take(self.deviations()) {
            if numbers[first + number] {
                total.state += by.state;
                total.input += by.input;
                total.bias += by.bias;
            }
        }
        total
    }

    /// Adds the derivatives by the layer's deviations to those by all hyperparameters, from those by the
    /// squares.
    fn give(&self, sums: Squares, to: &mut [f64]) {
        let Some(first) = self.first else { return };
        for (number, by) in self.squares().into_iter().take(self.deviations()) {
            to[first + number] +=
                by.state * sums.state + by.input * sums.input + by.bias * sums.bias;
        }
    }

    /// Lists the numbers of its hyperparameters and of its activation's parameters.
    pub(in super::super) fn hyperparameters(&self) -> impl Iterator<Item = usize> {
        let count = self.deviations();
        let own = self
            .first
            .into_iter()
            .flat_map(move |first| first..first + count);
        own.chain(self.parameters().into_iter().flatten())
    }

    /// Counts the standard deviations of its weights and biases.
    fn deviations(&self) -> usize {
        2 + usize::from(self.recurrence.b_std.is_some())
    }

    /// Returns the numbers of the activation's parameters among all hyperparameters.
    fn parameters(&self) -> Option<Range<usize>> {
        let first = self.site.parameters?;
        Some(first..first + self.recurrence.activation.parameters().len())
    }
}

/// Computes the dual of a state with itself at its variance: the kernel, its derivative by the variance, and
/// into `of` those by each of the activation's parameters.
fn with_itself<T: Real>(layer: &Recurrent, variance: T, of: &mut [ParameterSlopes<T>]) -> [T; 2] {
    let map = &layer.site.map;
    if !of.is_empty() {
        let mut numbers = vec![T::zero(); map.numbers()];
        map.prepare(variance, &mut numbers);
        let numbers: Vec<_> = numbers.into_iter().map(Pack::splat).collect();
        let maps: &dyn Maps<T> = map.maps();
        maps.parameter_slopes(&numbers, &numbers, Pack::splat(variance), of);
    }
    [map.diagonal(variance).0, map.diagonal_slopes(variance).0]
}

/// Makes room for the derivatives by each of the activation's parameters, if it has some that count.
fn room_for_parameters<T: Real>(layer: &Recurrent) -> Vec<ParameterSlopes<T>> {
    let count = layer.parameters().map_or(0, |numbers| numbers.len());
    vec![(Pack::zero(), Pack::zero()); count]
}

/// Computes the derivatives of the variances of a group's states before the activation,
/// `[position][sample]`, from those of its covariances with itself, `by`.
pub(in super::super) fn own_tangent<T: Real>(
    layer: &Recurrent,
    [field, by]: [&Field<T>; 2],
    numbers: &[bool],
) -> Vec<T> {
    let (diagonal, by_diagonal) = (field.diagonal(), by.diagonal());
    let all = own_variances(layer, &diagonal);
    let [state, input] = factors::<T>(layer);
    let moved = layer.moved(numbers);
    let chosen = layer
        .parameters()
        .map(|of| &numbers[of])
        .unwrap_or_default();
    let mut of = room_for_parameters(layer);
    let mut found: Vec<T> = Vec::with_capacity(all.len());
    for (at, (x, by)) in diagonal.iter().zip(&by_diagonal).enumerate() {
        for sample in 0..GROUP {
            let (x, by) = (x.0[own(sample)], by.0[own(sample)]);
            let mut next = T::of(moved.input) * x + input * by + T::of(moved.bias);
            if let Some(past) = at.checked_sub(1).map(|past| past * GROUP + sample) {
                let [kernel, slope] = with_itself(layer, all[past], &mut of);
                let mut rate = slope * found[past];
                for ((by, _), _) in of.iter().zip(chosen).filter(|&(_, &chosen)| chosen) {
                    rate += by.0[0];
                }
                next += T::of(moved.state) * kernel + state * rate;
            }
            found.push(next);
        }
    }
    found
}

/// Adds to the derivatives `bar` by a group's covariances with itself, and to those by hyperparameters, what
/// follows from those by the variances of its states, `given`, `[position][sample]`.
pub(in super::super) fn own_adjoint<T: Real>(
    layer: &Recurrent,
    field: &Field<T>,
    given: &[T],
    bar: &mut Field<T>,
    hyperparameters: &mut [f64],
) {
    let diagonal = field.diagonal();
    let all = own_variances(layer, &diagonal);
    let [state, input] = factors::<T>(layer);
    let step = match bar.extent {
        Extent::Diagonal => 1,
        Extent::All => bar.positions + 1,
    };
    let mut sums = Squares::default();
    let mut of = room_for_parameters(layer);
    let mut given = given.to_vec();
    for (at, x) in diagonal.iter().enumerate().rev() {
        for sample in 0..GROUP {
            let by = given[at * GROUP + sample];
            let lane = own(sample);
            bar.nngp[at * step].0[lane] += input * by;
            let by_all = Real::to_f64(by);
            sums.input += by_all * Real::to_f64(x.0[lane]);
            sums.bias += by_all;
            let Some(past) = at.checked_sub(1).map(|past| past * GROUP + sample) else {
                continue;
            };
            let [kernel, slope] = with_itself(layer, all[past], &mut of);
            sums.state += by_all * Real::to_f64(kernel);
            given[past] += state * slope * by;
            let to = layer.parameters().map(|of| &mut hyperparameters[of]);
            for (to, (kernel, _)) in to.unwrap_or_default().iter_mut().zip(&of) {
                *to += Real::to_f64(state * by * kernel.0[0]);
            }
        }
    }
    layer.give(sums, hyperparameters);
}

/// Computes the variances of states; that they have a kernel is checked before.
fn own_variances<T: Real>(layer: &Recurrent, diagonal: &[Pack<T>]) -> Vec<T> {
    let Ok(all) = variances(layer, diagonal, |_, _| Ok::<(), Infallible>(()));
    all
}

/// Returns the factors of states and inputs.
fn factors<T: Real>(layer: &Recurrent) -> [T; 2] {
    let of = &layer.recurrence;
    [of.w_std, of.u_std].map(|std| T::of(std * std))
}

/// All states, what they are made of, and where they lie.
struct Pass<'a, T: Real> {
    maps: &'a dyn Maps<T>,
    weights: Weights<T>,
    /// How many pairs there are of a position of the first samples.
    width: usize,
    /// S and T.
    before: Field<T>,
    /// K and H.
    states: Field<T>,
    /// What the activation needs of the states of either side, `[position][number]`.
    numbers: [Vec<Pack<T>>; 2],
}

impl<'a, T: Real> Pass<'a, T> {
    fn new(layer: &'a Recurrent, known: [&[T]; 2], field: &Field<T>) -> Self {
        let mut before = Field::zeros(field.extent, field.positions, true);
        let states = states(layer, known, field, Some(&mut before));
        let [one, two] = known.map(|all| all.chunks_exact(GROUP));
        Self {
            maps: layer.site.map.maps(),
            weights: Weights::new(layer),
            width: match field.extent {
                Extent::Diagonal => 1,
                Extent::All => field.positions,
            },
            before,
            states,
            numbers: [
                one.map(|four| First(four).get(0)).collect(),
                two.map(|four| Second(four).get(0)).collect(),
            ],
        }
    }

    /// Returns the number of the pair of the step before.
    #[inline(always)]
    fn past(&self, at: usize) -> Option<usize> {
        let (t, q) = (at / self.width, at % self.width);
        match self.before.extent {
            Extent::Diagonal => at.checked_sub(1),
            Extent::All => (t > 0 && q > 0).then(|| at - self.width - 1),
        }
    }

    /// Returns the positions of the two sides of a pair.
    #[inline(always)]
    fn ends(&self, at: usize) -> [usize; 2] {
        match self.before.extent {
            Extent::Diagonal => [at, at],
            Extent::All => [at / self.width, at % self.width],
        }
    }

    /// Computes the derivatives of the dual at the pairs of one position of the first samples.
    fn slopes(&self, t: usize, slopes: &mut [Slopes<T>]) {
        let count = self.maps.numbers();
        let [one, two] = &self.numbers;
        let two = match self.before.extent {
            Extent::Diagonal => &two[t * count..][..count],
            Extent::All => &two[..],
        };
        self.maps.slopes_row(SlopesRow {
            one: &one[t * count..][..count],
            step: 0,
            two,
            count,
            q: &self.before.nngp[t * self.width..][..self.width],
            slopes,
        });
    }

    /// Computes those by the activation's parameters at one pair.
    fn parameter_slopes(&self, at: usize, of: &mut [ParameterSlopes<T>]) {
        let count = self.maps.numbers();
        let [p, q] = self.ends(at);
        let [one, two] = &self.numbers;
        let (one, two) = (&one[p * count..][..count], &two[q * count..][..count]);
        self.maps
            .parameter_slopes(one, two, self.before.nngp[at], of);
    }
}

/// Computes the derivatives of the layer's output, from those of the covariances before it, `by`, and of the
/// variances of the states of both sides, `[position][sample]`; `known` is what the activation needs of
/// these.
pub(in super::super) fn tangent<T: Real>(
    layer: &Recurrent,
    known: [&[T]; 2],
    variances_by: [&[T]; 2],
    [field, by]: [&Field<T>; 2],
    numbers: &[bool],
) -> Field<T> {
    let pass = Pass::new(layer, known, field);
    let moved = layer.moved(numbers);
    let weights = &pass.weights;
    let [state, input, bias] = [moved.state, moved.input, moved.bias].map(Pack::of);
    let [one, two] = variances_by.map(|all| all.chunks_exact(GROUP));
    let one: Vec<_> = one.map(|four| First(four).get(0)).collect();
    let two: Vec<_> = two.map(|four| Second(four).get(0)).collect();
    let chosen = layer
        .parameters()
        .map(|of| &numbers[of])
        .unwrap_or_default();
    let mut of_parameters = match chosen.contains(&true) {
        true => room_for_parameters(layer),
        false => Vec::new(),
    };
    let [tx, by_tx] = [field, by].map(|field| ntk_of(field.ntk.as_deref()));
    let [pre, past_h] = [&pass.before, &pass.states].map(|field| ntk_of(field.ntk.as_deref()));
    let pairs = field.nngp.len();
    let (mut nngp, mut ntk) = (vec![Pack::zero(); pairs], vec![Pack::zero(); pairs]);
    let mut slopes = room_for_slopes(pass.width);
    for t in 0..field.positions {
        pass.slopes(t, &mut slopes);
        let row = t * pass.width..(t + 1) * pass.width;
        wide(
            #[inline(always)]
            || {
                for (at, of) in row.clone().zip(&slopes) {
                    by_lanes();
                    let zero = Pack::zero();
                    let [k, h, dk, dh] = match pass.past(at) {
                        Some(past) => {
                            let k = pass.states.nngp[past];
                            [k, past_h[past], nngp[past], ntk[past]]
                        }
                        None => [zero; 4],
                    };
                    let (x, dx) = (field.nngp[at], by.nngp[at]);
                    let inputs = dx.mul_add(weights.input, x.mul_add(input, bias));
                    let ds = dk.mul_add(weights.state, k.mul_add(state, inputs));
                    let own = match weights.standard {
                        None => ds,
                        Some([inputs, states, _]) => dx.mul_add(inputs, dk * states),
                    };
                    let dt = by_tx[at].mul_add(weights.input, tx[at].mul_add(input, own));
                    let dt = dh.mul_add(weights.state, h.mul_add(state, dt));
                    let [p, q] = pass.ends(at);
                    let along = |by: &[Pack<T>; 3]| {
                        by[0].mul_add(one[p], by[1].mul_add(two[q], by[2] * ds))
                    };
                    nngp[at] = along(&of.kernel_by);
                    ntk[at] = dt.mul_add(of.derivative, along(&of.derivative_by) * pre[at]);
                }
            },
        );
        if of_parameters.is_empty() {
            continue;
        }
        for at in row {
            pass.parameter_slopes(at, &mut of_parameters);
            for (&(kernel, derivative), _) in of_parameters
                .iter()
                .zip(chosen)
                .filter(|&(_, &chosen)| chosen)
            {
                nngp[at] = nngp[at] + kernel;
                ntk[at] = ntk[at] + derivative * pre[at];
            }
        }
    }
    let out = Field {
        extent: field.extent,
        positions: field.positions,
        nngp,
        ntk: Some(ntk),
        masks: [None, None],
    };
    match layer.recurrence.states {
        States::All => out,
        States::Last => last(&out, &field.masks),
    }
}

/// Computes the derivatives by the covariances before the layer, and by the variances of the states of both
/// sides, `[position][sample]`, from those by the output, `bar`; adds those by hyperparameters.
pub(in super::super) fn adjoint<T: Real>(
    layer: &Recurrent,
    known: [&[T]; 2],
    field: &Field<T>,
    bar: &Field<T>,
    hyperparameters: &mut [f64],
) -> (Field<T>, [Vec<T>; 2]) {
    let pass = Pass::new(layer, known, field);
    let positions = field.positions;
    let weights = &pass.weights;
    // Those by states are on their way in `nngp` and `ntk`, and those by inputs come in their place.
    let bar = match layer.recurrence.states {
        States::All => bar.clone(),
        States::Last => last_transposed(bar, &field.masks, field.extent, positions),
    };
    let tx = ntk_of(field.ntk.as_deref());
    let [pre, past_h] = [&pass.before, &pass.states].map(|field| ntk_of(field.ntk.as_deref()));
    let mut ntk = ntk_of(bar.ntk.as_deref()).to_vec();
    let mut nngp = bar.nngp;
    let mut variances = [0, 1].map(|_| vec![Pack::zero(); positions]);
    let [one, two] = &mut variances;
    let (mut state, mut input, mut bias) = (Sum::zero(), Sum::zero(), Sum::zero());
    let mut of_parameters = room_for_parameters(layer);
    let numbers = layer.parameters().unwrap_or_default();
    let mut slopes = room_for_slopes(pass.width);
    for t in (0..positions).rev() {
        pass.slopes(t, &mut slopes);
        let row = t * pass.width..(t + 1) * pass.width;
        if !of_parameters.is_empty() {
            for at in row.clone() {
                pass.parameter_slopes(at, &mut of_parameters);
                let to = &mut hyperparameters[numbers.clone()];
                for (to, &(kernel, derivative)) in to.iter_mut().zip(&of_parameters) {
                    *to += (nngp[at] * kernel + ntk[at] * pre[at] * derivative).sum();
                }
            }
        }
        wide(
            #[inline(always)]
            || {
                for (at, of) in row.zip(&slopes) {
                    by_lanes();
                    let (by_k, by_h) = (nngp[at], ntk[at]);
                    let moved = by_h * pre[at];
                    let by = |k: usize| by_k.mul_add(of.kernel_by[k], moved * of.derivative_by[k]);
                    let [p, q] = pass.ends(at);
                    one[p] = one[p] + by(0);
                    two[q] = two[q] + by(1);
                    let by_t = by_h * of.derivative;
                    let zero = Pack::zero();
                    // Those by S, and what T adds to those by X and K of the step before.
                    let (by_s, by_x, by_past) = match weights.standard {
                        None => (by(2) + by_t, zero, zero),
                        Some([inputs, states, _]) => (by(2), by_t * inputs, by_t * states),
                    };
                    bias.add(by_s);
                    input.add(by_s * field.nngp[at] + by_t * tx[at]);
                    if let Some(past) = pass.past(at) {
                        state.add(by_s * pass.states.nngp[past] + by_t * past_h[past]);
                        nngp[past] = nngp[past] + by_s.mul_add(weights.state, by_past);
                        ntk[past] = by_t.mul_add(weights.state, ntk[past]);
                    }
                    nngp[at] = by_s.mul_add(weights.input, by_x);
                    ntk[at] = by_t * weights.input;
                }
            },
        );
    }
    let sums = Squares {
        state: state.total().sum(),
        input: input.total().sum(),
        bias: bias.total().sum(),
    };
    layer.give(sums, hyperparameters);
    let back = Field {
        extent: field.extent,
        positions,
        nngp,
        ntk: Some(ntk),
        masks: [None, None],
    };
    let [one, two] = variances;
    let one = one.into_iter().flat_map(firsts).collect();
    let two = two.into_iter().flat_map(seconds).collect();
    (back, [one, two])
}
