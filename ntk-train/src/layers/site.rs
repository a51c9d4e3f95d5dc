//! The places where parameters meet the signal: products with weights, sums with biases.

use super::Theta;
use ndarray::{Array2, ArrayView2, ArrayViewMut1, ArrayViewMut2, s};
use ntk_kernels::network::Node;
use ntk_linalg::{Real, gemm};
use std::ops::Range;

/// A place where a layer's parameters meet rows of the signal: `z = w_scale p W + b_scale b` for each row
/// `p`, with these weights and this bias.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site {
    /// Number of the weights among the parameters; of shape (patch, width), or several such blocks.
    pub(crate) weights: usize,
    /// The number of the bias among the parameters; of shape (1, width), or a row for each block.
    pub(crate) bias: Option<usize>,
    /// The number of the block.
    block: usize,
    /// The group of columns that rows are made into, and how many groups there are.
    group: (usize, usize),
    pub(crate) w_scale: f64,
    /// 0 without a bias.
    pub(crate) b_scale: f64,
    /// The number of rows of one sample.
    pub(crate) positions: usize,
    pub(crate) kind: Kind,
}

/// What rows are multiplied by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A matrix of weights.
    Matrix,
    /// A table, of which each row of one number, a token id, takes a row.
    Table,
    /// A number for each channel.
    Diagonal,
}

/// A layer with parameters on the way back: its derivative by the weights at row `r` of
/// `signal` is `w_scale patch_r^T signal_r`, by the bias `b_scale signal_r`.
pub(crate) struct Linear<'a, T> {
    pub(crate) site: Site,
    /// (samples * positions, patch); (samples * positions, 1) of token ids.
    pub(crate) patches: ArrayView2<'a, T>,
    /// (samples * copies * positions, width).
    pub(crate) signal: ArrayView2<'a, T>,
}

impl Site {
    /// Makes the place of parameter `weights` of a node, whose first has number `first` among all, at so
    /// many rows of a sample.
    pub(crate) fn new(node: &Node, first: usize, weights: usize, positions: usize) -> Self {
        Self {
            weights: first + weights,
            bias: None,
            block: 0,
            group: (0, 1),
            w_scale: node.parameters[weights].scale,
            b_scale: 0.0,
            positions,
            kind: Kind::Matrix,
        }
    }

    /// Adds parameter `bias` of the node, if there is one.
    pub(crate) fn bias(mut self, node: &Node, first: usize, bias: usize) -> Self {
        if let Some(parameter) = node.parameters.get(bias) {
            (self.bias, self.b_scale) = (Some(first + bias), parameter.scale);
        }
        self
    }

