//! Decompression that a bomb cannot make endless.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

/// The first two bytes of every gzip file.
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];

/// Reads `source`, decompressing it if it is gzip, and stops one byte after `expected`.
///
/// Whether it is gzip shows in its first two bytes, not in its name.
///
/// ```
/// let plain = ntk_data::decompress(&b"abc"[..], 2)?;
/// assert_eq!(plain, b"abc"); // one byte more than expected: the length is wrong
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Those of reading and of decompressing.
pub fn decompress(mut source: impl Read, expected: u64) -> io::Result<Vec<u8>> {
    let mut magic = Vec::with_capacity(GZIP_MAGIC.len());
    source
        .by_ref()
        .take(GZIP_MAGIC.len() as u64)
        .read_to_end(&mut magic)?;
    let is_gzip = magic == GZIP_MAGIC;
    let whole = io::Cursor::new(magic).chain(source);
    if is_gzip {
        bounded(MultiGzDecoder::new(whole), expected)
    } else {
        bounded(whole, expected)
    }
}

/// Reads all of `source`, but never more than one byte beyond `expected`.
pub(crate) fn bounded(source: impl Read, expected: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    source
        .take(expected.saturating_add(1))
        .read_to_end(&mut content)?;
    Ok(content)
}
