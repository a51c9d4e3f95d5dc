//! A data set by name: found, verified, decoded.

use std::sync::Arc;

use ndarray::{Array1, Array4, Axis, concatenate};

use crate::cache;
use crate::cifar;
use crate::dataset::{DataSet, Source};
use crate::error::DataError;
use crate::hash::sha256;
use crate::idx;
use crate::observer::Observer;
use crate::place::Place;
use crate::places::{Location, Places};
use crate::registry::{self, Content, Entry, Half};
use crate::split::Split;
use crate::verify;

/// Loads the data set called `name` from where the user keeps data sets: the same as
/// [`Places::user`]`().`[`load`](Places::load)`(name)`.
///
/// ```no_run
/// let mnist = ntk_data::load("mnist")?;
/// assert_eq!(mnist.train.len(), 60_000);
/// # Ok::<(), ntk_data::Error>(())
/// ```
///
/// # Errors
/// It fails as [`Places::load`] does.
pub fn load(name: &str) -> Result<DataSet, DataError> {
    Places::user().load(name)
}

impl Places {
    /// Sets who is told of the progress of downloads, and may stop them.
    ///
    /// ```
    /// use ntk_data::{Observer, Places};
    ///
    /// struct Lines;
    ///
    /// impl Observer for Lines {
    ///     fn begin(&self, step: &str, total: u64) {
    ///         eprintln!("{step}: {total} bytes");
    ///     }
    /// }
    ///
    /// let places = Places { offline: true, ..Places::default() };
    /// # #[cfg(feature = "embedded")]
    /// let fashion = places.observer(&Lines).load("fashion-mnist")?;
    /// # Ok::<(), ntk_data::Error>(())
    /// ```
    #[must_use]
    pub fn observer<'a>(&'a self, observer: &'a dyn Observer) -> Loader<'a> {
        Loader {
            places: self,
            observer,
        }
    }

    /// Loads the data set called `name`.
    ///
    /// It looks in the folders in their order, then downloads into the cache, then
    /// falls back on the embedded sample if there is one; the [`DataSet`] says
    /// where it came from and, for the sample, why it is not more. Without
    /// network and without a copy on disk this takes at most
    /// [`Network::unreachable`](crate::Network::unreachable) or so; MNIST from
    /// disk takes about half a second.
    ///
    /// # Errors
    /// [`DataError::UnknownName`]; [`DataError::Incomplete`] for an explicit folder
    /// without the files; [`DataError::WrongContent`] for a file that does not
    /// verify, which is neither used nor replaced; where there is no sample, the
    /// reason why nothing could be downloaded.
    pub fn load(&self, name: &str) -> Result<DataSet, DataError> {
        self.observer(&()).load(name)
    }

    /// Loads the data set called `name`, or where it is out of reach and has no sample of its own
    /// the embedded sample of another, if one is compiled in.
    ///
    /// The [`DataSet`] then has that other name, and says why it is not the one asked for.
    ///
    /// # Errors
    /// It fails as [`Places::load`] does, but never because nothing could be downloaded where
    /// there is a sample.
    pub fn load_or_sample(&self, name: &str) -> Result<DataSet, DataError> {
        self.observer(&()).load_or_sample(name)
    }

    /// Loads as [`Places::load`] does an entry that need not be in the registry.
    ///
    /// # Errors
    /// It fails as [`Places::load`] does.
    pub fn load_entry(&self, entry: &'static Entry) -> Result<DataSet, DataError> {
        self.observer(&()).load_entry(entry)
    }

    /// Finds the files of a data set, and downloads what is missing into the cache.
    ///
    /// # Errors
    /// It fails as [`Places::load`] does, and never gives a sample in place of a reason.
    pub fn fetch(&self, name: &str) -> Result<(Place, Location), DataError> {
        self.observer(&()).fetch(name)
    }
}

