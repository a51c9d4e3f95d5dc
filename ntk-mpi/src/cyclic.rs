//! The indices of an axis that a process holds.

use std::ops::Range;

/// A `Cyclic` is one axis of a block-cyclic matrix as one process sees it: block `b` of the axis
/// belongs to process `b % parts` along it, and a process holds its blocks one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cyclic {
    /// The number of indices of the whole axis.
    pub(crate) length: usize,
    /// The number of indices of a block, at least 1; the last block may have fewer.
    pub(crate) block: usize,
    /// The place of this process along the axis of the grid.
    pub(crate) part: usize,
    /// The number of processes along that axis.
    pub(crate) parts: usize,
}

impl Cyclic {
    /// Counts the indices that this process holds.
    pub fn held(&self) -> usize {
        self.held_below(self.length)
    }

    /// Counts the indices below `index` that this process holds, which is the place, among those that
    /// it holds, of the first that is not below.
    pub fn held_below(&self, index: usize) -> usize {
        let (full, rest) = (index / self.block, index % self.block);
        let blocks = (full + self.parts - 1 - self.part) / self.parts;
        let last = if full % self.parts == self.part {
            rest
        } else {
            0
        };
        blocks * self.block + last
    }

    /// Finds the process along the axis that holds `index`.
    pub fn owner(&self, index: usize) -> usize {
        index / self.block % self.parts
    }

    /// Lists the blocks that this process holds: their indices, and their places among those it holds.
    pub fn blocks(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + use<> {
        let Self { length, block, .. } = *self;
        let starts = (self.part * block..length).step_by(self.parts * block);
        starts.enumerate().map(move |(index, start)| {
            let end = length.min(start + block);
            let place = index * block;
            (start..end, place..place + end - start)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against one index after another.
    #[test]
    fn every_index_is_dealt_once_and_in_order() {
        for length in [0, 1, 2, 3, 7, 8, 9, 24, 25] {
            for block in [1, 2, 3, 8, 30] {
                for parts in 1..5 {
                    let axes: Vec<_> = (0..parts)
                        .map(|part| Cyclic {
                            length,
                            block,
                            part,
                            parts,
                        })
                        .collect();
                    let mut held = vec![Vec::new(); parts];
                    for index in 0..length {
                        let owner = axes[0].owner(index);
                        assert_eq!(owner, (index / block) % parts);
                        for (axis, held) in axes.iter().zip(&held) {
                            assert_eq!(axis.held_below(index), held.len());
                        }
                        held[owner].push(index);
                    }
                    for (axis, held) in axes.iter().zip(&held) {
                        assert_eq!(axis.held(), held.len());
                        let blocks = axis.blocks();
                        let found: Vec<usize> = blocks
                            .flat_map(|(indices, places)| {
                                assert_eq!(held[places], Vec::from_iter(indices.clone()));
                                indices
                            })
                            .collect();
                        assert_eq!(&found, held);
                    }
                }
            }
        }
    }
}
