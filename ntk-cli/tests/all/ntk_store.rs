//! `ntk ntk --store`: the kernel of the file in tiles, killed and started again, and refused where it
//! is another.

use crate::common::{Folder, assert_near, assert_success, json};
use crate::store::{tiles, whole};
use ndarray::{Array2, s};
use ntk_store::TileStore;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

const NETWORK: &str = r#"{"layers": [{"dense": {"width": 24, "b_std": 0.3}}, "relu", {"dense": {"width": 16}}, "erf", {"dense": {"width": 3}}]}"#;

fn samples(n: usize, seed: u64) -> Array2<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((n, 8), || rng.random_range(-1.0..1.0))
}

fn folder(n: usize) -> Folder {
    let folder = Folder::new("ntk");
    folder.write("net.json", NETWORK);
    folder.save("a.npy", &samples(n, 1));
    folder
}

const USUAL: [&str; 4] = ["--net", "net.json", "--x1", "a.npy"];

/// The flags that fill the folder `store` with tiles of this size.
fn fill<'a>(tile: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let ours = ["--store", "store", "--tile", tile, "--threads", "2"];
    [&USUAL[..], &ours, more].concat()
}

/// The kernel, and the outputs, that are computed in memory.
fn in_memory(folder: &Folder, more: &[&str]) -> (Array2<f64>, Array2<f64>) {
    assert_success(&folder.run(&[&USUAL[..], &["--out", "k.npz"], more].concat()));
    let load = |name| folder.load("k.npz", name).unwrap();
    (load("ntk"), load("outputs"))
}

/// Some hundreds of products and sums in another order, of numbers up to the largest.
fn tolerance(matrix: &Array2<f64>) -> f64 {
    256.0 * f64::EPSILON * matrix.iter().fold(0.0, |m: f64, v| m.max(v.abs()))
}

#[test]
fn tiles_are_those_of_the_kernel_in_memory() {
    let folder = folder(30);
    folder.save("b.npy", &samples(11, 2));
    let path = folder.path().join("store");
    for (more, tile, rows, count) in [
        (&[][..], "8", 8, 10),
        (&["--full"], "8", 6, 120),
        (&["--full", "--seed", "4"], "1000", 90, 1),
    ] {
        let (kernel, _) = in_memory(&folder, more);
        let answer = json(&folder.run(&fill(tile, &[more, &["--json"]].concat())));
        assert_eq!(
            (&answer["tile"], &answer["tiles"]),
            (&rows.into(), &count.into())
        );
        assert_eq!(
            (&answer["computed"], &answer["parameters"]),
            (&count.into(), &648.into())
        );
        assert!(answer["out"].is_null(), "{answer}");
        assert_near(&whole(&path), &kernel, tolerance(&kernel));
        let again = json(&folder.run(&fill(tile, &[more, &["--json", "--repair"]].concat())));
        assert_eq!(
            (&again["found"], &again["computed"]),
            (&count.into(), &0.into())
        );
        fs::remove_dir_all(&path).unwrap();
    }
    // Of other samples all tiles are there, and the outputs are in the file alone.
    let pair = ["--x2", "b.npy"];
    let (kernel, outputs) = in_memory(&folder, &pair);
    let flags = [
        &pair[..],
        &["--out", "o.npz", "--save-weights", "w.safetensors"],
    ]
    .concat();
    assert_success(&folder.run(&fill("7", &flags)));
    assert!(folder.load::<f64>("o.npz", "ntk").is_none());
    assert_eq!(folder.load::<f64>("o.npz", "outputs").unwrap(), outputs);
    let store = TileStore::<f64>::open(&path).unwrap();
    let tiling = store.description().tiling;
    assert_eq!(tiling.count(), 10);
    for (i, j) in tiling.positions() {
        let place = s![tiling.row_range(i), tiling.column_range(j)];
        let expected = kernel.slice(place).to_owned();
        assert_near(&store.read((i, j)).unwrap(), &expected, tolerance(&kernel));
    }
    drop(store);
    // Its weights from a file are the same weights.
    let flags = [&pair[..], &["--weights", "w.safetensors", "--json"]].concat();
    assert_eq!(json(&folder.run(&fill("7", &flags)))["computed"], 0);
}

fn bytes(store: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (tiles, _) = tiles(store);
    let read = |path: PathBuf| {
        (
            path.strip_prefix(store).unwrap().to_owned(),
            fs::read(&path).unwrap(),
        )
    };
    tiles.into_keys().map(read).collect()
}

#[test]
fn killed_and_started_again_it_gives_the_same_bytes() {
    // 1830 tiles, each flushed to disk.
    let folder = folder(240);
    let (path, other) = (folder.path().join("store"), folder.path().join("other"));
    assert_success(&folder.run(&fill("4", &["--quiet"])));
    let expected = bytes(&path);
    assert_eq!(expected.len(), 1830);
    fs::rename(&path, &other).unwrap();
    let mut kills = 0;
    for wait in [0, 10, 20, 40] {
        let before = tiles(&path).0.len();
        let mut child = folder
            .command(&fill("4", &["--quiet"]))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        while tiles(&path).0.len() <= before && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(wait));
        let ended = child.try_wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        kills += usize::from(ended.is_none());
    }
    assert!(kills >= 1, "it ended before it could be killed");
    let found = tiles(&path).0.len();
    let last = json(&folder.run(&fill("4", &["--json"])));
    assert_eq!(
        (&last["found"], &last["computed"]),
        (&found.into(), &(1830 - found).into())
    );
    assert_eq!(bytes(&path), expected);
}

