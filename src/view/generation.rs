//! Generations: a whole set of views in a directory of its own, under a number.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};

use arc_swap::ArcSwap;
use fjall::{Database, Keyspace, PersistMode, Readable};

use super::keyspaces::Spaces;
use super::records::{ErasedChart, decode, encode};
use super::terms::TermLedger;
use super::{FORMAT, ViewError, keys};
use crate::chart::Upcasters;
use crate::fhir::search::{Definition, Parameters};
use crate::log::StreamAlias;
use crate::vault::Wrap;

/// Sizes of the view store.
#[derive(Debug, Clone, Copy)]
pub struct ViewOptions {
    /// Bytes of memory for blocks read from disk.
    pub cache_bytes: u64,
    /// Events between two snapshots of a small chart.
    pub snapshot_events_min: u64,
}

/// What a generation follows from, beside the logs.
#[derive(Debug, Clone, Default)]
pub struct Basis {
    /// The custom search parameters that resources are indexed by.
    pub definitions: Vec<Definition>,
    /// What old events are told by.
    pub upcasters: Arc<Upcasters>,
}

/// One generation of the views, open. A [`View`](super::View) keeps its generation until it is dropped.
pub struct Generation {
    // Dropped in this order: files can only be removed when nothing has them open.
    pub(super) spaces: Spaces,
    pub(super) database: Database,
    files: Files,
    pub(super) terms: Mutex<TermLedger>,
    pub(super) snapshot_events_min: u64,
    pub(super) number: u64,
    /// What resources are indexed by.
    definitions: Vec<Definition>,
    pub(super) parameters: Parameters,
    /// What old events are told by.
    upcasters: Arc<Upcasters>,
    /// Whether upcasters made parts of events: otherwise slots are positions, and steps are chart versions.
    pub(super) has_parts: AtomicBool,
    /// Charts that were erased since this generation was built, and of which it still has traces.
    hidden: ArcSwap<HashSet<StreamAlias>>,
}

/// The directory of a generation.
struct Files {
    directory: PathBuf,
    /// Set when the directory is to be removed with the last handle; dropped once it is removed.
    obsolete: OnceLock<SyncSender<()>>,
}

impl std::fmt::Debug for Generation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Generation({})", self.number)
    }
}

impl Generation {
    /// Opens a generation, or creates it, empty. A new one is given what it follows from.
    pub(super) fn open(
        directory: PathBuf,
        number: u64,
        options: ViewOptions,
        basis: &Basis,
    ) -> Result<Self, ViewError> {
        let (database, spaces) = Spaces::open(&directory, options.cache_bytes)?;
        check_format(&spaces, &database)?;
        let definitions = match spaces.state.get("definitions")? {
            Some(bytes) => decode("state", &bytes)?,
            None => {
                spaces.state.insert("definitions", encode(&basis.definitions)?)?;
                basis.definitions.clone()
            }
        };
        let upcasters = match spaces.state.get("upcasters")? {
            Some(bytes) => {
                let files = decode("state", &bytes)?;
                Arc::new(Upcasters::read(files).map_err(|_| ViewError::Record("upcasters"))?)
            }
            None => {
                spaces.state.insert("upcasters", encode(&basis.upcasters.files())?)?;
                Arc::clone(&basis.upcasters)
            }
        };
        let has_parts = database.snapshot().first_key_value(&spaces.parts).is_some();
        let hidden = hidden(&spaces, &database)?;
        Ok(Self {
            spaces,
            database,
            files: Files { directory, obsolete: OnceLock::new() },
            terms: Mutex::default(),
            snapshot_events_min: options.snapshot_events_min.max(1),
            number,
            parameters: Parameters::defined_by(&definitions),
            definitions,
            upcasters,
            has_parts: AtomicBool::new(has_parts),
            hidden: ArcSwap::from_pointee(hidden),
        })
    }

    /// The number of the generation.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The custom search parameters that resources are indexed by.
    #[must_use]
    pub fn definitions(&self) -> &[Definition] {
        &self.definitions
    }

    /// All search parameters that resources are indexed by.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// What old events are told by here.
    #[must_use]
    pub fn upcasters(&self) -> &Upcasters {
        &self.upcasters
    }

