//! The proofs over the two logs: what connects them to [`crate::proof`].
//!
//! In: the bytes of each group, on the applying thread, before the group is answered. Out: tiles
//! that hold the hash of every frame, checkpoints, evidence. A thread of its own makes the tiles
//! durable and signs; committing never waits for it.
//!
//! **Invariant:** a checkpoint never says more than the tiles have made durable, and those never
//! more than the log. Never: what a frame means.

mod checkpoints;
mod reading;

pub use checkpoints::Checkpoints;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{DataDirectory, EngineError, EngineOptions};
use crate::disk::{self, Disk};
use crate::log::{AppendedGroup, Group, Reader, Recovered};
use crate::numbers::Position;
use crate::proof::{
    BundleLog, Checkpoint, Disposal, Hash, Issuer, ProofError, SignedCheckpoint, Signer, Sink,
    SinkHandle, TileReader, Tiles, Verifier, leaf,
};
use crate::seal::KEY_BYTES;
use crate::vault::Vault;

/// Leaves that are appended at once while the tiles catch up with their log.
const LEAVES_AT_ONCE: usize = 8_192;
/// The file with the latest checkpoint.
pub const CHECKPOINT: &str = "checkpoint";
/// The file with the public key, so that checking needs no secret.
pub const VERIFIER_KEY: &str = "vkey";

/// How the proofs are kept.
#[derive(Debug, Clone)]
pub struct ProofOptions {
    /// Name of the two logs in their checkpoints; `None`: a random one, chosen once.
    pub origin: Option<String>,
    /// Time between two checkpoints of a log that grows.
    pub checkpoint_interval: Duration,
    /// Where checkpoints are pushed.
    pub sinks: Vec<Sink>,
}

impl Default for ProofOptions {
    fn default() -> Self {
        let checkpoint_interval = Duration::from_secs(1);
        Self { origin: None, checkpoint_interval, sinks: Vec::new() }
    }
}

/// The folder of a log's proofs below `proof/`.
#[must_use]
pub fn folder(log: BundleLog) -> &'static str {
    log.origin_suffix().trim_start_matches('/')
}

/// The proofs over both logs.
#[derive(Debug, Clone)]
pub struct Proofs {
    /// Of every change.
    pub events: Arc<LogProof>,
    /// Of every look.
    pub access: Arc<LogProof>,
}

impl Proofs {
    /// Opens the proofs of both logs.
    pub fn open(
        places: [Place; 2],
        events: &Recovered,
        access: &Recovered,
        sinks: &[Sink],
    ) -> Result<Self, EngineError> {
        let [of_events, of_access] = places;
        Ok(Self { events: of_events.open(events, sinks)?, access: of_access.open(access, sinks)? })
    }

    /// The proofs over one log.
    #[must_use]
    pub fn of(&self, log: BundleLog) -> &Arc<LogProof> {
        match log {
            BundleLog::Events => &self.events,
            BundleLog::Access => &self.access,
        }
    }
}

/// Where the proofs of both logs lie, under their name and key; `None` if none are kept.
pub fn places(
    directory: &DataDirectory,
    vault: &Vault,
    options: &EngineOptions,
) -> Result<Option<[Place; 2]>, EngineError> {
    if !options.proves {
        return Ok(None);
    }
    let origin = directory.origin(&*options.disk, options.proof.origin.as_deref())?;
    let seed = vault.signing_seed()?;
    let place =
        |log| Place::new(Arc::clone(&options.disk), &directory.proof(), log, &origin, &seed);
    Ok(Some([place(BundleLog::Events)?, place(BundleLog::Access)?]))
}

/// How many entries of both logs were signed for.
pub fn signed(places: Option<&[Place; 2]>) -> Result<(u64, u64), EngineError> {
    let Some([events, access]) = places else { return Ok((0, 0)) };
    Ok((events.signed_size()?, access.signed_size()?))
}

/// Where the proofs of a log are, and who signs them.
#[derive(Debug)]
pub struct Place {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    signer: Signer,
}

