//! The machine and the program that a result was computed with.

use ntk_linalg::Backend;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The git revision that was built, or `unknown`.
pub const REVISION: &str = env!("NTK_REVISION");

/// An `Environment` is what `results.json` says of the machine and the program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// The version of the program.
    pub version: String,
    /// The git revision; `unknown` where it was built outside of git.
    pub revision: String,
    /// The first digits of the SHA-256 of the program's file: which build it was. Older results
    /// do not tell.
    #[serde(default)]
    pub program: String,
    /// The name of the linear-algebra backend.
    pub backend: String,
    /// The number of threads computed with.
    pub threads: usize,
    /// The name of the processor.
    pub cpu: String,
}

impl Environment {
    /// Describes this program on this machine, at this moment.
    pub fn here() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            revision: REVISION.into(),
            program: program().unwrap_or_else(|| "unknown".into()),
            backend: Backend::default().name().into(),
            threads: rayon::current_num_threads(),
            cpu: cpu().unwrap_or_else(|| std::env::consts::ARCH.into()),
        }
    }
}

fn program() -> Option<String> {
    let bytes = std::fs::read(std::env::current_exe().ok()?).ok()?;
    let digest = Sha256::digest(bytes);
    Some(
        digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    )
}

/// Reads the most memory that this process has had in use so far, in bytes; Linux alone tells.
pub fn peak_memory() -> Option<u64> {
    kibibytes("/proc/self/status", "VmHWM:")
}

/// Reads how much memory could be had now, in bytes; Linux alone tells.
pub fn available_memory() -> Option<u64> {
    kibibytes("/proc/meminfo", "MemAvailable:")
}

/// Reads the number after `name` in a file of lines `name number kB`, in bytes.
fn kibibytes(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kibibytes)
}

/// Names the processor: Linux tells in a file; elsewhere the architecture has to do.
fn cpu() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

/// Starts this program anew with the kind of processor named to OpenBLAS, where it would take one that
/// is younger than the library for one of before AVX-512, and be half as fast. OpenBLAS asks for it
/// while a program is loaded, so that a program cannot tell it later.
pub fn name_processor_to_openblas() {
    #[cfg(all(target_os = "linux", target_arch = "x86_64", feature = "openblas"))]
    {
        use std::os::unix::process::CommandExt;
        const CORE: &str = "OPENBLAS_CORETYPE";
        let wide = std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512dq")
            && std::arch::is_x86_feature_detected!("avx512vl");
        if let (true, None, Ok(program)) = (wide, std::env::var_os(CORE), std::env::current_exe()) {
            // It returns where that fails, and then all is as it was.
            let _ = std::process::Command::new(program)
                .args(std::env::args_os().skip(1))
                .env(CORE, "SKYLAKEX")
                .exec();
        }
    }
}
