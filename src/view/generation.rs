//! Generations: a whole set of views in a directory of its own, under a number.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};

use fjall::{Database, Keyspace, PersistMode};

use super::keyspaces::Spaces;
use super::terms::TermLedger;
use super::{Options, View, ViewError};

/// One generation of the views, open. A [`View`] keeps its generation until it is dropped.
pub struct Generation {
    // Dropped in this order: the files can only go when nothing has them open.
    pub(super) spaces: Spaces,
    pub(super) database: Database,
    files: Files,
    pub(super) terms: Mutex<TermLedger>,
    pub(super) snapshot_events_min: u64,
    pub(super) number: u64,
}

/// The directory of a generation.
struct Files {
    directory: PathBuf,
    /// Set when the directory goes with the last handle; dropped when it is gone.
    obsolete: OnceLock<SyncSender<()>>,
}

impl std::fmt::Debug for Generation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Generation({})", self.number)
    }
}

impl Generation {
    /// Opens a generation, or creates it, empty.
    pub(super) fn open(
        directory: PathBuf,
        number: u64,
        options: Options,
    ) -> Result<Self, ViewError> {
        let (database, spaces) = Spaces::open(&directory, options.cache_bytes)?;
        Ok(Self {
            spaces,
            database,
            files: Files { directory, obsolete: OnceLock::new() },
            terms: Mutex::default(),
            snapshot_events_min: options.snapshot_events_min.max(1),
            number,
        })
    }

    /// One consistent state of all views of the generation.
    #[must_use]
    pub fn view(self: &Arc<Self>) -> View {
        View { snapshot: self.database.snapshot(), generation: Arc::clone(self) }
    }

    /// Writes what is buffered to disk: makes the next start replay less, nothing more.
    pub(super) fn persist(&self) -> Result<(), ViewError> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }

    /// Brings every keyspace into its smallest and quickest form.
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

    /// Lets the directory go with the last handle. The channel closes when it is gone.
    pub(super) fn make_obsolete(&self) -> Receiver<()> {
        let (until_gone, gone) = sync_channel(0);
        self.files.obsolete.get_or_init(|| until_gone);
        gone
    }
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
