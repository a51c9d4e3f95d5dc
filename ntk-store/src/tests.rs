use super::*;
use ndarray::{ArrayD, array, s};
use ntk_kernels::network::*;
use ntk_kernels::tiles::{ComputedTiles, TileError};
use ntk_kernels::{Graphs, Inputs, Kernel, KernelFn, Structure};
use ntk_linalg::Cancelled;
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

mod finite;

fn network() -> Network {
    Network::new().then(dense()).then(relu()).then(dense())
}

fn samples(n: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, 3), |(i, j)| ((5 * i + 3 * j + i * j) % 7) as f64 - 2.5)
}

fn tiles<'a, T: Real>(network: &'a Network, x: &'a Array2<T>, tile: usize) -> ComputedTiles<'a, T> {
    network
        .kernel_fn()
        .tile(tile)
        .tiles(Kernel::Ntk, x)
        .unwrap()
}

/// A full store of the kernel of `samples(n)`.
fn full(n: usize, tile: usize) -> (TempDir, TileStore<f64>) {
    let (network, x) = (network(), samples(n));
    let tiles = tiles(&network, &x, tile);
    let folder = tempfile::tempdir().unwrap();
    let description = Description::of(&tiles).unwrap();
    let store = TileStore::open_or_create(folder.path(), &description).unwrap();
    store.fill(&tiles).unwrap();
    (folder, store)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn check_round_trip<T: Real>(n: usize, others: Option<usize>, tile: usize) {
    let network = network();
    let x1 = samples(n).mapv(T::of);
    let x2 = others.map(|m| samples(m + 1).slice(s![1.., ..]).mapv(T::of));
    let kernel_fn = network.kernel_fn().tile(tile);
    let tiles = match &x2 {
        None => kernel_fn.tiles(Kernel::Nngp, &x1),
        Some(x2) => kernel_fn.tiles_between(Kernel::Nngp, &x1, x2),
    }
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let description = Description::of(&tiles).unwrap();
    let store = TileStore::create(folder.path(), &description).unwrap();
    store.fill(&tiles).unwrap();
    let (reopened, description) = (TileStore::open(folder.path()).unwrap(), store.description());
    assert_eq!(reopened.description(), description);
    let whole = match &x2 {
        None => network.nngp(&x1),
        Some(x2) => network.nngp_between(&x1, x2),
    }
    .unwrap();
    for (i, j) in description.tiling.positions() {
        let found: Array2<T> = reopened.read((i, j)).unwrap();
        assert_eq!(found, tiles.tile((i, j)).unwrap());
        let (rows, columns) = (
            description.tiling.row_range(i),
            description.tiling.column_range(j),
        );
        let far = (&found - &whole.slice(s![rows, columns])).mapv(|v| Real::to_f64(v.abs()));
        // Ten operations on numbers of at most 20.
        let tolerance = 200.0 * Real::to_f64(T::epsilon());
        assert!(far.iter().all(|far| *far <= tolerance), "{far}");
        let bytes = fs::metadata(store.path((i, j))).unwrap().len();
        assert_eq!(bytes, store.tile_bytes());
    }
    let count = description.tiling.count();
    for survey in [store.survey(), store.verify()] {
        let survey = survey.unwrap();
        assert_eq!((survey.present, survey.to_compute()), (count, vec![]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_is_written_is_read(
        n in 0..9_usize, others in proptest::option::of(0..9_usize), tile in 1..12_usize, single: bool,
    ) {
        if single {
            check_round_trip::<f32>(n, others, tile);
        } else {
            check_round_trip::<f64>(n, others, tile);
        }
    }
}

#[test]
fn a_store_is_made_once_and_only_where_nothing_else_is() {
    let (folder, store) = full(3, 2);
    let description = store.description().clone();
    drop(store);
    let again = TileStore::<f64>::create(folder.path(), &description);
    assert!(matches!(again, Err(Error::Exists(_))), "{again:?}");

    let other = tempfile::tempdir().unwrap();
    let open = TileStore::<f64>::open(other.path());
    assert!(matches!(open, Err(Error::NotAStore(_))), "{open:?}");
    fs::write(other.path().join("thesis.tex"), "").unwrap();
    let create = TileStore::<f64>::open_or_create(other.path(), &description);
    assert!(matches!(create, Err(Error::NotAStore(_))), "{create:?}");
    assert_eq!(names(other.path()), ["thesis.tex"]);

    let precision = TileStore::<f32>::open(folder.path()).unwrap_err();
    assert!(precision.to_string().contains("f64"), "{precision}");
    let created = TileStore::<f32>::create(other.path().join("new"), &description);
    assert!(matches!(created, Err(Error::Precision { .. })));
}

/// A writer that was killed while it made the store leaves a lock file and perhaps half a manifest.
#[test]
fn what_a_killed_writer_left_is_removed() {
    let description = full(3, 2).1.description().clone();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".lock"), "").unwrap();
    fs::write(folder.path().join(".zarr.json.a1B2c3"), "{").unwrap();
    let store = TileStore::<f64>::open_or_create(folder.path(), &description).unwrap();
    assert_eq!(names(folder.path()), [".lock", "zarr.json"]);
    store.write((1, 0), &array![[1.0, 2.0]]).unwrap();
    fs::write(folder.path().join("c/1/.1.Zz9Yy8"), "half").unwrap();
    drop(store);
    TileStore::<f64>::open(folder.path()).unwrap();
    assert_eq!(names(&folder.path().join("c/1")), [".1.Zz9Yy8", "0"]);
    TileStore::<f64>::open_or_create(folder.path(), &description).unwrap();
    assert_eq!(names(&folder.path().join("c/1")), ["0"]);
}

#[test]
fn one_process_writes_and_others_read() {
    let (folder, store) = full(3, 2);
    let description = store.description().clone();
    let second = TileStore::<f64>::open_or_create(folder.path(), &description).unwrap_err();
    assert!(
        second.to_string().contains("another process fills"),
        "{second}"
    );
    let reader = TileStore::<f64>::open(folder.path()).unwrap();
    reader.read((1, 1)).unwrap();
    let write = reader.write((0, 0), &Array2::zeros((2, 2)));
    assert!(matches!(write, Err(Error::ReadOnly(_))));
    let (network, x) = (network(), samples(3));
    let fill = reader.fill(&tiles(&network, &x, 2));
    assert!(matches!(fill, Err(Error::ReadOnly(_))));
    drop(store);
    TileStore::<f64>::open_or_create(folder.path(), &description).unwrap();
}

#[test]
fn every_flipped_byte_is_found() {
    let (folder, store) = full(5, 2);
    // On the diagonal, at the edge: most of it is padding.
    for damaged in [(1, 0), (2, 2)] {
        let path = store.path(damaged);
        let good = fs::read(&path).unwrap();
        assert_eq!(good.len(), 2 * 2 * 8 + 4);
        for byte in 0..good.len() {
            let mut bad = good.clone();
            bad[byte] ^= 1 << (byte % 8);
            fs::write(&path, &bad).unwrap();
            let error = store.read(damaged).unwrap_err();
            let Error::Damaged(damage) = &error else {
                panic!("{error}")
            };
            assert!(matches!(damage.fault, Fault::Checksum { .. }));
            let message = error.to_string();
            assert!(message.contains(path.to_str().unwrap()), "{message}");
            let survey = store.verify().unwrap();
            assert_eq!(survey.damaged, std::slice::from_ref(damage));
            assert_eq!((survey.present, survey.to_compute()), (5, vec![damaged]));
        }
        fs::write(&path, &good).unwrap();
    }
    for (content, found) in [(vec![], 0), (vec![0; 35], 35), (vec![0; 37], 37)] {
        fs::write(store.path((2, 0)), content).unwrap();
        let fault = Fault::Length {
            expected: 36,
            found,
        };
        let damage = store.damage((2, 0), fault);
        for survey in [store.survey(), store.verify()] {
            assert_eq!(survey.unwrap().damaged, std::slice::from_ref(&damage));
        }
        let error = store.read((2, 0)).unwrap_err().to_string();
        assert_eq!(error, Error::Damaged(damage).to_string());
    }
    fs::remove_file(store.path((1, 1))).unwrap();
    assert!(matches!(store.read((1, 1)), Err(Error::Missing { .. })));

    let (network, x) = (network(), samples(5));
    let (source, before) = (
        tiles(&network, &x, 2),
        fs::read(store.path((0, 0))).unwrap(),
    );
    let refused = store.fill(&source).unwrap_err().to_string();
    assert!(refused.contains("tile (2, 0) is damaged"), "{refused}");
    let survey = store.verify().unwrap();
    assert_eq!(survey.to_compute(), [(1, 1), (2, 0)]);
    store.repair(&source, &survey).unwrap();
    assert_eq!(store.verify().unwrap().present, 6);
    assert_eq!(store.read((2, 0)).unwrap(), source.tile((2, 0)).unwrap());
    assert_eq!(fs::read(folder.path().join("c/0/0")).unwrap(), before);
}

#[test]
fn a_manifest_that_is_not_ours_is_refused() {
    let (folder, store) = full(3, 2);
    let path = folder.path().join(MANIFEST);
    let good = fs::read_to_string(&path).unwrap();
    let description = store.description().clone();
    drop(store);
    for (from, to, word) in [
        (good.as_str(), "", "EOF"),
        (good.as_str(), "[]", "attributes.ntk.format is null"),
        ("{", "<", "expected value"),
        ("\"format\": 2", "\"format\": 3", "this version reads 2"),
        ("\"crc32c\"", "\"gzip\"", "codecs"),
        ("\"little\"", "\"big\"", "codecs"),
        ("\"float64\"", "\"int64\"", "data_type"),
        ("\"NaN\"", "0.0", "fill_value"),
        ("\"lower\"", "\"all\"", "half"),
        ("\"relu\"", "\"rellu\"", "layers[1]"),
        ("\"sha256\"", "\"sha1\"", "sha1"),
    ] {
        assert!(good.contains(from), "{good}");
        fs::write(&path, good.replace(from, to)).unwrap();
        for error in [
            TileStore::<f64>::open(folder.path()).unwrap_err(),
            TileStore::<f64>::open_or_create(folder.path(), &description).unwrap_err(),
        ] {
            let message = error.to_string();
            assert!(
                message.contains(word) && message.contains("zarr.json"),
                "{message}"
            );
        }
    }
    // Attributes of other programs are theirs.
    let other = good.replace("\"attributes\": {", "\"attributes\": {\"units\": \"none\",");
    fs::write(&path, other).unwrap();
    TileStore::<f64>::open_or_create(folder.path(), &description).unwrap();
    // In the first format a zero said that a layer has no bias.
    let old = good.replace("\"format\": 2", "\"format\": 1");
    let old = old.replace("\"b_std\": null", "\"b_std\": 0.0");
    assert!(old.contains("\"b_std\": 0.0"), "{old}");
    fs::write(&path, &old).unwrap();
    TileStore::<f64>::open_or_create(folder.path(), &description).unwrap();
    fs::write(&path, old.replace("\"format\": 1", "\"format\": 2")).unwrap();
    TileStore::<f64>::open_or_create(folder.path(), &description).unwrap_err();
    fs::write(&path, &good).unwrap();
    // Tiles without a manifest are nobody knows what.
    fs::remove_file(&path).unwrap();
    let error = TileStore::<f64>::open_or_create(folder.path(), &description);
    assert!(matches!(error, Err(Error::NotAStore(_))), "{error:?}");
}

#[test]
fn every_difference_is_named() {
    let nested = |inner: ntk_kernels::dual::Activation| {
        let path = Network::new().then(dense()).then(inner).then(dense());
        Network::new().then(residual(path)).then(dense())
    };
    let (there, x) = (nested(relu()), samples(4));
    let tiles = there.kernel_fn().tile(2).tiles(Kernel::Ntk, &x).unwrap();
    let stored = Description::of(&tiles).unwrap();
    assert!(stored.differences(&stored).is_empty());
    let folder = tempfile::tempdir().unwrap();
    drop(TileStore::<f64>::create(folder.path(), &stored).unwrap());

    let here = nested(erf(1.0, 1.0, 0.0)).then(relu());
    let here = here.parameterization(Parameterization::Standard);
    let moved = &x + 1.0;
    let x2 = x.slice(s![1.., ..]);
    let kernel_fn = here.kernel_fn().tile(3);
    let tiles = kernel_fn.tiles_between(Kernel::Nngp, &moved, &x2).unwrap();
    let asked = Description::of(&tiles).unwrap();
    let what: Vec<_> = stored
        .differences(&asked)
        .into_iter()
        .map(|d| d.what)
        .collect();
    assert_eq!(
        what,
        [
            "kernel",
            "tile",
            "x1's SHA-256",
            "x2",
            "parameterization",
            "layers[0].branch.paths[0][1]",
            "layers[2]",
        ]
    );
    let error = TileStore::<f64>::open_or_create(folder.path(), &asked).unwrap_err();
    let message = error.to_string();
    for words in [
        "kernel is ntk there and nngp here",
        "tile is 2 there and 3 here",
        &stored.x1.sha256,
        &asked.x1.sha256,
        "x2 is none there and of shape [3, 3] here",
        "\"relu\" there and {\"erf\"",
        "layers[2] is no layer there and \"relu\" here",
    ] {
        assert!(message.contains(words), "no {words} in {message}");
    }
    let single = x.mapv(|v| v as f32);
    let tiles = there
        .kernel_fn()
        .tile(2)
        .tiles(Kernel::Ntk, &single)
        .unwrap();
    let asked = Description::of(&tiles).unwrap();
    let error = TileStore::<f32>::open_or_create(folder.path(), &asked).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains(": precision is f64 there and f32 here; ask"),
        "{message}"
    );
}

/// By Python: `sha256(struct.pack("<QQ4d", 2, 2, 1, 0, .6, .8))`, and with `4f`.
#[test]
fn samples_are_told_by_shape_and_values() {
    let x = array![[1.0, 0.0], [0.6, 0.8]];
    let hash = |x: ArrayD<f64>| Fingerprint::of(&x).sha256;
    let double = hash(x.clone().into_dyn());
    assert_eq!(
        double,
        "117260a766b1906f241b6b1a721456288bc646879f0d471715b177fa1ee31c82"
    );
    let single = Fingerprint::of(&x.mapv(|v| v as f32).into_dyn()).sha256;
    assert_eq!(
        single,
        "30cc5a6396274035c7e499a4f918cf03cc4f9a49fe12a50aa95570fd30355451"
    );
    // In another order in memory they are the same; in another shape they are not.
    let fortran = x.t().as_standard_layout().into_owned().reversed_axes();
    assert_eq!(hash(fortran.into_dyn()), double);
    let flat = x.into_shape_with_order((4, 1)).unwrap();
    assert_ne!(hash(flat.into_dyn()), double);
}

/// By Python: `h = sha256(b"mask" + struct.pack("<QQ6B", 2, 3, 0, 0, 0, 0, 1, 1))`, and then
/// `h.update(b"graph" + struct.pack("<QQQdQQd", 2, 2, 0, .5, 0, 1, -1.) + b"graph" + struct.pack("<Q", 0))`.
#[test]
fn masks_and_graphs_are_told() {
    let x = ArrayD::<f64>::zeros(vec![2, 3, 1]);
    let mask = array![[false, false, false], [false, true, true]];
    let mut weights = ndarray::Array3::<f64>::zeros((2, 3, 3));
    (weights[[0, 2, 0]], weights[[0, 0, 1]]) = (0.5, -1.0);
    let masked = Structure::of_mask(&mask);
    let both = masked.clone().graphs(Graphs::dense(&weights).unwrap());
    let hash = |structure| Fingerprint::of(Inputs::new(&x).structure(structure)).structure;
    assert_eq!(
        hash(&masked).unwrap(),
        "54724062e4353f6b84d9dbb0a4fad9b39d477f2ea0101533e0f6a4fd426f2e5a"
    );
    assert_eq!(
        hash(&both).unwrap(),
        "6dd635eb1bd2e8fd77b07d6980f7005192150baee47fb26083b6847daf50d736"
    );
    assert_eq!(hash(&Structure::default()), None);
}

/// Pads sequences of these lengths.
fn lengths(lengths: [usize; 5]) -> Structure {
    let mask = Array2::from_shape_fn((5, 4), |(i, p)| p >= lengths[i]);
    Structure::of_mask(&mask)
}

fn of_masks<'a>(network: &'a Network, masks: &'a Structure) -> KernelFn<'a> {
    network.kernel_fn().tile(2).structure(masks)
}

#[test]
fn a_store_of_masked_samples_is_resumed_with_their_masks_alone() {
    let network = Network::new()
        .then(conv([3]).same())
        .then(relu())
        .then(global_avg_pool())
        .then(dense());
    let x = ndarray::Array3::from_shape_fn((5, 4, 2), |(i, p, c)| (i + 2 * p + 3 * c) as f64);
    let masks = lengths([4, 2, 3, 1, 4]);
    let describe = |structure: &Structure| {
        let tiles = of_masks(&network, structure).tiles(Kernel::Ntk, &x);
        Description::of(&tiles.unwrap()).unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let description = describe(&masks);
    let store = TileStore::<f64>::open_or_create(folder.path(), &description).unwrap();
    let kernel_fn = of_masks(&network, &masks);
    let limited = Limited {
        tiles: kernel_fn.tiles(Kernel::Ntk, &x).unwrap(),
        asked: AtomicUsize::new(0),
        limit: 2,
    };
    store.fill(&limited).unwrap_err();
    let before = store.survey().unwrap();
    assert!(before.present > 0 && before.missing.len() > 1, "{before:?}");
    drop(store);

    // Other masks, and none, are of another matrix.
    for other in [lengths([4, 2, 3, 1, 3]), Structure::default()] {
        let asked = describe(&other);
        let refused = TileStore::<f64>::open_or_create(folder.path(), &asked).unwrap_err();
        let Error::Differs { differences, .. } = refused else {
            panic!("{refused}")
        };
        let what: Vec<_> = differences.into_iter().map(|d| d.what).collect();
        assert_eq!(what, ["x1's masks and graphs"]);
    }
    let store = TileStore::<f64>::open_or_create(folder.path(), &description).unwrap();
    assert_eq!(&Description::read(folder.path()).unwrap(), &description);
    let all = kernel_fn.tiles(Kernel::Ntk, &x).unwrap();
    store.fill(&all).unwrap();
    let whole = kernel_fn.ntk(&x).unwrap();
    for (i, j) in description.tiling.positions() {
        let place = s![
            description.tiling.row_range(i),
            description.tiling.column_range(j)
        ];
        assert_eq!(store.read((i, j)).unwrap(), whole.slice(place));
    }
}

#[test]
fn a_network_that_json_cannot_say_has_no_store() {
    let own = closed_form("square", |q1, q2, q| (q1 * q2 + 2.0 * q * q, 4.0 * q));
    let network = Network::new().then(dense()).then(own).then(dense());
    let x = samples(2);
    let error = Description::of(&tiles(&network, &x, 2)).unwrap_err();
    assert!(error.to_string().contains("square"), "{error}");
}

/// Counts the tiles asked for, and gives none beyond some.
struct Limited<'a> {
    tiles: ComputedTiles<'a, f64>,
    asked: AtomicUsize,
    limit: usize,
}

impl TileSource<f64> for Limited<'_> {
    type Error = TileError;

    fn tiling(&self) -> &Tiling {
        self.tiles.tiling()
    }

    fn tile(&self, position: Position) -> Result<Array2<f64>, TileError> {
        let beyond = (usize::MAX, 0);
        match self.asked.fetch_add(1, Ordering::Relaxed) {
            count if count < self.limit => self.tiles.tile(position),
            _ => self.tiles.tile(beyond),
        }
    }
}

