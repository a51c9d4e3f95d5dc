//! Reading files only if they are the published ones.

use std::fs;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::{DataError, WrongContent};
use crate::gzip::{bounded, decompress};
use crate::hash::sha256;
use crate::places::Location;
use crate::registry::{Archive, Entry, File, by_sha256};

/// The bytes that an archive may hold besides the registered files: headers, padding, a readme.
const ARCHIVE_SLACK: u64 = 1 << 20;

/// Reads the decompressed content of every file of `entry`, in registry order, each verified.
///
/// # Errors
/// [`DataError::WrongContent`] for a file of another length or hash,
/// [`DataError::Io`] for one that cannot be read or decompressed.
pub(crate) fn read_all(entry: &Entry, location: &Location) -> Result<Vec<Vec<u8>>, DataError> {
    match (location, entry.archive) {
        (Location::Archive(path), Some(archive)) => read_archive(entry, archive, path),
        (Location::Archive(_), None) => Ok(Vec::new()),
        (Location::Files(paths), _) => entry
            .files
            .iter()
            .zip(paths)
            .map(|(file, path)| read_file(entry, file, path))
            .collect(),
    }
}

/// Reads the decompressed content of one file, verified.
pub(crate) fn read_file(entry: &Entry, file: &File, path: &Path) -> Result<Vec<u8>, DataError> {
    let failed = || DataError::io("read", path);
    let bytes = fs::File::open(path).map_err(failed())?;
    let content = decompress(BufReader::new(bytes), file.size).map_err(failed())?;
    check(entry, file, path, &content)?;
    Ok(content)
}

fn read_archive(entry: &Entry, archive: Archive, path: &Path) -> Result<Vec<Vec<u8>>, DataError> {
    let failed = || DataError::io("read", path);
    let bytes = BufReader::new(fs::File::open(path).map_err(failed())?);
    // Bounded as a whole, so that a bomb ends even where nothing of it is kept.
    let sizes = entry.files.iter().map(|file| file.size);
    let limit = sizes.fold(ARCHIVE_SLACK, u64::saturating_add);
    let mut tar = tar::Archive::new(MultiGzDecoder::new(bytes).take(limit));
    let mut contents = vec![None; entry.files.len()];
    for member in tar.entries().map_err(failed())? {
        let member = member.map_err(failed())?;
        let inside = member.path().map_err(failed())?.into_owned();
        let is_wanted = |file: &File| inside == Path::new(archive.folder).join(file.name);
        if let Some(index) = entry.files.iter().position(is_wanted) {
            let file = &entry.files[index];
            let content = bounded(member, file.size).map_err(failed())?;
            check(entry, file, &path.join(inside), &content)?;
            contents[index] = Some(content);
        }
    }
    contents
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| {
            failed()(io::Error::new(
                io::ErrorKind::InvalidData,
                "the archive lacks one of its files",
            ))
        })
}

fn check(entry: &Entry, file: &File, path: &Path, content: &[u8]) -> Result<(), Box<WrongContent>> {
    let found = sha256(&[content]);
    let found_size = content.len() as u64;
    if found_size == file.size && found == file.sha256 {
        return Ok(());
    }
    Err(Box::new(WrongContent {
        name: entry.name,
        file: file.name,
        path: path.to_owned(),
        expected_size: file.size,
        found_size,
        expected: file.sha256,
        whose: by_sha256(&found),
        found,
    }))
}
