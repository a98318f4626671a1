//! Counting what a data directory holds, whether a server has it open or not.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::clock::Instant;
use crate::disk::{self, Disk};
use crate::engine::{AccessFrames, EngineError, read_origin};
use crate::log::{self, Frame, FrameKind, LogKind, StreamAlias, Survey};
use crate::numbers::Position;
use crate::proof::{Checkpoint, Note};
use crate::seal::{Dictionary, SealingKey};
use crate::vault::{Catalogue, MasterKey, Vault, VaultError, Wrap};

/// Most payloads that are compressed again to see what dictionaries are worth.
const SAMPLE_MAX: u64 = 10_000;

/// What a data directory holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// The name that the logs are signed under.
    pub origin: Option<String>,
    /// Number of events.
    pub events: u64,
    /// Number of commits that they came in.
    pub commits: u64,
    /// Number of access entries.
    pub access_entries: u64,
    /// Charts that were ever opened.
    pub charts: u64,
    /// Those of them that were erased: there is no key for them any more.
    pub erased_charts: u64,
    /// Bytes on disk.
    pub bytes: Bytes,
    /// Bytes of the event log for each event, headers and wrapped keys included.
    pub log_bytes_per_event: f64,
    /// What the payloads are without sealing and compression; `None` without the master key.
    pub payloads: Option<Payloads>,
    /// Epochs whose keys exist, ascending.
    pub epochs: Vec<u32>,
    /// The latest checkpoint of the event log.
    pub events_checkpoint: Option<LastCheckpoint>,
    /// The latest checkpoint of the access log.
    pub access_checkpoint: Option<LastCheckpoint>,
}

/// Bytes on disk of each part of a data directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bytes {
    /// The segments of the event log.
    pub log_events: u64,
    /// The segments of the access log.
    pub log_access: u64,
    /// Tiles and checkpoints.
    pub proof: u64,
    /// The views.
    pub views: u64,
    /// The keys.
    pub vault: u64,
    /// Everything else.
    pub other: u64,
    /// All of it.
    pub total: u64,
}

/// What the payloads of both logs are without sealing and compression.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Payloads {
    /// Of the event log.
    pub events: LogPayloads,
    /// Of the access log.
    pub access: LogPayloads,
    /// What the dictionaries are worth.
    pub sample: Sample,
}

/// What the payloads of a log are without sealing and compression.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogPayloads {
    /// Payloads that were opened.
    pub opened: u64,
    /// Those of erased charts, which nobody opens any more.
    pub erased: u64,
    /// Bytes of the opened payloads: compact JSON.
    pub plain_bytes: u64,
    /// Bytes of their frames in the log.
    pub stored_bytes: u64,
    /// How many plain bytes one stored byte holds.
    pub ratio: f64,
}

/// Payloads taken evenly from both logs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// How many.
    pub payloads: u64,
    /// Their bytes: compact JSON.
    pub plain_bytes: u64,
    /// Their bytes as they are in the log, without headers.
    pub stored_bytes: u64,
    /// What they would be without dictionaries.
    pub without_dictionaries_bytes: u64,
}

/// What the latest checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastCheckpoint {
    /// Whose it is.
    pub origin: String,
    /// Entries that it vouches for.
    pub size: u64,
    /// When its file was written.
    pub written_at: Instant,
}

