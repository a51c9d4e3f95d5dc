//! The IDX format of the MNIST family.
//!
//! Two zero bytes, one byte for the element type, one for the number of
//! dimensions, each dimension as a big-endian `u32`, then the elements, row
//! by row. [`parse`] borrows: it allocates nothing that the header promises,
//! and refuses a file whose length is not exactly what the header says.

use ndarray::{Array1, Array4};
use thiserror::Error;

/// The bytes before the dimensions.
const MAGIC: usize = 4;
/// The bytes of one dimension.
const DIMENSION: usize = 4;

/// The types of elements that are used here, two of those of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// The type of unsigned bytes (type code `0x08`).
    U8,
    /// The type of big-endian signed 32-bit integers (type code `0x0C`).
    I32,
}

impl Element {
    fn code(self) -> u8 {
        match self {
            Self::U8 => 0x08,
            Self::I32 => 0x0C,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::I32 => 4,
        }
    }
}

/// An `Idx` is a parsed IDX file, borrowed from its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx<'a> {
    /// The type of the elements.
    pub element: Element,
    /// The length along each dimension.
    pub dims: Vec<usize>,
    /// The elements as they stand in the file.
    pub data: &'a [u8],
}

/// An `IdxError` says why bytes are not the IDX file they should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdxError {
    /// The file ends inside its header.
    #[error(
        "the IDX header needs {needed} bytes and the file has {found}: it is cut off, so fetch it again"
    )]
    ShortHeader {
        /// The number of bytes that the header needs.
        needed: usize,
        /// The number of bytes there are.
        found: usize,
    },
    /// The first bytes are not those of an IDX file.
    #[error(
        "the file begins with {found:02x?}, and IDX begins with 00 00, then 08 (bytes) or 0c (integers); decompress it first if it begins with 1f 8b"
    )]
    Magic {
        /// The first four bytes.
        found: [u8; 4],
    },
    /// The product of the dimensions is not a length.
    #[error(
        "the IDX dimensions {dims:?} multiply to more than memory can hold; fetch the file again"
    )]
    Overflow {
        /// The dimensions.
        dims: Vec<usize>,
    },
    /// The file is shorter or longer than its header says.
    #[error(
        "the IDX dimensions {dims:?} need {needed} bytes of data and the file has {found}; fetch it again"
    )]
    Length {
        /// The dimensions.
        dims: Vec<usize>,
        /// The number of bytes of data that the header promises.
        needed: usize,
        /// The number of bytes of data there are.
        found: usize,
    },
    /// The file is IDX of another kind.
    #[error(
        "expected IDX of {expected:?} in {rank} dimensions, found {found:?} in {dims:?}; check which file it is"
    )]
    Kind {
        /// The element type asked for.
        expected: Element,
        /// The number of dimensions asked for.
        rank: usize,
        /// The element type found.
        found: Element,
        /// The dimensions found.
        dims: Vec<usize>,
    },
    /// A row number is negative.
    #[error(
        "the IDX row numbers hold {found}, and a row number is not negative; fetch the file again"
    )]
    Negative {
        /// The number found.
        found: i32,
    },
}

/// Reads an IDX file.
///
/// ```
/// use ntk_data::idx;
///
/// let bytes = idx::encode(idx::Element::U8, &[3], &[7, 2, 1]);
/// assert_eq!(idx::parse(&bytes)?.dims, [3]);
/// assert_eq!(idx::labels(&bytes)?.to_vec(), [7, 2, 1]);
/// # Ok::<(), ntk_data::Error>(())
/// ```
///
/// # Errors
/// [`IdxError`] for a cut or foreign header, dimensions that overflow, and any
/// length other than the one that the header promises. Whatever the bytes, it
/// allocates at most the dimensions that are in the file.
pub fn parse(bytes: &[u8]) -> Result<Idx<'_>, IdxError> {
    let short = |needed| IdxError::ShortHeader {
        needed,
        found: bytes.len(),
    };
    let (magic, rest) = bytes
        .split_first_chunk::<MAGIC>()
        .ok_or_else(|| short(MAGIC))?;
    let element = match magic {
        [0, 0, 0x08, _] => Element::U8,
        [0, 0, 0x0C, _] => Element::I32,
        found => return Err(IdxError::Magic { found: *found }),
    };
    let header = usize::from(magic[3]) * DIMENSION;
    let (dims, data) = rest
        .split_at_checked(header)
        .ok_or_else(|| short(MAGIC + header))?;
    let dims: Vec<usize> = dims
        .as_chunks::<DIMENSION>()
        .0
        .iter()
        .map(|d| usize::try_from(u32::from_be_bytes(*d)).unwrap_or(usize::MAX))
        .collect();
    let needed = dims
        .iter()
        .try_fold(element.bytes(), |product, &d| product.checked_mul(d))
        .ok_or_else(|| IdxError::Overflow { dims: dims.clone() })?;
    if needed != data.len() {
        return Err(IdxError::Length {
            dims,
            needed,
            found: data.len(),
        });
    }
    Ok(Idx {
        element,
        dims,
        data,
    })
}

