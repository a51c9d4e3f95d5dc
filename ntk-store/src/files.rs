//! The files of a store: written whole or not at all, read with their checksums.

use crate::error::{Error, Fault};
use atomic_write_file::AtomicWriteFile;
use crc32c::crc32c_append;
use ndarray::{Array2, ArrayView2};
use ntk_linalg::Real;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// The name of the manifest.
pub(crate) const MANIFEST: &str = "zarr.json";
/// The bytes of the checksum after a tile's numbers.
pub(crate) const CHECKSUM_BYTES: usize = 4;
/// The name of the file that a writer holds locked.
const LOCK: &str = ".lock";
/// The bytes that are read or hashed at a time.
pub(crate) const BUFFER: usize = 1 << 18;

/// Appends the little-endian bytes of a number.
pub(crate) fn put<T: Real>(value: T, bytes: &mut Vec<u8>) {
    let value = Real::to_f64(value);
    if size_of::<T>() == size_of::<f32>() {
        // Exact: it was one before.
        bytes.extend((value as f32).to_le_bytes());
    } else {
        bytes.extend(value.to_le_bytes());
    }
}

/// Reads the number that [`put`] made these bytes of.
fn take<T: Real>(bytes: &[u8]) -> T {
    match (bytes.try_into(), bytes.try_into()) {
        (Ok(bytes), _) => T::of(f32::from_le_bytes(bytes).into()),
        (_, Ok(bytes)) => T::of(f64::from_le_bytes(bytes)),
        _ => T::nan(),
    }
}

/// Writes a tile padded with NaN to `side` x `side`, and its checksum.
pub(crate) fn write_tile<T: Real>(
    path: &Path,
    side: usize,
    tile: ArrayView2<'_, T>,
) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    write(path, |file| {
        let mut file = BufWriter::new(file);
        let mut checksum = 0;
        let mut bytes = Vec::new();
        for row in 0..side {
            bytes.clear();
            if row < tile.nrows() {
                tile.row(row).iter().for_each(|&v| put(v, &mut bytes));
            }
            let padding = side - bytes.len() / size_of::<T>();
            (0..padding).for_each(|_| put(T::nan(), &mut bytes));
            checksum = crc32c_append(checksum, &bytes);
            file.write_all(&bytes)?;
        }
        file.write_all(&checksum.to_le_bytes())?;
        file.flush()
    })
}

/// Reads the numbers of a tile of this shape in a file of `side` x `side`, or what is wrong with it.
pub(crate) fn read_tile<T: Real>(
    path: &Path,
    side: usize,
    shape: (usize, usize),
) -> io::Result<Result<Array2<T>, Fault>> {
    let scalar = size_of::<T>();
    let mut file = BufReader::new(File::open(path)?);
    let expected = (side * side * scalar + CHECKSUM_BYTES) as u64;
    if let Some(fault) = check_length(file.get_ref(), expected)? {
        return Ok(Err(fault));
    }
    let mut numbers = Vec::with_capacity(shape.0 * shape.1);
    let mut bytes = vec![0; side * scalar];
    let mut checksum = 0;
    for row in 0..side {
        file.read_exact(&mut bytes)?;
        checksum = crc32c_append(checksum, &bytes);
        if row < shape.0 {
            numbers.extend(bytes.chunks_exact(scalar).take(shape.1).map(take::<T>));
        }
    }
    if let Some(fault) = check_checksum(&mut file, checksum)? {
        return Ok(Err(fault));
    }
    let tile = Array2::from_shape_vec(shape, numbers);
    Ok(Ok(tile.expect("as many numbers as the shape has")))
}

/// Finds what is wrong with a tile's file of `length` bytes.
pub(crate) fn verify_tile(path: &Path, length: u64) -> io::Result<Option<Fault>> {
    let mut file = File::open(path)?;
    if let Some(fault) = check_length(&file, length)? {
        return Ok(Some(fault));
    }
    let mut left = usize::try_from(length).unwrap_or(usize::MAX) - CHECKSUM_BYTES;
    let mut bytes = vec![0; BUFFER.min(left)];
    let mut checksum = 0;
    while left > 0 {
        let bytes = &mut bytes[..BUFFER.min(left)];
        file.read_exact(bytes)?;
        checksum = crc32c_append(checksum, bytes);
        left -= bytes.len();
    }
    check_checksum(&mut file, checksum)
}

fn check_length(file: &File, expected: u64) -> io::Result<Option<Fault>> {
    let found = file.metadata()?.len();
    Ok((found != expected).then_some(Fault::Length { expected, found }))
}

/// Compares the four bytes that come next with the checksum of those before.
fn check_checksum(file: &mut impl Read, found: u32) -> io::Result<Option<Fault>> {
    let mut bytes = [0; CHECKSUM_BYTES];
    file.read_exact(&mut bytes)?;
    let expected = u32::from_le_bytes(bytes);
    Ok((found != expected).then_some(Fault::Checksum { expected, found }))
}

/// Writes a file whole or not at all: on any error what was there stays.
pub(crate) fn write(
    path: &Path,
    fill: impl FnOnce(&mut AtomicWriteFile) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = AtomicWriteFile::open(path)?;
    fill(&mut file)?;
    file.commit()
}

/// Tells whether the file is there.
pub(crate) fn exists(path: &Path) -> Result<bool, Error> {
    path.try_exists().map_err(Error::io("read", path))
}

/// Checks that there is a folder, or nothing, of a name that is not empty.
pub(crate) fn check_no_file(folder: &Path) -> Result<(), Error> {
    if folder.as_os_str().is_empty() {
        return Err(Error::Unnamed);
    }
    match fs::metadata(folder) {
        Ok(there) if !there.is_dir() => Err(Error::NoFolder(folder.into())),
        _ => Ok(()),
    }
}

/// Checks that a folder has no files but what a killed [`super::TileStore::create`] leaves.
pub(crate) fn check_empty(folder: &Path) -> Result<(), Error> {
    let names = match names(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        names => names.map_err(Error::io("read", folder))?,
    };
    let ours = |path: &PathBuf| path.ends_with(LOCK) || is_unfinished(path);
    if names.iter().all(ours) {
        return Ok(());
    }
    Err(Error::NotAStore(folder.into()))
}

/// Takes the lock of the one process that may write; it ends with the file, and with the process.
pub(crate) fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(LOCK);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(Error::io("write", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked(folder.into())),
        Err(TryLockError::Error(e)) => Err(Error::io("lock", &path)(e)),
    }
}

/// Removes what a killed writer left; only while locked.
pub(crate) fn clean(folder: &Path) -> Result<(), Error> {
    let mut folders = vec![folder.to_path_buf()];
    let tiles = folder.join("c");
    if exists(&tiles)? {
        folders.extend(names(&tiles).map_err(Error::io("read", &tiles))?);
    }
    for folder in folders.into_iter().filter(|folder| folder.is_dir()) {
        let names = names(&folder).map_err(Error::io("read", &folder))?;
        for path in names.into_iter().filter(|path| is_unfinished(path)) {
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

fn names(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

/// Tells whether a file is what `atomic_write_file` leaves of a killed writer: `.name.` and six
/// letters or digits, of the manifest or of a tile.
fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some((name, random)) = name
        .strip_prefix('.')
        .and_then(|name| name.rsplit_once('.'))
    else {
        return false;
    };
    let ours = name == MANIFEST || name.bytes().all(|letter| letter.is_ascii_digit());
    ours && random.len() == 6 && random.bytes().all(|letter| letter.is_ascii_alphanumeric())
}
