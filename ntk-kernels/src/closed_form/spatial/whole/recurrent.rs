//! Computes kernels of recurrent layers, whose weights are the same at every position.
//!
//! With X the kernel of the inputs and `K`, `D` the dual of the activation, for all positions t and t'
//! (Alemohammad et al. 2020, arXiv:2006.10246, theorem 1):
//!
//! ```text
//! S[t, t'] = u_std^2 X[t, t'] + b_std^2 + w_std^2 K(S)[t-1, t'-1]
//! T[t, t'] = own + u_std^2 T_X[t, t'] + w_std^2 D(S)[t-1, t'-1] T[t-1, t'-1]
//! ```
//!
//! (with two biases twice `b_std^2`), where `own` is S in NTK parameterisation, and `C X + N K(S)[t-1, t'-1]`, with each bias + 1, in the
//! standard one. What comes out is `K(S)`, `D(S) T`.

use super::super::super::KernelError;
use super::super::super::program::Recurrent;
use super::super::lanes::{GROUP, Mask, own};
use super::super::run::Known;
use super::field::{Extent, Field};
use crate::network::States;
use crate::pack::{Pack, wide};
use crate::pairs::Maps;
use crate::pairs::plane::Line;
use ntk_linalg::Real;

impl Recurrent {
    /// Says which pairs of positions are needed for those wanted: of last states, which masks may have
    /// anywhere, all of them.
    pub(super) fn needed(&self, wanted: Extent, masked: bool) -> Extent {
        match self.recurrence.states {
            States::Last if masked => Extent::All,
            States::Last => Extent::Diagonal,
            States::All => wanted,
        }
    }
}

/// The state of a row of pairs on the way: before and after the activation.
struct Weights<T> {
    input: Pack<T>,
    state: Pack<T>,
    bias: Pack<T>,
    /// The shares of inputs, states and biases in the NTK of the standard parameterisation.
    standard: Option<[Pack<T>; 3]>,
}

impl<T: Real> Weights<T> {
    fn new(layer: &Recurrent) -> Self {
        let recurrence = &layer.recurrence;
        let square = |std: f64| Pack::of(std * std);
        let biases = recurrence.biases as f64;
        let bias = if recurrence.b_std.is_some() {
            biases
        } else {
            0.0
        };
        let own = [recurrence.channels as f64, recurrence.width as f64, bias];
        Self {
            input: square(recurrence.u_std),
            state: square(recurrence.w_std),
            bias: square(recurrence.b_std.unwrap_or(0.0)) * T::of(biases),
            standard: layer.standard.then(|| own.map(Pack::of)),
        }
    }

    /// Computes S and T of a pair, from the input's kernels and the state's at the step before: none at
    /// the first.
    #[inline(always)]
    fn step(&self, [x, tx]: [Pack<T>; 2], before: Option<[Pack<T>; 2]>) -> [Pack<T>; 2] {
        let [k, t] = before.unwrap_or([Pack::zero(); 2]);
        let s = k.mul_add(self.state, x.mul_add(self.input, self.bias));
        let own = match self.standard {
            None => s,
            Some([inputs, states, bias]) => k.mul_add(states, x.mul_add(inputs, bias)),
        };
        let t = t.mul_add(self.state, tx.mul_add(self.input, own));
        [s, t]
    }
}

