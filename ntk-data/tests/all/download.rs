//! Downloads against servers on this machine that behave in every way.
#![allow(clippy::type_complexity)] // of tables of cases

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::tiny::{self, Manner, Server, entry, places};
use ntk_data::{DataError, DataSet, FailureKind, Observer, Place, Places, Source};

/// An address of this machine on which nobody listens: connections are refused.
const NOBODY: &str = "http://127.0.0.1:9/";
/// An address reserved for documentation: nothing answers, where packets leave the machine at all.
const NOWHERE: &str = "http://192.0.2.1/";

fn assert_complete(data: &DataSet, cache: &Path) {
    assert_eq!(
        data.source,
        Source::Full {
            place: Place::Cache(cache.to_owned())
        }
    );
    assert_eq!(
        (data.train.len(), data.test.len()),
        (tiny::TRAIN as usize, tiny::TEST as usize)
    );
    let all: Vec<u8> = tiny::files()
        .into_iter()
        .flat_map(|(_, bytes)| bytes)
        .collect();
    assert_eq!(data.sha256, tiny::sha256(&all));
}

/// The names in the cache folder, hidden ones left out.
fn names(cache: &Path) -> Vec<String> {
    let entries = fs::read_dir(cache.join("tiny")).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort_unstable();
    names
}

const COMPLETE: [&str; 4] = [
    "test-images.gz",
    "test-labels.gz",
    "train-images.gz",
    "train-labels.gz",
];

/// What the first mirror of a failed download answered.
fn first_failure(error: DataError) -> FailureKind {
    match error {
        DataError::Download { mut tried, .. } => tried.swap_remove(0).kind,
        other => panic!("{other}"),
    }
}

#[test]
fn a_download_is_whole_and_the_next_load_needs_no_network() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(Manner::Good);
    let places = places(cache.path(), &[&server.base]);
    assert_complete(&places.load_entry(entry()).unwrap(), cache.path());
    assert_eq!(names(cache.path()), COMPLETE);
    assert_eq!(server.count(), 4);
    assert_complete(&places.load_entry(entry()).unwrap(), cache.path());
    let offline = Places {
        offline: true,
        ..places
    };
    assert_complete(&offline.load_entry(entry()).unwrap(), cache.path());
    assert_eq!(server.count(), 4);
}

#[test]
fn only_missing_files_are_downloaded() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(Manner::Good);
    let (name, bytes) = &tiny::files()[0];
    fs::create_dir(cache.path().join("tiny")).unwrap();
    fs::write(cache.path().join("tiny").join(name), bytes).unwrap();
    let data = places(cache.path(), &[&server.base])
        .load_entry(entry())
        .unwrap();
    assert_complete(&data, cache.path());
    assert_eq!(server.count(), 3);
}

#[test]
fn a_mirror_without_the_file_or_with_another_is_passed_over() {
    for manner in [
        Manner::Missing,
        Manner::Wrong,
        Manner::Endless,
        Manner::Silent,
    ] {
        let cache = tempfile::tempdir().unwrap();
        let (bad, good) = (Server::start(manner), Server::start(Manner::Good));
        let both = places(cache.path(), &[&bad.base, &good.base]);
        assert_complete(&both.load_entry(entry()).unwrap(), cache.path());
        assert_eq!(names(cache.path()), COMPLETE);
        assert_eq!((bad.count(), good.count()), (4, 4));
    }
}

#[test]
fn each_failure_is_told_apart_and_leaves_no_file_that_is_wrong() {
    let cases: [(Manner, fn(&FailureKind) -> bool); 4] = [
        (Manner::Missing, |kind| {
            matches!(kind, FailureKind::Status(404))
        }),
        (Manner::Wrong, |kind| {
            matches!(kind, FailureKind::Content(_))
        }),
        (Manner::Endless, |kind| {
            matches!(kind, FailureKind::TooLong { .. })
        }),
        (Manner::Silent, |kind| {
            matches!(kind, FailureKind::Connection(ureq::Error::Timeout(_)))
        }),
    ];
    for (manner, is_expected) in cases {
        let cache = tempfile::tempdir().unwrap();
        let server = Server::start(manner);
        let begun = Instant::now();
        let error = places(cache.path(), &[&server.base])
            .load_entry(entry())
            .unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(5));
        let kind = first_failure(error);
        assert!(is_expected(&kind), "{kind:?}");
        assert!(
            names(cache.path())
                .iter()
                .all(|name| name.ends_with(".part"))
        );
    }
}

#[test]
fn a_broken_download_is_resumed_at_another_mirror() {
    for manner in [Manner::Truncates, Manner::Stalls] {
        let cache = tempfile::tempdir().unwrap();
        let (bad, good) = (Server::start(manner), Server::start(Manner::Good));
        let both = places(cache.path(), &[&bad.base, &good.base]);
        assert_complete(&both.load_entry(entry()).unwrap(), cache.path());
        let requests = good.requests.lock().unwrap();
        assert_eq!(requests.len(), 4);
        assert!(
            requests
                .iter()
                .all(|(_, from)| from.is_some_and(|from| from > 0)),
            "{requests:?}"
        );
    }
}

/// A first part of the training images as an earlier attempt would leave it.
fn leave_part(cache: &Path, bytes: &[u8]) {
    fs::create_dir_all(cache.join("tiny")).unwrap();
    fs::write(cache.join("tiny/train-images.gz.part"), bytes).unwrap();
}

