//! Entropies beside numpy: the cases.

use super::case::{
    BenchCase, Contender, ContenderName, PeerProgram, Prepared, Quantity, Suite, Supplies, Target,
};
use super::inputs::Pixels;
use super::networks::{kernel_rows, model, network_request, relu_network};
use crate::Failure;
use ndarray::Array2;
use ndarray_npy::WritableElement;
use ntk_entropy::stochastic::Estimator;
use ntk_entropy::{Normalization, Spectrum, von_neumann};
use ntk_linalg::Real;
use ntk_train::Trace;
use serde_json::json;

/// The cases of `ntk-entropy`.
pub(super) static SUITE: Suite = Suite {
    name: "entropy",
    title: "Entropies beside numpy",
    peer: PeerProgram {
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

/// The cases in the order of the record.
static CASES: &[BenchCase] = &[
    BenchCase::new(
        "kernel-entropy",
        "of the NTK in closed form of a relu network on images",
        &[Target::new(Quantity::PeerOverOurs, 1.0)],
        |case, setting| matrix::<f32>(case, setting, ContenderName::F32),
    ),
    BenchCase::new(
        "kernel-entropy-f64",
        "the same in double precision, also the peer's",
        &[Target::new(Quantity::PeerOverOurs, 1.0)],
        |case, setting| matrix::<f64>(case, setting, ContenderName::F64),
    ),
    BenchCase::new(
        "record-traced",
        "of the empirical NTK, mean over outputs, of a relu network 784-128-128-10",
        &[Target::new(Quantity::Seconds, 0.1)],
        |case, setting| record(case, setting, Trace::Traced),
    ),
    BenchCase::new(
        "record-full",
        "the same of all pairs of outputs",
        &[Target::new(Quantity::Seconds, 15.0)],
        |case, setting| record(case, setting, Trace::Full),
    ),
    BenchCase::new(
        "kernel-entropy-estimate",
        "of the NTK of kernel-entropy on more images, by products alone, to an estimated 1 %",
        &[Target::new(Quantity::Seconds, 30.0)],
        estimate,
    )
    .beyond_peer(),
];

/// The width of both hidden layers of a finite network.
const HIDDEN: usize = 128;

/// Computes the von Neumann entropy over the trace, and the trace.
fn entropy_and_trace<T: Real>(kernel: &Array2<T>) -> Result<Vec<f64>, Failure> {
    let spectrum = Spectrum::of(kernel)?;
    Ok(vec![von_neumann::entropy(&spectrum), spectrum.trace])
}

/// Computes the NTK of a relu network on so many images; says where they are from.
fn closed_form<T: Real>(
    setting: &Supplies<'_>,
    samples: usize,
) -> Result<(Array2<T>, String), Failure> {
    let input = setting
        .inputs
        .take(Pixels::Vectors, setting.limit(samples))?;
    Ok((relu_network(HIDDEN).ntk(&input.numbers())?, input.note))
}

/// Prepares a kernel matrix, computed in f64.
fn matrix<T: Real + WritableElement>(
    case: &BenchCase,
    setting: &Supplies<'_>,
    name: ContenderName,
) -> Result<Prepared, Failure> {
    let (ntk, data) = closed_form::<f64>(setting, 2000)?;
    let (n, ntk) = (ntk.nrows(), ntk.mapv(T::of));
    let path = setting.write(case, "kernel", &ntk)?;
    let request = json!({"case": case.name, "work": "matrix", "kernel": path});
    let part = Contender::new(name, move || entropy_and_trace(&ntk), Vec::clone);
    Ok(Prepared::new(
        format!("{n} x {n}"),
        data,
        vec![part],
        request,
    ))
}

/// Prepares the empirical kernel of a network.
fn record(case: &BenchCase, setting: &Supplies<'_>, trace: Trace) -> Result<Prepared, Failure> {
    let n = setting.limit(500);
    let input = setting.inputs.take(Pixels::Vectors, n)?;
    let x = input.numbers::<f32>();
    let model = model(&relu_network(HIDDEN), &x)?;
    let more = json!({"work": "record", "trace": trace});
    let request = network_request(setting, case, &model, &x, more)?;
    let rows = kernel_rows(&model, n, trace);
    let work = move || entropy_and_trace(&model.kernel_fn().trace(trace).ntk(&x)?);
    let part = Contender::new(ContenderName::F32, work, Vec::clone);
    let size = format!("{rows} x {rows}");
    Ok(Prepared::new(size, input.note, vec![part], request))
}

/// Prepares a kernel matrix that is too large for its eigenvalues.
fn estimate(case: &BenchCase, setting: &Supplies<'_>) -> Result<Prepared, Failure> {
    let (kernel, data) = closed_form::<f32>(setting, 20_000)?;
    let n = kernel.nrows();
    let work = move || {
        let found = Estimator::default().entropy_of_kernel(&kernel, Normalization::Trace)?;
        if !found.converged {
            return Err(format!(
                "the entropy of {n} samples is known to {:.1e} only after {} probes",
                found.error() / found.value,
                found.probes
            )
            .into());
        }
        Ok(vec![found.value])
    };
    let part = Contender::new(ContenderName::F32, work, Vec::clone);
    let request = json!({"case": case.name});
    Ok(Prepared::new(
        format!("{n} x {n}"),
        data,
        vec![part],
        request,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::tests::prepare_each;

    /// Both sides' entries are those of one kernel; the estimate is near the entropy.
    #[test]
    fn every_case_gives_what_is_asked_for() {
        let mut all = Vec::new();
        prepare_each(&SUITE, 30, |_, work| {
            let run = (work.parts[0].run)().unwrap();
            all.push((work.size.clone(), run.probes));
        });
        let [single, double, traced, full, estimate]: [_; 5] = all.try_into().unwrap();
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
