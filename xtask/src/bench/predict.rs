//! Predictions beside neural_tangents: the cases.

use super::case::{
    Case, Facts, Part, PartName, Quantity, Run, Setting, Suite, Target, Work, neural_tangents,
};
use super::inputs::{Images, Pixels};
use super::networks::relu_network;
use crate::Failure;
use ndarray::{Array2, Array3, Axis, Ix2, s};
use ntk_data::{Pca, sphere};
use ntk_kernels::kernels;
use ntk_kernels::network::{dense, erf};
use ntk_kernels::predict::{DiagReg, Flow, Loss, MseFlow, Solver};
use ntk_kernels::{Get, Network};
use ntk_linalg::Real;
use serde_json::json;
use std::rc::Rc;
use std::time::Instant;

/// The cases of `ntk_kernels::predict`.
pub(super) static SUITE: Suite = Suite {
    name: "predict",
    title: "Predictions beside neural_tangents",
    peer: neural_tangents("ntk-kernels/benches/peers/neural_tangents_predict.py"),
    notes: "Both sides are handed the same kernels, which we computed in f64 and rounded to f32; sizes are\n\
         training + test samples x outputs x times. Decompositions are part of what is timed. Errors are\n\
         those of the outputs, the norm of all differences over the norm, and so is \"differ by\". The exact\n\
         outputs are ours in f64 for these kernels, of the flow at a tolerance of 1e-9. Ours is timed with\n\
         the fifth-order solver at 5e-6, at which it is no less exact than the peer, and the peer at its own.",
    cases: CASES,
};

/// In the order of the record.
static CASES: &[&dyn Case] = &[
    &PredictCase {
        facts: Facts::new(
            "closed-form",
            "gradient flow on the squared loss at seven times, ten outputs; relu kernel of images",
            &[Target::new(Quantity::PeerOverOurs, 3.0)],
        ),
        train: 2048,
        test: 1000,
        problem: digits,
        task: Task::ClosedForm,
        times: &[1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7],
        probed: 64,
    },
    &PredictCase {
        facts: Facts::new(
            "flow",
            "gradient flow on the quadratic hinge loss to t = 5e4; erf kernel of points on a sphere",
            &[
                Target::new(Quantity::PeerOverOurs, 3.0),
                Target::new(Quantity::OurErrorOverPeers, 1.0),
            ],
        ),
        train: 1000,
        test: 250,
        problem: parity,
        task: Task::Hinge { margin: 0.5 },
        times: &[5e4],
        probed: 1000,
    },
];

/// Ours of the flow: such that its error is no larger than the peer's, which solves at its own.
const TOLERANCE: f64 = 5e-6;
/// Of what counts as exact.
const EXACT: f64 = 1e-9;
/// Principal components of the images that `flow` is on.
const COMPONENTS: usize = 20;

/// What is done with the kernels.
#[derive(Clone, Copy)]
enum Task {
    ClosedForm,
    Hinge { margin: f64 },
}

struct PredictCase {
    facts: Facts,
    train: usize,
    test: usize,
    /// Inputs, targets and network, for so many training samples among all.
    problem: fn(&Images, usize) -> Result<Problem, Failure>,
    task: Task,
    times: &'static [f64],
    /// Most rows of training and of test outputs that are compared.
    probed: usize,
}

/// What a kernel is computed and trained on.
struct Problem {
    network: Network,
    /// (samples, features)
    x: Array2<f64>,
    /// (samples, outputs)
    y: Array2<f32>,
}

/// Images as they are, and one-hot targets.
fn digits(images: &Images, _: usize) -> Result<Problem, Failure> {
    Ok(Problem {
        network: relu_network(512),
        x: images.numbers().into_dimensionality::<Ix2>()?,
        y: images.targets()?,
    })
}

