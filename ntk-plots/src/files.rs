//! The writing of files that are either whole or not there.

use std::io::{self, Write};
use std::path::Path;

use atomic_write_file::AtomicWriteFile;

use crate::error::Error;

/// Puts `bytes` into the file `name` in `dir`, in the place of a file that is there.
pub(crate) fn write(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let path = dir.join(name);
    let attempt = || {
        std::fs::create_dir_all(dir)?;
        if path.symlink_metadata().is_ok_and(|there| !there.is_file()) {
            let why = "a folder, a link or a device is there";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        let mut file = AtomicWriteFile::open(&path)?;
        file.write_all(bytes)?;
        file.commit()
    };
    attempt().map_err(|source| Error::Io {
        path: path.clone(),
        source,
    })
}
