//! The sample of Fashion-MNIST that is compiled into this crate.
//!
//! It holds the first 2048 training and the first 1000 test images, and what
//! these lack of the first 950 training and of all 1000 test images of each of
//! the classes 3 (dress) and 6 (shirt); rows ascend and keep their numbers. So
//! of *every* class the images here are the first ones of that class in the
//! published file, and [`Split::first_per_class`] gives the same as on the full data.
//!
//! [`build`] makes it from the full set, `check` says whether what is
//! compiled in is what [`build`] makes. Fashion-MNIST is under the MIT licence,
//! Copyright (c) 2017 Zalando SE; the notice lies beside the files.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use thiserror::Error;

use crate::dataset::{DataSet, Source};
use crate::idx::{self, Element};
use crate::split::Split;
use crate::subset::SubsetError;

/// The name of the data set that the sample is of.
pub const NAME: &str = "fashion-mnist";
/// The classes that its labels mean; they are named here, as the registry's entry stands on the sample.
pub(crate) static CLASS_NAMES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];
/// The number of training images from the beginning of the file.
pub const TRAIN: usize = 2048;
/// The number of test images from the beginning of the file.
pub const TEST: usize = 1000;
/// The classes of which there are more.
pub const CLASSES: [u8; 2] = [3, 6];
/// The number of first training images of each of [`CLASSES`].
pub const TRAIN_PER_CLASS: usize = 950;
/// The number of test images of each of [`CLASSES`]: all there are.
pub const TEST_PER_CLASS: usize = 1000;
/// The most that the compressed files may take in all, in bytes.
pub const MOST_BYTES: usize = 3_500_000;

/// The files of images, labels and row numbers of the training half, then of the test half.
const FILES: [&str; 6] = [
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "train-rows-idx1-int.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
    "t10k-rows-idx1-int.gz",
];

/// A `SampleError` says why the sample cannot be made, or is not what it should be.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SampleError {
    /// The data set is not the full Fashion-MNIST, of which alone the sample is made.
    #[error(
        "the sample is made from the full {NAME}, and this is the {source_kind} {name}; load the full {NAME}"
    )]
    NotFull {
        /// The name of the data set given.
        name: &'static str,
        /// The origin of the data set.
        source_kind: &'static str,
    },
    /// The data set does not hold what the sample needs.
    #[error(transparent)]
    Subset(#[from] SubsetError),
    /// A file compiled in is not the one made from the full set.
    #[error("the embedded {file} is not what the full set gives; make the sample anew")]
    Differs {
        /// The name of the file.
        file: &'static str,
    },
    /// A file cannot be compressed.
    #[error("cannot compress {file}: {source}")]
    Io {
        /// The name of the file.
        file: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

/// Makes the sample's files from the full set: names and gzip bytes.
///
/// They are the same bytes each time; another version of the compressor may give others
/// for the same content, which is why `check` compares content.
///
/// # Errors
/// [`SampleError::NotFull`] for anything but the full Fashion-MNIST.
pub fn build(full: &DataSet) -> Result<Vec<(&'static str, Vec<u8>)>, SampleError> {
    let compress = |(file, content): (&'static str, Vec<u8>)| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        let bytes = gzip.write_all(&content).and_then(|()| gzip.finish());
        bytes
            .map(|bytes| (file, bytes))
            .map_err(|source| SampleError::Io { file, source })
    };
    contents(full)?.into_iter().map(compress).collect()
}

/// Makes the decompressed files, in the order of [`FILES`].
fn contents(full: &DataSet) -> Result<Vec<(&'static str, Vec<u8>)>, SampleError> {
    if full.name != NAME || !matches!(full.source, Source::Full { .. }) {
        let source_kind = full.source.as_str();
        return Err(SampleError::NotFull {
            name: full.name,
            source_kind,
        });
    }
    let train = part(&full.train, TRAIN, TRAIN_PER_CLASS)?;
    let test = part(&full.test, TEST, TEST_PER_CLASS)?;
    Ok(FILES
        .into_iter()
        .zip([&train, &test].into_iter().flat_map(encode))
        .collect())
}

/// Selects the first `n` rows and the first `per_class` of [`CLASSES`], ascending.
fn part(split: &Split, n: usize, per_class: usize) -> Result<Split, SubsetError> {
    let mut rows = split.first(n)?.rows;
    rows.extend(split.first_per_class(per_class, &CLASSES)?.rows);
    rows.sort_unstable();
    rows.dedup();
    split.select(&rows)
}

/// Encodes images, labels and rows as IDX.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a published file has fewer than 2^32 rows"
)]
fn encode(split: &Split) -> [Vec<u8>; 3] {
    let (n, height, width, _) = split.images.dim();
    let pixels: Vec<u8> = split.images.iter().copied().collect();
    let rows: Vec<u8> = split
        .rows
        .iter()
        .flat_map(|&row| (row as u32).to_be_bytes())
        .collect();
    let n = n as u32;
    [
        idx::encode(Element::U8, &[n, height as u32, width as u32], &pixels),
        idx::encode(Element::U8, &[n], &split.labels.to_vec()),
        idx::encode(Element::I32, &[n], &rows),
    ]
}

