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

/// The factors of inputs and of states, and the summand of biases.
pub(in super::super::super) struct Weights<T> {
    pub(in super::super::super) input: Pack<T>,
    pub(in super::super::super) state: Pack<T>,
    bias: Pack<T>,
    /// The shares of inputs, states and biases in the NTK of the standard parameterisation.
    pub(in super::super::super) standard: Option<[Pack<T>; 3]>,
}

impl<T: Real> Weights<T> {
    pub(in super::super::super) fn new(layer: &Recurrent) -> Self {
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
pub(in super::super::super) fn through<T: Real>(
    layer: &Recurrent,
    field: &Field<T>,
    known: &mut Known<'_, T>,
    name: &dyn Fn(usize) -> String,
) -> Result<Field<T>, KernelError> {
    if let Known::Own(sides) = known {
        sides.0[layer.site.index] = own_numbers(layer, &field.diagonal(), name)?;
    }
    let known = match known {
        Known::Both(one, two) => [one, two].map(|sides| &sides.0[layer.site.index][..]),
        Known::Own(sides) => [&sides.0[layer.site.index][..]; 2],
    };
    let out = states(layer, known, field, None);
    if layer.recurrence.states == States::All {
        return Ok(out);
    }
    Ok(last(&out, &field.masks))
}

/// Computes all states, from what the activation needs of those of either side; `before` gets the S and T
/// that they are made of.
pub(in super::super::super) fn states<T: Real>(
    layer: &Recurrent,
    [one, two]: [&[T]; 2],
    field: &Field<T>,
    mut before: Option<&mut Field<T>>,
) -> Field<T> {
    let maps: &dyn Maps<T> = layer.site.map.maps();
    let count = layer.site.map.numbers();
    let positions = field.positions;
    let weights = Weights::new(layer);
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
            let past = match field.extent {
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
                || weights.step(of(field, at), past.map(|past| of(&out, past))),
            );
            out.nngp[at] = s;
            if let Some(to) = &mut out.ntk {
                to[at] = ntk;
            }
        }
        if let Some(before) = &mut before {
            let row = start..start + width;
            before.nngp[row.clone()].copy_from_slice(&out.nngp[row.clone()]);
            if let (Some(to), Some(from)) = (&mut before.ntk, &out.ntk) {
                to[row.clone()].copy_from_slice(&from[row]);
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
    out
}

/// Finds what the activation needs of each state of the samples, from their covariances with
/// themselves.
pub(in super::super::super) fn own_numbers<T: Real>(
    layer: &Recurrent,
    diagonal: &[Pack<T>],
    name: &dyn Fn(usize) -> String,
) -> Result<Vec<T>, KernelError> {
    let site = &layer.site;
    let count = site.map.numbers();
    let mut one = vec![T::zero(); count];
    let variances = variances(layer, diagonal, |variance, sample| {
        site.check(&[variance], |_| name(sample))
    })?;
    let mut all = vec![T::zero(); variances.len() * count];
    for (at, &variance) in variances.iter().enumerate() {
        let (position, sample) = (at / GROUP, at % GROUP);
        site.map.prepare(variance, &mut one);
        for (k, &number) in one.iter().enumerate() {
            all[(position * count + k) * GROUP + sample] = number;
        }
    }
    Ok(all)
}

/// Computes the variances of all states before the activation, `[position][sample]`, as it goes along;
/// `check` sees each, and its sample, before the next.
pub(in super::super::super) fn variances<T: Real, E>(
    layer: &Recurrent,
    diagonal: &[Pack<T>],
    mut check: impl FnMut(T, usize) -> Result<(), E>,
) -> Result<Vec<T>, E> {
    let weights = Weights::new(layer);
    let mut all = Vec::with_capacity(diagonal.len() * GROUP);
    let mut before: Option<[Pack<T>; 2]> = None;
    for &x in diagonal {
        let [s, _] = weights.step([x, Pack::zero()], before);
        let mut next = Pack::zero();
        for sample in 0..GROUP {
            let variance = s.0[own(sample)];
            check(variance, sample)?;
            all.push(variance);
            next.0[own(sample)] = layer.site.map.diagonal(variance).0;
        }
        before = Some([next, Pack::zero()]);
    }
    Ok(all)
}

/// Returns the last positions that are not masked, of so many.
fn ends(masks: &[Option<Mask>; 2], positions: usize) -> [[usize; GROUP]; 2] {
    masks.each_ref().map(|mask| {
        std::array::from_fn::<usize, GROUP, _>(|sample| {
            let unmasked = |mask: &Mask| mask.iter().rposition(|masked| !masked[sample]);
            let end = mask.as_ref().map_or(Some(positions - 1), unmasked);
            end.unwrap_or(0)
        })
    })
}

/// Takes the last states, those of the last positions that are not masked.
pub(in super::super::super) fn last<T: Real>(
    all: &Field<T>,
    masks: &[Option<Mask>; 2],
) -> Field<T> {
    let positions = all.positions;
    let ends = ends(masks, positions);
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

/// Computes the transpose of [`last`], for so many positions.
pub(in super::super::super) fn last_transposed<T: Real>(
    one: &Field<T>,
    masks: &[Option<Mask>; 2],
    extent: Extent,
    positions: usize,
) -> Field<T> {
    let ends = ends(masks, positions);
    one.mapped(extent, positions, |from| {
        let mut all = vec![Pack::zero(); extent.len(positions)];
        for (lane, &value) in from[0].0.iter().enumerate() {
            let (p, q) = (ends[0][lane / GROUP], ends[1][lane % GROUP]);
            let at = match extent {
                Extent::Diagonal => p,
                Extent::All => p * positions + q,
            };
            all[at].0[lane] = value;
        }
        all
    })
}