/// A `Loader` loads data sets from [`Places`] while an [`Observer`] watches; [`Places::observer`]
/// makes one.
#[derive(Clone, Copy)]
pub struct Loader<'a> {
    places: &'a Places,
    observer: &'a dyn Observer,
}

impl Loader<'_> {
    /// Loads the data set called `name`: see [`Places::load`].
    ///
    /// # Errors
    /// It fails as [`Places::load`] does, and with [`DataError::Cancelled`].
    pub fn load(self, name: &str) -> Result<DataSet, DataError> {
        self.load_entry(registry::find(name)?)
    }

    /// Loads the data set called `name`, or a sample of another: see [`Places::load_or_sample`].
    ///
    /// # Errors
    /// It fails as [`Places::load_or_sample`] does, and with [`DataError::Cancelled`].
    pub fn load_or_sample(self, name: &str) -> Result<DataSet, DataError> {
        let reason = match self.load(name) {
            Err(reason) if is_absence(&reason) => reason,
            other => return other,
        };
        match registry::ALL.iter().find_map(|entry| entry.embedded) {
            Some(sample) => stand_in(sample, reason),
            None => Err(reason),
        }
    }

    /// Loads an entry that need not be in the registry: see [`Places::load_entry`].
    ///
    /// # Errors
    /// It fails as [`Places::load_entry`] does, and with [`DataError::Cancelled`].
    pub fn load_entry(self, entry: &'static Entry) -> Result<DataSet, DataError> {
        let reason = match self.fetch_entry(entry) {
            Ok((place, location)) => return read(entry, place, &location),
            Err(reason) => reason,
        };
        match entry.embedded {
            Some(sample) if is_absence(&reason) => stand_in(sample, reason),
            _ => Err(reason),
        }
    }

    /// Finds the files of a data set, and downloads what is missing: see [`Places::fetch`].
    ///
    /// # Errors
    /// It fails as [`Places::fetch`] does, and with [`DataError::Cancelled`].
    pub fn fetch(self, name: &str) -> Result<(Place, Location), DataError> {
        self.fetch_entry(registry::find(name)?)
    }

    fn fetch_entry(self, entry: &'static Entry) -> Result<(Place, Location), DataError> {
        if let Some(located) = self.places.locate(entry)? {
            return Ok(located);
        }
        let cache = self.places.download_into(entry)?;
        let location = cache::fill(entry, cache, &self.places.network, self.observer)?;
        Ok((Place::Cache(cache.to_owned()), location))
    }
}

/// Returns the sample, with the reason for it.
fn stand_in(
    sample: fn() -> Result<DataSet, DataError>,
    reason: DataError,
) -> Result<DataSet, DataError> {
    Ok(DataSet {
        why_not_full: Some(Arc::new(reason)),
        ..sample()?
    })
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

fn read(entry: &'static Entry, place: Place, location: &Location) -> Result<DataSet, DataError> {
    let contents = verify::read_all(entry, location)?;
    Ok(DataSet {
        name: entry.name,
        source: Source::Full { place },
        why_not_full: None,
        sha256: sha256(&contents),
        classes: entry.classes,
        train: decode(entry, Half::Train, &contents)?,
        test: decode(entry, Half::Test, &contents)?,
    })
}

fn decode(entry: &Entry, half: Half, contents: &[Vec<u8>]) -> Result<Split, DataError> {
    let mut images: Vec<Array4<u8>> = Vec::new();
    let mut labels: Vec<Array1<u8>> = Vec::new();
    for (file, bytes) in entry
        .files
        .iter()
        .zip(contents)
        .filter(|(file, _)| file.half == half)
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

/// Joins the arrays along their first axis; one array is not copied.
fn join<D: ndarray::RemoveAxis>(
    mut arrays: Vec<ndarray::Array<u8, D>>,
) -> Option<ndarray::Array<u8, D>> {
    if arrays.len() == 1 {
        return arrays.pop();
    }
    let views: Vec<_> = arrays.iter().map(|a| a.view()).collect();
    concatenate(Axis(0), &views).ok()
}