    /// Makes the layer on the way back that has its parameters here.
    pub(crate) fn linear<'a, T>(
        self,
        patches: ArrayView2<'a, T>,
        signal: ArrayView2<'a, T>,
    ) -> Linear<'a, T> {
        Linear {
            site: self,
            patches,
            signal,
        }
    }

    /// Returns the place of block `block`, at one row of each sample.
    pub(crate) fn at(self, block: usize) -> Self {
        Self {
            block,
            positions: 1,
            ..self
        }
    }

    /// Returns the place that makes a group of `groups` of the columns.
    pub(crate) fn group(self, number: usize, groups: usize) -> Self {
        Self {
            group: (number, groups),
            ..self
        }
    }

    /// Returns the place with a number for each channel in place of a matrix.
    pub(crate) fn diagonal(self) -> Self {
        Self {
            kind: Kind::Diagonal,
            ..self
        }
    }

    /// Returns the place with a table in place of a matrix.
    pub(crate) fn table(self) -> Self {
        Self {
            kind: Kind::Table,
            ..self
        }
    }

    /// Returns the columns that rows are made into, of so many.
    fn columns(&self, width: usize) -> Range<usize> {
        let (group, groups) = self.group;
        let width = width / groups;
        group * width..(group + 1) * width
    }

    /// Returns the rows of the weights, where rows of the signal have so many numbers.
    fn rows(&self, patch: usize) -> Range<usize> {
        self.block * patch..(self.block + 1) * patch
    }

    /// Returns the block's weights, where rows have so many numbers.
    fn block<'t, T>(&self, theta: &Theta<'t, T>, patch: usize) -> ArrayView2<'t, T> {
        let weights = theta[self.weights];
        let columns = self.columns(weights.ncols());
        weights.slice_move(s![self.rows(patch), columns])
    }

    /// Adds `w_scale rows W + b_scale b` to `z`.
    pub(crate) fn add<T: Real>(
        &self,
        theta: &Theta<'_, T>,
        rows: ArrayView2<'_, T>,
        mut z: ArrayViewMut2<'_, T>,
    ) {
        self.add_bias(theta, z.view_mut());
        self.add_weighted(theta, rows, z);
    }

    /// Adds `b_scale b` to every row of `z`.
    pub(crate) fn add_bias<T: Real>(&self, theta: &Theta<'_, T>, mut z: ArrayViewMut2<'_, T>) {
        if let Some(bias) = self.bias {
            let bias = theta[bias].row(self.block);
            let bias = bias.slice(s![self.columns(bias.len())]);
            z += &bias.mapv(|b| b * T::of(self.b_scale));
        }
    }

    /// Adds `w_scale rows W` to `z`.
    pub(crate) fn add_weighted<T: Real>(
        &self,
        theta: &Theta<'_, T>,
        rows: ArrayView2<'_, T>,
        mut z: ArrayViewMut2<'_, T>,
    ) {
        let (scale, all) = (T::of(self.w_scale), theta[self.weights]);
        match self.kind {
            Kind::Matrix => {
                let weights = self.block(theta, rows.ncols());
                gemm(scale, &rows, &weights, T::one(), &mut z).expect(FIT);
            }
            Kind::Table => {
                for (mut z, &id) in z.rows_mut().into_iter().zip(&rows.column(0)) {
                    z.scaled_add(scale, &all.row(token(id)));
                }
            }
            Kind::Diagonal => z += &(&rows * &all.row(0)),
        }
    }

    /// Returns `w_scale rows W + b_scale b`.
    pub(crate) fn apply<T: Real>(
        &self,
        theta: &Theta<'_, T>,
        rows: ArrayView2<'_, T>,
    ) -> Array2<T> {
        let mut z = Array2::zeros((rows.nrows(), theta[self.weights].ncols()));
        self.add(theta, rows, z.view_mut());
        z
    }

    /// Returns how `z` moves with the parameters along `direction`, and with the rows along `d_rows`, where
    /// these are given.
    pub(crate) fn tangent<T: Real>(
        &self,
        theta: &Theta<'_, T>,
        rows: &Array2<T>,
        d_rows: Option<&Array2<T>>,
        direction: Option<&Theta<'_, T>>,
    ) -> Array2<T> {
        let mut dz = Array2::zeros((rows.nrows(), theta[self.weights].ncols()));
        if let Some(direction) = direction {
            self.add(direction, rows.view(), dz.view_mut());
        }
        if let Some(d_rows) = d_rows {
            self.add_weighted(theta, d_rows.view(), dz.view_mut());
        }
        dz
    }

    /// Adds `w_scale signal W^T` to `x`.
    pub(crate) fn back<T: Real>(
        &self,
        theta: &Theta<'_, T>,
        signal: ArrayView2<'_, T>,
        mut x: ArrayViewMut2<'_, T>,
    ) {
        if self.kind == Kind::Diagonal {
            x += &(&signal * &theta[self.weights].row(0));
            return;
        }
        let weights = self.block(theta, x.ncols());
        let scale = T::of(self.w_scale);
        gemm(scale, &signal, &weights.t(), T::one(), &mut x).expect(FIT);
    }
}

impl<T: Real> Linear<'_, T> {
    /// Writes the derivative of `sum(signal * output)` by its parameters to their places among
    /// all; one copy.
    pub(crate) fn gradient(&self, all: &mut [ArrayViewMut2<'_, T>]) {
        let site = &self.site;
        let scale = T::of(site.w_scale);
        let by_weights = &mut all[site.weights];
        match site.kind {
            Kind::Matrix => {
                let rows = site.rows(self.patches.ncols());
                let columns = site.columns(by_weights.ncols());
                let mut to = by_weights.slice_mut(s![rows, columns]);
                gemm(scale, &self.patches.t(), &self.signal, T::zero(), &mut to).expect(FIT);
            }
            Kind::Diagonal => {
                sum_of_products(&self.patches, self.signal, by_weights.row_mut(0));
            }
            Kind::Table => {
                by_weights.fill(T::zero());
                for (signal, &id) in self.signal.rows().into_iter().zip(&self.patches.column(0)) {
                    by_weights.row_mut(token(id)).scaled_add(scale, &signal);
                }
            }
        }
        if let Some(bias) = site.bias {
            let columns = site.columns(all[bias].ncols());
            let to = all[bias].slice_mut(s![site.block, columns]);
            sum_of_rows(self.signal, site.b_scale, to);
        }
    }
}

/// Returns the row of a table that a token id names; ids were checked.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number, not negative"
)]
fn token<T: Real>(id: T) -> usize {
    Real::to_f64(id) as usize
}

/// Writes `scale` times the sum of all rows, which is taken in f64.
pub(crate) fn sum_of_rows<T: Real>(
    rows: ArrayView2<'_, T>,
    scale: f64,
    mut to: ArrayViewMut1<'_, T>,
) {
    let mut sums = vec![0.0; rows.ncols()];
    for row in rows.rows() {
        for (sum, &v) in sums.iter_mut().zip(row) {
            *sum += Real::to_f64(v);
        }
    }
    for (to, sum) in to.iter_mut().zip(sums) {
        *to = T::of(scale * sum);
    }
}

/// Writes the sum over all rows of the products of both, which is taken in f64.
pub(crate) fn sum_of_products<T: Real>(
    a: &ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    to: ArrayViewMut1<'_, T>,
) {
    sum_of_rows((a * &b).view(), 1.0, to);
}

const FIT: &str = "layers are built for the shapes around them";