/// Takes pairs through the layer.
pub(super) fn through<T: Real>(
    layer: &Recurrent,
    field: &Field<T>,
    known: &mut Known<'_, T>,
    name: &dyn Fn(usize) -> String,
) -> Result<Field<T>, KernelError> {
    let maps: &dyn Maps<T> = layer.site.map.maps();
    let count = layer.site.map.numbers();
    let positions = field.positions;
    let weights = Weights::new(layer);
    if let Known::Own(sides) = known {
        sides.0[layer.site.index] = own_numbers(layer, &weights, &field.diagonal(), name)?;
    }
    let [one, two] = match known {
        Known::Both(one, two) => [&one.0[layer.site.index], &two.0[layer.site.index]],
        Known::Own(sides) => [&sides.0[layer.site.index]; 2],
    };
    let nothing = vec![T::zero(); positions];
    let group = (count * GROUP).max(1);
    let numbers = |all: &'_ [T]| -> Vec<T> {
        if count == 0 {
            nothing.clone()
        } else {
            all.to_vec()
        }
    };
    let (one, two) = (numbers(one), numbers(two));
    let mut out = Field::zeros(field.extent, positions, field.ntk.is_some());
    let zero = Pack::zero();
    // Row t of pairs, from row t - 1 of states; of pairs of equal positions there is one a row.
    let width = match field.extent {
        Extent::Diagonal => 1,
        Extent::All => positions,
    };
    let mut first = vec![T::zero(); width * group];
    for t in 0..positions {
        let start = t * width;
        for q in 0..width {
            let at = start + q;
            // The pair of the step before lies a row and, of all pairs, a place before.
            let before = match field.extent {
                Extent::Diagonal => (t > 0).then(|| at - 1),
                Extent::All => (t > 0 && q > 0).then(|| at - width - 1),
            };
            let of = |field: &Field<T>, at: usize| {
                [
                    field.nngp[at],
                    field.ntk.as_ref().map_or(zero, |ntk| ntk[at]),
                ]
            };
            let [s, ntk] = wide(
                #[inline(always)]
                || weights.step(of(field, at), before.map(|before| of(&out, before))),
            );
            out.nngp[at] = s;
            if let Some(to) = &mut out.ntk {
                to[at] = ntk;
            }
        }
        for to in first.chunks_exact_mut(group) {
            to.copy_from_slice(&one[t * group..][..group]);
        }
        let second = match field.extent {
            Extent::Diagonal => &two[t * group..][..group],
            Extent::All => &two[..],
        };
        let row = start..start + width;
        maps.line(Line {
            first: &first,
            second,
            count: group,
            nngp: &mut out.nngp[row.clone()],
            ntk: out.ntk.as_mut().map_or(&mut [], |ntk| &mut ntk[row]),
        });
    }
    if layer.recurrence.states == States::All {
        return Ok(out);
    }
    Ok(last(&out, &field.masks))
}

/// Finds what the activation needs of each state of the samples, from their covariances with
/// themselves, as it goes along.
fn own_numbers<T: Real>(
    layer: &Recurrent,
    weights: &Weights<T>,
    diagonal: &[Pack<T>],
    name: &dyn Fn(usize) -> String,
) -> Result<Vec<T>, KernelError> {
    let site = &layer.site;
    let count = site.map.numbers();
    let mut all = vec![T::zero(); diagonal.len() * count * GROUP];
    let mut one = vec![T::zero(); count];
    let mut before: Option<[Pack<T>; 2]> = None;
    for (position, &x) in diagonal.iter().enumerate() {
        let [s, _] = weights.step([x, Pack::zero()], before);
        let mut next = Pack::zero();
        for sample in 0..GROUP {
            let variance = s.0[own(sample)];
            site.check(&[variance], |_| name(sample))?;
            site.map.prepare(variance, &mut one);
            for (k, &number) in one.iter().enumerate() {
                all[(position * count + k) * GROUP + sample] = number;
            }
            next.0[own(sample)] = site.map.diagonal(variance).0;
        }
        before = Some([next, Pack::zero()]);
    }
    Ok(all)
}

/// Takes the last states, those of the last positions that are not masked.
fn last<T: Real>(all: &Field<T>, masks: &[Option<Mask>; 2]) -> Field<T> {
    let positions = all.positions;
    let ends = masks.each_ref().map(|mask| {
        std::array::from_fn::<usize, GROUP, _>(|sample| {
            let unmasked = |mask: &Mask| mask.iter().rposition(|masked| !masked[sample]);
            let end = mask.as_ref().map_or(Some(positions - 1), unmasked);
            end.unwrap_or(0)
        })
    });
    all.mapped(Extent::Diagonal, 1, |from| {
        let mut out = Pack::zero();
        for (lane, to) in out.0.iter_mut().enumerate() {
            let (p, q) = (ends[0][lane / GROUP], ends[1][lane % GROUP]);
            *to = match all.extent {
                Extent::Diagonal => from[p].0[lane],
                Extent::All => from[p * positions + q].0[lane],
            };
        }
        vec![out]
    })
}
