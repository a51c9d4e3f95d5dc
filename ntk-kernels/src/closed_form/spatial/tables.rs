//! Lists what the outputs of a convolution sum, plane by plane.

use crate::network::Windows;
use crate::pairs::axis::{Axis, Taps};
use std::borrow::Cow;

/// The most taps of which the lists are kept from one block of pairs to the next. Those of more are
/// made for each plane: of long sequences they would take more memory than the covariances.
const MOST_TAPS: usize = 1 << 23;

/// The lists of all displacements along one axis.
pub(super) enum Tables {
    Kept(Vec<Taps>),
    Made {
        windows: Box<Windows>,
        axis: usize,
        wraps: bool,
        displacements: Vec<isize>,
    },
}

impl Tables {
    /// `displacements` are those of the outputs.
    pub(super) fn new(
        windows: &Windows,
        axis: usize,
        wraps: bool,
        displacements: &[isize],
    ) -> Self {
        let size = windows.outputs()[axis];
        let along = Axis { size, wraps };
        let outputs = displacements.iter().map(|&d| along.range(d).len());
        let outputs = outputs.fold(0, usize::saturating_add);
        let reads = windows.window()[axis].min(windows.inputs()[axis]);
        match outputs.saturating_mul(reads) <= MOST_TAPS {
            true => {
                let taps = |&d: &isize| taps(windows, axis, wraps, d);
                Self::Kept(displacements.iter().map(taps).collect())
            }
            false => Self::Made {
                windows: Box::new(windows.clone()),
                axis,
                wraps,
                displacements: displacements.to_vec(),
            },
        }
    }

    /// Returns the lists of displacement number `number`.
    pub(super) fn of(&self, number: usize) -> Cow<'_, Taps> {
        match self {
            Self::Kept(all) => Cow::Borrowed(&all[number]),
            Self::Made {
                windows,
                axis,
                wraps,
                displacements,
            } => Cow::Owned(taps(windows, *axis, *wraps, displacements[number])),
        }
    }
}

/// Lists what each output position of a plane sums, for the plane of displacement `d` of the
/// windows' outputs, and of `strides d` of their inputs.
fn taps(windows: &Windows, axis: usize, wraps: bool, d: isize) -> Taps {
    let [input, output] =
        [windows.inputs()[axis], windows.outputs()[axis]].map(|size| Axis { size, wraps });
    let from = d * windows.strides()[axis].cast_signed();
    let (range, pieces) = (input.range(from), input.pieces(from));
    let outputs = output.range(d).map(|out| {
        let same_piece = |&p: &usize| {
            windows.circular()
                || pieces
                    .iter()
                    // With strides 1 outputs sit where inputs do; otherwise there is one piece.
                    .any(|piece| piece.contains(&p) && (!wraps || piece.contains(&out)))
        };
        let taps = windows.taps(axis, out).iter();
        let found = taps.map(|&(_, at)| at).filter(same_piece);
        found.map(|p| p - range.start).collect()
    });
    Taps::new(outputs, range.len(), windows.window()[axis] == 3)
}
