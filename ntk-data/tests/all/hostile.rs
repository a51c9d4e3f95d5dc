//! Nothing panics on what a caller passes in: numbers, arrays, names, folders.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ndarray::{Array1, Array2, Array4, array, s};
use ntk_data::registry::{Content, Entry, File, Half};
use ntk_data::{
    DataError, Deformations, PixelScaling, Places, Split, SubsetError, decompress, idx, look,
    registry, sphere, targets, verify,
};

/// The names of the calls that panicked.
#[derive(Default)]
struct Calls(Vec<String>);

impl Calls {
    fn call<R>(&mut self, name: impl Into<String>, call: impl FnOnce() -> R) {
        if catch_unwind(AssertUnwindSafe(call)).is_err() {
            self.0.push(name.into());
        }
    }

    fn end(self) {
        assert!(self.0.is_empty(), "{:#?}", self.0);
    }
}

/// Splits as they should be and as a caller can make them: the fields are public.
fn splits() -> Vec<Split> {
    let of = |images: (usize, usize, usize, usize), labels: usize, rows: Vec<usize>| Split {
        images: Array4::ones(images),
        labels: Array1::from_elem(labels, 7),
        rows,
    };
    vec![
        of((0, 0, 0, 0), 0, vec![]),
        of((3, 2, 2, 1), 3, vec![0, 1, 2]),
        of((3, 0, 2, 1), 3, vec![2, 2, usize::MAX]),
        of((3, 2, 2, 1), 1, vec![0, 1, 2, 3, 4]),
        of((1, 2, 2, 1), 5, vec![0, 1, 2]),
        of((4, 2, 2, 3), 4, vec![]),
    ]
}

#[test]
fn subsets() {
    let mut calls = Calls::default();
    for split in splits() {
        let name = |of: &str| format!("{of} of {} {split:?}", split.len());
        for n in [0, 1, 2, 3, 100, usize::MAX] {
            calls.call(name("first"), || split.first(n).ok());
            calls.call(name("random"), || split.random(n, u64::MAX).ok());
            calls.call(name("stratified"), || split.stratified(n, 0).ok());
            for classes in [&[][..], &[7], &[7, 7, 255]] {
                calls.call(name("first_per_class"), || {
                    split.first_per_class(n, classes).ok()
                });
            }
            calls.call(name("select"), || split.select(&[n, 0, n]).ok());
        }
        calls.call(name("with_classes"), || split.with_classes(&[7, 0]));
        for scaling in PixelScaling::ALL {
            calls.call(name("images"), || split.images::<f32>(scaling));
            calls.call(name("vectors"), || split.vectors::<f64>(scaling));
        }
    }
    calls.end();
    assert_eq!(splits()[4].len(), 1);
    assert_eq!(
        splits()[1].first_per_class(usize::MAX, &[7, 7]),
        Err(SubsetError::TooManyOfClass {
            class: 7,
            asked: usize::MAX,
            available: 3
        })
    );
}

#[test]
fn deformations() {
    let mut calls = Calls::default();
    let none = Deformations::none();
    let numbers = [
        0.0,
        5e-324,
        0.999,
        1e300,
        f64::MAX,
        -1.0,
        f64::INFINITY,
        f64::NAN,
    ];
    for split in splits() {
        for number in numbers {
            for deform in [
                none.rotation(number),
                none.scale(number),
                none.shear(number),
                none.shift(number),
                none.elastic(number, 1.0),
                none.elastic(0.5, number),
                none.rotation(number).shear(number).shift(number),
            ] {
                let name = format!("{deform:?} of {split:?}");
                for index in [0, 4, u64::MAX] {
                    calls.call(&name, || deform.image(&split, index).ok());
                }
                #[expect(clippy::reversed_empty_ranges, reason = "it is hostile")]
                for indices in [0..9, 9..0, u64::MAX - 3..u64::MAX, 0..u64::MAX] {
                    calls.call(&name, || deform.images(&split, indices).ok());
                }
            }
        }
    }
    calls.end();
    // Whatever is far outside is background.
    let shifted = none.shift(1e300).image(&splits()[1], 4).unwrap();
    assert_eq!(shifted, ndarray::Array3::<u8>::zeros((2, 2, 1)));
}

