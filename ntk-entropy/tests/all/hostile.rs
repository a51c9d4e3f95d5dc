//! Nothing panics on what a caller passes in.

use ndarray::{Array1, Array2, ArrayRef2, Axis, array, aview1, s};
use ntk_entropy::stochastic::{Estimator, from_fn, purity};
use ntk_entropy::*;
use ntk_linalg::{LinalgError, RandomPivots, Real};
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The names of the calls that panicked.
#[derive(Default)]
struct Calls(Vec<String>);

impl Calls {
    fn call<R>(&mut self, name: &str, with: &str, call: impl FnOnce() -> R) {
        if catch_unwind(AssertUnwindSafe(call)).is_err() {
            self.0.push(format!("{name} of {with}"));
        }
    }
}

const NORMALIZATIONS: [Normalization; 3] = [
    Normalization::None,
    Normalization::Trace,
    Normalization::Cosine,
];

fn matrices<T: Real>() -> Vec<(String, Array2<T>)> {
    let mut all: Vec<(String, Array2<T>)> = Vec::new();
    for shape in [(0, 0), (0, 3), (3, 0), (1, 1), (2, 3), (3, 2), (4, 4)] {
        for value in [
            0.0,
            1.0,
            -1.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            T::max_value().to_f64(),
            T::min_positive_value().to_f64(),
        ] {
            let name = format!("{shape:?} of {value:e} in {}", T::NAME);
            all.push((name, Array2::from_elem(shape, T::of(value))));
        }
    }
    let indefinite = array![[1.0, 2.0], [2.0, 1.0]].mapv(T::of);
    all.push(("indefinite".into(), indefinite));
    let big = Array2::from_shape_fn((6, 6), |(i, j)| T::of(1.0 / (1 + i + j) as f64));
    let reversed = big.slice(s![..;-1, ..;-1]).to_owned();
    all.push(("asymmetric".into(), big.slice(s![.., ..;-1]).to_owned()));
    all.push(("reversed".into(), reversed));
    all.push(("Hilbert's".into(), big));
    all
}

fn spectra() -> Vec<Spectrum> {
    let of = |values: &[f64]| Spectrum {
        eigenvalues: values.iter().copied().collect(),
        probabilities: values.iter().copied().collect(),
        trace: values.iter().sum(),
        clipped_mass: 0.0,
    };
    // The fields are public, so that anybody can make these.
    vec![
        of(&[]),
        of(&[0.0]),
        of(&[f64::NAN, 1.0]),
        of(&[f64::INFINITY]),
        of(&[-1.0, 2.0]),
    ]
}

fn all_bounds(bounds: SpectrumBounds) {
    for order in [f64::NAN, -1.0, 0.0, 1.0, f64::INFINITY] {
        bounds.renyi(order).ok();
    }
    for of in [
        SpectrumBounds::von_neumann,
        SpectrumBounds::effective,
        SpectrumBounds::effective_rank,
        SpectrumBounds::participation_ratio,
        SpectrumBounds::intrinsic_dimension,
        SpectrumBounds::purity,
    ] {
        let _ = of(&bounds).width();
    }
}

