//! `ntk kernel --store`.

use crate::Failure;
use crate::cli::{Common, Kernel as Args, KernelName};
use crate::environment;
use crate::files;
use crate::inputs::{self, SamplePair};
use crate::memory;
use crate::progress::Progress;
use crate::progress::duration;
use crate::space::{free_space, size};
use crate::structures;
use crate::words;
use ntk_kernels::tiles::ComputedTiles;
use ntk_kernels::{Kernel, KernelFn, Network};
use ntk_linalg::Real;
use ntk_linalg::tiled::{TileSource, Tiling};
use ntk_store::{Damage, Description, Error, Survey, TileStore};
use serde_json::{Value as Json, json};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Rows and columns of a tile where none are given: 32 MiB in f64.
const TILE: u32 = 2048;

/// A tile that takes this long tells how long all will take.
const LONG_ENOUGH: Duration = Duration::from_millis(200);

/// Rows and columns of the tile that is measured first.
const SMALLEST: usize = 4;

/// The longest wait for a tile that is measured.
const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) fn run<T: Real>(common: &Common, args: &Args, folder: &Path) -> Result<(), Failure> {
    let network = inputs::network(&args.net)?;
    let (x1, x2) = (&args.x1, args.x2.as_deref());
    let mut samples = SamplePair::<T>::of_network(&network, x1, x2, args.beside.mask_value)?;
    let graph = network
        .resolve(&samples.shape)
        .map_err(|e| format!("{}: {e}", args.net.display()))?;
    structures::read(&args.beside, &graph, &mut samples)?;
    let kernel = match args.get[..] {
        [] | [KernelName::Ntk] => Kernel::Ntk,
        [KernelName::Nngp] => Kernel::Nngp,
        _ => {
            return Err(
                "a store holds one kernel; give --get nngp or --get ntk, and each its own --store"
                    .into(),
            );
        }
    };
    let (n1, n2) = samples.counts();
    let tile = usize::try_from(args.tile.unwrap_or(TILE))?;
    // A larger one would be padding alone.
    let tile = tile.min(n1.max(n2)).max(1);
    let tiles = computed(&network, &samples, kernel, tile)?;
    let description = Description::of(&tiles)?;
    let threads = rayon::current_num_threads();
    let kernel_fn = kernel_fn(&network, &samples, tile);
    let working = kernel_fn.working_memory::<T>(&samples.shape, tile, Some(tile))?;
    let in_flight = memory::matrices::<T>(threads, (tile, tile));
    let remedy = "give a smaller --tile, fewer --threads, --precision f32, or smaller samples";
    memory::check(in_flight, working, remedy)?;
    let progress = Progress::new(common.quiet || common.json);
    let mut answer = json!({
        "n1": n1,
        "n2": n2,
        "kernel": kernel,
        "precision": T::NAME,
        "tile": tile,
        "store": folder.display().to_string(),
        "network": inputs::table(&graph),
    });
    if args.dry_run {
        let tiling = &description.tiling;
        let (survey, tiles, entries) = match description.check(folder) {
            Ok(()) => {
                let survey = look(&TileStore::<T>::open(folder)?, args.repair, &progress)?;
                let (tiles, entries) = to_compute(&survey, tiling);
                (survey, tiles, entries)
            }
            // All of them, which are counted and not listed: there may be more than memory holds.
            Err(Error::NotAStore(_)) if is_empty(folder) => {
                (Survey::default(), tiling.count(), entries(tiling))
            }
            Err(e) => return Err(e.into()),
        };
        let seconds = match tiles {
            0 => Some(0.0),
            _ => seconds_per_entry(&network, &samples, kernel, tile)?.map(|each| each * entries),
        };
        tell(&mut answer, &survey, &description);
        let free = free_space(folder);
        let refusal = check_room(folder, left(tiles, &description)).err();
        answer["to_compute"] = tiles.into();
        answer["bytes_left"] = left(tiles, &description).into();
        answer["bytes_free"] = free.into();
        answer["fits"] = refusal.is_none().into();
        answer["expected_seconds"] = seconds.into();
        let free = free.map_or_else(String::new, |free| format!(", {} free there", size(free)));
        let refusal = refusal.map_or_else(String::new, |why| format!("\nrefused: {why}"));
        let line = format!(
            "{}{free}; {}{refusal}",
            plan(survey.present, tiles, &description),
            match seconds {
                Some(seconds) => format!("about {}", duration(seconds)),
                None => format!(
                    "the first {SMALLEST} x {SMALLEST} entries alone take more than {}",
                    duration(PATIENCE.as_secs_f64())
                ),
            }
        );
        return files::show(common, &answer, &line);
    }

    let store = TileStore::<T>::open_or_create(folder, &description)?;
    let begun = Instant::now();
    let survey = complete(&store, &tiles, args.repair, &progress)?;
    let seconds = begun.elapsed().as_secs_f64();
    let computed = survey.to_compute().len();
    tell(&mut answer, &survey, &description);
    answer["computed"] = computed.into();
    answer["seconds"] = seconds.into();
    answer["peak_memory"] = json!(environment::peak_memory());
    let line = format!(
        "{} ({n1}, {n2}) of samples {}, {}: {computed} of {} tiles computed, {seconds:.3} s, in {}",
        answer["kernel"].as_str().unwrap_or_default(),
        samples.shape,
        T::NAME,
        description.tiling.count(),
        folder.display()
    );
    files::show(common, &answer, &line)
}

