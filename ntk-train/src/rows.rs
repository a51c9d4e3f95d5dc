//! Samples as the rows that layers take.

use crate::layers::{Beside, ForwardPass};
use ndarray::{ArrayView2, Axis, CowArray, Ix2, s};
use std::ops::Range;

/// Samples as the layers take them, (n * positions, channels).
#[derive(Debug, Clone)]
pub(crate) struct Rows<'a, T> {
    pub(crate) numbers: CowArray<'a, T, Ix2>,
    pub(crate) positions: usize,
    pub(crate) beside: Option<Beside>,
}

/// Some of them, one after another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'r, T> {
    pub(crate) x: ArrayView2<'r, T>,
    /// The number of the first sample among all.
    pub(crate) first: usize,
    positions: usize,
    beside: Option<&'r Beside>,
}

impl<T: Clone> Rows<'_, T> {
    /// Returns the number of samples.
    pub(crate) fn len(&self) -> usize {
        self.numbers.nrows() / self.positions
    }

    pub(crate) fn all(&self) -> Part<'_, T> {
        Part {
            x: self.numbers.view(),
            first: 0,
            positions: self.positions,
            beside: self.beside.as_ref(),
        }
    }

    /// Returns these samples.
    pub(crate) fn select(&self, samples: &[usize]) -> Rows<'static, T> {
        let positions = self.positions;
        let rows: Vec<usize> = samples
            .iter()
            .flat_map(|&i| i * positions..(i + 1) * positions)
            .collect();
        Rows {
            numbers: self.numbers.select(Axis(0), &rows).into(),
            positions,
            beside: self.beside.as_ref().map(|beside| beside.select(samples)),
        }
    }
}

impl<'r, T> Part<'r, T> {
    /// Returns the number of samples.
    pub(crate) fn len(&self) -> usize {
        self.x.nrows() / self.positions
    }

    /// Returns the samples of a range, counted from the part's first.
    pub(crate) fn of(&self, samples: Range<usize>) -> Part<'r, T> {
        let rows = s![
            samples.start * self.positions..samples.end * self.positions,
            ..
        ];
        Part {
            x: self.x.slice_move(rows),
            first: self.first + samples.start,
            ..*self
        }
    }

    /// Returns a forward pass through these samples.
    pub(crate) fn pass(&self, pass: ForwardPass<'_>) -> ForwardPass<'r> {
        ForwardPass {
            save: pass.save,
            masks: pass.masks,
            first: self.first,
            beside: self.beside,
        }
    }
}