fn of_matrix<T: Real>(calls: &mut Calls, name: &str, k: &ArrayRef2<T>) {
    calls.call("Spectrum::of", name, || Spectrum::of(k).ok());
    calls.call("cosine", name, || covariance::cosine(k).ok());
    calls.call("covariance::entropy", name, || covariance::entropy(k).ok());
    calls.call("magnitudes", name, || magnitude::magnitudes(k).ok());
    calls.call("magnitude::entropy", name, || magnitude::entropy(k).ok());
    calls.call("variance", name, || magnitude::variance(k).ok());
    for normalization in NORMALIZATIONS {
        calls.call("of_kernel", name, || {
            Spectrum::of_kernel(k, normalization).ok()
        });
        let rounding = Rounding::HALF.coarser(Rounding::of::<T>());
        calls.call("of_rounded_kernel", name, || {
            Spectrum::of_rounded_kernel(k, normalization, rounding).ok()
        });
        calls.call("of_features", name, || {
            Spectrum::of_features(k, normalization).ok()
        });
        calls.call("purity", name, || purity(k, normalization).ok());
        let pivots = RandomPivots::new(3);
        for column in k.columns() {
            calls.call("of_factor", name, || {
                SpectrumBounds::of_factor(k, &column, normalization)
                    .ok()
                    .map(all_bounds)
            });
            // A factorisation of another kernel, perhaps.
            calls.call("of_partial_cholesky", name, || {
                let of_k = |which: &[usize]| Ok::<_, LinalgError>(k.select(Axis(1), which));
                let partial = pivots.factor(column.to_owned(), || 0.5, of_k).ok()?;
                SpectrumBounds::of_partial_cholesky(&partial, &k.diag(), normalization)
                    .ok()
                    .map(all_bounds)
            });
        }
        let estimator = Estimator::default().max_probes(16);
        calls.call("estimate", name, || {
            estimator.entropy_of_kernel(k, normalization).ok()
        });
        for column in k.columns() {
            calls.call("of_eigenvalues", name, || {
                Spectrum::of_eigenvalues(&column, normalization).ok()
            });
            calls.call("of_rounded_eigenvalues", name, || {
                Spectrum::of_rounded_eigenvalues(&column, normalization, rounding).ok()
            });
        }
    }
    let gram = k.mapv(Real::to_f64);
    for samples in [0, 1, 7, usize::MAX / 16, usize::MAX] {
        for trace in [f64::NAN, f64::INFINITY, -1.0, 0.0, 5e-324, 1.0, f64::MAX] {
            calls.call("of_gram", name, || {
                let bounds = SpectrumBounds::of_gram(&gram, trace, samples, Rounding::HALF);
                bounds.ok().map(all_bounds)
            });
        }
    }
    for outputs in [0, 1, 2, 3, usize::MAX] {
        let name = format!("{name} with {outputs} outputs");
        calls.call("traced", &name, || multi_output::traced(k, outputs).ok());
        calls.call("output_major", &name, || {
            multi_output::output_major(k, outputs).ok()
        });
        calls.call("sample_major", &name, || {
            multi_output::sample_major(k, outputs).ok()
        });
        // Not more than three outputs: what fits memory in theory is not tried.
        if outputs < 4 || !k.is_empty() {
            calls.call("independent", &name, || {
                multi_output::independent(k, outputs).ok()
            });
        }
        for output in [0, 1, usize::MAX] {
            calls.call("of_output", &name, || {
                multi_output::of_output(k, outputs, output).ok()
            });
        }
        for labels in [vec![], vec![0], vec![0, 1, 1, usize::MAX]] {
            calls.call("Blocks", &name, || {
                Blocks::of_rounded(k, &labels, outputs, Rounding::HALF).ok();
                let blocks = Blocks::of_outputs(k, &labels, outputs).ok()?;
                for classes in [&[][..], &[0], &[usize::MAX, 0], &[1, 1, 1]] {
                    for normalization in NORMALIZATIONS {
                        blocks.of(classes).ok();
                        blocks.spectrum(classes, normalization).ok();
                        MutualInformation::of(&blocks, classes, &[0], normalization).ok();
                        mutual_information::pairs(&blocks, classes, normalization).ok();
                    }
                }
                Some(())
            });
        }
    }
}

fn of_type<T: Real>(calls: &mut Calls) {
    let matrices = matrices::<T>();
    for (name, k) in &matrices {
        of_matrix(calls, name, k);
        of_matrix(
            calls,
            &format!("{name}, upside down"),
            &k.slice(s![..;-1, ..;-1]),
        );
        of_matrix(calls, &format!("{name}, transposed"), &k.t());
        for (other_name, other) in &matrices {
            let name = format!("{name} and {other_name}");
            for normalization in NORMALIZATIONS {
                calls.call("relative_entropy", &name, || {
                    divergence::relative_entropy(k, other, normalization).ok()
                });
                calls.call("fidelity", &name, || {
                    divergence::fidelity(k, other, normalization).ok()
                });
                calls.call("jensen_shannon", &name, || {
                    divergence::jensen_shannon(k, other, normalization).ok()
                });
            }
        }
    }
}

#[test]
fn nothing_panics_on_matrices() {
    let mut calls = Calls::default();
    of_type::<f64>(&mut calls);
    of_type::<f32>(&mut calls);
    assert!(calls.0.is_empty(), "{:#?}", calls.0);
}

