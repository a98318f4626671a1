//! The engine: the two logs and the views over them, below every grant.
//!
//! In: commands, each with the events of one commit and what must still hold ([`Command`]); access
//! entries. Out: their places in the log once they are durable and visible; states of the views; keys
//! that open what the log contains; the health of all this. The engine orders (checks expectations,
//! numbers, appends), projects the groups of the log to the views, replays and rebuilds views, and
//! signs checkpoints.
//!
//! | file | what it does |
//! |---|---|
//! | `event_log` | the seam: [`EventLog`], and the one that orders in this process |
//! | `committer` | two threads and a bounded queue for each log |
//! | `command`, `watch`, `recent`, `sequencer` | what a command expects; which recent changes could matter; the check |
//! | `projector`, `access` | groups to views, for events and for access entries |
//! | `sources`, `access_frames` | which sources of access entries are written once and then quoted; opening what quotes |
//! | `decode`, `replay`, `rebuild`, `renewal` | bytes of the log to facts; to views; to a new generation; when one is due |
//! | `keys`, `epoch`, `certificates` | keys of charts; a new epoch after an erasure; signed statements about it |
//! | `proofs`, `disposal` | tiles, checkpoints; what is left of segments that were disposed of |
//! | `health`, `directory` | readiness and its reasons; the data directory |
//!
//! **Invariant:** a group that was just committed and a group that is replayed lead to the same views.
//! Never: grants, search, what a resource says, HTTP.

mod access;
mod access_frames;
mod certificates;
mod command;
pub mod committer;
mod decode;
mod directory;
mod disposal;
mod epoch;
mod error;
mod event_log;
mod health;
mod keys;
mod projector;
pub mod proofs;
mod rebuild;
mod recent;
mod renewal;
mod replay;
mod sequencer;
mod sources;
mod watch;
mod written;

pub use access_frames::AccessFrames;
pub use command::{Command, CommitError, Committed, Expectation, Prepared};
pub use directory::{
    DataDirectory, DirectoryError, FORMAT, check_format_of, is_readable, read_local_issuer_secret,
    read_origin,
};
pub use disposal::{AccessDisposal, AccessSegment};
pub use epoch::Alone;
pub use error::EngineError;
pub use event_log::{EventLog, Groups, LocalLog, Pending, Settled, Settling};
pub use health::Health;
pub use keys::{Keys, envelope_of, told};
pub use proofs::ProofOptions;
pub use rebuild::{Rebuilt, ViewsCompared};
pub use renewal::PurgeWindow;
pub use watch::{RecentChange, Watch};

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;
use tokio::sync::watch::Receiver;
use zeroize::Zeroizing;

use crate::access::{AccessEntry, RequestId};
use crate::chart::Upcasters;
use crate::clock::{Clock, Instant};
use crate::disk::Disk;
use crate::fhir::search::Definition;
use crate::log::{self, LogKind, Reader};
use crate::numbers::Position;
use crate::seal::CursorKey;
use crate::vault::{MasterKey, MasterKeySource, Vault};
use crate::view::{View, ViewOptions, Views};
use access::AccessCommand;
use certificates::Certificates;
use committer::{Committer, CommitterLimits};
use proofs::{Checkpoints, Proofs};
use recent::{Watchers, Watching};
use renewal::Renewer;

/// Sizes and names of an engine.
#[derive(Debug, Clone)]
pub struct EngineOptions {
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
    pub views: ViewOptions,
    /// What old events are told by. Views that were built with others are built anew, while these are served.
    pub upcasters: Arc<Upcasters>,
    /// What the logs are stamped by.
    pub clock: Clock,
}

/// Finds the search parameters that clients have defined: the layer above knows how.
pub type DefinedParameters = fn(&Keys, &View) -> Result<Vec<Definition>, EngineError>;

/// An open data directory. Dropping the last handle writes what waits and closes it.
#[derive(Debug)]
pub struct Engine {
    // Dropped in this order: the committers write what waits before the lock goes.
    events: Box<dyn EventLog>,
    access: Committer<AccessCommand>,
    // The last checkpoints are signed when the logs have taken everything.
    checkpoints: Option<Checkpoints>,
    proofs: Option<Proofs>,
    views: Views,
    keys: Keys,
    cursors: CursorKey,
    access_frames: AccessFrames,
    health: Arc<Health>,
    watchers: Arc<Watchers>,
    certificates: Certificates,
    renewer: Renewer,
    defined: DefinedParameters,
    upcasters: Arc<Upcasters>,
    clock: Clock,
    /// Random number of this run, and requests so far: the ids of requests.
    requests: (u64, AtomicU64),
    /// Held by the one rebuild of the views, or the one erasure, that runs.
    alone: Mutex<()>,
    directory: DataDirectory,
    disk: Arc<dyn Disk>,
}

