//! Opening the LSM store, and the two positions up to which it has applied the logs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{View, ViewError};

/// The generation of views that is served; a new one is built beside it under the next number.
const GENERATION: &str = "1";
/// Bounds reopening: fjall replays its journals at start.
const JOURNAL_BYTES_MAX: u64 = 64 << 20;

/// Sizes of the view store.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Bytes of memory for blocks read from disk.
    pub cache_bytes: u64,
    /// Events between two snapshots of a small chart.
    pub snapshot_events_min: u64,
}

/// The views, open.
#[derive(Clone)]
pub struct Views {
    pub(super) database: Database,
    pub(super) spaces: Arc<Spaces>,
    pub(super) snapshot_events_min: u64,
}

/// One handle per keyspace; see the table in the module's page.
pub(super) struct Spaces {
    pub state: Keyspace,
    pub charts: Keyspace,
    pub aliases: Keyspace,
    pub keys: Keyspace,
    pub resources: Keyspace,
    pub numbers: Keyspace,
    pub history: Keyspace,
    pub streams: Keyspace,
    pub snapshots: Keyspace,
    pub terms: Keyspace,
    pub idempotency: Keyspace,
    pub access_groups: Keyspace,
    pub access_charts: Keyspace,
}

impl std::fmt::Debug for Views {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Views")
    }
}

impl Views {
    /// Opens the views under a directory, or creates them there, empty.
    ///
    /// # Errors
    ///
    /// [`ViewError::Store`] when they do not open; [`Views::discard`] and a replay then bring
    /// them back.
    pub fn open(directory: &Path, options: Options) -> Result<Self, ViewError> {
        let database = Database::builder(generation(directory))
            .cache_size(options.cache_bytes)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .open()?;
        let space = |name| database.keyspace(name, KeyspaceCreateOptions::default);
        let spaces = Spaces {
            state: space("state")?,
            charts: space("charts")?,
            aliases: space("aliases")?,
            keys: space("keys")?,
            resources: space("resources")?,
            numbers: space("numbers")?,
            history: space("history")?,
            streams: space("streams")?,
            snapshots: space("snapshots")?,
            terms: space("terms")?,
            idempotency: space("idempotency")?,
            access_groups: space("access_groups")?,
            access_charts: space("access_charts")?,
        };
        let snapshot_events_min = options.snapshot_events_min.max(1);
        Ok(Self { database, spaces: Arc::new(spaces), snapshot_events_min })
    }

    /// Deletes the views; nothing is lost that the logs do not hold.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn discard(directory: &Path) -> std::io::Result<()> {
        match std::fs::remove_dir_all(generation(directory)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// One consistent state of all views.
    #[must_use]
    pub fn view(&self) -> View {
        View::new(self)
    }

    /// Writes what is buffered to disk: makes the next start replay less, nothing more.
    ///
    /// # Errors
    ///
    /// [`ViewError::Store`].
    pub fn persist(&self) -> Result<(), ViewError> {
        Ok(self.database.persist(PersistMode::SyncData)?)
    }
}

fn generation(directory: &Path) -> PathBuf {
    directory.join(GENERATION)
}