/// Tiles and checkpoints of one log.
#[derive(Debug)]
pub struct LogProof {
    /// Held for as long as hashes take to be handed to the system, never for a sync.
    tiles: Mutex<Tiles>,
    reader: TileReader,
    issuer: Arc<Issuer>,
    sinks: Mutex<Vec<SinkHandle>>,
    /// Held while a checkpoint is made, so that one is made at a time. True when the tiles could not be synced: what the disk then has of them is
    /// not known before they are computed again.
    issuing: Mutex<bool>,
}

impl Place {
    /// The place of a log's proofs in the folder of both.
    pub fn new(
        disk: Arc<dyn Disk>,
        above: &Path,
        log: BundleLog,
        origin: &str,
        seed: &[u8; KEY_BYTES],
    ) -> Result<Self, EngineError> {
        let signer = Signer::from_seed(&format!("{origin}{}", log.origin_suffix()), seed)?;
        Ok(Self { disk, directory: above.join(folder(log)), signer })
    }

    /// How many entries the latest checkpoint on disk says the log has.
    pub fn signed_size(&self) -> Result<u64, EngineError> {
        let path = self.directory.join(CHECKPOINT);
        if !self.disk.exists(&path) {
            return Ok(0);
        }
        Ok(read_checkpoint(&*self.disk, &path, self.signer.verifier())?.checkpoint().size)
    }

    /// Opens tiles and checkpoint, and adds the leaves that the log has beyond them.
    pub fn open(self, log: &Recovered, sinks: &[Sink]) -> Result<Arc<LogProof>, EngineError> {
        let Self { disk, directory, signer } = self;
        let length = log.writer.next_position().get();
        let (mut tiles, held) = Tiles::open(Arc::clone(&disk), &directory, length)?;
        catch_up(&mut tiles, &log.reader, held, length)?;
        write_key(&*disk, &directory.join(VERIFIER_KEY), signer.verifier())?;
        let reader = tiles.reader();
        let path = directory.join(CHECKPOINT);
        let issuer = Issuer::open(Arc::clone(&disk), &path, signer, reader.clone());
        let issuer = Arc::new(issuer.map_err(|error| named(&path, error))?);
        let start = |sink: &Sink| {
            let cosigner = Arc::clone(&issuer);
            sink.start(Arc::clone(&disk), reader.clone(), move |signed| {
                if let Err(error) = cosigner.cosigned(signed) {
                    tracing::warn!(%error, "the signatures of a witness were not kept");
                }
            })
        };
        let sinks: Result<Vec<_>, ProofError> = sinks.iter().map(start).collect();
        let proof = LogProof {
            tiles: Mutex::new(tiles),
            reader,
            issuer,
            sinks: Mutex::new(sinks?),
            issuing: Mutex::new(false),
        };
        proof.checkpoint()?;
        Ok(Arc::new(proof))
    }
}

impl LogProof {
    /// Adds the frames of a group that is on disk.
    pub fn append(&self, written: &AppendedGroup) -> Result<(), ProofError> {
        let start = u64::from(written.group.offset);
        let mut leaves = Vec::with_capacity(written.frames.len());
        for (position, at) in (written.first_position.get()..).zip(&written.frames) {
            let from = usize::try_from(u64::from(at.offset) - start).unwrap_or(usize::MAX);
            let frame = written.bytes.get(from..from.saturating_add(at.length as usize));
            leaves.push(leaf(position, written.recorded_at, frame.unwrap_or_default()));
        }
        lock(&self.tiles).append(&leaves)
    }

    /// Makes the tiles durable and signs what they hold, unless the latest checkpoint says it all.
    pub fn checkpoint(&self) -> Result<Arc<SignedCheckpoint>, ProofError> {
        let mut is_unsynced = lock(&self.issuing);
        let size = self.reader.size();
        if let Some(latest) = self.issuer.latest().filter(|one| one.checkpoint().size == size) {
            return Ok(latest);
        }
        if *is_unsynced {
            return Err(ProofError::Unsynced);
        }
        let unsynced = lock(&self.tiles).unsynced();
        *is_unsynced = true;
        let durable = unsynced.sync()?;
        *is_unsynced = false;
        let signed = self.issuer.issue_at(durable)?;
        for sink in lock(&self.sinks).iter() {
            sink.push(Arc::clone(&signed));
        }
        Ok(signed)
    }

