//! The Python environment of a peer, made once under `target/peers`.

use super::case::PeerProgram;
use crate::Failure;
use crate::launch::workspace_root;
use ntk_cli::progress::Progress;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The names to look for, the best known to work first.
const PYTHONS: [&str; 5] = [
    "python3.11",
    "python3.12",
    "python3.10",
    "python3",
    "python",
];
/// The minor versions of Python 3 that the pinned packages exist for.
const MINORS: std::ops::RangeInclusive<u32> = 10..=12;
/// The file that is copied into an environment when it is complete; another content means making it anew.
const STAMP: &str = "requirements.txt";

/// Returns a Python that has the packages of a peer; suites with one peer share it.
pub(super) fn python(program: PeerProgram, progress: &Progress) -> Result<PathBuf, Failure> {
    let wanted = fs::read_to_string(workspace_root().join(program.requirements))?;
    let folder = workspace_root().join("target/peers").join(program.name);
    let python = folder.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    });
    if fs::read_to_string(folder.join(STAMP)).is_ok_and(|stamp| stamp == wanted)
        && version(&python).is_some()
    {
        return Ok(python);
    }
    let base = find(&program)?;
    progress.say(&format!(
        "making a Python environment for {} in {} (once; about 150 MB to download)",
        program.name,
        folder.display()
    ));
    // Left by a run that was interrupted, or for other packages.
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let made = Command::new(base)
        .args(["-m", "venv"])
        .arg(&folder)
        .output();
    check(made, "python3 -m venv", &program)?;
    let installed = Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--no-input", "--no-deps"])
        .args(["--disable-pip-version-check", "--requirement"])
        .arg(workspace_root().join(program.requirements))
        .output();
    check(installed, "pip install", &program)?;
    fs::write(folder.join(STAMP), wanted)?;
    Ok(python)
}

/// Finds a Python on the path that the packages exist for.
fn find(program: &PeerProgram) -> Result<&'static str, Failure> {
    PYTHONS
        .into_iter()
        .find(|name| version(Path::new(name)).is_some_and(|(major, minor)| major == 3 && MINORS.contains(&minor)))
        .ok_or_else(|| {
            format!(
                "no Python from 3.{} to 3.{} was found, which {} needs; install one, or give one that \
                 has the packages of {} by --python",
                MINORS.start(),
                MINORS.end(),
                program.name,
                program.requirements
            )
            .into()
        })
}

/// Returns the major and the minor version; none where it does not run.
fn version(python: &Path) -> Option<(u32, u32)> {
    let output = Command::new(python)
        .args(["-c", "import sys; print(*sys.version_info[:2])"])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn check(
    output: std::io::Result<Output>,
    what: &str,
    program: &PeerProgram,
) -> Result<(), Failure> {
    let reason = match output {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => reason(&String::from_utf8_lossy(&output.stderr)),
        Err(error) => error.to_string(),
    };
    Err(format!(
        "{what} failed: {reason}; it needs the network once (Debian also python3-venv), or give a \
         Python that has the packages of {} by --python",
        program.requirements
    )
    .into())
}

/// Returns the line that says most: pip's last error, or the last line.
fn reason(errors: &str) -> String {
    let lines = || errors.lines().filter(|line| !line.trim().is_empty());
    lines()
        .rfind(|line| line.starts_with("ERROR"))
        .or_else(|| lines().next_back())
        .map_or_else(|| "it said nothing".into(), |line| line.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_says_most() {
        let errors = "ERROR: first\nERROR: no matching distribution\n\n[notice] a new pip\n";
        assert_eq!(reason(errors), "ERROR: no matching distribution");
        assert_eq!(reason("a\nb\n\n"), "b");
        assert_eq!(reason(""), "it said nothing");
    }

    #[test]
    fn what_is_no_python_has_no_version() {
        assert_eq!(version(Path::new("/nonexistent/python")), None);
        assert_eq!(version(Path::new("true")), None);
    }
}
