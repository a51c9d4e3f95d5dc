//! Arrays from `.npy` files and into `.npz` files.

use super::files::{self, NewFile};
use crate::Failure;
use crate::narrow::Narrowing;
use half::f16;
use ndarray::{Array, ArrayD, Dimension, IxDyn, ShapeBuilder};
use ndarray_npy::{NpzWriter, WritableElement, WriteNpzError};
use ntk_entropy::Rounding;
use ntk_kernels::text::{escaped, listed};
use ntk_linalg::Real;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::Path;
use zip::ZipArchive;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;

/// How an `.npz` file, which is a zip archive, begins.
const ZIP: &[u8] = b"PK";
/// How an `.npy` file begins; a major and a minor version follow.
const NPY: &[u8] = b"\x93NUMPY";
/// The axes that numpy gives an array at most.
const MOST_AXES: usize = 64;

/// Reads numbers of any width and byte order, in C or Fortran order, as `T` in C order.
///
/// Each is rounded once to `T`, and a truth value is 1 or 0. A whole number that `T` would round is
/// refused: two of them could become one. So is a number beyond `T`, and standard error is told of
/// those that are too small for it. `k.npz:ntk` names an array of an archive.
///
/// # Errors
/// It fails where the file is not whole, or holds no array of numbers.
pub fn read<T: Real>(path: &Path) -> Result<ArrayD<T>, Failure> {
    NpyFile::open(path)?.array()
}

/// Reads the arrays of an `.npz` archive as [`read`] does one, with their names, in its order.
///
/// # Errors
/// It fails where `bytes` are no archive of arrays that are not compressed; `name` is that of the
/// file, for messages.
pub fn read_npz<T: Real>(name: &str, bytes: &[u8]) -> Result<Vec<(String, ArrayD<T>)>, Failure> {
    let mut archive = Archive::of(name, bytes)?;
    let entries = archive.names()?.into_iter().enumerate();
    entries
        .map(|(index, array)| Ok((array, archive.file(index)?.array()?)))
        .collect()
}

/// An `Archive` is the arrays of an `.npz` file.
struct Archive<'a> {
    /// The file's name, for messages.
    name: &'a str,
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// So many bytes may entries still hold that are not compressed and share none.
    most: u64,
}

impl<'a> Archive<'a> {
    fn of(name: &'a str, bytes: &'a [u8]) -> Result<Self, Failure> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|e| not_an_archive(name, e))?;
        Ok(Self {
            name,
            zip,
            most: bytes.len() as u64,
        })
    }

    /// The arrays' names, in the archive's order.
    fn names(&mut self) -> Result<Vec<String>, Failure> {
        let count = self.zip.len();
        let name = |index| {
            let entry = self.zip.by_index(index);
            let entry = entry.map_err(|e| not_an_archive(self.name, e))?;
            let name = entry.name();
            Ok(name.strip_suffix(".npy").unwrap_or(name).to_owned())
        };
        (0..count).map(name).collect()
    }

    fn file(&mut self, index: usize) -> Result<NpyFile, Failure> {
        let entry = self.zip.by_index(index);
        let mut entry = entry.map_err(|e| not_an_archive(self.name, e))?;
        let of_entry = format!("{}: {}", self.name, escaped(entry.name()));
        let mut content = Vec::new();
        let read = entry.by_ref().take(self.most + 1).read_to_end(&mut content);
        let length = read.map_err(|e| not_an_archive(self.name, e.into()))? as u64;
        let too_long = || {
            let name = self.name;
            format!("{name} is no .npz archive: its entries are longer than itself")
        };
        self.most = self.most.checked_sub(length).ok_or_else(too_long)?;
        NpyFile::of_bytes(of_entry, content)
    }

    /// The array of this name, or the only one.
    fn array(mut self, asked: Option<&str>) -> Result<NpyFile, Failure> {
        let names = self.names()?;
        let found = match asked {
            Some(asked) => names.iter().position(|name| name == asked),
            None => (names.len() == 1).then_some(0),
        };
        if let Some(index) = found {
            return self.file(index);
        }
        let shown: Vec<_> = names.iter().map(|name| escaped(name)).collect();
        let name = self.name;
        let no_such = asked.map_or_else(String::new, |asked| format!(", not {}", escaped(asked)));
        let one = shown.first().map_or("array", String::as_str);
        Err(format!(
            "{name} is an .npz archive of {}{no_such}; name one of its arrays, as in {name}:{one}",
            listed(&shown)
        )
        .into())
    }
}

