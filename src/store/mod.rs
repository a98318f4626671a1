//! The store: the two logs and the views over them, as one thing that a [`Grant`](crate::auth::Grant) opens.
//!
//! In: requests for reading and writing, each with the grant of its caller. Out: resources as
//! their stored bytes, charts, events; or the one [`StoreError`] that says why not. Reading takes
//! one [`View`](crate::view::View) and then bodies from the log, and notes in the grant which
//! charts it showed. Writing decides against a view, hands a command to the committer, and decides
//! again if the state has moved on meanwhile.
//!
//! **Invariant:** no function that returns clinical data works without a grant, and each asks the
//! grant first. Never: HTTP, tokens, the rendering of errors.

mod accesses;
mod answer;
mod chart;
mod commit;
mod copying;
mod decode;
mod definitions;
mod directory;
mod erase;
mod error;
mod everything;
mod fingerprint;
mod health;
mod history;
mod hold;
mod keys;
mod proofs;
mod rebuild;
mod replay;
mod resource;
mod search;
mod stats;
mod trail;
mod verify;
mod write;

pub use accesses::{Access, AccessFilter};
pub use chart::{At, Chart, ChartEvent, Difference, EventFilter};
pub use copying::LogCopy;
pub use directory::{DataDirectory, DirectoryError, FORMAT, read_local_issuer_secret, read_origin};
pub use erase::{Done as ErasureDone, ERASURE, Erased, ErasureRequest, PurgeWindow};
pub use error::StoreError;
pub use everything::{EverythingPage, EverythingRequest};
pub use fingerprint::fingerprint;
pub use history::{HistoryOf, HistoryPage, HistoryPlace, HistoryRequest, Version};
pub use hold::{HOLD, Hold};
pub use proofs::{Evidence, ProofOptions};
pub use rebuild::Rebuilt;
pub use resource::{PAGE_BYTES_MAX, Resource};
pub use search::{Page, PageStart, SearchRequest};
pub use stats::{Bytes, LastCheckpoint, LogPayloads, Payloads, Sample, Stats, stats};
pub use trail::{Entry, Outcome};
pub use verify::{Finding, MasterKeyFrom, Verdict, VerifyOptions, log_bytes, verify};
pub use write::{
    Action, Change, Done, Effect, INLINE_BYTES_MAX, IdempotencyKey, Target, Write, Written,
};

use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use self::health::Health;

use crate::clock::Instant;
use crate::disk::Disk;
use crate::log::committer::{Committer, Limits};
use crate::log::{self, LogKind, Reader};
use crate::seal::CursorKey;
use crate::vault::{MasterKey, MasterKeySource, Vault};
use crate::view::{self, Views};
use erase::{Certificates, Purger};
use keys::Keys;
use proofs::{Checkpoints, Proofs};

/// Sizes and names of a store.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the logs are written; the views lie on the machine's own file system.
    pub disk: Arc<dyn Disk>,
    /// Where the master key comes from.
    pub master_key: MasterKeySource,
    /// Looks up a variable of the environment, where a master key may be.
    pub variable: fn(&str) -> Option<String>,
    /// False: leaves all payloads readable on disk, only to measure what sealing costs.
    pub seals: bool,
    /// False: keeps neither tiles nor checkpoints, only to measure what they cost.
    pub proves: bool,
    /// How the proofs are kept.
    pub proof: ProofOptions,
    /// When the traces of erased charts are purged from the views.
    pub purge: PurgeWindow,
    /// Bytes after which a new segment begins.
    pub segment_bytes_max: u64,
    /// Commands that may wait for a log.
    pub queue_commands_max: usize,
    /// Payload bytes after which a group takes no further command.
    pub group_bytes_max: usize,
    /// Sizes of the views.
    pub views: view::Options,
    /// Base URL of the FHIR face: absolute references under it are local.
    pub base_url: Option<String>,
    /// Refuse a write whose references to resources of this server lead nowhere.
    pub refuses_unresolved: bool,
}

/// The open store, or its state at one moment. Dropping the last handle writes what waits and
/// closes it.
#[derive(Debug)]
pub struct Store {
    views: Views,
    shared: Arc<Shared>,
}

/// What all handles to a store share.
#[derive(Debug)]
pub struct Shared {
    // Dropped in this order: the committers write what waits before the lock goes.
    events: Committer<commit::Command>,
    access: Committer<trail::Command>,
    // The last checkpoints are signed when the logs have taken everything.
    checkpoints: Option<Checkpoints>,
    proofs: Option<Proofs>,
    views: Views,
    keys: Keys,
    cursors: CursorKey,
    events_reader: Reader,
    access_reader: Reader,
    base_url: Option<String>,
    refuses_unresolved: bool,
    health: Arc<Health>,
    certificates: Certificates,
    purger: Purger,
    /// Held by the one rebuild of the views, or the one erasure, that runs.
    rebuilding: Mutex<()>,
    directory: DataDirectory,
}

