//! The registry: what is known about each data set, that is files, sizes, hashes and mirrors.
//!
//! A new data set is one file in `registry/` and one line in [`ALL`].
//!
//! Every size and SHA-256 is that of the *decompressed* file, so that a plain
//! copy, a copy compressed by somebody else and the published one all verify.
//! The hashes of MNIST and Fashion-MNIST were computed from the published
//! files. Those of the six CIFAR-10 batches are the ones that the
//! torchvision-ruby library verifies its downloads against; they were not
//! computed anew for this crate.

mod cifar10;
mod fashion_mnist;
mod mnist;

use crate::dataset::DataSet;
use crate::error::DataError;

/// Every data set that [`load`](crate::load) knows by name.
pub static ALL: &[&Entry] = &[&mnist::ENTRY, &fashion_mnist::ENTRY, &cifar10::ENTRY];

/// An `Entry` is one data set: where it comes from and how to know that it is right.
#[derive(Debug)]
pub struct Entry {
    /// The name it is asked for by, for example `fashion-mnist`.
    pub name: &'static str,
    /// The meanings of the labels `0, 1, ...`.
    pub classes: &'static [&'static str],
    /// The licence or terms, and the page to read about it.
    pub terms: &'static str,
    /// The files in the order in which they are read and hashed.
    pub files: &'static [File],
    /// The archive, where the files are published as one.
    pub archive: Option<Archive>,
    /// The base addresses, each ending in `/`, tried in this order.
    pub mirrors: &'static [&'static str],
    /// The sample compiled into this crate, if there is one.
    pub embedded: Option<fn() -> Result<DataSet, DataError>>,
}

/// A `File` is one file of a data set.
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// The file name without `.gz`.
    pub name: &'static str,
    /// The half of the data set that the file belongs to.
    pub half: Half,
    /// The layout of the bytes.
    pub content: Content,
    /// The length in bytes of the decompressed file.
    pub size: u64,
    /// The SHA-256 of the decompressed file, lower-case hexadecimal.
    pub sha256: &'static str,
}

/// A `Half` is one of the two that every data set here is published in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// The images to train on.
    Train,
    /// The images to test on.
    Test,
}

/// The `Content` of a file is the layout of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Images in IDX: unsigned bytes, `(n, height, width)`.
    IdxImages,
    /// Labels in IDX: unsigned bytes, `(n)`.
    IdxLabels,
    /// Both in the binary records of CIFAR-10: one label byte, then 3 planes of 32 x 32.
    CifarRecords,
}

/// An `Archive` is a tar.gz file that holds all files of a data set.
#[derive(Debug, Clone, Copy)]
pub struct Archive {
    /// The file name on the mirrors and on disk.
    pub name: &'static str,
    /// The folder inside the archive that holds the files.
    pub folder: &'static str,
    /// The length in bytes of the archive as published; a download never exceeds it.
    pub size: u64,
}

/// Finds the entry called `name`.
///
/// # Errors
/// [`DataError::UnknownName`] lists the names there are.
pub fn find(name: &str) -> Result<&'static Entry, DataError> {
    ALL.iter()
        .copied()
        .find(|e| e.name == name)
        .ok_or_else(|| DataError::UnknownName {
            asked: name.to_owned(),
            known: ALL.iter().map(|e| e.name).collect(),
        })
}

/// Finds the file of any registered data set whose decompressed content has this hash.
pub(crate) fn by_sha256(sha256: &str) -> Option<(&'static str, &'static str)> {
    ALL.iter().find_map(|e| {
        e.files
            .iter()
            .find(|f| f.sha256 == sha256)
            .map(|f| (e.name, f.name))
    })
}

/// Lists train images, train labels, test images and test labels as the MNIST family
/// names them: only the hashes differ.
const fn mnist_files(sha256: [&'static str; 4]) -> [File; 4] {
    /// IDX header of images: magic number and three dimensions of four bytes each.
    const IMAGES_HEADER: u64 = 16;
    /// IDX header of labels: magic number and one dimension.
    const LABELS_HEADER: u64 = 8;
    const PIXELS: u64 = 28 * 28;
    [
        File {
            name: "train-images-idx3-ubyte",
            half: Half::Train,
            content: Content::IdxImages,
            size: IMAGES_HEADER + 60_000 * PIXELS,
            sha256: sha256[0],
        },
        File {
            name: "train-labels-idx1-ubyte",
            half: Half::Train,
            content: Content::IdxLabels,
            size: LABELS_HEADER + 60_000,
            sha256: sha256[1],
        },
        File {
            name: "t10k-images-idx3-ubyte",
            half: Half::Test,
            content: Content::IdxImages,
            size: IMAGES_HEADER + 10_000 * PIXELS,
            sha256: sha256[2],
        },
        File {
            name: "t10k-labels-idx1-ubyte",
            half: Half::Test,
            content: Content::IdxLabels,
            size: LABELS_HEADER + 10_000,
            sha256: sha256[3],
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_complete() {
        for entry in ALL {
            assert!(entry.mirrors.len() >= 2, "{}", entry.name);
            assert!(
                entry.mirrors.iter().all(|m| m.ends_with('/')),
                "{}",
                entry.name
            );
            assert!(!entry.classes.is_empty());
            for file in entry.files {
                assert_eq!(file.sha256.len(), 64, "{}", file.name);
                assert!(
                    file.sha256
                        .bytes()
                        .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
                );
                assert_eq!(by_sha256(file.sha256), Some((entry.name, file.name)));
            }
        }
    }

    #[test]
    fn unknown_names_are_answered_with_the_known_ones() {
        let message = find("imagenet").unwrap_err().to_string();
        assert!(message.contains("imagenet") && message.contains("mnist, fashion-mnist, cifar-10"));
    }
}
