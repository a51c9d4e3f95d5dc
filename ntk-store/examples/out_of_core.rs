//! This example keeps a kernel in tiles on disk and multiplies it with a vector.
#![allow(clippy::print_stdout, reason = "examples print")]

use ndarray::array;
use ntk_kernels::Kernel;
use ntk_kernels::network::{Network, dense, relu};
use ntk_linalg::tiled::TiledMatrix;
use ntk_store::{Description, TileStore};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join("kernel");
    let network = Network::new().then(dense()).then(relu()).then(dense());
    let x = array![[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]];
    // Usual are tiles of 2048 x 2048; every thread has one in memory.
    let tiles = network.kernel_fn().tile(2).tiles(Kernel::Ntk, &x)?;
    let store = TileStore::<f64>::open_or_create(folder, &Description::of(&tiles)?)?;
    store.fill(&tiles)?; // what is not there yet
    let product = TiledMatrix::new(&store).product(&array![[1.0], [0.0], [-1.0]])?;
    println!("{product:.3} from {} tiles", store.survey()?.present); // 3
    Ok(())
}