    /// A checkpoint that covers at least so many entries, which the log must hold.
    pub fn checkpoint_over(&self, entries: u64) -> Result<Arc<SignedCheckpoint>, ProofError> {
        match self.issuer.latest().filter(|latest| latest.checkpoint().size >= entries) {
            Some(latest) => Ok(latest),
            None => self.checkpoint(),
        }
    }

    /// The latest checkpoint.
    #[must_use]
    pub fn latest(&self) -> Option<Arc<SignedCheckpoint>> {
        self.issuer.latest()
    }

    /// The tiles, for reading.
    #[must_use]
    pub fn tiles(&self) -> &TileReader {
        &self.reader
    }

    /// The public key.
    #[must_use]
    pub fn verifier(&self) -> &Verifier {
        self.issuer.signer().verifier()
    }

    /// Signs a statement of disposal.
    ///
    /// # Errors
    ///
    /// [`ProofError::Note`]: never.
    pub fn sign(&self, disposal: &Disposal) -> Result<String, ProofError> {
        Ok(disposal.sign(self.issuer.signer())?.to_string())
    }

    /// Whether the thread of a sink has ended before its time.
    fn has_lost_a_sink(&self) -> bool {
        lock(&self.sinks).iter().any(SinkHandle::has_ended)
    }

    /// Gives the sinks so long to deliver what they still have.
    fn finish_sinks(&self, wait_max: Duration) {
        let sinks = std::mem::take(&mut *lock(&self.sinks));
        if !sinks.into_iter().all(|sink| sink.finish(wait_max)) {
            tracing::warn!(log = self.verifier().name(), "the last checkpoint was not delivered");
        }
    }
}

/// Reads a checkpoint and checks its signature; errors name the file.
pub fn read_checkpoint(
    disk: &dyn Disk,
    path: &Path,
    verifier: &Verifier,
) -> Result<SignedCheckpoint, EngineError> {
    let bytes = disk::read(disk, path)
        .map_err(|source| ProofError::Disk { path: path.to_owned(), source })?;
    let text = String::from_utf8(bytes).map_err(|_| ProofError::Note("it is not UTF-8"));
    let opened = text.and_then(|text| Checkpoint::open(&text, verifier));
    opened.map_err(|error| named(path, error))
}

fn named(path: &Path, error: ProofError) -> EngineError {
    match error {
        ProofError::Disk { .. } => error.into(),
        error => EngineError::Checkpoint { path: path.to_owned(), error },
    }
}

fn catch_up(tiles: &mut Tiles, log: &Reader, held: u64, length: u64) -> Result<(), EngineError> {
    let mut leaves: Vec<Hash> = Vec::new();
    for group in log.scan(Position::new(held), Position::new(length)) {
        let group = group?;
        let known = usize::try_from(held.saturating_sub(group.first_position.get()));
        leaves.extend(leaves_of(&group).into_iter().skip(known.unwrap_or(usize::MAX)));
        if leaves.len() >= LEAVES_AT_ONCE {
            tiles.append(&std::mem::take(&mut leaves))?;
        }
    }
    Ok(tiles.append(&leaves)?)
}

/// The leaves of a group, which are there also when its frames were disposed of.
pub fn leaves_of(group: &Group) -> Vec<Hash> {
    if let Some(remains) = &group.remains {
        return remains.leaves.iter().map(|leaf| Hash(*leaf)).collect();
    }
    let mut bytes = Vec::new();
    let leaves = (group.first_position.get()..).zip(&group.frames).map(|(position, (frame, _))| {
        bytes.clear();
        frame.put(&mut bytes);
        leaf(position, group.recorded_at, &bytes)
    });
    leaves.collect()
}

fn write_key(disk: &dyn Disk, path: &Path, verifier: &Verifier) -> Result<(), EngineError> {
    let text = format!("{verifier}\n");
    let failed = |source| ProofError::Disk { path: path.to_owned(), source };
    if disk.exists(path) {
        if disk::read(disk, path).map_err(failed)? == text.as_bytes() {
            return Ok(());
        }
        tracing::warn!(path = %path.display(), "the public key on disk was another; written again");
    }
    Ok(disk::replace(disk, path, text.as_bytes()).map_err(failed)?)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