/// Counts. With a master key, all payloads are opened; `progress` is told how many entries of how
/// many were looked at.
///
/// # Errors
///
/// [`EngineError`]: no store there, damage in a log, another master key.
pub fn stats(
    disk: &Arc<dyn Disk>,
    root: &Path,
    master: Option<MasterKey>,
    progress: &dyn Fn(u64, u64),
) -> Result<Stats, EngineError> {
    let origin = read_origin(root)?;
    let survey = |kind: LogKind| {
        let folder = root.join("log").join(kind.name());
        log::survey(&**disk, &folder, kind)
    };
    let (events, access) = (survey(LogKind::Events)?, survey(LogKind::Access)?);
    let folder = root.join("vault");
    let catalogue = Catalogue::read(&**disk, &folder)?;
    let vault = master
        .filter(|_| !catalogue.epochs.is_empty())
        .map(|master| Vault::open(Arc::clone(disk), &folder, master, false, true))
        .transpose()?;
    let all = events.position + access.position;
    let mut count = Count {
        stats: Stats { origin, ..Stats::default() },
        catalogue: &catalogue,
        keys: vault.as_ref().map(Keyring::new).transpose()?,
        every: all.div_ceil(SAMPLE_MAX).max(1),
        seen: 0,
    };
    count.log(LogKind::Events, &events, all, progress)?;
    count.log(LogKind::Access, &access, all, progress)?;
    let mut stats = count.stats;
    stats.bytes = bytes(root)?;
    stats.events = events.position;
    stats.log_bytes_per_event = ratio(stats.bytes.log_events, stats.events);
    stats.epochs.clone_from(&catalogue.epochs);
    stats.events_checkpoint = checkpoint(&**disk, root, LogKind::Events)?;
    stats.access_checkpoint = checkpoint(&**disk, root, LogKind::Access)?;
    if let Some(payloads) = &mut stats.payloads {
        for log in [&mut payloads.events, &mut payloads.access] {
            log.ratio = ratio(log.plain_bytes, log.stored_bytes);
        }
    }
    Ok(stats)
}

#[allow(clippy::cast_precision_loss)]
fn ratio(above: u64, below: u64) -> f64 {
    if below == 0 { 0.0 } else { above as f64 / below as f64 }
}

struct Count<'a> {
    stats: Stats,
    catalogue: &'a Catalogue,
    keys: Option<Keyring<'a>>,
    /// Each so many-th payload is part of the sample.
    every: u64,
    seen: u64,
}

impl Count<'_> {
    fn log(
        &mut self,
        kind: LogKind,
        survey: &Survey,
        all: u64,
        progress: &dyn Fn(u64, u64),
    ) -> Result<(), EngineError> {
        let mut payloads = LogPayloads::default();
        let access = match (kind, &mut self.keys) {
            (LogKind::Access, Some(keys)) => {
                let key = keys.of(StreamAlias::ACCESS, None)?;
                key.map(|key| AccessFrames::new(key, survey.reader.clone(), None))
            }
            _ => None,
        };
        for group in survey.reader.scan(Position::new(0), Position::new(survey.position)) {
            let group = group?;
            for (position, (frame, at)) in (group.first_position.get()..).zip(group.frames) {
                self.seen += 1;
                match kind {
                    LogKind::Events => self.commit_and_chart(&frame),
                    LogKind::Access => self.stats.access_entries += entries_of(&frame),
                }
                if self.keys.is_some() {
                    self.payload(&mut payloads, access.as_ref(), Position::new(position), frame)
                        .map_err(|problem| survey.reader.damage(at, &problem))?;
                }
            }
            progress(self.seen, all);
        }
        if self.keys.is_some() {
            let sums = self.stats.payloads.get_or_insert_default();
            match kind {
                LogKind::Events => sums.events = payloads,
                LogKind::Access => sums.access = payloads,
            }
        }
        Ok(())
    }

    fn commit_and_chart(&mut self, frame: &Frame) {
        self.stats.commits += u64::from(frame.last_of_commit);
        let wrap = frame.content.wrap().map(|wrap| Wrap::from_bytes(*wrap));
        if let Some(wrap) = wrap.filter(|_| frame.alias.is_of_chart()) {
            self.stats.charts += 1;
            let is_erased = !self.catalogue.opens(frame.alias, &wrap);
            self.stats.erased_charts += u64::from(is_erased);
        }
    }

    fn payload(
        &mut self,
        sums: &mut LogPayloads,
        access: Option<&AccessFrames>,
        position: Position,
        frame: Frame,
    ) -> Result<(), String> {
        let alias = if access.is_some() { StreamAlias::ACCESS } else { frame.alias };
        let keys = self.keys.as_mut().ok_or("no keys")?;
        let wrap = frame.content.wrap().map(|wrap| Wrap::from_bytes(*wrap));
        let key = keys.of(alias, wrap).map_err(|error| error.to_string())?;
        let Some(key) = key else {
            sums.erased += 1;
            return Ok(());
        };
        let length = frame.length() as u64;
        let (sort, alias) = (frame.kind, frame.alias);
        let body = frame.content.clone().into_body().len() as u64;
        let opened = match access {
            Some(access) => access.open(position, frame).map_err(|error| error.to_string())?,
            None => key.open(sort, alias, frame.content).map_err(|error| error.to_string())?,
        };
        sums.opened += 1;
        sums.plain_bytes += opened.len() as u64;
        sums.stored_bytes += length;
        if self.seen.is_multiple_of(self.every) {
            let without = key.seal(sort, alias, Dictionary::NONE, &opened);
            let without = without.map_err(|error| error.to_string())?.into_body().len() as u64;
            let sample = &mut self.stats.payloads.get_or_insert_default().sample;
            sample.payloads += 1;
            sample.plain_bytes += opened.len() as u64;
            sample.stored_bytes += body;
            sample.without_dictionaries_bytes += without;
        }
        Ok(())
    }
}