/// Principal components on a sphere, odd classes against even ones: those of the jamming
/// experiment.
fn parity(images: &Images, train: usize) -> Result<Problem, Failure> {
    let x = images.numbers::<f64>().into_dimensionality::<Ix2>()?;
    // So many samples have one direction fewer.
    let components = COMPONENTS.min(train.saturating_sub(1));
    let pca = Pca::fit(x.slice(s![..train, ..]), components)?;
    let x = pca.transform(x.view())?;
    Ok(Problem {
        network: Network::new()
            .then(dense())
            .then(erf(1.0, 1.0, 0.0))
            .then(dense())
            .then(erf(1.0, 1.0, 0.0))
            .then(dense()),
        x: sphere::project(x.view(), sphere::radius(components))?,
        y: images.parity(),
    })
}

/// Training, and where outputs are looked at.
#[derive(Clone)]
struct Setup<T> {
    k_dd: Array2<T>,
    k_td: Array2<T>,
    y: Array2<T>,
    task: Task,
    times: &'static [f64],
    /// Rows of the training and of the test outputs.
    rows: [Vec<usize>; 2],
}

impl<T: Real> Setup<T> {
    fn widened(&self) -> Setup<f64> {
        let wide = |x: &Array2<T>| x.mapv(Real::to_f64);
        Setup {
            k_dd: wide(&self.k_dd),
            k_td: wide(&self.k_td),
            y: wide(&self.y),
            task: self.task,
            times: self.times,
            rows: self.rows.clone(),
        }
    }

    fn run(&self, tolerance: f64) -> Result<Run, Failure> {
        match self.task {
            Task::ClosedForm => {
                let begun = Instant::now();
                let (k, y) = (self.k_dd.view(), self.y.view());
                let flow = MseFlow::new(k, y, 1.0, DiagReg::default())?;
                let train = flow.train(self.times, None)?;
                let test = flow.test(self.times, self.k_td.view(), None, None)?;
                Ok(self.probe(begun.elapsed().as_secs_f64(), &train, &test))
            }
            Task::Hinge { margin } => {
                let y = self.y.mapv(Real::to_f64);
                let loss = Loss::QuadraticHinge { margin };
                let begun = Instant::now();
                let flow = Flow::new(self.k_dd.view(), y.view(), loss)?;
                let flow = flow
                    .solver(Solver::DormandPrince)
                    .tolerance(tolerance, tolerance)?;
                let path = flow.solve(&mut flow.start(None)?, self.times, &())?;
                let test = path.test(self.k_td.view(), None)?;
                Ok(self.probe(begun.elapsed().as_secs_f64(), &path.train, &test))
            }
        }
    }

    fn probe<S: Real>(&self, seconds: f64, train: &Array3<S>, test: &Array3<S>) -> Run {
        let mut probes = Vec::new();
        for (outputs, rows) in [train, test].into_iter().zip(&self.rows) {
            let looked = outputs.select(Axis(1), rows);
            probes.extend(looked.iter().map(|&v| Real::to_f64(v)));
        }
        Run { seconds, probes }
    }
}

impl Case for PredictCase {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn prepare(&self, setting: &Setting<'_>) -> Result<Work, Failure> {
        let (n, m) = (setting.limit(self.train), setting.limit(self.test));
        let (images, data) = setting.inputs.take(Pixels::Vectors, n + m)?;
        let Problem { network, x, y } = (self.problem)(&images, n)?;
        let found = kernels(&network, x.view().into_dyn(), None, Get::Ntk, &())?;
        let ntk = found.ntk.ok_or("no NTK was computed")?.mapv(|v| v as f32);
        let y = y.slice(s![..n, ..]).to_owned();
        let o = y.ncols();
        let setup = Rc::new(Setup {
            k_dd: ntk.slice(s![..n, ..n]).to_owned(),
            k_td: ntk.slice(s![n.., ..n]).to_owned(),
            y,
            task: self.task,
            times: self.times,
            rows: [n, m].map(|n| (0..n).step_by(n.div_ceil(self.probed).max(1)).collect()),
        });

        let path = |which: &str| {
            let name = format!("{}-{which}.npy", self.facts.name);
            setting.folder.join(name)
        };
        ndarray_npy::write_npy(path("k_dd"), &setup.k_dd)?;
        ndarray_npy::write_npy(path("k_td"), &setup.k_td)?;
        ndarray_npy::write_npy(path("y"), &setup.y)?;
        let margin = match self.task {
            Task::ClosedForm => None,
            Task::Hinge { margin } => Some(margin),
        };
        let request = json!({
            "case": self.facts.name,
            "k_dd": path("k_dd"),
            "k_td": path("k_td"),
            "y": path("y"),
            "times": self.times,
            "margin": margin,
            "rows": setup.rows,
        });
        let wide = Rc::new(setup.widened());
        let exact = wide.run(EXACT)?.probes;
        Ok(Work {
            size: format!("{n} + {m} x {o} x {}", self.times.len()),
            data,
            parts: vec![part(PartName::F32, setup), part(PartName::F64, wide)],
            request,
            exact: Some(exact),
            results: None,
            alone: None,
        })
    }
}