fn not_an_archive(name: &str, why: ZipError) -> Failure {
    let remedy = match why {
        ZipError::UnsupportedArchive(_) => {
            "; save its arrays by numpy.savez, which does not compress as savez_compressed does"
        }
        _ => "",
    };
    format!("{name} is no .npz archive as numpy.savez writes it: {why}{remedy}").into()
}

/// Parts `k.npz:ntk` into a file and the name of one of its arrays; a file of all of that name comes
/// first.
pub(crate) fn parted(path: &Path) -> (&Path, Option<&str>) {
    const PART: &str = ".npz:";
    let whole = (path, None);
    let Some(text) = path.to_str().filter(|_| !path.exists()) else {
        return whole;
    };
    text.rfind(PART).map_or(whole, |at| {
        let (file, array) = text.split_at(at + PART.len());
        (Path::new(&file[..file.len() - 1]), Some(array))
    })
}

/// An `NpyFile` is the content of a file of one array, read once; its numbers are still bytes.
pub struct NpyFile {
    /// The file's name, for messages.
    name: String,
    bytes: Vec<u8>,
    header: Header,
}

impl NpyFile {
    /// Reads the file, or the array of an archive that the path names, or the archive's only one.
    ///
    /// # Errors
    /// It fails where the file cannot be read, does not begin as an array does, or is an archive of
    /// several.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let (path, array) = parted(path);
        let bytes = files::read(path, "give a file that numpy.save wrote")?;
        let name = path.display().to_string();
        if bytes.starts_with(ZIP) {
            return Archive::of(&name, &bytes)?.array(array);
        }
        Self::of_bytes(name, bytes)
    }

    /// Takes the content of a file of this name.
    ///
    /// # Errors
    /// It fails where it does not begin as an array does.
    pub fn of_bytes(name: String, bytes: Vec<u8>) -> Result<Self, Failure> {
        if bytes.starts_with(ZIP) {
            return Err(format!(
                "{name} is an .npz archive; save one array of it as .npy, by numpy.save"
            )
            .into());
        }
        let header = Header::find(&bytes)
            .ok_or_else(|| format!("{name} is no .npy file; write one by numpy.save"))?;
        Ok(Self {
            name,
            bytes,
            header,
        })
    }

    /// Returns the bytes of a floating-point number of the file; `None` where there are others, which
    /// are exact.
    pub fn float_bytes(&self) -> Option<usize> {
        match self.header.element() {
            "f2" => Some(2),
            "f4" => Some(4),
            "f8" => Some(8),
            _ => None,
        }
    }

    /// Returns to what the numbers are known, in whatever precision they are computed with; those
    /// that are no floats are exact.
    pub fn rounding(&self) -> Rounding {
        match self.float_bytes() {
            Some(2) => Rounding::HALF,
            Some(4) => Rounding::of::<f32>(),
            _ => Rounding::of::<f64>(),
        }
    }

    /// Reads the numbers, as [`read`] does.
    ///
    /// # Errors
    /// It fails where there are not as many as the header says, or no numbers.
    pub fn array<T: Real>(&self) -> Result<ArrayD<T>, Failure> {
        let Self { name, header, .. } = self;
        let mut narrowing = Narrowing::default();
        let mut float = |place, v| narrowing.float::<T>(place, v);
        let numbers = match header.element() {
            "f8" => self.numbers(f64::from_le_bytes, float),
            "f4" => self.numbers(f32::from_le_bytes, |place, v| float(place, v.into())),
            "f2" => self.numbers(f16::from_le_bytes, |place, v| float(place, v.into())),
            "b1" => self.numbers(u8::from_le_bytes, |_, v| T::of(u8::from(v != 0).into())),
            "u1" => self.numbers(u8::from_le_bytes, |_, v| T::of(v.into())),
            "i1" => self.numbers(i8::from_le_bytes, |_, v| T::of(v.into())),
            "u2" => self.numbers(u16::from_le_bytes, |_, v| T::of(v.into())),
            "i2" => self.numbers(i16::from_le_bytes, |_, v| T::of(v.into())),
            "u4" => self.numbers(u32::from_le_bytes, |at, v| narrowing.whole(at, v.into())),
            "i4" => self.numbers(i32::from_le_bytes, |at, v| narrowing.whole(at, v.into())),
            "u8" => self.numbers(u64::from_le_bytes, |at, v| narrowing.whole(at, v.into())),
            "i8" => self.numbers(i64::from_le_bytes, |at, v| narrowing.whole(at, v.into())),
            element => {
                return Err(format!(
                    "{name} has elements of type {}, expected floats of 2, 4 or 8 bytes, integers or \
                     truth values; convert them first, as by {}",
                    header.descriptor,
                    conversion(element)
                )
                .into());
            }
        }?;
        narrowing.check::<T>(name, |place| header.index(place))?;
        let shape = IxDyn(&header.shape).set_f(header.fortran);
        let array = ArrayD::from_shape_vec(shape, numbers)?;
        Ok(if array.is_standard_layout() {
            array
        } else {
            array.as_standard_layout().into_owned()
        })
    }

    /// Reads one number after another, of the file's byte order.
    fn numbers<A, T, const N: usize>(
        &self,
        read: impl Fn([u8; N]) -> A,
        mut convert: impl FnMut(usize, A) -> T,
    ) -> Result<Vec<T>, Failure> {
        let Self { name, header, .. } = self;
        let (shape, bytes) = (&header.shape, &self.bytes[header.end..]);
        let count = shape.iter().try_fold(1_usize, |n, &m| n.checked_mul(m));
        let found = bytes.len();
        // Before memory is asked for on the header's word.
        if count.and_then(|n| n.checked_mul(N)) != Some(found) {
            return Err(format!(
                "{name}: its header says shape {shape:?} with {N} bytes a number, and {found} bytes \
                 follow; the file is damaged or not complete, save it anew"
            )
            .into());
        }
        let (chunks, _) = bytes.as_chunks::<N>();
        let mut numbers = Vec::new();
        numbers.try_reserve_exact(chunks.len()).map_err(|_| {
            format!(
                "{name} has {} numbers, which take more memory than there is; give fewer samples",
                chunks.len()
            )
        })?;
        numbers.extend(chunks.iter().enumerate().map(|(place, &(mut bytes))| {
            if header.swapped {
                bytes.reverse();
            }
            convert(place, read(bytes))
        }));
        Ok(numbers)
    }
}

