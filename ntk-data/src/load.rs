//! A data set by name: found, verified, decoded.

use std::sync::Arc;

use ndarray::{Array1, Array4, Axis, concatenate};

use crate::cache;
use crate::cifar;
use crate::dataset::{DataSet, Source};
use crate::error::DataError;
use crate::hash::sha256;
use crate::idx;
use crate::place::Place;
use crate::places::{Found, Places, download_into, locate};
use crate::progress::Progress;
use crate::registry::{self, Content, Entry, Part};
use crate::split::Split;
use crate::verify;

/// Loads the data set called `name`.
///
/// Looks in the folders of `places` in their order, then downloads into the
/// cache, then falls back on the embedded sample if there is one; the
/// [`DataSet`] says what it is and, for the sample, why it is not more.
/// Without network and without a copy on disk this takes at most
/// [`Network::unreachable`](crate::Network::unreachable) or so; MNIST from disk
/// takes about half a second.
///
/// # Errors
/// [`DataError::UnknownName`]; [`DataError::Incomplete`] for an explicit folder
/// without the files; [`DataError::WrongContent`] for a file that does not
/// verify, which is neither used nor replaced; where there is no sample, the
/// reason why nothing could be downloaded; [`DataError::Cancelled`].
pub fn load(name: &str, places: &Places, progress: &dyn Progress) -> Result<DataSet, DataError> {
    load_entry(registry::find(name)?, places, progress)
}

/// As [`load`]; a data set out of reach that has no sample of its own is replaced by the embedded
/// sample of another, if one is compiled in.
///
/// The [`DataSet`] then has that other name, and says why it is not the one asked for.
///
/// # Errors
/// It fails as [`load`] does, but never because nothing could be downloaded where there is a sample.
pub fn load_or_sample(
    name: &str,
    places: &Places,
    progress: &dyn Progress,
) -> Result<DataSet, DataError> {
    let reason = match load(name, places, progress) {
        Err(reason) if is_absence(&reason) => reason,
        other => return other,
    };
    match registry::ALL.iter().find_map(|entry| entry.embedded) {
        Some(sample) => stand_in(sample, reason),
        None => Err(reason),
    }
}

/// The sample, with the reason for it.
fn stand_in(
    sample: fn() -> Result<DataSet, DataError>,
    reason: DataError,
) -> Result<DataSet, DataError> {
    Ok(DataSet {
        why_not_full: Some(Arc::new(reason)),
        ..sample()?
    })
}

/// As [`load`], for an entry that need not be in the registry.
///
/// # Errors
/// It fails as [`load`] does.
pub fn load_entry(
    entry: &'static Entry,
    places: &Places,
    progress: &dyn Progress,
) -> Result<DataSet, DataError> {
    let reason = match fetch_entry(entry, places, progress) {
        Ok((place, found)) => return read(entry, place, &found),
        Err(reason) => reason,
    };
    match entry.embedded {
        Some(sample) if is_absence(&reason) => stand_in(sample, reason),
        _ => Err(reason),
    }
}

/// Finds the files of a data set, downloading what is missing into the cache.
///
/// # Errors
/// It fails as [`load`] does, and never gives a sample in place of a reason.
pub fn fetch(
    name: &str,
    places: &Places,
    progress: &dyn Progress,
) -> Result<(Place, Found), DataError> {
    fetch_entry(registry::find(name)?, places, progress)
}

fn fetch_entry(
    entry: &'static Entry,
    places: &Places,
    progress: &dyn Progress,
) -> Result<(Place, Found), DataError> {
    if let Some(located) = locate(entry, places)? {
        return Ok(located);
    }
    let cache = download_into(entry, places)?;
    let found = cache::fill(entry, cache, &places.network, progress)?;
    Ok((Place::Cache(cache.to_owned()), found))
}

/// Tells whether the full data are merely out of reach, so that a sample may stand in.
fn is_absence(reason: &DataError) -> bool {
    matches!(
        reason,
        DataError::Offline { .. }
            | DataError::NoDownload { .. }
            | DataError::NoCache { .. }
            | DataError::Download { .. }
            | DataError::Io { .. }
    )
}

fn read(entry: &'static Entry, place: Place, found: &Found) -> Result<DataSet, DataError> {
    let contents = verify::read_all(entry, found)?;
    Ok(DataSet {
        name: entry.name,
        source: Source::Full { place },
        why_not_full: None,
        sha256: sha256(&contents),
        classes: entry.classes,
        train: decode(entry, Part::Train, &contents)?,
        test: decode(entry, Part::Test, &contents)?,
    })
}

fn decode(entry: &Entry, part: Part, contents: &[Vec<u8>]) -> Result<Split, DataError> {
    let mut images: Vec<Array4<u8>> = Vec::new();
    let mut labels: Vec<Array1<u8>> = Vec::new();
    for (file, bytes) in entry
        .files
        .iter()
        .zip(contents)
        .filter(|(file, _)| file.part == part)
    {
        let idx_error = |source| DataError::Idx {
            file: file.name,
            source,
        };
        match file.content {
            Content::IdxImages => images.push(idx::images(bytes).map_err(idx_error)?),
            Content::IdxLabels => labels.push(idx::labels(bytes).map_err(idx_error)?),
            Content::CifarRecords => {
                let (batch, names) = cifar::parse(bytes).map_err(|source| DataError::Cifar {
                    file: file.name,
                    source,
                })?;
                images.push(batch);
                labels.push(names);
            }
        }
    }
    let inconsistent = |images: usize, labels: usize| DataError::Inconsistent {
        name: entry.name,
        images,
        labels,
        classes: entry.classes.len(),
    };
    let count = images.iter().map(|a| a.shape()[0]).sum();
    let images = join(images).ok_or_else(|| inconsistent(count, 0))?;
    let labels = join(labels).ok_or_else(|| inconsistent(count, 0))?;
    let named = labels
        .iter()
        .filter(|&&label| usize::from(label) < entry.classes.len())
        .count();
    if named != count || labels.len() != count {
        return Err(inconsistent(count, named));
    }
    Ok(Split {
        images,
        labels,
        rows: (0..count).collect(),
    })
}

/// The arrays one after the other along their first axis; one array is not copied.
fn join<D: ndarray::RemoveAxis>(
    mut arrays: Vec<ndarray::Array<u8, D>>,
) -> Option<ndarray::Array<u8, D>> {
    if arrays.len() == 1 {
        return arrays.pop();
    }
    let views: Vec<_> = arrays.iter().map(|a| a.view()).collect();
    concatenate(Axis(0), &views).ok()
}