    /// What this generation follows from, beside the logs.
    #[must_use]
    pub fn basis(&self) -> Basis {
        let upcasters = Arc::clone(&self.upcasters);
        Basis { definitions: self.definitions.clone(), upcasters }
    }

    /// Whether a chart is erased, but still has traces here.
    pub(super) fn is_hidden(&self, alias: StreamAlias) -> bool {
        let hidden = self.hidden.load();
        !hidden.is_empty() && hidden.contains(&alias)
    }

    pub(super) fn hide(&self, alias: StreamAlias) {
        let mut hidden = HashSet::clone(&self.hidden.load());
        hidden.insert(alias);
        self.hidden.store(Arc::new(hidden));
    }

    /// Charts that are erased, but still have traces here.
    #[must_use]
    pub fn hidden(&self) -> Vec<StreamAlias> {
        self.hidden.load().iter().copied().collect()
    }

    /// Writes down data keys that were wrapped again when an epoch began.
    ///
    /// # Errors
    ///
    /// [`ViewError::Store`].
    pub fn rewrap(&self, wraps: &[(StreamAlias, Wrap)], epoch: u32) -> Result<(), ViewError> {
        let mut batch = self.database.batch();
        batch.insert(&self.spaces.state, "epoch", encode(&epoch)?);
        for (alias, wrap) in wraps.iter().filter(|(alias, _)| alias.is_of_chart()) {
            batch.insert(&self.spaces.keys, alias.0.to_be_bytes(), wrap.bytes().as_slice());
        }
        Ok(batch.commit()?)
    }

    /// Writes what is buffered to disk: makes the next start replay less, nothing more.
    pub(super) fn persist(&self) -> Result<(), ViewError> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }

    /// Compacts every keyspace.
    pub(super) fn compact(&self) -> Result<(), ViewError> {
        let compact = |space: &Keyspace| {
            space.rotate_memtable_and_wait()?;
            space.major_compact()
        };
        // Most of it is waiting for the disk.
        std::thread::scope(|scope| {
            let tasks = self.spaces.all().map(|space| scope.spawn(move || compact(space)));
            tasks.into_iter().try_for_each(|task| match task.join() {
                Ok(outcome) => Ok(outcome?),
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })
    }

    /// Removes the directory with the last handle. The channel closes once it is removed.
    pub(super) fn make_obsolete(&self) -> Receiver<()> {
        let (until_gone, gone) = sync_channel(0);
        self.files.obsolete.get_or_init(|| until_gone);
        gone
    }
}

/// Refuses views of another schema version, and marks new ones.
fn check_format(spaces: &Spaces, database: &Database) -> Result<(), ViewError> {
    let state = database.snapshot();
    let found = state.get(&spaces.state, "format")?;
    let found: Option<u32> = found.map(|bytes| decode("state", &bytes)).transpose()?;
    match found {
        Some(FORMAT) => Ok(()),
        None if state.first_key_value(&spaces.state).is_none() => {
            Ok(spaces.state.insert("format", encode(&FORMAT)?)?)
        }
        found => Err(ViewError::Format { found: found.unwrap_or_default() }),
    }
}

fn hidden(spaces: &Spaces, database: &Database) -> Result<HashSet<StreamAlias>, ViewError> {
    let mut hidden = HashSet::new();
    for entry in database.snapshot().iter(&spaces.erased) {
        let (key, value) = entry.into_inner()?;
        if decode::<ErasedChart>("erased", &value)?.traces {
            hidden.insert(StreamAlias(keys::last_number(&key)));
        }
    }
    Ok(hidden)
}

impl Drop for Files {
    fn drop(&mut self) {
        if self.obsolete.get().is_some()
            && let Err(error) = std::fs::remove_dir_all(&self.directory)
        {
            // The next start removes it.
            tracing::warn!(%error, "an old generation of the views stays on disk");
        }
    }
}

#[cfg(test)]
impl Generation {
    /// Makes the record of a chart one that does not read back.
    pub fn garble_chart(&self, patient: &crate::fhir::ResourceId) {
        self.spaces.charts.insert(keys::patient(patient), [0xff; 3]).unwrap();
    }
}
