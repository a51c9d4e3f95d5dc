//! Where files are looked for, in which order, and what a wrong or missing one leads to.
#![allow(clippy::type_complexity)] // of tables of cases

use std::fs;
use std::path::{Path, PathBuf};

use crate::tiny::{self, entry};
use flate2::{Compression, write::GzEncoder};
use ntk_data::registry::{Archive, Content, Entry, File, Half};
use ntk_data::{Availability, DataError, Place, Places, Source, registry, verify};

/// Writes the tiny data set into `folder`, named by `name`, as `encode` makes the bytes.
fn put(folder: &Path, suffix: &str, encode: fn(&[u8]) -> Vec<u8>) {
    fs::create_dir_all(folder).unwrap();
    for (name, bytes) in tiny::files() {
        fs::write(folder.join(format!("{name}{suffix}")), encode(&bytes)).unwrap();
    }
}

fn nowhere() -> Places {
    Places {
        system_dirs: Vec::new(),
        offline: true,
        ..Places::default()
    }
}

fn place(places: &Places) -> Place {
    match places.load_entry(entry()).unwrap().source {
        Source::Full { place } => place,
        other => panic!("{other:?}"),
    }
}

#[test]
fn plain_and_gzip_files_in_the_folder_or_its_subfolder() {
    let layouts: [(&str, &str, fn(&[u8]) -> Vec<u8>); 4] = [
        ("", "", <[u8]>::to_vec),
        ("", ".gz", tiny::gzip),
        ("tiny", "", <[u8]>::to_vec),
        // The content counts, not the name.
        ("tiny", ".gz", <[u8]>::to_vec),
    ];
    for (inside, suffix, encode) in layouts {
        let folder = tempfile::tempdir().unwrap();
        put(&folder.path().join(inside), suffix, encode);
        let data_dir = folder.path().to_owned();
        let places = Places {
            data_dir: Some(data_dir.clone()),
            ..nowhere()
        };
        assert_eq!(place(&places), Place::DataDir(data_dir));
        assert!(
            verify(entry(), folder.path())
                .iter()
                .all(|c| matches!(c.outcome, Some((_, Ok(())))))
        );
    }
}

#[test]
fn folders_are_looked_in_in_their_order() {
    let folders: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    let path = |i: usize| folders[i].path().to_owned();
    folders
        .iter()
        .for_each(|folder| put(folder.path(), "", <[u8]>::to_vec));
    let mut places = Places {
        data_dir: Some(path(0)),
        env_dir: Some(path(1)),
        cache_dir: Some(path(2)),
        system_dirs: vec![path(3)],
        ..nowhere()
    };
    assert_eq!(place(&places), Place::DataDir(path(0)));
    places.data_dir = None;
    assert_eq!(place(&places), Place::EnvDir(path(1)));
    places.env_dir = None;
    assert_eq!(place(&places), Place::Cache(path(2)));
    // What nobody named may be incomplete.
    fs::remove_file(path(2).join("test-labels")).unwrap();
    assert_eq!(place(&places), Place::System(path(3)));
    fs::remove_file(path(3).join("test-labels")).unwrap();
    let error = places.load_entry(entry()).unwrap_err();
    assert!(
        matches!(&error, DataError::Offline { looked, .. } if *looked == [path(2), path(3)]),
        "{error}"
    );
}

#[test]
fn a_folder_that_was_named_must_hold_the_data() {
    let (empty, complete) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(complete.path(), "", <[u8]>::to_vec);
    fs::write(empty.path().join("test-images"), b"").unwrap();
    let named = Some(empty.path().to_owned());
    let cache_dir = Some(complete.path().to_owned());
    for places in [
        Places {
            data_dir: named.clone(),
            cache_dir: cache_dir.clone(),
            ..nowhere()
        },
        Places {
            env_dir: named,
            cache_dir,
            ..nowhere()
        },
    ] {
        let error = places.load_entry(entry()).unwrap_err();
        let DataError::Incomplete { missing, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(*missing, ["train-images", "train-labels", "test-labels"]);
        assert!(matches!(
            places.availability(entry()),
            Availability::Nowhere(_)
        ));
    }
}

#[test]
fn a_wrong_file_is_an_error_that_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "", <[u8]>::to_vec);
    let places = Places {
        data_dir: Some(folder.path().to_owned()),
        ..nowhere()
    };
    let path = folder.path().join("test-labels");
    let right = fs::read(&path).unwrap();
    let longer = [&right[..], &[0; 1000]].concat();
    let mut flipped = right.clone();
    flipped[9] ^= 1;
    let bomb = tiny::gzip(&vec![0; 1 << 24]);
    for wrong in [&right[..5], &longer, &flipped, &bomb, b""] {
        fs::write(&path, wrong).unwrap();
        let error = places.load_entry(entry()).unwrap_err();
        let DataError::WrongContent(found) = &error else {
            panic!("{error}")
        };
        assert_eq!((&found.path, found.file), (&path, "test-labels"));
        // Neither longer files nor bombs are read beyond the first byte too many.
        assert!(found.found_size <= found.expected_size + 1);
        let checks = verify(entry(), folder.path());
        assert!(
            checks
                .iter()
                .all(|c| matches!(c.outcome, Some((_, Ok(())))) != (c.file == "test-labels"))
        );
    }
    // A gzip file that is cut off.
    fs::write(&path, &tiny::gzip(&right)[..20]).unwrap();
    assert!(matches!(
        places.load_entry(entry()),
        Err(DataError::Io { .. })
    ));
}