#[test]
fn a_part_is_resumed_or_replaced_but_never_trusted() {
    let whole = tiny::gzip(&tiny::files()[0].1);
    // What is left behind, how the server behaves, and the ranges it is then asked for.
    let cases: [(&[u8], Manner, &[Option<u64>]); 5] = [
        (&whole[..1000], Manner::Good, &[Some(1000)]),
        (&whole[..1000], Manner::IgnoresRange, &[Some(1000)]),
        (&whole, Manner::Good, &[Some(whole.len() as u64)]),
        (&[9; 1000], Manner::Good, &[Some(1000), None]),
        (b"", Manner::Good, &[None]),
    ];
    for (left, manner, ranges) in cases {
        let cache = tempfile::tempdir().unwrap();
        let server = Server::start(manner);
        leave_part(cache.path(), left);
        let data = places(cache.path(), &[&server.base])
            .load_entry(entry())
            .unwrap();
        assert_complete(&data, cache.path());
        assert_eq!(names(cache.path()), COMPLETE);
        let asked: Vec<Option<u64>> = server.requests.lock().unwrap()[..ranges.len()]
            .iter()
            .map(|(_, from)| *from)
            .collect();
        assert_eq!(asked, ranges);
        assert_eq!(server.count(), ranges.len() + 3);
    }
}

#[test]
fn a_cached_file_that_is_wrong_is_neither_used_nor_replaced() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(Manner::Good);
    let places = places(cache.path(), &[&server.base]);
    places.load_entry(entry()).unwrap();
    let path = cache.path().join("tiny/test-labels.gz");
    let wrong = tiny::gzip(b"not the labels");
    fs::write(&path, &wrong).unwrap();
    let error = places.load_entry(entry()).unwrap_err();
    let DataError::WrongContent(wrong_content) = &error else {
        panic!("{error}")
    };
    assert_eq!(wrong_content.path, path);
    assert_eq!(wrong_content.found, tiny::sha256(b"not the labels"));
    let message = error.to_string();
    for part in [
        "test-labels.gz",
        wrong_content.expected,
        &wrong_content.found,
        "delete or move",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(fs::read(&path).unwrap(), wrong);
    assert_eq!(server.count(), 4);
}

#[test]
fn without_a_network_the_reason_comes_soon_and_names_every_mirror() {
    let cache = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let mirrors = [NOBODY, NOWHERE, NOWHERE, NOWHERE, NOWHERE];
    let error = places(cache.path(), &mirrors)
        .load_entry(entry())
        .unwrap_err();
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    let DataError::Download { name, file, tried } = error else {
        panic!("{error}")
    };
    assert_eq!(
        (name, file.as_str(), tried.len()),
        ("tiny", "train-images.gz", mirrors.len())
    );
}

#[cfg(feature = "embedded")]
#[test]
fn the_sample_stands_in_and_says_why() {
    let cache = tempfile::tempdir().unwrap();
    let data = places(cache.path(), &[NOBODY])
        .load("fashion-mnist")
        .unwrap();
    assert_eq!(data.source, Source::Embedded);
    let reason = data.why_not_full.unwrap().to_string();
    assert!(
        reason.contains("fashion-mnist") && reason.contains(NOBODY),
        "{reason}"
    );
    assert!(places(cache.path(), &[NOBODY]).load("mnist").is_err());
}

/// Stops once so many bytes have come.
struct StopAfter {
    limit: u64,
    got: AtomicU64,
}

impl Observer for StopAfter {
    fn advance(&self, units: u64) {
        self.got.fetch_add(units, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.got.load(Ordering::Relaxed) >= self.limit
    }
}

#[test]
fn stopping_leaves_a_part_that_the_next_attempt_resumes() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(Manner::Good);
    let places = places(cache.path(), &[&server.base]);
    let stop = StopAfter {
        limit: 100_000,
        got: AtomicU64::new(0),
    };
    let error = places.observer(&stop).load_entry(entry()).unwrap_err();
    assert!(matches!(error, DataError::Cancelled), "{error}");
    assert_eq!(names(cache.path()), ["train-images.gz.part"]);
    assert_complete(&places.load_entry(entry()).unwrap(), cache.path());
    let requests = server.requests.lock().unwrap();
    assert!(
        requests[1].1.is_some_and(|from| from >= 100_000),
        "{requests:?}"
    );
}

/// The directory and mirror that [`two_processes_at_once`] hands to its children.
const CHILD: &str = "NTK_DATA_TEST_CHILD";

#[test]
fn two_processes_at_once() {
    if let Some(task) = std::env::var_os(CHILD) {
        let task = task.into_string().unwrap();
        let (cache, base) = task.split_once('\n').unwrap();
        let cache = Path::new(cache);
        assert_complete(&places(cache, &[base]).load_entry(entry()).unwrap(), cache);
        return;
    }
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(Manner::Good);
    let start = || {
        std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "download::two_processes_at_once"])
            .env(
                CHILD,
                format!("{}\n{}", cache.path().display(), server.base),
            )
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..4).map(|_| start()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(names(cache.path()), COMPLETE);
    assert_eq!(server.count(), 4, "each file is downloaded once");
}
