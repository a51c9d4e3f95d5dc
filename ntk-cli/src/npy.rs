//! Arrays from `.npy` files and into `.npz` files.

use super::files;
use crate::Failure;
use atomic_write_file::AtomicWriteFile;
use ndarray::{Array, ArrayD, Dimension};
use ndarray_npy::{NpzWriter, ReadNpyExt, ReadableElement, WritableElement, WriteNpzError};
use ntk_linalg::Real;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;

/// How an `.npz` file, which is a zip archive, begins.
const ZIP: &[u8] = b"PK";
/// How an `.npy` file begins; a major and a minor version follow.
const NPY: &[u8] = b"\x93NUMPY";

/// Reads numbers of any width and byte order, in C or Fortran order, as `T` in C order.
///
/// Each is rounded once to `T`; 64-bit integers above 2^53 also to f64 before.
pub(crate) fn read<T: Real>(path: &Path) -> Result<ArrayD<T>, Failure> {
    let name = path.display();
    let bytes = std::fs::read(path)
        .map_err(|e| format!("cannot read {name}: {e}; give a file that numpy.save wrote"))?;
    if bytes.starts_with(ZIP) {
        return Err(format!(
            "{name} is an .npz archive; save one array of it as .npy, by numpy.save"
        )
        .into());
    }
    let header = Header::find(&bytes)
        .ok_or_else(|| format!("{name} is no .npy file; write one by numpy.save"))?;
    let array = match header.descriptor.trim_start_matches(['<', '>', '|', '=']) {
        "f8" => header.read(&bytes, |v: f64| T::of(v)),
        "f4" => header.read(&bytes, |v: f32| T::of(v.into())),
        "u1" => header.read(&bytes, |v: u8| T::of(v.into())),
        "i1" => header.read(&bytes, |v: i8| T::of(v.into())),
        "u2" => header.read(&bytes, |v: u16| T::of(v.into())),
        "i2" => header.read(&bytes, |v: i16| T::of(v.into())),
        "u4" => header.read(&bytes, |v: u32| T::of(v.into())),
        "i4" => header.read(&bytes, |v: i32| T::of(v.into())),
        "u8" => header.read(&bytes, |v: u64| T::of(v as f64)),
        "i8" => header.read(&bytes, |v: i64| T::of(v as f64)),
        _ => {
            return Err(format!(
                "{name} has elements of type {}, expected floats of 4 or 8 bytes or integers; \
                 convert them first, as by x.astype(\"float64\")",
                header.descriptor
            )
            .into());
        }
    };
    let array = array.map_err(|reason| format!("{name}: {reason}"))?;
    Ok(if array.is_standard_layout() {
        array
    } else {
        array.as_standard_layout().into_owned()
    })
}

/// Whether the file says that its numbers are floats of 4 bytes. What cannot be read has none.
pub(crate) fn is_single(path: &Path) -> bool {
    // A header's length takes two bytes in the version that numpy writes unless it must not.
    let mut begin = Vec::new();
    let read = File::open(path).and_then(|file| file.take(1 << 17).read_to_end(&mut begin));
    let header = read.ok().and_then(|_| Header::find(&begin));
    header.is_some_and(|header| header.descriptor.ends_with("f4"))
}

/// What has to be known before the array is read: its type, and whether the file is complete.
struct Header {
    descriptor: String,
    shape: Vec<usize>,
    /// Where the numbers begin.
    end: usize,
}

impl Header {
    /// The header, a Python dictionary after its own length; see numpy's `lib/format.py`.
    fn find(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(NPY)?;
        // The length takes two bytes in version 1, four in versions 2 and 3.
        let (begin, length) = match rest {
            [1, _, a, b, ..] => (10, u32::from(u16::from_le_bytes([*a, *b]))),
            [2 | 3, _, a, b, c, d, ..] => (12, u32::from_le_bytes([*a, *b, *c, *d])),
            _ => return None,
        };
        let end = begin + usize::try_from(length).ok()?;
        let text = std::str::from_utf8(bytes.get(begin..end)?).ok()?;
        let value = |key: &str| {
            let (_, after) = text.split_once(key)?;
            let after = after.strip_prefix(['\'', '"'])?;
            Some(after.trim_start().strip_prefix(':')?.trim_start())
        };
        let descriptor = value("descr")?;
        let descriptor = match descriptor.chars().next()? {
            quote @ ('\'' | '"') => descriptor[1..].split(quote).next()?,
            // Of several fields.
            _ => descriptor.split_inclusive(']').next()?,
        };
        let shape = value("shape")?.strip_prefix('(')?.split_once(')')?.0;
        let sizes = shape.split(',').map(str::trim).filter(|s| !s.is_empty());
        Some(Self {
            descriptor: descriptor.into(),
            shape: sizes.map(|size| size.parse().ok()).collect::<Option<_>>()?,
            end,
        })
    }