#[test]
fn nothing_panics_on_numbers() {
    let mut calls = Calls::default();
    for spectrum in &spectra() {
        let name = format!("{spectrum:?}");
        for order in [
            0.0,
            1.0,
            2.0,
            -1.0,
            1e300,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ] {
            calls.call("renyi", &format!("{name} and {order}"), || {
                renyi::entropy(spectrum, order).ok()
            });
        }
        let of = [
            von_neumann::entropy,
            von_neumann::effective,
            rank::effective_rank,
            rank::participation_ratio,
            rank::intrinsic_dimension,
            rank::stable_rank,
            rank::purity,
            Spectrum::largest_eigenvalue,
            Spectrum::spectral_gap,
            Spectrum::condition_number,
        ];
        for (place, of) in of.iter().enumerate() {
            calls.call(&format!("number {place}"), &name, || of(spectrum));
        }
        calls.call("rank", &name, || rank::rank(spectrum));
        for other in &spectra() {
            calls.call("of_spectra", &name, || {
                let pair = MutualInformation::of_spectra(spectrum, other, spectrum);
                (
                    pair.information(),
                    pair.chi(),
                    pair.normalized(),
                    pair.chi_normalized(),
                )
            });
        }
    }
    for classes in [&[][..], &[usize::MAX], &[1, 1, 0]] {
        for largest in [0, 1, usize::MAX] {
            calls.call("combinations", "classes", || {
                combination::combinations(classes, largest).ok()
            });
            calls.call("count", "classes", || {
                combination::count(usize::MAX - classes.len(), largest)
            });
        }
        calls.call("rows", "classes", || {
            combination::rows(classes, &[1, usize::MAX])
        });
        for outputs in [0, 1, usize::MAX] {
            calls.call("sides", "classes", || {
                multi_output::sides(classes, outputs).ok()
            });
            calls.call("samples", "classes", || {
                multi_output::samples(usize::MAX, outputs).ok()
            });
        }
    }
    let ones = Array2::<f64>::ones((1, 2));
    assert!(multi_output::independent(&ones, usize::MAX).is_err());
    let empty = Array2::<f64>::zeros((0, 2));
    calls.call("independent", "nothing", || {
        multi_output::independent(&empty, usize::MAX / 2).ok()
    });
    calls.call("of_eigenvalues", "integers beyond f32", || {
        Spectrum::of_eigenvalues(&aview1(&[f32::MAX, f32::MAX]), Normalization::Trace).ok()
    });
    assert!(calls.0.is_empty(), "{:#?}", calls.0);
}

#[test]
fn nothing_panics_on_operators() {
    let mut calls = Calls::default();
    let values = [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e308, 5e-324];
    for n in [0, 1, 2, 40] {
        for value in values {
            let name = format!("order {n} and products {value}");
            let operator = from_fn(n, |v: &ArrayRef2<f64>| {
                Ok::<_, Infallible>(Array2::from_elem(v.dim(), value))
            });
            for estimator in [
                Estimator::default(),
                Estimator::default().tolerance(f64::NAN),
                Estimator::default()
                    .tolerance(f64::INFINITY)
                    .max_probes(0)
                    .seed(u64::MAX),
                Estimator::default().tolerance(0.0).max_probes(16),
            ] {
                calls.call("entropy", &name, || estimator.entropy(&operator).ok());
                calls.call("trace", &name, || estimator.trace(&operator).ok());
            }
        }
        let wrong = from_fn(n, |_: &ArrayRef2<f32>| {
            Ok::<_, Infallible>(Array2::ones((1, 7)))
        });
        calls.call("entropy", "products of another shape", || {
            Estimator::default().entropy(&wrong).ok()
        });
    }
    let estimate =
        Estimator::default().entropy_of_kernel(&Array2::<f64>::eye(3), Normalization::Trace);
    for n in [0, 1, usize::MAX] {
        calls.call("effective", "any order", || {
            estimate.clone().unwrap().effective(n)
        });
    }
    let diagonal = Array2::from_diag(&Array1::<f64>::from_elem(20, -1e-300));
    calls.call("estimate", "tiny negative", || {
        Estimator::default()
            .entropy_of_kernel(&diagonal, Normalization::Cosine)
            .ok()
    });
    assert!(calls.0.is_empty(), "{:#?}", calls.0);
}
