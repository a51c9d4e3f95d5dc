//! Predictions beside neural_tangents: the cases.

use super::case::{
    BenchCase, Contender, ContenderName, Prepared, Quantity, Suite, Supplies, Target,
    neural_tangents,
};
use super::inputs::{Input, Pixels};
use super::networks::relu_network;
use crate::Failure;
use ndarray::{Array2, Array3, Axis, Ix2, s};
use ntk_data::{Pca, sphere};
use ntk_kernels::Network;
use ntk_kernels::network::{dense, erf};
use ntk_kernels::predict::{Flow, Loss, MseFlow, Solver};
use ntk_linalg::Real;
use serde_json::json;

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

/// The cases in the order of the record.
static CASES: &[BenchCase] = &[
    BenchCase::new(
        "closed-form",
        "gradient flow on the squared loss at seven times, ten outputs; relu kernel of images",
        &[Target::new(Quantity::PeerOverOurs, 3.0)],
        |case, setting| {
            let times = &[1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7];
            prepare(
                case,
                setting,
                [2048, 1000],
                digits,
                Dynamics::ClosedForm,
                times,
                64,
            )
        },
    ),
    BenchCase::new(
        "flow",
        "gradient flow on the quadratic hinge loss to t = 5e4; erf kernel of points on a sphere",
        &[
            Target::new(Quantity::PeerOverOurs, 3.0),
            Target::new(Quantity::OurErrorOverPeers, 1.0),
        ],
        |case, setting| {
            let task = Dynamics::Hinge { margin: 0.5 };
            prepare(case, setting, [1000, 250], parity, task, &[5e4], 1000)
        },
    ),
];

/// The tolerance of our flow: such that its error is no larger than the peer's, which solves at its
/// own.
const TOLERANCE: f64 = 5e-6;
/// The tolerance of what counts as exact.
const EXACT: f64 = 1e-9;
/// The number of principal components of the images that `flow` is on.
const COMPONENTS: usize = 20;

/// What is done with the kernels.
#[derive(Clone, Copy)]
enum Dynamics {
    ClosedForm,
    Hinge { margin: f64 },
}

/// What a kernel is computed and trained on.
struct TrainingSet {
    network: Network,
    /// The inputs, (samples, features).
    x: Array2<f64>,
    /// The targets, (samples, outputs).
    y: Array2<f32>,
}

/// Takes images as they are, and one-hot targets.
fn digits(input: &Input, _: usize) -> Result<TrainingSet, Failure> {
    Ok(TrainingSet {
        network: relu_network(512),
        x: input.numbers().into_dimensionality::<Ix2>()?,
        y: input.targets()?,
    })
}

/// Takes principal components on a sphere, odd classes against even ones: those of the jamming
/// experiment.
fn parity(input: &Input, train: usize) -> Result<TrainingSet, Failure> {
    let x = input.numbers::<f64>().into_dimensionality::<Ix2>()?;
    // So many samples have one direction fewer.
    let components = COMPONENTS.min(train.saturating_sub(1));
    let pca = Pca::fit(&x.slice(s![..train, ..]), components)?;
    let x = pca.transform(&x)?;
    let hidden = |network: Network| network.then(dense()).then(erf(1.0, 1.0, 0.0));
    Ok(TrainingSet {
        network: hidden(hidden(Network::new())).then(dense()),
        x: sphere::project(&x, sphere::radius(components))?,
        y: input.parity(),
    })
}

/// Training, and where outputs are looked at.
#[derive(Clone)]
struct Setup<T> {
    k_dd: Array2<T>,
    k_td: Array2<T>,
    y: Array2<T>,
    task: Dynamics,
    times: &'static [f64],
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
        }
    }

    /// Computes the outputs on the training and on the test samples, (times, samples, outputs).
    fn outputs(&self, tolerance: f64) -> Result<[Array3<f64>; 2], Failure> {
        let wide = |outputs: Array3<T>| outputs.mapv(Real::to_f64);
        match self.task {
            Dynamics::ClosedForm => {
                let flow = MseFlow::new(&self.k_dd, &self.y, 1.0, 0.0)?;
                let train = flow.train(self.times)?;
                let test = flow.test(self.times, &self.k_td)?;
                Ok([wide(train), wide(test)])
            }
            Dynamics::Hinge { margin } => {
                let y = self.y.mapv(Real::to_f64);
                let loss = Loss::QuadraticHinge { margin };
                let flow = Flow::new(&self.k_dd, &y, loss)?;
                let flow = flow
                    .solver(Solver::DormandPrince)
                    .tolerance(tolerance, tolerance)?;
                let path = flow.solve(&mut flow.start(), self.times)?;
                let test = path.test(&self.k_td)?;
                Ok([path.train, test])
            }
        }
    }
}

