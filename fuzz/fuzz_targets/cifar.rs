//! No bytes make the CIFAR-10 reader panic or accept another length than it says.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../ntk-data/src/cifar.rs"]
#[allow(dead_code)]
mod cifar;

fn holds(bytes: &[u8]) {
    if let Ok((images, labels)) = cifar::parse(bytes) {
        assert_eq!(labels.len() * cifar::RECORD, bytes.len());
        assert_eq!(images.len() + labels.len(), bytes.len());
    }
}

fuzz_target!(|bytes: &[u8]| {
    holds(bytes);
    // Chance seldom gives whole records: also the same bytes filled up to some.
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(cifar::RECORD), 0);
    holds(&padded);
});
