//! Sums covariances over the edges of both samples' graphs: `A1^T K A2`.

use super::super::lanes::{Beside, First, GROUP, Second};
use super::field::{Extent, Field};
use crate::network::{AXES, places};
use crate::pack::{Pack, wide};
use crate::pairs::Side;
use crate::sums::carry;
use ntk_linalg::Real;

/// Sums over edges whose nodes are the positions along the marked axes; without graphs nothing changes.
pub(super) fn summed<T: Real>(
    sizes: [usize; AXES],
    over: [bool; AXES],
    beside: [&Beside<T>; 2],
    field: Field<T>,
) -> Field<T> {
    if beside.iter().all(|beside| beside.edges.is_none()) {
        return field;
    }
    // For each position along the other axes those that are nodes, in their order.
    let places = places(sizes, over);
    let positions = field.positions;
    field.mapped(Extent::All, positions, |from| {
        let first = heads(beside[0], &places, positions, from);
        tails(beside[1], &places, positions, &first)
    })
}

/// Sums over the edges of the first samples: whole rows of pairs.
fn heads<T: Real>(
    beside: &Beside<T>,
    places: &[Vec<usize>],
    positions: usize,
    from: &[Pack<T>],
) -> Vec<Pack<T>> {
    let Some(edges) = &beside.edges else {
        return from.to_vec();
    };
    let mut out = vec![Pack::zero(); from.len()];
    let mut lost = out.clone();
    for nodes in places {
        for (head, tail, weights) in edges {
            let weight = First(weights).get(0);
            let (to, tail) = (nodes[*head] * positions, nodes[*tail] * positions);
            let (to, lost) = (&mut out[to..][..positions], &mut lost[to..][..positions]);
            wide(
                #[inline(always)]
                || {
                    for ((to, lost), &value) in to.iter_mut().zip(lost).zip(&from[tail..]) {
                        carry(to, lost, weight * value);
                    }
                },
            );
        }
    }
    out.iter()
        .zip(lost)
        .map(|(&sum, lost)| sum + lost)
        .collect()
}

/// Sums over the edges of the second samples: within each row.
fn tails<T: Real>(
    beside: &Beside<T>,
    places: &[Vec<usize>],
    positions: usize,
    from: &[Pack<T>],
) -> Vec<Pack<T>> {
    let Some(edges) = &beside.edges else {
        return from.to_vec();
    };
    let mut out = vec![Pack::zero(); from.len()];
    let mut lost = vec![Pack::zero(); positions];
    let rows = from.chunks_exact(positions);
    for (from, to) in rows.zip(out.chunks_exact_mut(positions)) {
        lost.fill(Pack::zero());
        wide(
            #[inline(always)]
            || {
                for nodes in places {
                    for (head, tail, weights) in edges {
                        let weight = Second(&weights[..GROUP]).get(0);
                        let at = nodes[*head];
                        carry(&mut to[at], &mut lost[at], weight * from[nodes[*tail]]);
                    }
                }
                for (to, &lost) in to.iter_mut().zip(&lost) {
                    *to = *to + lost;
                }
            },
        );
    }
    out
}