fn part<T: Real>(name: PartName, setup: Rc<Setup<T>>) -> Part {
    Part {
        name,
        run: Box::new(move || setup.run(TOLERANCE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::inputs::Inputs;
    use ndarray_npy::read_npy;
    use ntk_data::Places;
    use ntk_linalg::eigenvalues;
    use serde_json::Value as Json;
    use std::path::Path;

    /// Calls `look` with every case on at most `samples` samples.
    fn each(samples: usize, look: impl Fn(&dyn Case, &Work)) {
        let folder = tempfile::tempdir().unwrap();
        let places = Places {
            offline: true,
            ..Places::default()
        };
        let setting = Setting {
            inputs: &Inputs::new(&places, &()),
            folder: folder.path(),
            samples: Some(samples),
            threads: 2,
        };
        for case in CASES {
            look(*case, &case.prepare(&setting).unwrap());
        }
    }

    fn file(path: &Json) -> Array2<f32> {
        read_npy(Path::new(path.as_str().unwrap())).unwrap()
    }

    #[test]
    fn the_peer_is_handed_kernels_and_targets_that_fit() {
        for samples in [2, 9] {
            each(samples, |_, work| {
                let request = &work.request;
                let (k_dd, y) = (file(&request["k_dd"]), file(&request["y"]));
                assert_eq!((k_dd.dim(), y.nrows()), ((samples, samples), samples));
                assert_eq!(k_dd, k_dd.t());
                assert_eq!(file(&request["k_td"]).dim(), (samples, samples));
                let rows = serde_json::from_value::<[Vec<usize>; 2]>(request["rows"].clone());
                let rows = rows.unwrap();
                assert!(rows.iter().flatten().all(|&row| row < samples));
                let times = request["times"].as_array().unwrap().len();
                let expected = (rows[0].len() + rows[1].len()) * times * y.ncols();
                assert_eq!(work.exact.as_ref().unwrap().len(), expected);
            });
        }
    }

    /// In both precisions, and large enough to be compared.
    #[test]
    fn outputs_are_those_of_training() {
        each(9, |case, work| {
            for part in &work.parts {
                let run = (part.run)().unwrap();
                let exact = work.exact.as_ref().unwrap();
                assert_eq!(run.probes.len(), exact.len());
                let size = exact.iter().map(|v| v * v).sum::<f64>().sqrt();
                let differences = run.probes.iter().zip(exact).map(|(a, b)| (a - b).powi(2));
                let error = differences.sum::<f64>().sqrt() / size;
                // Of the flow the power 4/5 of its tolerance, of the closed form in single
                // precision n eps times the kernel's condition.
                let k = file(&work.request["k_dd"]).mapv(f64::from);
                let values = eigenvalues(k.view()).unwrap();
                let rounding = 9.0 * f64::from(f32::EPSILON) * values[8] / values[0];
                let tolerance = TOLERANCE.powf(4.0 / 5.0) + rounding;
                assert!(
                    size > 0.1 && error < tolerance,
                    "{}: {error:e}",
                    case.name()
                );
            }
        });
    }
}
