//! Computes kernels of networks on vectors, where every layer is a map of one covariance.

use super::elementwise::{Line, map_line, onto};
use super::program::{Program, Site, Step};
use super::{Diagonal, Kernel, KernelError, Matrices, Wanted};
use crate::affine::Affine;
use crate::gram::{self, TileRow, squared_norms, trusting};
use crate::network::Merge;
use crate::pairs::row::{self, Columns};
use ndarray::{Array1, ArrayView2};
use ntk_linalg::{Real, observer::Observer};
use std::ops::Range;

/// Holds what a pass of each sample alone through the network gives: its own kernels, and the
/// numbers that each site needs of it.
pub(super) struct OwnKernels<T> {
    pub(super) squared_norms: Array1<T>,
    /// The roots of `squared_norms`.
    norms: Vec<T>,
    pub(super) sites: Vec<Option<row::PreparedSamples<T>>>,
    nngp: Vec<T>,
    ntk: Vec<T>,
}

impl<T: Real> OwnKernels<T> {
    fn new(
        program: &Program,
        x: ArrayView2<'_, T>,
        name: &'static str,
    ) -> Result<Self, KernelError> {
        let inverse = T::of(x.ncols() as f64).recip();
        let squared_norms = squared_norms(&x);
        let norms = squared_norms.mapv(T::sqrt).to_vec();
        let nngp: Vec<T> = norms.iter().map(|&r| r * r * inverse).collect();
        let mut samples = Self {
            squared_norms,
            norms,
            sites: vec![None; program.sites],
            ntk: vec![T::zero(); nngp.len()],
            nngp,
        };
        samples.run(&program.steps, name)?;
        Ok(samples)
    }

    fn run(&mut self, steps: &[Step], name: &'static str) -> Result<(), KernelError> {
        for step in steps {
            match step {
                Step::Affine(affine) => {
                    for (q, t) in self.nngp.iter_mut().zip(&mut self.ntk) {
                        (*q, *t) = affine.apply(*q, *t);
                    }
                }
                Step::Site(site) => {
                    site.check(&self.nngp, |sample| format!("{name}[{sample}]"))?;
                    self.sites[site.index] = Some(site.map.samples(&self.nngp));
                    for (q, t) in self.nngp.iter_mut().zip(&mut self.ntk) {
                        let (kernel, derivative) = site.map.diagonal(*q);
                        (*q, *t) = (kernel, *t * derivative);
                    }
                }
                Step::Dropout { keep } => {
                    let keep = T::of(*keep);
                    for v in self.nngp.iter_mut().chain(&mut self.ntk) {
                        *v /= keep;
                    }
                }
                Step::Branch { paths, merge } => {
                    let start = (self.nngp.clone(), self.ntk.clone());
                    let mut ends = Vec::new();
                    for path in paths {
                        (self.nngp, self.ntk) = start.clone();
                        self.run(path, name)?;
                        ends.push((
                            std::mem::take(&mut self.nngp),
                            std::mem::take(&mut self.ntk),
                        ));
                    }
                    (self.nngp, self.ntk) = merged(*merge, ends);
                }
                Step::Mix(_) | Step::Stack { .. } => unreachable!("{MIXES}"),
            }
        }
        Ok(())
    }
}

const MIXES: &str = "a program that mixes positions is not one of vectors";

/// Computes the kernels of a sum or product of independent paths.
fn merged<T: Real>(merge: Merge, paths: Vec<(Vec<T>, Vec<T>)>) -> (Vec<T>, Vec<T>) {
    paths
        .into_iter()
        .reduce(|(mut nngp, mut ntk), (k, t)| {
            onto(merge, (&mut nngp, &mut ntk), (&k, &t));
            (nngp, ntk)
        })
        .expect("a branch has at least one path")
}