/// Returns the expression that makes numbers that are read of elements that are not.
fn conversion(element: &str) -> &'static str {
    match element.chars().next() {
        Some('c') => "x.real or abs(x)",
        Some('m' | 'M') => "x.astype(\"int64\")",
        Some('[') => "x[\"name\"], which is one of its fields",
        _ => "x.astype(\"float64\")",
    }
}

/// A `Header` holds what has to be known before the array is read.
struct Header {
    descriptor: String,
    shape: Vec<usize>,
    /// Whether the first axis varies fastest.
    fortran: bool,
    /// Whether the most significant byte comes first.
    swapped: bool,
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
        let order = value("fortran_order")?;
        let fortran = order.starts_with("True");
        if !fortran && !order.starts_with("False") {
            return None;
        }
        let shape = value("shape")?.strip_prefix('(')?.split_once(')')?.0;
        let sizes = shape.split(',').map(str::trim).filter(|s| !s.is_empty());
        let sizes = sizes.take(MOST_AXES + 1).map(|size| size.parse().ok());
        let shape: Vec<usize> = sizes.collect::<Option<_>>()?;
        (shape.len() <= MOST_AXES).then(|| Self {
            descriptor: descriptor.into(),
            shape,
            fortran,
            swapped: match descriptor.chars().next() {
                Some('>') => true,
                Some('<') => false,
                // That of the machine that reads.
                _ => cfg!(target_endian = "big"),
            },
            end,
        })
    }

    /// The index of the entry at a place in the file.
    fn index(&self, mut place: usize) -> Vec<usize> {
        let mut index = vec![0; self.shape.len()];
        let axes: Vec<usize> = match self.fortran {
            true => (0..index.len()).collect(),
            false => (0..index.len()).rev().collect(),
        };
        for axis in axes {
            index[axis] = place % self.shape[axis];
            place /= self.shape[axis];
        }
        index
    }

    /// The element's type without its byte order.
    fn element(&self) -> &str {
        self.descriptor.trim_start_matches(['<', '>', '|', '='])
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

impl<A: WritableElement + Clone, D: Dimension> Entry for Array<A, D> {
    fn add(
        &self,
        name: &str,
        npz: &mut NpzWriter<&mut Output<'_>>,
        options: SimpleFileOptions,
    ) -> Result<(), WriteNpzError> {
        // What is empty may have strides that ndarray_npy panics at; a copy has others.
        match self.is_empty() {
            true => npz.add_array_with_options(name, &self.map(A::clone), options),
            false => npz.add_array_with_options(name, self, options),
        }
    }
}

/// Writes arrays by name as an uncompressed `.npz`, whole or not at all.
pub(crate) fn write_npz(path: &Path, arrays: &[(&str, &dyn Entry)]) -> io::Result<()> {
    prepare_npz(path, arrays)?.commit()
}

/// Writes the `.npz` that will be at `path` once it is committed.
pub(crate) fn prepare_npz(path: &Path, arrays: &[(&str, &dyn Entry)]) -> io::Result<NewFile> {
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
        // Up to 2^53, and beyond it what has so many trailing zeros.
        let exact = [-3_i64, (1 << 53) - 1, -(1 << 53), 1 << 60, i64::MIN];
        write_npy(&path, &ndarray::arr1(&exact)).unwrap();
        let read_back = read::<f64>(&path).unwrap();
        assert!(
            read_back
                .iter()
                .zip(exact)
                .all(|(&v, w)| v as i128 == w.into())
        );
        for number in [(1 << 53) + 1, -(1 << 53) - 1, i64::MAX] {
            write_npy(&path, &array![[1, number]]).unwrap();
            let refusal = read::<f64>(&path).unwrap_err().to_string();
            assert!(refusal.contains(&number.to_string()), "{refusal}");
        }
        // The first is named, by its index, and not what follows.
        write_npy(&path, &array![[1, u64::MAX], [u64::MAX - 1, 2]]).unwrap();
        let refusal = read::<f64>(&path).unwrap_err().to_string();
        assert!(refusal.contains("[0, 1] is the whole number 18446744073709551615"));
        write_npy(&path, &array![[1 << 24], [(1 << 24) + 1]]).unwrap();
        let refusal = read::<f32>(&path).unwrap_err().to_string();
        assert!(
            refusal.contains("[1, 0] is the whole number 16777217, which f32 would round; ask for --precision f64"),
            "{refusal}"
        );
        assert_eq!(read::<f64>(&path).unwrap()[[1, 0]], 16_777_217.0);
    }

    /// Numbers that f32 keeps are read; those beyond it are refused, and those lost where nothing is left.
    #[test]
    fn numbers_beyond_the_precision_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let column_major = |values: [f64; 4]| {
            let bytes = values.map(f64::to_le_bytes).concat();
            file(folder.path(), "'<f8'", true, "(2, 2)", &bytes);
            read::<f32>(&path)
        };
        let told = |values| column_major(values).unwrap_err().to_string();
        let beyond = told([1.0, 2.0, 1e160, 1e170]);
        assert!(
            beyond.contains("[0, 1] is 1e160, beyond f32; ask for --precision f64"),
            "{beyond}"
        );
        for lost in [1e-50, 1.1e-40] {
            let below = told([0.0, lost, 0.0, lost]);
            let words = format!("2 of 2 numbers other than zero, the first {lost:e} at [1, 0]");
            assert!(below.contains(&words), "{below}");
            assert_eq!(column_major([lost, 1.0, 0.0, 0.0]).unwrap()[[1, 0]], 1.0);
            assert!(read::<f64>(&path).is_ok());
        }
        assert!(column_major([f64::INFINITY, 2.0_f64.powi(-149), 0.0, 0.0]).is_ok());
        assert!(column_major([0.0; 4]).is_ok());
    }

    /// Many names of the same bytes would take their memory once each.
    #[test]
    fn entries_that_share_bytes_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let same = Array::<f64, _>::zeros(64);
        let both: [(&str, &dyn Entry); 2] = [("arr_0", &same), ("arr_1", &same)];
        write_npz(&path, &both).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        assert_eq!(read_npz::<f64>("a.npz", &bytes).unwrap().len(), 2);
        let places = |bytes: &[u8], mark: &[u8]| -> Vec<usize> {
            let found = bytes
                .windows(4)
                .enumerate()
                .filter(|(_, four)| *four == mark);
            found.map(|(at, _)| at).collect()
        };
        // The directory's second record has its entry's place at byte 42; that becomes the first's.
        let records = places(&bytes, b"PK\x01\x02");
        bytes[records[1] + 42..][..4].fill(0);
        // The second entry goes, and the end of the archive is told where the directory now is.
        let second = places(&bytes, b"PK\x03\x04")[1];
        drop(bytes.drain(second..records[0]));
        let end = bytes.len() - 6;
        bytes[end..end + 4].copy_from_slice(&(second as u32).to_le_bytes());
        let refusal = read_npz::<f64>("a.npz", &bytes).unwrap_err().to_string();
        assert!(
            refusal.contains("its entries are longer than itself"),
            "{refusal}"
        );
    }

    #[test]
    fn an_array_of_an_archive_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        write_npz(&path("one.npz"), &[("ntk", &array![1.0, 2.0])]).unwrap();
        let one = array![1.0, 2.0].into_dyn();
        assert_eq!(read::<f64>(&path("one.npz")).unwrap(), one);
        let both: [(&str, &dyn Entry); 2] =
            [("nngp", &array![3.0_f32]), ("ntk", &array![1.0, 2.0])];
        write_npz(&path("k.npz"), &both).unwrap();
        assert_eq!(read::<f64>(&path("k.npz:ntk")).unwrap(), one);
        let file = NpyFile::open(&path("k.npz:nngp")).unwrap();
        assert_eq!(file.float_bytes(), Some(4));
        for (asked, words) in [
            ("k.npz", "an .npz archive of nngp, ntk; name one"),
            ("k.npz:nmk", "nngp, ntk, not nmk; name one"),
            ("k.npz:", "k.npz:nngp"),
            ("none.npz:ntk", "cannot read"),
        ] {
            let refusal = read::<f64>(&path(asked)).unwrap_err().to_string();
            assert!(refusal.contains(words), "{refusal}");
        }
        // A file of that very name is itself.
        write_npy(path("k.npz:ntk"), &array![7.0]).unwrap();
        assert_eq!(
            read::<f64>(&path("k.npz:ntk")).unwrap(),
            array![7.0].into_dyn()
        );
    }

    /// Numbers whose bytes numpy wrote: those of the powers of two, the smallest and the largest.
    #[test]
    fn half_precision_and_truth_values() {
        let folder = tempfile::tempdir().unwrap();
        let halves = [
            (0x3c00_u16, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_953_125),
            (0x0001, 2.0_f64.powi(-24)),
            (0x7bff, 65504.0),
            (0x8000, -0.0),
        ];
        for swapped in [false, true] {
            let bytes: Vec<_> = halves
                .iter()
                .flat_map(|(bits, _)| match swapped {
                    true => bits.to_be_bytes(),
                    false => bits.to_le_bytes(),
                })
                .collect();
            let descriptor = if swapped { "'>f2'" } else { "'<f2'" };
            let path = file(folder.path(), descriptor, true, "(2, 3)", &bytes);
            let expected = array![
                [halves[0].1, halves[2].1, halves[4].1],
                [halves[1].1, halves[3].1, halves[5].1]
            ];
            assert_eq!(read::<f64>(&path).unwrap(), expected.clone().into_dyn());
            assert_eq!(
                read::<f32>(&path).unwrap(),
                expected.mapv(|v| v as f32).into_dyn()
            );
            assert_eq!(NpyFile::open(&path).unwrap().float_bytes(), Some(2));
        }
        let path = file(folder.path(), "'|b1'", false, "(3,)", &[1, 0, 1]);
        assert_eq!(
            read::<f64>(&path).unwrap(),
            array![1.0, 0.0, 1.0].into_dyn()
        );
        assert_eq!(NpyFile::open(&path).unwrap().float_bytes(), None);
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
            ("'<c16'", "(1, 1)", 16, "by x.real"),
            ("'<c8'", "(1, 1)", 8, "c8"),
            ("'<f16'", "(1, 1)", 16, "by x.astype(\"float64\")"),
            ("'<U3'", "(1, 1)", 12, "U3"),
            ("'<M8[ns]'", "(1, 1)", 8, "by x.astype(\"int64\")"),
            ("[('a', '<f8')]", "(1, 1)", 8, "by x[\"name\"]"),
            ("'<f2'", "(2, 2)", 7, "not complete"),
            ("'<f8'", "(18446744073709551616,)", 8, "no .npy file"),
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
        // An archive of one deflated entry, which is empty.
        let mut npz = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let stored =
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        npz.start_file("a.npy", stored).unwrap();
        let mut compressed = npz.finish().unwrap().into_inner();
        let central = compressed
            .windows(4)
            .position(|w| w == b"PK\x01\x02")
            .unwrap();
        compressed[8] = 8;
        compressed[central + 10] = 8;
        for (content, word) in [
            (&b""[..], "no .npy file"),
            (b"1,2\n3,4\n", "no .npy file"),
            (b"PK\x03\x04", ".npz archive"),
            (&compressed, "by numpy.savez, which does not compress"),
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