#[test]
fn other_weights_samples_and_kernels_are_refused_with_the_difference() {
    let folder = folder(12);
    folder.save("b.npy", &samples(12, 2));
    folder.write("wide.json", NETWORK.replace("16", "17"));
    let planned = fill("5", &["--seed", "1", "--dry-run", "--json"]);
    let empty = folder.names();
    let plan = json(&folder.run(&planned));
    assert_eq!(
        (&plan["tiles"], &plan["to_compute"]),
        (&6.into(), &6.into())
    );
    assert!(plan["expected_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(folder.names(), empty);
    assert_success(&folder.run(&fill("5", &["--seed", "1"])));
    assert_eq!(json(&folder.run(&planned))["to_compute"], 0);
    let before = folder.names();
    let changed = |flag: &str, value: &'static str| {
        let mut flags = fill("5", &["--seed", "1"]);
        match flags.iter().position(|other| *other == flag) {
            Some(i) => flags[i + 1] = value,
            None => flags.extend([flag.to_string().leak(), value]),
        }
        flags
    };
    for (flag, value, words) in [
        (
            "--seed",
            "2",
            vec![
                "holds another matrix: the weights' SHA-256 is ",
                "; ask for",
            ],
        ),
        (
            "--x1",
            "b.npy",
            vec!["holds another matrix: x1's SHA-256 is "],
        ),
        (
            "--x2",
            "b.npy",
            vec!["x2 is none there and of shape [12, 8] here"],
        ),
        ("--net", "wide.json", vec!["layers[2]", "16", "17"]),
        (
            "--precision",
            "f32",
            vec!["precision is f64 there and f32 here"],
        ),
        ("--tile", "4", vec!["tile is 5 there and 4 here"]),
    ] {
        for more in [&[][..], &["--dry-run"], &["--out", "k.npz"]] {
            let flags = [changed(flag, value), more.to_vec()].concat();
            folder.assert_refused(&folder.run(&flags), 1, &words, &before);
        }
    }
    let full = [&changed("--tile", "6")[..], &["--full"]].concat();
    let words = ["the number of rows of a sample is 1 there and 3 here"];
    folder.assert_refused(&folder.run(&full), 1, &words, &before);

    // Nor is a kernel in closed form an empirical one, or the other way round.
    let closed = |store: &'static str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ntk"));
        let command = command.arg("kernel").args(USUAL).current_dir(folder.path());
        command
            .args(["--tile", "5", "--store", store])
            .output()
            .unwrap()
    };
    let words = ["network is finite there and infinitely wide here"];
    folder.assert_refused(&closed("store"), 1, &words, &before);
    assert_success(&closed("closed"));
    let before = folder.names();
    let flags = changed("--store", "closed");
    let words = ["network is infinitely wide there and finite here"];
    folder.assert_refused(&folder.run(&flags), 1, &words, &before);
}

#[test]
fn flags_that_need_a_store_or_a_file() {
    let folder = folder(3);
    let before = folder.names();
    for more in [
        &[][..],
        &["--tile", "4"],
        &["--out", "k.npz", "--tile", "4"],
        &["--out", "k.npz", "--repair"],
        &["--out", "k.npz", "--dry-run"],
        &["--store", "store", "--tile", "0"],
    ] {
        let output = folder.run(&[&USUAL[..], more].concat());
        folder.assert_refused(&output, 2, &["--"], &before);
    }
    // Nor are files beside samples, or the folder, outputs.
    folder.save("mask.npy", &Array2::from_elem((3, 1), false));
    let before = folder.names();
    for (more, words) in [
        (
            ["--mask1", "mask.npy", "--save-weights", "mask.npy"],
            "--save-weights is the file of --mask1",
        ),
        (
            ["--tile", "2", "--out", "./store"],
            "--out is the file of --store",
        ),
    ] {
        let output = folder.run(&[&USUAL[..], &["--store", "store"], &more].concat());
        folder.assert_refused(&output, 1, &[words], &before);
    }
    // Nor is what is in it.
    fs::create_dir(folder.path().join("store")).unwrap();
    let before = folder.names();
    let more = ["--store", "store", "--out", "store/zarr.json"];
    let output = folder.run(&[&USUAL[..], &more].concat());
    let words = "store/zarr.json is in the folder of --store";
    folder.assert_refused(&output, 1, &[words], &before);
}

#[test]
fn a_tile_beyond_memory_is_refused_with_what_makes_it_smaller() {
    let folder = folder(1);
    folder.save("a.npy", &Array2::from_elem((3_000_000, 1), 1.0));
    let before = folder.names();
    let flags = fill("4000000", &["--dry-run"]);
    let words = ["a tile takes ", "GB", "give a smaller --tile"];
    folder.assert_refused(&folder.run(&flags), 1, &words, &before);
}
