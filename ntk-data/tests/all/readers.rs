//! Readers against bytes that somebody broke.
//!
//! Valid files with flipped bits, edited headers, cut or extended: no reader
//! panics, and whatever one accepts is as long as it says.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use ntk_data::idx::{Element, encode};
use ntk_data::{cifar, decompress, idx};
use proptest::collection::vec;
use proptest::prelude::*;

/// Mutated inputs for each of the three readers: above 10,000 in all, twice over.
const CASES: u32 = 7_000;

/// Something done to a file.
#[derive(Debug, Clone)]
enum Mutation {
    Flip { at: usize, bit: u8 },
    Header { at: usize, value: u8 },
    Truncate { at: usize },
    Extend { with: Vec<u8> },
    Delete { at: usize },
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        match self {
            Self::Extend { with } => bytes.extend_from_slice(with),
            _ if length == 0 => {}
            Self::Flip { at, bit } => bytes[at % length] ^= 1 << bit,
            Self::Header { at, value } => bytes[at % length.min(16)] = *value,
            Self::Truncate { at } => bytes.truncate(at % length),
            Self::Delete { at } => drop(bytes.remove(at % length)),
        }
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<usize>(), 0..8_u8).prop_map(|(at, bit)| Mutation::Flip { at, bit }),
        (
            any::<usize>(),
            prop_oneof![Just(0), Just(1), Just(0xFF), any::<u8>()]
        )
            .prop_map(|(at, value)| Mutation::Header { at, value }),
        any::<usize>().prop_map(|at| Mutation::Truncate { at }),
        vec(any::<u8>(), 1..40).prop_map(|with| Mutation::Extend { with }),
        any::<usize>().prop_map(|at| Mutation::Delete { at }),
    ]
}

/// A valid IDX file: images, labels or row numbers.
fn valid_idx() -> impl Strategy<Value = Vec<u8>> {
    let images = (0..5_u32, 0..6_u32, 0..6_u32)
        .prop_map(|(n, h, w)| encode(Element::U8, &[n, h, w], &vec![1; (n * h * w) as usize]));
    let labels = vec(0..10_u8, 0..50).prop_map(|labels| {
        encode(
            Element::U8,
            &[u32::try_from(labels.len()).unwrap_or(0)],
            &labels,
        )
    });
    let rows = vec(any::<[u8; 4]>(), 0..20).prop_map(|rows| {
        encode(
            Element::I32,
            &[u32::try_from(rows.len()).unwrap_or(0)],
            &rows.concat(),
        )
    });
    prop_oneof![images, labels, rows]
}

fn mutated(valid: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (valid, vec(mutation(), 1..4)).prop_map(|(mut bytes, mutations)| {
        mutations
            .iter()
            .for_each(|mutation| mutation.apply(&mut bytes));
        bytes
    })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .unwrap_or_default()
}

/// Everything that holds of any bytes given to the IDX readers.
fn idx_holds(bytes: &[u8]) {
    if let Ok(parsed) = idx::parse(bytes) {
        let width = if parsed.element == Element::U8 { 1 } else { 4 };
        assert_eq!(
            parsed.dims.iter().product::<usize>() * width,
            parsed.data.len()
        );
        assert_eq!(4 + 4 * parsed.dims.len() + parsed.data.len(), bytes.len());
    }
    if let Ok(images) = idx::images(bytes) {
        assert_eq!(images.len() + 16, bytes.len());
    }
    if let Ok(labels) = idx::labels(bytes) {
        assert_eq!(labels.len() + 8, bytes.len());
    }
    if let Ok(rows) = idx::rows(bytes) {
        assert_eq!(4 * rows.len() + 8, bytes.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn idx_readers(bytes in mutated(valid_idx())) {
        idx_holds(&bytes);
    }

    #[test]
    fn cifar_reader(bytes in mutated(vec(0..12_u8, 0..3).prop_map(|labels| {
        labels.iter().flat_map(|&l| [vec![l], vec![9; cifar::RECORD - 1]].concat()).collect()
    }))) {
        match cifar::parse(&bytes) {
            Ok((images, labels)) => {
                prop_assert_eq!(labels.len() * cifar::RECORD, bytes.len());
                prop_assert_eq!(images.len() + labels.len(), bytes.len());
                prop_assert!(labels.iter().all(|&label| label < cifar::CLASSES));
            }
            Err(cifar::CifarError::Length { found }) => prop_assert_eq!(found, bytes.len()),
            Err(cifar::CifarError::Label { record, found }) => {
                prop_assert_eq!(bytes[record * cifar::RECORD], found);
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn gzip_reader(bytes in mutated(valid_idx().prop_map(|bytes| gzip(&bytes))), limit in 0..200_u64) {
        if let Ok(content) = decompress(&bytes[..], limit) {
            prop_assert!(content.len() as u64 <= limit + 1);
            idx_holds(&content);
        }
    }
}