#[test]
fn availability_without_and_with_a_cache_or_a_sample() {
    let cache_dir = Some(PathBuf::from("/nonexistent/cache"));
    let online = Places {
        offline: false,
        ..nowhere()
    };
    assert!(matches!(
        nowhere().availability(entry()),
        Availability::Nowhere(DataError::Offline { .. })
    ));
    let no_cache = online.availability(entry());
    let with_cache = Places {
        cache_dir,
        ..online
    };
    let with_cache = with_cache.availability(entry());
    if cfg!(feature = "download") {
        assert!(matches!(
            no_cache,
            Availability::Nowhere(DataError::NoCache { .. })
        ));
        assert!(matches!(with_cache, Availability::Download { .. }));
    } else {
        for found in [no_cache, with_cache] {
            let Availability::Nowhere(error @ DataError::NoDownload { .. }) = found else {
                panic!("{found:?}")
            };
            assert!(error.to_string().contains("enable the feature"), "{error}");
        }
    }
    #[cfg(feature = "embedded")]
    {
        let fashion = registry::find("fashion-mnist").unwrap();
        assert!(matches!(
            nowhere().availability(fashion),
            Availability::Embedded
        ));
        let data = nowhere().load("fashion-mnist").unwrap();
        assert_eq!(data.source.as_str(), "embedded");
        assert!(matches!(
            data.why_not_full.as_deref(),
            Some(DataError::Offline { .. })
        ));
    }
}

#[test]
#[cfg(feature = "embedded")]
fn a_sample_stands_in_for_what_is_out_of_reach_and_for_nothing_else() {
    let mnist = nowhere().load_or_sample("mnist").unwrap();
    assert_eq!(
        (mnist.name, &mnist.source),
        ("fashion-mnist", &Source::Embedded)
    );
    assert!(matches!(
        mnist.why_not_full.as_deref(),
        Some(DataError::Offline { name: "mnist", .. })
    ));
    let fashion = nowhere().load_or_sample("fashion-mnist").unwrap();
    assert_eq!(fashion.sha256, mnist.sha256);
    let empty = tempfile::tempdir().unwrap();
    let named = Places {
        data_dir: Some(empty.path().to_owned()),
        ..nowhere()
    };
    assert!(matches!(
        named.load_or_sample("mnist"),
        Err(DataError::Incomplete { .. })
    ));
    assert!(matches!(
        nowhere().load_or_sample("nist"),
        Err(DataError::UnknownName { .. })
    ));
}

/// Three CIFAR-10 records for training, in two batches, and one for testing.
fn batches() -> [(&'static str, Half, Vec<u8>); 3] {
    let records = |labels: &[u8]| -> Vec<u8> {
        labels
            .iter()
            .flat_map(|&l| [vec![l], vec![l + 100; 3072]].concat())
            .collect()
    };
    [
        ("data_batch_1.bin", Half::Train, records(&[3, 1])),
        ("data_batch_2.bin", Half::Train, records(&[4])),
        ("test_batch.bin", Half::Test, records(&[5])),
    ]
}

fn cifar() -> &'static Entry {
    let file = |(name, half, bytes): (_, _, Vec<u8>)| File {
        name,
        half,
        content: Content::CifarRecords,
        size: bytes.len() as u64,
        sha256: tiny::sha256(&bytes).leak(),
    };
    let files: Vec<File> = batches().into_iter().map(file).collect();
    Box::leak(Box::new(Entry {
        name: "tiny-cifar",
        classes: registry::find("cifar-10").unwrap().classes,
        terms: "none",
        files: files.leak(),
        archive: Some(Archive {
            name: "tiny.tar.gz",
            folder: "inside",
            size: 1 << 20,
        }),
        mirrors: &[],
        embedded: None,
    }))
}

fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

#[test]
fn batches_from_an_archive_and_from_its_extracted_folder() {
    let folder = tempfile::tempdir().unwrap();
    let places = Places {
        data_dir: Some(folder.path().to_owned()),
        ..nowhere()
    };
    let path = folder.path().join("tiny.tar.gz");
    let [a, b, test] = batches();
    let members: [(&str, &[u8]); 4] = [
        ("inside/readme.html", b"hello"),
        ("inside/test_batch.bin", &test.2),
        ("inside/data_batch_1.bin", &a.2),
        ("inside/data_batch_2.bin", &b.2),
    ];
    fs::write(&path, archive(&members)).unwrap();
    let packed = places.load_entry(cifar()).unwrap();
    assert_eq!(packed.train.images.dim(), (3, 32, 32, 3));
    assert_eq!(packed.train.labels.to_vec(), [3, 1, 4]);
    assert_eq!(packed.test.images[[0, 31, 31, 2]], 105);
    assert!(
        matches!(verify(cifar(), folder.path())[..], [ref c] if matches!(c.outcome, Some((_, Ok(())))))
    );

    fs::write(&path, archive(&members[1..3])).unwrap();
    assert!(matches!(
        places.load_entry(cifar()),
        Err(DataError::Io { .. })
    ));
    let swapped = [
        ("inside/data_batch_1.bin", &b.2[..]),
        members[1],
        members[3],
    ];
    fs::write(&path, archive(&swapped)).unwrap();
    assert!(matches!(
        places.load_entry(cifar()),
        Err(DataError::WrongContent(_))
    ));
    fs::remove_file(&path).unwrap();
    let error = places.load_entry(cifar()).unwrap_err();
    assert!(
        matches!(&error, DataError::Incomplete { missing, .. } if *missing == ["tiny.tar.gz"]),
        "{error}"
    );

    fs::create_dir(folder.path().join("inside")).unwrap();
    for (name, _, bytes) in batches() {
        fs::write(folder.path().join("inside").join(name), bytes).unwrap();
    }
    let extracted = places.load_entry(cifar()).unwrap();
    assert_eq!(
        (extracted.train, extracted.test),
        (packed.train, packed.test)
    );
    assert_eq!(extracted.sha256, packed.sha256);
}
