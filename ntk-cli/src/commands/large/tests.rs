use super::*;
use crate::cli::{Cli, Command};
use clap::Parser;
use ntk_data::{DataSet, Places};
use ntk_kernels::predict::KernelRegression;

fn arguments(flags: &str) -> Large {
    let line = ["ntk", "large"].into_iter().chain(flags.split(' '));
    match Cli::try_parse_from(line).unwrap().command {
        Command::Large(args) => args,
        _ => unreachable!("the command is named above"),
    }
}

/// The embedded one.
fn sample() -> DataSet {
    let places = Places {
        offline: true,
        ..Places::default()
    };
    places.load("fashion-mnist").unwrap()
}

fn found(set: &DataSet, flags: &str) -> (LoadedProblem, Result<Solutions, Failure>) {
    let args = arguments(flags);
    let problem = problems::find(&args.of.problem).unwrap();
    let loaded = LoadedProblem::new(
        problem,
        args.of.net.as_deref(),
        set,
        args.of.one_train().unwrap(),
        args.of.test,
    )
    .unwrap();
    let progress = Progress::new(true);
    let plan = RegressionPlan::new(&loaded, &args).unwrap();
    let run = Run::new(&loaded, &args, &plan, &progress).unwrap();
    let found = run.solve();
    (loaded, found)
}

/// The outputs on test images of plain regression in f64 with the whole matrix.
fn plain(loaded: &LoadedProblem, shift: f64) -> Array2<f64> {
    let x = loaded.inputs::<f64>(&loaded.train);
    let test = loaded.inputs::<f64>(&loaded.test);
    let of = |x: &ArrayD<f64>, z: Option<&ArrayD<f64>>| {
        let kernel_fn = loaded.network.kernel_fn();
        match z {
            None => kernel_fn.kernel(loaded.problem.kernel, x),
            Some(z) => kernel_fn.kernel_between(loaded.problem.kernel, x, z),
        }
        .unwrap()
    };
    let mut k = of(&x, None);
    k.diag_mut().mapv_inplace(|v| v + shift);
    let y = loaded.targets().unwrap();
    let fit = KernelRegression::fit(k, &y, 0.0).unwrap();
    fit.predict(&of(&test, Some(&x))).unwrap()
}

fn far(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    (a - b).iter().fold(0.0, |most: f64, v| most.max(v.abs()))
}

#[test]
fn both_solvers_and_all_sources_agree_with_plain_regression() {
    let set = sample();
    let store = tempfile::tempdir().unwrap();
    let folder = store.path().display();
    for flags in [
        "--tile 64 --rank 50".to_string(),
        "--tile 500 --rank 200 --diag-reg 1e-2 --products memory".into(),
        "--tile 64 --rank 40 --solver cg --products recompute".into(),
        format!("--tile 64 --rank 40 --products store --store {folder}"),
        format!("--tile 64 --solver cholesky --store {folder}"),
    ] {
        let (loaded, found) = found(&set, &format!("mnist-ntk --train 200 --test 60 {flags}"));
        let found = found.unwrap();
        let expected = plain(&loaded, found.shift);
        assert_eq!(found.shift > 0.0, flags.contains("diag-reg"), "{flags}");
        assert_eq!(
            found.predictions.len(),
            if flags.contains("solver") { 1 } else { 2 }
        );
        for (solved, outputs) in found.solutions.iter().zip(&found.predictions) {
            let name = solved.solver;
            assert!(
                solved.refined.converged,
                "{flags}, {name}: {:?}",
                solved.refined.residuals
            );
            // Outputs are of order 1; rows of the stored test kernel are rounded to f32.
            let allowed = if flags.contains("--store") {
                1e-4
            } else {
                1e-8
            };
            let far = far(outputs, &expected);
            assert!(far <= allowed, "{flags}, {name}: {far:e}");
            let (products, last) = solved.curve.last().unwrap();
            assert!(
                *products >= 1.0 && *last <= 1e-4,
                "{flags}, {name}: {:?}",
                solved.curve
            );
        }
    }
}

/// All columns and more make the inverse itself, up to the kernel's rounding to f32.
#[test]
fn a_preconditioner_of_all_columns_leaves_little_to_do() {
    let set = sample();
    for rank in [99, 100, 2000] {
        let flags = format!("mnist-ntk --train 100 --test 5 --solver cg --rank {rank}");
        let (_, found) = found(&set, &flags);
        let solved = &found.unwrap().solutions[0];
        let products = solved.curve.len() - 1;
        assert!(
            solved.refined.converged && products <= 30,
            "{rank}: {products}"
        );
    }
}

#[test]
fn a_convolutional_network_is_solved_from_its_store() {
    let set = sample();
    let store = tempfile::tempdir().unwrap();
    let flags = format!(
        "mnist-convnet-gp --train 24 --test 4 --tile 10 --rank 5 --store {}",
        store.path().display()
    );
    let (loaded, found) = found(&set, &flags);
    let found = found.unwrap();
    let expected = plain(&loaded, 0.0);
    assert_eq!(found.residuals_of, "the kernel stored in f32");
    for (solved, outputs) in found.solutions.iter().zip(&found.predictions) {
        assert!(solved.refined.converged, "{:?}", solved.refined.residuals);
        assert!(
            far(outputs, &expected) <= 1e-3,
            "{}",
            far(outputs, &expected)
        );
    }
}

#[test]
fn a_plan_says_what_does_not_fit_together() {
    let set = sample();
    let plan = |flags: &str| {
        let args = arguments(&format!("mnist-ntk --train 20 --test 5 {flags}"));
        let problem = problems::find(&args.of.problem).unwrap();
        let loaded = LoadedProblem::new(
            problem,
            None,
            &set,
            args.of.one_train().unwrap(),
            args.of.test,
        )
        .unwrap();
        RegressionPlan::new(&loaded, &args)
    };
    assert_eq!(plan("--rank 5").unwrap().products, Products::Memory);
    let message = |flags: &str| plan(flags).err().unwrap().to_string();
    assert!(message("--products store").contains("--store"));
    assert!(message("--products recompute --store x").contains("leave out"));
    assert!(
        problems::find("cifar")
            .err()
            .unwrap()
            .to_string()
            .contains("mnist-convnet-gp")
    );
}
