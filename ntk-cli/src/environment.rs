//! The machine and the program that a result was computed with.

use ntk_linalg::Backend;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

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

/// Reads how much memory this process could have now, in bytes: what the machine, its control group
/// and the limits of the shell leave. Linux alone tells.
pub fn available_memory() -> Option<u64> {
    let machine = kibibytes("/proc/meminfo", "MemAvailable:");
    [machine, left_in_group(), left_of_limit()]
        .into_iter()
        .flatten()
        .min()
}

/// Reads what the control group of this process, and those above it, leave of their limits.
fn left_in_group() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let number =
        |path: PathBuf| -> Option<u64> { std::fs::read_to_string(path).ok()?.trim().parse().ok() };
    let of = |root: &str, group: &str, limit: &str, usage: &str| {
        let folder = Path::new(root).join(group.trim_start_matches('/'));
        let above = folder
            .ancestors()
            .take_while(|folder| folder.starts_with(root));
        let left = above.filter_map(|folder| {
            // No number says that there is no limit.
            let limit = number(folder.join(limit))?;
            Some(limit.saturating_sub(number(folder.join(usage))?))
        });
        left.min()
    };
    let lines = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, group) = (fields.next()?, fields.next()?);
        match controllers {
            "" => of("/sys/fs/cgroup", group, "memory.max", "memory.current"),
            _ if controllers.split(',').any(|name| name == "memory") => of(
                "/sys/fs/cgroup/memory",
                group,
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
            ),
            _ => None,
        }
    });
    lines.min()
}

/// Reads what `ulimit -v` leaves.
#[cfg(target_os = "linux")]
fn left_of_limit() -> Option<u64> {
    // SAFETY: all fields are integers.
    let mut limit: libc::rlimit = unsafe { std::mem::zeroed() };
    // SAFETY: a place for the answer, which lives on.
    let failed = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) } != 0;
    if failed || limit.rlim_cur == libc::RLIM_INFINITY {
        return None;
    }
    let used = kibibytes("/proc/self/status", "VmSize:")?;
    Some(limit.rlim_cur.saturating_sub(used))
}

#[cfg(not(target_os = "linux"))]
fn left_of_limit() -> Option<u64> {
    None
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