#[cfg(feature = "embedded")]
mod embedded {
    use super::{CLASS_NAMES, DataSet, FILES, NAME, SampleError, Source, Split, contents};
    use crate::error::DataError;
    use crate::gzip::decompress;
    use crate::hash::sha256;
    use crate::idx;

    /// The bytes of [`FILES`], in their order.
    static BYTES: [&[u8]; 6] = [
        include_bytes!("../embedded/train-images-idx3-ubyte.gz"),
        include_bytes!("../embedded/train-labels-idx1-ubyte.gz"),
        include_bytes!("../embedded/train-rows-idx1-int.gz"),
        include_bytes!("../embedded/t10k-images-idx3-ubyte.gz"),
        include_bytes!("../embedded/t10k-labels-idx1-ubyte.gz"),
        include_bytes!("../embedded/t10k-rows-idx1-int.gz"),
    ];

    /// A length in bytes that none of the files has.
    const LIMIT: u64 = 1 << 24;

    /// Returns the length in bytes of all compressed files compiled in.
    #[must_use]
    pub fn size() -> usize {
        BYTES.iter().map(|bytes| bytes.len()).sum()
    }

    fn decompressed() -> Result<Vec<Vec<u8>>, DataError> {
        let read = |(bytes, file): (&&'static [u8], &&'static str)| {
            decompress(*bytes, LIMIT).map_err(DataError::io("read", file.as_ref()))
        };
        BYTES.iter().zip(&FILES).map(read).collect()
    }

    /// Loads the sample, a data set with [`Source::Embedded`], in some hundredths of a second.
    ///
    /// ```
    /// let fashion = ntk_data::sample::load()?;
    /// assert_eq!(fashion.classes[usize::from(fashion.train.labels[0])], "Ankle boot");
    /// # Ok::<(), ntk_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// It has none that a test of this crate would not meet first: the bytes are compiled in.
    pub fn load() -> Result<DataSet, DataError> {
        let contents = decompressed()?;
        let split = |first: usize| -> Result<Split, DataError> {
            let error = |i: usize| {
                move |source| DataError::Idx {
                    file: FILES[i],
                    source,
                }
            };
            Ok(Split {
                images: idx::images(&contents[first]).map_err(error(first))?,
                labels: idx::labels(&contents[first + 1]).map_err(error(first + 1))?,
                rows: idx::rows(&contents[first + 2]).map_err(error(first + 2))?,
            })
        };
        Ok(DataSet {
            name: NAME,
            source: Source::Embedded,
            why_not_full: None,
            sha256: sha256(&contents),
            classes: &CLASS_NAMES,
            train: split(0)?,
            test: split(3)?,
        })
    }

    /// Checks that the files compiled in have the content that `full` gives.
    ///
    /// # Errors
    /// [`SampleError::Differs`] names the first file that has not, and the errors of
    /// [`build`](super::build).
    pub fn check(full: &DataSet) -> Result<(), SampleError> {
        let made = contents(full)?;
        let compiled = decompressed().unwrap_or_default();
        match made
            .iter()
            .zip(0..)
            .find(|((_, content), i)| compiled.get(*i) != Some(content))
        {
            Some(((file, _), _)) => Err(SampleError::Differs { file }),
            None => Ok(()),
        }
    }
}

#[cfg(feature = "embedded")]
pub use embedded::{check, load, size};
