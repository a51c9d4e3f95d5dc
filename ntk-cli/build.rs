//! Says which revision is built, for `ntk --version` and what results tell of the program.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let revision = in_checkout().or_else(in_package);
    let revision = revision.unwrap_or_else(|| "unknown".into());
    println!("cargo::rustc-env=NTK_REVISION={revision}");
}

/// Asks git for the revision of the checkout around this crate.
fn in_checkout() -> Option<String> {
    let folder = git(&["rev-parse", "--git-dir"])?;
    // Every commit and every change of branch adds a line to it.
    println!("cargo::rerun-if-changed={folder}/logs/HEAD");
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    // Not of a checkout that merely has this crate's source somewhere below it, as cargo's cache may.
    if !Path::new("../Cargo.toml").exists() {
        return None;
    }
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_string())
}

/// Reads the revision that cargo noted when it made the published package.
fn in_package() -> Option<String> {
    let noted = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = noted.split_once("\"sha1\": \"")?;
    Some(rest.get(..12)?.to_string())
}
