//! Entropies beside numpy: the cases.

use super::case::{
    Case, Facts, Part, PartName, Program, Quantity, Run, Setting, Suite, Target, Work,
};
use super::inputs::Pixels;
use super::networks::{kernel_rows, network_request, relu_network};
use crate::Failure;
use ndarray::Array2;
use ndarray_npy::WritableElement;
use ntk_cli::inputs::sample_shape;
use ntk_entropy::stochastic::{self, Settings};
use ntk_entropy::{Normalization, Spectrum, von_neumann};
use ntk_kernels::Get;
use ntk_kernels::kernels;
use ntk_linalg::Real;
use ntk_train::{Init, Model, Trace};
use serde_json::json;
use std::time::Instant;

/// The cases of `ntk-entropy`.
pub(super) static SUITE: Suite = Suite {
    name: "entropy",
    title: "Entropies beside numpy",
    peer: Program {
        name: "numpy and neural_tangents",
        script: "ntk-entropy/benches/peers/numpy_entropy.py",
        requirements: "ntk-kernels/benches/peers/requirements.txt",
    },
    notes: "A result is the von Neumann entropy over the trace, and the trace. The peer's eigenvalues are\n\
         numpy.linalg.eigvalsh's, in the same precision; its empirical kernels are neural_tangents', by\n\
         structured derivatives and compiled. Ours of an empirical kernel is what a recorder measures\n\
         after an epoch. Ours counts eigenvalues below n eps lambda_max as zero and reports their mass,\n\
         numpy's are all kept: in f32 that is why entropies of large kernels differ. An estimate is by\n\
         stochastic Lanczos quadrature, and ends where it estimates its error below 1 %.",
    cases: CASES,
};

/// In the order of the record.
static CASES: &[&dyn Case] = &[
    &MatrixCase {
        facts: Facts::new(
            "kernel-entropy",
            "of the NTK in closed form of a relu network on images",
            &[Target::new(Quantity::PeerOverOurs, 1.0)],
        ),
        samples: 2000,
        part: PartName::F32,
    },
    &MatrixCase {
        facts: Facts::new(
            "kernel-entropy-f64",
            "the same in double precision, also the peer's",
            &[Target::new(Quantity::PeerOverOurs, 1.0)],
        ),
        samples: 2000,
        part: PartName::F64,
    },
    &RecordCase {
        facts: Facts::new(
            "record-traced",
            "of the empirical NTK, mean over outputs, of a relu network 784-128-128-10",
            &[Target::new(Quantity::Seconds, 0.1)],
        ),
        samples: 500,
        trace: Trace::Traced,
    },
    &RecordCase {
        facts: Facts::new(
            "record-full",
            "the same of all pairs of outputs",
            &[Target::new(Quantity::Seconds, 15.0)],
        ),
        samples: 500,
        trace: Trace::Full,
    },
    &EstimateCase {
        facts: Facts::new(
            "kernel-entropy-estimate",
            "of the NTK of kernel-entropy on more images, by products alone, to an estimated 1 %",
            &[Target::new(Quantity::Seconds, 30.0)],
        )
        .beyond_peer(),
        samples: 20_000,
    },
];

/// Of both hidden layers of a finite network.
const HIDDEN: usize = 128;

/// The von Neumann entropy over the trace, and the trace.
fn entropy_and_trace<T: Real>(kernel: &Array2<T>) -> Result<Vec<f64>, Failure> {
    let spectrum = Spectrum::of_kernel(kernel.view(), Normalization::Trace)?;
    Ok(vec![von_neumann::entropy(&spectrum), spectrum.trace])
}

/// The NTK of a relu network on so many images, and where they are from.
fn closed_form<T: Real>(
    setting: &Setting<'_>,
    samples: usize,
) -> Result<(Array2<T>, String), Failure> {
    let n = setting.limit(samples);
    let (images, data) = setting.inputs.take(Pixels::Vectors, n)?;
    let x = images.numbers::<T>();
    let found = kernels(&relu_network(HIDDEN), x.view(), None, Get::Ntk, &())?;
    Ok((found.ntk.ok_or("no NTK was computed")?, data))
}

/// A kernel matrix.
struct MatrixCase {
    facts: Facts,
    samples: usize,
    /// In which precision.
    part: PartName,
}