/// Prepares a case with so many training and test samples, of which at most `probed` rows of outputs
/// each are compared.
fn prepare(
    case: &BenchCase,
    setting: &Supplies<'_>,
    samples: [usize; 2],
    problem: fn(&Input, usize) -> Result<TrainingSet, Failure>,
    task: Dynamics,
    times: &'static [f64],
    probed: usize,
) -> Result<Prepared, Failure> {
    let [n, m] = samples.map(|n| setting.limit(n));
    let input = setting.inputs.take(Pixels::Vectors, n + m)?;
    let TrainingSet { network, x, y } = problem(&input, n)?;
    let ntk = network.ntk(&x)?.mapv(|v| v as f32);
    let setup = Setup {
        k_dd: ntk.slice(s![..n, ..n]).to_owned(),
        k_td: ntk.slice(s![n.., ..n]).to_owned(),
        y: y.slice(s![..n, ..]).to_owned(),
        task,
        times,
    };
    let rows = [n, m].map(|n| {
        let step = n.div_ceil(probed).max(1);
        (0..n).step_by(step).collect::<Vec<usize>>()
    });
    let margin = match task {
        Dynamics::ClosedForm => None,
        Dynamics::Hinge { margin } => Some(margin),
    };
    let request = json!({
        "case": case.name,
        "k_dd": setting.write(case, "k_dd", &setup.k_dd)?,
        "k_td": setting.write(case, "k_td", &setup.k_td)?,
        "y": setting.write(case, "y", &setup.y)?,
        "times": times,
        "margin": margin,
        "rows": rows,
    });
    let size = format!("{n} + {m} x {} x {}", y.ncols(), times.len());
    let wide = setup.widened();
    let exact = looked_at(&rows, &wide.outputs(EXACT)?);
    let parts = vec![
        part(ContenderName::F32, setup, rows.clone()),
        part(ContenderName::F64, wide, rows),
    ];
    Ok(Prepared {
        exact: Some(exact),
        ..Prepared::new(size, input.note, parts, request)
    })
}

/// Reads the rows of the training and of the test outputs.
fn looked_at(rows: &[Vec<usize>; 2], outputs: &[Array3<f64>; 2]) -> Vec<f64> {
    let both = outputs.iter().zip(rows);
    let both = both.map(|(outputs, rows)| outputs.select(Axis(1), rows));
    both.flatten().collect()
}

fn part<T: Real>(name: ContenderName, setup: Setup<T>, rows: [Vec<usize>; 2]) -> Contender {
    Contender::new(
        name,
        move || setup.outputs(TOLERANCE),
        move |outputs| looked_at(&rows, outputs),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::tests::prepare_each;
    use ndarray_npy::read_npy;
    use ntk_linalg::eigenvalues;
    use serde_json::Value as Json;
    use std::path::Path;

    fn file(path: &Json) -> Array2<f32> {
        read_npy(Path::new(path.as_str().unwrap())).unwrap()
    }

    #[test]
    fn the_peer_is_handed_kernels_and_targets_that_fit() {
        for samples in [2, 9] {
            prepare_each(&SUITE, samples, |_, work| {
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
        prepare_each(&SUITE, 9, |case, work| {
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
                let values = eigenvalues(&k).unwrap();
                let rounding = 9.0 * f64::from(f32::EPSILON) * values[8] / values[0];
                let tolerance = TOLERANCE.powf(4.0 / 5.0) + rounding;
                assert!(size > 0.1 && error < tolerance, "{}: {error:e}", case.name);
            }
        });
    }
}
