//! Fashion-MNIST: 70,000 articles of clothing, 28 x 28, one channel.
//!
//! H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for
//! benchmarking machine learning algorithms" (2017), arXiv:1708.07747. MIT
//! licence, Zalando SE.

use super::{Entry, File, mnist_files};
use crate::sample::CLASS_NAMES;

static FILES: [File; 4] = mnist_files([
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
]);

pub(super) static ENTRY: Entry = Entry {
    name: "fashion-mnist",
    classes: &CLASS_NAMES,
    terms: "MIT, Zalando SE; https://github.com/zalandoresearch/fashion-mnist",
    files: &FILES,
    archive: None,
    mirrors: &[
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ],
    #[cfg(feature = "embedded")]
    embedded: Some(crate::sample::load),
    #[cfg(not(feature = "embedded"))]
    embedded: None,
};