    fn read<A: ReadableElement + Clone + 'static, T: 'static>(
        &self,
        bytes: &[u8],
        convert: impl Fn(A) -> T,
    ) -> Result<ArrayD<T>, String> {
        let shape = &self.shape;
        let count = shape.iter().try_fold(1_usize, |n, &m| n.checked_mul(m));
        let expected = count.and_then(|n| n.checked_mul(size_of::<A>()));
        let found = bytes.len() - self.end;
        // Before memory is asked for on the header's word.
        if expected != Some(found) {
            return Err(format!(
                "its header says shape {shape:?} with {} bytes a number, and {found} bytes follow; \
                 the file is damaged or not complete, save it anew",
                size_of::<A>(),
            ));
        }
        let array = ArrayD::<A>::read_npy(bytes).map_err(|e| e.to_string())?;
        // In place where both types are as large.
        Ok(array.mapv_into_any(convert))
    }
}

/// An array of any shape and type that has a place in an `.npz`.
pub(crate) trait Entry {
    fn add(
        &self,
        name: &str,
        npz: &mut NpzWriter<&mut Output<'_>>,
        options: SimpleFileOptions,
    ) -> Result<(), WriteNpzError>;
}

impl<A: WritableElement, D: Dimension> Entry for Array<A, D> {
    fn add(
        &self,
        name: &str,
        npz: &mut NpzWriter<&mut Output<'_>>,
        options: SimpleFileOptions,
    ) -> Result<(), WriteNpzError> {
        npz.add_array_with_options(name, self, options)
    }
}

/// Writes arrays by name as an uncompressed `.npz`, whole or not at all.
pub(crate) fn write_npz(path: &Path, arrays: &[(&str, &dyn Entry)]) -> io::Result<()> {
    prepare_npz(path, arrays)?.commit()
}

/// Writes the `.npz` that will be at `path` once it is committed.
pub(crate) fn prepare_npz(
    path: &Path,
    arrays: &[(&str, &dyn Entry)],
) -> io::Result<AtomicWriteFile> {
    // As numpy does, so that no array is too large.
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .large_file(true);
    let mut file = files::begin(path)?;
    let mut output = Output {
        file: &mut file,
        failure: None,
        place: 0,
        end: 0,
    };
    let mut npz = NpzWriter::new(&mut output);
    let mut written = Ok(());
    for (name, array) in arrays {
        written = written.and_then(|()| array.add(name, &mut npz, options));
    }
    let written = written.and_then(|()| npz.finish().map(drop));
    match output.failure {
        Some(failure) => Err(failure),
        None => written.map(|()| file).map_err(io::Error::other),
    }
}

/// An `Output` keeps the first error of its file, and takes all that follows as if it were written:
/// the archive's writer would tell standard error of those by itself.
pub(crate) struct Output<'a> {
    file: &'a mut File,
    failure: Option<io::Error>,
    /// Where the next byte goes, and where the last one is, as if none had failed.
    place: u64,
    end: u64,
}

impl Output<'_> {
    fn attempt(&mut self, act: impl FnOnce(&mut File) -> io::Result<()>) {
        if self.failure.is_none() {
            self.failure = act(self.file).err();
        }
    }
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.attempt(|file| file.write_all(bytes));
        self.place += bytes.len() as u64;
        self.end = self.end.max(self.place);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.attempt(File::flush);
        Ok(())
    }
}

