//! The room on disk, and sizes as people say them.

use std::path::{Path, absolute};

/// Reads how many bytes may be written where the folder is or would be; `None` where the system is
/// silent.
pub(crate) fn free_space(folder: &Path) -> Option<u64> {
    let path = absolute(folder).ok()?;
    free(path.ancestors().find(|path| path.exists())?)
}

#[cfg(unix)]
fn free(path: &Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: all fields are integers.
    let mut found: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: a path that ends in zero, and a place for the answer; both live on.
    if unsafe { libc::statvfs(path.as_ptr(), &raw mut found) } != 0 {
        return None;
    }
    #[allow(clippy::unnecessary_cast, reason = "of fewer bits on other systems")]
    (found.f_bavail as u64).checked_mul(found.f_frsize as u64)
}

#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}

/// Writes a size as people say it: `12.3 GB`.
pub(crate) fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1_000_000 => (1e3, "kB"),
        1_000_000..1_000_000_000 => (1e6, "MB"),
        _ => (1e9, "GB"),
    };
    format!("{:.1} {name}", bytes as f64 / unit)
}