impl Store {
    /// Opens the store in a locked data directory: recovers both logs and brings the views up to
    /// date, rebuilding them if they do not open.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: damage in a log, or the disk's.
    pub fn open(directory: DataDirectory, options: &Options) -> Result<Arc<Self>, StoreError> {
        let vault = Arc::new(open_vault(&directory, options)?);
        let places = proofs::places(&directory, &vault, options)?;
        let origin = directory.origin(&*options.disk, options.proof.origin.as_deref())?;
        let disk = Arc::clone(&options.disk);
        let certificates = Certificates::open(disk, &directory.certificates(), &origin, &vault)?;
        let views = Views::open(&directory.views(), options.views)?;
        // What the views have applied was acknowledged, and so was what was signed: the logs must
        // hold at least that.
        let applied = views.view();
        let (signed_events, signed_access) = proofs::signed(places.as_ref())?;
        let open = |name: &str, kind, acknowledged| {
            let (disk, path) = (Arc::clone(&options.disk), directory.log(name));
            let log = log::open(disk, &path, kind, options.segment_bytes_max, acknowledged)?;
            if log.dropped_bytes > 0 {
                let bytes = log.dropped_bytes;
                tracing::warn!(log = name, bytes, "an unfinished last group was dropped");
            }
            Ok::<_, StoreError>(log)
        };
        let events = open("events", LogKind::Events, applied.applied_events()?.max(signed_events))?;
        let access = open("access", LogKind::Access, applied.applied_access()?.max(signed_access))?;
        drop(applied);
        let keys = Keys::new(vault, views.clone(), events.reader.clone())?;
        let serving = views.serving();
        replay::replay_events(&serving, &keys, events.writer.next_position(), &|_| {})?;
        replay::replay_access(&serving, &keys, &access.reader, access.writer.next_position())?;
        drop(serving);
        let sinks = &options.proof.sinks;
        let proofs =
            places.map(|places| Proofs::open(places, &events, &access, sinks)).transpose()?;
        let base_url = options.base_url.clone();
        let health = Arc::new(Health::default());
        health.applied_events.store(events.writer.next_position(), Ordering::Release);
        let limits = Limits {
            queue_commands_max: options.queue_commands_max,
            group_bytes_max: options.group_bytes_max,
        };
        let now = || Instant::now().micros();
        let book = commit::EventBook::new(views.clone(), keys.clone(), Arc::clone(&health));
        let proof = proofs.as_ref().map(|proofs| Arc::clone(&proofs.events));
        let opened = keys.clone();
        let replay: answer::Replay = Box::new(move |generation, end| {
            replay::replay_events(generation, &opened, end, &|_| {})
        });
        let apply = answer::EventApply::new(views.clone(), replay, Arc::clone(&health), proof);
        let (events_reader, access_reader) = (events.reader, access.reader);
        let events = Committer::start("events", limits, now, events.writer, book, apply)?;
        let proof = proofs.as_ref().map(|proofs| Arc::clone(&proofs.access));
        let apply = trail::AccessApply::new(views.clone(), Arc::clone(&health), proof);
        let book = trail::AccessBook;
        let access = Committer::start("access", limits, now, access.writer, book, apply)?;
        let interval = options.proof.checkpoint_interval;
        let start = |proofs: &Proofs| Checkpoints::start(proofs, interval, Arc::clone(&health));
        let checkpoints = proofs.as_ref().map(start).transpose()?;
        let (purger, woken) = Purger::new();
        let shared = Arc::new(Shared {
            events,
            access,
            checkpoints,
            proofs,
            views: views.clone(),
            cursors: keys.directory().cursor_key()?,
            keys,
            events_reader,
            access_reader,
            base_url,
            refuses_unresolved: options.refuses_unresolved,
            health,
            certificates,
            purger,
            rebuilding: Mutex::default(),
            directory,
        });
        let store = Arc::new(Self { views, shared });
        store.resume_erasure()?;
        store.complete_certificates()?;
        erase::start(&store, options.purge, woken)?;
        Ok(store)
    }

    /// The store for reading, as it is at this moment and stays however others write: for a request
    /// that reads several times and must see one state. Writing through it finds no end.
    #[must_use]
    pub fn at_this_moment(&self) -> Arc<Self> {
        let shared = Arc::clone(&self.shared);
        Arc::new(Self { views: self.views.at_this_moment(), shared })
    }

    /// Signs the last checkpoints. What is written later is signed at the next start; so this is for
    /// when requests are not served any more.
    pub fn close(&self) {
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.finish();
        }
    }

    /// False after a disk error: reads go on, writes and everything that needs an access entry do
    /// not, until restart.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        !self.health.has_failed()
    }

    /// Why it is not writable, in words that name no file and no resource.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.health.failure()
    }

    /// Number of events in the log that are visible.
    #[must_use]
    pub fn applied_position(&self) -> u64 {
        self.health.applied_events.load(Ordering::Acquire)
    }

    /// The directory the store lives in.
    #[must_use]
    pub fn directory(&self) -> &DataDirectory {
        &self.directory
    }

    /// The key of the cursors that are given out between two pages.
    #[must_use]
    pub fn cursors(&self) -> &CursorKey {
        &self.cursors
    }

    /// Base URL of the FHIR face, if one is known.
    #[must_use]
    pub fn base_url(&self) -> Option<&str> {
        self.base_url.as_deref()
    }
}

/// Opens the vault; a data directory without a log gets a new one.
fn open_vault(directory: &DataDirectory, options: &Options) -> Result<Vault, StoreError> {
    let disk = &options.disk;
    let has_log = |name| log::exists(&**disk, &directory.log(name));
    let is_new = !has_log("events") && !has_log("access");
    let (master, is_made) =
        MasterKey::load(&**disk, &options.master_key, options.variable, is_new)?;
    if is_made && let MasterKeySource::File(path) = &options.master_key {
        tracing::warn!(
            path = %path.display(),
            "a master key was made: without it nothing in this data directory can ever be read. \
             Keep a copy away from this machine and its backups; to move it, put it where \
             vault.master_key then says (file:PATH, env:NAME or command:COMMAND)"
        );
    }
    let (disk, path) = (Arc::clone(disk), directory.vault());
    Ok(Vault::open(disk, &path, master, is_new, options.seals)?)
}

impl Deref for Store {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Err(error) = self.views.persist() {
            tracing::warn!(%error, "the views were not written to disk; the next start replays more");
        }
    }
}