pub(super) fn kernels<T: Real>(
    program: &Program,
    x1: ArrayView2<'_, T>,
    x2: Option<ArrayView2<'_, T>>,
    wanted: Wanted,
    tile: usize,
    observer: &dyn Observer,
) -> Result<Matrices<T>, KernelError> {
    let rows = Rows::new(program, x1, x2)?;
    let columns = match x2 {
        Some(x2) => gram::Columns::Others(x2),
        None => gram::Columns::Same(rows.one.squared_norms.view()),
    };
    let steps = &program.steps;
    let none = Matrices {
        nngp: None,
        ntk: None,
    };
    Ok(match wanted {
        Wanted::One(Kernel::Nngp) => {
            let [nngp] = trusting(
                x1,
                columns,
                tile,
                observer,
                |mut row, [nngp]: [&mut [T]; 1]| {
                    rows.run(steps, &mut row, None);
                    nngp.copy_from_slice(row.inner);
                },
            )?;
            Matrices {
                nngp: Some(nngp),
                ..none
            }
        }
        Wanted::One(Kernel::Ntk) => {
            let [ntk] = trusting(
                x1,
                columns,
                tile,
                observer,
                |mut row, [ntk]: [&mut [T]; 1]| {
                    rows.run(steps, &mut row, Some(ntk));
                },
            )?;
            Matrices {
                ntk: Some(ntk),
                ..none
            }
        }
        Wanted::Both => {
            let [nngp, ntk] = trusting(x1, columns, tile, observer, |mut row, [nngp, ntk]| {
                rows.run(steps, &mut row, Some(ntk));
                nngp.copy_from_slice(row.inner);
            })?;
            Matrices {
                nngp: Some(nngp),
                ntk: Some(ntk),
            }
        }
    })
}

/// Computes the kernels of every sample with itself.
pub(super) fn diagonal<T: Real>(
    program: &Program,
    x: ArrayView2<'_, T>,
) -> Result<Diagonal<T>, KernelError> {
    let samples = OwnKernels::new(program, x, "x")?;
    Ok(Diagonal {
        nngp: Array1::from(samples.nngp),
        ntk: Array1::from(samples.ntk),
    })
}

/// Takes rows of covariances through the layers.
pub(super) struct Rows<T> {
    features: T,
    /// The largest distance from 1 of the computed cosine of parallel inputs.
    parallel: T,
    pub(super) one: OwnKernels<T>,
    /// `None`: the same as `one`.
    pub(super) two: Option<OwnKernels<T>>,
}

impl<T: Real> Rows<T> {
    pub(super) fn new(
        program: &Program,
        x1: ArrayView2<'_, T>,
        x2: Option<ArrayView2<'_, T>>,
    ) -> Result<Self, KernelError> {
        let features = T::of(x1.ncols() as f64);
        Ok(Self {
            features,
            parallel: T::epsilon() * (T::of(2.0) + features.sqrt()),
            one: OwnKernels::new(program, x1, "x1")?,
            two: x2
                .map(|x2| OwnKernels::new(program, x2, "x2"))
                .transpose()?,
        })
    }

    /// Takes `row.inner` from inner products to the NNGP, and `ntk` to the NTK.
    fn run(&self, steps: &[Step], row: &mut TileRow<'_, T>, mut ntk: Option<&mut [T]>) {
        if let Some(ntk) = ntk.as_deref_mut() {
            ntk.fill(T::zero());
        }
        self.inputs(row);
        let line = &mut Line {
            nngp: row.inner,
            ntk,
        };
        self.steps(steps, row.row, row.columns.clone(), line);
        if self.two.is_none() && row.columns.contains(&row.row) {
            let own = row.row - row.columns.start;
            line.nngp[own] = self.one.nngp[row.row];
            if let Some(ntk) = line.ntk.as_deref_mut() {
                ntk[own] = self.one.ntk[row.row];
            }
        }
    }

    /// Divides by the features. Products of parallel rows become the product of their norms:
    /// the rounding of a long sum would otherwise be taken for an angle.
    pub(super) fn inputs(&self, row: &mut TileRow<'_, T>) {
        let inverse = self.features.recip();
        let norm = self.one.norms[row.row];
        let others = &self.two.as_ref().unwrap_or(&self.one).norms;
        let nearly = norm * (T::one() - self.parallel);
        for (q, &other) in row.inner.iter_mut().zip(&others[row.columns.clone()]) {
            let full = norm * other;
            let snapped = if q.abs() > nearly * other {
                full.copysign(*q)
            } else {
                *q
            };
            *q = snapped * inverse;
        }
    }

