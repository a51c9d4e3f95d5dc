//! `cargo xtask kernel`.

use super::closed_form::{kernels, sample_shape};
use super::{Progress, environment, npy};
use crate::Failure;
use crate::cli::{Common, Kernel, KernelName, Precision};
use ndarray::ArrayD;
use ndarray_npy::WritableElement;
use ntk_data::atomic;
use ntk_kernels::network::Row;
use ntk_kernels::{Get, Network};
use ntk_linalg::Real;
use serde_json::{Value as Json, json};
use std::io::{self, Read};
use std::path::Path;
use std::time::Instant;

pub(super) fn run(common: &Common, args: &Kernel) -> Result<(), Failure> {
    match args.precision {
        Precision::F64 => run_in::<f64>(common, args),
        Precision::F32 => run_in::<f32>(common, args),
    }
}

fn run_in<T: Real + WritableElement>(common: &Common, args: &Kernel) -> Result<(), Failure> {
    let network = network(&args.net)?;
    let x1 = samples::<T>(&args.x1)?;
    let x2 = args.x2.as_deref().map(samples::<T>).transpose()?;
    let shape = sample_shape(&x1.view());
    if let Some(x2) = &x2 {
        let other = sample_shape(&x2.view());
        if other != shape {
            return Err(format!(
                "{} has samples of shape {shape} and {} of shape {other}; both must be alike",
                args.x1.display(),
                args.x2.as_deref().unwrap_or(&args.x1).display()
            )
            .into());
        }
    }
    let rows = network
        .rows(&shape)
        .map_err(|e| format!("{}: {e}", args.net.display()))?;
    let get = get(&args.get);
    let (n1, n2) = (x1.shape()[0], x2.as_ref().unwrap_or(&x1).shape()[0]);
    check_memory::<T>(n1, n2, get)?;
    check_writable(&args.out)?;

    let progress = Progress::new(common.quiet || common.json);
    let begun = Instant::now();
    let found = kernels(
        &network,
        x1.view(),
        x2.as_ref().map(|x2| x2.view()),
        get,
        &progress,
    );
    progress.end();
    let found = found?;
    let seconds = begun.elapsed().as_secs_f64();
    let named = [("nngp", &found.nngp), ("ntk", &found.ntk)];
    let arrays: Vec<_> = named
        .into_iter()
        .filter_map(|(name, array)| Some((name, array.as_ref()?)))
        .collect();
    npy::write_npz(&args.out, &arrays).map_err(|e| unwritable(&args.out, &e))?;

    let names: Vec<_> = arrays.iter().map(|(name, _)| *name).collect();
    let answer = json!({
        "n1": n1,
        "n2": n2,
        "get": names,
        "precision": T::NAME,
        "seconds": seconds,
        "out": args.out,
        "network": table(&shape.to_string(), &rows),
        "peak_memory": environment::peak_memory(),
    });
    let line = format!(
        "{} ({n1}, {n2}) of samples {shape}, {}: {seconds:.3} s, in {}",
        names.join(" and "),
        T::NAME,
        args.out.display()
    );
    show(common, &answer, &line)
}

fn network(path: &Path) -> Result<Network, Failure> {
    let (name, text) = if path == Path::new("-") {
        let mut text = String::new();
        let read = io::stdin().read_to_string(&mut text);
        ("standard input".into(), read.map(|_| text))
    } else {
        (path.display().to_string(), std::fs::read_to_string(path))
    };
    let text = text.map_err(|e| {
        format!("cannot read {name}: {e}; give a network as JSON, see cargo xtask kernel --help")
    })?;
    Ok(Network::from_json(&text).map_err(|e| format!("{name}: {e}"))?)
}

/// Finite samples of a shape that kernels are defined for.
fn samples<T: Real>(path: &Path) -> Result<ArrayD<T>, Failure> {
    let x = npy::read::<T>(path)?;
    if !(2..=4).contains(&x.ndim()) {
        let remedy = match x.ndim() {
            1 => "; x.reshape(1, -1) is one sample, x.reshape(-1, 1) are samples of one number",
            _ => "",
        };
        return Err(format!(
            "{} has shape {:?}, expected (n, features), (n, length, channels) or \
             (n, height, width, channels){remedy}",
            path.display(),
            x.shape()
        )
        .into());
    }
    if let Some((place, value)) = x.indexed_iter().find(|(_, v)| !v.is_finite()) {
        return Err(format!(
            "{}: entry {:?} is {value} in {}; remove or replace it first",
            path.display(),
            ndarray::Dimension::slice(&place),
            T::NAME
        )
        .into());
    }
    Ok(x)
}

fn get(names: &[KernelName]) -> Get {
    let has = |name| names.contains(&name);
    match (has(KernelName::Nngp), has(KernelName::Ntk)) {
        (true, false) => Get::Nngp,
        (false, true) => Get::Ntk,
        _ => Get::Both,
    }
}

/// Refuses what the system would not give, where it says so before it is used.
fn check_memory<T>(n1: usize, n2: usize, get: Get) -> Result<(), Failure> {
    let matrices = if get == Get::Both { 2 } else { 1 };
    let entries = n1.checked_mul(n2).and_then(|n| n.checked_mul(matrices));
    if entries.is_some_and(|n| Vec::<T>::new().try_reserve_exact(n).is_ok()) {
        return Ok(());
    }
    let gigabytes = n1 as f64 * n2 as f64 * (matrices * size_of::<T>()) as f64 / 1e9;
    Err(format!(
        "the result of ({n1}, {n2}) takes {gigabytes:.0} GB, more than there is; ask for one kernel by \
         --get ntk, for --precision f32, or for parts of the samples by --x1 and --x2"
    )
    .into())
}

/// Tells before the work that its result could not be written.
fn check_writable(path: &Path) -> Result<(), Failure> {
    if path.is_dir() {
        return Err(format!("{} is a folder; name a file in it by --out", path.display()).into());
    }
    let mut writable = false;
    // A file that is given up at once, and so leaves what is there.
    let outcome = atomic::write_with(path, |_| {
        writable = true;
        Err(io::ErrorKind::Interrupted.into())
    });
    match outcome {
        Err(e) if !writable => Err(unwritable(path, &e)),
        _ => Ok(()),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    format!(
        "cannot write {}: {error}; choose another --out",
        path.display()
    )
    .into()
}

/// Every layer with the shape of a sample after it.
fn table(input: &str, rows: &[Row]) -> Json {
    let input = json!({"path": "input", "layer": null, "shape": input});
    let rows = rows.iter().map(|row| {
        json!({"path": row.path, "layer": row.layer.to_string(), "shape": row.shape.to_string()})
    });
    std::iter::once(input).chain(rows).collect()
}

#[expect(clippy::print_stdout, reason = "the answer")]
fn show(common: &Common, answer: &Json, line: &str) -> Result<(), Failure> {
    if common.json {
        println!("{}", serde_json::to_string_pretty(answer)?);
    } else if !common.quiet {
        println!("{line}");
    }
    Ok(())
}
