//! Messages of any length.
//!
//! MPI counts a message's items in 32 bits, so that longer ones go in pieces.

use std::fmt::Display;

use mpi::collective::SystemOperation;
use mpi::traits::{
    BufferMut, Communicator, CommunicatorCollectives, Destination, Equivalence, Root, Source,
};

/// The number of items in a piece: 128 MiB of numbers.
const PIECE: usize = 1 << 24;

/// Sends `numbers` to `rank`, which calls [`receive`]. The call is not collective.
pub fn send(communicator: &impl Communicator, rank: usize, numbers: &[f64]) {
    let process = communicator.process_at_rank(number(rank));
    numbers.chunks(PIECE).for_each(|piece| process.send(piece));
}

/// Takes as many numbers as there are in `numbers`, from `rank`'s [`send`]. The call is not
/// collective.
pub fn receive(communicator: &impl Communicator, rank: usize, numbers: &mut [f64]) {
    let process = communicator.process_at_rank(number(rank));
    for piece in numbers.chunks_mut(PIECE) {
        process.receive_into(piece);
    }
}

/// Gives every rank the `items` of `root`, as many on every rank.
pub fn broadcast<T: Equivalence>(communicator: &impl Communicator, root: usize, items: &mut [T])
where
    [T]: BufferMut,
{
    let root = communicator.process_at_rank(number(root));
    for piece in items.chunks_mut(PIECE) {
        root.broadcast_into(piece);
    }
}

/// Adds up the `numbers` of all ranks, entry by entry, on rank 0; other ranks' stay as they are.
pub fn sum_at_root(communicator: &impl Communicator, numbers: &mut [f64]) {
    let root = communicator.process_at_rank(0);
    let mut total = Vec::new();
    for piece in numbers.chunks_mut(PIECE) {
        if communicator.rank() == 0 {
            total.resize(piece.len(), 0.0);
            root.reduce_into_root(piece, &mut total[..], SystemOperation::sum());
            piece.copy_from_slice(&total);
        } else {
            root.reduce_into(piece, SystemOperation::sum());
        }
    }
}

/// Adds up the `numbers` of all ranks, entry by entry: the same to the last bit on every rank.
pub fn sum(communicator: &impl Communicator, numbers: &mut [f64]) {
    // MPI does not promise that an all-reduce rounds alike on every rank.
    sum_at_root(communicator, numbers);
    broadcast(communicator, 0, numbers);
}

/// Finds the first rank that has an `error`, and what it says, on every rank; `None` where none has.
///
/// It is for what may fail on one rank alone: others then learn of it instead of waiting.
pub fn first_failure(
    communicator: &impl Communicator,
    error: Option<&dyn Display>,
) -> Option<(usize, String)> {
    let rank = usize::try_from(communicator.rank()).expect("a rank is not negative");
    let first = smallest(
        communicator,
        if error.is_some() { rank } else { usize::MAX },
    );
    if first == usize::MAX {
        return None;
    }
    let said = error.map(ToString::to_string).unwrap_or_default();
    let mut length = [said.len()];
    broadcast(communicator, first, &mut length);
    let mut text = said.into_bytes();
    text.resize(length[0], 0);
    broadcast(communicator, first, &mut text);
    Some((first, String::from_utf8_lossy(&text).into_owned()))
}

/// Computes the smallest of all ranks' numbers, on every rank.
pub(crate) fn smallest(communicator: &impl Communicator, number: usize) -> usize {
    let mut smallest = 0;
    communicator.all_reduce_into(&number, &mut smallest, SystemOperation::min());
    smallest
}

/// Converts a rank to MPI's integers.
fn number(rank: usize) -> i32 {
    i32::try_from(rank).expect("a rank of the communicator")
}
