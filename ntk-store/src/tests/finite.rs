//! Stores of empirical kernels.

use super::*;
use ndarray::ArrayView2;
use ntk_kernels::tiles::KernelTiles;

/// The kernel in closed form of samples, said to be that of a network with these parameters and outputs.
struct Empirical<'a> {
    tiles: ComputedTiles<'a, f64>,
    parameters: [Array2<f64>; 2],
    side: usize,
    tiling: Tiling,
}

impl TileSource<f64> for Empirical<'_> {
    type Error = TileError;

    fn tiling(&self) -> &Tiling {
        &self.tiling
    }

    fn tile(&self, position: Position) -> Result<Array2<f64>, TileError> {
        let tile = self.tiles.tile(position)?;
        let side = self.side;
        let shape = (tile.nrows() * side, tile.ncols() * side);
        Ok(Array2::from_shape_fn(shape, |(i, j)| {
            tile[[i / side, j / side]]
        }))
    }
}

impl KernelTiles<f64> for Empirical<'_> {
    fn network(&self) -> Network {
        self.tiles.network()
    }

    fn kernel(&self) -> Kernel {
        self.tiles.kernel()
    }

    fn x1(&self) -> Inputs<'_, f64> {
        self.tiles.x1()
    }

    fn x2(&self) -> Option<Inputs<'_, f64>> {
        self.tiles.x2()
    }

    fn parameters(&self) -> Option<Vec<ArrayView2<'_, f64>>> {
        Some(self.parameters.iter().map(|p| p.view()).collect())
    }

    fn side(&self) -> usize {
        self.side
    }
}

/// The hash by Python: `sha256(struct.pack("<QQ2d", 2, 1, .5, -1) + struct.pack("<QQd", 1, 1, .25))`.
#[test]
fn a_finite_network_is_told_by_its_parameters() {
    let (network, x) = (network(), samples(5));
    let empirical = |weight: f64, side: usize| Empirical {
        tiles: tiles(&network, &x, 2),
        parameters: [array![[0.5], [weight]], array![[0.25]]],
        side,
        tiling: Tiling::symmetric(5 * side, 2 * side).unwrap(),
    };
    let source = empirical(-1.0, 3);
    let stored = Description::of(&source).unwrap();
    let finite = stored.finite.clone().unwrap();
    assert_eq!(finite.side, 3);
    assert_eq!(
        finite.sha256,
        "0e4bc2139e63ab088a5045ac1f4c62948ff1e06b05a9505ebcc361cd7d3fe471"
    );
    let folder = tempfile::tempdir().unwrap();
    let store = TileStore::create(folder.path(), &stored).unwrap();
    store.fill(&source).unwrap();
    assert_eq!(store.verify().unwrap().present, 6);
    assert_eq!(store.read((2, 1)).unwrap().dim(), (3, 6));
    drop(store);
    assert_eq!(Description::read(folder.path()).unwrap(), stored);

    let refused = |asked: &Description| {
        let error = TileStore::<f64>::open_or_create(folder.path(), asked).unwrap_err();
        let Error::Differs { differences, .. } = error else {
            panic!("{error}")
        };
        let told = differences.iter().map(ToString::to_string);
        told.collect::<Vec<_>>()
    };
    let other = Description::of(&empirical(-2.0, 3)).unwrap();
    let hash = other.finite.clone().unwrap().sha256;
    let weights = format!(
        "the weights' SHA-256 is {} there and {hash} here",
        finite.sha256
    );
    assert_eq!(refused(&other), [weights]);
    let traced = Description::of(&empirical(-1.0, 1)).unwrap();
    assert_eq!(
        refused(&traced),
        [
            "tile is 6 there and 2 here",
            "the number of rows of a sample is 3 there and 1 here"
        ]
    );
    let closed = Description::of(&source.tiles).unwrap();
    assert_eq!(
        refused(&closed),
        [
            "tile is 6 there and 2 here",
            "network is finite there and infinitely wide here"
        ]
    );
    // As many rows as samples have no longer fit the manifest's shape.
    let path = folder.path().join("zarr.json");
    let manifest = fs::read_to_string(&path).unwrap();
    for side in ["0", "1", "18446744073709551615", "-1"] {
        let text = manifest.replace("\"side\": 3", &format!("\"side\": {side}"));
        assert_ne!(text, manifest);
        fs::write(&path, text).unwrap();
        let error = Description::read(folder.path()).unwrap_err();
        assert!(matches!(error, Error::Manifest { .. }), "{side}: {error}");
    }
}