impl Case for MatrixCase {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn prepare(&self, setting: &Setting<'_>) -> Result<Work, Failure> {
        let (ntk, data) = closed_form::<f64>(setting, self.samples)?;
        let n = ntk.nrows();
        let path = setting.folder.join(format!("{}.npy", self.facts.name));
        let run = match self.part {
            PartName::F64 => matrix_run(ntk, &path)?,
            _ => matrix_run(ntk.mapv(|v| v as f32), &path)?,
        };
        let name = self.part;
        let request = json!({"case": self.facts.name, "work": "matrix", "kernel": path});
        let parts = vec![Part { name, run }];
        Ok(Work::new(format!("{n} x {n}"), data, parts, request))
    }
}

type TimedRun = Box<dyn Fn() -> Result<Run, Failure>>;

fn matrix_run<T: Real + WritableElement>(
    kernel: Array2<T>,
    path: &std::path::Path,
) -> Result<TimedRun, Failure> {
    ndarray_npy::write_npy(path, &kernel)?;
    Ok(Box::new(move || {
        let begun = Instant::now();
        let probes = entropy_and_trace(&kernel)?;
        Ok(Run {
            seconds: begun.elapsed().as_secs_f64(),
            probes,
        })
    }))
}

/// The empirical kernel of a network.
struct RecordCase {
    facts: Facts,
    samples: usize,
    trace: Trace,
}

impl Case for RecordCase {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn prepare(&self, setting: &Setting<'_>) -> Result<Work, Failure> {
        let n = setting.limit(self.samples);
        let (images, data) = setting.inputs.take(Pixels::Vectors, n)?;
        let x = images.numbers::<f32>();
        let network = relu_network(HIDDEN);
        let model = Model::<f32>::new(&network, &sample_shape(&x.view()), Init::default(), 0)?;
        let more = json!({"work": "record", "trace": self.trace});
        let request = network_request(setting, self.facts.name, &model, &x, more)?;
        let trace = self.trace;
        let rows = kernel_rows(&model, n, trace);
        let run = move || {
            let begun = Instant::now();
            let probes = entropy_and_trace(&model.ntk(x.view(), None, trace, &())?)?;
            Ok(Run {
                seconds: begun.elapsed().as_secs_f64(),
                probes,
            })
        };
        let parts = vec![Part {
            name: PartName::F32,
            run: Box::new(run),
        }];
        Ok(Work::new(format!("{rows} x {rows}"), data, parts, request))
    }
}

/// A kernel matrix that is too large for its eigenvalues.
struct EstimateCase {
    facts: Facts,
    samples: usize,
}

impl Case for EstimateCase {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn prepare(&self, setting: &Setting<'_>) -> Result<Work, Failure> {
        let (kernel, data) = closed_form::<f32>(setting, self.samples)?;
        let n = kernel.nrows();
        let run = move || {
            let begun = Instant::now();
            let found = stochastic::entropy_of_kernel(
                kernel.view(),
                Normalization::Trace,
                &Settings::default(),
            )?;
            let seconds = begun.elapsed().as_secs_f64();
            if !found.converged {
                return Err(format!(
                    "the entropy of {n} samples is known to {:.1e} only after {} probes",
                    found.error() / found.value,
                    found.probes
                )
                .into());
            }
            Ok(Run {
                seconds,
                probes: vec![found.value],
            })
        };
        let parts = vec![Part {
            name: PartName::F32,
            run: Box::new(run),
        }];
        let request = json!({"case": self.facts.name});
        Ok(Work::new(format!("{n} x {n}"), data, parts, request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::inputs::Inputs;
    use ntk_data::Places;

    /// Both sides' entries are those of one kernel; the estimate is near the entropy.
    #[test]
    fn every_case_gives_what_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places {
            offline: true,
            ..Places::default()
        };
        let setting = Setting {
            inputs: &Inputs::new(&places, &()),
            folder: folder.path(),
            samples: Some(30),
            threads: 2,
        };
        let of = |case: &dyn Case| {
            let work = case.prepare(&setting).unwrap();
            let run = (work.parts[0].run)().unwrap();
            (work.size, run.probes)
        };
        let [single, double, traced, full, estimate] = [0, 1, 2, 3, 4].map(|i: usize| of(CASES[i]));
        for found in [&single, &double, &traced, &full] {
            let ln = f64::ln(if found.0 == "300 x 300" { 300.0 } else { 30.0 });
            assert!(0.0 < found.1[0] && found.1[0] < ln && found.1[1] > 0.0);
        }
        assert_eq!(full.0, "300 x 300");
        // A full kernel's trace is that of all outputs.
        approx::assert_relative_eq!(full.1[1], 10.0 * traced.1[1], max_relative = 1e-5);
        approx::assert_relative_eq!(single.1[0], double.1[0], max_relative = 1e-4);
        approx::assert_relative_eq!(estimate.1[0], double.1[0], max_relative = 0.02);
    }
}
