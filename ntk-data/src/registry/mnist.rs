//! MNIST: 70,000 handwritten digits, 28 x 28, one channel.
//!
//! Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten
//! digits". No licence allows redistribution: it is downloaded, never embedded.

use super::{Entry, File, mnist_files};

static FILES: [File; 4] = mnist_files([
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
]);

pub(super) static ENTRY: Entry = Entry {
    name: "mnist",
    classes: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    terms: "no licence to redistribute; http://yann.lecun.com/exdb/mnist/",
    files: &FILES,
    archive: None,
    mirrors: &[
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ],
    embedded: None,
};
