//! The binary version of CIFAR-10.
//!
//! Records without a header: one label byte, then the red, the green and the
//! blue plane of 32 x 32 bytes each, row by row.

use ndarray::{Array1, Array4, ArrayView4};
use thiserror::Error;

/// The height and width of an image.
pub const SIDE: usize = 32;
/// The number of channels: red, green, blue.
pub const CHANNELS: usize = 3;
/// The bytes of one record: the label and the image.
pub const RECORD: usize = 1 + CHANNELS * SIDE * SIDE;
/// The number of classes; labels are below it.
pub const CLASSES: u8 = 10;

/// A `CifarError` says why bytes are not a CIFAR-10 batch.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CifarError {
    /// The length is not a whole number of records.
    #[error(
        "a CIFAR-10 batch is made of records of {RECORD} bytes, and {found} bytes are no multiple; the file is cut off or of another format, so fetch it again"
    )]
    Length {
        /// The number of bytes.
        found: usize,
    },
    /// A label is out of range.
    #[error(
        "record {record} of the CIFAR-10 batch has label {found}, and labels are below {CLASSES}; fetch the file again"
    )]
    Label {
        /// The index of the record.
        record: usize,
        /// The label found.
        found: u8,
    },
}

/// Reads a batch into images `(n, 32, 32, 3)` and labels `(n)`, and allocates as much as `bytes`
/// holds.
///
/// # Errors
/// [`CifarError`] for a length that is no multiple of a record and for labels
/// above 9.
pub fn parse(bytes: &[u8]) -> Result<(Array4<u8>, Array1<u8>), CifarError> {
    let (records, rest) = bytes.as_chunks::<RECORD>();
    if !rest.is_empty() {
        return Err(CifarError::Length { found: bytes.len() });
    }
    if let Some(record) = records.iter().position(|r| r[0] >= CLASSES) {
        return Err(CifarError::Label {
            record,
            found: records[record][0],
        });
    }
    let labels = records.iter().map(|r| r[0]).collect();
    let planar: Vec<u8> = records.iter().flat_map(|r| &r[1..]).copied().collect();
    let planar = ArrayView4::from_shape((records.len(), CHANNELS, SIDE, SIDE), &planar)
        .map_err(|_| CifarError::Length { found: bytes.len() })?;
    let images = planar
        .permuted_axes([0, 2, 3, 1])
        .as_standard_layout()
        .into_owned();
    Ok((images, labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_become_channels() {
        let mut bytes = vec![0_u8; 2 * RECORD];
        bytes[RECORD] = 9;
        bytes[RECORD + 1 + SIDE + 2] = 11; // red, row 1, column 2
        bytes[RECORD + 1 + SIDE * SIDE] = 22; // green, row 0, column 0
        let (images, labels) = parse(&bytes).unwrap();
        assert_eq!(images.dim(), (2, SIDE, SIDE, CHANNELS));
        assert!(images.is_standard_layout());
        assert_eq!(labels.to_vec(), [0, 9]);
        assert_eq!(images[[1, 1, 2, 0]], 11);
        assert_eq!(images[[1, 0, 0, 1]], 22);
    }

    #[test]
    fn cut_records_and_wild_labels_are_refused() {
        assert_eq!(
            parse(&[0; RECORD - 1]),
            Err(CifarError::Length { found: RECORD - 1 })
        );
        let mut bytes = vec![0_u8; RECORD];
        bytes[0] = 10;
        assert_eq!(
            parse(&bytes),
            Err(CifarError::Label {
                record: 0,
                found: 10
            })
        );
        assert_eq!(parse(&[]).unwrap().0.dim(), (0, SIDE, SIDE, CHANNELS));
    }
}
