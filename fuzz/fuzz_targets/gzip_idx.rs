//! No bytes make the decompressor give more than its limit, nor what it gives break the reader.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../ntk-data/src/gzip.rs"]
#[allow(dead_code)]
mod gzip;
#[path = "../../ntk-data/src/idx.rs"]
#[allow(dead_code)]
mod idx;

const LIMIT: u64 = 1 << 16;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(content) = gzip::decompress(bytes, LIMIT) {
        assert!(content.len() as u64 <= LIMIT + 1);
        let _ = idx::parse(&content);
    }
});
