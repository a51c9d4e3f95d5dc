//! Which positions a convolution or pool covers.

use super::layers::Padding;
use super::{Conv, Pool, Shape};

/// Windows over positions, `[height, width]`: output `p` covers inputs `strides p - before ..+
/// window` along each axis. Sequences have width 1, vectors are `[1, 1]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Input positions.
    pub inputs: [usize; 2],
    /// Output positions.
    pub outputs: [usize; 2],
    /// Size of the window.
    pub window: [usize; 2],
    /// Steps between windows.
    pub strides: [usize; 2],
    /// Positions before the first that the first window covers.
    pub before: [usize; 2],
    /// Whether the other end stands beyond the edges, rather than nothing.
    pub circular: bool,
}

impl Conv {
    /// Its windows between inputs and outputs of these shapes.
    #[must_use]
    pub fn windows(&self, input: &Shape, output: &Shape) -> Windows {
        Windows::new(&self.filter, &self.steps(), self.padding, input, output)
    }
}

impl Pool {
    /// Its windows between inputs and outputs of these shapes.
    #[must_use]
    pub fn windows(&self, input: &Shape, output: &Shape) -> Windows {
        Windows::new(&self.window, &self.steps(), self.padding, input, output)
    }
}

impl Windows {
    fn new(
        window: &[usize],
        strides: &[usize],
        padding: Padding,
        input: &Shape,
        output: &Shape,
    ) -> Self {
        let two = |sizes: &[usize]| [0, 1].map(|axis: usize| sizes.get(axis).copied().unwrap_or(1));
        let (inputs, window, strides) = (two(input.positions()), two(window), two(strides));
        let before = std::array::from_fn(|axis| {
            padding
                .along(inputs[axis], window[axis], strides[axis])
                .map_or(0, |(_, before)| before)
        });
        Self {
            inputs,
            outputs: two(output.positions()),
            window,
            strides,
            before,
            circular: padding == Padding::Circular,
        }
    }

    /// Whether positions keep their places and their number.
    pub(crate) fn keeps_size(&self) -> bool {
        self.inputs == self.outputs && self.strides == [1, 1]
    }

    /// The inputs that output `out` covers along `axis`, each after its place in the window;
    /// those beyond the edges are left out, or come from the other end.
    pub fn taps(&self, axis: usize, out: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (size, before, circular) = (self.inputs[axis], self.before[axis], self.circular);
        let first = out * self.strides[axis];
        (0..self.window[axis]).filter_map(move |tap| {
            let at = first + tap;
            if circular {
                let around = size * before.div_ceil(size.max(1));
                Some((tap, (at + around - before) % size))
            } else {
                at.checked_sub(before)
                    .filter(|&at| at < size)
                    .map(|at| (tap, at))
            }
        })
    }

    /// The displacements of inputs that count for outputs of the displacements `out`.
    pub(crate) fn displacements(&self, axis: usize, out: &[isize]) -> Vec<isize> {
        let size = self.inputs[axis].cast_signed();
        let (stride, window) = (
            self.strides[axis].cast_signed(),
            self.window[axis].cast_signed(),
        );
        if self.circular {
            return (1 - size..size).collect();
        }
        out.iter()
            .flat_map(|d| (1 - window..window).map(move |offset| d * stride + offset))
            .filter(|d| d.abs() < size)
            .collect()
    }
}
