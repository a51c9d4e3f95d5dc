//! Says which pairs of places a line is of.

use super::super::spatial::whole::field::Extent;
use crate::network::AXES;
use crate::pairs::axis::Axis;
use std::ops::Range;

/// A `Shape` says which places of the two sides the packs of a line belong to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    /// Each of some samples with all packs of others, row by row.
    Rows { rows: usize, width: usize },
    /// All pairs of so many positions, row by row.
    All(usize),
    /// Each place with its own.
    Equal(usize),
    /// Positions and those at one displacement from them.
    Plane(Plane),
}

/// A `Run` is a stretch of packs whose places follow one another on the second side, and on the first one,
/// too, or are one place there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) start: usize,
    pub(super) len: usize,
    pub(super) first: usize,
    pub(super) second: usize,
    /// How far each place of the first side is from the last: 0 or 1.
    pub(super) step: usize,
}

impl Shape {
    /// Returns the shape of covariances of so many positions.
    pub(super) fn of(extent: Extent, positions: usize) -> Self {
        match extent {
            Extent::Diagonal => Self::Equal(positions),
            Extent::All => Self::All(positions),
        }
    }

    /// Returns the number of packs.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Rows { rows, width } => rows * width,
            Self::All(positions) => positions * positions,
            Self::Equal(len) => len,
            Self::Plane(plane) => plane.len(),
        }
    }

    /// Returns which pairs of positions these are, and the number of positions.
    ///
    /// # Panics
    /// For samples without positions, and for planes, which do not go through what mixes displacements.
    pub(super) fn field(self) -> (Extent, usize) {
        match self {
            Self::All(positions) => (Extent::All, positions),
            Self::Equal(positions) => (Extent::Diagonal, positions),
            Self::Rows { .. } | Self::Plane(_) => {
                unreachable!("these end before layers that mix positions")
            }
        }
    }

    /// Returns how far packs of equal places are apart; `None` where there are none.
    pub(super) fn between_equal(self) -> Option<usize> {
        match self {
            Self::Rows { .. } => None,
            Self::All(positions) => Some(positions + 1),
            Self::Equal(_) => Some(1),
            Self::Plane(plane) => plane.is_zero().then_some(1),
        }
    }

    /// Lists the runs, none of them empty.
    pub(super) fn runs(self) -> Vec<Run> {
        match self {
            _ if self.len() == 0 => Vec::new(),
            Self::All(positions) => {
                let (rows, width) = (positions, positions);
                Self::Rows { rows, width }.runs()
            }
            Self::Rows { rows, width } => {
                let run = |row| Run {
                    start: row * width,
                    len: width,
                    first: row,
                    second: 0,
                    step: 0,
                };
                (0..rows).map(run).collect()
            }
            Self::Equal(len) => vec![Run {
                start: 0,
                len,
                first: 0,
                second: 0,
                step: 1,
            }],
            Self::Plane(plane) => plane.runs(),
        }
    }
}

/// A `Plane` is of the positions `p` of a grid with those at `p + displacement`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Plane {
    pub(super) sizes: [usize; AXES],
    pub(super) displacement: [isize; AXES],
}

impl Plane {
    /// Returns the first positions along an axis.
    pub(super) fn range(self, axis: usize) -> Range<usize> {
        let size = self.sizes[axis];
        let wraps = false;
        Axis { size, wraps }.range(self.displacement[axis])
    }

    pub(super) fn len(self) -> usize {
        (0..AXES).map(|axis| self.range(axis).len()).product()
    }

    /// Returns the plane of the same pairs, exchanged, in the same order.
    pub(super) fn opposite(self) -> Self {
        Self {
            sizes: self.sizes,
            displacement: self.displacement.map(|d| -d),
        }
    }

    /// Says whether its displacement comes before the opposite one.
    pub(super) fn is_first(self) -> bool {
        self.displacement >= [0; AXES]
    }

    /// Says whether it is of positions with themselves.
    pub(super) fn is_zero(self) -> bool {
        self.displacement == [0; AXES]
    }

    /// Returns the number of a position.
    fn at(self, place: [usize; AXES]) -> usize {
        let along = place.into_iter().zip(self.sizes);
        along.fold(0, |at, (place, size)| at * size + place)
    }

    /// Returns the numbers of a position and of its partner.
    fn pair(self, place: [usize; AXES]) -> [usize; 2] {
        let other = |axis: usize| place[axis].strict_add_signed(self.displacement[axis]);
        [self.at(place), self.at(std::array::from_fn(other))]
    }

    /// Returns the last axis with more than one position, along which positions are neighbours.
    fn inner(self) -> usize {
        self.sizes.iter().rposition(|&size| size > 1).unwrap_or(0)
    }

    /// Calls with the first position of each run and its first pack.
    fn each_row(self, mut call: impl FnMut([usize; AXES], usize)) {
        let inner = self.inner();
        let mut ranges: [_; AXES] = std::array::from_fn(|axis| self.range(axis));
        let len = ranges[inner].len();
        if len == 0 {
            return;
        }
        ranges[inner].end = ranges[inner].start + 1;
        let mut start = 0;
        for a in ranges[0].clone() {
            for b in ranges[1].clone() {
                for c in ranges[2].clone() {
                    call([a, b, c], start);
                    start += len;
                }
            }
        }
    }

    pub(super) fn runs(self) -> Vec<Run> {
        let len = self.range(self.inner()).len();
        let mut runs = Vec::new();
        self.each_row(|place, start| {
            let [first, second] = self.pair(place);
            runs.push(Run {
                start,
                len,
                first,
                second,
                step: 1,
            });
        });
        runs
    }
}
