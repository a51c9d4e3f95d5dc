//! The factors by which each layer with parameters contributes to the Jacobian of a block of
//! samples.

use super::Trace;
use crate::compiled::Scalar;
use crate::layers::{
    FiniteLayer, ForwardPass, Kind, Linear, Site, Theta, sum_of_products, sum_of_rows,
};
use crate::model::{Model, ModelError};
use crate::rows::Part;
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, Zip, s};
use ntk_linalg::gemm;
use ntk_linalg::observer::Observer;
use rayon::prelude::*;

/// Rows of signals that are propagated together.
const ROWS: usize = 640;

/// The way in which a layer's part of the kernel is computed, the same for every sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The Gram matrix of inputs times that of signals, for one position.
    Product,
    /// The layer's own Jacobian.
    Rows,
    /// Gram matrices over pairs of positions.
    Positions,
}

/// A layer with parameters.
#[derive(Debug, Clone)]
pub(super) struct JacobianSite {
    pub(super) place: Site,
    pub(super) form: Form,
    patch: usize,
    width: usize,
    trace: Trace,
    /// Where only elementwise layers and the last dense layer follow, and traces are wanted:
    /// signals are `d_i c_a`, one vector a sample times one an output, so that the mean over
    /// outputs is that of one vector a sample, `d_i sqrt(sum_a c_a^2)`. Of each place, the
    /// output whose `c_a` is largest there, which the sign is taken from.
    pub(super) shared: Option<Vec<usize>>,
}

impl JacobianSite {
    /// Computes `w_scale^2` times the Gram matrix of patches: of a table's tokens, where they are the same.
    pub(super) fn inputs<T: Scalar>(
        &self,
        one: &ArrayView2<'_, T>,
        two: &ArrayView2<'_, T>,
        to: &mut ArrayViewMut2<'_, T>,
    ) {
        let w2 = T::of(self.place.w_scale.powi(2));
        match self.place.kind {
            // The own Jacobian stands in for the product of a diagonal.
            Kind::Matrix | Kind::Diagonal => gemm(w2, one, &two.t(), T::zero(), to).expect(FIT),
            Kind::Table => {
                let (one, two) = (one.column(0), two.column(0));
                for ((i, j), to) in to.indexed_iter_mut() {
                    *to = if one[i] == two[j] { w2 } else { T::zero() };
                }
            }
        }
    }

    /// Chooses the form of fewest operations for a pair of samples out of `n`.
    fn new(
        place: Site,
        (patch, width): (usize, usize),
        n: usize,
        outputs: usize,
        trace: Trace,
    ) -> Self {
        let [p, f, w, o, n] = [place.positions, patch, width, outputs, n].map(|v| v as f64);
        let pairs = if trace == Trace::Full { o * o } else { o };
        // The Jacobian by a number for each channel has one row.
        let patch = if place.kind == Kind::Diagonal {
            1
        } else {
            patch
        };
        let rows = pairs * f * w + 2.0 * o * p * f * w / n.max(1.0);
        let positions = p * p * (f + pairs * w + pairs);
        let form = match (place.positions, place.kind) {
            (_, Kind::Diagonal) => Form::Rows,
            (1, _) => Form::Product,
            (_, Kind::Matrix) if rows <= positions => Form::Rows,
            // A table's own Jacobian has a row for each token.
            (_, Kind::Matrix | Kind::Table) => Form::Positions,
        };
        Self {
            place,
            form,
            patch,
            width,
            trace,
            shared: None,
        }
    }

    /// Returns the rows by sample and the columns of what is kept of patches, signals and biases.
    fn sizes(&self, outputs: usize) -> [(usize, usize); 3] {
        let bias = match self.form {
            _ if self.place.b_scale == 0.0 => 0,
            // In the product it is a constant added to the Gram matrix of inputs.
            Form::Product => 0,
            Form::Rows | Form::Positions => self.width,
        };
        let [patches, signals] = match self.form {
            Form::Product if self.shared.is_some() => [(1, self.patch), (1, self.width)],
            Form::Product | Form::Positions => [
                (self.place.positions, self.patch),
                (outputs * self.place.positions, self.width),
            ],
            Form::Rows => [(0, 0), (outputs, self.patch * self.width)],
        };
        [patches, signals, (outputs, bias)]
    }
}

