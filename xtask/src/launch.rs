//! Starting cargo: for the tests, and for this program with its engine.

use crate::Failure;
use crate::cli::{BackendChoice, Bench, Common, Test};
use clap::ValueEnum;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Runs all tests of all crates.
pub(crate) fn test(common: &Common, args: &Test) -> Result<ExitCode, Failure> {
    let mut cargo = over_crates("test", common, args.package.as_deref(), args.mpi)?;
    cargo.arg("--").args(&args.rest);
    replace_process(cargo)
}

/// Runs all benchmarks of all crates.
pub(crate) fn bench(common: &Common, args: &Bench) -> Result<ExitCode, Failure> {
    let mut cargo = over_crates("bench", common, args.package.as_deref(), false)?;
    if !common.quiet {
        // As cargo does; where nobody reads it, the work goes on.
        let line = "running cargo bench; --peers runs ours beside other programs'";
        let _ = writeln!(io::stderr(), "{line}");
    }
    // Benchmarks alone: programs with unit tests do not know the flags of benchmarks.
    cargo.args(["--bench", "*", "--"]).args(&args.rest);
    replace_process(cargo)
}

/// `cargo test` or `cargo bench` over one crate or all of them.
fn over_crates(
    command: &str,
    common: &Common,
    package: Option<&str>,
    mpi: bool,
) -> Result<Command, Failure> {
    let mut cargo = cargo(command);
    cargo.arg("--no-fail-fast");
    let openblas = openblas(common.backend)?;
    if mpi || package == Some(MPI) {
        mpi_is_there()?;
    }
    // Asking a single package for another's features is an error in cargo.
    let mut features = Vec::new();
    match package {
        Some(package) => {
            cargo.args(["--package", package]);
            match package {
                "xtask" => features.push("engine"),
                "ntk-data" => features.push("pca"),
                "ntk-cli" if mpi => features.push("mpi"),
                _ => {}
            }
            if openblas && OF_OPENBLAS.contains(&package) {
                features.push("openblas");
            }
        }
        None => {
            cargo.arg("--workspace");
            features.push("xtask/engine");
            if openblas {
                features.push("xtask/openblas");
            }
            if mpi {
                features.push("ntk-cli/mpi");
            } else {
                // It builds with MPI alone.
                cargo.args(["--exclude", MPI]);
            }
        }
    }
    if !features.is_empty() {
        cargo.args(["--features", &features.join(",")]);
    }
    if let Some(threads) = common.threads {
        cargo.env("RAYON_NUM_THREADS", threads.to_string());
    }
    if common.quiet {
        cargo.arg("--quiet");
    }
    Ok(cargo)
}

/// The crate of what runs over MPI.
const MPI: &str = "ntk-mpi";

/// Crates with a feature `openblas`.
const OF_OPENBLAS: [&str; 3] = ["ntk-linalg", "ntk-cli", "xtask"];

/// Builds this program with its engine and runs it on the same command line.
#[cfg(not(feature = "engine"))]
pub(crate) fn engine(common: &Common) -> Result<ExitCode, Failure> {
    let features = match openblas(common.backend)? {
        true => "engine,openblas",
        false => "engine",
    };
    run(
        &["--package", "xtask", "--features", features],
        common.quiet || common.json,
        std::env::args_os().skip(1).collect(),
    )
}

/// Builds the program ntk and runs it on the same command line, but for `--backend`.
pub(crate) fn ntk(backend: BackendChoice, distributed: bool) -> Result<ExitCode, Failure> {
    let (named, flags) = without_backend(std::env::args_os().skip(1).collect())?;
    let mut features = Vec::new();
    if openblas(named.unwrap_or(backend))? {
        features.push("openblas");
    }
    let has = |flag: &str| flags.iter().any(|given| given == flag);
    // A plan alone needs no MPI, and neither does the manual.
    if distributed && !["--dry-run", "--help", "-h"].into_iter().any(has) {
        mpi_is_there()?;
        features.push("mpi");
    }
    let quiet = has("--quiet") || has("--json");
    let features = features.join(",");
    run(
        &["--package", "ntk-cli", "--features", &features],
        quiet,
        flags,
    )
}

/// Takes `--backend` out of the flags of ntk, whose linear algebra is built in.
fn without_backend(
    flags: Vec<OsString>,
) -> Result<(Option<BackendChoice>, Vec<OsString>), Failure> {
    let mut named = None;
    let mut others = Vec::new();
    let mut flags = flags.into_iter();
    while let Some(flag) = flags.next() {
        let value = match flag.to_str() {
            Some("--backend") => flags.next().unwrap_or_default(),
            Some(text) if text.starts_with("--backend=") => text["--backend=".len()..].into(),
            _ => {
                others.push(flag);
                continue;
            }
        };
        let value = value.to_string_lossy();
        named =
            Some(BackendChoice::from_str(&value, false).map_err(|_| {
                format!("--backend is \"{value}\"; there are auto, faer, openblas")
            })?);
    }
    Ok((named, others))
}

