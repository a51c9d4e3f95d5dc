//! `ntk ntk --store`.

use crate::Failure;
use crate::commands::store::{self, Stored, Timed};
use crate::inputs::SamplePair;
use crate::memory;
use crate::space::size;
use ntk_linalg::tiled::TileSource;
use ntk_train::{EmpiricalTiles, Model, ModelError, Scalar, Trace};
use serde_json::Value as Json;

/// Fills a folder with the tiles of a model's kernel, or only says what that takes; adds to the
/// answer, and returns the line that says so of `what`.
pub(super) fn fill_or_plan<T: Scalar>(
    stored: &Stored<'_>,
    (model, trace): (&Model<T>, Trace),
    samples: &SamplePair<T>,
    what: &str,
    answer: &mut Json,
) -> Result<String, Failure> {
    let outputs = match trace {
        Trace::Traced => 1,
        Trace::Full => model.outputs(),
    };
    let (n1, n2) = samples.counts();
    let dim = (n1.saturating_mul(outputs), n2.saturating_mul(outputs));
    let tile = store::side(stored.args, dim)?;
    let tiles = of_samples(model, trace, samples, tile)?;
    memory::check(Some(0), tiles.working_memory(), store::REMEDY)?;
    answer["tile"] = tiles.tiling().tile().into();
    answer["store"] = stored.folder.display().to_string().into();
    let of_part = |side: usize| -> Timed {
        let (model, part) = (model.clone(), samples.first(side.div_ceil(outputs)));
        Box::new(move || {
            let tiles = of_samples(&model, trace, &part, side.min(tile))?;
            let (_, first) = store::time_of_one(&tiles)?;
            // Again, with the factors of its samples known. These are computed once for the whole matrix,
            // here for the rows and columns of a tile.
            let (entries, again) = store::time_of_one(&tiles)?;
            let samples = (side / outputs).max(1) as f64;
            let share = samples * (0.5 / n1.max(1) as f64 + 0.5 / n2.max(1) as f64);
            let factors = first.saturating_sub(again).mul_f64(share.min(1.0));
            Ok((entries, again + factors))
        })
    };
    stored.fill_or_plan(&tiles, what, &of_part, answer)
}

fn of_samples<'a, T: Scalar>(
    model: &'a Model<T>,
    trace: Trace,
    samples: &'a SamplePair<T>,
    tile: usize,
) -> Result<EmpiricalTiles<'a, T>, Failure> {
    let [one, two] = &samples.structures;
    let kernel_fn = model
        .kernel_fn()
        .trace(trace)
        .structures(one, two)
        .tile(tile);
    let tiles = match &samples.x2 {
        None => kernel_fn.ntk_tiles(&samples.x1),
        Some(x2) => kernel_fn.ntk_tiles_between(&samples.x1, x2),
    };
    tiles.map_err(|error| match error {
        ModelError::Memory { bytes } => format!(
            "a tile takes {} of memory while it is computed, more than there is; {}",
            size(bytes),
            store::REMEDY
        )
        .into(),
        other => other.into(),
    })
}