/// An observer that stops after some units.
struct Until(AtomicUsize);

impl Observer for Until {
    fn advance(&self, _: u64) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

#[test]
fn a_stopped_fill_loses_the_tiles_at_work_alone_and_goes_on() {
    let (network, x) = (network(), samples(40));
    let source = |limit| Limited {
        tiles: tiles(&network, &x, 4),
        asked: AtomicUsize::new(0),
        limit,
    };
    let folder = tempfile::tempdir().unwrap();
    let description = Description::of(&source(0).tiles).unwrap();
    let store = TileStore::<f64>::create(folder.path(), &description).unwrap();
    let threads = 3;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().unwrap().install(|| {
        let failing = source(20);
        let error = store.fill(&failing).unwrap_err();
        let Error::Tile { progress, .. } = &error else {
            panic!("{error}")
        };
        let survey = store.survey().unwrap();
        assert_eq!((survey.present, progress.there), (20, 20));
        assert_eq!((progress.tiles, progress.bytes_left), (55, 35 * 132));
        let asked = failing.asked.into_inner();
        assert!((21..=20 + threads).contains(&asked), "{asked}");

        let (stopped, until) = (source(usize::MAX), Until(AtomicUsize::new(10)));
        let error = store.observer(&until).fill(&stopped).unwrap_err();
        assert!(matches!(error, Error::Cancelled(Cancelled)), "{error}");
        let present = store.survey().unwrap().present;
        // Those at work when it was told to stop were completed.
        assert_eq!(present, 20 + stopped.asked.into_inner());
        assert!((30..30 + threads).contains(&present), "{present}");

        let rest = source(usize::MAX);
        store.fill(&rest).unwrap();
        assert_eq!(rest.asked.into_inner(), 55 - present);
    });
    assert_eq!(store.verify().unwrap().present, 55);
}

#[test]
fn a_tile_that_cannot_be_written_is_named() {
    let (network, x) = (network(), samples(5));
    let tiles = tiles(&network, &x, 2);
    let folder = tempfile::tempdir().unwrap();
    let description = Description::of(&tiles).unwrap();
    let store = TileStore::<f64>::create(folder.path(), &description).unwrap();
    // A file where a folder must be.
    fs::create_dir(folder.path().join("c")).unwrap();
    fs::write(folder.path().join("c/1"), "").unwrap();
    let survey = Survey {
        missing: tiles.tiling().positions().collect(),
        ..Survey::default()
    };
    let error = store.repair(&tiles, &survey).unwrap_err();
    let message = error.to_string();
    for words in [
        "tile (1, ",
        "c/1/",
        "of 6 tiles are safely there",
        "bytes remain",
    ] {
        assert!(message.contains(words), "no {words} in {message}");
    }
    fs::remove_file(folder.path().join("c/1")).unwrap();
    store.fill(&tiles).unwrap();
    assert_eq!(store.verify().unwrap().present, 6);
}

#[test]
fn tiles_of_another_shape_or_matrix_are_refused() {
    let (_folder, store) = full(5, 2);
    let write = |position, tile: Array2<f64>| store.write(position, &tile).unwrap_err();
    let error = write((2, 0), Array2::zeros((2, 2))).to_string();
    assert!(error.contains("(1, 2), found (2, 2)"), "{error}");
    let error = write((0, 2), array![[0.0]]);
    assert!(matches!(error, Error::Tiling(_)), "{error}");
    assert!(matches!(store.read((3, 0)), Err(Error::Tiling(_))));
    let (network, x) = (network(), samples(4));
    let error = store.fill(&tiles(&network, &x, 2)).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("5 x 5") && message.contains("4 x 4"),
        "{message}"
    );
}
