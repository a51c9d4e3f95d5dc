//! Sums covariances over the edges of both samples' graphs: `A1^T K A2`.

use super::super::lanes::{Beside, GROUP};
use super::super::matrix::Matrix;
use super::super::spare::Spare;
use super::field::Field;
use super::sandwich::sandwich;
use crate::network::{AXES, places};
use ntk_linalg::Real;
use std::borrow::Cow;

/// Sums over edges whose nodes are the positions along the marked axes; without graphs nothing changes.
pub(in super::super::super) fn sum<T: Real>(
    sizes: [usize; AXES],
    over: [bool; AXES],
    beside: [&Beside<T>; 2],
    field: &mut Field<T>,
    spare: &mut Spare<T>,
) {
    if beside.iter().all(|beside| beside.edges.is_none()) {
        return;
    }
    // For each position along the other axes those that are nodes, in their order.
    let places = places(sizes, over);
    let [first, second] = beside.map(|beside| matrix(beside, &places, field.positions));
    sandwich([&first, &second], &mut field.nngp, spare);
    if let Some(ntk) = &mut field.ntk {
        sandwich([&first, &second], ntk, spare);
    }
}

/// Computes the transpose of [`sum`], which takes derivatives by what it gives to those by what it takes.
pub(in super::super::super) fn transposed<T: Real>(
    sizes: [usize; AXES],
    over: [bool; AXES],
    beside: [&Beside<T>; 2],
    field: &mut Field<T>,
    spare: &mut Spare<T>,
) {
    if beside.iter().all(|beside| beside.edges.is_none()) {
        return;
    }
    let places = places(sizes, over);
    let of = |beside| matrix(beside, &places, field.positions).transpose();
    let [first, second] = beside.map(of);
    sandwich([&first, &second], &mut field.nngp, spare);
    if let Some(ntk) = &mut field.ntk {
        sandwich([&first, &second], ntk, spare);
    }
}

/// Returns the matrices of edges: those that are kept, where all positions are nodes.
fn matrix<'a, T: Real>(
    beside: &'a Beside<T>,
    places: &[Vec<usize>],
    positions: usize,
) -> Cow<'a, Matrix<'static, T>> {
    let made = || edges(beside, places, positions);
    match places.len() {
        1 => Cow::Borrowed(beside.matrix.get_or_init(made)),
        _ => Cow::Owned(made()),
    }
}

/// Makes the matrices of edges, heads in rows; without graphs nodes keep what they have.
fn edges<T: Real>(
    beside: &Beside<T>,
    places: &[Vec<usize>],
    positions: usize,
) -> Matrix<'static, T> {
    let Some(edges) = &beside.edges else {
        let own = (0..positions).map(|at| (at, at, [T::one(); GROUP]));
        return Matrix::sparse(own, positions);
    };
    let entries = places.iter().flat_map(|nodes| {
        let place = |&(head, tail, weights): &_| (nodes[head], nodes[tail], weights);
        edges.iter().map(place)
    });
    Matrix::sparse(entries, positions)
}
