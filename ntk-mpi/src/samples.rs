//! The samples on their way from rank 0.

use crate::Cyclic;
use crate::communicate::{broadcast, receive, send};
use mpi::traits::Communicator;
use ndarray::{ArrayD, ArrayViewD, Axis, Slice};

/// Gives every rank the samples of `held(rank)`, in their order, from those of rank 0, one after
/// another in each message.
///
/// `shape` is that of rank 0's whole input, on every rank.
pub(crate) fn deal(
    communicator: &impl Communicator,
    whole: &ArrayViewD<'_, f64>,
    shape: &[usize],
    held: impl Fn(usize) -> Cyclic,
) -> ArrayD<f64> {
    let rank = usize::try_from(communicator.rank()).expect("a rank is not negative");
    if rank == 0 {
        for to in 1..usize::try_from(communicator.size()).expect("a size is not negative") {
            let part = part(whole, held(to));
            send(communicator, to, part.as_slice().expect("it is new"));
        }
        return part(whole, held(0));
    }
    let mut shape = shape.to_vec();
    if let Some(samples) = shape.first_mut() {
        *samples = held(rank).held();
    }
    let mut part = ArrayD::zeros(shape);
    receive(communicator, 0, part.as_slice_mut().expect("it is new"));
    part
}

/// Copies the samples of `held` to standard layout.
fn part(whole: &ArrayViewD<'_, f64>, held: Cyclic) -> ArrayD<f64> {
    let mut shape = whole.shape().to_vec();
    shape[0] = held.held();
    let mut part = ArrayD::zeros(shape);
    for (indices, places) in held.blocks() {
        part.slice_axis_mut(Axis(0), Slice::from(places))
            .assign(&whole.slice_axis(Axis(0), Slice::from(indices)));
    }
    part
}

/// Gives every rank the shape that rank 0 has.
pub(crate) fn shape_of_root(communicator: &impl Communicator, shape: &[usize]) -> Vec<usize> {
    let mut axes = [shape.len()];
    broadcast(communicator, 0, &mut axes);
    let mut shape = shape.to_vec();
    shape.resize(axes[0], 0);
    broadcast(communicator, 0, &mut shape);
    shape
}
