//! On what a result was computed.

use crate::launch::workspace_root;
use ntk_linalg::Backend;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::process::Command;

/// What `results.json` says of the machine and the program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Environment {
    /// Version of this workspace.
    pub(crate) version: String,
    /// Git revision, with `-dirty` where files differ from it; `unknown` outside of git.
    pub(crate) revision: String,
    /// The first digits of the SHA-256 of the program's file: which build it was. Older results
    /// do not tell.
    #[serde(default)]
    pub(crate) program: String,
    /// Name of the linear-algebra backend.
    pub(crate) backend: String,
    /// Threads computed with.
    pub(crate) threads: usize,
    /// The processor's name.
    pub(crate) cpu: String,
}

impl Environment {
    pub(crate) fn here() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            revision: revision().unwrap_or_else(|| "unknown".into()),
            program: program().unwrap_or_else(|| "unknown".into()),
            backend: Backend::default().name().into(),
            threads: rayon::current_num_threads(),
            cpu: cpu().unwrap_or_else(|| std::env::consts::ARCH.into()),
        }
    }
}

fn revision() -> Option<String> {
    let output = Command::new("git")
        .args([
            "describe",
            "--always",
            "--dirty",
            "--abbrev=12",
            "--exclude=*",
        ])
        .current_dir(workspace_root())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_string())
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

/// The most memory this process has had in use so far, in bytes; Linux alone tells.
pub(crate) fn peak_memory() -> Option<u64> {
    kibibytes("/proc/self/status", "VmHWM:")
}

/// Memory that could be had now, in bytes; Linux alone tells.
pub(crate) fn available_memory() -> Option<u64> {
    kibibytes("/proc/meminfo", "MemAvailable:")
}

/// The number after `name` in a file of lines `name number kB`, in bytes.
fn kibibytes(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kibibytes)
}

/// Linux tells in a file; elsewhere the architecture has to do.
fn cpu() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}
