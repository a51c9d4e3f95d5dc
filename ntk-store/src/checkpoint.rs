//! A file in which a fit keeps what it has reached.

use atomic_write_file::AtomicWriteFile;
use ntk_kernels::Checkpoint;
use std::error::Error;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A `CheckpointFile` keeps what a fit of [`Landmarks`](ntk_kernels::Landmarks) or
/// [`Features`](ntk_kernels::Features) has reached in a file, which is written whole or not at all.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::Landmarks;
/// use ntk_kernels::network::{Network, dense, relu};
/// use ntk_store::CheckpointFile;
///
/// let network = Network::new().then(dense().b_std(1.0)).then(relu()).then(dense());
/// let (x, y) = (array![[0.0], [1.0], [2.0], [3.0]], array![0.0, 1.0, 4.0, 9.0]);
/// # let folder = tempfile::tempdir()?;
/// # let place = folder.path().join("reached");
/// let file = CheckpointFile::new(&place);
/// let landmarks = Landmarks::new(&network).alpha(0.1).count(2).checkpoint(&file);
/// let fitted = landmarks.fit(&x, &y)?; // goes on from the file where it was killed before
/// file.remove()?; // what was fitted is known
/// # assert_eq!(fitted.points().shape(), [2, 1]);
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointFile(PathBuf);

impl CheckpointFile {
    /// Names a file, which need not exist; its folder must.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Removes the file, if there is one.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Checkpoint for CheckpointFile {
    fn name(&self) -> String {
        self.0.display().to_string()
    }

    fn read(&self) -> Result<Option<Vec<u8>>, Box<dyn Error + Send + Sync>> {
        match fs::read(&self.0) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn write(&self, bytes: &[u8]) -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut file = AtomicWriteFile::open(&self.0)?;
        file.write_all(bytes)?;
        Ok(file.commit()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_it_wrote_last() {
        let folder = tempfile::tempdir().unwrap();
        let file = CheckpointFile::new(folder.path().join("reached"));
        assert_eq!(file.read().unwrap(), None);
        file.remove().unwrap();
        for bytes in [&b"first"[..], b"", b"third"] {
            file.write(bytes).unwrap();
            assert_eq!(file.read().unwrap().as_deref(), Some(bytes));
        }
        // Nothing else is left.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        file.remove().unwrap();
        assert!(!file.path().exists());
    }

    #[test]
    fn what_is_no_file_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let of_folder = CheckpointFile::new(folder.path());
        assert!(of_folder.read().is_err() && of_folder.write(b"x").is_err());
        let nowhere = CheckpointFile::new(folder.path().join("none/reached"));
        assert_eq!(nowhere.read().unwrap(), None);
        assert!(nowhere.write(b"x").is_err());
        assert!(nowhere.name().ends_with("reached"));
    }
}