/// The patches and signals (or the Jacobian's rows) of all samples of a block and, where positions
/// are many, the Jacobian by the bias.
pub(super) struct Factor<T> {
    pub(super) patches: Array2<T>,
    pub(super) signals: Array2<T>,
    pub(super) biases: Array2<T>,
}

/// Returns the layers with parameters, as they contribute to kernels of `n` samples.
pub(super) fn sites<T: Scalar>(
    model: &Model<T>,
    one: Part<'_, T>,
    n: usize,
    trace: Trace,
) -> Vec<JacobianSite> {
    let mut sites = Vec::new();
    visit(model, &model.theta(), one, 1, &mut |linear| {
        let shape = (linear.patches.ncols(), linear.signal.ncols());
        sites.push(JacobianSite::new(
            linear.site,
            shape,
            n,
            model.outputs(),
            trace,
        ));
    });
    if trace == Trace::Traced
        && let Some((hidden, last)) = model.last_two()
        && let Some(site) = sites.iter_mut().find(|s| s.place.weights == hidden)
    {
        let largest = |row: ArrayView1<'_, T>| {
            let sizes = row.iter().map(|w| w.abs()).enumerate();
            let most = sizes.reduce(|a, b| if b.1 > a.1 { b } else { a });
            most.map_or(0, |(output, _)| output)
        };
        let weights = model.theta()[last];
        site.shared = Some(weights.rows().into_iter().map(largest).collect());
    }
    sites
}

/// Returns the bytes that the factors of one sample take.
pub(super) fn bytes<T: Scalar>(sites: &[JacobianSite], outputs: usize) -> usize {
    let numbers = sites.iter().flat_map(|site| site.sizes(outputs));
    numbers
        .map(|(rows, columns)| rows * columns * size_of::<T>())
        .sum()
}

/// Returns the most of `n` samples that go through the layers together.
pub(super) fn at_once<T: Scalar>(model: &Model<T>, n: usize) -> usize {
    (ROWS / (model.outputs() * model.positions())).clamp(1, n.max(1))
}

