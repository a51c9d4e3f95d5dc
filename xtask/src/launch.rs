//! Starting cargo: for the tests, and for this program with its engine.

use crate::Failure;
use crate::cli::{BackendChoice, Bench, Common, Test};
#[cfg(not(feature = "engine"))]
use crate::cli::{Cli, Command as Asked};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Runs all tests of all crates.
pub(crate) fn test(common: &Common, args: &Test) -> Result<ExitCode, Failure> {
    let mut cargo = over_crates("test", common, args.package.as_deref(), args.mpi)?;
    cargo.arg("--").args(&args.rest);
    replace_process(cargo)
}

/// Runs all benchmarks of all crates.
#[expect(clippy::print_stderr, reason = "says what is run, as cargo does")]
pub(crate) fn bench(common: &Common, args: &Bench) -> Result<ExitCode, Failure> {
    let mut cargo = over_crates("bench", common, args.package.as_deref(), false)?;
    if !common.quiet {
        eprintln!("running cargo bench; --peers runs ours beside other programs'");
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
    let mut features = features(common.backend)?;
    if mpi {
        mpi_is_there()?;
        features += ",mpi";
    }
    match package {
        // Each crate's own features: asking a single package for another's is an error in cargo.
        Some("xtask") => cargo.args(["--package", "xtask", "--features", &features]),
        Some(package) => {
            cargo.args(["--package", package]);
            // Those that each has of its own.
            let own: &[&str] = match package {
                "ntk-linalg" => &["openblas", "mpi"],
                "ntk-kernels" => &["mpi"],
                _ => &[],
            };
            let own: Vec<_> = own.iter().filter(|own| features.contains(**own)).collect();
            own.into_iter()
                .fold(&mut cargo, |cargo, own| cargo.args(["--features", own]))
        }
        None => {
            let features: Vec<_> = features.split(',').map(|f| format!("xtask/{f}")).collect();
            cargo.args(["--workspace", "--features", &features.join(",")])
        }
    };
    if let Some(threads) = common.threads {
        cargo.env("RAYON_NUM_THREADS", threads.to_string());
    }
    if common.quiet {
        cargo.arg("--quiet");
    }
    Ok(cargo)
}

/// Builds this program with its engine and runs it on the same command line.
#[cfg(not(feature = "engine"))]
pub(crate) fn engine(cli: &Cli) -> Result<ExitCode, Failure> {
    let common = &cli.common;
    let mut features = features(common.backend)?;
    // A plan alone needs no MPI.
    if matches!(&cli.command, Asked::Distributed(args) if !args.of.dry_run) {
        mpi_is_there()?;
        features += ",mpi";
    }
    let mut cargo = cargo("run");
    cargo.args(["--release", "--package", "xtask", "--features", &features]);
    if common.quiet || common.json {
        cargo.arg("--quiet");
    }
    cargo.arg("--").args(std::env::args_os().skip(1));
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

fn features(backend: BackendChoice) -> Result<String, Failure> {
    let openblas = match backend {
        BackendChoice::Faer => false,
        BackendChoice::Auto => pkg_config_finds_openblas(),
        BackendChoice::Openblas if pkg_config_finds_openblas() => true,
        BackendChoice::Openblas => {
            return Err(
                "pkg-config does not find openblas; install it with its development files \
                        (Debian: libopenblas-dev) or leave --backend out"
                    .into(),
            );
        }
    };
    Ok(if openblas {
        "engine,openblas"
    } else {
        "engine"
    }
    .to_string())
}

fn pkg_config_finds_openblas() -> bool {
    pkg_config_finds("openblas")
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
    let missing = [
        (
            runs(Command::new("mpirun").arg("--version")),
            "mpirun (Debian: openmpi-bin)",
        ),
        (
            runs(Command::new("mpicc").arg("--version")),
            "mpicc (Debian: libopenmpi-dev)",
        ),
        (
            scalapack.into_iter().any(pkg_config_finds),
            "ScaLAPACK, as pkg-config finds it (Debian: libscalapack-openmpi-dev)",
        ),
        (
            libclang_is_there(),
            "libclang, or LIBCLANG_PATH, its folder (Debian: libclang-dev)",
        ),
    ];
    let missing: Vec<_> = missing.iter().filter(|(there, _)| !there).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|(_, name)| *name).collect();
    Err(format!(
        "MPI needs what is not here; install {}",
        names.join(", and ")
    )
    .into())
}

/// Whether it is where it is usually looked for: in the folder that is named, among the libraries
/// of the system and of its LLVM.
fn libclang_is_there() -> bool {
    let inside = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let named = std::env::var_os("LIBCLANG_PATH").map(PathBuf::from);
    let usual = [
        "/usr/lib",
        "/usr/lib64",
        "/usr/local/lib",
        "/opt/homebrew/opt/llvm/lib",
    ];
    let mut folders: Vec<_> = named.into_iter().chain(usual.map(PathBuf::from)).collect();
    for folder in inside(Path::new("/usr/lib")) {
        folders.extend([folder.join("lib"), folder]);
    }
    let is_libclang = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libclang.")
            || name.starts_with("libclang-1")
            || name.starts_with("libclang-2")
    };
    folders.iter().flat_map(|folder| inside(folder)).any(|path| is_libclang(&path))
        // Elsewhere this tells the build.
        || runs(Command::new("llvm-config").arg("--version"))
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
