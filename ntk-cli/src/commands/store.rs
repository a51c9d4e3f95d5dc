//! `ntk kernel --store`, and what `ntk ntk --store` has in common with it.

use crate::Failure;
use crate::cli::{Common, Kernel as Args, KernelName, Tiles};
use crate::environment;
use crate::files;
use crate::inputs::{self, SamplePair};
use crate::memory;
use crate::progress::Progress;
use crate::progress::duration;
use crate::space::{free_space, size};
use crate::structures;
use crate::words;
use ntk_kernels::tiles::{ComputedTiles, KernelTiles};
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
    let tile = side(&args.tiles, (n1, n2))?;
    let tiles = computed(&network, &samples, kernel, tile)?;
    let threads = rayon::current_num_threads();
    let kernel_fn = kernel_fn(&network, &samples, tile);
    let working = kernel_fn.working_memory::<T>(&samples.shape, tile, Some(tile))?;
    let in_flight = memory::matrices::<T>(threads, (tile, tile));
    memory::check(in_flight, working, REMEDY)?;
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
    let stored = Stored {
        folder,
        args: &args.tiles,
        progress: &progress,
    };
    let what = format!(
        "{kernel} ({n1}, {n2}) of samples {}, {}",
        samples.shape,
        T::NAME
    );
    // Of a part of the samples, as it is given up where it takes too long.
    let of_part = |side: usize| -> Timed {
        let (network, part) = (network.clone(), samples.first(side));
        Box::new(move || time_of_one(&computed(&network, &part, kernel, side.min(tile))?))
    };
    let line = stored.fill_or_plan(&tiles, &what, &of_part, &mut answer)?;
    files::show(common, &answer, &line)
}

/// Says what makes a tile fit into memory.
pub(crate) const REMEDY: &str =
    "give a smaller --tile, fewer --threads, --precision f32, or smaller samples";

/// Returns the rows and columns of a tile for so many rows and columns of the matrix.
pub(crate) fn side(args: &Tiles, (rows, columns): (usize, usize)) -> Result<usize, Failure> {
    let tile = usize::try_from(args.tile.unwrap_or(TILE))?;
    // A larger one would be padding alone.
    Ok(tile.min(rows.max(columns)).max(1))
}

/// What is asked for of a kernel in a folder.
pub(crate) struct Stored<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) args: &'a Tiles,
    pub(crate) progress: &'a Progress,
}

/// Computes a tile, and returns its number of entries, and the time that as many entries take on
/// average over the whole matrix.
pub(crate) type Timed = Box<dyn FnOnce() -> Result<(f64, Duration), Failure> + Send>;

impl Stored<'_> {
    /// Fills the folder with these tiles, or only says what that takes; adds to the answer, and
    /// returns the line that says so of `what`. `of_part` computes a tile of so many rows.
    pub(crate) fn fill_or_plan<T: Real>(
        &self,
        tiles: &impl KernelTiles<T>,
        what: &str,
        of_part: &dyn Fn(usize) -> Timed,
        answer: &mut Json,
    ) -> Result<String, Failure> {
        let (folder, repair) = (self.folder, self.args.repair);
        let description = Description::of(tiles)?;
        if self.args.dry_run {
            return self.plan::<T>(&description, of_part, answer);
        }
        let store = TileStore::<T>::open_or_create(folder, &description)?;
        let begun = Instant::now();
        let survey = complete(&store, tiles, repair, self.progress)?;
        let seconds = begun.elapsed().as_secs_f64();
        let computed = survey.to_compute().len();
        tell(answer, &survey, &description);
        answer["computed"] = computed.into();
        answer["seconds"] = seconds.into();
        answer["peak_memory"] = json!(environment::peak_memory());
        Ok(format!(
            "{what}: {computed} of {} tiles computed, {seconds:.3} s, in {}",
            description.tiling.count(),
            folder.display()
        ))
    }

    fn plan<T: Real>(
        &self,
        description: &Description,
        of_part: &dyn Fn(usize) -> Timed,
        answer: &mut Json,
    ) -> Result<String, Failure> {
        let (folder, tiling) = (self.folder, &description.tiling);
        let (survey, tiles, entries) = match description.check(folder) {
            Ok(()) => {
                let store = TileStore::<T>::open(folder)?;
                let survey = look(&store, self.args.repair, self.progress)?;
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
            _ => seconds_per_entry(tiling.tile(), of_part)?.map(|each| each * entries),
        };
        tell(answer, &survey, description);
        let free = free_space(folder);
        let refusal = check_room(folder, left(tiles, description)).err();
        answer["to_compute"] = tiles.into();
        answer["bytes_left"] = left(tiles, description).into();
        answer["bytes_free"] = free.into();
        answer["fits"] = refusal.is_none().into();
        answer["expected_seconds"] = seconds.into();
        let free = free.map_or_else(String::new, |free| format!(", {} free there", size(free)));
        let refusal = refusal.map_or_else(String::new, |why| format!("\nrefused: {why}"));
        Ok(format!(
            "{}{free}; {}{refusal}",
            plan(survey.present, tiles, description),
            match seconds {
                Some(seconds) => format!("about {}", duration(seconds)),
                None => format!(
                    "the first {SMALLEST} x {SMALLEST} entries alone take more than {}",
                    duration(PATIENCE.as_secs_f64())
                ),
            }
        ))
    }
}

/// Computes what is missing in the store, and where asked what is damaged; what there was before.
pub(crate) fn complete<T: Real>(
    store: &TileStore<T>,
    tiles: &impl KernelTiles<T>,
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
    tiles: &impl KernelTiles<T>,
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

/// Computes a tile off the diagonal, which costs half, where there is such a tile; returns its number of
/// entries and its time.
pub(crate) fn time_of_one<T: Real>(tiles: &impl TileSource<T>) -> Result<(f64, Duration), Failure> {
    let begun = Instant::now();
    let position = (usize::from(tiles.tiling().grid().0 > 1), 0);
    Ok((tiles.tile(position)?.len() as f64, begun.elapsed()))
}

/// The seconds that an entry takes, from the time of one tile, of the smallest size at which that is
/// to be measured; `None` where even the smallest takes too long to wait for.
fn seconds_per_entry(
    tile: usize,
    of_part: &dyn Fn(usize) -> Timed,
) -> Result<Option<f64>, Failure> {
    let mut side = SMALLEST;
    loop {
        let (measured, answer) = mpsc::channel();
        let timed = of_part(side);
        // Given up where it takes too long: it ends with the process.
        std::thread::spawn(move || {
            let begun = Instant::now();
            // Nobody waits any more where it took too long.
            let _ = measured.send(timed().map(|timed| (timed, begun.elapsed())));
        });
        let Ok(measured) = answer.recv_timeout(PATIENCE) else {
            return Ok(None);
        };
        let ((entries, average), elapsed) = measured?;
        if elapsed >= LONG_ENOUGH || side >= tile {
            return Ok(Some(average.as_secs_f64() / entries));
        }
        side *= 2;
    }
}
