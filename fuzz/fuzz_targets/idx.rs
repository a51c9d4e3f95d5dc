//! No bytes make the IDX readers panic or accept another length than they say.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../ntk-data/src/idx.rs"]
#[allow(dead_code)]
mod idx;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(images) = idx::images(bytes) {
        assert_eq!(images.len() + 16, bytes.len());
    }
    if let Ok(labels) = idx::labels(bytes) {
        assert_eq!(labels.len() + 8, bytes.len());
    }
    if let Ok(rows) = idx::rows(bytes) {
        assert_eq!(4 * rows.len() + 8, bytes.len());
    }
});