/// Goes forward and back through the layers, with every output's signal at once.
fn visit<T: Scalar>(
    model: &Model<T>,
    theta: &Theta<'_, T>,
    part: Part<'_, T>,
    copies: usize,
    see: &mut dyn FnMut(Linear<'_, T>),
) {
    let pass = part.pass(ForwardPass::SAVED);
    let (_, saved) = model.sequence().forward(theta, part.x.to_owned(), pass);
    let mut signal = Array2::zeros((part.len() * copies, model.outputs()));
    for (row, mut signal) in signal.rows_mut().into_iter().enumerate() {
        signal[row % copies] = T::one();
    }
    model.sequence().adjoint(theta, &saved, signal, false, see);
}

/// Computes the factors of all samples of a block, by site.
pub(super) fn factors<T: Scalar>(
    model: &Model<T>,
    sites: &[JacobianSite],
    part: Part<'_, T>,
    observer: &dyn Observer,
) -> Result<Vec<Factor<T>>, ModelError> {
    let (outputs, n) = (model.outputs(), part.len());
    let mut all: Vec<Factor<T>> = sites
        .iter()
        .map(|site| {
            let [patches, signals, biases] = site
                .sizes(outputs)
                .map(|(rows, columns)| Array2::zeros((n * rows, columns)));
            Factor {
                patches,
                signals,
                biases,
            }
        })
        .collect();
    // As many in each piece, and pieces enough for the threads to end together.
    let most = at_once(model, n);
    let samples = n.div_ceil(n.div_ceil(most).next_multiple_of(4)).max(1);
    // What each piece of samples fills, site by site.
    let mut pieces: Vec<(usize, Vec<[ArrayViewMut2<'_, T>; 3]>)> = (0..n)
        .step_by(samples)
        .map(|first| (first, Vec::new()))
        .collect();
    for factor in &mut all {
        let parts = [&mut factor.patches, &mut factor.signals, &mut factor.biases];
        let mut rest = parts.map(|part| (part.nrows() / n.max(1), part.view_mut()));
        for (first, targets) in &mut pieces {
            let count = samples.min(n - *first);
            targets.push(std::array::from_fn(|k| {
                let (rows, view) = &mut rest[k];
                let whole = std::mem::replace(
                    view,
                    ArrayViewMut2::from_shape((0, 0), &mut []).expect("empty"),
                );
                let (part, others) = whole.split_at(Axis(0), *rows * count);
                *view = others;
                part
            }));
        }
    }
    let theta = model.theta();
    pieces
        .into_par_iter()
        .try_for_each(|(first, mut targets)| {
            observer.check()?;
            let end = n.min(first + samples);
            // Layers are seen in the same order every time.
            let mut seen = sites.iter().zip(&mut targets);
            visit(model, &theta, part.of(first..end), outputs, &mut |linear| {
                let (site, targets) = seen.next().expect("every layer was seen before");
                fill(site, &linear, outputs, targets);
            });
            observer.advance((end - first) as u64);
            Ok::<_, ModelError>(())
        })?;
    Ok(all)
}

/// Keeps of a layer what its form needs.
fn fill<T: Scalar>(
    site: &JacobianSite,
    linear: &Linear<'_, T>,
    outputs: usize,
    [patches, signals, biases]: &mut [ArrayViewMut2<'_, T>; 3],
) {
    let p = site.place.positions;
    let scale = T::of(site.place.w_scale);
    let of_sample = |sample: usize| linear.patches.slice(s![sample * p..(sample + 1) * p, ..]);
    if site.place.kind == Kind::Diagonal {
        for (row, to) in signals.rows_mut().into_iter().enumerate() {
            let signal = linear.signal.slice(s![row * p..(row + 1) * p, ..]);
            sum_of_products(&of_sample(row / outputs), signal, to);
        }
    } else if site.form == Form::Rows && site.trace == Trace::Traced {
        // The mean over outputs does not ask where in a sample's row an output stands: one
        // product for all of them.
        let width = outputs * site.width;
        let mut side_by_side = Array2::zeros((p, width));
        let samples = signals.axis_chunks_iter_mut(Axis(0), outputs);
        for (sample, to) in samples.into_iter().enumerate() {
            for output in 0..outputs {
                let row = sample * outputs + output;
                let columns = s![.., output * site.width..(output + 1) * site.width];
                let signal = linear.signal.slice(s![row * p..(row + 1) * p, ..]);
                side_by_side.slice_mut(columns).assign(&signal);
            }
            let to = to.into_shape_with_order((site.patch, width));
            let mut to = to.expect("whole rows");
            gemm(
                scale,
                &of_sample(sample).t(),
                &side_by_side,
                T::zero(),
                &mut to,
            )
            .expect(FIT);
        }
    } else if site.form == Form::Rows {
        for (row, mut to) in signals.rows_mut().into_iter().enumerate() {
            let signal = linear.signal.slice(s![row * p..(row + 1) * p, ..]);
            let to = to
                .view_mut()
                .into_shape_with_order((site.patch, site.width));
            let mut to = to.expect("a whole row");
            gemm(
                scale,
                &of_sample(row / outputs).t(),
                &signal,
                T::zero(),
                &mut to,
            )
            .expect(FIT);
        }
    } else {
        patches.assign(&linear.patches);
        match &site.shared {
            None => signals.assign(&linear.signal),
            Some(largest) => {
                let samples = linear.signal.axis_chunks_iter(Axis(0), outputs);
                for (mut to, signal) in signals.rows_mut().into_iter().zip(samples) {
                    for signal in signal.rows() {
                        Zip::from(&mut to)
                            .and(signal)
                            .for_each(|to, &s| *to += s * s);
                    }
                    for (k, (to, &output)) in to.iter_mut().zip(largest).enumerate() {
                        *to = to.sqrt().copysign(signal[[output, k]]);
                    }
                }
            }
        }
    }
    if !biases.is_empty() {
        for (row, to) in biases.rows_mut().into_iter().enumerate() {
            let signal = linear.signal.slice(s![row * p..(row + 1) * p, ..]);
            sum_of_rows(signal, site.place.b_scale, to);
        }
    }
}

const FIT: &str = "layers are built for the shapes around them";