impl Seek for Output<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.place.checked_add_signed(by),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
        };
        self.place = place.ok_or(io::ErrorKind::InvalidInput)?;
        let to = SeekFrom::Start(self.place);
        self.attempt(|file| file.seek(to).map(drop));
        Ok(self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Array3, array};
    use ndarray_npy::{NpzReader, WriteNpyExt, write_npy};

    /// A file with this header, as numpy writes it, and these bytes.
    fn file(
        folder: &Path,
        descriptor: &str,
        fortran: bool,
        shape: &str,
        bytes: &[u8],
    ) -> Box<Path> {
        let fortran = if fortran { "True" } else { "False" };
        let header =
            format!("{{'descr': {descriptor}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        let mut content = b"\x93NUMPY\x01\x00".to_vec();
        content.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
        content.extend(header.as_bytes());
        content.extend(bytes);
        let path = folder.join("a.npy");
        std::fs::write(&path, content).unwrap();
        path.into()
    }

    #[test]
    fn every_element_type_is_read_as_the_precision_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        macro_rules! round_trip {
            ($($number:ty),*) => {$(
                write_npy(&path, &array![[0 as $number, 1 as $number], [2 as $number, 127 as $number]]).unwrap();
                let expected = array![[0.0, 1.0], [2.0, 127.0]].into_dyn();
                assert_eq!(read::<f64>(&path).unwrap(), expected);
                assert_eq!(read::<f32>(&path).unwrap(), expected.mapv(|v| v as f32));
            )*};
        }
        round_trip!(f64, f32, u8, i8, u16, i16, u32, i32, u64, i64);
        write_npy(&path, &array![[0.1_f32]]).unwrap();
        assert_eq!(read::<f64>(&path).unwrap()[[0, 0]], f64::from(0.1_f32));
        write_npy(&path, &array![[-3_i64, i64::MAX]]).unwrap();
        assert_eq!(read::<f64>(&path).unwrap()[[0, 0]], -3.0);
    }

    #[test]
    fn both_orders_of_axes_and_of_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let cube = Array3::from_shape_fn((2, 3, 4), |(i, j, k)| (100 * i + 10 * j + k) as f64);
        let fortran = cube.t().as_standard_layout().into_owned();
        fortran.t().write_npy(File::create(&path).unwrap()).unwrap();
        assert!(
            std::fs::read(&path).unwrap()[..80]
                .windows(4)
                .any(|w| w == b"True")
        );
        let read_back = read::<f64>(&path).unwrap();
        assert_eq!(read_back, cube.into_dyn());
        assert!(read_back.is_standard_layout());

        let bytes: Vec<u8> = [1.5_f64, -2.0]
            .iter()
            .flat_map(|v| v.to_be_bytes())
            .collect();
        let path = file(folder.path(), "'>f8'", false, "(1, 2)", &bytes);
        assert_eq!(read::<f64>(&path).unwrap(), array![[1.5, -2.0]].into_dyn());
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let refusal = |path: &Path| read::<f64>(path).unwrap_err().to_string();
        assert!(refusal(&folder.path().join("none.npy")).contains("cannot read"));
        assert!(refusal(folder.path()).contains("cannot read"));
        for (descriptor, shape, bytes, word) in [
            ("'|O'", "(1, 1)", 8, "|O"),
            ("'<c16'", "(1, 1)", 16, "c16"),
            ("[('a', '<f8')]", "(1, 1)", 8, "'a'"),
            ("'<f8'", "(2, 2)", 31, "not complete"),
            ("'<f8'", "(2, 2)", 33, "not complete"),
            ("'<f8'", "(1000000, 1000000, 1000000)", 8, "not complete"),
            ("'<f8'", "(10000000, 10000000, 10000000)", 8, "not complete"),
            ("'<f8'", "2", 16, "no .npy file"),
        ] {
            let path = file(folder.path(), descriptor, false, shape, &vec![0; bytes]);
            let message = refusal(&path);
            assert!(
                message.contains(word) && message.contains("a.npy"),
                "{message}"
            );
        }
        for (content, word) in [
            (&b""[..], "no .npy file"),
            (b"1,2\n3,4\n", "no .npy file"),
            (b"PK\x03\x04", ".npz archive"),
        ] {
            let path = folder.path().join("b.npy");
            std::fs::write(&path, content).unwrap();
            assert!(refusal(&path).contains(word), "{}", refusal(&path));
        }
    }

    #[test]
    fn arrays_are_written_by_name_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k.npz");
        let (nngp, ntk) = (array![[1.0_f32, 2.0]], array![[3.0_f32], [4.0]]);
        write_npz(&path, &[("nngp", &ntk)]).unwrap();
        write_npz(&path, &[("nngp", &nngp), ("ntk", &ntk)]).unwrap();
        let mut npz = NpzReader::new(File::open(&path).unwrap()).unwrap();
        assert_eq!(npz.names().unwrap(), ["nngp", "ntk"]);
        let read_back: Array2<f32> = npz.by_name("nngp").unwrap();
        assert_eq!(read_back, nngp);
        let read_back: Array2<f32> = npz.by_name("ntk").unwrap();
        assert_eq!(read_back, ntk);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
