//! Nothing panics on what a caller passes in.

use ndarray::{Array2, Array3, Array4, ArrayD, array, s};
use ntk_kernels::network::{Network, dense, relu};
use ntk_kernels::{Graphs, Inputs, Kernel, Structure};
use ntk_linalg::tiled::{Position, TileSource, Tiling};
use ntk_store::{Damage, Description, Error, Fault, Fingerprint, Survey, TileStore};
use std::convert::Infallible;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

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

fn network() -> Network {
    Network::new().then(dense()).then(relu()).then(dense())
}

fn description(x: &Array2<f64>, tile: usize) -> Description {
    let network = network();
    let tiles = network
        .kernel_fn()
        .tile(tile)
        .tiles(Kernel::Ntk, x)
        .unwrap();
    Description::of(&tiles).unwrap()
}

#[test]
fn fingerprints() {
    let mut calls = Calls::default();
    for value in [0.0, f64::NAN, f64::INFINITY] {
        calls.call("no axes", || {
            Fingerprint::of(&ArrayD::from_elem(vec![], value))
        });
        calls.call("nothing", || {
            Fingerprint::of(&Array2::from_elem((0, 3), value))
        });
        calls.call("no features", || {
            Fingerprint::of(&Array2::from_elem((3, 0), value))
        });
        for shape in [&[][..], &[0], &[2], &[3, 2, 2]] {
            let mask = Structure::of_mask(&ArrayD::from_elem(shape, true));
            let weights = ArrayD::from_elem([shape, &[1]].concat(), 1.0);
            let graphs =
                Graphs::dense(&weights).map_or_else(|_| mask.clone(), Structure::of_graphs);
            for structure in [mask, graphs] {
                calls.call("masks and graphs of others", || {
                    let x = Array2::from_elem((2, 2), value);
                    Fingerprint::of(Inputs::new(&x).structure(&structure))
                });
            }
        }
        let x = Array4::from_elem((2, 3, 4, 5), value as f32);
        calls.call("upside down", || {
            Fingerprint::of(&x.slice(s![..;-1, .., ..;-2, ..]))
        });
    }
    calls.end();
    let x = Array3::from_shape_fn((40, 50, 60), |(i, j, k)| (i * j + k) as f64);
    assert_eq!(
        Fingerprint::of(&x),
        Fingerprint::of(&x.slice(s![.., .., ..]))
    );
    assert_ne!(
        Fingerprint::of(&x),
        Fingerprint::of(&x.slice(s![..;-1, .., ..]))
    );
}

/// Tiles that are not what their tiling says.
struct Wrong {
    tiling: Tiling,
    shape: (usize, usize),
}

impl TileSource<f64> for Wrong {
    type Error = Infallible;

    fn tiling(&self) -> &Tiling {
        &self.tiling
    }

    fn tile(&self, _: Position) -> Result<Array2<f64>, Infallible> {
        Ok(Array2::from_elem(self.shape, f64::NAN))
    }
}

#[test]
fn tiles_and_surveys() {
    let mut calls = Calls::default();
    let x = array![[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]];
    let folder = tempfile::tempdir().unwrap();
    let store = TileStore::<f64>::create(folder.path(), &description(&x, 2)).unwrap();
    for position in [
        (0, 0),
        (0, 1),
        (1, 1),
        (7, 7),
        (usize::MAX, 0),
        (usize::MAX, usize::MAX),
    ] {
        calls.call("path", || store.path(position));
        calls.call("read", || store.read(position).ok());
        for shape in [(0, 0), (0, 2), (2, 2), (1, 1), (9, 9)] {
            let tile = Array2::from_elem(shape, f64::INFINITY);
            calls.call("write", || store.write(position, &tile).ok());
            calls.call("write", || {
                store.write(position, &tile.slice(s![..;-1, ..;-1])).ok()
            });
        }
        let damage = Damage {
            tile: position,
            path: store.path(position),
            fault: Fault::Length {
                expected: u64::MAX,
                found: 0,
            },
        };
        let survey = Survey {
            present: usize::MAX,
            missing: vec![position, position],
            damaged: vec![damage],
        };
        for (tiling, shape) in [
            (Tiling::symmetric(3, 2), (5, 5)),
            (Tiling::symmetric(3, 2), (2, 2)),
            (Tiling::new(usize::MAX, 0, 3), (2, 2)),
        ] {
            let wrong = Wrong {
                tiling: tiling.unwrap(),
                shape,
            };
            calls.call("repair", || {
                store
                    .repair(&wrong, &survey)
                    .map_err(|e| e.to_string())
                    .ok()
            });
            calls.call("fill", || {
                store.fill(&wrong).map_err(|e| e.to_string()).ok()
            });
        }
        calls.call("verify", || store.verify().ok());
        calls.call("survey", || store.survey().ok());
    }
    calls.end();
}

#[test]
fn folders_and_descriptions() {
    let mut calls = Calls::default();
    let x = array![[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]];
    let ours = description(&x, 2);
    let mut odd = ours.clone();
    odd.precision = "f16";
    odd.x1.shape = vec![];
    odd.x2 = Some(odd.x1.clone());
    let file = tempfile::NamedTempFile::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for path in [
        Path::new(""),
        Path::new("/dev/null"),
        Path::new("a\0b"),
        file.path(),
    ] {
        for description in [&ours, &odd] {
            calls.call("check", || description.check(path).ok());
            calls.call("create", || {
                TileStore::<f64>::create(path, description).ok()
            });
            calls.call("open_or_create", || {
                TileStore::<f32>::open_or_create(path, description).ok()
            });
        }
        calls.call("read", || Description::read(path).ok());
        calls.call("open", || TileStore::<f64>::open(path).ok());
    }
    // No store is made where the tests run.
    assert!(TileStore::<f64>::create("", &ours).is_err());
    assert!(TileStore::<f64>::open_or_create("", &ours).is_err());
    calls.call("differences", || {
        (ours.differences(&odd), odd.differences(&ours))
    });
    calls.call("tile_bytes", || odd.tile_bytes());

    let inside = folder.path().join("store");
    drop(TileStore::<f64>::create(&inside, &ours).unwrap());
    let manifest = inside.join("zarr.json");
    let good = fs::read_to_string(&manifest).unwrap();
    for bad in [
        String::new(),
        "null".into(),
        "[[[[".into(),
        good.replace("\"shape\": [", "\"shape\": [-1, "),
        good.replace('2', "99999999999999999999999"),
        good.replace('2', "0"),
        good.replace('3', "18446744073709551615"),
    ] {
        fs::write(&manifest, bad).unwrap();
        calls.call("open", || TileStore::<f64>::open(&inside).ok());
        calls.call("check", || ours.check(&inside).ok());
    }
    // Files where folders should be, and the other way round.
    fs::write(&manifest, &good).unwrap();
    fs::write(inside.join("c"), "").unwrap();
    calls.call("a file c", || {
        let store = TileStore::<f64>::open_or_create(&inside, &ours).ok()?;
        store.write((0, 0), &Array2::zeros((2, 2))).ok();
        store.verify().ok()
    });
    fs::remove_file(inside.join("c")).unwrap();
    fs::create_dir_all(inside.join("c/0/0")).unwrap();
    calls.call("a folder c/0/0", || {
        let store = TileStore::<f64>::open_or_create(&inside, &ours).ok()?;
        store.write((0, 0), &Array2::zeros((2, 2))).ok();
        store.read((0, 0)).ok();
        store.verify().ok()
    });
    calls.end();
    assert!(matches!(
        TileStore::<f64>::create(folder.path().join("odd"), &odd),
        Err(Error::Precision { .. })
    ));
}
