//! Starting cargo: for the tests, and for this program with its engine.

use crate::Failure;
use crate::cli::{BackendChoice, Bench, Common, Test};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Runs all tests of all crates.
pub(crate) fn test(common: &Common, args: &Test) -> Result<ExitCode, Failure> {
    let mut cargo = over_crates("test", common, args.package.as_deref())?;
    cargo.arg("--").args(&args.rest);
    replace_process(cargo)
}

/// Runs all benchmarks of all crates.
#[expect(clippy::print_stderr, reason = "says what is run, as cargo does")]
pub(crate) fn bench(common: &Common, args: &Bench) -> Result<ExitCode, Failure> {
    let mut cargo = over_crates("bench", common, args.package.as_deref())?;
    if !common.quiet {
        eprintln!("running cargo bench; --peers runs ours beside other programs'");
    }
    // Benchmarks alone: programs with unit tests do not know the flags of benchmarks.
    cargo.args(["--bench", "*", "--"]).args(&args.rest);
    replace_process(cargo)
}

/// `cargo test` or `cargo bench` over one crate or all of them.
fn over_crates(command: &str, common: &Common, package: Option<&str>) -> Result<Command, Failure> {
    let mut cargo = cargo(command);
    cargo.arg("--no-fail-fast");
    let features = features(common.backend)?;
    match package {
        // Each crate's own features: asking a single package for another's is an error in cargo.
        Some("xtask") => cargo.args(["--package", "xtask", "--features", &features]),
        Some(package) => {
            cargo.args(["--package", package]);
            if package == "ntk-linalg" && features.contains("openblas") {
                cargo.args(["--features", "openblas"]);
            }
            &mut cargo
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
pub(crate) fn engine(common: &Common) -> Result<ExitCode, Failure> {
    let mut cargo = cargo("run");
    cargo.args([
        "--release",
        "--package",
        "xtask",
        "--features",
        &features(common.backend)?,
    ]);
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
    // As the pkg-config crate does, so that what is found here is what the build finds.
    let program = std::env::var_os("PKG_CONFIG").unwrap_or_else(|| "pkg-config".into());
    Command::new(program)
        .args(["--exists", "openblas"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
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