#[test]
fn targets_spheres_and_names() {
    let mut calls = Calls::default();
    let labels = array![0_u8, 255, 3];
    for labels in [
        labels.slice(s![..]),
        labels.slice(s![..;-2]),
        labels.slice(s![..0]),
    ] {
        for classes in [0, 1, 256, usize::MAX / 16, usize::MAX] {
            calls.call(format!("one_hot of {classes}"), || {
                targets::one_hot::<f64>(&labels, classes).ok()
            });
        }
        for divisor in [0.0, -1.0, f64::NAN, f64::INFINITY, 5e-324] {
            calls.call("scaled", || targets::scaled::<f32>(&labels, divisor));
        }
        calls.call("parity", || targets::parity::<f32>(&labels));
    }
    for shape in [(0, 0), (0, 3), (3, 0), (2, 3)] {
        for value in [0.0, 1.0, f64::NAN, f64::INFINITY, f64::MAX, 5e-324] {
            let x = Array2::from_elem(shape, value);
            for radius in [0.0, -1.0, f64::NAN, f64::INFINITY] {
                calls.call("project", || sphere::project(&x, radius).ok());
                calls.call("project", || {
                    sphere::project(&x.slice(s![..;-1, ..]), radius).ok()
                });
            }
        }
    }
    for d in [0, 1, usize::MAX] {
        calls.call("radius", || sphere::radius::<f32>(d));
    }
    for name in ["", "../mnist", "mnist\0", "MNIST"] {
        calls.call("find", || registry::find(name).ok());
        let places = Places::default();
        calls.call("load", || places.load(name).ok());
        calls.call("load_or_sample", || places.load_or_sample(name).ok());
        calls.call("fetch", || places.observer(&()).fetch(name).ok());
        calls.call("scaling", || name.parse::<PixelScaling>().ok());
    }
    for bytes in [&[][..], &[0x1F], &[0x1F, 0x8B], &[0x1F, 0x8B, 8, 0, 0]] {
        for limit in [0, 1, u64::MAX] {
            calls.call("decompress", || decompress(bytes, limit).ok());
        }
    }
    for dims in [
        vec![],
        vec![u32::MAX; 300],
        vec![0, u32::MAX, u32::MAX, u32::MAX],
    ] {
        calls.call("idx", || {
            let bytes = idx::encode(idx::Element::I32, &dims, &[1]);
            (
                idx::parse(&bytes).is_ok(),
                idx::images(&bytes).is_ok(),
                idx::rows(&bytes).is_ok(),
            )
        });
    }
    calls.end();
}

#[cfg(feature = "synthetic")]
#[test]
fn data_by_formula() {
    use ntk_data::synthetic;
    let mut calls = Calls::default();
    for n in [0, 1, usize::MAX / 32, usize::MAX / 2, usize::MAX] {
        for d in [0, 1, usize::MAX] {
            // A loop over nothing is still a loop.
            if d == 0 && n > 1 || n == 0 && d > 1 {
                continue;
            }
            calls.call("gaussian", || synthetic::gaussian::<f64>(n, d, 0).ok());
            calls.call("sphere", || synthetic::sphere::<f32>(n, d, 0).ok());
            for noise in [0.0, -1.0, f64::NAN, f64::INFINITY] {
                calls.call("teacher", || {
                    synthetic::linear_teacher::<f32>(n, d, noise, 0).ok()
                });
            }
        }
        calls.call("circle", || synthetic::circle::<f64>(n).ok());
    }
    for n in [0, 1, usize::MAX / 32, usize::MAX] {
        for sizes in [
            0..=0,
            0..=9,
            4..=5,
            std::ops::RangeInclusive::new(9, 4),
            4..=usize::MAX,
        ] {
            for count in [0, 3, 4, usize::MAX] {
                let drawn = || synthetic::graphs::<f32>(n, sizes.clone(), count, 0).ok();
                calls.call("graphs", drawn);
                let drawn = || synthetic::first_of_two::<f32>(n, sizes.clone(), count, 0).ok();
                calls.call("first_of_two", drawn);
            }
        }
    }
    assert!(synthetic::gaussian::<f32>(usize::MAX, 2, 0).is_err());
    calls.end();
}

