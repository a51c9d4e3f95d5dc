//! Writing files that are either whole or not there.

use std::io::Write;
use std::path::Path;

use crate::error::PlotError;

/// Writes `bytes` to a temporary file in `dir` and renames it to `name`.
pub(crate) fn write(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), PlotError> {
    let path = dir.join(name);
    let attempt = || {
        std::fs::create_dir_all(dir)?;
        let mut file = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // A temporary file is private by default; a figure is not (the umask still applies).
            file.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let mut file = file.prefix(".ntk-plots-").tempfile_in(dir)?;
        file.write_all(bytes)?;
        file.persist(&path).map_err(std::io::Error::from)
    };
    attempt().map(drop).map_err(|source| PlotError::Io {
        path: path.clone(),
        source,
    })
}