/// Becomes `cargo run --release` of a program of this workspace.
fn run(of: &[&str], quiet: bool, arguments: Vec<OsString>) -> Result<ExitCode, Failure> {
    let mut cargo = cargo("run");
    cargo.arg("--release").args(of);
    if quiet {
        cargo.arg("--quiet");
    }
    cargo.arg("--").args(arguments);
    replace_process(cargo)
}

/// The folder that holds all crates.
pub(crate) fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(PathBuf::new, Path::to_path_buf)
}

fn cargo(command: &str) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .arg(command)
        .arg("--manifest-path")
        .arg(workspace_root().join("Cargo.toml"));
    if let Some(core) = openblas_core() {
        cargo.env(CORE, core);
    }
    cargo
}

/// Which processor OpenBLAS is to work for, asked of the environment.
const CORE: &str = "OPENBLAS_CORETYPE";

/// What to tell OpenBLAS unless the user does: a processor that is younger than the library it
/// takes for one of before AVX-512, and is half as fast.
fn openblas_core() -> Option<&'static str> {
    #[cfg(target_arch = "x86_64")]
    if std::env::var_os(CORE).is_none()
        && std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512dq")
        && std::arch::is_x86_feature_detected!("avx512vl")
    {
        return Some("SKYLAKEX");
    }
    None
}

/// Whether to build with OpenBLAS.
fn openblas(backend: BackendChoice) -> Result<bool, Failure> {
    match backend {
        BackendChoice::Faer => Ok(false),
        BackendChoice::Auto => Ok(pkg_config_finds("openblas")),
        BackendChoice::Openblas if pkg_config_finds("openblas") => Ok(true),
        BackendChoice::Openblas => Err(
            "pkg-config does not find openblas; install it with its development files \
             (Debian: libopenblas-dev) or leave --backend out"
                .into(),
        ),
    }
}

fn pkg_config_finds(library: &str) -> bool {
    // As the pkg-config crate does, so that what is found here is what the build finds.
    let program = std::env::var_os("PKG_CONFIG").unwrap_or_else(|| "pkg-config".into());
    runs(Command::new(program).args(["--exists", library]))
}

fn runs(command: &mut Command) -> bool {
    let silent = command.stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

/// Refuses to build for MPI where something is missing that the build would fail of.
fn mpi_is_there() -> Result<(), Failure> {
    let scalapack = ["scalapack-openmpi", "scalapack"];
    let there = runs(Command::new("mpirun").arg("--version"))
        && runs(Command::new("mpicc").arg("--version"))
        && scalapack.into_iter().any(pkg_config_finds);
    if there {
        return Ok(());
    }
    Err(
        "mpirun, mpicc or ScaLAPACK, as pkg-config finds it, is not here; install MPI, ScaLAPACK and \
         libclang (Debian: libopenmpi-dev openmpi-bin libscalapack-openmpi-dev libclang-dev)"
            .into(),
    )
}

/// On Unix the new program takes this one's place, so that signals reach it alone.
#[cfg(unix)]
fn replace_process(mut command: Command) -> Result<ExitCode, Failure> {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(format!("cannot start {}: {error}", command.get_program().display()).into())
}

#[cfg(not(unix))]
fn replace_process(mut command: Command) -> Result<ExitCode, Failure> {
    let status = command
        .status()
        .map_err(|e| format!("cannot start {}: {e}", command.get_program().display()))?;
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1);
    Ok(ExitCode::from(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backend_is_taken_out_of_the_flags_of_ntk() {
        let split = |flags: &str| without_backend(flags.split(' ').map(OsString::from).collect());
        let kept = |flags: &str| flags.split(' ').map(OsString::from).collect::<Vec<_>>();
        for flags in [
            "kernel --backend faer --net a",
            "--backend faer kernel --net a",
            "kernel --net a --backend=faer",
        ] {
            let (named, others) = split(flags).unwrap();
            assert!(named == Some(BackendChoice::Faer), "{flags}");
            assert_eq!(others, kept("kernel --net a"));
        }
        let (named, others) = split("data list --json").unwrap();
        assert!(named.is_none());
        assert_eq!(others, kept("data list --json"));
        for flags in ["kernel --backend", "kernel --backend mkl"] {
            let error = split(flags).unwrap_err().to_string();
            assert!(error.contains("auto, faer, openblas"), "{error}");
        }
    }
}