#[cfg(feature = "pca")]
#[test]
fn principal_components() {
    use ntk_data::Pca;
    let mut calls = Calls::default();
    for shape in [(0, 0), (0, 3), (1, 3), (3, 0), (2, 3), (5, 2)] {
        for value in [0.0, 1.0, f64::NAN, f64::INFINITY, f64::MAX] {
            let mut x = Array2::from_elem(shape, value);
            calls.call("fit", || Pca::fit(&x, 0).ok());
            if let Some(first) = x.first_mut() {
                *first = 0.5;
            }
            for k in [0, 1, 2, usize::MAX] {
                calls.call(format!("fit of {shape:?} of {value}"), || {
                    let pca = Pca::fit(&x.slice(s![..;-1, ..]), k).ok()?;
                    pca.transform(&x).ok();
                    pca.transform(&x.t()).ok();
                    pca.inverse_transform(&x).ok()
                });
            }
        }
    }
    // The fields are public.
    let odd = Pca {
        mean: array![1.0],
        components: Array2::ones((2, 3)),
        explained_variance: array![],
        explained_variance_ratio: array![],
    };
    calls.call("transform", || odd.transform(&Array2::ones((4, 1))).ok());
    calls.call("inverse_transform", || {
        odd.inverse_transform(&Array2::ones((4, 2))).ok()
    });
    calls.end();
}

/// An entry whose sizes add up to more than there is.
fn monstrous() -> &'static Entry {
    let file = |half, content| File {
        name: "file",
        half,
        content,
        size: u64::MAX,
        sha256: "",
    };
    let files = vec![
        file(Half::Train, Content::IdxImages),
        file(Half::Test, Content::CifarRecords),
    ];
    Box::leak(Box::new(Entry {
        name: "monstrous",
        classes: &[],
        terms: "",
        files: files.leak(),
        archive: None,
        mirrors: &["", "not an address/", "ftp://nowhere/"],
        embedded: None,
    }))
}

#[test]
fn places_and_entries() {
    let mut calls = Calls::default();
    let folder = tempfile::tempdir().unwrap();
    for path in [
        Path::new(""),
        Path::new("/dev/null"),
        Path::new("no\0such"),
        folder.path(),
    ] {
        for entry in [monstrous(), registry::ALL[0]] {
            calls.call("look", || look(entry, path).ok());
            calls.call("verify", || verify(entry, path));
            let places = Places {
                data_dir: Some(path.to_owned()),
                ..Places::default()
            };
            calls.call("availability", || places.availability(entry));
            calls.call("load_entry", || places.load_entry(entry).ok());
        }
    }
    let mut places = Places {
        cache_dir: Some(folder.path().to_owned()),
        system_dirs: Vec::new(),
        ..Places::default()
    };
    calls.call("load_entry", || {
        assert!(places.load_entry(monstrous()).is_err());
    });
    for wait in [std::time::Duration::ZERO, std::time::Duration::MAX] {
        places.network.connect = wait;
        places.network.silence = wait;
        places.network.unreachable = wait;
        for proxy in [None, Some(String::new()), Some("not a proxy".to_owned())] {
            places.network.proxy = proxy;
            places.network.mirrors = Some(vec![String::new(), "http://127.0.0.1:9/".to_owned()]);
            calls.call(format!("download and wait {wait:?}"), || {
                let error = places.load_entry(monstrous()).unwrap_err();
                assert!(!matches!(error, DataError::WrongContent(_)), "{error}");
            });
        }
    }
    calls.end();
}