/// Computes what is missing in the store, and where asked what is damaged; what there was before.
pub(crate) fn complete<T: Real>(
    store: &TileStore<T>,
    tiles: &ComputedTiles<'_, T>,
    repair: bool,
    progress: &Progress,
) -> Result<Survey, Failure> {
    let survey = look(store, repair, progress)?;
    announce(store, &survey, progress)?;
    let done = store.observer(progress).repair(tiles, &survey);
    progress.end();
    done?;
    Ok(survey)
}

/// Says what is in the store and what is to be computed, and refuses to begin what will not fit.
pub(crate) fn announce<T: Real>(
    store: &TileStore<T>,
    survey: &Survey,
    progress: &Progress,
) -> Result<(), Failure> {
    let description = store.description();
    let tiles = survey.to_compute().len();
    check_room(store.folder(), left(tiles, description))?;
    progress.say(&plan(survey.present, tiles, description));
    Ok(())
}

fn check_room(folder: &Path, left: u64) -> Result<(), Failure> {
    let Some(free) = free_space(folder).filter(|free| *free < left) else {
        return Ok(());
    };
    Err(format!(
        "the tiles that are missing in {} take {}, and {} are free there; make room, or name \
         another folder by --store",
        folder.display(),
        size(left),
        size(free)
    )
    .into())
}

/// The store of these tiles in `folder`, whose parents may be missing too.
pub(crate) fn open<T: Real>(
    folder: &Path,
    tiles: &ComputedTiles<'_, T>,
) -> Result<TileStore<T>, Failure> {
    files::make_folder(folder, "--store")?;
    Ok(TileStore::open_or_create(folder, &Description::of(tiles)?)?)
}

fn kernel_fn<'a, T>(network: &'a Network, samples: &'a SamplePair<T>, tile: usize) -> KernelFn<'a> {
    let [one, two] = &samples.structures;
    network.kernel_fn().structures(one, two).tile(tile)
}

fn computed<'a, T: Real>(
    network: &'a Network,
    samples: &'a SamplePair<T>,
    kernel: Kernel,
    tile: usize,
) -> Result<ComputedTiles<'a, T>, Failure> {
    let kernel_fn = kernel_fn(network, samples, tile);
    Ok(match &samples.x2 {
        None => kernel_fn.tiles(kernel, &samples.x1),
        Some(x2) => kernel_fn.tiles_between(kernel, &samples.x1, x2),
    }?)
}