impl<'a> Idx<'a> {
    fn expect<const RANK: usize>(
        self,
        expected: Element,
    ) -> Result<([usize; RANK], &'a [u8]), IdxError> {
        match <[usize; RANK]>::try_from(self.dims.as_slice()) {
            Ok(dims) if self.element == expected => Ok((dims, self.data)),
            _ => Err(IdxError::Kind {
                expected,
                rank: RANK,
                found: self.element,
                dims: self.dims,
            }),
        }
    }
}

/// Reads images: bytes in three dimensions, returned as `(n, height, width, 1)`.
///
/// # Errors
/// Those of [`parse`], and [`IdxError::Kind`] for anything but bytes in three dimensions.
pub fn images(bytes: &[u8]) -> Result<Array4<u8>, IdxError> {
    let ([n, height, width], data) = parse(bytes)?.expect::<3>(Element::U8)?;
    Array4::from_shape_vec((n, height, width, 1), data.to_vec()).map_err(|_| IdxError::Overflow {
        dims: vec![n, height, width],
    })
}

/// Reads labels: bytes in one dimension.
///
/// # Errors
/// Those of [`parse`], and [`IdxError::Kind`] for anything but bytes in one dimension.
pub fn labels(bytes: &[u8]) -> Result<Array1<u8>, IdxError> {
    let (_, data) = parse(bytes)?.expect::<1>(Element::U8)?;
    Ok(Array1::from(data.to_vec()))
}

/// Reads row numbers: integers in one dimension, none of them negative.
///
/// # Errors
/// Those of [`parse`], [`IdxError::Kind`] and [`IdxError::Negative`].
pub fn rows(bytes: &[u8]) -> Result<Vec<usize>, IdxError> {
    let (_, data) = parse(bytes)?.expect::<1>(Element::I32)?;
    let numbers = data
        .as_chunks::<4>()
        .0
        .iter()
        .map(|b| i32::from_be_bytes(*b));
    numbers
        .map(|found| usize::try_from(found).map_err(|_| IdxError::Negative { found }))
        .collect()
}

/// Writes an IDX file: header, then `data` as it is.
///
/// `data` is expected to hold as many bytes as `dims` and `element` say; what
/// is written otherwise does not [`parse`].
#[must_use]
pub fn encode(element: Element, dims: &[u32], data: &[u8]) -> Vec<u8> {
    let rank = u8::try_from(dims.len()).unwrap_or(u8::MAX);
    let mut bytes = vec![0, 0, element.code(), rank];
    bytes.extend(dims.iter().flat_map(|d| d.to_be_bytes()));
    bytes.extend_from_slice(data);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let bytes = encode(Element::U8, &[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
        let array = images(&bytes).unwrap();
        assert_eq!(array.dim(), (2, 1, 3, 1));
        assert_eq!(array[[1, 0, 2, 0]], 6);
        assert_eq!(
            labels(&encode(Element::U8, &[2], &[7, 9]))
                .unwrap()
                .to_vec(),
            [7, 9]
        );
        let numbers = encode(Element::I32, &[2], &[0, 0, 1, 0, 0, 0, 0, 5]);
        assert_eq!(rows(&numbers).unwrap(), [256, 5]);
    }

    #[test]
    fn a_header_that_promises_more_or_less_is_an_error() {
        let mut bytes = encode(Element::U8, &[2, 2, 2], &[0; 8]);
        bytes.push(0);
        assert!(matches!(
            images(&bytes),
            Err(IdxError::Length {
                needed: 8,
                found: 9,
                ..
            })
        ));
        bytes.truncate(bytes.len() - 2);
        assert!(matches!(
            images(&bytes),
            Err(IdxError::Length {
                needed: 8,
                found: 7,
                ..
            })
        ));
        let huge = encode(Element::U8, &[u32::MAX, u32::MAX, u32::MAX], &[]);
        assert!(matches!(images(&huge), Err(IdxError::Overflow { .. })));
        let promise = encode(Element::U8, &[u32::MAX], &[1]);
        assert!(matches!(labels(&promise), Err(IdxError::Length { .. })));
        assert!(matches!(
            labels(&[0, 0, 8, 200, 1]),
            Err(IdxError::ShortHeader { needed: 804, .. })
        ));
    }

    #[test]
    fn an_empty_dimension_beside_huge_ones_is_no_panic() {
        let bytes = encode(Element::U8, &[0, u32::MAX, u32::MAX], &[]);
        let _ = images(&bytes);
        let bytes = encode(Element::U8, &[0, 28, 28], &[]);
        assert_eq!(images(&bytes).unwrap().dim(), (0, 28, 28, 1));
    }

    #[test]
    fn other_kinds_are_refused() {
        assert!(matches!(
            parse(&[0, 0, 0x0D, 0]),
            Err(IdxError::Magic { .. })
        ));
        assert!(matches!(
            parse(&[0, 0]),
            Err(IdxError::ShortHeader {
                needed: 4,
                found: 2
            })
        ));
        let floats = encode(Element::I32, &[1], &[0xFF; 4]);
        assert!(matches!(labels(&floats), Err(IdxError::Kind { .. })));
        assert!(matches!(
            rows(&floats),
            Err(IdxError::Negative { found: -1 })
        ));
    }
}
