//! The ranks of a communicator as a rectangle.

use std::ffi::{c_char, c_int};
use std::fmt;
use std::rc::Rc;

use mpi::ffi::MPI_Comm;
use mpi::topology::{Color, SimpleCommunicator};
use mpi::traits::{AsRaw, Communicator};

use crate::Cyclic;

unsafe extern "C" {
    fn Csys2blacs_handle(communicator: MPI_Comm) -> c_int;
    fn Cfree_blacs_system_handle(handle: c_int);
    fn Cblacs_gridinit(context: *mut c_int, order: *const c_char, rows: c_int, columns: c_int);
    fn Cblacs_gridexit(context: c_int);
}

/// A `Grid` is all ranks of a communicator as a rectangle of processes, filled row by row.
///
/// It is as near to a square as the number of ranks allows, with no more rows than columns: 2 x 3 for 6
/// ranks, 1 x 7 for 7. Nearly square grids send the least, so that a number of ranks with two
/// factors near its root is best. Clones are the same grid.
#[derive(Clone)]
pub struct Grid(Rc<Process>);

/// The place of this rank in a grid.
struct Process {
    /// A duplicate of the communicator, so that no message of ours meets one of the caller's.
    communicator: SimpleCommunicator,
    /// The processes of the same row, by column.
    along_row: SimpleCommunicator,
    handle: c_int,
    context: c_int,
    rows: usize,
    columns: usize,
}

impl Drop for Process {
    fn drop(&mut self) {
        // SAFETY: both came from the calls in `Grid::new`, and nobody else has them.
        unsafe {
            Cblacs_gridexit(self.context);
            Cfree_blacs_system_handle(self.handle);
        }
    }
}

impl Grid {
    /// Arranges all ranks of `communicator`.
    pub fn new(communicator: &impl Communicator) -> Self {
        let communicator = communicator.duplicate();
        let (rows, columns) = near_square(communicator.size());
        // SAFETY: the communicator is alive, and stays so until after `drop`; BLACS reads the
        // first letter of the order, 'R' for row by row, and writes the context.
        let (handle, context) = unsafe {
            let handle = Csys2blacs_handle(communicator.as_raw());
            let mut context = handle;
            Cblacs_gridinit(&mut context, c"Row".as_ptr(), rows, columns);
            (handle, context)
        };
        let row = communicator.rank() / columns;
        let along_row = communicator
            .split_by_color(Color::with_value(row))
            .expect("every rank has given a color");
        Self(Rc::new(Process {
            communicator,
            along_row,
            handle,
            context,
            rows: index(rows),
            columns: index(columns),
        }))
    }

    /// Returns the numbers of rows and columns of processes.
    pub fn shape(&self) -> (usize, usize) {
        (self.0.rows, self.0.columns)
    }

    /// Returns the number of ranks.
    pub fn ranks(&self) -> usize {
        self.0.rows * self.0.columns
    }

    /// Returns the rank of this process, which is `row * columns + column`.
    pub fn rank(&self) -> usize {
        index(self.0.communicator.rank())
    }

    /// Returns the grid's own communicator, with the ranks of the one it was made from.
    pub fn communicator(&self) -> &SimpleCommunicator {
        &self.0.communicator
    }

    /// Returns the processes of this one's row; a process' rank there is its column.
    pub fn along_row(&self) -> &SimpleCommunicator {
        &self.0.along_row
    }

    /// Computes the rows and the columns of a matrix of `shape` in blocks of `block`, at least 1,
    /// that `rank` holds.
    pub fn axes(&self, rank: usize, shape: (usize, usize), block: usize) -> (Cyclic, Cyclic) {
        let axis = |length, part, parts| Cyclic {
            length,
            block: block.max(1),
            part,
            parts,
        };
        let (rows, columns) = self.shape();
        (
            axis(shape.0, rank / columns % rows, rows),
            axis(shape.1, rank % columns, columns),
        )
    }

    pub(crate) fn context(&self) -> c_int {
        self.0.context
    }
}

impl fmt::Debug for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, columns) = self.shape();
        write!(f, "Grid({rows} x {columns}, rank {})", self.rank())
    }
}

/// Converts MPI's ranks and sizes, which are not negative.
fn index(rank: i32) -> usize {
    usize::try_from(rank).expect("a rank is not negative")
}

/// Finds the factors of `ranks` that are nearest to each other, the smaller one first.
fn near_square(ranks: i32) -> (i32, i32) {
    let rows = (1..=ranks.isqrt()).rev().find(|rows| ranks % rows == 0);
    let rows = rows.expect("1 divides every number");
    (rows, ranks / rows)
}

#[cfg(test)]
mod tests {
    use super::near_square;

    #[test]
    fn grids_are_as_square_as_may_be() {
        let found = [1, 2, 3, 4, 6, 7, 12, 16, 48, 1024].map(near_square);
        let expected = [
            (1, 1),
            (1, 2),
            (1, 3),
            (2, 2),
            (2, 3),
            (1, 7),
            (3, 4),
            (4, 4),
            (6, 8),
            (32, 32),
        ];
        assert_eq!(found, expected);
    }
}
