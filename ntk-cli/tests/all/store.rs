//! `ntk kernel --store`: killed and started again, damaged and repaired, read by Python.
#![allow(clippy::print_stdout, reason = "says what is skipped")]

use crate::common::{Folder, assert_near, assert_success, text};
use ndarray::{Array2, s};
use ntk_kernels::Kernel;
use ntk_kernels::network::Network;
use ntk_store::{Description, Error, TileStore};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const NETWORK: &str = r#"{"layers": ["dense", "relu", "dense", "relu", "dense"]}"#;
const THREADS: usize = 2;
const KILLS: usize = 20;

fn samples(n: usize) -> Array2<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    Array2::from_shape_simple_fn((n, 8), || rng.random_range(-1.0..1.0))
}

fn folder(n: usize) -> Folder {
    let folder = Folder::new("kernel");
    folder.write("net.json", NETWORK);
    folder.save("a.npy", &samples(n));
    folder
}

/// The command that fills `store` with tiles of this size.
fn fill<'a>(store: &'a str, tile: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let usual = ["--net", "net.json", "--x1", "a.npy", "--threads", "2"];
    let ours = ["--store", store, "--tile", tile];
    [&usual[..], &ours, more].concat()
}

fn answer(output: &Output) -> Value {
    assert_success(output);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Every tile's file with its number and when it was written: both change when it is replaced.
pub(crate) type Tiles = BTreeMap<PathBuf, (u64, i64, i64)>;

/// The tiles that are there, and how many files were being written.
pub(crate) fn tiles(store: &Path) -> (Tiles, usize) {
    let (mut tiles, mut unfinished) = (Tiles::new(), 0);
    let Ok(rows) = fs::read_dir(store.join("c")) else {
        return (tiles, unfinished);
    };
    for row in rows {
        for file in fs::read_dir(row.unwrap().path()).unwrap() {
            let file = file.unwrap();
            if file.file_name().to_string_lossy().starts_with('.') {
                unfinished += 1;
                continue;
            }
            let found = file.metadata().unwrap();
            let when = (found.ino(), found.mtime(), found.mtime_nsec());
            tiles.insert(file.path(), when);
        }
    }
    (tiles, unfinished)
}

/// Every tile of `before` is untouched in `after`.
#[track_caller]
fn assert_kept(before: &Tiles, after: &Tiles) {
    for (path, when) in before {
        assert_eq!(after.get(path), Some(when), "{}", path.display());
    }
}

/// The whole symmetric matrix in a store.
pub(crate) fn whole(store: &Path) -> Array2<f64> {
    let store = TileStore::<f64>::open(store).unwrap();
    let tiling = store.description().tiling;
    let mut matrix = Array2::zeros((tiling.rows(), tiling.columns()));
    for (i, j) in tiling.positions() {
        let (rows, columns) = (tiling.row_range(i), tiling.column_range(j));
        let tile = store.read((i, j)).unwrap();
        matrix
            .slice_mut(s![columns.clone(), rows.clone()])
            .assign(&tile.t());
        matrix.slice_mut(s![rows, columns]).assign(&tile);
    }
    matrix
}

#[test]
fn killed_at_random_moments_it_goes_on() {
    // 1830 tiles, each flushed to disk.
    let (folder, tile) = (folder(480), "8");
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let (mut kills, mut inside, mut most, mut stores) = (0, 0, 0, 0);
    while kills < KILLS {
        let name = format!("store{stores}");
        let path = folder.path().join(&name);
        stores += 1;
        let mut before = Tiles::new();
        loop {
            let mut child = folder
                .command(&fill(&name, tile, &["--quiet"]))
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            // Every other kill comes after the first tile, however slowly a busy machine starts.
            while kills % 2 == 0 && tiles(&path).0.is_empty() && child.try_wait().unwrap().is_none()
            {
                std::thread::sleep(Duration::from_millis(2));
            }
            std::thread::sleep(Duration::from_millis(rng.random_range(0..150)));
            let ended = child.try_wait().unwrap();
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            let (after, unfinished) = tiles(&path);
            assert_kept(&before, &after);
            assert!(unfinished <= THREADS, "{unfinished} tiles were at work");
            if let Some(status) = ended {
                assert!(status.success(), "{}", text(&output.stderr));
                break;
            }
            kills += 1;
            inside += usize::from(!after.is_empty());
            most = most.max(unfinished);
            if path.join("zarr.json").exists() {
                let survey = TileStore::<f64>::open(&path).unwrap().verify().unwrap();
                assert_eq!((survey.present, survey.damaged), (after.len(), vec![]));
            }
            before = after;
            if kills >= KILLS {
                break;
            }
        }
        let (before, _) = tiles(&path);
        let last = answer(&folder.run(&fill(&name, tile, &["--json"])));
        assert_eq!(
            (&last["tiles"], &last["found"]),
            (&1830.into(), &before.len().into())
        );
        assert_eq!(last["computed"], 1830 - before.len());
        let (after, unfinished) = tiles(&path);
        assert_kept(&before, &after);
        assert_eq!((after.len(), unfinished), (1830, 0));
        let verified = answer(&folder.run(&fill(&name, tile, &["--json", "--repair"])));
        assert_eq!(
            (&verified["found"], &verified["computed"]),
            (&1830.into(), &0.into())
        );
        assert_kept(&after, &tiles(&path).0);

        let memory = [
            "--net", "net.json", "--x1", "a.npy", "--get", "ntk", "--out", "k.npz",
        ];
        assert_success(&folder.run(&memory));
        let expected = folder.load("k.npz", "ntk").unwrap();
        // Angles of samples of 8 numbers in [-1, 1], none of them near 0: some tens of roundings
        // of numbers up to 1.
        assert_near(&whole(&path), &expected, 64.0 * f64::EPSILON);
    }
    println!("{kills} kills, {inside} with tiles there, {stores} stores, at most {most} at work");
    assert!(
        inside >= KILLS / 2,
        "only {inside} of {kills} kills came after the first tile"
    );
}

#[test]
fn damaged_tiles_are_named_and_they_alone_computed_again() {
    let folder = folder(60);
    let path = folder.path().join("store");
    let first = answer(&folder.run(&fill("store", "8", &["--json"])));
    assert_eq!(
        (&first["tiles"], &first["computed"]),
        (&36.into(), &36.into())
    );
    assert_eq!(first["bytes"], 36 * (8 * 8 * 8 + 4));
    let (before, good) = (tiles(&path).0, whole(&path));

    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut damaged: Vec<&PathBuf> = before
        .keys()
        .filter(|_| rng.random_range(0..4) == 0)
        .collect();
    assert!((2..30).contains(&damaged.len()), "{damaged:?}");
    for path in &damaged {
        let mut bytes = fs::read(path).unwrap();
        let place = rng.random_range(0..bytes.len());
        bytes[place] ^= 1 << rng.random_range(0..8);
        fs::write(path, bytes).unwrap();
    }
    let names_all = |text: &str, damaged: &[&PathBuf]| {
        assert_eq!(text.matches("is damaged").count(), damaged.len(), "{text}");
        for path in damaged {
            let name = path
                .strip_prefix(folder.path())
                .unwrap()
                .display()
                .to_string();
            assert!(
                text.contains(&format!("{name} has ")),
                "no {name} in {text}"
            );
        }
    };
    let looked = folder.run(&fill("store", "8", &["--repair", "--dry-run"]));
    assert_success(&looked);
    names_all(&text(&looked.stderr), &damaged);
    // Another length is seen by any run.
    let short = path.join("c/7/7");
    fs::File::options()
        .write(true)
        .open(&short)
        .unwrap()
        .set_len(100)
        .unwrap();
    let error = text(&folder.run(&fill("store", "8", &[])).stderr);
    for words in ["(7, 7)", "c/7/7 has 100 bytes, expected 516", "--repair"] {
        assert!(error.contains(words), "no {words} in {error}");
    }
    if !damaged.contains(&&short) {
        damaged.push(&short);
    }
    let repaired = folder.run(&fill("store", "8", &["--repair"]));
    assert_success(&repaired);
    names_all(&text(&repaired.stderr), &damaged);
    let after = tiles(&path).0;
    for (path, when) in &before {
        let same = after[path] == *when;
        assert_eq!(same, !damaged.contains(&path), "{}", path.display());
    }
    assert_eq!(whole(&path), good);
    let last = answer(&folder.run(&fill("store", "8", &["--json", "--repair"])));
    assert_eq!(
        (&last["computed"], &last["damaged"]),
        (&0.into(), &serde_json::json!([]))
    );
}

#[test]
fn a_store_of_something_else_is_refused_with_the_difference() {
    let folder = folder(20);
    folder.save("b.npy", &samples(21));
    folder.save("c.npy", &(samples(20) + 1.0));
    folder.write("erf.json", NETWORK.replacen("relu", "erf", 1));
    assert_success(&folder.run(&fill("store", "8", &[])));
    let before = folder.names();
    let usual = fill("store", "8", &[]);
    let change = |flag: &str, value: &'static str| {
        let mut arguments = usual.clone();
        match arguments.iter().position(|a| *a == flag) {
            Some(i) => arguments[i + 1] = value,
            None => arguments.extend([flag.to_string().leak(), value]),
        }
        arguments
    };
    for (flag, value, words) in [
        (
            "--net",
            "erf.json",
            vec!["layers[1]", "\"relu\" there", "erf"],
        ),
        ("--x1", "b.npy", vec!["x1", "[20, 8] there", "[21, 8] here"]),
        ("--x1", "c.npy", vec!["x1's SHA-256"]),
        ("--x2", "b.npy", vec!["x2 is none there", "[21, 8] here"]),
        (
            "--precision",
            "f32",
            vec!["precision is f64 there and f32 here"],
        ),
        ("--tile", "4", vec!["tile is 8 there and 4 here"]),
        ("--get", "nngp", vec!["kernel is ntk there and nngp here"]),
        ("--get", "nngp,ntk", vec!["one kernel", "--get ntk"]),
    ] {
        for more in [&[][..], &["--dry-run"]] {
            let arguments = [change(flag, value), more.to_vec()].concat();
            folder.assert_refused(&folder.run(&arguments), 1, &words, &before);
        }
    }
    for arguments in [
        change("--tile", "0"),
        change("--out", "k.npz"),
        vec!["--net", "net.json", "--x1", "a.npy"],
        vec![
            "--net", "net.json", "--x1", "a.npy", "--out", "k.npz", "--repair",
        ],
    ] {
        folder.assert_refused(&folder.run(&arguments), 2, &["--"], &before);
    }
    // Nor may two fill it at once.
    let path = folder.path().join("store");
    let description = Description::read(&path).unwrap();
    let held = TileStore::<f64>::open_or_create(&path, &description).unwrap();
    folder.assert_refused(
        &folder.run(&usual),
        1,
        &["another process fills store"],
        &before,
    );
    drop(held);
    assert_success(&folder.run(&usual));
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = folder(20);
    let before = folder.names();
    let plan = answer(&folder.run(&fill("store", "8", &["--dry-run", "--json"])));
    assert_eq!((&plan["tiles"], &plan["found"]), (&6.into(), &0.into()));
    assert_eq!(plan["bytes_left"], 6 * 516);
    assert!(plan["bytes_free"].as_u64().unwrap() > 0);
    assert!(plan["expected_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(folder.names(), before);
    assert_success(&folder.run(&fill("store", "8", &["--quiet"])));
    fs::remove_file(folder.path().join("store/c/1/0")).unwrap();
    let plan = answer(&folder.run(&fill("store", "8", &["--dry-run", "--json"])));
    assert_eq!(
        (&plan["found"], &plan["to_compute"]),
        (&5.into(), &1.into())
    );
    assert!(!folder.path().join("store/c/1/0").exists());
    // No samples, no tiles.
    folder.save("a.npy", &samples(0));
    for more in ["--dry-run", "--repair"] {
        let none = answer(&folder.run(&fill("none", "8", &["--json", more])));
        assert_eq!((&none["tiles"], &none["bytes"]), (&0.into(), &0.into()));
    }
}

/// A small disk of its own; gone when dropped.
struct Disk(PathBuf);

impl Disk {
    /// `None` where only root may have one.
    fn mount(at: PathBuf, options: &str) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&at)
            .output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then_some(Self(at))
    }

    fn resize(&self, options: &str) {
        let options = format!("remount,{options}");
        let status = Command::new("mount")
            .args(["-o", &options])
            .arg(&self.0)
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_told_and_nothing_is_lost() {
    let folder = folder(120);
    let options = "size=256k,nr_inodes=10000";
    let Some(disk) = Disk::mount(folder.path().join("disk"), options) else {
        println!("skipped: only root may mount a small disk");
        return;
    };
    // The library writes until nothing more goes in.
    let (network, x) = (Network::from_json(NETWORK).unwrap(), samples(120));
    let computed = network.kernel_fn().tile(8).tiles(Kernel::Ntk, &x).unwrap();
    let description = Description::of(&computed).unwrap();
    let path = disk.0.join("store");
    let store = TileStore::open_or_create(&path, &description).unwrap();
    let error = store.fill(&computed).unwrap_err();
    let Error::Write {
        source, progress, ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
    let survey = store.verify().unwrap();
    assert!((10..110).contains(&survey.present), "{}", survey.present);
    assert_eq!((survey.present, progress.tiles), (progress.there, 120));
    assert_eq!(progress.bytes_left, (120 - survey.present as u64) * 516);
    assert!(error.to_string().contains("make room"), "{error}");
    drop(store);
    let (kept, unfinished) = tiles(&path);
    assert_eq!((kept.len(), unfinished), (survey.present, 0));

    // The command looks first at how much is free.
    let refused = folder.run(&fill("disk/store", "8", &[]));
    let message = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{message}");
    for words in [
        "are missing in disk/store take ",
        " are free there",
        "make room",
    ] {
        assert!(message.contains(words), "no {words} in {message}");
    }
    // There is room, and then no file can be made: it cannot foresee that.
    let files = kept.len() + 40;
    disk.resize(&format!("size=8m,nr_inodes={files}"));
    let refused = folder.run(&fill("disk/store", "8", &[]));
    let message = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{message}");
    for words in [
        "error: tile (",
        "cannot write disk/store/c/",
        "No space left",
        "of 120 tiles are",
    ] {
        assert!(message.contains(words), "no {words} in {message}");
    }
    let (more, _) = tiles(&path);
    assert!(
        more.len() > kept.len() && more.len() < 120,
        "{}",
        more.len()
    );
    assert_kept(&kept, &more);

    disk.resize("size=8m,nr_inodes=10000");
    let last = answer(&folder.run(&fill("disk/store", "8", &["--json"])));
    assert_eq!(
        (&last["found"], &last["tiles"]),
        (&more.len().into(), &120.into())
    );
    assert_kept(&more, &tiles(&path).0);
    let store = TileStore::<f64>::open(&path).unwrap();
    assert_eq!(store.verify().unwrap().present, 120);
}

const READ: &str = "
import sys, hashlib, numpy as np, zarr
a = zarr.open_array('lower', mode='r')
assert a.dtype == np.float64 and a.chunks == (8, 8), a.info
ntk = a.attrs['ntk']
assert (ntk['kernel'], ntk['half'], ntk['x2']) == ('ntk', 'lower', None), ntk
x = np.load('a.npy')
content = np.array(x.shape, '<u8').tobytes() + x.astype('<f8').tobytes()
assert ntk['x1'] == {'shape': list(x.shape), 'sha256': hashlib.sha256(content).hexdigest()}, ntk
lower = a[:]
assert np.isnan(lower[0, 8])
np.save('lower.npy', np.tril(lower) + np.tril(lower, -1).T)
b = zarr.open_array('all', mode='r')
assert b.dtype == np.float32 and b.attrs['ntk']['half'] == 'all', b.info
np.save('all.npy', b[:].astype(np.float64))
path = 'lower/c/1/0'
bytes = bytearray(open(path, 'rb').read())
bytes[77] ^= 4
open(path, 'wb').write(bytes)
try:
    a[:]
except ValueError as error:
    assert 'checksum' in str(error), error
else:
    sys.exit('a damaged tile was read')
";

#[test]
fn python_reads_it() {
    let Some(python) = std::env::var_os("NTK_PYTHON") else {
        println!("skipped: NTK_PYTHON names no Python with zarr");
        return;
    };
    let folder = folder(20);
    folder.save("b.npy", &samples(30).slice(s![20.., ..]).to_owned());
    assert_success(&folder.run(&fill("lower", "8", &[])));
    let others = ["--x2", "b.npy", "--precision", "f32", "--get", "nngp"];
    assert_success(&folder.run(&fill("all", "8", &others)));
    let usual = ["--net", "net.json", "--x1", "a.npy", "--out", "k.npz"];
    assert_success(&folder.run(&usual));
    let ntk: Array2<f64> = folder.load("k.npz", "ntk").unwrap();
    assert_success(&folder.run(&[&usual[..], &others[..4]].concat()));
    let nngp: Array2<f32> = folder.load("k.npz", "nngp").unwrap();
    let output = Command::new(python)
        .args(["-c", READ])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_success(&output);
    let read =
        |name: &str| ndarray_npy::read_npy::<_, Array2<f64>>(folder.path().join(name)).unwrap();
    assert_near(&read("lower.npy"), &ntk, 64.0 * f64::EPSILON);
    let nngp = nngp.mapv(f64::from);
    assert_near(&read("all.npy"), &nngp, f64::from(64.0 * f32::EPSILON));
}