/// What is in the store; damaged tiles are an error unless they are to be repaired.
fn look<T: Real>(
    store: &TileStore<T>,
    repair: bool,
    progress: &Progress,
) -> Result<Survey, Failure> {
    let survey = if repair {
        let survey = store.observer(progress).verify()?;
        progress.end();
        survey
    } else {
        store.survey()?
    };
    match survey.damaged.first() {
        Some(damage) if !repair => {
            return Err(format!(
                "{damage}; with --repair all tiles are verified and damaged ones computed again"
            )
            .into());
        }
        _ => survey
            .damaged
            .iter()
            .for_each(|damage| progress.say(&damage.to_string())),
    }
    Ok(survey)
}

/// Whether the folder has no file, or is not there.
fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).map_or_else(|_| !folder.exists(), |mut files| files.next().is_none())
}

/// The tiles that are missing in a store, and their entries.
fn to_compute(survey: &Survey, tiling: &Tiling) -> (usize, f64) {
    let tiles = survey.to_compute();
    let entries = tiles.iter().map(|tile| {
        let (rows, columns) = tiling.shape(*tile);
        rows as f64 * columns as f64
    });
    (tiles.len(), entries.sum())
}

/// The entries of all tiles.
fn entries(tiling: &Tiling) -> f64 {
    let rows = (0..tiling.grid().0).map(|i| {
        let columns = match tiling.is_symmetric() {
            true => tiling.column_range(i).end,
            false => tiling.columns(),
        };
        tiling.row_range(i).len() as f64 * columns as f64
    });
    rows.sum()
}

/// Bytes of so many tiles that are still to be written.
fn left(tiles: usize, description: &Description) -> u64 {
    description.tile_bytes().saturating_mul(tiles as u64)
}

fn plan(present: usize, to_compute: usize, description: &Description) -> String {
    let tiles = words::count(description.tiling.count(), "tile");
    let left = size(left(to_compute, description));
    format!("{present} of {tiles} are there, {to_compute} to compute, {left}")
}

fn tell(answer: &mut Json, survey: &Survey, description: &Description) {
    let tiles = description.tiling.count();
    answer["tiles"] = tiles.into();
    answer["found"] = survey.present.into();
    answer["damaged"] = survey.damaged.iter().map(damage).collect();
    answer["bytes"] = description.tile_bytes().saturating_mul(tiles as u64).into();
}

fn damage(damage: &Damage) -> Json {
    let fault = damage.fault.to_string();
    let path = damage.path.display().to_string();
    json!({"tile": damage.tile, "path": path, "fault": fault})
}

/// The seconds that an entry takes, from the time of one tile, of the smallest size at which that is
/// to be measured; `None` where even the smallest takes too long to wait for.
fn seconds_per_entry<T: Real>(
    network: &Network,
    samples: &SamplePair<T>,
    kernel: Kernel,
    tile: usize,
) -> Result<Option<f64>, Failure> {
    let mut side = SMALLEST;
    loop {
        let (measured, answer) = mpsc::channel();
        let (network, part) = (network.clone(), samples.first(side));
        // Given up where it takes too long: it ends with the process.
        std::thread::spawn(move || {
            let begun = Instant::now();
            let tile = computed(&network, &part, kernel, side.min(tile)).and_then(|tiles| {
                // Off the diagonal, which costs half, where there is such a tile.
                let position = (usize::from(tiles.tiling().grid().0 > 1), 0);
                Ok(tiles.tile(position)?.dim())
            });
            // Nobody waits any more where it took too long.
            let _ = measured.send(tile.map(|dim| (dim, begun.elapsed())));
        });
        let Ok(measured) = answer.recv_timeout(PATIENCE) else {
            return Ok(None);
        };
        let ((rows, columns), elapsed) = measured?;
        if elapsed >= LONG_ENOUGH || side >= tile {
            let entries = rows as f64 * columns as f64;
            return Ok(Some(elapsed.as_secs_f64() / entries));
        }
        side *= 2;
    }
}