    fn steps(&self, steps: &[Step], row: usize, columns: Range<usize>, line: &mut Line<'_, T>) {
        let two = self.two.as_ref().unwrap_or(&self.one);
        let sides = |site: &Site| {
            let [first, second] = [&self.one, two].map(|samples| {
                samples.sites[site.index]
                    .as_ref()
                    .expect("the samples' own pass sets every site")
            });
            (first.one(row), second.columns(columns.start))
        };
        let mut steps = steps.iter().peekable();
        while let Some(step) = steps.next() {
            match step {
                Step::Affine(affine) => {
                    // The activation behind it is applied in the same pass.
                    if let Some(Step::Site(site)) = steps.peek() {
                        steps.next();
                        map_line(Some(&site.map), affine, sides(site), line);
                    } else {
                        map_line(None, affine, (&[], Columns::NONE), line);
                    }
                }
                Step::Site(site) => {
                    map_line(Some(&site.map), &Affine::IDENTITY, sides(site), line);
                }
                // Dropout has no effect on different samples; the diagonal comes from the samples'
                // own pass.
                Step::Dropout { .. } => {}
                Step::Branch { paths, merge } => {
                    let start = (
                        line.nngp.to_vec(),
                        line.ntk.as_deref().unwrap_or_default().to_vec(),
                    );
                    let mut ends = Vec::new();
                    for path in paths {
                        let (mut nngp, mut ntk) = start.clone();
                        let with_ntk = line.ntk.is_some();
                        self.steps(
                            path,
                            row,
                            columns.clone(),
                            &mut Line {
                                nngp: &mut nngp,
                                ntk: with_ntk.then_some(&mut ntk),
                            },
                        );
                        ends.push((nngp, ntk));
                    }
                    let (nngp, ntk) = merged(*merge, ends);
                    line.nngp.copy_from_slice(&nngp);
                    if let Some(line) = line.ntk.as_deref_mut() {
                        line.copy_from_slice(&ntk);
                    }
                }
                Step::Mix(_) | Step::Stack { .. } => unreachable!("{MIXES}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Network, Shape, dense, erf, relu, residual, sin};
    use ndarray::Array2;

    #[test]
    fn tiles_of_any_size_are_one_block() {
        let network = Network::new()
            .then(dense().b_std(0.1))
            .then(relu())
            .then(residual(
                Network::new()
                    .then(dense())
                    .then(erf(1.0, 1.0, 0.2))
                    .then(dense()),
            ))
            .then(dense())
            .then(sin(1.0, 1.0, 0.3))
            .then(dense());
        let program = Program::new(&network.resolve(Shape::features(7)).unwrap()).unwrap();
        let input = |n, shift| {
            Array2::from_shape_fn((n, 7), |(i, j)| {
                ((i * 5 + j * 3 + i * j + shift) % 11) as f64 - 4.5
            })
        };
        let (x1, other) = (input(37, 0), input(20, 3));
        for x2 in [None, Some(other.view())] {
            let at = |tile| kernels(&program, x1.view(), x2, Wanted::Both, tile, &()).unwrap();
            let block = at(64);
            let (nngp, ntk) = (block.nngp.unwrap(), block.ntk.unwrap());
            for tile in [1, 3, 16, 17, 36] {
                let tiles = at(tile);
                let far = |a: &Array2<f64>, b: Array2<f64>| {
                    a.iter()
                        .zip(&b)
                        .fold(0.0, |far: f64, (a, b)| far.max((a - b).abs() / a.abs()))
                };
                assert!(far(&nngp, tiles.nngp.unwrap()) < 1e-13, "{tile}");
                assert!(far(&ntk, tiles.ntk.unwrap()) < 1e-13, "{tile}");
            }
        }
    }
}