impl Engine {
    /// Opens a locked data directory: recovers both logs and brings the views up to date,
    /// rebuilding them if they do not open.
    ///
    /// # Errors
    ///
    /// [`EngineError`]: damage in a log, or the disk's.
    pub fn open(
        directory: DataDirectory,
        options: &EngineOptions,
        defined: DefinedParameters,
    ) -> Result<Arc<Self>, EngineError> {
        let vault = Arc::new(open_vault(&directory, options)?);
        let places = proofs::places(&directory, &vault, options)?;
        let origin = directory.origin(&*options.disk, options.proof.origin.as_deref())?;
        let disk = Arc::clone(&options.disk);
        let certificates = Certificates::open(disk, &directory.certificates(), &origin, &vault)?;
        let views = Views::open(&directory.views(), options.views, &options.upcasters)?;
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
            Ok::<_, EngineError>(log)
        };
        let events =
            open("events", LogKind::Events, applied.applied_events()?.get().max(signed_events))?;
        let access =
            open("access", LogKind::Access, applied.applied_access()?.get().max(signed_access))?;
        drop(applied);
        let keys = Keys::new(vault, views.clone(), events.reader.clone())?;
        let serving = views.serving();
        replay::replay_events(&serving, &keys, events.writer.next_position(), &|_| {})?;
        let access_frames = AccessFrames::new(
            Arc::clone(keys.access()),
            access.reader.clone(),
            Some(views.clone()),
        );
        replay::replay_access(&serving, &access_frames, access.writer.next_position())?;
        drop(serving);
        let sinks = &options.proof.sinks;
        let proofs =
            places.map(|places| Proofs::open(places, &events, &access, sinks)).transpose()?;
        let health = Arc::new(Health::default());
        health.applied(events.writer.next_position());
        let limits = CommitterLimits {
            queue_commands_max: options.queue_commands_max,
            group_bytes_max: options.group_bytes_max,
        };
        let watchers = Arc::new(Watchers::default());
        let sequencer = sequencer::EventSequencer::new(
            views.clone(),
            keys.clone(),
            Arc::clone(&health),
            Arc::clone(&watchers),
        );
        let proof = proofs.as_ref().map(|proofs| Arc::clone(&proofs.events));
        let opened = keys.clone();
        let replay: projector::Replay = Box::new(move |generation, end| {
            replay::replay_events(generation, &opened, end, &|_| {})
        });
        let projector =
            projector::EventProjector::new(views.clone(), replay, Arc::clone(&health), proof);
        let events = LocalLog::start(
            limits,
            options.clock.clone(),
            events.writer,
            events.reader,
            sequencer,
            projector,
            &health,
        )?;
        let proof = proofs.as_ref().map(|proofs| Arc::clone(&proofs.access));
        let projector = access::AccessProjector::new(views.clone(), Arc::clone(&health), proof);
        let clock = options.clock.clone();
        let now = move || clock.now().micros();
        let access = Committer::start(
            "access",
            limits,
            now,
            access.writer,
            access::AccessSequencer::new(keys.clone(), Arc::clone(&health)),
            projector,
            &health,
        )?;
        let interval = options.proof.checkpoint_interval;
        let start = |proofs: &Proofs| Checkpoints::start(proofs, interval, Arc::clone(&health));
        let checkpoints = proofs.as_ref().map(start).transpose()?;
        let (renewer, woken) = Renewer::new();
        // The random bits of a UUID of version 4, of its two halves together.
        let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
        let engine = Arc::new(Self {
            events: Box::new(events),
            access,
            checkpoints,
            proofs,
            views,
            cursors: keys.directory().cursor_key()?,
            keys,
            access_frames,
            health,
            watchers,
            certificates,
            renewer,
            defined,
            upcasters: Arc::clone(&options.upcasters),
            clock: options.clock.clone(),
            requests: (high ^ low, AtomicU64::new(0)),
            alone: Mutex::default(),
            directory,
            disk: Arc::clone(&options.disk),
        });
        if engine.is_unaware_of_disposal()? {
            tracing::warn!("the views do not follow from the access log: they are built anew");
            engine.rebuild(|_, _| {})?;
        }
        engine.resume_erasure()?;
        engine.complete_certificates()?;
        renewal::start(&engine, options.purge, woken)?;
        Ok(engine)
    }

    /// What the clock shows that the logs are stamped by.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The log of events.
    #[must_use]
    pub fn events(&self) -> &dyn EventLog {
        &*self.events
    }

    /// Commits the events of a command and returns when they are durable and visible.
    ///
    /// # Errors
    ///
    /// [`CommitError`].
    pub async fn commit(&self, command: Command) -> Result<Committed, CommitError> {
        self.events.submit(command)?.await.unwrap_or(Err(CommitError::Unknown))
    }

    /// Has recent changes kept until the guard is dropped, for a command that is decided on criteria: to be called
    /// before the view is taken that it is decided on.
    #[must_use]
    pub fn watching(&self) -> Watching {
        Watching::begin(&self.watchers)
    }

    /// The same as [`Engine::commit`] for threads that may block.
    ///
    /// # Errors
    ///
    /// [`CommitError`].
    pub fn commit_blocking(&self, command: Command) -> Result<Committed, CommitError> {
        self.events.submit(command)?.blocking_recv().unwrap_or(Err(CommitError::Unknown))
    }

    /// Waits until no event can be recorded any more at a moment, or before it.
    ///
    /// # Errors
    ///
    /// [`EngineError::Busy`] when that takes very long; [`EngineError::ReadOnly`].
    pub async fn settled(&self, moment: Instant) -> Result<Settled, EngineError> {
        self.events.settled(moment).await?;
        Ok(Settled::at(moment))
    }

    /// The id of the next request: no other of any run has it.
    #[must_use]
    pub fn next_request(&self) -> RequestId {
        let (run, requests) = &self.requests;
        RequestId::new(*run, requests.fetch_add(1, Ordering::Relaxed))
    }

    /// Writes an access entry and returns when it is durable and can be found.
    ///
    /// # Errors
    ///
    /// [`EngineError::Busy`] or [`EngineError::ReadOnly`]: the request must then not be answered.
    pub async fn record_access(&self, entry: AccessEntry) -> Result<(), EngineError> {
        match self.submit_access(entry)?.await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(EngineError::ReadOnly),
        }
    }

    /// The same without waiting: of what is not answered any more.
    ///
    /// # Errors
    ///
    /// As [`Engine::record_access`].
    pub fn submit_access(
        &self,
        entry: AccessEntry,
    ) -> Result<oneshot::Receiver<bool>, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.access.submit(AccessCommand { entry: Arc::new(entry), reply })?;
        Ok(answer)
    }

    /// Changes with every group of the access log that becomes visible, and closes with the log.
    #[must_use]
    pub fn access_moved(&self) -> Receiver<u64> {
        self.access.moved()
    }

    /// Signs the last checkpoints. What is written later is signed at the next start; call this
    /// when no more requests are served.
    pub fn close(&self) {
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.finish();
        }
    }

    /// False after a failure: reads go on, writes and everything that needs an access entry do
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
    pub fn applied_position(&self) -> Position {
        self.health.applied_events()
    }

    /// The views.
    #[must_use]
    pub fn views(&self) -> &Views {
        &self.views
    }

    /// What events are told by that are older than these say: what is written now is of the versions that they lead to.
    #[must_use]
    pub fn upcasters(&self) -> &Arc<Upcasters> {
        &self.upcasters
    }

    /// The keys, and the log of events that they open.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Number of the epoch of keys that charts are opened in.
    ///
    /// # Errors
    ///
    /// The vault's.
    pub fn epoch(&self) -> Result<u32, EngineError> {
        Ok(self.keys.vault().epoch()?)
    }

    /// The private key with which this server signs tokens (P-256, in PKCS #8); made on first use.
    ///
    /// # Errors
    ///
    /// The vault's.
    pub fn token_key(&self) -> Result<Zeroizing<Vec<u8>>, EngineError> {
        Ok(self.keys.vault().token_key()?)
    }

    /// The segments of the access log.
    #[must_use]
    pub fn access_reader(&self) -> &Reader {
        self.access_frames.reader()
    }

    /// The access log, opened.
    #[must_use]
    pub fn access_frames(&self) -> &AccessFrames {
        &self.access_frames
    }

    /// The data directory.
    #[must_use]
    pub fn directory(&self) -> &DataDirectory {
        &self.directory
    }

    /// The key of the cursors that are given out between two pages.
    #[must_use]
    pub fn cursors(&self) -> &CursorKey {
        &self.cursors
    }

    /// Other search parameters may be defined than the views have: the views are renewed soon.
    pub fn redefine(&self) {
        self.renewer.redefine();
    }
}

/// Opens the vault; a data directory without a log gets a new one.
fn open_vault(directory: &DataDirectory, options: &EngineOptions) -> Result<Vault, EngineError> {
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

impl Drop for Engine {
    fn drop(&mut self) {
        if let Err(error) = self.views.persist() {
            tracing::warn!(%error, "the views were not written to disk; the next start replays more");
        }
    }
}