/// How many entries a frame of the access log holds.
fn entries_of(frame: &Frame) -> u64 {
    match frame.kind {
        // A frame of the format before holds one, and has no number of them.
        FrameKind::Access => u64::from(frame.version.max(1)),
        _ => 0,
    }
}

/// The keys of all streams, from the vault and from the log.
struct Keyring<'a> {
    vault: &'a Vault,
    wraps: HashMap<StreamAlias, Wrap>,
}

impl<'a> Keyring<'a> {
    fn new(vault: &'a Vault) -> Result<Self, EngineError> {
        Ok(Self { vault, wraps: vault.wraps()?.into_iter().collect() })
    }

    /// `None` when they were destroyed. `wrap` is the one in the frame at hand.
    fn of(
        &mut self,
        alias: StreamAlias,
        wrap: Option<Wrap>,
    ) -> Result<Option<Arc<SealingKey>>, VaultError> {
        if let Some(wrap) = wrap {
            // What was wrapped again counts, and not what the log says.
            self.wraps.entry(alias).or_insert(wrap);
        }
        if let Some(key) = self.vault.opened_key(alias) {
            return Ok(Some(key));
        }
        let Some(wrap) = self.wraps.get(&alias) else { return Ok(None) };
        match self.vault.key(alias, wrap) {
            Err(VaultError::Destroyed(_)) => Ok(None),
            key => key.map(Some),
        }
    }
}

fn checkpoint(
    disk: &dyn Disk,
    root: &Path,
    kind: LogKind,
) -> Result<Option<LastCheckpoint>, EngineError> {
    let path = root.join("proof").join(kind.name()).join("checkpoint");
    if !disk.exists(&path) {
        return Ok(None);
    }
    let text = String::from_utf8(disk::read(disk, &path)?).unwrap_or_default();
    let read = Note::parse(&text).and_then(|note| Checkpoint::parse(note.text()));
    let read = read.map_err(|error| EngineError::Checkpoint { path: path.clone(), error })?;
    let facts = path.metadata()?;
    let micros = facts.mtime() * 1_000_000 + facts.mtime_nsec() / 1_000;
    let written_at = Instant::from_micros(micros);
    Ok(Some(LastCheckpoint { origin: read.origin, size: read.size, written_at }))
}

fn bytes(root: &Path) -> Result<Bytes, EngineError> {
    let mut bytes = Bytes::default();
    for entry in root.read_dir()? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match name.as_str() {
            "log" => {
                bytes.log_events = held(&path.join("events"))?;
                bytes.log_access = held(&path.join("access"))?;
            }
            "proof" => bytes.proof = held(&path)?,
            "views" => bytes.views = held(&path)?,
            "vault" => bytes.vault = held(&path)?,
            _ => bytes.other += held(&path)?,
        }
    }
    let Bytes { log_events, log_access, proof, views, vault, other, .. } = bytes;
    Ok(Bytes { total: log_events + log_access + proof + views + vault + other, ..bytes })
}

/// Bytes of a file, or of all files below a directory. A file that a server has just removed
/// counts nothing.
fn held(path: &Path) -> Result<u64, EngineError> {
    let facts = match path.symlink_metadata() {
        Ok(facts) => facts,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    if facts.is_dir() {
        let entries = match path.read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        return entries.map(|entry| held(&entry?.path())).sum();
    }
    // A file may have holes, and then takes less than it is long.
    Ok(facts.len().min(facts.blocks() * 512))
}
